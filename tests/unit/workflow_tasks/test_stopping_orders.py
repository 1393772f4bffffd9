"""Stopping: the warning, three orders to deliver less, and what the pump then says of itself."""

from __future__ import annotations

import pytest

from itbpump.drugs import load_library
from itbpump.errors import ItbPumpError
from itbpump.link.errors import LinkError
from itbpump.outcome import Applied, Interrupted, NotApplied, Unknown
from itbpump.wire.messages import Mode, RunState, Status
from itbpump.workflow.stopping import ORDERS, STAYS_STOPPED, StopOrder, end_bolus, fall_to_minimum, stop_therapy, stop_warning
from tests.unit.workflow_tasks.pumps import STATES, giving_a_bolus, running


@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("drug", ["baclofen", "morphine"])
def test_the_warning_is_the_librarys(drug: str) -> None:
    assert stop_warning(drug) == (load_library(drug).texts.stop_confirmation.text, STAYS_STOPPED)


@pytest.mark.sr("SR-33")
@pytest.mark.parametrize("drug", ["", "ziconotide"])
def test_a_drug_that_no_library_knows_holds_back_no_warning_and_no_stop(drug: str) -> None:
    text = " ".join(stop_warning(drug))
    assert "withdrawal" in text
    assert drug in text
    assert STAYS_STOPPED in text


@pytest.mark.sr("SR-33", "SR-22")
@pytest.mark.parametrize("state", [name for name in STATES if name != "fresh"])
def test_any_pump_can_be_stopped_and_says_so(state: str) -> None:
    result = stop_therapy(STATES[state]().pump)
    assert isinstance(result.outcome, Applied)
    assert result.status is not None
    assert (result.status.flow_nL_per_day, result.holds) == (0, True)
    assert "delivers nothing" in result.words[0]


def test_a_bolus_is_ended_and_the_therapy_goes_on() -> None:
    bed = giving_a_bolus()
    bed.advance(20 * 60_000)
    result = end_bolus(bed.pump)
    assert result.holds
    assert result.status is not None
    assert result.status.run_state is RunState.RUNNING
    assert result.status.flow_nL_per_day
    assert "of 25 mcg" in result.words[0]


@pytest.mark.sr("SR-64")
def test_the_minimum_rate_is_said_to_treat_nobody() -> None:
    result = fall_to_minimum(running().pump)
    assert result.status is not None
    assert (result.status.mode, result.holds) == (Mode.MINIMUM_RATE, True)
    assert "practically no therapy" in result.words[0]


def test_no_bolus_to_end_changes_nothing_and_says_so() -> None:
    result = end_bolus(running().pump)
    assert isinstance(result.outcome, NotApplied)
    assert (result.status, result.holds) == (None, False)
    assert "Nothing changed" in result.words[0]


@pytest.mark.sr("SR-42")
def test_a_stop_whose_outcome_is_not_known_says_what_to_do() -> None:
    bed = running()
    unplug = bed.line.unplug
    send = bed.line.write

    def last_word(data: bytes, deadline_ms: int | None = None) -> None:
        send(data, deadline_ms)
        unplug()

    bed.line.write = last_word  # type: ignore[method-assign]
    result = stop_therapy(bed.pump)
    assert isinstance(result.outcome, Unknown)
    assert (result.status, result.holds) == (None, False)
    assert "again" in result.words[0]


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: order.id)
@pytest.mark.sr("SR-42")
def test_a_reading_that_fails_afterwards_is_told_and_hides_nothing(order: StopOrder, monkeypatch: pytest.MonkeyPatch) -> None:
    bed = giving_a_bolus()
    failure = LinkError("the line is dead")

    def fails() -> Status:
        raise failure

    monkeypatch.setattr(bed.pump, "status", fails)
    result = order.send(bed.pump)
    assert isinstance(result.outcome, Applied)
    assert (result.unread, result.status, result.holds) == (failure, None, False)
    assert "read the pump again" in result.words[0]


def test_who_leaves_during_the_reading_learns_that_the_order_was_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    bed = running()

    def leaves() -> Status:
        raise KeyboardInterrupt

    monkeypatch.setattr(bed.pump, "status", leaves)
    with pytest.raises(Interrupted) as caught:
        stop_therapy(bed.pump)
    assert isinstance(caught.value.outcome, Applied)


@pytest.mark.sr("SR-33")
def test_a_pump_that_says_it_still_delivers_is_never_called_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    for order in (stop_therapy, fall_to_minimum):
        bed = running()
        before = bed.pump.status()
        monkeypatch.setattr(bed.pump, "status", lambda before=before: before)
        result = order(bed.pump)
        assert isinstance(result.outcome, Applied)
        assert not result.holds
        assert result.words[0].startswith("ATTENTION")


def test_each_order_has_a_word_of_its_own() -> None:
    assert len({order.word for order in ORDERS}) == len({order.id for order in ORDERS}) == len(ORDERS) == 3
    assert all(order.word.isupper() and order.text for order in ORDERS)
    assert issubclass(LinkError, ItbPumpError)
