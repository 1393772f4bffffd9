"""What the pump page says, as lines: pure functions of a snapshot, so that a test reads what a clinician reads.

Each takes the width it has; a state is told by a word and a sign, colour only repeats it (SR-57). Not here: where a panel stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from itbpump.forecast import day_text
from itbpump.quantity import Concentration
from itbpump.therapy_view import TherapyView
from itbpump.tui.charts import fortnight, gauge, rate_chart
from itbpump.tui.snapshot import LinkWord, Snapshot
from itbpump.tui.told import told
from itbpump.wire.messages import AlarmPriority, RunState
from itbpump.wording.days import WEEK_MS, week_text
from itbpump.wording.layout import wrapped
from itbpump.wording.log import uptime_text
from itbpump.wording.pumpview import PumpView
from itbpump.wording.status import (
    GIVEN_LATELY,
    alarm_rows,
    battery_text,
    bolus_text,
    change_rows,
    delivering_text,
    dose_rows,
    state_text,
)
from itbpump.wording.words import alarm_words, log_words

__all__ = [
    "Tone",
    "alarm_lines",
    "change_lines",
    "chart_lines",
    "date_lines",
    "fortnight_lines",
    "identity_line",
    "link_lines",
    "minute_of_day",
    "open_lines",
    "recent_lines",
    "reservoir_lines",
    "state_lines",
]

MINUTE_MS = 60_000
LABEL = 10
CHANGE_LABEL = 14
UPTIME = 14
SHORT = {GIVEN_LATELY: "24-25 h", "Patient bolus": "Patient"}
CLOCK_GAP_S = 60
"""A wall-clock label further off than this is pointed out (SR-53)."""


@dataclass(frozen=True, slots=True)
class Tone:
    """Lines with the state they stand for: `ok`, `notice`, `warning`, `critical`, `stopped`, `stale`; a theme gives it a colour."""

    state: str
    lines: tuple[str, ...]


def identity_line(snapshot: Snapshot, patient_id: str = "") -> str:
    """Whose pump this is; on every page (SR-20)."""
    view = snapshot.view
    if view is None:
        return "no pump read yet"
    patient = patient_id or _patient(snapshot)
    now = view.status
    drug = f"{now.drug} {Concentration(now.concentration_ng_per_mL)}" if now.drug else "no drug programmed"
    simulated = " SIMULATED" if view.simulated else ""
    return f"{patient} · {view.info.serial} {view.info.profile}{simulated} · {drug}"


def _patient(snapshot: Snapshot) -> str:
    """The patient's id, or why none stands there: nothing is said of the record before it was looked into."""
    if snapshot.present is not None:
        return snapshot.present.patient_id or "patient not on record"
    return "patient not known" if snapshot.present_problem else "patient: reading"


def link_lines(snapshot: Snapshot, width: int) -> Tone:
    """How old what stands here is, and what the pump is doing."""
    link, view = snapshot.link, snapshot.view
    words = link.text
    why = f"; {told(link.reason)}" if link.reason else ""
    state = {LinkWord.LIVE: "ok", LinkWord.CONNECTING: "notice", LinkWord.STALE: "stale", LinkWord.LOST: "critical"}[link.word]
    if view is None:
        return Tone(state, tuple(wrapped(f"LINK {words}{why}", width)))
    running = view.status.run_state
    doing = f"{running.name} {view.status.mode.name.lower().replace('_', ' ')}" if running is RunState.RUNNING else running.name
    if view.stalled:
        doing += ", MOTOR STANDS"
    gap = view.gap_s
    clock = f" · CLOCK {abs(gap):,} s {'behind' if gap < 0 else 'ahead'}" if gap is not None and abs(gap) > CLOCK_GAP_S else ""
    if link.word is LinkWord.LIVE and running is not RunState.RUNNING:
        state = "stopped"
    when = "" if link.word is LinkWord.LIVE else "last read "
    return Tone(state, tuple(wrapped(f"LINK {words} · PUMP {when}{doing.upper()}{clock}{why}", width)))


