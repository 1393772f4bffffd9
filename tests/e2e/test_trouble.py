"""Trouble on a real line and on disk: each time a clear error with what to do, the therapy undisturbed, nothing lost (issue 2).

The pump is a process of its own. Its time moves only by the bench, so that any change of its status in between would be a disturbance.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import pytest
from msgspec.structs import replace

import itbpump.commands
import itbpump.connection
import itbpump.link.programmer
import itbpump.session
from itbpump.hoststate import HostState, HostStateError, PumpKey
from itbpump.link.errors import HandshakeFailed, KeyMismatch, NoReply, NotPaired, PumpBusy, describe_error
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.transport import (
    BadUrlError,
    PortAbsentError,
    PortBusyError,
    PortUnpluggedError,
    SimulatorError,
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
    RunState,
    Status,
    encode_request,
)
from itbpump.wire.record import clear_body
from tests.e2e.process import PATIENCE_S, PumpProcess, Wrapped, flex, join, pair, served_or_refused

pytestmark = pytest.mark.e2e

DOSE, OVER, PULSES = Mass.parse("25 mcg"), Duration.parse("10m"), 25
PULSES_AN_HOUR = 6  # 6 mcg/h of 2000 mcg/mL in pulses of 500 nL
START = "30h"  # Monday 16:00: the rate of the day


class Served:
    """A pump process that runs a therapy, and the programmer who started it."""

    def __init__(self, process: PumpProcess, state: HostState) -> None:
        self.process, self.state = process, state
        pair(process, state)
        with self.join() as pump:
            assert isinstance(pump.program(flex()), Applied)
            process.do("advance", for_=START)
            self.before = pump.status()

    def join(self, transport: Wrapped | None = None) -> Pump:
        return join(self.process.link, self.state, transport)

    def require_undisturbed(self, pump: Pump | None = None) -> None:
        """Nothing has changed but what reading it costs; and in an hour the hour's dose is given."""
        if pump is None:
            with self.join() as own:
                self.require_undisturbed(own)
            return
        assert steady(pump.status()) == steady(self.before)
        self.process.do("advance", for_="1h")
        after = pump.status()
        assert after.run_state is RunState.RUNNING
        assert after.lifetime_pulses == self.before.lifetime_pulses + PULSES_AN_HOUR
        assert after.lifetime_pulses == self.process.do("truth")["commanded_pulses"]
        self.before = after


def steady(status: Status) -> Status:
    """Without what sessions move: the log's end and the charge that radio and pulses took."""
    return replace(status, log_next_seq=0, battery_permille=0)


@pytest.fixture(params=[False], ids=["pty"])
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    with PumpProcess.start(tcp=request.param) as process:
        state = HostState.in_memory()
        yield Served(process, state)
        state.close()


over_tcp = pytest.mark.parametrize("served", [True], ids=["socket"], indirect=True)
over_both = pytest.mark.parametrize("served", [False, True], ids=["pty", "socket"], indirect=True)


def require_explained(error: BaseException, *words: str) -> None:
    """The text names what was wrong, and says after a semicolon what to do."""
    text = str(error)
    for word in words:
        assert word in text, text
    assert "; " in text, text
    assert len(text.rsplit("; ", 1)[1]) > 10, text


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
SLACK_MS = 2_000


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
        assert pump.session.link.dropped.keys() <= {"late", "replay"}
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


