"""From prescription and pump to what the pump takes, and back to doses; read-back against the pump's own computation."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.readback import bolus_read_back, configuration_read_back
from firmware_sim.profiles import load_profile as load_pump_profile
from itbpump.changes import rebased_configuration, refilled_configuration, restored_configuration
from itbpump.configuration import (
    BridgePlan,
    PresentPump,
    bolus_order,
    configuration_digest,
    plan_bridge,
    prime_order,
    to_configuration,
    week_offset_ms,
    wire_configuration,
)
from itbpump.errors import ConfigurationError
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import Concentration, Duration, Flow, Mass, MassRate, Volume
from itbpump.read_back import compare_bolus_read_back, compare_read_back, expected_read_back
from itbpump.refill import Refill
from itbpump.schedule import WEEK_MS
from itbpump.therapy import Prescription
from itbpump.therapy_view import count_in_words, days_in_words, view_configuration
from itbpump.wire.messages import (
    BolusKind,
    BolusState,
    CommandKind,
    Configuration,
    Mode,
    RunState,
    Status,
    decode_configuration,
    encode_configuration,
)
from tests.unit.therapy.prescriptions import bolus, continuous, example, fits_wire, flex, prescription, prescriptions, rate

P40 = load_profile("P-40")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # a Monday, 10:00 at -05:00
HOUR = 3_600_000


def pump(configuration: Configuration | None = None, **more: object) -> PresentPump:
    values: dict[str, object] = {
        "host_now": NOW,
        "uptime_ms": 90 * HOUR,
        "run_state": RunState.RUNNING if configuration is not None else RunState.UNCONFIGURED,
        "mode": configuration.mode if configuration is not None else Mode.STOPPED,
        "revision": 1 if configuration is not None else 0,
        "configuration": configuration,
        "reservoir_nL": 30_000_000,
        "lifetime_pulses": 1_000,
        "bolus_counter": 77,
        "bridge_left_pulses": 0,
        "path_concentration_ng_per_mL": configuration.concentration_ng_per_mL if configuration is not None else 0,
        "path_left_pulses": 0,
        "bolus_left_pulses": 0,
        "mass_24h_ng": 0,
        "last_change_ms": 0,
        "last_change_kind": CommandKind.CONFIGURE,
    }
    return PresentPump(**{**values, **more})  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ the week
@pytest.mark.sr("SR-52")
@given(st.integers(0, 2**40), st.integers(0, 4_000_000), st.integers(-14, 14), st.integers(-14, 14))
def test_the_week_offset_makes_the_pump_agree_with_the_wall_at_the_offset_of_as_of(
    uptime: int, minutes: int, hours: int, host: int
) -> None:
    day_zone, host_zone = timezone(timedelta(hours=hours)), timezone(timedelta(hours=host))
    now = (datetime(2020, 1, 1, tzinfo=day_zone) + timedelta(minutes=minutes)).astimezone(host_zone)
    offset = week_offset_ms(datetime(2026, 7, 1, tzinfo=day_zone), now, uptime)
    assert 0 <= offset < WEEK_MS
    local = now.astimezone(day_zone)
    assert (uptime + offset) % WEEK_MS == ((local.weekday() * 24 + local.hour) * 60 + local.minute) * 60_000


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="offset from UTC"):
        week_offset_ms(NOW, NOW.replace(tzinfo=None), 0)


def test_a_first_configuration_takes_volume_and_day_and_a_later_one_keeps_the_pumps() -> None:
    rx = example("flex-weekday-weekend")
    first = to_configuration(rx, pump(), P40)
    assert (first.reservoir_set, first.reservoir_volume_nL) == (True, 38_000_000)
    assert (90 * HOUR + first.week_offset_ms) % WEEK_MS == 10 * HOUR
    later = to_configuration(rx, pump(replace(first, week_offset_ms=5)), P40)
    assert (later.reservoir_set, later.reservoir_volume_nL, later.week_offset_ms) == (False, 0, 5)
    refilled = to_configuration(rx, pump(first), P40, refill=Volume(40_000_000), start=False)
    assert (refilled.reservoir_set, refilled.reservoir_volume_nL, refilled.start) == (True, 40_000_000, False)


@pytest.mark.sr("SR-35")
def test_alarms_come_from_prescription_and_profile() -> None:
    rx = prescription(pump={"low_reservoir_alarm": None})
    assert wire_configuration(rx, P40).low_alarm_nL == P40.low_alarm_default.nL
    assert wire_configuration(example("continuous"), P40).low_alarm_nL == 4_000_000
    assert wire_configuration(rx, P40).empty_alarm_nL == P40.residual.nL


@pytest.mark.sr("SR-23")
def test_a_stop_never_starts() -> None:
    assert not to_configuration(example("stopped"), pump(), P40, start=True).start


# ------------------------------------------------------------------------------------------------ bridge
def relabel(**more: object) -> Configuration:
    old = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    new = prescription(continuous("180 mcg/day"), bridge={"plan": "auto"})
    return to_configuration(new, pump(old, **more), P40, refill=Volume(38_000_000))


@pytest.mark.sr("SR-12")
def test_a_bridge_keeps_the_old_flow_for_the_path() -> None:
    configuration = relabel()
    assert (configuration.bridge_flow_nL_per_day, configuration.bridge_pulses) == (400_000, 632)
    view = view_configuration(configuration, P40)
    assert view.bridge == (Flow(400_000), Volume(316_000))  # no dose: what the path holds is not in a configuration
    assert Fraction(configuration.bridge_pulses * 500 * 24, 400_000) == Fraction(1896, 100)  # 18.96 h, domain 7


@pytest.mark.sr("SR-12")
def test_without_a_running_therapy_the_bridge_gives_the_new_dose_from_the_old_drug() -> None:
    for state in ({"run_state": RunState.STOPPED}, {"mode": Mode.MINIMUM_RATE}):
        configuration = relabel(**state)
        assert configuration.bridge_flow_nL_per_day == 360_000  # the new 180 mcg/day at 500 mcg/mL


@pytest.mark.sr("SR-12")
@given(st.integers(1, 500_000), st.sampled_from([500, 2000]), st.fractions(1, 10**7), st.integers(1, 6), st.integers(1, 6))
def test_a_bridge_covers_the_path_and_never_gives_more_than_the_old_flow(path: int, pulse: int, flow: Fraction, old: int, new: int) -> None:
    plan = plan_bridge(path_nL=path, pulse_nL=pulse, old_flow=flow, old_ng_per_mL=old, new_flow=Fraction(1), new_ng_per_mL=new)
    assert path <= plan.pulses * pulse < path + pulse
    assert plan.flow_nL_per_day <= flow < plan.flow_nL_per_day + 1


@pytest.mark.sr("SR-12", "SR-39")
def test_a_relabelled_pump_needs_a_refill_a_decision_and_one_concentration_in_its_path() -> None:
    old = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    new = prescription(bridge={"plan": "auto"})
    for rx, present, refill, rule in (
        (new, pump(old), None, "label"),
        (prescription(), pump(old), Volume(1), "bridge-missing"),
        (new, pump(old, bridge_left_pulses=9), Volume(1), "bridge-pending"),
        (new, pump(old, bridge_left_pulses=9, run_state=RunState.STOPPED), Volume(1), "bridge-pending"),
        (new, pump(old, path_left_pulses=9, path_concentration_ng_per_mL=1_000_000), Volume(1), "path-pending"),
    ):
        with pytest.raises(ConfigurationError) as caught:
            to_configuration(rx, present, P40, refill=refill)
        assert caught.value.rule == rule
    refused = to_configuration(prescription(bridge={"plan": "refused", "reason": "rinsed"}), pump(old), P40, refill=Volume(1))
    assert refused.bridge_pulses == 0


STATES = st.sampled_from([RunState.RUNNING, RunState.STOPPED, RunState.SAFE])


@pytest.mark.sr("SR-12")
@given(STATES, st.integers(1, 632))
def test_every_change_of_the_same_label_carries_the_rest_of_a_bridge_in_any_state(state: RunState, left: int) -> None:
    now = pump(relabel(), run_state=state, bridge_left_pulses=left, path_left_pulses=left, path_concentration_ng_per_mL=500_000)
    same = prescription(continuous("180 mcg/day"))
    refill = Refill.plan(Volume.parse("28 mL"), Volume.parse("36 mL"), now, P40, [])
    for later in (
        to_configuration(same, now, P40),
        to_configuration(same, now, P40, refill=Volume(38_000_000), start=False),
        to_configuration(prescription({"mode": "stopped"}), now, P40),
        refilled_configuration(refill, now),
        rebased_configuration(7, now),
    ):
        assert (later.bridge_flow_nL_per_day, later.bridge_pulses) == (400_000, left)
    with pytest.raises(ConfigurationError, match="a bridge is in force"):
        restored_configuration(relabel(), now)
    with pytest.raises(ConfigurationError, match="itbpump stop"):
        to_configuration(prescription({"mode": "minimum-rate"}), now, P40)


@pytest.mark.sr("SR-12")
def test_a_bridge_that_has_ended_is_not_begun_again() -> None:
    over = pump(relabel())
    for later in (to_configuration(prescription(), over, P40), rebased_configuration(7, over), restored_configuration(relabel(), over)):
        assert (later.bridge_flow_nL_per_day, later.bridge_pulses) == (0, 0)
    with pytest.raises(ConfigurationError, match="its configuration does not have"):
        to_configuration(prescription(), pump(wire_configuration(prescription(), P40), bridge_left_pulses=1), P40)


@pytest.mark.sr("SR-12")
@pytest.mark.parametrize(
    ("state", "told"),
    [
        ({}, "632 more pulses have passed, about 19 h"),
        ({"run_state": RunState.STOPPED}, "the pump gives nothing now, so start its therapy first"),
        ({"run_state": RunState.SAFE, "mode": Mode.MINIMUM_RATE}, "about 1,264 h"),
    ],
)
def test_how_long_to_wait_is_told(state: dict[str, Any], told: str) -> None:
    held = {"bridge_left_pulses": 632, "path_left_pulses": 632, "path_concentration_ng_per_mL": 500_000}
    new = prescription(drug={"concentration": "1000 mcg/mL"}, bridge={"plan": "auto"})
    with pytest.raises(ConfigurationError, match=r"still holds 500 mcg per mL") as caught:
        to_configuration(new, pump(relabel(), **held, **state), P40, refill=Volume(38_000_000))
    assert told in str(caught.value)


@pytest.mark.sr("SR-39")
@pytest.mark.parametrize("state", [RunState.SAFE, RunState.STOPPED])
def test_a_pump_that_lost_its_configuration_never_believes_the_prescriptions_volume(state: RunState) -> None:
    lost = pump(None, run_state=state, revision=9, reservoir_nL=0)
    with pytest.raises(ConfigurationError, match="refill --rx") as caught:
        to_configuration(prescription(), lost, P40)
    assert caught.value.rule == "lost-configuration"
    measured = to_configuration(prescription(), lost, P40, refill=Volume(33_000_000))
    assert (measured.reservoir_set, measured.reservoir_volume_nL) == (True, 33_000_000)
    plan = Refill.plan(Volume.parse("28 mL"), Volume.parse("36 mL"), lost, P40, [])
    assert (plan.expected_nL, plan.discrepancy.suspicious, plan.discrepancy.outside_accuracy) == (None, False, None)
    assert "lost its count" in plan.discrepancy.meaning


# ------------------------------------------------------------------------------------------------ read back
profiles = st.sampled_from(["P-20", "P-40", "V-20", "V-40"])


@pytest.mark.sr("SR-02", "SR-09")
@given(prescriptions(), profiles, st.integers(0, 2**40))
def test_the_pump_reads_back_what_the_companion_computed_apart(rx: Prescription, name: str, anchor: int) -> None:
    configuration = wire_configuration(rx, load_profile(name), bridge=BridgePlan(0, 0))
    assume(fits_wire(configuration))
    read = configuration_read_back(
        configuration,
        load_pump_profile(name).firmware,
        anchor,
        cmd_id=1,
        digest=configuration_digest(configuration),
        base_revision=1,
        current_revision=1,
    )
    assert compare_read_back(configuration, read, load_profile(name)) == ()


@pytest.mark.sr("SR-09")
def test_a_read_back_that_differs_is_told() -> None:
    configuration = wire_configuration(example("flex-weekday-weekend"), P40)
    other = replace(configuration, concentration_ng_per_mL=500_000)
    read = configuration_read_back(
        other, load_pump_profile("P-40").firmware, 0, cmd_id=1, digest=bytes(32), base_revision=1, current_revision=1
    )
    told = compare_read_back(configuration, read, P40)
    assert {line.split(":")[0] for line in told} >= {"digest", "concentration_ng_per_mL", "monday_ng", "max_24h_ng"}


def test_the_examples_figures() -> None:
    figures = expected_read_back(wire_configuration(example("flex-weekday-weekend"), P40), P40)
    assert figures.days_ng == (174_000,) * 5 + (144_000,) * 2
    assert figures.max_24h_ng == 178_000
    assert expected_read_back(wire_configuration(example("patient-bolus"), P40), P40).max_24h_ng == 195_000


@given(prescriptions(), profiles.map(load_profile))
def test_a_configuration_survives_the_wire(rx: Prescription, profile: PumpProfile) -> None:
    configuration = wire_configuration(rx, profile)
    assume(fits_wire(configuration))
    assert decode_configuration(encode_configuration(configuration)) == configuration


# ------------------------------------------------------------------------------------------------ boluses
def test_a_bolus_is_a_target_on_the_counter() -> None:
    order = bolus_order(Mass.parse("25 mcg"), Duration.parse("10m"), Concentration.parse("2000 mcg/mL"), P40.pulse_volume, 77)
    assert (order.kind, order.from_counter, order.to_counter, order.duration_s) == (BolusKind.SINGLE, 77, 102, 600)
    with pytest.raises(ConfigurationError, match="half a pulse"):
        bolus_order(Mass.parse("0.5 mcg"), Duration.parse("10m"), Concentration.parse("2000 mcg/mL"), P40.pulse_volume, 77)
    with pytest.raises(ConfigurationError, match="whole seconds"):
        bolus_order(Mass.parse("25 mcg"), Duration(1_500), Concentration.parse("2000 mcg/mL"), P40.pulse_volume, 77)


@pytest.mark.sr("SR-09")
def test_the_pump_reads_back_a_bolus_as_the_companion_meant_it() -> None:
    active = wire_configuration(example("continuous"), P40)
    order = bolus_order(Mass.parse("25.3 mcg"), Duration.parse("10m"), Concentration(active.concentration_ng_per_mL), P40.pulse_volume, 5)
    read = bolus_read_back(
        order,
        active,
        load_pump_profile("P-40").firmware,
        cmd_id=1,
        digest=compare_digest(order),
        base_revision=1,
        current_revision=1,
    )
    assert compare_bolus_read_back(order, read, active.concentration_ng_per_mL, P40) == ()
    assert compare_bolus_read_back(replace(order, duration_s=60), read, active.concentration_ng_per_mL, P40) != ()


def compare_digest(order: object) -> bytes:
    import hashlib

    from itbpump.wire.messages import BolusOrder, encode_bolus_order

    assert isinstance(order, BolusOrder)
    return hashlib.sha256(encode_bolus_order(order)).digest()


@pytest.mark.sr("SR-13")
def test_a_prime_follows_from_the_stored_volumes() -> None:
    catheter = {"path_volume": "0.316 mL", "tubing_volume": "0.14 mL"}
    whole = prime_order(prescription(catheter=catheter, prime={"scope": "path"}), P40, Duration.parse("20m"), 0)
    part = prime_order(prescription(catheter=catheter, prime={"scope": "catheter"}), P40, Duration.parse("20m"), 0)
    assert (whole.kind, whole.to_counter, part.to_counter) == (BolusKind.PRIME, 632, 352)
    with pytest.raises(ConfigurationError, match=r"no \[prime\]"):
        prime_order(prescription(), P40, Duration.parse("20m"), 0)


# ------------------------------------------------------------------------------------------------ the inverse view
def test_a_configuration_is_shown_in_doses() -> None:
    view = view_configuration(wire_configuration(example("flex-weekday-weekend"), P40), P40)
    assert [str(step) for step in view.days[0]] == ["6 mcg per hour", "40 mcg over 1 h", "5 mcg per hour"]
    assert (str(view.highest_24h_exact), str(view.lowest_day)) == ("178 mcg per day", "144 mcg per day")
    assert view.days_to(Volume.parse("38 mL"), view.low_alarm) == 380
    assert view.days_to(Volume.parse("6 mL"), view.low_alarm) is None
    assert json.loads(json.dumps(view.json()))["days"]["sat"] == [{"at": "00:00", "rate": {"value": "144", "unit": "mcg/day"}}]


@given(prescriptions(), profiles.map(load_profile))
def test_every_configuration_can_be_shown(rx: Prescription, profile: PumpProfile) -> None:
    configuration = wire_configuration(rx, profile)
    view = view_configuration(configuration, profile)
    assert view.lowest_day <= view.mean_day <= view.highest_day
    assert MassRate(expected_read_back(configuration, profile).max_24h_ng) >= view.highest_24h_exact
    assert dict(view.rows())["mode"] == rx.therapy.mode.replace("-", " ")
    json.dumps(view.json())


def test_counts_and_days_are_words() -> None:
    assert [count_in_words(count) for count in (0, 1, 13, 20, 24, 99, 1440)] == [
        "no", "one", "thirteen", "twenty", "twenty-four", "ninety-nine", "1,440",
    ]  # fmt: skip
    assert [days_in_words(days) for days in ((0, 1, 2, 3, 4), (5, 6), tuple(range(7)), (0, 2, 4))] == [
        "Mon to Fri", "Sat, Sun", "every day", "Mon, Wed, Fri",
    ]  # fmt: skip


def test_a_step_of_the_wire_is_shown_per_day_where_the_hour_does_not_end() -> None:
    rx = prescription(flex(rate("00:00", "100 mcg/day"), bolus("08:00", "20 mcg", "30m")))
    assert str(view_configuration(wire_configuration(rx, P40), P40).days[0][0]) == "100 mcg per day"


def test_status_and_configuration_must_belong_together() -> None:
    configuration = wire_configuration(example("continuous"), P40)
    status = Status(
        uptime_ms=5, wall_s=0, run_state=RunState.RUNNING, mode=Mode.CONTINUOUS, bridging=False, flow_nL_per_day=0, revision=3,
        digest=configuration_digest(configuration), drug="baclofen", concentration_ng_per_mL=1, week_offset_ms=0, reservoir_nL=9,
        low_alarm_nL=0, path_concentration_ng_per_mL=1, path_left_pulses=0, lifetime_pulses=4,
        bolus_counter=2, bridge_left_pulses=0, bolus_kind=BolusKind.SINGLE, bolus_state=BolusState(1),
        bolus_requested=10, bolus_delivered=4, bolus_left_ms=100, mass_24h_ng=8, patient_granted_24h=0, patient_granted=0, patient_denied=0,
        lockout_left_ms=0, last_change_by=bytes(8), last_change_ms=1, last_change_kind=CommandKind.BOLUS, others_unconfirmed=0,
        battery_permille=900, eri_left_days=65535, resets=0, doubt_pulses=0, log_next_seq=1, alarms=(),
    )  # fmt: skip
    waiting = replace(status, bridge_left_pulses=7, path_left_pulses=8, path_concentration_ng_per_mL=9, run_state=RunState.STOPPED)
    found = PresentPump.from_status(waiting, configuration, NOW)
    assert (found.bridging, found.bridge_left_pulses, found.path_left_pulses, found.path_concentration_ng_per_mL) == (True, 7, 8, 9)
    present = PresentPump.from_status(status, configuration, NOW)
    assert (present.bolus_left_pulses, present.is_treating) == (6, True)
    with pytest.raises(ConfigurationError, match="not the one in force"):
        PresentPump.from_status(replace(status, digest=bytes(32)), configuration, NOW)
    with pytest.raises(ConfigurationError, match="no offset"):
        PresentPump.from_status(status, configuration, NOW.replace(tzinfo=None))


@pytest.mark.sr("SR-02")
def test_profiles_of_pump_and_companion_agree_and_the_companion_is_never_looser() -> None:
    for name in ("P-20", "P-40", "V-20", "V-40"):
        mine, its = load_profile(name), load_pump_profile(name).firmware
        assert mine.constants_hash == its.constants_hash
        assert mine.bolus_min_duration.ms >= its.bolus_min_duration_s * 1000
        assert mine.bolus_max_duration.ms <= its.bolus_max_duration_s * 1000
        assert mine.patient_lockout_min.ms >= its.patient_lockout_min_ms
        assert mine.patient_max_per_day <= its.patient_max_per_day
        assert mine.path_min.nL >= its.path_min_nL
        assert mine.path_max.nL <= its.path_max_nL
        assert mine.prime_margin.nL <= its.prime_margin_nL
        assert mine.low_alarm_default.nL == its.low_alarm_default_nL
