"""Drug on its way from the reservoir to the catheter tip: N equal, well-mixed tanks in series.

A step of displaced volume is exact in closed form: with θ = displaced volume / tank volume, what tank j held has moved k tanks on with
the Poisson probability e^-θ θ^k / k!. So a slug keeps its old concentration behind the new one, arrives early and leaves a tail:
priming is not plug flow. Masses are floats (fg) and balance to 1e-9 relative. Not modelled: dispersion that depends on flow, diffusion
while flow stands still, leaks, wall adsorption.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

_TAIL_TERMS = 64  # terms summed beyond the last wanted one; with θ below it and at most 64 tanks, what is cut off is below 1e-11


@dataclass(frozen=True, slots=True)
class Path:
    """Contents of the path. `tanks_fg` runs from the pump to the tip; at most 64 tanks."""

    volume_nL: int
    tanks_fg: tuple[float, ...]

    @property
    def mass_fg(self) -> float:
        """Drug in the whole path."""
        return math.fsum(self.tanks_fg)

    def after(self, displaced_nL: int, inlet_fg_per_nL: float) -> Path:
        """The path once `displaced_nL` of the inlet fluid have been pushed in."""
        if not displaced_nL:
            return self
        count = len(self.tanks_fg)
        terms, tails = _poisson(self._tank_volumes(displaced_nL), count)
        full_fg = inlet_fg_per_nL * self.volume_nL / count
        tanks = [math.fsum(self.tanks_fg[j] * terms[i - j] for j in range(i + 1)) + full_fg * tails[i + 1] for i in range(count)]
        return Path(self.volume_nL, tuple(tanks))

    def outflow_fg(self, displaced_nL: int, inlet_fg_per_nL: float) -> float:
        """Drug that leaves the tip meanwhile."""
        if not displaced_nL:
            return 0.0
        count = len(self.tanks_fg)
        theta = self._tank_volumes(displaced_nL)
        terms, tails = _poisson(theta, count)
        held = math.fsum(self.tanks_fg[j] * tails[count - j] for j in range(count))
        return held + inlet_fg_per_nL * self.volume_nL / count * _through(theta, terms, tails, count)

    def _tank_volumes(self, displaced_nL: int) -> float:
        return displaced_nL * len(self.tanks_fg) / self.volume_nL


def empty_path(volume_nL: int, tanks: int) -> Path:
    """A path full of drug-free fluid."""
    return Path(volume_nL, (0.0,) * tanks)


def _poisson(theta: float, count: int) -> tuple[list[float], list[float]]:
    """terms[k] = P(X = k) and tails[k] = P(X ≥ k) of a Poisson variable, for k = 0 … count + 1; every tail is a sum of positive terms
    or one minus a sum far from one, so nothing cancels."""
    term = math.exp(-theta)
    terms = [term]
    for k in range(1, count + 2 + (_TAIL_TERMS if theta < count + 1 else 0)):
        term *= theta / k
        terms.append(term)
    tails = [1.0] * (count + 2)
    for k in range(1, count + 2):
        tails[k] = math.fsum(terms[k:]) if theta < k else 1.0 - math.fsum(terms[:k])
    return terms, tails


def _through(theta: float, terms: list[float], tails: list[float], count: int) -> float:
    """∫ P(X_s ≥ count) ds for s in 0 … θ: tank volumes of inlet fluid that have come out of the tip."""
    if theta < count + 1:
        return math.fsum((k - count) * terms[k] for k in range(count + 1, len(terms)))
    return theta * tails[count] - count * tails[count + 1]
