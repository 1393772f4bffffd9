"""What a forecast starts from: a prescription, a pump as just read, or a prescription for that pump, each as the same plain facts.

Pure. Not here: dates (`dates`), what the facts are worth (`itbpump.safety`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING

from itbpump.configuration import prime_volume, to_configuration, week_offset_ms, wire_configuration
from itbpump.errors import ConfigurationError
from itbpump.forecast.course import Course, Drive
from itbpump.forecast.figures import load_figures
from itbpump.forecast.model import ForecastError, fixed_offset
from itbpump.history import elapsed_ms
from itbpump.present import BridgePlan, PresentPump, carried_bridge
from itbpump.quantity import MS_PER_MINUTE, Volume
from itbpump.schedule import WEEK_MS
from itbpump.wire.messages import Configuration, LogEntry, LogKind, Mode, RunState

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["Facts", "LastFill", "facts_of_change", "facts_of_prescription", "facts_of_pump", "last_fill"]


@dataclass(frozen=True, slots=True)
class LastFill:
    """The last fill in a pump's log: all that was in the reservoir then, and the day, None where the pump's clock went back and nothing
    tells by how much."""

    volume: Volume
    on: date | None


@dataclass(frozen=True, slots=True)
class Facts:
    """What flows (`course`) from how much. `filled_nL`: the volume that was last measured; what flowed since is a count. `bridge_note`:
    why no bridge could be planned. `uptime_ms`: the pump's age, None where it is not known."""

    source: str
    as_of: datetime
    course: Course
    volume_nL: int
    filled_nL: int
    low_nL: int
    filled_on: date | None
    implanted_on: date | None = None
    uptime_ms: int | None = None
    bridge_note: str = ""


def last_fill(log: Iterable[LogEntry], present: PresentPump) -> LastFill | None:
    """The newest fill in the log (oldest first), its day by the pump's uptime, which no setting of a clock moves; None if the log no
    longer shows one."""
    entries = list(log)
    newest = next((entry for entry in reversed(entries) if entry.kind is LogKind.REFILL), None)
    if newest is None:
        return None
    ago_ms = elapsed_ms(entries, newest, present.uptime_ms)
    on = None if ago_ms is None else (fixed_offset(present.host_now) - timedelta(milliseconds=ago_ms)).date()
    return LastFill(Volume(newest.a), on)


# ------------------------------------------------------------------------------------------------ a prescription alone
def facts_of_prescription(
    rx: Prescription,
    profile: PumpProfile,
    *,
    refill: Volume | None = None,
    filled: Volume | None = None,
    wired: Configuration | None = None,
) -> Facts:
    """As the file says: its volume was measured at `as_of` (or `refill` was, or `filled` at the last fill), its therapy begins then, or
    began at `since`."""
    as_of = fixed_offset(rx.pump.as_of)
    configuration = wired if wired is not None else wire_configuration(rx, profile)
    volume = refill.nL if refill is not None else rx.pump.reservoir_volume.nL
    return Facts(
        source="prescription",
        as_of=as_of,
        course=_course(rx, configuration, profile, _place_of_file(rx, configuration, as_of)),
        volume_nL=volume,
        filled_nL=volume if filled is None or refill is not None else filled.nL,
        low_nL=configuration.low_alarm_nL,
        filled_on=rx.drug.filled_on if rx.drug.filled_on is not None and refill is None else as_of.date(),
        implanted_on=rx.pump.implanted_on,
    )


