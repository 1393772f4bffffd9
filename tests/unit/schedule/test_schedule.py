"""The companion's closed form of a therapy, against a naive integrator that walks the week minute by minute."""

from __future__ import annotations

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

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
NO_WEEK = "a week is seven days that each start with a rate at 00:00"
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


def naive_minutes(days: list[DayPlan]) -> tuple[list[int], int]:
    """Volume of each minute of the week: the rate last passed, replaced by a bolus while one runs. Whole parts of a unit; and their number
    in one."""
    volume: list[int] = []
    boluses = [(day * 1440 + step.start_min, step) for day in range(7) for step in days[day] if isinstance(step, BolusStep)]
    parts = math.lcm(*{bolus.duration_min for _, bolus in boluses})
    rate = [step for step in days[6] if isinstance(step, RateStep)][-1].flow_nL_per_day
    for day in days:
        changes = {step.start_min: step.flow_nL_per_day for step in day if isinstance(step, RateStep)}
        for minute in range(1440):
            rate = changes.get(minute, rate)
            volume.append(rate * MS_PER_MINUTE * parts)
    for start, bolus in boluses:
        for minute in range(start, start + bolus.duration_min):
            volume[minute % 10_080] = bolus.pulses * PULSE_NL * UNITS_PER_NL * (parts // bolus.duration_min)
    return volume, parts


@pytest.mark.sr("SR-24", "SR-27")
@given(days=weeks(), edges=st.tuples(st.integers(0, 3 * 7 * 1440), st.integers(0, 3 * 7 * 1440)))
def test_the_closed_form_agrees_with_a_walk_through_the_week(days: list[DayPlan], edges: tuple[int, int]) -> None:
    schedule, (minutes, parts) = Schedule.weekly(days, PULSE_NL), naive_minutes(days)
    first, last = sorted(edges)
    expected = (last // 10080 - first // 10080) * sum(minutes) + sum(minutes[: last % 10080]) - sum(minutes[: first % 10080])
    assert abs(schedule.volume_units_between(first * MS_PER_MINUTE, last * MS_PER_MINUTE) * parts - expected) <= 2 * parts
    assert schedule.cycle_units * parts == sum(minutes)
    for day in range(7):
        assert abs(schedule.day_units(day) * parts - sum(minutes[day * 1440 : (day + 1) * 1440])) < 2 * parts


@pytest.mark.sr("SR-07")
@given(days=weeks())
def test_no_span_of_24_h_holds_more_than_the_largest(days: list[DayPlan]) -> None:
    schedule, (minutes, parts) = Schedule.weekly(days, PULSE_NL), naive_minutes(days)
    largest, start = schedule.max_window_units()
    assert 0 <= largest - schedule.volume_units_between(start, start + MS_PER_DAY) <= 1  # rounded up against rounded down
    twice, window = minutes + minutes, sum(minutes[:1440])
    best = window
    for minute in range(7 * 1440):
        window += twice[minute + 1440] - twice[minute]
        best = max(best, window)
    assert abs(largest * parts - best) <= 2 * parts


def largest_window(schedule: Schedule, window_ms: int) -> tuple[int, int]:
    """The same from its definition: exact flows added up in a window from every edge, and up to every edge; the first of the largest."""
    edges = {segment.start_ms for segment in schedule.segments}
    starts = sorted({begin % schedule.cycle_ms for edge in edges for begin in (edge, edge - window_ms)})
    found = [(sum(((end - at) * flow for at, end, flow in schedule.segments_between(s, s + window_ms)), Fraction()), -s) for s in starts]
    most, start = max(found)
    return math.ceil(most), -start


@pytest.mark.sr("SR-07")
@settings(max_examples=25)
@given(days=weeks(), window=st.one_of(st.just(MS_PER_DAY), st.integers(1, 3 * WEEK_MS)))
def test_the_largest_window_is_exactly_the_largest_and_the_first_of_them(days: list[DayPlan], window: int) -> None:
    schedule = Schedule.weekly(days, PULSE_NL)
    assert schedule.max_window_units(window) == largest_window(schedule, window)


@pytest.mark.sr("SR-07")
@given(
    pulses=st.integers(0, 500),
    over=st.integers(1, 1440),
    more=st.integers(0, 9000),
    flow=st.integers(0, 10**6),
    window=st.integers(1, 3 * WEEK_MS),
)
def test_the_largest_window_of_a_period_is_exact(pulses: int, over: int, more: int, flow: int, window: int) -> None:
    schedule = Schedule.periodic(pulses, 7, over, min(over + more, 10_080), flow)
    assert schedule.max_window_units(window) == largest_window(schedule, window)


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
    assert list(schedule.edges_between(start, start + length)) == [piece[0] for piece in pieces]
    assert not pieces or pieces[-1][1] == start + length
    assert all(schedule.flow_at(begin) == flow == schedule.flow_at(end - 1) for begin, end, flow in pieces)
    total = sum(((end - begin) * flow for begin, end, flow in pieces), Fraction())
    assert abs(total - schedule.volume_units_between(start, start + length)) <= 1


@pytest.mark.sr("SR-07")
@given(days=weeks(), edges=st.tuples(times, st.integers(0, 2 * WEEK_MS)))
def test_the_boluses_of_a_span_are_those_that_begin_in_it(days: list[DayPlan], edges: tuple[int, int]) -> None:
    schedule = Schedule.weekly(days, PULSE_NL)
    start, end = edges[0], edges[0] + edges[1]
    pieces = list(schedule.pieces_between(start, end))
    assert [(at, until) for at, until, _ in pieces] == [(at, until) for at, until, _ in schedule.segments_between(start, end)]
    minutes = [day * 1440 + step.start_min for day, steps in enumerate(days) for step in steps if isinstance(step, BolusStep)]
    begin = {week * WEEK_MS + minute * MS_PER_MINUTE for week in range(6) for minute in minutes}
    assert [at for at, _, is_bolus in pieces if is_bolus] == sorted(at for at in begin if start <= at < end)


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


@pytest.mark.sr("SR-24")
@pytest.mark.parametrize("into_ms", [1, 59_999, 180_000, 180_001, 419_999, 420_000])
def test_a_bolus_across_the_end_of_the_week_is_rounded_down_from_its_start(into_ms: int) -> None:
    days: list[DayPlan] = [[RateStep(0, 0)] for _ in range(6)]
    days.append([RateStep(0, 0), BolusStep(1437, 1, 7)])
    schedule, start = Schedule.weekly(days, 1), WEEK_MS - 3 * MS_PER_MINUTE
    units = UNITS_PER_NL * into_ms // (7 * MS_PER_MINUTE)
    assert schedule.volume_units_between(start, start + into_ms) == units
    assert schedule.time_of_volume(start, units) == start + into_ms
    assert schedule.time_of_volume(start, units + 1) == start + into_ms + 1 if into_ms < 420_000 else start + WEEK_MS + 1


def test_a_bolus_that_ends_with_the_week_leaves_nothing_for_monday() -> None:
    days: list[DayPlan] = [[RateStep(0, 5)] for _ in range(6)]
    days.append([RateStep(0, 5), BolusStep(1430, 1, 10)])
    schedule = Schedule.weekly(days, PULSE_NL)
    assert [segment.is_bolus for segment in schedule.segments] == [False] * 7 + [True]
    assert schedule.flow_at(0) == 5
    assert schedule.segments[-1].end_ms == WEEK_MS


@pytest.mark.parametrize(
    ("days", "message"),
    [
        ([[RateStep(0, 1)]] * 6, NO_WEEK),
        ([[RateStep(0, 1)]] * 6 + [[RateStep(5, 1)]], NO_WEEK),
        ([[RateStep(0, 1)]] * 6 + [[]], NO_WEEK),
        ([[RateStep(0, 1)]] * 6 + [[BolusStep(0, 1, 1)]], NO_WEEK),
        ([[RateStep(0, 1), BolusStep(10, 1, 10), BolusStep(19, 1, 10)]] + [[RateStep(0, 1)]] * 6, "bolus steps overlap"),
        ([[RateStep(0, 1), BolusStep(10, 1, 10)]] * 6 + [[RateStep(0, 1), BolusStep(1430, 1, 21)]], "bolus steps overlap"),
    ],
)
def test_what_is_no_week_is_refused(days: list[DayPlan], message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        Schedule.weekly(days, PULSE_NL)


@pytest.mark.sr("SR-54")
def test_bad_spans_and_cycles_are_refused() -> None:
    for over in (0, 10):
        with pytest.raises(ValueError, match=f"^a bolus of {over} min does not fit an interval of 9 min$"):
            Schedule.periodic(1, PULSE_NL, over, 9, 0)
    with pytest.raises(ValueError, match=r"^segments must cover the cycle in order, without a hole$"):
        Schedule(10, [Segment(0, 4, 1), Segment(5, 10, 1)])
    with pytest.raises(ValueError, match=r"^a time span must not end before it begins$"):
        Schedule.constant(1).volume_units_between(2, 1)
    assert Schedule.constant(0).time_of_volume(5, 1) is None
    assert Schedule.constant(7).time_of_volume(5, 0) == 5
    assert Schedule.constant(7).time_of_volume(5, 10) == 7
    assert repr(Schedule.constant(7).time_of_volume(0, 14)) == "2"


def test_a_constant_flow_is_the_same_at_all_times() -> None:
    schedule = Schedule.constant(48_000)
    assert schedule.mean_flow == schedule.flow_at(12_345) == 48_000
    assert schedule.volume_units_between(7, MS_PER_DAY + 7) == 48_000 * UNITS_PER_NL == schedule.day_units(3)
    assert schedule.max_window_units() == (48_000 * UNITS_PER_NL, 0)


@pytest.mark.parametrize("over", [1, 30])
def test_a_bolus_that_fills_its_interval_leaves_no_background(over: int) -> None:
    schedule = Schedule.periodic(6, PULSE_NL, over, over, 1_000)
    assert [segment.is_bolus for segment in schedule.segments] == [True]
    assert [segment.is_bolus for segment in Schedule.periodic(6, PULSE_NL, over, over + 1, 1_000).segments] == [True, False]
    assert schedule.mean_flow == Fraction(6 * PULSE_NL * 1440, over)


def test_a_volume_at_the_end_of_a_cycle_is_reached_in_it_and_one_unit_more_in_the_next() -> None:
    schedule = Schedule.periodic(10, PULSE_NL, 5, 60, 0)
    units, minute = schedule.cycle_units, MS_PER_MINUTE
    assert schedule.time_of_volume(0, units) == 5 * minute
    assert schedule.time_of_volume(0, units + 1) == 60 * minute + 1
    assert schedule.time_of_volume(0, 3 * units) == 125 * minute
    assert schedule.time_of_volume(30 * minute, 0) == 30 * minute
    assert schedule.time_of_volume(30 * minute, 1) == 60 * minute + 1


@pytest.mark.sr("SR-07")
@pytest.mark.parametrize("window", [1, 7, 100_001, MS_PER_DAY, WEEK_MS + 13])
def test_the_largest_window_across_the_end_of_the_week_loses_no_part_of_a_unit(window: int) -> None:
    days: list[DayPlan] = [[RateStep(0, 3)] for _ in range(6)]
    days.append([RateStep(0, 0), BolusStep(1437, 1, 7)])
    schedule = Schedule.weekly(days, 1)
    assert schedule.max_window_units(window) == largest_window(schedule, window)


def test_two_schedules_are_one_when_they_give_the_same_by_the_same_calendar() -> None:
    every_week = Schedule.periodic(5, PULSE_NL, 10, 10_080, 0)
    of_a_week = Schedule.weekly([[RateStep(0, 0), BolusStep(0, 5, 10)], *([[RateStep(0, 0)]] * 6)], PULSE_NL)
    assert Schedule.constant(1) == Schedule.constant(1)
    assert Schedule.constant(1) != Schedule.constant(2)
    assert Schedule.constant(1) != 1
    assert hash(Schedule.constant(1)) != hash(Schedule.constant(2))
    assert every_week.cycle_units == of_a_week.cycle_units
    assert every_week != of_a_week
    assert repr(every_week) == "Schedule(cycle_ms=604800000, 2 segments)"


def test_a_weekday_in_two_patterns_or_none_is_refused() -> None:
    configuration = wire_configuration(example("flex-weekday-weekend"), load_profile("P-40"))
    first, second = configuration.patterns
    for patterns, count in (((first, replace(second, days=127 - 16)), 2), ((replace(first, days=15), second), 0)):
        with pytest.raises(ValueError, match=f"^weekday [0-4] stands in {count} patterns instead of one$"):
            schedule_of_configuration(replace(configuration, patterns=patterns), PULSE_NL, 6_000)
