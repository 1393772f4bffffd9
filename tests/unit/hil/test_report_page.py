"""report.html: all of a run on one page that loads and runs nothing, and that no text of a run can break."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import given, settings

from itbpump.hil.model import Event, Frame, Outcome, RunRecord, Timing
from itbpump.hil.report.page import FRAMES_SHOWN, FRAMES_SHOWN_OF_PASSED, page_of
from itbpump.hil.report.requirements import requirement_texts
from itbpump.hil.report.writing import write
from tests.unit.hil.runs import measured, one_test, run_of, runs, trumpet

TEXTS = {"SR-24": "What was delivered equals the program.", "SR-26": "Boluses are reported."}
HOSTILE = "</pre></details></style><script>alert(1)</script><img src=x onerror=alert(1)>&amp;\"'\u202e\x00\u2028"
VOID = {"meta", "br", "rect", "path", "polygon", "polyline", "circle", "use"}


class Seen(HTMLParser):
    """Which elements, attributes and texts a page has; elements must close in order."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.texts: list[str] = []
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    @property
    def text(self) -> str:
        return " ".join(self.texts)


def require_self_contained(page: str) -> Seen:
    """Nothing that loads, nothing that runs, and its own policy forbids both."""
    seen = Seen(page)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form", "video", "audio", "image"} & set(seen.tags)
    for tag, name, value in seen.attributes:
        assert not name.startswith("on"), (tag, name)
        assert name not in ("src", "srcset", "data", "action", "poster"), (tag, name)
        if name.endswith("href"):
            assert value.startswith("#"), value
        if "url(" in value:
            assert re.findall(r"url\((.)", value) == ["#"] * value.count("url("), value
    style = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
    assert style is not None
    assert "url(" not in style[1]
    assert "@import" not in style[1]
    assert ("meta", "content", "default-src 'none'; style-src 'unsafe-inline'") in seen.attributes
    ids = [value for _, name, value in seen.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = {value[1:] for tag, name, value in seen.attributes if tag == "a" and name == "href"}
    assert links <= set(ids)
    return seen


FULL = run_of(
    one_test(
        measurements=(measured(), measured("alarm", "61000", "ms", None, "60000")), series=trumpet(), requirements=("SR-26",), seed=77
    ),
    one_test("hil/test_log.py::test_chain", outcome=Outcome.FAIL, cause="entry 7 is missing", requirements=("SR-24", "SR-99")),
    one_test("hil/test_log.py::test_chain", "tcp", Outcome.SKIPPED, cause="rig tcp lacks virtual-time", requirements=("SR-24",)),
    timing=Timing("2026-11-22T10:00:00+00:00", {"hil/test_delivery.py::test_bolus [memory]": "0.125"}),
)


def test_the_page_tells_all_of_a_run() -> None:
    page = page_of(FULL, TEXTS)
    text = require_self_contained(page).text
    for words in (
        "1 of 3 did not pass.",
        "entry 7 is missing",
        "12,500 nL",
        "12,000 to 13,000 nL",
        "at most 60,000 ms",
        "OUTSIDE",
        "2 taken, 1 outside",
        "What was delivered equals the program.",
        "2 of 2 safety requirements are served",
        "not among the requirements",
        "rig tcp lacks virtual-time",
        "seed 77",
        "took 0.125 s",
        "sim://P-40?fill=38mL",
        "itbp1 1.1",
        "not a medical device",
        "largest error (solid), smallest error (dashed); thin: limits",
    ):
        assert words in text, words


@settings(max_examples=40, deadline=None)
@given(run=runs)
def test_no_run_makes_a_page_that_loads_runs_or_is_broken(run: RunRecord) -> None:
    require_self_contained(page_of(run, TEXTS))


def test_every_text_of_a_run_is_escaped_and_shown() -> None:
    test = one_test(
        f"hil/{HOSTILE}",
        f"rig {HOSTILE}",
        Outcome.FAIL,
        cause=f"cause {HOSTILE}",
        requirements=(f"SR {HOSTILE}",),
        measurements=(measured(f"name {HOSTILE}", unit=f"unit {HOSTILE}"),),
        series=tuple(replace(one, name=f"curve {HOSTILE}", x_unit=f"x {HOSTILE}", y_unit=f"y {HOSTILE}") for one in trumpet()),
        events=(Event(1, f"by {HOSTILE}", f"event {HOSTILE}"),),
        frames=(Frame(1, True, "00", f"what {HOSTILE}"),),
        pump_log=(f"log {HOSTILE}",),
    )
    run = RunRecord(1, {f"version {HOSTILE}": HOSTILE}, {f"target {HOSTILE}": HOSTILE}, (test,), Timing(HOSTILE, {}))
    page = page_of(run, {f"SR {HOSTILE}": f"text {HOSTILE}"})
    seen = require_self_contained(page)
    for word in (
        "hil/",
        "rig",
        "cause",
        "SR",
        "name",
        "unit",
        "curve",
        "x",
        "y",
        "by",
        "event",
        "what",
        "log",
        "version",
        "target",
        "text",
    ):
        assert re.search(rf"{word} ?</pre></details></style><script>", seen.text), word
    assert "<script" not in page
    assert "\u202e" not in page
    assert "\x00" not in page
    assert "[U+202E]" in page


def test_what_did_not_pass_stands_open_and_first() -> None:
    page = page_of(FULL, TEXTS)
    assert page.index("What did not pass") < page.index("Tests by rig")
    assert re.findall(r'<details id="t(\d)"( open)?>', page) == [("0", ""), ("1", " open"), ("2", "")]


def test_the_title_says_how_it_went() -> None:
    """Of ten open tabs the one that failed is found without opening it."""
    assert "<title>HIL run: 1 of 3 did not pass.</title>" in page_of(FULL, TEXTS)
    assert "<title>HIL run: 1 of 1 passed, none failed.</title>" in page_of(run_of(one_test()), TEXTS)
    assert "<title>HIL run: No test ran.</title>" in page_of(run_of(), TEXTS)
    for run, kind in ((FULL, "bad"), (run_of(one_test()), "good"), (run_of(one_test(outcome=Outcome.SKIPPED)), "odd")):
        assert f'class="verdict {kind}"' in page_of(run, TEXTS)


def test_figures_outside_their_limits_come_before_all_others() -> None:
    page = page_of(FULL, TEXTS)
    first = page[page.index("Outside their limits</h2>") : page.index("Tests by rig")]
    assert "61,000 ms" in first
    assert "12,500 nL" not in first
    assert "Outside their limits</h2>" not in page_of(run_of(one_test(measurements=(measured(),))), TEXTS)


def test_each_cell_says_what_it_is_where_columns_have_no_room() -> None:
    page = page_of(FULL, TEXTS)
    row = re.search(r"<h2>Outside their limits.*?<tbody><tr>(.*?)</tr>", page, re.DOTALL)
    assert row is not None
    assert re.findall(r'<td[^>]* data-label="(.*?)"', row[1]) == ["rig", "what", "value", "limits", "between", "within"]
    assert all('data-label="' in marks for marks in re.findall(r"<td([^>]*)>", page))


def test_paper_says_that_folded_parts_are_not_on_it() -> None:
    assert '<p class="paper">What is folded is not printed' in page_of(FULL, TEXTS)


def test_a_run_in_which_all_is_well_says_so() -> None:
    page = page_of(run_of(one_test(), one_test(target="tcp")), {})
    assert "2 of 2 passed, none failed." in page
    assert "What did not pass" not in page
    assert "No test ran." in page_of(run_of(), {})


def test_of_many_frames_both_ends_are_shown() -> None:
    frames = tuple(Frame(at, at % 2 == 0, f"{at:08x}" * 30, f"frame {at}") for at in range(FRAMES_SHOWN * 2 + 5))
    page = page_of(run_of(one_test(outcome=Outcome.FAIL, frames=frames)), {})
    assert "5 frames in the midst are not shown here" in page
    assert f"frame {FRAMES_SHOWN - 1} " in page
    assert f"frame {FRAMES_SHOWN} " not in page
    assert f"frame {len(frames) - 1} " in page
    assert "… 120 bytes" in page
    passed = page_of(run_of(one_test(frames=frames)), {})
    assert f"frame {FRAMES_SHOWN_OF_PASSED - 1} " in passed
    assert f"frame {FRAMES_SHOWN_OF_PASSED} " not in passed


def test_light_dark_phone_and_paper_are_provided_for() -> None:
    page = page_of(FULL, TEXTS)
    for words in ("prefers-color-scheme: dark", "@media print", "width=device-width", "color-scheme: light dark"):
        assert words in page


def test_a_page_is_the_same_each_time() -> None:
    assert page_of(FULL, TEXTS) == page_of(FULL, TEXTS)


def test_texts_of_requirements_come_from_the_file_of_the_project(tmp_path: Path) -> None:
    assert requirement_texts()["SR-25"].startswith("The flow error of the simulated pump over a window")
    assert requirement_texts((tmp_path / "none.toml",)) == {}


def test_without_matplotlib_the_page_has_its_curves_too(tmp_path: Path) -> None:
    """In a process of its own, in which matplotlib cannot be found."""
    script = f"""
import sys, importlib.util
real = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "matplotlib" else real(name, package)
from pathlib import Path
from tests.unit.hil.test_report_page import FULL
from itbpump.hil.report.writing import write
write(FULL, Path({str(tmp_path)!r}))
assert "matplotlib" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60, env={"PYTHONPATH": ":".join(sys.path)})
    page = (tmp_path / "report.html").read_text("utf-8")
    require_self_contained(page)
    assert page.count("<polyline") == 3 + 1
    write(FULL, tmp_path / "drawn")
    require_self_contained((tmp_path / "drawn" / "report.html").read_text("utf-8"))
