"""The rules: what is found of one watched pump at one moment. Pure; words, leads and what mutes what are data (`rules.toml`).

`judge` runs every rule and returns findings, muted ones among them: a muted alert is kept and shown, only not told. Each rule is total: it
answers for any pump there is, with a missing date, an unknown zone or an alarm newer than this version; what is not known is never silence.
Days are the patient's (`today_in`). Not here: whether something was told before (state), whom to tell (job).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fractions import Fraction
from functools import cache
from types import MappingProxyType

from itbpump.alerts.calendar_days import is_zone, today_in
from itbpump.alerts.leads import StageDays, days_before, refill_stage_days
from itbpump.alerts.model import Alert, AlertKind, RefillDates, Stage, WatchedPump
from itbpump.alerts.policy import Policy
from itbpump.forecast.model import LIMITS, day_text
from itbpump.quantity import Volume, number_text

__all__ = ["RULES", "Finding", "alarm_texts", "fingerprint", "judge", "limit_text", "moved_text"]

PPM_PER_PERCENT = 10_000
ONE_HOUR = timedelta(hours=1)
NOT_STOPPED = ("running", "unknown")
"""`unknown`: never read; `silent` and `refill-unknown` speak of it. A word newer than this version counts as stopped."""


MINIMUM_RATE = "minimum_rate"
"""The mode, as the registry writes it."""
SIMULATED = "This pump is simulated: it treats nobody."


@dataclass(frozen=True, slots=True)
class Finding:
    """An alert as a rule sees it now. `subject` tells apart what one kind can find twice; `next_on`: first day of its next stage, which
    caps a snooze. `muted_by`: key of the alert that says it already, empty for none.
    """

    rule: str
    subject: str
    alert: Alert
    next_on: date | None = None
    muted_by: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """What a rule is given: the pump, the moment, the patient's day, the policy, the days of the refill's stages."""

    pump: WatchedPump
    now: datetime
    today: date
    policy: Policy
    refill: StageDays | None

    def finding(
        self,
        rule: str,
        stage: Stage,
        words: Mapping[str, str] = MappingProxyType({}),
        *,
        subject: str = "",
        due: date | None = None,
        next_on: date | None = None,
        supersedes: str = "",
    ) -> Finding:
        """The row's words filled in."""
        row, pump = self.policy.rules[rule], self.pump
        lines = tuple(text for line in row.lines if (text := line.format_map(words)))
        if pump.simulated:
            lines += (SIMULATED,)
        if not is_zone(pump.zone):
            lines += (f"The time zone {pump.zone!r} is not known; days are counted where they begin first.",)
        alert = Alert(
            key=fingerprint(pump, row.kind, subject),
            kind=row.kind,
            stage=stage,
            serial=pump.serial,
            memory_id=pump.memory_id,
            patient_id=pump.patient_id,
            cycle=pump.cycle,
            due=due,
            title=f"{'SIMULATED: ' if pump.simulated else ''}{row.title.format_map(words)}",
            lines=lines,
            since=self.now,
            supersedes=supersedes,
        )
        return Finding(rule, subject, alert, next_on)


def fingerprint(pump: WatchedPump, kind: AlertKind, subject: str = "") -> str:
    """The same pump, memory, kind, refill cycle and subject are the same alert: `refill-` and 16 hex digits."""
    text = "\0".join((pump.serial, pump.memory_id, kind.value, str(pump.cycle), subject))
    return f"{kind.value}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def judge(pump: WatchedPump, now: datetime, policy: Policy) -> tuple[Finding, ...]:
    """All that is found, the most urgent first; of a retired pump only that it was read. ValueError for a `now` without its offset."""
    refill = None if pump.dates is None else refill_stage_days(pump.dates, policy.leads, policy.closed)
    view = View(pump, now, today_in(pump.zone, now), policy, refill)
    found = [finding for rule in (RULES if pump.retired_on is None else (_retired_pump,)) for finding in rule(view)]
    if len(found) > 1:
        found.sort(key=lambda finding: (-finding.alert.stage, finding.alert.key))
        found = _muted(found, policy)
    return tuple(found)


def _muted(found: Sequence[Finding], policy: Policy) -> list[Finding]:
    """One pass, the most urgent first: what is muted mutes nothing, what is critical is never muted."""
    result: list[Finding] = []
    for finding in found:
        by = "" if finding.alert.is_critical else next((other.alert.key for other in result if _mutes(other, finding, policy)), "")
        result.append(Finding(finding.rule, finding.subject, finding.alert, finding.next_on, by) if by else finding)
    return result


