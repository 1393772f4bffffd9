"""The pieces of a course and of the past, each figure by hand: volumes, edges, and the largest 24 h made of them."""

from __future__ import annotations

from fractions import Fraction

import pytest

from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, MassRate
from itbpump.safety.across import (
    NG,
    NOTHING,
    Course,
    Past,
    Phase,
    anywhere_in,
    begun,
    ended,
    given_at,
    highest_24h_across,
    ran_until,
    sum_of_last_24h,
    together,
)
from itbpump.schedule import UNITS_PER_NL, Schedule

HALF_HOUR = MS_PER_HOUR // 2
# 50,000 nL in the first hour, then 1,000 nL an hour: 56,000 nL in 7 h
PERIOD = Schedule.periodic(pulses=100, pulse_nL=500, duration_min=60, every_min=7 * 60, flow_nL_per_day=24_000)
LONG_PERIOD = Schedule.periodic(pulses=100, pulse_nL=500, duration_min=60, every_min=25 * 60, flow_nL_per_day=24_000)
HOURLY = Schedule.constant(24_000)  # 1,000 nL an hour


def of_nL(nL_times_ng_per_mL: int) -> int:
    """The unit of `Phase.mass`."""
    return nL_times_ng_per_mL * UNITS_PER_NL


def hours(*values: float) -> list[int]:
    return [int(value * MS_PER_HOUR) for value in values]


# ------------------------------------------------------------------------------------------------ after the commit
def test_a_phase_counts_from_its_own_time() -> None:
    phase = Phase(PERIOD, HALF_HOUR, 3)
    assert phase.mass(MS_PER_HOUR) == of_nL(3 * (25_000 + 500))  # half a bolus, half an hour of background
    assert phase.mass(0) == 0


def test_a_course_without_its_last_phase_is_refused() -> None:
    ends, goes_on = Phase(HOURLY, 0, 1, MS_PER_HOUR), Phase(HOURLY, 0, 1)
    for wrong in ((), (ends,), (goes_on, goes_on), (goes_on, ends, goes_on)):
        with pytest.raises(ValueError, match=r"^a course is phases that end, then one that does not$"):
            Course(wrong)


