"""Two runs held against each other: every kind of difference, told and judged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from itbpump.cli.guard import GuardedCommand
from itbpump.hil.command import COMMANDS, hil_app
from itbpump.hil.model import Outcome, RunRecord
from itbpump.hil.report import Comparison, compare, write
from itbpump.hil.report.compare import json_of, lines_of
from tests.command_line import CliRunner
from tests.unit.hil.runs import measured, one_test, run_of, runs

BEFORE = run_of(
    one_test("a", measurements=(measured(), measured("gone", "1", "ms", None, None))),
    one_test("b"),
    one_test("c", outcome=Outcome.FAIL, cause="the clock stood still"),
    one_test("d"),
)
AFTER = run_of(
    one_test("a", measurements=(measured(value="12900"), measured("fresh", "1", "ms", None, None))),
    one_test("b", outcome=Outcome.TIMEOUT, cause="the alarm did not come"),
    one_test("c"),
    one_test("e"),
    versions={"itbpump": "0.2.0"},
)
TOLD = """\
Tests: 1 end as before, 2 otherwise, 1 new, 1 gone.
itbpump: 0.1.0 before, 0.2.0 now
protocol: itbp1 1.1 before, none now

Worse:
  b on memory: pass, now timeout (the alarm did not come)

Other outcome:
  c on memory: fail, now pass (the clock stood still)

Gone:
  d on memory, was pass

New:
  e on memory, pass

Moved, the farthest first:
  a on memory: bolus given 12,500, now 12,900 nL (+400 nL, +40 % of the distance between its limits; limits 12,000 to 13,000 nL)

Measured only now:
  a on memory: fresh, ms

