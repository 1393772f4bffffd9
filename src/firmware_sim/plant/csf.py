"""Drug in the cerebrospinal fluid, seen by an observer who looks back: one compartment, first-order elimination.

dA/dt = (drug leaving the tip) − k A with k = ln 2 / half-life; concentration = A / (clearance / k). The kept history of what left the
tip is cut into cells; inside a cell the drug is spread evenly. Never read by firmware. Not modelled: the gradient along the spine,
binding, effect.
"""

from __future__ import annotations

import math
from collections.abc import Callable

_LOOK_BACK_HALF_LIVES = 40  # 2^-40 is below 1e-12 of a dose
_CELLS_PER_HALF_LIFE = 90  # a pulse put anywhere in its cell changes by at most ln 2 / 90, 0.8 % of that one pulse
_OLD_HALF_LIVES = 8  # what is older has decayed to 1/256,
_OLD_CELL = 9  # so that cells nine times as wide cost less than 0.03 % of a pulse


class Csf:
    """The compartment; times are pump uptime in ms, drug in fg (1e-6 ng)."""

    def __init__(self, half_life_s: int, clearance_nL_per_h: int) -> None:
        self._per_ms = math.log(2) / (half_life_s * 1000)
        self._cell_ms = max(1, half_life_s * 1000 // _CELLS_PER_HALF_LIFE)
        self._old_ms = _OLD_HALF_LIVES * half_life_s * 1000
        self.look_back_ms = _LOOK_BACK_HALF_LIVES * half_life_s * 1000
        self._volume_nL = clearance_nL_per_h / 3_600_000 / self._per_ms

    def amount_fg(self, left_the_tip_fg: Callable[[int], float], from_ms: int, at_ms: int, amount_at_from_fg: float) -> float:
        """Drug in the CSF at `at_ms`, given that at `from_ms`. `left_the_tip_fg(t)` is the total that has left up to t."""
        amount = amount_at_from_fg * math.exp(-self._per_ms * (at_ms - from_ms))
        start, before = from_ms, left_the_tip_fg(from_ms)
        while start < at_ms:
            wide = at_ms - start > self._old_ms + _OLD_CELL * self._cell_ms
            end = min(start + self._cell_ms * (_OLD_CELL if wide else 1), at_ms)
            total = left_the_tip_fg(end)
            decay = self._per_ms * (end - start)
            spread = -math.expm1(-decay) / decay
            amount += (total - before) * spread * math.exp(-self._per_ms * (at_ms - end))
            start, before = end, total
        return amount

    def concentration_ng_per_mL(self, amount_fg: float) -> float:
        """1 fg per nL is 1 ng per mL."""
        return amount_fg / self._volume_nL
