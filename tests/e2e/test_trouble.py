"""Trouble on a real line: each time a clear error with what to do, the therapy undisturbed, nothing lost (issue 2).

The pump is a process of its own. Its time moves only by the bench, so that any change of its status in between would be a disturbance.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest

import itbpump.commands
import itbpump.connection
import itbpump.link.programmer
import itbpump.session
from itbpump.hoststate import HostState
from itbpump.link.errors import HandshakeFailed, KeyMismatch, NoReply, NotPaired, PumpBusy, describe_error
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.quantity import Duration, Mass
from itbpump.transport import (
    BadUrlError,
    PortAbsentError,
    PortBusyError,
    PortUnpluggedError,
    TransportError,
    WriteTimeoutError,
    open_transport,
)
from itbpump.transport.serial_port import SerialTransport
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import (
    BolusState,
    Error,
    ErrorCode,
    GetStatus,
    LogKind,
    RecordType,
    encode_request,
)
from itbpump.wire.record import clear_body
from tests.e2e.process import PULSES_AN_HOUR, PumpProcess, Served, Wrapped, join, pair, require_explained

pytestmark = pytest.mark.e2e

DOSE, OVER, PULSES = Mass.parse("25 mcg"), Duration.parse("10m"), 25


@pytest.fixture(params=[False], ids=["pty"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with PumpProcess.start(tcp=request.param) as process:
        state = HostState.in_memory()
        yield Served(process, state)
        state.close()


over_tcp = pytest.mark.parametrize("served", [True], ids=["socket"], indirect=True)
over_both = pytest.mark.parametrize("served", [False, True], ids=["pty", "socket"], indirect=True)


# ------------------------------------------------------------------------------------------------ bytes that do not belong
class Recording(Wrapped):
    """Keeps every frame the programmer sends."""

    def __init__(self, inner: str) -> None:
        super().__init__(inner)
        self.frames: list[bytes] = []

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        self.frames.append(data)
        super().write(data, deadline_ms)


def random_bytes(_frames: list[bytes]) -> list[bytes]:
    return [Random(number).randbytes(257) for number in range(40)]


def truncated(frames: list[bytes]) -> list[bytes]:
    return [part for frame in frames for part in (frame[: len(frame) // 2], frame[:-1], frame[2:])]


def oversized(_frames: list[bytes]) -> list[bytes]:
    return [b"\x00" + b"\x41" * 5_000 + b"\x00", b"\x42" * 9_000, b"\x00"]


def damaged(frames: list[bytes]) -> list[bytes]:
    random = Random(5)
    places = [random.randrange(1, len(frame) - 1) for frame in frames]
    return [frame[:place] + bytes([frame[place] ^ 0x20]) + frame[place + 1 :] for frame, place in zip(frames, places, strict=True)]


def foreign_records(_frames: list[bytes]) -> list[bytes]:
    """Whole frames of every clear type with a content that means nothing, and one of no type."""
    clear = [rtype for rtype in RecordType if rtype < RecordType.COMMAND]
    bodies = [clear_body(rtype, bytes(size)) for rtype in clear for size in (0, 1, 16, 300)]
    return [encode_frame(body) for body in (*bodies, b"\x01\xee" + bytes(6), b"\x01")]


def replayed_commands(frames: list[bytes]) -> list[bytes]:
    """All that was said in a session, its commits among it, without the handshake (two frames)."""
    return frames[2:] * 3


POURED: list[Callable[[list[bytes]], list[bytes]]] = [random_bytes, truncated, oversized, damaged, foreign_records, replayed_commands]


def recorded_bolus(served: Served) -> list[bytes]:
    """The frames of a session in which a bolus was given, to its end."""
    line = Recording(served.process.link)
    with served.join(line) as pump:
        assert isinstance(pump.bolus(DOSE, OVER), Applied)
        served.process.do("advance", for_="10m")
        assert pump.status().bolus_state is BolusState.DONE
        served.before = pump.status()
    return line.frames


def pour_out(served: Served, parts: list[bytes]) -> None:
    """Another program writes to the port, and leaves when the pump has dealt with it."""
    line = open_transport(served.process.link)
    for part in (*parts, b"\x00"):  # what was begun is ended, or it would swallow the next frame
        line.write(part)
    heard(served)
    line.close()


def heard(served: Served) -> None:
    """The pump has dealt with what was on its line: it looks at line and bench by turns."""
    for _ in range(3):
        served.process.do("time")


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("pour", POURED)
def test_bytes_that_do_not_belong_change_nothing_before_and_during_a_session(
    pour: Callable[[list[bytes]], list[bytes]], served: Served
) -> None:
    poured = pour(recorded_bolus(served))
    pour_out(served, poured)
    line = Recording(served.process.link)
    with served.join(line) as pump:
        served.require_undisturbed(pump)
        own = list(line.frames)
        for part in (*poured, *pour(own), b"\x00"):
            line.write(part)
        served.require_undisturbed(pump)
        assert isinstance(pump.bolus(DOSE, OVER), Applied)
        served.process.do("advance", for_="10m")
        assert pump.status().bolus_counter == 2 * PULSES
        log = list(pump.log())
        # An old record is not even answered; only the last one's answer may come again.
        assert pump.session.link.dropped.keys() <= {"replay", "refuse", "hello_reply"}
    assert sum(entry.kind is LogKind.SESSION_OPEN for entry in log) == 3  # the first, the recorded one, and this one to its end
    assert sum(entry.kind is LogKind.COMMITTED for entry in log) == 3


@pytest.mark.sr("SR-62")
def test_a_whole_session_replayed_into_another_gives_no_second_bolus(served: Served) -> None:
    frames = recorded_bolus(served)
    line = Wrapped(served.process.link)
    with served.join(line) as pump:
        for frame in frames:
            line.write(frame)
        served.require_undisturbed(pump)
        assert pump.status().bolus_counter == PULSES


@pytest.mark.sr("SR-62")
def test_a_handshake_replayed_just_before_ones_own_costs_an_attempt_at_most(served: Served) -> None:
    frames = recorded_bolus(served)
    line = open_transport(served.process.link)
    for frame in frames:
        line.write(frame)
    # The answers to the old handshake are on their way while the new one begins on the same line.
    try:
        join(served.process.link, served.state, line).close()
    except HandshakeFailed as error:
        require_explained(error, served.process.serial)
    heard(served)
    served.require_undisturbed()


class Noisy(Wrapped):
    """Puts noise before and behind everything the pump says."""

    def read(self, max_wait_ms: int) -> bytes:
        data = super().read(max_wait_ms)
        return data and b"\x00\x11\x22\x00" + b"\x33" * 2_000 + data + b"\x44\x55"


def test_noise_towards_the_programmer_is_skipped(served: Served) -> None:
    with served.join(Noisy(served.process.link)) as pump:
        served.require_undisturbed(pump)
        assert isinstance(pump.bolus(DOSE, OVER), Applied)


@pytest.mark.parametrize(
    ("plaintext", "code", "detail"),
    [(b"\xee", ErrorCode.UNKNOWN_MESSAGE, 0xEE), (encode_request(GetStatus()) + b"\x00", ErrorCode.BAD_MESSAGE, 0)],
    ids=["unknown", "longer"],
)
def test_a_sealed_message_the_pump_does_not_know_is_answered_and_the_session_goes_on(
    plaintext: bytes, code: ErrorCode, detail: int, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    with served.join() as pump:
        with monkeypatch.context() as patch:
            patch.setattr(itbpump.link.programmer, "encode_request", lambda _message: plaintext)
            answer = pump.session.send(GetStatus())
        assert isinstance(answer, Error)
        assert (answer.code, answer.detail, answer.cmd_id) == (code, detail, 0)
        require_explained(ValueError(describe_error(answer.code, answer.detail)), "the pump refused")
        served.require_undisturbed(pump)


# ------------------------------------------------------------------------------------------------ who may speak
@pytest.mark.sr("SR-62")
def test_a_stranger_and_a_wrong_key_are_named_and_put_off(served: Served) -> None:
    stranger = HostState.in_memory()
    with pytest.raises(NotPaired) as unknown:
        join(served.process.link, stranger)
    require_explained(unknown.value, "does not know this programmer", "itbpump pair")
    pair(served.process, stranger)
    stranger.pair(served.process.serial.encode("ascii"), 1, bytes(32))
    with pytest.raises(KeyMismatch) as mismatch:
        join(served.process.link, stranger)
    require_explained(mismatch.value, served.process.serial, "another key", "itbpump pair")
    with pytest.raises(HandshakeFailed, match=r"again in [1-9][0-9]* s"):
        join(served.process.link, stranger)
    served.require_undisturbed()
    with served.join() as pump:
        refused = [entry for entry in pump.log() if entry.kind is LogKind.HANDSHAKE_FAILED]
        assert {entry.a for entry in refused} == {int.from_bytes(stranger.programmer_id, "big")}


@pytest.mark.sr("SR-62")
def test_a_second_programmer_is_told_how_long_while_the_first_goes_on(served: Served) -> None:
    second = HostState.in_memory()
    pair(served.process, second)
    first = served.join()
    with pytest.raises(PortBusyError) as taken:
        join(served.process.link, second)
    require_explained(taken.value, "another program has it open", "close that program")
    served.require_undisturbed(first)
    first.session.transport.close()  # the program dies without a good-bye: its session stays
    with pytest.raises(PumpBusy) as busy:
        join(served.process.link, second)
    assert 0 < busy.value.retry_after_s <= 900
    require_explained(busy.value, f"again in {busy.value.retry_after_s} s", "close the other programmer")
    with served.join() as again:
        assert isinstance(again.bolus(DOSE, OVER), Applied)
        served.process.do("advance", for_="10m")
        assert again.status().bolus_counter == PULSES
    with join(served.process.link, second) as pump:
        assert pump.status().bolus_counter == PULSES


@over_tcp
def test_a_second_program_on_tcp_is_turned_away_while_the_first_goes_on(served: Served) -> None:
    with served.join() as first:
        with pytest.raises(TransportError) as turned_away:
            join(served.process.link, served.state)
        require_explained(turned_away.value, "one program at a time")
        served.require_undisturbed(first)


# ------------------------------------------------------------------------------------------------ ports
def test_an_absent_port_is_named(tmp_path: Path) -> None:
    (tmp_path / "letter").write_text("no device", encoding="utf-8")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        free = listener.getsockname()[1]
    absent = {
        str(tmp_path / "tty"): "no such device",
        str(tmp_path / "letter"): "not a serial device",
        f"socket://127.0.0.1:{free}": "nothing answers there",
    }
    for url, why in absent.items():
        with pytest.raises(PortAbsentError) as caught:
            join(url, HostState.in_memory())
        require_explained(caught.value, url, why)
    with pytest.raises(BadUrlError) as senseless:
        join("pump:one", HostState.in_memory())
    require_explained(senseless.value, "pump:one", "give a serial device")


class Unplugging(Wrapped):
    """A TCP line whose cable is pulled at a frame of the programmer, before it or right behind it; armed by setting `frames_left`."""

    def __init__(self, inner: str, *, behind: bool) -> None:
        super().__init__(inner)
        self._behind = behind
        self.frames_left: int | None = None

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        pulled = self.frames_left == 0
        if self.frames_left is not None:
            self.frames_left -= 1
        if pulled and self._behind:
            super().write(data, deadline_ms)
        if pulled:
            assert isinstance(self.inner, SerialTransport)
            self.inner._port._socket.shutdown(socket.SHUT_RDWR)  # type: ignore[attr-defined]  # of pyserial's socket:// port
        super().write(data, deadline_ms)


@over_tcp
@pytest.mark.sr("SR-42", "SR-51")
@pytest.mark.parametrize(
    ("frame", "behind", "told", "settled"),
    [
        (0, False, NotApplied, NotApplied),
        (1, True, NotApplied, NotApplied),
        (2, False, Unknown, NotApplied),
        (2, True, Unknown, Applied),
        (3, False, Applied, Applied),
    ],
    ids=["stage", "read-back", "commit", "commit-sent", "confirm"],
)
def test_a_cable_pulled_in_a_bolus_leaves_the_therapy_and_the_truth_comes_out(
    frame: int, behind: bool, told: type[Outcome], settled: type[Outcome], served: Served
) -> None:
    line = Unplugging(served.process.link, behind=behind)
    pump = served.join(line)
    present = pump.present()
    line.frames_left = frame
    outcome = pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, told)
    with pytest.raises(PortUnpluggedError) as gone:
        pump.status()
    require_explained(gone.value, line.url, "the line has gone", "check cable")
    line.close()
    served.process.do("advance", for_="10m")  # nobody is connected
    with served.join() as again:
        if told is Unknown:
            with pytest.raises(DosingBlocked) as blocked:
                again.bolus(DOSE, OVER)
            require_explained(blocked.value, "a bolus of 25 mcg", "itbpump reconcile")
            ((_, outcome),) = again.reconcile()
        assert isinstance(outcome, settled)
        status = again.status()
        given = PULSES if settled is Applied else 0
        assert status.bolus_counter == given
        # Ten minutes of the rate are one pulse; the bolus stands in its place.
        assert status.lifetime_pulses - served.before.lifetime_pulses == (given or PULSES_AN_HOUR // 6)
        served.before = status
        served.require_undisturbed(again)


# ------------------------------------------------------------------------------------------------ silence
DEADLINE_MS = 700
# How much later than its deadline a wait may end on a busy machine.
SLACK_MS = 5_000


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The companion's deadlines in tenths of a second."""
    monkeypatch.setattr(itbpump.connection, "HANDSHAKE_DEADLINE_MS", DEADLINE_MS)
    monkeypatch.setattr(itbpump.connection, "COMMAND_DEADLINE_MS", DEADLINE_MS)
    monkeypatch.setattr(itbpump.commands, "COMMAND_DEADLINE_MS", DEADLINE_MS)
    monkeypatch.setattr(itbpump.session, "_CLOSE_WAIT_MS", 50)


