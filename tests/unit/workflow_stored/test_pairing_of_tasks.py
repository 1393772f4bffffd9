"""Pairing for every face: by a key file, in process, and through the provisioning port of a pump served behind a real pty."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints import PtyLink, Ready, Server
from firmware_sim.state_file import StateFile
from itbpump.errors import InputError
from itbpump.hoststate import HostState
from itbpump.link.errors import KeyMismatch, LinkError
from itbpump.pump import connect
from itbpump.transport.demo_key import DEMO_KEY
from itbpump.transport.sim import SimTransport, configured_pump
from itbpump.wire.messages import Role
from itbpump.workflow.pairing import NoWayToPair, OtherRole, Pairing, PairingError, UnusablePairing, keeps_state, make_pairing, pair
from itbpump.workflow.provisioning import BadPortAddress, PortRefused, ProvisioningPort
from tests.unit.workflow_stored.conftest import EXAMPLES

KEY = bytes(range(32))
SERIAL = b"P4000001"


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sim://P-40?fill=38mL&seed=1&state={tmp_path / 'pump.state'}"


@pytest.fixture
def state() -> Iterator[HostState]:
    found = HostState.in_memory(lambda count: bytes(range(1, count + 1)))
    yield found
    found.close()


def provision(url: str, state: HostState, key: bytes, role: Role = Role.CLINICIAN) -> None:
    """Give the pump a key by another way."""
    transport = SimTransport.open(url)
    transport.device.provision(state.programmer_id, role, key)
    transport.close()


# ------------------------------------------------------------------------------------------------ in process, key file
@pytest.mark.sr("SR-63")
def test_a_pump_in_a_state_file_is_paired_by_itself_with_a_key_of_its_own(url: str) -> None:
    lines = pair(Pairing(url))
    assert lines[0].startswith("Paired with pump P4000001 as clinician (proved by a session).")
    assert lines[1].startswith("Its key is kept in ")
    kept = HostState.open()
    stored = kept.pairing(SERIAL)
    assert stored is not None
    assert stored.key != DEMO_KEY
    with connect(url, state=kept) as line:
        assert line.info.role is Role.CLINICIAN
    kept.close()


def test_the_key_comes_from_the_entropy_given(url: str, state: HostState) -> None:
    asked: list[int] = []

    def entropy(count: int) -> bytes:
        asked.append(count)
        return KEY

    made = make_pairing(Pairing(url, Role.OBSERVER), state, entropy=entropy)
    stored = state.pairing(SERIAL)
    assert stored is not None
    assert (asked, stored.key, made.role, made.proved) == ([32], KEY, Role.OBSERVER, True)


def test_a_key_from_a_file_raw_or_as_digits(url: str, state: HostState, tmp_path: Path) -> None:
    provision(url, state, KEY)
    (tmp_path / "raw.key").write_bytes(KEY)
    (tmp_path / "hex.key").write_text(f"{KEY.hex()}\n", "ascii")
    for name in ("raw.key", "hex.key"):
        assert make_pairing(Pairing(url, key_file=tmp_path / name), state).pump_id == SERIAL


@pytest.mark.sr("SR-62")
def test_a_wrong_key_is_not_kept(url: str, state: HostState, tmp_path: Path) -> None:
    provision(url, state, KEY)
    (tmp_path / "wrong.key").write_bytes(bytes(32))
    with pytest.raises(KeyMismatch):
        make_pairing(Pairing(url, key_file=tmp_path / "wrong.key"), state)
    assert state.pairing(SERIAL) is None


@pytest.mark.parametrize("content", [b"", b"short", b"zz" * 32, b"00" * 31, None])
def test_what_is_no_key_is_an_error_of_input(url: str, state: HostState, tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "bad.key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UnusablePairing, match=r"bad\.key") as caught:
        make_pairing(Pairing(url, key_file=path), state)
    assert isinstance(caught.value, InputError)


def test_one_role_for_a_pump_unless_it_is_replaced(url: str, state: HostState) -> None:
    make_pairing(Pairing(url), state)
    with pytest.raises(OtherRole, match="as clinician") as caught:
        make_pairing(Pairing(url, Role.OBSERVER), state)
    assert (caught.value.pump_id, caught.value.role) == (SERIAL, Role.CLINICIAN)
    assert "--" not in f"{caught.value}{caught.value.action}"
    stored = state.pairing(SERIAL)
    assert stored is not None
    assert stored.role == Role.CLINICIAN
    assert make_pairing(Pairing(url, Role.OBSERVER, replace=True), state).role is Role.OBSERVER


def test_an_emergency_pairing_is_kept_and_opens_no_session(url: str, state: HostState) -> None:
    made = make_pairing(Pairing(url, Role.EMERGENCY), state)
    assert not made.proved
    assert "not proved" in made.lines()[0]
    with pytest.raises(LinkError):  # far from the magnet
        connect(url, state=state)


@pytest.mark.parametrize("gone", ["sim://P-40?fill=38mL", "faulty:seed=1;sim://P-40?fill=38mL", "replay:x.jsonl"])
def test_a_pump_that_is_gone_at_the_end_is_not_paired(state: HostState, gone: str) -> None:
    assert not keeps_state(gone)
    with pytest.raises(UnusablePairing, match="gone when it is closed"):
        make_pairing(Pairing(gone), state)


def test_with_the_pump_not_in_hand(state: HostState) -> None:
    with pytest.raises(NoWayToPair, match="the pump in hand") as caught:
        make_pairing(Pairing("/dev/no-such-port"), state)
    assert state.programmer_id.hex() in caught.value.action
    assert isinstance(caught.value, InputError)


# ------------------------------------------------------------------------------------------------ through the port
@dataclass(frozen=True)
class Served:
    link: str
    bench: str


@contextmanager
def serving(folder: Path, seed: int) -> Iterator[Served]:
    """A pump behind a real serial device, its port on loopback; no process of its own, no file outside `folder`."""
    told: list[Ready] = []
    listening = threading.Event()

    def announce(ready: Ready) -> None:
        told.append(ready)
        listening.set()

    pump = configured_pump(EXAMPLES / "flex-weekday-weekend.toml", seed=seed)
    with StateFile(folder / f"served-{seed}.state") as file:
        server = Server(pump, PtyLink(), "127.0.0.1:0", "manual", file, announce)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        assert listening.wait(20)
        assert told[0].bench is not None
        try:
            yield Served(told[0].link, told[0].bench)
        finally:
            server.stop()
            thread.join(20)
        assert not thread.is_alive()
        assert SimulatedPump.load(file.load()).serial == pump.serial


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    with serving(tmp_path, seed=3) as found:
        yield found


@pytest.mark.sr("SR-62", "SR-63")
def test_a_new_key_goes_through_the_port_and_is_proved_on_the_line(served: Served, state: HostState) -> None:
    made = make_pairing(Pairing(served.link, bench=served.bench), state)
    assert made.proved
    with connect(served.link, state=state) as line:
        assert line.info.serial == made.name


def test_an_emergency_key_meets_the_pump_by_its_magnet(served: Served, state: HostState) -> None:
    made = make_pairing(Pairing(served.link, Role.EMERGENCY, bench=served.bench), state)
    assert not made.proved
    stored = state.pairing(made.pump_id)
    assert stored is not None
    assert stored.role == Role.EMERGENCY


def test_line_and_port_of_two_pumps(served: Served, state: HostState, tmp_path: Path) -> None:
    with serving(tmp_path, seed=4) as other, pytest.raises(PairingError, match="does not know this programmer"):
        make_pairing(Pairing(other.link, bench=served.bench), state)


def test_a_port_that_refuses_says_why(served: Served) -> None:
    with ProvisioningPort(served.bench) as port:
        with pytest.raises(PortRefused) as caught:
            port.call("pair", programmer="31", role="observer", key="32" * 32)
        assert caught.value.kind.startswith("bad-")
        port.call("pair", programmer="31" * 8, role="observer", key="32" * 32)  # and is of use afterwards
    port.close()


@pytest.mark.parametrize("address", ["", "unix:", "http://127.0.0.1:80", "127.0.0.1:99999", "host:port", "[::1]:x"])
def test_what_is_no_address(address: str) -> None:
    with pytest.raises(BadPortAddress) as caught:
        ProvisioningPort(address)
    assert caught.value.text == address


@pytest.mark.parametrize("address", ["127.0.0.1:1", "bench.sock", "./bench.sock", "unix:bench.sock", "~/bench.sock"])
def test_a_port_that_is_not_there(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    with pytest.raises(PortRefused, match="cannot reach") as caught:
        ProvisioningPort(address)
    assert caught.value.kind == "connection"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"", "has closed the connection"),
        (b"half", "has closed the connection"),
        (b"{no json\n", "not JSON"),
        (b"[1]\n", "no bench answer"),
        (b'{"ok": false, "error": 7}\n', "no bench answer"),
        (b'{"ok": "true"}\n', "no bench answer"),
        (json.dumps({"ok": False, "error": {"kind": "refused", "message": "no room for a key"}}).encode() + b"\n", "no room for a key"),
    ],
)
def test_what_is_no_port_is_noticed(tmp_path: Path, answer: bytes, words: str) -> None:
    path = tmp_path / "bench.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4_096)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with ProvisioningPort(str(path)) as port, pytest.raises(PortRefused, match=words):
            port.call("magnet", hold_ms="11s")
        thread.join(20)
