"""What reviews are made of: rule sets, findings, rows, digests; and what cannot be judged."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace as changed
from typing import Any

import pytest

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import load_library
from itbpump.errors import ConfigurationError
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import Refill
from itbpump.safety import (
    Achievable,
    Finding,
    Review,
    Row,
    Rule,
    Severity,
    bolus,
    prime,
    review,
    review_bolus,
    review_prime,
    review_refill,
)
from itbpump.safety.current import Current
from itbpump.safety.model import Hit, Rendering, RuleSet, canonical_digest
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import continuous, prescription

P40 = load_profile("P-40")
INFO, SOFT, SECOND, HARD = Severity.INFO, Severity.SOFT, Severity.SECOND, Severity.HARD
TEN_MINUTES = Duration.parse("10m")


# ------------------------------------------------------------------------------------------------ rule sets
def says(*hits: Hit) -> Callable[[int], Iterator[Hit]]:
    def check(context: int) -> Iterator[Hit]:
        yield from (changed(hit, value=str(context)) for hit in hits)

    return check


def test_findings_carry_their_rule_and_come_the_severest_first_else_in_order() -> None:
    rules: RuleSet[int] = RuleSet()
    soft, hard = Hit(SOFT, "one", limit="6", source="a book"), Hit(HARD, "two")
    check = says(soft, hard)
    assert rules.rule("first", "SR-02", "SR-03", worst=HARD, needs="acknowledged")(check) is check
    rules.rule("second", worst=SOFT)(says(Hit(SOFT, "three"), Hit(INFO, "four")))
    assert rules.rules["first"] == Rule("first", ("SR-02", "SR-03"), HARD, check, "acknowledged")
    assert rules.rules["second"].needs == ""
    assert rules.findings(7) == (
        Finding("first", ("SR-02", "SR-03"), HARD, "two", "7", "", "", "acknowledged"),
        Finding("first", ("SR-02", "SR-03"), SOFT, "one", "7", "6", "a book", "acknowledged"),
        Finding("second", (), SOFT, "three", "7", "", "", ""),
        Finding("second", (), INFO, "four", "7", "", "", ""),
    )


def test_a_name_is_taken_once() -> None:
    rules, other = RuleSet[int](), RuleSet[int]()
    for name in ("first", "second", "third"):
        other.rule(name, worst=SOFT)(says())
    rules.include(other, "first", "third")
    assert rules.rules == {"first": other.rules["first"], "third": other.rules["third"]}
    with pytest.raises(ValueError, match=r"^two rules are named 'first'$"):
        rules.include(other, "second", "first")
    with pytest.raises(ValueError, match=r"^two rules are named 'third'$"):
        rules.rule("third", worst=SOFT)(says())
    with pytest.raises(KeyError):
        rules.include(other, "fourth")


# ------------------------------------------------------------------------------------------------ the review as data
def made(*severities: Severity, differences: tuple[str, ...] = (), **more: Any) -> Review:
    findings = tuple(Finding("rule", ("SR-01",), severity, "m", "v", "l", "s", "n") for severity in severities)
    amounts = tuple(Achievable("the dose", "2", "1", difference) for difference in differences)
    shown = Rendering(lambda: (Row("a", "1", "2", True),), lambda: amounts, lambda: {"now": "1"}, lambda: {"then": "2"})
    return Review(findings, {"name": "drug"}, "d1", shown, **more)


@pytest.mark.parametrize(
    ("severities", "verdict", "code"),
    [((), "ok", 0), ((INFO,), "ok", 0), ((SOFT, INFO), "soft", 3), ((INFO, SECOND, SOFT), "second", 3), ((HARD, SECOND), "hard", 4)],
)
def test_the_severest_finding_is_the_verdict(severities: tuple[Severity, ...], verdict: str, code: int) -> None:
    judged = made(*severities)
    assert (judged.verdict, judged.exit_code, judged.severity) == (verdict, code, max(severities, default=INFO))


def test_a_review_as_json() -> None:
    form = made(SOFT, differences=("0.1", "-1,200", "30")).json()
    assert form == {
        "verdict": "soft",
        "findings": [
            {"rule": "rule", "sr": ["SR-01"], "severity": "soft", "message": "m", "value": "v", "limit": "l", "source": "s", "needs": "n"}
        ],
        "table": [{"label": "a", "old": "1", "new": "2", "changed": True}],
        "current": {"now": "1"},
        "proposed": {"then": "2"},
        "achievable": {
            "amounts": [
                {"what": "the dose", "prescribed": "2", "achievable": "1", "difference_percent": difference}
                for difference in ("0.1", "-1,200", "30")
            ],
            "largest_difference_percent": "-1,200",
        },
        "library": {"name": "drug"},
        "digest": "d1",
    }
    assert made().json()["achievable"]["largest_difference_percent"] == "0"
    assert made(dates={"refill_by": "2027-01-01"}).json()["dates"] == {"refill_by": "2027-01-01"}


def test_what_is_shown_is_made_once() -> None:
    judged = made(differences=("1",))
    assert judged.table is judged.table
    assert judged.achievable is judged.achievable


@pytest.mark.sr("SR-09")
@pytest.mark.sr("SR-09")
def test_what_another_computer_is_held_to_is_all_that_was_decided_on_and_no_reading() -> None:
    rx, library = prescription(continuous("1100 mcg/day")), load_library("baclofen")
    running = pump(wire_configuration(prescription(continuous("1000 mcg/day")), P40))
    for current, refill in ((None, None), (running, None), (running, Volume.parse("20 mL"))):
        judged = review(rx, current, refill=refill)
        asked = [finding for finding in judged.findings if finding.severity is not INFO]
        held = {
            "rx": rx.canonical_json,
            "pump": P40.constants_hash.hex(),
            "refill": {"value": "20", "unit": "mL"} if refill is not None else None,
            "findings": sorted([finding.rule, finding.severity.word] for finding in asked),
            "library": library.json(),
        }
        assert asked
        assert judged.json()["hold"] == judged.hold == canonical_digest(held)
        assert (current is None) or review(rx, changed(running, reservoir_nL=29_000_000), refill=refill).hold == judged.hold


def test_a_digest_is_over_canonical_json() -> None:
    """SHA-256 of these bytes, whatever the order of the keys."""
    written = b'{"a":[1,"\\u00b5"],"b":null}'
    assert canonical_digest({"b": None, "a": [1, "µ"]}) == canonical_digest({"a": [1, "µ"], "b": None})
    assert canonical_digest({"b": None, "a": [1, "µ"]}) == hashlib.sha256(written).hexdigest()


def present(dose: str = "200 mcg/day", **state: Any) -> PresentPump:
    return changed(pump(wire_configuration(prescription(continuous(dose)), P40)), **state)


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize("kind", ["bolus", "prime"])
def test_what_a_person_confirms_of_a_bolus_is_all_it_rests_on(kind: str) -> None:
    running = present(bolus_counter=41)
    if kind == "bolus":
        judged = review_bolus(Mass.parse("60 mcg"), TEN_MINUTES, running, P40, indication="spinal", age_years=46, patient_id="P-1")
    else:
        judged = review_prime(prescription(prime={"scope": "path"}), Duration.parse("1h"), running, P40)
    assert judged.digest == canonical_digest(
        {
            "bolus": f"the {kind}",
            "patient": ["spinal", 46, "P-1"],
            "pump": P40.constants_hash.hex(),
            "order": judged.proposed,
            "counter": "41",
            "current": Current.from_pump(running, P40).identity(),
            "findings": [finding.json() for finding in judged.findings],
            "library": load_library("baclofen").json(),
        }
    )
    assert judged.library == load_library("baclofen").json()
    assert judged.findings


def refill(filled: str = "38 mL", aspirated: str = "28.6 mL", beside: PresentPump | None = None) -> Refill:
    return Refill.plan(Volume.parse(aspirated), Volume.parse(filled), beside if beside is not None else present(), P40, ())


@pytest.mark.sr("SR-09")
def test_what_a_person_confirms_of_a_refill_is_all_it_rests_on() -> None:
    judged = review_refill(refill(), present(), P40)
    assert judged.digest == canonical_digest(
        {
            "refill": judged.proposed,
            "current": Current.from_pump(present(), P40).identity(),
            "findings": [finding.json() for finding in judged.findings],
            "library": load_library("baclofen").json(),
        }
    )


# ------------------------------------------------------------------------------------------------ what cannot be judged
PRIMED = prescription(prime={"scope": "path"})
NO_CONFIGURATION = "the pump has no configuration, so its drug is not known; program a therapy first"
NO_BOLUS = "a bolus of no drug, in no time, or not in whole minutes; write a dose and a duration such as 10m"
NO_PRIME = "a prime of no volume, or in no time; write a duration, and the catheter's volumes"


@pytest.mark.parametrize(
    ("judge", "message"),
    [
        (lambda: review_bolus(Mass(1_000), TEN_MINUTES, pump(None), P40), NO_CONFIGURATION),
        (lambda: review_prime(PRIMED, TEN_MINUTES, pump(None), P40), NO_CONFIGURATION),
        (lambda: review_refill(refill(), pump(None), P40), NO_CONFIGURATION),
        (lambda: review_bolus(Mass(0), TEN_MINUTES, present(), P40), NO_BOLUS),
        (lambda: review_bolus(Mass(1_000), Duration(0), present(), P40), NO_BOLUS),
        (lambda: review_prime(PRIMED, Duration(0), present(), P40), NO_PRIME),
        (
            lambda: review_prime(prescription(prime={"scope": "path"}, catheter={"path_volume": "0 mL"}), TEN_MINUTES, present(), P40),
            NO_PRIME,
        ),
        (
            lambda: review_prime(prescription(), TEN_MINUTES, present(), P40),
            'the prescription has no [prime]; add [prime] scope = "catheter" or "path"',
        ),
    ],
)
def test_what_cannot_be_judged_says_why(judge: Callable[[], Review], message: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        judge()
    assert str(caught.value) == message


def test_the_least_bolus_and_the_least_prime_are_judged() -> None:
    """A nanogram, a nanolitre, and no pulse at all: a finding, no error."""
    least = prescription(prime={"scope": "path"}, catheter={"path_volume": "0.000001 mL"})
    minute = Duration.parse("1m")
    for judged in (review_bolus(Mass(1), minute, present(), P40), review_prime(least, minute, present(), P40)):
        assert "bolus-delivery" in {finding.rule for finding in judged.findings if finding.severity is HARD}


def test_the_rules_of_a_prime_judge_only_primes() -> None:
    configuration, current, view = bolus.configured(present(), P40)
    library = load_library("baclofen")
    context = bolus.BolusContext(Mass(25_000), TEN_MINUTES, 25, configuration, view, current, present(), P40, library, "spinal", 46)
    assert context.name == "the bolus"
    with pytest.raises(TypeError, match=r"^the rules of a prime judge primes$"):
        prime.RULES.findings(context)
