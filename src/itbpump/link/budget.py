"""How many handshakes a pump answers, so that a stranger's frames cost little battery and do not keep a clinician out.

Every paired programmer has a bucket of its own; one more bucket is shared by every answer that needs no key: ids that are not paired, and
refusals in clear. A bucket holds a short allowance (8 in a row, one more each 2 s) and a long one (48, one more each 30 min), and an answer
takes from both. The long one bounds the battery that a flood costs: 48 answers a day for each bucket, once 48 more. A clinician that proved
its key has full allowances again, and so have all when somebody at the patient's side holds a magnet, at most 3 times an hour; an observer,
who may not change a therapy, may not empty the battery either: its proof fills nothing.
A failed handshake (wrong key) also makes its programmer wait, 1 s doubling to 64 s, unless that programmer's last session was good: then
somebody else is using its id. Times are link times in ms. Not prevented: who can write on the line can jam it.
Source: safety 5.3 (failure policy) and design 4 (security); the long allowance is our own figure.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from itbpump.wire.messages import BACKOFF_INITIAL_MS, BACKOFF_MAX_MS, EMERGENCY_PER_HOUR, PROGRAMMERS

__all__ = ["ANSWERS_PER_DAY", "BUCKETS", "LONG_BURST", "Allowance", "HandshakeBudget"]

_BURST = 8
_REFILL_MS = 2_000
LONG_BURST = 48
_LONG_REFILL_MS = 1_800_000
ANSWERS_PER_DAY = 86_400_000 // _LONG_REFILL_MS
"""Answers that one bucket gives in a day, after its long allowance of LONG_BURST is spent."""
BUCKETS = PROGRAMMERS + 1
_CLEAR = b""
_MAGNET_EVERY_MS = 3_600_000 // EMERGENCY_PER_HOUR


@dataclass(slots=True)
class Allowance:
    """Tokens that come back one by one."""

    most: int
    refill_ms: int
    filled_ms: int
    tokens: int = 0

    def __post_init__(self) -> None:
        self.tokens = self.most

    def wait_ms(self, now_ms: int) -> int:
        """0 when there is a token, else the ms until there is one."""
        gained = (now_ms - self.filled_ms) // self.refill_ms
        if gained > 0:
            self.tokens = min(self.most, self.tokens + gained)
            self.filled_ms += gained * self.refill_ms
        return 0 if self.tokens else self.filled_ms + self.refill_ms - now_ms

    def take(self, now_ms: int) -> bool:
        """Spend a token; whether there was one."""
        if self.wait_ms(now_ms):
            return False
        self.tokens -= 1
        return True


@dataclass(slots=True)
class _Bucket:
    filled_ms: int
    backoff_ms: int = 0
    closed_until_ms: int = 0
    was_good: bool = False
    allowances: tuple[Allowance, ...] = field(init=False)

    def __post_init__(self) -> None:
        self.fill(self.filled_ms)

    def fill(self, now_ms: int) -> None:
        """Full allowances."""
        self.allowances = (Allowance(_BURST, _REFILL_MS, now_ms), Allowance(LONG_BURST, _LONG_REFILL_MS, now_ms))

    def take(self, now_ms: int) -> int:
        """0 when a handshake may go on, else the ms to wait."""
        if now_ms < self.closed_until_ms:
            return self.closed_until_ms - now_ms
        wait_ms = max(allowance.wait_ms(now_ms) for allowance in self.allowances)
        if wait_ms == 0:
            for allowance in self.allowances:
                allowance.tokens -= 1
        return wait_ms


class HandshakeBudget:
    """Allowances and back-off of one pump; bounded: one bucket for each pairing slot and one for answers in clear."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, _Bucket] = {}
        self._magnet_ms: int | None = None
        self.denied = 0

    def _bucket(self, programmer_id: bytes, now_ms: int) -> _Bucket:
        bucket = self._buckets.get(programmer_id)
        if bucket is None:
            if len(self._buckets) >= BUCKETS:
                self._buckets.clear()
            bucket = self._buckets[programmer_id] = _Bucket(now_ms)
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

    def proved(self, programmer_id: bytes, now_ms: int, *, fills: bool) -> None:
        """The programmer has its key: in good standing, also where somebody else's session keeps it out. `fills`: its allowances."""
        bucket = self._bucket(programmer_id, now_ms)
        bucket.was_good, bucket.backoff_ms, bucket.closed_until_ms = True, 0, 0
        if fills:
            bucket.fill(now_ms)

    def magnet(self, now_ms: int) -> None:
        """Somebody is at the patient's side: full allowances for all, so that a flood of the days before keeps nobody out."""
        if self._magnet_ms is None or now_ms - self._magnet_ms >= _MAGNET_EVERY_MS:
            self._magnet_ms = now_ms
            for bucket in self._buckets.values():
                bucket.fill(now_ms)
