"""What is known of the present, figure by figure: ages, what was given, what the sum of the last 24 h leaves open, the identity."""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta, timezone
from fractions import Fraction
from typing import Any

import pytest

from itbpump.configuration import configuration_digest, wire_configuration
from itbpump.history import History
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, Mass, MassRate
from itbpump.safety.across import NG, NOTHING
from itbpump.safety.current import Current, _Lately, _ran_on, is_other_drug, is_relabelled
from itbpump.therapy import Prescription
from itbpump.therapy_view import view_configuration
from itbpump.wire.messages import CommandKind, RunState
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
EASTERN = timezone(timedelta(hours=-5))
DAY_200 = prescription()  # 200 mcg/day of 2,000 mcg/mL are 100,000 nL a day; a pulse of 500 nL holds 1 mcg
DAY_400 = prescription(continuous("400 mcg/day"))
AT_14 = prescription(flex(rate("00:00", "0 mcg/day"), bolus("14:00", "100 mcg", "1h")))
MCG = 1_000 * NG
UPTIME = 900 * MS_PER_HOUR  # 5 weeks and 60 h: Wednesday 12:00 of a week without offset


def running(rx: Prescription = DAY_200, week_offset: int = 0, **state: Any) -> PresentPump:
    return pump(wire_configuration(rx, P40, week_offset=week_offset), **state)


def stopped(rx: Prescription = DAY_200, **state: Any) -> PresentPump:
    return running(rx, run_state=RunState.STOPPED, **state)


def since(hours: float) -> History:
    return History(untreated_since_ms=UPTIME - int(hours * MS_PER_HOUR))


def began(hours: float, before_since: float | None = None, **more: Any) -> History:
    """A therapy that began so many hours ago, and the one before it, surely running until then."""
    at = UPTIME - int(hours * MS_PER_HOUR)
    if before_since is None:
        return History(therapy_since_ms=at, **more)
    return History(therapy_since_ms=at, before_since_ms=UPTIME - int(before_since * MS_PER_HOUR), before_until_ms=at, **more)


def read(present: PresentPump) -> Current:
    return Current.from_pump(present, P40)


def in_last(current: Current, *hours: float) -> list[float]:
    """mcg that the last hours gave."""
    return [current.past.mass(int(back * MS_PER_HOUR)) / MCG for back in hours]


# ------------------------------------------------------------------------------------------------ from a file
def test_a_file_is_taken_to_run_until_the_later_one() -> None:
    began_on = datetime(2026, 11, 20, 10, tzinfo=EASTERN)
    rx = prescription({**flex(rate("00:00", "0 mcg/day"), bolus("14:00", "100 mcg", "1h")), "since": began_on})
    later = prescription(pump={"as_of": datetime(2026, 11, 22, 20, 0, 1, tzinfo=UTC)})  # Sunday 15:00:01 of the file's day
    current = Current.from_prescription(rx, P40, later)
    assert (current.source, current.is_treating, current.bridging, current.untreated_ms) == ("file", True, False, None)
    assert current.age_ms == 2 * MS_PER_DAY + 5 * MS_PER_HOUR + 1_000
    assert current.configuration == wire_configuration(rx, P40)
    assert current.view == view_configuration(wire_configuration(rx, P40), P40)
    assert current.last is current.view
    assert current.rx is rx
    assert current.present is None
    assert in_last(current, 1 / 3_600, 1 / 3_600 + 1) == [0, 100]
    assert (current.given_by_hand, current.extra, current.scheduled_24h) == (Mass(0), Mass(0), Mass(0))


def test_a_file_ran_until_the_very_time_of_the_later_one() -> None:
    for rx in (DAY_400, prescription(periodic("5 mcg", "1h", "1h"))):
        assert Current.from_prescription(rx, P40, DAY_200).past.mass(1) > 0


def test_a_file_that_stops_gave_nothing_and_one_without_a_date_has_no_age() -> None:
    current = Current.from_prescription(prescription({"mode": "stopped"}), P40, DAY_200)
    assert not current.is_treating
    assert current.past is NOTHING
    assert current.last is None
    assert current.age_ms is None


def test_what_was_given_by_hand_adds_up() -> None:
    current = Current("pump", None, None, None, False, None, None, NOTHING, False, Mass(300), Mass(1), unlogged=Mass(20))
    assert current.given_by_hand == Mass(21)
    assert current.extra == Mass(321)
    bare = Current("pump", None, None, None, False, None, None, NOTHING, False)
    assert (bare.left, bare.boluses, bare.unexplained, bare.primed, bare.scheduled_24h) == (Mass(0),) * 5