No longer measured:
  a on memory: gone, ms"""


def test_every_difference_is_told() -> None:
    assert "\n".join(lines_of(compare(BEFORE, AFTER))) == TOLD


def test_the_same_as_data() -> None:
    data = json.loads(json.dumps(json_of(compare(BEFORE, AFTER))))
    assert data["worse"] is True
    assert data["same"] == 1
    assert [(one["test"], one["before"], one["after"], one["worse"]) for one in data["changed"]] == [
        ("b", "pass", "timeout", True),
        ("c", "fail", "pass", False),
    ]
    (moved,) = data["moved"]
    assert (moved["by"], moved["share_of_limits"]) == ("400", "0.4")
    assert moved["before"] == {"value": "12500", "lo": "12000", "hi": "13000", "within": True, "room": "500"}
    assert moved["after"]["room"] == "100"
    assert [one["test"] for one in data["new"]] == ["e"]
    assert [one["test"] for one in data["missing"]] == ["d"]


@settings(max_examples=60, deadline=None)
@given(run=runs)
def test_a_run_against_itself_differs_in_nothing(run: RunRecord) -> None:
    found = compare(run, run)
    assert found == Comparison((), (), (), (), (), (), (), (run.seed, run.seed), len(run.tests), None)
    assert not found.worse


@settings(max_examples=60, deadline=None)
@given(one=runs, other=runs)
def test_what_is_new_one_way_is_gone_the_other(one: RunRecord, other: RunRecord) -> None:
    there, back = compare(one, other), compare(other, one)
    assert set(there.new) == set(back.missing)
    by = {(moved.test, moved.target, moved.after.name, moved.by) for moved in there.moved}
    assert there.paired or by == {(moved.test, moved.target, moved.after.name, -moved.by) for moved in back.moved}
    assert there.same == back.same
    json.dumps(json_of(there))
    lines_of(there)


@pytest.mark.parametrize("before", Outcome)
@pytest.mark.parametrize("after", Outcome)
def test_worse_is_knowing_less_to_be_right(before: Outcome, after: Outcome) -> None:
    found = compare(run_of(one_test(outcome=before)), run_of(one_test(outcome=after)))
    bad = {Outcome.FAIL, Outcome.ERROR, Outcome.TIMEOUT, Outcome.ABORTED}
    assert found.worse == (after in ({*bad, Outcome.SKIPPED} if before is Outcome.PASS else bad if before is Outcome.SKIPPED else ()))
    assert bool(found.changed) == (before is not after)


def test_a_test_that_passed_and_is_gone_is_worse_and_so_is_a_new_one_that_fails() -> None:
    assert compare(run_of(one_test("a"), one_test("b")), run_of(one_test("a"))).worse
    assert not compare(run_of(one_test("a"), one_test("b", outcome=Outcome.FAIL)), run_of(one_test("a"))).worse
    assert compare(run_of(one_test("a")), run_of(one_test("a"), one_test("b", outcome=Outcome.ABORTED))).worse
    assert not compare(run_of(one_test("a")), run_of(one_test("a"), one_test("b", outcome=Outcome.SKIPPED))).worse


def test_runs_of_one_rig_each_are_held_together_whatever_the_rigs_are_called() -> None:
    simulated, metal = run_of(one_test()), run_of(one_test(target="bench-3", outcome=Outcome.FAIL))
    found = compare(simulated, metal)
    assert found.paired == ("memory", "bench-3")
    assert [(one.target, one.after) for one in found.changed] == [("bench-3", Outcome.FAIL)]
    assert "Held together: rig memory before, rig bench-3 now." in lines_of(found)
    two = run_of(one_test(), one_test(target="tcp"))
    apart = compare(two, metal)
    assert apart.paired is None
    assert (len(apart.new), len(apart.missing)) == (1, 2)


def test_limits_that_changed_and_a_unit_that_changed_are_told() -> None:
    old, new = run_of(one_test(measurements=(measured(),))), run_of(one_test(measurements=(measured(hi="12400"),)))
    found = compare(old, new)
    assert found.moved[0].by == 0
    (line,) = [line for line in lines_of(found) if "LIMITS CHANGED" in line]
    assert "12,000 to 13,000 nL, now 12,000 to 12,400 nL, OUTSIDE" in line
    other = compare(old, run_of(one_test(measurements=(measured(unit="mL"),))))
    assert (len(other.measured_new), len(other.measured_missing), other.moved) == (1, 1, ())


def test_the_farthest_move_stands_first_and_long_lists_end() -> None:
    names = [f"m{number:02}" for number in range(50)]
    old = run_of(one_test(measurements=tuple(measured(name) for name in names)))
    new = run_of(one_test(measurements=tuple(measured(name, str(12_500 + place)) for place, name in enumerate(names, 1))))
    found = compare(old, new)
    assert [one.after.name for one in found.moved] == names[::-1]
    assert lines_of(found)[-1] == "  and 10 more; --json has all"


def test_other_seeds_are_told() -> None:
    assert any("the seeds differ (3 before, 4 now)" in line for line in lines_of(compare(run_of(one_test()), run_of(one_test(), seed=4))))


# ------------------------------------------------------------------------------------------------ the command
def invoke(*words: str) -> tuple[int, str, str]:
    done = CliRunner().invoke(hil_app(GuardedCommand), list(words))
    return done.exit_code, done.stdout, done.stderr


def test_compare_ends_with_1_where_something_is_worse(tmp_path: Path) -> None:
    write(BEFORE, tmp_path / "a")
    write(AFTER, tmp_path / "b")
    code, told, _ = invoke("compare", str(tmp_path / "a"), str(tmp_path / "b" / "record.json"))
    assert code == 1
    assert told.startswith("Tests: 1 end as before, 2 otherwise")
    code, told, _ = invoke("compare", str(tmp_path / "a"), str(tmp_path / "a"), "--json")
    assert code == 0
    assert json.loads(told)["worse"] is False


def test_an_unreadable_record_ends_with_2(tmp_path: Path) -> None:
    write(BEFORE, tmp_path)
    (tmp_path / "other.json").write_text("{}")
    code, told, error = invoke("compare", str(tmp_path), str(tmp_path / "other.json"))
    assert (code, told) == (2, "")
    assert "a record begins with" in error.replace("\n", " ")
    code, told, _ = invoke("report", str(tmp_path / "none.json"), "--out", str(tmp_path), "--json")
    assert code == 2
    assert json.loads(told)["error"]["kind"] == "RecordError"


def test_a_page_is_made_anew_from_its_record(tmp_path: Path) -> None:
    page = write(BEFORE, tmp_path / "a")
    code, told, _ = invoke("report", str(tmp_path / "a" / "record.json"), "--out", str(tmp_path / "b"), "--json")
    assert code == 0
    assert json.loads(told) == {"page": str(tmp_path / "b" / "report.html"), "tests": 4}
    assert (tmp_path / "b" / "report.html").read_bytes() == page.read_bytes()
    (tmp_path / "file").write_text("")
    assert invoke("report", str(tmp_path / "a"), "--out", str(tmp_path / "file"))[0] == 2


def test_rigs_are_listed_with_what_they_can_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    code, told, _ = invoke("targets", "--json")
    assert code == 0
    assert [rig["name"] for rig in json.loads(told)["rigs"]] == ["memory"]
    rigs = 'schema = "itbpump.targets/1"\n[rigs.slow]\nabout = "a process"\nkind = "process"\nlink = "pty"\nspeed = "600"\n'
    (tmp_path / "targets.toml").write_text(rigs)
    code, told, _ = invoke("targets")
    assert code == 0
    assert "slow: sim://P-40?fill=38mL (process, pty, 600)\n  a process\n" in told
    assert "virtual-time" not in told.partition("slow:")[2]
    (tmp_path / "targets.toml").write_text(rigs.replace("speed", "sped"))
    code, _, error = invoke("targets")
    assert code == 2
    assert "did you mean speed?" in error.replace("\n", " ")


def test_each_command_says_what_it_does() -> None:
    assert [name for name, *_ in COMMANDS] == ["compare", "report", "targets"]
    for name, *_ in COMMANDS:
        assert invoke(name, "--help")[0] == 0


def test_a_move_without_two_limits_has_no_share() -> None:
    found = compare(run_of(one_test(measurements=(measured(lo=None),))), run_of(one_test(measurements=(measured(value="12400", lo=None),))))
    assert found.moved[0].share is None
    assert "-100 nL; limits at most 13,000 nL" in lines_of(found)[-1]
    assert replace(found, moved=()).worse is False
