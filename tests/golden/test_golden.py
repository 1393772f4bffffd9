"""Golden cases: each accident of the table is caught, with its figures; each ordinary row gets through.

Written from `domain.md`, not from the rules; the rows are in `accidents` and `ordinary`.
"""

from __future__ import annotations

import pytest

from itbpump.safety import Severity
from itbpump.wire.messages import CommandKind, GetStatus, RunState, Stage, Staged, Status, encode_configuration
from tests.golden.accidents import ACCIDENTS
from tests.golden.cases import Accident, Ordinary
from tests.golden.ordinary import ORDINARY
from tests.system.rig import DAY_MS, HOUR_MS, WHO, Rig, configuration


def name_of(row: Accident | Ordinary) -> str:
    return row.name


@pytest.mark.sr("SR-08", "SR-09", "SR-10", "SR-12", "SR-13", "SR-18", "SR-20", "SR-38")
@pytest.mark.parametrize("row", ACCIDENTS, ids=name_of)
def test_an_accident_is_caught_with_its_figures(row: Accident) -> None:
    judged = row.judge()
    caught = [finding for finding in judged.findings if finding.rule in row.rules]
    found = [(finding.rule, finding.severity.word) for finding in judged.findings]
    assert max((finding.severity for finding in caught), default=None) is not None, f"none of {set(row.rules)}; found: {found}"
    assert max(finding.severity for finding in caught) >= row.severity, f"{found}; expected {row.severity.word} of {set(row.rules)}"
    assert judged.severity >= row.severity
    said = "\n".join(finding.message for finding in caught)
    assert [figure for figure in row.figures if figure not in said] == [], said


@pytest.mark.parametrize("row", ORDINARY, ids=name_of)
def test_ordinary_work_is_not_stopped(row: Ordinary) -> None:
    judged = row.judge()
    in_the_way = [finding for finding in judged.findings if finding.severity is not Severity.INFO]
    assert [finding for finding in in_the_way if finding.rule not in row.soft or finding.severity is not Severity.SOFT] == []


def test_rows_are_named_once_and_each_names_its_source() -> None:
    names = [row.name for row in ACCIDENTS] + [row.name for row in ORDINARY]
    assert len(set(names)) == len(names)
    assert all(row.source and row.rules for row in ACCIDENTS)
    assert all(row.source for row in ORDINARY)


def status(rig: Rig) -> Status:
    reply = rig.pump.order(GetStatus(), WHO)
    assert isinstance(reply, Status)
    return reply


@pytest.mark.sr("SR-46", "SR-51")
def test_a_session_cut_short_leaves_no_pump_stopped() -> None:
    """HK MDD 2020 (domain 0.1): there the pump stood still from the first byte of an update until its last. Here it runs all the time."""
    rig = Rig()
    rig.configure(configuration())
    rig.pump.advance(DAY_MS)
    payload = encode_configuration(configuration(reservoir_set=False, reservoir_volume_nL=0, flow_nL_per_day=330_000))
    before = status(rig)
    for cut in (0, 10, len(payload) // 2, len(payload)):
        rig.cmd_id += 1
        if cut:
            reply = rig.pump.order(Stage(rig.cmd_id, CommandKind.CONFIGURE, before.revision, len(payload), 0, payload[:cut]), WHO)
            assert isinstance(reply, Staged)
            assert reply.complete is (cut == len(payload))
        rig.pump.firmware.session_closed(WHO.programmer_id, rig.pump.uptime_ms)
        given = status(rig).lifetime_pulses
        rig.pump.advance(HOUR_MS)
        after = status(rig)
        assert (after.run_state, after.revision, after.digest) == (RunState.RUNNING, before.revision, before.digest)
        assert after.lifetime_pulses - given in {25, 26}, "0.3 mL a day are 25 pulses of 0.5 microlitres an hour"
