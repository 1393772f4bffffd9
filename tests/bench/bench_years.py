"""Ten years of a 24-step weekday/weekend flex therapy with 40 refills: the whole simulated pump against a simpy model of the same pump.

Ours is `SimulatedPump` with everything in it: each refill is a needle and a staged, judged, journaled commit. The peer is an event-
driven simpy model that wakes at each flow change and carries the same state from one to the next: pulses by the same rule, true volume
by the same motor, estimate, reservoir and the mixing tanks. What both found at each refill is asserted equal before anything is timed.
A second peer that keeps only the scheduled volume and the estimate, with no pulses and no physics, is reported beside it. V-40, because
a P pump ends its service after seven years.
"""

from __future__ import annotations

import hashlib
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Generator
from dataclasses import dataclass

import simpy

from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.plant.path import empty_path
from firmware_sim.profiles import PumpProfile, load_profile
from itbpump.wire.messages import (
    CommandKind,
    Commit,
    Configuration,
    GetStatus,
    Mode,
    Outcome,
    Pattern,
    Result,
    Role,
    Stage,
    Status,
    Step,
    StepKind,
    encode_configuration,
)
from tests.bench.__main__ import lines
from tests.bench.figure import Figure
from tests.configurations import configuration_of

DAY_MS = 86_400_000
UNITS_PER_NL = DAY_MS
TEN_YEARS = 3650
REFILL_EVERY_DAYS = 91
REFILL_HOUR = 10
FILL_NL, RESIDUAL_NL, PATH_NL = 38_000_000, 1_000_000, 316_000
NG_PER_ML, FG_PER_NL = 2_000_000, 2_000_000
ROUNDS = 7
WHO = SessionInfo(b"BENCHPRG", Role.CLINICIAN)


def _day(lowest_nL: int, rise_nL: int) -> tuple[int, ...]:
    """24 hourly flows, each its own, nL/day: up until noon, down again."""
    return tuple(lowest_nL + rise_nL * (hour if hour < 12 else 24 - hour) + 7 * hour for hour in range(24))


WEEKDAY, WEEKEND = _day(240_000, 15_000), _day(190_000, 11_000)


def refill_days(days: int) -> list[int]:
    return list(range(REFILL_EVERY_DAYS, days, REFILL_EVERY_DAYS))


@dataclass(frozen=True)
class Visit:
    """What is found at a refill, or at the end."""

    pulses: int
    estimate_nL: int
    reservoir_nL: int
    delivered_nL: int
    path_ng: int


# ---------------------------------------------------------------------------------------------------------------- ours
def configuration() -> Configuration:
    def pattern(days: int, flows: tuple[int, ...]) -> Pattern:
        return Pattern(days=days, steps=tuple(Step(60 * hour, StepKind.RATE, flow, 0) for hour, flow in enumerate(flows)))

    return configuration_of(
        concentration_ng_per_mL=NG_PER_ML,
        reservoir_set=True,
        reservoir_volume_nL=FILL_NL + RESIDUAL_NL,
        path_volume_nL=PATH_NL,
        empty_alarm_nL=RESIDUAL_NL,
        mode=Mode.FLEX,
        flow_nL_per_day=0,
        patterns=(pattern(0b0011111, WEEKDAY), pattern(0b1100000, WEEKEND)),
    )


def commit(pump: SimulatedPump, cmd_id: int, payload: bytes) -> None:
    digest = hashlib.sha256(payload).digest()
    pump.order(Stage(cmd_id, CommandKind.CONFIGURE, cmd_id - 1, len(payload), 0, payload), WHO)
    reply = pump.order(Commit(cmd_id, digest, cmd_id - 1), WHO)
    assert isinstance(reply, Result), reply
    assert reply.result.outcome is Outcome.APPLIED, reply


def visit(pump: SimulatedPump) -> Visit:
    status, truth = pump.order(GetStatus(), WHO), pump.truth
    assert isinstance(status, Status)
    return Visit(status.lifetime_pulses, status.reservoir_nL, truth.reservoir_nL, truth.delivered_nL, round(sum(truth.path_tanks_ng)))


def our_pump(days: int, profile: PumpProfile) -> list[Visit]:
    """The simulated pump through `days`; what is found at each refill and at the end."""
    pump = SimulatedPump(profile, seed=1, fill_nL=FILL_NL + RESIDUAL_NL, path_volume_nL=PATH_NL)
    pump.provision(WHO.programmer_id, WHO.role, bytes(32))
    payload = encode_configuration(configuration())
    commit(pump, 1, payload)
    visits = []
    for number, day in enumerate(refill_days(days), start=2):
        pump.advance_to(day * DAY_MS + REFILL_HOUR * 3_600_000)
        visits.append(visit(pump))
        pump.plant.aspirate()
        pump.plant.fill(FILL_NL, NG_PER_ML)
        commit(pump, number, payload)
    pump.advance_to(days * DAY_MS)
    return [*visits, visit(pump)]


# ---------------------------------------------------------------------------------------------------------------- peers
def _flows(days: int) -> Generator[tuple[int, int], None, None]:
    """(flow, ms until the next change), hour by hour; day 0 is a Monday."""
    for day in range(days):
        for flow in WEEKEND if day % 7 >= 5 else WEEKDAY:
            yield flow, 3_600_000


