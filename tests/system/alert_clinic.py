"""A clinic of simulated pumps for the alert job: truth apart from what is known, people who read their mail, or do not.

True volume falls by the pump's true flow, within its profile's tolerance; the job sees only forecasts, made at a refill or a change of dose
as in life. Who reads a mail of a due refill books a visit on an open day and acknowledges; visits are missed, the nurse has weeks off.
What is critical is refilled the
next day, closed or not. Deterministic for a seed. Not modelled: withdrawal, appointments that are full, drugs that run out at the pharmacy.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from itbpump.alerts.job import run
from itbpump.alerts.model import AlertKind, Contact, RefillDates, Stage, WatchedPump
from itbpump.alerts.policy import Policy
from itbpump.alerts.store import AlertStore
from itbpump.forecast import forecast
from itbpump.quantity import Volume
from itbpump.therapy import Prescription
from tests.unit.alerts.alert_rig import DOCTOR, NURSE, Memory

NL_PER_ML = 1_000_000
TOLERANCE_PPM = 145_000
ZONE = "Europe/Berlin"
START = date(2026, 1, 5)


def morning(day: date) -> datetime:
    """07:00 where the clinic is, in UTC."""
    return datetime.combine(day, time(7), ZoneInfo(ZONE)).astimezone(UTC)


@dataclass
class SimPump:
    """One pump: truth, the pump's own count, and what the registry knows. Volumes in nL, flow in nL per day of the programmed dose."""

    number: int
    capacity_mL: int
    dose_mcg: int
    true_ppm: int
    fill_nL: int
    alarm_nL: int
    filled_on: date
    true_nL: Fraction
    count_nL: int
    watched: WatchedPump
    told_on: date | None = None
    low_since: date | None = None
    urgent: bool = False

    @property
    def flow_nL(self) -> int:
        return self.dose_mcg * 500  # 2000 mcg/mL

    def a_day_passes(self) -> None:
        self.count_nL -= self.flow_nL
        self.true_nL -= Fraction(self.flow_nL * (1_000_000 + self.true_ppm), 1_000_000)


@dataclass
class Year:
    """What came of it. `unalerted`: pumps that truly fell below their alarm volume before anybody had been told of that refill."""

    mails: Counter[tuple[str, date]] = field(default_factory=Counter)
    refills: int = 0
    low: int = 0
    dry: int = 0
    unalerted: list[str] = field(default_factory=list)
    days: int = 0

    def per_nurse_and_day(self) -> float:
        return sum(count for (who, _), count in self.mails.items() if who == NURSE.id) / self.days

    def busiest_day(self) -> int:
        return max(count for (who, _), count in self.mails.items() if who == NURSE.id)

    def escalated(self) -> int:
        return sum(count for (who, _), count in self.mails.items() if who == DOCTOR.id)


