"""The whole plant: what goes in comes out, however time is cut; a twin that steps pulse by pulse agrees."""

from __future__ import annotations

import dataclasses
import json
import tracemalloc
from collections.abc import Callable
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.plant import HistoryGoneError, Plant, PlantError, TruePulse, Truth
from firmware_sim.plant.history import MAX_STRETCHES
from firmware_sim.port import Hardware
from firmware_sim.profiles import PROFILE_NAMES, PlantProfile, load_profile
from tests.unit.plant.trains import DAY_MS, HOUR_MS, YEAR_MS, Even

P20, P40 = load_profile("P-20").plant, load_profile("P-40").plant
# A reservoir of some hundred pulses, so that a short run of random operations meets its ends.
SMALL = dataclasses.replace(P20, capacity_nL=60_000, residual_nL=7_000, path_default_nL=9_000, path_tanks=4, drift_knot_nL=20_000)

OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("drive"), st.integers(0, 60)),
        st.tuples(st.just("fill"), st.integers(1, 30_000), st.sampled_from([0, 500_000, 2_000_000])),
        st.tuples(st.just("aspirate"), st.integers(0, 30_000)),
        st.tuples(st.just("all")),
        st.tuples(st.just("stall"), st.booleans()),
        st.tuples(st.just("pocket"), st.integers(1, 5_000)),
        st.tuples(st.just("implant"), st.integers(1_000, 20_000)),
        st.tuples(st.just("rest")),
        st.tuples(st.just("hand")),
    ),
    max_size=14,
)


class Twin:
    """Steps pulse by pulse and keeps each portion's mass as a fraction; knows volumes only."""

    def __init__(self, plant: Plant) -> None:
        self.motor = plant.motor
        self.residual = plant.profile.residual_nL
        self.volume, self.mass = 0, Fraction(0)
        self.delivered, self.made = 0, 0

    def add(self, volume: int, concentration: int) -> None:
        self.volume += volume
        self.mass += volume * concentration

    def take(self, volume: int) -> None:
        self.mass -= self.mass * volume / self.volume if volume else 0
        self.volume -= volume

    def pulse(self) -> None:
        self.made += 1
        want = self.motor.volume_nL(self.made) - self.motor.volume_nL(self.made - 1)
        got = min(want, max(0, self.volume - self.residual))
        self.take(got)
        self.delivered += got


def check_balance(truth: Truth) -> None:
    known = truth.ledger
    assert known.filled_nL + known.initial_path_nL == (
        truth.reservoir_nL + truth.path_nL + truth.delivered_nL + known.aspirated_nL + known.lost_nL
    )
    inside = truth.reservoir_fg / 1e6 + truth.path_mass_ng + truth.tip_mass_ng + (known.aspirated_fg + known.lost_fg) / 1e6
    assert known.filled_fg / 1e6 == pytest.approx(inside, rel=1e-9, abs=1e-5)


