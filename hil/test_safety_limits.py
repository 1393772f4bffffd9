"""What the pump refuses by itself, whatever a programmer has checked: hard limits, staged data that are old, another base, the patient.

Nothing here goes through the companion's own judgement; a pump that trusts its programmer fails. Figures are those of the pump's profile
and of the drug library, whose limits lie inside the pump's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from hil.orders import Orders, applied, refusal
from hil.programme import patient_button
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.profiles import load_profile
from itbpump.wire.messages import (
    STAGED_LIFE_MS,
    BolusKind,
    BolusState,
    CommandKind,
    Configuration,
    ErrorCode,
    LimitCode,
    LogKind,
    Mode,
    RunState,
    SetClock,
    Staged,
    StepKind,
    encode_configuration,
)
from itbpump.wire.messages import Pattern as DayPattern
from itbpump.wire.messages import Step as DayStep

THERAPY = "200 mcg/day"
LOCKOUT_H, MOST_A_DAY, PATIENT_NG = 6, 3, 5_000
BOLUS_MAX_NG = 100_000  # the largest screening dose of the label; itbpump/drugs/baclofen.toml, bolus.hard
DAY_MAX_NG = 2_003_000  # the top of the spinal maintenance range; itbpump/drugs/baclofen.toml
MAY_2026_S = 1_777_600_000


@dataclass(frozen=True)
class Figures:
    """Of the pump under test, running THERAPY."""

    pulse_nL: int
    concentration: int
    flow_min: int
    flow_max: int
    capacity: int
    residual: int
    path_nL: int

    def pulses(self, mass_ng: int) -> int:
        """The most pulses that carry no more than this mass."""
        return mass_ng * 1_000_000 // (self.pulse_nL * self.concentration)


@pytest.fixture
def orders(pump: PumpUnderTest) -> Orders:
    """A pump that runs THERAPY, and commands in pieces."""
    pump.program(pump.rx(THERAPY))
    return Orders(pump)


@pytest.fixture
def figures(orders: Orders, pump: PumpUnderTest) -> Figures:
    info, active = pump.info, orders.active()
    return Figures(
        info.pulse_volume_nL,
        active.concentration_ng_per_mL,
        info.flow_min_nL_per_day,
        info.flow_max_nL_per_day,
        info.capacity_nL,
        info.residual_nL,
        active.path_volume_nL,
    )


# --------------------------------------------------------------------------------------------------- configurations
Change = Callable[[Figures], dict[str, object]]
FLEX_OFF = {"mode": Mode.FLEX, "flow_nL_per_day": 0}


def _flex(*steps: DayStep, days: int = 0b1111111) -> dict[str, object]:
    return {**FLEX_OFF, "patterns": (DayPattern(days, steps),)}


def _refilled(volume_nL: int) -> dict[str, object]:
    return {"reservoir_set": True, "reservoir_volume_nL": volume_nL}


def _patient(**changes: int) -> dict[str, object]:
    usual: dict[str, object] = {"patient_pulses": 5, "patient_duration_min": 10, "patient_lockout_min": 360, "patient_max_per_day": 3}
    return usual | changes


OVER: dict[str, tuple[LimitCode, Change]] = {
    "flow below the lowest": (LimitCode.FLOW_MIN, lambda f: {"flow_nL_per_day": f.flow_min - 1}),
    "flow above the highest": (LimitCode.FLOW_MAX, lambda f: {"flow_nL_per_day": f.flow_max + 1}),
    "step flow above the highest": (LimitCode.FLOW_MAX, lambda f: _flex(DayStep(0, StepKind.RATE, f.flow_max + 1, 0))),
    "bolus step of too much drug": (
        LimitCode.BOLUS_MASS,
        lambda f: _flex(DayStep(0, StepKind.RATE, 100_000, 0), DayStep(600, StepKind.BOLUS, f.pulses(BOLUS_MAX_NG) + 1, 60)),
    ),
    "bolus step of no pulses": (
        LimitCode.ZERO_PULSES,
        lambda f: _flex(DayStep(0, StepKind.RATE, 100_000, 0), DayStep(600, StepKind.BOLUS, 0, 60)),
    ),
    "bolus step too fast": (
        LimitCode.BOLUS_FLOW,
        lambda f: _flex(DayStep(0, StepKind.RATE, 100_000, 0), DayStep(600, StepKind.BOLUS, f.flow_max // (1440 * f.pulse_nL) + 1, 1)),
    ),
    "weekend without a pattern": (LimitCode.PATTERNS, lambda f: _flex(DayStep(0, StepKind.RATE, 100_000, 0), days=0b0011111)),
    "24 h above the largest mass": (
        LimitCode.MASS_24H,
        lambda f: {"flow_nL_per_day": f.pulses(DAY_MAX_NG) * f.pulse_nL + f.pulse_nL},
    ),
    "every hour what was meant for a day": (
        LimitCode.MASS_24H,
        lambda f: {
            "mode": Mode.PERIODIC_BOLUS,
            "periodic_pulses": f.pulses(90_000),
            "periodic_duration_min": 30,
            "periodic_every_min": 60,
        },
    ),
    "patient bolus of too much drug": (LimitCode.PATIENT_DOSE, lambda f: _patient(patient_pulses=f.pulses(50_000) + 1)),
    "patient lockout shorter than the bolus": (LimitCode.PATIENT_LOCKOUT, lambda f: _patient(patient_lockout_min=9)),
    "patient allotment of 24": (LimitCode.PATIENT_ALLOTMENT, lambda f: _patient(patient_lockout_min=60, patient_max_per_day=24)),
    "concentration that is none": (LimitCode.CONCENTRATION, lambda f: {"concentration_ng_per_mL": 1_234_567} | _refilled(30_000_000)),
    "drug that is none": (LimitCode.DRUG, lambda f: {"drug": "baclofin"} | _refilled(30_000_000)),
    "other label without a refill": (LimitCode.LABEL_CHANGE, lambda f: {"concentration_ng_per_mL": f.concentration // 2}),
    "refill above the capacity": (LimitCode.CAPACITY, lambda f: _refilled(f.capacity + 1)),
    "refill below the low alarm": (LimitCode.RESERVOIR_LOW, lambda f: _refilled(3_000_000)),
    "low alarm below the empty one": (
        LimitCode.ALARM_ORDER,
        lambda f: {"low_alarm_nL": f.residual + 1_000, "empty_alarm_nL": f.residual + 1_000},
    ),
    "empty alarm below the residual": (LimitCode.ALARM_ORDER, lambda f: {"empty_alarm_nL": f.residual - 1}),
    "path of nothing": (LimitCode.PATH_VOLUME, lambda f: {"path_volume_nL": 1}),
    "path of a mL": (LimitCode.PATH_VOLUME, lambda f: {"path_volume_nL": 1_000_000}),
    "bridge without another label": (LimitCode.BRIDGE, lambda f: {"bridge_flow_nL_per_day": f.flow_min, "bridge_pulses": 10}),
    "fields of another mode": (LimitCode.MODE_FIELDS, lambda f: {"periodic_pulses": 5}),
}


@pytest.mark.sr("SR-02", "SR-05")
@pytest.mark.parametrize("case", OVER)
def test_configuration_over_a_limit_is_refused_and_changes_nothing(
    case: str, pump: PumpUnderTest, orders: Orders, figures: Figures
) -> None:
    code, change = OVER[case]
    before, active = pump.status(), pump.configuration()
    reply = orders.configure(orders.active(**change(figures)))
    assert refusal(reply) == (ErrorCode.LIMIT, code), case
    after = pump.status()
    assert (after.revision, after.digest, after.run_state) == (before.revision, before.digest, before.run_state)
    assert after.flow_nL_per_day == before.flow_nL_per_day
    assert pump.configuration() == active


INSIDE: dict[str, Change] = {
    "lowest flow": lambda f: {"flow_nL_per_day": f.flow_min},
    "24 h at the largest mass": lambda f: {"flow_nL_per_day": f.pulses(DAY_MAX_NG) * f.pulse_nL},
    "bolus step at the largest mass": lambda f: _flex(
        DayStep(0, StepKind.RATE, 100_000, 0), DayStep(600, StepKind.BOLUS, f.pulses(BOLUS_MAX_NG), 60)
    ),
    "full reservoir": lambda f: _refilled(f.capacity),
    "empty alarm at the residual": lambda f: {"empty_alarm_nL": f.residual},
    "patient bolus at its largest mass": lambda f: _patient(patient_pulses=f.pulses(50_000), patient_duration_min=30),
}


@pytest.mark.sr("SR-02", "SR-05")
@pytest.mark.parametrize("case", INSIDE)
def test_configuration_at_a_limit_is_taken_as_it_is(case: str, pump: PumpUnderTest, orders: Orders, figures: Figures) -> None:
    wanted = orders.active(**INSIDE[case](figures))
    assert applied(orders.configure(wanted)), case
    assert pump.configuration() == wanted


# --------------------------------------------------------------------------------------------------------- boluses
@pytest.mark.sr("SR-02", "SR-05")
def test_bolus_over_the_largest_mass_is_refused_and_nothing_of_it_given(pump: PumpUnderTest, orders: Orders, figures: Figures) -> None:
    most = figures.pulses(BOLUS_MAX_NG)
    assert refusal(orders.bolus(most + 1, 3_600)) == (ErrorCode.LIMIT, LimitCode.BOLUS_MASS)
    status = pump.status()
    assert status.bolus_state is BolusState.IDLE
    assert status.bolus_counter == 0
    assert applied(orders.bolus(most, 3_600))
    assert pump.status().bolus_requested == most


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize(
    ("pulses", "duration_s", "code"),
    [
        (0, 600, LimitCode.ZERO_PULSES),
        (20, 1, LimitCode.BOLUS_DURATION),
        (20, 86_400, LimitCode.FLOW_MIN),
        (90, 60, LimitCode.BOLUS_FLOW),
        (30, 60, None),
    ],
)
def test_shape_of_a_bolus_is_judged(pulses: int, duration_s: int, code: LimitCode | None, pump: PumpUnderTest, orders: Orders) -> None:
    found = refusal(orders.bolus(pulses, duration_s))
    assert found == (None if code is None else (ErrorCode.LIMIT, code))
    assert (pump.status().bolus_state is BolusState.IDLE) == (code is not None)


@pytest.mark.sr("SR-07")
@pytest.mark.needs("virtual-time")
def test_mass_of_any_24_hours_stays_below_the_limit(
    pump: PumpUnderTest, orders: Orders, figures: Figures, clock: Clock, measure: Measure
) -> None:
    """Boluses of 90 mcg, one an hour, until the pump refuses: what it has given since is known to the nanogram."""
    pulses, given = figures.pulses(90_000), 0
    while applied(reply := orders.bolus(pulses, 600)):
        given += 1
        assert given <= 24, "more boluses than hours in a day, and none was refused"
        clock.advance("1h")
        counted = pump.status().mass_24h_ng
        least = given * pulses * figures.pulse_nL * figures.concentration // 1_000_000
        assert counted >= least, f"{counted} ng counted, and {given} boluses alone were {least} ng"
    assert refusal(reply) == (ErrorCode.LIMIT, LimitCode.MASS_24H)
    # 200 mcg a day and 20 boluses of 90 mcg are 2,000 mcg; boluses take the place of some of the therapy.
    measure("boluses until the limit", given, "boluses", lo=19, hi=21)
    measure("mass of 24 h", pump.status().mass_24h_ng, "ng", lo=1_800_000, hi=DAY_MAX_NG)


@pytest.mark.sr("SR-44", "SR-49")
@pytest.mark.needs("virtual-time")
def test_bolus_starts_only_from_the_counter_it_was_made_for(pump: PumpUnderTest, orders: Orders, clock: Clock) -> None:
    assert applied(orders.bolus(20, 600))
    clock.advance("20m")
    assert pump.status().bolus_counter == 20, "the counter of boluses moves by what a bolus has given"
    assert refusal(orders.bolus(20, 600, counter=0)) == (ErrorCode.COUNTER_MOVED, 0)
    assert pump.status().bolus_counter == 20


@pytest.mark.sr("SR-13")
@pytest.mark.needs("virtual-time")
def test_prime_is_bounded_and_not_repeated(pump: PumpUnderTest, orders: Orders, figures: Figures, clock: Clock) -> None:
    path = figures.path_nL // figures.pulse_nL
    too_much = refusal(orders.bolus(2 * path, 3_600, BolusKind.PRIME))
    assert too_much == (ErrorCode.LIMIT, LimitCode.PRIME_VOLUME)
    assert applied(orders.bolus(path // 4, 3_600, BolusKind.PRIME))
    clock.advance("2h")
    assert refusal(orders.bolus(path // 4, 3_600, BolusKind.PRIME)) == (ErrorCode.LIMIT, LimitCode.PRIME_LOCKOUT)
    clock.advance("21h")
    assert refusal(orders.bolus(path // 4, 3_600, BolusKind.PRIME)) == (ErrorCode.LIMIT, LimitCode.PRIME_LOCKOUT)
    clock.advance("2h")
    assert applied(orders.bolus(path // 4, 3_600, BolusKind.PRIME))


@pytest.mark.sr("SR-34")
@pytest.mark.needs("virtual-time")
@pytest.mark.parametrize("kind", [BolusKind.SINGLE, BolusKind.PRIME])
def test_bolus_is_deducted_from_the_reservoir(kind: BolusKind, pump: PumpUnderTest, orders: Orders, figures: Figures, clock: Clock) -> None:
    before = pump.status()
    assert applied(orders.bolus(90, 600, kind))
    clock.advance("10m")
    after = pump.status()
    assert after.bolus_delivered == 90
    gone = after.lifetime_pulses - before.lifetime_pulses
    assert gone >= 90
    assert before.reservoir_nL - after.reservoir_nL == gone * figures.pulse_nL


# ------------------------------------------------------------------------------------------------------ staged data
@pytest.mark.sr("SR-46")
def test_staged_data_expire_and_never_run(pump: PumpUnderTest, orders: Orders, clock: Clock) -> None:
    """60 s of the link's own time, which no rig scales: on hardware this test takes a minute."""
    payload = orders.bolus_payload(20, 600)
    cmd_id, reply = orders.stage(CommandKind.BOLUS, payload)
    assert isinstance(reply, Staged)
    clock.wait_on_line(STAGED_LIFE_MS + 1_000)
    assert refusal(orders.commit(cmd_id, payload)) == (ErrorCode.NOT_STAGED, 0)
    assert pump.status().bolus_state is BolusState.IDLE


