"""Every screen of the program: printed by the ISMP rules (SR-17), and no line of it broken by a terminal of 80 columns."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from itbpump.cli.main import COMMANDS
from itbpump.drugs import Passage, library_names, load_library
from itbpump.wording.layout import WIDTH
from itbpump.wording.review import review_lines
from itbpump.wording.words import _texts
from tests.golden.accidents import ACCIDENTS
from tests.golden.ordinary import ORDINARY
from tests.unit.cli.conftest import EXAMPLES, Cli
from tests.unit.cli.ismp import RULES, faults

DAY_MS = 86_400_000
FLEX = str(EXAMPLES / "flex-weekday-weekend.toml")


def broken(text: str) -> list[str]:
    """Lines over 80 columns, but for one that is an address or a path alone, which cannot be shorter."""
    return [line for line in text.splitlines() if len(line) > WIDTH and len(line.split()) > 1 and not _is_command(line)]


def _is_command(line: str) -> bool:
    return re.fullmatch(r"\s*(?:\S+\s+)?itbpump \S.*|.*(?:sim://|/tmp/)\S*\W?", line) is not None


class Tour:
    """Runs commands and keeps what each printed."""

    def __init__(self, cli: Cli) -> None:
        self.cli = cli
        self.screens: list[tuple[str, str]] = []

    def __call__(self, *arguments: str, answers: str = "") -> int:
        told = self.cli(*arguments, answers=answers)
        self.screens.append((" ".join(arguments), told.out + told.err))
        assert "Traceback" not in told.err
        return told.code

    def insist(self, *arguments: str) -> None:
        """With every override it asks for; both screens are kept."""
        from tests.unit.cli.conftest import accepting

        if self(*arguments, "--yes") == 3:
            missing = self.cli(*arguments, "--yes", "--json").data["missing"]
            assert self(*arguments, "--yes", *accepting(missing)) == 0, self.screens[-1][1]


@pytest.fixture(scope="module")
def screens(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[tuple[str, str]]]:
    """What every command prints, over the examples and over a pump's life with its troubles."""
    folder = tmp_path_factory.mktemp("screens")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ITBPUMP_HOME", str(folder / "home"))
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        tour = Tour(Cli())
        _files(tour, folder)
        _a_pump(tour, folder)
        _trouble(tour, folder)
        yield tour.screens


def _files(tour: Tour, folder: Path) -> None:
    for path in sorted(EXAMPLES.glob("*.toml")):
        assert tour("review", str(path)) in (0, 3)
        tour("review", str(path), "--current", FLEX)
        assert tour("forecast", str(path)) == 0
    tour("plan", "titrate", str(EXAMPLES / "continuous.toml"), "--target", "300 mcg/day")
    tour("plan", "taper", str(EXAMPLES / "continuous.toml"))
    tour("plan", "convert", FLEX, "--concentration", "500 mcg/mL", "--filled", "38 mL")
    bad = folder / "bad.toml"
    bad.write_text(Path(FLEX).read_text("utf-8").replace('rate = "5 mcg/h"', 'rate = "5.0 ug/h"'), "utf-8")
    assert tour("review", str(bad)) == 2
    typed = Path(FLEX).read_text("utf-8").replace('rate = "6 mcg/h"', 'rate = "144 mcg/h"')
    bad.write_text(typed, "utf-8")
    assert tour("review", str(bad), "--current", FLEX) == 4


def _advance(url: str, ms: int) -> None:
    from itbpump.transport.sim import SimTransport

    transport = SimTransport.open(url)
    transport.device.advance(ms)
    transport.close()


def _a_pump(tour: Tour, folder: Path) -> None:
    url = f"sim://P-40?fill=38mL&seed=1&state={folder / 'p'}"
    primed = folder / "prime.toml"
    primed.write_text(Path(FLEX).read_text("utf-8").replace("[therapy]", '[prime]\nscope = "path"\n\n[therapy]'), "utf-8")
    tour("status", url)
    assert tour("pair", url) == 0
    tour("status", url)
    tour("bolus", url, "--dose", "25 mcg", "--over", "10m", "--yes")
    tour("program", FLEX, "--pump", url, answers="no\n")
    assert tour("program", FLEX, "--pump", url, answers="165.429\n") == 0
    tour.insist("prime", url, "--rx", str(primed), "--over", "30m")
    _advance(url, 3 * DAY_MS)
    assert tour("bolus", url, "--dose", "25 mcg", "--over", "10m", "--rx", FLEX, answers="25 mcg\n") == 0
    tour.insist("bolus", url, "--dose", "60 mcg", "--over", "10m")
    tour("bolus", url, "--dose", "1 mg", "--over", "10m", "--yes")
    tour("review", str(EXAMPLES / "patient-bolus.toml"), "--pump", url)
    assert tour("clock", url, "--set") == 0
    tour("clock", url, "--rebase", answers="no\n")
    tour("alarm-test", url)
    tour("status", url)
    _advance(url, 77 * DAY_MS)
    tour("refill", url, "--aspirated", "29.5 mL", "--filled", "38 mL", "--yes")
    tour.insist("refill", url, "--aspirated", "25 mL", "--filled", "38 mL")
    tour("forecast", "--pump", url)
    assert tour("stop", url, answers="STOP\n") == 0
    _advance(url, 3 * DAY_MS)
    tour("status", url)
    tour.insist("restore", url, "--rx", FLEX)
    tour("log", url)
    tour("log", url, "--kind", "therapy")
    tour("reconcile", url)


