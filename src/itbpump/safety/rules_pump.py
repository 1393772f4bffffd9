"""Rules about what the pump can do: flow, boluses, reservoir, alarms, path. The pump checks the same on its own.

Sources are those of the pump profile's figures.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.quantity import Amount, Concentration, Exact, Flow, mass_of_pulses, rate_of_flow
from itbpump.safety.bolus_checks import delivery_hits, larger_text
from itbpump.safety.context import Context, percent_text
from itbpump.safety.model import Hit, RuleSet, Severity

__all__ = ["RULES"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@RULES.rule("flow-range", "SR-02", "SR-05", worst=HARD)
def flow_range(c: Context) -> Iterator[Hit]:
    """Every rate lies within the pump's range; a dose that this concentration cannot carry names one that can."""
    low, high = c.profile.flow_min, c.profile.flow_max
    lowest, highest = low.nL_per_day, high.nL_per_day
    for rate in c.rates():
        if lowest <= rate.flow.nL_per_day <= highest:
            continue
        if rate.flow < low:
            message = f"{rate.where}: {rate.prescribed} is {rate.flow}, below the pump's lowest flow of {low}; {_carriers(c, rate.flow)}"
            yield Hit(HARD, message, rate.flow.text(), low.text(), c.profile.sources["flow_min"].source)
        else:
            message = f"{rate.where}: {rate.prescribed} is {rate.flow}, above the pump's highest flow of {high}; {_carriers(c, rate.flow)}"
            yield Hit(HARD, message, rate.flow.text(), high.text(), c.profile.sources["flow_max"].source)


def _carriers(c: Context, flow: Flow) -> str:
    """Which concentrations of the library would carry a dose that needs this flow now."""
    able = [
        concentration
        for concentration in sorted(c.library.concentrations.value)
        if c.profile.flow_min <= _at(flow, c.rx.drug.concentration, concentration) <= c.profile.flow_max
    ]
    if not able:
        lowest = rate_of_flow(c.profile.flow_min, min(c.library.concentrations.value))
        return f"no concentration of the library carries it; the least this pump gives with them is {lowest.rounded()}"
    return f"a concentration that carries it: {', '.join(str(concentration) for concentration in able)}"


def _at(flow: Flow, present: Concentration, other: Concentration) -> Flow:
    return Flow(Fraction(flow.nL_per_day * present.ng_per_mL, other.ng_per_mL))


@RULES.rule("bolus-delivery", "SR-02", "SR-05", "SR-27", worst=HARD)
def bolus_delivery(c: Context) -> Iterator[Hit]:
    """A bolus has at least one pulse, and is neither faster nor slower, neither shorter nor longer than the pump allows."""
    for bolus in c.all_boluses():
        yield from delivery_hits(c.profile, bolus.where, bolus.prescribed, bolus.pulses, bolus.over)


@RULES.rule("achievable", "SR-01", "SR-05", worst=SOFT)
def achievable(c: Context) -> Iterator[Hit]:
    """Whole pulses and whole nL/day change no dose by more than the library's limit; a bolus of no pulse is another rule's."""
    for rate in c.rates():
        yield from _rounding_hits(c, rate.where, rate.prescribed, rate.prescribed.ng_per_day, rate.flow.nL_per_day)
    for bolus in c.all_boluses():
        if bolus.pulses:
            given_nL = bolus.pulses * c.profile.pulse_volume.nL
            yield from _rounding_hits(c, bolus.where, bolus.prescribed, bolus.prescribed.ng, given_nL)


def _rounding_hits(c: Context, where: str, prescribed: Amount, wanted_ng: Exact, given_nL: Exact) -> Iterator[Hit]:
    # Both sides times a million: whole numbers are compared much faster than fractions.
    limit, wanted, given = c.library.rounding_soft_percent, wanted_ng * 1_000_000, given_nL * c.rx.drug.concentration.ng_per_mL
    if wanted and not -limit.value * wanted <= (given - wanted) * 100 <= limit.value * wanted:
        share = percent_text(Fraction(given) / wanted - 1)
        yield Hit(
            SOFT, f"{where}: the pump gives {prescribed} with a difference of {share} %", f"{share} %", f"{limit.value} %", limit.origin
        )


