"""The review: examples, golden accidents, limits at their edges, totality, digest, table."""

from __future__ import annotations

import json
import re
import statistics
from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.configuration import THERAPEUTIC, PresentPump, mass_of_units, schedule_for, to_configuration, wire_configuration
from itbpump.drugs import Figure, load_library
from itbpump.errors import LibraryError, ProfileError
from itbpump.forecast import day_text
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, Mass, MassRate, Volume
from itbpump.safety import Review, Severity, all_rules, review
from itbpump.schedule import WEEK_MS
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, Configuration, Mode, RunState
from tests.unit.therapy.prescriptions import bolus, continuous, example, fits_wire, flex, periodic, prescription, prescriptions, rate

P40 = load_profile("P-40")
NOW = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)
LONG_AGO = datetime(2026, 1, 1, tzinfo=UTC)
STOPPED: dict[str, Any] = {"mode": "stopped"}


def severities(judged: Review) -> dict[str, Severity]:
    """Worst severity of each rule that found something."""
    worst: dict[str, Severity] = {}
    for finding in judged.findings:
        worst[finding.rule] = max(finding.severity, worst.get(finding.rule, Severity.INFO))
    return worst


def message(judged: Review, rule: str) -> str:
    return next(finding.message for finding in judged.findings if finding.rule == rule)


def of(rx: Prescription, rule: str, current: Prescription | PresentPump | None = None, **more: Any) -> Severity | None:
    return severities(review(rx, current, **more)).get(rule)


def given_in_24h(configuration: Configuration | None) -> int:
    """What a therapy that has been running for days gave, ng."""
    if configuration is None or configuration.mode not in THERAPEUTIC:
        return 0
    schedule = schedule_for(configuration, P40)
    now = (900 * 3_600_000 + configuration.week_offset_ms) % WEEK_MS + WEEK_MS
    return int(mass_of_units(schedule.volume_units_between(now - MS_PER_DAY, now), configuration.concentration_ng_per_mL))


def pump(configuration: Configuration | None, **more: Any) -> PresentPump:
    present = PresentPump(
        host_now=NOW,
        uptime_ms=900 * 3_600_000,
        run_state=RunState.RUNNING if configuration is not None else RunState.UNCONFIGURED,
        mode=configuration.mode if configuration is not None else Mode.STOPPED,
        revision=1,
        configuration=configuration,
        reservoir_nL=30_000_000,
        lifetime_pulses=0,
        bolus_counter=0,
        bridge_left_pulses=0,
        path_concentration_ng_per_mL=configuration.concentration_ng_per_mL if configuration is not None else 0,
        path_left_pulses=0,
        bolus_left_pulses=0,
        mass_24h_ng=given_in_24h(configuration),
        last_change_ms=0,
        last_change_kind=CommandKind.CONFIGURE,
    )
    return changed(present, **more)


# ------------------------------------------------------------------------------------------------ examples
@pytest.mark.parametrize("name", ["flex-weekday-weekend", "continuous", "periodic-bolus", "patient-bolus", "concentration-change"])
def test_an_example_passes_alone_and_as_a_start(name: str) -> None:
    rx = example(name)
    assert review(rx).verdict == "ok"
    assert review(rx, pump(None), profile=load_profile(rx.pump.profile)).verdict == "ok"


def test_the_stop_needs_an_acknowledgement_and_the_change_of_concentration_is_bridged() -> None:
    stop = review(example("stopped"), example("flex-weekday-weekend"))
    assert (stop.verdict, stop.exit_code) == ("soft", 3)
    assert {rule for rule, severity in severities(stop).items() if severity} == {"stop"}
    change = review(example("concentration-change"), example("continuous"))
    assert change.verdict == "ok"
    assert "200 mcg per day of the old 1,000 mcg per mL until 0.316 mL have passed, 37.9 h" in message(change, "bridge")


# ------------------------------------------------------------------------------------------------ golden accidents, domain 2.5
@pytest.mark.sr("SR-10", "SR-09")
def test_60_mcg_once_a_day_entered_as_every_hour_is_caught() -> None:
    meant = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "60 mcg", "1h")))
    entered = prescription(flex(rate("00:00", "60 mcg/h")))
    judged = review(entered, meant)
    assert judged.verdict == "hard"
    assert severities(judged)["increase"] is Severity.HARD
    hourly = [bolus(f"{hour:02d}:00", "60 mcg", "59m") for hour in range(1, 24)]
    as_steps = review(prescription(flex(rate("00:00", "4 mcg/h"), *hourly)))
    assert "twenty-three boluses in 24 h" in message(as_steps, "repeated-bolus")


