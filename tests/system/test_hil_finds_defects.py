"""The HIL suites find every firmware with a defect, and nothing wrong with the sound one; which test found which is computed, never told.

By default each defect is hunted until a test fails, and the tests that found something are run on the sound pump: they must all pass. The
long form runs, for each defect, every test that names a requirement which it breaks, and the whole suites on the sound pump. A defect
that no suite finds is red: then a test is missing in hil/, not here.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_sim.defects import SOUND, defects, generations
from itbpump.hil.model import Outcome
from itbpump.wire.messages import PROTOCOL_MINOR
from tests.system.hil_defect_runs import failing, not_passed, run_suites, table

RAISED = "hil/test_alarms.py::test_alarm_is_raised_in_time"
PARTS = 2  # runs of some seconds each, for as many workers


@pytest.mark.slow  # half a minute each; `make hil` runs them
@pytest.mark.parametrize("part", range(PARTS))
def test_suites_find_every_defect(part: int, record_property: Callable[[str, object], None]) -> None:
    hunted = run_suites(list(defects())[part::PARTS])
    unfound = {name: (defects()[name].what, not_passed(outcomes)) for name, outcomes in hunted.items() if not failing(outcomes)}
    assert unfound == {}, "no test says of these pumps that they err"
    found_by = {name: failing(outcomes)[0] for name, outcomes in hunted.items()}
    for name, test in found_by.items():
        record_property(name, test)
    # A test that fails on any pump would find every defect.
    suites = sorted({test.partition("::")[0] for test in found_by.values()})
    sound = run_suites([SOUND], *suites, only=found_by.values(), all_related=True)[SOUND]
    assert sound == dict.fromkeys(found_by.values(), Outcome.PASS.value)
    assert len(set(found_by.values())) >= len(found_by) // 2, "defects differ, so the tests that find them do"


def test_suite_of_alarms_tells_what_an_older_firmware_lacks() -> None:
    """Exactly the alarms that its minor version does not have are not raised; what it has is raised as ever."""
    minors = (*generations(), PROTOCOL_MINOR)
    outcomes = run_suites([f"minor={minor}" for minor in minors], "hil/test_alarms.py", all_related=True)
    for minor in minors:
        lacks = generations()[minor].alarms if minor in generations() else frozenset()
        raised = {test: outcome for test, outcome in outcomes[f"minor={minor}"].items() if test.startswith(RAISED)}
        missing = {test for test, outcome in raised.items() if outcome == Outcome.FAIL}
        assert missing == {f"{RAISED}[{alarm.name.lower()}]" for alarm in lacks}, f"minor version {minor}"
        assert {raised[test] for test in set(raised) - missing} == {Outcome.PASS.value}


@pytest.mark.slow
def test_all_related_tests_on_all_firmwares(
    tmp_path_factory: pytest.TempPathFactory, record_property: Callable[[str, object], None]
) -> None:
    outcomes = run_suites([SOUND, *defects()], all_related=True)
    assert not_passed(outcomes[SOUND]) == {}
    assert [name for name in defects() if not failing(outcomes[name])] == []
    written = tmp_path_factory.mktemp("found") / "found_by.md"
    written.write_text(table(outcomes), encoding="utf-8")
    record_property("found_by_table", str(written))
    for name in defects():
        record_property(name, " ".join(failing(outcomes[name])))
