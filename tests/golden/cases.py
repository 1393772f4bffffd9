"""What the golden tables are made of: a case, and the patients and pumps their rows stand beside. Judgement only; nothing is sent.

Not here: the rows (`accidents`, `ordinary`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from itbpump.configuration import PresentPump, mass_of_units, schedule_for, wire_configuration
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import Refill
from itbpump.safety import Review, Severity, review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, LogEntry, LogKind, Mode, RunState

HOUR_MS = 3_600_000
UPTIME_MS = 900 * HOUR_MS


@dataclass(frozen=True)
class Accident:
    """`judge` must find at least `severity` by one of `rules`, and the messages of these rules must show every one of `figures`."""

    name: str
    source: str
    judge: Callable[[], Review]
    severity: Severity
    rules: frozenset[str]
    figures: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ordinary:
    """`judge` finds nothing that stands in the way but, at most soft, what `soft` names."""

    name: str
    source: str
    judge: Callable[[], Review]
    soft: frozenset[str] = frozenset()


def rules(*names: str) -> frozenset[str]:
    return frozenset(names)


def pump(rx: Prescription, **state: Any) -> PresentPump:
    """A pump that has been running this prescription for five weeks; `state` overrides what was read."""
    profile = load_profile(rx.pump.profile)
    configuration = wire_configuration(rx, profile)
    day = schedule_for(configuration, profile).volume_units_between(UPTIME_MS - 24 * HOUR_MS, UPTIME_MS)
    present = PresentPump(
        host_now=rx.pump.as_of,
        uptime_ms=UPTIME_MS,
        run_state=RunState.STOPPED if configuration.mode is Mode.STOPPED else RunState.RUNNING,
        mode=configuration.mode,
        revision=4,
        configuration=configuration,
        reservoir_nL=rx.pump.reservoir_volume.nL,
        lifetime_pulses=5_000,
        bolus_counter=40,
        bridge_left_pulses=0,
        path_left_pulses=0,
        bolus_left_pulses=0,
        mass_24h_ng=int(mass_of_units(day, configuration.concentration_ng_per_mL)),
        last_change_ms=UPTIME_MS - 36 * 24 * HOUR_MS,
        last_change_kind=CommandKind.CONFIGURE,
        path_concentration_ng_per_mL=configuration.concentration_ng_per_mL,
    )
    return replace(present, **state)


def fresh(rx: Prescription) -> PresentPump:
    """The same pump before its first configuration."""
    nothing = {"mass_24h_ng": 0, "path_concentration_ng_per_mL": 0, "lifetime_pulses": 0, "bolus_counter": 0}
    return pump(rx, configuration=None, run_state=RunState.UNCONFIGURED, mode=Mode.STOPPED, revision=0, **nothing)


def refill_of(present: PresentPump, profile: str, aspirated: str, filled: str) -> Refill:
    """A refill of a pump whose log knows its last fill."""
    filled_nL = load_profile(profile).capacity.nL * 19 // 20
    log = [LogEntry(seq=9, uptime_ms=HOUR_MS, wall_s=0, kind=LogKind.REFILL, a=filled_nL, b=0)]
    return Refill.plan(Volume.parse(aspirated), Volume.parse(filled), present, load_profile(profile), log)


# ------------------------------------------------------------------------------------------------ the four judges, as rows call them
def rx_review(rx: Prescription, current: Prescription | PresentPump | None = None, **more: Any) -> Callable[[], Review]:
    """A prescription beside a file, a pump, or nothing."""
    return lambda: review(rx, current, **more)


def bolus_review(dose: str, over: str, rx: Prescription, **state: Any) -> Callable[[], Review]:
    """A single bolus to the pump that runs `rx`."""

    def judge() -> Review:
        profile, patient = load_profile(rx.pump.profile), rx.patient
        who: Any = {"indication": patient.indication, "age_years": patient.age_years}
        return review_bolus(Mass.parse(dose), Duration.parse(over), pump(rx, **state), profile, **who)

    return judge


def prime_review(rx: Prescription, over: str, present: PresentPump) -> Callable[[], Review]:
    """A priming bolus of the prescription's path."""

    def judge() -> Review:
        return review_prime(rx, Duration.parse(over), present, load_profile(rx.pump.profile))

    return judge


def refill_review(aspirated: str, filled: str, present: PresentPump, profile: str, rx: Prescription | None = None) -> Callable[[], Review]:
    """A refill that keeps the therapy, or one that comes with a prescription."""

    def judge() -> Review:
        plan = refill_of(present, profile, aspirated, filled)
        return review_refill(plan, present, load_profile(profile)) if rx is None else review(rx, present, refill=plan)

    return judge
