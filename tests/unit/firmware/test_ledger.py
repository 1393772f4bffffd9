"""Mass of the last 24 h against plain sums, its durable form, the largest mass to come, and the record of patient boluses."""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.cycle import DAY_MS, HOUR_MS, MINUTE_MS
from firmware_sim.firmware.delivery import BolusSource, ConstantSource, NoFlow, Source
from firmware_sim.firmware.ledger import (
    BUCKETS,
    MASS_UNITS_PER_NG,
    MAX_ENTRIES,
    Denial,
    Ledger,
    Lump,
    PatientRecord,
    Stretch,
    mass_ng,
    mass_ng_up,
    max_future_mass_24h,
    never_more,
)

STRONG, WEAK = 2_000_000, 500_000
DAY_MIN = 1440


@st.composite
def histories(draw: st.DrawFn, most: int = 10) -> list[Stretch]:
    """Phases one after the other, cut at whole minutes."""
    at_ms = draw(st.integers(0, 3000)) * MINUTE_MS
    history = []
    for _ in range(draw(st.integers(1, most))):
        length_ms = draw(st.integers(1, 900)) * MINUTE_MS
        source: Source = NoFlow()
        match draw(st.integers(0, 2)):
            case 0:
                source = ConstantSource(draw(st.integers(0, 1_000_000)))
            case 1:
                source = BolusSource(draw(st.integers(1, 100)), length_ms, at_ms, 500)
        history.append(Stretch(at_ms, at_ms + length_ms, source, draw(st.sampled_from([STRONG, WEAK]))))
        at_ms += length_ms
    return history


def kept(history: list[Stretch]) -> Ledger:
    ledger = Ledger()
    for stretch in history:
        ledger = ledger.begin(stretch.source, stretch.concentration_ng_per_mL, stretch.from_ms)
    return ledger


def plain_mass_units(history: list[Stretch], from_ms: int, to_ms: int) -> Fraction:
    """Flow × time × concentration, phase by phase."""
    total = Fraction(0)
    for stretch in history:
        overlap = min(to_ms, stretch.to_ms) - max(from_ms, stretch.from_ms)
        if overlap > 0:
            whole = stretch.source.volume_units(stretch.from_ms, stretch.to_ms)
            total += Fraction(whole * overlap, stretch.to_ms - stretch.from_ms) * stretch.concentration_ng_per_mL
    return total


@pytest.mark.sr("SR-07")
@settings(max_examples=60, deadline=None)
@given(histories(), st.integers(0, DAY_MS))
def test_the_mass_of_the_last_24_h_is_the_sum_over_its_phases(history: list[Stretch], back_ms: int) -> None:
    ledger, now_ms = kept(history), history[-1].to_ms
    exact = plain_mass_units(history, now_ms - back_ms, now_ms)
    assert abs(ledger.mass_units_between(now_ms - back_ms, now_ms) - exact) <= STRONG * len(history)
    assert ledger.mass_24h(now_ms) == mass_ng(ledger.mass_units_between(now_ms - DAY_MS, now_ms))
    assert all(entry.to_ms > now_ms - 2 * DAY_MS for entry in ledger.closed)


def test_a_constant_day_weighs_its_flow_times_its_concentration() -> None:
    ledger = Ledger().begin(ConstantSource(100_000), STRONG, 0)
    assert ledger.mass_24h(DAY_MS) == 200_000
    assert ledger.mass_24h(400 * DAY_MS) == 200_000
    assert ledger.mass_24h(HOUR_MS) == 200_000 // 24
    assert ledger.mass_between(5 * HOUR_MS, 5 * HOUR_MS) == 0