def _course(rx: Prescription, configuration: Configuration, profile: PumpProfile, place_ms: int | None) -> Course:
    return Course(
        configuration=configuration,
        drive=Drive.THERAPY,
        pulse_nL=profile.pulse_volume.nL,
        minimum_nL_per_day=profile.minimum_rate.whole_nL_per_day,
        place_ms=place_ms,
        bridge_slack=load_figures().slack_pulses,
        patient_nL_per_day=_allotment_nL(configuration, profile),
        prime_nL=int(-(-prime_volume(rx).value // 1)) if rx.prime is not None else 0,
    )


def _place_of_file(rx: Prescription, configuration: Configuration, as_of: datetime) -> int:
    if configuration.mode is not Mode.PERIODIC_BOLUS:
        return week_offset_ms(as_of, as_of, 0)
    since = rx.therapy.since
    if since is None or since > as_of:
        return 0
    return int((as_of - since) / timedelta(milliseconds=1)) % (configuration.periodic_every_min * MS_PER_MINUTE)


def _allotment_nL(configuration: Configuration, profile: PumpProfile) -> int:
    return configuration.patient_max_per_day * configuration.patient_pulses * profile.pulse_volume.nL


# ------------------------------------------------------------------------------------------------ a pump as it is
def facts_of_pump(
    present: PresentPump, profile: PumpProfile, *, refill: Volume | None, filled: Volume | None, bolus_left_ms: int | None
) -> Facts:
    """As the pump says: its count, its phase of the week, what is left of a bolus and a bridge. ForecastError without a configuration,
    ConfigurationError for a bridge that the configuration does not have."""
    configuration = present.configuration
    if configuration is None:
        raise ForecastError("the pump has no configuration, so no volume to count from", action="program it: itbpump program RX --pump URL")
    drive = _drive(present)
    treats = drive is Drive.THERAPY
    bridge = carried_bridge(present) if treats else BridgePlan(0, 0)
    course = Course(
        configuration=configuration,
        drive=drive,
        pulse_nL=profile.pulse_volume.nL,
        minimum_nL_per_day=profile.minimum_rate.whole_nL_per_day,
        place_ms=_place_of_pump(present, configuration),
        bolus_pulses=present.bolus_left_pulses,
        bolus_ms=bolus_left_ms,
        bridge_nL_per_day=bridge.flow_nL_per_day,
        bridge_pulses=bridge.pulses,
        bridge_slack=load_figures().slack_pulses,
        patient_nL_per_day=_allotment_nL(configuration, profile) if treats else 0,
    )
    volume, measured = _volume(present, profile, refill, filled)
    return Facts(
        source="pump",
        as_of=fixed_offset(present.host_now),
        course=course,
        volume_nL=volume,
        filled_nL=measured,
        low_nL=configuration.low_alarm_nL,
        filled_on=fixed_offset(present.host_now).date() if refill is not None else None,
        uptime_ms=present.uptime_ms,
    )


def _drive(present: PresentPump) -> Drive:
    """A safe state gives the minimum rate where the pump tells that mode, and nothing where it tells the programmed one."""
    if present.run_state not in (RunState.RUNNING, RunState.SAFE):
        return Drive.NOTHING
    if present.mode is Mode.MINIMUM_RATE:
        return Drive.MINIMUM_RATE
    return Drive.THERAPY if present.run_state is RunState.RUNNING else Drive.NOTHING


def _place_of_pump(present: PresentPump, configuration: Configuration) -> int | None:
    """A pump does not tell when the bolus of a periodic therapy began."""
    if configuration.mode is Mode.PERIODIC_BOLUS:
        return None
    return (present.uptime_ms + configuration.week_offset_ms) % WEEK_MS


def _volume(present: PresentPump, profile: PumpProfile, refill: Volume | None, filled: Volume | None) -> tuple[int, int]:
    """The volume counted, and the one last measured; where that is not known, a full reservoir: nothing can have flowed from more."""
    if refill is not None:
        return refill.nL, refill.nL
    measured = filled.nL if filled is not None else max(profile.capacity.nL, present.reservoir_nL)
    return present.reservoir_nL, measured


# ------------------------------------------------------------------------------------------------ a prescription for that pump
def facts_of_change(
    rx: Prescription,
    present: PresentPump,
    profile: PumpProfile,
    *,
    refill: Volume | None,
    filled: Volume | None,
    bolus_left_ms: int | None,
    wired: Configuration | None = None,
) -> Facts:
    """As if the prescription were committed now: the pump's volume (`refill`: the new one), week and bridge, the prescription's therapy.

    A pump without a configuration takes the file's volume and day. A running bolus goes on.
    """
    host_now = present.host_now.astimezone(fixed_offset(rx.pump.as_of).tzinfo)
    configuration = wired if wired is not None else wire_configuration(rx, profile)
    old = present.configuration
    if old is None and refill is None:
        volume, measured = rx.pump.reservoir_volume.nL, rx.pump.reservoir_volume.nL
    else:
        volume, measured = _volume(present, profile, refill, filled)
    bridge_flow, bridge_pulses, note = _bridge(rx, present, profile, refill, configuration)
    course = replace(
        _course(rx, configuration, profile, _place_of_change(rx, configuration, present, old)),
        bolus_pulses=present.bolus_left_pulses,
        bolus_ms=bolus_left_ms,
        bridge_nL_per_day=bridge_flow,
        bridge_pulses=bridge_pulses,
    )
    filled_on = rx.drug.filled_on
    if refill is not None:
        filled_on = host_now.date()
    elif old is None and filled_on is None:  # the file's own date, as its review says; never one to come
        filled_on = min(fixed_offset(rx.pump.as_of).date(), host_now.date())
    return Facts(
        source="prescription for the pump",
        as_of=fixed_offset(host_now),
        course=course,
        volume_nL=volume,
        filled_nL=measured,
        low_nL=configuration.low_alarm_nL,
        filled_on=filled_on,
        implanted_on=rx.pump.implanted_on,
        uptime_ms=present.uptime_ms,
        bridge_note=note,
    )


def _place_of_change(rx: Prescription, configuration: Configuration, present: PresentPump, old: Configuration | None) -> int | None:
    """The pump keeps its week; a periodic therapy begins with the commit, unless mode and period stay as they are."""
    if configuration.mode is Mode.PERIODIC_BOLUS:
        kept = old is not None and (old.mode, old.periodic_every_min) == (configuration.mode, configuration.periodic_every_min)
        return None if kept else 0
    offset = old.week_offset_ms if old is not None else week_offset_ms(rx.pump.as_of, present.host_now, present.uptime_ms)
    return (present.uptime_ms + offset) % WEEK_MS


def _bridge(
    rx: Prescription, present: PresentPump, profile: PumpProfile, refill: Volume | None, wired: Configuration
) -> tuple[int, int, str]:
    """Flow and pulses of the bridge that comes first, and why there can be none: such a prescription is not sent, the review says so."""
    if rx.therapy.mode == "stopped":
        return 0, 0, ""
    try:
        sent = to_configuration(rx, present, profile, refill=refill, wired=wired)
    except ConfigurationError as error:
        return 0, 0, str(error)
    return sent.bridge_flow_nL_per_day, sent.bridge_pulses, ""
