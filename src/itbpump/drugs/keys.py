"""The keys of a drug file as tables: what each holds, which way a clinic may move it, and which must not stand above which.

Everything that reads, tightens or checks a library reads these tables, and one test iterates each of them. A `*` in a path is any one name:
an indication or `child`, a class of drugs, a flag.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from functools import cache

__all__ = ["ASCENDING", "KEYS", "ORDER", "Key", "Kind", "Tighten", "find_key", "matches"]


class Kind(Enum):
    """What a key holds; `parsing` has the reader of each."""

    MASS = auto()
    RATE = auto()
    DURATION = auto()
    COUNT = auto()
    CONCENTRATIONS = auto()
    MASSES = auto()
    SLUGS = auto()
    NAMES = auto()
    TEXT = auto()


class Tighten(Enum):
    """Which way is stricter; the value says what a clinic's file may do."""

    LOWER = "it may only be lowered"
    RAISE = "it may only be raised"
    SUBSET = "it may only keep some of the library's own"
    FIXED = "it is not for a clinic's file to change"


@dataclass(frozen=True, slots=True)
class Key:
    """One key, or all keys of a pattern."""

    path: str
    kind: Kind
    tighten: Tighten
    required: bool = True


_LOWER, _RAISE, _FIXED = Tighten.LOWER, Tighten.RAISE, Tighten.FIXED

KEYS: tuple[Key, ...] = (
    Key("concentrations.pump", Kind.CONCENTRATIONS, Tighten.SUBSET),
    # What is for screening only is refused for a pump anyway; the doses below and their steps are recommendations, and no step of them
    # is stricter than another.
    Key("concentrations.screening_only", Kind.CONCENTRATIONS, _FIXED),
    Key("screening.doses", Kind.MASSES, _FIXED),
    Key("screening.small", Kind.MASS, _FIXED, required=False),
    # A decrease is never hard: hard_low stays where it is.
    Key("daily.*.hard_low", Kind.RATE, _FIXED),
    Key("daily.*.soft_low", Kind.RATE, _RAISE),
    Key("daily.*.typical_low", Kind.RATE, _RAISE),
    Key("daily.*.typical_high", Kind.RATE, _LOWER),
    Key("daily.*.soft_high", Kind.RATE, _LOWER),
    Key("daily.*.hard_high", Kind.RATE, _LOWER),
    Key("increase.*.soft_percent", Kind.COUNT, _LOWER),
    Key("increase.*.second_percent", Kind.COUNT, _LOWER),
    Key("increase.*.hard_percent", Kind.COUNT, _LOWER),
    Key("titration.*.step_low_percent", Kind.COUNT, _LOWER),
    Key("titration.*.step_high_percent", Kind.COUNT, _LOWER),
    Key("titration.*.every", Kind.DURATION, _RAISE),
    Key("maintenance.*.step_low_percent", Kind.COUNT, _LOWER),
    Key("maintenance.*.step_high_percent", Kind.COUNT, _LOWER),
    # A larger step down is safer against an overdose, a smaller one against withdrawal.
    Key("side_effects.step_low_percent", Kind.COUNT, _FIXED),
    Key("side_effects.step_high_percent", Kind.COUNT, _FIXED),
    Key("taper.step_percent", Kind.COUNT, _LOWER),
    Key("taper.every", Kind.DURATION, _RAISE),
    Key("change.decrease_soft_percent", Kind.COUNT, _LOWER),
    Key("change.first_period", Kind.DURATION, _RAISE),
    # A shorter effect counts as long earlier, and a long one has the smaller factor.
    Key("start.factor", Kind.COUNT, _LOWER, required=False),
    Key("start.long_effect", Kind.DURATION, _LOWER, required=False),
    Key("start.long_factor", Kind.COUNT, _LOWER, required=False),
    Key("start.second_percent", Kind.COUNT, _LOWER, required=False),
    Key("start.absolute.soft", Kind.RATE, _LOWER, required=False),
    Key("start.absolute.second", Kind.RATE, _LOWER, required=False),
    Key("restart.soft_after", Kind.DURATION, _LOWER),
    Key("restart.second_after", Kind.DURATION, _LOWER),
    Key("bolus.soft", Kind.MASS, _LOWER),
    Key("bolus.hard", Kind.MASS, _LOWER),
    Key("bolus.patient_hard", Kind.MASS, _LOWER),
    Key("bolus.repeats_soft", Kind.COUNT, _LOWER),
    Key("bolus.apart", Kind.DURATION, _RAISE),
    Key("age.second_below_years", Kind.COUNT, _RAISE),
    Key("age.child_below_years", Kind.COUNT, _RAISE),
    Key("age.child_daily_below_years", Kind.COUNT, _RAISE),
    Key("stability.days", Kind.COUNT, _LOWER),
    Key("rounding.soft_percent", Kind.COUNT, _LOWER),
    Key("diagnoses.*", Kind.SLUGS, _FIXED),
    Key("interactions.*", Kind.TEXT, _FIXED),
    Key("conditions.*", Kind.TEXT, _FIXED),
    Key("texts.withdrawal", Kind.TEXT, _FIXED),
    Key("texts.withdrawal_care", Kind.TEXT, _FIXED),
    Key("texts.overdose", Kind.TEXT, _FIXED),
    Key("texts.stop_confirmation", Kind.TEXT, _FIXED),
    Key("texts.observe_after_bolus", Kind.TEXT, _FIXED),
    Key("texts.priming", Kind.TEXT, _FIXED),
    Key("texts.diluted_only", Kind.TEXT, _FIXED),
    Key("forms.brands", Kind.NAMES, _FIXED),
    Key("forms.tall_man", Kind.TEXT, _FIXED),
    Key("forms.note", Kind.TEXT, _FIXED),
)

