"""Rules about the change from the present: increase, decrease, start, stop, another concentration, the wrong patient or pump.

Where nothing is known of the present, the rules say what they could not check (design 4: never silence).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.configuration import bridge_wanted, plan_bridge
from itbpump.quantity import Flow, MassRate, Volume, rate_of_flow
from itbpump.safety.context import Context, percent_text
from itbpump.safety.model import Hit, RuleSet, Severity

__all__ = ["RULES", "increase_share"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO
WITHDRAWAL = "withdrawal can kill: fever, rigidity, rebound spasticity, organ failure"
LABEL = "boxed warning of the label: lioresal.com, medlibrary, openFDA"


def increase_share(c: Context) -> Fraction | None:
    """Change of the highest total in any 24 h, new against old; None where there is nothing to compare with."""
    if c.current is None or c.current.view is None or not c.current.is_treating:
        return None
    old = c.current.view.highest_24h_exact.ng_per_day
    return Fraction(c.view.highest_24h_exact.ng_per_day) / old - 1 if old else None


@RULES.rule("increase", "SR-08", worst=HARD)
def increase(c: Context) -> Iterator[Hit]:
    """An increase in one change stays within the steps of the indication; of children for any child."""
    if c.current is None:
        yield Hit(INFO, "not checked: change of the daily dose, as the present therapy is not known")
        return
    share = increase_share(c)
    if share is None or share <= 0:
        return
    age = c.rx.patient.age_years
    is_child = age is not None and age < c.library.child_below_years.value
    indication = c.rx.patient.indication
    groups = [c.library.increase[indication]] + ([c.library.increase["child"]] if is_child else [])
    text = f"{percent_text(share)} %"
    for severity, name in ((HARD, "hard_percent"), (SECOND, "second_percent"), (SOFT, "soft_percent")):
        limit = min((getattr(group, name) for group in groups), key=lambda figure: int(figure.value))
        if share > Fraction(limit.value, 100):
            message = f"the highest 24 h rises by {text}, above {limit.value} % for {indication}{' and a child' if is_child else ''}"
            yield Hit(severity, message, text, f"{limit.value} %", limit.origin)
            return


@RULES.rule("first-period", "SR-08", worst=SECOND)
def first_period(c: Context) -> Iterator[Hit]:
    """No increase in the first 24 h of a therapy without a second person."""
    share = increase_share(c)
    if c.current is None or share is None or share <= 0:
        return
    limit, age = c.library.first_period, c.current.age_ms
    if age is None:
        yield Hit(INFO, "not checked: how long the present therapy has been running")
    elif age < limit.value.ms:
        message = f"the present therapy has been running for less than {limit.value}; its effect is not yet to be seen"
        yield Hit(SECOND, message, f"{age // 3_600_000} h", limit.value.text(), limit.origin)


@RULES.rule("decrease", "SR-08", "SR-33", worst=SOFT)
def decrease(c: Context) -> Iterator[Hit]:
    """A steep decrease asks for a withdrawal acknowledgement; it is never hard."""
    share, limit = increase_share(c), c.library.decrease_soft_percent
    if c.is_therapy and share is not None and -share > Fraction(limit.value, 100):
        text = percent_text(-share)
        message = f"the highest 24 h falls by {text} %, more than {limit.value} %; {WITHDRAWAL}; consider a taper"
        yield Hit(SOFT, message, f"-{text} %", f"-{limit.value} %", limit.origin)


@RULES.rule("stop", "SR-33", worst=SOFT)
def stop(c: Context) -> Iterator[Hit]:
    """A stop, or the minimum rate, asks for a withdrawal acknowledgement."""
    if not c.is_therapy:
        what = "delivery stops" if c.rx.therapy.mode == "stopped" else "the minimum rate is practically no dose"
        yield Hit(SOFT, f"{what}: {WITHDRAWAL}; say why, and who watches the patient", source=LABEL)


@RULES.rule("start", "SR-08", worst=SECOND)
def start(c: Context) -> Iterator[Hit]:
    """A start from a stopped, unconfigured or minimum-rate pump is carried by the screening dose."""
    if not c.is_therapy or c.current is None or c.current.is_treating:
        return
    screening = c.rx.screening
    if screening is None:
        yield Hit(INFO, "not checked: the start dose, as [screening] is missing")
        return
    is_long = screening.effect > c.library.start_long_effect.value
    factor = c.library.start_long_factor if is_long else c.library.start_factor
    limit = MassRate(screening.dose.ng * factor.value)
    second = MassRate(Fraction(limit.ng_per_day * c.library.start_second_percent.value, 100))
    total = c.view.highest_24h_exact
    if total > limit:
        severity = SECOND if total > second else SOFT
        rule = f"{factor.value} times the screening dose of {screening.dose}"
        message = f"a start at up to {total.rounded()} in 24 h is above {rule}, {limit}" + (
            f", and above {second}" if severity is SECOND else ""
        )
        yield Hit(severity, message, total.rounded().text(), limit.text(), factor.origin)


@RULES.rule("bridge", "SR-12", worst=HARD)
def bridge(c: Context) -> Iterator[Hit]:
    """Another concentration needs a bridge, or a refusal on record; the path must hold one concentration only."""
    current = c.current
    if current is None:
        if c.rx.bridge is None:
            yield Hit(INFO, "not checked: change of concentration, as the present therapy is not known")
        return
    if current.configuration is None or current.view is None:
        return
    old = current.view
    if (old.drug, old.concentration) == (c.view.drug, c.view.concentration):
        return
    change = f"{old.concentration} to {c.view.concentration}"
    source = "domain 2.2 and 0.9: the path still holds the old concentration"
    if current.bridging:
        yield Hit(
            HARD, f"{change}: an earlier bridge is in force, the path holds two concentrations already; wait for its end", source=source
        )
    elif c.rx.bridge is None:
        yield Hit(
            HARD, f'{change} without a bridge: {_unbridged(c)}; add [bridge] plan = "auto", or "refused" with its reason', source=source
        )
    elif c.rx.bridge.plan == "refused":
        yield Hit(SECOND, f"{change}, bridge refused ({c.rx.bridge.reason}): {_unbridged(c)}", source=source)
    elif not bridge_wanted(c.rx):
        yield Hit(HARD, f"{change}: there is no therapy to bridge to; program one, or refuse the bridge with its reason", source=source)
    else:
        yield from _bridge_flow(c)


def _unbridged(c: Context) -> str:
    """What the patient gets while the old concentration is pushed out by the new flow."""
    if c.current is None or c.current.view is None:
        return ""
    flow, path = c.view.schedule.mean_flow, c.current.view.path
    if flow == 0:
        return f"the path of {path} keeps the old concentration"
    dose = MassRate(flow * c.current.view.concentration.ng_per_mL / 1_000_000).rounded()
    hours = path.nL * 24 / flow
    span = f"{percent_text(hours / 100)} h" if hours < 48 else f"{percent_text(hours / 2400)} days"
    return f"about {dose} instead of {c.view.mean_day} for {span}"


def _bridge_flow(c: Context) -> Iterator[Hit]:
    if c.current is None or c.current.view is None:
        return
    old = c.current.view
    plan = plan_bridge(
        path_nL=old.path.nL,
        pulse_nL=c.profile.pulse_volume.nL,
        old_flow=old.schedule.mean_flow if c.current.is_treating else None,
        old_ng_per_mL=old.concentration.ng_per_mL,
        new_flow=c.view.schedule.mean_flow,
        new_ng_per_mL=c.view.concentration.ng_per_mL,
    )
    flow, low, high = Flow(plan.flow_nL_per_day), c.profile.flow_min, c.profile.flow_max
    if not low <= flow <= high or plan.flow_nL_per_day == 0:
        message = (
            f"the bridge needs a flow of {flow}, outside the pump's {low} to {high}; refuse it with its reason, or choose another dose"
        )
        yield Hit(HARD, message, flow.text(), f"{low.text()} to {high.text()}", c.profile.sources["flow_min"].source)
        return
    volume = Volume(plan.pulses * c.profile.pulse_volume.nL)
    dose, hours = rate_of_flow(flow, old.concentration).rounded(), Fraction(volume.nL * 24, plan.flow_nL_per_day)
    first = f"{dose} of the old {old.concentration} until {volume} have passed, {percent_text(hours / 100)} h"
    message = f"bridge: {first}; then {c.view.mean_day}"
    yield Hit(INFO, message, flow.text(), volume.text(), "domain 2.2")


@RULES.rule("label", "SR-39", worst=HARD)
def label(c: Context) -> Iterator[Hit]:
    """A pump takes another drug or concentration only together with a refill."""
    current = c.current
    if current is None or current.present is None or current.view is None or c.is_refill:
        return
    held = (current.view.drug, current.view.concentration)
    if held != (c.view.drug, c.view.concentration):
        wanted = f"{c.view.drug} {c.view.concentration}"
        message = f"the pump holds {held[0]} {held[1]}, the prescription is for {wanted}; refill with itbpump refill --rx"
        yield Hit(HARD, message, c.view.concentration.text(), held[1].text(), "design 4: a relabelled drug with an old flow cannot exist")


@RULES.rule("identity", "SR-20", worst=HARD)
def identity(c: Context) -> Iterator[Hit]:
    """Old and new are for the same patient and the same pump model."""
    old = c.current.rx if c.current is not None else None
    if old is None:
        return
    if old.patient.id != c.rx.patient.id:
        message = f"the present therapy is patient {old.patient.id}'s, this one {c.rx.patient.id}'s"
        yield Hit(HARD, message, c.rx.patient.id, old.patient.id)
    if old.pump.profile != c.rx.pump.profile:
        message = f"the present pump is a {old.pump.profile}, this prescription is for a {c.rx.pump.profile}; review a new pump as a start"
        yield Hit(HARD, message, c.rx.pump.profile, old.pump.profile)