# ------------------------------------------------------------------------------------------------ from a pump
@pytest.mark.sr("SR-33")
def test_a_pump_without_a_configuration_tells_its_sum_and_what_ran_before() -> None:
    present = pump(None, mass_24h_ng=700, bridge_left_pulses=3, history=since(1), previous=wire_configuration(DAY_400, P40))
    current = read(present)
    assert (current.source, current.configuration, current.view, current.is_treating) == ("pump", None, None, False)
    assert (current.age_ms, current.untreated_ms, current.bridging) == (None, MS_PER_HOUR, True)
    assert current.last == view_configuration(wire_configuration(DAY_400, P40), P40)
    assert [current.past.mass(back) for back in (0, 1)] == [0, 700 * NG]
    assert current.present is present
    fresh = read(pump(None))
    assert (fresh.untreated_ms, fresh.last, fresh.bridging) == (None, None, False)


@pytest.mark.sr("SR-07")
def test_boluses_of_the_log_and_what_only_the_sum_tells_are_apart() -> None:
    given = History(boluses=((UPTIME - 2 * MS_PER_HOUR, 30),))
    present = running(history=given, bolus_given_pulses=4, bolus_left_pulses=6, mass_24h_ng=259_000)
    current = read(present)
    assert (current.boluses, current.unexplained, current.left) == (Mass(34_000), Mass(25_000), Mass(6_000))
    assert (current.scheduled_24h, current.primed) == (Mass(200_000), Mass(0))
    assert (current.is_treating, current.age_ms, current.untreated_ms, current.bridging) == (True, UPTIME, None, False)
    assert (current.before, current.used_to) == (None, None)
    assert current.last == current.view
    assert in_last(current, 0, 1.2, 2.4, 24) == [0, 4 + 10, 4 + 20 + 30, 4 + 200 + 30]
    assert current.past.mass(1) // MCG == 4  # what has run of a bolus under way counts from now on
    assert current.configuration is present.configuration
    assert current.present is present
    assert read(changed(present, mass_24h_ng=200_000)).unexplained == Mass(0)
    none_given = read(running(bridge_left_pulses=1))
    assert (none_given.boluses, none_given.left, none_given.bridging) == (Mass(0), Mass(0), True)


@pytest.mark.sr("SR-07", "SR-13")
def test_what_a_prime_pushed_into_the_path_is_no_bolus() -> None:
    primes = ((UPTIME - 3 * MS_PER_HOUR, 100), (UPTIME - MS_PER_HOUR, 20))
    current = read(running(history=History(primes=primes), mass_24h_ng=330_000))
    assert (current.primed, current.boluses, current.unexplained) == (Mass(120_000), Mass(0), Mass(10_000))
    assert in_last(current, 24) == [200]


def test_masses_of_odd_concentrations_are_whole_ng() -> None:
    odd = prescription(drug={"concentration": "500.001 mcg/mL"})  # a pulse holds 250.0005 ng
    given = History(boluses=((UPTIME - MS_PER_HOUR, 3),), primes=((UPTIME - MS_PER_HOUR, 1_001),))
    current = read(running(odd, history=given, bolus_left_pulses=1_001, mass_24h_ng=451_251))
    assert current.boluses == Mass(750)
    assert current.left == current.primed == Mass(250_251)  # 1,001 pulses hold 250,250.5005
    # 399,999 nL a day are 199,999.899999 ng
    assert current.scheduled_24h == Mass(200_000)
    assert current.unexplained == Mass(251)  # 451,251 - 199,999.9 - 750 - 250,250.5 = 250.6
    assert current.past.mass(MS_PER_DAY) == 751 * NG + 399_999 * 500_001 * 86_400_000  # a bolus is rounded up
    whole = (current.boluses, current.left, current.primed, current.scheduled_24h, current.unexplained)
    assert all(type(mass.ng) is int for mass in whole)


@pytest.mark.parametrize(("held", "left_pulses", "expected"), [(3_000, 5, 9_000), (3_000, 0, 6_000), (500, 5, 6_000), (3_000, 1, 9_000)])
def test_what_is_left_of_a_bolus_counts_by_the_strongest_drug_in_the_path(held: int, left_pulses: int, expected: int) -> None:
    present = running(bolus_left_pulses=6, path_concentration_ng_per_mL=held * 1_000, path_left_pulses=left_pulses)
    assert read(present).left == Mass(expected)


