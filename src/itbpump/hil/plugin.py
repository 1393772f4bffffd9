"""The pytest plugin of the HIL kit (entry point `itbpump-hil`): options, fixtures, markers, records.

Fixtures: pump, power, clock, plant, link_faults, measure, events, hil_seed; each test that uses one runs once for each `--pump`. Markers:
needs, reset, sr. See docs/hil.md. Not here: what the fixtures do (`station`), what an outcome is (`outcomes`), files (`report`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Generator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from itbpump.hil import hooks
from itbpump.hil.clock import Clock
from itbpump.hil.gathering import Gathered
from itbpump.hil.link_faults import LinkFaults
from itbpump.hil.measure import Measure
from itbpump.hil.model import Capability, Outcome
from itbpump.hil.plant import Plant
from itbpump.hil.power import Power
from itbpump.hil.pump import PumpUnderTest
from itbpump.hil.settings import Settings, add_options, read_settings
from itbpump.hil.station import SCOPES, Station
from itbpump.hil.trial import Place, Trial

__all__ = ["clock", "events", "hil_seed", "link_faults", "measure", "plant", "power", "pump"]

RUN = pytest.StashKey["Run"]()
TRIAL = pytest.StashKey[Trial]()
_FIXTURE = "hil_target"
_WORKER_KEY = "itbpump_hil"


class Run:
    """What a process knows of its run: settings, read when the first test needs them, and records."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config
        self.begun = datetime.now(UTC).isoformat(timespec="seconds")
        self._settings: Settings | None = None
        self._gathered: Gathered | None = None
        self.places: dict[str, int] = {}
        self.open: dict[str, Trial] = {}

    @property
    def settings(self) -> Settings:
        """Raises pytest.UsageError."""
        if self._settings is None:
            self._settings = read_settings(self.config)
        return self._settings

    @property
    def gathered(self) -> Gathered:
        """What there is so far."""
        if self._gathered is None:
            targets = {target.name: target.described for target in self.settings.targets}
            self._gathered = Gathered(self.settings.seed, targets, self.begun)
        return self._gathered

    @property
    def wanted(self) -> bool:
        """Some test was of this kit, or a report was asked for."""
        return self._gathered is not None


# ---------------------------------------------------------------------------------------------------------------- set-up
def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """The kit's own hook."""
    pluginmanager.add_hookspecs(hooks)


def pytest_addoption(parser: pytest.Parser) -> None:
    """The kit's options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Markers; and what was asked for is looked at before anything runs."""
    config.addinivalue_line("markers", f"needs(*capabilities): what a rig must be able to do ({', '.join(Capability)}); skipped elsewhere")
    config.addinivalue_line("markers", f"reset(scope): how the pump is reset before the test ({', '.join(SCOPES)})")
    config.addinivalue_line("markers", "sr(*ids): safety requirements that the test serves")
    run = config.stash[RUN] = Run(config)
    if config.getoption("--pump") or config.getoption("--hil-report"):
        _ = run.gathered


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each test of the kit once for each pump; first, so that the pump's name comes first in the test's."""
    if _FIXTURE in metafunc.fixturenames:
        targets = metafunc.config.stash[RUN].settings.targets
        metafunc.parametrize(_FIXTURE, targets, indirect=True, ids=[target.name for target in targets], scope="session")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Markers that nothing understands are refused, not ignored; each test has its place."""
    run = config.stash[RUN]
    for place, item in enumerate(items):
        run.places[item.nodeid] = place
        for mark in item.iter_markers("needs"):
            for name in mark.args:
                if name not in set(Capability):
                    raise pytest.UsageError(f"{item.nodeid}: needs({name!r}) is no capability; there are {', '.join(Capability)}")
        for mark in item.iter_markers("reset"):
            if mark.args not in [(scope,) for scope in SCOPES]:
                raise pytest.UsageError(f"{item.nodeid}: reset{mark.args!r}: give one of {', '.join(SCOPES)}")


# -------------------------------------------------------------------------------------------------------------- one test
@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Begin the record; skip with the reason where the rig lacks what the test needs, before the rig is opened."""
    trial = Trial.of(item, item.config.stash[RUN])
    if trial is not None:
        item.stash[TRIAL] = trial
        item.config.stash[RUN].open[item.nodeid] = trial
        item.user_properties.extend(trial.properties())
        if trial.lacking:
            pytest.skip(trial.lacking)


@pytest.hookimpl(wrapper=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> Generator[None, object, object]:
    """A measurement outside its limits fails the test when it has come to its end; one that failed before names them besides."""
    __tracebackhide__ = True  # what is wrong stands in the error; our own lines tell nobody anything
    trial = pyfuncitem.stash.get(TRIAL, None)
    try:
        result = yield
    except Exception as error:
        outside = None if trial is None else trial.journal.measure.outside()
        if outside is not None:
            error.add_note(str(outside))
        raise
    outside = None if trial is None else trial.journal.measure.outside()
    if outside is not None:
        raise outside
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Each phase tells how it ended; the last one closes the record."""
    trial = item.stash.get(TRIAL, None)
    if trial is not None:
        trial.phase_ended(call.when, call.duration, None if call.excinfo is None else call.excinfo.value)
        if call.when == "call":
            item.user_properties.extend(trial.measured())
        elif call.when == "teardown":
            item.user_properties.append(("outcome", trial.outcome.value))
            _close(item.config.stash[RUN], item.nodeid)
    report = yield
    if trial is not None and hasattr(report, "wasxfail") and call.when == "call":
        trial.expected_to_fail(report.wasxfail)
    return report