@pytest.mark.sr("SR-10")
def test_an_interval_in_minutes_for_hours_is_caught() -> None:
    judged = review(prescription(periodic("40 mcg", "5m", "12m")), prescription(periodic("40 mcg", "5m", "12h")))
    assert severities(judged)["daily-total"] is Severity.HARD
    assert severities(judged)["increase"] is Severity.HARD
    assert "every 12 min: that is 120 boluses in 24 h, together 4,800 mcg per day" in message(judged, "repeated-bolus")


@pytest.mark.sr("SR-12", "SR-39")
@pytest.mark.parametrize(("old", "new"), [("500", "2000"), ("2000", "500"), ("500", "3000")])
def test_another_concentration_without_a_decision_on_the_bridge_is_hard_and_with_a_refusal_second(old: str, new: str) -> None:
    before = prescription(drug={"concentration": f"{old} mcg/mL"})
    after = {"drug": {"concentration": f"{new} mcg/mL"}}
    assert of(prescription(**after), "bridge", before) is Severity.HARD
    assert of(prescription(**after, bridge={"plan": "refused", "reason": "rinsed"}), "bridge", before) is Severity.SECOND
    assert of(prescription(**after, bridge={"plan": "auto"}), "bridge", before) is Severity.INFO
    assert of(prescription(STOPPED, **after, bridge={"plan": "auto"}), "bridge", before) is Severity.HARD


@pytest.mark.sr("SR-12")
def test_the_forgotten_bridge_is_shown_in_figures_both_ways() -> None:
    low, high = prescription(drug={"concentration": "500 mcg/mL"}), prescription()
    assert "about 50 mcg per day instead of 200 mcg per day for 3.2 days" in message(review(high, low), "bridge")
    assert "about 800 mcg per day instead of 200 mcg per day for 19 h" in message(review(low, high), "bridge")


@pytest.mark.sr("SR-12")
def test_a_bridge_outside_the_pumps_flow_and_a_second_one_in_the_path_are_hard() -> None:
    slow = prescription(continuous("30 mcg/day"), drug={"concentration": "500 mcg/mL"})
    new = prescription(continuous("30 mcg/day"), drug={"concentration": "3000 mcg/mL"}, bridge={"plan": "auto"})
    assert of(new, "flow-range", slow) is Severity.HARD
    running = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    judged = review(prescription(bridge={"plan": "auto"}), pump(running, bridge_left_pulses=9), refill=Volume(38_000_000))
    assert "holds two concentrations" in message(judged, "bridge")
    assert "wait until 9 more pulses" in message(judged, "bridge")


@pytest.mark.sr("SR-39")
def test_a_pump_is_relabelled_only_with_a_refill() -> None:
    running = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    new = prescription(bridge={"plan": "auto"})
    assert of(new, "label", pump(running)) is Severity.HARD
    assert of(new, "label", pump(running), refill=Volume(38_000_000)) is None


@pytest.mark.sr("SR-20")
def test_another_patient_or_pump_is_hard() -> None:
    assert of(prescription(patient={"id": "P-2"}), "identity", prescription()) is Severity.HARD
    assert of(prescription(pump={"profile": "P-20"}), "identity", prescription()) is Severity.HARD


# ------------------------------------------------------------------------------------------------ limits at their edges
@pytest.mark.sr("SR-02", "SR-07")
@pytest.mark.parametrize(
    ("dose", "patient", "expected"),
    [
        ("1000 mcg/day", {}, None),
        ("1001 mcg/day", {}, Severity.SOFT),
        ("2003 mcg/day", {}, Severity.SOFT),
        ("2004 mcg/day", {}, Severity.HARD),
        ("1400 mcg/day", {"indication": "cerebral"}, Severity.SOFT),
        ("1401 mcg/day", {"indication": "cerebral"}, Severity.HARD),
        ("1199 mcg/day", {"age_years": 11}, Severity.SOFT),
        ("1200 mcg/day", {"age_years": 11}, Severity.HARD),
        ("1200 mcg/day", {"age_years": 12}, Severity.SOFT),
        ("96 mcg/day", {}, None),
    ],
)
def test_the_daily_total_has_its_limits(dose: str, patient: dict[str, Any], expected: Severity | None) -> None:
    assert of(prescription(continuous(dose), patient=patient), "daily-total") is expected


