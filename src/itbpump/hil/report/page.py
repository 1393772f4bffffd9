"""A run as one HTML page: it loads nothing, runs nothing, and says so by its own policy. Reads on a phone, in the dark and on paper. Pure.

First what is wrong, with the figures that are outside their limits, then the table of tests by rig, all measurements against limits,
curves, requirements, and each test folded with its events, frames and pump log. Of a long line the page shows the first and the last
frames; record.json has what was kept. Not here: files (`writing`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from html import escape
from importlib import resources
from itertools import groupby

from itbpump.hil.model import Event, Frame, Outcome, RunRecord, TestRecord
from itbpump.hil.report.figures import limits_text, shown
from itbpump.hil.report.markup import bar_svg, outcome_word, raw_block, shown_text, table
from itbpump.hil.report.plots import figures_of
from itbpump.wording import DISCLAIMER

__all__ = ["page_of"]

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# Frames at either end of a test, so that the page of a whole suite stays small enough for a phone.
FRAMES_SHOWN = 120
FRAMES_SHOWN_OF_PASSED = 12
BYTES_SHOWN = 32
_GOOD = (Outcome.PASS, Outcome.SKIPPED)


def page_of(run: RunRecord, requirements: Mapping[str, str]) -> str:
    """The whole page. `requirements`: number to text, as far as known."""
    return "\n".join([*_head(_verdict_words(run)), *_body(run, requirements), "</html>", ""])


def _head(verdict: str) -> Iterator[str]:
    style = resources.files("itbpump.hil.report").joinpath("style.css").read_text("utf-8")
    yield "<!DOCTYPE html>"
    yield '<html lang="en">'
    yield '<head><meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{escape(POLICY)}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>HIL run: {escape(verdict)}</title><style>{style}</style></head>"


def _body(run: RunRecord, requirements: Mapping[str, str]) -> Iterator[str]:
    yield "<body><main>"
    yield from _verdict(run)
    yield from _causes(run)
    yield from _outside(run)
    yield from _by_target(run)
    yield from _measurements(run)
    yield from _curves(run)
    yield from _matrix(run, requirements)
    yield from _tests(run)
    yield from _setting(run)
    yield f"</main><footer><p>Made by itbpump.hil; {shown_text(DISCLAIMER)}.</p></footer></body>"


# ------------------------------------------------------------------------------------------------------------ what is wrong
def _verdict_words(run: RunRecord) -> str:
    bad = sum(test.outcome not in _GOOD for test in run.tests)
    passed = sum(test.outcome is Outcome.PASS for test in run.tests)
    if not run.tests:
        return "No test ran."
    return f"{bad:,} of {len(run.tests):,} did not pass." if bad else f"{passed:,} of {len(run.tests):,} passed, none failed."


def _verdict(run: RunRecord) -> Iterator[str]:
    counts = Counter(test.outcome for test in run.tests)
    bad = any(counts[outcome] for outcome in Outcome if outcome not in _GOOD)
    yield "<h1>HIL run</h1>"
    kind = "bad" if bad else "good" if counts[Outcome.PASS] else "odd"
    yield f'<p class="verdict {kind}">{_verdict_words(run)}</p>'
    if not run.tests:
        return
    told = ", ".join(f"{counts[outcome]:,} {outcome_word(outcome)}" for outcome in Outcome if counts[outcome])
    yield f'<p>{told}. <span class="quiet">Rigs: {shown_text(", ".join(sorted(run.targets)))}; seed {run.seed}.</span></p>'


def _causes(run: RunRecord) -> Iterator[str]:
    wrong = [(number, test) for number, test in enumerate(run.tests) if test.outcome not in _GOOD]
    if wrong:
        yield "<h2>What did not pass</h2>"
        rows = [
            (_link(number, test), shown_text(test.target), outcome_word(test.outcome), shown_text(test.cause)) for number, test in wrong
        ]
        yield table("", ("test", "rig", "outcome", "first cause"), rows, ("", "", "", "cause"))


def _outside(run: RunRecord) -> Iterator[str]:
    """The figures that did it, before all others."""
    rows = [
        (_link(number, test), shown_text(test.target), *cells)
        for number, test in enumerate(run.tests)
        for cells in _measured(test, outside=True)
    ]
    if rows:
        yield "<h2>Outside their limits</h2>"
        yield table("", ("test", "rig", *_MEASURED), rows, ("", "", *_MEASURED_CLASSES))


def _link(number: int, test: TestRecord) -> str:
    return f'<a href="#t{number}">{shown_text(test.test)}</a>'


# ------------------------------------------------------------------------------------------------------------ overviews
def _by_target(run: RunRecord) -> Iterator[str]:
    targets = list(dict.fromkeys(test.target for test in run.tests))
    cells: dict[str, dict[str, str]] = {}
    for number, test in enumerate(run.tests):
        cells.setdefault(test.test, {})[test.target] = f'<a href="#t{number}">{outcome_word(test.outcome)}</a>'
    if cells:
        yield "<h2>Tests by rig</h2>"
        rows = [[shown_text(name), *(row.get(target, "–") for target in targets)] for name, row in cells.items()]
        yield table("", ("test", *targets), rows)


def _measurements(run: RunRecord) -> Iterator[str]:
    taken = [(number, test) for number, test in enumerate(run.tests) if test.measurements]
    if not taken:
        return
    outside = sum(not one.within for _, test in taken for one in test.measurements)
    total = sum(len(test.measurements) for _, test in taken)
    yield "<h2>Measurements against limits</h2>"
    yield f"<p>{total:,} taken, {outside:,} outside their limits.</p>"
    rows = [(_link(number, test), shown_text(test.target), *cells) for number, test in taken for cells in _measured(test)]
    yield table("", ("test", "rig", *_MEASURED), rows, ("", "", *_MEASURED_CLASSES))


_MEASURED = ("what", "value", "limits", "between", "within")
_MEASURED_CLASSES = ("", "number", "limits", "between", "")


def _measured(test: TestRecord, *, outside: bool = False) -> Iterator[tuple[str, ...]]:
    """Cells of each measurement, or only of those `outside`."""
    for one in (one for one in test.measurements if not (outside and one.within)):
        within = '<span class="pass">within</span>' if one.within else '<span class="fail">OUTSIDE</span>'
        value = shown_text(f"{shown(one.value)} {one.unit}".rstrip())
        yield shown_text(one.name), value, shown_text(limits_text(one)), bar_svg(one), within


def _curves(run: RunRecord) -> Iterator[str]:
    drawn = [(number, test) for number, test in enumerate(run.tests) if test.series]
    if drawn:
        yield "<h2>Curves</h2>"
    for number, test in drawn:
        for place, figure in enumerate(figures_of(test.series)):
            words = f"{_link(number, test)} on {shown_text(test.target)}: {shown_text(figure.words)}"
            yield f"<figure>{figure.svg(f'f{number}-{place}')}<figcaption>{words}</figcaption></figure>"


def _matrix(run: RunRecord, requirements: Mapping[str, str]) -> Iterator[str]:
    served: dict[str, list[tuple[int, TestRecord]]] = {}
    for number, test in enumerate(run.tests):
        for name in test.requirements:
            served.setdefault(name, []).append((number, test))
    if not served:
        return
    yield "<h2>Requirements</h2>"
    known = sum(name in requirements for name in served)
    yield f"<p>{known:,} of {len(requirements):,} safety requirements are served by tests of this run.</p>" if requirements else ""
    unknown = "not among the requirements" if requirements else ""
    rows = [
        (shown_text(name), shown_text(requirements.get(name, unknown)), _serving(tests))
        for name, tests in sorted(served.items(), key=_order)
    ]
    yield table("", ("no.", "requirement", "tests, with their outcome by rig"), rows, ("", "cause", "serving"))


def _order(item: tuple[str, object]) -> tuple[int, str]:
    digits = item[0].rpartition("-")[2]
    return (int(digits) if digits.isascii() and digits.isdecimal() and len(digits) < 10 else 0, item[0])


def _serving(tests: list[tuple[int, TestRecord]]) -> str:
    by_test = groupby(sorted(tests, key=lambda pair: pair[1].test), key=lambda pair: pair[1].test)
    counts = Counter(test.outcome for _, test in tests)
    told = [", ".join(f"{counts[outcome]:,} {outcome_word(outcome)}" for outcome in reversed(Outcome) if counts[outcome])]
    for name, group in by_test:
        cells = ", ".join(f'<a href="#t{number}">{shown_text(test.target)}</a> {outcome_word(test.outcome)}' for number, test in group)
        told.append(f"{shown_text(name)}: {cells}")
    return "<br>".join(told)


# ------------------------------------------------------------------------------------------------------------ each test
def _tests(run: RunRecord) -> Iterator[str]:
    if run.tests:
        yield "<h2>Each test</h2>"
        yield '<p class="paper">What is folded is not printed: unfold it before, or read record.json.</p>'
    seconds = run.timing.seconds if run.timing is not None else {}
    for number, test in enumerate(run.tests):
        opened = "" if test.outcome in _GOOD else " open"
        head = f'{outcome_word(test.outcome)} {shown_text(test.test)} <span class="quiet">on {shown_text(test.target)}</span>'
        yield f'<details id="t{number}"{opened}><summary>{head}</summary>'
        yield from _one(test, seconds.get(f"{test.test} [{test.target}]", ""))
        yield "</details>"


def _one(test: TestRecord, seconds: str) -> Iterator[str]:
    if test.cause:
        yield f"<p>{shown_text(test.cause)}</p>"
    facts = [f"seed {test.seed}", *([f"serves {', '.join(test.requirements)}"] if test.requirements else [])]
    yield f'<p class="quiet">{shown_text("; ".join([*facts, *([f"took {seconds} s"] if seconds else [])]))}</p>'
    yield table("Measurements", _MEASURED, _measured(test), _MEASURED_CLASSES)
    yield raw_block(f"Events ({len(test.events):,})", [_event_line(event) for event in test.events])
    yield raw_block(f"Pump log ({len(test.pump_log):,})", test.pump_log)
    shown_frames = FRAMES_SHOWN_OF_PASSED if test.outcome in _GOOD else FRAMES_SHOWN
    left = len(test.frames) - 2 * shown_frames
    note = f"{left:,} frames in the midst are not shown here; record.json has them." if left > 0 else ""
    frames = test.frames if left <= 0 else (*test.frames[:shown_frames], *test.frames[-shown_frames:])
    yield raw_block(f"Frames ({len(test.frames):,})", [_frame_line(frame) for frame in frames], note)


def _event_line(event: Event) -> str:
    at = "" if event.at_ms is None else f"{event.at_ms:,} ms"
    return f"{at:>18}  {event.by:5}  {event.text}"


def _frame_line(frame: Frame) -> str:
    count = len(frame.data_hex) // 2
    data = frame.data_hex[: 2 * BYTES_SHOWN] + (f"… {count} bytes" if count > BYTES_SHOWN else "")
    way = "to pump  " if frame.to_pump else "from pump"
    return f"{frame.at_ms:>12,} ms  {way}  {frame.what + '  ' if frame.what else ''}{data}"


# ------------------------------------------------------------------------------------------------------------ under which
def _setting(run: RunRecord) -> Iterator[str]:
    yield "<h2>Versions, rigs and seed</h2>"
    rows = [("seed", str(run.seed))]
    rows += [(f"rig {name}", address) for name, address in sorted(run.targets.items())]
    rows += sorted(run.versions.items())
    if run.timing is not None:
        rows.append(("begun", run.timing.begun))
    yield table("", ("what", "which"), [(shown_text(name), shown_text(value)) for name, value in rows], ("", "cause"))
