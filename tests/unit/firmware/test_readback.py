"""What the pump reads back of staged data: masses worked out by hand."""

from __future__ import annotations

import pytest

from firmware_sim.firmware.cycle import CycleError
from firmware_sim.firmware.readback import bolus_read_back, configuration_read_back
from firmware_sim.profiles import load_profile
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    CommandKind,
    Configuration,
    Mode,
    Pattern,
    ReadBack,
    Step,
    StepKind,
    decode_reply,
    encode_reply,
)
from tests.configurations import configuration_of

P40 = load_profile("P-40").firmware
DIGEST = bytes(range(32))
WORKDAYS, WEEKEND = 31, 96


def configuration(**fields: object) -> Configuration:
    return configuration_of(**{"low_alarm_nL": 6_000_000, "week_offset_ms": 123_456_789, **fields})


def read(staged: Configuration, anchor_ms: int = 0) -> ReadBack:
    return configuration_read_back(staged, P40, anchor_ms, cmd_id=77, digest=DIGEST, base_revision=4, current_revision=5)


def days(reply: ReadBack) -> list[int]:
    return [
        reply.monday_ng,
        reply.tuesday_ng,
        reply.wednesday_ng,
        reply.thursday_ng,
        reply.friday_ng,
        reply.saturday_ng,
        reply.sunday_ng,
    ]


def rate(start_min: int, flow: int) -> Step:
    return Step(start_min=start_min, kind=StepKind.RATE, amount=flow, duration_min=0)


def bolus(start_min: int, pulses: int, duration_min: int) -> Step:
    return Step(start_min=start_min, kind=StepKind.BOLUS, amount=pulses, duration_min=duration_min)


@pytest.mark.sr("SR-10")
def test_a_weekly_therapy_is_read_back_day_by_day_with_its_largest_24_h() -> None:
    patterns = (
        Pattern(days=WORKDAYS, steps=(rate(0, 96_000), bolus(360, 40, 60), rate(1200, 78_000))),
        Pattern(days=WEEKEND, steps=(rate(0, 96_000),)),
    )
    reply = read(configuration(mode=Mode.FLEX, flow_nL_per_day=0, patterns=patterns))
    # 20 h at 96,000 nL/day less the hour of the bolus, 4 h at 78,000; 40 pulses of 500 nL; 2 ng per nL
    workday = (19 * 96_000 // 24 + 4 * 78_000 // 24) * 2 + 40 * 500 * 2
    assert days(reply) == [workday] * 5 + [192_000] * 2
    # Sunday midday to Monday midday: no slow evening, one bolus
    assert reply.max_24h_ng == 23 * 96_000 // 24 * 2 + 40_000
    assert (reply.bolus_pulses, reply.bolus_ng, reply.bolus_duration_s) == (0, 0, 0)


def test_the_reply_says_what_it_belongs_to_and_can_be_sent() -> None:
    reply = read(configuration())
    assert (reply.cmd_id, reply.kind, reply.digest) == (77, CommandKind.CONFIGURE, DIGEST)
    assert (reply.base_revision, reply.current_revision, reply.concentration_ng_per_mL) == (4, 5, 2_000_000)
    assert decode_reply(encode_reply(9, reply)) == (9, reply)


def test_days_round_down_and_the_largest_24_h_up() -> None:
    reply = read(configuration(concentration_ng_per_mL=500_000, flow_nL_per_day=100_001))
    assert days(reply) == [50_000] * 7
    assert reply.max_24h_ng == 50_001


@pytest.mark.sr("SR-07")
def test_patient_boluses_count_at_their_full_allotment() -> None:
    reply = read(configuration(patient_pulses=5, patient_duration_min=10, patient_lockout_min=360, patient_max_per_day=3))
    assert days(reply) == [200_000] * 7
    assert reply.max_24h_ng == 200_000 + 3 * 5 * 1000


@pytest.mark.sr("SR-10")
def test_sixty_micrograms_an_hour_instead_of_a_day_stands_in_the_read_back() -> None:
    daily = read(
        configuration(
            mode=Mode.PERIODIC_BOLUS, flow_nL_per_day=6_000, periodic_pulses=60, periodic_duration_min=60, periodic_every_min=1440
        )
    )
    hourly = read(
        configuration(mode=Mode.PERIODIC_BOLUS, flow_nL_per_day=6_000, periodic_pulses=60, periodic_duration_min=60, periodic_every_min=60)
    )
    assert days(daily)[0] == 60_000 + 23 * 500
    assert days(hourly) == [24 * 60_000] * 7
    assert hourly.max_24h_ng == 24 * 60_000


@pytest.mark.parametrize(("mode", "mass"), [(Mode.STOPPED, 0), (Mode.MINIMUM_RATE, 12_000)], ids=["stopped", "minimum rate"])
def test_modes_without_a_flow_of_their_own(mode: Mode, mass: int) -> None:
    reply = read(configuration(mode=mode, flow_nL_per_day=0))
    assert [*days(reply), reply.max_24h_ng] == [mass] * 8


def test_what_is_no_therapy_is_not_read_back() -> None:
    with pytest.raises(CycleError):
        read(configuration(mode=Mode.FLEX, flow_nL_per_day=0))


@pytest.mark.parametrize(("kind", "concentration", "mass"), [(BolusKind.SINGLE, 2_000_000, 25_000), (BolusKind.PRIME, 500_001, 6_250)])
def test_a_bolus_is_read_back_in_pulses_mass_and_time(kind: BolusKind, concentration: int, mass: int) -> None:
    order = BolusOrder(layout=1, kind=kind, from_counter=1000, to_counter=1025, duration_s=600)
    active = configuration(concentration_ng_per_mL=concentration)
    reply = bolus_read_back(order, active, P40, cmd_id=78, digest=DIGEST, base_revision=5, current_revision=5)
    assert (reply.kind, reply.bolus_pulses, reply.bolus_ng, reply.bolus_duration_s) == (CommandKind.BOLUS, 25, mass, 600)
    assert [*days(reply), reply.max_24h_ng] == [0] * 8
    assert reply.concentration_ng_per_mL == concentration


def test_a_bolus_of_nothing_is_not_read_back() -> None:
    order = BolusOrder(layout=1, kind=BolusKind.SINGLE, from_counter=5, to_counter=5, duration_s=600)
    with pytest.raises(ValueError, match="no pulses"):
        bolus_read_back(order, configuration(), P40, cmd_id=1, digest=DIGEST, base_revision=1, current_revision=1)