def alarm_lines(snapshot: Snapshot, width: int, most: int = 4) -> Tone:
    """Every alarm by name, the worst and newest first (SR-55); since when and what to do for the first, and for more while `most` lines
    hold them."""
    view = snapshot.view
    if view is None:
        return Tone("notice", ("ALARMS not read",))
    alarms = view.status.alarms
    is_live = snapshot.link.word is LinkWord.LIVE
    if not alarms:
        return Tone("ok", ("ALARMS none",)) if is_live else Tone("stale", ("ALARMS not known now; none at the last reading",))
    pairs = alarm_rows(view)
    rows = sorted(zip(alarms, pairs[::2], pairs[1::2], strict=True), key=lambda found: (-found[0].priority, -found[0].since_ms))
    lines: list[str] = []
    for at, (alarm, (label, text), (_, action)) in enumerate(rows):
        sign = "!!" if alarm.priority is AlarmPriority.CRITICAL else "!"
        whole = wrapped(f"{sign} {label.upper()}: {text}; {action}", width, hanging=3)
        name = wrapped(f"{sign} {label.upper()}: {alarm_words(alarm.alarm).text}", width, hanging=3)
        follow = len(rows) - at - 1
        lines += whole if at == 0 or len(lines) + len(whole) + follow <= most else name
    if not is_live:
        lines.insert(0, "ALARMS at the last reading:")
    worst = rows[0][0].priority is AlarmPriority.CRITICAL
    return Tone("critical" if worst else "warning", tuple(lines))


def open_lines(snapshot: Snapshot, width: int) -> Tone | None:
    """Commands of which nobody knows what became; None where all are known."""
    view = snapshot.view
    if view is None or not view.open:
        return None
    what = ", ".join(intent.what for intent in view.open)
    text = f"OUTCOME UNKNOWN of {what}: F6 on the pump's page asks the pump; until then nothing but a stop is sent"
    return Tone("critical", tuple(wrapped(text, width)))


def state_lines(snapshot: Snapshot, width: int) -> list[str]:
    """What it delivers now, what is programmed, the bolus, the last 24 h."""
    view = snapshot.view
    if view is None:
        return ["not read yet"]
    now = view.status
    mode = f" {now.mode.name.lower().replace('_', ' ')}" if now.run_state is RunState.RUNNING else ""
    pairs = [("State", state_text(now) + mode)]
    if snapshot.link.word is not LinkWord.LIVE:
        pairs.insert(0, ("OLD", "what stands here was read before the line failed; the pump goes on by itself"))
    if view.therapy is not None:
        halted = [("HALTED", "the programmed days do not run")] if now.run_state is not RunState.RUNNING else []
        pairs += [("Now", delivering_text(view)), *halted, *_day_pairs(view.therapy)]
    pairs.append(("Bolus", bolus_text(view)))
    pairs += [(SHORT.get(label, label), text) for label, text in dose_rows(view)]
    if now.bridging:
        pairs.append(("BRIDGE", "the old dose runs until the path holds the new concentration"))
    return _rows(pairs, width)


def _day_pairs(view: TherapyView) -> list[tuple[str, str]]:
    """The mean day, and between which doses days lie; each on a line of its own, so that no dose is broken."""
    lowest, highest = view.lowest_day, view.highest_day
    if lowest == highest:
        return [("Every day", str(view.mean_day))]
    return [("Mean day", str(view.mean_day)), ("Lowest", str(lowest)), ("Highest", str(highest))]


def reservoir_lines(snapshot: Snapshot, width: int) -> list[str]:
    """The gauge and its words, battery, clock."""
    view = snapshot.view
    if view is None:
        return []
    lines: list[str] = []
    if view.status.drug and view.therapy is not None:
        lines += gauge(view.status.reservoir_nL, view.info.capacity_nL, view.status.low_alarm_nL, view.therapy.empty_alarm.nL, width)
    else:
        lines.append("reservoir not entered")
    return [*lines, *_rows([("Battery", battery_text(view)), ("Clock", _clock_text(view))], width)]


def _clock_text(view: PumpView) -> str:
    """The pump's day, its label where that is set, and by how much they are off (SR-53)."""
    day = f"pump's day {week_text(view.week_ms)}" if view.week_ms is not None else "no day yet"
    gap = view.gap_s
    if view.clock is None or gap is None:
        return f"{day}; label not set"
    label = f"label {view.clock:%H:%M}"
    return f"{day}; {label}" if abs(gap) <= CLOCK_GAP_S else f"{day}; {label}, {abs(gap):,} s {'behind' if gap < 0 else 'ahead'}"


