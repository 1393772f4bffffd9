"""Whatever fails, alone, in pairs or all at once: volumes balance to the nL, time may be cut anyhow, the same seed does the same."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from firmware_sim.bench import Kind
from firmware_sim.device import SimulatedPump
from firmware_sim.faults import Fault, FaultPlan, On, PlanError, Row, When, catalogue
from tests.unit.faults.patient import DAY_MS, check_volumes, plan_of, treated

INJECTED = [row for row in catalogue().rows if row.by == "inject"]
HOUR_MS = 3_600_000
START_MS = DAY_MS  # of a pump that `treated` gives


@st.composite
def values(draw: st.DrawFn, row: Row) -> dict[str, Any]:
    """Any arguments that the row takes, within what a test's time can show."""
    given_values: dict[str, Any] = {}
    for argument in row.arguments:
        match argument.kind:
            case Kind.CHOICE:
                given_values[argument.name] = draw(st.sampled_from(argument.choices))
            case Kind.BOOLEAN:
                given_values[argument.name] = draw(st.booleans())
            case Kind.DURATION:
                given_values[argument.name] = draw(st.integers(argument.low, min(argument.high, 2 * DAY_MS)))
            case _:
                given_values[argument.name] = draw(st.integers(argument.low, min(argument.high, 50_000_000)))
    if row.id == "mechanical.extra-pulse":
        given_values["pulses"] %= 40
    if row.id == "memory.log-wrap":
        given_values["entries"] %= 50
    return {name: max(value, 1) if name in ("pulses", "entries") else value for name, value in given_values.items()}


@st.composite
def whens(draw: st.DrawFn, on: On) -> When:
    """A moment within the next ten days; for repeated ones not more than some dozens."""
    if on is On.WRITE:
        return When(on, nth=draw(st.integers(1, 60)))
    if on is On.TIME:
        every = draw(st.sampled_from([None, 17 * HOUR_MS, DAY_MS]))
        return When(on, every=every) if every else When(on, nth=START_MS + draw(st.integers(1, 10 * DAY_MS)))
    first = draw(st.integers(650, 6_000))
    return draw(st.sampled_from([When(on, nth=first), When(on, window=(first, first + 3)), When(on, rate_ppm=1_000), When(on, every=700)]))


@st.composite
def faults(draw: st.DrawFn) -> Fault:
    row = draw(st.sampled_from([row for row in INJECTED if set(row.when) & {On.TIME, On.PULSE, On.WRITE}]))
    on = draw(st.sampled_from([on for on in row.when if on in (On.TIME, On.PULSE, On.WRITE)]))
    for_ms = draw(st.none() | st.integers(1, 5 * DAY_MS)) if row.lasting else None
    return Fault(row.id, draw(whens(on)), draw(values(row)), for_ms, draw(st.none() | st.integers(1, 4)))


PLANS = st.builds(FaultPlan, st.lists(faults(), min_size=1, max_size=5).map(tuple), st.integers(0, 1000))


def failing(plan: FaultPlan) -> SimulatedPump:
    pump = treated().pump
    pump.plan_faults(plan)
    return pump


def seen(pump: SimulatedPump) -> tuple[object, ...]:
    if pump.powered:
        pump.save()  # puts into the memory what is written between events
    pulses = [tuple(pulse) for pulse in pump.plant.pulses(max(START_MS, pump.plant.history_floor_ms), pump.plant.now_ms)]
    return pump.truth, pump.uptime_ms, pump.powered, pump.faults.fired, pump.faults.active, pulses, pump.memory.image()


@pytest.mark.sr("SR-28", "SR-34")
@settings(max_examples=40, deadline=None)
@given(PLANS, st.lists(st.integers(0, 4 * DAY_MS), min_size=1, max_size=5))
def test_volumes_balance_under_any_faults_and_flow_never_turns_round(plan: FaultPlan, pieces: list[int]) -> None:
    pump = failing(plan)
    out_nL = 0
    for piece in pieces:
        pump.advance(piece)
        truth = pump.truth
        check_volumes(truth)
        assert truth.delivered_nL + truth.ledger.lost_nL >= out_nL
        out_nL = truth.delivered_nL + truth.ledger.lost_nL
    assert all(pulse.volume_nL >= 0 for pulse in pump.plant.pulses(max(START_MS, pump.plant.history_floor_ms), pump.plant.now_ms))


@settings(max_examples=40, deadline=None)
@given(PLANS, st.lists(st.integers(0, 3 * DAY_MS), min_size=1, max_size=6))
def test_time_may_be_cut_anyhow_also_under_faults(plan: FaultPlan, pieces: list[int]) -> None:
    whole, cut = failing(plan), failing(plan)
    whole.advance(sum(pieces))
    for piece in pieces:
        cut.advance(piece)
    assert seen(whole) == seen(cut)


@settings(max_examples=20, deadline=None)
@given(PLANS)
def test_the_same_plan_and_seed_do_the_same(plan: FaultPlan) -> None:
    one, other = failing(plan), failing(plan)
    for pump in (one, other):
        pump.advance(12 * DAY_MS)
    assert seen(one) == seen(other)


PAIRS = list(itertools.combinations(INJECTED, 2))


@pytest.mark.parametrize("first", INJECTED, ids=lambda row: row.id)
def test_every_pair_happens_together_and_volumes_balance(first: Row) -> None:
    for second in (two for one, two in PAIRS if one is first):
        pump = failing(plan_of(first, second))
        pump.advance(2 * DAY_MS)
        check_volumes(pump.truth)


def test_a_plan_that_lies_behind_is_refused() -> None:
    pump = treated().pump
    for when in (When(On.TIME, nth=DAY_MS), When(On.PULSE, nth=5), When(On.PULSE, window=(1, 9))):
        with pytest.raises(PlanError, match="lies behind"):
            pump.plan_faults(FaultPlan((Fault("mechanical.stall", When(On.TIME, nth=2 * DAY_MS)), Fault("mechanical.extra-pulse", when))))
    pump.advance(2 * DAY_MS)
    assert not pump.faults.fired
    assert not pump.truth.stalled