def _close(run: Run, nodeid: str) -> None:
    trial = run.open.pop(nodeid)
    run.gathered.tests.append(trial.kept())


# --------------------------------------------------------------------------------------------------------------- fixtures
@pytest.fixture(scope="session")
def hil_target(request: pytest.FixtureRequest) -> Iterator[Place]:
    """The rig of one `--pump`; opened when the first test needs it."""
    run = request.config.stash[RUN]
    place = Place(request.param, run.settings.key_file)
    yield place
    firmware = place.close()
    if firmware:
        run.gathered.firmware[request.param.name] = firmware


@pytest.fixture
def hil_station(request: pytest.FixtureRequest, hil_target: Place) -> Iterator[Station]:
    """The rig reset for this test, and its log read afterwards."""
    trial = request.node.stash[TRIAL]
    trial.met = hil_target.failed
    station = hil_target.begin(trial)
    yield station
    hil_target.finish()


@pytest.fixture
def pump(hil_station: Station) -> PumpUnderTest:
    """The pump under test: `session()`, `program(rx)`, `bolus(dose, over)`, `stop()`, `status()`, `log()`, `line()`, `to(state)`, …"""
    return hil_station.pump


@pytest.fixture
def power(hil_station: Station) -> Power:
    """The pump's supply: `cut()`, `on()`, `cycle()`."""
    return hil_station.power


@pytest.fixture
def clock(hil_station: Station) -> Clock:
    """The pump's time: `uptime_ms()`, `advance("30m")`, `until(predicate, within="5m", step="10s")`, `virtual`."""
    return hil_station.clock


@pytest.fixture
def plant(hil_station: Station) -> Plant:
    """What is true, and the hands that change it."""
    return hil_station.plant


@pytest.fixture
def link_faults(hil_station: Station) -> LinkFaults:
    """`with link_faults("drop=10%,seed=7") as line:` puts faults into the line."""
    return hil_station.link_faults


@pytest.fixture
def measure(hil_station: Station) -> Measure:
    """`measure(name, value, unit, lo, hi)`: exact figures; one outside its limits fails the test at its end."""
    return hil_station.journal.measure


@pytest.fixture
def events(hil_station: Station) -> Callable[[str], None]:
    """`events("text")` notes something in the timeline of the test."""
    return hil_station.note


@pytest.fixture
def hil_seed(hil_station: Station) -> int:
    """This test's own seed: the same on every rig, another for every `--hil-seed`."""
    return hil_station.journal.seed


# ------------------------------------------------------------------------------------------------------------- the whole run
@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """pytest-xdist: a worker has ended; take what it kept."""
    run: Run = node.config.stash[RUN]
    text = getattr(node, "workeroutput", {}).get(_WORKER_KEY)
    if text is not None:
        run.gathered.take(text)
    elif error is not None and run.wanted:
        run.gathered.lost.append(node.gateway.id)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Close what was interrupted, then hand the records on: a worker to its controller, everybody else to the hook and the report."""
    config = session.config
    run = config.stash[RUN]
    for nodeid, trial in list(run.open.items()):
        trial.interrupted()
        _close(run, nodeid)
    if not run.wanted:
        return
    output = getattr(config, "workeroutput", None)
    if output is not None:
        output[_WORKER_KEY] = run.gathered.text()
        return
    record = run.gathered.run(pytest.__version__)
    config.hook.pytest_hil_run(run=record, config=config)
    if run.settings.report is not None:
        run.settings.report.mkdir(parents=True, exist_ok=True)
        importlib.import_module("itbpump.hil.report").write(record, run.settings.report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """How the tests of the kit ended, by outcome."""
    run = config.stash[RUN]
    if not run.wanted or not (run.gathered.tests or run.gathered.lost):
        return
    counts = {outcome: sum(one.record.outcome is outcome for one in run.gathered.tests) for outcome in Outcome}
    told = ", ".join(f"{count} {outcome.value}" for outcome, count in counts.items() if count)
    terminalreporter.write_line(f"HIL on {', '.join(run.gathered.targets)}, seed {run.gathered.seed}: {told}")
    for worker in run.gathered.lost:
        terminalreporter.write_line(f"HIL: worker {worker} died, and with it the records of its tests", red=True)
    if run.settings.report is not None:
        terminalreporter.write_line(f"HIL report: {run.settings.report}")
