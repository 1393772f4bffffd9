"""The calendar: what is written is read back by icalendar and by a reader of our own; numbers grow; what is over is cancelled."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.ical import CANCELLED, CalendarError, Entry, calendar_bytes, entries_of, entry_of, publish, published, uid_of
from itbpump.report.document import plain
from tests.unit.alert_channels import ics_reader
from tests.unit.alert_channels.samples import NOW, dates, watched

moments = st.integers(1_600_000_000, 4_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC))
nasty = st.text(alphabet='\\nN,;:"^%ä€𝄞 \r\n\t\u2028a', min_size=1, max_size=120)
texts = (st.text(min_size=1, max_size=200) | nasty).map(plain).filter(bool)
entries = st.builds(
    Entry,
    uid=st.integers(0, 10**6).map(lambda number: uid_of("P40", "ab", number)),
    day=st.dates(min_value=date(2020, 1, 1), max_value=date(2099, 1, 1)),
    computed_at=moments,
    title=texts,
    lines=st.lists(texts, max_size=4).map(tuple),
    sequence=st.integers(0, 10_000),
    cancelled=st.booleans(),
)
calendars = st.lists(entries, max_size=4, unique_by=lambda entry: entry.uid).map(tuple)


def entry(**changes: object) -> Entry:
    made = entry_of(watched())
    assert made is not None
    return replace(made, **changes)  # type: ignore[arg-type]


@given(calendars, moments)
def test_what_is_written_is_read_back_by_icalendar_and_by_a_second_reader(wanted: tuple[Entry, ...], made_at: datetime) -> None:
    data = calendar_bytes(wanted, made_at=made_at)
    assert entries_of(data, "x") == wanted
    parsed = icalendar.Calendar.from_ical(data)
    assert [part.errors for part in parsed.walk()] == [[] for _ in parsed.walk()]
    calendar = ics_reader.read(data)
    assert calendar.raw("METHOD") == "PUBLISH"
    assert ics_reader.duration(calendar.raw("REFRESH-INTERVAL")) == timedelta(hours=6)
    assert calendar.parameters("REFRESH-INTERVAL") == {"VALUE": "DURATION"}
    events, tasks = calendar.of("VEVENT"), calendar.of("VTODO")
    assert len(events) == len(tasks) == len(wanted)
    for event, task, meant in zip(events, tasks, wanted, strict=True):
        title = (CANCELLED if meant.cancelled else "") + meant.title
        assert event.text("SUMMARY") == task.text("SUMMARY") == title
        assert event.text("DESCRIPTION") == "\n".join(meant.lines)
        assert (event.day("DTSTART"), event.day("DTEND"), task.day("DUE")) == (meant.day, meant.day + timedelta(days=1), meant.day)
        assert event.raw("SEQUENCE") == task.raw("SEQUENCE") == str(meant.sequence)
        assert event.raw("STATUS") == ("CANCELLED" if meant.cancelled else "CONFIRMED")
        assert (event.raw("UID"), task.raw("UID")) == (meant.uid, f"task-{meant.uid}")
        assert (event.moment("DTSTAMP"), event.moment("LAST-MODIFIED")) == (made_at, meant.computed_at)
        assert len(event.of("VALARM")) == (0 if meant.cancelled else 3)


def test_reminders_are_fourteen_seven_and_two_days_before_at_nine() -> None:
    event = ics_reader.read(calendar_bytes([entry()], made_at=NOW)).of("VEVENT")[0]
    found = [ics_reader.duration(alarm.raw("TRIGGER")) for alarm in event.of("VALARM")]
    midnight = datetime(2026, 8, 19, tzinfo=UTC)
    assert [midnight + before for before in found] == [datetime(2026, 8, day, 9, tzinfo=UTC) for day in (5, 12, 17)]
    assert {alarm.raw("ACTION") for alarm in event.of("VALARM")} == {"DISPLAY"}
    assert len({alarm.raw("UID") for alarm in event.of("VALARM")}) == 3


def test_an_entry_tells_pump_and_day_and_no_patient_unless_asked() -> None:
    data = calendar_bytes([entry()], made_at=NOW).decode()
    assert "P-0042" not in data
    assert entry().title == "Refill pump P40-000123"
    assert "Refill by 19 Aug 2026; limited by: low reservoir." in entry().lines
    asked = entry_of(watched(), show_patient=True)
    assert asked is not None
    assert asked.title == "Refill pump P40-000123, patient P-0042"
    moved = entry_of(watched(), day=date(2026, 8, 14))
    assert moved is not None
    assert moved.day == date(2026, 8, 14)
    assert moved.lines[:2] == (
        "Refill by 14 Aug 2026; limited by: low reservoir.",
        "The date itself is 19 Aug 2026; this is the last open day before it.",
    )


def test_a_pump_without_a_date_has_no_entry() -> None:
    assert entry_of(watched(dates=None)) is None
    assert entry_of(watched(dates=dates(refill_by=None, limited_by="none"))) is None


def test_the_uid_is_that_of_pump_memory_and_cycle_alone() -> None:
    uid = uid_of("P40-1", "ab", 3)
    assert uid == uid_of("P40-1", "ab", 3)
    assert len({uid, uid_of("P40-2", "ab", 3), uid_of("P40-1", "cd", 3), uid_of("P40-1", "ab", 4), uid_of("P40-1a", "b", 3)}) == 5
    assert "P40" not in uid


@pytest.mark.sr("SR-36")
def test_each_recomputation_raises_the_sequence_by_one_and_nothing_else_does() -> None:
    first = published((), [entry()], now=NOW)
    assert [found.sequence for found in first] == [0]
    assert published(first, [entry()], now=NOW + timedelta(days=1)) == first
    moved = published(first, [entry(day=date(2026, 8, 12), computed_at=NOW + timedelta(days=1))], now=NOW)
    assert [(found.day, found.sequence) for found in moved] == [(date(2026, 8, 12), 1)]
    again = published(moved, [entry(day=date(2026, 8, 12), computed_at=NOW + timedelta(days=2))], now=NOW)
    assert [found.sequence for found in again] == [2]
    assert published(again, [entry(sequence=9, computed_at=NOW + timedelta(days=3))], now=NOW)[0].sequence == 9


@pytest.mark.sr("SR-36")
def test_a_refilled_or_superseded_cycle_is_cancelled_kept_for_a_while_and_then_gone() -> None:
    first = published((), [entry()], now=NOW)
    next_cycle = entry(uid=uid_of("P40-000123", "ab12", 4), day=date(2026, 11, 2))
    second = published(first, [next_cycle], now=NOW + timedelta(days=1))
    over, new = second
    assert (over.uid, over.cancelled, over.sequence) == (entry().uid, True, 1)
    assert (new.uid, new.cancelled, new.sequence) == (next_cycle.uid, False, 0)
    assert published(second, [next_cycle], now=NOW + timedelta(days=91)) == second
    assert published(second, [next_cycle], now=NOW + timedelta(days=92)) == (new,)


def test_an_entry_that_comes_back_is_confirmed_again_under_a_higher_number() -> None:
    cancelled = published(published((), [entry()], now=NOW), [], now=NOW)
    back = published(cancelled, [entry()], now=NOW)
    assert [(found.cancelled, found.sequence) for found in back] == [(False, 2)]


@given(calendars, st.lists(calendars, min_size=1, max_size=4))
def test_numbers_never_fall_and_no_entry_vanishes_without_a_cancellation(before: tuple[Entry, ...], steps: list[tuple[Entry, ...]]) -> None:
    for wanted in steps:
        alive = tuple(replace(one, cancelled=False) for one in wanted)
        after = published(before, alive, now=NOW)
        old = {one.uid: one for one in before}
        new = {one.uid: one for one in after}
        assert all(one.sequence >= old[one.uid].sequence for one in after if one.uid in old)
        assert all(new[uid].cancelled for uid, one in old.items() if not one.cancelled and uid not in {own.uid for own in alive})
        assert {one.uid for one in after if not one.cancelled} == {one.uid for one in alive}
        before = after


def test_one_cycle_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="two entries"):
        published((), [entry(), entry()], now=NOW)


def test_a_cancelling_calendar_holds_nothing_that_is_not_cancelled() -> None:
    assert b"METHOD:CANCEL" in calendar_bytes([entry(cancelled=True)], made_at=NOW, method="CANCEL")
    with pytest.raises(ValueError, match="cancelled entries alone"):
        calendar_bytes([entry()], made_at=NOW, method="CANCEL")


# ------------------------------------------------------------------------------------------------ the file
def test_the_file_remembers_what_was_published(tmp_path: Path) -> None:
    path = tmp_path / "refills.ics"
    assert publish(path, [entry()], now=NOW)[0].sequence == 0
    assert publish(path, [entry(computed_at=NOW + timedelta(hours=1))], now=NOW)[0].sequence == 1
    assert publish(path, [], now=NOW)[0].cancelled
    assert entries_of(path.read_bytes(), "x")[0].sequence == 2
    assert [found.name for found in tmp_path.iterdir()] == ["refills.ics"]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_mode_that_was_given_stays(tmp_path: Path) -> None:
    path = tmp_path / "refills.ics"
    publish(path, [entry()], now=NOW)
    path.chmod(0o640)
    publish(path, [], now=NOW)
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "cannot be read"),
        (b"notes of somebody\r\n", "cannot be read"),
        (b"BEGIN:VCALENDAR\r\nPRODID:-//other//EN\r\nVERSION:2.0\r\nEND:VCALENDAR\r\n", "not written by itbpump"),
        (calendar_bytes([entry()], made_at=NOW)[:300], "cannot be read"),
        (calendar_bytes([entry()], made_at=NOW).replace(b"SEQUENCE:0", b"SEQUENCE:x"), "cannot be read"),
        (calendar_bytes([entry()], made_at=NOW).replace(b"UID:", b"X-UID:"), "cannot be read"),
        (calendar_bytes([entry()], made_at=NOW).replace(b"DTSTART;VALUE=DATE:20260819", b"DTSTART:20260819T000000Z"), "cannot be read"),
        (b"\xff\xfe\x00", "cannot be read"),
    ],
)
def test_another_file_is_never_replaced(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "refills.ics"
    path.write_bytes(content)
    with pytest.raises(CalendarError, match=says) as raised:
        publish(path, [entry()], now=NOW)
    assert raised.value.path == str(path)
    assert path.read_bytes() == content


def test_a_failed_write_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "refills.ics"
    publish(path, [entry()], now=NOW)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("itbpump.alerts.ical.os.fsync", full)
    with pytest.raises(CalendarError, match="No space left"):
        publish(path, [], now=NOW)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == ["refills.ics"]


@given(st.binary(max_size=400))
def test_any_bytes_are_no_calendar_of_ours_and_a_documented_error(data: bytes) -> None:
    with pytest.raises(CalendarError) as raised:
        entries_of(data, "x")
    assert raised.value.action


@given(st.integers(0, 5_000), st.binary(min_size=1, max_size=8))
def test_a_damaged_calendar_is_read_or_a_documented_error(at: int, noise: bytes) -> None:
    good = calendar_bytes([entry()], made_at=NOW)
    at %= len(good)
    with suppress(CalendarError):
        assert all(isinstance(found, Entry) for found in entries_of(good[:at] + noise + good[at + len(noise) :], "x"))
