"""Time: the pump's day, its label of the wall clock, and its crystal. A label never changes a dose; moving the day is a change of its own.

Daylight saving, a zone, a leap day are steps of the label, nothing else. Not here: faults of the clock's hardware beyond drift.
"""

from __future__ import annotations

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise

import pytest

from hil.limits import limit
from hil.programme import DAY_MS, Programme, dose_of, patient_button, start
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.outcome import Applied
from itbpump.schedule import WEEK_MS
from itbpump.therapy import load_prescription
from itbpump.wire.messages import LogKind, RunState

HOUR_MS = 3_600_000
# Flows that differ much, so that a day moved by an hour shows at once.
FLEX = """
mode = "flex"
[[therapy.pattern]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
steps = [
  { at = "00:00", rate = "5 mcg/h" },
  { at = "01:00", rate = "20 mcg/h" },
  { at = "02:00", rate = "8 mcg/h" },
  { at = "03:00", dose = "30 mcg", over = "30m" },
  { at = "04:00", rate = "12 mcg/h" },
  { at = "14:00", rate = "25 mcg/h" },
  { at = "15:00", rate = "6 mcg/h" },
]
"""


def wall_s(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


# What the label is set to, one day after another, and what for.
LABELS = {
    "spring forward": ["2026-03-08T01:59:00", "2026-03-08T03:00:00"],
    "fall back": ["2026-11-01T01:59:00", "2026-11-01T01:00:00"],
    "across the date line": ["2026-06-01T12:00:00", "2026-06-02T11:00:00", "2026-06-01T09:00:00"],
    "leap day": ["2028-02-28T23:59:00", "2028-02-29T23:59:00"],
    "year end": ["2026-12-31T23:59:58"],
    "far off": ["2099-12-31T00:00:00", "2020-01-01T00:00:00"],
}


def check_pulses(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, programme: Programme) -> None:
    end_ms = clock.uptime_ms()
    ahead_nL, behind_nL = programme.deviation_nL(plant.pulses(programme.began_ms, end_ms), end_ms)
    half_nL = limit("delivery", "half_pulse_pulses") * programme.pulse_nL
    measure("most ahead of the programme", round(ahead_nL, 6), "nL", lo=0, hi=half_nL)
    measure("most behind the programme", round(behind_nL, 6), "nL", lo=0, hi=half_nL)
    assert pump.status().run_state is RunState.RUNNING


@pytest.mark.sr("SR-52")
def test_the_pumps_day_is_that_of_the_prescription(pump: PumpUnderTest, clock: Clock, measure: Measure) -> None:
    """`as_of` of the prescription is a moment of the pump's week: Sunday 10:00 on a simulated pump that has just been made.

    The host's clock and the pump's are read one after the other, here and by the companion: what passes meanwhile is allowed for, which is
    hardly anything but on a rig in scaled time.
    """
    begun_ms = clock.uptime_ms()
    rx = load_prescription(pump.rx(FLEX))
    pump.program(rx)
    host = pump.session().host_now().astimezone(rx.pump.as_of.tzinfo)
    status = pump.status()
    since_midnight_ms = ((host.hour * 60 + host.minute) * 60 + host.second) * 1_000 + host.microsecond // 1_000
    due_ms = host.weekday() * DAY_MS + since_midnight_ms
    off_ms = (status.uptime_ms + status.week_offset_ms - due_ms + WEEK_MS // 2) % WEEK_MS - WEEK_MS // 2
    bear_ms = limit("clock", "week_phase_ms") + clock.uptime_ms() - begun_ms
    measure("pump's week against the prescription's", off_ms, "ms", lo=-bear_ms, hi=bear_ms)


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-52")
@pytest.mark.parametrize("what", LABELS)
def test_setting_the_label_changes_no_dose(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, what: str) -> None:
    programme = start(pump, clock, FLEX)
    for text in LABELS[what]:
        clock.advance("19h47m")
        offset_ms = pump.status().week_offset_ms
        assert isinstance(pump.session().set_clock(wall_s(text)), Applied)
        assert pump.status().wall_s == wall_s(text)
        assert pump.status().week_offset_ms == offset_ms, "the pump's day stays where it is"
    clock.advance("2d")
    assert pump.status().wall_s == wall_s(LABELS[what][-1]) + 2 * DAY_MS // 1_000, "the label runs on"
    check_pulses(pump, clock, plant, measure, programme)
    assert sum(entry.kind is LogKind.CLOCK_SET for entry in pump.log()) == len(LABELS[what])


@pytest.mark.needs("virtual-time", "plant-pulses", "power-control")
@pytest.mark.sr("SR-24", "SR-52")
def test_the_day_goes_on_without_power(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure) -> None:
    """Uptime goes on through a cut; what was due meanwhile is not caught up, and afterwards the flow is that of the hour."""
    programme = start(pump, clock, FLEX)
    clock.advance("1d")
    cut_ms = clock.uptime_ms()
    power.cut()
    clock.advance("5h")
    power.on()
    on_ms = clock.uptime_ms()
    measure("uptime without power", on_ms - cut_ms, "ms", lo=5 * HOUR_MS, hi=5 * HOUR_MS)
    measure("pulses without power", len(plant.pulses(cut_ms, on_ms)), "pulses", lo=0, hi=0)
    clock.advance("1d")
    given = len(plant.pulses(on_ms, clock.uptime_ms()))
    due = (programme.volume_nL(clock.uptime_ms()) - programme.volume_nL(on_ms)) / programme.pulse_nL
    # One pulse of doubt, and half a one left over at the cut.
    measure("pulses in the day after", given, "pulses", lo=round(due, 6) - Fraction(3, 2), hi=round(due, 6) + Fraction(3, 2))


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-52", "SR-53")
def test_moving_the_day_moves_it_once_and_by_that_much(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """A re-based clock: the old day up to the commit, the new one from there on; nothing is given twice, nothing is left out."""
    programme = start(pump, clock, FLEX)
    clock.advance("1d3h11m")
    session, before = pump.session(), pump.status()
    moved_ms = (before.week_offset_ms + HOUR_MS) % WEEK_MS
    outcome = session.rebase_clock(moved_ms, session.present())
    assert isinstance(outcome, Applied)
    at_ms = outcome.result.uptime_ms
    assert pump.status().week_offset_ms == moved_ms
    assert pump.status().revision == before.revision + 1
    clock.advance("3d1h")
    end_ms = clock.uptime_ms()
    half = limit("delivery", "half_pulse_pulses")
    old_due = programme.volume_nL(at_ms) / programme.pulse_nL
    old = len(plant.pulses(programme.began_ms, at_ms))
    measure("pulses of the old day", old, "pulses", lo=round(old_due - half, 6), hi=round(old_due + half, 6))
    moved = Programme(programme.schedule, at_ms, moved_ms, programme.pulse_nL)
    due = old_due + moved.volume_nL(end_ms) / programme.pulse_nL
    given = len(plant.pulses(programme.began_ms, end_ms))
    measure("pulses in all", given, "pulses", lo=round(due - half, 6), hi=round(due + half, 6))
    kept = programme.volume_nL(end_ms) / programme.pulse_nL
    assert abs(kept - due) > 1, "the change must show"


@pytest.mark.needs("virtual-time", "bench-hands")
@pytest.mark.sr("SR-14", "SR-15")
def test_setting_the_label_opens_no_lockout(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    start(pump, clock, patient_button("200 mcg/day"))
    assert isinstance(pump.session().set_clock(wall_s("2026-11-22T10:00:00")), Applied)
    assert plant.patient_request()
    clock.advance("1h")
    for text in ("2026-11-23T10:00:00", "2027-01-01T00:00:00", "2026-11-22T11:00:00"):
        assert isinstance(pump.session().set_clock(wall_s(text)), Applied)
        assert not plant.patient_request(), f"granted an hour after the last one, with the label at {text}"
    left_ms = pump.status().lockout_left_ms
    measure("lockout left after an hour", left_ms, "ms", lo=5 * HOUR_MS - 1_000, hi=5 * HOUR_MS)
    clock.advance(left_ms)
    assert plant.patient_request(), "granted when the lockout is over"
    measure("boluses granted", pump.status().patient_granted, "boluses", lo=2, hi=2)
    measure("requests denied", pump.status().patient_denied, "requests", lo=3, hi=3)


@pytest.mark.needs("virtual-time", "plant-pulses", "fault-injection")
@pytest.mark.sr("SR-24", "SR-53")
@pytest.mark.parametrize(("fault", "sign"), [("clock.drift-fast", 1), ("clock.drift-slow", -1)])
def test_a_crystal_that_drifts(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, fault: str, sign: int) -> None:
    """By the pump's own clock every pulse stays in its place; true time shows by how much the dose of a true day is off: as the crystal."""
    ppm = 5_000
    programme = start(pump, clock, dose_of(pump, 400))
    plant.fault(fault, ppm=ppm)
    uptime_ms, true_ms = clock.uptime_ms(), plant.truth()["true_ms"]
    clock.advance("4d")
    check_pulses(pump, clock, plant, measure, programme)
    passed_ms, truly_ms = clock.uptime_ms() - uptime_ms, plant.truth()["true_ms"] - true_ms
    found_ppm = round(Fraction(1_000_000 * (passed_ms - truly_ms), truly_ms), 3)
    # The sound crystal of this pump is off by up to 20 ppm besides.
    measure("drift of the crystal", found_ppm, "ppm", lo=sign * ppm - 30, hi=sign * ppm + 30)


@pytest.mark.needs("virtual-time")
@pytest.mark.sr("SR-52", "SR-54")
def test_uptime_never_goes_back(pump: PumpUnderTest, clock: Clock, measure: Measure) -> None:
    """Whatever the label does; what the pump has logged stays in order."""
    start(pump, clock, FLEX)
    seen_ms = [pump.status().uptime_ms]
    for text in ("2030-01-01T00:00:00", "2021-01-01T00:00:00", "2090-01-01T00:00:00", "2026-01-01T00:00:00"):
        pump.session().set_clock(wall_s(text))
        clock.advance("3h")
        seen_ms.append(pump.status().uptime_ms)
    measure("shortest step", min(after - before for before, after in pairwise(seen_ms)), "ms", lo=3 * HOUR_MS)
    logged_ms = [entry.uptime_ms for entry in pump.log()]
    assert logged_ms == sorted(logged_ms)
