"""What a hardware-in-the-loop run leaves behind: the record of one test, and of the run. Pure values; who fills them is `plugin`.

What depends on the machine (durations, paths, wall times) stands apart from what must be equal for equal seeds: `Timing` never goes into
the deterministic part. Not here: how a record is written (`itbpump.hil.report`), and what decides an outcome (`itbpump.hil.outcomes`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

__all__ = ["Capability", "Event", "Frame", "Limits", "Measurement", "Outcome", "RunRecord", "Series", "TestRecord", "Timing"]


class Capability(StrEnum):
    """What a rig can do; a test names what it needs, and is skipped with the reason where that is missing."""

    VIRTUAL_TIME = "virtual-time"
    """Pump time is moved by the bench; a week takes a moment."""
    POWER_CONTROL = "power-control"
    """The supply can be cut and given back."""
    LINK_FAULTS = "link-faults"
    """Faults can be put into the line; everywhere, by `faulty:`."""
    PLANT_TRUTH = "plant-truth"
    """What really flows is known: from the simulator, or a balance."""
    PLANT_PULSES = "plant-pulses"
    """Each single turn of the motor is known, not only the volume."""
    FAULT_INJECTION = "fault-injection"
    """Faults of the pump itself can be planned (`firmware_sim.faults`)."""
    BENCH_HANDS = "bench-hands"
    """Needle, magnet, patient's button and battery are moved by program."""
    REAL_HARDWARE = "real-hardware"
    """A pump of metal: nothing that wears it out without need."""


class Outcome(StrEnum):
    """How a test ended. Only `pass` is good; a rig that is at fault never looks like a pump that is."""

    PASS = "pass"
    FAIL = "fail"
    """The pump did not do what the test asks: an assertion, or a measurement outside its limits."""
    ERROR = "error"
    """The test or the rig failed before anything could be said of the pump."""
    TIMEOUT = "timeout"
    """Something awaited did not come within its time."""
    ABORTED = "aborted"
    """The run was ended, or the rig was broken already; the first cause stands in the record."""
    SKIPPED = "skipped"
    """The rig lacks what the test needs."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Inclusive, in the unit of the measurement; None: no limit on that side. Written as exact decimal text."""

    lo: str | None
    hi: str | None


@dataclass(frozen=True, slots=True)
class Measurement:
    """One measured value. `value` is exact decimal text (`"499.5"`), never a binary float."""

    name: str
    value: str
    unit: str
    limits: Limits
    within: bool


@dataclass(frozen=True, slots=True)
class Series:
    """Points of a curve, for a plot: trumpet, start-up, level. x and y as exact decimal text; `lo`, `hi`: limits at the same x."""

    name: str
    x_unit: str
    y_unit: str
    x: tuple[str, ...]
    y: tuple[str, ...]
    lo: tuple[str, ...] = ()
    hi: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame on the line. `at_ms` is link time since the test began; `what` its message, if it could be told."""

    at_ms: int
    to_pump: bool
    data_hex: str
    what: str = ""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that the test, the bench or the pump did. `at_ms`: pump uptime, where known. `by`: test, bench, pump, rig."""

    at_ms: int | None
    by: str
    text: str


@dataclass(frozen=True, slots=True)
class TestRecord:
    """One test on one rig. `test` is its id without the rig (`hil/test_delivery.py::test_week`), the same on every rig."""

    __test__ = False  # no test class, whatever pytest makes of the name

    test: str
    target: str
    outcome: Outcome
    cause: str = ""
    """Why it is no pass, in one paragraph."""
    requirements: tuple[str, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    series: tuple[Series, ...] = ()
    events: tuple[Event, ...] = ()
    frames: tuple[Frame, ...] = ()
    pump_log: tuple[str, ...] = ()
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Timing:
    """What no two runs share: begin as ISO 8601 UTC, seconds as decimal text, by test and target."""

    begun: str
    seconds: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunRecord:
    """One run of a suite. `versions`: companion, firmware of each target, Python, protocol; `seed` from which each test's own is drawn."""

    seed: int
    versions: dict[str, str]
    targets: dict[str, str]
    """Name to address, as asked for."""
    tests: tuple[TestRecord, ...]
    timing: Timing | None = None
