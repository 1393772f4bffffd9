"""A tap between a programmer and a pump: hands bytes both ways and lets a recorder see them.

One thread, in turns of a few milliseconds, so it adds up to `TURN_MS` to an answer and nothing to its content. A recording that stops
(disk full) stops nothing else. Not modelled: the line's speed; what the programmer's side does not take in time is dropped there, as a
serial line would lose it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from itbpump.transport.base import Transport, TransportError
from itbpump.transport.capture import Recorder
from itbpump.wire.pcapng import Way

__all__ = ["TURN_MS", "Near", "forward"]

TURN_MS = 5


class Near(Protocol):
    """The programmer's side: a stream that never blocks."""

    def read(self) -> bytes | None:
        """What has come; None or b"" when nothing has."""

    def send(self, data: bytes) -> bool:
        """Queue and write what fits; also what waits from before."""


def forward(near: Near, far: Transport, recorder: Recorder, shift_us: int, until: Callable[[], bool]) -> None:
    """Hand bytes both ways until `until()`. `shift_us` is added to the link's clock in the recording. Raises TransportError of `far`."""

    def time_us() -> int:
        return far.now_ms() * 1_000 + shift_us

    try:
        while not until():
            asked = near.read()
            if asked:
                recorder.add(Way.TO_PUMP, asked, time_us())
                far.write(asked)
            said = far.read(TURN_MS)
            if said:
                recorder.add(Way.FROM_PUMP, said, time_us())
            near.send(said)
    except TransportError as error:
        recorder.remark(f"the line failed: {error.problem}", time_us())
        raise
