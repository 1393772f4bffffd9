"""sim:// in process: labelled, on the simulated clock, and its failures are transport errors."""

from __future__ import annotations

from pathlib import Path

import pytest

import itbpump.transport.sim as module
from firmware_sim.endpoints.clock import Speed
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.endpoints.opening import open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFileError
from itbpump.transport import BadUrlError, SimulatorError, open_transport
from itbpump.transport.sim import SimTransport
from tests.contract.echo import EchoDevice, load_echo


@pytest.fixture(autouse=True)
def _echo_for_a_pump(monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(url: SimUrl, default_speed: Speed, make: object) -> InProcessLine:
        return open_line(url, default_speed=default_speed, make=lambda asked: EchoDevice(heard=asked.profile.encode()), load=load_echo)

    monkeypatch.setattr(module, "open_line", opened)


def test_it_says_that_it_is_simulated_and_gives_its_pump() -> None:
    transport = open_transport("sim://P-20?fill=18mL&seed=3")
    assert isinstance(transport, SimTransport)
    assert transport.simulated
    assert isinstance(transport.device, EchoDevice)
    assert transport.device.heard == b"P-20"
    transport.close()


def test_time_is_manual_unless_the_address_says_otherwise() -> None:
    transport = SimTransport.open("sim://P-40")
    assert transport.read(3_600_000) == b""
    transport.advance(400_000)
    assert transport.now_ms() == transport.device.uptime_ms == 4_000_000
    transport.device.advance(1000)
    assert (transport.now_ms(), transport.device.uptime_ms) == (4_000_000, 4_001_000)


def test_a_wrong_address_is_named_and_explained() -> None:
    with pytest.raises(BadUrlError, match="unknown parameter 'fil'") as caught:
        open_transport("sim://P-40?fil=38mL")
    assert "fill" in caught.value.action


def test_trouble_with_the_state_file_is_a_transport_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "pump.state"
    url = f"sim://P-40?state={path}"
    transport = SimTransport.open(url)
    with pytest.raises(SimulatorError, match="another simulator") as caught:
        SimTransport.open(url)
    assert isinstance(caught.value.__cause__, StateFileError)

    def full(*_: object) -> None:
        raise StateFileError(path, "no space left", "free some space")

    monkeypatch.setattr("firmware_sim.state_file.StateFile.save", full, raising=True)
    with pytest.raises(SimulatorError, match="free some space"):
        transport.write(b"x")
    with pytest.raises(SimulatorError, match="no space left"):
        transport.close()