@RULES.rule("reservoir", "SR-39", "SR-35", worst=HARD)
def reservoir(c: Context) -> Iterator[Hit]:
    """What will be in the reservoir fits it and is above the low alarm."""
    if c.volume > c.profile.capacity:
        message = f"{c.volume} is more than the reservoir's {c.profile.capacity}; overfilling damages the pump"
        yield Hit(HARD, message, c.volume.text(), c.profile.capacity.text(), c.profile.sources["capacity"].source)
    if c.volume <= c.view.low_alarm:
        severity = HARD if c.sets_volume else SOFT
        message = f"the reservoir holds {c.volume}, not above the low-reservoir alarm of {c.view.low_alarm}; refill it"
        yield Hit(severity, message, c.volume.text(), c.view.low_alarm.text(), "order of the pump's volumes")


@RULES.rule("alarm-volume", "SR-35", worst=HARD)
def alarm_volume(c: Context) -> Iterator[Hit]:
    """The low alarm lies between residual and capacity, and sounds before an in-tolerance pump is dry (domain 0.3)."""
    low, residual, capacity = c.view.low_alarm, c.profile.residual, c.profile.capacity
    if not residual < low < capacity:
        message = f"a low-reservoir alarm of {low} is not between the residual {residual} and the capacity {capacity}"
        yield Hit(HARD, message, low.text(), f"{residual.text()} to {capacity.text()}", c.profile.sources["capacity"].source)
        return
    safe = c.profile.safe_low_alarm_at(min(c.volume, capacity))
    if low < safe:
        share = percent_text(Fraction(c.profile.accuracy_ppm, 1_000_000))
        message = f"a low-reservoir alarm of {low} may sound after the pump is dry: within its tolerance of {share} % that needs {safe}"
        yield Hit(SOFT, message, low.text(), safe.text(), f"(V t + r) / (1 + t), domain 0.3; {c.profile.sources['accuracy_ppm'].source}")


@RULES.rule("path-volume", "SR-12", "SR-13", worst=HARD)
def path_volume(c: Context) -> Iterator[Hit]:
    """The path from reservoir to patient is one the pump allows."""
    path, low, high = c.rx.catheter.path, c.profile.path_min, c.profile.path_max
    if not low <= path <= high:
        name = "path_min" if path < low else "path_max"
        message = f"a path of {path} is outside the pump's {low} to {high}; check the catheter's lengths"
        yield Hit(HARD, message, path.text(), f"{low.text()} to {high.text()}", c.profile.sources[name].source)


@RULES.rule("patient-bolus", "SR-14", "SR-02", worst=HARD)
def patient_bolus(c: Context) -> Iterator[Hit]:
    """Lockout, count and dose of the patient's bolus are within the pump's and the library's limits."""
    bolus = c.rx.patient_bolus
    if bolus is None:
        return
    shortest, most, dose = c.profile.patient_lockout_min, c.profile.patient_max_per_day, c.library.patient_bolus_hard
    if bolus.lockout < shortest:
        message = f"a lockout of {bolus.lockout} is shorter than the pump's {shortest}"
        yield Hit(HARD, message, bolus.lockout.text(), shortest.text(), c.profile.sources["patient_lockout_min"].source)
    if bolus.max_per_day > most:
        message = f"{bolus.max_per_day} patient boluses in 24 h are more than the pump's {most}"
        yield Hit(HARD, message, str(bolus.max_per_day), str(most), c.profile.sources["patient_max_per_day"].source)
    asked = c.patient_bolus()
    given = mass_of_pulses(asked.pulses, c.rx.drug.concentration, c.profile.pulse_volume.nL) if asked is not None else bolus.dose
    if max(bolus.dose, given) > dose.value:
        message = f"a patient bolus of {larger_text(bolus.dose, given)} is above {dose.value}: nobody watches the patient then"
        yield Hit(HARD, message, max(bolus.dose, given).rounded().text(), dose.value.text(), dose.origin)
