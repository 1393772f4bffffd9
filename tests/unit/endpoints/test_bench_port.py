"""The bench beside the line: its commands, its clients, and what goes wrong with them."""

from __future__ import annotations

import json
import socket
import threading
from pathlib import Path

import pytest

from firmware_sim.bench import BenchError
from firmware_sim.bench_client import BenchClient
from firmware_sim.endpoints import EndpointError, TcpLink
from firmware_sim.endpoints.bench_port import MAX_CLIENTS
from firmware_sim.state_file import StateFile
from itbpump.wire.messages import Role
from tests.contract.echo import EchoDevice
from tests.contract.serving import Start, run_alone

DAY_MS = 86_400_000


def test_bench_commands_reach_the_device(start: Start) -> None:
    running = start()
    with running.bench() as bench:
        assert bench.call("truth") == {"command": "truth"}
        assert bench.call("refill", fill_nL="38 mL")["fill_nL"] == 38_000_000
        assert bench.call("patient-request") == {"accepted": True}
        bench.call("pair", programmer="01" * 8, role="emergency", key="02" * 32)
        assert bench.call("power", action="cut")["powered"] is False
        assert bench.call("patient-request") == {"accepted": False}
        assert bench.call("power", action="cycle")["powered"] is True
        assert bench.call("save") == {"saved": False}
        assert "advance" in bench.call("help")
        with pytest.raises(BenchError, match="cannot stick"):
            bench.call("stall", state="on")
    assert running.device.paired == [(b"\x01" * 8, Role.EMERGENCY, b"\x02" * 32)]


def test_a_malformed_line_is_answered_and_the_next_one_served(start: Start) -> None:
    running = start()
    with running.bench() as bench:
        bench._socket.sendall(b'advance\n\n{"command":"nope","id":9}\n')
        first, second = json.loads(bench._stream.readline()), json.loads(bench._stream.readline())
        assert (first["error"]["kind"], first["id"]) == ("bad-line", None)
        assert (second["error"]["kind"], second["id"]) == ("bad-command", 9)
        assert bench.call("time")["uptime_ms"] == 0


def test_a_line_without_end_is_refused_and_closed(start: Start) -> None:
    running = start()
    with running.bench() as bench:
        bench._socket.sendall(b"x" * 40_000)
        assert "longer than" in json.loads(bench._stream.readline())["error"]["message"]
        assert bench._stream.read() == b""
    with running.bench() as bench:
        bench.call("time")


def test_one_client_too_many_is_told_so(start: Start) -> None:
    running = start()
    clients = [running.bench() for _ in range(MAX_CLIENTS)]
    for client in clients:
        client.call("time")
    with running.bench() as extra, pytest.raises(BenchError) as caught:
        extra.call("time")
    assert caught.value.kind in ("busy", "connection")  # the hang-up may overtake the reason
    for client in clients:
        client.close()


def test_the_bench_on_a_unix_socket_is_the_owners_alone_and_is_removed(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "bench.sock"
    running = start(bench=str(path))
    with running.bench() as bench:
        assert bench.call("time")["uptime_ms"] == 0
    assert path.stat().st_mode & 0o777 == 0o600
    with pytest.raises(EndpointError, match="in use"):
        run_alone(TcpLink("127.0.0.1:0"), bench=str(path))
    running.end()
    assert not path.exists()


def test_a_dead_unix_socket_is_replaced(start: Start, tmp_path: Path) -> None:
    path = tmp_path / "bench.sock"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    with start(bench=f"unix:{path}").bench() as bench:
        assert "uptime_ms" in bench.call("time")


def test_quit_saves_and_ends(start: Start, tmp_path: Path) -> None:
    with StateFile(tmp_path / "pump.state") as file:
        running = start(state=file)
        with running.bench() as bench:
            bench.call("advance", for_="3d")
            bench.call("quit")
        running.thread.join(20)
        assert not running.thread.is_alive()
        assert file.load()["uptime_ms"] == 3 * DAY_MS


def test_a_bench_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchError, match="cannot reach") as caught:
        BenchClient("127.0.0.1:1")
    assert caught.value.kind == "connection"
    with pytest.raises(BenchError, match="no address"):
        BenchClient("nonsense")


def test_a_bench_that_goes_away_is_named(start: Start) -> None:
    running = start()
    with running.bench() as bench:
        bench.call("time")
        running.end()
        with pytest.raises(BenchError) as caught:
            bench.call("time")
    assert caught.value.kind == "connection"


def test_an_answer_that_is_too_long_is_an_error_and_the_next_one_comes(start: Start) -> None:
    class Talkative(EchoDevice):
        def bench(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
            return {"pulses": ["x" * 1000] * 5000} if command == "pulses" else {"value": b"no JSON"}

    running = start(Talkative())
    with running.bench() as bench:
        with pytest.raises(BenchError, match="ask for a shorter span"):
            bench.call("pulses", from_ms=0, to_ms="77d")
        with pytest.raises(BenchError, match="JSON"):
            bench.call("truth")
        assert bench.call("time")["uptime_ms"] == 0
        with pytest.raises(BenchError, match="longer than"):
            bench.call("speed", to="x" * 20_000)


def test_a_client_that_asks_much_before_it_listens_gets_every_answer(start: Start) -> None:
    running = start()
    asked = 3000
    with running.bench() as bench:
        lines = b"".join(b'{"command": "help", "id": %d}\n' % number for number in range(asked))
        writer = threading.Thread(target=lambda: bench._socket.sendall(lines))
        writer.start()
        ids = [json.loads(bench._stream.readline())["id"] for _ in range(asked)]
        writer.join(20)
    assert ids == list(range(asked))


def test_what_is_no_bench_is_noticed(start: Start) -> None:
    running = start()
    with BenchClient(running.link.url, answer_timeout_s=20) as client:
        with pytest.raises(BenchError, match="no bench answer"):
            client.call("time")
        running.device.say(b"garbage\n")
        with pytest.raises(BenchError, match="not JSON"):
            client.call("time")