@pytest.mark.sr("SR-07", "SR-14")
def test_the_daily_total_counts_all_patient_boluses_and_boluses_under_way() -> None:
    asking = {"dose": "10 mcg", "over": "10m", "lockout": "4h", "max_per_day": 6}
    assert of(prescription(continuous("950 mcg/day", patient_bolus=asking)), "daily-total") is Severity.SOFT
    rx = prescription(continuous("980 mcg/day"))
    running = wire_configuration(rx, P40)
    assert of(rx, "daily-total", pump(running)) is None
    assert of(rx, "daily-total", pump(running, bolus_left_pulses=25)) is Severity.SOFT
    assert of(rx, "daily-total", pump(running, mass_24h_ng=1_010_000)) is Severity.SOFT


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize(
    ("dose", "expected"),
    [("50 mcg", None), ("50.001 mcg", Severity.SOFT), ("100 mcg", Severity.SOFT), ("100.001 mcg", Severity.HARD), ("1 mg", Severity.HARD)],
)
def test_a_bolus_has_its_limits(dose: str, expected: Severity | None) -> None:
    assert of(prescription(flex(rate("00:00", "5 mcg/h"), bolus("06:00", dose, "1h"))), "bolus-size") is expected
    assert of(prescription(periodic(dose, "1h", "24h")), "bolus-size") is expected


@pytest.mark.sr("SR-02", "SR-05")
def test_a_bolus_is_judged_by_what_whole_pulses_give_where_that_is_more() -> None:
    """100 mcg at 3,000 mcg/mL in pulses of 0.002 mL is 17 pulses, 102 mcg: the pump refuses it, so the companion must."""
    valve = {"pump": {"profile": "V-40"}, "drug": {"concentration": "3000 mcg/mL"}}
    judged = review(prescription(periodic("100 mcg", "30m", "24h"), **valve))
    assert "100 mcg, given as 102 mcg, is above 100 mcg" in message(judged, "bolus-size")
    asking = {"dose": "50 mcg", "over": "10m", "lockout": "4h", "max_per_day": 1}
    assert of(prescription(continuous("200 mcg/day", patient_bolus=asking), **valve), "patient-bolus") is None


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("percent", "patient", "expected"),
    [
        (30, {}, None),
        (31, {}, Severity.SOFT),
        (40, {}, Severity.SOFT),
        (41, {}, Severity.SECOND),
        (100, {}, Severity.SECOND),
        (101, {}, Severity.HARD),
        (15, {"indication": "cerebral"}, None),
        (16, {"indication": "cerebral"}, Severity.SOFT),
        (21, {"indication": "cerebral"}, Severity.SECOND),
        (15, {"age_years": 17}, None),
        (16, {"age_years": 17}, Severity.SOFT),
        (21, {"age_years": 17}, Severity.SECOND),
        (-20, {}, None),
    ],
)
def test_an_increase_has_its_steps_by_indication_and_age(percent: int, patient: dict[str, Any], expected: Severity | None) -> None:
    old = prescription(continuous("200 mcg/day", since=LONG_AGO), patient=patient)
    new = prescription(continuous(f"{200 + 2 * percent} mcg/day"), patient=patient)
    judged = review(new, old)
    assert severities(judged).get("increase") is expected
    assert judged.proposed["change_percent"] == str(percent)


@pytest.mark.sr("SR-08")
def test_the_change_compares_the_highest_24_hours_not_the_mean() -> None:
    old = prescription(flex(rate("00:00", "200 mcg/day"), days=("mon",)))
    new = prescription(flex(rate("00:00", "300 mcg/day"), days=("mon",)))
    assert review(new, old).proposed["change_percent"] == "50"


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(("hours", "expected"), [(23, Severity.SECOND), (24, None), (100, None)])
def test_an_increase_in_the_first_24_hours_needs_a_second_person(hours: int, expected: Severity | None) -> None:
    new = prescription(continuous("210 mcg/day"))
    old = prescription(continuous("200 mcg/day", since=new.pump.as_of - timedelta(hours=hours)))
    assert of(new, "first-period", old) is expected
    running = wire_configuration(old, P40)
    since = pump(running).uptime_ms - hours * 3_600_000
    assert of(new, "first-period", pump(running, last_change_ms=since)) is expected


