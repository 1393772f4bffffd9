"""Two runs held against each other: what ends otherwise, what has moved and how near to its limits it now is, what is new, what is gone.

Tests are held together by id and rig. Two runs of one rig each are held together whatever their rigs are called, so that the simulator can
be held against the metal. Worse is: a test that passed and no longer does, or is gone, and a new one that does not pass. Pure. Not here:
whether a move means anything; that is for the limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from itbpump.hil.measure import figure_text
from itbpump.hil.model import Measurement, Outcome, RunRecord, TestRecord
from itbpump.hil.report.figures import limits_text, room_of, rounded_text, shown, width_of

__all__ = ["Changed", "Comparison", "Moved", "Other", "compare", "json_of", "lines_of"]

_RANK = {Outcome.PASS: 0, Outcome.SKIPPED: 1}  # all others: 2
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Changed:
    """A test that ends otherwise. `cause` is that of the later run, or of the earlier where the later passed."""

    test: str
    target: str
    before: Outcome
    after: Outcome
    cause: str

    @property
    def worse(self) -> bool:
        """Whether less is known to be right than before."""
        return _RANK.get(self.after, 2) > _RANK.get(self.before, 2)


@dataclass(frozen=True, slots=True)
class Moved:
    """A measurement with another value, or other limits. Both are in one unit."""

    test: str
    target: str
    before: Measurement
    after: Measurement

    @property
    def by(self) -> Fraction:
        """How far, in its unit; with its sign."""
        return Fraction(self.after.value) - Fraction(self.before.value)

    @property
    def share(self) -> Fraction | None:
        """How far as a share of the distance between its limits now; None where there are not two."""
        width = width_of(self.after)
        return None if width is None else self.by / width


@dataclass(frozen=True, slots=True)
class Other:
    """A measurement that only one of the runs has (or has in another unit), of a test that both have."""

    test: str
    target: str
    name: str
    unit: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs from `before` to `after`. `paired`: the two rigs that were taken for one, if their names differ."""

    changed: tuple[Changed, ...]
    moved: tuple[Moved, ...]
    new: tuple[TestRecord, ...]
    missing: tuple[TestRecord, ...]
    measured_new: tuple[Other, ...]
    measured_missing: tuple[Other, ...]
    versions: tuple[tuple[str, str, str], ...]
    seeds: tuple[int, int]
    same: int
    paired: tuple[str, str] | None = None

    @property
    def worse(self) -> bool:
        """Whether something passed before and does not now, is gone, or is new and does not pass."""
        return (
            any(one.worse for one in self.changed)
            or any(one.outcome is Outcome.PASS for one in self.missing)
            or any(one.outcome not in _RANK for one in self.new)
        )


def compare(before: RunRecord, after: RunRecord) -> Comparison:
    """Hold a run against an earlier one."""
    paired = _paired(before, after)
    old, new = _by_id(before, paired), _by_id(after, paired)
    both = [key for key in new if key in old]
    changed = tuple(
        Changed(new[key].test, new[key].target, old[key].outcome, new[key].outcome, new[key].cause or old[key].cause)
        for key in both
        if old[key].outcome is not new[key].outcome
    )
    moved = tuple(one for key in both for one in _moved(old[key], new[key]))
    return Comparison(
        changed=changed,
        moved=tuple(sorted(moved, key=lambda one: -abs(one.share or Fraction(0)))),
        new=tuple(new[key] for key in new if key not in old),
        missing=tuple(old[key] for key in old if key not in new),
        measured_new=tuple(one for key in both for one in _only(new[key], old[key])),
        measured_missing=tuple(one for key in both for one in _only(old[key], new[key])),
        versions=tuple(_versions(before.versions, after.versions)),
        seeds=(before.seed, after.seed),
        same=len(both) - len(changed),
        paired=paired,
    )


def _paired(before: RunRecord, after: RunRecord) -> tuple[str, str] | None:
    old, new = {test.target for test in before.tests}, {test.target for test in after.tests}
    return (old.pop(), new.pop()) if len(old) == len(new) == 1 and old != new else None


def _by_id(run: RunRecord, paired: tuple[str, str] | None) -> dict[tuple[str, str], TestRecord]:
    return {(test.test, "" if paired else test.target): test for test in run.tests}


def _named(test: TestRecord) -> dict[tuple[str, str], Measurement]:
    return {(one.name, one.unit): one for one in test.measurements}


def _moved(old: TestRecord, new: TestRecord) -> Iterator[Moved]:
    earlier = _named(old)
    for key, one in _named(new).items():
        was = earlier.get(key)
        if was is not None and (Fraction(was.value) != Fraction(one.value) or was.limits != one.limits):
            yield Moved(new.test, new.target, was, one)