def simpy_pump(days: int, profile: PumpProfile) -> list[Visit]:
    """The peer: one process wakes at each flow change, another at each refill; both settle the pump's state up to then."""
    env = simpy.Environment()
    motor = SimulatedPump(profile, seed=1).plant.motor
    pulse_units = profile.firmware.pulse_volume_nL * UNITS_PER_NL
    volume_units, pulses, flow, since = 0, 0, 0, 0
    estimate, reservoir, delivered, true_before = FILL_NL + RESIDUAL_NL, FILL_NL + RESIDUAL_NL, 0, 0
    path = empty_path(PATH_NL, profile.plant.path_tanks)
    visits: list[Visit] = []

    def settle() -> None:
        nonlocal volume_units, pulses, since, estimate, reservoir, delivered, true_before, path
        now = int(env.now)
        volume_units += flow * (now - since)
        since = now
        due = (2 * volume_units + pulse_units) // (2 * pulse_units)
        if due == pulses:
            return
        estimate -= (due - pulses) * profile.firmware.pulse_volume_nL
        pulses = due
        true_now = motor.volume_nL(pulses)
        displaced = min(true_now - true_before, max(0, reservoir - RESIDUAL_NL))
        true_before = true_now
        reservoir -= displaced
        delivered += displaced
        path = path.after(displaced, FG_PER_NL)

    def found() -> Visit:
        settle()
        return Visit(pulses, estimate, reservoir, delivered, round(sum(path.tanks_fg) / 1_000_000))

    def therapy() -> Generator[simpy.Event, None, None]:
        nonlocal flow
        for step_flow, length_ms in _flows(days):
            settle()
            flow = step_flow
            yield env.timeout(length_ms)

    def refills() -> Generator[simpy.Event, None, None]:
        nonlocal estimate, reservoir
        for day in refill_days(days):
            yield env.timeout(day * DAY_MS + REFILL_HOUR * 3_600_000 - int(env.now))
            visits.append(found())
            estimate = reservoir = FILL_NL + RESIDUAL_NL

    env.process(therapy())
    env.process(refills())
    env.run()
    return [*visits, found()]


def simpy_books(days: int) -> int:
    """The bare peer: scheduled volume and the level of the reservoir, nothing else. Units left at the end."""
    env = simpy.Environment()
    level, flow, since = (FILL_NL + RESIDUAL_NL) * UNITS_PER_NL, 0, 0

    def settle() -> None:
        nonlocal level, since
        now = int(env.now)
        level -= flow * (now - since)
        since = now

    def therapy() -> Generator[simpy.Event, None, None]:
        nonlocal flow
        for step_flow, length_ms in _flows(days):
            settle()
            flow = step_flow
            yield env.timeout(length_ms)
        settle()

    def refills() -> Generator[simpy.Event, None, None]:
        nonlocal level
        for day in refill_days(days):
            yield env.timeout(day * DAY_MS + REFILL_HOUR * 3_600_000 - int(env.now))
            settle()
            level = (FILL_NL + RESIDUAL_NL) * UNITS_PER_NL

    env.process(therapy())
    env.process(refills())
    env.run()
    return level


# ---------------------------------------------------------------------------------------------------------------- figures
def _equal(ours: list[Visit], peer: list[Visit]) -> None:
    """The same to the pulse and the nanolitre; drug in the path to 1e-9, since the two add it up in different order."""
    assert len(ours) == len(peer) == 41
    for mine, its in zip(ours, peer, strict=True):
        assert (mine.pulses, mine.estimate_nL, mine.reservoir_nL, mine.delivered_nL) == (
            its.pulses,
            its.estimate_nL,
            its.reservoir_nL,
            its.delivered_nL,
        )
        assert abs(mine.path_ng - its.path_ng) <= 1 + its.path_ng * 1e-9


def _memory_kB(days: int, profile: PumpProfile) -> float:
    """Largest memory that a run of this length takes beyond what was there before, kB."""
    tracemalloc.start()
    our_pump(days, profile)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 1024


def run() -> list[Figure]:
    """Everything asserted, then timed in interleaved rounds; medians of paired ratios."""
    usual, fine = load_profile("V-40"), load_profile("V-40", pulse_volume_nL=200)
    _equal(our_pump(TEN_YEARS, usual), simpy_pump(TEN_YEARS, usual))
    _equal(our_pump(TEN_YEARS, fine), simpy_pump(TEN_YEARS, fine))
    to_peer, to_books, to_usual, times = [], [], [], []
    for _ in range(ROUNDS):
        ours = _seconds(lambda: our_pump(TEN_YEARS, usual))
        finer = _seconds(lambda: our_pump(TEN_YEARS, fine))
        to_peer.append(_seconds(lambda: simpy_pump(TEN_YEARS, usual)) / ours)
        to_books.append(_seconds(lambda: simpy_books(TEN_YEARS)) / ours)
        to_usual.append(finer / ours)
        times.append(1000 * ours)
    memory = _memory_kB(TEN_YEARS, usual) / _memory_kB(TEN_YEARS // 10, usual)
    return [
        Figure(
            "ten years: simpy pump / ours", statistics.median(to_peer), 10, note="same state at each flow change, same finds at each refill"
        ),
        Figure("ten years: whole pump", statistics.median(times), 50, "at most", "ms", "40 refills, each a judged and journaled commit"),
        Figure("ten years: pulse volume / 10", statistics.median(to_usual), 1.1, "at most", note="ten times the pulses"),
        Figure("memory: ten years / one year", memory, 1.5, "at most", note="peak traced by tracemalloc"),
        Figure("ten years: bare simpy books / ours", statistics.median(to_books), 0, None, note="peer without pulses and physics"),
    ]


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    figures = run()
    print("\n".join(lines(figures)))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)
