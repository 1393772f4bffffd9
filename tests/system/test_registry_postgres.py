"""The registry as a clinic uses it: a simulated pump's whole visit recorded, and workstations as processes of their own that write at once
and are killed while they write; on a file and on a real PostgreSQL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itbpump.forecast import forecast, last_fill
from itbpump.outcome import Applied
from itbpump.quantity import Volume
from itbpump.refill import Refill
from itbpump.registry.model import PumpRow
from itbpump.registry.store import Registry
from itbpump.safety import Severity, basis_of, decide, review_refill
from itbpump.therapy import dump_prescription
from itbpump.wording.pumpview import read_view
from itbpump.workflow.refills import refill_record
from tests.postgres import PostgresServer, postgres_server
from tests.system.visit import MONDAY, SCREENED, Visit

ROOT = Path(__file__).resolve().parents[2]
CONTINUOUS = {"mode": "continuous", "dose": "200 mcg/day"}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return str(tmp_path / "registry.db")
    running: PostgresServer = request.getfixturevalue("server")
    return running.database()


@pytest.fixture
def start() -> Iterator[Callable[[str, str, int], subprocess.Popen[str]]]:
    """Starts `WRITER`; whatever still runs at the end is ended."""
    begun: list[subprocess.Popen[str]] = []

    def run(address: str, serial: str, count: int) -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])}
        command = [sys.executable, "-c", WRITER, address, serial, str(count)]
        begun.append(subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return begun[-1]

    yield run
    for process in begun:
        if process.poll() is None:
            process.kill()
        process.communicate()


WRITER = """
import sys
from datetime import timedelta
from itbpump.registry.store import Registry
from tests.unit.registry.clinic import NOW, dates, info, view

address, serial, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
with Registry.open(address, wait_s=60) as registry:
    for number in range(count):
        registry.record_reading(view(NOW + timedelta(hours=number), info(serial)), dates=dates(), by=serial)
        print(number, flush=True)
"""


# ------------------------------------------------------------------------------------------------ a visit
@pytest.mark.sr("SR-36", "SR-38")
def test_a_visit_is_kept_with_command_therapy_refill_and_dates(address: str) -> None:
    visit = Visit()
    rx = visit.rx(CONTINUOUS, screening=SCREENED)
    with Registry.create(address, at=MONDAY) as registry:
        basis = {"patient": rx.patient.id, "prescription": dump_prescription(rx), "user": "N-17", "second": "N-2", "review": "ab" * 32}
        assert isinstance(visit.pump.program(rx, basis=basis), Applied)
        record(registry, visit, "program a therapy")
        first = only(registry)
        assert (first.patient_id, first.cycle, first.run_state) == (rx.patient.id, 1, "running")
        assert first.dates is not None
        assert first.dates.refill_by is not None
        assert first.mean_flow_nL_per_day == -(-200_000 * 1_000_000 // rx.drug.concentration.ng_per_mL)

        visit.wait(24 * 40)
        present = visit.pump.present()
        drawn = Volume.parse("20 mL")
        plan = Refill.plan(drawn, Volume.parse("38 mL"), present, visit.pump.profile, visit.pump.log())
        judged = review_refill(plan, present, visit.pump.profile)
        asked = {finding.rule: "monitored: weighed twice" for finding in judged.findings if finding.severity > Severity.INFO}
        decision = decide(judged, asked, "N-17", "N-2")
        kept = {**basis_of(judged, decision, "N-17", "N-2", rx.patient.id), "refill": refill_record(plan, present.host_now, {})}
        outcome, _ = visit.pump.refill(drawn, Volume.parse("38 mL"), present=present, basis=kept)
        assert isinstance(outcome, Applied)
        record(registry, visit, "refill")

        second = only(registry)
        history = registry.pump_history(second.serial)
        assert (second.cycle, len(history.readings), len(history.therapies), len(history.commands)) == (2, 2, 1, 2)
        refill = history.refills[-1]
        assert (refill.source, refill.aspirated_nL, refill.expected_nL) == ("command", drawn.nL, plan.expected_nL)
        assert refill.counted_nL == plan.counted_nL
        assert refill.suspicious == plan.discrepancy.suspicious
        assert bool(refill.decision) == refill.suspicious
        assert second.dates is not None
        assert second.dates.refill_by is not None
        assert first.dates.refill_by < second.dates.refill_by
        assert registry.verify() == ()


def record(registry: Registry, visit: Visit, because: str) -> None:
    """As a face does after each contact."""
    pump = visit.pump
    present, log = pump.present(), tuple(pump.log())
    fill = last_fill(log, present)
    dates = forecast(present, profile=pump.profile, filled=fill.volume if fill is not None else None)
    who = pump.session.link.programmer_id
    registry.record_reading(
        read_view(pump), present, log, dates, by="N-17", decisions_here=pump.decisions(), programmer_id=who, because=because
    )


def only(registry: Registry) -> PumpRow:
    (found,) = registry.watched()
    return found


# ------------------------------------------------------------------------------------------------ workstations
@pytest.mark.sr("SR-61")
def test_workstations_that_write_at_once_lose_nothing(address: str, start: Callable[[str, str, int], subprocess.Popen[str]]) -> None:
    Registry.create(address, at=MONDAY).close()
    running = [start(address, serial, 12) for serial in ("SIM-A", "SIM-B", "SIM-C")]
    for process in running:
        _, told = process.communicate(timeout=80)
        assert process.returncode == 0, told
    with Registry.open(address) as registry:
        assert [len(registry.pump_history(serial).readings) for serial in ("SIM-A", "SIM-B", "SIM-C")] == [12, 12, 12]
        assert registry.verify() == ()


@pytest.mark.sr("SR-61")
def test_a_workstation_killed_while_it_writes_leaves_whole_steps(
    address: str, start: Callable[[str, str, int], subprocess.Popen[str]]
) -> None:
    Registry.create(address, at=MONDAY).close()
    for kill_after in (1, 4):
        process = start(address, f"SIM-{kill_after}", 10_000)
        assert process.stdout is not None
        for _ in range(kill_after):
            assert process.stdout.readline()
        process.kill()
        process.communicate()
        with Registry.open(address, wait_s=20) as registry:
            history = registry.pump_history(f"SIM-{kill_after}")
            assert len(history.readings) >= kill_after, "what was told as recorded is there"
            assert len(history.dates) == len(history.readings), "a step is whole or not there"
            assert registry.verify() == ()