def test_a_stopped_pump_gave_until_it_was_stopped() -> None:
    given = changed(since(6), boluses=((UPTIME - 7 * MS_PER_HOUR, 5),))
    current = read(stopped(history=given, mass_24h_ng=165_000))
    assert (current.is_treating, current.untreated_ms) == (False, 6 * MS_PER_HOUR)
    assert in_last(current, 6, 7.2, 24) == [0, 10 + 5, 150 + 5]
    assert (current.boluses, current.unexplained, current.scheduled_24h) == (Mass(5_000), Mass(10_000), Mass(0))
    assert (current.last, current.used_to) == (current.view, None)
    just_now = read(stopped(history=since(0)))
    assert just_now.untreated_ms == 0
    assert in_last(just_now, 24) == [200]
    unknown = read(stopped(mass_24h_ng=160_000))
    assert unknown.untreated_ms is None
    assert in_last(unknown, 0.001, 24) == [160, 160]
    assert (unknown.boluses, unknown.unexplained, unknown.scheduled_24h) == (Mass(0), Mass(0), Mass(0))
    least = read(stopped(prescription({"mode": "minimum-rate"}), history=given, mass_24h_ng=160_000))
    assert in_last(least, 0.001, 24) == [160, 160]
    assert (least.last, least.boluses, least.unexplained) == (None, Mass(5_000), Mass(0))


def test_a_stalled_pump_still_counts_what_it_should_have_given() -> None:
    current = read(running(history=since(6), mass_24h_ng=150_000))
    assert (current.is_treating, current.untreated_ms) == (True, 6 * MS_PER_HOUR)
    assert in_last(current, 1.2, 24) == [10, 200]
    assert current.scheduled_24h == Mass(200_000)


def test_a_day_with_an_interruption_has_no_whole_schedule() -> None:
    current = read(running(history=History(interrupted=True), mass_24h_ng=150_000))
    assert current.scheduled_24h == Mass(0)
    assert in_last(current, 24) == [200]


@pytest.mark.parametrize(
    ("hours", "kind", "history", "expected"),
    [
        (5, CommandKind.CONFIGURE, History(), 5),
        (5, CommandKind.BOLUS, History(), None),
        (24, CommandKind.BOLUS, History(), 24),
        (5, CommandKind.BOLUS, began(7), 7),
        (5, CommandKind.CONFIGURE, began(7), 7),
    ],
)
def test_how_long_a_therapy_has_run_at_least(hours: int, kind: CommandKind, history: History, expected: int | None) -> None:
    current = read(running(last_change_ms=UPTIME - hours * MS_PER_HOUR, last_change_kind=kind, history=history))
    assert current.age_ms == (None if expected is None else expected * MS_PER_HOUR)


def test_just_less_than_a_day_since_another_command_tells_no_age() -> None:
    current = read(running(last_change_ms=UPTIME - MS_PER_DAY + 1, last_change_kind=CommandKind.BOLUS, mass_24h_ng=70_000))
    assert current.age_ms is None
    assert in_last(current, 24) == [0]
    assert (current.scheduled_24h, current.unexplained) == (Mass(0), Mass(70_000))


# ------------------------------------------------------------------------------------------------ the therapy before this one
@pytest.mark.sr("SR-07")
def test_the_therapy_before_a_young_one_counts_as_far_as_it_surely_ran() -> None:
    before = wire_configuration(DAY_400, P40)
    young = running(history=began(6, 30), previous=before, mass_24h_ng=360_000)
    current = read(young)
    assert in_last(current, 6, 7.2, 24) == [50, 70, 350]
    assert (current.scheduled_24h, current.unexplained) == (Mass(350_000), Mass(10_000))
    assert (current.used_to, current.before) == (MassRate(360_000), view_configuration(before, P40))
    assert current.last == current.view
    just = read(changed(young, history=began(6, 24)))
    assert (just.scheduled_24h, just.used_to) == (Mass(350_000), MassRate(360_000))
    # known for 18 h only: 50, and 12 h of 400 mcg/day
    short = read(changed(young, history=began(6, 18)))
    assert in_last(short, 6, 18, 24) == [50, 250, 250]
    assert (short.scheduled_24h, short.unexplained, short.used_to) == (Mass(0), Mass(110_000), MassRate(360_000))
    for unknown in (changed(young, previous=None), changed(young, history=began(6))):
        alone = read(unknown)
        assert in_last(alone, 6, 24) == [50, 50]
        known = (alone.scheduled_24h, alone.unexplained, alone.before, alone.used_to)
        assert known == (Mass(0), Mass(310_000), None, MassRate(360_000))
    half_known = History(therapy_since_ms=UPTIME - 6 * MS_PER_HOUR, before_since_ms=0)
    assert in_last(read(changed(young, history=half_known)), 24) == [50]
    half_known = changed(half_known, before_since_ms=None, before_until_ms=UPTIME - 6 * MS_PER_HOUR)
    assert in_last(read(changed(young, history=half_known)), 24) == [50]


