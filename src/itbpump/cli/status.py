"""`itbpump status`: what the pump says of itself, as a screen and as JSON. Reading changes nothing in the pump."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import Output
from itbpump.cli.pumps import opened, who

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.therapy_view import TherapyView
    from itbpump.wire.messages import AlarmState, CommandResult, Info, Status

__all__ = ["PumpView", "bolus_text", "iso", "read_view", "result_text", "status", "status_json", "status_lines", "week_text"]

_ERI_NOT_RAISED = 65_535
_LABEL_WIDTH = 16


def status(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump: /dev/ttyUSB0, COM3, socket://HOST:PORT, sim://P-40?fill=38mL.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Show what the pump says of itself: therapy, reservoir, alarms, battery, clock. Changes nothing in it."""
    out = Output(as_json)
    with opened(url) as pump:
        view = read_view(pump)
    out.data(status_json(view))
    if not as_json:
        out.say(*status_lines(view))


@dataclass(frozen=True, slots=True)
class PumpView:
    """One reading of a pump: its own words and what they mean. `therapy` is None while it has no configuration."""

    url: str
    info: Info
    status: Status
    therapy: TherapyView | None
    others: tuple[CommandResult, ...]
    host_now: datetime
    simulated: bool
    changed_by: str


def read_view(pump: Pump) -> PumpView:
    """Read everything the screen shows. Raises LinkError, TransportError."""
    from itbpump.therapy_view import view_configuration
    from itbpump.wire.messages import Role

    now = pump.status()
    observer_reads = pump.info.role is not Role.EMERGENCY  # the emergency role may read the status only
    configuration = pump.configuration() if now.revision and observer_reads else None
    return PumpView(
        url=pump.session.transport.url,
        info=pump.info,
        status=now,
        therapy=view_configuration(configuration, pump.profile) if configuration is not None else None,
        others=pump.others_unconfirmed() if now.others_unconfirmed and observer_reads else (),
        host_now=pump.host_now(),
        simulated=pump.info.simulated,
        changed_by=who(now.last_change_by, pump),
    )


# ------------------------------------------------------------------------------------------------ figures
def iso(moment: datetime) -> str:
    """ISO date-time with its offset, to the second."""
    return moment.isoformat(timespec="seconds")


def week_text(week_ms: int) -> str:
    """Place in the pump's week: `Sun 10:03`."""
    from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
    from itbpump.therapy_view import DAY_NAMES

    day, within = divmod(week_ms, MS_PER_DAY)
    return f"{DAY_NAMES[day]} {within // MS_PER_HOUR:02d}:{within % MS_PER_HOUR // MS_PER_MINUTE:02d}"


def _pump_clock(view: PumpView) -> datetime | None:
    return datetime.fromtimestamp(view.status.wall_s, UTC).astimezone(view.host_now.tzinfo) if view.status.wall_s else None


def _gap_s(view: PumpView) -> int | None:
    """Pump's label less the host's time, whole seconds; None while the label is not set."""
    return view.status.wall_s - int(view.host_now.timestamp()) if view.status.wall_s else None


def _week_ms(view: PumpView) -> int | None:
    return (view.status.uptime_ms + view.status.week_offset_ms) % 604_800_000 if view.therapy is not None else None


def _at(view: PumpView, uptime_ms: int) -> datetime:
    """When the pump's clock showed `uptime_ms`, by the pump's own label, or by the host's time where that is not set."""
    return (_pump_clock(view) or view.host_now) - timedelta(milliseconds=view.status.uptime_ms - uptime_ms)


