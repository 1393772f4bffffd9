"""One test of the kit while it runs: which rig, which seed, how its phases ended; and the place that holds a rig through the run.

A rig that failed stays broken: the test that met it is an error, those after it are aborted with its first cause.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pytest

from itbpump.hil.errors import BenchRefused, RigBroken, RigError
from itbpump.hil.gathering import Kept
from itbpump.hil.model import Capability, Outcome, TestRecord
from itbpump.hil.outcomes import cause_text, outcome_of
from itbpump.hil.recording import Journal
from itbpump.hil.settings import Settings, seed_of_test
from itbpump.hil.station import Station
from itbpump.transport.base import TransportError

if TYPE_CHECKING:
    from itbpump.hil.targets import Target

__all__ = ["Place", "Trial"]

_FIXTURE = "hil_target"


class _Run(Protocol):
    """What a trial needs of the run."""

    @property
    def settings(self) -> Settings: ...

    places: dict[str, int]


class Trial:
    """One test on one rig."""

    def __init__(self, item: pytest.Function, target: Target, run: _Run) -> None:
        self.target = target
        self.place = run.places.get(item.nodeid, 0)
        self.test = _without_target(item, target.name)
        self.scope = next((str(mark.args[0]) for mark in item.iter_markers("reset")), None)
        self.requirements = tuple(sorted({str(name) for mark in item.iter_markers("sr") for name in mark.args}))
        needed = {str(name) for mark in item.iter_markers("needs") for name in mark.args}
        self.lacking = _lacking(target, needed, self.scope)
        self.journal = Journal(seed_of_test(run.settings.seed, self.test), read_frames=run.settings.report is not None)
        self.outcome = Outcome.PASS
        self.cause = ""
        self.passed = False
        self.met: Callable[[BaseException], None] = lambda _error: None
        self._seconds = Decimal(0)
        self._paths = ((str(item.config.rootpath), "."), (str(Path(tempfile.gettempdir()).resolve()), "<tmp>"))

    @classmethod
    def of(cls, item: pytest.Item, run: _Run) -> Trial | None:
        """The trial of an item; None for a test that uses nothing of the kit."""
        callspec = getattr(item, "callspec", None)
        if not isinstance(item, pytest.Function) or callspec is None or _FIXTURE not in callspec.params:
            return None
        return cls(item, callspec.params[_FIXTURE], run)

    def properties(self) -> list[tuple[str, object]]:
        """What JUnit is told before the test."""
        told: list[tuple[str, object]] = [("target", self.target.name), ("seed", self.journal.seed)]
        return told + [("requirement", name) for name in self.requirements]

    def measured(self) -> list[tuple[str, object]]:
        """What JUnit is told of the measurements."""
        return [
            (
                f"measurement {one.name}",
                f"{one.value} {one.unit}, limits {one.limits.lo or '-'} to {one.limits.hi or '-'}, {'within' if one.within else 'outside'}",
            )
            for one in self.journal.measure.measurements
        ]

    # ------------------------------------------------------------------------------------------------------------ phases
    def phase_ended(self, phase: str, seconds: float, error: BaseException | None) -> None:
        """The first thing that went wrong counts; a skip only where nothing did."""
        self._seconds += Decimal(f"{seconds:.3f}")
        if error is not None:
            self.met(error)
        elif phase == "call":
            self.passed = True  # so far: what is begun again afterwards may still fail
        if error is None or self.outcome is not Outcome.PASS:
            return
        if isinstance(error, pytest.skip.Exception):
            self.outcome, self.cause = Outcome.SKIPPED, str(error)
        else:
            self.outcome, self.cause = outcome_of(phase, error), cause_text(error, self._paths)

    def expected_to_fail(self, reason: str) -> None:
        """It failed as it was marked to, which says nothing of the pump."""
        self.outcome, self.cause = Outcome.SKIPPED, f"expected to fail: {reason}"

    def interrupted(self) -> None:
        """The run was ended in the midst of it."""
        if self.outcome is Outcome.PASS:
            self.outcome, self.cause = Outcome.ABORTED, "the run was interrupted in this test"

    def kept(self) -> Kept:
        """The record, now that all is over."""
        journal = self.journal
        record = TestRecord(
            test=self.test,
            target=self.target.name,
            outcome=self.outcome,
            cause=self.cause,
            requirements=self.requirements,
            measurements=tuple(journal.measure.measurements),
            series=tuple(journal.measure.curves),
            events=journal.events,
            frames=journal.frames,
            pump_log=journal.pump_log,
            seed=journal.seed,
        )
        return Kept(self.place, record, str(self._seconds))


def _without_target(item: pytest.Function, target: str) -> str:
    """The test's id without the rig, whose name comes first among its parameters."""
    base, _, name = item.nodeid.rpartition("::")
    function = item.originalname
    rest = name.removeprefix(function).removeprefix("[").removesuffix("]").removeprefix(target).removeprefix("-")
    return f"{base}::{function}" + (f"[{rest}]" if rest else "")


def _lacking(target: Target, needed: set[str], scope: str | None) -> str:
    missing = target.lacks(one for one in Capability if one in needed)
    if missing:
        return f"rig {target.name} lacks {', '.join(missing)}"
    if scope == "new" and not target.simulated:
        return f"rig {target.name} has no fresh pump for each test"
    return ""


class Place:
    """Holds a rig from its first test on. What broke it is kept."""

    def __init__(self, target: Target, key_file: Path | None) -> None:
        self.target = target
        self._key_file = key_file
        self._station: Station | None = None
        self._trial: Trial | None = None
        self._broken = ""

    def begin(self, trial: Trial) -> Station:
        """The rig, opened and reset for a test. Raises RigBroken, and what opening or resetting raises, which breaks it."""
        self._trial = trial
        if self._broken:
            raise RigBroken(self.target.name, self._broken)
        try:
            if self._station is None:
                self._station = Station(self.target, self._key_file)
            self._station.begin(trial.journal, trial.scope)
        except RigBroken:
            raise
        except Exception as error:
            self._broken = str(error)
            raise
        return self._station

    def finish(self) -> None:
        """After a test. A rig that fails here is broken."""
        station, passed = self._station, self._trial is not None and self._trial.passed
        try:
            if station is not None and not self._broken:
                station.finish()
        except (RigError, TransportError) as error:
            passed = False
            self.failed(error)
            raise
        finally:
            if station is not None:
                station.journal.settle(passed=passed)

    def failed(self, error: BaseException) -> None:
        """A test met `error`: whether the rig is to blame, and broken from now on."""
        if isinstance(error, RigError) and not isinstance(error, (BenchRefused, RigBroken)):
            self._broken = self._broken or str(error)

    def close(self) -> str:
        """Give the rig back; the firmware that was met."""
        station, self._station = self._station, None
        if station is None:
            return ""
        station.close()
        return station.firmware
