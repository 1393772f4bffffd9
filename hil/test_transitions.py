"""Every order in every state: where it leads, what it refuses, and whether drug flows afterwards. The tables are the whole of it.

States: unconfigured, stopped, running, at the minimum rate (safe), with a single bolus under way, priming while stopped. A refusal must
leave everything as it was. Then every therapy mode to every other: a running pump never passes through a state without therapy.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import pytest

from hil.orders import Orders, applied, refusal
from hil.programme import patient_button
from itbpump.configuration import wire_configuration
from itbpump.hil.fixtures import Clock, Plant, Power, PumpUnderTest
from itbpump.profiles import load_profile
from itbpump.quantity import Volume
from itbpump.therapy import load_prescription
from itbpump.wire.messages import (
    BolusKind,
    BolusState,
    CommandKind,
    ErrorCode,
    LimitCode,
    LogKind,
    MinimumRate,
    Mode,
    Reply,
    RunState,
    Status,
    StopBolus,
    StopTherapy,
)

pytestmark = pytest.mark.needs("virtual-time", "plant-pulses")
THERAPY = "400 mcg/day"

# What a pump is doing, as status tells it: run state, mode, and the bolus if one is under way.
Doing = tuple[RunState, Mode, BolusKind | None]
UNCONFIGURED: Doing = (RunState.UNCONFIGURED, Mode.STOPPED, None)
# A stopped pump tells the mode of the therapy that is stored.
STOPPED: Doing = (RunState.STOPPED, Mode.CONTINUOUS, None)
RUNNING: Doing = (RunState.RUNNING, Mode.CONTINUOUS, None)
MINIMUM: Doing = (RunState.SAFE, Mode.MINIMUM_RATE, None)
BOLUS: Doing = (RunState.RUNNING, Mode.CONTINUOUS, BolusKind.SINGLE)
PRIMING: Doing = (RunState.STOPPED, Mode.CONTINUOUS, BolusKind.PRIME)
PRIMING_RUNNING: Doing = (RunState.RUNNING, Mode.CONTINUOUS, BolusKind.PRIME)
PATIENT: Doing = (RunState.RUNNING, Mode.CONTINUOUS, BolusKind.PATIENT)


def doing(status: Status) -> Doing:
    return status.run_state, status.mode, status.bolus_kind if status.bolus_state is BolusState.RUNNING else None


# ---------------------------------------------------------------------------------------------------------- states
def _unconfigured(_pump: PumpUnderTest) -> None:
    """As it was made."""


def _running(pump: PumpUnderTest) -> None:
    pump.program(pump.rx(patient_button(THERAPY)))


def _stopped(pump: PumpUnderTest) -> None:
    _running(pump)
    pump.stop()


def _minimum(pump: PumpUnderTest) -> None:
    _running(pump)
    assert applied(Orders(pump).direct(MinimumRate))


def _bolus(pump: PumpUnderTest) -> None:
    _running(pump)
    pump.bolus("25 mcg", "30m")


def _priming(pump: PumpUnderTest) -> None:
    _stopped(pump)
    assert applied(Orders(pump).bolus(100, 1_800, BolusKind.PRIME))


STATES: dict[str, tuple[Doing, Callable[[PumpUnderTest], None]]] = {
    "unconfigured": (UNCONFIGURED, _unconfigured),
    "stopped": (STOPPED, _stopped),
    "running": (RUNNING, _running),
    "minimum": (MINIMUM, _minimum),
    "bolus": (BOLUS, _bolus),
    "priming": (PRIMING, _priming),
}


# ---------------------------------------------------------------------------------------------------------- orders
def _configuration(orders: Orders, pump: PumpUnderTest, *, start: bool) -> Reply:
    if pump.configuration() is None:
        rx = load_prescription(pump.rx(THERAPY))
        first = wire_configuration(rx, load_profile(pump.info.profile), week_offset=0, set_volume=Volume(30_000_000), start=start)
        return orders.configure(first)
    return orders.configure(orders.active(start=start, flow_nL_per_day=150_000))


ORDERS: dict[str, Callable[[Orders, PumpUnderTest], Reply]] = {
    "start": lambda orders, pump: _configuration(orders, pump, start=True),
    "commit": lambda orders, pump: _configuration(orders, pump, start=False),
    "stop": lambda orders, _pump: orders.direct(StopTherapy),
    "stop-bolus": lambda orders, _pump: orders.direct(StopBolus),
    "minimum-rate": lambda orders, _pump: orders.direct(MinimumRate),
    "bolus": lambda orders, _pump: orders.bolus(20, 600),
    "prime": lambda orders, _pump: orders.bolus(100, 1_800, BolusKind.PRIME),
}
WRONG_STATE, BUSY = (ErrorCode.WRONG_STATE, 0), (ErrorCode.BOLUS_BUSY, 0)
NO_DRUG = (ErrorCode.LIMIT, LimitCode.DRUG)
PRIMED = (ErrorCode.LIMIT, LimitCode.PRIME_LOCKOUT)

# state × order → what it does then, or why the order is refused; protocols/SPEC.md, section 7.
TABLE: dict[tuple[str, str], Doing | tuple[ErrorCode, int]] = {
    ("unconfigured", "start"): RUNNING,
    ("unconfigured", "commit"): STOPPED,
    ("unconfigured", "stop"): UNCONFIGURED,
    ("unconfigured", "stop-bolus"): WRONG_STATE,
    ("unconfigured", "minimum-rate"): WRONG_STATE,
    ("unconfigured", "bolus"): NO_DRUG,
    ("unconfigured", "prime"): NO_DRUG,
    ("stopped", "start"): RUNNING,
    ("stopped", "commit"): STOPPED,
    ("stopped", "stop"): STOPPED,
    ("stopped", "stop-bolus"): WRONG_STATE,
    ("stopped", "minimum-rate"): WRONG_STATE,
    ("stopped", "bolus"): WRONG_STATE,
    ("stopped", "prime"): PRIMING,
    ("running", "start"): RUNNING,
    ("running", "commit"): RUNNING,
    ("running", "stop"): STOPPED,
    ("running", "stop-bolus"): WRONG_STATE,
    ("running", "minimum-rate"): MINIMUM,
    ("running", "bolus"): BOLUS,
    ("running", "prime"): PRIMING_RUNNING,
    ("minimum", "start"): RUNNING,
    ("minimum", "commit"): MINIMUM,
    ("minimum", "stop"): STOPPED,
    ("minimum", "stop-bolus"): WRONG_STATE,
    ("minimum", "minimum-rate"): MINIMUM,
    ("minimum", "bolus"): WRONG_STATE,
    ("minimum", "prime"): WRONG_STATE,
    ("bolus", "start"): BUSY,
    ("bolus", "commit"): BUSY,
    ("bolus", "stop"): STOPPED,
    ("bolus", "stop-bolus"): RUNNING,
    ("bolus", "minimum-rate"): MINIMUM,
    ("bolus", "bolus"): BUSY,
    ("bolus", "prime"): PRIMING_RUNNING,
    ("priming", "start"): BUSY,
    ("priming", "commit"): BUSY,
    ("priming", "stop"): STOPPED,
    ("priming", "stop-bolus"): STOPPED,
    ("priming", "minimum-rate"): WRONG_STATE,
    ("priming", "bolus"): WRONG_STATE,
    ("priming", "prime"): PRIMED,
}


def test_table_has_every_order_in_every_state() -> None:
    assert set(TABLE) == set(product(STATES, ORDERS))


@pytest.mark.sr("SR-21", "SR-22", "SR-23")
@pytest.mark.parametrize(("state", "order"), list(TABLE))
def test_order_in_state(state: str, order: str, pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    begins, bring = STATES[state]
    bring(pump)
    assert doing(pump.status()) == begins
    clock.advance("1m")
    before, orders = pump.status(), Orders(pump)
    reply = ORDERS[order](orders, pump)
    expected, after = TABLE[state, order], pump.status()
    if isinstance(expected[0], ErrorCode):
        assert refusal(reply) == expected
        assert doing(after) == begins, "a refusal changes nothing"
        assert (after.revision, after.digest) == (before.revision, before.digest)
    else:
        assert applied(reply), refusal(reply)
        assert doing(after) == expected
    _require_flow(doing(after), pump, clock, plant)


def _require_flow(now: Doing, pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    """Drug flows exactly where the pump says so: in the bolus if there is one, and in the two hours behind it."""
    if now[2] is not None:
        from_ms = clock.uptime_ms()
        clock.advance(pump.status().bolus_left_ms)
        assert plant.pulses(from_ms, clock.uptime_ms()), "the bolus is said to run, and nothing comes"
        assert pump.status().bolus_state is BolusState.DONE
    from_ms = clock.uptime_ms()
    clock.advance("4h")
    flows = bool(plant.pulses(from_ms, clock.uptime_ms()))
    assert flows == (now[0] in {RunState.RUNNING, RunState.SAFE}), (
        f"{now[0].name.lower()}, and drug {'flows' if flows else 'does not flow'}"
    )


# ------------------------------------------------------------------------------------------------- the patient's button
BUTTON = {"unconfigured": None, "stopped": None, "running": PATIENT, "minimum": None, "bolus": None, "priming": None}


@pytest.mark.sr("SR-14", "SR-21", "SR-27")
@pytest.mark.needs("bench-hands")
@pytest.mark.parametrize("state", STATES)
def test_button_in_state(state: str, pump: PumpUnderTest, plant: Plant) -> None:
    begins, bring = STATES[state]
    bring(pump)
    granted = plant.patient_request()
    assert doing(pump.status()) == (BUTTON[state] or begins)
    assert granted == (BUTTON[state] is not None)


# ------------------------------------------------------------------------------------------------------------- resets
AFTER_RESET: dict[str, Doing] = {
    "unconfigured": UNCONFIGURED,
    "stopped": STOPPED,
    "running": RUNNING,
    "minimum": MINIMUM,
    "bolus": RUNNING,
    "priming": STOPPED,
}


@pytest.mark.sr("SR-21", "SR-22", "SR-50")
@pytest.mark.needs("power-control")
@pytest.mark.parametrize("state", STATES)
def test_reset_in_state(state: str, pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> None:
    STATES[state][1](pump)
    clock.advance("1m")
    power.cycle()
    status = pump.status()
    assert doing(status) == AFTER_RESET[state]
    assert status.alarms == ()
    _require_flow(doing(status), pump, clock, plant)


# -------------------------------------------------------------------------------------------------------------- stops
@pytest.mark.sr("SR-22", "SR-31")
@pytest.mark.parametrize("kind", [BolusKind.SINGLE, BolusKind.PRIME])
def test_stop_ends_a_bolus_at_once(kind: BolusKind, pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    _running(pump)
    orders = Orders(pump)
    assert applied(orders.bolus(60, 3_600, kind))
    clock.advance("20m")
    assert applied(orders.direct(StopTherapy))
    at_ms, status = clock.uptime_ms(), pump.status()
    assert status.bolus_state is BolusState.ABORTED
    assert 0 < status.bolus_delivered < 60
    clock.advance("2h")
    assert plant.pulses(at_ms, clock.uptime_ms()) == []
    assert pump.status().bolus_counter == status.bolus_delivered
    (end,) = [entry for entry in pump.log() if entry.kind is LogKind.BOLUS_END]
    assert end.a == status.bolus_delivered


# -------------------------------------------------------------------------------------------------------------- modes
FLEX = """mode = "flex"
[[therapy.pattern]]
days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
steps = [{ at = "00:00", rate = "8 mcg/h" }, { at = "12:00", rate = "16 mcg/h" }]
"""
MODES: dict[str, tuple[Mode, str]] = {
    "continuous": (Mode.CONTINUOUS, 'mode = "continuous"\ndose = "300 mcg/day"'),
    "flex": (Mode.FLEX, FLEX),
    "periodic": (
        Mode.PERIODIC_BOLUS,
        'mode = "periodic-bolus"\ndose = "20 mcg"\nover = "30m"\nevery = "2h"\nbackground = "100 mcg/day"',
    ),
    "minimum-rate": (Mode.MINIMUM_RATE, 'mode = "minimum-rate"'),
    "stopped": (Mode.STOPPED, 'mode = "stopped"'),
}


@pytest.mark.sr("SR-21", "SR-24")
@pytest.mark.parametrize(("first", "second"), list(product(MODES, MODES)))
def test_from_mode_to_mode(first: str, second: str, pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    pump.program(pump.rx(MODES[first][1]))
    clock.advance("3h")
    before, uptime_ms = pump.status(), clock.uptime_ms()
    assert before.mode is MODES[first][0]
    pump.program(pump.rx(MODES[second][1]))
    after = pump.status()
    assert after.mode is MODES[second][0]
    assert after.revision == before.revision + 1
    assert after.run_state is (RunState.STOPPED if second == "stopped" else RunState.RUNNING)
    assert (after.flow_nL_per_day > 0) == (second != "stopped")
    clock.advance("9h")
    pulses = plant.pulses(uptime_ms, clock.uptime_ms())
    assert bool(pulses) == (second != "stopped")
    assert pump.status().lifetime_pulses - before.lifetime_pulses == len(pulses)
    configures = [entry for entry in pump.log() if entry.kind is LogKind.COMMITTED and entry.b >> 32 == CommandKind.CONFIGURE]
    assert len(configures) == 2
