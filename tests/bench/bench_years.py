"""Ten years of a flex therapy with 40 refills, as a ratio: an event-driven simpy model against our closed forms with a true pump behind.

Both keep the same books: scheduled volume of each day, level found at each refill, level at the end. The books are asserted equal to
the unit (1/86,400,000 nL) before anything is timed. The simpy model wakes at each flow change and knows no pulses and no physics; ours
also drives the plant (true pulse volumes, mixing, tubing, battery) and checks it. Runs as a script, or piece by piece:

    simpy_model(Therapy(), 7)       books of one week, event by event
    closed_form(Therapy(), 7)       the same from the firmware's schedule
    pump_model(Therapy(), 7)        the same with the plant behind it
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from itertools import pairwise

import simpy

from firmware_sim.firmware.cycle import DAY_MS, HOUR_MS, MINUTE_MS, UNITS_PER_NL, Cycle, compile_cycle
from firmware_sim.firmware.delivery import CycleSource, Delivery, resume_delivery
from firmware_sim.plant import Plant
from firmware_sim.profiles import PumpProfile, load_profile
from itbpump.wire.messages import Configuration, Mode, Pattern, Step, StepKind
from tests.bench.__main__ import lines
from tests.bench.figure import Figure

TEN_YEARS = 3650
ROUNDS = 5
SIMPY_TARGET = 10.0  # own choice, no source; about 14 measured, of which the books take 3.2 ms of 5.5 and the plant the rest
FINE_PULSE_TARGET = 1.5  # the cost must not depend on the number of pulses; 10 would be proportional
MONDAY_TO_FRIDAY, WEEKEND = 0b0011111, 0b1100000


def _day(lowest_nL: int, rise_nL: int) -> tuple[tuple[int, int], ...]:
    """24 steps, each with its own flow: up until noon, down again."""
    return tuple((60 * hour, lowest_nL + rise_nL * (hour if hour < 12 else 24 - hour) + 7 * hour) for hour in range(24))


@dataclass(frozen=True)
class Therapy:
    """What both models run. Steps are (minute of the day, flow in nL/day); day 0 is a Monday; refills come at 10:00."""

    weekday: tuple[tuple[int, int], ...] = _day(240_000, 15_000)
    weekend: tuple[tuple[int, int], ...] = _day(190_000, 11_000)
    fill_nL: int = 38_000_000
    refill_every_days: int = 91
    concentration_ng_per_mL: int = 2_000_000

    def steps(self, day: int) -> tuple[tuple[int, int], ...]:
        return self.weekend if day % 7 >= 5 else self.weekday

    def refill_times(self, days: int) -> list[int]:
        """Uptimes of the refills, ms."""
        return [day * DAY_MS + 10 * HOUR_MS for day in range(self.refill_every_days, days, self.refill_every_days)]


@dataclass(frozen=True)
class Books:
    """Exact totals in units of 1/86,400,000 nL; levels are what the pump reckons, before the refill."""

    day_units: tuple[int, ...]
    level_at_refill_units: tuple[int, ...]
    level_at_end_units: int


def simpy_model(therapy: Therapy, days: int) -> Books:
    """The peer: one process wakes at each flow change, another at each refill."""
    env = simpy.Environment()
    day_units = [0] * days
    found: list[int] = []
    level, flow, since = therapy.fill_nL * UNITS_PER_NL, 0, 0

    def settle() -> None:
        nonlocal level, since
        now = int(env.now)
        if now > since:
            volume = flow * (now - since)
            day_units[since // DAY_MS] += volume  # midnight is a flow change, so a span lies within one day
            level -= volume
            since = now

    def run_therapy() -> Generator[simpy.Event, None, None]:
        nonlocal flow
        for day in range(days):
            steps = therapy.steps(day)
            for (minute, step_flow), end in zip(steps, [*(minute for minute, _ in steps[1:]), 1440], strict=True):
                settle()
                flow = step_flow
                yield env.timeout((end - minute) * MINUTE_MS)
        settle()

    def run_refills() -> Generator[simpy.Event, None, None]:
        nonlocal level
        for at_ms in therapy.refill_times(days):
            yield env.timeout(at_ms - int(env.now))
            settle()
            found.append(level)
            level = therapy.fill_nL * UNITS_PER_NL

    env.process(run_therapy())
    env.process(run_refills())
    env.run()
    return Books(tuple(day_units), tuple(found), level)


def compile_therapy(therapy: Therapy, pulse_volume_nL: int) -> Cycle:
    """The same therapy as the pump's own schedule; day 0 starts at uptime 0."""

    def pattern(days: int, steps: tuple[tuple[int, int], ...]) -> Pattern:
        return Pattern(days=days, steps=tuple(Step(minute, StepKind.RATE, flow, 0) for minute, flow in steps))

    configuration = Configuration(
        layout=1,
        drug="baclofen",
        concentration_ng_per_mL=therapy.concentration_ng_per_mL,
        reservoir_set=True,
        reservoir_volume_nL=therapy.fill_nL,
        path_volume_nL=316_000,
        low_alarm_nL=6_500_000,
        empty_alarm_nL=1_400_000,
        week_offset_ms=0,
        start=True,
        mode=Mode.FLEX,
        flow_nL_per_day=0,
        periodic_pulses=0,
        periodic_duration_min=0,
        periodic_every_min=0,
        patterns=(pattern(MONDAY_TO_FRIDAY, therapy.weekday), pattern(WEEKEND, therapy.weekend)),
        bridge_flow_nL_per_day=0,
        bridge_pulses=0,
        patient_pulses=0,
        patient_duration_min=0,
        patient_lockout_min=0,
        patient_max_per_day=0,
    )
    return compile_cycle(configuration, 6_000, pulse_volume_nL, 0)


