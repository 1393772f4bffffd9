"""Companion against pump: pulses against the schedule, volume against the nanolitre, reading against silence (design 6)."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.configuration import week_offset_ms
from itbpump.profiles import load_profile
from itbpump.read_back import compare_read_back
from itbpump.schedule import Schedule, schedule_of_configuration
from itbpump.wire.messages import (
    BolusState,
    CommandKind,
    Configuration,
    ConfigurationSlot,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetReadBack,
    GetResults,
    GetStatus,
    Mode,
    Outcome,
    Pattern,
    Ping,
    QueryCommand,
    ReadBack,
    ResultScope,
    SetClock,
    Stage,
    Step,
    StepKind,
    StopTherapy,
    encode_configuration,
)
from tests.bench.bench_years import WEEKDAY, WEEKEND
from tests.system.rig import DAY_MS, HOUR_MS, PULSE_NL, UNITS_PER_NL, WEEK_MS, WHO, Rig, configuration, therapies

BERLIN = ZoneInfo("Europe/Berlin")
P40 = load_profile("P-40")
MINIMUM_RATE = P40.minimum_rate.whole_nL_per_day


class Expected:
    """The companion's own schedule of a configuration committed at an uptime."""

    def __init__(self, wanted: Configuration, committed_ms: int) -> None:
        self.schedule: Schedule = schedule_of_configuration(wanted, PULSE_NL, MINIMUM_RATE)
        self.shift_ms = -committed_ms if wanted.mode is Mode.PERIODIC_BOLUS else wanted.week_offset_ms

    def units(self, from_ms: int, to_ms: int) -> int:
        return self.schedule.volume_units_between(from_ms + self.shift_ms, to_ms + self.shift_ms)


def periodic(wanted: Configuration) -> tuple[object, ...]:
    """The fields that a periodic therapy's anchor hangs on."""
    return wanted.mode, wanted.periodic_every_min


def half_a_pulse(pulses: int, scheduled_units: int) -> bool:
    return abs(pulses * PULSE_NL * UNITS_PER_NL - scheduled_units) * 2 <= PULSE_NL * UNITS_PER_NL


@pytest.mark.sr("SR-24")
@given(therapies(), st.integers(0, DAY_MS), st.integers(1, 3 * DAY_MS))
def test_the_pump_is_within_half_a_pulse_of_the_companions_schedule_at_every_instant(wanted: Configuration, wait: int, run: int) -> None:
    rig = Rig()
    rig.pump.advance(wait)
    rig.configure(wanted)
    start = rig.pump.uptime_ms
    rig.pump.advance(run)
    expected = Expected(wanted, start)
    pulses = rig.pump.pulses(start, start + run)
    assert len(pulses) == rig.status().lifetime_pulses
    for count, pulse in enumerate(pulses, start=1):
        # Between pulses the schedule only grows, so the instants just before and at each pulse are the worst.
        assert half_a_pulse(count - 1, expected.units(start, pulse.at_ms - 1))
        assert half_a_pulse(count, expected.units(start, pulse.at_ms))
    assert half_a_pulse(len(pulses), expected.units(start, start + run))


@pytest.mark.sr("SR-24")
@given(st.lists(st.tuples(therapies(), st.integers(1, DAY_MS)), min_size=2, max_size=4), st.integers(10, 30))
def test_changes_and_boluses_carry_the_residual_on(changes: list[tuple[Configuration, int]], bolus: int) -> None:
    rig = Rig()
    scheduled, anchor, before = 0, 0, None
    for wanted, run in changes:
        rig.configure(wanted)
        start = rig.pump.uptime_ms
        # A periodic therapy of the same period goes on in its phase.
        anchor, before = anchor if before is not None and periodic(before) == periodic(wanted) else start, wanted
        expected = Expected(wanted, anchor)
        rig.pump.advance(run)
        scheduled += expected.units(start, start + run)
        assert half_a_pulse(rig.status().lifetime_pulses, scheduled)
        given_at = rig.pump.uptime_ms
        if rig.bolus(bolus, 1_200).outcome is Outcome.APPLIED:
            rig.pump.advance_to(given_at + 1_200_000)
            scheduled += bolus * PULSE_NL * UNITS_PER_NL
            status = rig.status()
            assert (status.bolus_state, status.bolus_delivered) == (BolusState.DONE, bolus)
            assert half_a_pulse(status.lifetime_pulses, scheduled)


