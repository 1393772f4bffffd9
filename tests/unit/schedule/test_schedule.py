"""The companion's closed form of a therapy, against a naive integrator that walks the week minute by minute."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import wire_configuration
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE
from itbpump.schedule import (
    UNITS_PER_NL,
    WEEK_MS,
    BolusStep,
    DayPlan,
    RateStep,
    Schedule,
    Segment,
    schedule_of_configuration,
    schedule_of_prescription,
)
from itbpump.therapy import Prescription
from tests.unit.therapy.prescriptions import example, prescriptions

PULSE_NL = 500
times = st.integers(0, 3 * WEEK_MS)


@st.composite
def weeks(draw: st.DrawFn) -> list[DayPlan]:
    """Seven days; boluses do not overlap, and may run past midnight, also from Sunday into Monday."""
    days: list[list[RateStep | BolusStep]] = []
    busy_until = 0
    first_bolus: int | None = None
    for day in range(7):
        steps: list[RateStep | BolusStep] = [RateStep(0, draw(st.integers(0, 2_000_000)))]
        for start in sorted(draw(st.sets(st.integers(1, 1439), max_size=5))):
            now = day * 1440 + start
            if now >= busy_until and draw(st.booleans()):
                length = draw(st.integers(1, 300))
                if first_bolus is not None and now + length > 7 * 1440 + first_bolus:
                    continue
                first_bolus = now if first_bolus is None else first_bolus
                busy_until = now + length
                steps.append(BolusStep(start, draw(st.integers(0, 400)), length))
            else:
                steps.append(RateStep(start, draw(st.integers(0, 2_000_000))))
        days.append(steps)
    return list(days)


def naive_minutes(days: list[DayPlan]) -> list[Fraction]:
    """Volume of each minute of the week in nL: the rate last passed, replaced by a bolus while one runs."""
    volume = []
    rate = [step for step in days[6] if isinstance(step, RateStep)][-1].flow_nL_per_day
    boluses = [(day * 1440 + step.start_min, step) for day in range(7) for step in days[day] if isinstance(step, BolusStep)]
    for minute in range(7 * 1440):
        for step in days[minute // 1440]:
            if isinstance(step, RateStep) and step.start_min == minute % 1440:
                rate = step.flow_nL_per_day
        running = [step for start, step in boluses if (minute - start) % (7 * 1440) < step.duration_min]
        volume.append(Fraction(running[0].pulses * PULSE_NL, running[0].duration_min) if running else Fraction(rate, 1440))
    return volume


@pytest.mark.sr("SR-24", "SR-27")
@given(days=weeks(), edges=st.tuples(st.integers(0, 3 * 7 * 1440), st.integers(0, 3 * 7 * 1440)))
def test_the_closed_form_agrees_with_a_walk_through_the_week(days: list[DayPlan], edges: tuple[int, int]) -> None:
    schedule, minutes = Schedule.weekly(days, PULSE_NL), naive_minutes(days)
    first, last = sorted(edges)
    expected = (last // 10080 - first // 10080) * sum(minutes, Fraction()) + sum(minutes[: last % 10080]) - sum(minutes[: first % 10080])
    got = Fraction(schedule.volume_units_between(first * MS_PER_MINUTE, last * MS_PER_MINUTE), UNITS_PER_NL)
    assert abs(got - expected) <= Fraction(2, UNITS_PER_NL)
    assert schedule.cycle_units == sum(minutes, Fraction()) * UNITS_PER_NL
    for day in range(7):
        assert abs(schedule.day_units(day) - sum(minutes[day * 1440 : (day + 1) * 1440], Fraction()) * UNITS_PER_NL) < 2


@pytest.mark.sr("SR-07")
@given(days=weeks())
def test_no_span_of_24_h_holds_more_than_the_largest(days: list[DayPlan]) -> None:
    schedule, minutes = Schedule.weekly(days, PULSE_NL), naive_minutes(days)
    largest, start = schedule.max_window_units()
    assert 0 <= largest - schedule.volume_units_between(start, start + MS_PER_DAY) <= 1  # rounded up against rounded down
    twice, window = minutes + minutes, sum(minutes[:1440], Fraction())
    best = window
    for minute in range(7 * 1440):
        window += twice[minute + 1440] - twice[minute]
        best = max(best, window)
    assert abs(Fraction(largest, UNITS_PER_NL) - best) <= Fraction(2, UNITS_PER_NL)


@given(days=weeks(), at=times, nL=st.integers(1, 3_000_000))
def test_a_volume_is_reached_at_the_first_ms_that_has_it(days: list[DayPlan], at: int, nL: int) -> None:
    schedule = Schedule.weekly(days, PULSE_NL)
    when = schedule.time_of_volume(at, nL * UNITS_PER_NL)
    if when is None:
        assert schedule.cycle_units == 0
        return
    assert schedule.volume_units_between(at, when) >= nL * UNITS_PER_NL > schedule.volume_units_between(at, when - 1)


@pytest.mark.sr("SR-28")
@given(days=weeks(), edges=st.tuples(times, times, times))
def test_volumes_add_up_and_never_fall(days: list[DayPlan], edges: tuple[int, int, int]) -> None:
    schedule = Schedule.weekly(days, PULSE_NL)
    first, middle, last = sorted(edges)
    assert schedule.volume_units_between(first, middle) >= 0
    parts = schedule.volume_units_between(first, middle) + schedule.volume_units_between(middle, last)
    assert parts == schedule.volume_units_between(first, last)


@given(days=weeks(), edges=st.tuples(times, st.integers(0, 2 * WEEK_MS)))
def test_segments_for_a_chart_cover_the_span_and_hold_its_volume(days: list[DayPlan], edges: tuple[int, int]) -> None:
    schedule, (start, length) = Schedule.weekly(days, PULSE_NL), edges
    pieces = list(schedule.segments_between(start, start + length))
    assert [piece[0] for piece in pieces] == [start, *(piece[1] for piece in pieces)][: len(pieces)]
    assert not pieces or pieces[-1][1] == start + length
    assert all(schedule.flow_at(begin) == flow == schedule.flow_at(end - 1) for begin, end, flow in pieces)
    total = sum(((end - begin) * flow for begin, end, flow in pieces), Fraction())
    assert abs(total - schedule.volume_units_between(start, start + length)) <= 1


@given(pulses=st.integers(0, 500), over=st.integers(1, 1440), more=st.integers(0, 9000), flow=st.integers(0, 10**6))
def test_a_periodic_bolus_gives_its_pulses_and_the_background_between(pulses: int, over: int, more: int, flow: int) -> None:
    every = min(over + more, 10_080)
    schedule = Schedule.periodic(pulses, PULSE_NL, over, every, flow)
    assert schedule.volume_units(over * MS_PER_MINUTE) == pulses * PULSE_NL * UNITS_PER_NL
    assert schedule.cycle_units == pulses * PULSE_NL * UNITS_PER_NL + (every - over) * MS_PER_MINUTE * flow
    assert {schedule.day_units(day) for day in range(7)} == {int(schedule.mean_flow * MS_PER_DAY)}


@given(prescriptions())
def test_the_mean_is_a_seventh_of_the_week(rx: Prescription) -> None:
    schedule = schedule_of_prescription(rx, PULSE_NL, 6_000)
    if schedule.follows_week:
        assert sum(schedule.day_units(day) for day in range(7)) == schedule.mean_flow * MS_PER_DAY * 7
    assert schedule.max_window_units()[0] >= int(schedule.mean_flow * MS_PER_DAY)


@given(prescriptions(), st.sampled_from(["P-20", "V-40"]).map(load_profile))
def test_a_prescription_and_its_configuration_have_one_schedule(rx: Prescription, profile: PumpProfile) -> None:
    minimum = profile.minimum_rate.whole_nL_per_day
    schedule = schedule_of_configuration(wire_configuration(rx, profile), profile.pulse_volume.nL, minimum)
    assert schedule == schedule_of_prescription(rx, profile.pulse_volume.nL, minimum)
    assert hash(schedule) == hash(schedule_of_prescription(rx, profile.pulse_volume.nL, minimum))


def test_the_example_gives_what_its_text_says() -> None:
    schedule = schedule_of_prescription(example("flex-weekday-weekend"), PULSE_NL, 6_000)
    mcg = [schedule.day_units(day) * 2 // UNITS_PER_NL // 1000 for day in range(7)]
    assert mcg == [174, 174, 174, 174, 174, 144, 144]
    largest, start = schedule.max_window_units()
    assert largest * 2 // UNITS_PER_NL == 178_000
    assert start == 6 * MS_PER_DAY + 7 * 3_600_000


@pytest.mark.sr("SR-24", "SR-27")
def test_a_bolus_runs_over_the_end_of_the_week_and_the_rate_under_it_takes_over() -> None:
    days: list[DayPlan] = [[RateStep(0, 100)] for _ in range(6)]
    days.insert(0, [RateStep(0, 700)])
    days[6] = [RateStep(0, 100), BolusStep(1439, 7, 3)]
    schedule = Schedule.weekly(days, PULSE_NL)
    end = 2 * MS_PER_MINUTE
    assert schedule.flow_at(0) == schedule.flow_at(WEEK_MS - 1) == Fraction(7 * PULSE_NL * 1440, 3)
    assert schedule.flow_at(end) == 700
    assert schedule.volume_units_between(WEEK_MS - MS_PER_MINUTE, WEEK_MS + end) == 7 * PULSE_NL * UNITS_PER_NL


@pytest.mark.parametrize(
    "days",
    [
        [[RateStep(0, 1)]] * 6,
        [[RateStep(0, 1)]] * 6 + [[RateStep(5, 1)]],
        [[RateStep(0, 1)]] * 6 + [[]],
        [[RateStep(0, 1), BolusStep(10, 1, 10), BolusStep(19, 1, 10)]] + [[RateStep(0, 1)]] * 6,
        [[RateStep(0, 1), BolusStep(10, 1, 10)]] * 6 + [[RateStep(0, 1), BolusStep(1430, 1, 30)]],
    ],
)
def test_what_is_no_week_is_refused(days: list[DayPlan]) -> None:
    with pytest.raises(ValueError, match=r"week|overlap"):
        Schedule.weekly(days, PULSE_NL)


@pytest.mark.sr("SR-54")
def test_bad_spans_and_cycles_are_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        Schedule.periodic(1, PULSE_NL, 10, 9, 0)
    with pytest.raises(ValueError, match="without a hole"):
        Schedule(10, [Segment(0, 4, 1), Segment(5, 10, 1)])
    with pytest.raises(ValueError, match="must not end before"):
        Schedule.constant(1).volume_units_between(2, 1)
    assert Schedule.constant(0).time_of_volume(5, 1) is None
    assert Schedule.constant(7).time_of_volume(5, 0) == 5