@pytest.mark.sr("SR-07")
def test_before_a_young_therapy_there_may_have_been_none() -> None:
    of_none = wire_configuration(prescription({"mode": "minimum-rate"}), P40)
    current = read(running(history=began(6, 30), previous=of_none, mass_24h_ng=60_000))
    assert in_last(current, 24) == [50]
    assert (current.scheduled_24h, current.before, current.used_to) == (Mass(50_000), None, MassRate(60_000))


@pytest.mark.sr("SR-07")
def test_a_therapy_of_a_day_needs_no_other() -> None:
    young = running(history=began(24, 48), previous=wire_configuration(DAY_400, P40), mass_24h_ng=200_000)
    whole = read(young)
    assert in_last(whole, 24) == [200]
    assert (whole.before, whole.used_to, whole.scheduled_24h) == (None, None, Mass(200_000))
    nearly = read(changed(young, history=began(23, 48)))
    assert [round(mass, 3) for mass in in_last(nearly, 24)] == [round(200 * 23 / 24 + 400 / 24, 3)]
    assert nearly.used_to == MassRate(200_000)


@pytest.mark.sr("SR-07")
def test_a_stopped_young_therapy_is_taken_for_all_that_ran() -> None:
    history = changed(began(6, 30), untreated_since_ms=UPTIME - 3 * MS_PER_HOUR)
    current = read(stopped(history=history, previous=wire_configuration(DAY_400, P40), mass_24h_ng=180_000))
    assert in_last(current, 3, 4.2, 24) == [0, 10, 175]
    assert (current.unexplained, current.before, current.scheduled_24h) == (Mass(5_000), None, Mass(0))


@pytest.mark.sr("SR-07")
def test_boluses_before_a_change_of_label_hold_the_old_drug() -> None:
    weaker = wire_configuration(prescription(drug={"concentration": "500 mcg/mL"}), P40)
    boluses = tuple((UPTIME - hour * MS_PER_HOUR, 10) for hour in (7, 6, 5))  # 2.5 mcg under the old label, 10 from the commit on
    young = running(history=began(6, 30, boluses=boluses), previous=weaker)
    assert read(young).boluses == Mass(22_500)
    assert read(changed(young, previous=None)).boluses == Mass(30_000)
    assert read(changed(young, history=began(6, boluses=boluses))).boluses == Mass(30_000)
    assert read(changed(young, bolus_given_pulses=1)).boluses == Mass(23_500)


def test_each_therapy_has_its_own_time_of_the_week() -> None:
    """The day of the week at 900 h is Wednesday 12:00, and 15:00 with an offset of 3 h."""
    offset = 3 * MS_PER_HOUR
    assert in_last(read(running(AT_14, offset)), 0.5, 1, 24) == [50, 100, 100]
    assert in_last(read(running(AT_14)), 21, 22, 23, 24) == [0, 100, 100, 100]
    before = wire_configuration(AT_14, P40, week_offset=5 * MS_PER_HOUR)  # 17:00: its bolus ended 2 h ago
    young = running(prescription(continuous("0 mcg/day")), history=began(1, 30), previous=before)
    assert in_last(read(young), 2, 3) == [0, 100]
    replaced = running(prescription({"mode": "minimum-rate"}), previous=before, history=History(commits=(0, UPTIME - MS_PER_HOUR)))
    assert in_last(read(replaced), 2, 3) == [0, 100]


