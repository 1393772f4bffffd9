"""The pump's own limits end to end: a programmer that checks nothing stages what breaks them, over the line, in a sealed session.

The companion's judgement is not in play: this module speaks by `itbpump.link` and `itbpump.wire` alone, and a test holds it to that. One
table says for each limit of the protocol what breaks it and what is just inside. The rules themselves, case by case, are
`tests/unit/firmware/test_limits.py`; denials of the patient's button are no limit codes and are tested there.
"""

from __future__ import annotations

import hashlib
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from firmware_sim.device import SimulatedPump
from itbpump.link.programmer import Opened, ProgrammerLink, Replied
from itbpump.wire.messages import (
    STAGED_BYTES,
    BolusKind,
    BolusOrder,
    CommandKind,
    Commit,
    ConfigurationSlot,
    Error,
    ErrorCode,
    GetConfiguration,
    GetInfo,
    GetStatus,
    Info,
    LimitCode,
    Mode,
    Outcome,
    Pattern,
    Reply,
    Request,
    Result,
    Role,
    RunState,
    Stage,
    Staged,
    Status,
    Step,
    StepKind,
    encode_bolus_order,
    encode_configuration,
)
from tests.configurations import configuration_of

KEY, PROGRAMMER = bytes(range(32)), b"PROGID01"
HOUR_MS, DAY_MS = 3_600_000, 86_400_000
PULSE_NL, PATH_NL, MARGIN_NL, RESIDUAL_NL = 500, 316_000, 25_000, 1_400_000
STRONG, WEAK = 2_000_000, 500_000  # one pulse is 1 mcg, or 0.25 mcg
MASS_24H_NG = 2_003_000
FLOW_AT_DAILY_LIMIT = MASS_24H_NG * 1_000_000 // STRONG
PATH_AND_MARGIN = (PATH_NL + MARGIN_NL) // PULSE_NL

BASE = configuration_of(
    concentration_ng_per_mL=STRONG, path_volume_nL=PATH_NL, low_alarm_nL=6_000_000, empty_alarm_nL=RESIDUAL_NL, flow_nL_per_day=100_000
)


class Line:
    """A P-40 and a paired clinician's link; every request crosses as bytes."""

    def __init__(self) -> None:
        self.pump = SimulatedPump("P-40", seed=7, fill_nL=38_000_000, concentration_ng_per_mL=STRONG)
        self.pump.provision(PROGRAMMER, Role.CLINICIAN, KEY)
        self.link = ProgrammerLink(PROGRAMMER, lambda _pump: KEY, random.Random(11).randbytes)
        self.now_ms = 0
        self.link.connect(self.now_ms)
        assert any(isinstance(event, Opened) for event in [*self._carry(), *self._carry()])

    def _carry(self) -> list[object]:
        self.pump.receive(self.link.transmit(), self.now_ms)
        return list(self.link.feed(self.pump.transmit(), self.now_ms))

    def ask(self, request: Request) -> Reply:
        self.now_ms += 1
        self.link.request(request, self.now_ms, self.now_ms + 10_000)
        (reply,) = [event.reply for event in self._carry() if isinstance(event, Replied)]
        return reply

    def status(self) -> Status:
        reply = self.ask(GetStatus())
        assert isinstance(reply, Status)
        return reply

    def next_id(self) -> int:
        reply = self.ask(GetInfo())
        assert isinstance(reply, Info)
        return reply.last_cmd_id + 1

    def stage(self, order: Order) -> Reply:
        """All fragments, or the first refusal."""
        cmd_id, revision, reply = self.next_id(), self.status().revision, None
        for offset in range(0, len(order.payload), 900):
            fragment = order.payload[offset : offset + 900]
            reply = self.ask(Stage(cmd_id, order.kind, revision, order.announced, offset, fragment))
            if isinstance(reply, Error):
                break
        assert reply is not None
        return reply

    def commit(self, order: Order, cmd_id: int) -> Reply:
        return self.ask(Commit(cmd_id, hashlib.sha256(order.payload).digest(), self.status().revision))

    def apply(self, order: Order) -> None:
        """Stage and commit what the pump must take."""
        staged = self.stage(order)
        assert isinstance(staged, Staged), staged
        assert staged.complete
        result = self.commit(order, staged.cmd_id)
        assert isinstance(result, Result), result
        assert result.result.outcome is Outcome.APPLIED, result

    def active(self) -> object:
        """The pages of the active configuration, as the line gives them."""
        return self.ask(GetConfiguration(ConfigurationSlot.ACTIVE, 0))