@pytest.mark.sr("SR-24")
def test_six_years_of_flex_with_refills_stay_within_half_a_pulse() -> None:
    wanted = configuration(mode=Mode.FLEX, flow_nL_per_day=0, patterns=(_hourly(31, WEEKDAY), _hourly(96, WEEKEND)))
    rig = Rig()
    rig.configure(wanted)
    expected = Expected(wanted, 0)
    for day in range(70, 6 * 365, 70):
        rig.pump.advance_to(day * DAY_MS)
        assert half_a_pulse(rig.status().lifetime_pulses, expected.units(0, rig.pump.uptime_ms))
        rig.configure(wanted)


def _hourly(day_bits: int, flows: tuple[int, ...]) -> Pattern:
    return Pattern(day_bits, tuple(Step(60 * hour, StepKind.RATE, flow, 0) for hour, flow in enumerate(flows)))


@given(therapies())
def test_the_companion_expects_what_the_pump_reads_back(wanted: Configuration) -> None:
    rig = Rig()
    payload = encode_configuration(wanted)
    rig.pump.order(Stage(1, CommandKind.CONFIGURE, 0, len(payload), 0, payload), WHO)
    reply = rig.pump.order(GetReadBack(1), WHO)
    assert isinstance(reply, ReadBack), reply
    assert compare_read_back(wanted, reply, P40) == ()


class Happenings:
    """Things that befall a pump, each by its name; the books are balanced after every one."""

    def __init__(self) -> None:
        self.rig = Rig(fill_nL=20_000_000)
        self.rig.configure(configuration(reservoir_volume_nL=20_000_000))
        self.estimate_nL = self.rig.status().reservoir_nL

    def advance(self, ms: int) -> None:
        self.rig.pump.advance(ms)

    def configure(self, wanted: Configuration) -> None:
        if self.rig.status().bolus_left_ms == 0:
            self.rig.configure(replace(wanted, reservoir_set=False, reservoir_volume_nL=0))

    def bolus(self, pulses: int) -> None:
        self.rig.try_bolus(pulses, 1_800)

    def aspirate(self, volume_nL: int) -> None:
        self.rig.pump.plant.aspirate(min(volume_nL, max(0, self.rig.pump.truth.reservoir_nL - 1_400_000)))

    def fill(self, volume_nL: int) -> None:
        room = 40_000_000 - self.rig.pump.truth.reservoir_nL
        if room > 0:
            self.rig.pump.plant.fill(min(volume_nL, room), 500_000)

    def stop(self, _nothing: int) -> None:
        self.rig.cmd_id += 1
        self.rig.pump.order(StopTherapy(self.rig.cmd_id), WHO)

    def reset(self, dark_ms: int) -> None:
        self.rig.pump.power_cut()
        self.rig.pump.advance(dark_ms)
        self.rig.pump.power_on()

    def stall(self, sticks: bool) -> None:
        self.rig.pump.plant.stalled = sticks

    def balance(self) -> None:
        truth, books = self.rig.pump.truth, self.rig.pump.truth.ledger
        out_nL = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + books.aspirated_nL + books.lost_nL
        assert books.filled_nL + books.initial_path_nL == out_nL
        out_fg = truth.reservoir_fg + sum(truth.path_tanks_ng) * 1e6 + truth.tip_mass_ng * 1e6 + books.aspirated_fg + books.lost_fg
        assert abs(books.filled_fg - out_fg) <= 1e-9 * books.filled_fg
        status = self.rig.status()
        assert 0 <= status.reservoir_nL <= self.estimate_nL  # it rises with a refill only, and nobody told the pump of one
        self.estimate_nL = status.reservoir_nL
        assert truth.encoder_pulses <= truth.commanded_pulses
        assert abs(status.lifetime_pulses - truth.commanded_pulses) <= status.resets


HAPPENINGS = st.one_of(
    st.tuples(st.just("advance"), st.integers(1, 40 * DAY_MS)),
    st.tuples(st.just("configure"), therapies()),
    st.tuples(st.just("bolus"), st.integers(5, 60)),
    st.tuples(st.just("aspirate"), st.integers(0, 10_000_000)),
    st.tuples(st.just("fill"), st.integers(1, 30_000_000)),
    st.tuples(st.just("stop"), st.just(0)),
    st.tuples(st.just("reset"), st.integers(0, HOUR_MS)),
    st.tuples(st.just("stall"), st.booleans()),
)