def _mutes(by: Finding, finding: Finding, policy: Policy) -> bool:
    return not by.muted_by and any(
        by.alert.kind is row.by
        and (not row.subjects or by.subject in row.subjects)
        and by.alert.stage >= row.least
        and finding.alert.kind in row.mutes
        and (not row.muted_subjects or finding.subject in row.muted_subjects)
        for row in policy.mutes
    )


# ------------------------------------------------------------------------------------------------ dates
def _refill(view: View) -> Iterator[Finding]:
    dates, days = view.pump.dates, view.refill
    if dates is None or days is None:
        if view.pump.run_state in NOT_STOPPED:  # a stopped pump has no date; `left-stopped` speaks of it
            yield view.finding("refill-unknown", Stage.DUE)
        return
    visit = view.pump.visit_on
    advice = f"Visit booked on {day_text(visit)}." if visit is not None and visit >= view.today else "No visit is booked."
    if dates.limited_by in ("battery", "service-life"):
        advice = "The pump itself ends: plan its replacement. " + advice
    yield view.finding(
        "refill-date",
        days.stage(view.today),
        {
            "day": day_text(days.overdue),
            "moved": moved_text(dates.refill_by, days.overdue),
            "limited_by": limit_text(dates),
            "reservoir": _reservoir(dates),
            "advice": advice,
        },
        due=days.overdue,
        next_on=days.next_after(view.today),
    )


def moved_text(itself: date | None, day: date) -> str:
    """Why a list names another day than forecast, card and registry do; empty where it is the same."""
    return f"The date itself is {day_text(itself)}; this is the last open day before it." if day != itself else ""


def limit_text(dates: RefillDates) -> str:
    """What limits the refill date, in words."""
    return LIMITS.get(dates.limited_by, "not known before the pump is read (the date was imported)")


def _reservoir(dates: RefillDates) -> str:
    """What is known of the level; empty where nothing is, as of a pump that was imported."""
    days = (("low from", dates.low_earliest), ("at its alarm by the count on", dates.alarm), ("empty from", dates.empty_earliest))
    known = [f"{what} {day_text(day)}" for what, day in days if day is not None]
    return f"The pump may be {', '.join(known)}." if known else ""


def _stability(view: View) -> Iterator[Finding]:
    until = view.pump.dates.stable_until if view.pump.dates else None
    if until is not None:
        leads = view.policy.leads
        yield from _until(view, "stability", until, leads.stability_soon, leads.stability_due, critical=False)


def _battery(view: View) -> Iterator[Finding]:
    until = view.pump.dates.battery_until if view.pump.dates else None
    if until is not None:
        leads = view.policy.leads
        yield from _until(view, "battery", until, leads.battery_soon, leads.battery_due, critical=True)


def _until(view: View, rule: str, until: date, soon: int, due: int, *, critical: bool) -> Iterator[Finding]:
    """Stages before an end; `critical`: therapy ends with it. Nothing while it is far off."""
    opened = view.policy.closed.open_on_or_before
    last = opened(until)
    days = StageDays(opened(days_before(until, soon)), opened(days_before(until, due)), last, last if critical else None)
    stage = days.stage(view.today)
    if stage is not Stage.SCHEDULED:
        words = {"day": day_text(last), "moved": moved_text(until, last)}
        yield view.finding(rule, stage, words, due=last, next_on=days.next_after(view.today))


def _date_moved(view: View) -> Iterator[Finding]:
    pump = view.pump
    old, new = pump.previous_refill_by, pump.dates.refill_by if pump.dates else None
    if old is None or new is None or old == new:
        return
    yield view.finding(
        "date-moved",
        Stage.DUE if new < old else Stage.DUE_SOON,
        {"old": day_text(old), "day": day_text(new), "reason": pump.moved_because or "not recorded"},
        subject=old.isoformat(),
        due=new,
        supersedes=fingerprint(pump, AlertKind.REFILL),
    )


def _visit(view: View) -> Iterator[Finding]:
    visit, last = view.pump.visit_on, view.refill.overdue if view.refill else None
    if visit is None:
        return
    words = {"day": day_text(visit), "refill_by": day_text(last)}
    stage = Stage.OVERDUE if last is not None and view.today >= last else Stage.DUE
    if visit < view.today:
        yield view.finding("visit-missed", stage, words, subject=visit.isoformat(), due=last)
    elif last is not None and visit > last:
        yield view.finding("visit-too-late", stage, words, subject=visit.isoformat(), due=last)