# ------------------------------------------------------------------------------------------------ what is sent
@dataclass(frozen=True)
class Order:
    """Bytes to stage. `announced` is the whole length told to the pump."""

    kind: CommandKind
    payload: bytes
    announced: int


def configured(**fields: object) -> Callable[[Line], Order]:
    """BASE with these fields."""

    def make(_line: Line) -> Order:
        payload = encode_configuration(replace(BASE, **fields))
        return Order(CommandKind.CONFIGURE, payload, len(payload))

    return make


def refilled(**fields: object) -> Callable[[Line], Order]:
    return configured(**{"reservoir_set": True, "reservoir_volume_nL": 38_000_000, **fields})


def relabelled(**fields: object) -> Callable[[Line], Order]:
    """A refill with the strong drug into a pump that holds the weak one."""
    return refilled(**{"flow_nL_per_day": 48_000, **fields})


def periodic(pulses: int, duration_min: int, every_min: int, flow: int = 6_000) -> Callable[[Line], Order]:
    times = {"periodic_pulses": pulses, "periodic_duration_min": duration_min, "periodic_every_min": every_min}
    return configured(mode=Mode.PERIODIC_BOLUS, flow_nL_per_day=flow, **times)


def flex(*steps: tuple[int, ...], days: int = 127) -> Callable[[Line], Order]:
    """(minute, flow) is a rate, (minute, pulses, minutes) a bolus; every day alike."""
    made = tuple(
        Step(step[0], StepKind.BOLUS if len(step) == 3 else StepKind.RATE, step[1], step[2] if len(step) == 3 else 0) for step in steps
    )
    return configured(mode=Mode.FLEX, flow_nL_per_day=0, patterns=(Pattern(days, made),))


def patient(pulses: int = 5, duration_min: int = 10, lockout_min: int = 360, most: int = 3, **fields: object) -> Callable[[Line], Order]:
    own = {"patient_pulses": pulses, "patient_duration_min": duration_min, "patient_lockout_min": lockout_min, "patient_max_per_day": most}
    return configured(**own, **fields)


