"""What a contact with a pump leaves in the registry, and what the alerts get to see of it; on both databases."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from datetime import date, timedelta
from typing import Any

import pytest

from itbpump.alerts.model import Contact, RefillDates, WatchedPump
from itbpump.hoststate import Intent
from itbpump.refill import Discrepancy, Refill
from itbpump.registry.errors import Contradiction, UnknownSubject
from itbpump.registry.model import ContactRow, DateRow, PumpRow, alarm_id
from itbpump.registry.store import Registry
from itbpump.wire.messages import AlarmNumber, CommandKind, RunState, decode_reply
from itbpump.wording.words import alarm_words
from tests.unit.registry.clinic import BY, DAY_MS, NOW, alarm, dates, fill_entry, info, status, view

DAY = timedelta(days=1)


def one(registry: Registry) -> PumpRow:
    (found,) = registry.watched()
    return found


def intent(cmd_id: int, state: str = "applied", kind: CommandKind = CommandKind.CONFIGURE, note: str = "", **basis: Any) -> Intent:
    return Intent(cmd_id, int(kind), bytes([cmd_id]) * 32, b"", "program a therapy", state, note, json.dumps(basis) if basis else "")


def refill(aspirated_nL: int, expected_nL: int, counted_nL: int) -> Refill:
    difference = Discrepancy(aspirated_nL - expected_nL, 2_000_000)
    return Refill(expected_nL, aspirated_nL, 38_000_000, 39_400_000, difference, counted_nL)


# ------------------------------------------------------------------------------------------------ the seam to the alerts
def test_rows_have_every_field_that_alerts_watch() -> None:
    assert [field.name for field in fields(PumpRow)] == [field.name for field in fields(WatchedPump)]
    assert [field.name for field in fields(DateRow)] == [field.name for field in fields(RefillDates)]
    assert {field.name for field in fields(ContactRow)} - {"position"} == {field.name for field in fields(Contact)} - {"order"}


def test_alarms_have_the_ids_that_screens_and_rules_know() -> None:
    assert {number: alarm_id(number) for number in AlarmNumber} == {number: alarm_words(number).id for number in AlarmNumber}
    assert alarm_id(99) == alarm_words(99).id


# ------------------------------------------------------------------------------------------------ readings
def test_a_reading_is_kept_as_the_pump_said_it(registry: Registry) -> None:
    registry.record_reading(view(alarms=(alarm(7),), reservoir_nL=12_345_678), by=BY)
    (kept,) = registry.pump_history("SIM-0001").readings
    assert decode_reply(kept.status_wire)[1] == status(alarms=(alarm(7),), reservoir_nL=12_345_678)
    assert (kept.taken_at, kept.by, kept.run_state, kept.eri_left_days) == (NOW, BY, "running", None)
    found = one(registry)
    assert (found.alarms, found.reservoir_nL, found.last_seen) == (("motor-stall",), 12_345_678, NOW)
    assert (found.memory_id, found.profile, found.patient_id, found.zone) == (b"MEMORY-1".hex(), "P-40", "", "UTC")


def test_the_newest_by_time_is_watched_also_when_an_older_one_comes_in_late(registry: Registry) -> None:
    registry.record_reading(view(NOW, reservoir_nL=1_000), dates=dates(NOW, 60), by=BY)
    registry.record_reading(view(NOW - DAY, reservoir_nL=2_000), dates=dates(NOW - DAY, 70), by=BY)
    found = one(registry)
    assert found.reservoir_nL == 1_000
    assert found.dates is not None
    assert found.dates.refill_by == (NOW + 60 * DAY).date()


@pytest.mark.sr("SR-36")
def test_dates_come_back_as_days_at_the_pumps_own_offset(registry: Registry) -> None:
    late = NOW.replace(hour=23)  # another day in UTC
    registry.record_reading(view(late), dates=dates(late, 60), by=BY)
    found = one(registry).dates
    assert found is not None
    assert found.refill_by == (late + 60 * DAY).date()
    assert found.computed_at == late
    assert found.computed_at.utcoffset() == late.utcoffset()
    assert (found.low_earliest, found.empty_latest) == ((late + 60 * DAY).date(), (late + 95 * DAY).date())


def test_a_pump_without_dates_is_watched_and_says_so(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    assert one(registry).dates is None
    registry.record_reading(view(NOW + DAY), dates=dates(NOW + DAY, None), by=BY)
    found = one(registry).dates
    assert found is not None
    assert (found.refill_by, found.limited_by) == (None, "none")


def test_since_when_a_pump_stands_still_is_kept_over_readings(registry: Registry) -> None:
    stop = view(run_state=RunState.STOPPED, last_change_kind=CommandKind.STOP, last_change_ms=99 * DAY_MS)
    registry.record_reading(stop, by=BY)
    assert one(registry).stopped_since == NOW - DAY
    # A later command (the clock) hides when the stop was; what was known stays.
    later = NOW + 5 * DAY
    registry.record_reading(view(later, run_state=RunState.STOPPED, uptime_ms=105 * DAY_MS, last_change_kind=CommandKind.SET_CLOCK), by=BY)
    assert (one(registry).run_state, one(registry).stopped_since) == ("stopped", NOW - DAY)
    registry.record_reading(view(later + DAY, uptime_ms=106 * DAY_MS), by=BY)
    assert one(registry).stopped_since is None


def test_nothing_is_recorded_without_an_author_or_an_offset(registry: Registry) -> None:
    with pytest.raises(Contradiction, match="nobody is named"):
        registry.record_reading(view(), by=" ")
    with pytest.raises(Contradiction, match="no offset"):
        registry.record_reading(view(NOW.replace(tzinfo=None)), by=BY)
    assert list(registry.watched()) == []


# ------------------------------------------------------------------------------------------------ what moved a date
@pytest.mark.sr("SR-36")
def test_a_change_of_therapy_keeps_the_date_before_it_and_why(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(NOW, 60), by=BY)
    assert (one(registry).previous_refill_by, one(registry).moved_because) == (None, "")
    changed = view(NOW + DAY, digest=bytes([2]) * 32)
    registry.record_reading(changed, dates=dates(NOW + DAY, 40), by=BY, because="program a therapy")
    first = (NOW + 60 * DAY).date()
    assert (one(registry).previous_refill_by, one(registry).moved_because) == (first, "program a therapy")
    registry.record_reading(view(NOW + 2 * DAY, digest=bytes([2]) * 32), dates=dates(NOW + 2 * DAY, 39), by=BY)
    assert one(registry).previous_refill_by == first, "the next reading must not lose it"


def test_a_change_by_another_programmer_is_noticed_by_the_digest(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(NOW, 60), by=BY)
    registry.record_reading(view(NOW + DAY, digest=bytes([9]) * 32), dates=dates(NOW + DAY, 20), by=BY)
    assert "therapy on the pump was changed" in one(registry).moved_because


# ------------------------------------------------------------------------------------------------ refills, cycles
def test_fills_of_the_log_are_counted_once_whoever_made_them(registry: Registry) -> None:
    log = [fill_entry(2, 10 * DAY_MS, 38_000_000, 0), fill_entry(7, 90 * DAY_MS, 39_400_000, 20_000_000)]
    registry.record_reading(view(), log=log, by=BY)
    registry.record_reading(view(NOW + DAY, uptime_ms=101 * DAY_MS), log=log, by=BY)
    rows = registry.refill_history("SIM-0001")
    assert [(row.source, row.after_nL, row.counted_nL) for row in rows] == [("log", 38_000_000, None), ("log", 39_400_000, 18_000_000)]
    assert rows[1].at == NOW - 10 * DAY
    assert one(registry).cycle == 2


@pytest.mark.sr("SR-38")
def test_a_refill_told_from_here_and_seen_in_the_log_is_one(registry: Registry) -> None:
    amount = {"value": "38", "unit": "mL"}
    kept = {
        "on": NOW.date().isoformat(),
        "expected": {"value": "6", "unit": "mL"},
        "aspirated": {"value": "3.5", "unit": "mL"},
        "filled": amount,
        "volume_after": {"value": "39.4", "unit": "mL"},
        "difference": {"value": "-2.5", "unit": "mL"},
        "tolerance": {"value": "5.2", "unit": "mL"},
        "counted_since_last_fill": {"value": "31.5", "unit": "mL"},
        "above_clinic_limit": True,
        "outside_accuracy": False,
    }
    overrides = [{"rule": "refill-discrepancy", "reason": "specialist", "text": "checked twice"}]
    decided = intent(4, refill=kept, patient="P-0042", user="N-17", overrides=overrides)
    entry = fill_entry(9, 100 * DAY_MS, 39_400_000, 7_400_000)
    registry.record_reading(view(), log=[entry], dates=dates(NOW, 100), by=BY, decisions_here=[decided], programmer_id=b"PROGRAM1")
    (row,) = registry.refill_history("SIM-0001")
    assert (row.source, row.expected_nL, row.aspirated_nL, row.discrepancy_nL) == ("command", 6_000_000, 3_500_000, -2_500_000)
    assert row.suspicious
    assert "checked twice" in row.decision
    found = one(registry)
    assert (found.cycle, found.patient_id, found.discrepancy_nL, found.discrepancy_open) == (1, "P-0042", -2_500_000, False)
    registry.record_reading(view(NOW + DAY), log=[entry], by=BY, decisions_here=[decided], programmer_id=b"PROGRAM1")
    noted = replace(decided, note="confirmed by hand")
    registry.record_reading(view(NOW + DAY), log=[entry], by=BY, decisions_here=[noted], programmer_id=b"PROGRAM1")
    assert len(registry.refill_history("SIM-0001")) == 1


@pytest.mark.sr("SR-38")
def test_an_undecided_difference_is_open_until_somebody_settles_it(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    key = registry.record_refill("SIM-0001", refill(3_000_000, 6_000_000, 30_000_000), at=NOW, by=BY)
    assert (one(registry).discrepancy_nL, one(registry).discrepancy_open) == (-3_000_000, True)
    with pytest.raises(Contradiction, match="without words"):
        registry.settle_discrepancy(key, "  ", at=NOW, by=BY)
    registry.settle_discrepancy(key, "the syringe was misread; weighed again", at=NOW + DAY, by="N-2")
    assert (one(registry).discrepancy_nL, one(registry).discrepancy_open) == (-3_000_000, False)
    with pytest.raises(Contradiction, match="no open difference"):
        registry.settle_discrepancy(key, "again", at=NOW, by=BY)


def test_a_refill_ends_the_dates_of_the_cycle_before(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(NOW, 9), by=BY)
    registry.record_reading(view(digest=bytes([2]) * 32), dates=dates(NOW, 1), by=BY, because="program a therapy")
    assert one(registry).previous_refill_by == (NOW + 9 * DAY).date()
    registry.record_refill("SIM-0001", refill(6_000_000, 6_000_000, 30_000_000), at=NOW + DAY, by=BY)
    assert one(registry).dates is None
    registry.record_reading(view(NOW + DAY), dates=dates(NOW + DAY, 90), by=BY)
    found = one(registry)
    assert found.dates is not None
    assert (found.dates.refill_by, found.previous_refill_by, found.moved_because) == ((NOW + 91 * DAY).date(), None, "")


def test_calibration_is_learned_from_what_was_drawn_out(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    for month in range(4):
        # Always 3 mL less than 30 mL counted would leave: the pump gives a tenth more than it counts.
        registry.record_refill("SIM-0001", refill(5_000_000, 8_000_000, 30_000_000), at=NOW + month * 100 * DAY, by=BY)
    learned = registry.pump_history("SIM-0001").calibrations
    assert [row["refills"] for row in learned] == [1, 2, 3]
    assert 0 < learned[0]["flow_error_ppm"] < learned[2]["flow_error_ppm"] < 100_000
    assert one(registry).calibration_ppm == learned[-1]["flow_error_ppm"]
    assert one(registry).calibration_drifts is learned[-1]["alerts"]


# ------------------------------------------------------------------------------------------------ commands, therapies
@pytest.mark.sr("SR-03")
def test_decisions_come_in_once_and_are_completed_when_their_outcome_is_known(registry: Registry) -> None:
    who = b"PROGRAM1"
    text = "schema = …"
    open_ = intent(1, "unknown", prescription=text, patient="P-0042", user="N-17", second="N-2", review="ab" * 32)
    assert registry.record_commands(info(), who, [open_], at=NOW, by=BY) == 1
    assert registry.pump_history("SIM-0001").therapies == ()
    known = replace(open_, state="applied", note="")
    assert registry.record_commands(info(), who, [known, intent(2, "not_applied")], at=NOW + DAY, by=BY) == 2
    assert registry.record_commands(info(), who, [known, intent(2, "not_applied")], at=NOW + DAY, by=BY) == 0
    found = registry.pump_history("SIM-0001")
    assert [(row.cmd_id, row.state, row.by, row.second) for row in found.commands] == [
        (1, "applied", "N-17", "N-2"),
        (2, "not_applied", BY, ""),
    ]
    (therapy,) = found.therapies
    assert (therapy.prescription, therapy.patient_id, therapy.review_digest) == (text, "P-0042", "ab" * 32)
    assert found.pump.patient_id == "P-0042"
    assert registry.record_commands(info(), b"PROGRAM2", [intent(1)], at=NOW, by=BY) == 1, "another workstation counts for itself"


# ------------------------------------------------------------------------------------------------ pumps, patients, visits
def test_a_pump_with_a_memory_formatted_anew_takes_its_patient_along(registry: Registry) -> None:
    registry.record_reading(view(), dates=dates(), by=BY)
    registry.assign("SIM-0001", "P-0042", at=NOW, by=BY, zone="Europe/Berlin")
    registry.book("SIM-0001", (NOW + 9 * DAY).date(), at=NOW, by=BY)
    registry.record_reading(view(NOW + DAY, info(memory=b"MEMORY-2")), by=BY)
    found = one(registry)
    assert found.visit_on == (NOW + 9 * DAY).date()
    assert (found.memory_id, found.patient_id, found.zone, found.dates) == (b"MEMORY-2".hex(), "P-0042", "Europe/Berlin", None)
    assert [row.retired_because for row in registry.pumps(retired=True)] == ["its memory was formatted anew", ""]


def test_a_retired_pump_is_watched_no_more_and_forgotten_never(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    with pytest.raises(Contradiction, match="without a reason"):
        registry.retire("SIM-0001", "", at=NOW, by=BY)
    registry.retire("SIM-0001", "explanted", at=NOW, by=BY)
    assert list(registry.watched()) == []
    assert registry.pumps() == ()
    assert registry.pump_history("SIM-0001").pump.retired_because == "explanted"


def test_one_pump_has_one_patient_at_a_time(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    registry.assign("SIM-0001", "P-0042", at=NOW, by=BY)
    registry.assign("SIM-0001", "P-0043", at=NOW + DAY, by=BY)
    assert one(registry).patient_id == "P-0043"
    assert {row.id: row.pumps for row in registry.patients()} == {"P-0042": (), "P-0043": ("SIM-0001",)}


@pytest.mark.parametrize(("patient", "zone"), [("Mary Example", None), ("", None), ("P-0042", "Mars/Base"), ("P-0042", "../etc/passwd")])
def test_a_name_is_no_id_and_a_made_up_zone_none(registry: Registry, patient: str, zone: str | None) -> None:
    registry.record_reading(view(), by=BY)
    with pytest.raises(Contradiction):
        registry.assign("SIM-0001", patient, at=NOW, by=BY, zone=zone)
    assert registry.patients() == ()


def test_a_visit_stands_until_a_fill_keeps_it_or_it_is_cancelled(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    registry.book("SIM-0001", date(2026, 11, 20), at=NOW - 5 * DAY, by=BY)
    registry.book("SIM-0001", date(2027, 1, 5), at=NOW - 5 * DAY, by=BY)
    assert one(registry).visit_on == date(2026, 11, 20), "the next one first, and one that was missed"
    registry.record_refill("SIM-0001", refill(6_000_000, 6_000_000, 30_000_000), at=NOW, by=BY)
    assert one(registry).visit_on == date(2027, 1, 5)
    registry.cancel_visit("SIM-0001", date(2027, 1, 5), "travels", at=NOW, by=BY)
    assert one(registry).visit_on is None
    with pytest.raises(Contradiction, match="no visit"):
        registry.cancel_visit("SIM-0001", date(2027, 1, 5), "again", at=NOW, by=BY)


def test_a_visit_booked_again_takes_the_place_of_the_missed_one(registry: Registry) -> None:
    registry.record_reading(view(), by=BY)
    registry.book("SIM-0001", date(2026, 11, 20), at=NOW - 5 * DAY, by=BY)
    registry.book("SIM-0001", date(2027, 1, 5), at=NOW, by=BY)
    assert one(registry).visit_on == date(2027, 1, 5)
    registry.book("SIM-0001", date(2026, 12, 20), at=NOW, by=BY)
    assert one(registry).visit_on == date(2026, 12, 20), "one to come is not taken away"
    assert registry.verify() == ()


def test_contacts_stand_in_their_order(registry: Registry) -> None:
    late = ContactRow("doctor", 2, "mail", "b@clinic.invalid", 4, shows_patient=True)
    first = ContactRow("nurse", 1, "mail", "a@clinic.invalid", 24, shows_patient=False)
    for contact in (late, first):
        registry.set_contact(contact, at=NOW, by=BY)
    assert registry.contacts() == (first, late)
    registry.set_contact(replace(first, position=3), at=NOW, by=BY)
    registry.remove_contact("doctor", at=NOW, by=BY)
    assert registry.contacts() == (replace(first, position=3),)
    with pytest.raises(UnknownSubject):
        registry.remove_contact("doctor", at=NOW, by=BY)
    with pytest.raises(Contradiction, match="not complete"):
        registry.set_contact(replace(late, escalate_after_h=0), at=NOW, by=BY)


def test_what_is_not_there_is_said_by_name(registry: Registry) -> None:
    for ask in (registry.pump_history, registry.refill_history, registry.observations):
        with pytest.raises(UnknownSubject, match="X-9"):
            ask("X-9")