@pytest.mark.sr("SR-46")
def test_staged_data_die_with_their_session(pump: PumpUnderTest, orders: Orders) -> None:
    payload = orders.bolus_payload(20, 600)
    cmd_id, _ = orders.stage(CommandKind.BOLUS, payload)
    pump.reconnect()
    assert refusal(orders.commit(cmd_id, payload)) == (ErrorCode.NOT_STAGED, 0)
    assert pump.status().bolus_state is BolusState.IDLE


@pytest.mark.sr("SR-46")
@pytest.mark.needs("power-control")
def test_staged_data_die_in_a_reset(pump: PumpUnderTest, orders: Orders, power: Power) -> None:
    payload = orders.bolus_payload(20, 600)
    cmd_id, _ = orders.stage(CommandKind.BOLUS, payload)
    power.cycle()
    pump.drop_line()
    assert refusal(orders.commit(cmd_id, payload)) == (ErrorCode.NOT_STAGED, 0)


@pytest.mark.sr("SR-11")
def test_staged_data_change_nothing_before_their_commit(pump: PumpUnderTest, orders: Orders) -> None:
    before, active = pump.status(), pump.configuration()
    orders.stage(CommandKind.CONFIGURE, encode_configuration(orders.active(flow_nL_per_day=300_000)))
    after = pump.status()
    assert (after.revision, after.flow_nL_per_day, after.digest) == (before.revision, before.flow_nL_per_day, before.digest)
    assert pump.configuration() == active