def _only(these: TestRecord, others: TestRecord) -> Iterator[Other]:
    known = _named(others)
    for name, unit in _named(these):
        if (name, unit) not in known:
            yield Other(these.test, these.target, name, unit)


def _versions(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name in sorted({*old, *new}):
        if old.get(name) != new.get(name):
            yield name, old.get(name, ""), new.get(name, "")


# ------------------------------------------------------------------------------------------------------------ in words, as data
def lines_of(found: Comparison) -> list[str]:
    """For people; the worst first."""
    told = [f"Tests: {found.same} end as before, {len(found.changed)} otherwise, {len(found.new)} new, {len(found.missing)} gone."]
    if found.paired:
        told.append(f"Held together: rig {found.paired[0]} before, rig {found.paired[1]} now.")
    if found.seeds[0] != found.seeds[1]:
        told.append(f"ATTENTION: the seeds differ ({found.seeds[0]} before, {found.seeds[1]} now); what is drawn differs too.")
    told += [f"{name}: {old or 'none'} before, {new or 'none'} now" for name, old, new in found.versions]
    told += _block("Worse:", [_changed_text(one) for one in found.changed if one.worse])
    told += _block("Other outcome:", [_changed_text(one) for one in found.changed if not one.worse])
    told += _block("Gone:", [f"{one.test} on {one.target}, was {one.outcome}" for one in found.missing])
    told += _block("New:", [f"{one.test} on {one.target}, {one.outcome}" for one in found.new])
    told += _block("Moved, the farthest first:", [_moved_text(one) for one in found.moved])
    told += _block("Measured only now:", [f"{one.test} on {one.target}: {one.name}, {one.unit}" for one in found.measured_new])
    told += _block("No longer measured:", [f"{one.test} on {one.target}: {one.name}, {one.unit}" for one in found.measured_missing])
    return told


def _block(title: str, lines: list[str]) -> list[str]:
    more = [f"  and {len(lines) - _SHOWN} more; --json has all"] if len(lines) > _SHOWN else []
    return ["", title, *(f"  {line}" for line in lines[:_SHOWN]), *more] if lines else []


def _changed_text(one: Changed) -> str:
    cause = " ".join(one.cause.split())
    return f"{one.test} on {one.target}: {one.before}, now {one.after}" + (f" ({cause[:300]})" if cause else "")


def _moved_text(one: Moved) -> str:
    old, new = one.before, one.after
    sign = "+" if one.by > 0 else ""
    share = "" if one.share is None else f", {sign}{rounded_text(one.share * 100, 1)} % of the distance between its limits"
    if new.limits == old.limits:
        limits = f"limits {limits_text(new)}{'' if new.within else ', OUTSIDE'}"
    else:
        limits = f"LIMITS CHANGED: {limits_text(old)}, now {limits_text(new)}{'' if new.within else ', OUTSIDE'}"
    moved = f"{sign}{rounded_text(one.by)} {new.unit}{share}" if one.by else "the same value"
    return f"{one.test} on {one.target}: {new.name} {shown(old.value)}, now {shown(new.value)} {new.unit} ({moved}; {limits})"


def json_of(found: Comparison) -> dict[str, Any]:
    """For programs; figures are exact text, shares rounded to 1e-6."""
    return {
        "worse": found.worse,
        "same": found.same,
        "seeds": {"before": found.seeds[0], "after": found.seeds[1]},
        "paired": None if found.paired is None else {"before": found.paired[0], "after": found.paired[1]},
        "versions": [{"name": name, "before": old, "after": new} for name, old, new in found.versions],
        "changed": [
            {"test": one.test, "target": one.target, "before": one.before, "after": one.after, "worse": one.worse, "cause": one.cause}
            for one in found.changed
        ],
        "new": [{"test": one.test, "target": one.target, "outcome": one.outcome} for one in found.new],
        "missing": [{"test": one.test, "target": one.target, "outcome": one.outcome} for one in found.missing],
        "moved": [_moved_json(one) for one in found.moved],
        "measured_new": [_other_json(one) for one in found.measured_new],
        "measured_missing": [_other_json(one) for one in found.measured_missing],
    }


def _other_json(one: Other) -> dict[str, str]:
    return {"test": one.test, "target": one.target, "name": one.name, "unit": one.unit}


def _moved_json(one: Moved) -> dict[str, Any]:
    def side(of: Measurement) -> dict[str, Any]:
        room = room_of(of)
        known = {"value": of.value, "lo": of.limits.lo, "hi": of.limits.hi, "within": of.within}
        return {**known, "room": None if room is None else figure_text(room)}

    share = None if one.share is None else figure_text(Fraction(round(one.share * 10**6), 10**6))
    head = {"test": one.test, "target": one.target, "name": one.after.name, "unit": one.after.unit}
    return {**head, "before": side(one.before), "after": side(one.after), "by": figure_text(one.by), "share_of_limits": share}