@pytest.mark.sr("SR-34")
@pytest.mark.sr("SR-48")
@given(st.lists(HAPPENINGS, max_size=10))
def test_volume_is_conserved_to_the_nanolitre_and_drug_to_1e_9_whatever_happens(steps: list[tuple[str, object]]) -> None:
    pump = Happenings()
    for name, value in steps:
        getattr(pump, name)(value)
        pump.balance()


READS = [
    GetInfo(),
    GetStatus(),
    GetLog(0, 25),
    GetConfiguration(ConfigurationSlot.ACTIVE, 0),
    GetConfiguration(ConfigurationSlot.PREVIOUS, 0),
    QueryCommand(1),
    GetResults(ResultScope.OWN, 0),
    GetResults(ResultScope.OTHERS_UNCONFIRMED, 0),
    Ping(1),
]


@pytest.mark.sr("SR-34")
@given(therapies(), st.lists(st.sampled_from(READS), min_size=1, max_size=12), st.integers(0, 50 * DAY_MS), st.integers(1, 50 * DAY_MS))
def test_reading_the_pump_changes_nothing_in_it(wanted: Configuration, reads: list[object], before: int, after: int) -> None:
    read, unread = Rig(), Rig()
    for rig in (read, unread):
        rig.configure(wanted)
        rig.pump.advance(before)
    image = read.pump.memory.image()
    for request in reads:
        read.pump.order(request, WHO)  # type: ignore[arg-type]
    assert read.pump.memory.image() == image
    for rig in (read, unread):
        rig.pump.advance(after)
    assert read.status() == unread.status()
    assert read.pump.save() == unread.pump.save()


@pytest.mark.sr("SR-52")
@given(therapies(), st.lists(st.integers(1_577_836_800, 4_102_444_800), min_size=1, max_size=4))
def test_wall_clock_steps_dst_and_zones_leave_the_dose_of_a_day_unchanged(wanted: Configuration, clocks: list[int]) -> None:
    stepped, steady = Rig(), Rig()
    for rig in (stepped, steady):
        rig.configure(wanted)
    for wall_s in clocks:
        stepped.cmd_id += 1
        stepped.pump.order(SetClock(stepped.cmd_id, wall_s), WHO)
        for rig in (stepped, steady):
            rig.pump.advance(DAY_MS // 2)
    mine, its = ([pulse.at_ms for pulse in rig.pump.pulses(0, rig.pump.uptime_ms)] for rig in (stepped, steady))
    assert mine == its
    assert stepped.status().wall_s != 0


@pytest.mark.sr("SR-52")
@pytest.mark.parametrize("sunday", [datetime(2026, 3, 29, 12, tzinfo=BERLIN), datetime(2026, 10, 25, 12, tzinfo=BERLIN)])
def test_the_pumps_week_does_not_follow_daylight_saving(sunday: datetime) -> None:
    """The week stays at the offset of as_of: a Sunday of 23 or 25 hours by the wall is one of 24 to the pump."""
    as_of = datetime.fromisoformat((sunday - timedelta(days=9)).isoformat())
    passed_ms = (sunday - as_of) // timedelta(milliseconds=1)
    assert as_of.utcoffset() != sunday.utcoffset()
    assert week_offset_ms(as_of, as_of, 0) == week_offset_ms(as_of, sunday, passed_ms)


@pytest.mark.sr("SR-22")
@given(st.integers(1, 400 * DAY_MS))
def test_an_unconfigured_or_stopped_pump_gives_nothing(run: int) -> None:
    rig = Rig()
    rig.pump.advance(run)
    assert rig.pump.truth.commanded_pulses == 0
    rig.configure(configuration(reservoir_volume_nL=38_000_000))
    rig.pump.advance(HOUR_MS)
    rig.cmd_id += 1
    rig.pump.order(StopTherapy(rig.cmd_id), WHO)
    given_before = rig.pump.truth.commanded_pulses
    rig.pump.advance(run)
    assert rig.pump.truth.commanded_pulses == given_before


@pytest.mark.sr("SR-24")
def test_the_week_of_the_pump_repeats_to_the_pulse() -> None:
    wanted = configuration()
    rig = Rig()
    rig.configure(wanted)
    rig.pump.advance(2 * WEEK_MS)
    first = [p.at_ms for p in rig.pump.pulses(0, WEEK_MS)]
    second = [p.at_ms - WEEK_MS for p in rig.pump.pulses(WEEK_MS, 2 * WEEK_MS)]
    assert first == second