# The first must not be above the second (SR-04). A `*` on both sides is the same name; on one side, every name. A number is a bound of its
# own. Of a list, the largest counts on the left and the smallest on the right. A bolus is compared with what may be given in 24 h.
ORDER: tuple[tuple[str | int, str], ...] = (
    ("daily.*.hard_low", "daily.*.soft_low"),
    ("daily.*.soft_low", "daily.*.typical_low"),
    ("daily.*.typical_low", "daily.*.typical_high"),
    ("daily.*.typical_high", "daily.*.soft_high"),
    ("daily.*.soft_high", "daily.*.hard_high"),
    ("increase.*.soft_percent", "increase.*.second_percent"),
    ("increase.*.second_percent", "increase.*.hard_percent"),
    ("titration.*.step_low_percent", "titration.*.step_high_percent"),
    ("titration.*.step_high_percent", "increase.*.soft_percent"),
    ("maintenance.*.step_low_percent", "maintenance.*.step_high_percent"),
    ("maintenance.*.step_high_percent", "increase.*.second_percent"),
    ("side_effects.step_low_percent", "side_effects.step_high_percent"),
    ("taper.step_percent", "change.decrease_soft_percent"),
    (1, "taper.step_percent"),
    (1, "titration.*.step_low_percent"),
    (1, "maintenance.*.step_low_percent"),
    ("start.long_factor", "start.factor"),
    (1, "start.long_factor"),
    (100, "start.second_percent"),
    ("start.absolute.soft", "start.absolute.second"),
    ("start.absolute.second", "daily.*.hard_high"),
    ("restart.soft_after", "restart.second_after"),
    ("screening.small", "screening.doses"),
    ("bolus.soft", "bolus.hard"),
    ("bolus.patient_hard", "bolus.hard"),
    ("bolus.hard", "daily.*.hard_high"),
    ("age.second_below_years", "age.child_below_years"),
    ("age.child_daily_below_years", "age.child_below_years"),
)

# Lists that rise without repeats.
ASCENDING: tuple[str, ...] = ("concentrations.pump", "concentrations.screening_only", "screening.doses")


def matches(pattern: str, path: str) -> bool:
    """Whether a path of a file is one of a pattern."""
    parts, names = pattern.split("."), path.split(".")
    return len(parts) == len(names) and all(part in {"*", name} for part, name in zip(parts, names, strict=True))


@cache
def find_key(path: str) -> Key | None:
    """The key of a path; None for a path that no library has."""
    return next((key for key in KEYS if matches(key.path, path)), None)
