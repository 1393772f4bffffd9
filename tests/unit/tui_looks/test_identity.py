"""Whose pump this is, on every page: the id, or why none stands there; nothing is said of a record before it was looked into (SR-20)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from itbpump.tui.panels import identity_line
from itbpump.tui.snapshot import Snapshot
from itbpump.workflow.facts import with_prescription
from tests.unit.client.lines import flex
from tests.unit.tui_reader.watching import PATIENCE_S, Bench, is_read

PATIENT = "P-0042"


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reader.stop()


@pytest.mark.sr("SR-20")
def test_until_the_record_is_read_nothing_is_said_of_it(bench: Bench) -> None:
    bench.reader.start()
    bench.watch.until(is_read)
    bench.reader.submit(lambda pump: pump.program(flex(), basis=with_prescription({"patient": PATIENT}, flex()))).result(PATIENCE_S)
    bench.watch.until(lambda snapshot: snapshot.present is not None and snapshot.present.patient_id == PATIENT)
    said = []
    for snapshot in bench.watch.seen:
        words = identity_line(snapshot).split(" · ")[0]
        if snapshot.present is None:
            assert words == "patient: reading"
        else:
            assert words == snapshot.present.patient_id or (words == "patient not on record" and not snapshot.present.patient_id)
        said.append(words)
    assert list(dict.fromkeys(said)) == ["patient: reading", "patient not on record", PATIENT]


@pytest.mark.sr("SR-20")
def test_a_record_that_cannot_be_read_is_not_called_empty(bench: Bench) -> None:
    bench.turns()
    broken = replace(bench.watch.last, present=None, present_problem="the pump refused: busy")
    assert identity_line(broken).startswith("patient not known · ")
    assert identity_line(broken, PATIENT).startswith(f"{PATIENT} · "), "whom an order names"
    assert identity_line(Snapshot()) == "no pump read yet"
