"""What can happen to bytes on a line, as data: which way, which harm, to which frames.

The link group of the fault catalogue (safety 6) but for two rows: latency and jitter are `line_queue.Pacing`, and a second programmer is a
programmer, not a property of a line. All chance is drawn from a seed, the way, the frame and the fault, so that the same seed gives the
same bytes in whatever order the two ways are used. Not here: what each harm does (`line_harms`), when bytes arrive (`line_queue`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from hashlib import blake2b

from itbpump.wire.errors import WireError

__all__ = ["PPM", "FaultsNeverFired", "Fired", "Frames", "Harm", "LineFault", "LineFaultError", "Way", "draw"]

PPM = 1_000_000


class Way(StrEnum):
    """A direction on the line."""

    TO_PUMP = "to-pump"
    TO_HOST = "to-host"

    @property
    def back(self) -> Way:
        """The other direction."""
        return Way.TO_HOST if self is Way.TO_PUMP else Way.TO_PUMP


class Harm(StrEnum):
    """What is done to a frame. `ms`, `bits`, `bytes` are those of the LineFault; 0 stands for what is said after "or"."""

    DROP = "drop"  # the frame is lost
    DUPLICATE = "duplicate"  # it comes twice, the copy `ms` later
    REORDER = "reorder"  # it comes after the next frame of its way, or after `ms` (or 1,000) when none follows
    DELAY = "delay"  # it alone comes `ms` later; frames behind it overtake it
    TRUNCATE = "truncate"  # its last `bytes` (or a drawn number) are lost
    FLIP = "flip"  # `bits` of it are inverted, delimiters included
    BURST = "burst"  # `bytes` (or 4) in a row are garbled
    STUCK_LOW = "stuck-low"  # it comes as zeros, and so does all else of this way for `ms`
    ECHO = "echo"  # the sender hears it too
    HALF_OPEN = "half-open"  # it and all else of this way are lost for `ms` (or until `plug_in`); nobody is told
    SILENCE = "silence"  # it and all else of both ways are lost for `ms` (or until `plug_in`); nobody is told
    NOISE = "noise"  # `bytes` (or 8) drawn ones come before it
    WRONG_BAUD = "wrong-baud"  # it, and all else of this way for `ms`, is heard by a receiver set to half the speed
    SPLIT = "split"  # it comes in reads of `bytes` (or 1), `ms` apart
    DISCONNECT = "disconnect"  # the cable is pulled after `bytes` of it; both ends are told
    STALE = "stale"  # before it comes the last frame that went this way before the newest hello
    REPLAY = "replay"  # after it comes one of the last frames of this way once more
    FLOOD = "flood"  # `bytes` (or 8) hellos of strangers come before it, wherever it goes


class LineFaultError(WireError, ValueError):
    """A fault that cannot be: contradictory or out of range."""


class FaultsNeverFired(WireError):
    """Declared faults that never happened, so that a test proved less than it says. `faults` are (number, fault)."""

    def __init__(self, faults: tuple[tuple[int, LineFault], ...]) -> None:
        self.faults = faults
        listed = ", ".join(f"number {number}: {fault}" for number, fault in faults)
        super().__init__(f"declared faults of the line that never fired: {listed}; let more frames pass or choose other ones")


@dataclass(frozen=True, slots=True)
class Frames:
    """Which frames of a way, numbered from 0: all; the `nth`; each `every`-th (3: numbers 2, 5, 8, …); each with chance `rate_ppm`.

    `window` (a, b), a ≤ number < b, stands alone or narrows `every` and `rate_ppm`. Raises LineFaultError.
    """

    nth: int | None = None
    every: int | None = None
    window: tuple[int, int] | None = None
    rate_ppm: int | None = None

    def __post_init__(self) -> None:
        if sum(one is not None for one in (self.nth, self.every, self.rate_ppm)) > 1 or (self.nth is not None and self.window):
            raise LineFaultError("name frames by nth, by every or by rate_ppm; only the last two go together with a window")
        if self.nth is not None and self.nth < 0:
            raise LineFaultError(f"frame number {self.nth}: frames are numbered from 0")
        if self.every is not None and self.every < 1:
            raise LineFaultError(f"every {self.every} frames: give 1 or more")
        if self.rate_ppm is not None and not 0 < self.rate_ppm <= PPM:
            raise LineFaultError(f"a rate of {self.rate_ppm} ppm: give 1 to {PPM}")
        if self.window is not None and not 0 <= self.window[0] < self.window[1]:
            raise LineFaultError(f"a window from frame {self.window[0]} up to before {self.window[1]} is empty or begins before 0")

    def meets(self, frame: int, chance_ppm: int) -> bool:
        """Whether `frame` is one of them; `chance_ppm` is this frame's draw, 0 to 999,999."""
        if self.window is not None and not self.window[0] <= frame < self.window[1]:
            return False
        if self.nth is not None:
            return frame == self.nth
        if self.every is not None:
            return frame % self.every == self.every - 1
        return self.rate_ppm is None or chance_ppm < self.rate_ppm

    def __str__(self) -> str:
        parts = [
            f"frame {self.nth}" if self.nth is not None else "",
            f"every {self.every}" if self.every is not None else "",
            f"{self.rate_ppm} ppm" if self.rate_ppm is not None else "",
            f"frames {self.window[0]} to {self.window[1] - 1}" if self.window is not None else "",
        ]
        return " of ".join(part for part in parts if part) or "every frame"


@dataclass(frozen=True, slots=True)
class LineFault:
    """One fault: a harm, on one way or both, to some frames, at most `count` times (None: no bound; both ways share it).

    `ms` 0 to 86,400,000, `bits` 1 to 8,192, `bytes` 0 to 65,536: see Harm. Raises LineFaultError.
    """

    harm: Harm
    way: Way | None = None
    when: Frames = Frames()
    count: int | None = None
    ms: int = 0
    bits: int = 1
    bytes: int = 0

    def __post_init__(self) -> None:
        if self.count is not None and self.count < 1:
            raise LineFaultError(f"{self.harm}: a count of {self.count} never fires; give 1 or more")
        for name, value, lowest, highest in (
            ("ms", self.ms, 0, 86_400_000),
            ("bits", self.bits, 1, 8_192),
            ("bytes", self.bytes, 0, 65_536),
        ):
            if not lowest <= value <= highest:
                raise LineFaultError(f"{self.harm}: {name} is {value}; give {lowest} to {highest}")
        if self.harm is Harm.DELAY and self.ms == 0:
            raise LineFaultError("delay: a delay of 0 ms is none; give ms")

    def __str__(self) -> str:
        where = "" if self.way is None else f" {self.way}"
        return f"{self.harm}{where}, {self.when}"


@dataclass(frozen=True, slots=True)
class Fired:
    """A fault that happened: its number in the list declared, and to which frame of which way at which link time (ms)."""

    number_of_fault: int
    harm: Harm
    way: Way
    frame: int
    at_ms: int


def draw(below: int, *about: object) -> int:
    """A number from 0 to `below` - 1 that follows from `about` alone: seed, way, frame, fault, purpose."""
    text = "|".join(map(str, about)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") % below