# ------------------------------------------------------------------------------------------------------- revisions
def _other(orders: Orders) -> Configuration:
    return orders.active(flow_nL_per_day=150_000)


@pytest.mark.sr("SR-45")
@pytest.mark.parametrize("between", ["configuration", "stop"])
def test_commit_on_a_stale_base_is_refused(between: str, pump: PumpUnderTest, orders: Orders) -> None:
    base = pump.status().revision
    wanted = _other(orders)
    if between == "stop":
        pump.stop()
    else:
        assert applied(orders.configure(orders.active(flow_nL_per_day=120_000)))
    present = pump.status()
    assert present.revision > base
    payload = encode_configuration(wanted)
    cmd_id, _ = orders.stage(CommandKind.CONFIGURE, payload, base=base)
    assert refusal(orders.commit(cmd_id, payload, base)) == (ErrorCode.STALE_REVISION, present.revision)
    assert pump.status().flow_nL_per_day == present.flow_nL_per_day


@pytest.mark.sr("SR-45")
def test_bolus_on_a_stale_base_is_refused(pump: PumpUnderTest, orders: Orders) -> None:
    base = pump.status().revision
    assert applied(orders.configure(_other(orders)))
    payload = orders.bolus_payload(20, 600)
    cmd_id, _ = orders.stage(CommandKind.BOLUS, payload, base=base)
    assert refusal(orders.commit(cmd_id, payload, base)) == (ErrorCode.STALE_REVISION, pump.status().revision)
    assert pump.status().bolus_state is BolusState.IDLE


