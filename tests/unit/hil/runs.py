"""Runs for the tests of reports: one made by hand, and any run that Hypothesis comes upon."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

from hypothesis import strategies as st

from itbpump.hil.measure import figure_text
from itbpump.hil.model import Event, Frame, Limits, Measurement, Outcome, RunRecord, Series, TestRecord, Timing


def measured(
    name: str = "bolus given", value: str = "12500", unit: str = "nL", lo: str | None = "12000", hi: str | None = "13000"
) -> Measurement:
    """A measurement that says of itself what is true."""
    figure = Fraction(value)
    within = (lo is None or figure >= Fraction(lo)) and (hi is None or figure <= Fraction(hi))
    return Measurement(name, value, unit, Limits(lo, hi), within)


def one_test(
    test: str = "hil/test_delivery.py::test_bolus", target: str = "memory", outcome: Outcome = Outcome.PASS, **more: object
) -> TestRecord:
    """A test with little in it."""
    return replace(TestRecord(test, target, outcome), **more)  # type: ignore[arg-type]


def run_of(*tests: TestRecord, seed: int = 3, versions: dict[str, str] | None = None, timing: Timing | None = None) -> RunRecord:
    """A run of these tests."""
    targets = {test.target: "sim://P-40?fill=38mL" for test in tests}
    return RunRecord(seed, {"itbpump": "0.1.0", "protocol": "itbp1 1.1"} if versions is None else versions, targets, tests, timing)


def trumpet() -> tuple[Series, ...]:
    """Two curves over the same windows, and one over time."""
    windows = ("2", "5", "11", "19", "31")
    minutes = tuple(figure_text(Fraction(step, 2)) for step in range(240))
    return (
        Series("largest error", "min", "%", windows, ("140", "92", "30.5", "26.3", "8.4"), hi=("150", "100", "50", "50", "20")),
        Series("smallest error", "min", "%", windows, ("-100", "-4", "-12", "-6", "-7.1")),
        Series("start-up", "min", "mL/h", minutes, tuple(figure_text(Fraction(step * 7 % 13, 1_000)) for step in range(240))),
    )


texts = st.text(max_size=20)
names = st.text(alphabet="abc<>&\"'/:_-\u202e\x00é漢", max_size=12)
figures = st.builds(lambda number, power: figure_text(Fraction(number, 10**power)), st.integers(-(10**9), 10**9), st.integers(0, 4))


@st.composite
def measurements(draw: st.DrawFn) -> tuple[Measurement, ...]:
    """With limits in order, none twice."""
    found = []
    for name in draw(st.lists(names, max_size=3, unique=True)):
        limits = sorted(draw(st.lists(figures, max_size=2)), key=Fraction)
        lo, hi = (*limits, None, None)[:2] if draw(st.booleans()) else (None, limits[0] if limits else None)
        found.append(measured(name, draw(figures), draw(names), lo, hi))
    return tuple(found)


@st.composite
def curves(draw: st.DrawFn) -> tuple[Series, ...]:
    """As many values as points, limits or none."""
    found = []
    for name in draw(st.lists(names, max_size=3)):
        count = draw(st.integers(0, 4))
        line = st.lists(figures, min_size=count, max_size=count).map(tuple)
        found.append(Series(name, draw(names), draw(names), draw(line), draw(line), draw(line | st.just(())), draw(line | st.just(()))))
    return tuple(found)


tests = st.builds(
    TestRecord,
    test=texts,
    target=texts,
    outcome=st.sampled_from(Outcome),
    cause=texts,
    requirements=st.lists(st.from_regex(r"SR-[0-9]{2}", fullmatch=True) | texts, max_size=2).map(tuple),
    measurements=measurements(),
    series=curves(),
    events=st.lists(st.builds(Event, st.none() | st.integers(0, 2**60), texts, texts), max_size=2).map(tuple),
    frames=st.lists(st.builds(Frame, st.integers(0, 2**40), st.booleans(), st.binary(max_size=9).map(bytes.hex), texts), max_size=2).map(
        tuple
    ),
    pump_log=st.lists(texts, max_size=2).map(tuple),
    seed=st.integers(0, 2**32 - 1),
)
runs = st.builds(
    RunRecord,
    seed=st.integers(-(2**60), 2**60),
    versions=st.dictionaries(texts, texts, max_size=2),
    targets=st.dictionaries(texts, texts, max_size=2),
    tests=st.lists(tests, max_size=3, unique_by=lambda test: (test.test, test.target)).map(tuple),
    timing=st.none() | st.builds(Timing, texts, st.dictionaries(texts, figures, max_size=2)),
)