class SimClinic:
    """The registry of the job, and the world around it."""

    def __init__(self, engine: Engine, pumps: int, seed: int, policy: Policy) -> None:
        self.engine, self.random, self.policy = engine, random.Random(seed), policy
        self.pumps = [self._implanted(number) for number in range(pumps)]
        self.channel, self.year = Memory(), Year()

    def watched(self, now: datetime) -> Iterator[WatchedPump]:
        return (pump.watched for pump in self.pumps)

    def contacts(self) -> Sequence[Contact]:
        return (NURSE, DOCTOR)

    # -------------------------------------------------------------------------------------------- one day
    def live(self, days: int) -> Year:
        for number in range(days):
            today = START + timedelta(days=number)
            for pump in self.pumps:
                self._therapy_and_visit(pump, today)
            run(self, {"mail": self.channel}, morning(today), policy=self.policy)
            self._people_read(today)
            for pump in self.pumps:
                pump.a_day_passes()
                self._judge(pump, today)
        self.year.days = days
        return self.year

    def _therapy_and_visit(self, pump: SimPump, today: date) -> None:
        open_today = not self.policy.closed.is_closed(today)
        if pump.watched.visit_on == today and (pump.urgent or (open_today and self.random.random() < 0.9)):  # one visit in ten is missed
            self._refill(pump, today)
        elif open_today and self.random.random() < 0.01:
            old = pump.watched.dates.refill_by if pump.watched.dates else None
            pump.dose_mcg = min(1_200, max(100, pump.dose_mcg * self.random.randint(85, 125) // 100))
            self._read(pump, today, previous_refill_by=old, moved_because="daily dose changed")

    def _people_read(self, today: date) -> None:
        """The nurse has two weeks off each quarter and skips one mail in ten; the doctor reads all."""
        mails, self.channel.taken = self.channel.taken, []
        away = (today - START).days % 91 < 14
        for mail in mails:
            self.year.mails[mail.contact.id, today] += 1
            for alert in mail.alerts:
                if alert.kind is not AlertKind.REFILL or mail.cancels or alert.stage < Stage.DUE_SOON:
                    if alert.kind is AlertKind.MISSED_VISIT and not mail.cancels and not away:
                        self._book(int(alert.serial), today, 1, 2)
                    continue
                pump = self.pumps[int(alert.serial)]
                pump.told_on = pump.told_on or today
                reads = not away and self.random.random() < 0.9 if mail.contact.id == NURSE.id else True
                if reads and alert.stage is Stage.CRITICAL:
                    pump.urgent, pump.watched = True, replace(pump.watched, visit_on=today + timedelta(days=1))
                elif reads and alert.stage >= Stage.DUE:
                    self._book(pump.number, today, 1, 5 if alert.stage is Stage.DUE else 2)
                if reads and alert.stage >= Stage.DUE:
                    AlertStore(self.engine).acknowledge(alert.key, mail.contact.id, "visit booked", morning(today))

    def _book(self, number: int, today: date, soonest: int, latest: int) -> None:
        pump = self.pumps[number]
        if pump.watched.visit_on is not None and pump.watched.visit_on > today:
            return
        day = today + timedelta(days=self.random.randint(soonest, latest))
        while self.policy.closed.is_closed(day):
            day += timedelta(days=1)
        pump.watched = replace(pump.watched, visit_on=day)

    def _judge(self, pump: SimPump, today: date) -> None:
        if pump.true_nL < pump.alarm_nL and pump.low_since is None:
            pump.low_since = today
            self.year.low += 1
            if pump.told_on is None:
                self.year.unalerted.append(f"pump {pump.number} low on {today}, {pump.watched.dates}")
        if pump.true_nL <= 1_400_000 and pump.low_since is not None:
            self.year.dry += pump.told_on is not None and pump.low_since != date.min
            pump.low_since = date.min

    # -------------------------------------------------------------------------------------------- what is known
    def _implanted(self, number: int) -> SimPump:
        chance, capacity = self.random, self.random.choice((20, 40))
        fill = (capacity - chance.randint(1, 3)) * NL_PER_ML
        dose = chance.choice((chance.randint(100, 300), chance.randint(300, 900)))
        seen = WatchedPump(f"{number}", f"{number:016x}", f"P-{number}", f"P-{capacity}", 1, None, None, zone=ZONE)
        pump = SimPump(
            number, capacity, dose, chance.randint(-TOLERANCE_PPM, TOLERANCE_PPM), fill, 4 * NL_PER_ML if capacity == 20 else 6_500_000,
            START, Fraction(fill), fill, seen,
        )  # fmt: skip
        # Not all filled on the same day: some of the first fill is gone, and the count is as wrong as the pump.
        gone = fill * chance.randint(0, 50) // 100
        pump.true_nL = Fraction(fill) - Fraction(gone * (1_000_000 + pump.true_ppm), 1_000_000)
        pump.count_nL = fill - gone
        self._read(pump, START)
        return pump

    def _refill(self, pump: SimPump, today: date) -> None:
        pump.fill_nL = (pump.capacity_mL - self.random.randint(1, 3)) * NL_PER_ML
        pump.true_nL, pump.count_nL, pump.filled_on = Fraction(pump.fill_nL), pump.fill_nL, today
        pump.told_on, pump.low_since, pump.urgent = None, None, False
        pump.watched = replace(pump.watched, cycle=pump.watched.cycle + 1, visit_on=None, previous_refill_by=None, moved_because="")
        self.year.refills += 1
        self._read(pump, today)

    def _read(self, pump: SimPump, today: date, **changes: Any) -> None:
        """The pump is read: its dates are computed anew by the real forecast."""
        as_of = morning(today).astimezone(ZoneInfo(ZONE))
        rx = Prescription.model_validate(
            {
                "schema": "itbpump.prescription/1",
                "patient": {"id": f"P-{pump.number}", "indication": "spinal", "age_years": 40},
                "pump": {
                    "profile": f"P-{pump.capacity_mL}",
                    "reservoir_volume": f"{Volume(max(pump.count_nL, 1_500_000))}",
                    "as_of": as_of,
                    "low_reservoir_alarm": f"{Volume(pump.alarm_nL)}",
                },
                "drug": {"name": "baclofen", "concentration": "2000 mcg/mL", "filled_on": pump.filled_on},
                "catheter": {"path_volume": "0.316 mL"},
                "therapy": {"mode": "continuous", "dose": f"{pump.dose_mcg} mcg/day"},
            }
        )
        found = forecast(rx, filled=Volume(pump.fill_nL), filled_on=pump.filled_on)
        bounds = {"low": found.low_reservoir, "empty": found.empty}
        known = RefillDates(
            computed_at=as_of,
            alarm=_day(found.alarm),
            refill_by=_day(found.refill_by),
            limited_by=found.limited_by,
            stable_until=_day(found.stable_until),
            **{f"{name}_{side}": _day(getattr(each, side)) for name, each in bounds.items() for side in ("earliest", "nominal", "latest")},
        )
        pump.watched = replace(pump.watched, dates=known, last_seen=as_of, **changes)


def _day(at: datetime | None) -> date | None:
    return None if at is None else at.date()
