"""A bolus, tested from outside the project: nothing here but pytest, the fixtures that docs/hil.md describes, and what they give.

pip install "itbpump[hil]"
pytest test_bolus.py --pump simulator
"""

import pytest

# 25 mcg of 2000 mcg/mL are 12.5 uL; a pump like this one may be 14.5 % off (its data sheet).
BOLUS_NL = 12_500
LOW, HIGH = 10_687, 14_313


@pytest.fixture
def infusing(pump):
    """The pump on a small dose, so that what a bolus adds stands out."""
    pump.program(pump.rx("100 mcg/day"))
    return pump


@pytest.mark.needs("virtual-time", "plant-truth")
def test_bolus_is_what_was_asked_for(infusing, clock, plant, measure):
    before_nL = plant.delivered_nL()
    infusing.bolus("25 mcg", "10m")
    took_ms = -clock.uptime_ms()
    clock.until(lambda: infusing.status().bolus_left_ms == 0, within="11m", step="10s")
    took_ms += clock.uptime_ms()
    measure("volume given", plant.delivered_nL() - before_nL, "nL", lo=LOW, hi=HIGH)
    measure("duration", took_ms, "ms", lo=590_000, hi=620_000)


@pytest.mark.needs("virtual-time", "plant-pulses")
def test_bolus_begins_at_once(infusing, clock, plant, measure):
    asked_ms = clock.uptime_ms()
    infusing.bolus("25 mcg", "10m")
    clock.advance("1m")
    first = plant.pulses(asked_ms, clock.uptime_ms())[0]
    measure("first pulse after", first.at_ms - asked_ms, "ms", lo=0, hi=30_000)


def test_bolus_over_a_bad_line_is_given_once(infusing, link_faults, clock):
    with link_faults("drop=20%,duplicate=20%,seed=3") as line:
        infusing.bolus("25 mcg", "10m")
    assert line.fired, "the line was not bad enough to show anything"
    clock.until(lambda: infusing.status().bolus_left_ms == 0, within="11m", step="30s")
    assert infusing.status().bolus_counter == BOLUS_NL // 500
