"""What the pump says of its reservoir, beside what is in it: the count, its alarms and their latency, running dry, a refill.

The count is what was entered less the pump's own pulses; it is no measurement, and truth may run ahead of it or behind by the pump's
accuracy. Not here: judging a refill's discrepancy (the companion), dates (the companion), battery and other alarms.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from hil.limits import limit, pump_limit
from hil.programme import DAY_MS, start
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.quantity import Volume
from itbpump.wire.messages import AlarmNumber, LogKind, RunState, Status

FAST = "1920 mcg/day"
WALL_S = (1_600_000_000, 4_000_000_000)  # 2020 to 2096
ALARM_OF = {AlarmNumber.LOW_RESERVOIR: "low", AlarmNumber.EMPTY_RESERVOIR: "empty", AlarmNumber.RESERVOIR_USED_UP: "used up"}


def nearly_empty(pump: PumpUnderTest, plant: Plant, above_low_nL: int = 100_000, low_above_empty_nL: int = 150_000) -> Status:
    """A reservoir a little above the low alarm volume, that a little above the empty one; truly filled so, and told so; running fast."""
    plant.needle(fill=Volume(low_above_empty_nL + above_low_nL).text())  # the residual is beyond a needle's reach
    filled = plant.reservoir_nL()
    pump.program(pump.rx(FAST, low_alarm=Volume(filled - above_low_nL).text()))
    return pump.status()


def alarms(status: Status) -> set[AlarmNumber]:
    return {AlarmNumber(alarm.alarm) for alarm in status.alarms}


def raised_at(pump: PumpUnderTest, alarm: AlarmNumber) -> list[int]:
    return [entry.uptime_ms for entry in pump.log() if entry.kind is LogKind.ALARM_RAISED and entry.a == alarm]


@pytest.mark.needs("virtual-time", "plant-truth")
@pytest.mark.sr("SR-24", "SR-34")
@pytest.mark.parametrize("dose", ["200 mcg/day", FAST])
def test_the_count_against_the_truth(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, dose: str) -> None:
    """A month: the count follows the pulses to the nL, and the truth the count within the pump's accuracy."""
    start(pump, clock, dose)
    began = pump.status()
    truth_nL = plant.reservoir_nL()
    given_nL, off_nL, bear_nL = [], [], []
    share = pump_limit(pump.info.profile, "accuracy_percent") / 100
    edge_nL = limit("delivery", "within_turn_pulses") * pump.info.pulse_volume_nL
    for _ in range(10):
        clock.advance(3 * DAY_MS)
        now = pump.status()
        counted_nL = (now.lifetime_pulses - began.lifetime_pulses) * pump.info.pulse_volume_nL
        assert began.reservoir_nL - now.reservoir_nL == counted_nL, "the count follows the pulses"
        given_nL.append(counted_nL)
        off_nL.append((truth_nL - plant.reservoir_nL()) - counted_nL)
        bear_nL.append(round(share * counted_nL + edge_nL, 3))
    measure("entered", began.reservoir_nL - truth_nL, "nL", lo=-pump.info.pulse_volume_nL, hi=0)
    measure.series("truly given beyond the count", "nL", "nL", given_nL, off_nL, lo=[-one for one in bear_nL], hi=bear_nL)


