"""From a prescription and the pump's present state to what the pump takes: one `Configuration`, or a `BolusOrder`; and what the pump must
then read back.

Pure: the host's time and the pump's state are arguments. Nothing here judges: `itbpump.safety` has reviewed the prescription before. What
cannot be expressed at all raises ConfigurationError. Not here: sending (`itbpump.pump`), showing (`itbpump.therapy_view`).
"""

from __future__ import annotations

from datetime import datetime, timezone
from fractions import Fraction
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from itbpump.errors import ConfigurationError
from itbpump.present import (
    THERAPEUTIC,
    BridgePlan,
    PresentPump,
    carried_bridge,
    configuration_digest,
    path_text,
    schedule_for,
    wait_text,
)
from itbpump.quantity import (
    MS_PER_DAY,
    MS_PER_HOUR,
    MS_PER_MINUTE,
    Concentration,
    Duration,
    Exact,
    Mass,
    Volume,
    flow_nL_per_day,
    pulses_for_mass,
)
from itbpump.schedule import UNITS_PER_NL, WEEK_MS
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    Configuration,
    Mode,
    Pattern,
    Step,
    StepKind,
)

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Flex, Prescription
    from itbpump.therapy import Step as PrescribedStep

__all__ = [
    "THERAPEUTIC",
    "BridgePlan",
    "PresentPump",
    "bolus_order",
    "bridge_wanted",
    "carried_bridge",
    "configuration_digest",
    "has_therapy",
    "mass_of_units",
    "path_text",
    "plan_bridge",
    "prime_order",
    "prime_volume",
    "schedule_for",
    "to_configuration",
    "wait_text",
    "week_offset_ms",
    "wire_configuration",
]

LAYOUT: Final = 1
_MODES: Final = {
    "stopped": Mode.STOPPED,
    "minimum-rate": Mode.MINIMUM_RATE,
    "continuous": Mode.CONTINUOUS,
    "flex": Mode.FLEX,
    "periodic-bolus": Mode.PERIODIC_BOLUS,
}


# ------------------------------------------------------------------------------------------------ a configuration
def to_configuration(
    rx: Prescription,
    present: PresentPump,
    profile: PumpProfile,
    *,
    refill: Volume | None = None,
    start: bool = True,
    wired: Configuration | None = None,
) -> Configuration:
    """The configuration that makes a pump in this state follow the prescription.

    `refill` is all that is in the reservoir after a refill, None without one; only a pump that never had a configuration takes the
    prescription's volume.
    `start` lets delivery begin with the commit. `wired` is `wire_configuration(rx, profile)` where it was made before.
    The pump's week stays as it is; a pump that has none gets the day at the offset of `as_of`.
    A bridge in force is carried on, whatever the pump's run state. Raises ConfigurationError (`rule` in brackets) for a pump that has
    lost its configuration without a refill (lost-configuration), for the minimum rate in a bridge (bridge-pending), and for another
    drug or concentration without a refill (label), while a bridge is in force (bridge-pending), before the path is clear (path-pending),
    or without a decision on the bridge (bridge-missing).
    """
    old = present.configuration
    if present.has_lost_its_configuration and refill is None:
        raise ConfigurationError(
            "the pump has lost its configuration, and with it what its reservoir holds",
            "measure it: draw it out, fill, and tell the pump by itbpump refill --rx",
            "lost-configuration",
        )
    offset = old.week_offset_ms if old is not None else week_offset_ms(rx.pump.as_of, present.host_now, present.uptime_ms)
    set_volume = refill if refill is not None else (rx.pump.reservoir_volume if old is None else None)
    bridge = BridgePlan(0, 0)
    if old is not None and _is_relabelled(rx, old):
        if refill is None:
            raise ConfigurationError(
                "the prescription is for another drug or concentration than the pump holds",
                "refill with it, by itbpump refill --rx",
                "label",
            )
        bridge = _bridge_of_change(rx, present, old, profile, wired)
    elif present.bridging:
        if rx.therapy.mode == "minimum-rate":  # the bridge comes before it: the pump would give the old dose, not the least
            raise ConfigurationError(
                "a bridge is in force, and would be given before the minimum rate",
                "stop the pump by itbpump stop: the rest of the bridge then waits for the next start",
                "bridge-pending",
            )
        bridge = carried_bridge(present)
    return replace(
        wired if wired is not None else wire_configuration(rx, profile),
        week_offset_ms=offset,
        reservoir_set=set_volume is not None,
        reservoir_volume_nL=set_volume.nL if set_volume is not None else 0,
        bridge_flow_nL_per_day=bridge.flow_nL_per_day,
        bridge_pulses=bridge.pulses,
        start=start and rx.therapy.mode != "stopped",
    )