def require_in_time(error: NoReply) -> None:
    assert DEADLINE_MS <= error.waited_ms <= DEADLINE_MS + SLACK_MS
    assert error.sent >= 2
    require_explained(error, f"within {error.waited_ms / 1000:g} s", f"sent {error.sent} times", "check cable, power and port")


def woken(served: Served) -> None:
    """The pump goes on, and has dealt with all that waited on its line."""
    served.process.thaw()
    heard(served)


@pytest.mark.usefixtures("impatient")
@over_both
def test_silence_ends_at_the_stated_deadline(served: Served) -> None:
    with served.join() as pump:
        served.process.freeze()
        with pytest.raises(NoReply) as silent:
            pump.status()
        require_in_time(silent.value)
        woken(served)
        served.require_undisturbed(pump)
        assert pump.session.link.dropped.keys() <= {"late", "replay", "no_session"}
    served.process.freeze()
    with pytest.raises(NoReply) as no_handshake:
        served.join()
    require_in_time(no_handshake.value)
    woken(served)
    served.require_undisturbed()


class Freezing(Wrapped):
    """The pump stops at a frame of the programmer, which waits on the line with all that follows."""

    def __init__(self, process: PumpProcess) -> None:
        super().__init__(process.link)
        self._process = process
        self.frames_left: int | None = None

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        if self.frames_left == 0:
            self._process.freeze()
        if self.frames_left is not None:
            self.frames_left -= 1
        super().write(data, deadline_ms)


