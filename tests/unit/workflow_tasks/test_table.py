"""The table of tasks: every one is total over pumps in every state and over anything typed, and none sends by itself."""

from __future__ import annotations

import ast
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itbpump.errors import ItbPumpError
from itbpump.quantity import Concentration
from itbpump.safety import Severity
from itbpump.workflow import checklists
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, Kind
from itbpump.workflow.model import Proposal, Task, Walk
from itbpump.workflow.table import TASKS, WALKS, task
from tests.unit.workflow_tasks.pumps import STATES, Bed

SOURCE = Path(__file__).parents[3] / "src" / "itbpump"
WANTED = {
    "therapy", "bolus", "prime", "refill", "revision", "restore", "titrate", "taper", "alarm-test", "silence", "rebase", "clock-label",
}  # fmt: skip
ENTRIES: tuple[Task | Walk, ...] = (*TASKS, *WALKS)


@cache
def bed(state: str) -> Bed:
    return STATES[state]()


@cache
def facts(state: str) -> Facts:
    return bed(state).facts()


def untouched(state: str) -> tuple[object, ...]:
    """What an order would move."""
    status = bed(state).pump.status()
    return (status.log_next_seq, status.revision, status.digest, status.run_state, status.bolus_counter, status.last_change_ms)


# ------------------------------------------------------------------------------------------------ the table itself
def test_every_workflow_of_the_screen_is_in_the_table_once() -> None:
    ids = [entry.id for entry in ENTRIES]
    assert len(set(ids)) == len(ids)
    assert set(ids) >= WANTED | {"after-mri"}
    assert all(isinstance(entry, Task) for entry in TASKS)
    assert all(task(entry.id) is entry for entry in TASKS)


def test_groups_stand_together_and_everything_has_words() -> None:
    groups = [entry.group for entry in ENTRIES]
    blocks = [group for place, group in enumerate(groups) if not place or groups[place - 1] != group]
    assert len(set(blocks)) == len(blocks)
    for entry in ENTRIES:
        assert entry.title, entry.id
        assert entry.summary, entry.id
        assert len(entry.title) <= 32, entry.id  # a line of the menu


def test_every_checklist_point_has_its_origin() -> None:
    points = (*checklists.pocket_fill(), *checklists.after_mri().points)
    assert {point.mark for point in points} <= checklists.MARKS
    assert all(point.source and point.help and point.text for point in points)
    assert all(("unverified" in point.origin) == (point.mark == "M") or "unverified" in point.source for point in points)


# ------------------------------------------------------------------------------------------------ total over states
@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("entry", TASKS, ids=lambda entry: entry.id)
def test_a_task_is_total_over_every_state_of_a_pump(entry: Task, state: str) -> None:
    before = untouched(state)
    assert isinstance(entry.hindered(facts(state)), str)
    fields = entry.fields(facts(state), {})
    assert len({field.id for field in fields}) == len(fields)
    for field in fields:
        assert field.help or field.kind is Kind.TICK, field.id
        assert field.unit or field.kind is not Kind.AMOUNT, field.id
    assert untouched(state) == before


@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("entry", TASKS, ids=lambda entry: entry.id)
@pytest.mark.sr("SR-11")
def test_a_hindered_task_proposes_nothing_that_could_be_sent(entry: Task, state: str) -> None:
    """Also when a face asks all the same: an error, or a review that nobody can override."""
    values = filled(entry, facts(state))
    assert values or not entry.fields(facts(state), {})
    if not entry.hindered(facts(state)):
        return
    try:
        proposal = entry.propose(facts(state), values)
    except ItbPumpError:
        return
    assert proposal.review is not None
    assert proposal.review.severity is Severity.HARD


@pytest.mark.sr("SR-01")
@pytest.mark.parametrize("state", list(STATES))
@pytest.mark.parametrize("entry", TASKS, ids=lambda entry: entry.id)
def test_a_concentration_is_never_offered(entry: Task, state: str) -> None:
    for values in ({}, {"filled_with": "other"}, {"filled_with": "same"}, {"mode": "flex"}):
        assert [field.id for field in entry.fields(facts(state), values) if field.amount is Concentration and field.initial] == []


def filled(entry: Task, known: Facts) -> dict[str, str]:
    """Something that can be read in every field."""
    values: dict[str, str] = {}
    for _ in range(5):
        for field in entry.fields(known, values):
            values.setdefault(field.id, field.initial or PLAUSIBLE[field.kind](field))
    return values


PLAUSIBLE: dict[Kind, Callable[[Field], str]] = {
    Kind.AMOUNT: lambda field: "2000" if field.amount is Concentration else "5",
    Kind.DURATION: lambda field: "30m",
    Kind.TIME: lambda field: "06:00",
    Kind.DATE: lambda field: "2026-11-01",
    Kind.WHOLE: lambda field: "3",
    Kind.ID: lambda field: "P-7",
    Kind.TEXT: lambda field: "",
    Kind.CHOICE: lambda field: field.choices[0].value,
    Kind.TICK: lambda field: "yes",
    Kind.WEEK: lambda field: "daily: 00:00 8 mcg/h",
}


