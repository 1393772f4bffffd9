"""What the bench may know and the firmware may not: the true state at one moment, and single true pulses."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import NamedTuple


class TruePulse(NamedTuple):
    """One turn of the motor that took place. `volume_nL` is what left the reservoir: 0 when it was empty."""

    at_ms: int
    number: int
    """Counted since manufacture from 1, as the encoder counts."""
    volume_nL: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """Everything that went in or out otherwise than through the tip, since manufacture."""

    filled_nL: int = 0
    filled_fg: int = 0
    aspirated_nL: int = 0
    aspirated_fg: int = 0
    lost_nL: int = 0
    lost_fg: int = 0
    initial_path_nL: int = 0


@dataclass(frozen=True, slots=True)
class Truth:
    """The true state. Volumes balance to the nL: filled + initial path = reservoir + path + delivered + aspirated + lost.

    Drug balances to 1e-9: filled = reservoir + path + tip mass + aspirated + lost. `battery_permille` of a past moment counts all
    radio activity up to now. What is in the CSF costs a look back over hours: ask `Plant.csf_mass_ng`.
    """

    at_ms: int
    true_ms: int
    commanded_pulses: int
    made_pulses: int
    """Turns of the rotor."""
    encoder_pulses: int
    """What the encoder shows of them; another number only where it is at fault."""
    stalled: bool
    accuracy_ppm: int
    drift_ppm: int
    drug: str
    reservoir_nL: int
    reservoir_fg: int
    reservoir_concentration_ng_per_mL: Fraction
    path_nL: int
    path_tanks_ng: tuple[float, ...]
    delivered_nL: int
    tip_mass_ng: float
    battery_permille: int
    ledger: Ledger

    @property
    def path_mass_ng(self) -> float:
        """Drug in the whole path."""
        return sum(self.path_tanks_ng)
