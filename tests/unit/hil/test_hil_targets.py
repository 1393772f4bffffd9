"""Rigs: what a file and an address say, and that a typo is never passed over."""

from __future__ import annotations

from pathlib import Path

import pytest

from itbpump.hil.errors import TargetsError
from itbpump.hil.model import Capability
from itbpump.hil.targets import MEMORY, load_targets, target_named

ROOT = Path(__file__).parents[3]
HEAD = 'schema = "itbpump.targets/1"\n'
DEVICE = '[rigs.a]\nkind = "device"\naddress = "/dev/x"\n'


def _load(tmp_path: Path, text: str) -> None:
    file = tmp_path / "targets.toml"
    file.write_text(HEAD + text, encoding="utf-8")
    load_targets(file)


@pytest.mark.parametrize("file", ["hil/targets.toml", "examples/hil/targets.toml"])
def test_files_of_the_project_are_read(file: str) -> None:
    rigs = load_targets(ROOT / file)
    assert rigs["memory"].kind == "memory"
    for rig in rigs.values():
        assert rig.simulated is (Capability.REAL_HARDWARE not in rig.capabilities)
        assert rig.name in {"memory", "simulator"} or rig.about


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('[rigs.a]\nkind = "memory"\npmup = "sim://P-40"', "did you mean pump?"),
        ('[rigs.a]\nkind = "memroy"', "memory, process, device"),
        ('[rigs.a]\npump = "sim://P-40"', "memory, process, device"),
        ('[rig.a]\nkind = "memory"', "did you mean rigs?"),
        ('[rigs.a]\nkind = "memory"\nlink = "pty"', "'link' is nothing that is read here"),
        ('[rigs.a]\nkind = "memory"\npump = "/dev/ttyUSB0"', "no simulated pump"),
        ('[rigs.a]\nkind = "memory"\npump = "sim://P-40?state=x.json"', "leave `state` out"),
        ('[rigs.a]\nkind = "process"\nlink = "usb"', "pty, tcp"),
        ('[rigs.a]\nkind = "process"\nlink = "pty"\nspeed = "fast"', "no speed"),
        ('[rigs.a]\nkind = "process"\nlink = "pty"\npump = "sim://P-40?speed=60"', "key of its own"),
        ('[rigs.a]\nkind = "process"\nlink = "pty"\nspeed = "60"\ncapabilities = ["virtual-time"]', "cannot have virtual-time"),
        ('[rigs.a]\nkind = "memory"\ncapabilities = ["virtual-tim"]', "did you mean virtual-time?"),
        ('[rigs.a]\nkind = "memory"\ncapabilities = "virtual-time"', "are a list"),
        ('[rigs.A_]\nkind = "memory"', "small letters"),
        ('[rigs.a]\nkind = "device"', "address is missing"),
        (DEVICE + 'capabilities = ["power-control"]', "cannot have power-control"),
        (DEVICE + 'fill = "38"', "amounts are text with their unit"),
        (DEVICE + 'adapter = "acme"', "names no class"),
        (DEVICE + 'speed = "real"', "is for a pump with a bench"),
        (DEVICE + 'bench = "127.0.0.1:1"', "serial is missing"),
        (DEVICE + 'bench = "127.0.0.1:1"\nserial = "P4"', "no serial"),
        (DEVICE + 'bench = "127.0.0.1:1"\nserial = "P4000001"\nspeed = "1000001"', "no speed"),
        (DEVICE + '[rigs.a.power]\ndriver = "uhubct"', "command, uhubctl"),
        (DEVICE + '[rigs.a.power]\ndriver = "uhubctl"\nloctaion = "1-1"', "did you mean location?"),
        (DEVICE + '[rigs.a.balance]\nsourec = "x"', "did you mean source?"),
        (DEVICE + "power = 3", "power is no table"),
    ],
)
def test_typo_is_refused_with_what_was_meant(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(TargetsError) as caught:
        _load(tmp_path, text)
    assert told in str(caught.value)
    assert "targets.toml" in str(caught.value)


def test_file_that_is_none_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "targets.toml"
    for content in (b"rigs = {}\n", b"schema =\n", b"\xff", b'schema = "itbpump.targets/2"\n'):
        file.write_bytes(content)
        with pytest.raises(TargetsError):
            load_targets(file)
    with pytest.raises(TargetsError, match="cannot be read"):
        load_targets(tmp_path / "absent.toml")


def test_device_has_what_its_tables_give(tmp_path: Path) -> None:
    power = '[rigs.a.power]\ndriver = "uhubctl"\nlocation = "1-1"\nport = 2\n'
    balance = '[rigs.a.balance]\nsource = "/dev/y"\ndensity_g_per_mL = "1"\n'
    file = tmp_path / "targets.toml"
    file.write_text(HEAD + DEVICE + power + balance, encoding="utf-8")
    wanted = {Capability.LINK_FAULTS, Capability.REAL_HARDWARE, Capability.POWER_CONTROL, Capability.PLANT_TRUTH}
    assert load_targets(file)["a"].capabilities == wanted
    file.write_text(HEAD + DEVICE + 'capabilities = ["link-faults"]\n' + power, encoding="utf-8")
    # What a pump is made of cannot be left out: a test that wears hardware out must not run there by an oversight.
    assert load_targets(file)["a"].capabilities == {Capability.LINK_FAULTS, Capability.REAL_HARDWARE}


@pytest.mark.parametrize(
    ("asked", "kind", "address", "faults", "virtual"),
    [
        ("sim://V-20?fill=18mL&seed=3&firmware=over-delivers", "memory", "sim://V-20?fill=18mL&seed=3&firmware=over-delivers", "", True),
        ("sim://P-40?speed=600", "memory", "sim://P-40?speed=600", "", False),
        ("faulty:drop=10%,seed=7;sim://P-40", "memory", "sim://P-40", "drop=10%,seed=7", True),
        ("/dev/ttyUSB0", "device", "/dev/ttyUSB0", "", False),
        ("COM3", "device", "COM3", "", False),
        ("faulty:drop=10%;socket://127.0.0.1:4000", "device", "socket://127.0.0.1:4000", "drop=10%", False),
    ],
)
def test_address_describes_a_rig(asked: str, kind: str, address: str, faults: str, virtual: bool) -> None:
    target = target_named(asked, {"memory": MEMORY}, "targets.toml")
    assert (target.name, target.kind, target.address, target.faults) == (asked, kind, address, faults)
    assert (Capability.VIRTUAL_TIME in target.capabilities) is virtual
    assert target.described.endswith(address)


@pytest.mark.parametrize(
    "asked", ["memroy", "pty", "", "replay:x.pcapng", "faulty:drop=10%", "faulty:a;faulty:b;sim://P-40", "sim://P-40?state=x"]
)
def test_what_is_neither_rig_nor_address_is_refused(asked: str) -> None:
    with pytest.raises(TargetsError):
        target_named(asked, {"memory": MEMORY}, "targets.toml")


def test_name_that_is_nearly_one_is_told() -> None:
    with pytest.raises(TargetsError, match="did you mean memory"):
        target_named("memroy", {"memory": MEMORY}, "targets.toml")
