"""Rules about what reservoir and path hold: another concentration and its bridge, a bridge in force, an earlier label, a lost memory.

Where nothing is known of the present, the rules say what they could not check (design 4: never silence).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.configuration import bridge_wanted, carried_bridge, path_text, plan_bridge, wait_text
from itbpump.errors import ConfigurationError
from itbpump.present import PresentPump
from itbpump.quantity import Flow, MassRate, Volume, rate_of_flow
from itbpump.safety.context import Context, percent_text
from itbpump.safety.current import Current, is_other_drug, is_relabelled
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.therapy_view import TherapyView

__all__ = ["RULES"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO
PATH = "domain 2.2 and 0.9: the path still holds the old concentration"


@RULES.rule("bridge", "SR-12", worst=HARD)
def bridge(c: Context) -> Iterator[Hit]:
    """Another concentration needs a bridge, or a refusal on record; the path must hold one concentration only. The same label carries a
    bridge in force on, whether it runs or waits."""
    current = c.current
    if current is None:
        if c.rx.bridge is None:
            yield Hit(INFO, "not checked: change of concentration, as the present therapy is not known")
        return
    old, present = current.view, current.present
    if old is None:
        if current.bridging:
            yield Hit(HARD, "the pump tells of a bridge, and of no configuration that has one; read it again", source=PATH)
        return
    if not is_relabelled(c.view, current):
        if present is not None and present.bridging:
            yield from _bridge_goes_on(c, present)
        return
    yield from _relabel_hits(c, current, old, present)


def _relabel_hits(c: Context, current: Current, old: TherapyView, present: PresentPump | None) -> Iterator[Hit]:
    """What stands in the way of another label, or the bridge that comes with it."""
    names = (f"{old.drug} ", f"{c.view.drug} ") if is_other_drug(c.view, current) else ("", "")
    change = f"{names[0]}{old.concentration} to {names[1]}{c.view.concentration}"
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
    elif is_other_drug(c.view, current) and not current.is_treating:
        message = f"{change}: nothing of {old.drug} runs that a bridge could go on with"
        yield Hit(HARD, f"{message}; rinse the path, or refuse the bridge with its reason", source=PATH)
    elif present is None or not present.path_left_pulses:
        yield from _bridge_flow(c)


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
    if is_relabelled(c.view, current):
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
        severity = SECOND if c.is_therapy else SOFT
        yield Hit(severity, f"{message}; look both up in the patient's record, and begin low: nobody knows what was given last")


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