@pytest.mark.sr("SR-45")
def test_commit_names_what_was_staged(pump: PumpUnderTest, orders: Orders) -> None:
    payload, other = encode_configuration(_other(orders)), encode_configuration(orders.active(flow_nL_per_day=160_000))
    cmd_id, _ = orders.stage(CommandKind.CONFIGURE, payload)
    assert refusal(orders.commit(cmd_id, other)) == (ErrorCode.DIGEST_MISMATCH, 0)
    assert applied(orders.commit(cmd_id, payload)), "the refusal has taken nothing"
    assert pump.status().flow_nL_per_day == 150_000


# --------------------------------------------------------------------------------------------------------- patient
@pytest.fixture
def with_button(pump: PumpUnderTest) -> PumpUnderTest:
    """A pump whose patient may have 5 mcg over 10 min, every 6 h, three times a day."""
    pump.program(pump.rx(patient_button(THERAPY)))
    return pump


@pytest.mark.sr("SR-14")
@pytest.mark.needs("virtual-time", "bench-hands")
def test_patient_lockout_and_allotment(with_button: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """Asked every half hour for a day: given only when the lockout allows, and three times at most."""
    granted: list[int] = []
    for _ in range(48):
        if plant.patient_request():
            granted.append(clock.uptime_ms())
        clock.advance("30m")
    measure("boluses in 24 h", len(granted), "boluses", lo=MOST_A_DAY, hi=MOST_A_DAY)
    for number, (first, second) in enumerate(pairwise(granted), 1):
        measure(f"lockout before bolus {number + 1}", second - first, "ms", lo=LOCKOUT_H * 3_600_000)
    status = with_button.status()
    assert (status.patient_granted, status.patient_denied) == (len(granted), 48 - len(granted))
    assert sum(entry.kind is LogKind.BOLUS_DENIED for entry in with_button.log()) == 48 - len(granted)
    assert status.bolus_counter == len(granted) * PATIENT_NG * 1_000_000 // (
        with_button.info.pulse_volume_nL * status.concentration_ng_per_mL
    )


