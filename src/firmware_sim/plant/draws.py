"""Random integers of one pump, from its seed alone: the same on every machine and Python version, no floats.

SHA-256 in counter mode. Not for secrets.
"""

from __future__ import annotations

import hashlib

_WORD_BITS = 64
_NORMAL_TERMS = 12  # the sum of 12 uniform draws has a variance of exactly 1 draw width squared
_NORMAL_BITS = 20


class Draws:
    """An endless sequence of draws for one `purpose`; other purposes of the same seed are independent."""

    def __init__(self, seed: int, purpose: str) -> None:
        self._prefix = f"{purpose}:{seed}:".encode("ascii")
        self._next = 0

    def below(self, limit: int) -> int:
        """Uniform in [0, limit), 1 ≤ limit ≤ 2^64, without bias."""
        top = (1 << _WORD_BITS) - (1 << _WORD_BITS) % limit
        while True:
            word = int.from_bytes(hashlib.sha256(self._prefix + b"%d" % self._next).digest()[:8], "big")
            self._next += 1
            if word < top:
                return word % limit

    def between(self, low: int, high: int) -> int:
        """Uniform in [low, high]."""
        return low + self.below(high - low + 1)

    def normal(self, mean: int, deviation: int) -> int:
        """Near-normal (sum of 12 uniforms; never further than 6 deviations), rounded down."""
        total = sum(self.below(1 << _NORMAL_BITS) for _ in range(_NORMAL_TERMS))
        centred = total - (_NORMAL_TERMS << (_NORMAL_BITS - 1))
        return mean + (deviation * centred >> _NORMAL_BITS)
