"""Refill dates as calendar entries (RFC 5545, 5546, 7986): one entry per pump and refill cycle, moved and cancelled as the date moves.

The UID is the same as long as the cycle lasts, also in the mail that tells of it; SEQUENCE grows by one with every recomputation. The file
that was published before is the memory: what stands in it and is no longer wanted was refilled or superseded, and is cancelled. An entry is
an all-day event that blocks nobody's day, with reminders, and a task with the same day as its due date. No patient stands in it unless
`entry_of` is told so. Not modelled: appointments (the clinic's own calendar), other people's entries, time zones: a refill day is a day.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itbpump.alerts.model import WatchedPump
from itbpump.errors import InputError

if TYPE_CHECKING:
    from icalendar import Calendar

__all__ = ["CalendarError", "Entry", "calendar_bytes", "entries_of", "entry_of", "publish", "published", "uid_of"]

CANCELLED = "CANCELLED: "
ORGANIZER = "mailto:itbpump@localhost.invalid"
"""A published calendar names an organizer (RFC 5546 3.2.1); nobody is to answer this one, and `.invalid` is nobody's (RFC 2606)."""
_UNREADABLE = "restore it, or name another file: the numbers of the entries stand in it"


class CalendarError(InputError):
    """A calendar file cannot be read, is not ours or cannot be written; `path` names it."""

    def __init__(self, path: str, problem: str, action: str) -> None:
        self.path, self.problem = path, problem
        super().__init__(f"calendar {path}: {problem}; {action}", action=action)


@dataclass(frozen=True, slots=True)
class Entry:
    """One refill cycle of one pump. `sequence` is at least what the store says; `computed_at` is when the day was computed, to the second.

    Texts are held as a calendar can give them back: one line each, and no backslash, which readers of calendars do not agree about.
    """

    uid: str
    day: date
    computed_at: datetime
    title: str
    lines: tuple[str, ...] = ()
    sequence: int = 0
    cancelled: bool = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "computed_at", self.computed_at.astimezone(UTC).replace(microsecond=0))
        object.__setattr__(self, "title", _shown(self.title))
        object.__setattr__(self, "lines", tuple(map(_shown, self.lines)))


def _shown(text: str) -> str:
    from itbpump.report.document import plain  # noqa: PLC0415  (0.25 s; the outbox needs the UID alone)

    return plain(text).replace("\\", "\u29f5")


@cache
def _figures() -> dict[str, Any]:
    return tomllib.loads(files("itbpump.alerts").joinpath("calendar.toml").read_text("utf-8"))


def uid_of(serial: str, memory_id: str, cycle: int) -> str:
    """The same for ever for one refill cycle; tells neither pump nor patient."""
    cycle_of_pump = "\x1f".join((serial, memory_id, str(cycle)))
    return f"{hashlib.sha256(cycle_of_pump.encode()).hexdigest()[:32]}@itbpump"


def entry_of(pump: WatchedPump, *, day: date | None = None, sequence: int = 0, show_patient: bool = False) -> Entry | None:
    """The entry of a pump's present cycle, None where it has no refill date. `day`: another day than the forecast's own (a working day)."""
    from itbpump.alerts.rules import limit_text, moved_text  # noqa: PLC0415  (`--version` stays fast)
    from itbpump.forecast import day_text  # noqa: PLC0415

    dates = pump.dates
    if dates is None or dates.refill_by is None:
        return None
    whom = f"{'SIMULATED ' if pump.simulated else ''}pump {pump.serial}" + (
        f", patient {pump.patient_id}" if show_patient and pump.patient_id else ""
    )
    day = day or dates.refill_by
    told = [f"Refill by {day_text(day)}; limited by: {limit_text(dates)}."]
    if moved := moved_text(dates.refill_by, day):
        told.append(moved)
    if dates.alarm is not None:
        told.append(f"Low-reservoir alarm of the pump: {day_text(dates.alarm)}.")
    if dates.empty_earliest is not None:
        told.append(f"Empty at the earliest: {day_text(dates.empty_earliest)}.")
    told.append(f"Computed {day_text(dates.computed_at)}. A change of therapy moves this day.")
    return Entry(uid_of(pump.serial, pump.memory_id, pump.cycle), day, dates.computed_at, f"Refill {whom}", tuple(told), sequence)


def published(before: Iterable[Entry], wanted: Iterable[Entry], *, now: datetime) -> tuple[Entry, ...]:
    """What the next file holds: the wanted entries with their sequence, and those that are no longer wanted, cancelled.

    A cancelled entry stays for the time `calendar.toml` says. Sorted by day. Pure. Raises ValueError for two wanted entries of one UID.
    """
    known = {entry.uid: entry for entry in before}
    found: dict[str, Entry] = {}
    for entry in wanted:
        if entry.uid in found:
            raise ValueError(f"two entries of one refill cycle: {entry.uid}")
        found[entry.uid] = _succeeded(known.pop(entry.uid, None), entry)
    keep = timedelta(days=_figures()["cancelled_days"])
    for uid, old in known.items():
        if not old.cancelled:
            found[uid] = replace(old, cancelled=True, sequence=old.sequence + 1, computed_at=now)
        elif now - old.computed_at <= keep:
            found[uid] = old
    return tuple(sorted(found.values(), key=lambda entry: (entry.day, entry.title, entry.uid)))


