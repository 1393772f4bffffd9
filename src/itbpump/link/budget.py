"""How many handshakes a pump answers, so that a stranger's frames cost little and do not keep a clinician out.

Every paired programmer has a bucket of its own; one more bucket is shared by every answer that needs no key: ids that are not paired, and
refusals in clear. A failed handshake (wrong key) also makes its programmer wait, 1 s doubling to 64 s, unless that programmer's last
session was good: then somebody else is using its id. Times are link times in ms. Not prevented: who can write on the line can jam it.
Source: safety 5.3 (failure policy) and design 4 (security).
"""

from __future__ import annotations

from dataclasses import dataclass

from itbpump.wire.messages import BACKOFF_INITIAL_MS, BACKOFF_MAX_MS, PROGRAMMERS

__all__ = ["HandshakeBudget"]

_BURST = 8
_REFILL_MS = 2_000
_CLEAR = b""


@dataclass(slots=True)
class _Bucket:
    tokens: int = _BURST
    filled_ms: int = 0
    backoff_ms: int = 0
    closed_until_ms: int = 0
    was_good: bool = False

    def take(self, now_ms: int) -> int:
        """0 when a handshake may go on, else the ms to wait."""
        if now_ms < self.closed_until_ms:
            return self.closed_until_ms - now_ms
        gained = (now_ms - self.filled_ms) // _REFILL_MS
        if gained > 0:
            self.tokens = min(_BURST, self.tokens + gained)
            self.filled_ms += gained * _REFILL_MS
        if self.tokens == 0:
            return self.filled_ms + _REFILL_MS - now_ms
        self.tokens -= 1
        return 0


class HandshakeBudget:
    """Token buckets and back-off of one pump; bounded: one bucket for each pairing slot and one for answers in clear."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, _Bucket] = {}
        self.denied = 0

    def _bucket(self, programmer_id: bytes, now_ms: int) -> _Bucket:
        bucket = self._buckets.get(programmer_id)
        if bucket is None:
            if len(self._buckets) > PROGRAMMERS:
                self._buckets.clear()
            bucket = self._buckets[programmer_id] = _Bucket(filled_ms=now_ms)
        return bucket

    def take(self, programmer_id: bytes, now_ms: int) -> int:
        """Spend one handshake of a paired programmer. Returns 0, or the ms it has to wait."""
        wait = self._bucket(programmer_id, now_ms).take(now_ms)
        self.denied += wait > 0
        return wait

    def take_clear(self, now_ms: int) -> int:
        """Spend one answer in clear. Returns 0, or the ms during which nobody gets one."""
        return self.take(_CLEAR, now_ms)

    def failed(self, programmer_id: bytes, now_ms: int) -> int:
        """The confirmation did not verify: double the programmer's wait. Returns it in ms, 0 where its last session was good."""
        bucket = self._bucket(programmer_id, now_ms)
        if bucket.was_good:
            return 0
        bucket.backoff_ms = min(BACKOFF_MAX_MS, max(BACKOFF_INITIAL_MS, bucket.backoff_ms * 2))
        bucket.closed_until_ms = now_ms + bucket.backoff_ms
        return bucket.backoff_ms

    def succeeded(self, programmer_id: bytes, now_ms: int) -> None:
        """A session came about: the programmer's bucket is full again."""
        self._buckets[programmer_id] = _Bucket(filled_ms=now_ms, was_good=True)
