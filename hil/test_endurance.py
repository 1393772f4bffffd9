"""Ten pump years: a whole service life of weekly patterns with a refill every quarter, and years of patient boluses, resets and faults.

Each visit compares what the pump believes with what is true and with the schedule, to the pulse. A P pump ends its service after seven
years; its ten years are two pumps'. Run it on a V pump (`--pump sim://V-40?fill=38mL`) for ten years of one. Not here: wear beyond what the
plant of a simulator models.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from fractions import Fraction

import pytest

from hil.limits import limit, pump_limit
from hil.programme import DAY_MS, Programme, patient_button, start
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.quantity import Volume
from itbpump.wire.messages import AlarmNumber, RunState

pytestmark = pytest.mark.needs("virtual-time", "plant-truth", "bench-hands")

YEAR_DAYS = 365
QUARTER_DAYS = 91
FLEX = """
mode = "flex"
[[therapy.pattern]]
days = ["mon", "tue", "wed", "thu", "fri"]
steps = [
  { at = "00:00", rate = "9 mcg/h" },
  { at = "06:00", dose = "40 mcg", over = "1h" },
  { at = "20:00", rate = "6 mcg/h" },
]
[[therapy.pattern]]
days = ["sat", "sun"]
steps = [{ at = "00:00", rate = "9 mcg/h" }]
"""


@dataclass
class Years:
    """What has been found at the visits."""

    day: list[int]
    off_pulses: list[Fraction]
    off_count_nL: list[int]
    error_percent: list[Fraction]


def visit(pump: PumpUnderTest, clock: Clock, plant: Plant, programme: Programme, years: Years) -> None:
    """Compare; then draw out what is left and fill."""
    status = pump.status()
    due = programme.volume_nL(status.uptime_ms) / programme.pulse_nL
    truth = plant.truth()
    years.day.append(round(Fraction(status.uptime_ms, DAY_MS)))
    years.off_pulses.append(status.lifetime_pulses - due)
    years.off_count_nL.append(status.reservoir_nL - truth["reservoir_nL"])
    given_nL = status.lifetime_pulses * programme.pulse_nL
    years.error_percent.append(round(Fraction(100 * (truth["delivered_nL"] - given_nL), given_nL), 6))
    refill(pump, plant)


def refill(pump: PumpUnderTest, plant: Plant) -> None:
    """Seven eighths of what the reservoir can hold."""
    filled = Volume(pump.info.capacity_nL * 7 // 8)
    aspirated = Volume(plant.needle(fill=filled.text()))
    pump.refill(filled=filled, aspirated=aspirated)


def tell(pump: PumpUnderTest, measure: Measure, years: Years) -> None:
    half = limit("delivery", "half_pulse_pulses")
    accuracy = pump_limit(pump.info.profile, "accuracy_percent")
    count = len(years.day)
    off = [round(one, 6) for one in years.off_pulses]
    measure.series("pulses beyond the schedule", "days", "pulses", years.day, off, lo=[-half] * count, hi=[half] * count)
    measure.series(
        "true volume beyond the count", "days", "%", years.day, years.error_percent, lo=[-accuracy] * count, hi=[accuracy] * count
    )
    measure.series("count of the reservoir beyond the truth", "days", "nL", years.day, years.off_count_nL)


@pytest.mark.sr("SR-24", "SR-34", "SR-52")
def test_a_service_life_of_weekly_patterns(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """Until 100 days before its service ends, or ten years: to the pulse on schedule at every refill, and no alarm but the last."""
    programme = start(pump, clock, FLEX)
    years = Years([], [], [], [])
    days = min(int(limit("endurance", "years")) * YEAR_DAYS, int(pump_limit(pump.info.profile, "service_life_days")) - 100)
    for _ in range(days // QUARTER_DAYS):
        clock.advance(QUARTER_DAYS * DAY_MS)
        assert not pump.status().alarms, f"alarms after {clock.uptime_ms() // DAY_MS} days"
        visit(pump, clock, plant, programme, years)
    tell(pump, measure, years)
    after = pump.status()
    assert after.run_state is RunState.RUNNING
    measure("resets", after.resets, "resets", lo=0, hi=0)
    measure("years", round(Fraction(years.day[-1], YEAR_DAYS), 2), "years", lo=6)


@pytest.mark.sr("SR-14", "SR-24", "SR-48", "SR-50")
@pytest.mark.needs("power-control")
def test_years_of_boluses_and_resets(
    pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure, hil_seed: int
) -> None:
    """Three years more: in each month a patient's request and a reset, in each quarter a clinician's bolus that a reset may break off."""
    rng = random.Random(hil_seed)
    start(pump, clock, patient_button("200 mcg/day"))
    pulse_nL = pump.info.pulse_volume_nL
    resets = requests = 0
    doubt: list[int] = []
    uncounted: list[int] = []
    for month in range(3 * 12):
        clock.advance(rng.randrange(20, 28) * DAY_MS + rng.randrange(DAY_MS))
        requests += plant.patient_request()
        clock.advance(rng.randrange(3_600_000, DAY_MS))
        if month % 3 == 0:
            pump.bolus("25 mcg", "10m")
            clock.advance(rng.randrange(900_000))
        power.cycle()
        resets += 1
        status = pump.status()
        assert status.run_state is RunState.RUNNING
        made = plant.truth()["made_pulses"]
        uncounted.append(status.lifetime_pulses - made)
        doubt.append(status.doubt_pulses)
        if month % 4 == 3:
            refill(pump, plant)
    months = range(1, 37)
    measure.series("counted beyond what was made", "months", "pulses", months, uncounted, lo=[-one for one in doubt], hi=doubt)
    after = pump.status()
    measure("pulses in doubt", after.doubt_pulses, "pulses", lo=0, hi=resets)
    measure("resets counted", after.resets, "resets", lo=resets, hi=resets)
    measure("patient boluses granted", after.patient_granted, "boluses", lo=requests, hi=requests)
    truth = plant.truth()
    kept_nL = truth["filled_nL"] - truth["aspirated_nL"] - truth["lost_nL"] - truth["delivered_nL"]
    measure("volume that has vanished", kept_nL - truth["reservoir_nL"], "nL", lo=0, hi=0)
    share = pump_limit(pump.info.profile, "accuracy_percent") / 100
    nominal_nL = truth["made_pulses"] * pulse_nL
    measure("delivered", truth["delivered_nL"], "nL", lo=round(nominal_nL * (1 - share)), hi=round(nominal_nL * (1 + share)))


@pytest.mark.sr("SR-22", "SR-37", "SR-55")
@pytest.mark.parametrize(("dose", "every_days"), [("200 mcg/day", 30), ("1900 mcg/day", 15)], ids=["by age", "by battery"])
def test_the_end_of_its_service(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, dose: str, every_days: int) -> None:
    """The replacement indicator comes in time, the pump stops when its service ends, and stays stopped."""
    start(pump, clock, dose)
    life_days = int(pump_limit(pump.info.profile, "service_life_days"))
    told_ms = 0
    while pump.status().run_state is RunState.RUNNING and clock.uptime_ms() < (life_days + QUARTER_DAYS) * DAY_MS:
        clock.advance(every_days * DAY_MS)
        now = pump.status()
        if not told_ms and AlarmNumber.REPLACEMENT in {alarm.alarm for alarm in now.alarms}:
            told_ms = now.uptime_ms
        if now.reservoir_nL < now.low_alarm_nL + every_days * now.flow_nL_per_day and now.run_state is RunState.RUNNING:
            refill(pump, plant)
    ended = pump.status()
    assert told_ms, "no replacement indicator"
    measure("end of service", round(Fraction(ended.uptime_ms, DAY_MS), 3), "days", hi=life_days + every_days)
    least = limit("endurance", "told_before_days") - every_days  # it is looked at as often as that
    measure("told before", round(Fraction(ended.uptime_ms - told_ms, DAY_MS), 3), "days", lo=least)
    assert AlarmNumber.END_OF_SERVICE in {alarm.alarm for alarm in ended.alarms}
    assert ended.run_state is not RunState.RUNNING
    before_nL = plant.delivered_nL()
    clock.advance("30d")
    measure("given afterwards", plant.delivered_nL() - before_nL, "nL", lo=0, hi=0)
