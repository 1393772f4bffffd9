"""What is in the reservoir: volume to the nL and drug to the femtogram, both as integers, so that nothing is lost in rounding.

1 nL of 1 ng/mL holds exactly 1 fg, so a fill has a whole mass. Fillings mix at once and completely with what was left.
Not modelled: pressure, temperature, sedimentation, decay of the drug. Masses of different drugs are added; the label names them.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

FG_PER_NG = 1_000_000


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """What a needle drew out of the reservoir."""

    volume_nL: int
    mass_fg: int

    @property
    def mass_ng(self) -> Fraction:
        """Drug in it, exactly."""
        return Fraction(self.mass_fg, FG_PER_NG)


@dataclass(frozen=True, slots=True)
class Contents:
    """A well-mixed volume with its drug. `drug` is the label: "" while there was never any, "a + b" after a mix-up."""

    volume_nL: int
    mass_fg: int
    drug: str

    @property
    def concentration_ng_per_mL(self) -> Fraction:
        """Exact; 0 when nothing is there."""
        return Fraction(self.mass_fg, self.volume_nL) if self.volume_nL else Fraction(0)

    def mass_of_fg(self, volume_nL: int) -> int:
        """Drug in the first `volume_nL` that leave, rounded down; depends on the total only, not on the portions."""
        return self.mass_fg * volume_nL // self.volume_nL if volume_nL else 0

    def without(self, volume_nL: int) -> Contents:
        """What is left after `volume_nL` (at most all) have left."""
        return Contents(self.volume_nL - volume_nL, self.mass_fg - self.mass_of_fg(volume_nL), self.drug)

    def mixed_with(self, volume_nL: int, concentration_ng_per_mL: int, drug: str) -> Contents:
        """After `volume_nL` of another solution were added; concentration 0 is drug-free rinsing fluid and changes no label."""
        added_fg = volume_nL * concentration_ng_per_mL
        return Contents(self.volume_nL + volume_nL, self.mass_fg + added_fg, self._label_with(added_fg, drug))

    def _label_with(self, added_fg: int, drug: str) -> str:
        if not added_fg:
            return self.drug
        here = set(self.drug.split(" + ")) if self.mass_fg else set()
        return " + ".join(sorted(here | {drug}))
