"""Each rule of the table is raised and kept quiet by a pump; stages, words, keys and mutes as the table says; total for any pump."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.model import AlertKind, RefillDates, Stage, WatchedPump
from itbpump.alerts.policy import Mute, load_policy, policy_of
from itbpump.alerts.rules import Finding, alarm_texts, fingerprint, judge
from tests.unit.alerts.alert_rig import FAR, NOW, TODAY, dates, days, pump

POLICY = load_policy()
HOUR = timedelta(hours=1)


def found(watched: WatchedPump, now: datetime = NOW) -> dict[str, Finding]:
    return {finding.rule: finding for finding in judge(watched, now, POLICY)}


RAISED: dict[str, tuple[dict[str, Any], Stage]] = {
    "refill-date": ({"dates": dates(days(7))}, Stage.DUE),
    "refill-unknown": ({"dates": None}, Stage.DUE),
    "stability": ({"dates": dates(stable_until=days(21))}, Stage.DUE_SOON),
    "battery": ({"dates": dates(battery_until=days(30))}, Stage.DUE),
    "calibration": ({"calibration_drifts": True, "calibration_ppm": -24_100}, Stage.DUE_SOON),
    "discrepancy": ({"discrepancy_open": True, "discrepancy_nL": -2_500_000}, Stage.DUE),
    "visit-missed": ({"visit_on": days(-1)}, Stage.DUE),
    "visit-too-late": ({"visit_on": FAR + timedelta(days=3)}, Stage.DUE),
    "silent": ({"last_seen": NOW - timedelta(days=187)}, Stage.DUE),
    "clock-ahead": ({"last_seen": NOW + 2 * HOUR}, Stage.DUE),
    "left-stopped": ({"run_state": "stopped", "stopped_since": NOW - 25 * HOUR}, Stage.CRITICAL),
    "minimum-rate": ({"mode": "minimum_rate", "stopped_since": NOW - 25 * HOUR}, Stage.CRITICAL),
    "retired-pump": ({"retired_on": NOW - timedelta(days=40)}, Stage.DUE),
    "date-moved": ({"previous_refill_by": FAR + timedelta(days=20), "moved_because": "daily dose raised by 20 %"}, Stage.DUE),
    "pump-alarm": ({"alarms": ("low-reservoir",)}, Stage.OVERDUE),
}
QUIET: dict[str, dict[str, Any]] = {
    "refill-date": {"dates": None},
    "refill-unknown": {},
    "stability": {"dates": dates(stable_until=days(24))},
    "battery": {"dates": dates(battery_until=days(63))},
    "calibration": {"calibration_drifts": False, "calibration_ppm": 30_000},
    "discrepancy": {"discrepancy_open": False, "discrepancy_nL": -2_500_000},
    "visit-missed": {"visit_on": TODAY},
    "visit-too-late": {"visit_on": FAR - timedelta(days=3)},
    "silent": {"last_seen": NOW - timedelta(days=186)},
    "clock-ahead": {"last_seen": NOW + 0.5 * HOUR},
    "left-stopped": {"run_state": "stopped", "stopped_since": NOW - 0.5 * HOUR},
    "minimum-rate": {"mode": "minimum_rate", "stopped_since": NOW - 0.5 * HOUR},
    "retired-pump": {},
    "date-moved": {"previous_refill_by": FAR},
    "pump-alarm": {"alarms": ()},
}


@pytest.mark.sr("SR-40")
@pytest.mark.parametrize("rule", list(POLICY.rules))
def test_each_rule_of_the_table_is_raised(rule: str) -> None:
    changes, stage = RAISED[rule]
    finding = found(pump(**changes))[rule]
    assert finding.alert.stage is stage
    assert finding.alert.kind is POLICY.rules[rule].kind
    assert finding.alert.lines
    assert "{" not in finding.alert.title + "".join(finding.alert.lines)
    assert finding.alert.patient_id not in finding.alert.title
    assert finding.alert.serial not in finding.alert.title


@pytest.mark.parametrize("rule", list(POLICY.rules))
def test_each_rule_of_the_table_is_quiet(rule: str) -> None:
    assert rule not in found(pump(**QUIET[rule]))


def test_a_pump_without_trouble_has_its_scheduled_refill_alone() -> None:
    assert [(name, finding.alert.stage) for name, finding in found(pump()).items()] == [("refill-date", Stage.SCHEDULED)]


@pytest.mark.sr("SR-40")
@pytest.mark.parametrize(
    ("left", "stage"),
    [
        (15, Stage.SCHEDULED),
        (14, Stage.DUE_SOON),
        (8, Stage.DUE_SOON),
        (7, Stage.DUE),
        (1, Stage.DUE),
        (0, Stage.OVERDUE),
        (-13, Stage.OVERDUE),
        (-14, Stage.CRITICAL),
    ],
)
def test_stages_of_a_refill(left: int, stage: Stage) -> None:
    """`refill_by` is a Monday so many days ahead; empty two weeks after it at the earliest."""
    monday = datetime(2026, 9, 7, 9, tzinfo=UTC)
    finding = found(pump(dates=dates(monday.date())), monday - timedelta(days=left))["refill-date"]
    assert finding.alert.stage is stage
    assert finding.alert.title == "Refill by 7 Sep 2026"


def test_a_refill_day_on_a_sunday_is_the_friday_before() -> None:
    finding = found(pump(dates=dates(datetime(2026, 9, 6, tzinfo=UTC).date())))["refill-date"]
    assert finding.alert.due == datetime(2026, 9, 4, tzinfo=UTC).date()
    assert finding.alert.lines[0] == "The date itself is 6 Sep 2026; this is the last open day before it."
    assert "itself" not in "".join(found(pump(dates=dates(datetime(2026, 9, 7, tzinfo=UTC).date())))["refill-date"].alert.lines)


@pytest.mark.parametrize(("rule", "of"), [("stability", "stable_until"), ("battery", "battery_until")])
def test_an_end_on_a_sunday_is_the_friday_before_and_says_so(rule: str, of: str) -> None:
    sunday, monday = (datetime(2026, 8, day, tzinfo=UTC).date() for day in (9, 10))
    assert found(pump(dates=dates(**{of: sunday})))[rule].alert.lines[-1] == (
        "The date itself is 9 Aug 2026; this is the last open day before it."
    )
    assert "itself" not in "".join(found(pump(dates=dates(**{of: monday})))[rule].alert.lines)


def test_a_date_of_which_nothing_else_is_known_says_so_and_names_no_missing_days() -> None:
    unknown = dict.fromkeys(("alarm", "low_earliest", "low_nominal", "low_latest", "empty_earliest", "empty_nominal", "empty_latest"))
    imported = dates(datetime(2026, 9, 7, tzinfo=UTC).date(), limited_by="none", **unknown)
    limit = "Limited by: not known before the pump is read (the date was imported)."
    assert found(pump(dates=imported))["refill-date"].alert.lines == (limit, "No visit is booked.")
    with_alarm = replace(imported, alarm=datetime(2026, 9, 20, tzinfo=UTC).date())
    assert found(pump(dates=with_alarm))["refill-date"].alert.lines[1] == "The pump may be at its alarm by the count on 20 Sep 2026."
    whole = found(pump(dates=dates(datetime(2026, 9, 7, tzinfo=UTC).date())))["refill-date"].alert.lines
    assert whole[:2] == (
        "Limited by: low reservoir.",
        "The pump may be low from 7 Sep 2026, at its alarm by the count on 19 Sep 2026, empty from 21 Sep 2026.",
    )


def test_the_patients_midnight_makes_it_due() -> None:
    watched = pump(dates=dates(days(8)), zone="Pacific/Auckland")  # 11 Aug; due on the 4th, which begins at noon of the 3rd in UTC
    assert found(watched, NOW + 3 * HOUR)["refill-date"].alert.stage is Stage.DUE_SOON
    assert found(watched, NOW + 5 * HOUR)["refill-date"].alert.stage is Stage.DUE


def test_a_pump_that_ends_before_its_reservoir_says_so() -> None:
    finding = found(pump(dates=dates(days(5), limited_by="battery", battery_until=days(5))))["refill-date"]
    assert any("replacement" in line for line in finding.alert.lines)


def test_a_stopped_pump_has_no_refill_date_and_is_not_asked_for_one() -> None:
    rules = found(pump(dates=dates(None), run_state="safe", stopped_since=NOW - 2 * HOUR))
    assert set(rules) == {"left-stopped"}
    assert rules["left-stopped"].alert.stage is Stage.OVERDUE


# What a pump last said, for so many hours: who is told of it. A therapy is told of by its dates alone.
WITHDRAWAL = [
    ("running", "minimum_rate", 0.5, None, None),
    ("running", "minimum_rate", 1, "minimum-rate", Stage.OVERDUE),
    ("running", "minimum_rate", 24, "minimum-rate", Stage.CRITICAL),
    ("safe", "minimum_rate", 1, "left-stopped", Stage.OVERDUE),
    ("safe", "minimum_rate", 24, "left-stopped", Stage.CRITICAL),
    ("stopped", "minimum_rate", 24, "left-stopped", Stage.CRITICAL),
    ("unconfigured", "stopped", 24, "left-stopped", Stage.CRITICAL),
    ("running", "continuous", 24, None, None),
    ("running", "flex", 24, None, None),
    ("running", "periodic_bolus", 24, None, None),
]


@pytest.mark.sr("SR-40")
@pytest.mark.parametrize(("run_state", "mode", "hours", "rule", "stage"), WITHDRAWAL)
def test_whatever_gives_no_therapy_is_told_by_one_rule(run_state: str, mode: str, hours: float, rule: str | None, stage: Stage) -> None:
    rules = found(pump(run_state=run_state, mode=mode, stopped_since=NOW - hours * HOUR))
    told = {name: finding.alert.stage for name, finding in rules.items() if finding.alert.kind is AlertKind.LEFT_STOPPED}
    assert told == ({} if rule is None else {rule: stage})


@pytest.mark.sr("SR-40")
def test_a_clinic_may_have_the_minimum_rate_told_later_and_not_before_overdue() -> None:
    policy = policy_of("[leads]\nminimum_overdue_h = 48\nminimum_critical_h = 8760", "clinic.toml")
    for hours, stage in ((47, None), (48, Stage.OVERDUE), (8759, Stage.OVERDUE), (8760, Stage.CRITICAL)):
        findings = judge(pump(mode="minimum_rate", stopped_since=NOW - hours * HOUR), NOW, policy)
        assert next((each.alert.stage for each in findings if each.rule == "minimum-rate"), None) is stage


@pytest.mark.sr("SR-40")
def test_of_a_retired_pump_only_that_it_was_read_is_told_and_each_day_anew() -> None:
    retired = pump(retired_on=NOW - timedelta(days=40), alarms=("motor-stall",), run_state="stopped", dates=None)
    (first,) = judge(retired, NOW, POLICY)
    assert (first.rule, first.alert.stage, first.muted_by) == ("retired-pump", Stage.DUE, "")
    assert first.alert.title == "Retired pump was read on 14 Jul 2026"
    assert "registry assign" in first.alert.lines[1]
    (same,) = judge(replace(retired, last_seen=NOW - timedelta(days=20, hours=-1)), NOW, POLICY)
    (later,) = judge(replace(retired, last_seen=NOW), NOW, POLICY)
    assert same.alert.key == first.alert.key != later.alert.key


def test_a_stop_of_unknown_age_is_critical() -> None:
    rules = found(pump(run_state="unconfigured", last_seen=None))
    assert rules["left-stopped"].alert.is_critical


def test_a_pump_that_was_never_read_is_asked_for_and_not_called_stopped() -> None:
    rules = found(pump(run_state="unknown", last_seen=None, dates=None))
    assert set(rules) == {"silent", "refill-unknown"}
    assert max(finding.alert.stage for finding in rules.values()) is Stage.DUE


@pytest.mark.parametrize(
    ("ppm", "text"), [(None, "not known"), (-24_100, "2.5 % below the count"), (30_000, "3 % above the count"), (0, "0 % above the count")]
)
def test_a_drift_is_said_in_percent_of_the_count(ppm: int | None, text: str) -> None:
    finding = found(pump(calibration_drifts=True, calibration_ppm=ppm))["calibration"]
    assert finding.alert.lines[0] == f"Recent refills differ from earlier ones: flow {text}."


def test_a_visit_that_is_too_late_for_an_overdue_refill_is_overdue_itself() -> None:
    assert found(pump(dates=dates(TODAY), visit_on=days(2)))["visit-too-late"].alert.stage is Stage.OVERDUE


def test_what_is_muted_mutes_nothing() -> None:
    def mute(by: AlertKind, mutes: AlertKind) -> Mute:
        return Mute(by, frozenset(), Stage.SCHEDULED, frozenset({mutes}), frozenset(), "a chain")

    chain = (mute(AlertKind.PUMP_ALARM, AlertKind.DISCREPANCY), mute(AlertKind.DISCREPANCY, AlertKind.CALIBRATION))
    watched = pump(alarms=("low-reservoir",), discrepancy_open=True, calibration_drifts=True)
    by_rule = {finding.rule: finding for finding in judge(watched, NOW, replace(POLICY, mutes=chain))}
    assert by_rule["discrepancy"].muted_by == by_rule["pump-alarm"].alert.key
    assert not by_rule["calibration"].muted_by


def test_a_later_date_is_told_with_less_haste_and_names_both() -> None:
    finding = found(pump(previous_refill_by=days(30), moved_because="daily dose lowered"))["date-moved"]
    assert finding.alert.stage is Stage.DUE_SOON
    assert "2 Sep 2026" in finding.alert.title
    assert finding.alert.lines[0] == "Reason: daily dose lowered."
    assert finding.alert.supersedes == fingerprint(pump(), AlertKind.REFILL)


@pytest.mark.sr("SR-40")
@pytest.mark.parametrize("alarm", sorted(alarm_texts()))
def test_each_alarm_of_the_pump_is_seen(alarm: str) -> None:
    finding = found(pump(alarms=(alarm,)))["pump-alarm"]
    assert finding.alert.stage is POLICY.alarms[alarm] >= Stage.DUE
    assert alarm_texts()[alarm][0] in finding.alert.lines[0]


def test_an_alarm_newer_than_this_version_is_not_silent() -> None:
    assert found(pump(alarms=("alarm-77",)))["pump-alarm"].alert.stage is Stage.OVERDUE


@pytest.mark.parametrize("mute", POLICY.mutes, ids=lambda mute: f"{mute.by.value}-{'-'.join(sorted(mute.mutes))}")
def test_each_mute_of_the_table_keeps_what_it_names_quiet(mute: Any) -> None:
    """Where a kind cannot be above critical: shown with what it does mute, and that critical is never muted."""
    everything = pump(
        dates=dates(days(3), stable_until=days(3)),
        alarms=(*sorted(mute.subjects), "low-reservoir"),
        run_state="stopped" if mute.by is AlertKind.LEFT_STOPPED or AlertKind.LEFT_STOPPED in mute.mutes else "running",
        stopped_since=NOW - 3 * HOUR,
        last_seen=NOW - timedelta(days=190) if AlertKind.SILENT_PUMP in mute.mutes else NOW,
    )
    findings = judge(everything, NOW, POLICY)
    muted = [
        f for f in findings if f.muted_by and f.alert.kind in mute.mutes and (not mute.muted_subjects or f.subject in mute.muted_subjects)
    ]
    assert muted
    by = {finding.alert.key: finding for finding in findings}
    for finding in findings:
        assert not (finding.muted_by and finding.alert.is_critical)
        assert not finding.muted_by or not by[finding.muted_by].muted_by


def test_critical_is_not_muted_by_an_empty_reservoir() -> None:
    rules = found(pump(dates=dates(days(-60)), alarms=("empty-reservoir",)))
    assert rules["refill-date"].alert.is_critical
    assert not rules["refill-date"].muted_by


def test_keys_tell_pumps_cycles_kinds_and_subjects_apart_and_nothing_else() -> None:
    one = pump()
    keys = {
        fingerprint(each, kind, subject)
        for each in (one, pump(2), replace(one, cycle=4), replace(one, memory_id="f" * 16))
        for kind in (AlertKind.REFILL, AlertKind.PUMP_ALARM)
        for subject in ("", "motor-stall")
    }
    assert len(keys) == 16
    assert fingerprint(replace(one, patient_id="P-2", dates=None), AlertKind.REFILL) == fingerprint(one, AlertKind.REFILL)


YEARS = (datetime(2024, 1, 1), datetime(2028, 1, 1))  # noqa: DTZ001  # Hypothesis adds the zone
DAY = st.one_of(st.none(), st.dates(TODAY - timedelta(days=400), TODAY + timedelta(days=400)))
MOMENT = st.one_of(st.none(), st.datetimes(*YEARS, timezones=st.just(UTC)))
DATES = st.builds(
    RefillDates,
    computed_at=st.just(NOW), alarm=DAY, low_earliest=DAY, low_nominal=DAY, low_latest=DAY, empty_earliest=DAY, empty_nominal=DAY,
    empty_latest=DAY, refill_by=DAY, limited_by=st.sampled_from(["low-reservoir", "battery", "service-life", "new-limit"]),
    stable_until=DAY, battery_until=DAY,
)  # fmt: skip
STATES = st.sampled_from(["running", "unknown", "stopped", "safe", "unconfigured", "new"])
PUMPS = st.builds(
    WatchedPump,
    serial=st.just("S"), memory_id=st.just("m"), patient_id=st.just("P"), profile=st.just("P-40"), cycle=st.integers(0, 9),
    dates=st.one_of(st.none(), DATES), last_seen=MOMENT, run_state=STATES,
    stopped_since=MOMENT, zone=st.one_of(st.sampled_from(["UTC", "Asia/Tokyo", "America/Lima"]), st.text(string.printable, max_size=6)),
    visit_on=DAY, previous_refill_by=DAY, moved_because=st.text(max_size=8),
    alarms=st.lists(st.sampled_from(["low-reservoir", "empty-reservoir", "motor-stall", "alarm-9"]), max_size=4).map(tuple),
    calibration_ppm=st.one_of(st.none(), st.integers(-200_000, 2_000_000)), calibration_drifts=st.booleans(),
    discrepancy_nL=st.one_of(st.none(), st.integers(-40_000_000, 40_000_000)), discrepancy_open=st.booleans(),
    mode=st.sampled_from(["", "continuous", "minimum_rate", "new"]), retired_on=MOMENT,
)  # fmt: skip


@given(PUMPS)
def test_any_pump_there_is_gets_an_answer(watched: WatchedPump) -> None:
    findings = judge(watched, NOW, POLICY)
    keys = [finding.alert.key for finding in findings]
    assert len(set(keys)) == len(keys)
    assert findings == judge(watched, NOW, POLICY)
    by = {finding.alert.key: finding for finding in findings}
    for finding in findings:
        assert finding.next_on is None or finding.next_on > TODAY - timedelta(days=1)
        if finding.muted_by:
            assert not finding.alert.is_critical
            assert not by[finding.muted_by].muted_by
    if watched.retired_on is not None:
        assert {finding.rule for finding in findings} <= {"retired-pump"}
        assert bool(findings) == (watched.last_seen is not None)
        return
    if watched.dates is None and watched.run_state in {"running", "unknown"}:
        assert "refill-unknown" in {finding.rule for finding in findings}
    if watched.run_state not in {"running", "unknown"} and watched.stopped_since is None and watched.last_seen is None:
        assert any(finding.alert.is_critical for finding in findings)
