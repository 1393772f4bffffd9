"""Rigs with a line: a pump in a process of its own, and the same taken for hardware: key file, power by a program, a balance's file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from itbpump.hil.benches import PortBench
from itbpump.hil.errors import BenchRefused, MissingCapability, RigError, TargetsError
from itbpump.hil.model import Capability
from itbpump.hil.processes import RackProcess, Served
from itbpump.hil.programmer import hardware_programmer
from itbpump.hil.recording import Journal
from itbpump.hil.rig import MemoryRig, open_rig
from itbpump.hil.station import Station
from itbpump.hil.targets import MEMORY, Target, load_targets
from itbpump.transport.base import PortClosedError
from itbpump.wire.messages import RunState

PROGRAMMER, KEY = "48494c2d54455354", "07" * 32
SWITCH = "import sys; from firmware_sim.bench_client import BenchClient; BenchClient(sys.argv[1]).call('power', action=sys.argv[2])"


@pytest.fixture(scope="module")
def rack() -> Iterator[RackProcess]:
    process = RackProcess("bench")
    yield process
    process.close()


@pytest.fixture
def served(rack: RackProcess) -> Served:
    return rack.serve("sim://P-40?fill=38mL", "tcp", "manual")


@pytest.fixture
def key_file(tmp_path: Path, served: Served) -> Path:
    file = tmp_path / "key.toml"
    file.write_text(
        f'schema = "itbpump.hil-key/1"\nprogrammer = "{PROGRAMMER}"\npump = "{served.serial}"\nkey = "{KEY}"\n', encoding="utf-8"
    )
    file.chmod(0o600)
    return file


# ----------------------------------------------------------------------------------------------------------- in this process
def test_line_of_a_pump_in_this_process_goes_to_the_newest_user() -> None:
    rig = MemoryRig(MEMORY)
    first = rig.open_line()
    second = rig.open_line()
    with pytest.raises(PortClosedError):
        first.read(0)
    assert second.read(0) == b""
    rig.fresh()
    with pytest.raises(PortClosedError):
        second.write(b"x")
    rig.close()


def test_pump_that_the_simulator_refuses_is_an_error_of_the_rig() -> None:
    with pytest.raises(RigError, match="rig x"):
        MemoryRig(replace(MEMORY, name="x", address="sim://P-41"))


# ------------------------------------------------------------------------------------------------------ in one of its own
def test_rack_refuses_what_cannot_be_and_serves_on(rack: RackProcess) -> None:
    with pytest.raises(RigError, match=r"sim://P-41"):
        rack.serve("sim://P-41", "pty", "manual")
    first = rack.serve("sim://P-40?fill=38mL&seed=3", "tcp", "manual")
    second = rack.serve("sim://P-40?fill=38mL&seed=4", "tcp", "manual")
    assert (first.serial, second.serial) == ("P4000003", "P4000004")
    with pytest.raises(RigError, match="bench is gone"):
        PortBench("x", first.bench).call("time")
    bench = PortBench("x", second.bench)
    assert bench.call("time")["speed"] == "manual"
    with pytest.raises(BenchRefused) as refused:
        bench.call("advance", for_="yesterday")
    assert refused.value.kind == "bad-argument"
    bench.close()


def test_process_that_died_is_told() -> None:
    process = RackProcess("x")
    process._process.kill()
    process._process.wait()
    with pytest.raises(RigError, match="has ended"):
        process.serve("sim://P-40", "pty", "manual")
    process.close()


def test_simulator_of_somebody_else_is_a_rig_too(served: Served) -> None:
    wanted = frozenset(Capability) - {Capability.REAL_HARDWARE}
    target = Target("theirs", "device", served.link, wanted, speed="manual", bench=served.bench, serial=served.serial)
    station = Station(target)
    try:
        station.begin(Journal(seed=1), "session")
        station.pump.to("infusing")
        station.clock.advance("1h")
        assert len(station.plant.pulses(0, station.clock.uptime_ms())) > 5
        station.begin(Journal(seed=2), None)
        assert station.pump.status().resets == 1, "no fresh pump: the supply is cycled"
    finally:
        station.close()
    with pytest.raises(RigError, match='write speed = "manual"'):
        open_rig(replace(target, speed="real"))


# ---------------------------------------------------------------------------------------------------------- as if of metal
def test_hardware_is_met_with_a_key_switched_by_a_program_and_weighed(tmp_path: Path, served: Served, key_file: Path) -> None:
    bench = PortBench("x", served.bench)
    bench.call("pair", programmer=PROGRAMMER, role="clinician", key=KEY)
    balance = tmp_path / "balance.csv"
    balance.write_text("0,100\n", encoding="utf-8")
    words = [f'"{word}"' for word in (sys.executable, "-c", SWITCH, served.bench)]
    (tmp_path / "targets.toml").write_text(
        'schema = "itbpump.targets/1"\n'
        f'[rigs.metal]\nkind = "device"\naddress = "{served.link}"\nfill = "38 mL"\n'
        f'[rigs.metal.power]\ndriver = "command"\ncut = [{", ".join(words)}, "cut"]\non = [{", ".join(words)}, "on"]\nsettle_s = 3\n'
        f'[rigs.metal.balance]\nsource = "file:{balance}"\ndensity_g_per_mL = "1"\n',
        encoding="utf-8",
    )
    now_s = [0.0]

    def sleep(seconds: float) -> None:
        """The bench moves the pump of this test as its clock would move itself."""
        now_s[0] += seconds
        bench.call("advance", for_=round(seconds * 1_000))

    station = Station(load_targets(tmp_path / "targets.toml")["metal"], key_file, sleep=sleep, monotonic_s=lambda: now_s[0])
    try:
        journal = Journal(seed=1, read_frames=True)
        station.begin(journal, None)
        assert now_s == [3.0], "the pump was given its time to start"
        station.pump.to("infusing")
        assert station.plant.delivered_nL() == 0
        before_ms = station.clock.uptime_ms()
        station.clock.advance("25s")
        assert station.clock.uptime_ms() - before_ms == 25_000
        with balance.open("a", encoding="utf-8") as out:
            out.write("60000,100.0125\n")
        assert station.plant.delivered_nL() == 12_500
        with pytest.raises(MissingCapability, match="plant-pulses"):
            station.plant.pulses(0, 1)
        with pytest.raises(MissingCapability, match="bench-hands"):
            station.pump.by("other").status()
        station.pump.to("off")
        station.clock.advance("30s")  # nobody can be asked: the wall's clock counts
        station.pump.to("infusing")
        assert station.pump.status().run_state is RunState.RUNNING
        with station.link_faults("to-pump.drop=#1"):
            assert station.pump.status().resets == 2
        station.finish()
        journal.settle()
        assert any(frame.what.startswith("GetStatus") for frame in journal.frames), "frames are read with the key of the file"
        assert journal.pump_log
    finally:
        station.close()
        bench.close()


def test_key_file_that_others_may_read_or_that_is_none_is_refused(key_file: Path) -> None:
    programmer = hardware_programmer(key_file)
    assert programmer.state.programmer_id.hex() == PROGRAMMER
    programmer.close()
    key_file.chmod(0o644)
    with pytest.raises(TargetsError, match="chmod 600"):
        hardware_programmer(key_file)
    key_file.chmod(0o600)
    for found, instead in (("hil-key/1", "hil-key/2"), (KEY, KEY[2:]), (PROGRAMMER, "xyz"), ("schema", "[")):
        whole = key_file.read_text(encoding="utf-8")
        key_file.write_text(whole.replace(found, instead), encoding="utf-8")
        with pytest.raises(TargetsError) as caught:
            hardware_programmer(key_file)
        assert KEY[2:] not in str(caught.value), "no key is told"
        key_file.write_text(whole, encoding="utf-8")
    with pytest.raises(TargetsError, match="cannot be read"):
        hardware_programmer(key_file.with_name("absent"))
