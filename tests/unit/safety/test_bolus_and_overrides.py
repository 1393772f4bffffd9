"""A single bolus judged beside the pump, and who may override what."""

from __future__ import annotations

from dataclasses import replace as changed
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.errors import ConfigurationError
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass
from itbpump.safety import REASONS, Finding, OverrideError, Review, Severity, decide, review, review_bolus
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import continuous, example, prescription

P40 = load_profile("P-40")
RUNNING = pump(wire_configuration(example("flex-weekday-weekend"), P40))


def judge(dose: str, over: str = "10m", present: PresentPump = RUNNING, **more: Any) -> Review:
    return review_bolus(Mass.parse(dose), Duration.parse(over), present, P40, **more)


def worst(judged: Review, rule: str) -> Severity | None:
    return max((finding.severity for finding in judged.findings if finding.rule == rule), default=None)


def test_a_usual_bolus_passes() -> None:
    judged = judge("25 mcg", indication="spinal", age_years=46)
    assert (judged.verdict, judged.findings) == ("ok", ())
    assert judged.proposed["pulses"] == "25"


@pytest.mark.sr("SR-02")
@pytest.mark.parametrize(
    ("dose", "over", "rule", "expected"),
    [
        ("50 mcg", "10m", "bolus-size", None),
        ("50.001 mcg", "10m", "bolus-size", Severity.SOFT),
        ("100.001 mcg", "10m", "bolus-size", Severity.HARD),
        ("40 mcg", "1m", "bolus-delivery", Severity.HARD),
        ("40 mcg", "24h1m", "bolus-delivery", Severity.HARD),
        ("0.5 mcg", "10m", "bolus-delivery", Severity.HARD),
        ("1.4 mcg", "10m", "achievable", Severity.SOFT),
    ],
)
def test_a_bolus_has_limits(dose: str, over: str, rule: str, expected: Severity | None) -> None:
    assert worst(judge(dose, over), rule) is expected


@pytest.mark.sr("SR-07")
def test_boluses_already_given_count() -> None:
    present = pump(wire_configuration(prescription(continuous("960 mcg/day")), P40))
    assert worst(judge("40 mcg", present=present), "daily-total") is None
    assert worst(judge("40.001 mcg", present=changed(present, mass_24h_ng=961_000)), "daily-total") is Severity.SOFT
    assert worst(judge("40 mcg", present=changed(present, mass_24h_ng=1_970_000), indication="spinal"), "daily-total") is Severity.HARD


@pytest.mark.sr("SR-22", "SR-12", "SR-39")
@pytest.mark.parametrize(
    ("state", "rule"),
    [
        ({"run_state": RunState.STOPPED}, "pump-state"),
        ({"bolus_left_pulses": 3}, "pump-state"),
        ({"bridge_left_pulses": 3}, "pump-state"),
        ({"bridge_left_pulses": 3, "run_state": RunState.STOPPED}, "pump-state"),
        ({"path_left_pulses": 3, "path_concentration_ng_per_mL": 3_000_000}, "path"),
        ({"path_left_pulses": 3, "path_concentration_ng_per_mL": 2_000_000}, "path"),
        ({"reservoir_nL": 1_400_000}, "reservoir"),
    ],
)
def test_a_pump_that_cannot_is_told(state: dict[str, Any], rule: str) -> None:
    assert worst(judge("25 mcg", present=changed(RUNNING, **state)), rule) is Severity.HARD


@pytest.mark.sr("SR-12")
def test_a_bolus_out_of_a_weaker_path_says_what_it_really_gives() -> None:
    judged = judge("25 mcg", present=changed(RUNNING, path_left_pulses=10, path_concentration_ng_per_mL=500_000))
    assert worst(judged, "path") is Severity.SOFT
    (told,) = [finding.message for finding in judged.findings if finding.rule == "path"]
    assert "would give about 17.5 mcg instead of 25 mcg" in told  # 10 pulses of 0.25 mcg, 15 of 1 mcg


def test_what_cannot_be_judged_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match="no configuration"):
        judge("25 mcg", present=pump(None))
    with pytest.raises(ConfigurationError, match="no drug"):
        judge("0 mcg")


@given(
    st.integers(1, 300_000), st.integers(1, 1_500), st.sampled_from(list(RunState)), st.integers(0, 3_000_000), st.integers(0, 40_000_000)
)
def test_a_bolus_review_is_total(ng: int, minutes: int, state: RunState, given_ng: int, reservoir: int) -> None:
    present = changed(RUNNING, run_state=state, mass_24h_ng=given_ng, reservoir_nL=reservoir)
    judged = review_bolus(Mass(ng), Duration.of_minutes(minutes), present, P40)
    assert judged.exit_code in {0, 3, 4}
    assert judged.json()["digest"] == judged.digest


# ------------------------------------------------------------------------------------------------ overrides
def made(*severities: Severity) -> Review:
    base = review(prescription())
    findings = tuple(Finding(f"rule-{number}", (), severity, "m", "v", "l", "s") for number, severity in enumerate(severities))
    return changed(base, findings=findings)


@pytest.mark.sr("SR-02", "SR-03")
def test_nobody_overrides_a_hard_finding() -> None:
    decision = decide(made(Severity.HARD), {"rule-0": "specialist"}, "a", "b")
    assert (decision.allowed, decision.exit_code, decision.overrides) == (False, 4, ())


@pytest.mark.sr("SR-03")
def test_a_soft_finding_needs_a_reason_and_a_second_one_two_people() -> None:
    judged = made(Severity.SOFT, Severity.SECOND, Severity.INFO)
    assert decide(made(Severity.INFO), {}).allowed
    assert decide(judged, {}).missing == ("rule-0: needs a reason", "rule-1: needs a reason and a second person")
    both = {"rule-0": "monitored: ward 3", "rule-1": "on the advice of the spasticity team"}
    assert decide(judged, both, "a").exit_code == 3
    decision = decide(judged, both, "a", "b")
    assert (decision.allowed, decision.exit_code) == (True, 0)
    assert [item.json() for item in decision.overrides] == [
        {"rule": "rule-0", "value": "v", "limit": "l", "reason": "monitored", "text": "ward 3", "user": "a", "second": "b"},
        {"rule": "rule-1", "value": "v", "limit": "l", "reason": "other", "text": both["rule-1"], "user": "a", "second": "b"},
    ]


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize(
    ("reasons", "user", "second"),
    [({"rule-0": ""}, "", ""), ({"rule-0": "other:"}, "", ""), ({"rule-9": "monitored"}, "", ""), ({"rule-0": "monitored"}, "a", "a")],
)
def test_an_override_that_cannot_be_is_an_error(reasons: dict[str, str], user: str, second: str) -> None:
    with pytest.raises(OverrideError):
        decide(made(Severity.SOFT), reasons, user, second)


def test_every_reason_on_the_list_is_accepted() -> None:
    for reason in REASONS:
        assert decide(made(Severity.SOFT), {"rule-0": f"{reason}: because"}).allowed
