"""Refills as they are kept with their decision, and the trend over successive ones (domain 2.4: evaluate each difference, and trend them).

A pump logs what was entered, not what was drawn out: only the records of this computer hold that. One difference within its tolerance
says little; several of the same sign say that the pump gives more, or less, than it counts. Pure. Not modelled: refills told by another
computer, a calibration of the pump's flow.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from typing import Any, Final

from itbpump.errors import QuantityError
from itbpump.forecast import day_text
from itbpump.hoststate import Intent
from itbpump.plan.steps import percent
from itbpump.quantity import Volume, number_text
from itbpump.refill import READING_ERROR_NL, Refill
from itbpump.wording.layout import rows
from itbpump.wording.refilling import signed

__all__ = ["REFILL_KEY", "PastRefill", "Trend", "past_refills", "refill_record", "trend_lines"]

REFILL_KEY: Final = "refill"
"""Under which a decision's record keeps a refill."""
IN_A_ROW: Final = 3
"""Differences of one sign, each beyond what syringes are read to, that call for a look at the pump [D]: by chance one series in four."""
_NEWEST: Final = 6
"""Refills that a trend looks back on: about two years at the usual interval of 3 to 4 months (domain 4)."""


@dataclass(frozen=True, slots=True)
class PastRefill:
    """A refill that was told to the pump: aspirated minus expected and its tolerance, nL; what the pump counted since the fill before, nL.

    None where that was not known then. `on` is empty for records that keep no day.
    """

    on: str
    difference_nL: int | None
    tolerance_nL: int | None
    counted_nL: int | None


@dataclass(frozen=True, slots=True)
class Trend:
    """Successive refills, oldest first, the one being made last; those whose difference was not known are left out."""

    refills: tuple[PastRefill, ...]

    @property
    def in_a_row(self) -> int:
        """How many of the newest differ to the same side, each by more than syringes are read to; minus for less than expected."""
        count, sign = 0, 0
        for refill in reversed(self.refills):
            found = refill.difference_nL or 0
            here = 0 if abs(found) <= READING_ERROR_NL else 1 if found > 0 else -1
            if not here or (sign and here != sign):
                break
            count, sign = count + 1, here
        return count * sign

    @property
    def given_share(self) -> Fraction | None:
        """What the pump gave by the syringes, of what it counted; None where nothing was counted, or some count is not known."""
        counted = [refill.counted_nL for refill in self.refills]
        if not counted or any(one is None for one in counted) or not sum(one or 0 for one in counted):
            return None
        total = sum(one or 0 for one in counted)
        return Fraction(total - sum(refill.difference_nL or 0 for refill in self.refills), total)

    @property
    def outside_accuracy(self) -> bool:
        """All together differ by more than the tolerances of all together."""
        tolerances = [refill.tolerance_nL for refill in self.refills]
        if not tolerances or any(one is None for one in tolerances):
            return False
        return abs(sum(refill.difference_nL or 0 for refill in self.refills)) > sum(one or 0 for one in tolerances)

    @property
    def fires(self) -> bool:
        """The trend calls for a look at the pump, whatever this refill alone says."""
        return len(self.refills) > 1 and (abs(self.in_a_row) >= IN_A_ROW or self.outside_accuracy)


def refill_record(plan: Refill, at: datetime, more: Mapping[str, str]) -> dict[str, Any]:
    """A refill as its decision keeps it; amounts as text with unit, the difference with its sign. `more`: lot, brand, rinse."""
    found = plan.discrepancy
    return {
        "on": at.date().isoformat(),
        "expected": _volume(plan.expected_nL),
        "aspirated": _volume(plan.aspirated_nL),
        "filled": _volume(plan.filled_nL),
        "volume_after": _volume(plan.volume_after_nL),
        "difference": _signed(found.difference_nL),
        "above_clinic_limit": found.above_clinic_limit,
        "outside_accuracy": found.outside_accuracy,
        "tolerance": _volume(found.tolerance_nL),
        "counted_since_last_fill": _volume(plan.counted_nL),
        "meaning": found.meaning,
        **more,
    }


def past_refills(decisions: Iterable[Intent]) -> tuple[PastRefill, ...]:
    """Of the decisions kept here those that told the pump of a refill, oldest first; a record of another form is left out."""
    found = []
    for intent in decisions:
        form = json.loads(intent.basis).get(REFILL_KEY) if intent.basis and intent.state == "applied" else None
        refill = _read(form) if isinstance(form, dict) else None
        if refill is not None:
            found.append(refill)
    return tuple(found)


def trend_lines(plan: Refill, past: Sequence[PastRefill], accuracy_ppm: int) -> list[str]:
    """This refill beside those before it: each difference, what the pump gives of what it counts, and whether the trend fires."""
    this = PastRefill("this one", plan.discrepancy.difference_nL, plan.discrepancy.tolerance_nL, plan.counted_nL)
    known = [refill for refill in (*past, this) if refill.difference_nL is not None]
    trend = Trend(tuple(known[-_NEWEST:]))
    if len(trend.refills) < 2 or this not in trend.refills:
        return rows([("trend", "not checked: no earlier refill of this pump with its volumes is kept on this computer")], indent="  ")
    shown = "; ".join(f"{_day(refill.on)} {signed(refill.difference_nL or 0)}" for refill in trend.refills)
    pairs = [("differences", shown)]
    if trend.given_share is not None:
        accuracy = percent(Fraction(accuracy_ppm, 1_000_000))
        pairs.append(
            ("given of counted", f"{percent(trend.given_share)} over {len(trend.refills)} refills; the pump's accuracy is {accuracy}")
        )
    pairs.append(("trend", _verdict(trend, alone=plan.discrepancy.suspicious)))
    return rows(pairs, indent="  ")


def _verdict(trend: Trend, *, alone: bool) -> str:
    if not trend.fires:
        return "passed: the differences do not add up to one side"
    side = "less than expected: more is given than counted" if _total(trend) < 0 else "more than expected: less is given than counted"
    row = abs(trend.in_a_row)
    how = f"{row} refills in a row" if row >= IN_A_ROW else "all together, beyond all tolerances,"
    return f"FIRED: {how} drew {side}; look for the cause{'' if alone else ', though this refill alone passed'}"


def _total(trend: Trend) -> int:
    return sum(refill.difference_nL or 0 for refill in trend.refills)


def _day(on: str) -> str:
    try:
        return day_text(datetime.fromisoformat(on).date())
    except ValueError:  # a word in place of a day: this refill, or a record without one
        return on or "day not kept"


def _read(form: Mapping[str, Any]) -> PastRefill | None:
    try:
        return PastRefill(
            str(form.get("on", "")),
            _nL(form.get("difference")),
            _nL(form.get("tolerance")),
            _nL(form.get("counted_since_last_fill")),
        )
    except (QuantityError, KeyError, TypeError):  # of another version: it tells nothing that could be counted on
        return None


def _nL(form: Any) -> int | None:
    """A volume of a record; the sign stands before the number."""
    if form is None:
        return None
    text = str(form["value"])
    volume = Volume.parse(f"{text.removeprefix('-')} {form['unit']}").nL
    return -volume if text.startswith("-") else volume


def _volume(nL: int | None) -> dict[str, str] | None:
    return None if nL is None else Volume(nL).json()


def _signed(nL: int | None) -> dict[str, str] | None:
    if nL is None:
        return None
    magnitude = Volume(abs(nL)).json()
    return {**magnitude, "value": ("-" if nL < 0 else "") + (magnitude["value"] if nL else number_text(0))}
