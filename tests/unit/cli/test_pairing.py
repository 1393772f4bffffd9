"""`pair`: keys from files and state files, roles, and what is refused. Over a bench port: tests/e2e."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from itbpump.hoststate import HostState
from itbpump.transport.demo_key import DEMO_KEY
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import Role


def provision(url: str, home: Path, key: bytes, role: Role = Role.CLINICIAN) -> None:
    """Give the pump a key by another way than this program."""
    state = HostState.open(home / "state.db")
    transport = SimTransport.open(url)
    transport.device.provision(state.programmer_id, role, key)
    transport.close()
    state.close()


@pytest.mark.sr("SR-63")
def test_a_state_file_pump_is_paired_with_a_key_of_its_own(cli: Any, paired: str, tmp_path: Path) -> None:
    state = HostState.open(tmp_path / "home" / "state.db")
    stored = state.pairing(b"P4000001")
    state.close()
    assert stored is not None
    assert stored.key != DEMO_KEY
    assert cli("status", paired).code == 0


def test_a_key_from_a_file_raw_or_as_digits(cli: Any, url: str, tmp_path: Path) -> None:
    key = bytes(range(32))
    provision(url, tmp_path / "home", key)
    (tmp_path / "raw.key").write_bytes(key)
    (tmp_path / "hex.key").write_text(key.hex() + "\n")
    for name in ("raw.key", "hex.key"):
        told = cli("pair", url.replace("sim://", "sim://"), "--key-file", str(tmp_path / name), "--json")
        assert (told.code, told.data["pump"], told.data["proved"]) == (0, "P4000001", True)


def test_a_wrong_key_is_not_kept(cli: Any, url: str, tmp_path: Path) -> None:
    provision(url, tmp_path / "home", bytes(range(32)))
    (tmp_path / "wrong.key").write_bytes(bytes(32))
    told = cli("pair", url, "--key-file", str(tmp_path / "wrong.key"))
    assert told.code == 1
    assert "another key" in told.said
    assert cli("status", url).code == 1
    assert "no pairing stored" in cli("status", url).err


@pytest.mark.parametrize("content", [b"", b"short", b"zz" * 32, b"00" * 31])
def test_unreadable_key_files(cli: Any, url: str, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.key").write_bytes(content)
    assert cli("pair", url, "--key-file", str(tmp_path / "bad.key")).code == 2
    assert cli("pair", url, "--key-file", str(tmp_path / "absent.key")).code == 2


@pytest.mark.sr("SR-62")
def test_an_observer_may_read_but_not_dose(cli: Any, url: str, flex: str) -> None:
    assert cli("pair", url, "--role", "observer").code == 0
    assert cli("status", url, "--json").data["link"]["role"] == "observer"
    told = cli("program", flex, "--pump", url, "--yes")
    assert told.code == 1
    assert "clinician" in told.said


def test_one_pairing_for_a_pump(cli: Any, paired: str) -> None:
    told = cli("pair", paired, "--role", "observer")
    assert told.code == 1
    assert "as clinician" in told.said
    assert cli("pair", paired, "--role", "observer", "--replace").code == 0
    assert cli("pair", paired, "--role", "observer").code == 0


def test_what_cannot_be_paired(cli: Any, url: str) -> None:
    assert cli("pair", url, "--role", "patient").code == 2
    assert cli("pair", "sim://P-40?fill=38mL").code == 2
    told = cli("pair", "/dev/no-such-port")
    assert told.code == 2
    assert "--bench" in told.said
