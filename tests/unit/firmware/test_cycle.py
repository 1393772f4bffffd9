"""A compiled therapy against a slow reading of its steps, minute by minute."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from itertools import accumulate, pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.cycle import (
    DAY_MS,
    HOUR_MS,
    MINUTE_MS,
    UNITS_PER_NL,
    WEEK_MS,
    Cycle,
    CycleError,
    compile_cycle,
    patterns_problem,
    periodic_anchor_ms,
)
from itbpump.wire.messages import Configuration, Mode, Pattern, Step, StepKind
from tests.configurations import configuration_of

PULSE_NL = 500
MINIMUM_RATE = 6_000
EVERY_DAY = 127
WEEK_MIN = 7 * 1440


def therapy(
    mode: Mode, *, flow: int = 0, periodic: tuple[int, int, int] = (0, 0, 0), patterns: tuple[Pattern, ...] = (), offset_ms: int = 0
) -> Configuration:
    return configuration_of(
        low_alarm_nL=6_000_000,
        week_offset_ms=offset_ms,
        mode=mode,
        flow_nL_per_day=flow,
        periodic_pulses=periodic[0],
        periodic_duration_min=periodic[1],
        periodic_every_min=periodic[2],
        patterns=patterns,
    )


def compiled(configuration: Configuration, anchor_ms: int = 0) -> Cycle:
    return compile_cycle(configuration, MINIMUM_RATE, PULSE_NL, anchor_ms)


def rate(start_min: int, flow: int) -> Step:
    return Step(start_min=start_min, kind=StepKind.RATE, amount=flow, duration_min=0)


def bolus(start_min: int, pulses: int, duration_min: int) -> Step:
    return Step(start_min=start_min, kind=StepKind.BOLUS, amount=pulses, duration_min=duration_min)


def week(*steps: Step, offset_ms: int = 0) -> Configuration:
    return therapy(Mode.FLEX, patterns=(Pattern(days=EVERY_DAY, steps=steps),), offset_ms=offset_ms)


@st.composite
def weeks(draw: st.DrawFn, most_steps: int = 6) -> Configuration:
    """Any valid flex therapy: weekdays dealt to patterns, boluses that may run past midnight but not into each other."""
    deal = draw(st.lists(st.integers(0, 2), min_size=7, max_size=7))
    drafts: list[tuple[int, list[tuple[int, bool, int]]]] = []
    for pattern in sorted(set(deal)):
        days = sum(1 << day for day in range(7) if deal[day] == pattern)
        starts = sorted(draw(st.sets(st.integers(1, 1439), max_size=most_steps)))
        drafts.append((days, [(start, draw(st.booleans()), draw(st.integers(0, 300_000))) for start in starts]))
    first_bolus = min((start for _, steps in drafts for start, is_bolus, _ in steps if is_bolus), default=0)
    patterns = []
    for days, draft in drafts:
        steps = [rate(0, draw(st.integers(0, 300_000)))]
        bolus_starts = [start for start, is_bolus, _ in draft if is_bolus]
        for start, is_bolus, amount in draft:
            later = [other for other in bolus_starts if other > start]
            room = (later[0] if later else 1440 + first_bolus) - start
            steps.append(bolus(start, amount % 401, draw(st.integers(1, min(room, 1440)))) if is_bolus else rate(start, amount))
        patterns.append(Pattern(days=days, steps=tuple(steps)))
    return therapy(Mode.FLEX, patterns=tuple(patterns), offset_ms=draw(st.integers(0, WEEK_MS - 1)))


class SlowWeek:
    """The same therapy painted minute by minute, in fractions: rates first, each until midnight, then boluses over them."""

    def __init__(self, configuration: Configuration) -> None:
        by_day = [next(pattern.steps for pattern in configuration.patterns if pattern.days >> day & 1) for day in range(7)]
        self.flows = [Fraction(0)] * WEEK_MIN
        self.in_bolus = [False] * WEEK_MIN
        for day, steps in enumerate(by_day):
            for step in steps:
                if step.kind is StepKind.RATE:
                    minutes = slice(day * 1440 + step.start_min, (day + 1) * 1440)
                    self.flows[minutes] = [Fraction(step.amount)] * (1440 - step.start_min)
        for day, steps in enumerate(by_day):
            for step in steps:
                for minute in range(step.duration_min):
                    place = (day * 1440 + step.start_min + minute) % WEEK_MIN
                    self.flows[place] = Fraction(step.amount * PULSE_NL * UNITS_PER_NL, step.duration_min * MINUTE_MS)
                    self.in_bolus[place] = True
        self.before = [Fraction(0), *accumulate(flow * MINUTE_MS for flow in self.flows)]
        self.offset_ms = configuration.week_offset_ms

    def reached(self, uptime_ms: int) -> Fraction:
        turns, place = divmod(uptime_ms + self.offset_ms, WEEK_MS)
        minute, rest_ms = divmod(place, MINUTE_MS)
        return turns * self.before[-1] + self.before[minute] + self.flows[minute] * rest_ms


uptimes = st.integers(0, 12 * 365 * DAY_MS)


@pytest.mark.sr("SR-24")
@settings(max_examples=25, deadline=None)
@given(weeks(), st.lists(uptimes, min_size=2, max_size=12))
def test_a_week_gives_what_its_steps_say_between_any_two_times_over_years(configuration: Configuration, times: list[int]) -> None:
    cycle, slow = compiled(configuration), SlowWeek(configuration)
    for from_ms, to_ms in pairwise(sorted(times)):
        exact = slow.reached(to_ms) - slow.reached(from_ms)
        assert abs(cycle.volume_units(from_ms, to_ms) - exact) < 1
        assert 0 <= cycle.volume_units_up(from_ms, to_ms) - cycle.volume_units(from_ms, to_ms) <= 1
    for at_ms in times:
        minute = (at_ms + configuration.week_offset_ms) % WEEK_MS // MINUTE_MS
        assert cycle.flow_at(at_ms) == slow.flows[minute].__floor__()
        assert cycle.in_bolus_step(at_ms) is slow.in_bolus[minute]
    assert cycle.total_units == slow.before[-1]


@settings(max_examples=40, deadline=None)
@given(weeks(), st.lists(uptimes, min_size=3, max_size=3))
def test_volumes_of_adjoining_spans_add_up_without_rounding(configuration: Configuration, times: list[int]) -> None:
    cycle = compiled(configuration)
    first, middle, last = sorted(times)
    assert cycle.volume_units(first, middle) + cycle.volume_units(middle, last) == cycle.volume_units(first, last)


@settings(max_examples=60, deadline=None)
@given(weeks(), uptimes, st.integers(1, 10**17))
def test_the_time_of_a_volume_is_the_first_ms_that_has_reached_it(configuration: Configuration, from_ms: int, units: int) -> None:
    cycle = compiled(configuration)
    at_ms = cycle.uptime_of_volume(from_ms, units)
    if cycle.total_units == 0:
        assert at_ms is None
        return
    assert at_ms is not None
    assert at_ms > from_ms
    assert cycle.volume_units(from_ms, at_ms) >= units
    assert cycle.volume_units(from_ms, at_ms - 1) < units


@settings(max_examples=25, deadline=None)
@given(weeks(), uptimes)
def test_breakpoints_are_exactly_where_the_slow_reading_changes(configuration: Configuration, from_ms: int) -> None:
    cycle, slow = compiled(configuration), SlowWeek(configuration)
    to_ms = from_ms + WEEK_MS
    found = list(cycle.breakpoints(from_ms, to_ms))
    assert found == sorted(set(found))
    assert all(from_ms < at_ms <= to_ms for at_ms in found)
    places = {(at_ms + configuration.week_offset_ms) % WEEK_MS for at_ms in found}
    changes = {minute * MINUTE_MS for minute in range(WEEK_MIN) if slow.flows[minute] != slow.flows[minute - 1]}
    assert changes <= places
    assert all(slow.in_bolus[place // MINUTE_MS] or slow.in_bolus[place // MINUTE_MS - 1] for place in places - changes)


@pytest.mark.sr("SR-07")
@settings(max_examples=20, deadline=None)
@given(weeks(most_steps=4), st.sampled_from([60, 720, 1440, 1441, 9000, WEEK_MIN, WEEK_MIN + 1440]))
def test_the_largest_volume_of_a_window_is_the_largest_over_all_its_places(configuration: Configuration, window_min: int) -> None:
    cycle, slow = compiled(configuration), SlowWeek(configuration)
    turns, rest = divmod(window_min, WEEK_MIN)
    twice = [*slow.before, *(slow.before[-1] + part for part in slow.before[1:])]
    exact = turns * slow.before[-1] + max(twice[minute + rest] - twice[minute] for minute in range(WEEK_MIN))
    assert 0 <= cycle.max_volume_in(window_min * MINUTE_MS) - exact < 1


@settings(max_examples=25, deadline=None)
@given(weeks())
def test_each_day_has_its_own_volume_from_its_own_midnight(configuration: Configuration) -> None:
    cycle, slow = compiled(configuration), SlowWeek(configuration)
    days = cycle.day_volume_units()
    for day, units in enumerate(days):
        assert abs(units - (slow.before[(day + 1) * 1440] - slow.before[day * 1440])) < 1
    assert sum(days) == cycle.total_units


def test_a_breakpoint_belongs_to_the_span_it_ends_not_to_the_one_it_begins() -> None:
    cycle = compiled(week(rate(0, 50_000), rate(720, 90_000)))
    assert list(cycle.breakpoints(0, DAY_MS)) == [DAY_MS // 2, DAY_MS]
    assert list(cycle.breakpoints(DAY_MS // 2, DAY_MS - 1)) == []


@pytest.mark.sr("SR-27")
def test_the_rate_after_a_bolus_is_the_one_that_came_into_force_under_it() -> None:
    cycle = compiled(week(rate(0, 100_000), bolus(360, 40, 120), rate(400, 70_000)))
    assert cycle.flow_at(6 * HOUR_MS - 1) == 100_000
    assert cycle.in_bolus_step(6 * HOUR_MS)
    assert cycle.in_bolus_step(8 * HOUR_MS - 1)
    assert cycle.flow_at(8 * HOUR_MS) == 70_000
    assert cycle.volume_units(6 * HOUR_MS, 8 * HOUR_MS) == 40 * PULSE_NL * UNITS_PER_NL


def test_a_sunday_bolus_that_runs_into_monday_stays_in_one_piece() -> None:
    cycle = compiled(week(rate(0, 48_000), bolus(1380, 7, 119)))
    assert len({segment.start_ms for segment in cycle.segments if segment.is_bolus}) == 7
    sunday_23h = 6 * DAY_MS + 23 * HOUR_MS
    assert cycle.volume_units(sunday_23h, sunday_23h + 119 * MINUTE_MS) == 7 * PULSE_NL * UNITS_PER_NL
    assert cycle.flow_at(WEEK_MS + 59 * MINUTE_MS) == 48_000


@pytest.mark.sr("SR-24")
def test_a_bolus_that_ends_at_the_end_of_the_week_leaves_no_gap_and_no_overlap() -> None:
    cycle = compiled(week(rate(0, 96_000), bolus(1380, 40, 60)))
    assert [(last.start_ms + last.length_ms) for last in cycle.segments] == [*cycle.starts_ms[1:], WEEK_MS]
    assert cycle.segments[-1].is_bolus
    assert cycle.volume_units(0, WEEK_MS) == 7 * (96_000 * 23 * HOUR_MS + 40 * PULSE_NL * UNITS_PER_NL)
    assert (cycle.flow_at(WEEK_MS - 1), cycle.flow_at(WEEK_MS)) == (40 * PULSE_NL * 24, 96_000)


def test_the_week_offset_says_which_uptime_is_monday_midnight() -> None:
    cycle = compiled(week(rate(0, 50_000), rate(60, 90_000), offset_ms=10 * HOUR_MS))
    midnight = 14 * HOUR_MS
    assert cycle.flow_at(midnight - 1) == 90_000
    assert cycle.flow_at(midnight) == 50_000
    assert cycle.flow_at(midnight + HOUR_MS) == 90_000


def test_a_bolus_entered_half_way_gives_the_rest_at_its_own_flow() -> None:
    cycle = compiled(week(rate(0, 48_000), bolus(60, 3, 7)))
    start, end = 60 * MINUTE_MS, 67 * MINUTE_MS
    middle = start + 123_457
    whole = 3 * PULSE_NL * UNITS_PER_NL
    assert cycle.volume_units(middle, end) == whole - whole * 123_457 // (7 * MINUTE_MS)


def test_a_periodic_therapy_starts_with_its_bolus_at_the_anchor() -> None:
    anchor_ms = 987_654_321
    cycle = compiled(therapy(Mode.PERIODIC_BOLUS, flow=MINIMUM_RATE, periodic=(20, 30, 360)), anchor_ms)
    whole = 20 * PULSE_NL * UNITS_PER_NL
    assert cycle.volume_units(anchor_ms, anchor_ms + 30 * MINUTE_MS) == whole
    assert cycle.flow_at(anchor_ms + 30 * MINUTE_MS) == MINIMUM_RATE
    assert cycle.in_bolus_step(anchor_ms + 360 * MINUTE_MS)
    between = MINIMUM_RATE * 330 * MINUTE_MS
    assert cycle.day_volume_units() == (4 * (whole + between),) * 7
    assert cycle.max_volume_in(DAY_MS) == 4 * (whole + between)
    # 24 h 1 min can hold a fifth bolus in part
    assert cycle.max_volume_in(DAY_MS + MINUTE_MS) == 4 * (whole + between) + whole // 30


def test_a_period_longer_than_a_day_gives_its_mean_a_day_and_its_bolus_in_one() -> None:
    cycle = compiled(therapy(Mode.PERIODIC_BOLUS, flow=MINIMUM_RATE, periodic=(60, 60, 7 * 1440)))
    whole = 60 * PULSE_NL * UNITS_PER_NL
    assert cycle.day_volume_units()[0] == (whole + MINIMUM_RATE * (WEEK_MS - HOUR_MS)) // 7
    assert cycle.max_volume_in(DAY_MS) == whole + MINIMUM_RATE * 23 * HOUR_MS


def test_a_periodic_bolus_as_long_as_its_period_leaves_no_gap() -> None:
    cycle = compiled(therapy(Mode.PERIODIC_BOLUS, periodic=(4, 60, 60)))
    assert cycle.volume_units(0, DAY_MS) == 24 * 4 * PULSE_NL * UNITS_PER_NL
    assert cycle.in_bolus_step(12345)


@pytest.mark.parametrize(
    ("configuration", "flow"),
    [
        (therapy(Mode.MINIMUM_RATE), MINIMUM_RATE),
        (therapy(Mode.CONTINUOUS, flow=123_457), 123_457),
        (week(rate(0, 100_000), rate(720, 100_000)), 100_000),
    ],
)
def test_a_constant_therapy_has_no_breakpoints(configuration: Configuration, flow: int) -> None:
    cycle = compiled(configuration)
    assert list(cycle.breakpoints(0, 10 * WEEK_MS)) == []
    assert cycle.volume_units(17, 17 + 10 * 365 * DAY_MS) == flow * 10 * 365 * DAY_MS
    assert cycle.day_volume_units() == (flow * DAY_MS,) * 7
    assert cycle.max_volume_in(DAY_MS) == flow * DAY_MS
    assert cycle.uptime_of_volume(5, flow) == 6


@pytest.mark.sr("SR-22")
def test_a_stopped_therapy_gives_nothing_ever() -> None:
    cycle = compiled(therapy(Mode.STOPPED))
    assert cycle.volume_units(0, 100 * 365 * DAY_MS) == 0
    assert cycle.uptime_of_volume(0, 1) is None
    assert cycle.flow_at(1) == 0
    assert not cycle.in_bolus_step(1)
    assert cycle.uptime_of_volume(7, 0) == 7


@pytest.mark.sr("SR-54")
def test_time_before_the_first_boot_and_backward_spans() -> None:
    cycle = compiled(therapy(Mode.PERIODIC_BOLUS, flow=MINIMUM_RATE, periodic=(20, 30, 360)), 5000)
    assert cycle.volume_units(-DAY_MS, 0) == cycle.volume_units(0, DAY_MS)
    with pytest.raises(ValueError, match="cannot end"):
        cycle.volume_units(2, 1)
    with pytest.raises(ValueError, match="window_ms"):
        cycle.max_volume_in(0)


MONDAY, TUESDAY_TO_SUNDAY = 1, 126


@pytest.mark.parametrize(
    ("patterns", "problem"),
    [
        ((), "in no pattern"),
        ((Pattern(days=TUESDAY_TO_SUNDAY, steps=(rate(0, 1),)),), "in no pattern"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1),)), Pattern(days=MONDAY, steps=(rate(0, 1),))), "in two patterns"),
        ((Pattern(days=EVERY_DAY, steps=()),), "not a rate at 00:00"),
        ((Pattern(days=EVERY_DAY, steps=(rate(1, 1),)),), "not a rate at 00:00"),
        ((Pattern(days=EVERY_DAY, steps=(bolus(0, 1, 1),)),), "not a rate at 00:00"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1), rate(60, 2), rate(60, 3))),), "not in order"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1), rate(60, 2), rate(59, 3))),), "not in order"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1), bolus(60, 2, 0))),), "duration"),
        ((Pattern(days=EVERY_DAY, steps=(Step(start_min=0, kind=StepKind.RATE, amount=1, duration_min=5),)),), "duration"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1), bolus(60, 2, 31), bolus(90, 2, 30))),), "overlap"),
        ((Pattern(days=EVERY_DAY, steps=(rate(0, 1), bolus(60, 2, 5), bolus(1430, 2, 71))),), "overlap"),
        (
            (
                Pattern(days=TUESDAY_TO_SUNDAY, steps=(rate(0, 1), bolus(1439, 2, 62))),
                Pattern(days=MONDAY, steps=(rate(0, 1), bolus(60, 2, 5))),
            ),
            "overlap",
        ),
    ],
)
def test_patterns_that_are_no_week_are_named_and_not_compiled(patterns: tuple[Pattern, ...], problem: str) -> None:
    found = patterns_problem(patterns)
    assert found is not None
    assert problem in found
    with pytest.raises(CycleError, match=problem) as caught:
        compiled(therapy(Mode.FLEX, patterns=patterns))
    assert caught.value.problem == found


def test_boluses_may_touch_within_a_day_and_across_midnight() -> None:
    steps = (rate(0, 1), bolus(60, 2, 30), bolus(90, 2, 30), bolus(1430, 2, 70))
    assert patterns_problem((Pattern(days=EVERY_DAY, steps=steps),)) is None


@pytest.mark.parametrize("periodic", [(5, 0, 60), (5, 61, 60), (5, 10, 0)])
def test_a_periodic_bolus_without_room_is_not_compiled(periodic: tuple[int, int, int]) -> None:
    with pytest.raises(CycleError, match="periodic"):
        compiled(therapy(Mode.PERIODIC_BOLUS, flow=1, periodic=periodic))


def test_a_pulse_volume_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="pulse volume"):
        compile_cycle(therapy(Mode.STOPPED), MINIMUM_RATE, 0, 0)


def test_the_anchor_moves_only_with_mode_and_period() -> None:
    old = therapy(Mode.PERIODIC_BOLUS, flow=MINIMUM_RATE, periodic=(20, 30, 360))
    for same in ((50_000, (20, 30, 360)), (MINIMUM_RATE, (21, 30, 360)), (MINIMUM_RATE, (20, 31, 360))):
        assert periodic_anchor_ms(therapy(Mode.PERIODIC_BOLUS, flow=same[0], periodic=same[1]), old, 100, 900) == 100
    other_period = therapy(Mode.PERIODIC_BOLUS, flow=MINIMUM_RATE, periodic=(20, 30, 361))
    assert periodic_anchor_ms(other_period, old, 100, 900) == 900
    assert periodic_anchor_ms(old, None, 0, 900) == 900
    assert periodic_anchor_ms(old, therapy(Mode.CONTINUOUS, flow=50_000), 100, 900) == 900


def test_a_full_size_week_looks_up_in_its_own_tables() -> None:
    steps = tuple(rate(30 * slot, 50_000 + slot) if slot % 3 else rate(30 * slot, 60_000) for slot in range(48))
    patterns = tuple(Pattern(days=1 << day, steps=steps) for day in range(7))
    cycle = compiled(therapy(Mode.FLEX, patterns=patterns))
    assert len(cycle.segments) == 7 * 48
    index = bisect_right(cycle.starts_ms, 3 * DAY_MS + 95 * MINUTE_MS) - 1
    assert cycle.segments[index].start_ms == 3 * DAY_MS + 90 * MINUTE_MS
