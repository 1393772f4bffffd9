"""The transition tables are data: every row is reached by code, every action is carried out by it, and nothing else happens (SR-21)."""

from __future__ import annotations

from pathlib import Path

import pytest

from itbpump.link.machine import StateMachine
from itbpump.link.tables import MACHINES, Machine

SOURCES = Path(__file__).parents[3] / "src"
FIRED_IN = {
    "programmer_link": "itbpump/link/programmer.py",
    "pump_handshake": "itbpump/link/pump_handshake.py",
    "pump_session": "itbpump/link/pump_side.py",
    "transaction": "itbpump/link/transaction.py",
}
EVENTS = [(name, row.on) for name in FIRED_IN for row in MACHINES[name].transitions]


@pytest.mark.sr("SR-21")
@pytest.mark.parametrize("machine", MACHINES.values(), ids=list(MACHINES))
def test_every_state_is_reached_and_each_event_of_a_state_has_one_row(machine: Machine) -> None:
    pairs = [(row.source, row.on) for row in machine.transitions]
    assert len(pairs) == len(set(pairs))
    reached = {machine.initial}
    while new := {row.target for row in machine.transitions if row.source in reached} - reached:
        reached |= new
    assert reached == {row.source for row in machine.transitions} | {row.target for row in machine.transitions}


@pytest.mark.sr("SR-21")
@pytest.mark.parametrize(("name", "event"), sorted(set(EVENTS)))
def test_every_event_of_a_table_is_fired_by_the_code(name: str, event: str) -> None:
    source = (SOURCES / FIRED_IN[name]).read_text(encoding="utf-8")
    assert f'"{event}"' in source, f"no code fires {event} of {name}"


@pytest.mark.sr("SR-21")
def test_an_event_without_a_row_changes_nothing_and_is_counted() -> None:
    machine = StateMachine("transaction")
    assert machine.fire("applied") is None
    assert (machine.state, machine.ignored) == ("staging", 1)
    assert machine.fire("staged_all") == "ask_read_back"
    assert machine.state == "reading_back"
