"""The link group: each fault of the line, planned in a file and met by a real session; a bolus is given once or not at all (SR-41)."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.device import EndpointError
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.endpoints.wire import Wire
from firmware_sim.faults import FaultPlan, Row, catalogue, parse_plan
from itbpump.errors import ItbPumpError
from itbpump.link.errors import LinkError
from itbpump.outcome import Applied, NotApplied, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.transport.base import BadUrlError, PortUnpluggedError, SimulatorError
from itbpump.transport.sim import SimTransport
from itbpump.wire.frame import encode_frame
from itbpump.wire.line import Pacing
from tests.system.rig import WHO
from tests.unit.client.lines import EXAMPLES, Line, host, joined
from tests.unit.faults.patient import check_volumes, status, toml, treated

LINES = [row for row in catalogue().rows if row.by == "line"]
HEAD = 'schema = "itbpump.faults/1"\nseed = 5\n'
PULSES = 25
HOUR_MS = 3_600_000


def line_with(tmp_path: Path, text: str) -> Line:
    plan = tmp_path / "plan.toml"
    plan.write_text(HEAD + text, "utf-8")
    url = f"sim://P-40?seed=1&rx={EXAMPLES / 'flex-weekday-weekend.toml'}&faults={plan}"
    line = Line(url, SimTransport.open(url))
    line.device.provision(WHO.programmer_id, WHO.role, bytes(32))
    return line


def bolus(pump: Pump) -> Outcome | None:
    """Ordered once; what became of it, asked for until it is known or the cable is out."""
    try:
        outcome = pump.bolus(Mass.parse("25 mcg"), Duration.parse("10m"))
        for _ in range(5):
            if not isinstance(outcome, Unknown):
                break
            ((_, outcome),) = pump.reconcile()
    except (LinkError, PortUnpluggedError):
        return None
    return outcome


@pytest.mark.sr("SR-41", "SR-42", "SR-51")
@pytest.mark.parametrize("row", LINES, ids=lambda row: row.id)
def test_a_bolus_over_a_line_at_fault_is_given_once_or_not_at_all(row: Row, tmp_path: Path) -> None:
    line = line_with(tmp_path, toml({"id": row.id, **row.example}))
    state = host(line)
    with suppress(LinkError, PortUnpluggedError):  # a session before, for what comes out of it again
        joined(line, state, seed=2).close()
    pump = joined(line, state)
    outcome = bolus(pump)
    line.device.advance(HOUR_MS)
    told = status(line.device)
    assert told is not None
    match outcome:
        case Applied():
            assert told.bolus_counter == PULSES
        case NotApplied():
            assert told.bolus_counter == 0
        case _:
            assert told.bolus_counter in (0, PULSES)
            assert row.id in ("link.disconnect", "link.half-open", "link.silence")
    assert line.device.faults.fired
    line.device.faults.require_all_fired()
    check_volumes(line.device.truth)


def test_the_line_of_a_plan_is_as_slow_as_it_says(tmp_path: Path) -> None:
    def took(text: str) -> int:
        line = line_with(tmp_path, text)
        pump = joined(line, host(line))
        start_ms = line.now_ms()
        for _ in range(20):
            pump.status()
        return line.now_ms() - start_ms

    sound = took("[line]\nlatency_ms = 0\nbaud = 10000000\n")
    assert took("[line]\nlatency_ms = 50\n") >= sound + 20 * 2 * 50
    assert took("[line]\njitter_ms = 100\n") > sound + 200


def test_the_same_plan_gives_the_same_bytes(tmp_path: Path) -> None:
    def session() -> tuple[object, ...]:
        line = line_with(tmp_path, toml({"id": "link.drop", "when": {"on": "frame", "rate_ppm": 200_000}}))
        pump = joined(line, host(line))
        bolus(pump)
        return line.device.faults.fired, line.now_ms(), line.written, line.received, line.device.truth

    assert session() == session()


@pytest.mark.parametrize(
    ("text", "words"),
    [("[[fault]]\n", "no id"), (toml({"id": "link.drop", "when": {"on": "frame", "nth": -1}}), "numbered from 0")],
)
def test_a_plan_that_cannot_be_is_an_error_of_the_address(text: str, words: str, tmp_path: Path) -> None:
    with pytest.raises((BadUrlError, SimulatorError)) as caught:
        line_with(tmp_path, text)
    assert isinstance(caught.value, ItbPumpError)
    assert words in str(caught.value)


def test_a_sound_line_is_no_line_at_all() -> None:
    pump = SimulatedPump("P-40", seed=1)
    pump.plan_faults(FaultPlan())
    assert pump.faults.line is None
    assert Wire(pump).next_ms() is None
    pump.plan_faults(FaultPlan(pacing=Pacing()))
    assert pump.faults.line is not None


def test_both_ways_go_through_the_line() -> None:
    pump = treated().pump
    pump.plan_faults(parse_plan(HEAD + toml({"id": "link.drop", "when": {"on": "frame", "window": [0, 1]}, "way": "to-host"})))
    wire = Wire(pump, pump.faults.line)
    frame = encode_frame(b"hello")
    assert [wire.to_host(frame, now_ms) for now_ms in range(3)] == [b"", b"", frame]
    assert [(one.id, one.on) for one in pump.faults.fired] == [("link.drop", "frame 0 to-host"), ("link.drop", "frame 1 to-host")]


def test_the_address_names_its_parameter() -> None:
    assert SimUrl.parse("sim://P-40?faults=a.toml").faults == Path("a.toml")
    with pytest.raises(EndpointError, match="without a value"):
        SimUrl.parse("sim://P-40?faults=")
