"""Whatever is typed: nothing leaves but through the gate and the stop page, nothing crashes, and the end of the input ends it."""

from __future__ import annotations

import ast
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

import itbpump.tui.plain
from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.tui.plain.dialogue import Dialogue
from itbpump.workflow import consent
from itbpump.workflow.consent import Consent
from itbpump.workflow.facts import Policy
from itbpump.workflow.model import Proposal
from tests.unit.tui_plain.rules import kept
from tests.unit.tui_plain.talk import Clinic, Pick, Step
from tests.unit.tui_plain.test_tasks import BOLUS, THERAPY

ORDERS = ("program", "refill", "rebase_clock", "restore", "bolus", "prime", "set_clock", "alarm_test", "silence")
STOPS = ("stop", "stop_bolus", "minimum_rate")
SHORT = ["STOP", "BOLUS", "MINIMUM", "", "=", "-", "<", "?", "!", ".", "b", "yes", "done", "show", "25", "25 mcg", "10m", "2000", "170"]
LONGER = ["P-0042", "38", "29.5", "on the ward", "dr-1", "rn-2", "2026-12-01", "06:00", "daily: 00:00 7 mcg/h", "sat = mon", "175"]
SIGNS = st.characters(exclude_characters="\n\r", codec="utf-8")
typed = st.one_of(st.integers(0, 12).map(str), st.sampled_from(SHORT + LONGER), st.text(alphabet=SIGNS, max_size=12))


class Spy:
    """Which orders left, which of them through the gate, and what the screen had shown by then."""

    def __init__(self, clinic: Clinic) -> None:
        self.clinic = clinic
        self.in_gate = False
        self.ordered: list[tuple[str, bool]] = []
        self.reviews: list[str] = []
        self.said: list[str] = []

    def talk(self, steps: list[Step]) -> None:
        gate, say = consent.carry_out, Dialogue.say

        def carry_out(pump: Pump, proposal: Proposal, given: Consent, policy: Policy) -> Outcome:
            shown = "\n".join(self.said)
            assert f"REVIEW. {proposal.title}." in shown
            if proposal.review is not None:
                assert f"Digest: {proposal.review.digest[:16]}" in shown
            self.in_gate = True
            try:
                return gate(pump, proposal, given, policy)
            finally:
                self.in_gate = False

        def spoken(dialogue: Dialogue, *lines: str) -> None:
            self.said += lines
            say(dialogue, *lines)

        with patch.object(consent, "carry_out", carry_out), patch.object(Dialogue, "say", spoken):
            for name in (*ORDERS, *STOPS):
                self._watch(name)
            try:
                self.told = narrow(self.clinic.talk(*steps).text)
            finally:
                patch.stopall()

    def _watch(self, name: str) -> None:
        real = getattr(Pump, name)

        def order(pump: Pump, *args: object, **named: object) -> object:
            self.ordered.append((name, self.in_gate))
            return real(pump, *args, **named)

        patch.object(Pump, name, order).start()


def narrow(text: str) -> str:
    assert all(len(line) <= 80 for line in text.split("\n"))
    return text


@pytest.mark.sr("SR-09", "SR-33")
@given(st.lists(typed, max_size=40))
def test_any_lines_send_only_through_the_gate_or_the_stop_page(lines: list[str]) -> None:
    spy = Spy(Clinic())
    spy.talk(list(lines))
    stops = {line for line in lines if line.strip() in {"STOP", "BOLUS", "MINIMUM", "b"}}
    for name, in_gate in spy.ordered:
        assert in_gate if name in ORDERS else stops


@pytest.mark.sr("SR-09")
@given(st.integers(0, len(THERAPY)), st.lists(typed, max_size=4))
def test_a_form_filled_well_up_to_a_point_and_then_anything(place: int, lines: list[str]) -> None:
    spy = Spy(Clinic())
    lost = [Pick(step.words, or_zero=True) if isinstance(step, Pick) else step for step in THERAPY]
    spy.talk([*lost[:place], *lines, *lost[place:]])
    assert all(in_gate for name, in_gate in spy.ordered if name in ORDERS)


@pytest.mark.sr("SR-09")
def test_the_spy_sees_a_good_order() -> None:
    """The tests above can fail: an order through the gate is seen, and so is one beside it."""
    spy = Spy(Clinic())
    spy.talk([*BOLUS, "25 mcg", ".", "."])
    assert spy.ordered == [("bolus", True)]
    with Clinic().connect("") as pump, patch.object(Pump, "stop", lambda _self: None):
        spy._watch("silence")
        pump.silence(1)
        patch.stopall()
    assert spy.ordered[-1] == ("silence", False)


def test_kept_rules_see_a_line_too_wide() -> None:
    with pytest.raises(AssertionError):
        narrow("x" * 81)
    assert kept(Clinic().talk(".")).code == 0


def test_no_module_of_the_dialogue_orders_from_a_pump_but_through_gate_and_stop() -> None:
    """By its source: no call of an ordering method, nor of a proposal's `send`; the stop page sends what `workflow.stopping` offers."""
    folder = Path(itbpump.tui.plain.__file__).parent
    found = [
        (path.name, node.func.attr)
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in (*ORDERS, *STOPS, "send")
    ]
    assert found == [("stopping.py", "send")]
