"""Rules about the change from the present: increase, decrease, start, stop, another concentration, what the path still holds, a bolus
that comes with the commit, the wrong patient or pump.

Where nothing is known of the present, the rules say what they could not check (design 4: never silence).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise

from itbpump.configuration import bridge_wanted, carried_bridge, mass_of_units, path_text, plan_bridge, wait_text
from itbpump.errors import ConfigurationError
from itbpump.present import PresentPump
from itbpump.quantity import MS_PER_DAY, Flow, MassRate, Volume, rate_of_flow
from itbpump.safety.context import Context, Current, percent_text
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.therapy_view import TherapyView
from itbpump.wire.messages import RunState

__all__ = ["RULES", "highest_across", "increase_share"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO
WITHDRAWAL = "withdrawal can kill: fever, rigidity, rebound spasticity, organ failure"
PATH = "domain 2.2 and 0.9: the path still holds the old concentration"
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
    if age is None and c.current.present is not None:
        message = "the therapy may have been changed in the last 24 h: the pump tells only that its last change was another command"
        yield Hit(SECOND, message, "not known", limit.value.text(), limit.origin)
    elif age is None:
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
    """Another concentration needs a bridge, or a refusal on record; the path must hold one concentration only. The same label carries a
    bridge in force on, whether it runs or waits."""
    current = c.current
    if current is None:
        if c.rx.bridge is None:
            yield Hit(INFO, "not checked: change of concentration, as the present therapy is not known")
        return
    if current.configuration is None or current.view is None:
        return
    old = current.view
    present = current.present
    if not _is_relabelled(c, current):
        if present is not None and present.bridging:
            yield from _bridge_goes_on(c, present)
        return
    change = f"{old.concentration} to {c.view.concentration}"
    if present is not None and present.bridging:
        message = f"{change}: an earlier bridge is in force, the path holds two concentrations already; {wait_text(present, c.profile)}"
        yield Hit(HARD, message, source=PATH)
    elif c.rx.bridge is None:
        yield Hit(
            HARD, f'{change} without a bridge: {_unbridged(c)}; add [bridge] plan = "auto", or "refused" with its reason', source=PATH
        )
    elif c.rx.bridge.plan == "refused":
        yield Hit(SECOND, f"{change}, bridge refused ({c.rx.bridge.reason}): {_unbridged(c)}", source=PATH)
    elif not bridge_wanted(c.rx):
        yield Hit(HARD, f"{change}: there is no therapy to bridge to; program one, or refuse the bridge with its reason", source=PATH)
    elif present is None or not present.path_left_pulses:
        yield from _bridge_flow(c)


def _is_relabelled(c: Context, current: Current) -> bool:
    old = current.view
    return old is not None and (old.drug, old.concentration) != (c.view.drug, c.view.concentration)


def _bridge_goes_on(c: Context, present: PresentPump) -> Iterator[Hit]:
    """The bridge in force comes before whatever is prescribed; asked about where it gives another dose."""
    try:
        plan = carried_bridge(present)
    except ConfigurationError as error:
        yield Hit(HARD, str(error), source=PATH)
        return
    if c.rx.therapy.mode == "minimum-rate":
        message = "a bridge is in force, and would be given before the minimum rate; stop the pump by itbpump stop: the bridge then waits"
        yield Hit(HARD, message, source=PATH)
        return
    volume, largest = Volume(plan.pulses * c.profile.pulse_volume.nL), Volume(c.rx.catheter.path.nL + c.profile.prime_margin.nL)
    if volume > largest:
        message = f"a bridge of {volume} is in force, more than a path of {c.rx.catheter.path} holds; keep the path volume until its end"
        yield Hit(HARD, message, volume.text(), largest.text(), PATH)
        return
    if not c.is_therapy:
        yield Hit(INFO, f"the bridge in force waits for the next start, {volume} still to pass", source=PATH)
        return
    dose = _path_dose(present, Fraction(plan.flow_nL_per_day))
    limit, mean = c.library.rounding_soft_percent, c.view.mean_day
    apart = abs(Fraction(dose.ng_per_day) - mean.ng_per_day) * 100 > limit.value * mean.ng_per_day
    hours = percent_text(Fraction(volume.nL * 24, plan.flow_nL_per_day) / 100)
    first = f"the bridge in force goes on first: {dose.rounded()} from {path_text(present)} until {volume} more have passed, {hours} h"
    yield Hit(SOFT if apart else INFO, f"{first}; only then {mean}", dose.rounded().text(), mean.text(), PATH)


def _path_dose(present: PresentPump, flow: Fraction) -> MassRate:
    """What a flow gives of what the path holds."""
    return MassRate(flow * present.path_concentration_ng_per_mL / 1_000_000)


@RULES.rule("path", "SR-12", worst=HARD)
def path(c: Context) -> Iterator[Hit]:
    """While the path holds another label without a bridge, the pump gives another dose than any prescription says; no second change."""
    current = c.current
    present = current.present if current is not None else None
    if current is None or present is None or not present.path_left_pulses or present.bridging:
        return
    held = f"the path still holds {path_text(present)} of an earlier label"
    if _is_relabelled(c, current):
        yield Hit(HARD, f"{held}: another change cannot be bridged; {wait_text(present, c.profile)}", source=PATH)
    elif c.is_therapy:
        volume, flow = Volume(present.path_left_pulses * c.profile.pulse_volume.nL), c.view.schedule.mean_flow
        dose, hours = _path_dose(present, flow).rounded(), percent_text(Fraction(volume.nL * 24) / flow / 100) if flow else "?"
        message = f"{held}: up to {dose} in the mean instead of {c.view.mean_day} until {volume} more have passed, {hours} h"
        yield Hit(SOFT, message, dose.text(), c.view.mean_day.text(), PATH)


@RULES.rule("lost-configuration", "SR-39", "SR-12", worst=HARD)
def lost_configuration(c: Context) -> Iterator[Hit]:
    """A pump that has lost its configuration knows neither reservoir nor path: both are measured, not believed."""
    present = c.current.present if c.current is not None else None
    if present is None or not present.has_lost_its_configuration:
        return
    if not c.is_refill:
        message = "the pump has lost its configuration, and with it what its reservoir holds; measure and fill it by itbpump refill --rx"
        yield Hit(HARD, message)
    else:
        message = "the pump has lost its configuration: nothing was compared with the therapy before, and what the path holds is not known"
        yield Hit(SOFT, f"{message}; look both up in the patient's record")


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


@RULES.rule("bolus-at-once", "SR-07", "SR-10", worst=SOFT)
def bolus_at_once(c: Context) -> Iterator[Hit]:
    """A periodic bolus starts with the commit, unless the pump has the same period already: then no bolus moves."""
    therapy, current = c.rx.therapy, c.current
    if therapy.mode != "periodic-bolus":
        return
    if current is None:
        yield Hit(INFO, "not checked: whether a bolus starts with the commit, as the present therapy is not known")
        return
    present = current.present
    waits = present is not None and (present.bridging or (c.is_refill and present.run_state is not RunState.RUNNING))
    if waits or (_is_relabelled(c, current) and bridge_wanted(c.rx)):
        return
    if _keeps_period(c, current):
        yield Hit(INFO, f"the period of {therapy.every} goes on as it is: this change moves no bolus, and one under way gives the new dose")
        return
    at_once = f"a bolus of {therapy.dose} over {therapy.over} starts with the commit"
    old = current.view
    given_lately = current.is_treating or (present is not None and present.mass_24h_ng > 0)
    if old is None or not given_lately or not _has_boluses(old):
        yield Hit(INFO, at_once)
        return
    last = f"at any time in the last {old.periodic.every}, even just before" if old.periodic is not None else "only just before"
    highest = highest_across(old, c.view).rounded()
    message = f"{at_once}; the last one of the present therapy may have begun {last}; up to {highest} in 24 h across the change"
    yield Hit(SOFT, message, highest.text(), c.view.highest_24h_exact.rounded().text(), "the pump's period begins with the commit")


def _keeps_period(c: Context, current: Current) -> bool:
    """The pump's period runs on by its uptime, also while it is stopped or at its minimum rate."""
    old, new = current.configuration, c.configuration
    return old is not None and (old.mode, old.periodic_every_min) == (new.mode, new.periodic_every_min)


