"""The pump itself behind the server: a whole session over a real serial device, and every bench command."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from firmware_sim.bench import COMMANDS, BenchError
from firmware_sim.bench_client import BenchClient
from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints import PtyLink, Ready, Server
from firmware_sim.state_file import StateFile
from itbpump.transport.sim import configured_pump

DAY_MS = 86_400_000
RX = Path(__file__).parents[3] / "examples" / "continuous.toml"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[SimulatedPump, BenchClient, Ready]]:
    pump = configured_pump(RX, seed=3)
    ready: list[Ready] = []
    listening = threading.Event()

    def announce(told: Ready) -> None:
        ready.append(told)
        listening.set()

    with StateFile(tmp_path / "pump.state") as file:
        server = Server(pump, PtyLink(), "127.0.0.1:0", "manual", file, announce)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert listening.wait(20)
        assert ready[0].bench is not None
        with BenchClient(ready[0].bench, answer_timeout_s=20) as bench:
            yield pump, bench, ready[0]
        server.stop()
        thread.join(20)
        assert not thread.is_alive()
        assert SimulatedPump.load(file.load()).uptime_ms == pump.uptime_ms


def test_every_bench_command_reaches_the_pump(served: tuple[SimulatedPump, BenchClient, Ready]) -> None:
    _, bench, _ = served
    calls: dict[str, dict[str, object]] = {
        "advance": {"for": "7d"},
        "advance-to-event": {},
        "truth": {},
        "pulses": {"from_ms": "6d", "to_ms": "7d"},
        "refill": {"aspirate_nL": "2 mL", "fill_nL": "1 mL"},
        "stall": {"state": "on"},
        "battery": {"permille": 500},
        "faults": {"inject": "mechanical.stall", "with": "for=1h"},
        "magnet": {"hold_ms": "10s"},
        "patient-request": {},
        "pair": {"programmer": "31" * 8, "role": "observer", "key": "32" * 32},
        "time": {},
        "speed": {"to": "manual"},
        "power": {"action": "cycle"},
        "save": {},
        "help": {},
        "quit": {},
    }
    assert set(calls) == set(COMMANDS)
    answers = {name: bench.call(name, **arguments) for name, arguments in calls.items()}
    assert answers["advance"]["uptime_ms"] == 7 * DAY_MS
    pulses = answers["pulses"]["pulses"]
    assert isinstance(pulses, list)
    assert len(pulses) > 10
    assert answers["refill"]["aspirated_nL"] == 2_000_000
    assert answers["battery"] == {"battery_permille": 500}
    assert answers["save"] == {"saved": True}


def test_a_pump_without_power_answers_on_the_bench_only(served: tuple[SimulatedPump, BenchClient, Ready]) -> None:
    pump, bench, _ = served
    bench.call("power", action="cut")
    for command in ({"command": "patient-request"}, {"command": "magnet", "hold_ms": 10_000}):
        with pytest.raises(BenchError, match="no power"):
            bench.call(**command)
    assert bench.call("advance", for_="1d")["uptime_ms"] == DAY_MS
    assert bench.call("truth")["commanded_pulses"] == 0
    assert bench.call("power", action="on")["powered"] is True
    assert pump.powered


def test_a_ninth_programmer_is_refused(served: tuple[SimulatedPump, BenchClient, Ready]) -> None:
    _, bench, _ = served
    for number in range(7):  # one is the factory's
        bench.call("pair", programmer=f"{number:016x}", role="clinician", key="32" * 32)
    with pytest.raises(BenchError, match="eight programmers"):
        bench.call("pair", programmer="ff" * 8, role="clinician", key="32" * 32)
