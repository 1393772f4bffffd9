"""A plan begins anew with each process: the same saved pump under the same plan does the same, and whoever starts it is told so."""

from __future__ import annotations

import pytest

from firmware_sim.device import SimulatedPump
from firmware_sim.faults import BEGINS_ANEW, Fired, parse_plan
from itbpump.cli.guard import Output
from itbpump.cli.simulation import _let_fail
from tests.unit.faults.patient import treated

ONCE = """schema = "itbpump.faults/1"
[[fault]]
id = "mechanical.kink"
when = { on = "pulse", every = 5 }
for = "10m"
percent = 50
count = 1
"""


def run(state: dict[str, object]) -> tuple[tuple[Fired, ...], SimulatedPump]:
    """What fires in half a day of one process."""
    pump = SimulatedPump.load(state)
    pump.plan_faults(parse_plan(ONCE))
    pump.advance(43_200_000)
    return pump.faults.fired, pump


def test_what_fired_in_one_process_fires_again_in_the_next_and_the_same_start_gives_the_same() -> None:
    saved = treated().pump.save()
    first, pump = run(saved)
    again, other = run(saved)
    assert len(first) == 1
    assert (first, pump.save()) == (again, other.save())
    pump.advance(43_200_000)
    assert pump.faults.fired == first, "count = 1 holds within a process"
    next_one, _ = run(pump.save())
    assert len(next_one) == 1
    assert next_one[0].at_ms > first[0].at_ms


@pytest.mark.parametrize("restored", [False, True])
@pytest.mark.parametrize("planned", [False, True])
def test_the_start_of_a_saved_pump_says_that_its_plan_begins_anew(
    capsys: pytest.CaptureFixture[str], restored: bool, planned: bool
) -> None:
    pump = treated().pump
    pump = SimulatedPump.load(pump.save()) if restored else pump
    assert pump.was_restored == restored
    _let_fail(Output(as_json=False), pump, parse_plan(ONCE) if planned else None)
    told = " ".join(capsys.readouterr().err.split())
    assert told == (BEGINS_ANEW if restored and planned else "")