@pytest.mark.needs("virtual-time", "plant-pulses", "bench-hands")
@pytest.mark.sr("SR-35")
def test_alarms_at_their_volumes(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """Low, then empty, then used up: each at the pulse that reaches its volume, and at none before."""
    began = nearly_empty(pump, plant)
    configuration = pump.configuration()
    assert configuration is not None
    assert not began.alarms
    before_ms = clock.uptime_ms()
    first_pulse = began.lifetime_pulses
    used_up = AlarmNumber.RESERVOIR_USED_UP
    within_ms = 2 * began.reservoir_nL * DAY_MS // began.flow_nL_per_day
    clock.until(lambda: used_up in alarms(pump.status()), within=within_ms, step="6h", what="the stop by a used up reservoir")
    pulses = plant.pulses(before_ms, clock.uptime_ms())
    pulse_nL = pump.info.pulse_volume_nL
    # The alarm volume is reached by this pulse; used up is what the last whole pulse leaves.
    due = {
        AlarmNumber.LOW_RESERVOIR: -(-(began.reservoir_nL - configuration.low_alarm_nL) // pulse_nL),
        AlarmNumber.EMPTY_RESERVOIR: -(-(began.reservoir_nL - configuration.empty_alarm_nL) // pulse_nL),
        used_up: began.reservoir_nL // pulse_nL,
    }
    assert list(due.values()) == sorted(due.values())
    assert first_pulse == pump.status().lifetime_pulses - len(pulses)
    measure("pulses until used up", len(pulses), "pulses", lo=due[used_up], hi=due[used_up])
    assert len(pulses) >= due[used_up], "it stopped before its count was used up"
    for alarm, name in ALARM_OF.items():
        raised_ms = raised_at(pump, alarm)
        assert len(raised_ms) == 1, f"the log tells {len(raised_ms)} times that the reservoir is {name}"
        latency_ms = raised_ms[0] - pulses[due[alarm] - 1].at_ms
        measure(f"{name} alarm after its pulse", latency_ms, "ms", lo=0, hi=limit("reservoir", "alarm_latency_ms"))


@pytest.mark.needs("virtual-time", "plant-truth", "bench-hands")
@pytest.mark.sr("SR-22", "SR-31", "SR-34", "SR-35")
def test_to_the_last_drop_and_refilled(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """From nearly empty until nothing flows; nothing flows for two days more; a refill ends the alarms, and a start starts."""
    began = nearly_empty(pump, plant)
    truly_nL, delivered_nL = plant.reservoir_nL(), plant.delivered_nL()
    within_ms = 2 * began.reservoir_nL * DAY_MS // began.flow_nL_per_day
    clock.until(lambda: pump.status().run_state is not RunState.RUNNING, within=within_ms, step="6h", what="the stop")
    ended = pump.status()
    assert alarms(ended) >= set(ALARM_OF)
    left_nL = plant.reservoir_nL()
    share = pump_limit(pump.info.profile, "accuracy_percent") / 100
    measure("left by the count", ended.reservoir_nL, "nL", lo=0, hi=pump.info.pulse_volume_nL - 1)
    # A pump stops by its count, residual included; what it can truly give may be over before.
    bear_nL = round(share * began.reservoir_nL, 3) + pump.info.pulse_volume_nL
    measure("truly left", left_nL, "nL", lo=0, hi=pump.info.residual_nL + bear_nL)
    measure("given and left", plant.delivered_nL() - delivered_nL + left_nL, "nL", lo=truly_nL, hi=truly_nL)
    stopped_nL = plant.delivered_nL()
    clock.advance("2d")
    measure("given by a reservoir used up", plant.delivered_nL() - stopped_nL, "nL", lo=0, hi=0)

    filled = Volume(pump.info.capacity_nL // 2)
    aspirated = Volume(plant.needle(fill=filled.text()))
    pump.refill(filled=filled, aspirated=aspirated)
    after = pump.status()
    due_nL = filled.nL + pump.info.residual_nL
    measure("count after the refill", after.reservoir_nL, "nL", lo=due_nL, hi=due_nL)
    measure("truly in it", plant.reservoir_nL(), "nL", lo=due_nL, hi=due_nL)
    assert not alarms(after) & set(ALARM_OF), "a reservoir that was refilled is not empty"
    start(pump, clock, FAST)
    clock.advance("1d")
    assert pump.status().reservoir_nL < after.reservoir_nL
    assert pump.status().run_state is RunState.RUNNING


@pytest.mark.needs("bench-hands")
@pytest.mark.sr("SR-34", "SR-38")
def test_a_refill_sets_the_count(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """What is entered is what it counts from, more or less than before; a second refill as the first."""
    start(pump, clock, FAST)
    clock.advance("1h")
    before = pump.status()
    misfill = limit("reservoir", "misfill_nL")
    for percent in (45, 87, 30):
        filled = Volume(pump.info.capacity_nL * percent // 100)
        aspirated = Volume(plant.needle(fill=filled.text()))
        pulses = pump.status().lifetime_pulses
        pump.refill(filled=filled, aspirated=aspirated)
        after = pump.status()
        given_nL = (after.lifetime_pulses - pulses) * pump.info.pulse_volume_nL
        due_nL = filled.nL + pump.info.residual_nL
        measure(f"count after {filled.text()}", after.reservoir_nL, "nL", lo=due_nL - given_nL - misfill, hi=due_nL + misfill)
        assert after.run_state is RunState.RUNNING, "a refill stops nothing"
        clock.advance("10m")
    assert pump.status().revision == before.revision + 3
    assert sum(entry.kind is LogKind.REFILL for entry in pump.log()) == 4, "three, and the filling that came with the prescription"


@pytest.mark.needs("virtual-time", "bench-hands", "power-control", "plant-truth")
@pytest.mark.sr("SR-34")
def test_it_never_rises_without_a_refill(
    pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure, events: Callable[[str], None], hil_seed: int
) -> None:
    """Whatever else is done, in an order drawn from the test's seed; a needle of which the pump is not told changes nothing either."""
    plant.needle(fill="9 mL")  # room for what nobody tells it of
    start(pump, clock, "400 mcg/day")
    rng = random.Random(hil_seed)
    deeds: dict[str, Callable[[], object]] = {
        "a bolus": lambda: pump.bolus("20 mcg", "10m"),
        "half an hour": lambda: clock.advance("30m"),
        "half a day": lambda: clock.advance("12h"),
        "another therapy": lambda: pump.program(pump.rx(f"{rng.choice((300, 500, 700))} mcg/day", reservoir=_counted(pump).text())),
        "a reset": power.cycle,
        "a stop": pump.stop,
        "the clock": lambda: pump.session().set_clock(rng.randrange(*WALL_S)),
        "a needle nobody told of": lambda: plant.needle(aspirate="0.5 mL", fill="1 mL"),
        "a new session": pump.reconnect,
    }
    counted_nL = [pump.status().reservoir_nL]
    for name in [*deeds, *rng.choices(list(deeds), k=12)]:
        if pump.status().run_state is not RunState.RUNNING:
            pump.program(pump.rx("400 mcg/day", reservoir=_counted(pump).text()))
        events(name)
        deeds[name]()
        clock.advance("20m")
        counted_nL.append(pump.status().reservoir_nL)
    rises = [after - before for before, after in pairwise(counted_nL)]
    measure("largest rise", max(rises), "nL", hi=0)
    measure.series("count", "deeds", "nL", range(len(counted_nL)), counted_nL)


def _counted(pump: PumpUnderTest) -> Volume:
    return Volume(pump.status().reservoir_nL)