def wire_configuration(
    rx: Prescription,
    profile: PumpProfile,
    *,
    week_offset: int = 0,
    set_volume: Volume | None = None,
    bridge: BridgePlan | None = None,
    start: bool = True,
) -> Configuration:
    """The configuration for given week offset, volume and bridge; by default as a review shows it, away from any pump."""
    therapy, concentration, pulse = rx.therapy, rx.drug.concentration, profile.pulse_volume.nL
    flow = pulses = over = every = 0
    patterns: tuple[Pattern, ...] = ()
    if therapy.mode == "continuous":
        flow = flow_nL_per_day(therapy.dose, concentration)
    elif therapy.mode == "periodic-bolus":
        flow = flow_nL_per_day(therapy.background, concentration)
        pulses = pulses_for_mass(therapy.dose, concentration, pulse)
        over, every = therapy.over.minutes, therapy.every.minutes
    elif therapy.mode == "flex":
        patterns = _wire_patterns(therapy, concentration, pulse)
    bolus = rx.patient_bolus
    alarm = rx.pump.low_reservoir_alarm if rx.pump.low_reservoir_alarm is not None else profile.low_alarm_default
    return Configuration(
        layout=LAYOUT,
        drug=rx.drug.name,
        concentration_ng_per_mL=concentration.ng_per_mL,
        reservoir_set=set_volume is not None,
        reservoir_volume_nL=set_volume.nL if set_volume is not None else 0,
        path_volume_nL=rx.catheter.path.nL,
        low_alarm_nL=alarm.nL,
        empty_alarm_nL=profile.residual.nL,
        week_offset_ms=week_offset,
        start=start and therapy.mode != "stopped",
        mode=_MODES[therapy.mode],
        flow_nL_per_day=flow,
        periodic_pulses=pulses,
        periodic_duration_min=over,
        periodic_every_min=every,
        patterns=patterns,
        bridge_flow_nL_per_day=bridge.flow_nL_per_day if bridge is not None else 0,
        bridge_pulses=bridge.pulses if bridge is not None else 0,
        patient_pulses=pulses_for_mass(bolus.dose, concentration, pulse) if bolus is not None else 0,
        patient_duration_min=bolus.over.minutes if bolus is not None else 0,
        patient_lockout_min=bolus.lockout.minutes if bolus is not None else 0,
        patient_max_per_day=bolus.max_per_day if bolus is not None else 0,
    )


def _wire_patterns(therapy: Flex, concentration: Concentration, pulse_nL: int) -> tuple[Pattern, ...]:
    names = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    return tuple(
        Pattern(
            days=sum(1 << names.index(day) for day in pattern.days),
            steps=tuple(_wire_step(step, concentration, pulse_nL) for step in pattern.steps),
        )
        for pattern in therapy.pattern
    )


def _wire_step(step: PrescribedStep, concentration: Concentration, pulse_nL: int) -> Step:
    if step.rate is not None:
        flow = flow_nL_per_day(step.rate, concentration)
        return Step(start_min=step.at.minute, kind=StepKind.RATE, amount=flow, duration_min=0)
    if step.dose is None or step.over is None:
        raise ConfigurationError("a step is neither a rate nor a bolus")
    pulses = pulses_for_mass(step.dose, concentration, pulse_nL)
    return Step(start_min=step.at.minute, kind=StepKind.BOLUS, amount=pulses, duration_min=step.over.minutes)


def week_offset_ms(as_of: datetime, host_now: datetime, uptime_ms: int) -> int:
    """Offset at which (uptime + offset) mod 7 d is now the time since Monday 00:00, at the fixed offset from UTC of `as_of`: no zone,
    no DST."""
    shift = as_of.utcoffset()
    if shift is None or host_now.utcoffset() is None:
        raise ConfigurationError("a time without its offset from UTC", "pass aware datetimes")
    local = host_now.astimezone(timezone(shift))
    since_midnight = local.hour * MS_PER_HOUR + local.minute * MS_PER_MINUTE + local.second * 1_000 + local.microsecond // 1_000
    return (local.weekday() * MS_PER_DAY + since_midnight - uptime_ms) % WEEK_MS


# ------------------------------------------------------------------------------------------------ bridge
def _is_relabelled(rx: Prescription, old: Configuration) -> bool:
    return (rx.drug.name, rx.drug.concentration.ng_per_mL) != (old.drug, old.concentration_ng_per_mL)


def has_therapy(rx: Prescription) -> bool:
    """The prescription treats: not stopped, not the minimum rate."""
    return rx.therapy.mode not in {"stopped", "minimum-rate"}