@pytest.mark.usefixtures("impatient")
@pytest.mark.sr("SR-41", "SR-42")
def test_a_bolus_the_pump_takes_up_long_after_the_programmer_gave_up_is_found_and_not_given_again(served: Served) -> None:
    line = Freezing(served.process)
    pump = served.join(line)
    present = pump.present()
    line.frames_left = 2  # stage and read-back pass, the commit waits
    outcome = pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, Unknown)
    assert isinstance(outcome.cause, NoReply)
    require_in_time(outcome.cause)
    pump.close()
    woken(served)
    with served.join() as again:
        ((_, settled),) = again.reconcile()
        assert isinstance(settled, Applied)
        served.process.do("advance", for_="1h")
        assert again.status().bolus_counter == PULSES
        assert sum(entry.kind is LogKind.BOLUS_START for entry in again.log()) == 1


def test_a_line_that_takes_no_bytes_is_told_from_one_that_is_silent(served: Served) -> None:
    served.process.freeze()
    line = open_transport(served.process.link)
    with pytest.raises(WriteTimeoutError) as stuck:
        line.write(b"\x55" * 1_000_000, line.now_ms() + 300)
    require_explained(stuck.value, served.process.link, "bytes were not taken", "check the cable")
    line.close()
    woken(served)
    served.require_undisturbed()