def _ago(view: PumpView, uptime_ms: int) -> str:
    minutes = (view.status.uptime_ms - uptime_ms) // 60_000
    days, rest = divmod(minutes, 1_440)
    hours, minutes = divmod(rest, 60)
    parts = [f"{count:,} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
    return (" ".join(parts[:2]) or "less than a minute") + " ago by the pump's clock"


# ------------------------------------------------------------------------------------------------ screen
def status_lines(view: PumpView) -> list[str]:
    """The screen: one line per thing, alarms first, wherever there are any."""
    from itbpump.quantity import Concentration

    info, now = view.info, view.status
    lines = [
        _row("Pump", f"{info.serial}, {info.profile}, firmware {info.firmware}" + (", SIMULATED" if view.simulated else "")),
        *_alarm_rows(view),
        _row("State", _state(now)),
    ]
    if view.therapy is not None:
        concentration = Concentration(now.concentration_ng_per_mL)
        lines += [
            _row("Mode", f"{now.mode.name.lower().replace('_', ' ')}, {now.drug} {concentration}, revision {now.revision}"),
            _row("Delivers now", _delivering(view)),
            _row("Programmed", _programmed(view.therapy)),
        ]
    elif now.revision:
        lines.append(_row("Mode", f"{now.mode.name.lower().replace('_', ' ')}, revision {now.revision}"))
    lines += [_row("Bolus", bolus_text(view)), _row("Reservoir", _reservoir(view)), *_dose_rows(view), _row("Battery", _battery(view))]
    lines += [_row("Clock", _clock(view)), _row("Last change", _last_change(view))]
    lines += [_row("Unconfirmed", "another programmer has not yet confirmed: " + result_text(result)) for result in view.others]
    if now.doubt_pulses:
        lines.append(
            _row("In doubt", f"{now.doubt_pulses:,} pulses since formatting may or may not have been given (resets: {now.resets:,})")
        )
    return lines


def _row(label: str, text: str) -> str:
    return f"{label:<{_LABEL_WIDTH}}{text}"


def _state(now: Status) -> str:
    if now.run_state.name == "SAFE":
        return "SAFE STATE: the programmed therapy does not run; watch for withdrawal, find the cause, program it again"
    return now.run_state.name.lower() + ("" if now.drug else " (no therapy programmed)")


def _alarm_rows(view: PumpView) -> list[str]:
    if not view.status.alarms:
        return [_row("Alarms", "none")]
    rows = []
    for alarm in view.status.alarms:
        words = _words(alarm)
        silent = " (silenced)" if alarm.silenced_until_ms > view.status.uptime_ms else ""
        label = "ALARM critical" if alarm.priority.name == "CRITICAL" else "ALARM"
        rows += [_row(label, f"{words.text}{silent}, since {_ago(view, alarm.since_ms)}"), _row("", f"to do: {words.action}")]
    return rows


def _words(alarm: AlarmState) -> Any:
    from itbpump.cli.words import alarm_words

    return alarm_words(alarm.alarm)


def _delivering(view: PumpView) -> str:
    from itbpump.therapy_view import DeliveryView

    return str(DeliveryView.from_status(view.status, view.info.pulse_volume_nL))


def bolus_text(view: PumpView) -> str:
    """The running bolus, or the last one."""
    from itbpump.quantity import Concentration, Duration, Volume, mass_of_pulses
    from itbpump.wire.messages import BolusKind, BolusState

    now = view.status
    if now.bolus_kind is BolusKind.NONE or not now.concentration_ng_per_mL:
        return "none"
    concentration, pulse_nL = Concentration(now.concentration_ng_per_mL), view.info.pulse_volume_nL
    kind = now.bolus_kind.name.lower()
    if now.bolus_kind is BolusKind.PRIME:  # what a prime pushes is the path's content, not a dose
        given, asked = str(Volume(now.bolus_delivered * pulse_nL)), str(Volume(now.bolus_requested * pulse_nL))
    else:
        given = str(mass_of_pulses(now.bolus_delivered, concentration, pulse_nL).rounded())
        asked = str(mass_of_pulses(now.bolus_requested, concentration, pulse_nL).rounded())
    counts = f"{given} of {asked} ({now.bolus_delivered:,} of {now.bolus_requested:,} pulses)"
    if now.bolus_state is BolusState.RUNNING:
        return f"{kind} bolus RUNNING: {counts}, {Duration(now.bolus_left_ms)} left"
    return f"none running; the last, a {kind} bolus, is {now.bolus_state.name.lower()}: {counts}"


def _programmed(therapy: TherapyView) -> str:
    mean, lowest, highest = therapy.mean_day, therapy.lowest_day, therapy.highest_day
    return f"{mean} on every day" if lowest == highest else f"{mean} in the mean, days from {lowest} to {highest}"


def _reservoir(view: PumpView) -> str:
    from itbpump.quantity import Volume

    if not view.status.drug:
        return f"not entered (capacity {Volume(view.info.capacity_nL)})"
    alarm = f", low-reservoir alarm at {Volume(view.status.low_alarm_nL)}"
    return f"{Volume(view.status.reservoir_nL)} of {Volume(view.info.capacity_nL)}, estimated by counting pulses{alarm}"


def _dose_rows(view: PumpView) -> list[str]:
    from itbpump.quantity import Duration, Mass

    now = view.status
    rows = [_row("Last 24 h", f"{Mass(now.mass_24h_ng).rounded()} given")]
    if view.therapy is not None and view.therapy.patient is not None:
        lockout = f", next possible in {Duration(now.lockout_left_ms)}" if now.lockout_left_ms else ""
        rows.append(_row("Patient bolus", f"{view.therapy.patient}"))
        rows.append(
            _row("", f"given in 24 h: {now.patient_granted_24h}; in all {now.patient_granted:,}, denied {now.patient_denied:,}{lockout}")
        )
    return rows


def _battery(view: PumpView) -> str:
    from fractions import Fraction

    from itbpump.quantity import number_text

    left = f"{number_text(Fraction(view.status.battery_permille, 10))} %"
    days = view.status.eri_left_days
    return left if days == _ERI_NOT_RAISED else f"{left}, END OF SERVICE IN {days:,} days"


def _clock(view: PumpView) -> str:
    week = _week_ms(view)
    day = f"the pump's day is {week_text(week)}; " if week is not None else ""
    label, gap = _pump_clock(view), _gap_s(view)
    if label is None or gap is None:
        return f"{day}its wall clock is not set"
    word = "behind" if gap < 0 else "ahead of"
    apart = f"{abs(gap):,} s {word} this computer" if gap else "the same as this computer"
    return f"{day}its label is {label.strftime('%d %b %Y %H:%M:%S')}, {apart}"


def _last_change(view: PumpView) -> str:
    now = view.status
    if now.last_change_kind.name == "NONE":
        return "none"
    return f"{now.last_change_kind.name.lower().replace('_', ' ')} by {view.changed_by}, {_ago(view, now.last_change_ms)}"


def result_text(result: CommandResult) -> str:
    """A stored result in words."""
    what = f"{result.kind.name.lower().replace('_', ' ')} {result.outcome.name.lower().replace('_', ' ')}"
    pulses = f", {result.delivered_pulses:,} of {result.requested_pulses:,} pulses" if result.requested_pulses else ""
    return f"{what} by programmer {result.programmer.hex()}{pulses}"


# ------------------------------------------------------------------------------------------------ JSON
def status_json(view: PumpView) -> dict[str, Any]:
    """The form of `status --json`; amounts are text with their unit, null where the pump does not know."""
    from fractions import Fraction

    from itbpump.quantity import Flow, Mass, Volume, number_text
    from itbpump.therapy_view import DeliveryView

    info, now = view.info, view.status
    configured = bool(now.drug)  # a pump that lost its configuration has a revision, and knows neither drug nor volume
    delivery = DeliveryView.from_status(now, info.pulse_volume_nL)
    clock = _pump_clock(view)
    week = _week_ms(view)
    return {
        "pump": {
            "serial": info.serial,
            "profile": info.profile,
            "firmware": info.firmware,
            "protocol": f"{info.protocol_major_max}.{info.protocol_minor}",
            "memory_id": info.memory_id.hex(),
            "simulated": info.simulated,
            "constants_hash": info.constants_hash.hex(),
        },
        "therapy": {
            **(view.therapy.json() if view.therapy is not None else {}),
            "mode": now.mode.name.lower().replace("_", "-"),
            "revision": now.revision,
            "digest": now.digest.hex() if configured else None,
        },
        "running": now.run_state.name == "RUNNING",
        "run_state": now.run_state.name.lower(),
        "delivering": delivery.json() if configured else {**Flow(now.flow_nL_per_day).json(), "dose": None},
        "bridging": now.bridging,
        "reservoir": {
            "volume": Volume(now.reservoir_nL).json() if configured else None,
            "capacity": Volume(info.capacity_nL).json(),
            "low_alarm": Volume(now.low_alarm_nL).json() if configured else None,
            "estimated_at": iso(view.host_now),
        },
        "bolus": _bolus_json(view),
        "patient_boluses": {"given_24h": now.patient_granted_24h, "given": now.patient_granted, "denied": now.patient_denied},
        "given_last_24h": Mass(now.mass_24h_ng).json(),
        "alarms": [_alarm_json(view, alarm) for alarm in now.alarms],
        "battery": {
            "value": number_text(Fraction(now.battery_permille, 10)),
            "unit": "%",
            "days_to_end_of_service": None if now.eri_left_days == _ERI_NOT_RAISED else now.eri_left_days,
        },
        "clock": {
            "pump": iso(clock) if clock is not None else None,
            "host": iso(view.host_now),
            "gap_s": _gap_s(view),
            "pump_day": week_text(week) if week is not None else None,
            "uptime_ms": now.uptime_ms,
        },
        "last_change": {"kind": now.last_change_kind.name.lower(), "by": view.changed_by, "at": iso(_at(view, now.last_change_ms))}
        if now.last_change_kind.name != "NONE"
        else None,
        "others_unconfirmed": [result_json(result) for result in view.others],
        "doubt_pulses": now.doubt_pulses,
        "resets": now.resets,
        "link": {"url": view.url, "role": info.role.name.lower()},
    }


def _bolus_json(view: PumpView) -> dict[str, Any]:
    from itbpump.quantity import Concentration, mass_of_pulses

    now, pulse_nL = view.status, view.info.pulse_volume_nL
    concentration = Concentration(now.concentration_ng_per_mL)
    return {
        "kind": now.bolus_kind.name.lower(),
        "state": now.bolus_state.name.lower(),
        "requested_pulses": now.bolus_requested,
        "delivered_pulses": now.bolus_delivered,
        "requested": mass_of_pulses(now.bolus_requested, concentration, pulse_nL).json(),
        "delivered": mass_of_pulses(now.bolus_delivered, concentration, pulse_nL).json(),
        "left_s": -(-now.bolus_left_ms // 1_000),
    }


def _alarm_json(view: PumpView, alarm: AlarmState) -> dict[str, Any]:
    words = _words(alarm)
    return {
        "id": words.id,
        "number": alarm.alarm,
        "priority": alarm.priority.name.lower().replace("_", "-"),
        "since": iso(_at(view, alarm.since_ms)),
        "text": words.text,
        "action": words.action,
        "silenced": alarm.silenced_until_ms > view.status.uptime_ms,
    }


def result_json(result: CommandResult) -> dict[str, Any]:
    """A stored result for programs."""
    return {
        "programmer": result.programmer.hex(),
        "command": result.cmd_id,
        "kind": result.kind.name.lower(),
        "outcome": result.outcome.name.lower(),
        "revision": result.revision,
        "requested_pulses": result.requested_pulses,
        "delivered_pulses": result.delivered_pulses,
        "doubt_pulses": result.doubt_pulses,
        "bolus_state": result.bolus_state.name.lower(),
    }
