"""What a plan does in the cerebrospinal fluid: the plan's prescriptions run in the simulated pump, and the drug that leaves its catheter's
tip put through one compartment. A model to compare plans by, not a prediction for a patient.

The pump is the simulator's own firmware with nominal mechanics, programmed as a real one would be: so each step is also judged by the pump.
The only module of this room that knows the simulator, and the only one with floats: nothing of it is ever sent. Not modelled: the gradient
along the spine, binding, effect, tolerance of the pump, patient boluses.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.profiles import PlantProfile
from firmware_sim.profiles import load_profile as load_simulated
from itbpump.configuration import PresentPump, to_configuration
from itbpump.link.errors import describe_error
from itbpump.plan.model import Plan, PlanError, time_text
from itbpump.plan.scale import view_of
from itbpump.plan.steps import is_treating, milliseconds
from itbpump.profiles import PumpProfile
from itbpump.quantity import MS_PER_DAY, Flow, Mass, Volume, rate_of_flow
from itbpump.therapy import Continuous, Prescription
from itbpump.wire.messages import (
    FRAGMENT_BYTES,
    CommandKind,
    Commit,
    Configuration,
    ConfigurationPage,
    ConfigurationSlot,
    ConfirmResult,
    Error,
    GetConfiguration,
    GetStatus,
    Outcome,
    Request,
    Result,
    Role,
    Stage,
    Staged,
    Status,
    decode_configuration,
    encode_configuration,
)

__all__ = ["CsfCourse", "CsfPoint", "CsfRefused", "simulate"]

_Reply = TypeVar("_Reply", Status, Staged, Result, ConfigurationPage)

SAMPLE_MS = 900_000  # a sixth of the half-life: what leaves the tip in between is taken as even
MOST_SAMPLES = 20_000
SETTLED_HALF_LIVES = 12  # what was there before has decayed to 1/4096
PATHS_THROUGH = 3  # path volumes after which the mixing path is full of one concentration
QUIET_FLOW_DAYS = 5  # a pump that treats nobody has had its path filled slowly, one path volume in so many days
JSON_POINTS = 500
HOUR_S = 3600
LEAD = timedelta(days=1)
WEEK = timedelta(days=7)
TAIL = timedelta(days=3)
FIRST_COMMAND, WHO = 1, SessionInfo(b"PLANNING", Role.CLINICIAN)


class CsfRefused(PlanError):
    """The simulated pump takes a step of the plan not: `at` says which, `why` in its words."""

    def __init__(self, at: datetime, why: str) -> None:
        super().__init__(f"the simulated pump refuses the step of {time_text(at)}: {why}")
        self.at = at
        self.why = why


@dataclass(frozen=True, slots=True)
class CsfPoint:
    """Drug in the compartment at a time, to the nearest ng."""

    at: datetime
    amount: Mass


@dataclass(frozen=True, slots=True)
class CsfCourse:
    """The course from a day before the first step on. `before` is the highest amount in a week of the present therapy; `half_life_h` and
    its known range are the simulator's."""

    points: tuple[CsfPoint, ...]
    before: Mass
    half_life_h: float
    half_life_range_h: tuple[float, float]

    @property
    def peak(self) -> CsfPoint:
        """The highest of all, the first of them."""
        return max(self.points, key=lambda point: point.amount)

    def json(self) -> dict[str, object]:
        """The model in words, the highest, and at most some hundred points of the course."""
        every = -(-len(self.points) // JSON_POINTS)
        return {
            "model": self.model,
            "highest_before": self.before.json(),
            "highest": {"at": self.peak.at.isoformat(timespec="minutes"), "amount": self.peak.amount.json()},
            "points": [{"at": point.at.isoformat(timespec="minutes"), "amount": point.amount.json()} for point in self.points[::every]],
        }

    @property
    def model(self) -> str:
        """What it is, in words."""
        low, high = self.half_life_range_h
        return (
            f"simulated: one compartment, half-life {self.half_life_h:.2f} h (unverified; {low:g} to {high:g} h are known); "
            "a model to compare plans by, not a prediction for a patient"
        )


def simulate(plan: Plan) -> CsfCourse:
    """Run the plan. Raises CsfRefused where the simulated pump refuses a step."""
    figures = load_simulated(plan.profile.name)
    plant = _nominal(figures.plant)
    half_life_ms = plant.csf_half_life_s * 1000
    first = plan.entries[0].at
    begin = first - LEAD
    rig = _Rig(plan, SimulatedPump(replace(figures, plant=plant), path_volume_nL=plan.present.catheter.path.nL), begin, half_life_ms)
    before = rig.warm_up()
    end = max([plan.entries[-1].at, *(milestone.at for milestone in plan.milestones)]) + TAIL
    span = max(SAMPLE_MS, -(-milliseconds(end - begin) // MOST_SAMPLES))
    points = [CsfPoint(begin, Mass(round(rig.csf_ng)))]
    for number, entry in enumerate(plan.entries):
        points += rig.run(entry.at, span)
        rig.refill_or_program(entry.rx)
        last = number + 1 == len(plan.entries)
        points += rig.run(end if last else plan.entries[number + 1].at, span)
    known = (plant.csf_half_life_min_s / HOUR_S, plant.csf_half_life_max_s / HOUR_S)
    return CsfCourse(tuple(points), before, plant.csf_half_life_s / HOUR_S, known)


def _nominal(plant: PlantProfile) -> PlantProfile:
    """The same pump model without what makes each pump its own: every pulse is its nominal volume."""
    return replace(
        plant,
        accuracy_mean_ppm=0,
        accuracy_sd_ppm=0,
        accuracy_bound_ppm=0,
        drift_bound_ppm=0,
        drift_step_ppm=0,
        scatter_bound_ppm=0,
        oscillator_bound_ppm=0,
    )


class _Rig:
    """The simulated pump in the plan's time, with the compartment behind it. `zero` is the time of the pump's uptime 0."""

    def __init__(self, plan: Plan, pump: SimulatedPump, begin: datetime, half_life_ms: int) -> None:
        self.plan, self.pump, self.begin = plan, pump, begin
        self.per_ms = math.log(2) / half_life_ms
        self.settling_ms = SETTLED_HALF_LIVES * half_life_ms
        self.csf_ng = 0.0
        self.zero = begin
        self._tip_ng = 0.0
        self._command = FIRST_COMMAND
        pump.provision(WHO.programmer_id, WHO.role, bytes(32))

    # -------------------------------------------------------------------------------------------- before the plan
    def warm_up(self) -> Mass:
        """Bring path and compartment to where the present therapy has them, and the reservoir full; the highest amount of a week."""
        present, profile = self.plan.present, self.plan.profile
        path_nL, full = present.catheter.path.nL, profile.capacity
        filling = present if is_treating(present) else _slowly(present, profile)
        flow = view_of(filling, profile).schedule.mean_flow
        filling_ms = int(PATHS_THROUGH * path_nL * MS_PER_DAY / flow) if flow else 0
        self.zero = self.begin - timedelta(milliseconds=filling_ms + self.settling_ms) - WEEK
        self.pump.plant.fill(full.nL, present.drug.concentration.ng_per_mL, present.drug.name)
        self._program(_with_volume(filling, full))
        for _ in self.run(self.zero + timedelta(milliseconds=filling_ms), SAMPLE_MS):
            pass
        self._program(_with_volume(present, full))
        for _ in self.run(self.begin - WEEK, SAMPLE_MS):
            pass
        before = max(point.amount for point in self.run(self.begin, SAMPLE_MS))
        self._draw_and_fill(full.nL, present.drug.concentration.ng_per_mL)
        self._program(present, refill=full)
        return before

    # -------------------------------------------------------------------------------------------- the plan
    def refill_or_program(self, rx: Prescription) -> None:
        """Take one step of the plan, with the refill and the rinses that a change of concentration comes with."""
        conversion = self.plan.conversion
        if conversion is None:
            self._program(rx)
            return
        if conversion.rinse is not None:
            for _ in range(conversion.rinse.times):
                self.pump.plant.aspirate("all")
                self.pump.plant.fill(conversion.rinse.volume_nL, conversion.rinse.fluid_ng_per_mL, rx.drug.name)
        self._draw_and_fill(conversion.volume_after.nL, conversion.new.ng_per_mL)
        self._program(rx, refill=conversion.volume_after)

    def run(self, until: datetime, span_ms: int) -> Iterator[CsfPoint]:
        """Let time pass, a sample at a time. Between two samples drug enters evenly: A e^-kt + m (1 − e^-kt) / kt."""
        end_ms = milliseconds(until - self.zero)
        while self.pump.uptime_ms < end_ms:
            before_ms = self.pump.uptime_ms
            self.pump.advance_to(min(end_ms, before_ms + span_ms))
            decay = self.per_ms * (self.pump.uptime_ms - before_ms)
            tip_ng = self.pump.truth.tip_mass_ng
            self.csf_ng = self.csf_ng * math.exp(-decay) - (tip_ng - self._tip_ng) * math.expm1(-decay) / decay
            self._tip_ng = tip_ng
            yield CsfPoint(self.now, Mass(round(self.csf_ng)))

    @property
    def now(self) -> datetime:
        return self.zero + timedelta(milliseconds=self.pump.uptime_ms)

    def _draw_and_fill(self, volume_nL: int, ng_per_mL: int) -> None:
        """Draw out all that comes, fill up to `volume_nL` beside the residual."""
        plant = self.pump.plant
        plant.aspirate("all")
        plant.fill(volume_nL - plant.truth().reservoir_nL, ng_per_mL, self.plan.present.drug.name)

    # -------------------------------------------------------------------------------------------- programming it
    def _program(self, rx: Prescription, refill: Volume | None = None) -> None:
        status = self._ask(GetStatus(), Status)
        present = PresentPump.from_status(status, self._configuration(), self.now)
        payload = encode_configuration(to_configuration(rx, present, self.plan.profile, refill=refill))
        for offset in range(0, len(payload), FRAGMENT_BYTES):
            fragment = payload[offset : offset + FRAGMENT_BYTES]
            self._ask(Stage(self._command, CommandKind.CONFIGURE, status.revision, len(payload), offset, fragment), Staged)
        reply = self._ask(Commit(self._command, hashlib.sha256(payload).digest(), status.revision), Result)
        if reply.result.outcome is not Outcome.APPLIED:
            raise CsfRefused(self.now, describe_error(reply.result.error, reply.result.error_detail))
        self.pump.order(ConfirmResult(self._command), WHO)
        self._command += 1

    def _configuration(self) -> Configuration | None:
        whole = b""
        while True:
            page = self._ask(GetConfiguration(ConfigurationSlot.ACTIVE, len(whole)), ConfigurationPage)
            whole += page.page
            if len(whole) >= page.total_length:
                return decode_configuration(whole) if whole else None

    def _ask(self, request: Request, wanted: type[_Reply]) -> _Reply:
        reply = self.pump.order(request, WHO)
        if isinstance(reply, wanted):
            return reply
        raise CsfRefused(self.now, describe_error(reply.code, reply.detail) if isinstance(reply, Error) else type(reply).__name__)


def _slowly(present: Prescription, profile: PumpProfile) -> Prescription:
    """The same pump filling its path so slowly that it does no harm: how a path is found that holds its drug."""
    flow = Flow(max(profile.flow_min.whole_nL_per_day, present.catheter.path.nL // QUIET_FLOW_DAYS))
    dose = rate_of_flow(flow, present.drug.concentration).rounded()
    return present.model_copy(update={"therapy": Continuous(mode="continuous", dose=dose)})


def _with_volume(rx: Prescription, volume: Volume) -> Prescription:
    return rx.model_copy(update={"pump": rx.pump.model_copy(update={"reservoir_volume": volume})})