def _silent(view: View) -> Iterator[Finding]:
    seen, leads = view.pump.last_seen, view.policy.leads
    if seen is None:
        yield view.finding("silent", Stage.DUE, {"day": "it was registered"})
        return
    if seen - view.now > ONE_HOUR:  # it would never be silent, and its dates count from a day that has not come
        yield view.finding("clock-ahead", Stage.DUE, {"day": day_text(today_in(view.pump.zone, seen))})
        return
    days = (view.now - seen).days
    if days >= leads.silent_due:
        stage = Stage.OVERDUE if days >= leads.silent_overdue else Stage.DUE
        yield view.finding("silent", stage, {"day": day_text(today_in(view.pump.zone, seen))})


# ------------------------------------------------------------------------------------------------ what the pump or a refill told
def _left_stopped(view: View) -> Iterator[Finding]:
    pump, leads = view.pump, view.policy.leads
    if pump.run_state in NOT_STOPPED:
        return
    since = pump.stopped_since or pump.last_seen
    if since is None:
        yield view.finding("left-stopped", Stage.CRITICAL, {"state": pump.run_state, "day": "a day that is not known"})
    elif view.now - since >= leads.stopped_overdue_h * ONE_HOUR:
        stage = Stage.CRITICAL if view.now - since >= leads.stopped_critical_h * ONE_HOUR else Stage.OVERDUE
        yield view.finding("left-stopped", stage, {"state": pump.run_state, "day": day_text(today_in(pump.zone, since))})


def _minimum_rate(view: View) -> Iterator[Finding]:
    """A therapy of the minimum rate, which `left-stopped` does not see: the pump runs. In its safe state it is not running."""
    pump, leads = view.pump, view.policy.leads
    since = pump.stopped_since or pump.last_seen
    if pump.run_state != "running" or pump.mode != MINIMUM_RATE or since is None:
        return
    if view.now - since >= leads.minimum_overdue_h * ONE_HOUR:
        stage = Stage.CRITICAL if view.now - since >= leads.minimum_critical_h * ONE_HOUR else Stage.OVERDUE
        yield view.finding("minimum-rate", stage, {"day": day_text(today_in(pump.zone, since))}, subject=MINIMUM_RATE)


def _retired_pump(view: View) -> Iterator[Finding]:
    """Read after it was retired. Read again on another day is found anew: whoever has seen to the first reading has not seen to that."""
    pump = view.pump
    if pump.retired_on is None or pump.last_seen is None:
        return
    day = today_in(pump.zone, pump.last_seen)
    words = {"retired": day_text(today_in(pump.zone, pump.retired_on)), "day": day_text(day)}
    yield view.finding("retired-pump", Stage.DUE, words, subject=day.isoformat())


def _calibration(view: View) -> Iterator[Finding]:
    if view.pump.calibration_drifts:
        ppm = view.pump.calibration_ppm  # how much more flows than is counted
        yield view.finding("calibration", Stage.DUE_SOON, {"error": "not known" if ppm is None else _error(ppm)})


def _error(ppm: int) -> str:
    """`2.5 % above the count`; to a tenth, up."""
    tenths = -(-abs(ppm) * 10 // PPM_PER_PERCENT)
    return f"{number_text(Fraction(tenths, 10))} % {'below' if ppm < 0 else 'above'} the count"


def _discrepancy(view: View) -> Iterator[Finding]:
    if view.pump.discrepancy_open:
        volume = view.pump.discrepancy_nL
        sign = "" if volume is None else "−" if volume < 0 else "+"
        yield view.finding("discrepancy", Stage.DUE, {"volume": "not recorded" if volume is None else f"{sign}{Volume(abs(volume))}"})


def _alarms(view: View) -> Iterator[Finding]:
    for alarm in dict.fromkeys(view.pump.alarms):
        text, action = alarm_texts().get(alarm, (f"{alarm}, unknown to this version", "read the pump, and update the companion"))
        stage = view.policy.alarms.get(alarm, Stage.OVERDUE)
        words = {"alarm": alarm.replace("-", " "), "text": text, "action": action[:1].upper() + action[1:]}
        yield view.finding("pump-alarm", stage, words, subject=alarm)


@cache
def alarm_texts() -> dict[str, tuple[str, str]]:
    """What is the matter and what to do, by the alarm's id."""
    from itbpump.wording.words import alarm_words  # noqa: PLC0415  (the words of the pump load its messages)

    known = (alarm_words(number) for number in range(1, 256))
    return {words.id: (words.text, words.action) for words in known if not words.id.startswith("alarm-")}


RULES: tuple[Callable[[View], Iterator[Finding]], ...] = (
    _refill,
    _stability,
    _battery,
    _date_moved,
    _visit,
    _silent,
    _left_stopped,
    _minimum_rate,
    _retired_pump,
    _calibration,
    _discrepancy,
    _alarms,
)
