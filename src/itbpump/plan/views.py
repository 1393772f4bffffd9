"""A plan as lines for people and as JSON for programs. Screens keep to 80 columns and to the ISMP rules; the charts are `chart`."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from itbpump.plan.chart import plan_series, text_chart
from itbpump.plan.model import DISCLAIMER, Conversion, Entry, Plan, date_text, time_text
from itbpump.plan.steps import percent
from itbpump.quantity import Concentration, Mass, MassRate, Volume, number_text
from itbpump.therapy import prescription_json

if TYPE_CHECKING:
    from itbpump.plan.csf import CsfCourse

__all__ = ["plan_json", "plan_lines"]

COLUMNS = 80
TITLES = {"titrate": "Titration", "taper": "Taper", "convert": "Change of concentration"}


# ------------------------------------------------------------------------------------------------ for people
def plan_lines(plan: Plan, csf: CsfCourse) -> list[str]:
    """The whole plan. Tables and charts keep to 80 columns; sentences are left for the face to wrap."""
    patient, drug = plan.present.patient, plan.present.drug
    lines = [f"{TITLES[plan.kind]} for patient {patient.id}: {drug.name} {drug.concentration}, pump {plan.profile.name}", ""]
    lines += _table(plan)
    for entry in plan.entries:
        for expected in entry.expected:
            finding = expected.finding
            lines.append(f"  {date_text(entry.at)}: {finding.severity.name} {finding.rule}: {finding.message}")
            lines.append(f"    expected: {expected.why}")
    if plan.conversion is not None:
        lines += ["", *_conversion_lines(plan.conversion, plan.entries[0].daily_dose)]
    lines += ["", "Then:", *(f"  {time_text(milestone.at)}: {milestone.text}" for milestone in plan.milestones)]
    lines += ["", *(line for series in plan_series(plan, csf) for line in [*text_chart(series, COLUMNS), ""])]
    lines.append(f"{csf.model[0].upper()}{csf.model[1:]}.")
    highest = f"Highest simulated amount: {_coarse(csf.peak.amount)} on {time_text(csf.peak.at)}"
    lines.append(f"{highest}; in a week of the present therapy {_coarse(csf.before)}.")
    lines += ["", "Keep in mind:", *(f"  - {note}" for note in plan.notes)]
    for reminder in plan.reminders:
        lines += [f"  - {reminder.text}", f"    source: {reminder.origin}"]
    return [*lines, "", DISCLAIMER]


def _table(plan: Plan) -> Iterator[str]:
    rows = [("", "from", "daily dose, mean", "change", "verdict")]
    rows.append(("", f"{time_text(plan.start)}", str(plan.present_dose), "", "present therapy"))
    rows += [(f"{number}", time_text(entry.at), str(entry.daily_dose), _change(entry), entry.verdict) for number, entry in _numbered(plan)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    for row in rows:
        number, at, dose, change, verdict = row
        yield f"{number:>{widths[0]}}  {at:<{widths[1]}}  {dose:>{widths[2]}}  {change:>{widths[3]}}  {verdict}".rstrip()


def _numbered(plan: Plan) -> Iterator[tuple[int, Entry]]:
    return enumerate(plan.entries, 1)


def _change(entry: Entry) -> str:
    if entry.change is None:
        return "start"
    return f"{'+' if entry.change > 0 else ''}{percent(entry.change)}"


def _conversion_lines(found: Conversion, dose: MassRate) -> Iterator[str]:
    """Refill, mix and bridge in figures."""
    filled = f"{found.filled} of {found.new} in; {found.volume_after} with the residual of {found.residual}"
    yield f"Refill: {found.old} out, {filled}."
    if found.rinse is not None:
        fluid = f"{Concentration(found.rinse.fluid_ng_per_mL)}" if found.rinse.fluid_ng_per_mL else "drug-free fluid"
        times = "once" if found.rinse.times == 1 else f"{found.rinse.times} times"
        yield f"Rinse: {times} {Volume(found.rinse.volume_nL)} of {fluid}."
    yield f"Reservoir without a rinse: {_mix(found.unrinsed, found.unrinsed_share, dose)}."
    if found.rinse is not None:
        yield f"Reservoir after the rinse: {_mix(found.mix, found.mix_share, dose)}."
    bridge = f"{Mass(found.bridge_mass.ng).rounded()} of the old {found.old} in {found.bridge_volume}"
    yield f"Bridge: {bridge}, {_span(found.bridge_hours)} at {found.bridge_dose.rounded()}; the pump does it by itself."
    yield f"Without the bridge the patient would get {found.unbridged_dose} for {_span(found.unbridged_hours)}."


def _mix(ng_per_mL: Fraction, share: Fraction, dose: MassRate) -> str:
    given = MassRate(dose.ng_per_day * (1 + share))
    sign = "+" if share > 0 else ""
    return f"{_coarse(Concentration(round(ng_per_mL)))} ({sign}{percent(share)}), so {_coarse(given)} of {dose}"


def _span(hours: Fraction) -> str:
    """`18.96 h`; from two days on, days beside it."""
    text = f"{number_text(Fraction(round(hours * 100), 100), thousands=True)} h"
    return text if hours < 48 else f"{text} ({number_text(Fraction(round(hours * 10 / 24), 10), thousands=True)} days)"


def _coarse(amount: Mass | MassRate | Concentration) -> str:
    """To a tenth of a mcg: these are figures to compare, not doses to type."""
    return str(type(amount)(round(Fraction(amount.value) / 100) * 100))


# ------------------------------------------------------------------------------------------------ for programs
def plan_json(plan: Plan, csf: CsfCourse) -> dict[str, Any]:
    """Numbers as text, amounts with their unit, times as ISO with offset."""
    form: dict[str, Any] = {
        "kind": plan.kind,
        "disclaimer": DISCLAIMER,
        "patient": plan.present.patient.id,
        "pump": plan.profile.name,
        "present": {"at": plan.start.isoformat(), "daily_dose": plan.present_dose.json(), "prescription": prescription_json(plan.present)},
        "steps": [_entry_json(entry) for entry in plan.entries],
        "milestones": [milestone.json() for milestone in plan.milestones],
        "reaches_goal": plan.reaches_goal,
        "notes": list(plan.notes),
        "reminders": [reminder.json() for reminder in plan.reminders],
        "csf": csf.json(),
        "library": plan.library.json(),
    }
    return form if plan.conversion is None else form | {"conversion": _conversion_json(plan.conversion)}


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "at": entry.at.isoformat(),
        "reason": entry.reason,
        "daily_dose": entry.daily_dose.json(),
        "change_percent": None if entry.change is None else percent(entry.change).removesuffix(" %").replace(",", ""),
        "verdict": entry.verdict,
        "expected": [expected.json() for expected in entry.expected],
        "findings": [finding.json() for finding in entry.review.findings],
        "digest": entry.review.digest,
        "prescription": prescription_json(entry.rx),
    }


def _conversion_json(found: Conversion) -> dict[str, Any]:
    rinse = found.rinse
    return {
        "from": found.old.json(),
        "to": found.new.json(),
        "filled": found.filled.json(),
        "residual": found.residual.json(),
        "volume_after": found.volume_after.json(),
        "rinse": None
        if rinse is None
        else {
            "volume": Volume(rinse.volume_nL).json(),
            "times": str(rinse.times),
            "fluid": Concentration(rinse.fluid_ng_per_mL).json(),
        },
        "mix": {**_mix_json(found.mix, found.mix_share), "without_rinse": _mix_json(found.unrinsed, found.unrinsed_share)},
        "bridge": {
            "dose": found.bridge_dose.rounded().json(),
            "mass": Mass(found.bridge_mass.ng).rounded().json(),
            "volume": found.bridge_volume.json(),
            "hours": _two_places(found.bridge_hours),
        },
        "without_bridge": {"dose": found.unbridged_dose.json(), "hours": _two_places(found.unbridged_hours)},
    }


def _mix_json(ng_per_mL: Fraction, share: Fraction) -> dict[str, Any]:
    return {"concentration": Concentration(round(ng_per_mL)).json(), "difference_percent": _two_places(share * 100)}


def _two_places(value: Fraction) -> str:
    rounded = round(abs(value) * 100)
    return ("-" if value < 0 and rounded else "") + number_text(Fraction(rounded, 100))