def test_a_course_adds_its_phases_and_knows_where_they_change() -> None:
    course = Course(
        [Phase(PERIOD, 0, 2, HALF_HOUR), Phase(HOURLY, 5 * MS_PER_HOUR, 1, MS_PER_HOUR), Phase(Schedule.constant(48_000), 0, 5)]
    )
    assert course.settled_ms == 3 * HALF_HOUR
    at = [0, HALF_HOUR // 2, HALF_HOUR, MS_PER_HOUR, 3 * HALF_HOUR, 5 * HALF_HOUR]
    assert [course.mass(ms) for ms in at] == [of_nL(sum_) for sum_ in (0, 25_000, 50_000, 50_500, 51_000, 61_000)]
    assert list(course.edges(2 * MS_PER_HOUR)) == hours(0, 0.5, 1.5, 2)
    assert list(course.edges(MS_PER_HOUR)) == hours(0, 0.5, 1)
    assert list(course.edges(HALF_HOUR)) == hours(0, 0.5)
    assert list(course.edges(HALF_HOUR // 2)) == hours(0, 0.25)


def test_edges_are_those_of_the_schedule_at_its_own_time() -> None:
    course = Course([Phase(HOURLY, 0, 1, MS_PER_HOUR), Phase(PERIOD, HALF_HOUR, 1)])
    # the period is half an hour into its bolus when it begins, so the next bolus comes 6.5 h later
    assert list(course.edges(8 * MS_PER_HOUR)) == hours(0, 1, 1.5, 7.5, 8)


# ------------------------------------------------------------------------------------------------ before the commit
def test_what_ran_is_counted_back_from_now() -> None:
    past = ran_until(PERIOD, 2 * MS_PER_HOUR, 3)
    back = {0: 0, 1: 1_000, 2: 51_000, 3: 52_000, 24: 3 * 56_000 + 52_000}  # 24 h: three periods of 7 h and the last 3 h
    assert {hour: past.mass(hour * MS_PER_HOUR) for hour in back} == {hour: of_nL(3 * nL) for hour, nL in back.items()}
    assert list(past.edges) == hours(24, 23, 22, 16, 15, 9, 8, 2, 1, 0)


def test_what_ended_a_while_ago_gave_nothing_since() -> None:
    past = ran_until(PERIOD, 2 * MS_PER_HOUR, 3, HALF_HOUR)
    back = {0: 0, 0.5: 0, 1: 500, 2: 50_500}
    assert {hour: past.mass(int(hour * MS_PER_HOUR)) for hour in back} == {hour: of_nL(3 * nL) for hour, nL in back.items()}
    assert list(past.edges) == hours(24, 23, 22, 16, 15, 9, 8, 2, 1, 0.5)
    assert min(ran_until(PERIOD, 27 * MS_PER_HOUR // 4, 3, HALF_HOUR).edges) == HALF_HOUR  # the bolus that would have come did not
    assert ran_until(PERIOD, 0, 3, MS_PER_DAY) is NOTHING
    assert ran_until(PERIOD, 0, 3, MS_PER_DAY - 1) is not NOTHING
    assert NOTHING.edges == ()
    assert NOTHING.mass(MS_PER_DAY) == 0


def test_a_period_of_unknown_time_gives_the_most_of_any_span() -> None:
    past = anywhere_in(PERIOD, 3)
    back = {0: 0, 0.5: 25_000, 1: 50_000, 7: 56_000, 8: 106_000}
    assert {hour: past.mass(int(hour * MS_PER_HOUR)) for hour in back} == {hour: of_nL(3 * nL) for hour, nL in back.items()}
    assert sorted(past.edges) == hours(0, 1, 6, 7, 8, 13, 14, 15, 20, 21, 22)
    assert sorted(anywhere_in(LONG_PERIOD, 3).edges) == hours(0, 1, 24)  # 24 h after the end of a bolus the next one begins


def test_a_therapy_that_began_gave_nothing_before() -> None:
    past = ran_until(PERIOD, 2 * MS_PER_HOUR, 3)
    young = begun(past, 2 * MS_PER_HOUR)
    assert [young.mass(ms) for ms in hours(1, 2, 24)] == [of_nL(3 * nL) for nL in (1_000, 51_000, 51_000)]
    assert list(young.edges) == hours(1, 0, 2)
    assert begun(past, MS_PER_DAY) is past
    assert begun(past, MS_PER_DAY - 1) is not past


def test_a_therapy_that_ended_is_the_same_earlier() -> None:
    past = ran_until(PERIOD, 2 * MS_PER_HOUR, 3)
    gone = ended(past, 2 * MS_PER_HOUR)
    assert [gone.mass(ms) for ms in hours(1, 2, 3, 4)] == [of_nL(3 * nL) for nL in (0, 0, 1_000, 51_000)]
    assert list(gone.edges) == hours(24, 18, 17, 11, 10, 4, 3, 2, 2)
    assert ended(past, 0) is past
    last = ended(past, 1)
    assert last.mass(MS_PER_HOUR + 1) == of_nL(3 * 1_000)
    long_gone = ended(past, MS_PER_DAY + 1)
    assert long_gone.mass(MS_PER_DAY) == 0
    assert long_gone.edges == (MS_PER_DAY,)


def test_a_bolus_counts_whole_from_its_end_on() -> None:
    past = given_at([(0, 5), (MS_PER_DAY - 1, 7), (MS_PER_DAY, 11)])
    assert [past.mass(back) for back in (0, 1, MS_PER_DAY - 1, MS_PER_DAY)] == [0, 5 * NG, 5 * NG, 12 * NG]
    assert past.edges == (1, MS_PER_DAY, MS_PER_DAY)


def test_two_pasts_add_up() -> None:
    both = together(given_at([(0, 5)]), given_at([(9, 7)]))
    assert [both.mass(back) for back in (0, 1, 10)] == [0, 5 * NG, 12 * NG]
    assert both.edges == (1, 10)
    told = sum_of_last_24h(7)
    assert [told.mass(back) for back in (0, 1, MS_PER_DAY)] == [0, 7 * NG, 7 * NG]
    assert told.edges == (1,)


# ------------------------------------------------------------------------------------------------ the largest 24 h
def highest(past: Past, *phases: Phase) -> list[Fraction | int]:
    """ng of 24 h across the commit, and of 24 h after it."""
    return [rate.ng_per_day for rate in highest_24h_across(past, Course(phases))]


MG_PER_ML = 1_000_000  # ng/mL: 1 nL holds 1 ng


@pytest.mark.sr("SR-07")
def test_the_largest_24_hours_may_begin_anywhere_before_the_commit() -> None:
    # A bolus of 50,000 ended 3 h ago, beside 1,000 an hour; that of the new therapy ends 11 h after the commit, and nothing beside it.
    # 24 h that end with it hold 13 h of the old therapy: 9,000 before its bolus, 50,000, 3,000 after it.
    old = ran_until(Schedule.periodic(100, 500, 60, 24 * 60, 24_000), 4 * MS_PER_HOUR, MG_PER_ML)
    new = Phase(Schedule.periodic(100, 500, 60, 24 * 60, 0), 14 * MS_PER_HOUR, MG_PER_ML)
    assert highest(old, new) == [62_000 + 50_000, 50_000]
    # The edge of the new therapy decides: 8,000 an hour for the first 2 h, nothing after; before it 1,000 an hour.
    first, rest = Phase(Schedule.constant(8 * 24_000), 0, MG_PER_ML, 2 * MS_PER_HOUR), Phase(Schedule.constant(0), 0, MG_PER_ML)
    assert highest(ran_until(HOURLY, 0, MG_PER_ML), first, rest) == [22_000 + 16_000, 16_000]


@pytest.mark.sr("SR-07")
def test_the_largest_24_hours_may_begin_anywhere_until_the_course_has_settled() -> None:
    # 500 an hour for 3 h, 2,000 an hour for 10 h, then 1,000 an hour: the 24 h from the second phase on.
    first = Phase(Schedule.constant(12_000), 0, MG_PER_ML, 3 * MS_PER_HOUR)
    second = Phase(Schedule.constant(48_000), 0, MG_PER_ML, 10 * MS_PER_HOUR)
    assert highest(NOTHING, first, second, Phase(HOURLY, 0, MG_PER_ML)) == [1_500 + 20_000 + 11_000, 20_000 + 14_000]
    # Nothing for 26 h, then a bolus of 50,000 every 20 h: 24 h that begin as the course settles hold two of them.
    still = Phase(Schedule.constant(0), 0, MG_PER_ML, 26 * MS_PER_HOUR)
    often = Phase(Schedule.periodic(100, 500, 60, 20 * 60, 0), 0, MG_PER_ML)
    assert highest(NOTHING, still, often) == [0, 100_000]
    # 1,000 an hour for 2 h, then 500 an hour, and a bolus of 50,000 in the 23rd hour after that: 24 h from 1 h on.
    slug = Phase(HOURLY, 0, MG_PER_ML, 2 * MS_PER_HOUR)
    late = Phase(Schedule.periodic(100, 500, 60, 48 * 60, 12_000), 26 * MS_PER_HOUR, MG_PER_ML)
    assert highest(NOTHING, slug, late) == [2_000 + 11_000, 1_000 + 11_000 + 50_000]


def test_a_rate_is_exact() -> None:
    across, _ = highest_24h_across(given_at([(0, 1)]), Course([Phase(HOURLY, 0, 1)]))
    assert across == MassRate(1 + Fraction(24_000, 1_000_000) * Fraction(MS_PER_DAY - 1, MS_PER_DAY))
