"""A recording as the pump's end of the line: the same session again, deviations told by their frame, pacing as asked."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from random import Random

import pytest

from itbpump.hoststate import HostState
from itbpump.link.errors import NoReply
from itbpump.outcome import Applied
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass
from itbpump.therapy import load_prescription
from itbpump.transport import open_transport
from itbpump.transport.base import BadUrlError, PortAbsentError, PortClosedError, Transport
from itbpump.transport.replay import ReplayDeviation, ReplayTransport
from itbpump.transport.sim import SimTransport
from itbpump.transport.states import default_state
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import Role
from itbpump.wire.pcapng import Line, Packet, Section, Way, decode, encode_line, encode_packet, encode_section

SIM = "sim://P-40?fill=38mL&seed=1"
FLEX = Path(__file__).resolve().parents[3] / "examples" / "flex-weekday-weekend.toml"


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    for variable in ("ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG"):
        monkeypatch.delenv(variable, raising=False)


def visit(pump: Pump) -> tuple[object, ...]:
    with pump:
        programmed = pump.program(load_prescription(FLEX))
        bolus = pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m"))
        return pump.info, programmed, bolus, pump.status(), pump.present(), tuple(pump.log()), pump.session.link.resent


class Lossy:
    """A line that loses some of what is said, by the seed; a simulated clock goes on while nothing comes."""

    def __init__(self, inner: SimTransport, seed: int) -> None:
        self.inner, self.url, self.simulated = inner, inner.url, True
        self._random = Random(seed)

    def now_ms(self) -> int:
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        data = self.inner.read(max_wait_ms)
        return b"" if self._random.random() < 0.2 else data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        if self._random.random() >= 0.2:
            self.inner.write(data, deadline_ms)

    def close(self) -> None:
        self.inner.close()


def recorded(path: Path, do: Callable[[Pump], object] = visit, lossy: int | None = None) -> object:
    line = open_transport(SIM)
    assert isinstance(line, SimTransport)
    transport: Transport = line if lossy is None else Lossy(line, lossy)
    return do(connect(SIM, state=default_state(line), transport=transport, capture=path))


@pytest.mark.parametrize("seed", [None, 1, 2, 3])
def test_a_recorded_session_runs_again_to_the_same_end(tmp_path: Path, seed: int | None) -> None:
    path = tmp_path / "visit.pcapng"
    found = recorded(path, lossy=seed)
    for _ in range(2):
        replay = ReplayTransport.open(f"replay:{path}")
        assert visit(connect(replay.url, transport=replay)) == found
        assert replay.unsent == 0
    assert isinstance(found, tuple)
    assert isinstance(found[1], Applied)
    assert (found[-1] > 0) is (seed is not None)  # lost frames were sent again, at the same moments


def test_a_replay_is_reached_by_its_url(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    found = recorded(path)
    assert visit(connect(f"replay:{path}")) == found


@pytest.mark.sr("SR-42")
def test_a_replay_leaves_the_hosts_own_records_alone(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    recorded(path)
    visit(connect(f"replay:{path}"))
    assert not (tmp_path / "home").exists()


def test_what_was_not_asked_then_is_told_by_its_frame(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    recorded(path)
    packets = decode(path.read_bytes()).sections[0].packets
    numbers = [number for number, packet in enumerate(packets, 1) if packet.way is Way.TO_PUMP and packet.data]
    pump = connect(f"replay:{path}")
    with pytest.raises(ReplayDeviation) as caught:
        pump.stop()  # then a status was read
    assert caught.value.frame == numbers[3]
    assert f"at frame {numbers[3]} the recording has sealed #1" in str(caught.value)


@pytest.mark.sr("SR-44")
def test_another_dose_than_then_is_a_deviation_and_no_outcome(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    recorded(path)
    other = FLEX.read_text("utf-8").replace("6 mcg/h", "6.5 mcg/h")
    pump = connect(f"replay:{path}")
    with pytest.raises(ReplayDeviation, match="sealed #"):
        pump.program(load_prescription(other))


def test_more_than_was_recorded_is_a_deviation(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    recorded(path, lambda pump: pump.close())
    pump = connect(f"replay:{path}")
    pump.close()
    pump = connect(f"replay:{path}")
    with pytest.raises(ReplayDeviation, match="the recording has sealed"):
        pump.status()
    replay = ReplayTransport("replay:x", Section((Line("x"),), ()))
    with pytest.raises(ReplayDeviation, match="behind the last"):
        replay.write(encode_frame(b"more"))
    with pytest.raises(ReplayDeviation, match="random bytes"):
        replay.entropy(16)


def test_a_silent_pump_stays_silent_as_long_as_then(tmp_path: Path) -> None:
    path = tmp_path / "silence.pcapng"

    def ask_in_vain(pump: Pump) -> str:
        with pytest.raises(NoReply) as caught:
            pump.status()
        return str(caught.value)

    class Deaf(Lossy):
        """Takes what a handshake and the question who it is need, and then nothing."""

        taken = 0

        def read(self, max_wait_ms: int) -> bytes:
            return self.inner.read(max_wait_ms)

        def write(self, data: bytes, deadline_ms: int | None = None) -> None:
            self.taken += 1
            if self.taken <= 3:
                self.inner.write(data, deadline_ms)

    line = open_transport(SIM)
    assert isinstance(line, SimTransport)
    told = ask_in_vain(connect(SIM, state=default_state(line), transport=Deaf(line, 0), capture=path))
    replay = ReplayTransport.open(f"replay:{path}")
    assert ask_in_vain(connect(replay.url, transport=replay)) == told


# ------------------------------------------------------------------------------------------------ pacing
ASKED, TOLD, HINT = encode_frame(b"asked"), encode_frame(b"told"), encode_frame(b"hint")
SECTION = Section(
    (Line("x", 1_000),),
    (
        Packet(5_000_000, Way.TO_PUMP, ASKED),
        Packet(5_040_000, Way.FROM_PUMP, TOLD),
        Packet(7_040_000, Way.FROM_PUMP, HINT),
        Packet(60_000_000, Way.TO_PUMP, ASKED),
        Packet(60_040_000, Way.FROM_PUMP, TOLD),
    ),
)


class Wall:
    """A wall clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now_s, self.slept_s = 50.0, 0.0

    def __call__(self) -> float:
        return self.now_s

    def sleep(self, s: float) -> None:
        self.now_s += s
        self.slept_s += s


