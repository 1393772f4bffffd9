"""What will flow out of the reservoir from one instant on, as plain integers: the one thing that both computations of a date are given.

No arithmetic here on purpose: `closed_form` and `stepper` each work a date out of these facts, with no code in common (SR-37).
Not modelled: stalls, leaks, temperature, what a person will order later.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itbpump.wire.messages import Configuration

__all__ = ["Course", "Drive", "Side"]


class Drive(Enum):
    """What flows between boluses."""

    THERAPY = "therapy"
    MINIMUM_RATE = "minimum rate"
    NOTHING = "nothing"


class Side(Enum):
    """Which of the three dates is asked for; what each counts beside the therapy.

    EARLIEST: a prime at once; all patient boluses allowed in 24 h at once, and as much again every day, on top of the flow that each would
    replace; a bridge `bridge_slack` pulses longer in volume and shorter in time. NOMINAL: neither prime nor patient boluses, the bridge as
    it is. LATEST: the same, the bridge `bridge_slack` pulses shorter in volume and longer in time.

    What the pump does not tell is taken to the safe side. A bolus whose end is not known: all of it at once, for LATEST over 24 h. A
    periodic therapy whose place is not known: after bolus and bridge it begins with its highest flow, for LATEST with its lowest.
    """

    EARLIEST = "earliest"
    NOMINAL = "nominal"
    LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Course:
    """From now on: the bolus that runs, then the bridge, then the therapy, which goes on underneath both.

    `place_ms`: how far the pump is in its week (0 is Monday 00:00) or in the period of a periodic therapy; None where a pump does not tell
    it, which is only for a period.
    `bolus_ms`: time until the bolus ends, None where that is not known; its pulses count towards the end of the bridge.
    `patient_nL_per_day`: all patient boluses allowed in 24 h. `prime_nL`: a prime that may still be given.
    """

    configuration: Configuration
    drive: Drive
    pulse_nL: int
    minimum_nL_per_day: int
    place_ms: int | None
    bolus_pulses: int = 0
    bolus_ms: int | None = None
    bridge_nL_per_day: int = 0
    bridge_pulses: int = 0
    bridge_slack: int = 0
    patient_nL_per_day: int = 0
    prime_nL: int = 0