def date_lines(snapshot: Snapshot, width: int) -> list[str]:
    """Refill-by first; earliest to latest for what really happens."""
    dates = snapshot.dates
    if dates is None:
        return wrapped(f"DATES not known: {told(snapshot.dates_problem) or 'being read'}", width)
    pairs = [
        ("REFILL BY", dates.refill_text),
        ("Alarm", f"{day_text(dates.alarm)}, by the count"),
        ("Low", str(dates.low_reservoir)),
        ("Empty", str(dates.empty)),
        *(
            (label.removesuffix(" until").removeprefix("drug ").removesuffix(" life").capitalize(), f"until {text}")
            for label, text in dates.ends()
        ),
    ]
    return _rows(pairs, width)


def chart_lines(snapshot: Snapshot, width: int, height: int) -> list[str]:
    """The programmed rate over the pump's day, with now."""
    view = snapshot.view
    if view is None or view.therapy is None or view.week_ms is None:
        return []
    day, minute = minute_of_day(view)
    return list(_chart(_Same(view.status.digest, view.therapy), day, minute, width, height))


class _Same:
    """A therapy told from others by its digest, so that a chart is drawn once a minute and not at each reading."""

    def __init__(self, digest: bytes, therapy: TherapyView) -> None:
        self.digest, self.therapy = digest, therapy

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.digest == self.digest

    def __hash__(self) -> int:
        return hash(self.digest)


@lru_cache(maxsize=8)
def _chart(same: _Same, day: int, minute: int, width: int, height: int) -> tuple[str, ...]:
    return tuple(rate_chart(same.therapy, day, minute, width, height))


@lru_cache(maxsize=8)
def _days(same: _Same, first: date, width: int, marks: tuple[tuple[date, str], ...]) -> tuple[str, ...]:
    return tuple(fortnight(same.therapy, first, width, marks=dict(marks)))


def fortnight_lines(snapshot: Snapshot, width: int) -> list[str]:
    """What each of the next 14 days gives, and which of them matter."""
    view = snapshot.view
    if view is None or view.therapy is None or view.week_ms is None:
        return []
    marks: dict[date, str] = {}
    if snapshot.dates is not None:
        for at, word in ((snapshot.dates.alarm, "ALARM"), (snapshot.dates.refill_by, "REFILL")):
            if at is not None:
                marks[at.date()] = f"{marks.get(at.date(), '')} {word}".strip()
    day, _ = minute_of_day(view)
    first = _pump_date(view, day)
    return list(_days(_Same(view.status.digest, view.therapy), first, width, tuple(marks.items())))


def change_lines(snapshot: Snapshot, width: int) -> list[str]:
    """Who changed the therapy last, and when."""
    view = snapshot.view
    return _rows([(label, told(text)) for label, text in change_rows(view)], width, CHANGE_LABEL) if view is not None else []


def recent_lines(snapshot: Snapshot, width: int, most: int) -> list[str]:
    """A heading and the newest entries of the log, as many whole ones as fit `most` lines; nothing where not one does."""
    lines = ["newest log entries, by the pump's uptime"]
    for entry in reversed(snapshot.log[-most:] if most > 1 else ()):
        more = _rows([(uptime_text(entry.uptime_ms), log_words(entry))], width, UPTIME)
        if len(lines) + len(more) > most:
            break
        lines += more
    return lines if len(lines) > 1 else []


def minute_of_day(view: PumpView) -> tuple[int, int]:
    """The pump's weekday (0 Monday) and minute of its day."""
    return divmod((view.week_ms or 0) % WEEK_MS // MINUTE_MS, 1_440)


def _pump_date(view: PumpView, weekday: int) -> date:
    """The date of the pump's present day: the one nearest to this computer's with that weekday."""
    today = view.host_now.date()
    return min(
        (today + timedelta(days=shift) for shift in range(-3, 4)), key=lambda day: (day.weekday() != weekday, abs((day - today).days))
    )


def _rows(pairs: list[tuple[str, str]], width: int, label: int = LABEL) -> list[str]:
    return [line for name, text in pairs for line in wrapped(f"{name:<{label}}{text}", width, hanging=label)]