def do(plant: Plant, operation: tuple[object, ...]) -> None:
    """Carry out one operation; what would not fit is left out (another test shows that it is refused)."""
    there = plant.truth().reservoir_nL
    room, drawable = plant.profile.capacity_nL - there, max(0, there - plant.profile.residual_nL)
    match operation:
        case ("drive", int(pulses)):
            plant.drive(Even(plant.now_ms, pulses, HOUR_MS), plant.now_ms + HOUR_MS)
        case ("fill", int(volume), int(concentration)) if volume <= room:
            plant.fill(volume, concentration)
        case ("pocket", int(volume)) if volume <= room:
            plant.fill(volume, 2_000_000, pocket_nL=volume // 2)
        case ("aspirate", int(volume)) if volume <= drawable:
            assert plant.aspirate(volume).volume_nL == volume
        case ("all",):
            assert plant.aspirate().volume_nL == drawable
        case ("stall", bool(stalled)):
            plant.stalled = stalled
        case ("implant", int(volume)):
            plant.implant(volume)
        case ("rest",):
            plant.rest(plant.now_ms + DAY_MS)
        case ("hand",):
            plant.pulse_by_hand()


def follow(twin: Twin, plant: Plant, operation: tuple[object, ...]) -> None:
    """The same for the twin, by its own bookkeeping."""
    room, drawable = plant.profile.capacity_nL - twin.volume, max(0, twin.volume - twin.residual)
    match operation:
        case ("drive", int(pulses)):
            for _ in range(0 if plant.stalled else pulses):
                twin.pulse()
        case ("hand",) if not plant.stalled:
            twin.pulse()
        case ("fill", int(volume), int(concentration)) if volume <= room:
            twin.add(volume, concentration)
        case ("pocket", int(volume)) if volume <= room:
            twin.add(volume - volume // 2, 2_000_000)
        case ("aspirate", int(volume)) if volume <= drawable:
            twin.take(volume)
        case ("all",):
            twin.take(drawable)


@given(st.integers(0, 50), OPERATIONS)
@pytest.mark.sr("SR-28", "SR-34")
def test_conservation_and_twin_under_any_sequence(seed: int, operations: list[tuple[object, ...]]) -> None:
    plant = Plant(SMALL, seed)
    twin = Twin(plant)
    for operation in operations:
        follow(twin, plant, operation)
        do(plant, operation)
        truth = plant.truth()
        check_balance(truth)
        assert (truth.reservoir_nL, truth.delivered_nL, truth.encoder_pulses) == (twin.volume, twin.delivered, twin.made)
        assert truth.reservoir_fg == pytest.approx(float(twin.mass), rel=1e-9, abs=len(operations))
        assert plant.encoder_pulses() == twin.made <= truth.commanded_pulses


@given(st.integers(0, 50), OPERATIONS, st.data())
def test_past_is_what_was_seen_then(seed: int, operations: list[tuple[object, ...]], data: st.DataObject) -> None:
    plant = Plant(SMALL, seed)
    seen: dict[int, Truth] = {}
    for operation in operations:
        do(plant, operation)
        seen[plant.now_ms] = plant.truth()
    for at_ms, then in seen.items():
        now = plant.truth(at_ms)
        assert dataclasses.replace(now, stalled=then.stalled) == then  # the flag may be set again at the same ms
        earlier = data.draw(st.integers(0, at_ms))
        pulses = list(plant.pulses(earlier, at_ms))
        before = plant.truth(earlier)
        assert sum(pulse.volume_nL for pulse in pulses) == now.delivered_nL - before.delivered_nL
        assert [pulse.number for pulse in pulses] == list(range(before.encoder_pulses + 1, now.encoder_pulses + 1))
        assert all(earlier < pulse.at_ms <= at_ms for pulse in pulses)
        assert plant.tip_mass_ng(earlier, at_ms) == pytest.approx(now.tip_mass_ng - before.tip_mass_ng, abs=1e-9 + 1e-9 * now.tip_mass_ng)


@given(st.integers(0, 50), st.integers(0, 300), st.lists(st.integers(0, 3 * HOUR_MS), max_size=6))
def test_cutting_a_drive_changes_nothing(seed: int, pulses: int, cuts: list[int]) -> None:
    train = Even(0, pulses, 2 * HOUR_MS)
    whole, cut = Plant(SMALL, seed), Plant(SMALL, seed)
    for plant in (whole, cut):
        plant.fill(50_000, 2_000_000)
    whole.drive(train, 3 * HOUR_MS)
    for at_ms in [*sorted(cuts), 3 * HOUR_MS]:
        cut.drive(train, at_ms)
    assert cut.truth() == whole.truth()
    assert cut.snapshot() == whole.snapshot()
    assert list(cut.pulses(0, 3 * HOUR_MS)) == list(whole.pulses(0, 3 * HOUR_MS))
    assert len(cut._history) == 1


def test_refill_mixes_with_the_residual() -> None:
    """Domain 2.2: 2000 onto 500 mcg/mL and back, with 1.4 mL left, in 20 and 40 mL."""
    for profile, capacity, old, new, mixed in ((P20, 20, 2000, 500, 605), (P20, 20, 500, 2000, 1895), (P40, 40, 2000, 500, 552)):
        plant = Plant(profile, 1)
        plant.fill(10_000_000, old * 1000)
        drawn = plant.aspirate()
        assert drawn.volume_nL == 8_600_000
        assert drawn.mass_ng == 8_600 * old
        plant.fill(capacity * 1_000_000 - 1_400_000, new * 1000)
        assert round(plant.truth().reservoir_concentration_ng_per_mL / 1000) == mixed


def test_rinsing_dilutes_without_a_label_and_a_mix_up_keeps_both() -> None:
    plant = Plant(P20, 1)
    assert plant.truth().drug == ""
    plant.fill(5_000_000, 2_000_000)
    plant.aspirate()
    plant.fill(5_600_000, 0, "")
    assert plant.truth().drug == "baclofen"
    assert plant.truth().reservoir_concentration_ng_per_mL == Fraction(400_000)
    plant.fill(1_000_000, 1_000_000, "another")
    assert plant.truth().drug == "another + baclofen"
    plant.fill(1_000_000, 1_000_000, "baclofen")
    assert plant.truth().drug == "another + baclofen"


@pytest.mark.sr("SR-28")
def test_empty_reservoir_turns_pulses_but_gives_nothing() -> None:
    plant = Plant(P20, 4)
    plant.fill(1_410_000, 2_000_000)
    plant.drive(Even(0, 100, HOUR_MS), HOUR_MS)
    truth = plant.truth()
    assert (truth.encoder_pulses, truth.reservoir_nL, truth.delivered_nL) == (100, 1_400_000, 10_000)
    volumes = [pulse.volume_nL for pulse in plant.pulses(0, HOUR_MS)]
    assert sum(volumes) == 10_000
    assert volumes[30:] == [0] * 70
    plant.fill(1_000_000, 2_000_000)
    assert plant.truth().reservoir_nL == 2_400_000  # what was turned in vain is not owed
    plant.drive(Even(HOUR_MS, 1, HOUR_MS), 2 * HOUR_MS)
    (pulse,) = plant.pulses(HOUR_MS, 2 * HOUR_MS)
    assert pulse.volume_nL == plant.truth().delivered_nL - 10_000 > 0


@pytest.mark.sr("SR-30")
def test_stall_stops_rotor_encoder_and_flow_until_it_ends() -> None:
    plant, train = Plant(P40, 1), Even(0, 240, 24 * HOUR_MS)
    plant.fill(38_000_000, 2_000_000)
    plant.drive(train, 6 * HOUR_MS)
    plant.stalled = True
    plant.drive(train, 18 * HOUR_MS)
    assert plant.encoder_pulses() == 60
    assert list(plant.pulses(6 * HOUR_MS, 18 * HOUR_MS)) == []
    during = plant.truth(12 * HOUR_MS)
    assert (during.commanded_pulses, during.encoder_pulses, during.delivered_nL) == (120, 60, plant.motor.volume_nL(60))
    plant.stalled = False
    plant.drive(train, 24 * HOUR_MS)
    assert (plant.encoder_pulses(), plant.truth().commanded_pulses) == (120, 240)
    first = next(plant.pulses(18 * HOUR_MS, 24 * HOUR_MS))
    assert first == TruePulse(18 * HOUR_MS + 6 * 60_000, 61, plant.motor.volume_nL(61) - plant.motor.volume_nL(60))
    assert [plant.truth(hour * HOUR_MS).stalled for hour in (5, 6, 17, 18)] == [False, True, True, False]


@pytest.mark.sr("SR-48")
def test_pulse_of_a_power_cut_is_real_and_falls_on_its_own_moment() -> None:
    plant, train = Plant(P40, 1), Even(0, 24, 24 * HOUR_MS)
    plant.fill(38_000_000, 2_000_000)
    plant.drive(train, 90 * 60_000)
    plant.pulse_by_hand()
    plant.rest(2 * HOUR_MS)
    plant.pulse_by_hand()
    plant.drive(train, 4 * HOUR_MS)
    hour_and_half = 90 * 60_000
    expected = [(HOUR_MS, 1), (hour_and_half, 2), (2 * HOUR_MS, 3), (3 * HOUR_MS, 4), (4 * HOUR_MS, 5)]
    assert [(pulse.at_ms, pulse.number) for pulse in plant.pulses(0, 4 * HOUR_MS)] == expected
    assert [pulse.number for pulse in plant.pulses(HOUR_MS, hour_and_half)] == [2]
    assert [pulse.number for pulse in plant.pulses(hour_and_half, 2 * HOUR_MS)] == [3]
    assert [plant.truth(at_ms).encoder_pulses for at_ms in (hour_and_half - 1, hour_and_half, 2 * HOUR_MS)] == [1, 2, 3]
    check_balance(plant.truth())


def test_impossible_handling_is_refused_and_changes_nothing() -> None:
    plant = Plant(P20, 1)
    plant.fill(19_000_000, 2_000_000)
    plant.rest(HOUR_MS)
    before = plant.snapshot()
    refused: list[Callable[[], object]] = [
        lambda: plant.fill(1_000_001, 2_000_000),
        lambda: plant.fill(0, 2_000_000),
        lambda: plant.fill(10, -1),
        lambda: plant.fill(10, 5, ""),
        lambda: plant.fill(10, 5, pocket_nL=11),
        lambda: plant.aspirate(17_600_001),
        lambda: plant.aspirate(-1),
        lambda: plant.implant(0),
        lambda: plant.radio(-1, 0),
        lambda: plant.set_battery(1001),
        lambda: plant.tone("music", HOUR_MS),
        lambda: plant.rest(HOUR_MS - 1),
        lambda: plant.drive(Even(0, 1, HOUR_MS), HOUR_MS - 1),
        lambda: plant.drive(Even(HOUR_MS + 1, 1, HOUR_MS), 2 * HOUR_MS),
        lambda: plant.truth(HOUR_MS + 1),
        lambda: plant.pulses(HOUR_MS, 0),
    ]
    for action in refused:
        with pytest.raises(PlantError):
            action()
    assert plant.snapshot() == before


@pytest.mark.parametrize("name", PROFILE_NAMES)
def test_years_of_one_train_stay_one_stretch_and_answer_any_moment(name: str) -> None:
    profile = load_profile(name).plant
    plant, train = Plant(profile, 2), Even(0, 3650 * 100, 10 * YEAR_MS)
    plant.fill(profile.capacity_nL, 2_000_000)
    plant.drive(train, 10 * YEAR_MS)
    assert plant.encoder_pulses() == 365_000
    assert [pulse.number for pulse in plant.pulses(5 * YEAR_MS, 5 * YEAR_MS + DAY_MS)] == list(range(182_501, 182_601))
    check_balance(plant.truth(4 * YEAR_MS))


def test_memory_is_flat_over_ten_years_of_refills_and_boluses() -> None:
    """A new train every day and 40 refills: the second five years add nothing to what the plant holds but a few drift knots."""
    plant = Plant(P40, 7)

    def year(number: int) -> None:
        for day in range(365):
            now = plant.now_ms
            if (number * 365 + day) % 91 == 0:
                plant.aspirate()
                plant.fill(P40.capacity_nL - plant.truth().reservoir_nL, 2_000_000)
            plant.drive(Even(now, 500, DAY_MS), now + DAY_MS)
        check_balance(plant.truth())

    for number in range(6):
        year(number)
    tracemalloc.start()
    try:
        year(6)
        held = tracemalloc.take_snapshot()
        for number in range(7, 10):
            year(number)
        grown = sum(
            change.size_diff for change in tracemalloc.take_snapshot().compare_to(held, "filename") if "plant" in str(change.traceback)
        )
    finally:
        tracemalloc.stop()
    assert len(plant._history) < 2 * MAX_STRETCHES
    assert grown < 400_000
    with pytest.raises(HistoryGoneError) as caught:
        plant.truth(plant.history_floor_ms - 1)
    assert caught.value.floor_ms == plant.history_floor_ms > 5 * YEAR_MS
    assert plant.truth(plant.history_floor_ms).at_ms == plant.history_floor_ms


def test_pulses_read_after_their_time_was_forgotten_are_not_made_up() -> None:
    plant = Plant(P40, 1)
    plant.drive(Even(0, 10, HOUR_MS), HOUR_MS)
    pulses = plant.pulses(0, HOUR_MS)
    for _ in range(2 * MAX_STRETCHES):
        plant.drive(Even(plant.now_ms, 1, 60_000), plant.now_ms + 60_000)
    with pytest.raises(HistoryGoneError):
        next(pulses)


def test_train_that_contradicts_itself_is_named() -> None:
    class Timeless(Even):
        def time_of_pulse(self, number: int) -> int | None:
            return None

    plant = Plant(P40, 1)
    plant.drive(Timeless(0, 10, HOUR_MS), HOUR_MS)
    with pytest.raises(PlantError, match="no time for pulse 1"):
        next(plant.pulses(0, HOUR_MS))


def test_forgetting_keeps_the_csf_right() -> None:
    """A new train each minute forgets within hours what the CSF still holds; the amount is carried over."""
    forgetful, whole = Plant(P40, 7), Plant(P40, 7)
    for plant in (forgetful, whole):
        plant.fill(38_000_000, 2_000_000)
        plant.drive(Even(0, 1000, HOUR_MS), HOUR_MS)
    minutes = 2 * MAX_STRETCHES + 50
    for minute in range(minutes):
        forgetful.drive(Even(HOUR_MS + minute * 60_000, 1, 60_000), HOUR_MS + (minute + 1) * 60_000)
    whole.drive(Even(HOUR_MS, minutes, minutes * 60_000), HOUR_MS + minutes * 60_000)
    assert forgetful.history_floor_ms > 0
    assert forgetful.csf_mass_ng() == pytest.approx(whole.csf_mass_ng(), rel=1e-3)
    floor_ms = forgetful.history_floor_ms
    assert forgetful.csf_mass_ng(floor_ms) == pytest.approx(whole.csf_mass_ng(floor_ms), rel=1e-3)
    assert forgetful.truth() == whole.truth()


@given(st.integers(0, 50), OPERATIONS, OPERATIONS)
def test_restored_plant_goes_on_bit_for_bit(seed: int, before: list[tuple[object, ...]], after: list[tuple[object, ...]]) -> None:
    plant = Plant(SMALL, seed)
    for operation in before:
        do(plant, operation)
    plant.radio(2, 30)
    text = json.dumps(plant.snapshot())
    restored = Plant.restore(SMALL, json.loads(text))
    assert json.dumps(restored.snapshot()) == text
    assert restored.csf_mass_ng() == pytest.approx(plant.csf_mass_ng())
    if plant.now_ms:
        with pytest.raises(HistoryGoneError):
            restored.truth(plant.now_ms - 1)
    for operation in after:
        do(plant, operation)
        do(restored, operation)
        assert restored.truth() == plant.truth()


def test_same_seed_same_pump_other_seed_other_pump() -> None:
    def story(seed: int, profile: PlantProfile = P40) -> list[TruePulse]:
        plant = Plant(profile, seed)
        plant.fill(30_000_000, 1_000_000)
        plant.drive(Even(0, 1000, DAY_MS), DAY_MS)
        return list(plant.pulses(0, DAY_MS))

    assert story(1) == story(1)
    assert story(1) != story(2)


def test_plant_is_the_hardware_of_the_port() -> None:
    hardware: Hardware = Plant(P40, 1)
    hardware.tone("two-tone", 0)
    assert hardware.battery_permille() == 1000


def test_last_tones_are_kept() -> None:
    plant = Plant(P40, 1)
    for at_ms in range(100):
        plant.tone("single-tone", at_ms)
    assert list(plant.tones) == [(at_ms, "single-tone") for at_ms in range(36, 100)]