@pytest.mark.sr("SR-08", "SR-33")
@pytest.mark.parametrize(("dose", "expected"), [("160 mcg/day", None), ("159 mcg/day", Severity.SOFT), ("96 mcg/day", Severity.SOFT)])
def test_a_steep_decrease_asks_for_an_acknowledgement_and_is_never_hard(dose: str, expected: Severity | None) -> None:
    judged = review(prescription(continuous(dose)), prescription())
    assert severities(judged).get("decrease") is expected
    assert judged.severity <= Severity.SOFT


@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("mode", ["stopped", "minimum-rate"])
def test_a_stop_always_asks_for_an_acknowledgement(mode: str) -> None:
    for current in (None, prescription(), pump(None)):
        assert of(prescription({"mode": mode}), "stop", current) is Severity.SOFT


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("dose", "effect", "expected"),
    [
        ("100 mcg/day", "8h", None),
        ("101 mcg/day", "8h", Severity.SOFT),
        ("150 mcg/day", "8h", Severity.SOFT),
        ("151 mcg/day", "8h", Severity.SECOND),
        ("50 mcg/day", "8h1m", None),
        ("51 mcg/day", "8h1m", Severity.SOFT),
        ("76 mcg/day", "8h1m", Severity.SECOND),
    ],
)
def test_a_start_is_carried_by_the_screening_dose(dose: str, effect: str, expected: Severity | None) -> None:
    rx = prescription(continuous(dose), drug={"concentration": "500 mcg/mL"}, screening={"dose": "50 mcg", "effect": effect})
    held = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    stopped = pump(held, run_state=RunState.STOPPED)
    lowest = pump(held, mode=Mode.MINIMUM_RATE)
    for current in (pump(None), stopped, lowest, prescription(STOPPED, drug={"concentration": "500 mcg/mL"})):
        judged = review(rx, current)
        assert severities(judged).get("start") is expected
        assert "increase" not in severities(judged)
        assert judged.proposed["change_percent"] is None


def test_a_start_without_a_screening_dose_is_told_as_not_checked() -> None:
    assert "not checked" in message(review(prescription(), pump(None)), "start")


@pytest.mark.sr("SR-02", "SR-05")
@pytest.mark.parametrize(
    ("dose", "concentration", "says"),
    [
        ("48 mcg/day", "2000 mcg/mL", "a concentration that carries it: 500 mcg per mL, 1,000 mcg per mL"),
        ("12 mcg/day", "500 mcg/mL", "the least this pump gives with them is 24 mcg per day"),
    ],
)
def test_a_dose_this_concentration_cannot_carry_names_one_that_can(dose: str, concentration: str, says: str) -> None:
    judged = review(prescription(continuous(dose), drug={"concentration": concentration}))
    assert severities(judged)["flow-range"] is Severity.HARD
    assert says in message(judged, "flow-range")


@pytest.mark.sr("SR-02", "SR-27")
@pytest.mark.parametrize(
    ("therapy", "rule", "expected"),
    [
        (continuous("96 mcg/day"), "flow-range", None),
        (continuous("95.999 mcg/day"), "flow-range", Severity.HARD),
        (continuous("48000 mcg/day"), "flow-range", None),
        (continuous("48001 mcg/day"), "flow-range", Severity.HARD),
        (flex(rate("00:00", "5 mcg/h"), rate("09:00", "1 mcg/h")), "flow-range", Severity.HARD),
        (periodic("40 mcg", "30m", "24h", "0 mcg/day"), "flow-range", Severity.HARD),
        (periodic("40 mcg", "1m", "24h"), "bolus-delivery", Severity.HARD),
        (periodic("40 mcg", "2m", "24h"), "bolus-delivery", None),
        (periodic("40 mcg", "10h", "24h"), "bolus-delivery", None),
        (periodic("40 mcg", "10h1m", "24h"), "bolus-delivery", Severity.HARD),
        (periodic("0.5 mcg", "30m", "24h"), "bolus-delivery", Severity.HARD),
        (periodic("1.4 mcg", "30m", "24h"), "achievable", Severity.SOFT),
        (periodic("10.5 mcg", "30m", "24h"), "achievable", None),
    ],
)
def test_the_pumps_range_holds_at_every_step_and_bolus(therapy: dict[str, Any], rule: str, expected: Severity | None) -> None:
    assert of(prescription(therapy), rule) is expected


