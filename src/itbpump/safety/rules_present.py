"""Rules about the moment: what the pump sounds, what day it believes, how old the prescription's own date is.

Not here: batteries and dates (`itbpump.forecast`).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from itbpump.configuration import week_offset_ms
from itbpump.forecast import ForecastDisagreement, ForecastError, day_text
from itbpump.present import PresentPump
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE
from itbpump.safety.context import Context
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import DAY_NAMES
from itbpump.wire.messages import AlarmNumber, Mode, RunState

__all__ = ["RULES", "alarm_hits", "state_words", "week_clock"]

RULES: RuleSet[Context] = RuleSet()
HARD, SOFT, INFO = Severity.HARD, Severity.SOFT, Severity.INFO
CLOCK_GAP_MS = MS_PER_MINUTE  # SR-53
NOBODY = "what is programmed may reach nobody"
REACHES_NOBODY = {
    AlarmNumber.MOTOR_STALL: "what is programmed reaches nobody until the motor turns: find the cause first",
    AlarmNumber.EMPTY_RESERVOIR: f"{NOBODY}: refill it",
    AlarmNumber.RESERVOIR_USED_UP: f"{NOBODY}: refill it",
    AlarmNumber.END_OF_SERVICE: f"{NOBODY}: the pump is at its end",
    AlarmNumber.OVER_DELIVERY: "it gives more than is programmed: find the cause first",
    AlarmNumber.UNDER_DELIVERY: "less reaches the patient than is programmed: find the cause first",
    AlarmNumber.RESET_LOOP: "its program hangs again and again: find the cause first",
    AlarmNumber.RESTART_LOCKED: "it takes no start: find the cause first",
}
STALE = timedelta(days=1)


@RULES.rule("alarms", "SR-55", worst=SOFT)
def alarms(c: Context) -> Iterator[Hit]:
    """What the pump sounds while it is programmed; a motor that does not turn is asked about."""
    present = c.current.present if c.current is not None else None
    if present is not None:
        yield from alarm_hits(present.alarms)


def alarm_hits(active: tuple[int, ...]) -> Iterator[Hit]:
    """One finding for each active alarm."""
    for number in active:
        name = AlarmNumber(number).name.lower().replace("_", " ")
        why = REACHES_NOBODY.get(AlarmNumber(number), "")
        yield Hit(SOFT if why else INFO, f"the pump sounds: {name}{'; ' if why else ''}{why}")


def patient_hits(present: PresentPump, patient_id: str, ordered: str) -> Iterator[Hit]:
    """The pump is on record as another patient's. `ordered`: what the person named is about."""
    recorded = present.patient_id
    if recorded is not None and recorded != patient_id:
        message = f"this pump is patient {recorded}'s by the record, {ordered} is {patient_id}'s: the right pump?"
        yield Hit(Severity.SECOND, message, patient_id, recorded, "SR-20")


def state_words(present: PresentPump) -> str:
    """What the pump does, for a sentence: `stopped`; a safe state is none of safety."""
    if present.run_state is RunState.SAFE:
        return "in a safe state after a fault"
    if present.run_state is RunState.RUNNING and not present.is_treating:
        return "at its minimum rate" if present.mode is Mode.MINIMUM_RATE else "stopped"
    return present.run_state.name.lower()


@RULES.rule("as-of", "SR-39", worst=INFO)
def as_of(c: Context) -> Iterator[Hit]:
    """A prescription is about the moment it names; its reservoir volume goes to the pump only if that moment is now."""
    if c.now is None:
        return
    gap = c.now - c.rx.pump.as_of
    if abs(gap) <= STALE:
        return
    days = abs(gap).days
    when = (
        f"the prescription is of {day_text(c.rx.pump.as_of)}, {days} {'day' if days == 1 else 'days'} {'ago' if gap > STALE else 'ahead'}"
    )
    takes_volume = c.sets_volume and not c.is_refill
    text = f"{when}; its reservoir volume of {c.volume} would be taken as what is in there now" if takes_volume else when
    yield Hit(INFO, f"{text}; check date and volume", f"{days} d", "1 d", "a volume falls every day")


@RULES.rule("pump-day", "SR-53", "SR-52", worst=INFO)
def pump_day(c: Context) -> Iterator[Hit]:
    """Steps come by the pump's own day, which no program changes; a gap to the prescription's is told."""
    present = c.current.present if c.current is not None else None
    if present is None or present.configuration is None or not c.view.schedule.follows_week:
        return
    pumps = (present.uptime_ms + present.configuration.week_offset_ms) % WEEK_MS
    ours = week_offset_ms(c.rx.pump.as_of, present.host_now, 0)
    gap = min((pumps - ours) % WEEK_MS, (ours - pumps) % WEEK_MS)
    if gap > CLOCK_GAP_MS:
        message = (
            f"the pump's day is {week_clock(pumps)}, the prescription's {week_clock(ours)}: steps come by the pump's; see itbpump clock"
        )
        yield Hit(INFO, message, f"{gap // MS_PER_MINUTE} min", "1 min", "SR-53")


@RULES.rule("dates", "SR-36", "SR-37", worst=HARD)
def dates(c: Context) -> Iterator[Hit]:
    """By when to refill, and what limits it; two computations that disagree stop everything."""
    found = c.forecast
    if isinstance(found, ForecastDisagreement):
        yield Hit(HARD, str(found), source="SR-37")
    elif isinstance(found, ForecastError):
        yield Hit(INFO, f"not checked: dates, as {found}", source="SR-36")
    elif found.refill_by is not None and found.refill_by <= found.as_of:
        yield Hit(SOFT, f"the refill is due now: {found.refill_text}", found.refill_text, "", "SR-36")


def week_clock(week_ms: int) -> str:
    """A time of the week, ms since Monday 00:00, as `Wed 12:00`."""
    day, within = divmod(week_ms % WEEK_MS, MS_PER_DAY)
    return f"{DAY_NAMES[day]} {within // MS_PER_HOUR:02d}:{within % MS_PER_HOUR // MS_PER_MINUTE:02d}"
