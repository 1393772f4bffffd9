"""The pump's own limits: what it refuses, whatever a programmer has checked before.

Numbers come from the pump's own profile, codes from the wire protocol's [limit] table. A request is accepted or refused, never
changed to fit; nobody can override. The companion has rules of its own, written apart (SR-02). Judged at staging and again at commit,
because uptime and what was given go on meanwhile. Not judged here: roles, revisions, counters and run state (`commands`), clinical
soft limits (companion).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from firmware_sim.firmware.course import PresentState, future_plan, keeps_bridge, plan_after_commit, present_concentration, same_label
from firmware_sim.firmware.cycle import DAY_MS, MINUTE_MS, UNITS_PER_NL, Cycle, compile_cycle, patterns_problem, periodic_anchor_ms
from firmware_sim.firmware.delivery import BolusSource
from firmware_sim.firmware.ledger import MASS_UNITS_PER_NG, Denial, max_future_mass_24h, never_more
from firmware_sim.profiles import DrugLimits, FirmwareProfile
from itbpump.wire.messages import STAGED_BYTES, BolusKind, BolusOrder, Configuration, LimitCode, Mode, StepKind

__all__ = [
    "PresentState",
    "check_bolus",
    "check_configuration",
    "check_patient_request",
    "check_payload_size",
    "max_pattern_mass_units_24h",
]

SECOND_MS = 1_000
NL_PER_ML = 1_000_000


@dataclass(frozen=True, slots=True)
class _Case:
    configuration: Configuration
    profile: FirmwareProfile
    present: PresentState

    @property
    def drug(self) -> DrugLimits:
        return self.profile.drugs[self.configuration.drug]

    @property
    def boluses(self) -> list[tuple[int, int]]:
        """(pulses, duration in ms) of every bolus of the therapy, patient boluses left out."""
        cfg = self.configuration
        boluses = [
            (step.amount, step.duration_min * MINUTE_MS)
            for pattern in cfg.patterns
            for step in pattern.steps
            if step.kind is StepKind.BOLUS
        ]
        if cfg.mode is Mode.PERIODIC_BOLUS:
            boluses.append((cfg.periodic_pulses, cfg.periodic_duration_min * MINUTE_MS))
        return boluses


def check_payload_size(total_length: int) -> LimitCode | None:
    """Judge the size in bytes a programmer announces for its staged data."""
    return LimitCode.PAYLOAD_SIZE if total_length > STAGED_BYTES else None


def check_configuration(configuration: Configuration, profile: FirmwareProfile, present: PresentState) -> LimitCode | None:
    """First limit that `configuration` breaks if it were committed now; None if the pump takes it."""
    case = _Case(configuration, profile, present)
    for rule in _RULES:
        code = rule(case)
        if code is not None:
            return code
    return None


def check_bolus(order: BolusOrder, profile: FirmwareProfile, present: PresentState) -> LimitCode | None:
    """First limit that a single or priming bolus breaks if it started now; None if the pump takes it.

    A prime fills the path and is bounded by its volume; `bolus_mass` holds for single boluses. The 24-h mass holds for both.
    """
    active = present.active
    if active is None or active.drug not in profile.drugs:
        return LimitCode.DRUG
    if order.kind not in (BolusKind.SINGLE, BolusKind.PRIME):
        return LimitCode.MODE_FIELDS
    pulses = order.to_counter - order.from_counter
    duration_ms = order.duration_s * SECOND_MS
    code = _bolus_shape(pulses, duration_ms, profile)
    if code is not None:
        return code
    volume_nL = pulses * profile.pulse_volume_nL
    if order.kind is BolusKind.PRIME:
        if volume_nL > active.path_volume_nL + profile.prime_margin_nL:
            return LimitCode.PRIME_VOLUME
        if present.last_prime_ms is not None and present.now_ms - present.last_prime_ms < profile.prime_lockout_ms:
            return LimitCode.PRIME_LOCKOUT
    elif volume_nL * present_concentration(active, present) > profile.drugs[active.drug].bolus_mass_max_ng * NL_PER_ML:
        return LimitCode.BOLUS_MASS
    if volume_nL > present.reservoir_nL - profile.residual_nL:
        return LimitCode.REFILL_FLOW
    return _bolus_mass_24h(BolusSource(pulses, duration_ms, present.now_ms, profile.pulse_volume_nL), active, profile, present)


def check_patient_request(profile: FirmwareProfile, present: PresentState) -> Denial | None:
    """Why a patient bolus may not start now; None if it may.

    Its shape was judged with the configuration; its mass again here, since it pushes out what is in the path.
    """
    active = present.active
    if active is None or active.patient_pulses == 0:
        return Denial.NONE_ALLOWED
    if not present.running or present.minimum_rate:
        return Denial.NOT_RUNNING
    if present.bolus is not None:
        return Denial.BOLUS_RUNNING
    denial = present.patient.may_start(present.now_ms, active.patient_lockout_min * MINUTE_MS, active.patient_max_per_day)
    if denial is not None:
        return denial
    volume_nL = active.patient_pulses * profile.pulse_volume_nL
    if volume_nL > present.reservoir_nL - profile.residual_nL:
        return Denial.RESERVOIR
    if volume_nL * present_concentration(active, present) > profile.drugs[active.drug].patient_mass_max_ng * NL_PER_ML:
        return Denial.PATIENT_DOSE
    bolus = BolusSource(active.patient_pulses, active.patient_duration_min * MINUTE_MS, present.now_ms, profile.pulse_volume_nL)
    return None if _bolus_mass_24h(bolus, active, profile, present) is None else Denial.MASS_24H


# ------------------------------------------------------------------------------------------------ rules of a configuration


def _mode_fields(case: _Case) -> LimitCode | None:
    cfg = case.configuration
    periodic = (cfg.periodic_pulses, cfg.periodic_duration_min, cfg.periodic_every_min)
    patient_rest = (cfg.patient_duration_min, cfg.patient_lockout_min, cfg.patient_max_per_day)
    delivers = cfg.mode is not Mode.STOPPED
    wrong = (
        cfg.flow_nL_per_day != 0 and cfg.mode not in (Mode.CONTINUOUS, Mode.PERIODIC_BOLUS),
        cfg.flow_nL_per_day == 0 and cfg.mode is Mode.CONTINUOUS,
        any(periodic) and cfg.mode is not Mode.PERIODIC_BOLUS,
        not all(periodic) and cfg.mode is Mode.PERIODIC_BOLUS,
        bool(cfg.patterns) and cfg.mode is not Mode.FLEX,
        bool(cfg.bridge_flow_nL_per_day or cfg.bridge_pulses) and not delivers and not keeps_bridge(cfg, case.present),
        cfg.patient_pulses != 0 and (not delivers or cfg.patient_max_per_day == 0),
        cfg.patient_pulses == 0 and any(patient_rest),
        cfg.reservoir_volume_nL != 0 and not cfg.reservoir_set,
    )
    return LimitCode.MODE_FIELDS if any(wrong) else None


def _patterns(case: _Case) -> LimitCode | None:
    cfg = case.configuration
    if cfg.mode is Mode.FLEX and patterns_problem(cfg.patterns) is not None:
        return LimitCode.PATTERNS
    # A periodic bolus longer than its period overlaps the next one.
    return LimitCode.PATTERNS if cfg.periodic_duration_min > cfg.periodic_every_min else None


def _label(case: _Case) -> LimitCode | None:
    cfg, active = case.configuration, case.present.active
    if cfg.drug not in case.profile.drugs:
        return LimitCode.DRUG
    if cfg.concentration_ng_per_mL not in case.drug.concentrations_ng_per_mL:
        return LimitCode.CONCENTRATION
    # The first label of all needs a filled reservoir too: without one the pump knows neither what nor how much it holds.
    same = active is not None and same_label(active, cfg)
    return None if same or cfg.reservoir_set else LimitCode.LABEL_CHANGE


def _volumes(case: _Case) -> LimitCode | None:
    cfg, profile = case.configuration, case.profile
    if cfg.reservoir_volume_nL > profile.capacity_nL:
        return LimitCode.CAPACITY
    if not profile.residual_nL <= cfg.empty_alarm_nL < cfg.low_alarm_nL < profile.capacity_nL:
        return LimitCode.ALARM_ORDER
    # Only a refill is judged: a dose must stay changeable while the reservoir is low.
    if cfg.reservoir_set and cfg.reservoir_volume_nL <= cfg.low_alarm_nL:
        return LimitCode.RESERVOIR_LOW
    return None if profile.path_min_nL <= cfg.path_volume_nL <= profile.path_max_nL else LimitCode.PATH_VOLUME


def _flows(case: _Case) -> LimitCode | None:
    """Zero is a flow like any other: it passes only where the profile's lowest is zero. Between boluses and in a pattern the pump may also
    run at its minimum rate, which can lie below the lowest programmable flow."""
    cfg, profile = case.configuration, case.profile
    flows = [step.amount for pattern in cfg.patterns for step in pattern.steps if step.kind is StepKind.RATE]
    if cfg.mode in (Mode.CONTINUOUS, Mode.PERIODIC_BOLUS):
        flows.append(cfg.flow_nL_per_day)
    for flow in flows:
        as_minimum_rate = flow == profile.minimum_rate_nL_per_day and cfg.mode is not Mode.CONTINUOUS
        if flow < profile.flow_min_nL_per_day and not as_minimum_rate:
            return LimitCode.FLOW_MIN
        if flow > profile.flow_max_nL_per_day:
            return LimitCode.FLOW_MAX
    return None


def _boluses(case: _Case) -> LimitCode | None:
    for pulses, duration_ms in case.boluses:
        code = _bolus_shape(pulses, duration_ms, case.profile)
        if code is not None:
            return code
        if _mass_ng_e6(pulses, case) > case.drug.bolus_mass_max_ng * NL_PER_ML:
            return LimitCode.BOLUS_MASS
    return None


def _bridge(case: _Case) -> LimitCode | None:
    """A bridge in force goes on, at its flow and to its end, whether it runs or waits for a start: to drop it would give the patient the
    old contents of the path at the new flow, to begin it again the new ones at the old flow. For the same reason there is none but at a
    change of label, and no such change while one is left."""
    cfg, profile, active = case.configuration, case.profile, case.present.active
    left = case.present.bridge_left_pulses
    if active is not None and left > 0:
        carried = cfg.bridge_flow_nL_per_day == active.bridge_flow_nL_per_day and cfg.bridge_pulses >= left
        if not (same_label(active, cfg) and carried):
            return LimitCode.BRIDGE
    if cfg.bridge_flow_nL_per_day == 0 and cfg.bridge_pulses == 0:
        return None
    if active is not None and same_label(active, cfg) and left == 0:
        return LimitCode.BRIDGE
    in_range = profile.flow_min_nL_per_day <= cfg.bridge_flow_nL_per_day <= profile.flow_max_nL_per_day
    volume_nL = cfg.bridge_pulses * profile.pulse_volume_nL
    fits = 0 < volume_nL <= cfg.path_volume_nL + profile.prime_margin_nL
    return None if in_range and cfg.bridge_flow_nL_per_day > 0 and fits else LimitCode.BRIDGE


def _patient(case: _Case) -> LimitCode | None:
    cfg, profile = case.configuration, case.profile
    if cfg.patient_pulses == 0:
        return None
    duration_ms = cfg.patient_duration_min * MINUTE_MS
    code = _bolus_shape(cfg.patient_pulses, duration_ms, profile)
    if code is not None:
        return code
    if _mass_ng_e6(cfg.patient_pulses, case) > case.drug.patient_mass_max_ng * NL_PER_ML:
        return LimitCode.PATIENT_DOSE
    if cfg.patient_lockout_min * MINUTE_MS < max(profile.patient_lockout_min_ms, duration_ms):
        return LimitCode.PATIENT_LOCKOUT
    return LimitCode.PATIENT_ALLOTMENT if cfg.patient_max_per_day > profile.patient_max_per_day else None


def _mass_24h(case: _Case) -> LimitCode | None:
    """The repeating pattern with patient boluses at their allotment; then the first two days with what was already given.

    In those first days future patient boluses are left out: each is judged with everything before it when it is asked for.
    """
    cfg, profile, present = case.configuration, case.profile, case.present
    anchor_ms = periodic_anchor_ms(cfg, present.active, present.anchor_ms, present.now_ms)
    cycle = compile_cycle(cfg, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, anchor_ms)
    limit_ng = case.drug.mass_24h_max_ng
    if max_pattern_mass_units_24h(cfg, cycle, profile.pulse_volume_nL) > limit_ng * MASS_UNITS_PER_NG:
        return LimitCode.MASS_24H
    if not (cfg.start or present.running):
        return None
    plan = plan_after_commit(cfg, cycle, profile, present)
    if max_future_mass_24h(present.ledger, plan, present.now_ms) <= limit_ng:
        return None
    # What was given cannot be taken back: a stop, a decrease or the same again is never refused for it.
    present_plan = future_plan(profile, present, present.bolus)
    return None if never_more(plan, present_plan, present.now_ms) else LimitCode.MASS_24H


_RULES: tuple[Callable[[_Case], LimitCode | None], ...] = (
    # What has meaning at all comes first: later rules rely on it.
    _mode_fields,
    _patterns,
    _label,
    _volumes,
    _flows,
    _boluses,
    _bridge,
    _patient,
    _mass_24h,
)


# ------------------------------------------------------------------------------------------------ what is to come


def max_pattern_mass_units_24h(configuration: Configuration, cycle: Cycle, pulse_volume_nL: int) -> int:
    """Largest mass in any 24 h of the repeating therapy, patient boluses at their allotment added; mass units."""
    patient_units = configuration.patient_max_per_day * configuration.patient_pulses * pulse_volume_nL * UNITS_PER_NL
    return (cycle.max_volume_in(DAY_MS) + patient_units) * configuration.concentration_ng_per_mL


def _bolus_mass_24h(bolus: BolusSource, active: Configuration, profile: FirmwareProfile, present: PresentState) -> LimitCode | None:
    planned_ng = max_future_mass_24h(present.ledger, future_plan(profile, present, bolus), present.now_ms)
    return LimitCode.MASS_24H if planned_ng > profile.drugs[active.drug].mass_24h_max_ng else None


def _bolus_shape(pulses: int, duration_ms: int, profile: FirmwareProfile) -> LimitCode | None:
    """Pulses, duration and flow of any bolus."""
    if pulses <= 0:
        return LimitCode.ZERO_PULSES
    if not profile.bolus_min_duration_s * SECOND_MS <= duration_ms <= profile.bolus_max_duration_s * SECOND_MS:
        return LimitCode.BOLUS_DURATION
    volume_units = pulses * profile.pulse_volume_nL * UNITS_PER_NL
    if volume_units > profile.flow_max_nL_per_day * duration_ms:
        return LimitCode.BOLUS_FLOW
    # A bolus replaces the therapy's flow: slower than the lowest flow it would starve the patient for its duration.
    return LimitCode.FLOW_MIN if volume_units < profile.flow_min_nL_per_day * duration_ms else None


def _mass_ng_e6(pulses: int, case: _Case) -> int:
    """Mass of `pulses` at the configuration's concentration, in 1e-6 ng: nL × ng/mL."""
    return pulses * case.profile.pulse_volume_nL * case.configuration.concentration_ng_per_mL