def test_a_valve_pump_has_true_no_flow() -> None:
    assert of(prescription(periodic("40 mcg", "30m", "24h", "0 mcg/day"), pump={"profile": "V-40"}), "flow-range") is None


@pytest.mark.sr("SR-35", "SR-39")
@pytest.mark.parametrize(
    ("table", "rule", "expected"),
    [
        ({"reservoir_volume": "40 mL"}, "reservoir", None),
        ({"reservoir_volume": "40.001 mL"}, "reservoir", Severity.HARD),
        ({"reservoir_volume": "6.5 mL"}, "reservoir", Severity.HARD),
        ({"low_reservoir_alarm": "1.4 mL"}, "alarm-volume", Severity.HARD),
        ({"low_reservoir_alarm": "40 mL"}, "alarm-volume", Severity.HARD),
        ({"low_reservoir_alarm": "2 mL"}, "alarm-volume", Severity.SOFT),
        ({"low_reservoir_alarm": "6.1 mL"}, "alarm-volume", None),
        ({"reservoir_volume": "40 mL", "low_reservoir_alarm": "6.28 mL"}, "alarm-volume", Severity.SOFT),
        ({"reservoir_volume": "40 mL", "low_reservoir_alarm": "6.29 mL"}, "alarm-volume", None),
    ],
)
def test_reservoir_and_alarm_volumes_are_in_order(table: dict[str, Any], rule: str, expected: Severity | None) -> None:
    assert of(prescription(pump=table), rule) is expected


@pytest.mark.sr("SR-39")
def test_without_a_refill_the_pumps_own_volume_counts() -> None:
    running = wire_configuration(prescription(), P40)
    assert of(prescription(), "reservoir", pump(running, reservoir_nL=6_000_000)) is Severity.SOFT
    assert of(prescription(), "reservoir", pump(running), refill=Volume(41_000_000)) is Severity.HARD


@pytest.mark.parametrize(
    ("path", "expected"), [("0.139 mL", Severity.HARD), ("0.14 mL", None), ("0.5 mL", None), ("0.501 mL", Severity.HARD)]
)
def test_the_path_has_a_range(path: str, expected: Severity | None) -> None:
    assert of(prescription(catheter={"path_volume": path}), "path-volume") is expected


@pytest.mark.sr("SR-02", "SR-39")
@pytest.mark.parametrize(("concentration", "says"), [("50 mcg/mL", "screening only"), ("750 mcg/mL", "not one the library knows")])
def test_an_unknown_concentration_is_hard(concentration: str, says: str) -> None:
    judged = review(prescription(drug={"concentration": concentration}))
    assert severities(judged)["concentration"] is Severity.HARD
    assert says in message(judged, "concentration")


@pytest.mark.sr("SR-14")
@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({}, None),
        ({"lockout": "59m"}, Severity.HARD),
        ({"lockout": "1h"}, None),
        ({"max_per_day": 13}, Severity.HARD),
        ({"dose": "50 mcg"}, None),
        ({"dose": "50.001 mcg"}, Severity.HARD),
    ],
)
def test_a_patient_bolus_has_its_limits(table: dict[str, Any], expected: Severity | None) -> None:
    asking = {"dose": "5 mcg", "over": "10m", "lockout": "4h", "max_per_day": 3, **table}
    assert of(prescription(continuous("150 mcg/day", patient_bolus=asking)), "patient-bolus") is expected


@pytest.mark.parametrize(("age", "expected"), [(3, Severity.SECOND), (4, None), (None, Severity.INFO)])
def test_the_age_of_the_label(age: int | None, expected: Severity | None) -> None:
    assert of(prescription(patient={"age_years": age}), "age") is expected


def test_other_drugs_are_told() -> None:
    assert of(prescription(medication=[{"name": "morphine", "class": "opioid"}]), "interaction") is Severity.SOFT
    assert of(prescription(medication=[{"name": "ibuprofen", "class": "nsaid"}]), "interaction") is Severity.INFO