@pytest.mark.sr("SR-15")
@pytest.mark.needs("virtual-time", "bench-hands")
@pytest.mark.parametrize("step_s", [7 * 3_600, 86_400, -86_400])
def test_patient_lockout_does_not_hear_the_wall_clock(step_s: int, with_button: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    orders = Orders(with_button)
    assert applied(orders.direct(lambda cmd_id: SetClock(cmd_id, MAY_2026_S)))
    assert plant.patient_request()
    clock.advance("1h")
    assert applied(orders.direct(lambda cmd_id: SetClock(cmd_id, MAY_2026_S + 3_600 + step_s)))
    assert not plant.patient_request(), "the clock was set, and a bolus came before the lockout was over"
    clock.advance("5h1m")
    assert plant.patient_request()


@pytest.mark.sr("SR-14", "SR-15")
@pytest.mark.needs("virtual-time", "bench-hands", "power-control")
def test_patient_lockout_outlives_a_reset(with_button: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> None:
    assert plant.patient_request()
    clock.advance("1h")
    power.cycle()
    assert not plant.patient_request(), "a reset has opened the lockout"
    assert with_button.status().patient_granted_24h == 1
    clock.advance("5h1m")
    assert plant.patient_request()


@pytest.mark.sr("SR-14", "SR-22")
@pytest.mark.needs("bench-hands")
def test_patient_gets_nothing_from_a_stopped_pump(with_button: PumpUnderTest, plant: Plant) -> None:
    with_button.stop()
    assert not plant.patient_request()
    status = with_button.status()
    assert (status.run_state, status.bolus_state) == (RunState.STOPPED, BolusState.IDLE)


@pytest.mark.sr("SR-27")
@pytest.mark.needs("bench-hands")
def test_patient_gets_nothing_during_another_bolus(with_button: PumpUnderTest, plant: Plant) -> None:
    with_button.bolus("25 mcg", "10m")
    assert not plant.patient_request()
    assert with_button.status().patient_denied == 1


# ---------------------------------------------------------------------------------------------------- the pump's own figures
def test_pump_tells_the_constants_of_its_profile(pump: PumpUnderTest) -> None:
    info, profile = pump.info, load_profile(pump.info.profile)
    assert info.constants_hash == profile.constants_hash
    assert info.pulse_volume_nL == profile.pulse_volume.nL
