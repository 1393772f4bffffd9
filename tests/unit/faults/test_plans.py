"""Plans: what they select, what they refuse, what they report."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.bench import BenchError
from firmware_sim.faults import Fault, FaultError, FaultPlan, FaultsNotFired, On, PlanError, UnknownFault, When, load_plan, parse_plan
from firmware_sim.faults.when import PPM
from itbpump.wire.messages import GetStatus, Ping
from tests.system.rig import WHO
from tests.unit.faults.patient import DAY_MS, alarms, check_volumes, status, treated

HOUR_MS = 3_600_000
HEAD = 'schema = "itbpump.faults/1"\n'
STALL = '[[fault]]\nid = "mechanical.stall"\nwhen = { on = "time", nth = "30h" }\n'
EXAMPLES = sorted((Path(__file__).resolve().parents[3] / "examples" / "faults").glob("*.toml"))


# ------------------------------------------------------------------------------------------------ selections
def chosen(when: When, last: int, start: int = 0, seed: object = 1) -> list[int]:
    found: list[int] = []
    number: int | None = start
    while (number := when.next_after(number if number is not None else 0, seed)) is not None and number <= last:
        found.append(number)
    return found


@pytest.mark.parametrize(
    ("when", "numbers"),
    [
        (When(On.PULSE, nth=7), [7]),
        (When(On.PULSE, every=40), [40, 80]),
        (When(On.PULSE, window=(8, 11)), [8, 9, 10, 11]),
        (When(On.FRAME, window=(0, 1)), [1]),
    ],
)
def test_selections(when: When, numbers: list[int]) -> None:
    assert chosen(when, 100) == numbers


@given(st.integers(1_000, PPM), st.integers(0, 10**6), st.integers(0, 5_000))
def test_a_rate_takes_its_share_wherever_one_begins(rate_ppm: int, seed: int, start: int) -> None:
    when = When(On.PULSE, rate_ppm=rate_ppm)
    block = PPM // rate_ppm
    numbers = chosen(when, start + 100 * block, start, seed)
    assert 98 <= len(numbers) <= 101
    assert len(set(numbers)) == len(numbers)
    again = [number for number in chosen(when, start + 100 * block, 0, seed) if number > start]
    assert numbers == again, "what is selected does not hang on where one begins to look"


def test_a_moment_of_a_window_of_time_is_drawn_once() -> None:
    when = When(On.TIME, window=(HOUR_MS, 2 * HOUR_MS))
    drawn = {tuple(chosen(when, DAY_MS, seed=seed)) for seed in range(20)}
    assert len(drawn) == 20
    assert all(len(one) == 1 and HOUR_MS <= one[0] <= 2 * HOUR_MS for one in drawn)


def test_a_rate_in_time_is_so_often_a_day() -> None:
    numbers = chosen(When(On.TIME, rate_ppm=4 * PPM), 10 * DAY_MS)
    assert Counter(number // (DAY_MS // 4) for number in numbers) == dict.fromkeys(range(40), 1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"on": On.PULSE},
        {"on": On.PULSE, "nth": 1, "every": 2},
        {"on": On.PULSE, "nth": 0},
        {"on": On.WRITE, "every": 0},
        {"on": On.PULSE, "window": (5, 4)},
        {"on": On.PULSE, "window": (0, 4)},
        {"on": On.PULSE, "rate_ppm": 0},
        {"on": On.PULSE, "rate_ppm": PPM + 1},
        {"on": On.COMMAND, "nth": 1},
        {"on": On.TIME, "nth": 1, "command": "Commit"},
    ],
)
def test_a_selection_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"give|numbered|named"):
        When(**wrong)  # type: ignore[arg-type]


# ------------------------------------------------------------------------------------------------ files
@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "schema"),
        (HEAD, "plans nothing"),
        (HEAD + "seed = 1.5\n" + STALL, "whole number"),
        (HEAD + "colour = 1\n" + STALL, "unknown key 'colour'"),
        (HEAD + STALL.replace("mechanical.stall", "mechanical.stal"), "did you mean 'mechanical.stall'"),
        (HEAD + STALL.replace("mechanical.stall", "sensors.pressure-stuck"), "no pressure sensor"),
        (HEAD + STALL.replace("mechanical.stall", "human.out-by-ten"), "accidents.py"),
        (HEAD + "[[fault]]\n", "has no id"),
        (HEAD + '[[fault]]\nid = "mechanical.stall"\n', "has no `when`"),
        (HEAD + STALL.replace('"30h"', "30"), "write a time like"),
        (HEAD + STALL.replace('"30h"', '"30 h"'), "no duration"),
        (HEAD + STALL.replace('"time"', '"moon"'), "expected one of"),
        (HEAD + STALL.replace("nth", "often"), "unknown key 'often'"),
        (HEAD + STALL.replace('nth = "30h"', "window = [1]"), "[first, last]"),
        (HEAD + STALL.replace('on = "time", nth = "30h"', 'on = "write", nth = 3'), "cannot happen on a write"),
        (HEAD + STALL.replace('on = "time", nth = "30h"', 'on = "command", nth = 3, command = "Explode"'), "no command"),
        (HEAD + STALL + 'for = "0ms"', "1 ms or more"),
        (HEAD + STALL + "for = 3", "write a time like"),
        (HEAD + STALL + "count = 0", "never fires"),
        (HEAD + STALL + "count = true", "whole number"),
        (HEAD + STALL + "percent = 3", "no argument 'percent'"),
        (HEAD + STALL.replace("stall", "slip") + "percent = 101", "outside 1 to 100"),
        (HEAD + STALL.replace("mechanical.stall", "power.outage") + 'for = "1h"', "does not last"),
        (HEAD + "[line]\nbaud = 1", "baud 1"),
        (HEAD + "[line]\nspeed = 1", "unknown key 'speed'"),
        (HEAD + '[[fault]]\nid = "link.delay"\nwhen = { on = "frame", every = 2 }\nms = "0ms"', "give ms"),
        ("fault = [", "not TOML"),
    ],
)
def test_a_plan_that_cannot_be_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(FaultError) as caught:
        treated().pump.plan_faults(parse_plan(text))
    assert problem in str(caught.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="no-such"):
        load_plan(tmp_path / "no-such.toml")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_happens_within_its_time(path: Path) -> None:
    plan = load_plan(path)
    rig = treated()
    rig.pump.plan_faults(plan)
    for _ in range(60):
        rig.pump.advance(DAY_MS)
        if status(rig.pump) is not None:
            rig.try_bolus(5, 600)
    here = {fault.id for fault in plan.faults if fault.row.by == "inject" and fault.when.on is not On.FRAME}
    assert here <= {one.id for one in rig.pump.faults.fired}
    check_volumes(rig.pump.truth)


def test_there_are_examples() -> None:
    assert len(EXAMPLES) >= 4


# ------------------------------------------------------------------------------------------------ what fires, and what does not
def test_a_declared_fault_that_never_fired_is_named() -> None:
    pump = treated().pump
    pump.plan_faults(parse_plan(HEAD + STALL + STALL.replace("30h", "40d").replace("stall", "kink") + "percent = 50"))
    pump.advance(2 * DAY_MS)
    with pytest.raises(FaultsNotFired, match=r"fault 2: mechanical.kink on time 3456000000") as caught:
        pump.faults.require_all_fired()
    assert len(caught.value.missing) == 1
    pump.advance(40 * DAY_MS)
    pump.faults.require_all_fired()


def test_a_fault_that_is_impossible_when_its_time_comes_is_not_said_to_have_fired() -> None:
    pump = treated().pump
    pump.plan_faults(parse_plan(HEAD + STALL.replace("stall", "refill-excess") + 'volume_nL = "30 mL"'))
    pump.advance(2 * DAY_MS)
    with pytest.raises(FaultsNotFired, match="do not fit"):
        pump.faults.require_all_fired()
    check_volumes(pump.truth)


def test_off_by_default_and_nothing_to_report() -> None:
    pump = treated().pump
    pump.advance(2 * DAY_MS)
    assert (pump.faults.planned, pump.faults.fired, pump.faults.active, pump.faults.line) == ((), (), (), None)
    pump.faults.require_all_fired()


def test_a_count_ends_it_and_conditions_end_by_themselves() -> None:
    pump = treated().pump
    when = When(On.TIME, every=2 * HOUR_MS)
    pump.plan_faults(FaultPlan((Fault("mechanical.stall", when, for_ms=HOUR_MS, count=3),)))
    pump.advance(DAY_MS)
    assert [one.at_ms - DAY_MS for one in pump.faults.fired] == [2 * HOUR_MS, 4 * HOUR_MS, 6 * HOUR_MS]
    assert not pump.faults.active
    assert not pump.truth.stalled
    assert 70 <= pump.truth.commanded_pulses - pump.truth.made_pulses <= 76  # three hours of 25 pulses


def test_a_pulse_and_a_command_are_counted() -> None:
    pump = treated().pump
    pump.plan_faults(
        FaultPlan(
            (
                Fault("mechanical.extra-pulse", When(On.PULSE, nth=700), {"pulses": 1}),
                Fault("mechanical.kink", When(On.COMMAND, nth=2, command="Ping"), {"percent": 50}),
            )
        )
    )
    for _ in range(2):
        assert not pump.plant.flow.scale_ppm < PPM
        pump.order(Ping(nonce=1), WHO)
    assert pump.plant.flow.scale_ppm == PPM // 2
    pump.advance(DAY_MS)
    at_ms = next(one.at_ms for one in pump.faults.fired if one.id == "mechanical.extra-pulse")
    assert pump.plant.truth(at_ms).commanded_pulses == 700
    assert pump.truth.made_pulses == pump.truth.commanded_pulses + 1


def test_faults_add_up_and_go_one_by_one() -> None:
    pump = treated().pump
    pump.plan_faults(
        FaultPlan(
            (
                Fault("mechanical.slip", When(On.TIME, nth=DAY_MS + HOUR_MS), {"percent": 50}, 4 * HOUR_MS),
                Fault("mechanical.over-pressure", When(On.TIME, nth=DAY_MS + 2 * HOUR_MS), {"percent": 20}, HOUR_MS),
                Fault("mechanical.leak", When(On.TIME, nth=DAY_MS + 2 * HOUR_MS), {"percent": 50}),
                Fault("mechanical.leak", When(On.TIME, nth=DAY_MS + 2 * HOUR_MS), {"percent": 50}, HOUR_MS),
            )
        )
    )
    steps = []
    for _ in range(6):
        pump.advance(HOUR_MS)
        steps.append((pump.plant.flow.scale_ppm, pump.plant.flow.leak_ppm))
    assert steps == [(500_000, 0), (600_000, 750_000), (500_000, 500_000), (500_000, 500_000), (PPM, 500_000), (PPM, 500_000)]


# ------------------------------------------------------------------------------------------------ by hand
def test_one_is_injected_by_hand_and_reported() -> None:
    pump = treated().pump
    answer = pump.bench("faults", {"inject": "mechanical.stall", "with": "for=2h"})
    assert answer["active"] == [{"fault": "mechanical.stall"}]
    pump.advance(HOUR_MS)
    assert alarms(pump) == {"motor-stall"}
    pump.advance(2 * HOUR_MS)
    assert not alarms(pump)
    listed = pump.bench("faults", {})
    assert listed["active"] == []
    assert [one["id"] for one in listed["fired"]] == ["mechanical.stall"]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        ({"inject": "mechanical.stal"}, "did you mean"),
        ({"inject": "power.brown-out"}, "happens on a write only"),
        ({"inject": "link.drop"}, "happens on a frame only"),
        ({"inject": "mechanical.slip", "with": "percent"}, "name=value"),
        ({"inject": "mechanical.slip", "with": "percent=1, percent=2"}, "name=value"),
        ({"inject": "mechanical.slip", "with": "percent=0"}, "outside 1 to 100"),
        ({"inject": "power.outage", "with": "for=1h"}, "does not last"),
        ({"inject": "mechanical.pocket-fill", "with": "volume_nL=39 mL"}, "cannot be lost"),
        ({"with": "percent=1"}, "belong to a fault"),
    ],
)
def test_a_hand_that_asks_for_what_cannot_be_is_told(arguments: dict[str, object], problem: str) -> None:
    pump = treated().pump
    before = pump.truth
    with pytest.raises(BenchError, match=problem):
        pump.bench("faults", arguments)
    assert pump.truth == before
    assert not pump.faults.fired


def test_a_refills_fault_acts_on_what_was_filled() -> None:
    pump = treated().pump
    pump.plan_faults(FaultPlan((Fault("mechanical.pocket-fill", When(On.COMMAND, nth=1, command="refill"), {"volume_nL": "5 mL"}),)))
    pump.bench("refill", {"fill_nL": 20_000_000})
    assert pump.truth.ledger.lost_nL == 5_000_000
    check_volumes(pump.truth)
    pump.faults.require_all_fired()


def test_the_firmware_cannot_see_that_a_fault_was_planned() -> None:
    quiet, planned = treated(), treated()
    planned.pump.plan_faults(parse_plan(HEAD + STALL))
    for rig in (quiet, planned):
        rig.pump.advance(HOUR_MS)
    assert quiet.pump.order(GetStatus(), WHO) == planned.pump.order(GetStatus(), WHO)
    assert quiet.pump.memory.image() == planned.pump.memory.image()


def test_unknown_names_are_an_error_of_their_own_kind() -> None:
    with pytest.raises(UnknownFault):
        Fault("x.y", When(On.TIME, nth=1))


# ------------------------------------------------------------------------------------------------ what it amounts to
def test_creep_is_the_volume_it_says_whatever_is_done_meanwhile() -> None:
    sound, creeping = treated().pump, treated().pump
    creeping.plan_faults(
        FaultPlan((Fault("mechanical.roller-creep", When(On.TIME, nth=2 * DAY_MS), {"volume_per_day_nL": 240_000}, 5 * DAY_MS),))
    )
    for pump in (sound, creeping):
        for _ in range(9):
            pump.advance(DAY_MS)
            pump.plant.aspirate(1_000)  # a hand that begins a new epoch
    assert creeping.truth.delivered_nL - sound.truth.delivered_nL == 5 * 240_000
    assert creeping.truth.made_pulses == sound.truth.made_pulses
    check_volumes(creeping.truth)


@pytest.mark.sr("SR-48")
@pytest.mark.parametrize(("phase", "made", "counted", "doubt"), [("intent", 699, 700, 1), ("moved", 700, 700, 1), ("done", 700, 700, 0)])
def test_a_reset_in_a_pulse_is_in_the_pulse_named(phase: str, made: int, counted: int, doubt: int) -> None:
    pump = treated().pump
    reset = Fault("power.mid-pulse-reset", When(On.PULSE, nth=700), {"phase": phase, "off": "1m"})
    pump.plan_faults(FaultPlan((reset,)))
    pump.advance(DAY_MS)
    (fired,) = pump.faults.fired
    pump_then = pump.plant.truth(fired.at_ms + 30_000)
    assert pump_then.made_pulses == made
    told = status(pump)
    assert told is not None
    assert told.lifetime_pulses - pump.truth.made_pulses == counted - made
    assert told.doubt_pulses == doubt


@pytest.mark.parametrize(
    "text",
    [
        f"schema = {hex(2**20_000)}",
        HEAD + f"[line]\nbaud = {hex(2**20_000)}\n",
        HEAD + f'[[fault]]\nid = "mechanical.stall"\nwhen = {{ on = "pulse", nth = {hex(2**20_000)} }}\n',
        HEAD + f'[[fault]]\nid = "mechanical.slip"\npercent = {hex(2**20_000)}\nwhen = {{ on = "pulse", nth = 1 }}\n',
    ],
)
def test_a_hexadecimal_number_without_end_is_refused_in_words(text: str) -> None:
    with pytest.raises(PlanError, match="beyond 64 bits"):
        parse_plan(text)


def test_what_could_not_happen_leaves_nothing_behind() -> None:
    pump = treated().pump
    now_ms, charge = pump.plant.now_ms, pump.port.battery_permille()
    outage = Fault("power.outage", When(On.TIME, nth=now_ms + HOUR_MS), {"off": "3h"})
    sag = Fault("power.battery-sag", When(On.TIME, nth=now_ms + 2 * HOUR_MS), {"permille": 900})
    pump.plan_faults(FaultPlan((outage, sag)))
    pump.advance(6 * HOUR_MS)
    assert [one.id for one in pump.faults.fired] == ["power.outage"]
    assert pump.faults.active == ()
    assert pump.port.battery_permille() >= charge - 1
