"""sim:// with the pump itself: what the address asks for is what is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from firmware_sim.device import SimulatedPump
from firmware_sim.state_file import StateFile
from itbpump.errors import PrescriptionError
from itbpump.transport import BadUrlError, SimulatorError, open_transport
from itbpump.transport.sim import SimTransport, configured_pump

DAY_MS = 86_400_000
EXAMPLES = Path(__file__).parents[3] / "examples"


def opened(url: str) -> tuple[SimTransport, SimulatedPump]:
    transport = open_transport(url)
    assert isinstance(transport, SimTransport)
    assert isinstance(transport.device, SimulatedPump)
    return transport, transport.device


@pytest.mark.sr("SR-22")
def test_a_fresh_pump_is_full_and_stands_still() -> None:
    transport, pump = opened("sim://P-40")
    transport.advance(10 * DAY_MS)
    truth = pump.bench("truth", {})
    assert (truth["reservoir_nL"], truth["commanded_pulses"], truth["uptime_ms"]) == (40_000_000, 0, 10 * DAY_MS)
    assert opened("sim://P-20?fill=17.5mL")[1].bench("truth", {})["reservoir_nL"] == 17_500_000


def test_a_seed_is_one_pump() -> None:
    first, again, other = (opened(f"sim://P-40?seed={seed}")[1] for seed in (1, 1, 2))
    assert first.save() == again.save()
    assert first.serial != other.serial


@pytest.mark.parametrize("query", ["sim://P-99", "sim://P-40?fill=41mL"])
def test_a_pump_that_cannot_be_made_is_named(query: str) -> None:
    with pytest.raises(SimulatorError, match="cannot be made"):
        open_transport(query)


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.toml")))
def test_a_prescription_gives_a_configured_running_pump(name: str) -> None:
    transport, pump = opened(f"sim://?rx={EXAMPLES / name}&seed=4")
    transport.advance(DAY_MS)
    delivered = pump.bench("truth", {})["delivered_nL"]
    assert isinstance(delivered, int)
    assert (delivered > 0) == (name != "stopped.toml")


def test_the_true_fill_may_differ_from_what_the_prescription_says() -> None:
    pump = configured_pump(EXAMPLES / "continuous.toml", fill_nL=12_000_000)
    assert pump.bench("truth", {})["reservoir_nL"] == 12_000_000


@pytest.mark.sr("SR-20")
def test_a_prescription_for_another_pump_or_none_at_all_is_refused(tmp_path: Path) -> None:
    profile = "P-20" if 'profile = "P-40"' in (EXAMPLES / "continuous.toml").read_text() else "P-40"
    with pytest.raises(BadUrlError, match=f"not {profile}"):
        open_transport(f"sim://{profile}?rx={EXAMPLES / 'continuous.toml'}")
    broken = tmp_path / "rx.toml"
    broken.write_text("schema = 1")
    with pytest.raises(PrescriptionError):
        open_transport(f"sim://?rx={broken}")


@pytest.mark.sr("SR-02")
def test_the_pumps_own_limits_hold_for_a_prescription_given_at_the_factory(tmp_path: Path) -> None:
    text = (EXAMPLES / "continuous.toml").read_text()
    path = tmp_path / "rx.toml"
    path.write_text(re.sub(r'"[0-9.]+ mcg/day"', '"90000 mcg/day"', text))
    with pytest.raises(SimulatorError, match="the pump refused"):
        configured_pump(path)


@pytest.mark.sr("SR-47")
def test_a_pump_goes_on_from_its_state_file_and_is_saved_once_for_each_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    saves: list[int] = []
    save = StateFile.save

    def counted(self: StateFile, state: dict[str, object]) -> None:
        saves.append(1)
        save(self, state)

    monkeypatch.setattr(StateFile, "save", counted)
    url = f"sim://?rx={EXAMPLES / 'continuous.toml'}&state={tmp_path / 'pump.state'}"
    transport, pump = opened(url)
    transport.advance(30 * DAY_MS)
    before = len(saves)
    for _ in range(20):
        transport.read(0)
    assert len(saves) == before
    truth = pump.bench("truth", {})
    transport.close()
    again, restored = opened(url)
    assert again.now_ms() == restored.uptime_ms == 30 * DAY_MS
    pulses, before_pulses = restored.bench("truth", {})["encoder_pulses"], truth["encoder_pulses"]
    assert pulses == before_pulses
    again.close()


def test_a_sound_file_that_holds_no_pump_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "pump.state"
    with StateFile(path) as file:
        file.save({"form": 99})
    content = path.read_bytes()
    with pytest.raises(SimulatorError, match="no pump can be started from it"):
        open_transport(f"sim://P-40?state={path}")
    assert path.read_bytes() == content
