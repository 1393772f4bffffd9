"""The pump's own limits: every row of the wire protocol's table is raised by one case and kept quiet by its nearest neighbour.

Nothing here knows the companion: these are the limits a programmer meets that checks nothing at all (SR-02).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.firmware.course import future_plan
from firmware_sim.firmware.cycle import DAY_MS, HOUR_MS, MINUTE_MS, compile_cycle
from firmware_sim.firmware.delivery import BolusSource, ConstantSource, CycleSource, NoFlow
from firmware_sim.firmware.ledger import Denial, Ledger, PatientRecord, Stretch, max_future_mass_24h
from firmware_sim.firmware.limits import (
    PresentState,
    check_bolus,
    check_configuration,
    check_patient_request,
    check_payload_size,
)
from firmware_sim.profiles import load_profile
from itbpump.wire.messages import STAGED_BYTES, BolusKind, BolusOrder, Configuration, LimitCode, Mode, Pattern, Step, StepKind
from tests.configurations import configuration_of

P40 = load_profile("P-40").firmware
V40 = load_profile("V-40").firmware
NOW = 40 * DAY_MS
PULSE_NL = P40.pulse_volume_nL
STRONG, WEAK = 2_000_000, 500_000
PULSE_NG = PULSE_NL * STRONG // 1_000_000  # 1,000 ng
DRUG = P40.drugs["baclofen"]

BASE = configuration_of(concentration_ng_per_mL=STRONG, low_alarm_nL=6_000_000)
PRESENT = PresentState(
    now_ms=NOW,
    running=True,
    active=BASE,
    anchor_ms=0,
    reservoir_nL=30_000_000,
    ledger=Ledger().begin(ConstantSource(100_000), STRONG, 0),
    patient=PatientRecord(),
)


def changed(**fields: object) -> Configuration:
    return msgspec.structs.replace(BASE, **fields)


def flex(*steps: tuple[int, int] | tuple[int, int, int], **fields: object) -> Configuration:
    """Every day alike; (minute, flow) is a rate, (minute, pulses, minutes) a bolus."""
    made = tuple(
        Step(start_min=step[0], kind=StepKind.RATE, amount=step[1], duration_min=0)
        if len(step) == 2
        else Step(start_min=step[0], kind=StepKind.BOLUS, amount=step[1], duration_min=step[2])
        for step in steps
    )
    return changed(mode=Mode.FLEX, flow_nL_per_day=0, patterns=(Pattern(days=127, steps=made),), **fields)


def periodic(pulses: int, duration_min: int, every_min: int, flow: int = 6_000) -> Configuration:
    return changed(
        mode=Mode.PERIODIC_BOLUS,
        flow_nL_per_day=flow,
        periodic_pulses=pulses,
        periodic_duration_min=duration_min,
        periodic_every_min=every_min,
    )


def patient(pulses: int = 5, duration_min: int = 10, lockout_min: int = 360, most: int = 3, **fields: object) -> Configuration:
    return changed(
        patient_pulses=pulses,
        patient_duration_min=duration_min,
        patient_lockout_min=lockout_min,
        patient_max_per_day=most,
        **fields,
    )


def refill(**fields: object) -> Configuration:
    return changed(**{"reservoir_set": True, "reservoir_volume_nL": 38_000_000, **fields})


def configured(configuration: Configuration, present: PresentState = PRESENT) -> Callable[[], LimitCode | None]:
    return lambda: check_configuration(configuration, P40, present)


OLD_LABEL = replace(PRESENT, active=changed(concentration_ng_per_mL=WEAK), ledger=Ledger())
BRIDGING = replace(
    PRESENT, active=changed(bridge_flow_nL_per_day=100_000, bridge_pulses=632), bridge_left_pulses=300, path_left_nL=300 * PULSE_NL
)


def stronger(**fields: object) -> Configuration:
    """A change of label, from the old one to that of BASE."""
    return refill(**{"flow_nL_per_day": 48_000, **fields})


def order(pulses: int, duration_s: int = 3600, kind: BolusKind = BolusKind.SINGLE, start: int = 100) -> BolusOrder:
    return BolusOrder(layout=1, kind=kind, from_counter=start, to_counter=start + pulses, duration_s=duration_s)


def bolus(
    pulses: int, duration_s: int = 3600, kind: BolusKind = BolusKind.SINGLE, present: PresentState = PRESENT
) -> Callable[[], LimitCode | None]:
    return lambda: check_bolus(order(pulses, duration_s, kind), P40, present)


def prime(pulses: int, present: PresentState = PRESENT) -> Callable[[], LimitCode | None]:
    return bolus(pulses, 3600, BolusKind.PRIME, present)


FLOW_AT_DAILY_LIMIT = DRUG.mass_24h_max_ng * 1_000_000 // STRONG
PATH_AND_MARGIN = (316_000 + P40.prime_margin_nL) // PULSE_NL
FRESH = replace(PRESENT, running=False, active=None, ledger=Ledger())

# limit: pairs of (what breaks it, its nearest neighbour that does not)
CASES: dict[LimitCode, list[tuple[Callable[[], LimitCode | None], Callable[[], LimitCode | None]]]] = {
    LimitCode.FLOW_MIN: [
        (configured(changed(flow_nL_per_day=47_999)), configured(changed(flow_nL_per_day=48_000))),
        (configured(changed(flow_nL_per_day=6_000)), configured(changed(mode=Mode.MINIMUM_RATE, flow_nL_per_day=0))),
        (configured(flex((0, 100_000), (60, 47_999))), configured(flex((0, 100_000), (60, 48_000)))),
        (configured(flex((0, 100_000), (60, 0))), configured(flex((0, 100_000), (60, 6_000)))),
        (configured(periodic(20, 30, 360, 0)), configured(periodic(20, 30, 360, 6_000))),
        (bolus(1, 901), bolus(1, 900)),
    ],
    LimitCode.FLOW_MAX: [
        (
            configured(changed(flow_nL_per_day=24_000_001, concentration_ng_per_mL=STRONG)),
            configured(changed(flow_nL_per_day=FLOW_AT_DAILY_LIMIT)),
        ),
        (configured(flex((0, 100_000), (60, 24_000_001), (61, 100_000))), configured(flex((0, 100_000), (60, 24_000_000), (61, 100_000)))),
    ],
    LimitCode.BOLUS_FLOW: [
        (bolus(34, 60), bolus(33, 60)),
        (configured(flex((0, 48_000), (60, 34, 1))), configured(flex((0, 48_000), (60, 33, 1)))),
        (configured(patient(34, 1)), configured(patient(33, 1))),
    ],
    LimitCode.BOLUS_MASS: [
        (bolus(DRUG.bolus_mass_max_ng // PULSE_NG + 1), bolus(DRUG.bolus_mass_max_ng // PULSE_NG)),
        (configured(flex((0, 48_000), (60, 101, 60))), configured(flex((0, 48_000), (60, 100, 60)))),
        (configured(periodic(101, 60, 360)), configured(periodic(100, 60, 360))),
        (
            bolus(30, present=replace(PRESENT, path_concentration_ng_per_mL=8_000_000, path_left_nL=1)),
            bolus(30, present=replace(PRESENT, path_concentration_ng_per_mL=8_000_000, path_left_nL=0)),
        ),
    ],
    LimitCode.BOLUS_DURATION: [
        (bolus(10, 59), bolus(10, 60)),
        (bolus(100, 86_401), bolus(100, 86_400)),
        (configured(patient(5, 0)), configured(patient(5, 1))),
    ],
    LimitCode.PATIENT_DOSE: [
        (configured(patient(51)), configured(patient(50))),
    ],
    LimitCode.PATIENT_LOCKOUT: [
        (configured(patient(lockout_min=59)), configured(patient(lockout_min=60))),
        (configured(patient(10, 90, lockout_min=89)), configured(patient(10, 90, lockout_min=90))),
    ],
    LimitCode.PATIENT_ALLOTMENT: [
        (configured(patient(most=13)), configured(patient(most=12))),
    ],
    LimitCode.MASS_24H: [
        (configured(changed(flow_nL_per_day=FLOW_AT_DAILY_LIMIT + 1)), configured(changed(flow_nL_per_day=FLOW_AT_DAILY_LIMIT))),
        # 900,000 nL/day are 1,800,000 ng; 203,000 ng are left
        (
            configured(patient(17, most=12, flow_nL_per_day=900_000), replace(PRESENT, ledger=Ledger())),
            configured(patient(16, most=12, flow_nL_per_day=900_000), replace(PRESENT, ledger=Ledger())),
        ),
        # 100 mcg every 60 min
        (configured(periodic(100, 60, 60, 6_000)), configured(periodic(83, 60, 60, 6_000))),
    ],
    LimitCode.CONCENTRATION: [
        (configured(refill(concentration_ng_per_mL=2_000_001)), configured(refill(concentration_ng_per_mL=3_000_000))),
    ],
    LimitCode.DRUG: [
        (configured(refill(drug="saline")), configured(refill(drug="baclofen"))),
        (bolus(10, present=FRESH), bolus(10)),
    ],
    LimitCode.CAPACITY: [
        (configured(refill(reservoir_volume_nL=40_000_001)), configured(refill(reservoir_volume_nL=40_000_000))),
    ],
    LimitCode.RESERVOIR_LOW: [
        (configured(refill(reservoir_volume_nL=6_000_000)), configured(refill(reservoir_volume_nL=6_000_001))),
        # without a refill a low reservoir keeps nobody from changing the dose
        (configured(refill(reservoir_volume_nL=0)), configured(BASE, replace(PRESENT, reservoir_nL=1_500_000))),
    ],
    LimitCode.ALARM_ORDER: [
        (configured(changed(empty_alarm_nL=1_399_999)), configured(changed(empty_alarm_nL=1_400_000))),
        (configured(changed(low_alarm_nL=1_400_000)), configured(changed(low_alarm_nL=1_400_001))),
        (configured(changed(low_alarm_nL=40_000_000)), configured(changed(low_alarm_nL=39_999_999))),
    ],
    LimitCode.PATH_VOLUME: [
        (configured(changed(path_volume_nL=139_999)), configured(changed(path_volume_nL=140_000))),
        (configured(changed(path_volume_nL=500_001)), configured(changed(path_volume_nL=500_000))),
    ],
    LimitCode.PRIME_VOLUME: [(prime(PATH_AND_MARGIN + 1), prime(PATH_AND_MARGIN))],
    LimitCode.PAYLOAD_SIZE: [(lambda: check_payload_size(STAGED_BYTES + 1), lambda: check_payload_size(STAGED_BYTES))],
    LimitCode.PATTERNS: [
        (configured(flex((0, 100_000), (60, 20, 61), (120, 20, 60))), configured(flex((0, 100_000), (60, 20, 60), (120, 20, 60)))),
        (configured(flex((1, 100_000))), configured(flex((0, 100_000)))),
        (configured(flex((0, 100_000), (60, 50_000), (60, 60_000))), configured(flex((0, 100_000), (60, 50_000), (61, 60_000)))),
        (configured(flex((0, 100_000), (1, 9, 5), (1435, 9, 7))), configured(flex((0, 100_000), (1, 9, 5), (1435, 9, 6)))),
        (configured(changed(mode=Mode.FLEX, flow_nL_per_day=0)), configured(flex((0, 100_000)))),
        (configured(periodic(20, 61, 60)), configured(periodic(20, 60, 60))),
    ],
    LimitCode.MODE_FIELDS: [
        (configured(changed(flow_nL_per_day=0)), configured(BASE)),
        (configured(changed(mode=Mode.MINIMUM_RATE)), configured(changed(mode=Mode.MINIMUM_RATE, flow_nL_per_day=0))),
        (configured(changed(mode=Mode.STOPPED)), configured(changed(mode=Mode.STOPPED, flow_nL_per_day=0))),
        (configured(changed(periodic_every_min=60)), configured(BASE)),
        (configured(periodic(0, 60, 360)), configured(periodic(20, 60, 360))),
        (configured(changed(patterns=flex((0, 100_000)).patterns)), configured(BASE)),
        (configured(changed(patient_lockout_min=60)), configured(patient(lockout_min=60))),
        (configured(patient(most=0)), configured(patient(most=1))),
        (
            configured(patient(mode=Mode.STOPPED, flow_nL_per_day=0)),
            configured(patient(mode=Mode.MINIMUM_RATE, flow_nL_per_day=0)),
        ),
        (configured(changed(reservoir_volume_nL=38_000_000)), configured(refill())),
        (
            configured(changed(mode=Mode.STOPPED, flow_nL_per_day=0, bridge_flow_nL_per_day=100_000, bridge_pulses=600)),
            configured(changed(mode=Mode.STOPPED, flow_nL_per_day=0, bridge_flow_nL_per_day=100_000, bridge_pulses=600), BRIDGING),
        ),
        (
            configured(stronger(mode=Mode.STOPPED, flow_nL_per_day=0, bridge_flow_nL_per_day=100_000, bridge_pulses=600), OLD_LABEL),
            configured(stronger(bridge_flow_nL_per_day=100_000, bridge_pulses=600), OLD_LABEL),
        ),
        (bolus(10, kind=BolusKind.PATIENT), bolus(10, kind=BolusKind.PRIME)),
    ],
    LimitCode.ZERO_PULSES: [
        (bolus(0), bolus(25)),
        (bolus(-1), bolus(25)),
        (configured(flex((0, 100_000), (60, 0, 10))), configured(flex((0, 100_000), (60, 1, 10)))),
    ],
    LimitCode.BRIDGE: [
        (
            configured(stronger(bridge_flow_nL_per_day=100_000, bridge_pulses=PATH_AND_MARGIN + 1), OLD_LABEL),
            configured(stronger(bridge_flow_nL_per_day=100_000, bridge_pulses=PATH_AND_MARGIN), OLD_LABEL),
        ),
        (
            configured(stronger(bridge_flow_nL_per_day=47_999, bridge_pulses=600), OLD_LABEL),
            configured(stronger(bridge_flow_nL_per_day=48_000, bridge_pulses=600), OLD_LABEL),
        ),
        (
            configured(stronger(bridge_flow_nL_per_day=24_000_001, bridge_pulses=1), OLD_LABEL),
            configured(stronger(bridge_flow_nL_per_day=24_000_000, bridge_pulses=1), OLD_LABEL),
        ),
        (configured(stronger(bridge_flow_nL_per_day=100_000), OLD_LABEL), configured(stronger(), OLD_LABEL)),
        (configured(stronger(bridge_pulses=100), OLD_LABEL), configured(stronger(), OLD_LABEL)),
        # without a change of label there is nothing to bridge
        (configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=600)), configured(BASE)),
        # one in force is carried on: its flow, and at least what is left of it
        (configured(BASE, BRIDGING), configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=600), BRIDGING)),
        (
            configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=299), BRIDGING),
            configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=300), BRIDGING),
        ),
        (
            configured(changed(bridge_flow_nL_per_day=100_001, bridge_pulses=300), BRIDGING),
            configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=300, start=False), replace(BRIDGING, running=False)),
        ),
        (
            configured(changed(start=False), replace(BRIDGING, running=False)),
            configured(changed(bridge_flow_nL_per_day=100_000, bridge_pulses=300), replace(BRIDGING, minimum_rate=True)),
        ),
        # and no other label comes in before its end
        (
            configured(refill(concentration_ng_per_mL=WEAK), BRIDGING),
            configured(refill(concentration_ng_per_mL=WEAK), replace(BRIDGING, bridge_left_pulses=0)),
        ),
    ],
    LimitCode.PRIME_LOCKOUT: [
        (prime(100, replace(PRESENT, last_prime_ms=NOW - DAY_MS + 1)), prime(100, replace(PRESENT, last_prime_ms=NOW - DAY_MS))),
        (prime(100, replace(PRESENT, last_prime_ms=NOW - DAY_MS + 1)), bolus(99, present=replace(PRESENT, last_prime_ms=NOW - 1))),
    ],
    LimitCode.LABEL_CHANGE: [
        (configured(changed(concentration_ng_per_mL=WEAK)), configured(refill(concentration_ng_per_mL=WEAK))),
        (configured(BASE, FRESH), configured(refill(), FRESH)),
    ],
    LimitCode.REFILL_FLOW: [
        (
            bolus(100, present=replace(PRESENT, reservoir_nL=P40.residual_nL + 100 * PULSE_NL - 1)),
            bolus(100, present=replace(PRESENT, reservoir_nL=P40.residual_nL + 100 * PULSE_NL)),
        ),
    ],
}


@pytest.mark.sr("SR-02", "SR-05", "SR-13", "SR-35", "SR-39")
@pytest.mark.parametrize("code", list(LimitCode), ids=lambda code: code.name.lower())
def test_every_limit_of_the_protocol_is_raised_and_kept_quiet(code: LimitCode) -> None:
    assert CASES.get(code), f"no case raises {code.name}"
    for raising, quiet in CASES[code]:
        assert raising() is code
        assert quiet() is None


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize("profile", [P40, V40], ids=["P-40", "V-40"])
def test_zero_flow_passes_only_where_the_profile_allows_it(profile: object) -> None:
    assert profile in (P40, V40)
    with_pause = flex((0, 100_000), (60, 0), (120, 100_000))
    expected = LimitCode.FLOW_MIN if profile is P40 else None
    assert check_configuration(with_pause, P40 if profile is P40 else V40, PRESENT) is expected


# ------------------------------------------------------------------------------------------------ 24-h mass with what was given


def given_before(ng_per_day: int) -> PresentState:
    flow = ng_per_day * 1_000_000 // STRONG
    return replace(PRESENT, active=changed(flow_nL_per_day=flow), ledger=Ledger().begin(ConstantSource(flow), STRONG, 0))


@pytest.mark.sr("SR-07")
def test_a_bolus_counts_with_the_day_before_and_the_day_after() -> None:
    # 1,980,000 ng a day: 23 h of it and the bolus in its place must stay within 2,003,000
    room = 2_003_000 - 1_980_000 * 23 // 24
    present = given_before(1_980_000)
    assert check_bolus(order(room // PULSE_NG // 2), P40, present) is None
    assert check_bolus(order(100), P40, present) is None
    tight = given_before(2_003_000)
    # 83 pulses in an hour are a little less than the therapy they replace, 84 a little more
    assert check_bolus(order(83), P40, tight) is None
    assert check_bolus(order(84), P40, tight) is LimitCode.MASS_24H


@pytest.mark.sr("SR-07")
def test_boluses_in_a_row_meet_the_daily_limit_though_each_alone_is_small() -> None:
    now_ms, ledger, accepted = NOW, given_before(1_500_000).ledger, 0
    present = given_before(1_500_000)
    therapy = ConstantSource(750_000)
    for _ in range(20):
        present = replace(present, now_ms=now_ms, ledger=ledger)
        if check_bolus(order(100, 600), P40, present) is None:
            accepted += 1
            ledger = ledger.begin(BolusSource(100, 600_000, now_ms, PULSE_NL), STRONG, now_ms).begin(therapy, STRONG, now_ms + 600_000)
        now_ms += HOUR_MS
        assert ledger.mass_24h(now_ms) <= DRUG.mass_24h_max_ng
    assert accepted == 5  # 503,000 ng of room; each replaces 10 min of therapy, 10,417 ng


@pytest.mark.sr("SR-07")
def test_a_prime_counts_in_the_24_h() -> None:
    assert check_bolus(order(600, 3600, BolusKind.PRIME), P40, given_before(1_500_000)) is LimitCode.MASS_24H
    assert check_bolus(order(600, 3600, BolusKind.PRIME), P40, given_before(1_200_000)) is None


@pytest.mark.sr("SR-07")
def test_a_new_therapy_counts_with_the_last_24_h_and_the_running_bolus() -> None:
    # Each pattern alone stays below the limit: an evening dose given, then a morning dose of a new pattern.
    evening = flex((0, 48_000), (720, 1_900_000))
    noon_next = DAY_MS * 40
    cycle = compile_cycle(evening, P40.minimum_rate_nL_per_day, PULSE_NL, 0)
    present = replace(PRESENT, active=evening, now_ms=noon_next, ledger=Ledger().begin(CycleSource(cycle), STRONG, 0))
    morning = flex((0, 1_900_000), (720, 48_000))
    assert check_configuration(evening, P40, present) is None
    assert check_configuration(morning, P40, present) is LimitCode.MASS_24H
    assert check_configuration(morning, P40, replace(present, ledger=Ledger())) is None
    near = changed(flow_nL_per_day=990_000)
    steady = given_before(1_980_000)
    assert check_configuration(near, P40, steady) is None
    running = BolusSource(100, HOUR_MS, NOW - 1, PULSE_NL)
    assert check_configuration(near, P40, replace(given_before(1_980_000), bolus=running)) is None
    big = BolusSource(600, HOUR_MS, NOW - 1, PULSE_NL)
    assert check_configuration(changed(flow_nL_per_day=1_000_000), P40, replace(steady, bolus=big)) is LimitCode.MASS_24H


@pytest.mark.sr("SR-07")
def test_a_stop_a_decrease_and_the_same_again_are_never_refused_for_what_was_given() -> None:
    over = Ledger().begin(ConstantSource(1_200_000), STRONG, 0)  # 2,400,000 ng, over the limit, however it came about
    present = replace(PRESENT, active=changed(flow_nL_per_day=1_000_000), ledger=over)
    assert check_configuration(changed(flow_nL_per_day=1_000_000), P40, present) is None
    assert check_configuration(changed(flow_nL_per_day=500_000), P40, present) is None
    assert check_configuration(changed(mode=Mode.STOPPED, flow_nL_per_day=0), P40, present) is None
    assert check_configuration(changed(flow_nL_per_day=1_000_001), P40, present) is LimitCode.MASS_24H
    # a pump that runs goes on running, whether or not the configuration asks for a start
    assert check_configuration(changed(flow_nL_per_day=1_000_001, start=False), P40, present) is LimitCode.MASS_24H
    stopped = replace(present, running=False, ledger=over.begin(NoFlow(), STRONG, NOW))
    assert check_configuration(changed(flow_nL_per_day=500_000), P40, stopped) is LimitCode.MASS_24H
    assert check_configuration(changed(flow_nL_per_day=500_000, start=False), P40, stopped) is None


@pytest.mark.sr("SR-07", "SR-12")
def test_without_a_bridge_the_stronger_drug_in_the_path_counts() -> None:
    # 2,000 to 500 mcg/mL at the same 1,000 mcg a day: four times the dose until the path is through
    weaker = refill(concentration_ng_per_mL=WEAK, flow_nL_per_day=2_000_000)
    present = given_before(1_000_000)
    assert check_configuration(weaker, P40, present) is None
    at_limit = refill(concentration_ng_per_mL=WEAK, flow_nL_per_day=4_000_000)
    steady = given_before(2_000_000)
    assert check_configuration(at_limit, P40, steady) is LimitCode.MASS_24H
    bridged = msgspec.structs.replace(at_limit, bridge_flow_nL_per_day=1_000_000, bridge_pulses=632)
    assert check_configuration(bridged, P40, steady) is None
    too_short = msgspec.structs.replace(bridged, bridge_pulses=300)
    assert check_configuration(too_short, P40, steady) is LimitCode.MASS_24H


@pytest.mark.sr("SR-07", "SR-12")
def test_a_bridge_to_a_stronger_drug_counts_the_weak_one_in_the_path() -> None:
    # 500 to 2,000 mcg/mL at 400 mcg a day: the bridge runs at the old 0.8 mL a day
    old = changed(concentration_ng_per_mL=WEAK, flow_nL_per_day=800_000)
    present = replace(PRESENT, active=old, ledger=Ledger().begin(ConstantSource(800_000), WEAK, 0))
    new = refill(flow_nL_per_day=200_000, bridge_flow_nL_per_day=800_000, bridge_pulses=632)
    assert check_configuration(new, P40, present) is None


@pytest.mark.sr("SR-27")
def test_the_plan_runs_bolus_then_bridge_then_therapy_and_the_bolus_shortens_the_bridge() -> None:
    active = changed(concentration_ng_per_mL=WEAK, bridge_flow_nL_per_day=216_000, bridge_pulses=632)
    present = replace(PRESENT, active=active, bridge_left_pulses=400, path_concentration_ng_per_mL=STRONG, path_left_nL=200_000)
    plan = future_plan(P40, present, BolusSource(100, HOUR_MS, NOW, PULSE_NL))
    bridge_ms = 300 * PULSE_NL * DAY_MS // 216_000
    assert [(stretch.from_ms - NOW, stretch.to_ms - NOW, stretch.concentration_ng_per_mL) for stretch in plan] == [
        (0, HOUR_MS, STRONG),
        (HOUR_MS, HOUR_MS + bridge_ms, STRONG),
        (HOUR_MS + bridge_ms, 2 * DAY_MS, WEAK),
    ]
    at_minimum = future_plan(P40, replace(present, minimum_rate=True), None)
    assert sum(stretch.source.volume_units(stretch.from_ms, stretch.to_ms) for stretch in at_minimum) == 2 * DAY_MS * 6_000
    stopped = future_plan(P40, replace(present, running=False), None)
    assert sum(stretch.mass_units_between(NOW, NOW + 2 * DAY_MS) for stretch in stopped) == 0
    assert future_plan(P40, FRESH, None) == []


amounts = st.integers(48_000, 1_500_000)


@pytest.mark.sr("SR-07")
@settings(max_examples=30)
@given(
    st.lists(amounts, min_size=1, max_size=4), st.lists(amounts, min_size=1, max_size=4), st.integers(0, 7 * DAY_MS), st.integers(1, 100)
)
def test_whatever_the_pump_accepts_keeps_each_24_h_within_the_limit(
    before: list[int], after: list[int], into_ms: int, bolus_pulses: int
) -> None:
    old = flex(*((index * 300, flow) for index, flow in enumerate(before)))
    new = flex(*((index * 300, flow) for index, flow in enumerate(after)))
    cycles = [compile_cycle(each, P40.minimum_rate_nL_per_day, PULSE_NL, 0) for each in (old, new)]
    if check_configuration(old, P40, replace(PRESENT, ledger=Ledger(), running=False)) is not None:
        return
    now_ms = NOW + into_ms
    ledger = Ledger().begin(CycleSource(cycles[0]), STRONG, 0)
    present = replace(PRESENT, now_ms=now_ms, active=old, ledger=ledger)
    if check_configuration(new, P40, present) is None:
        ledger = ledger.begin(CycleSource(cycles[1]), STRONG, now_ms)
        present = replace(present, active=new, ledger=ledger)
    running = cycles[1] if present.active is new else cycles[0]
    if check_bolus(order(bolus_pulses), P40, present) is None:
        ledger = ledger.begin(BolusSource(bolus_pulses, HOUR_MS, now_ms, PULSE_NL), STRONG, now_ms)
        ledger = ledger.begin(CycleSource(running), STRONG, now_ms + HOUR_MS)
    for end_ms in range(now_ms + HOUR_MS, now_ms + 2 * DAY_MS, 977 * MINUTE_MS // 10):
        # The ledger keeps what it needs for the window ending now or later; a fresh one is asked only after its last change.
        assert ledger.mass_24h(end_ms) <= DRUG.mass_24h_max_ng


def test_the_largest_future_mass_of_a_plan_is_what_the_limit_sees() -> None:
    present = given_before(1_980_000)
    plan = future_plan(P40, present, None)
    assert plan == [Stretch(NOW, NOW + 2 * DAY_MS, plan[0].source, STRONG)]
    assert max_future_mass_24h(present.ledger, plan, NOW) == 1_980_000


# ------------------------------------------------------------------------------------------------ patient requests


def requested(present: PresentState) -> Denial | None:
    return check_patient_request(P40, present)


ALLOWED = replace(PRESENT, active=patient(5, 10, 360, 3))


@pytest.mark.sr("SR-14")
def test_a_patient_request_is_granted_or_denied_with_its_reason() -> None:
    recent = PatientRecord().grant(NOW - HOUR_MS)
    spent = PatientRecord((NOW - 23 * HOUR_MS, NOW - 15 * HOUR_MS, NOW - 7 * HOUR_MS), 3, 0)
    assert requested(ALLOWED) is None
    assert requested(PRESENT) is Denial.NONE_ALLOWED
    assert requested(FRESH) is Denial.NONE_ALLOWED
    assert requested(replace(ALLOWED, running=False)) is Denial.NOT_RUNNING
    assert requested(replace(ALLOWED, bolus=BolusSource(1, 1000, NOW, PULSE_NL))) is Denial.BOLUS_RUNNING
    assert requested(replace(ALLOWED, patient=recent)) is Denial.LOCKOUT
    assert requested(replace(ALLOWED, patient=spent)) is Denial.ALLOTMENT
    assert requested(replace(ALLOWED, reservoir_nL=P40.residual_nL + 2_499)) is Denial.RESERVOIR
    assert requested(replace(ALLOWED, reservoir_nL=P40.residual_nL + 2_500)) is None
    in_path = replace(ALLOWED, path_concentration_ng_per_mL=4_000_000, path_left_nL=1)
    most = DRUG.patient_mass_max_ng // (PULSE_NG * 2)
    assert requested(replace(in_path, active=patient(most, 60, 360, 1))) is None
    assert requested(replace(in_path, active=patient(most + 1, 60, 360, 1))) is Denial.PATIENT_DOSE
    assert requested(replace(in_path, active=patient(most + 1, 60, 360, 1), path_left_nL=0)) is None
    assert requested(replace(ALLOWED, minimum_rate=True)) is Denial.NOT_RUNNING
    full = replace(ALLOWED, active=patient(50, 10, 360, 1, flow_nL_per_day=970_000), ledger=given_before(2_000_000).ledger)
    assert requested(full) is Denial.MASS_24H


@pytest.mark.sr("SR-14")
def test_the_denials_together_are_the_table() -> None:
    assert {denial.name for denial in Denial} == {
        "NONE_ALLOWED",
        "NOT_RUNNING",
        "BOLUS_RUNNING",
        "LOCKOUT",
        "ALLOTMENT",
        "MASS_24H",
        "RESERVOIR",
        "PATIENT_DOSE",
    }


# ------------------------------------------------------------------------------------------------ any configuration at all

any_step = st.builds(
    Step,
    start_min=st.integers(0, 1439),
    kind=st.sampled_from(StepKind),
    amount=st.integers(0, 30_000_000),
    duration_min=st.integers(0, 1440),
)
any_configuration = st.builds(
    Configuration,
    layout=st.just(1),
    drug=st.sampled_from(["baclofen", "morphine", "saline", ""]),
    concentration_ng_per_mL=st.sampled_from([1, WEAK, STRONG, 100_000_000]),
    reservoir_set=st.booleans(),
    reservoir_volume_nL=st.sampled_from([0, 38_000_000, 100_000_000]),
    path_volume_nL=st.sampled_from([0, 316_000, 10_000_000]),
    low_alarm_nL=st.sampled_from([0, 6_000_000, 100_000_000]),
    empty_alarm_nL=st.sampled_from([0, 1_400_000, 100_000_000]),
    week_offset_ms=st.integers(0, 604_799_999),
    start=st.booleans(),
    mode=st.sampled_from(Mode),
    flow_nL_per_day=st.sampled_from([0, 6_000, 100_000, 100_000_000]),
    periodic_pulses=st.sampled_from([0, 20, 1_000_000]),
    periodic_duration_min=st.sampled_from([0, 60, 1440]),
    periodic_every_min=st.sampled_from([0, 60, 10_080]),
    patterns=st.lists(st.builds(Pattern, days=st.integers(1, 127), steps=st.lists(any_step, max_size=4).map(tuple)), max_size=3).map(tuple),
    bridge_flow_nL_per_day=st.sampled_from([0, 100_000, 100_000_000]),
    bridge_pulses=st.sampled_from([0, 600, 1_000_000]),
    patient_pulses=st.sampled_from([0, 5, 65_535]),
    patient_duration_min=st.sampled_from([0, 10, 1440]),
    patient_lockout_min=st.sampled_from([0, 360, 10_080]),
    patient_max_per_day=st.sampled_from([0, 3, 24]),
)


@pytest.mark.sr("SR-02", "SR-05")
@settings(max_examples=200)
@given(any_configuration, st.sampled_from([PRESENT, FRESH]))
def test_any_configuration_is_taken_or_refused_and_what_is_taken_compiles(configuration: Configuration, present: PresentState) -> None:
    code = check_configuration(configuration, P40, present)
    assert code is None or code in LimitCode
    if code is None:
        compile_cycle(configuration, P40.minimum_rate_nL_per_day, PULSE_NL, 0)
        assert configuration.drug == "baclofen"
