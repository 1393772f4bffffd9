"""After an MRI: what two interrogations, the hash, the log and the clock show, on pumps that came through and on those that did not."""

from __future__ import annotations

from random import Random

import pytest

from itbpump.pump import connect
from itbpump.workflow.checklists import after_mri
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import FieldError
from itbpump.workflow.mri import AfterMriWalk, known_digest
from itbpump.workflow.waiting import early_lines, is_over, wait_text
from tests.unit.client.lines import Line, host, joined
from tests.unit.workflow_tasks.pumps import HOUR_MS, STATES, Bed, applied, example, fresh, running

MINUTE_MS = 60_000


class Walked:
    """A checklist opened on a pump; its points are taken by their id."""

    def __init__(self, bed: Bed) -> None:
        self.bed = bed
        self.facts: Facts = bed.facts()
        self.steps = {step.id: step for step in AfterMriWalk().steps(self.facts)}

    def read(self, name: str) -> tuple[str, ...]:
        read = self.steps[name].read
        assert read is not None
        return read(self.bed.pump, self.facts)


def bad(lines: tuple[str, ...]) -> list[str]:
    return [line for line in lines if line.startswith("ATTENTION")]


def through_the_scanner(bed: Bed, hours: int) -> None:
    """The rotor stands in the field for so long."""
    bed.device.bench("stall", {"state": "on"})
    bed.advance(hours * HOUR_MS)
    bed.device.bench("stall", {"state": "off"})


@pytest.mark.parametrize("state", list(STATES))
def test_every_reading_is_total_and_each_line_carries_its_word(state: str) -> None:
    walk = Walked(STATES[state]())
    before = walk.bed.pump.status().log_next_seq
    for step in walk.steps.values():
        assert step.text
        assert step.help
        for line in step.read(walk.bed.pump, walk.facts) if step.read is not None else ():
            assert line.startswith(("PASS: ", "ATTENTION: ")), line
    assert walk.bed.pump.status().log_next_seq == before


def test_a_pump_that_came_through_passes() -> None:
    bed = running()
    applied(bed.pump.set_clock(int(bed.pump.host_now().timestamp())))
    walk = Walked(bed)
    assert bad(walk.read("first")) == []
    bed.advance(21 * MINUTE_MS)
    assert bad(walk.read("second")) == []
    assert bad(walk.read("log")) == []


@pytest.mark.sr("SR-30")
def test_a_rotor_that_still_stands_is_found_at_both_interrogations() -> None:
    bed = running()
    bed.device.bench("stall", {"state": "on"})
    bed.advance(HOUR_MS)
    walk = Walked(bed)
    assert any("critical alarm" in line for line in bad(walk.read("first")))
    bed.advance(30 * MINUTE_MS)
    assert any("critical alarm" in line for line in bad(walk.read("second")))
    assert len(bad(walk.read("log"))) >= 2  # the stall, and its alarm


@pytest.mark.sr("SR-30", "SR-61")
def test_a_recovery_that_is_logged_between_the_two_is_told_at_the_second() -> None:
    bed = running()
    bed.device.bench("stall", {"state": "on"})
    bed.advance(HOUR_MS)
    walk = Walked(bed)
    walk.read("first")
    bed.device.bench("stall", {"state": "off"})
    bed.advance(HOUR_MS)
    told = bad(walk.read("second"))
    assert any("logged since the first" in line for line in told)
    assert not any("critical alarm" in line for line in told)


def test_the_second_is_too_soon_before_its_time_and_nothing_without_a_first() -> None:
    bed = running()
    walk = Walked(bed)
    assert len(walk.read("second")) == len(bad(walk.read("second"))) == 1
    walk.read("first")
    bed.advance(after_mri().wait_ms - 2 * MINUTE_MS)
    assert any("wait" in line for line in bad(walk.read("second")))
    bed.advance(2 * MINUTE_MS)
    assert not any("wait" in line for line in bad(walk.read("second")))


def test_readings_of_one_walk_are_not_those_of_another() -> None:
    bed = running()
    Walked(bed).read("first")
    assert "no first interrogation" in Walked(bed).read("second")[0]


@pytest.mark.sr("SR-47")
def test_the_configuration_is_compared_with_what_was_programmed_from_here() -> None:
    bed = running()
    assert "not checked here" in bad(Walked(bed).read("configuration"))[0]
    rx = example("flex-weekday-weekend")
    rx = rx.model_copy(update={"pump": rx.pump.model_copy(update={"as_of": bed.pump.host_now()})})
    applied(bed.pump.program(rx))
    walk = Walked(bed)
    assert known_digest(bed.pump.decisions()) == bed.pump.status().digest.hex()
    assert bad(walk.read("configuration")) == []
    monday = bed.pump.present()
    applied(bed.pump.rebase_clock(0, monday))
    assert bad(walk.read("configuration")) == ["ATTENTION: it has changed since this checklist was opened"]


