"""The week of a flexible therapy while it is edited: steps of seven days as they were typed, copied, pasted, and written as text.

Text: one line for days with the same steps, `mon-fri: 00:00 8 mcg/h; 06:00 40 mcg over 1h`. Pure. Whether it is a therapy is judged when
the prescription is made of it. Each change gives another week.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from itbpump.errors import InputError, QuantityError
from itbpump.quantity import Duration, Mass, MassRate, TimeOfDay
from itbpump.therapy import WEEKDAYS, Prescription

__all__ = ["DraftStep", "Week", "WeekError"]

_STEP = re.compile(r"(?P<at>\S+) (?P<amount>\S+ ?\S*?)(?: over (?P<over>\S+))?")


class WeekError(InputError):
    """A text that is no week, or a step that is none."""


@dataclass(frozen=True, slots=True)
class DraftStep:
    """A step as typed: `amount` is a rate (`8 mcg/h`), or with `over` a dose (`40 mcg`)."""

    at: str
    amount: str
    over: str = ""

    def __str__(self) -> str:
        return f"{self.at} {self.amount}" + (f" over {self.over}" if self.over else "")

    @classmethod
    def parse(cls, text: str) -> DraftStep:
        """Read `06:00 40 mcg over 1h` or `00:00 8 mcg/h`. Raises WeekError."""
        match = _STEP.fullmatch(text.strip())
        if match is None:
            raise WeekError(f"{text!r} is no step", action="write 00:00 8 mcg/h, or 06:00 40 mcg over 1h")
        return cls(match["at"], match["amount"], match["over"] or "").checked()

    def checked(self) -> DraftStep:
        """The same, if each part can be read. Raises WeekError."""
        try:
            TimeOfDay.parse(self.at)
            if self.over:
                Mass.parse(self.amount)
                Duration.parse(self.over)
            else:
                MassRate.parse(self.amount)
        except QuantityError as error:
            raise WeekError(f"{error.text!r}: {error.problem}", action=error.action) from error
        return self

    def table(self) -> dict[str, str]:
        """As a prescription file has it."""
        return {"at": self.at, "dose": self.amount, "over": self.over} if self.over else {"at": self.at, "rate": self.amount}


@dataclass(frozen=True, slots=True)
class Week:
    """Steps of Monday to Sunday, each in order of time."""

    days: tuple[tuple[DraftStep, ...], ...] = ((),) * 7

    @classmethod
    def parse(cls, text: str) -> Week:
        """Read lines of days and steps. Raises WeekError for days named twice or unknown, and for what is no step."""
        week: dict[int, tuple[DraftStep, ...]] = {}
        for line in (line.strip() for line in text.replace("|", "\n").splitlines()):
            if not line:
                continue
            names, colon, steps = line.partition(":")
            if not colon or not re.fullmatch(r"[A-Za-z ,-]+", names):
                raise WeekError(f"{line!r} names no days", action="write mon-fri: 00:00 8 mcg/h; 06:00 40 mcg over 1h")
            given = tuple(DraftStep.parse(step) for step in steps.split(";") if step.strip())
            for day in _days(names.strip().lower()):
                if day in week:
                    raise WeekError(f"{WEEKDAYS[day]} stands in more than one line", action="name each day once")
                week[day] = _sorted(given)
        return cls(tuple(week.get(day, ()) for day in range(7)))

    @classmethod
    def of(cls, rx: Prescription) -> Week:
        """The week of a prescription; of a continuous one its rate at 00:00 on every day."""
        if rx.therapy.mode == "continuous":
            return cls(((DraftStep("00:00", rx.therapy.dose.text()),),) * 7)
        if rx.therapy.mode != "flex":
            return cls()
        days = []
        for day in range(7):
            steps = []
            for step in rx.therapy.pattern_of(day).steps:
                amount = step.rate.text() if step.rate is not None else step.dose.text() if step.dose is not None else ""
                steps.append(DraftStep(step.at.text(), amount, step.over.text() if step.over is not None else ""))
            days.append(tuple(steps))
        return cls(tuple(days))

    def text(self) -> str:
        """As `parse` reads it, days with the same steps in one line; days without steps are left out."""
        lines = [f"{_named(days)}: {'; '.join(str(step) for step in steps)}" for days, steps in self.groups() if steps]
        return "\n".join(lines)

    def groups(self) -> list[tuple[tuple[int, ...], tuple[DraftStep, ...]]]:
        """Days with the same steps together, by the first of them."""
        found: dict[tuple[DraftStep, ...], list[int]] = {}
        for day, steps in enumerate(self.days):
            found.setdefault(steps, []).append(day)
        return [(tuple(days), steps) for steps, days in found.items()]

    def put(self, days: tuple[int, ...], step: DraftStep) -> Week:
        """With a step on these days, in place of the one at the same time. Raises WeekError for a step that cannot be read."""
        step.checked()
        kept = [tuple(other for other in self.days[day] if other.at != step.at) for day in range(7)]
        return Week(tuple(_sorted((*kept[day], step)) if day in days else self.days[day] for day in range(7)))

    def without(self, days: tuple[int, ...], at: str) -> Week:
        """Without the step at a time of these days."""
        return Week(tuple(tuple(step for step in steps if day not in days or step.at != at) for day, steps in enumerate(self.days)))

    def paste(self, source: int, targets: tuple[int, ...]) -> Week:
        """The steps of one day on others."""
        return replace(self, days=tuple(self.days[source] if day in targets else self.days[day] for day in range(7)))

    def tables(self) -> list[dict[str, Any]]:
        """The patterns as a prescription file has them."""
        return [
            {"days": [WEEKDAYS[day] for day in days], "steps": [step.table() for step in steps]} for days, steps in self.groups() if steps
        ]


def _sorted(steps: tuple[DraftStep, ...]) -> tuple[DraftStep, ...]:
    return tuple(sorted(steps, key=lambda step: step.at))


def _days(names: str) -> list[int]:
    found: list[int] = []
    for name in re.split(r"[ ,]+", names):
        first, dash, last = name.partition("-")
        known = [str(day) for day in WEEKDAYS]
        if name == "daily":
            found += range(7)
        elif first in known and (not dash or last in known):
            start, end = known.index(first), known.index(last) if dash else known.index(first)
            if end < start:
                raise WeekError(f"{name!r} runs backwards", action="write mon-fri, sat sun")
            found += range(start, end + 1)
        else:
            raise WeekError(f"{name!r} is no day", action=f"write {', '.join(known)}, mon-fri or daily")
    return found


def _named(days: tuple[int, ...]) -> str:
    if len(days) == 7:
        return "daily"
    if len(days) > 2 and days[-1] - days[0] == len(days) - 1:
        return f"{WEEKDAYS[days[0]]}-{WEEKDAYS[days[-1]]}"
    return " ".join(WEEKDAYS[day] for day in days)
