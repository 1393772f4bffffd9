"""A refill: what was expected in the reservoir against what was drawn out, and the volume afterwards (domain 2.4).

Both discrepancy tests are made, the clinic's 2 mL and the pump's accuracy on what it gave since the last fill, and which of them fired
is told; the sign says what it points to. Judging the numbers is the person's task. Not here: trends over several refills (registry).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from itbpump.configuration import PresentPump
from itbpump.errors import ItbPumpError
from itbpump.profiles import PumpProfile
from itbpump.quantity import Volume
from itbpump.wire.messages import LogEntry, LogKind

__all__ = ["Discrepancy", "Refill", "RefillError"]

CLINIC_LIMIT_NL = 2_000_000  # > 2 mL is evaluated: ASRA poster 1139, domain 2.4 [R]
READING_ERROR_NL = 500_000  # of aspirated and filled together, read on syringes of 20 and 50 mL with marks of 1 mL [D]


class RefillError(ItbPumpError):
    """A refill that the reservoir cannot hold, or that makes no sense."""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """Aspirated minus expected, nL; None when the pump no longer knows what it held. `tolerance_nL` is the pump's accuracy on what it
    gave since the last fill, and what syringes are read to; None when the fill is not known.
    """

    difference_nL: int | None
    tolerance_nL: int | None

    @property
    def above_clinic_limit(self) -> bool:
        """More than 2 mL either way."""
        return self.difference_nL is not None and abs(self.difference_nL) > CLINIC_LIMIT_NL

    @property
    def outside_accuracy(self) -> bool | None:
        """More than the pump's own tolerance explains; None when the last fill is not in the log, or the pump's count is lost."""
        if self.tolerance_nL is None or self.difference_nL is None:
            return None
        return abs(self.difference_nL) > self.tolerance_nL

    @property
    def suspicious(self) -> bool:
        """Either test fired."""
        return self.above_clinic_limit or bool(self.outside_accuracy)

    @property
    def meaning(self) -> str:
        """What the sign points to."""
        if self.difference_nL is None:
            return "not checked: the pump has lost its count of what it held"
        if not self.suspicious:
            return "within both limits"
        if self.difference_nL < 0:
            return "less than expected: over-infusion, a leak, or the last fill went into the pocket"
        return "more than expected: under-infusion, a stall, or an occlusion"


@dataclass(frozen=True, slots=True)
class Refill:
    """One refill. Volumes in nL; `volume_after_nL` counts the residual that a needle cannot reach. `expected_nL` is None for a pump that
    has lost its configuration, and with it its count; `counted_nL` is what it gave since the last fill by its own count, None where the
    log no longer shows that fill.
    """

    expected_nL: int | None
    aspirated_nL: int
    filled_nL: int
    volume_after_nL: int
    discrepancy: Discrepancy
    counted_nL: int | None = None

    @property
    def aspirated(self) -> Volume:
        """What was drawn out."""
        return Volume(self.aspirated_nL)

    @property
    def filled(self) -> Volume:
        """What was put in."""
        return Volume(self.filled_nL)

    @property
    def limit_text(self) -> str:
        """The stricter of both tests, as text with unit."""
        tolerance = self.discrepancy.tolerance_nL
        return Volume(CLINIC_LIMIT_NL if tolerance is None else min(CLINIC_LIMIT_NL, tolerance)).text()

    @property
    def volume_after(self) -> Volume:
        """All that is in the reservoir afterwards."""
        return Volume(self.volume_after_nL)

    @classmethod
    def plan(cls, aspirated: Volume, filled: Volume, present: PresentPump, profile: PumpProfile, log: Iterable[LogEntry]) -> Refill:
        """Figures of a refill into a pump in this state. Raises RefillError when the volumes do not fit the reservoir."""
        residual = profile.residual.nL
        after = residual + filled.nL
        if after > profile.capacity.nL:
            raise RefillError(
                f"{filled} beside the residual {profile.residual} is more than the reservoir of {profile.capacity} holds; fill less",
            )
        if aspirated.nL > profile.capacity.nL:
            raise RefillError(f"{aspirated} cannot have been in a reservoir of {profile.capacity}; check the aspirated volume")
        if present.has_lost_its_configuration:
            return cls(None, aspirated.nL, filled.nL, after, Discrepancy(None, None))
        expected = max(0, present.reservoir_nL - residual)
        given = _given_since_last_fill(present, log)
        tolerance = None if given is None else READING_ERROR_NL - (-given * profile.accuracy_ppm // 1_000_000)
        return cls(expected, aspirated.nL, filled.nL, after, Discrepancy(aspirated.nL - expected, tolerance), given)


def _given_since_last_fill(present: PresentPump, log: Iterable[LogEntry]) -> int | None:
    """Volume given since the newest refill entry, by the pump's own reckoning; nL."""
    filled: int | None = None
    for entry in log:
        if entry.kind is LogKind.REFILL:
            filled = entry.a
    return None if filled is None else max(0, filled - present.reservoir_nL)