def test_a_configuration_of_somebody_else_is_told() -> None:
    line = Line()
    ours, theirs = host(line, 1), host(line, 2)
    rx = example("flex-weekday-weekend")
    pump = joined(line, ours)
    applied(pump.program(rx))
    pump.close()
    other = joined(line, theirs, seed=2)
    applied(other.program(rx.model_copy(update={"pump": rx.pump.model_copy(update={"low_reservoir_alarm": rx.pump.reservoir_volume})})))
    other.close()
    again = connect(line.url, state=ours, transport=line, entropy=Random(3).randbytes)
    told = Walked(Bed(again, rx)).read("configuration")
    assert "is not that of the last one programmed from here" in bad(told)[0]


def test_a_stopped_pump_is_told_unless_it_was_meant() -> None:
    assert any("restore the therapy" in line for line in bad(Walked(STATES["stopped"]()).read("first")))
    assert not any("restore" in line for line in Walked(STATES["stopped by prescription"]()).read("first"))
    assert any("no therapy in the pump" in line for line in bad(Walked(fresh()).read("first")))


def test_only_a_valve_pump_is_asked_for_its_valves() -> None:
    ids = {profile: [step.id for step in AfterMriWalk().steps(fresh(profile, "18mL").facts())] for profile in ("P-20", "V-20")}
    assert "valves" not in ids["P-20"]
    assert "valves" in ids["V-20"]


@pytest.mark.sr("SR-53")
def test_a_clock_that_is_off_is_told() -> None:
    bed = running(days=0)
    walk = Walked(bed)
    assert any("label is not set" in line for line in bad(walk.read("clock")))
    now = int(bed.pump.host_now().timestamp())
    for apart, fine in ((0, True), (59, True), (90, False), (-3_600, False)):
        applied(bed.pump.set_clock(now + apart))
        labels = [line for line in walk.read("clock") if "label" in line]
        assert labels[0].startswith("PASS" if fine else "ATTENTION"), (apart, labels)


def test_pulses_that_were_due_and_did_not_come_are_missed() -> None:
    """By the counter: 200 mcg per day at 1,000 mcg per mL are 400 pulses a day, so 16 in an hour."""
    bed = running("continuous")
    walk = Walked(bed)
    walk.read("first")
    bed.advance(HOUR_MS)
    assert any(line.startswith(("PASS: 16 pulses", "PASS: 17 pulses")) for line in walk.read("second"))
    again = Walked(bed)
    again.read("first")
    applied(bed.pump.stop())
    bed.advance(HOUR_MS)
    assert any("about 16 were due: the pump does not deliver" in line for line in bad(again.read("second")))
    stopped = Walked(bed)
    stopped.read("first")
    bed.advance(HOUR_MS)
    assert any("none was due" in line for line in stopped.read("second"))


@pytest.mark.sr("SR-03")
def test_the_wait_counts_the_minutes_of_the_pump_from_the_first_interrogation() -> None:
    bed = running()
    walk = Walked(bed)
    step = walk.steps["wait"]

    def said() -> str:
        return wait_text(step, bed.pump.status().uptime_ms)

    assert step.read is None
    assert "has not begun" in said()
    assert not is_over(step, bed.pump.status().uptime_ms)
    walk.read("first")
    assert said() == "20 min left"
    bed.advance(5 * MINUTE_MS + 1)
    assert said() == "15 min left"
    assert wait_text(step, bed.pump.status().uptime_ms, live=False) == "15 min left at the last reading; the line is not live"
    assert not is_over(step, None)
    bed.advance(15 * MINUTE_MS)
    assert said() == "the wait is over"
    assert is_over(step, bed.pump.status().uptime_ms)
    walk.read("first")
    assert said() == "20 min left"


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize("reason", ["", "   ", "x", "a\nb"])
def test_ticking_early_needs_a_reason_in_words(reason: str) -> None:
    bed = running()
    walk = Walked(bed)
    walk.read("first")
    now = bed.pump.status().uptime_ms
    with pytest.raises(FieldError, match="only with a reason"):
        early_lines(walk.steps["wait"], now, reason)
    assert early_lines(walk.steps["wait"], now, " no beds ") == ("ATTENTION: ticked early (20 min left): no beds",)


def test_nothing_else_on_the_list_waits() -> None:
    assert [name for name, step in Walked(running()).steps.items() if step.left_ms is not None] == ["wait"]
