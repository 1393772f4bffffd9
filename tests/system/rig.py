"""A whole simulated pump without a line: configurations are staged and committed past the link, in manual time."""

from __future__ import annotations

import hashlib

from hypothesis import strategies as st

from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.core import SessionInfo
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    CommandKind,
    CommandResult,
    Commit,
    Configuration,
    GetStatus,
    Mode,
    Outcome,
    Pattern,
    Result,
    Role,
    Stage,
    Staged,
    Status,
    Step,
    StepKind,
    encode_bolus_order,
    encode_configuration,
)
from tests.configurations import configuration_of

WHO = SessionInfo(b"SYSTEMPR", Role.CLINICIAN)
HOUR_MS, DAY_MS, WEEK_MS = 3_600_000, 86_400_000, 604_800_000
PULSE_NL, CONCENTRATION = 500, 500_000
UNITS_PER_NL = 86_400_000


def configuration(**changes: object) -> Configuration:
    """A continuous 0.3 mL/day of 500 mcg/mL in a P-40, changed as told."""
    fields: dict[str, object] = {
        "concentration_ng_per_mL": CONCENTRATION,
        "reservoir_set": True,
        "reservoir_volume_nL": 38_000_000,
        "flow_nL_per_day": 300_000,
    }
    return configuration_of(**(fields | changes))


class Rig:
    """A P-40 with a paired programmer who needs no link."""

    def __init__(self, seed: int = 1, fill_nL: int = 38_000_000) -> None:
        self.pump = SimulatedPump("P-40", seed=seed, fill_nL=fill_nL, concentration_ng_per_mL=CONCENTRATION)
        self.pump.provision(WHO.programmer_id, WHO.role, bytes(32))
        self.cmd_id = 0

    def staged(self, kind: CommandKind, payload: bytes) -> CommandResult:
        """Stage and commit; the pump's result."""
        self.cmd_id += 1
        revision = self.status().revision
        for offset in range(0, len(payload), 900):
            reply = self.pump.order(Stage(self.cmd_id, kind, revision, len(payload), offset, payload[offset : offset + 900]), WHO)
            assert isinstance(reply, Staged), reply
        reply = self.pump.order(Commit(self.cmd_id, hashlib.sha256(payload).digest(), revision), WHO)
        assert isinstance(reply, Result), reply
        return reply.result

    def configure(self, wanted: Configuration) -> None:
        result = self.staged(CommandKind.CONFIGURE, encode_configuration(wanted))
        assert result.outcome is Outcome.APPLIED, result

    def bolus(self, pulses: int, duration_s: int) -> CommandResult:
        counter = self.status().bolus_counter
        order = BolusOrder(layout=1, kind=BolusKind.SINGLE, from_counter=counter, to_counter=counter + pulses, duration_s=duration_s)
        return self.staged(CommandKind.BOLUS, encode_bolus_order(order))

    def try_bolus(self, pulses: int, duration_s: int) -> bool:
        """A bolus that the pump may refuse; whether it runs."""
        status = self.status()
        target = status.bolus_counter + pulses
        order = encode_bolus_order(BolusOrder(1, BolusKind.SINGLE, status.bolus_counter, target, duration_s))
        self.cmd_id += 1
        if isinstance(self.pump.order(Stage(self.cmd_id, CommandKind.BOLUS, status.revision, len(order), 0, order), WHO), Staged):
            reply = self.pump.order(Commit(self.cmd_id, hashlib.sha256(order).digest(), status.revision), WHO)
            return isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED
        return False

    def status(self) -> Status:
        reply = self.pump.order(GetStatus(), WHO)
        assert isinstance(reply, Status)
        return reply


@st.composite
def days(draw: st.DrawFn) -> tuple[Step, ...]:
    """Steps of a day: a rate at midnight, then rates and boluses that end before the next step."""
    starts = sorted(draw(st.sets(st.integers(1, 1380), max_size=6)))
    flow = st.integers(48_000, 900_000)
    steps = [Step(0, StepKind.RATE, draw(flow), 0)]
    for start, following in zip(starts, [*starts, 1440][1:], strict=True):
        gap = following - start
        if gap >= 15 and draw(st.booleans()):
            duration = draw(st.integers(10, min(gap, 240)))
            least = -(-48_000 * duration // (1440 * PULSE_NL))
            steps.append(Step(start, StepKind.BOLUS, draw(st.integers(max(1, least), max(least, 60))), duration))
        else:
            steps.append(Step(start, StepKind.RATE, draw(flow), 0))
    return tuple(steps)


@st.composite
def therapies(draw: st.DrawFn) -> Configuration:
    """Any therapy that a P-40 takes."""
    mode = draw(st.sampled_from([Mode.CONTINUOUS, Mode.FLEX, Mode.PERIODIC_BOLUS, Mode.MINIMUM_RATE]))
    common = {"mode": mode, "flow_nL_per_day": 0, "week_offset_ms": draw(st.integers(0, WEEK_MS - 1))}
    if mode is Mode.CONTINUOUS:
        return configuration(**common | {"flow_nL_per_day": draw(st.integers(48_000, 2_000_000))})
    if mode is Mode.PERIODIC_BOLUS:
        duration = draw(st.integers(10, 60))
        every = draw(st.integers(180, 1440))
        periodic = {"periodic_pulses": draw(st.integers(10, 40)), "periodic_duration_min": duration, "periodic_every_min": every}
        return configuration(**common | periodic | {"flow_nL_per_day": draw(st.integers(48_000, 300_000))})
    if mode is Mode.FLEX:
        weekday, weekend = draw(days()), draw(days())
        return configuration(**common | {"patterns": (Pattern(0b0011111, weekday), Pattern(0b1100000, weekend))})
    return configuration(**common)
