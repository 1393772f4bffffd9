"""Beginning again: restart after a stop or a stall, no dose made up, what a refill tells of the dose that was really given; the moment."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from itbpump.configuration import wire_configuration
from itbpump.history import History
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_HOUR, Duration, Mass, Volume
from itbpump.refill import Discrepancy, Refill
from itbpump.safety import OverrideError, Severity, decide, review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, Mode, RunState
from tests.unit.safety.test_review import NOW, message, of, pump, severities
from tests.unit.therapy.prescriptions import continuous, flex, prescription, rate

P40 = load_profile("P-40")
AGAIN = prescription(continuous("200 mcg/day"))
RUNNING = pump(wire_configuration(AGAIN, P40))


def stopped(hours: float | None, *, given: int = 0) -> PresentPump:
    since = None if hours is None else RUNNING.uptime_ms - int(hours * MS_PER_HOUR)
    return changed(RUNNING, run_state=RunState.STOPPED, lifetime_pulses=9_000, history=History(untreated_since_ms=since), mass_24h_ng=given)


def stalled(hours: float) -> PresentPump:
    since = RUNNING.uptime_ms - int(hours * MS_PER_HOUR)
    return changed(RUNNING, alarms=(AlarmNumber.MOTOR_STALL,), lifetime_pulses=9_000, history=History(untreated_since_ms=since))


# ------------------------------------------------------------------------------------------------ restart
@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("state", [stopped, stalled])
@pytest.mark.parametrize(
    ("hours", "expected"),
    [
        (1, Severity.INFO),
        (23.9, Severity.INFO),
        (24, Severity.SOFT),
        (47.9, Severity.SOFT),
        (48, Severity.SECOND),
        (500, Severity.SECOND),
    ],
)
def test_how_long_nothing_was_given_decides(state: Any, hours: float, expected: Severity) -> None:
    assert of(AGAIN, "restart", state(hours)) is expected


@pytest.mark.sr("SR-33")
def test_an_interruption_of_unknown_length_is_taken_for_a_long_one() -> None:
    assert of(AGAIN, "restart", stopped(None)) is Severity.SECOND
    assert "for at least 24 h" in message(review(AGAIN, stopped(None)), "restart")
    assert "not known" in message(review(AGAIN, stopped(None, given=5)), "restart")
    assert "20 days" in message(review(AGAIN, stopped(500)), "restart")


@pytest.mark.sr("SR-33", "SR-08")
def test_what_a_start_may_give_a_restart_may() -> None:
    screening = {"dose": "100 mcg", "effect": "6h"}
    assert of(prescription(continuous("200 mcg/day"), screening=screening), "restart", stopped(500)) is Severity.INFO
    assert of(prescription(continuous("201 mcg/day"), screening=screening), "restart", stopped(500)) is Severity.SECOND
    assert of(prescription(continuous("200 mcg/day"), screening=screening), "restart", stalled(500)) is Severity.SECOND


def test_a_running_or_a_new_pump_is_not_restarted() -> None:
    assert of(AGAIN, "restart", RUNNING) is None
    assert of(AGAIN, "restart", pump(None)) is None
    assert of(prescription({"mode": "stopped"}), "restart", stopped(100)) is None


@pytest.mark.sr("SR-33")
def test_a_file_says_since_when_it_has_been_stopped() -> None:
    later = AGAIN.pump.as_of
    for days, expected in ((0.5, Severity.INFO), (1.5, Severity.SOFT), (3, Severity.SECOND), (-1, Severity.SECOND)):
        former = prescription({"mode": "stopped", "since": later - timedelta(days=days)})
        assert of(AGAIN, "restart", former) is expected


# ------------------------------------------------------------------------------------------------ no catch-up
@pytest.mark.sr("SR-08")
def test_more_than_before_the_interruption_needs_a_second_person() -> None:
    assert of(prescription(continuous("201 mcg/day")), "catch-up", stopped(2)) is Severity.SECOND
    assert of(AGAIN, "catch-up", stopped(2)) is None
    assert of(prescription(continuous("150 mcg/day")), "catch-up", stopped(200)) is None


@pytest.mark.sr("SR-08", "SR-30")
def test_a_missed_dose_is_not_made_up() -> None:
    more = prescription(continuous("210 mcg/day"))
    assert of(more, "catch-up", RUNNING) is None
    missed = changed(RUNNING, history=History(missed_nL=20_000))
    assert "kept 40 mcg from the patient" in message(review(more, missed), "catch-up")
    short = changed(RUNNING, mass_24h_ng=150_000)
    assert "gave at most 150 mcg of 200 mcg programmed" in message(review(more, short), "catch-up")
    assert of(AGAIN, "catch-up", short) is None
    assert of(more, "catch-up", changed(RUNNING, mass_24h_ng=191_000)) is None
    bolus = review_bolus(Mass.parse("25 mcg"), Duration.parse("10m"), missed, P40, indication="spinal", age_years=46)
    assert severities(bolus)["catch-up"] is Severity.SECOND


# ------------------------------------------------------------------------------------------------ what a refill tells
def refill(aspirated: str, *, expected: str = "1.4 mL", counted: str | None = "36 mL", filled: str = "38 mL") -> Refill:
    drawn, awaited = Volume.parse(aspirated).nL, Volume.parse(expected).nL
    given = None if counted is None else Volume.parse(counted).nL
    tolerance = None if given is None else -(-given * P40.accuracy_ppm // 1_000_000)
    after = P40.residual.nL + Volume.parse(filled).nL
    return Refill(awaited, drawn, Volume.parse(filled).nL, after, Discrepancy(drawn - awaited, tolerance), given)


@pytest.mark.sr("SR-38")
def test_nineteen_mL_left_do_not_let_the_old_dose_go_on_unasked() -> None:
    """Sgouros 2010: 19 mL left at a refill, then a near-lethal overdose at the restart."""
    left = refill("19 mL")
    for judged in (review_refill(left, RUNNING, P40), review(AGAIN, RUNNING, refill=left)):
        found = severities(judged)
        assert (found["refill-discrepancy"], found["under-delivery"]) == (Severity.SOFT, Severity.SECOND)
        assert "52.5 % of the programmed dose, 105 mcg per day instead of 200 mcg per day" in message(judged, "under-delivery")
        assert "90.5 % more" in message(judged, "under-delivery")


@pytest.mark.sr("SR-38")
@pytest.mark.parametrize(
    ("aspirated", "counted", "discrepancy", "under"),
    [
        ("1.4 mL", "36 mL", None, None),
        ("3.4 mL", "36 mL", None, None),
        ("3.5 mL", "36 mL", Severity.SOFT, None),
        ("9 mL", "36 mL", Severity.SOFT, None),
        ("9.2 mL", "36 mL", Severity.SOFT, Severity.SECOND),
        ("37.4 mL", "36 mL", Severity.SOFT, Severity.SECOND),
        ("0 mL", "5 mL", Severity.SOFT, None),
        ("6 mL", None, Severity.SOFT, Severity.SECOND),
        ("6 mL", "0 mL", Severity.SOFT, Severity.SECOND),
    ],
)
def test_both_signs_and_both_tests(aspirated: str, counted: str | None, discrepancy: Severity | None, under: Severity | None) -> None:
    found = severities(review_refill(refill(aspirated, counted=counted), RUNNING, P40))
    assert (found.get("refill-discrepancy"), found.get("under-delivery")) == (discrepancy, under)


@pytest.mark.sr("SR-35", "SR-39", "SR-33")
def test_a_refill_is_judged_beside_the_pump() -> None:
    fine = review_refill(refill("1.4 mL"), RUNNING, P40)
    assert fine.severity is Severity.INFO
    assert fine.json()["proposed"]["volume_after"] == {"value": "39.4", "unit": "mL"}
    assert severities(review_refill(refill("1.4 mL", filled="1 mL"), RUNNING, P40))["reservoir"] is Severity.HARD
    assert "a refill starts nothing" in message(review_refill(refill("1.4 mL"), stopped(5), P40), "not-running")
    # a stop before the refill forgets nothing
    assert severities(review_refill(refill("19 mL"), stopped(5), P40))["under-delivery"] is Severity.SECOND
    assert severities(review(prescription({"mode": "stopped"}), stopped(5), refill=refill("19 mL")))["under-delivery"] is Severity.SECOND
    assert review_refill(refill("1.5 mL"), RUNNING, P40).digest != fine.digest


# ------------------------------------------------------------------------------------------------ the moment
@pytest.mark.sr("SR-55")
def test_what_the_pump_sounds_stands_in_every_review() -> None:
    low = changed(RUNNING, alarms=(AlarmNumber.LOW_RESERVOIR,))
    assert of(AGAIN, "alarms", low) is Severity.INFO
    assert of(AGAIN, "alarms", stalled(1)) is Severity.SOFT
    bolus = review_bolus(Mass.parse("25 mcg"), Duration.parse("10m"), low, P40)
    assert "low reservoir" in message(bolus, "alarms")
    assert "low reservoir" in message(review_refill(refill("1.4 mL"), low, P40), "alarms")


@pytest.mark.sr("SR-53", "SR-52")
def test_a_gap_between_the_pumps_day_and_the_prescriptions_is_told() -> None:
    weekly = prescription(flex(rate("00:00", "8 mcg/h")), pump={"as_of": datetime(2026, 11, 23, 9, 0, tzinfo=UTC)})
    present = pump(wire_configuration(weekly, P40))  # 900 h: its week is at Wednesday 12:00, the host's Monday 15:00
    assert "the pump's day is Wed 12:00, the prescription's Mon 15:00" in message(review(weekly, present), "pump-day")
    in_time = pump(wire_configuration(weekly, P40, week_offset=(15 - 60) % 168 * MS_PER_HOUR))
    assert of(weekly, "pump-day", in_time) is None
    assert of(AGAIN, "pump-day", RUNNING) is None


def test_a_prescription_of_another_day_says_so() -> None:
    def of_day(when: datetime) -> Prescription:
        return prescription(pump={"as_of": when})

    assert of(of_day(NOW), "as-of", pump(None)) is None
    assert "3 days ago" in message(review(of_day(NOW - timedelta(days=3)), pump(None)), "as-of")
    assert "2 days ahead" in message(review(of_day(NOW + timedelta(days=2, hours=1)), pump(None)), "as-of")
    assert "would be taken" not in message(review(of_day(NOW - timedelta(days=3)), RUNNING), "as-of")
    assert of(of_day(NOW - timedelta(days=300)), "as-of") is None


@pytest.mark.sr("SR-36")
def test_todays_date_decides_on_the_drug() -> None:
    rx = prescription(drug={"filled_on": "2026-05-01"})
    assert of(rx, "stability", RUNNING, now=datetime(2026, 10, 28, 12, tzinfo=UTC)) is not Severity.SOFT
    assert of(rx, "stability", RUNNING, now=datetime(2026, 10, 29, 12, tzinfo=UTC)) is Severity.SOFT
    assert of(prescription(), "stability", RUNNING, now=NOW + timedelta(days=500)) is Severity.INFO


# ------------------------------------------------------------------------------------------------ prime
def prime(present: PresentPump = RUNNING, over: str = "2h", **tables: Any) -> dict[str, Severity]:
    rx = prescription(prime={"scope": "path"}, **tables)
    return severities(review_prime(rx, Duration.parse(over), present, P40))


@pytest.mark.sr("SR-13")
def test_a_prime_fills_what_the_pump_stores_and_only_once() -> None:
    assert prime() == {"prime-full-path": Severity.INFO}
    full = changed(RUNNING, lifetime_pulses=632)
    assert prime(full)["prime-full-path"] is Severity.SECOND
    assert prime(changed(RUNNING, lifetime_pulses=631))["prime-full-path"] is Severity.INFO
    assert prime(catheter={"path_volume": "0.3 mL"})["prime-volume"] is Severity.SECOND
    assert prime(catheter={"path_volume": "0.342 mL"})["prime-volume"] is Severity.HARD
    day = 24 * MS_PER_HOUR
    assert prime(changed(RUNNING, history=History(primed_ms=RUNNING.uptime_ms - day + 1)))["prime-repeat"] is Severity.HARD
    assert "prime-repeat" not in prime(changed(RUNNING, history=History(primed_ms=RUNNING.uptime_ms - day)))


@pytest.mark.sr("SR-13", "SR-22", "SR-39")
def test_a_prime_needs_a_pump_that_can_give_it() -> None:
    assert "prime-state" not in prime(stopped(1))
    for wrong in (
        {"run_state": RunState.SAFE, "mode": Mode.MINIMUM_RATE},
        {"alarms": (AlarmNumber.MOTOR_STALL,)},
        {"bolus_left_pulses": 1},
        {"path_left_pulses": 1},
    ):
        assert prime(changed(RUNNING, **wrong))["prime-state"] is Severity.HARD
    assert prime(drug={"concentration": "500 mcg/mL"})["prime-label"] is Severity.HARD
    assert prime(changed(RUNNING, reservoir_nL=1_500_000))["reservoir"] is Severity.HARD
    assert prime(over="24h1m")["bolus-delivery"] is Severity.HARD


@pytest.mark.sr("SR-13")
def test_the_tubing_of_the_prime_is_the_pumps() -> None:
    lengths = {"length_total": "114 cm", "length_removed": "34 cm", "volume_per_length": "0.0022 mL/cm", "tubing_volume": "0.199 mL"}
    found = review_prime(
        prescription(prime={"scope": "path"}, catheter={**lengths, "path_volume": None}), Duration.parse("10m"), RUNNING, P40
    )
    assert "0.059 mL or 118 mcg" in message(found, "tubing")


# ------------------------------------------------------------------------------------------------ reasons
@pytest.mark.sr("SR-03", "SR-33")
def test_a_stop_is_accepted_only_by_the_acknowledgement_and_in_words() -> None:
    judged = review(prescription({"mode": "stopped"}), RUNNING)
    assert decide(judged, {}).missing == ("stop: needs the reason 'acknowledged'",)
    assert decide(judged, {"stop": "acknowledged: the family was told"}).allowed
    with pytest.raises(OverrideError, match="only by the reason 'acknowledged'"):
        decide(judged, {"stop": "monitored: on the ward"})
    with pytest.raises(OverrideError, match="in words"):
        decide(judged, {"stop": "acknowledged"})
    with pytest.raises(OverrideError, match="in words"):
        decide(judged, {"stop": ""})
