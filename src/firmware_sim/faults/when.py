"""When a fault happens: on a time, a pulse, a frame, a memory write or a command; the nth, every, in a window, or at a rate.

Everything is drawn from a seed and the number asked about, never from what was asked before, so that a plan does the same however time is
cut. Numbers: time is pump time in ms; pulses are the lifetime number of those commanded, from 1; writes and commands count from 1 since
the plan was loaded; frames count from 0 on each way, as itbpump.wire.line counts them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["MS_PER_DAY", "PPM", "On", "When", "drawn"]

PPM = 1_000_000
MS_PER_DAY = 86_400_000


class On(StrEnum):
    """What is counted."""

    TIME = "time"
    PULSE = "pulse"
    FRAME = "frame"
    WRITE = "write"
    COMMAND = "command"


def drawn(below: int, *about: object) -> int:
    """A number from 0 to below − 1 that follows from `about` alone."""
    digest = hashlib.blake2b("|".join(map(str, about)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % below


@dataclass(frozen=True, slots=True)
class When:
    """A selection of numbers. Exactly one of `nth`, `every`, `window`, `rate_ppm` is given; `command` names the kind for On.COMMAND.

    every: its multiples. window (first, last): each number in it; on time one moment in it, drawn. rate_ppm: one number, drawn, of each
    PPM // rate_ppm; on time one moment of each such part of a day (1,000,000 is once a day, 24,000,000 once an hour).
    Raises ValueError saying what is wrong.
    """

    on: On
    nth: int | None = None
    every: int | None = None
    window: tuple[int, int] | None = None
    rate_ppm: int | None = None
    command: str = ""

    def __post_init__(self) -> None:
        given = [value for value in (self.nth, self.every, self.window, self.rate_ppm) if value is not None]
        if len(given) != 1:
            raise ValueError("give exactly one of nth, every, window, rate_ppm")
        least = 0 if self.on in (On.TIME, On.FRAME) else 1
        if self.nth is not None and self.nth < least:
            raise ValueError(f"nth is {self.nth}; {self.on}s are numbered from {least}")
        if self.every is not None and self.every < 1:
            raise ValueError(f"every is {self.every}; give 1 or more")
        if self.window is not None and not least <= self.window[0] <= self.window[1]:
            raise ValueError(f"window {list(self.window)}: give first and last, from {least} on")
        most = PPM if self.on is not On.TIME else PPM * MS_PER_DAY
        if self.rate_ppm is not None and not 0 < self.rate_ppm <= most:
            raise ValueError(f"rate_ppm is {self.rate_ppm}; give 1 to {most}")
        if bool(self.command) != (self.on is On.COMMAND):
            raise ValueError("a command is named for on = 'command', and only there")

    @property
    def once(self) -> bool:
        """It can fire only one time."""
        return self.nth is not None or (self.on is On.TIME and self.window is not None)

    def next_after(self, number: int, seed: object) -> int | None:
        """The first selected number above `number`; None if there is none."""
        if self.nth is not None:
            return self.nth if self.nth > number else None
        if self.every is not None:
            return (number // self.every + 1) * self.every
        if self.window is not None:
            return self._in_window(self.window, number, seed)
        if self.rate_ppm is None:
            raise ValueError("a selection without any")
        return self._in_blocks(self.rate_ppm, number, seed)

    def _in_window(self, window: tuple[int, int], number: int, seed: object) -> int | None:
        first, last = window
        if self.on is On.TIME:
            moment = first + drawn(last - first + 1, seed, "window")
            return moment if moment > number else None
        following = max(first, number + 1)
        return following if following <= last else None

    def _in_blocks(self, rate_ppm: int, number: int, seed: object) -> int:
        block = max(1, (PPM * MS_PER_DAY if self.on is On.TIME else PPM) // rate_ppm)
        place = max(0, number) // block
        while True:
            found = place * block + drawn(block, seed, "rate", place)
            if found > number and (found > 0 or self.on is On.FRAME):
                return found
            place += 1

    def __str__(self) -> str:
        what = f"{self.on} {self.command}".strip()
        if self.nth is not None:
            return f"{what} {self.nth}"
        if self.every is not None:
            return f"every {self.every} of {what}"
        if self.window is not None:
            return f"{what} {self.window[0]} to {self.window[1]}"
        return f"{self.rate_ppm} ppm of {what}"
