"""A whole pump that gives a therapy and fails as told; what is true of it whatever fails."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from firmware_sim.bench import BenchError
from firmware_sim.device import SimulatedPump
from firmware_sim.faults import Fault, FaultPlan, Row, parse_plan
from firmware_sim.firmware.alarm_table import row as alarm_row
from firmware_sim.plant.truth import Truth
from itbpump.wire.messages import GetLog, GetStatus, LogEntry, LogPage, Status
from tests.system.rig import DAY_MS, WHO, Rig, configuration

FLOW = 300_000


def treated(seed: int = 1) -> Rig:
    """A P-40 that gives 0.3 mL a day, a pulse in 144 s, and has been doing so for a day: both slots of its journal say so."""
    rig = Rig(seed)
    rig.configure(configuration(flow_nL_per_day=FLOW))
    rig.bolus(10, 600)
    rig.pump.advance(DAY_MS)
    return rig


def toml(table: Mapping[str, object]) -> str:
    """One planned fault as a plan file has it."""

    def value(one: object) -> str:
        match one:
            case bool():
                return str(one).lower()
            case str():
                return f'"{one}"'
            case dict():
                return "{ " + ", ".join(f"{key} = {value(item)}" for key, item in one.items()) + " }"
            case _:
                return str(one)

    return "[[fault]]\n" + "".join(f"{key} = {value(one)}\n" for key, one in table.items())


def plan_of(*rows: Row, **changes: object) -> FaultPlan:
    """The examples of these rows, with some values changed, as one plan."""
    head = 'schema = "itbpump.faults/1"\nseed = 7\n'
    return parse_plan(head + "".join(toml({"id": row.id, **row.example, **changes}) for row in rows))


def planned(row: Row) -> Fault:
    (fault,) = plan_of(row).faults
    return fault


def status(pump: SimulatedPump) -> Status | None:
    """What the pump tells; None if it does not answer."""
    try:
        reply = pump.order(GetStatus(), WHO)
    except BenchError:
        return None
    assert isinstance(reply, Status)
    return reply


def alarms(pump: SimulatedPump) -> set[str]:
    told = status(pump)
    return set() if told is None else {alarm_row(alarm.alarm).id for alarm in told.alarms}


def log(pump: SimulatedPump) -> list[LogEntry]:
    """All entries, oldest first."""
    entries: list[LogEntry] = []
    seq = 0
    while True:
        page = pump.order(GetLog(from_seq=seq, max_entries=25), WHO)
        assert isinstance(page, LogPage)
        if not page.entries:
            return entries
        entries += page.entries
        seq = page.entries[-1].seq + 1
        if seq >= page.next_seq:
            return entries


def check_volumes(truth: Truth) -> None:
    """To the nanolitre, and the drug to 1e-9 (SR-34, design 4)."""
    known = truth.ledger
    inside = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + known.aspirated_nL + known.lost_nL
    assert known.filled_nL + known.initial_path_nL == inside
    mass = truth.reservoir_fg / 1e6 + truth.path_mass_ng + truth.tip_mass_ng + (known.aspirated_fg + known.lost_fg) / 1e6
    assert known.filled_fg / 1e6 == pytest.approx(mass, rel=1e-9, abs=1e-5)
    assert truth.reservoir_nL >= 0
    assert truth.delivered_nL >= 0


__all__ = ["DAY_MS", "FLOW", "alarms", "check_volumes", "log", "plan_of", "planned", "status", "toml", "treated"]
