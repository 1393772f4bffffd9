"""What is left in a reservoir mixes with what is filled in: concentrations after rinses and after the fill (domain 2.2).

All volumes in nL, concentrations in ng/mL, exact. A needle leaves the residual r behind; it mixes at once and evenly with what follows.
Not modelled: incomplete mixing, drug bound to the reservoir, a residual other than the profile's.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from itbpump.quantity import Exact

__all__ = ["Rinse", "least_rinses", "mixed_concentration", "rinsed_residual"]

MOST_RINSES = 10  # beyond that the needle time matters more than the mix; a search ends there


@dataclass(frozen=True, slots=True)
class Rinse:
    """`times` fills of `volume_nL` of a fluid, each drawn out again as far as a needle reaches. Fluid 0 is drug-free."""

    volume_nL: int
    times: int
    fluid_ng_per_mL: int

    def __post_init__(self) -> None:
        if self.volume_nL <= 0 or self.times <= 0 or self.fluid_ng_per_mL < 0:
            raise ValueError("a rinse has a volume, happens at least once, and its fluid has no negative concentration")


def rinsed_residual(residual_nL: int, held_ng_per_mL: Exact, rinse: Rinse | None) -> Fraction:
    """Concentration of the residual after the rinses: each time C becomes (r·C + w·F) / (r + w). Without a rinse it is what was held."""
    held = Fraction(held_ng_per_mL)
    if rinse is None:
        return held
    kept = Fraction(residual_nL, residual_nL + rinse.volume_nL) ** rinse.times
    return rinse.fluid_ng_per_mL + (held - rinse.fluid_ng_per_mL) * kept


def mixed_concentration(
    residual_nL: int, held_ng_per_mL: Exact, volume_after_nL: int, filled_ng_per_mL: int, rinse: Rinse | None = None
) -> Fraction:
    """C = (r·C1 + (V − r)·C2) / V: what the reservoir really holds after the fill. ValueError if V is not above r."""
    if volume_after_nL <= residual_nL:
        raise ValueError("the volume after a fill is more than the residual")
    held = rinsed_residual(residual_nL, held_ng_per_mL, rinse)
    return (residual_nL * held + (volume_after_nL - residual_nL) * Fraction(filled_ng_per_mL)) / volume_after_nL


def least_rinses(
    residual_nL: int, held_ng_per_mL: int, volume_after_nL: int, filled_ng_per_mL: int, volume_nL: int, within: Fraction
) -> int | None:
    """Fewest rinses of `volume_nL` of the new drug that bring the mix within a share of its label; 0 if none is needed, None if
    `MOST_RINSES` do not."""
    for times in range(MOST_RINSES + 1):
        rinse = Rinse(volume_nL, times, filled_ng_per_mL) if times else None
        mix = mixed_concentration(residual_nL, held_ng_per_mL, volume_after_nL, filled_ng_per_mL, rinse)
        if abs(mix / filled_ng_per_mL - 1) <= within:
            return times
    return None
