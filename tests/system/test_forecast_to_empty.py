"""Simulated pumps run to empty: their dates against what is truly left in them (SR-36), over seeds; 10,000 of them in the long run.

Each seed is another pump (its own accuracy, drift, scatter and clock) with another therapy, week, volume and patient. What is true is read
from the plant; the forecast knows only the prescription. A third of the pumps are set to the end of what the plant may draw, because a
drawn one seldom comes near it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace as alter

from firmware_sim.device import SimulatedPump
from itbpump.configuration import week_offset_ms, wire_configuration
from itbpump.forecast import Forecast, forecast
from itbpump.profiles import PumpProfile, load_profile
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, Commit, GetStatus, Outcome, Result, Stage, Status, encode_configuration
from tests.system.rig import HOUR_MS, WHO
from tests.unit.therapy.prescriptions import WEEK, bolus, continuous, periodic, prescription, rate


def drawn_prescription(random: Random) -> Prescription:
    """A therapy on a pump that is not full, so that a run takes days and weeks; weekdays that differ, boluses over midnight."""
    name = random.choice(["P-40", "P-40", "P-20", "V-40"])
    kind = random.choice(["continuous", "flex", "flex", "periodic"])

    def dose(low: int = 150, high: int = 900) -> str:
        return f"{random.randint(low, high)} mcg/day"

    therapy: dict[str, Any]
    if kind == "continuous":
        therapy = continuous(dose())
    elif kind == "periodic":
        therapy = periodic(f"{random.randint(20, 60)} mcg", "30m", f"{random.randint(4, 12)}h", dose(120, 400))
    else:
        cut = random.randint(1, 6)
        therapy = {"mode": "flex", "pattern": [{"days": list(days), "steps": _steps(random, dose)} for days in (WEEK[:cut], WEEK[cut:])]}
    if random.random() < 0.25:
        therapy["patient_bolus"] = {"dose": "10 mcg", "over": "10m", "lockout": "2h", "max_per_day": random.randint(1, 4)}
    alarm = random.randint(2_000, 6_500)
    zone = timezone(timedelta(minutes=random.choice([-480, -210, 0, 60, 345, 780])))
    return prescription(
        therapy,
        pump={
            "profile": name,
            "reservoir_volume": f"{random.randint(8, 19)} mL",
            "low_reservoir_alarm": f"{alarm / 1000} mL".replace(".0 ", " "),
            "as_of": datetime(2026, 2, 1, tzinfo=zone) + timedelta(seconds=random.randint(0, 300 * 86_400)),
        },
    )


def _steps(random: Random, dose: Any) -> list[dict[str, str]]:
    steps = [rate("00:00", dose())]
    for hour in sorted(random.sample(range(1, 23), random.randint(0, 5))):
        if random.random() < 0.7:
            steps.append(rate(f"{hour:02d}:{random.choice(['00', '15', '59'])}", dose()))
        else:
            steps.append(bolus(f"{hour:02d}:{random.choice(['00', '15'])}", f"{random.randint(10, 40)} mcg", "45m"))
    if random.random() < 0.3:
        steps.append(bolus("23:30", "20 mcg", "1h15m") if random.random() < 0.5 else rate("23:30", dose()))
    return steps


class Run:
    """One programmed pump, and the true time since its `as_of`."""

    def __init__(self, seed: int) -> None:
        random = Random(f"itbpump forecast to empty {seed}")
        self.rx = drawn_prescription(random)
        self.profile: PumpProfile = load_profile(self.rx.pump.profile)
        volume = self.rx.pump.reservoir_volume
        self.pump = SimulatedPump(self.profile.name, seed=seed, fill_nL=volume.nL)
        self.pump.provision(WHO.programmer_id, WHO.role, bytes(32))
        room = self.pump.profile.plant.accuracy_bound_ppm - self.pump.profile.plant.drift_bound_ppm
        self.pump.plant.motor.accuracy_ppm = random.choice([self.pump.plant.motor.accuracy_ppm, self.pump.plant.motor.accuracy_ppm, room])
        if random.random() < 1 / 6:
            self.pump.plant.motor.accuracy_ppm = -room
        self.pump.advance(random.randint(0, 7 * 24 * HOUR_MS))
        self._program()
        self._since_ms = self.pump.plant.oscillator.true_ms(self.pump.uptime_ms)
        self._presses = self.rx.patient_bolus is not None and random.random() < 0.7

    def _program(self) -> None:
        as_of = self.rx.pump.as_of
        wanted = wire_configuration(
            self.rx, self.profile, week_offset=week_offset_ms(as_of, as_of, self.pump.uptime_ms), set_volume=self.rx.pump.reservoir_volume
        )
        payload = encode_configuration(alter(wanted, start=True))
        self.pump.order(Stage(1, CommandKind.CONFIGURE, 0, len(payload), 0, payload), WHO)
        reply = self.pump.order(Commit(1, hashlib.sha256(payload).digest(), 0), WHO)
        assert isinstance(reply, Result), reply
        assert reply.result.outcome is Outcome.APPLIED, reply

    def left_at(self, found: Forecast, at: datetime) -> int:
        """What is truly in the reservoir on a date, nL; with a patient who takes the day's boluses as fast as they are granted."""
        goal = self.pump.plant.oscillator.uptime_ms(self._since_ms + (at - found.as_of) // timedelta(milliseconds=1))
        while self._presses and self.pump.uptime_ms < goal:
            granted = self.pump.patient_request()
            self.pump.advance(min(goal - self.pump.uptime_ms, (2 if granted else 24) * HOUR_MS))
        self.pump.advance_to(max(goal, self.pump.uptime_ms))
        return self.pump.truth.reservoir_nL

    @property
    def count_nL(self) -> int:
        """What the pump counts."""
        status = self.pump.order(GetStatus(), WHO)
        assert isinstance(status, Status)
        return status.reservoir_nL


def checked(seeds: range, therapies: set[str]) -> Iterator[int]:
    """Run each pump to empty and hold its dates against what is left; yields its seed."""
    for seed in seeds:
        run = Run(seed)
        found = forecast(run.rx)
        pairs = sorted([(found.low_reservoir, _low(run.rx)), (found.empty, run.profile.residual.nL)], key=lambda pair: -pair[1])
        for bounds, level in pairs:
            assert bounds.earliest is not None, seed
            assert bounds.nominal is not None, seed
            assert bounds.latest is not None, seed
            assert bounds.earliest <= bounds.nominal <= bounds.latest, seed
            if bounds.earliest > found.as_of:
                assert run.left_at(found, bounds.earliest) > level, (seed, level)
        for bounds, level in pairs:
            assert bounds.latest is not None, seed
            # A pump that gives less than it counts stops by itself when its count is down to nothing (RESERVOIR_USED_UP).
            assert run.left_at(found, bounds.latest) <= level or run.count_nL == 0, (seed, level)
        therapies.add(run.rx.therapy.mode)
        yield seed


def _low(rx: Prescription) -> int:
    assert rx.pump.low_reservoir_alarm is not None
    return rx.pump.low_reservoir_alarm.nL


@pytest.mark.sr("SR-36", "SR-37")
def test_no_pump_is_low_before_its_earliest_date() -> None:
    therapies: set[str] = set()
    assert len(list(checked(range(120), therapies))) == 120
    assert therapies == {"continuous", "flex", "periodic-bolus"}


@pytest.mark.slow
@pytest.mark.sr("SR-36", "SR-37")
def test_no_pump_of_ten_thousand_is_low_before_its_earliest_date() -> None:
    assert sum(1 for _ in checked(range(10_000), set())) == 10_000
