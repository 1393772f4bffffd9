"""What holds for every page at every size: nothing cut, ISMP's way of writing doses, whose pump it is, and the stop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

FILES = sorted((Path(__file__).parent / "__snapshots__" / "test_shots").glob("*.txt"))
NAME = re.compile(r"\[\w+-(\d+)x(\d+)\]\[([\w-]+)\]")
NO_PUMP = {"connect", "pair", "small"}
TYPED = {"bolus-error": ".5", "periodic-error": "500.0"}
"""What a person typed wrongly on that page; it stands there as it was typed."""
UNIT = re.compile(r"(?:mcg|mg|mL|ng|%|h|d|min|days|pulses)\b|%")
DRAWING = "▁▂▃▄▅▆▇█░▒│┊└┴─╭╮╰╯▲▼▏▎▐▌ "


def test_there_is_a_page_for_each_name_at_each_size() -> None:
    names = {
        size: {name for width, height, name, _ in _pages() if (width, height) == size}
        for size in ((60, 18), (80, 24), (100, 30), (132, 43))
    }
    plain = [{re.sub(r"-\d+$", "", name) for name in found} for found in names.values()]
    assert all(found == plain[0] for found in plain)
    assert len(plain[0]) > 35


def _pages() -> Iterator[tuple[int, int, str, str]]:
    for path in FILES:
        found = NAME.search(path.name)
        assert found is not None, path
        yield int(found[1]), int(found[2]), found[3], path.read_text("utf-8")


def _each() -> list[object]:
    return [pytest.param(*page, id=f"{page[2]}-{page[0]}x{page[1]}") for page in _pages()]


@pytest.mark.parametrize(("width", "height", "name", "text"), _each())
@pytest.mark.sr("SR-16", "SR-20", "SR-57")
def test_a_page(width: int, height: int, name: str, text: str) -> None:
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert len(lines) <= height
    assert not _split(lines)
    said = text.replace(TYPED.get(name, "\0"), "")
    said = re.sub(r"\d+\.\d+\.\d+", "", said)  # versions
    assert not re.search(r"\.\d*0\b", said), "a zero at the end"
    assert not re.search(r"(^|[^\d])\.\d", said), "no zero before the point"
    assert not re.search(r"(mcg|mg|mL|ng)/(day|d)\b|µg|\d(mcg|mL)\b", said), "units"
    if name in NO_PUMP:
        return
    head = "\n".join(lines[:9])
    assert "P4000001" in lines[0]
    assert re.search(r"^ LINK (live|stale since|lost since)", head, re.MULTILINE)
    assert re.search(r"^ (ALARMS none|ALARMS not known now|!!? ALARM)", head, re.MULTILINE)
    assert any("F8 STOP" in line for line in lines[-3:])


def _split(lines: list[str]) -> list[str]:
    """Places where a number ends a line of its column and its unit begins the next one there."""
    found = []
    for line, below in pairwise(lines):
        if any(sign in line for sign in "│└┴") or "F8 STOP" in below:
            continue
        for part in re.finditer(r"\S+(?: \S+)*", line):
            words, start = part[0].rstrip(DRAWING), part.start()
            if not re.search(r"\d$", words) or re.search(r"\d:\d\d$", words) or below[start - 1 : start].strip():
                continue
            if UNIT.match(below[start:].lstrip()):
                found.append(f"{words} | {below[start:].lstrip()}")
    return found


def test_a_split_amount_is_seen() -> None:
    assert _split(["  Now   144", "        mcg per day"])
    assert not _split(["  Now   144 mcg", "        per day"])


@pytest.mark.sr("SR-57")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("pump-safe", ("PUMP SAFE", "!! ALARM CRITICAL", "SAFE STATE")),
        ("pump-one-alarm", ("! ALARM:", "LOW, at or below")),
        ("pump-many-alarms", ("!! ALARM CRITICAL: ", "EMPTY, at or below", "END OF SERVICE IN")),
        ("pump-stale", ("LINK stale since", "last read RUNNING")),
        ("pump-lost", ("LINK lost since", "last read RUNNING")),
        ("pump-unknown", ("OUTCOME UNKNOWN",)),
        ("pump-stopped", ("PUMP STOPPED", "NOTHING", "HALTED")),
        ("pump-unconfigured", ("PUMP UNCONFIGURED", "no therapy")),
        ("pump-clock-off", ("CLOCK 2,400 s behind",)),
        ("bolus-applied", ("APPLIED", "PROVED", "RUNNING")),
        ("bolus-not-applied", ("NOT APPLIED",)),
        ("unknown", ("OUTCOME UNKNOWN", "neither guess")),
    ],
)
def test_a_state_is_told_by_words(name: str, words: tuple[str, ...]) -> None:
    """At 80 columns without scrolling; colour only repeats them."""
    (page,) = (text for width, _, found, text in _pages() if found == name and width == 80)
    said = " ".join(page.split())
    assert not [word for word in words if word not in said]


@pytest.mark.sr("SR-55")
def test_every_alarm_is_named_and_the_critical_ones_stand_first() -> None:
    for width, _, name, text in _pages():
        if name == "pump-many-alarms":
            signs = re.findall(r"^ (!!?) ALARM", text, re.MULTILINE)
            assert signs == ["!!", "!!", "!", "!"], width
