"""A reading of a pump as rows of label and text: the screen of `itbpump status`, and the parts other faces show of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itbpump.wording.days import week_text
from itbpump.wording.layout import row
from itbpump.wording.pumpview import ERI_NOT_RAISED, PumpView, dose_kinds

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.therapy_view import TherapyView
    from itbpump.wire.messages import CommandResult, Status

__all__ = [
    "GIVEN_LATELY",
    "alarm_rows",
    "battery_text",
    "bolus_text",
    "change_rows",
    "clock_text",
    "delivering_text",
    "dose_rows",
    "given_lately_text",
    "given_text",
    "programmed_text",
    "reservoir_text",
    "result_text",
    "state_text",
    "status_lines",
]


def status_lines(view: PumpView) -> list[str]:
    """The screen: one line per thing, alarms first, wherever there are any."""
    from itbpump.quantity import Concentration

    info, now = view.info, view.status
    mode = now.mode.name.lower().replace("_", " ")
    pairs = [
        ("Pump", f"{info.serial}, {info.profile}, firmware {info.firmware}" + (", SIMULATED" if view.simulated else "")),
        *(("UNKNOWN", f"what became of {intent.what} (command {intent.cmd_id}): itbpump reconcile {view.url}") for intent in view.open),
        *alarm_rows(view),
        ("State", state_text(now)),
    ]
    if view.therapy is not None:
        pairs += [
            ("Mode", f"{mode}, {now.drug} {Concentration(now.concentration_ng_per_mL)}, revision {now.revision}"),
            ("Delivers now", delivering_text(view)),
            ("Programmed", programmed_text(view.therapy)),
        ]
    elif now.revision:
        pairs.append(("Mode", f"{mode}, revision {now.revision}"))
    pairs += [("Bolus", bolus_text(view)), ("Reservoir", reservoir_text(view)), *dose_rows(view), ("Battery", battery_text(view))]
    pairs += [("Clock", clock_text(view)), *change_rows(view)]
    pairs += [("Unconfirmed", "another programmer has not yet confirmed: " + result_text(result)) for result in view.others]
    if now.doubt_pulses:
        doubt = f"{now.doubt_pulses:,} pulses since formatting may or may not have been given (resets: {now.resets:,})"
        pairs.append(("In doubt", doubt))
    return [line for label, text in pairs for line in row(label, text)]


def state_text(now: Status) -> str:
    """What it does, and what a safe state asks for."""
    if now.run_state.name == "SAFE":
        return "SAFE STATE: the programmed therapy does not run; watch for withdrawal, find the cause, program it again"
    return now.run_state.name.lower() + ("" if now.drug else " (no therapy programmed)")


def alarm_rows(view: PumpView) -> list[tuple[str, str]]:
    """Alarms with what to do; `none` where nothing sounds."""
    from itbpump.wording.words import alarm_words

    if not view.status.alarms:
        return [("Alarms", "none")]
    rows = []
    for alarm in view.status.alarms:
        words = alarm_words(alarm.alarm)
        silent = " (silenced)" if alarm.silenced_until_ms > view.status.uptime_ms else ""
        label = "ALARM critical" if alarm.priority.name == "CRITICAL" else "ALARM"
        rows += [(label, f"{words.text}{silent}, since {view.ago(alarm.since_ms)}"), ("", f"to do: {words.action}")]
    return rows


def delivering_text(view: PumpView) -> str:
    """What flows now, or that the motor stands."""
    from itbpump.therapy_view import DeliveryView

    text = str(DeliveryView.from_status(view.status, view.info.pulse_volume_nL))
    return f"{text} commanded, but the motor stands: nothing comes" if view.stalled else text


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


def programmed_text(therapy: TherapyView) -> str:
    """The daily dose of the therapy."""
    mean, lowest, highest = therapy.mean_day, therapy.lowest_day, therapy.highest_day
    return f"{mean} on every day" if lowest == highest else f"{mean} in the mean, days from {lowest} to {highest}"


def reservoir_text(view: PumpView) -> str:
    """The counted volume beside capacity and alarm."""
    from itbpump.quantity import Volume

    if not view.status.drug:
        return f"not entered (capacity {Volume(view.info.capacity_nL)})"
    alarm = f", low-reservoir alarm at {Volume(view.status.low_alarm_nL)}"
    return f"{Volume(view.status.reservoir_nL)} of {Volume(view.info.capacity_nL)}, estimated by counting pulses{alarm}"


GIVEN_LATELY = "Last 24 to 25 h"
"""A pump may know what it gave by whole hours alone (after a reset, or with many changes): its sum then covers up to 25 h, never less
than 24 h (SPEC.md, Mass in 24 hours). Nothing in a status tells which, so that nothing narrower is said."""


def given_lately_text(mass_ng: int, *, stands: bool = False) -> str:
    """The pump's sum of the last 24 h as what it is: an upper bound. `stands`: the motor does not turn, so not all of it was given."""
    from itbpump.quantity import Mass

    return f"at most {Mass(mass_ng).rounded()} {'commanded, not all of it given' if stands else 'given'}"


