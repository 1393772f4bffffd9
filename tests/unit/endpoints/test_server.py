"""The simulator's loop: times, one client on the line, a state file ahead of it, and an end that leaves nothing behind."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import pytest

from firmware_sim.bench import BenchError
from firmware_sim.endpoints import EndpointError, PtyLink, TcpLink
from firmware_sim.endpoints.server import CHUNK_MS
from firmware_sim.state_file import StateFile, StateFileError
from tests.contract.echo import EchoDevice
from tests.contract.serving import Clock, Start, ask, run_alone

DAY_MS = 86_400_000


@pytest.mark.parametrize(("speed", "factor"), [("real", 1), ("60", 60), ("manual", 0)])
def test_pump_time_follows_the_clock_at_its_speed_and_link_time_is_never_scaled(start: Start, speed: str, factor: int) -> None:
    clock = Clock()
    running = start(EchoDevice(uptime_ms=1000), speed=speed, monotonic_ns=clock)
    with running.bench() as bench:
        clock.ns += 7_000_000_000
        told = bench.call("time")
    assert told["uptime_ms"] == 1000 + 7000 * factor
    assert told["link_now_ms"] == 12_000
    assert told["speed"] == speed


def test_bytes_carry_the_links_time(start: Start) -> None:
    clock = Clock()
    running = start(speed="1000", monotonic_ns=clock)
    with running.line() as line:
        assert ask(line, b"x") == b"x"
    assert running.device.receptions_ms == [5000]


def test_speed_can_be_changed_while_it_runs(start: Start) -> None:
    clock = Clock()
    running = start(monotonic_ns=clock)
    with running.bench() as bench:
        assert bench.call("speed", to="10")["speed"] == "10"
        clock.ns += 1_000_000_000
        assert bench.call("speed", to="manual")["uptime_ms"] == 10_000
        clock.ns += 1_000_000_000
        assert bench.call("time")["uptime_ms"] == 10_000
        with pytest.raises(BenchError, match="no speed") as caught:
            bench.call("speed", to="warp")
    assert (caught.value.kind, caught.value.argument) == ("bad-argument", "to")


def test_a_long_advance_is_cut_and_the_line_and_other_clients_are_served_meanwhile(start: Start) -> None:
    running = start()
    with running.bench() as long, running.bench() as other, running.line() as line:
        answers: list[dict[str, object]] = []
        caller = threading.Thread(target=lambda: answers.append(long.call("advance", for_=20_000 * CHUNK_MS // 2)))
        caller.start()
        seen = {other.call("time")["uptime_ms"] for _ in range(20)}
        assert ask(line, b"still there") == b"still there"
        caller.join(20)
    assert answers == [{"advanced_ms": 10_000 * DAY_MS, "uptime_ms": 10_000 * DAY_MS}]
    assert max(running.device.advances) == CHUNK_MS
    assert len(seen) > 1


def test_a_client_gets_its_answers_in_order(start: Start) -> None:
    running = start()
    with running.bench() as bench:
        requests = [
            {"command": "advance", "arguments": {"for": "77d"}, "id": 1},
            {"command": "time", "id": 2},
            {"command": "advance", "arguments": {"for": "1d"}, "id": 3},
            {"command": "time", "id": 4},
        ]
        bench._socket.sendall(b"".join(json.dumps(request).encode() + b"\n" for request in requests))
        answers = [json.loads(bench._stream.readline()) for _ in requests]
    assert [answer["id"] for answer in answers] == [1, 2, 3, 4]
    assert [answer["result"]["uptime_ms"] for answer in answers] == [77 * DAY_MS, 77 * DAY_MS, 78 * DAY_MS, 78 * DAY_MS]


def test_advance_to_event(start: Start) -> None:
    running = start(EchoDevice(event_at_ms=3 * DAY_MS + 5))
    with running.bench() as bench:
        assert bench.call("advance-to-event") == {"advanced_ms": 3 * DAY_MS + 5, "uptime_ms": 3 * DAY_MS + 5}
        with pytest.raises(BenchError, match="nothing will happen"):
            bench.call("advance-to-event")


def test_what_happens_by_itself_reaches_the_line_unasked(start: Start) -> None:
    running = start(EchoDevice(event_at_ms=50, event_says=b"alarm"), speed="real")
    with running.line() as line:
        assert line.recv(100) == b"alarm"


def test_a_link_timer_fires_by_itself(start: Start) -> None:
    running = start(EchoDevice(link_timer_says=b"gone"))
    with running.line() as line, running.bench() as bench:
        bench.call("magnet", hold_ms=30)
        assert line.recv(100) == b"gone"
    assert len(running.device.ticks) == 1


def test_a_second_client_is_closed_without_a_byte_and_the_first_stays(start: Start) -> None:
    running = start()
    with running.line() as first:
        assert ask(first, b"a") == b"a"
        with running.line() as second:
            assert second.recv(100) == b""
        assert ask(first, b"b") == b"b"
    with running.line() as next_one:
        assert ask(next_one, b"c") == b"c"
    assert running.device.heard == b"abc"


def test_a_client_may_leave_and_the_next_come_in_one_instant(start: Start) -> None:
    running = start()
    for turn in range(30):
        with running.line() as line:
            assert ask(line, bytes([turn])) == bytes([turn])


def test_a_goodbye_behind_unread_bytes_is_heard_before_the_next_client_is_turned_away(start: Start) -> None:
    class Slow(EchoDevice):
        def receive(self, data: bytes, link_now_ms: int) -> None:
            super().receive(data, link_now_ms)
            busy.set()
            assert may_go_on.wait(20)

    busy, may_go_on = threading.Event(), threading.Event()
    running = start(Slow())
    with running.line() as first:
        first.sendall(b"one")
        assert busy.wait(20)
        first.sendall(b"two")
    with running.line() as second:
        may_go_on.set()
        second.sendall(b"three")
        assert second.recv(100) == b"three"
    assert running.device.heard == b"onetwothree"


def test_a_client_that_writes_a_lot_before_it_reads_loses_nothing(start: Start) -> None:
    running = start()
    sent = bytes(range(256)) * 4096
    with running.line() as line:
        writer = threading.Thread(target=lambda: line.sendall(sent))
        writer.start()
        received = bytearray()
        while len(received) < len(sent):
            received += line.recv(65536)
        writer.join(20)
    assert received == sent


def test_a_pty_survives_clients_that_come_and_go(start: Start) -> None:
    running = start(link=PtyLink())
    for turn in range(3):
        fd = os.open(running.link.url, os.O_RDWR | os.O_NOCTTY)
        os.write(fd, b"turn\n\x03\x11\x00\xff%d" % turn)  # raw: no echo, no newline translation, no signals
        assert os.read(fd, 100) == b"turn\n\x03\x11\x00\xff%d" % turn
        os.close(fd)


def test_the_symlink_leads_to_the_pty_and_goes_with_it(start: Start, tmp_path: Path) -> None:
    name = tmp_path / "pump"
    running = start(link=PtyLink(name))
    assert running.link.url == str(name)
    assert name.resolve().is_char_device()
    running.end()
    assert not name.is_symlink()


def test_a_name_that_leads_nowhere_is_taken_over_and_any_other_refused(start: Start, tmp_path: Path) -> None:
    stale, file, foreign = tmp_path / "stale", tmp_path / "file", tmp_path / "foreign"
    stale.symlink_to("/dev/pts/nobody")
    file.write_text("mine")
    foreign.symlink_to(file)
    assert start(link=PtyLink(stale)).link.url == str(stale)
    for name in (file, foreign):
        with pytest.raises(EndpointError, match="exists already"):
            run_alone(PtyLink(name))
    assert file.read_text() == "mine"
    assert foreign.is_symlink()


def test_a_link_that_was_given_to_another_pump_is_left_to_it(start: Start, tmp_path: Path) -> None:
    name = tmp_path / "pump"
    running = start(link=PtyLink(name))
    name.unlink()
    other = PtyLink(name)
    start(link=other)
    running.end()
    assert str(name.readlink()) == other.device_path


def test_a_taken_port_is_named(start: Start) -> None:
    running = start()
    with pytest.raises(EndpointError, match="cannot listen"):
        run_alone(TcpLink(running.link.url))


def test_the_announcement_names_everything(start: Start, tmp_path: Path) -> None:
    with StateFile(tmp_path / "pump.state") as file:
        running = start(state=file, speed="60")
        assert running.ready is not None
        told = json.loads(running.ready.as_json())
        assert told["link"].startswith("socket://127.0.0.1:")
        assert told["bench"].startswith("tcp://127.0.0.1:")
        assert told["speed"] == "60"
        assert told["state"] == str(tmp_path / "pump.state")
        running.end()


class CountingFile(StateFile):
    """Notes each save."""

    saves = 0

    def save(self, state: dict[str, object]) -> None:
        super().save(state)
        self.saves += 1


def test_the_file_follows_time_once_a_second_and_change_at_once(start: Start, tmp_path: Path) -> None:
    clock = Clock()
    with CountingFile(tmp_path / "pump.state") as file:
        running = start(state=file, speed="real", monotonic_ns=clock)
        assert file.saves == 1
        with running.bench() as bench:
            clock.ns += 999_000_000
            bench.call("time")
            bench.call("time")
            assert file.saves == 1
            clock.ns += 1_000_000
            bench.call("time")
            bench.call("time")
            assert file.saves == 2
            bench.call("pair", programmer="01" * 8, role="clinician", key="02" * 32)
            assert file.saves == 3
        running.end()
        assert file.saves == 4
        assert file.load()["uptime_ms"] == 1000


@pytest.mark.sr("SR-47")
def test_a_pump_whose_memory_cannot_be_kept_says_nothing_and_the_simulator_ends(start: Start, tmp_path: Path) -> None:
    class FullDisk(StateFile):
        def save(self, state: dict[str, object]) -> None:
            if state["heard"]:
                raise StateFileError(self.path, "no space left", "free some space")
            super().save(state)

    with FullDisk(tmp_path / "pump.state") as file:
        running = start(state=file)
        with running.line() as line:
            line.sendall(b"commit")
            assert line.recv(100) == b""
        running.thread.join(20)
        with pytest.raises(StateFileError, match="no space left"):
            running.end()


def test_a_link_whose_simulator_was_killed_is_taken_over_even_if_its_terminal_lives_again(tmp_path: Path) -> None:
    name = tmp_path / "pump"
    somebody = PtyLink()
    somebody.open()
    name.symlink_to(somebody.device_path)  # the killed one's terminal number, used again
    (tmp_path / ".pump.lock").touch()
    ours = PtyLink(name)
    ours.open()
    assert str(name.readlink()) == ours.device_path
    ours.close()
    assert list(tmp_path.iterdir()) == []
    name.symlink_to(somebody.device_path)  # without the lock file it is a link that somebody made
    with pytest.raises(EndpointError, match="exists already"):
        PtyLink(name).open()
    somebody.close()
