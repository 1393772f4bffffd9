"""A therapy as FHIR dosages: each piece of the week with its days, time and length, so that adding them up gives the week's dose.

A bolus step replaces the rate under it, so the rate is cut where a bolus runs. Times of day are the pump's own day. A periodic bolus has
no fixed time of day: it is told in words with the mean of the day. What a patient may ask for is words too, `asNeeded`. Not modelled: a
bridge.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from itbpump.quantity import Mass, TimeOfDay
from itbpump.report.fhir.codes import concept
from itbpump.report.fhir.model import Json
from itbpump.report.fhir.parts import per_day, quantity
from itbpump.report.model import Therapy
from itbpump.therapy_view import StepView, days_in_words

__all__ = ["Piece", "dosages", "pieces"]

DAY_MIN = 1_440
WEEK_MIN = 7 * DAY_MIN
_MIDNIGHT = TimeOfDay(0)
DAY_CODES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a day, on these weekdays (0 is Monday): `step` holds from `start_min` for `length_min`. Only a bolus may pass midnight."""

    weekdays: tuple[int, ...]
    start_min: int
    length_min: int
    step: StepView


def dosages(therapy: Therapy) -> list[Json]:
    """All of a therapy, in order; at least one."""
    parts = list(_scheduled(therapy))
    if therapy.patient_bolus:
        parts.append({"text": f"Patient bolus: {therapy.patient_bolus}", "asNeeded": True})
    return [{"sequence": number, **part, "route": concept("intrathecal")} for number, part in enumerate(parts, 1)]


def _scheduled(therapy: Therapy) -> Iterator[Json]:
    found = pieces(therapy.days)
    if not found:
        words = dict(therapy.rows)
        told = "; ".join(f"{label} {words[label]}" for label in ("periodic bolus", "background") if label in words) or therapy.mode
        yield {"text": told, "doseAndRate": [{"type": concept("mean-of-day"), "rateRatio": per_day(therapy.mean_day)}]}
    elif len(found) == 1 and found[0].length_min == DAY_MIN and found[0].step.rate is not None:
        yield {"text": str(found[0].step), "doseAndRate": [{"rateRatio": per_day(found[0].step.rate)}]}
    else:
        yield from map(_timed, found)


def _timed(piece: Piece) -> Json:
    hours, minutes = divmod(piece.start_min, 60)
    clock = f"{hours:02d}:{minutes:02d}"
    step = piece.step
    amount = {"rateRatio": per_day(step.rate)} if step.rate is not None else {"doseQuantity": quantity(_dose(step))}
    return {
        "text": f"{days_in_words(piece.weekdays)} from {clock}: {step}",
        "timing": {
            "repeat": {
                "duration": piece.length_min,
                "durationUnit": "min",
                "dayOfWeek": [DAY_CODES[day] for day in piece.weekdays],
                "timeOfDay": [f"{clock}:00"],
            }
        },
        "doseAndRate": [amount],
    }


def _dose(step: StepView) -> Mass:
    if step.dose is None:
        raise AssertionError("a step is a rate or a bolus")
    return step.dose


def pieces(days: Sequence[Sequence[StepView]]) -> tuple[Piece, ...]:
    """The week in pieces that do not overlap, equal ones of several days as one. Empty for a therapy without steps."""
    boluses = [(day * DAY_MIN + step.at.minute, step.over.minutes, step) for day, step in _steps(days) if step.over is not None]
    rates = sorted(
        ((day * DAY_MIN + step.at.minute, step) for day, step in _steps(days) if step.rate is not None), key=lambda item: item[0]
    )
    flat = boluses + _rate_pieces(rates, [(start, length) for start, length, _ in boluses])
    merged: dict[tuple[int, int, StepView], list[int]] = {}
    for start, length, step in sorted(flat, key=lambda item: item[:2]):
        # what a step says of its own start is in the piece, so a rate that goes on after midnight is the same on both days
        merged.setdefault((start % DAY_MIN, length, step._replace(at=_MIDNIGHT)), []).append(start // DAY_MIN)
    return tuple(Piece(tuple(weekdays), start, length, step) for (start, length, step), weekdays in merged.items())


def _steps(days: Sequence[Sequence[StepView]]) -> Iterator[tuple[int, StepView]]:
    for day, steps in enumerate(days):
        for step in steps:
            yield day, step


def _rate_pieces(rates: Sequence[tuple[int, StepView]], boluses: Sequence[tuple[int, int]]) -> list[tuple[int, int, StepView]]:
    """Where each rate runs with no bolus over it: cut at midnight, at each change and at both ends of each bolus."""
    if not rates:
        return []
    starts = [start for start, _ in rates]
    ends = [(start + length) % WEEK_MIN for start, length in boluses]
    marks = sorted({*starts, *(start for start, _ in boluses), *ends, *range(0, WEEK_MIN, DAY_MIN)})
    found: list[tuple[int, int, StepView]] = []
    for start, end in zip(marks, [*marks[1:], WEEK_MIN], strict=True):
        if any((start - begin) % WEEK_MIN < length for begin, length in boluses):
            continue
        step = rates[bisect_right(starts, start) - 1][1]  # before the first of the week the last of the week holds
        if found and found[-1][0] + found[-1][1] == start and found[-1][2].rate == step.rate and start % DAY_MIN:
            found[-1] = (found[-1][0], found[-1][1] + end - start, found[-1][2])
        else:
            found.append((start, end - start, step))
    return found