@pytest.mark.sr("SR-36")
def test_the_drug_keeps_for_so_long() -> None:
    assert of(prescription(continuous("800 mcg/day")), "stability") is None
    assert of(prescription(), "stability") is Severity.INFO
    old = prescription(drug={"filled_on": datetime(2026, 5, 1, tzinfo=UTC).date()})
    assert of(old, "stability") is Severity.SOFT
    assert of(old, "stability", refill=Volume(38_000_000)) is Severity.INFO


# ------------------------------------------------------------------------------------------------ the review as a whole
# bridge left, path left, what it holds, flow of the stored bridge
PATHS = st.tuples(st.sampled_from([0, 5]), st.sampled_from([0, 5]), st.sampled_from([0, 500_000, 2_000_000]), st.sampled_from([0, 400_000]))


@given(prescriptions(), st.none() | prescriptions())
def test_a_review_is_total(rx: Prescription, current: Prescription | None) -> None:
    judged = review(rx, current)
    assert judged.exit_code == {"ok": 0, "soft": 3, "second": 3, "hard": 4}[judged.verdict]
    assert json.loads(json.dumps(judged.json()))["verdict"] == judged.verdict
    rules = {rule.name: rule for rule in all_rules()}
    assert all(finding.severity <= rules[finding.rule].worst for finding in judged.findings)


@given(prescriptions(), st.sampled_from(list(RunState)), st.sampled_from(list(Mode)), PATHS, st.integers(0, 10**7), prescriptions())
def test_a_review_beside_any_pump_is_total(
    rx: Prescription, state: RunState, mode: Mode, path: tuple[int, int, int, int], given_ng: int, held: Prescription
) -> None:
    profile = load_profile(rx.pump.profile)
    configuration = wire_configuration(held, profile)
    assume(fits_wire(configuration))
    bridge, left, concentration, flow = path
    configuration = replace(configuration, bridge_flow_nL_per_day=flow)
    more = {"bridge_left_pulses": bridge, "path_left_pulses": left, "path_concentration_ng_per_mL": concentration}
    present = pump(configuration, run_state=state, mode=mode, mass_24h_ng=given_ng, **more)
    for refill in (None, Volume(20_000_000)):
        judged = review(rx, present, refill=refill)
        json.dumps(judged.json())
        if judged.severity is not Severity.HARD:
            to_configuration(rx, present, profile, refill=refill)  # what is let through can be expressed


@pytest.mark.sr("SR-04")
@given(prescriptions(), st.integers(1, 9))
def test_a_stricter_library_never_gives_a_milder_verdict(rx: Prescription, tenths: int) -> None:
    library = load_library("baclofen")
    spinal, cerebral = library.daily["spinal"], library.daily["cerebral"]

    def lower(figure: Figure[MassRate]) -> Figure[MassRate]:
        return Figure(MassRate(int(figure.value.ng_per_day) * tenths // 10), figure.mark, "ours")

    strict = changed(
        library,
        daily={
            **library.daily,
            "spinal": changed(spinal, soft_high=lower(spinal.soft_high), hard_high=lower(spinal.hard_high)),
            "cerebral": changed(cerebral, soft_high=lower(cerebral.soft_high), hard_high=lower(cerebral.hard_high)),
        },
        bolus_soft=Figure(Mass(1_000 * tenths), "D", "ours"),
        bolus_hard=Figure(Mass(2_000 * tenths), "D", "ours"),
    )
    assert review(rx, library=strict).severity >= review(rx).severity


def test_without_profile_or_library_there_is_no_review() -> None:
    with pytest.raises(ProfileError):
        review(prescription(pump={"profile": "Z-9"}))
    with pytest.raises(LibraryError):
        review(prescription(drug={"name": "saline"}))


@pytest.mark.sr("SR-09")
def test_the_digest_covers_order_present_findings_and_library() -> None:
    rx, library = prescription(), load_library("baclofen")
    digests = {
        review(rx).digest,
        review(prescription(continuous("201 mcg/day"))).digest,
        review(rx, prescription(continuous("190 mcg/day"))).digest,
        review(rx, pump(wire_configuration(rx, P40))).digest,
        review(rx, library=changed(library, sha256="0")).digest,
        review(rx, refill=Volume(1)).digest,
    }
    assert len(digests) == 6
    assert review(rx).digest == review(prescription()).digest
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in digests)


@pytest.mark.sr("SR-09")
def test_the_table_shows_old_against_new() -> None:
    new = prescription(flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "1h"), days=("mon", "tue", "wed", "thu", "fri")))
    rows = {row.label: row for row in review(new, prescription()).table}
    assert (rows["mode"].old, rows["mode"].new, rows["mode"].changed) == ("continuous", "flex", True)
    assert (rows["Mon to Fri 00:00"].old, rows["Mon to Fri 00:00"].new) == ("200 mcg per day", "8 mcg per hour")
    assert (rows["Mon to Fri 06:00"].old, rows["Mon to Fri 06:00"].new) == ("", "40 mcg over 1 h")
    assert (rows["Sat, Sun 00:00"].new, rows["Sat, Sun 00:00"].changed) == ("100 mcg per day", True)
    assert not rows["concentration"].changed
    assert rows["change of the highest 24 h"].new == "12 %"


