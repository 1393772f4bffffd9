"""A pytest plugin for runs of the HIL suites on firmwares with a defect: which test finds which, the likely ones first.

`--found-by FILE` writes a JSON object: for each pump, by the address asked for, its tests as {test: outcome}. A pump that has failed once
is done with, unless `--all-related`: then every test that names a safety requirement which the defect breaks is run, and no other (all of
them on a pump without a defect). `--only FILE` runs the tests that stand in a JSON list, by their ids without the pump.

Related tests go first: only to find a defect sooner, for all others follow. Nothing here knows which test finds what; which requirements a
defect breaks stands in `defects.toml`.
"""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from firmware_sim.defects import defects
from itbpump.hil.model import Outcome, RunRecord

_DONE = pytest.StashKey[set[str]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--found-by", metavar="FILE")
    parser.addoption("--all-related", action="store_true")
    parser.addoption("--only", metavar="FILE")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_DONE] = set()


def _pump(item: pytest.Item) -> str:
    """Name of the pump that the test is for; empty for a test that needs none."""
    target = getattr(item, "callspec", None) and item.callspec.params.get("hil_target")  # type: ignore[attr-defined]
    return target.name if target else ""


def _broken(pump: str) -> frozenset[str]:
    """Requirements that the pump's firmware breaks, by the table."""
    name = dict(parse_qsl(urlsplit(pump).query)).get("firmware", "")
    return frozenset(defects()[name].srs) if name in defects() else frozenset()


def _id(item: pytest.Item) -> str:
    """Of the test, whatever the pump; as `TestRecord.test`."""
    pump = _pump(item)
    return item.nodeid.replace(f"[{pump}-", "[").replace(f"[{pump}]", "") if pump else item.nodeid


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    only = config.getoption("--only")
    if only is not None:
        wanted = set(json.loads(Path(only).read_text(encoding="utf-8")))
        items[:] = [item for item in items if _id(item) in wanted]
    pumps = {pump: place for place, pump in enumerate(dict.fromkeys(map(_pump, items)))}

    def related(item: pytest.Item) -> Fraction:
        named = {sr for mark in item.iter_markers("sr") for sr in mark.args}
        broken = _broken(_pump(item))
        return Fraction(len(named & broken), max(1, len(named | broken)))

    if config.getoption("--all-related"):
        items[:] = [item for item in items if related(item) or not _broken(_pump(item))]
    items.sort(key=lambda item: (pumps[_pump(item)], -related(item)))


def pytest_runtestloop(session: pytest.Session) -> bool:
    """As pytest's own, without the tests of a pump that is done with. No test hands a fixture on to the next, which may be left out."""
    done = session.config.stash[_DONE]
    for item in session.items:
        if _pump(item) not in done:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
    return True


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):  # type: ignore[no-untyped-def]
    report = yield
    outcome = dict(item.user_properties).get("outcome") if call.when == "teardown" else None
    if outcome == Outcome.FAIL.value and not item.config.getoption("--all-related"):
        item.config.stash[_DONE].add(_pump(item))
    return report


def pytest_hil_run(run: RunRecord, config: pytest.Config) -> None:
    found: dict[str, dict[str, str]] = {}
    for one in run.tests:
        found.setdefault(one.target, {})[one.test] = one.outcome.value
    Path(config.getoption("--found-by")).write_text(json.dumps(found), encoding="utf-8")
