"""Who may accept what, word for word: overrides against findings."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest

from itbpump.safety import REASONS, Decision, Finding, Override, OverrideError, Review, Severity, basis_of, decide, review
from itbpump.wording.review import override_lines
from tests.unit.therapy.prescriptions import prescription

INFO, SOFT, SECOND, HARD = Severity.INFO, Severity.SOFT, Severity.SECOND, Severity.HARD


def finding(rule: str, severity: Severity, needs: str = "") -> Finding:
    return Finding(rule, ("SR-03",), severity, f"{rule} says so", f"value of {rule}", f"limit of {rule}", "a source", needs)


def judged(*findings: Finding) -> Review:
    return changed(review(prescription()), findings=findings)


def overridden(rule: str, reason: str, text: str, user: str = "", second: str = "") -> Override:
    return Override(rule, f"value of {rule}", f"limit of {rule}", reason, text, user, second)


HARD_A = "a: a hard limit, which nobody can override"
BOTH = ", one for all 2 findings of this rule"


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize(
    ("found", "reasons", "people", "expected"),
    [
        ([], {}, ("", ""), Decision(True, 0, (), ())),
        ([finding("a", INFO)], {}, ("", ""), Decision(True, 0, (), ())),
        ([finding("a", SOFT)], {}, ("", ""), Decision(False, 3, ("a: needs a reason",), ())),
        ([finding("a", SOFT, "acknowledged")], {}, ("", ""), Decision(False, 3, ("a: needs the reason 'acknowledged'",), ())),
        ([finding("a", SECOND)], {}, ("u", "v"), Decision(False, 3, ("a: needs a reason and a second person",), ())),
        (
            [finding("a", SECOND, "acknowledged")],
            {},
            ("u", "v"),
            Decision(False, 3, ("a: needs the reason 'acknowledged' and a second person",), ()),
        ),
        ([finding("a", HARD)], {}, ("", ""), Decision(False, 4, ("a: a hard limit, which nobody can override",), ())),
        (
            [finding("a", HARD)],
            {"a": "monitored: ward"},
            ("u", "v"),
            Decision(False, 4, ("a: a hard limit, which nobody can override",), ()),
        ),
        # the same rule twice is told once; one that is accepted does not carry another
        ([finding("a", HARD), finding("a", SOFT)], {}, ("", ""), Decision(False, 4, (HARD_A, "a: needs a reason"), ())),
        (
            [finding("a", SOFT), finding("a", SOFT, "acknowledged")],
            {},
            ("", ""),
            Decision(False, 3, (f"a: needs a reason{BOTH}", f"a: needs the reason 'acknowledged'{BOTH}"), ()),
        ),
        (
            [finding("a", SECOND), finding("a", SECOND), finding("b", SOFT)],
            {},
            ("u", "v"),
            Decision(False, 3, (f"a: needs a reason{BOTH} and a second person", "b: needs a reason"), ()),
        ),
        (
            [finding("a", SOFT), finding("b", SOFT)],
            {"b": "tolerated: in May"},
            ("", ""),
            Decision(False, 3, ("a: needs a reason",), (overridden("b", "tolerated", "in May"),)),
        ),
        (
            [finding("a", HARD), finding("b", SOFT)],
            {"b": "tolerated: in May"},
            ("", ""),
            Decision(False, 4, ("a: a hard limit, which nobody can override",), (overridden("b", "tolerated", "in May"),)),
        ),
        # a soft one needs no people, a second one needs two
        ([finding("a", SOFT)], {"a": "comfort: palliative"}, ("", ""), Decision(True, 0, (), (overridden("a", "comfort", "palliative"),))),
        *(
            (
                [finding("a", SECOND)],
                {"a": "comfort: palliative"},
                people,
                Decision(False, 3, ("a: needs the ids of the person who decides and of a second person",), ()),
            )
            for people in (("", ""), ("u", ""), ("", "v"), ("u", "  "), ("  ", "v"))
        ),
        (
            [finding("a", SECOND)],
            {"a": "comfort: palliative"},
            ("u", "v"),
            Decision(True, 0, (), (overridden("a", "comfort", "palliative", "u", "v"),)),
        ),
        (
            [finding("a", SOFT, "acknowledged")],
            {"a": "acknowledged: told the family"},
            ("", ""),
            Decision(True, 0, (), (overridden("a", "acknowledged", "told the family"),)),
        ),
    ],
)
def test_what_is_missing_and_what_is_accepted(
    found: list[Finding], reasons: dict[str, str], people: tuple[str, str], expected: Decision
) -> None:
    assert decide(judged(*found), reasons, *people) == expected


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize(
    ("given", "reason", "text"),
    [
        ("monitored: ward 3", "monitored", "ward 3"),
        (" monitored : ward 3: bed 4 ", "monitored", "ward 3: bed 4"),
        ("on advice: the team's ", "other", "on advice: the team's"),
        (" as discussed ", "other", "as discussed"),
        ("other: as discussed", "other", "as discussed"),
        ("Monitored: ward 3", "other", "Monitored: ward 3"),
    ],
)
def test_a_reason_is_one_of_the_list_or_free_text(given: str, reason: str, text: str) -> None:
    assert decide(judged(finding("a", SOFT)), {"a": given}).overrides == (overridden("a", reason, text),)


def test_a_missing_person_is_no_second_person() -> None:
    """Neither is told of: that is not one person twice."""
    assert decide(judged(finding("a", SOFT)), {"a": "comfort: palliative"}).allowed


@pytest.mark.sr("SR-03")
@pytest.mark.parametrize(
    ("found", "reasons", "people", "message"),
    [
        *(
            ([], {}, people, "the second person is the first; a second check is done by somebody else")
            for people in (("u", "u"), ("u", " u"), (" U ", "u"), ("u ", "U"))
        ),
        (
            [finding("a", SOFT)],
            {"b": "comfort: palliative"},
            ("", ""),
            "nothing to override for 'b'; name a rule that has a finding in this review",
        ),
        (
            [finding("a", INFO)],
            {"a": "comfort: palliative"},
            ("", ""),
            "nothing to override for 'a'; name a rule that has a finding in this review",
        ),
        *(
            (
                [finding("a", SOFT)],
                {"a": given},
                ("", ""),
                f"a reason in words is missing; give one of {', '.join(REASONS)}, then a colon and the matter in a few words",
            )
            for given in ("", "  ", "comfort", "comfort: ")
        ),
        (
            [finding("a", SECOND, "acknowledged")],
            {"a": "comfort: palliative"},
            ("u", "v"),
            (
                "a is accepted only by the reason 'acknowledged', the warning was read; the patient and carers are informed; "
                "write --override a=acknowledged: and what was said to whom"
            ),
        ),
    ],
)
def test_an_override_that_cannot_be_says_what_to_do(
    found: list[Finding], reasons: dict[str, str], people: tuple[str, str], message: str
) -> None:
    with pytest.raises(OverrideError) as caught:
        decide(judged(*found), reasons, *people)
    assert f"{caught.value}; {caught.value.action}" == message


@pytest.mark.sr("SR-03")
def test_one_reason_covers_the_findings_of_its_rule_and_each_is_logged_with_its_own_value() -> None:
    two = [changed(finding("a", SOFT), value="30 mcg"), changed(finding("a", SECOND), value="60 mcg", limit="50 mcg")]
    assert not decide(judged(*two), {"a": "monitored: ward"}, "u").allowed, "the second person is not there for the graver one"
    decision = decide(judged(*two), {"a": "monitored: ward"}, "u", "v")
    assert decision.allowed
    assert [(one.value, one.limit, one.text, one.second) for one in decision.overrides] == [
        ("30 mcg", "limit of a", "ward", "v"),
        ("60 mcg", "50 mcg", "ward", "v"),
    ]
    assert [one.json()["covers"] for one in decision.overrides] == ["2", "2"]
    lines = [" ".join("\n".join(override_lines(one)).split()) for one in decision.overrides]
    assert all("reason: monitored: ward (given once for all 2 findings of a)" in line for line in lines)


@pytest.mark.sr("SR-03")
def test_a_reason_covers_no_hard_finding_and_none_of_another_rule() -> None:
    found = judged(finding("a", HARD), finding("a", SOFT), finding("a", INFO), finding("b", SOFT))
    decision = decide(found, {"a": "monitored: ward", "b": "monitored: ward"})
    assert (decision.allowed, decision.exit_code) == (False, 4)
    assert [(one.rule, one.covers) for one in decision.overrides] == [("a", 1), ("b", 1)]
    assert "given once" not in "".join(line for one in decision.overrides for line in override_lines(one))


def test_an_override_is_logged_with_all_it_rests_on() -> None:
    assert overridden("a", "comfort", "palliative", "u", "v").json() == {
        "rule": "a",
        "value": "value of a",
        "limit": "limit of a",
        "reason": "comfort",
        "text": "palliative",
        "user": "u",
        "second": "v",
    }


@pytest.mark.sr("SR-03")
def test_what_a_decision_rested_on_is_kept_with_its_command() -> None:
    found = judged(finding("a", SOFT))
    decision = decide(found, {"a": "comfort: palliative"})
    kept = {
        "review": found.digest,
        "verdict": "soft",
        "library": dict(found.library),
        "overrides": [overridden("a", "comfort", "palliative").json()],
        "user": "",
        "second": "",
    }
    assert basis_of(found, decision) == kept
    assert basis_of(found, decision, "u", "v", "P-1") == {**kept, "user": "u", "second": "v", "patient": "P-1"}