@pytest.mark.sr("SR-17")
@given(prescriptions(), st.none() | prescriptions())
def test_what_people_read_keeps_the_rules_of_dose_designations(rx: Prescription, current: Prescription | None) -> None:
    judged = review(rx, current)
    texts = [finding.message for finding in judged.findings] + [text for row in judged.table for text in (row.old, row.new)]
    for text in texts:
        assert not re.search(r"mcg/|mL/|µg|\bug\b|[0-9]mcg|[0-9]mL|(?<![0-9])\.[0-9]|\.[0-9]*0(?![0-9])|(?<![.0-9])[0-9]{5,}", text), text


@pytest.mark.sr("SR-05")
def test_what_the_pump_makes_of_each_amount_is_shown() -> None:
    judged = review(prescription(periodic("1.4 mcg", "30m", "24h", "100.001 mcg/day")))
    rows = {item.what: item for item in judged.achievable}
    assert (rows["the periodic bolus"].achievable, rows["the periodic bolus"].difference_percent) == ("1 mcg", "-28.6")
    assert (rows["the background"].prescribed, rows["the background"].achievable) == ("100.001 mcg per day", "100 mcg per day")


@pytest.mark.sr("SR-36", "SR-37")
def test_a_review_has_its_dates_or_says_why_not() -> None:
    dates = review(prescription()).json()["dates"]
    assert dates["limited_by"] in {"low-reservoir", "empty", "drug-stability"}
    assert dates["low_reservoir"]["earliest"] < dates["low_reservoir"]["nominal"] < dates["low_reservoir"]["latest"]
    lost = review(prescription(), changed(pump(None), run_state=RunState.SAFE))
    assert of(prescription(pump={"reservoir_volume": "5 mL"}), "dates") is Severity.SOFT
    assert (lost.dates is None) == ("dates" in severities(lost))


def test_rules_are_named_once_and_serve_known_requirements() -> None:
    rules = all_rules()
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(re.fullmatch(r"SR-(0[1-9]|[1-5][0-9]|6[0-4])", sr) for rule in rules for sr in rule.sr)
    assert all(rule.check.__doc__ for rule in rules)
    assert statistics.mode(rule.worst for rule in rules) is Severity.HARD


@pytest.mark.sr("SR-36")
@pytest.mark.parametrize("days", [-200, -100, -10, 0, 30, 100])
def test_the_row_and_the_finding_of_a_first_fill_name_one_date(days: int) -> None:
    """Where neither pump nor file tells the day of the fill: the day the file was written, and never one to come."""
    rx = prescription(continuous("60 mcg/day"))
    rx = rx.model_copy(update={"pump": rx.pump.model_copy(update={"as_of": NOW + timedelta(days=days)})})
    judged = review(rx, pump(None), now=NOW)
    filled_on = min(NOW + timedelta(days=days), NOW).date()
    assert judged.dates is not None
    assert judged.dates["refill_by"].startswith((filled_on + timedelta(days=180)).isoformat())
    (told,) = [finding for finding in judged.findings if finding.rule == "stability"]
    last = day_text(filled_on + timedelta(days=180)) if days > -180 else day_text(filled_on)
    assert last in told.message
