"""A pump in the caller's process: in manual time waits cost nothing, and nothing leaves before it is kept."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.endpoints import EndpointError
from firmware_sim.endpoints.clock import MANUAL, REAL
from firmware_sim.endpoints.device import Device
from firmware_sim.endpoints.inprocess import INBOX_BYTES, InProcessLine, LineGoneError
from firmware_sim.endpoints.opening import open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFile, StateFileError
from tests.contract.echo import EchoDevice, load_echo


def test_link_time_starts_at_uptime_and_a_wait_moves_both() -> None:
    device = EchoDevice(uptime_ms=500)
    line = InProcessLine(device)
    assert line.now_ms() == 500
    assert line.read(86_400_000) == b""
    assert (line.now_ms(), device.uptime_ms) == (86_400_500, 86_400_500)


def test_a_write_and_its_answer_take_no_time() -> None:
    device = EchoDevice()
    line = InProcessLine(device)
    line.write(b"hello")
    assert line.read(1000) == b"hello"
    assert (line.now_ms(), device.uptime_ms) == (0, 0)


def test_a_read_ends_at_the_event_that_speaks() -> None:
    device = EchoDevice(event_at_ms=300, event_says=b"alarm")
    line = InProcessLine(device)
    assert line.read(299) == b""
    assert line.read(1000) == b"alarm"
    assert line.now_ms() == 300


def test_a_link_timer_fires_at_its_time_in_a_read_and_in_an_advance() -> None:
    device = EchoDevice(link_timer_ms=50, link_timer_says=b"one")
    line = InProcessLine(device)
    assert line.read(1000) == b"one"
    device.link_timer_ms, device.link_timer_says = 90, b"two"
    line.advance(1000)
    assert device.ticks == [50, 90]
    assert line.now_ms() == 1050
    assert line.read(0) == b"two"


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 10_000)), max_size=20))
def test_both_clocks_stay_one_in_manual_time(steps: list[tuple[bool, int]]) -> None:
    device = EchoDevice(event_at_ms=777, link_timer_ms=333)
    line = InProcessLine(device)
    for reading, ms in steps:
        line.read(ms) if reading else line.advance(ms)
        assert line.now_ms() == device.uptime_ms
    assert line.now_ms() == sum(ms for _, ms in steps)


def test_a_timer_that_stays_in_the_past_does_not_hold_time_up() -> None:
    class Stubborn(EchoDevice):
        def link_deadline_ms(self) -> int | None:
            return 10

        def next_event_ms(self) -> int | None:
            return 20

    line = InProcessLine(Stubborn())
    assert line.read(100) == b""
    line.advance(100)
    assert line.now_ms() == 200


def test_an_endless_wait_for_nothing_is_refused_in_manual_time() -> None:
    with pytest.raises(EndpointError, match="nothing will ever come"):
        InProcessLine(EchoDevice()).read(None)
    assert InProcessLine(EchoDevice(event_at_ms=9**9, event_says=b"at last")).read(None) == b"at last"


def test_a_limit_leaves_the_rest_for_the_next_read() -> None:
    line = InProcessLine(EchoDevice())
    line.write(b"abcdef")
    assert (line.read(0, 4), line.waiting(), line.read(0, 4)) == (b"abcd", 2, b"ef")


def test_bytes_that_nobody_reads_are_lost_beyond_a_bound() -> None:
    line = InProcessLine(EchoDevice())
    for _ in range(3):
        line.write(bytes(INBOX_BYTES // 2))
    assert line.waiting() == INBOX_BYTES
    assert line.lost_bytes == INBOX_BYTES // 2
    line.discard()
    assert line.read(0) == b""


def test_real_time_follows_the_clock_and_a_jump_moves_the_pump_alone() -> None:
    now_ns = 10_000_000_000
    device = EchoDevice()
    line = InProcessLine(device, speed=REAL, monotonic_ns=lambda: now_ns)
    now_ns += 2_500_000_000
    assert line.read(0) == b""
    assert (line.now_ms(), device.uptime_ms) == (12_500, 2_500)
    line.advance(1000)
    assert (line.now_ms(), device.uptime_ms) == (12_500, 3_500)


def test_time_does_not_run_backwards() -> None:
    with pytest.raises(ValueError, match="backwards"):
        InProcessLine(EchoDevice()).advance(-1)


def test_a_line_that_has_gone_says_so_and_the_pump_lives_on() -> None:
    device = EchoDevice()
    line = InProcessLine(device)
    line.unplug()
    for use in (lambda: line.read(0), lambda: line.write(b"x"), lambda: line.advance(1), line.waiting, line.discard):
        with pytest.raises(LineGoneError, match="unplugged"):
            use()
    assert device.heard == b""


# -------------------------------------------------------------------------------------------------- state
def test_the_pump_of_a_state_file_goes_on_where_it_was(tmp_path: Path) -> None:
    url = SimUrl.parse(f"sim://P-40?state={tmp_path / 'pump.state'}")

    def opened() -> InProcessLine:
        return open_line(url, default_speed=MANUAL, make=lambda _: EchoDevice(uptime_ms=7), load=load_echo)

    first = opened()
    first.write(b"hello")
    first.advance(1000)
    first.close()
    first.close()
    second = opened()
    assert isinstance(second.device, EchoDevice)
    assert (second.device.heard, second.device.uptime_ms, second.now_ms()) == (b"hello", 1007, 1007)
    with pytest.raises(StateFileError, match="another simulator"):
        opened()
    second.close()


def test_a_damaged_file_is_never_replaced_by_a_fresh_pump(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    path.write_bytes(b"")

    def never(_: object) -> Device:
        pytest.fail("a fresh pump was made")

    for _ in range(2):
        with pytest.raises(StateFileError, match="empty"):
            open_line(SimUrl.parse(f"sim://P-40?state={path}"), default_speed=MANUAL, make=never, load=load_echo)
    assert path.read_bytes() == b""


@pytest.mark.sr("SR-47")
def test_no_byte_leaves_before_what_it_tells_of_is_kept(tmp_path: Path) -> None:
    with StateFile(tmp_path / "pump.state") as file:
        line = InProcessLine(EchoDevice(), file=file)
        line.write(b"commit")
        assert line.read(0) == b"commit"
        assert file.load()["heard"] == b"commit"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(file, "save", _no_space)
            with pytest.raises(StateFileError):
                line.write(b"second")
            with pytest.raises(StateFileError):
                line.read(0)


def _no_space(_: object) -> None:
    raise StateFileError(None, "no space left", "free some space")