def _succeeded(old: Entry | None, new: Entry) -> Entry:
    if old is None:
        return new
    unchanged = replace(new, sequence=old.sequence) == old
    return replace(new, sequence=max(new.sequence, old.sequence + (not unchanged)))


# ------------------------------------------------------------------------------------------------ entries ↔ bytes
def calendar_bytes(
    entries: Sequence[Entry], *, made_at: datetime, method: str = "PUBLISH", name: str = "", organizer: str = ORGANIZER
) -> bytes:
    """A calendar of these entries. With method CANCEL all of them must be cancelled; ValueError otherwise."""
    if method == "CANCEL" and not all(entry.cancelled for entry in entries):
        raise ValueError("a cancelling calendar holds cancelled entries alone")
    figures = _figures()
    calendar = _new_calendar(figures, method, _shown(name) or figures["name"])
    for entry in entries:
        for part in _parts(entry, made_at, organizer, figures):
            calendar.add_component(part)
    data: bytes = calendar.to_ical()
    return data


def _new_calendar(figures: dict[str, Any], method: str, name: str) -> Calendar:
    from icalendar import Calendar  # noqa: PLC0415  (70 ms)

    calendar = Calendar()
    calendar.add("prodid", figures["prodid"])
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", method)
    calendar.add("name", name)
    calendar.add("x-wr-calname", name)
    calendar.add("refresh-interval", timedelta(hours=figures["refresh_h"]), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", f"PT{figures['refresh_h']}H")
    return calendar


def _parts(entry: Entry, made_at: datetime, organizer: str, figures: dict[str, Any]) -> list[Any]:
    from icalendar import Alarm, Event, Todo, vCalAddress  # noqa: PLC0415

    title = (CANCELLED if entry.cancelled else "") + entry.title
    event, task = Event(), Todo()
    for part, uid in ((event, entry.uid), (task, f"task-{entry.uid}")):
        part.add("uid", uid)
        part.add("dtstamp", made_at.astimezone(UTC))
        part.add("last-modified", entry.computed_at.astimezone(UTC))
        part.add("sequence", entry.sequence)
        part.add("summary", title)
        part.add("description", "\n".join(entry.lines))
        part.add("class", "PRIVATE")
        part.add("organizer", vCalAddress(organizer))
    event.add("dtstart", entry.day)
    event.add("dtend", entry.day + timedelta(days=1))
    event.add("transp", "TRANSPARENT")
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    task.add("due", entry.day)
    task.add("priority", 1)
    task.add("status", "CANCELLED" if entry.cancelled else "NEEDS-ACTION")
    for days in () if entry.cancelled else figures["reminders_days"]:
        alarm = Alarm()
        alarm.add("uid", f"{days}d-{entry.uid}")
        alarm.add("action", "DISPLAY")
        alarm.add("description", title)
        # Counted from the midnight that begins the day, so that it does not wake anybody.
        alarm.add("trigger", timedelta(hours=figures["hour"]) - timedelta(days=days))
        event.add_component(alarm)
    return [event, task]


def entries_of(data: bytes, place: str) -> tuple[Entry, ...]:
    """The entries of a calendar this module wrote. Raises CalendarError for anything else, naming `place`."""
    from icalendar import Calendar  # noqa: PLC0415

    try:
        calendar = Calendar.from_ical(data)
        if str(calendar.get("prodid", "")) != _figures()["prodid"]:
            raise CalendarError(place, "it was not written by itbpump", "name another file: this one is not replaced")
        return tuple(_entry_read(event) for event in calendar.walk("VEVENT"))
    except (ValueError, KeyError, AttributeError, TypeError, IndexError) as error:
        if isinstance(error, CalendarError):
            raise
        raise CalendarError(place, f"it cannot be read ({error})", _UNREADABLE) from error


def _entry_read(event: Any) -> Entry:
    title = str(event["summary"])
    cancelled = str(event["status"]) == "CANCELLED"
    day, at = event["dtstart"].dt, event["last-modified"].dt
    if isinstance(day, datetime) or not isinstance(day, date) or not isinstance(at, datetime) or at.utcoffset() is None:
        raise ValueError("a day or a time is missing")
    text = str(event.get("description", ""))
    return Entry(
        uid=str(event["uid"]),
        day=day,
        computed_at=at,
        title=title.removeprefix(CANCELLED) if cancelled else title,
        lines=tuple(text.split("\n")) if text else (),
        sequence=int(event["sequence"]),
        cancelled=cancelled,
    )


# ------------------------------------------------------------------------------------------------ the file
def publish(path: Path, wanted: Iterable[Entry], *, now: datetime, name: str = "") -> tuple[Entry, ...]:
    """Write the file that any server can publish, in one step: a reader sees the old one or the new one. What it holds is returned.

    Raises CalendarError if the file that is there is not ours, or the folder cannot be written.
    """
    try:
        data = path.read_bytes() if path.exists() else None
        entries = published(() if data is None else entries_of(data, str(path)), wanted, now=now)
        _replace(path, calendar_bytes(entries, made_at=now, name=name))
    except OSError as error:
        reason = error.strerror or str(error)
        raise CalendarError(
            str(path), f"it cannot be read and written ({reason})", "name a file in a folder that can be written"
        ) from error
    return entries


def _replace(path: Path, data: bytes) -> None:
    """Over `path` at once and for good; it keeps its mode, as a web server may have been given it."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o644
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