@pytest.mark.sr("SR-07")
def test_of_a_period_only_whole_ones_are_sure() -> None:
    every_5h = prescription(periodic("10 mcg", "30m", "5h", "0 mcg/day"))
    none = wire_configuration(prescription({"mode": "minimum-rate"}), P40)
    current = read(running(every_5h, history=began(12, 30), previous=none, mass_24h_ng=35_000))
    assert in_last(current, 0.25, 0.5, 12, 24) == [5, 10, 30, 30]  # at most three within 12 h
    assert (current.scheduled_24h, current.unexplained) == (Mass(20_000), Mass(15_000))  # surely two
    # the most of 24 h, 50 mcg, bounds what is sure of it; four whole periods make 40
    assert read(running(every_5h, mass_24h_ng=50_000)).scheduled_24h == Mass(40_000)
    before = wire_configuration(every_5h, P40)
    young = read(running(prescription(continuous("0 mcg/day")), history=began(8, 30), previous=before, mass_24h_ng=40_000))
    assert young.scheduled_24h == Mass(30_000)  # 16 h of it hold three whole periods
    assert young.unexplained == Mass(10_000)
    gone = read(stopped(every_5h, history=since(6), mass_24h_ng=40_000))
    assert in_last(gone, 6, 6.5, 24) == [0, 10, 40]
    assert gone.unexplained == Mass(10_000)  # 18 h hold three whole periods
    long_gone = read(stopped(every_5h, history=since(30), mass_24h_ng=1_000))
    assert long_gone.unexplained == Mass(1_000)


# ------------------------------------------------------------------------------------------------ what only the sum tells
@pytest.mark.sr("SR-07")
@pytest.mark.parametrize(
    ("hours", "is_whole_day", "previous", "unlogged"),
    [
        (24, True, None, 160),  # all that was programmed is known: the rest was given by hand
        (6, True, None, 0),
        (6, True, DAY_400, 0),  # an earlier schedule's
        (6, True, prescription(drug={"concentration": "500 mcg/mL"}), 310),  # or what the path held of another label
        (6, False, DAY_400, 310),  # or a bolus before the log
    ],
)
def test_what_no_bolus_of_the_log_explains_was_an_earlier_schedules_or_is_unlogged(
    hours: int, is_whole_day: bool, previous: Prescription | None, unlogged: int
) -> None:
    before = wire_configuration(previous, P40) if previous is not None else None
    current = read(running(history=began(hours, is_whole_day=is_whole_day), previous=before, mass_24h_ng=360_000))
    unexplained = 360_000 - 200_000 * hours // 24
    assert (current.unexplained, current.unlogged) == (Mass(unexplained), Mass(unlogged * 1_000))
    assert current.given_by_hand == current.unlogged


@pytest.mark.sr("SR-07", "SR-12")
def test_a_bridge_in_the_last_day_leaves_only_the_sum() -> None:
    def by_sum(**state: Any) -> bool:
        current = read(running(mass_24h_ng=260_000, **state))
        assert (current.unexplained == Mass(0)) is (current.past.mass(1) == 260_000 * NG)
        return current.past.mass(1) == 260_000 * NG

    assert not by_sum()
    assert by_sum(bridge_left_pulses=1)
    assert by_sum(history=History(bridge_ended_ms=UPTIME - MS_PER_DAY + 1))
    assert not by_sum(history=History(bridge_ended_ms=UPTIME - MS_PER_DAY))


@pytest.mark.sr("SR-09")
def test_that_something_ran_all_day_is_told_by_what_it_gave() -> None:
    """Known for 6 h, 50 mcg; the least a running pump gives in the other 18 h, 6,000 nL a day of 2,000 mcg per mL, is 9 mcg."""
    assert read(running(history=began(6), mass_24h_ng=59_000)).used_to == MassRate(59_000)
    assert read(running(history=began(6), mass_24h_ng=58_999)).used_to is None
    assert read(running(history=began(6, interrupted=True), mass_24h_ng=90_000)).used_to is None
    assert read(stopped(history=began(6, interrupted=True), mass_24h_ng=90_000)).used_to is None
    assert read(running(history=began(24), mass_24h_ng=290_000)).used_to is None
    by_hand = began(6, boluses=((UPTIME - MS_PER_HOUR, 40),))  # what boluses gave tells nothing
    assert read(running(history=by_hand, mass_24h_ng=98_999)).used_to is None


def test_the_least_of_a_day_is_exact() -> None:
    present, view = running(), view_configuration(wire_configuration(DAY_200, P40), P40)
    hidden = _Lately(NOTHING, 0, 0)  # 12 mcg in the whole day
    assert _ran_on(present, view, P40, hidden, Fraction(12_000))
    assert not _ran_on(present, view, P40, hidden, 12_000 - Fraction(1, 100))


