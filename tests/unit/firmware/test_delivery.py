"""Pulses in closed form against a pump stepped one millisecond at a time, and against the schedule over months."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.cycle import DAY_MS, HOUR_MS, MINUTE_MS, UNITS_PER_NL, Cycle, Segment
from firmware_sim.firmware.delivery import BolusSource, ConstantSource, CycleSource, Delivery, NoFlow, Phase, Source, resume_delivery
from firmware_sim.port import PulseTrain


def next_phase(delivery: Delivery, source: Source, at_ms: int) -> Delivery:
    """End the phase and begin another as the pump does: from what it journals at `at_ms`."""
    return resume_delivery(
        delivery.phase.pulse_volume_nL,
        source,
        at_ms,
        residual_units=delivery.residual_at(at_ms),
        lifetime_pulses=delivery.lifetime_at(at_ms),
        bolus_counter=delivery.bolus_counter_at(at_ms),
    )


def square_wave(low: int, high_units: int, high_ms: int, length_ms: int, offset_ms: int) -> Cycle:
    """A short cycle, a bolus and then a rate, so that a stepper can walk round it."""
    segments = (Segment(0, high_ms, high_units, True), Segment(high_ms, length_ms - high_ms, low * (length_ms - high_ms), False))
    return Cycle(
        length_ms, offset_ms, None, segments, (0, high_ms), (0, high_units), high_units + segments[1].volume_units, edges_ms=(0, high_ms)
    )


@st.composite
def short_sources(draw: st.DrawFn, at_ms: int, length_ms: int, pulse_nL: int) -> Source:
    kind = draw(st.sampled_from(["cycle", "bolus", "constant", "none"]))
    if kind == "bolus":
        return BolusSource(draw(st.integers(0, 40)), draw(st.integers(1, length_ms)), at_ms, pulse_nL)
    if kind == "constant":
        return ConstantSource(draw(st.integers(0, 3 * pulse_nL * UNITS_PER_NL)))
    if kind == "cycle":
        length = draw(st.integers(2, 50))
        units = draw(st.integers(0, 20)) * pulse_nL * UNITS_PER_NL
        low = draw(st.integers(0, 10**8))
        return CycleSource(square_wave(low, units, draw(st.integers(1, length - 1)), length, draw(st.integers(-40, 40))))
    return NoFlow()


@pytest.mark.sr("SR-24")
@settings(max_examples=60, deadline=None)
@given(st.data(), st.integers(1, 3), st.lists(st.integers(1, 60), min_size=1, max_size=6))
def test_closed_form_pulses_are_those_of_a_pump_stepped_each_millisecond(data: st.DataObject, pulse_nL: int, lengths: list[int]) -> None:
    pulse_units = pulse_nL * UNITS_PER_NL
    at_ms = data.draw(st.integers(0, 1000))
    stepped_residual = data.draw(st.integers(-pulse_units // 2, (pulse_units - 1) // 2))
    stepped_lifetime = stepped_bolus = 0
    delivery = resume_delivery(pulse_nL, NoFlow(), at_ms, residual_units=stepped_residual)
    for length_ms in lengths:
        source = data.draw(short_sources(at_ms, length_ms, pulse_nL))
        delivery = next_phase(delivery, source, at_ms)
        given_in_phase = 0
        for now_ms in range(at_ms + 1, at_ms + length_ms + 1):
            stepped_residual += source.volume_units(now_ms - 1, now_ms)
            while 2 * stepped_residual >= pulse_units:
                stepped_residual -= pulse_units
                stepped_lifetime += 1
                given_in_phase += 1
                stepped_bolus += isinstance(source, BolusSource)
                assert delivery.phase.time_of_pulse(given_in_phase) == now_ms
                assert delivery.time_of_lifetime(stepped_lifetime) == now_ms
            assert delivery.lifetime_at(now_ms) == stepped_lifetime
            assert delivery.bolus_counter_at(now_ms) == stepped_bolus
            assert delivery.residual_at(now_ms) == stepped_residual
            assert delivery.phase.count_at(now_ms) == given_in_phase
        at_ms += length_ms


month_sources = st.one_of(
    st.builds(ConstantSource, st.integers(0, 24_000_000)),
    st.builds(NoFlow),
    st.builds(
        lambda low, pulses, high_min, more_min, offset: CycleSource(
            square_wave(low, pulses * 500 * UNITS_PER_NL, high_min * MINUTE_MS, (high_min + more_min) * MINUTE_MS, offset)
        ),
        st.integers(0, 1_000_000),
        st.integers(0, 400),
        st.integers(1, 600),
        st.integers(1, 6000),
        st.integers(-DAY_MS, DAY_MS),
    ),
)
bolus_phases = st.tuples(st.integers(0, 700), st.integers(60_000, DAY_MS))


@pytest.mark.sr("SR-24", "SR-28")
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.one_of(month_sources, bolus_phases), st.integers(0, 120 * DAY_MS)), min_size=1, max_size=8),
    st.lists(st.integers(0, 1000), min_size=4, max_size=4),
)
def test_pulses_stay_within_half_a_pulse_of_the_schedule_over_months_of_changes(
    phases: list[tuple[Source | tuple[int, int], int]], marks: list[int]
) -> None:
    delivery = resume_delivery(500, NoFlow(), 0)
    pulse_units = delivery.phase.pulse_units
    at_ms = scheduled_before = 0
    for spec, length_ms in phases:
        source = BolusSource(spec[0], spec[1], at_ms, 500) if isinstance(spec, tuple) else spec
        delivery = next_phase(delivery, source, at_ms)
        sampled = {at_ms, at_ms + length_ms, *(at_ms + length_ms * mark // 1000 for mark in marks)}
        for now_ms in sorted(sampled):
            instant_ms = delivery.next_pulse_after(now_ms)
            if instant_ms is not None and instant_ms < at_ms + length_ms:
                sampled.update((instant_ms - 1, instant_ms, instant_ms + 1))
                assert delivery.lifetime_at(instant_ms) > delivery.lifetime_at(instant_ms - 1) == delivery.lifetime_at(now_ms)
        last = 0
        for now_ms in sorted(sampled):
            lifetime = delivery.lifetime_at(now_ms)
            error = scheduled_before + source.volume_units(at_ms, now_ms) - lifetime * pulse_units
            assert -pulse_units <= 2 * error < pulse_units
            assert delivery.total_units_at(now_ms) == scheduled_before + source.volume_units(at_ms, now_ms)
            assert lifetime >= last
            last = lifetime
        scheduled_before += source.volume_units(at_ms, at_ms + length_ms)
        at_ms += length_ms


@pytest.mark.sr("SR-26")
@given(st.integers(0, 5000), st.integers(1, DAY_MS), st.integers(1, 4000), st.integers(0, 10**12), st.integers(0, 10**9))
def test_a_bolus_gives_exactly_its_pulses_whatever_was_left_over(
    pulses: int, duration_ms: int, pulse_nL: int, start_ms: int, part: int
) -> None:
    pulse_units = pulse_nL * UNITS_PER_NL
    residual = -pulse_units // 2 + (pulse_units - 1) * part // 10**9
    phase = Phase(start_ms, residual, pulse_nL, BolusSource(pulses, duration_ms, start_ms, pulse_nL))
    assert phase.count_at(start_ms) == 0
    assert phase.count_at(start_ms + duration_ms) == pulses
    assert phase.count_at(start_ms + 10 * DAY_MS) == pulses
    assert phase.residual_at(start_ms + duration_ms) == residual
    assert phase.time_of_pulse(pulses + 1) is None
    if pulses:
        first, last = phase.time_of_pulse(1), phase.time_of_pulse(pulses)
        assert first is not None
        assert last is not None
        assert start_ms < first <= last <= start_ms + duration_ms


def test_the_extreme_residuals_put_the_first_and_the_last_pulse_at_the_rims() -> None:
    half = 500 * UNITS_PER_NL // 2
    early = Phase(0, half - 1, 500, BolusSource(10, 1000, 0, 500))
    late = Phase(0, -half, 500, BolusSource(10, 1000, 0, 500))
    assert early.time_of_pulse(1) == 1
    assert late.time_of_pulse(10) == 1000


@pytest.mark.sr("SR-49")
def test_an_interrupted_bolus_counts_what_it_gave_and_catches_nothing_up() -> None:
    delivery = resume_delivery(500, ConstantSource(500_000), 0, residual_units=7, lifetime_pulses=1000, bolus_counter=40)
    delivery = next_phase(delivery, BolusSource(50, HOUR_MS, 10_000, 500), 10_000)
    cut_ms = 10_000 + HOUR_MS // 3
    given = delivery.bolus_counter_at(cut_ms) - 40
    assert given in (16, 17)
    after = next_phase(delivery, ConstantSource(500_000), cut_ms)
    assert after.bolus_before == 40 + given
    assert after.bolus_counter_at(cut_ms + DAY_MS) == 40 + given
    assert after.total_units_at(cut_ms) == 1000 * 500 * UNITS_PER_NL + 7 + 500_000 * 10_000 + 50 * 500 * UNITS_PER_NL // 3


def test_a_pattern_bolus_does_not_move_the_bolus_counter() -> None:
    cycle = square_wave(0, 20 * 500 * UNITS_PER_NL, HOUR_MS, DAY_MS, 0)
    delivery = resume_delivery(500, CycleSource(cycle), 0, bolus_counter=3)
    assert delivery.lifetime_at(HOUR_MS) == 20
    assert delivery.bolus_counter_at(HOUR_MS) == 3


@pytest.mark.sr("SR-22")
def test_a_stopped_pump_gives_no_pulse_and_starts_again_with_what_was_left() -> None:
    running = resume_delivery(500, ConstantSource(480_000), 0)
    stopped = next_phase(running, NoFlow(), 12_345_678)
    assert stopped.lifetime_at(12_345_678 + 400 * DAY_MS) == running.lifetime_at(12_345_678)
    assert stopped.next_pulse_after(12_345_678) is None
    again = next_phase(stopped, ConstantSource(480_000), 12_345_678 + 400 * DAY_MS)
    assert again.phase.residual_units == running.residual_at(12_345_678)


@pytest.mark.sr("SR-24")
def test_resuming_from_persisted_counters_gives_the_same_pulses_as_never_having_stopped() -> None:
    source = CycleSource(square_wave(333_333, 77 * 500 * UNITS_PER_NL, 3 * HOUR_MS, DAY_MS, 4711))
    whole = resume_delivery(500, source, 0)
    at_ms = 17 * DAY_MS + 98_765
    half = resume_delivery(500, source, at_ms, residual_units=whole.residual_at(at_ms), lifetime_pulses=whole.lifetime_at(at_ms))
    for later_ms in range(at_ms, at_ms + DAY_MS, 7_777_777):
        assert half.lifetime_at(later_ms) == whole.lifetime_at(later_ms)
        assert half.next_pulse_after(later_ms) == whole.next_pulse_after(later_ms)


def test_the_time_of_a_lifetime_count_finds_the_end_of_a_bridge() -> None:
    delivery = resume_delivery(500, ConstantSource(432_000), 1000, lifetime_pulses=200)
    end_ms = delivery.time_of_lifetime(832)
    assert end_ms is not None
    assert delivery.lifetime_at(end_ms) == 832
    assert delivery.lifetime_at(end_ms - 1) == 831
    assert delivery.time_of_lifetime(200) == 1000
    assert delivery.time_of_lifetime(150) == 1000
    assert resume_delivery(500, NoFlow(), 0).time_of_lifetime(1) is None


def test_flow_and_breakpoints_of_the_plain_sources() -> None:
    bolus = BolusSource(10, 600_000, 1000, 500)
    assert [bolus.flow_at(at_ms) for at_ms in (999, 1000, 600_999, 601_000)] == [0, 720_000, 720_000, 0]
    assert list(bolus.breakpoints(0, 10**7)) == [1000, 601_000]
    assert list(bolus.breakpoints(1000, 601_000)) == [601_000]
    assert bolus.volume_units(0, 10**9) == bolus.whole_units
    assert bolus.uptime_of_volume(0, bolus.whole_units) == bolus.end_ms
    assert list(ConstantSource(5).breakpoints(0, 10**9)) == []
    assert resume_delivery(500, ConstantSource(5), 0).flow_at(3) == 5


def test_a_phase_is_a_pulse_train_of_the_port() -> None:
    train: PulseTrain = Phase(100, 0, 500, ConstantSource(432_000))
    assert train.start_ms == 100
    assert train.count_at(50) == train.count_at(100) == 0
    assert train.time_of_pulse(1) == 100 + 50_000
    assert train.time_of_pulse(2) == 100 + 150_000


def test_what_has_no_meaning_is_refused() -> None:
    delivery = resume_delivery(500, NoFlow(), 100)
    half = 500 * UNITS_PER_NL // 2
    with pytest.raises(ValueError, match="residual"):
        Phase(0, half, 500, NoFlow())
    with pytest.raises(ValueError, match="residual"):
        Phase(0, -half - 1, 500, NoFlow())
    with pytest.raises(ValueError, match="numbered from 1"):
        delivery.phase.time_of_pulse(0)
    with pytest.raises(ValueError, match="not a bolus"):
        BolusSource(1, 0, 0, 500)
    with pytest.raises(ValueError, match="negative"):
        ConstantSource(-1)
    with pytest.raises(ValueError, match="negative"):
        resume_delivery(500, NoFlow(), 0, lifetime_pulses=-1)
    with pytest.raises(ValueError, match="pulse volume"):
        Phase(0, 0, 0, NoFlow())
    with pytest.raises(ValueError, match="cannot end"):
        ConstantSource(1).volume_units(1, 0)


def test_states_are_values() -> None:
    assert resume_delivery(500, NoFlow(), 0) == resume_delivery(500, NoFlow(), 0)
    assert isinstance(resume_delivery(500, NoFlow(), 0), Delivery)
    assert NoFlow() != ConstantSource(0)