@pytest.mark.parametrize(("speed", "slept_s"), [(None, 0.0), (Fraction(1), 2.08), (Fraction(10), 0.208)])
def test_waits_last_as_long_as_then_or_as_asked(speed: Fraction | None, slept_s: float) -> None:
    wall = Wall()
    replay = ReplayTransport("replay:x", SECTION, speed, wall_clock=wall, sleep=wall.sleep)
    assert replay.now_ms() == 5_000
    assert replay.read(0) == b""
    replay.write(ASKED)
    assert replay.read(39) == b""
    assert replay.read(500) == TOLD
    assert replay.now_ms() == 5_040
    assert replay.read(10_000) == HINT
    assert replay.now_ms() == 7_040
    replay.write(ASKED)  # at once, where the person had paused for 53 s
    assert replay.read(500) == TOLD
    assert replay.now_ms() == 7_080
    assert replay.unsent == 0
    assert wall.slept_s == pytest.approx(slept_s, abs=1e-4)
    assert replay.host_clock() == pytest.approx(1_060.04, abs=1e-4)


def test_the_end_of_a_recording_is_silence() -> None:
    replay = ReplayTransport("replay:x", SECTION._replace(packets=SECTION.packets[:2]))
    replay.write(ASKED)
    assert replay.read(100) == TOLD
    assert replay.read(1_000) == b""
    assert replay.now_ms() == 6_040


def test_what_the_companion_did_not_wait_for_is_kept_for_it() -> None:
    replay = ReplayTransport("replay:x", SECTION)
    replay.write(ASKED)
    assert replay.read(100) == TOLD
    replay.write(ASKED)
    assert replay.read(100) == HINT
    assert replay.read(100) == TOLD


def test_a_frame_may_be_written_in_pieces() -> None:
    replay = ReplayTransport("replay:x", SECTION)
    for byte in ASKED:
        replay.write(bytes([byte]))
    assert replay.unsent == 1


def test_a_closed_replay_is_closed() -> None:
    replay = ReplayTransport("replay:x", SECTION)
    replay.close()
    replay.close()
    for do in (lambda: replay.read(0), lambda: replay.write(ASKED)):
        with pytest.raises(PortClosedError):
            do()
    with pytest.raises(ValueError, match="max_wait_ms"):
        ReplayTransport("replay:x", SECTION).read(-1)


# ------------------------------------------------------------------------------------------------ addresses
def written(path: Path, count: int = 1) -> Path:
    section = encode_section() + encode_line(SECTION.lines[0]) + b"".join(map(encode_packet, SECTION.packets))
    path.write_bytes(section * count)
    return path


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("", "2 recordings; name one"),
        ("?section=3", "2 recordings"),
        ("?section=0", "no address"),
        ("?speed=0", "no address"),
        ("?speed=fast", "no address"),
        ("?sped=2", "no address"),
    ],
)
def test_addresses_that_make_no_sense_are_refused(tmp_path: Path, query: str, words: str) -> None:
    with pytest.raises(BadUrlError, match=words):
        ReplayTransport.open(f"replay:{written(tmp_path / 'two.pcapng', 2)}{query}")


def test_files_that_are_no_recording_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PortAbsentError, match="No such file"):
        ReplayTransport.open(f"replay:{tmp_path / 'none.pcapng'}")
    path = tmp_path / "letter.pcapng"
    path.write_bytes(b"Dear Sir or Madam")
    with pytest.raises(BadUrlError, match="no pcapng"):
        ReplayTransport.open(f"replay:{path}")


def test_one_of_several_recordings_is_played(tmp_path: Path) -> None:
    path = written(tmp_path / "two.pcapng", 2)
    replay = open_transport(f"replay:{path}?section=2&speed=none")
    assert isinstance(replay, ReplayTransport)
    assert replay.unsent == 2


@pytest.mark.sr("SR-62")
def test_a_recording_made_with_another_key_is_not_opened(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    line = open_transport(SIM)
    assert isinstance(line, SimTransport)
    state = HostState.in_memory()
    line.device.provision(state.programmer_id, Role.CLINICIAN, bytes(range(32)))
    state.pair(b"P4000001", Role.CLINICIAN, bytes(range(32)))
    connect(SIM, state=state, transport=line, capture=path).close()
    with pytest.raises(ReplayDeviation, match="no session under a key that this host has"):
        connect(f"replay:{path}")
    with pytest.raises(ReplayDeviation, match="no session"):
        connect(f"replay:{written(tmp_path / 'noise.pcapng')}")
    own = HostState.open()
    own.pair(b"P4000001", Role.CLINICIAN, bytes(range(32)))
    own.close()
    with connect(f"replay:{path}") as pump:
        assert pump.info.serial == "P4000001"
