"""A recording as the other end of the line: `replay:FILE[?speed=10|real|none][&section=N]`.

What the pump said is said again, and what the companion sends must be what it sent then, frame by frame; anything else is a
ReplayDeviation that names the frame. With `speed=none` (the default) the link's clock is simulated: waits pass at once and are as long as
they were. `speed=real` waits as long as it took, `speed=10` a tenth of it; the clock runs as much faster.

The pump's frames keep their distance from the companion's frame before them, so a person's pauses need not be repeated. A session runs
again only with what it ran with: `entropy` (the nonces, which stand in its hellos), `host_clock`, and a host state with the same
programmer id, pairing key and command counter (`rehearsal_state` makes one, in memory, so that nothing of a replay reaches the host's
own records). Not modelled: the pump; it cannot answer what it was not asked.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from fractions import Fraction
from pathlib import Path
from urllib.parse import parse_qsl

from itbpump.errors import ItbPumpError
from itbpump.hoststate import HostState, StoredPairing, default_path
from itbpump.transport.base import BadUrlError, PortAbsentError, PortClosedError, require_wait
from itbpump.wire import keys
from itbpump.wire.capture import CLOCK_REMARK, Cutter, Watch
from itbpump.wire.messages import Role
from itbpump.wire.pcapng import Packet, RecordingError, Section, Way, decode
from itbpump.wire.shown import frame_text

__all__ = ["ReplayDeviation", "ReplayTransport", "pairing_of", "rehearsal_state"]

_SCHEME = "replay:"
_FORM = "write replay:FILE, replay:FILE?speed=real, replay:FILE?speed=10 or replay:FILE?section=2"
_CLOCK = re.compile(re.escape(CLOCK_REMARK) + r"([0-9]{1,12}(?:\.[0-9]{1,9})?)")
_LONGEST_SLEEP_S = 3_600.0


class ReplayDeviation(ItbPumpError):
    """The companion does something else than was recorded. `frame` counts packets of the section from 1; 0 when the recording is over.

    No TransportError on purpose: a failed line is part of a pump's life and is coped with, a deviation must reach whoever replays.
    """

    def __init__(self, url: str, frame: int, expected: str, found: str) -> None:
        self.url, self.frame, self.expected, self.found = url, frame, expected, found
        super().__init__(
            f"{url}: at frame {frame or 'behind the last'} the recording has {expected}, now the companion {found}; "
            "replay with the same version, pairing key and state, and the same calls"
        )


class ReplayTransport:
    """A Transport that plays the pump's part of one section of a recording."""

    simulated = True

    def __init__(
        self,
        url: str,
        section: Section,
        speed: Fraction | None = None,
        *,
        wall_clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`speed` None: simulated time; else how many times faster than it was, by `wall_clock` and `sleep` (s)."""
        self.url = url
        numbered = [(number, packet) for number, packet in enumerate(section.packets, 1) if packet.line == 0 and packet.data]
        packets = tuple(packet for _, packet in numbered)
        self.packets = packets
        self._wall_offset_s = section.lines[0].wall_offset_s if section.lines else 0
        self._script = deque(numbered)
        self._nonces = deque(_nonces(packets))
        remarks = (_CLOCK.fullmatch(packet.comment) for packet in section.packets)
        self._clock_read = deque(float(remark[1]) for remark in remarks if remark is not None)
        self._cutter = Cutter()
        self._unread = b""  # came before something that the companion has sent without reading it
        self._now_us = packets[0].time_us if packets else 0
        self._late_us = 0  # how much later than then the companion is now
        self._speed = speed
        self._wall_clock, self._sleep = wall_clock, sleep
        self._started_s = wall_clock() if speed is not None else 0.0
        self._start_us = self._now_us
        self._closed = False

    @classmethod
    def open(cls, url: str) -> ReplayTransport:
        """Read the recording. Raises BadUrlError for an address or file that makes no sense, PortAbsentError for no file."""
        path, speed, section = _parse(url)
        try:
            recording = decode(path.read_bytes())
        except OSError as error:
            raise PortAbsentError(url, f"the recording cannot be read ({error.strerror})", "name a file that is there") from error
        except RecordingError as error:
            raise BadUrlError(url, f"{error.problem} (byte {error.offset})", error.action) from error
        count = len(recording.sections)
        if section is None and count > 1:
            raise BadUrlError(url, f"it holds {count} recordings", f"name one: {_SCHEME}{path}?section=1 to {count}")
        if count < (section or 1):
            raise BadUrlError(url, f"it holds {count} recordings", _FORM)
        return cls(url, recording.sections[(section or 1) - 1], speed)

    # -------------------------------------------------------------------------------------------------- the host as it was
    def entropy(self, count: int) -> bytes:
        """The companion's random bytes of then: the nonces of its hellos, in order. ReplayDeviation when it asks for more."""
        if not self._nonces or count != keys.NONCE_BYTES:
            raise ReplayDeviation(self.url, 0, "no further hello", f"asks for {count} random bytes")
        return self._nonces.popleft()

    def host_clock(self) -> float:
        """The host's time of then, s since 1970: what it told, one after the other; where that is not recorded, from the line's clock."""
        if self._clock_read:
            return self._clock_read.popleft()
        return self._wall_offset_s + (self._clock_us() - self._late_us) / 1_000_000

    @property
    def unsent(self) -> int:
        """Frames that the companion sent then and has not yet sent now; 0 when the recording has been played to its end."""
        return sum(packet.way is Way.TO_PUMP for _, packet in self._script)

    # ---------------------------------------------------------------------------------------------------- transport
    def now_ms(self) -> int:
        """The link's clock: that of then, as far as it has come."""
        return self._clock_us() // 1_000

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport. A line whose recording is over is silent."""
        require_wait(max_wait_ms)
        self._require_open()
        end_us = self._clock_us() + max_wait_ms * 1_000
        due_us = self._due_us()
        found, self._unread = self._unread, b""
        if not found:
            self._pass_until(end_us if due_us is None else min(due_us, end_us))
        while (due := self._due_us()) is not None and due <= self._clock_us():
            found += self._script.popleft()[1].data
        return found

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. Raises ReplayDeviation for anything but the next frames that were sent then."""
        self._require_open()
        for piece in self._cutter.feed(data):
            self._sent(piece)

    def close(self) -> None:
        """See Transport. What was not sent again stays in `unsent`."""
        self._closed = True

    # ------------------------------------------------------------------------------------------------------- pieces
    def _sent(self, piece: bytes) -> None:
        if not self.unsent:
            raise ReplayDeviation(self.url, 0, "no further frame of the companion", f"sends {_described(piece)}")
        while self._script[0][1].way is Way.FROM_PUMP:
            self._unread += self._script.popleft()[1].data
        number, packet = self._script[0]
        if packet.data != piece:
            raise ReplayDeviation(self.url, number, _described(packet.data), f"sends {_described(piece)}")
        self._script.popleft()
        self._late_us = self._clock_us() - packet.time_us

    def _due_us(self) -> int | None:
        """When the pump's next frame comes, by the clock of now; None while it waits for the companion."""
        if not self._script or self._script[0][1].way is Way.TO_PUMP:
            return None
        return self._script[0][1].time_us + self._late_us

    def _clock_us(self) -> int:
        if self._speed is None:
            return self._now_us
        return self._start_us + int((self._wall_clock() - self._started_s) * 1_000_000 * self._speed)

    def _pass_until(self, at_us: int) -> None:
        if self._speed is None:
            self._now_us = max(self._now_us, at_us)
            return
        while (left_us := at_us - self._clock_us()) > 0:
            self._sleep(min(float(left_us / 1_000_000 / self._speed) + 1e-6, _LONGEST_SLEEP_S))

    def _require_open(self) -> None:
        if self._closed:
            raise PortClosedError(self.url, "it has been closed", "open it again")


def _parse(url: str) -> tuple[Path, Fraction | None, int | None]:
    """File, speed (None: simulated time) and section of an address. Raises BadUrlError."""
    name, _, query = url.removeprefix(_SCHEME).partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    speed, section = given.pop("speed", "none"), given.pop("section", "")
    if not name or given or not re.fullmatch(r"none|real|[1-9][0-9]{0,5}", speed) or not re.fullmatch(r"([1-9][0-9]{0,5})?", section):
        raise BadUrlError(url, "this is no address of a recording", _FORM)
    factor = None if speed == "none" else Fraction(1 if speed == "real" else int(speed))
    return Path(name), factor, int(section) if section else None


def _described(piece: bytes) -> str:
    """A frame in a few words: without keys, its clear header."""
    return "; ".join(frame_text(seen) for seen in Watch().see(Way.TO_PUMP, piece)) + f" ({len(piece)} bytes)"


def _nonces(packets: Iterable[Packet]) -> list[bytes]:
    """Those of the companion's hellos, once each."""
    found: dict[bytes, None] = {}
    watch = Watch()
    for packet in packets:
        for seen in watch.see(packet.way, packet.data):
            if isinstance(seen.content, keys.Hello):
                found[seen.content.np] = None
    return list(found)


# ------------------------------------------------------------------------------------------------ whose recording it is
def rehearsal_state(port: ReplayTransport) -> HostState:
    """A host state in memory with the programmer id of a recording and the pairing key that it was made with.

    Raises ReplayDeviation when the recording has no handshake, or none that a key of this host opens.
    """
    contents = [seen.content for packet in port.packets for seen in Watch().see(packet.way, packet.data)]
    hello = next((content for content in contents if isinstance(content, keys.Hello)), None)
    pairing = pairing_of(port.packets)
    if hello is None or pairing is None:
        raise ReplayDeviation(port.url, 0, "no session under a key that this host has", "cannot open one")
    state = HostState.in_memory(lambda _count: hello.programmer_id)
    state.pair(pairing.pump_id, pairing.role, pairing.key)
    return state


def pairing_of(packets: Sequence[Packet]) -> StoredPairing | None:
    """The pairing that opens a recorded session: the host's own for that pump, or the visible demo key; None where neither does.

    Raises HostStateError for a host state that cannot be read; none is made.
    """
    contents = [seen.content for packet in packets for seen in Watch().see(packet.way, packet.data)]
    pump_ids = dict.fromkeys(content.pump_id for content in contents if isinstance(content, keys.HelloReply))
    candidates = (pairing for pump_id in pump_ids for pairing in _pairings(pump_id))
    return next((pairing for pairing in candidates if _opens(packets, pairing.key)), None)


def _pairings(pump_id: bytes) -> list[StoredPairing]:
    from itbpump.transport.demo_key import DEMO_KEY  # noqa: PLC0415 -- it loads the simulator

    found = [StoredPairing(pump_id, Role.CLINICIAN, DEMO_KEY)]
    if default_path().exists():  # opening it would make one
        own = HostState.open()
        try:
            pairing = own.pairing(pump_id)
        finally:
            own.close()
        found = [pairing, *found] if pairing is not None else found
    return found


def _opens(packets: Sequence[Packet], key: bytes) -> bool:
    """Whether a session was opened with this pairing key."""
    opened: list[object] = []
    watch = Watch(lambda _pump_id: key, on_session=opened.append)
    for packet in packets:
        watch.see(packet.way, packet.data)
    return bool(opened)
