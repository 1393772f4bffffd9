"""Lines for 80 columns: nothing is lost, nothing that belongs together is torn apart."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wording.layout import WIDTH, columns, old_against_new, row, screen_amount, spelled_out, wrapped

words = st.text(alphabet="abcxyz,;()", min_size=1, max_size=12)
amounts = st.sampled_from(["1,250 mcg per day", "0.5 mL", "2,000 mcg per mL", "1 h", "40 mcg", "12.5 %"])
texts = st.lists(st.one_of(words, amounts), min_size=1, max_size=40).map(" ".join)


@pytest.mark.sr("SR-17")
@given(texts, st.integers(0, 8), st.integers(24, WIDTH))
def test_a_wrapped_line_says_the_same(text: str, indent: int, width: int) -> None:
    lines = wrapped(" " * indent + text, width)
    assert " ".join(" ".join(lines).split()) == text
    assert all(len(line) <= width for line in lines)
    assert all(re.search(r"\d$", line) is None for line in lines[:-1]), "a number is torn from its unit"


@given(st.lists(st.tuples(words, texts, texts, st.booleans()), min_size=1, max_size=6))
def test_a_table_says_the_same_and_fits(table: list[tuple[str, str, str, bool]]) -> None:
    lines = old_against_new(table)
    assert all(len(line) <= WIDTH for line in lines)
    said = "".join("".join(line.split()) for line in lines)
    for label, *_ in table:
        assert label in said
    letters = sorted("".join(cell for label, old, new, changed in table for cell in (label, old, new, "*CHANGED" if changed else "")))
    assert sorted(said.replace("nownew", "", 1)) == [letter for letter in letters if letter != " "]


def test_what_is_not_known_has_no_column() -> None:
    assert old_against_new([("mode", "", "flex", False)]) == ["        new", "  mode  flex"]


def test_a_changed_row_is_marked_by_sign_and_word_on_its_first_line() -> None:
    lines = old_against_new([("bolus", "none", "25 mcg over 10 min", True), ("path", "1 mL", "1 mL", False)])
    assert lines[1].startswith("* bolus")
    assert lines[1].endswith("CHANGED")
    assert lines[2].startswith("  path")
    assert "CHANGED" not in lines[2]


@pytest.mark.parametrize("before", range(1, 90, 7))
def test_a_command_stays_with_its_address(before: int) -> None:
    url = "sim://P-40?state=/tmp/" + "x" * 30
    lines = wrapped(f"{'a ' * before}ask the pump: itbpump reconcile {url}")
    assert any(f"itbpump reconcile {url}" in line for line in lines)
    assert all(len(line) <= WIDTH for line in lines)


def test_what_cannot_be_broken_runs_over_whole() -> None:
    assert wrapped("x" * 200) == ["x" * 200]


def test_columns_stand_under_each_other() -> None:
    assert columns(["one two three", "a"], [7, 3]) == ["one two  a", "three"]
    assert row("Bolus", "none") == ["Bolus           none"]


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1250 mcg/day", "1,250 mcg per day"),
        ("2 mg/mL", "2,000 mcg per mL"),
        ("0.5 mcg/h", "0.5 mcg per hour"),
        ("1h30m", "1 h 30 min"),
        ("50 mcg", "50 mcg"),
        ("30 %", "30 %"),
        ("1 pulse", "1 pulse"),
        ("", ""),
        ("1 at 27 mcg/h", "1 at 27 mcg per hour"),
    ],
)
def test_amounts_of_files_on_screens(text: str, shown: str) -> None:
    assert screen_amount(text) == shown


@pytest.mark.sr("SR-17")
def test_a_quoted_source_is_spelled_out() -> None:
    assert spelled_out("at 27 and 55 mcg/h: acemap; 2 mcg/mL") == "at 27 and 55 mcg per hour: acemap; 2 mcg per mL"
    assert spelled_out("0.140 mL, 1.0 mg, 10 mL, 100 mL, 0.05 mL/cm") == "0.14 mL, 1 mg, 10 mL, 100 mL, 0.05 mL per cm"