def dose_rows(view: PumpView) -> list[tuple[str, str]]:
    """What the last day gave at most, and what the patient may ask for."""
    from itbpump.quantity import Duration

    now = view.status
    rows = [(GIVEN_LATELY, given_lately_text(now.mass_24h_ng, stands=view.stalled))]
    if view.therapy is not None and view.therapy.patient is not None:
        lockout = f", next possible in {Duration(now.lockout_left_ms)}" if now.lockout_left_ms else ""
        rows.append(("Patient bolus", f"{view.therapy.patient}"))
        rows.append(
            ("", f"given in 24 h: {now.patient_granted_24h}; in all {now.patient_granted:,}, denied {now.patient_denied:,}{lockout}")
        )
    return rows


def battery_text(view: PumpView) -> str:
    """What is left, and days to the end of service once that is announced."""
    from fractions import Fraction

    from itbpump.quantity import number_text

    left = f"{number_text(Fraction(view.status.battery_permille, 10))} %"
    days = view.status.eri_left_days
    return left if days == ERI_NOT_RAISED else f"{left}, END OF SERVICE IN {days:,} days"


def clock_text(view: PumpView) -> str:
    """The pump's day and its label of the wall clock beside this computer's."""
    week = view.week_ms
    day = f"the pump's day is {week_text(week)}; " if week is not None else ""
    label, gap = view.clock, view.gap_s
    if label is None or gap is None:
        return f"{day}its wall clock is not set"
    word = "behind" if gap < 0 else "ahead of"
    apart = f"{abs(gap):,} s {word} this computer" if gap else "the same as this computer"
    return f"{day}its label is {label.strftime('%d %b %Y %H:%M:%S')}, {apart}"


def change_rows(view: PumpView) -> list[tuple[str, str]]:
    """The pump tells its last command; one that changes no dose must not hide when the dose was changed."""
    from itbpump.wording.words import command_words

    now = view.status
    if now.last_change_kind.name == "NONE":
        return [("Last change", "none")]
    last = f"{command_words(now.last_change_kind)} by {view.changed_by}, {view.ago(now.last_change_ms)}"
    if now.last_change_kind in dose_kinds():
        return [("Last change", last)]
    entry = view.last_dose_change
    if entry is not None:
        before = f"{command_words(entry.b >> 32)}, {view.ago(entry.uptime_ms)}"
    else:
        before = f"none in the newest log entries; all of them: itbpump log {view.url} --kind therapy" if now.revision else "none"
    return [("Last change", before), ("Last command", last)]


def result_text(result: CommandResult) -> str:
    """A stored result in words."""
    from itbpump.wording.words import command_words

    what = f"{command_words(result.kind)} {result.outcome.name.lower().replace('_', ' ')}"
    pulses = f", {result.delivered_pulses:,} of {result.requested_pulses:,} pulses" if result.requested_pulses else ""
    return f"{what} by programmer {result.programmer.hex()}{pulses}"


def given_text(now: Status, line: Pump) -> str:
    """`25 mcg of 25 mcg, 25 of 25 pulses, done`; for a prime in mL."""
    from itbpump.quantity import Concentration, Volume, mass_of_pulses
    from itbpump.wire.messages import BolusKind

    pulse_nL, concentration = line.info.pulse_volume_nL, Concentration(now.concentration_ng_per_mL)
    if now.bolus_kind is BolusKind.PRIME:
        given, asked = str(Volume(now.bolus_delivered * pulse_nL)), str(Volume(now.bolus_requested * pulse_nL))
    else:
        given, asked = (str(mass_of_pulses(count, concentration, pulse_nL)) for count in (now.bolus_delivered, now.bolus_requested))
    return f"{given} of {asked}, {now.bolus_delivered:,} of {now.bolus_requested:,} pulses, {now.bolus_state.name.lower()}"