@pytest.mark.sr("SR-07")
def test_between_two_therapies_there_may_be_hours_of_nothing() -> None:
    """The one before ran from 30 h until 12 h ago, this one for 6 h."""
    history = changed(began(6, 30), before_until_ms=UPTIME - 12 * MS_PER_HOUR)
    young = running(history=history, previous=wire_configuration(DAY_400, P40), mass_24h_ng=260_000)
    current = read(young)
    assert in_last(current, 6, 12, 13.2, 24) == [50, 50, 70, 250]
    assert (current.scheduled_24h, current.unexplained) == (Mass(250_000), Mass(10_000))
    # it ran until 12 h ago from 10 h ago on: nothing of it counts
    assert in_last(read(changed(young, history=changed(history, before_since_ms=UPTIME - 10 * MS_PER_HOUR))), 24) == [50]
    every_5h = wire_configuration(prescription(periodic("10 mcg", "30m", "5h", "0 mcg/day")), P40)
    assert read(changed(young, previous=every_5h)).scheduled_24h == Mass(70_000)  # 12 h of it hold two whole periods
    none = changed(history, before_since_ms=UPTIME - 10 * MS_PER_HOUR)
    assert read(changed(young, previous=every_5h, history=none)).unexplained == Mass(210_000)


@pytest.mark.sr("SR-08")
def test_a_therapy_of_nothing_treats_nobody() -> None:
    nothing, valve = prescription(continuous("0 mcg/day")), prescription(continuous("0 mcg/day"), pump={"profile": "V-40"})
    assert not read(running(nothing)).is_treating
    current = Current.from_prescription(valve, load_profile("V-40"), DAY_200)
    assert (current.is_treating, current.last, current.past) == (False, None, NOTHING)
    least = prescription(continuous("0.002 mcg/day"))  # a nL a day
    assert read(running(least)).is_treating
    assert Current.from_prescription(least, P40, DAY_200).is_treating


# ------------------------------------------------------------------------------------------------ labels and identity
def test_another_drug_or_concentration_is_another_label() -> None:
    view = view_configuration(wire_configuration(DAY_200, P40), P40)
    current = read(running())
    assert not is_relabelled(view, None)
    assert not is_relabelled(view, read(pump(None)))
    assert not is_relabelled(view, current)
    weaker = read(running(prescription(drug={"concentration": "500 mcg/mL"})))
    assert is_relabelled(view, weaker)
    assert not is_other_drug(view, weaker)
    morphine = changed(view, drug="morphine")
    assert is_relabelled(morphine, current)
    assert is_other_drug(morphine, current)
    for none in (None, read(pump(None))):
        assert not is_other_drug(view, none)


@pytest.mark.sr("SR-20")
def test_the_identity_of_a_file_is_its_text() -> None:
    current = Current.from_prescription(DAY_400, P40, DAY_200)
    assert current.identity() == {"source": "file", "treating": True, "therapy": DAY_400.canonical_json}
    assert current.json() == {
        "source": "file",
        "treating": True,
        "therapy": view_configuration(wire_configuration(DAY_400, P40), P40).json(),
    }


@pytest.mark.sr("SR-20")
def test_the_identity_of_a_pump_is_all_that_was_judged() -> None:
    present = running(revision=7, mass_24h_ng=210_000, bridge_left_pulses=3, path_left_pulses=4, alarms=(2, 5))
    current = read(present)
    state = {
        "source": "pump",
        "treating": True,
        "revision": 7,
        "reservoir": {"value": "30", "unit": "mL"},
        "run_state": "running",
        "given_last_24h": {"value": "210", "unit": "mcg"},
        "bridge_left_pulses": 3,
        "path_left_pulses": 4,
        "path_holds": {"value": "2000", "unit": "mcg/mL"},
        "alarms": [2, 5],
    }
    therapy = current.identity()["therapy"]
    assert current.identity() == {**state, "therapy": therapy}
    assert '"flow_nL_per_day":100000' in therapy
    assert therapy == read(running(revision=8)).identity()["therapy"]
    configuration = present.configuration
    assert configuration is not None
    shown = view_configuration(configuration, P40).json()
    assert current.json() == {**state, "therapy": shown, "digest": configuration_digest(configuration).hex()}


def test_a_pump_without_a_configuration_has_no_reservoir_and_no_digest() -> None:
    assert read(pump(None)).identity()["therapy"] is None
    assert read(pump(None)).json() == {
        "source": "pump",
        "treating": False,
        "therapy": None,
        "revision": 1,
        "reservoir": None,
        "run_state": "unconfigured",
        "given_last_24h": {"value": "0", "unit": "mcg"},
        "bridge_left_pulses": 0,
        "path_left_pulses": 0,
        "path_holds": {"value": "0", "unit": "mcg/mL"},
        "alarms": [],
    }
