"""Boluses: 25 in succession at the least, a middle and the largest setting, each by what truly left the pump; and one that is broken off.

The setting is the achievable one: the ordered mass to the nearest pulse, ties down. Boluses replace the flow under them, so that what
leaves the pump meanwhile is the bolus. Not here: the limits that refuse a bolus, and orders sent twice.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from hil.limits import limit, pump_limit
from hil.programme import dose_of, start
from itbpump.hil.accuracy import bolus_statistics, load_method
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.quantity import Duration, Mass
from itbpump.therapy import load_prescription
from itbpump.wire.messages import BolusState, LogKind

METHOD = load_method()
MCG_NG = 1_000
# 90 min from one to the next: 16 of the largest and the flow under them stay below what the pump gives in 24 h.
APART = "90m"
# The setting, and over how long: short, so that nothing of the schedule's own is due meanwhile.
SETTINGS = {"minimum": "1m", "middle": "20m", "maximum": "30m"}
LONGEST = SETTINGS["maximum"]


def order_of(pump: PumpUnderTest, setting: str) -> tuple[Mass, int]:
    """The mass to order and the pulses this pump can give of it."""
    ng_per_mL = load_prescription(pump.rx()).drug.concentration.ng_per_mL
    pulse_ng = Fraction(ng_per_mL * pump.info.pulse_volume_nL, 1_000_000)
    if setting == "minimum":
        return Mass(int(pulse_ng)), 1
    mass_ng = int(limit("bolus", "mass_max_mcg" if setting == "maximum" else "mass_middle_mcg") * MCG_NG)
    whole, rest = divmod(mass_ng / pulse_ng, 1)
    return Mass(mass_ng), whole + (rest > Fraction(1, 2))


@pytest.mark.needs("virtual-time", "plant-truth")
@pytest.mark.sr("SR-26")
@pytest.mark.parametrize("setting", SETTINGS)
def test_25_boluses_in_succession(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, setting: str) -> None:
    start(pump, clock, dose_of(pump, 100))
    mass, pulses = order_of(pump, setting)
    set_nL = pulses * pump.info.pulse_volume_nL
    counter = pump.status().bolus_counter
    reservoir_nL = pump.status().reservoir_nL
    lifetime = pump.status().lifetime_pulses
    given_nL = []
    for _ in range(METHOD.bolus_succession):
        before_nL = plant.delivered_nL()
        pump.bolus(mass, SETTINGS[setting])
        clock.advance(SETTINGS[setting])
        given_nL.append(plant.delivered_nL() - before_nL)
        clock.advance(APART)
    told = bolus_statistics(given_nL, set_nL)
    accuracy, scatter = (pump_limit(pump.info.profile, key) for key in ("accuracy_percent", "scatter_percent"))
    # One pulse may scatter by itself; of many, what is left of a turn that is not over.
    single = accuracy + min(scatter, limit("delivery", "within_turn_pulses") * 100 / pulses) + accuracy * scatter / 100
    measure("setting", set_nL, "nL")
    measure("boluses", told.count, "boluses", lo=METHOD.bolus_succession, hi=METHOD.bolus_succession)
    measure("mean error", round(told.mean_percent, 6), "%", lo=-accuracy, hi=accuracy)
    measure("error of the smallest", round(told.min_percent, 6), "%", lo=-single, hi=single)
    measure("error of the largest", round(told.max_percent, 6), "%", lo=-single, hi=single)
    measure.series("each bolus", "number", "nL", range(1, told.count + 1), given_nL)
    after = pump.status()
    due = pulses * told.count
    measure("moved by the bolus counter", after.bolus_counter - counter, "pulses", lo=due, hi=due)
    taken_nL = (after.lifetime_pulses - lifetime) * pump.info.pulse_volume_nL
    measure("deducted from the reservoir", reservoir_nL - after.reservoir_nL, "nL", lo=taken_nL, hi=taken_nL)


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-26", "SR-27")
@pytest.mark.parametrize("setting", SETTINGS)
def test_a_bolus_replaces_the_flow_under_it(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, setting: str) -> None:
    """Pulse by pulse: as many as ordered between its begin and its end, evenly, and then the schedule as if nothing had been."""
    programme = start(pump, clock, dose_of(pump, 400))
    clock.advance("3h")
    mass, pulses = order_of(pump, setting)
    begin_ms = clock.uptime_ms()
    pump.bolus(mass, SETTINGS[setting])
    clock.advance("6h")
    span_ms = Duration.parse(SETTINGS[setting]).ms
    end_ms = begin_ms + span_ms
    listed = plant.pulses(begin_ms, end_ms)
    measure("pulses in it", len(listed), "pulses", lo=pulses, hi=pulses)
    assert listed, "nothing has flowed during the bolus"
    half = limit("delivery", "half_pulse_pulses")
    # Before it begins, the schedule may have left half a pulse over or short.
    astray = [number - Fraction(pulses * (pulse.at_ms - begin_ms), span_ms) for number, pulse in enumerate(listed, 1)]
    measure("most ahead of an even bolus", round(max(astray), 6), "pulses", lo=0, hi=2 * half)
    measure("least ahead of an even bolus", round(min(astray), 6), "pulses", lo=0 - half, hi=2 * half)
    later = plant.pulses(programme.began_ms, clock.uptime_ms())
    due_nL = programme.volume_nL(begin_ms) + programme.volume_nL(clock.uptime_ms()) - programme.volume_nL(end_ms)
    due_nL += pulses * programme.pulse_nL
    over_nL = len(later) * programme.pulse_nL - due_nL
    measure("given beyond bolus and schedule", round(over_nL, 6), "nL", lo=-half * programme.pulse_nL, hi=half * programme.pulse_nL)


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-26", "SR-49")
@pytest.mark.parametrize("how", ["the bolus alone", "everything"])
def test_an_interrupted_bolus_is_counted_once(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, how: str) -> None:
    start(pump, clock, dose_of(pump, 400))
    clock.advance("1h")
    mass, pulses = order_of(pump, "maximum")
    before = pump.status()
    begin_ms = clock.uptime_ms()
    pump.bolus(mass, LONGEST)
    clock.advance("11m7s")
    if how == "everything":
        pump.stop()
    else:
        pump.stop_bolus()
    given = len(plant.pulses(begin_ms, clock.uptime_ms()))
    measure("given when it was stopped", given, "pulses", lo=1, hi=pulses - 1)
    stopped = pump.status()
    _counts_once(pump, measure, "at once", before.bolus_counter, given)
    given_nL = given * pump.info.pulse_volume_nL
    measure("deducted from the reservoir", before.reservoir_nL - stopped.reservoir_nL, "nL", lo=given_nL, hi=given_nL)
    clock.advance("4h")
    _counts_once(pump, measure, "4 h later", before.bolus_counter, given)
    assert pump.status().bolus_state is BolusState.ABORTED
    ends = [entry for entry in pump.log() if entry.kind is LogKind.BOLUS_END]
    assert len(ends) == 1

    if how == "everything":
        start(pump, clock, dose_of(pump, 400))
    again_ms = clock.uptime_ms()
    pump.bolus(mass, LONGEST)
    clock.advance(LONGEST)
    measure("given by the next", len(plant.pulses(again_ms, clock.uptime_ms())), "pulses", lo=pulses, hi=pulses)
    _counts_once(pump, measure, "after the next", before.bolus_counter, given + pulses)


@pytest.mark.needs("virtual-time", "plant-pulses", "power-control")
@pytest.mark.sr("SR-48", "SR-49", "SR-50")
def test_a_bolus_broken_off_by_the_supply_is_counted_once(
    pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure
) -> None:
    start(pump, clock, dose_of(pump, 400))
    mass, pulses = order_of(pump, "maximum")
    before = pump.status()
    begin_ms = clock.uptime_ms()
    pump.bolus(mass, LONGEST)
    clock.advance("11m7s")
    power.cut()
    clock.advance("1m")
    power.on()
    given = len(plant.pulses(begin_ms, clock.uptime_ms()))
    measure("given before the cut", given, "pulses", lo=1, hi=pulses - 1)
    after = pump.status()
    moved = after.bolus_counter - before.bolus_counter
    doubt = after.doubt_pulses - before.doubt_pulses
    measure("moved by the bolus counter", moved, "pulses", lo=given - doubt, hi=given + doubt)
    measure("doubt", doubt, "pulses", lo=0, hi=1)
    clock.advance("1h")
    assert pump.status().bolus_counter - before.bolus_counter == moved, "a bolus is not resumed after a reset"


def _counts_once(pump: PumpUnderTest, measure: Measure, when: str, counter_before: int, given: int) -> None:
    measure(f"moved by the bolus counter, {when}", pump.status().bolus_counter - counter_before, "pulses", lo=given, hi=given)
