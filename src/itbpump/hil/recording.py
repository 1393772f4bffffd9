"""What is kept of one test: frames, events, the pump's log, measurements; made into a `TestRecord` when it has ended.

Times in it are the link's and the pump's, never the wall's, and no path of this machine is: with equal seeds a pump in virtual time gives
equal records. All frames of a test that did not pass are kept, up to a bound for tests that run for days; of one that passed the last
ones. An event says how many are missing. Not here: outcomes (`outcomes`), the whole run (`gathering`), files (`report`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from itbpump.hil.measure import Measure
from itbpump.hil.model import Event, Frame
from itbpump.wire.capture import Cutter, Watch
from itbpump.wire.pcapng import Way
from itbpump.wire.shown import frame_text

__all__ = ["FRAMES_KEPT", "FRAMES_OF_PASSED", "Journal", "LineLog"]

FRAMES_KEPT = 20_000  # and as many again at the end: a day of a line that is polled each 5 s
FRAMES_OF_PASSED = 32  # the last 16 exchanges: nobody looks for a cause there, and a run has hundreds of such tests
EVENTS_KEPT = 5_000

KeyOf = Callable[[bytes], bytes | None]


class _Piece(NamedTuple):
    line: LineLog
    at_ms: int
    to_pump: bool
    data: bytes


@dataclass(slots=True)
class LineLog:
    """One opening of a line: cuts both ways into frames. `key_of` opens them when they are read."""

    key_of: KeyOf
    to_pump: Cutter
    to_host: Cutter


class Journal:
    """Of one test. `frames` stand when it is settled; `read_frames`: with name and fields of each, as far as its session's key is known."""

    def __init__(self, seed: int = 0, *, read_frames: bool = False) -> None:
        self.seed = seed
        self.frames: tuple[Frame, ...] = ()
        self._read_frames = read_frames
        self.measure = Measure()
        self.pump_log: tuple[str, ...] = ()
        self._events: list[Event] = []
        self._events_lost = 0
        self._missing: tuple[str, ...] = ()
        self._first: list[_Piece] = []
        self._last: deque[_Piece] = deque(maxlen=FRAMES_KEPT)
        self._pieces = 0
        self._origin_ms: int | None = None

    def note(self, by: str, text: str, at_ms: int | None = None) -> None:
        """An event: `by` test, bench, pump or rig; `at_ms` is pump uptime, None where it is not known."""
        if len(self._events) >= EVENTS_KEPT:
            self._events_lost += 1
            return
        self._events.append(Event(at_ms, by, text))

    def line(self, key_of: KeyOf) -> Callable[[bool, bytes, int], None]:
        """For one opening of a line: a function that is told each stretch of bytes, as `lines.Watched` does."""
        log = LineLog(key_of, Cutter(), Cutter())

        def seen(to_pump: bool, data: bytes, at_ms: int) -> None:
            self._origin_ms = at_ms if self._origin_ms is None else self._origin_ms
            for piece in (log.to_pump if to_pump else log.to_host).feed(data):
                self._keep(_Piece(log, at_ms - self._origin_ms, to_pump, piece))

        return seen

    def _keep(self, piece: _Piece) -> None:
        self._pieces += 1
        if len(self._first) < FRAMES_KEPT:
            self._first.append(piece)
        else:
            self._last.append(piece)

    @property
    def events(self) -> tuple[Event, ...]:
        """In the order in which they were noted; the last say what is missing."""
        told = list(self._events)
        told += [Event(None, "rig", text) for text in self._missing]
        if self._events_lost:
            told.append(Event(None, "rig", f"{self._events_lost} later events were not kept"))
        return tuple(told)

    def settle(self, *, passed: bool = False) -> None:
        """The test is over: make frames of what went over the line, while the keys of its sessions are at hand."""
        pieces = [*self._first, *self._last]
        shown = min(len(pieces), FRAMES_OF_PASSED) if passed else len(pieces)
        self.frames = self._made_frames(pieces, shown)
        missing = self._pieces - shown
        if missing and passed:
            self._missing = (f"{missing} frames before the last {shown} were not kept: the test passed",)
        elif missing:
            self._missing = (f"{missing} frames between the first {FRAMES_KEPT} and the last {FRAMES_KEPT} were not kept",)
        self._first.clear()
        self._last.clear()

    def _made_frames(self, pieces: Sequence[_Piece], count: int) -> tuple[Frame, ...]:
        """The last `count`; those before are looked at too, for the handshakes that open the later ones."""
        watches: dict[int, Watch] = {}
        found, left_out = [], len(pieces) - count
        for number, piece in enumerate(pieces):
            watch = watches.setdefault(id(piece.line), Watch(piece.line.key_of)) if self._read_frames else None
            what = "" if watch is None else _what(watch, piece)
            if number >= left_out:
                found.append(Frame(piece.at_ms, piece.to_pump, piece.data.hex(), what))
        return tuple(found)


def _what(watch: Watch, piece: _Piece) -> str:
    return "; ".join(frame_text(seen) for seen in watch.see(Way.TO_PUMP if piece.to_pump else Way.FROM_PUMP, piece.data))
