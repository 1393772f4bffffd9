"""What bounds a dose over hours outlives what comes in between: a reset, another configuration, the patient's own hand; and each day of
the week has its own dose.

Figures are those of test_safety_limits.py, whose limits are met here a second time with something in between.
"""

from __future__ import annotations

import pytest

from hil.orders import Orders, applied, refusal
from hil.programme import patient_button
from hil.speaking import Speaker, hello, types
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.wire.keys import decode_refuse
from itbpump.wire.messages import EMERGENCY_PER_HOUR, BolusKind, ErrorCode, LimitCode, RecordType, RefuseReason, Role
from itbpump.wire.record import clear_content

THERAPY = "200 mcg/day"
LARGE_NG, BOLUS_MAX_NG, DAY_MAX_NG = 90_000, 100_000, 2_003_000  # itbpump/drugs/baclofen.toml
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def ng_of(pump: PumpUnderTest, pulses: int) -> int:
    """Drug of so many pulses, rounded down."""
    return pulses * pump.info.pulse_volume_nL * pump.status().concentration_ng_per_mL // 1_000_000


@pytest.fixture
def orders(pump: PumpUnderTest) -> Orders:
    """A pump that runs THERAPY, and commands in pieces."""
    pump.program(pump.rx(THERAPY))
    return Orders(pump)


@pytest.mark.sr("SR-07")
@pytest.mark.needs("virtual-time", "power-control")
def test_mass_of_24_hours_is_not_forgotten_in_a_reset(
    pump: PumpUnderTest, orders: Orders, clock: Clock, power: Power, measure: Measure
) -> None:
    """A large bolus each hour and a power cut after it, until the pump refuses."""
    pulses, given = LARGE_NG // ng_of(pump, 1), 0
    while applied(reply := orders.bolus(pulses, 600)):
        given += 1
        assert given <= 24, "more boluses than hours in a day, and none was refused"
        clock.advance("1h")
        power.cycle()
        pump.drop_line()
        counted = pump.status().mass_24h_ng
        assert counted >= ng_of(pump, given * pulses), f"{counted} ng counted, and {given} boluses alone were more"
    assert refusal(reply) == (ErrorCode.LIMIT, LimitCode.MASS_24H)
    measure("mass of 24 h", pump.status().mass_24h_ng, "ng", lo=1_700_000, hi=DAY_MAX_NG)


@pytest.mark.sr("SR-02", "SR-12")
@pytest.mark.needs("virtual-time")
def test_a_bolus_is_judged_by_the_strongest_drug_in_the_path(pump: PumpUnderTest, clock: Clock) -> None:
    """After a change to a weaker label a bolus pushes out the old drug first; when the path is through, the new label alone counts."""
    pump.program(pump.rx(THERAPY, concentration="2000 mcg/mL"))
    orders = Orders(pump)
    largest = BOLUS_MAX_NG // ng_of(pump, 1)
    weak = {"concentration_ng_per_mL": 500_000, "flow_nL_per_day": 400_000}
    assert applied(orders.configure(orders.active(**weak, reservoir_set=True, reservoir_volume_nL=30_000_000)))
    assert refusal(orders.bolus(largest + 1, 3_600)) == (ErrorCode.LIMIT, LimitCode.BOLUS_MASS)
    clock.advance("2d")
    assert applied(orders.bolus(largest + 1, 3_600))


@pytest.mark.sr("SR-64")
@pytest.mark.needs("virtual-time", "power-control", "bench-hands")
def test_emergency_sessions_of_an_hour_are_not_forgotten_in_a_reset(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> None:
    """One after each power cut, until the pump refuses one more with the magnet over it."""
    pump.program(pump.rx(THERAPY))
    for _ in range(EMERGENCY_PER_HOUR):
        plant.magnet("10s")
        pump.by("card", Role.EMERGENCY).status()
        clock.advance("1m")
        power.cycle()
        pump.drop_line()
    plant.magnet("10s")
    clinician = Speaker.to(pump).open()
    card = Speaker.to(pump.by("card", Role.EMERGENCY), clinician.line)
    (body,) = clinician.silent_at(hello(card.programmer_id, bytes(16)))
    assert types([body]) == [RecordType.REFUSE], "one session more than an hour allows"
    refused = decode_refuse(clear_content(body))
    assert refused.reason is RefuseReason.BACKOFF
    assert 3_000 < refused.wait_s <= 3_600


@pytest.mark.sr("SR-13")
@pytest.mark.needs("virtual-time", "power-control")
def test_prime_is_not_repeated_after_a_reset(pump: PumpUnderTest, orders: Orders, clock: Clock, power: Power) -> None:
    path = orders.active().path_volume_nL // pump.info.pulse_volume_nL
    assert applied(orders.bolus(path // 4, 3_600, BolusKind.PRIME))
    clock.advance("2h")
    power.cycle()
    pump.drop_line()
    assert refusal(orders.bolus(path // 4, 3_600, BolusKind.PRIME)) == (ErrorCode.LIMIT, LimitCode.PRIME_LOCKOUT)


@pytest.fixture
def with_button(pump: PumpUnderTest) -> PumpUnderTest:
    """A pump whose patient may have 5 mcg over 10 min, every 6 h, three times a day."""
    pump.program(pump.rx(patient_button(THERAPY)))
    return pump


@pytest.mark.sr("SR-14")
@pytest.mark.needs("virtual-time", "bench-hands")
def test_patient_lockout_outlives_a_commit(with_button: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    assert plant.patient_request()
    clock.advance("1h")
    with_button.program(with_button.rx(patient_button("210 mcg/day")))
    assert not plant.patient_request(), "a new configuration has opened the lockout"
    assert with_button.status().patient_granted_24h == 1
    clock.advance("5h1m")
    assert plant.patient_request()


@pytest.mark.sr("SR-07", "SR-14")
@pytest.mark.needs("virtual-time", "bench-hands")
def test_what_the_patient_took_counts_in_the_mass_of_24_hours(with_button: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    before = with_button.status().mass_24h_ng
    assert plant.patient_request()
    clock.advance("10m")
    after = with_button.status()
    assert after.bolus_delivered > 0
    assert after.mass_24h_ng >= before + ng_of(with_button, after.bolus_delivered)


@pytest.mark.sr("SR-24", "SR-53")
@pytest.mark.needs("virtual-time")
def test_each_day_of_the_week_has_its_own_dose(pump: PumpUnderTest, clock: Clock, measure: Measure) -> None:
    """Seven rates, the highest on Sunday; from midnight to midnight of the pump's day."""
    patterns = [
        f'[[therapy.pattern]]\ndays = ["{day}"]\n[[therapy.pattern.steps]]\nat = "00:00"\nrate = "{5 + n} mcg/h"'
        for n, day in enumerate(DAYS)
    ]
    pump.program(pump.rx("\n".join(['mode = "flex"', *patterns])))
    week_ms = 7 * 86_400_000
    place_ms = (clock.uptime_ms() + pump.status().week_offset_ms) % week_ms
    clock.advance(f"{-(-(86_400_000 - place_ms % 86_400_000) // 1_000)}s")
    first = (place_ms // 86_400_000 + 1) % 7
    for number in range(7):
        begun = pump.status().lifetime_pulses
        clock.advance("1d")
        day = (first + number) % 7
        given = ng_of(pump, pump.status().lifetime_pulses - begun)
        wanted = 24_000 * (5 + day)
        measure(f"dose of {DAYS[day]}", given, "ng", lo=wanted - 2 * ng_of(pump, 1) - 1, hi=wanted + 2 * ng_of(pump, 1) + 1)
