"""Figures and words of the alerts are data: complete, sourced, in order, and a clinic's changes are refused with the key named."""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Any

import pytest

from itbpump.alerts.errors import AlertPolicyError
from itbpump.alerts.model import AlertKind, Stage
from itbpump.alerts.policy import load_policy, policy_of
from itbpump.alerts.rules import alarm_texts

DATA: dict[str, Any] = tomllib.loads(resources.files("itbpump.alerts").joinpath("rules.toml").read_text("utf-8"))


FIGURES = {**DATA["leads"], **DATA["quiet_h"], **DATA["telling"]}


@pytest.mark.parametrize("row", FIGURES.values(), ids=list(FIGURES))
def test_every_figure_says_where_it_comes_from(row: dict[str, Any]) -> None:
    assert row["mark"] in {"R", "R2", "M", "D"}
    assert len(row["source"]) > 10


def test_every_kind_has_a_rule_and_every_rule_a_source() -> None:
    policy = load_policy()
    assert {row.kind for row in policy.rules.values()} == set(AlertKind)
    assert all(row.source and row.sr and row.title and row.lines for row in policy.rules.values())


def test_every_alarm_of_the_pump_has_its_stage() -> None:
    assert set(load_policy().alarms) == set(alarm_texts())


def test_nothing_mutes_what_is_always_critical() -> None:
    for mute in load_policy().mutes:
        assert mute.why
        assert mute.by not in mute.mutes or mute.muted_subjects, "a kind that mutes itself must say which of it"


def test_a_clinic_changes_leads_hours_and_closed_days() -> None:
    policy = policy_of('[leads]\nrefill_booking = 10\n[quiet_h]\ndue = 36\n[closed]\nweekdays = ["sun"]\ncountry = "DE"', "clinic.toml")
    assert policy.leads.refill_booking == 10
    assert policy.leads.refill_least == load_policy().leads.refill_least
    assert policy.quiet_h[Stage.DUE] == 36
    assert (policy.closed.weekdays, policy.closed.country) == (frozenset({6}), "DE")


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("[leads]\nrefil_least = 7", "leads.refil_least"),
        ("[leads]\nrefill_least = 0", "leads.refill_least"),
        ("[leads]\nrefill_least = 366", "leads.refill_least"),
        ("[leads]\nrefill_least = true", "leads.refill_least"),
        ("[leads]\nstopped_critical_h = 366", "leads.stopped_critical_h"),
        ("[leads]\nminimum_critical_h = 8761", "leads.minimum_critical_h"),
        ("[leads]\nminimum_overdue_h = 25", "leads.minimum_critical_h"),
        ("[leads]\nrefill_least = 7.5", "leads.refill_least"),
        ("[leads]\nstability_due = 30", "leads.stability_soon"),
        ("leads = 7", "leads"),
        ("[quiet_h]\nscheduled = 4", "quiet_h.scheduled"),
        ("[quiet_h]\ncritical = 200", "quiet_h.overdue"),
        ("[rule]\nx = 1", "rule"),
        ('[closed]\nweekdays = ["sat", "caturday"]', "closed.weekdays"),
        ('[closed]\nweekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]', "closed.weekdays"),
        ('[closed]\ncountry = "Atlantis"', "closed.country"),
        ('[closed]\ncountry = "DE"\nsubdivision = "Nowhere"', "closed.country"),
        ('[closed]\ndays = ["2026-12-24"]', "closed.days"),
        ("[closed]\ncountry = 49", "closed.country"),
        ("[leads", "(file)"),
    ],
)
def test_what_a_clinic_may_not_say_is_refused_by_its_key(text: str, key: str) -> None:
    with pytest.raises(AlertPolicyError) as caught:
        policy_of(text, "clinic.toml")
    assert caught.value.key == key
    assert caught.value.action


def test_the_nearest_key_is_named() -> None:
    with pytest.raises(AlertPolicyError, match=r"did you mean leads\.refill_least"):
        policy_of("[leads]\nrefil_least = 7", "clinic.toml")