def test_mass_counts_at_the_concentration_of_its_own_phase() -> None:
    ledger = Ledger().begin(ConstantSource(100_000), WEAK, 0).begin(ConstantSource(100_000), STRONG, DAY_MS // 2)
    assert ledger.mass_24h(DAY_MS) == 25_000 + 100_000
    assert Ledger().mass_24h(DAY_MS) == 0


@pytest.mark.sr("SR-07")
@settings(max_examples=40, deadline=None)
@given(histories(), st.integers(0, 30 * HOUR_MS))
def test_the_durable_form_never_counts_less_and_at_most_an_hour_more(history: list[Stretch], later_ms: int) -> None:
    ledger, now_ms = kept(history), history[-1].to_ms
    restored = Ledger.from_buckets(ledger.buckets(now_ms), now_ms)
    window_end = now_ms + later_ms
    # nothing more is given: only what leaves the window matters
    exact = plain_mass_units(history, window_end - DAY_MS, window_end)
    hour_more = plain_mass_units(history, window_end - DAY_MS - HOUR_MS, window_end)
    got = restored.mass_units_between(window_end - DAY_MS, window_end)
    assert exact - STRONG * len(history) <= got <= hour_more + (BUCKETS + 1) * MASS_UNITS_PER_NG


@pytest.mark.sr("SR-07")
def test_a_lump_is_kept_in_the_hour_it_ends_in_and_dropped_when_that_has_left_the_buckets() -> None:
    lump = Lump(0, HOUR_MS, 5_000 * MASS_UNITS_PER_NG)
    ledger = Ledger((lump,)).begin(ConstantSource(0), STRONG, HOUR_MS)
    assert ledger.buckets(BUCKETS * HOUR_MS) == (5_000, *(0,) * (BUCKETS - 1))
    assert ledger.buckets(BUCKETS * HOUR_MS + 1) == (0,) * BUCKETS


def test_buckets_are_whole_hours_of_uptime_and_survive_a_second_reset() -> None:
    ledger = Ledger().begin(ConstantSource(24_000), STRONG, 0)
    at_ms = 30 * HOUR_MS + 30 * MINUTE_MS
    buckets = ledger.buckets(at_ms)
    assert buckets == (*(2000,) * 24, 1000)
    again = Ledger.from_buckets(buckets, at_ms)
    assert again.buckets(at_ms) == buckets
    later = again.begin(NoFlow(), STRONG, at_ms + 2 * HOUR_MS)
    assert later.buckets(at_ms + 2 * HOUR_MS) == (*buckets[2:], 0, 0)


def test_buckets_of_a_young_pump_start_before_its_birth() -> None:
    assert Ledger().begin(ConstantSource(24_000), STRONG, 0).buckets(0) == (0,) * BUCKETS
    assert Ledger().begin(ConstantSource(24_000), STRONG, 0).buckets(HOUR_MS) == (*(0,) * 24, 2000)


@pytest.mark.parametrize("buckets", [(0,) * 24, (0,) * 26, (*(0,) * 24, -1)])
def test_a_damaged_durable_form_is_refused(buckets: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="durable ledger"):
        Ledger.from_buckets(buckets, DAY_MS)


@pytest.mark.sr("SR-07")
def test_more_phases_than_the_pump_can_hold_count_too_high_never_too_low() -> None:
    ledger, history = Ledger(), []
    for index in range(300):
        at_ms = index * 7 * MINUTE_MS
        source = BolusSource(index % 5 + 1, 7 * MINUTE_MS, at_ms, 500) if index % 2 else ConstantSource(50_000 + index)
        ledger = ledger.begin(source, STRONG, at_ms)
        history.append(Stretch(at_ms, at_ms + 7 * MINUTE_MS, source, STRONG))
        assert len(ledger.closed) <= MAX_ENTRIES
    now_ms = history[-1].to_ms
    exact = plain_mass_units(history, now_ms - DAY_MS, now_ms)
    assert exact <= ledger.mass_units_between(now_ms - DAY_MS, now_ms) <= exact * 11 // 10
    assert sum(ledger.buckets(now_ms)) * MASS_UNITS_PER_NG >= exact


def test_a_lump_counts_whole_in_every_window_that_reaches_into_it() -> None:
    lump = Lump(100, 200, 7)
    assert [lump.mass_units_between(*span) for span in ((0, 100), (0, 101), (150, 160), (199, 300), (200, 300))] == [0, 7, 7, 7, 0]


@pytest.mark.sr("SR-54")
def test_time_does_not_run_backwards_in_the_ledger() -> None:
    ledger = Ledger().begin(NoFlow(), STRONG, 100)
    with pytest.raises(ValueError, match="not a stretch"):
        ledger.begin(NoFlow(), STRONG, 99)


# ------------------------------------------------------------------------------------------------ the next 48 hours


def slow_maximum(history: list[Stretch], plan: list[Stretch], now_ms: int) -> Fraction:
    """Every window that ends on a minute; all cuts are on minutes, so the largest is among them (or ends 1 ms after now)."""
    everything = [*history, *plan]
    first_ms = now_ms - DAY_MS
    reached = [Fraction(0)]
    for minute in range(3 * DAY_MIN):
        start_ms = first_ms + minute * MINUTE_MS
        flow = next((_flow(stretch) for stretch in everything if stretch.from_ms <= start_ms < stretch.to_ms), Fraction(0))
        reached.append(reached[-1] + flow * MINUTE_MS)
    on_minutes = max(reached[end] - reached[end - DAY_MIN] for end in range(DAY_MIN + 1, 3 * DAY_MIN + 1))
    return max(on_minutes, plain_mass_units(everything, now_ms + 1 - DAY_MS, now_ms + 1))


def _flow(stretch: Stretch) -> Fraction:
    whole = stretch.source.volume_units(stretch.from_ms, stretch.to_ms) * stretch.concentration_ng_per_mL
    return Fraction(whole, stretch.to_ms - stretch.from_ms)


@pytest.mark.sr("SR-07")
@settings(max_examples=12, deadline=None)
@given(st.data(), histories(most=6))
def test_the_largest_mass_to_come_is_that_of_the_worst_window(data: st.DataObject, history: list[Stretch]) -> None:
    now_ms = history[-1].to_ms
    shift_ms = now_ms - (first := data.draw(histories(most=6)))[0].from_ms
    plan = []
    for stretch in first:
        source = stretch.source
        if isinstance(source, BolusSource):
            source = BolusSource(source.pulses, source.duration_ms, source.start_ms + shift_ms, 500)
        plan.append(Stretch(stretch.from_ms + shift_ms, stretch.to_ms + shift_ms, source, stretch.concentration_ng_per_mL))
    expected = slow_maximum(history, plan, now_ms)
    found = max_future_mass_24h(kept(history), plan, now_ms)
    assert 0 <= found - expected / MASS_UNITS_PER_NG <= 1 + Fraction(1, 1000)


def test_a_bolus_on_top_of_a_steady_day_counts_with_what_was_given_and_what_it_replaces() -> None:
    now_ms = 10 * DAY_MS
    ledger = Ledger().begin(ConstantSource(100_000), STRONG, 0)
    bolus = BolusSource(100, HOUR_MS, now_ms, 500)
    plan = [
        Stretch(now_ms, now_ms + HOUR_MS, bolus, STRONG),
        Stretch(now_ms + HOUR_MS, now_ms + 2 * DAY_MS, ConstantSource(100_000), STRONG),
    ]
    assert max_future_mass_24h(ledger, plan, now_ms) == -(-(200_000 * 23) // 24) + 100_000


def test_what_was_given_counts_even_when_nothing_follows() -> None:
    ledger = Ledger().begin(ConstantSource(100_000), STRONG, 0)
    assert max_future_mass_24h(ledger, [], 10 * DAY_MS) == 200_000  # all but 1 ms of it, rounded up
    restored = Ledger.from_buckets(ledger.buckets(10 * DAY_MS), 10 * DAY_MS)
    assert max_future_mass_24h(restored, [], 10 * DAY_MS) >= 200_000
    assert max_future_mass_24h(Ledger(), [], 10 * DAY_MS) == 0


def test_a_restored_hour_counts_whole_until_it_has_left_the_window() -> None:
    now_ms = DAY_MS + HOUR_MS // 2
    restored = Ledger.from_buckets((*(0,) * 23, 5000, 0), now_ms)  # given in the hour before the present one
    last_ms = 24 * HOUR_MS + DAY_MS
    late = [Stretch(last_ms - 2 * MINUTE_MS, last_ms - MINUTE_MS, BolusSource(1, MINUTE_MS, last_ms - 2 * MINUTE_MS, 500), STRONG)]
    assert max_future_mass_24h(restored, late, now_ms) == 6000
    too_late = [Stretch(last_ms, last_ms + MINUTE_MS, BolusSource(1, MINUTE_MS, last_ms, 500), STRONG)]
    assert max_future_mass_24h(restored, too_late, now_ms) == 5000


def test_the_worst_window_may_be_the_last_that_reaches_into_a_restored_hour() -> None:
    restored = Ledger.from_buckets((*(0,) * 24, 5000), 10 * DAY_MS)
    plan = [Stretch(10 * DAY_MS, 12 * DAY_MS, ConstantSource(12_000), STRONG)]
    # 24,000 ng a day: all but the last ms of the first day, then the restored hour is out
    assert max_future_mass_24h(restored, plan, 10 * DAY_MS) == 5000 + 24_000


def test_a_plan_out_of_order_or_in_the_past_is_refused() -> None:
    stretch = Stretch(100, 200, NoFlow(), STRONG)
    with pytest.raises(ValueError, match="plan"):
        max_future_mass_24h(Ledger(), [stretch], 101)
    with pytest.raises(ValueError, match="plan"):
        max_future_mass_24h(Ledger(), [stretch, Stretch(150, 300, NoFlow(), STRONG)], 100)


def test_rounding_is_down_for_reports_and_up_for_limits() -> None:
    assert (mass_ng(MASS_UNITS_PER_NG + 1), mass_ng_up(MASS_UNITS_PER_NG + 1), mass_ng_up(MASS_UNITS_PER_NG)) == (1, 2, 1)


def test_one_plan_gives_never_more_than_another_only_if_it_is_nowhere_faster() -> None:
    def steady(flow: int, concentration: int = STRONG) -> list[Stretch]:
        return [Stretch(0, 2 * DAY_MS, ConstantSource(flow), concentration)]

    bolus_first = [
        Stretch(0, HOUR_MS, BolusSource(20, HOUR_MS, 0, 500), STRONG),
        Stretch(HOUR_MS, 2 * DAY_MS, ConstantSource(50_000), STRONG),
    ]
    assert never_more(steady(100_000), steady(100_000), 0)
    assert never_more(steady(99_999), steady(100_000), 0)
    assert not never_more(steady(100_001), steady(100_000), 0)
    assert never_more(steady(400_000, WEAK), steady(100_000), 0)
    assert not never_more(steady(400_001, WEAK), steady(100_000), 0)
    assert never_more([], steady(1), 0)
    # less in all, but faster in the first hour
    assert not never_more(bolus_first, steady(100_000), 0)
    assert never_more(bolus_first, bolus_first, 0)


# ------------------------------------------------------------------------------------------------ patient boluses


@pytest.mark.sr("SR-14", "SR-15")
def test_lockout_and_allotment_run_from_start_to_start_on_uptime() -> None:
    lockout_ms = 6 * HOUR_MS
    record = PatientRecord()
    assert record.may_start(0, lockout_ms, 3) is None
    record = record.grant(1000)
    assert record.may_start(1000 + lockout_ms - 1, lockout_ms, 3) is Denial.LOCKOUT
    assert record.lockout_left_ms(1000 + lockout_ms - 1, lockout_ms) == 1
    assert record.may_start(1000 + lockout_ms, lockout_ms, 3) is None
    record = record.grant(1000 + lockout_ms).grant(1000 + 2 * lockout_ms)
    assert record.may_start(1000 + 3 * lockout_ms, lockout_ms, 3) is Denial.ALLOTMENT
    assert record.granted_24h(1000 + DAY_MS - 1) == 3
    assert record.may_start(1000 + DAY_MS - 1, lockout_ms, 3) is Denial.ALLOTMENT
    assert record.may_start(1000 + DAY_MS, lockout_ms, 3) is None
    assert record.deny().deny().denied == 2
    assert (record.granted, record.denied) == (3, 0)


@pytest.mark.sr("SR-14")
@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 5 * HOUR_MS), max_size=80), st.integers(0, 8 * HOUR_MS), st.integers(0, 24))
def test_no_24_h_ever_hold_more_boluses_than_allotted_nor_two_within_the_lockout(gaps: list[int], lockout_ms: int, most: int) -> None:
    record, at_ms, starts = PatientRecord(), 0, []
    for gap_ms in gaps:
        at_ms += gap_ms
        if record.may_start(at_ms, lockout_ms, most) is None:
            record = record.grant(at_ms)
            starts.append(at_ms)
        else:
            record = record.deny()
    assert all(later - earlier >= lockout_ms for earlier, later in pairwise(starts))
    assert all(sum(start <= other < start + DAY_MS for other in starts) <= most for start in starts)
    assert (record.granted, record.denied) == (len(starts), len(gaps) - len(starts))
    assert len(record.starts_ms) <= 24


@pytest.mark.sr("SR-14")
def test_a_lockout_longer_than_a_day_still_holds() -> None:
    record = PatientRecord().grant(0)
    assert record.may_start(3 * DAY_MS, 7 * DAY_MS, 24) is Denial.LOCKOUT
    assert record.granted_24h(3 * DAY_MS) == 0


@pytest.mark.sr("SR-54")
@pytest.mark.parametrize("broken", [{"starts_ms": (2, 1)}, {"starts_ms": tuple(range(25))}, {"granted": -1}, {"denied": -1}])
def test_a_damaged_record_is_refused(broken: dict[str, tuple[int, ...] | int]) -> None:
    with pytest.raises(ValueError, match="not a record"):
        PatientRecord(**broken)  # type: ignore[arg-type]