def closed_form(therapy: Therapy, days: int, cycle: Cycle | None = None) -> Books:
    """The books out of the schedule alone: one look-up a day and one a refill."""
    cycle = compile_therapy(therapy, 500) if cycle is None else cycle
    marks = [0, *therapy.refill_times(days), days * DAY_MS]
    levels = [therapy.fill_nL * UNITS_PER_NL - cycle.volume_units(since, until) for since, until in pairwise(marks)]
    day_units = tuple(cycle.volume_units(day * DAY_MS, (day + 1) * DAY_MS) for day in range(days))
    return Books(day_units, tuple(levels[:-1]), levels[-1])


def pump_model(therapy: Therapy, days: int, profile: PumpProfile | None = None) -> Books:
    """The books, and a true pump that carried them out: motor, reservoir, tubing; refilled at each refill, balanced at the end."""
    profile = load_profile("P-40") if profile is None else profile
    pulse_nL = profile.firmware.pulse_volume_nL
    cycle = compile_therapy(therapy, pulse_nL)
    delivery: Delivery = resume_delivery(pulse_nL, CycleSource(cycle), 0)
    plant = Plant(profile.plant, 1)
    plant.fill(therapy.fill_nL, therapy.concentration_ng_per_mL)
    for at_ms in therapy.refill_times(days):
        plant.drive(delivery.phase, at_ms)
        plant.aspirate()
        plant.fill(therapy.fill_nL - plant.truth().reservoir_nL, therapy.concentration_ng_per_mL)
    plant.drive(delivery.phase, days * DAY_MS)
    books = closed_form(therapy, days, cycle)
    _check(plant, books, profile)
    return books


def _check(plant: Plant, books: Books, profile: PumpProfile) -> None:
    """The plant did what the books say: pulses within half a pulse, true volume within the tolerance, nothing lost."""
    truth, scheduled = plant.truth(), sum(books.day_units)
    pulse_units = profile.firmware.pulse_volume_nL * UNITS_PER_NL
    assert abs(truth.encoder_pulses * pulse_units - scheduled) * 2 <= pulse_units
    assert abs(truth.delivered_nL * UNITS_PER_NL - scheduled) * 1_000_000 <= scheduled * profile.firmware.accuracy_ppm
    known = truth.ledger
    inside = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + known.aspirated_nL + known.lost_nL
    assert known.filled_nL + known.initial_path_nL == inside


def run() -> list[Figure]:
    """Everything asserted, then timed in interleaved rounds; medians of ratios."""
    therapy, usual, fine = Therapy(), load_profile("P-40"), load_profile("P-40", pulse_volume_nL=50)
    books = simpy_model(therapy, TEN_YEARS)
    assert closed_form(therapy, TEN_YEARS) == books
    assert pump_model(therapy, TEN_YEARS, usual) == books
    assert pump_model(therapy, TEN_YEARS, fine) == books
    assert len(books.level_at_refill_units) == 40
    assert min(*books.level_at_refill_units, books.level_at_end_units) > usual.firmware.residual_nL * UNITS_PER_NL
    to_simpy, to_usual, times = [], [], []
    for _ in range(ROUNDS):
        peer = _seconds(lambda: simpy_model(therapy, TEN_YEARS))
        ours = _seconds(lambda: pump_model(therapy, TEN_YEARS, usual))
        finer = _seconds(lambda: pump_model(therapy, TEN_YEARS, fine))
        to_simpy.append(peer / ours)
        to_usual.append(finer / ours)
        times.append(1000 * ours)
    return [
        Figure("ten years: simpy / ours", statistics.median(to_simpy), SIMPY_TARGET, note="same books, ours with plant"),
        Figure("ten years: 50 nL / 500 nL pulses", statistics.median(to_usual), FINE_PULSE_TARGET, "at most", note="ten times the pulses"),
        Figure("ten years: ours", statistics.median(times), 0, None, "ms"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    figures = run()
    print("\n".join(lines(figures)))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)