def _has_boluses(view: TherapyView) -> bool:
    return view.periodic is not None or any(step.dose is not None for day in view.days for step in day)


def highest_across(old: TherapyView, new: TherapyView) -> MassRate:
    """Largest dose in any 24 h across the commit, wherever the old therapy then is; without patient boluses.

    The part before the commit is at most what the old schedule gives in any span of that length, the part after it what the new one gives
    from its start. Exact for an old therapy with a period; else an upper bound, taken hour by hour.
    """
    before, after = old.schedule, new.schedule
    backs = {0, MS_PER_DAY} | {MS_PER_DAY - end for _, end, _ in after.segments_between(0, MS_PER_DAY)}
    if before.follows_week:
        backs |= set(range(0, MS_PER_DAY, MS_PER_DAY // 24))
    else:
        edges = [segment.start_ms - other.start_ms for segment in before.segments for other in before.segments]
        backs |= {turn * before.cycle_ms + edge for turn in range(MS_PER_DAY // before.cycle_ms + 2) for edge in edges}
    inside = sorted(back for back in backs if 0 <= back <= MS_PER_DAY)

    def given(back_ms: int, ahead_ms: int) -> Fraction:
        old_units = before.max_window_units(back_ms)[0] if back_ms else 0
        return mass_of_units(old_units, old.concentration.ng_per_mL) + mass_of_units(
            after.volume_units_between(0, ahead_ms), new.concentration.ng_per_mL
        )

    spans = pairwise(inside) if before.follows_week else ((back, back) for back in inside)
    return MassRate(max(given(later, MS_PER_DAY - earlier) for earlier, later in spans))


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