# ------------------------------------------------------------------------------------------------ the pump's state file
@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, HostState, bytes]:
    """A state file of a pump with a therapy, its programmer, and the id of its memory."""
    path, state = tmp_path_factory.mktemp("sound") / "pump.state", HostState.in_memory()
    with PumpProcess.start(state=path) as process:
        served = Served(process, state)
        with served.join() as pump:
            memory_id = pump.info.memory_id
        assert process.end() == 0
    assert path.stat().st_mode & 0o777 == 0o600
    return path.read_bytes(), state, memory_id


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "half": lambda data: data[: len(data) // 2],
    "empty": lambda _data: b"",
    "byte": lambda data: data[: len(data) // 3] + bytes([data[len(data) // 3] ^ 1]) + data[len(data) // 3 + 1 :],
    "longer": lambda data: data + b"\n",
    "header": lambda data: b"X" + data[1:],
}


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_state_file_is_refused_and_left_as_it_is(damage: str, sound: tuple[bytes, HostState, bytes], tmp_path: Path) -> None:
    whole, state, memory_id = sound
    path, broken = tmp_path / "pump.state", DAMAGES[damage](whole)
    path.write_bytes(broken)
    code, said = served_or_refused(path)
    assert code == 1
    require_explained(ValueError(said), "StateFileError", str(path))
    with pytest.raises(SimulatorError) as refused:
        open_transport(f"sim://P-40?state={path}")
    require_explained(refused.value, str(path))
    assert path.read_bytes() == broken
    assert {file.name for file in tmp_path.iterdir()} == {"pump.state", "pump.state.lock"}
    if damage == "half":
        path.write_bytes(whole)  # the copy is put back
        with PumpProcess.start(state=path) as process, join(process.link, state) as pump:
            assert pump.info.memory_id == memory_id
            assert pump.status().run_state is RunState.RUNNING


def test_two_simulators_cannot_live_in_one_state_file(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    with PumpProcess.start(state=path) as process:
        served = Served(process, HostState.in_memory())
        code, said = served_or_refused(path)
        assert code == 1
        require_explained(ValueError(said), str(path), "another simulator is using it", "stop that one first")
        with pytest.raises(SimulatorError, match="another simulator"):
            open_transport(f"sim://P-40?state={path}")
        served.require_undisturbed()


# ------------------------------------------------------------------------------------------------ the host's state file
KEY = PumpKey("P4000001", b"\x01" * 8)
PAGE = 4096


@pytest.fixture
def host_file(tmp_path: Path) -> Path:
    path = tmp_path / "home" / "state.db"
    state = HostState.open(path)
    state.pair(b"P4000001", 1, bytes(32))
    for _ in range(3):
        state.begin(KEY, 0, 2, bytes(32), bytes(3_000), "a bolus of 25 mcg")
    state.close()
    return path


def test_a_damaged_host_state_is_refused_and_left_as_it_is(host_file: Path) -> None:
    whole = host_file.read_bytes()
    pages = [whole[:start] + b"\xff" * PAGE + whole[start + PAGE :] for start in range(0, len(whole), PAGE)]
    for broken in (whole[: len(whole) // 2], whole[:-PAGE], b"no database", Random(3).randbytes(len(whole)), *pages):
        host_file.write_bytes(broken)
        with pytest.raises(HostStateError) as refused:
            HostState.open(host_file)
        require_explained(refused.value, str(host_file), "not replaced", "restore it from a backup")
        assert host_file.read_bytes() == broken
    host_file.write_bytes(whole)
    state = HostState.open(host_file)
    assert [intent.what for intent in state.unsettled(KEY)] == ["a bolus of 25 mcg"] * 3
    state.close()


def test_only_its_owner_may_read_the_host_state(host_file: Path) -> None:
    assert host_file.stat().st_mode & 0o777 == 0o600
    assert host_file.parent.stat().st_mode & 0o077 == 0
    host_file.chmod(0o644)  # as a careless copy leaves it
    HostState.open(host_file).close()
    assert host_file.stat().st_mode & 0o777 == 0o600


BEGINNER = """
import sys
from pathlib import Path
from itbpump.hoststate import HostState, PumpKey
state = HostState.open(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(40):
    print(state.begin(PumpKey("P4000001", b"\\x01" * 8), 0, 2, bytes(32), b"", "a bolus"), flush=True)
"""


@pytest.mark.sr("SR-43", "SR-44")
def test_two_programs_with_one_host_state_never_use_the_same_command_id(host_file: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", BEGINNER, str(host_file)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        for _ in range(2)
    ]
    try:
        for program in programs:
            assert program.stdout is not None
            assert program.stdout.readline() == "ready\n"
        for program in programs:  # both are at the start line
            assert program.stdin is not None
            program.stdin.write("\n")
            program.stdin.flush()
        taken = [[int(line) for line in program.communicate(timeout=PATIENCE_S)[0].split()] for program in programs]
    finally:
        for program in programs:
            program.kill()
            program.communicate(timeout=PATIENCE_S)
    assert sorted(taken[0] + taken[1]) == list(range(4, 84))
    assert all(ids == sorted(ids) for ids in taken)
    state = HostState.open(host_file)
    assert [intent.cmd_id for intent in state.unsettled(KEY)] == list(range(1, 84))
    state.close()