def _trouble(tour: Tour, folder: Path) -> None:
    url = f"sim://P-40?fill=38mL&seed=2&state={folder / 'q'}"
    for address in (url, "sim://P-99", "sim://P-40?fill=99mL", "sim://P-40?x=1", "/dev/no-such-port", "socket://127.0.0.1:1"):
        assert tour("status", address) != 0
    assert tour("pair", url) == 0
    assert tour("program", FLEX, "--pump", url, "--yes") == 0
    _advance(url, 400 * DAY_MS)
    tour("status", url)
    tour("review", FLEX, "--pump", url)
    tour("refill", url, "--aspirated", "1 mL", "--filled", "60 mL", "--yes")
    tour("capture", "sim://P-40", "x.pcapng")
    tour("replay", "none.pcapng")
    tour("sim", "--tcp", "7001")
    tour("sim", "--fill", "99 mL")
    tour("bench", "none.port", "refill", "fill_nL=38mL", "concentration_ng_per_mL=2000mcg/mL")


@pytest.mark.sr("SR-17")
def test_every_screen_keeps_the_ismp_rules(screens: list[tuple[str, str]]) -> None:
    found = [f"{name}\n    {fault}" for name, text in screens for fault in faults(text)]
    assert found == [], "\n".join(found)


def test_no_line_is_broken_by_80_columns(screens: list[tuple[str, str]]) -> None:
    found = [f"{name}\n    {line}" for name, text in screens for line in broken(text)]
    assert found == [], "\n".join(found)


def test_the_tour_shows_every_command(screens: list[tuple[str, str]]) -> None:
    """But those that serve, print files, or show others' screens (`demo`)."""
    shown = {name.split()[0] for name, _ in screens}
    commands = {name for name, _, _ in COMMANDS} | {"plan"}
    assert commands - shown == {"demo", "schema"}


@pytest.mark.sr("SR-09", "SR-17")
@pytest.mark.parametrize("row", [*ACCIDENTS, *ORDINARY], ids=lambda row: row.name)
def test_every_golden_review_is_a_whole_screen(row: Any) -> None:
    review = row.judge()
    text = "\n".join(review_lines(review))
    assert list(faults(text)) == []
    assert broken(text) == []
    assert text.splitlines()[-2].startswith("Library: baclofen, version")
    flat = " ".join(text.split())
    for finding in review.findings:
        assert f"{finding.rule}: {' '.join(finding.message.split())}" in flat


@pytest.mark.sr("SR-17")
@pytest.mark.parametrize("name", library_names())
def test_texts_of_the_libraries_keep_the_rules(name: str) -> None:
    library = load_library(name)
    passages: list[Passage] = [getattr(library.texts, field.name) for field in fields(library.texts)]
    passages += [*library.interactions.values(), *library.conditions.values(), library.forms]
    assert [fault for passage in passages for fault in faults(passage.text)] == []


@pytest.mark.sr("SR-17")
def test_texts_of_the_program_keep_the_rules() -> None:
    def texts(table: object) -> Iterator[str]:
        if isinstance(table, str):
            yield table
        elif isinstance(table, dict | list):
            for value in table.values() if isinstance(table, dict) else table:
                yield from texts(value)

    assert [fault for text in texts(_texts()) for fault in faults(text)] == []


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        ("mcg is written mcg", "25 ug"),
        ("mcg is written mcg", "25 µg"),
        ("no zero after the last digit", "1.0 mg"),
        ("no zero after the last digit", "0.50 mL"),
        ("a zero before the point", "give .5 mcg"),
        ("a space before the unit", "25mcg"),
        ("a comma from a thousand on", "1250 mcg per day"),
        ("per in words", "25 mcg/day"),
        ("mL, not the nL of the code", "500 nL"),
        ("no abbreviation of a frequency", "25 mcg qd"),
    ],
)
def test_the_lint_sees_each_fault(rule: str, text: str) -> None:
    assert [fault.partition(":")[0] for fault in faults(text)] == [rule]
    assert rule in RULES


@pytest.mark.parametrize("text", ["1,250 mcg per day", "0.5 mL", "10 mL", "100 mcg", "2,000 mcg per mL", "at 06:00", "firmware 1.0.0"])
def test_the_lint_lets_what_is_right_pass(text: str) -> None:
    assert list(faults(text)) == []