def bolus(pulses: int, duration_s: int = 3_600, kind: BolusKind = BolusKind.SINGLE, *, of_usable: bool = False) -> Callable[[Line], Order]:
    """`pulses`, or so many more than the reservoir can give."""

    def make(line: Line) -> Order:
        status = line.status()
        count = pulses + ((status.reservoir_nL - RESIDUAL_NL) // PULSE_NL if of_usable else 0)
        payload = encode_bolus_order(BolusOrder(1, kind, status.bolus_counter, max(0, status.bolus_counter + count), duration_s))
        return Order(CommandKind.BOLUS, payload, len(payload))

    return make


def prime(pulses: int) -> Callable[[Line], Order]:
    return bolus(pulses, kind=BolusKind.PRIME)


def announced(length: int) -> Callable[[Line], Order]:
    """The first fragment of a payload of this size."""
    return lambda _line: Order(CommandKind.CONFIGURE, bytes(900), length)


# ------------------------------------------------------------------------------------------------ where it is sent
def fresh() -> Line:
    return Line()


def pump_with(order: Callable[[Line], Order]) -> Line:
    line = Line()
    line.apply(order(line))
    return line


def running() -> Line:
    """The strong drug for more than a day."""
    line = pump_with(refilled())
    line.pump.advance(26 * HOUR_MS)
    return line


def weak() -> Line:
    return pump_with(refilled(concentration_ng_per_mL=WEAK))


def bridging() -> Line:
    """A bridge of 600 pulses from weak to strong, at 100,000 nL/day."""
    line = weak()
    line.apply(relabelled(bridge_flow_nL_per_day=100_000, bridge_pulses=600)(line))
    assert line.status().bridge_left_pulses == 600
    return line


def bridged() -> Line:
    """The same when the bridge is through."""
    line = bridging()
    line.pump.advance(4 * DAY_MS)
    assert line.status().path_left_pulses == 0
    return line


def bridge_waiting() -> Line:
    line = bridging()
    line.apply(configured(mode=Mode.STOPPED, flow_nL_per_day=0, start=False, bridge_flow_nL_per_day=100_000, bridge_pulses=600)(line))
    assert line.status().run_state is RunState.STOPPED
    return line


def primed(hours: int) -> Callable[[], Line]:
    def scene() -> Line:
        line = running()
        line.apply(prime(100)(line))
        line.pump.advance(hours * HOUR_MS)
        return line

    return scene


def nearly_empty() -> Line:
    """80 pulses above the residual, low alarm just as deep."""
    return pump_with(refilled(reservoir_volume_nL=1_440_000, low_alarm_nL=RESIDUAL_NL + 1, flow_nL_per_day=48_000))


def at_daily_limit() -> Line:
    line = pump_with(refilled(flow_nL_per_day=FLOW_AT_DAILY_LIMIT))
    line.pump.advance(26 * HOUR_MS)
    return line


def strong_in_the_path() -> Line:
    """A weak label over a path that still holds the strong drug."""
    line = running()
    line.apply(refilled(concentration_ng_per_mL=WEAK)(line))
    return line


# ------------------------------------------------------------------------------------------------ the table
@dataclass(frozen=True)
class Case:
    """What breaks a limit in `scene`, and what is just inside of it in `quiet` (by default the same)."""

    breaks: Callable[[Line], Order]
    inside: Callable[[Line], Order]
    scene: Callable[[], Line] = running
    quiet: Callable[[], Line] | None = None


CASES: dict[LimitCode, tuple[Case, ...]] = {
    LimitCode.FLOW_MIN: (
        Case(configured(flow_nL_per_day=47_999), configured(flow_nL_per_day=48_000)),
        Case(flex((0, 100_000), (60, 47_999)), flex((0, 100_000), (60, 48_000))),
        Case(flex((0, 100_000), (60, 0)), flex((0, 100_000), (60, 6_000))),
        Case(periodic(20, 30, 360, 5_999), periodic(20, 30, 360, 6_000)),
        Case(bolus(1, 901), bolus(1, 900)),
    ),
    LimitCode.FLOW_MAX: (
        Case(flex((0, 100_000), (60, 24_000_001), (61, 100_000)), flex((0, 100_000), (60, 24_000_000), (61, 100_000))),
        Case(configured(flow_nL_per_day=24_000_001), configured(flow_nL_per_day=FLOW_AT_DAILY_LIMIT)),
    ),
    LimitCode.BOLUS_FLOW: (
        Case(bolus(34, 60), bolus(33, 60)),
        Case(flex((0, 48_000), (60, 34, 1)), flex((0, 48_000), (60, 33, 1))),
        Case(periodic(34, 1, 360), periodic(33, 1, 360)),
        Case(patient(34, 1), patient(33, 1)),
    ),
    LimitCode.BOLUS_MASS: (
        Case(bolus(101), bolus(100)),
        Case(flex((0, 48_000), (60, 101, 60)), flex((0, 48_000), (60, 100, 60))),
        Case(periodic(101, 60, 360), periodic(100, 60, 360)),
        # 101 pulses are 25.25 mcg by the label, and 101 mcg by what the path still holds
        Case(bolus(101), bolus(101), strong_in_the_path, weak),
    ),
    LimitCode.BOLUS_DURATION: (
        Case(bolus(10, 59), bolus(10, 60)),
        Case(patient(5, 0), patient(5, 1)),
    ),
    LimitCode.PATIENT_DOSE: (Case(patient(51), patient(50)),),
    LimitCode.PATIENT_LOCKOUT: (
        Case(patient(lockout_min=59), patient(lockout_min=60)),
        Case(patient(10, 90, lockout_min=89), patient(10, 90, lockout_min=90)),
    ),
    LimitCode.PATIENT_ALLOTMENT: (Case(patient(most=13), patient(most=12)),),
    LimitCode.MASS_24H: (
        Case(configured(flow_nL_per_day=FLOW_AT_DAILY_LIMIT + 1), configured(flow_nL_per_day=FLOW_AT_DAILY_LIMIT)),
        Case(patient(17, most=12, flow_nL_per_day=900_000), patient(16, most=12, flow_nL_per_day=900_000)),
        Case(periodic(100, 60, 60), periodic(83, 60, 60)),
        # in place of an hour of the therapy, which gives 83.46 mcg
        Case(bolus(84), bolus(83), at_daily_limit),
        Case(prime(600), prime(83), at_daily_limit),
    ),
    LimitCode.CONCENTRATION: (Case(refilled(concentration_ng_per_mL=2_000_001), refilled(concentration_ng_per_mL=3_000_000)),),
    LimitCode.DRUG: (
        Case(refilled(drug="saline"), refilled(drug="baclofen")),
        Case(bolus(10), bolus(10), fresh, running),
    ),
    LimitCode.CAPACITY: (Case(refilled(reservoir_volume_nL=40_000_001), refilled(reservoir_volume_nL=40_000_000)),),
    LimitCode.RESERVOIR_LOW: (Case(refilled(reservoir_volume_nL=6_000_000), refilled(reservoir_volume_nL=6_000_001)),),
    LimitCode.ALARM_ORDER: (
        Case(configured(empty_alarm_nL=RESIDUAL_NL - 1), configured(empty_alarm_nL=RESIDUAL_NL)),
        Case(configured(low_alarm_nL=RESIDUAL_NL), configured(low_alarm_nL=RESIDUAL_NL + 1)),
        Case(configured(low_alarm_nL=40_000_000), configured(low_alarm_nL=39_999_999)),
    ),
    LimitCode.PATH_VOLUME: (
        Case(configured(path_volume_nL=139_999), configured(path_volume_nL=140_000)),
        Case(configured(path_volume_nL=500_001), configured(path_volume_nL=500_000)),
    ),
    LimitCode.PRIME_VOLUME: (Case(prime(PATH_AND_MARGIN + 1), prime(PATH_AND_MARGIN)),),
    LimitCode.PAYLOAD_SIZE: (Case(announced(STAGED_BYTES + 1), announced(STAGED_BYTES)),),
    LimitCode.PATTERNS: (
        Case(flex((0, 100_000), (60, 20, 61), (120, 20, 60)), flex((0, 100_000), (60, 20, 60), (120, 20, 60))),
        Case(flex((1, 100_000)), flex((0, 100_000))),
        Case(flex((0, 100_000), (60, 50_000), (60, 60_000)), flex((0, 100_000), (60, 50_000), (61, 60_000))),
        Case(flex((0, 100_000), (1, 9, 5), (1435, 9, 7)), flex((0, 100_000), (1, 9, 5), (1435, 9, 6))),
        Case(flex((0, 100_000), days=63), flex((0, 100_000), days=127)),
        Case(periodic(20, 61, 60), periodic(20, 60, 60)),
    ),
    LimitCode.MODE_FIELDS: (
        Case(configured(flow_nL_per_day=0), configured()),
        Case(configured(mode=Mode.MINIMUM_RATE), configured(mode=Mode.MINIMUM_RATE, flow_nL_per_day=0)),
        Case(configured(mode=Mode.STOPPED), configured(mode=Mode.STOPPED, flow_nL_per_day=0)),
        Case(configured(periodic_every_min=60), configured()),
        Case(configured(patient_lockout_min=60), patient(lockout_min=60)),
        Case(configured(reservoir_volume_nL=38_000_000), refilled()),
        Case(bolus(10, kind=BolusKind.PATIENT), bolus(10, kind=BolusKind.PRIME)),
    ),
    LimitCode.ZERO_PULSES: (
        Case(bolus(0), bolus(25)),
        Case(flex((0, 100_000), (60, 0, 10)), flex((0, 100_000), (60, 1, 10))),
    ),
    LimitCode.BRIDGE: (
        Case(
            relabelled(bridge_flow_nL_per_day=100_000, bridge_pulses=PATH_AND_MARGIN + 1),
            relabelled(bridge_flow_nL_per_day=100_000, bridge_pulses=PATH_AND_MARGIN),
            weak,
        ),
        Case(
            relabelled(bridge_flow_nL_per_day=47_999, bridge_pulses=600),
            relabelled(bridge_flow_nL_per_day=48_000, bridge_pulses=600),
            weak,
        ),
        Case(configured(bridge_flow_nL_per_day=100_000, bridge_pulses=600), configured()),
        # one in force is carried on, whether it runs or waits, and lets no other label in
        Case(configured(), configured(bridge_flow_nL_per_day=100_000, bridge_pulses=600), bridging),
        Case(configured(start=False), configured(bridge_flow_nL_per_day=100_000, bridge_pulses=600), bridge_waiting),
        Case(
            configured(bridge_flow_nL_per_day=100_001, bridge_pulses=600),
            configured(bridge_flow_nL_per_day=100_000, bridge_pulses=600),
            bridging,
        ),
        Case(refilled(concentration_ng_per_mL=WEAK), refilled(concentration_ng_per_mL=WEAK), bridging, bridged),
    ),
    LimitCode.PRIME_LOCKOUT: (Case(prime(100), prime(100), primed(hours=23), primed(hours=24)),),
    LimitCode.LABEL_CHANGE: (
        Case(configured(concentration_ng_per_mL=WEAK), refilled(concentration_ng_per_mL=WEAK)),
        Case(configured(), refilled(), fresh),
    ),
    LimitCode.REFILL_FLOW: (Case(bolus(1, of_usable=True), bolus(0, of_usable=True), nearly_empty),),
}
NOT_OVER_THE_LINE: dict[LimitCode, str] = {}
"""Limits that no request can break, each with its reason; none today."""


@pytest.mark.sr("SR-02", "SR-05", "SR-39")
@pytest.mark.parametrize("code", list(CASES), ids=lambda code: code.name.lower())
def test_a_programmer_that_checks_nothing_meets_each_limit_and_changes_nothing(code: LimitCode) -> None:
    for case in CASES[code]:
        line = case.scene()
        order = case.breaks(line)
        before, active, image = line.status(), line.active(), line.pump.memory.image()
        cmd_id = line.next_id()
        refused = line.stage(order)
        assert refused == Error(code=ErrorCode.LIMIT, detail=code, cmd_id=cmd_id), case
        late = line.commit(order, cmd_id)
        assert isinstance(late, Error), case
        assert late.code == ErrorCode.NOT_STAGED, case
        assert line.status() == before
        assert line.active() == active
        assert line.pump.memory.image() == image


@pytest.mark.sr("SR-05", "SR-27")
@pytest.mark.parametrize("code", list(CASES), ids=lambda code: code.name.lower())
def test_what_is_just_inside_a_limit_is_taken(code: LimitCode) -> None:
    for case in CASES[code]:
        line = (case.quiet or case.scene)()
        order = case.inside(line)
        if order.announced > len(order.payload):
            staged = line.stage(order)
            assert isinstance(staged, Staged), staged
            assert (staged.received, staged.complete) == (len(order.payload), False)
        else:
            line.apply(order)


def test_the_table_has_every_limit_of_the_protocol() -> None:
    assert set(CASES) | set(NOT_OVER_THE_LINE) == set(LimitCode)
    assert not set(CASES) & set(NOT_OVER_THE_LINE)
    assert all(reason for reason in NOT_OVER_THE_LINE.values())
    assert all(CASES.values())


# ------------------------------------------------------------------------------------------------ at the commit
def drained(line: Line) -> None:
    line.pump.advance(HOUR_MS)


def pressed(line: Line) -> None:
    assert line.pump.patient_request()
    line.pump.advance(HOUR_MS)


def near_limit_with_button() -> Line:
    """1,900 mcg/day, and a button of 50 mcg."""
    line = pump_with(refilled_with_button)
    line.pump.advance(26 * HOUR_MS)
    return line


def refilled_with_button(line: Line) -> Order:
    own = {"patient_pulses": 50, "patient_duration_min": 10, "patient_lockout_min": 360, "patient_max_per_day": 1}
    return refilled(flow_nL_per_day=950_000, **own)(line)


@pytest.mark.sr("SR-02", "SR-07")
@pytest.mark.parametrize(
    ("scene", "order", "meanwhile", "code"),
    [
        (nearly_empty, bolus(0, of_usable=True), drained, LimitCode.REFILL_FLOW),
        (near_limit_with_button, bolus(100, 600), pressed, LimitCode.MASS_24H),
    ],
    ids=["refill_flow", "mass_24h"],
)
def test_a_limit_that_time_has_broken_since_staging_holds_at_the_commit(
    scene: Callable[[], Line], order: Callable[[Line], Order], meanwhile: Callable[[Line], None], code: LimitCode
) -> None:
    line = scene()
    staged = order(line)
    reply = line.stage(staged)
    assert isinstance(reply, Staged), reply
    meanwhile(line)
    before, active = line.status(), line.active()
    result = line.commit(staged, reply.cmd_id)
    assert isinstance(result, Result), result
    assert (result.result.outcome, result.result.error, result.result.error_detail) == (Outcome.REFUSED, ErrorCode.LIMIT, code)
    after = line.status()
    assert (after.revision, after.run_state, after.bolus_counter) == (before.revision, before.run_state, before.bolus_counter)
    assert (after.bolus_left_ms, line.active()) == (0, active)


def test_nothing_of_the_companions_judgement_is_loaded_here() -> None:
    root = Path(__file__).parents[2]
    rooms = ("safety", "therapy", "schedule", "configuration", "drugs", "profiles", "pump")
    probe = (
        "import sys, tests.system.test_pump_limits; "
        f"print([name for name in sys.modules if name.startswith('itbpump.') and name.split('.')[1] in {rooms!r}])"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(root / "src"), str(root)])}
    done = subprocess.run([sys.executable, "-c", probe], cwd=root, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
