"""What can go wrong around a pump under test, apart from the pump itself.

::

    ItbPumpError
    └── HilError
        ├── TargetsError (ValueError)      a rig is unknown, or its description cannot be read
        ├── RigError                       the rig has failed: process, bench, power, balance
        │   ├── BenchRefused               the bench is there and does not do it; `kind` as firmware_sim.bench says
        │   ├── PowerError, BalanceError   a driver has failed
        │   └── RigBroken                  it failed earlier; `first_cause` says how
        ├── MissingCapability              the test asks for what this rig lacks, and has no `needs` marker
        ├── NotDeclared                    an adapter does not say how; the test is skipped with its text
        ├── HilTimeout (TimeoutError)      something awaited did not come
        └── MeasurementError (TypeError, ValueError)   a figure that is not exact, or makes no sense
    AssertionError
    ├── NotAsOrdered                       the pump did not take an order
    └── OutsideLimits                      measurements outside their limits; `measurements` are they

Which of them is which outcome of a test decides `outcomes`.
"""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.hil.model import Capability, Measurement

__all__ = [
    "BalanceError",
    "BenchRefused",
    "HilError",
    "HilTimeout",
    "MeasurementError",
    "MissingCapability",
    "NotAsOrdered",
    "NotDeclared",
    "OutsideLimits",
    "PowerError",
    "RigBroken",
    "RigError",
    "TargetsError",
]


class HilError(ItbPumpError):
    """Root of the HIL kit's errors."""


class TargetsError(HilError, ValueError):
    """A rig is unknown or badly described; `where` names the file and key, or the option."""

    def __init__(self, where: str, problem: str, action: str) -> None:
        super().__init__(f"{where}: {problem}; {action}", action=action)
        self.where = where
        self.problem = problem


class RigError(HilError):
    """The rig has failed, so nothing can be said of the pump; `rig` names it."""

    def __init__(self, rig: str, problem: str, action: str) -> None:
        super().__init__(f"rig {rig}: {problem}; {action}", action=action)
        self.rig = rig
        self.problem = problem


class BenchRefused(RigError):
    """The bench does not carry out a command; nothing has changed. `kind` is bad-argument, refused, …"""

    def __init__(self, rig: str, problem: str, kind: str) -> None:
        super().__init__(rig, problem, "see `itbpump bench URL help` for what a bench can do")
        self.kind = kind


class PowerError(RigError):
    """The supply could not be switched."""


class BalanceError(RigError):
    """The balance gives no reading that can be used."""


class RigBroken(RigError):
    """The rig failed earlier and stays broken; `first_cause` is how it failed then."""

    def __init__(self, rig: str, first_cause: str) -> None:
        super().__init__(rig, f"it is broken since: {first_cause}", "mend it, then run again")
        self.first_cause = first_cause


class MissingCapability(HilError):
    """A test uses what its rig cannot do."""

    def __init__(self, rig: str, capability: Capability, what: str) -> None:
        super().__init__(
            f'rig {rig} cannot {what}: it lacks {capability.value}; mark the test with @pytest.mark.needs("{capability.value}"), '
            "so that it is skipped there"
        )
        self.rig = rig
        self.capability = capability


class NotDeclared(HilError):
    """The adapter of a rig has no method of its own for what a test wants; `method` is the one to write."""

    def __init__(self, rig: str, adapter: str, what: str, method: str) -> None:
        super().__init__(
            f"rig {rig}: {adapter} does not say how to {what}; give it a method {method}(self, clock), see itbpump.hil.adapter"
        )
        self.rig = rig
        self.method = method


class HilTimeout(HilError, TimeoutError):
    """Something awaited did not come; `what` and `waited_ms` (pump time) tell."""

    def __init__(self, what: str, waited_ms: int) -> None:
        super().__init__(f"{what} did not come within {waited_ms} ms of pump time; see the events and the pump's log of this test")
        self.what = what
        self.waited_ms = waited_ms


class MeasurementError(HilError, TypeError, ValueError):
    """A figure that is not exact, or limits that no value can meet."""


class NotAsOrdered(AssertionError):
    """The pump did not take an order; `outcome` is what the companion knows of it."""

    def __init__(self, what: str, outcome: object, why: str) -> None:
        super().__init__(f"the pump did not take {what}: {why}")
        self.outcome = outcome


class OutsideLimits(AssertionError):
    """Measurements outside their limits, each named with value and limits."""

    def __init__(self, measurements: tuple[Measurement, ...], others: tuple[str, ...] = ()) -> None:
        self.measurements = measurements
        told = [_told(one) for one in measurements] + list(others)
        super().__init__(f"{len(told)} outside the limits: " + "; ".join(told))


def _told(one: Measurement) -> str:
    limits = [f"at least {one.limits.lo}"] if one.limits.lo is not None else []
    limits += [f"at most {one.limits.hi}"] if one.limits.hi is not None else []
    return f"{one.name} = {one.value} {one.unit} (limits: {' and '.join(limits)})"
