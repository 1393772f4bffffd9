"""Rules of a change where the book has no page: a bridge from a drug that does not run, states in words, a surge of two rates."""

from __future__ import annotations

import pytest

from itbpump.present import PresentPump
from itbpump.quantity import Volume
from itbpump.safety import Severity, review
from itbpump.safety.rules_present import state_words
from itbpump.wire.messages import Mode, RunState
from tests.golden.cases import fresh, pump
from tests.unit.safety.book import told
from tests.unit.safety.book_change_rows import morphine, of_dose, stopped
from tests.unit.safety.test_review import of
from tests.unit.therapy.prescriptions import continuous, flex, prescription, rate

NOW = of_dose("200 mcg/day")
FULL = Volume(38_000_000)
TO_MORPHINE = morphine("400 mcg/day", bridge={"plan": "auto"})


@pytest.mark.sr("SR-12")
def test_nothing_of_another_drug_runs_that_a_bridge_could_go_on_with() -> None:
    assert told(review(TO_MORPHINE, stopped(NOW, 5), refill=FULL).findings, {"bridge"}) == [
        {
            "rule": "bridge",
            "sr": ["SR-12"],
            "severity": "hard",
            "message": "baclofen 2,000 mcg per mL to morphine 10,000 mcg per mL: nothing of baclofen runs that a bridge could go on with; "
            "rinse the path, or refuse the bridge with its reason",
            "source": "domain 2.2 and 0.9: the path still holds the old concentration",
        }
    ]


@pytest.mark.sr("SR-12")
def test_what_runs_of_another_drug_is_bridged() -> None:
    assert of(TO_MORPHINE, "bridge", pump(NOW), refill=FULL) is Severity.INFO


@pytest.mark.parametrize(
    ("present", "words"),
    [
        (pump(NOW), "running"),
        (pump(NOW, run_state=RunState.STOPPED), "stopped"),
        (pump(NOW, run_state=RunState.STOPPED, mode=Mode.MINIMUM_RATE), "stopped"),
        (pump(NOW, run_state=RunState.SAFE, mode=Mode.MINIMUM_RATE), "in a safe state after a fault"),
        (pump(NOW, mode=Mode.MINIMUM_RATE), "at its minimum rate"),
        (pump(NOW, mode=Mode.STOPPED), "stopped"),
        (fresh(NOW), "unconfigured"),
    ],
)
def test_what_a_pump_does_in_words(present: PresentPump, words: str) -> None:
    assert state_words(present) == words


def test_an_indication_is_proposed_only_where_it_is_the_nearest_and_begins_alike() -> None:
    def hint(indication: str) -> str:
        rx = prescription(continuous("200 mcg/day"), patient={"indication": indication})
        (found,) = (finding.message for finding in review(rx).findings if finding.rule == "indication")
        return found

    assert "off-label; is cerebral meant?; the strictest" in hint("cerebrospinal")
    # nearest to spinal, and near cerebral as well
    assert "off-label; the strictest" in hint("cerbspinal")


@pytest.mark.sr("SR-02", "SR-07")
def test_the_second_of_two_rates_is_held_to_the_limits_of_a_bolus() -> None:
    def last_hour(amount: str) -> Severity | None:
        return of(prescription(flex(rate("00:00", "4 mcg/h"), rate("23:00", amount))), "surge")

    # 49.8, 59.4 and 105.4 mcg beyond the mean hour: (23 × 4 + 56) / 24 = 6.17 mcg for the first
    assert [last_hour(amount) for amount in ("56 mcg/h", "66 mcg/h", "114 mcg/h")] == [None, Severity.SOFT, Severity.HARD]