# ------------------------------------------------------------------------------------------------ total over what is typed
ANYTHING = st.one_of(
    st.text(max_size=12), st.sampled_from(["", "0", "-1", "1,5", "2000 mcg/mL", "1e9", "9999999", "mcg", "yes", "auto", "50%"])
)


@st.composite
def typed(draw: st.DrawFn, entry: Task, known: Facts) -> dict[str, str]:
    """Answers to the fields that are asked for, mostly of the right kind."""
    values: dict[str, str] = {}
    wild = draw(st.integers(0, 3)) == 0
    for _ in range(4):
        for field in entry.fields(known, values):
            if field.id not in values:
                values[field.id] = draw(ANYTHING if wild and draw(st.booleans()) else answer(field))
    return values


def answer(field: Field) -> st.SearchStrategy[str]:
    """Of the right kind; what may be left empty mostly is."""
    return of_its_kind(field) if field.required else st.one_of(st.just(""), st.just(""), of_its_kind(field))


def of_its_kind(field: Field) -> st.SearchStrategy[str]:
    match field.kind:
        case Kind.CHOICE:
            return st.sampled_from([choice.value for choice in field.choices])
        case Kind.AMOUNT if field.amount is Concentration:
            return st.sampled_from(["500", "2000", "2000 mcg/mL", "1000"])
        case Kind.AMOUNT:
            return st.one_of(st.integers(0, 300).map(str), st.sampled_from(["0.5", "12.25", "0.316", "38", "0.0022"]))
        case Kind.DURATION:
            return st.sampled_from(["10m", "1h", "6h", "48h", "90m"])
        case Kind.DATE:
            return st.sampled_from(["2026-11-22", "2026-12-24", "1999-01-01", "2040-02-29"])
        case Kind.TICK:
            return st.sampled_from(["yes", "yes", "yes", "yes", "no"])
        case Kind.WEEK:
            return st.sampled_from(["daily: 00:00 8 mcg/h", "mon-sun: 00:00 6 mcg/h; 06:00 40 mcg over 1h", "mon: 00:00 8 mcg/h"])
        case _:
            return st.sampled_from([PLAUSIBLE[field.kind](field), field.initial])


@pytest.mark.sr("SR-05", "SR-11", "SR-16")
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large])
@given(data=st.data(), state=st.sampled_from(list(STATES)), entry=st.sampled_from(TASKS))
def test_whatever_is_typed_makes_a_proposal_or_an_error_that_says_why_and_never_touches_the_pump(
    data: st.DataObject, state: str, entry: Task
) -> None:
    known, before = facts(state), untouched(state)
    values = data.draw(typed(entry, known))
    try:
        proposal = entry.propose(known, values)
    except ItbPumpError as error:
        why = str(error)
    else:
        why = proposal.title
        assert isinstance(proposal, Proposal)
        assert (proposal.task, proposal.serial, proposal.revision) == (entry.id, known.info.serial, known.present.revision)
        assert all("\n" not in line for line in proposal.lines)
        assert "" not in proposal.confirmation.answers
    assert why
    assert untouched(state) == before


@given(values=st.dictionaries(st.text(max_size=20), st.text(max_size=20), max_size=8), state=st.sampled_from(list(STATES)))
def test_fields_are_total_over_any_values(values: dict[str, str], state: str) -> None:
    for entry in TASKS:
        assert all(isinstance(field, Field) for field in entry.fields(facts(state), values))


# ------------------------------------------------------------------------------------------------ the one gate
ALLOWED = {
    ("workflow/consent.py", "proposal"),
    ("tui/readings.py", "session"),  # a question to the pump, which changes nothing in it
    ("tui/plain/stopping.py", "order"),  # a stop, which needs no review (SR-33)
    ("tui/screens/stop.py", "order"),
}


def sends(path: Path) -> set[tuple[str, str]]:
    """Where a program touches `send` of something, called or only taken."""
    name = str(path.relative_to(SOURCE))
    nodes = [node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Attribute) and node.attr == "send"]
    return {(name, ast.unparse(node.value)) for node in nodes}


@pytest.mark.sr("SR-09")
def test_a_proposal_is_sent_by_the_gate_alone() -> None:
    """By the text of the programs: nobody else in workflow and tui touches the `send` of a proposal."""
    found = {place for room in ("workflow", "tui") for path in sorted((SOURCE / room).rglob("*.py")) for place in sends(path)}
    assert ("workflow/consent.py", "proposal") in found
    assert found <= ALLOWED


@pytest.mark.sr("SR-09")
def test_no_task_orders_anything_of_a_pump_outside_a_send() -> None:
    """A pump is ordered only within the functions that a proposal carries as `send` (`restore_stored` is one's whole content), and in
    `stopping`."""
    orders = {"program", "refill", "bolus", "prime", "restore", "rebase_clock", "set_clock", "alarm_test", "silence", "stop", "stop_bolus",
              "minimum_rate"}  # fmt: skip
    for path in sorted((SOURCE / "workflow").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        inside = {
            id(node)
            for function in ast.walk(tree)
            if isinstance(function, ast.FunctionDef) and (function.name in {"send", "restore_stored"} or path.name == "stopping.py")
            for node in ast.walk(function)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in orders and ast.unparse(node.value) == "pump":
                assert id(node) in inside, f"{path.name}:{node.lineno}"