def bridge_wanted(rx: Prescription) -> bool:
    """The prescription asks for a bridge at a change of concentration, and has a therapy to bridge to."""
    return rx.bridge is not None and rx.bridge.plan == "auto" and has_therapy(rx)


def _bridge_of_change(
    rx: Prescription, present: PresentPump, old: Configuration, profile: PumpProfile, wired: Configuration | None
) -> BridgePlan:
    if present.bridging:
        raise ConfigurationError(
            f"a bridge is in force: the path still holds {path_text(present)}", wait_text(present, profile), "bridge-pending"
        )
    if present.path_left_pulses:
        raise ConfigurationError(
            f"the path still holds {path_text(present)} of an earlier label, so no bridge can be computed",
            wait_text(present, profile),
            "path-pending",
        )
    if rx.bridge is None:
        raise ConfigurationError(
            "a change of concentration needs a bridge", 'add [bridge] plan = "auto", or "refused" with its reason', "bridge-missing"
        )
    if not bridge_wanted(rx):
        return BridgePlan(0, 0)
    old_flow = schedule_for(old, profile).mean_flow if present.is_treating else None
    new = wired if wired is not None else wire_configuration(rx, profile)
    return plan_bridge(
        path_nL=old.path_volume_nL,
        pulse_nL=profile.pulse_volume.nL,
        old_flow=old_flow,
        old_ng_per_mL=old.concentration_ng_per_mL,
        new_flow=schedule_for(new, profile).mean_flow,
        new_ng_per_mL=new.concentration_ng_per_mL,
    )


def plan_bridge(
    *, path_nL: int, pulse_nL: int, old_flow: Fraction | None, old_ng_per_mL: int, new_flow: Fraction, new_ng_per_mL: int
) -> BridgePlan:
    """Keep the old dose while the path still holds the old concentration (domain 2.2): the old mean flow, until the path's volume has
    passed.

    Where no old therapy runs (`old_flow` None) the new dose is given from the old concentration. Flow down to whole nL/day, pulses up.
    """
    flow = old_flow if old_flow is not None else new_flow * new_ng_per_mL / old_ng_per_mL
    return BridgePlan(int(flow // 1), -(-path_nL // pulse_nL))


def mass_of_units(units: Exact, concentration_ng_per_mL: int) -> Fraction:
    """Drug in a volume of the schedule, ng; exact."""
    return Fraction(units * concentration_ng_per_mL) / (UNITS_PER_NL * 1_000_000)


def patient_allotment_units(configuration: Configuration, profile: PumpProfile) -> int:
    """Volume of all patient boluses allowed in 24 h."""
    return configuration.patient_max_per_day * configuration.patient_pulses * profile.pulse_volume.nL * UNITS_PER_NL


# ------------------------------------------------------------------------------------------------ boluses
def bolus_order(
    dose: Mass, over: Duration, concentration: Concentration, pulse_volume: Volume, counter: int, kind: BolusKind = BolusKind.SINGLE
) -> BolusOrder:
    """A bolus as a target on the pump's bolus counter: the nearest pulses to the dose, ties down. ConfigurationError for no pulse at
    all."""
    return _order(pulses_for_mass(dose, concentration, pulse_volume.nL), over, counter, kind, f"{dose}")


def prime_order(rx: Prescription, profile: PumpProfile, over: Duration, counter: int) -> BolusOrder:
    """A priming bolus of the volume that the prescription's catheter and [prime] name (SR-13); pulses rounded down, so that it never
    overfills."""
    volume = prime_volume(rx)
    return _order(volume.nL // profile.pulse_volume.nL, over, counter, BolusKind.PRIME, f"{volume}")


def prime_volume(rx: Prescription) -> Volume:
    """Volume a prime fills: the whole path, or the catheter without the pump's tubing. ConfigurationError without [prime]."""
    if rx.prime is None:
        raise ConfigurationError("the prescription has no [prime]", 'add [prime] scope = "catheter" or "path"', "prime")
    tubing = rx.catheter.tubing_volume
    if rx.prime.scope == "catheter" and tubing is not None:
        return Volume(rx.catheter.path.nL - tubing.nL)
    return rx.catheter.path


def _order(pulses: int, over: Duration, counter: int, kind: BolusKind, amount: str) -> BolusOrder:
    if pulses <= 0:
        raise ConfigurationError(
            f"a bolus of {amount} is less than half a pulse of this pump", "prescribe more, or a lower concentration", "zero-pulses"
        )
    seconds, rest = divmod(over.ms, 1_000)
    if rest or seconds == 0:
        raise ConfigurationError(f"a bolus over {over.ms} ms is not whole seconds", "write its duration in minutes")
    return BolusOrder(layout=LAYOUT, kind=kind, from_counter=counter, to_counter=counter + pulses, duration_s=seconds)
