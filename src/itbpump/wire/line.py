"""A pure model of the line between programmer and pump: bytes go in at one end and come out at the other, late, harmed or not at all.

`Line(faults, seed=…, pacing=…)` cuts what is sent into frames, numbers them on each way from 0, and lets the faults declared happen to
them. Several faults on one frame act in the order declared, each on the first copy of the frame that is still there: duplicate then flip
gives one sound and one damaged copy. Bytes that belong to no frame pass as they are. The same seed, bytes and times give the same bytes.

Not modelled: what the ends do about it (link), a UART beyond 8N1, a second programmer. No clock: every call is given the time of the link
in ms, which never runs backwards.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from itbpump.wire import line_harms
from itbpump.wire.errors import WireError
from itbpump.wire.frame import MAX_ENCODED_BYTES, decode_frame
from itbpump.wire.line_faults import PPM, FaultsNeverFired, Fired, Frames, Harm, LineFault, LineFaultError, Way, draw
from itbpump.wire.line_queue import FrameCutter, LineQueue, Pacing
from itbpump.wire.messages.types import RecordType
from itbpump.wire.record import parse_header

__all__ = ["FaultsNeverFired", "Fired", "Frames", "Harm", "Line", "LineFault", "LineFaultError", "Pacing", "Way"]

# An unfinished frame is held until it is complete, or until no byte of it has come for so long: then it was none.
HOLD_MS = 100
_REORDER_MS = 1_000
_REMEMBERED = 16
_FOR_GOOD = 1 << 62


@dataclass(slots=True)
class _Parcel:
    """One copy of a frame on its way."""

    data: bytes
    late_ms: int = 0
    after_next: bool = False
    held_ms: int = 0
    pieces: int = 0
    apart_ms: int = 0


class _OneWay:
    """What the line knows of one direction."""

    __slots__ = (
        "arrived",
        "cutter",
        "frames",
        "held_since_ms",
        "last",
        "low_until_ms",
        "mute_until_ms",
        "queue",
        "slow_until_ms",
        "stale",
        "waiting",
    )

    def __init__(self, pacing: Pacing | None) -> None:
        self.cutter = FrameCutter(MAX_ENCODED_BYTES + 1)
        self.queue = LineQueue(pacing)
        self.arrived = bytearray()  # of a line without faults and pacing, since `held_since_ms`
        self.frames = 0
        self.held_since_ms = 0
        self.mute_until_ms = self.low_until_ms = self.slow_until_ms = 0
        self.waiting: list[tuple[int, _Parcel]] = []  # reordered frames: until when they wait for a next one
        self.last: deque[bytes] = deque(maxlen=_REMEMBERED)
        self.stale = b""


class Line:
    """See the module. `unplugged`: a DISCONNECT has happened and nothing passes until `plug_in`."""

    def __init__(self, faults: Sequence[LineFault] = (), *, seed: int = 0, pacing: Pacing | None = None) -> None:
        self.faults = tuple(faults)
        self.pacing = pacing
        self.seed = seed
        self.unplugged = False
        self._fired: list[Fired] = []
        self._times = [0] * len(self.faults)
        self._to_pump, self._to_host = _OneWay(pacing), _OneWay(pacing)
        self._straight = not self.faults and pacing is None
        self._remembers = any(fault.harm in (Harm.STALE, Harm.REPLAY) for fault in self.faults)
        self._hello = b""

    # -------------------------------------------------------------------------------------------------- surface
    @property
    def fired(self) -> tuple[Fired, ...]:
        """What happened, in order."""
        return tuple(self._fired)

    def frames(self, way: Way) -> int:
        """How many frames have been sent this way; the next one has this number."""
        return self._of(way).frames

    def lost_bytes(self, way: Way) -> int:
        """Bytes that a full receive buffer lost."""
        return self._of(way).queue.lost_bytes

    def require_all_fired(self) -> None:
        """Raises FaultsNeverFired naming the declared faults that did not happen."""
        silent = tuple((number, self.faults[number]) for number, times in enumerate(self._times) if times == 0)
        if silent:
            raise FaultsNeverFired(silent)

    def plug_in(self) -> None:
        """Mend a DISCONNECT, SILENCE, HALF_OPEN, STUCK_LOW and WRONG_BAUD. What was lost stays lost."""
        self.unplugged = False
        for one in (self._to_pump, self._to_host):
            one.mute_until_ms = one.low_until_ms = one.slow_until_ms = 0

    def send(self, way: Way, data: bytes, now_ms: int) -> None:
        """Put bytes on the line. On an unplugged one they are lost."""
        one = self._of(way)
        if self._straight:
            one.frames += one.cutter.count(data)
            if not one.arrived:
                one.held_since_ms = now_ms
            one.arrived += data
            return
        if not self.faults:
            one.frames += one.cutter.count(data)
            self._put(one, way, _Parcel(data), now_ms)
            return
        for each in Way:  # before this frame's harms, which may silence both ways from now on
            self._let_go(self._of(each), each, now_ms)
        if self.unplugged:
            return
        for piece, is_frame in one.cutter.feed(data):
            if is_frame:
                self._frame(one, way, piece, now_ms)
            else:
                self._put(one, way, _Parcel(piece), now_ms)
        one.held_since_ms = now_ms

    def receive(self, way: Way, now_ms: int) -> bytes:
        """The bytes that have arrived by now; b"" when there are none. Split frames come one piece a call."""
        one = self._of(way)
        if self._straight:
            data = bytes(one.arrived)
            one.arrived.clear()
            return data
        self._let_go(one, way, now_ms)
        return one.queue.take(now_ms)

    def next_ms(self, way: Way | None = None) -> int | None:
        """When `receive` will give more (this way, or either): in the past if it can now; None if nothing is under way."""
        ways = (self._to_pump, self._to_host) if way is None else (self._of(way),)
        due = [self._next_of(one) for one in ways]
        return min((ms for ms in due if ms is not None), default=None)

    # --------------------------------------------------------------------------------------------------- pieces
    def _of(self, way: Way) -> _OneWay:
        return self._to_pump if way is Way.TO_PUMP else self._to_host

    def _next_of(self, one: _OneWay) -> int | None:
        if self._straight:
            return one.held_since_ms if one.arrived else None
        due = [one.queue.next_ms(), *(until for until, _ in one.waiting)]
        if one.cutter.held and self.faults:
            due.append(one.held_since_ms + HOLD_MS)
        return min((ms for ms in due if ms is not None), default=None)

    def _let_go(self, one: _OneWay, way: Way, now_ms: int) -> None:
        """What has waited long enough: an unfinished frame, and reordered ones that nothing followed. Each goes when its time came,
        not when somebody asks."""
        if one.cutter.held and self.faults and now_ms >= one.held_since_ms + HOLD_MS:
            self._put(one, way, _Parcel(one.cutter.release()), one.held_since_ms + HOLD_MS)
        if one.waiting:
            over = [(until, parcel) for until, parcel in one.waiting if until <= now_ms]
            one.waiting = [(until, parcel) for until, parcel in one.waiting if until > now_ms]
            for until, parcel in over:
                self._put(one, way, parcel, until)

    def _frame(self, one: _OneWay, way: Way, data: bytes, now_ms: int) -> None:
        number = one.frames
        one.frames += 1
        if self._remembers:
            self._note_hello(way, data)
        overtaken, one.waiting = one.waiting, []
        before: list[bytes] = []
        parcels, after = [_Parcel(data)], list[bytes]()
        for index, fault in enumerate(self.faults):
            about = (self.seed, way, number, index)
            if self._strikes(index, fault, way, number) and self._harm(fault, one, way, now_ms, (before, parcels, after), about):
                self._times[index] += 1
                self._fired.append(Fired(index, fault.harm, way, number, now_ms))
        for extra in before:
            self._put(one, way, _Parcel(extra), now_ms)
        for parcel in parcels:
            if parcel.after_next:
                one.waiting.append((now_ms + parcel.held_ms, parcel))
            else:
                self._put(one, way, parcel, now_ms)
        for extra in after:
            self._put(one, way, _Parcel(extra), now_ms)
        for _, parcel in overtaken:
            self._put(one, way, parcel, now_ms)
        if self._remembers:
            one.last.append(data)

    def _strikes(self, index: int, fault: LineFault, way: Way, frame: int) -> bool:
        if (fault.way is not None and fault.way is not way) or self.unplugged:
            return False
        if fault.count is not None and self._times[index] >= fault.count:
            return False
        chance = draw(PPM, self.seed, way, frame, index, "strikes") if fault.when.rate_ppm is not None else 0
        return fault.when.meets(frame, chance)

    def _harm(
        self,
        fault: LineFault,
        one: _OneWay,
        way: Way,
        now_ms: int,
        frame: tuple[list[bytes], list[_Parcel], list[bytes]],
        about: tuple[object, ...],
    ) -> bool:
        """Let one fault act. Returns whether there was anything to act on."""
        before, parcels, after = frame
        chance = partial(_drawn, about)
        match fault.harm:
            case Harm.NOISE:
                before.append(line_harms.noise(fault.bytes or 8, chance))
            case Harm.FLOOD:
                before += [line_harms.stranger(partial(_drawn, (*about, turn))) for turn in range(fault.bytes or 8)]
            case Harm.STALE:
                before += [one.stale] if one.stale else []
                return bool(one.stale)
            case Harm.REPLAY:
                after += [one.last[chance(len(one.last), "which")]] if one.last else []
                return bool(one.last)
            case Harm.HALF_OPEN:
                one.mute_until_ms = _until(fault, now_ms)
            case Harm.SILENCE:
                self._to_pump.mute_until_ms = self._to_host.mute_until_ms = _until(fault, now_ms)
            case Harm.STUCK_LOW:
                one.low_until_ms = now_ms + fault.ms + 1
            case Harm.WRONG_BAUD:
                one.slow_until_ms = now_ms + fault.ms + 1
            case _:
                return bool(parcels and parcels[0].data) and self._change(fault, way, now_ms, parcels, chance)
        return True

    def _change(self, fault: LineFault, way: Way, now_ms: int, parcels: list[_Parcel], chance: line_harms.Draw) -> bool:
        """The harms that need a frame, or what is left of one; they act on the first copy."""
        first = parcels[0]
        match fault.harm:
            case Harm.DROP:
                del parcels[0]
            case Harm.DUPLICATE:
                parcels.append(_Parcel(first.data, first.late_ms + fault.ms))
            case Harm.REORDER:
                first.after_next, first.held_ms = True, fault.ms or _REORDER_MS
            case Harm.DELAY:
                first.late_ms += fault.ms
            case Harm.TRUNCATE:
                first.data = line_harms.truncated(first.data, fault.bytes, chance)
            case Harm.FLIP:
                first.data = line_harms.flipped(first.data, fault.bits, chance)
            case Harm.BURST:
                first.data = line_harms.burst(first.data, fault.bytes or 4, chance)
            case Harm.SPLIT:
                first.pieces, first.apart_ms = fault.bytes or 1, fault.ms
            case Harm.ECHO:
                self._put(self._of(way.back), way.back, _Parcel(first.data), now_ms)
            case Harm.DISCONNECT:
                first.data = first.data[: fault.bytes]
                del parcels[1:]
                self._put(self._of(way), way, first, now_ms)
                parcels.clear()
                self.unplugged = True
            case _:  # pragma: no cover -- a test walks through every harm
                raise LineFaultError(f"{fault.harm} is not served")
        return True

    def _put(self, one: _OneWay, way: Way, parcel: _Parcel, now_ms: int) -> None:
        """Onto the wire, through what lasts."""
        if now_ms < one.mute_until_ms or not parcel.data or self.unplugged:
            return
        data = parcel.data
        if now_ms < one.low_until_ms:
            data = bytes(len(data))
        elif now_ms < one.slow_until_ms:
            data = line_harms.half_speed(data)
        jitter_ms = self.pacing.jitter_ms if self.pacing else 0
        if jitter_ms:
            jitter_ms = draw(jitter_ms + 1, self.seed, way, one.frames, now_ms, "jitter")
        size = parcel.pieces or len(data)
        for turn, start in enumerate(range(0, len(data), size)):
            late_ms = parcel.late_ms + turn * parcel.apart_ms
            aside, alone = parcel.late_ms > 0, parcel.pieces > 0
            one.queue.put(data[start : start + size], now_ms, late_ms=late_ms, jitter_ms=jitter_ms, aside=aside, alone=alone)

    def _note_hello(self, way: Way, data: bytes) -> None:
        """A hello that was not yet seen begins another session: what went last on each way is stale from now on."""
        if way is not Way.TO_PUMP:
            return
        try:
            is_hello = parse_header(decode_frame(data.strip(b"\0"))).rtype == RecordType.HELLO
        except WireError:
            return
        if is_hello and data != self._hello:
            self._hello = data
            for one in (self._to_pump, self._to_host):
                one.stale = one.last[-1] if one.last else b""


def _until(fault: LineFault, now_ms: int) -> int:
    return now_ms + fault.ms if fault.ms else _FOR_GOOD


def _drawn(about: tuple[object, ...], below: int, purpose: str) -> int:
    return draw(below, *about, purpose)
