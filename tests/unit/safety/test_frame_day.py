"""A change within a day of another: what a kept period counts, and what the day before gave."""

from __future__ import annotations

from fractions import Fraction

import pytest

from itbpump.configuration import wire_configuration
from itbpump.history import History
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, Mass, MassRate
from itbpump.safety.across import Course, Phase, highest_24h_across
from itbpump.safety.context import highest_across
from itbpump.safety.current import Current
from itbpump.safety.rules_drug import untimed_text
from itbpump.schedule import Schedule
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind
from tests.unit.safety.test_frame_context import EVERY_6H, context, running
from tests.unit.safety.test_frame_present import DAY_200, DAY_400, UPTIME, began, read
from tests.unit.therapy.prescriptions import bolus, flex, periodic, prescription, rate

P40 = load_profile("P-40")
NG_PER_ML = 2_000_000
OTHER = prescription(periodic("8 mcg", "1h", "6h", "100 mcg/day"))
LARGER = Schedule.periodic(pulses=10, pulse_nL=500, duration_min=30, every_min=360, flow_nL_per_day=60_000)
"""10 mcg over 30 min every 6 h and 5 mcg an hour between them: the larger of EVERY_6H and OTHER in every field."""
MORNING_100 = prescription(flex(rate("00:00", "0 mcg/day"), bolus("01:00", "100 mcg", "1h")))
ALL_DAY = MassRate(150_000)  # of LARGER: four boluses, and 22 h of 5 mcg


def across(new: Prescription, present: PresentPump | Prescription) -> MassRate:
    highest, most = highest_across(context(new, present))
    assert most == ALL_DAY
    return highest


def with_course(current: Current) -> MassRate:
    """The past, then the larger period from the commit on."""
    return highest_24h_across(current.past, Course([Phase(LARGER, 0, NG_PER_ML)]))[0]


# ------------------------------------------------------------------------------------------------ a kept period
@pytest.mark.sr("SR-07")
def test_boluses_by_hand_are_on_top_of_a_kept_period() -> None:
    given = History(boluses=((UPTIME - 2 * MS_PER_HOUR, 30),))
    assert across(OTHER, running(EVERY_6H, history=given)) == MassRate(180_000)


@pytest.mark.sr("SR-07")
def test_what_ran_before_a_kept_period_of_six_hours_counts_beside_its_next_bolus() -> None:
    """Now is 12:00, and the bolus of 100 mcg ended at 02:00; the period began at 06:00. The 24 h from the begin of that bolus on hold it,
    6 h of the period wherever it stood (10 mcg and 5.5 h of 5 mcg), and 13 h from a bolus on (three, and 11.5 h of 5 mcg)."""
    present = running(EVERY_6H, history=began(6, 40), previous=wire_configuration(MORNING_100, P40))
    by_hand = Fraction(100_000 + 10_000 + 27_500 + 30_000 + 57_500)
    assert across(OTHER, present).ng_per_day == by_hand == with_course(read(present)).ng_per_day
    assert across(EVERY_6H, running(OTHER, history=began(6, 40), previous=wire_configuration(MORNING_100, P40))) < MassRate(by_hand)


@pytest.mark.sr("SR-07")
def test_a_kept_period_of_a_day_counts_by_itself_and_one_of_a_millisecond_less_does_not() -> None:
    whole, less = (running(EVERY_6H, history=History(therapy_since_ms=UPTIME - MS_PER_DAY + late)) for late in (0, 1))
    assert across(OTHER, whole) == ALL_DAY < with_course(read(whole))
    assert across(OTHER, less) == with_course(read(less)) > ALL_DAY


@pytest.mark.sr("SR-07")
def test_a_kept_period_of_unknown_age_counts_beside_the_pumps_own_sum() -> None:
    """A bridge ended lately: only the pump's sum tells of the day. A day that begins just before the commit is a millisecond short."""
    bridged = History(bridge_ended_ms=UPTIME - MS_PER_HOUR)
    present = running(
        EVERY_6H, history=bridged, mass_24h_ng=400_000, last_change_ms=UPTIME - MS_PER_HOUR, last_change_kind=CommandKind.BOLUS
    )
    assert read(present).age_ms is None
    assert MassRate(549_999) < across(OTHER, present) == with_course(read(present)) < MassRate(550_000)


@pytest.mark.sr("SR-07")
def test_a_period_kept_from_a_file_counts_by_itself() -> None:
    assert across(OTHER, EVERY_6H) == ALL_DAY


# ------------------------------------------------------------------------------------------------ what the day before gave
@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    ("told_ng", "used_to_ng"),
    [
        (420_000, 387_000),  # 6 h of 200 and 18 h of 400 mcg/day, 30 mcg by hand and 7 primed
        (387_001, 387_000),
        (386_999, 386_999),
    ],
)
def test_a_day_that_is_wholly_known_is_not_made_larger_by_the_hour_before_it(told_ng: int, used_to_ng: int) -> None:
    at = UPTIME - 2 * MS_PER_HOUR
    known = began(6, 30, is_whole_day=True, boluses=((at, 30),), primes=((at, 7),))
    present = running(DAY_200, history=known, previous=wire_configuration(DAY_400, P40), mass_24h_ng=told_ng)
    assert read(present).used_to == MassRate(used_to_ng)


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(
    "known",
    [
        began(6, 30),
        began(6, 30, is_whole_day=True, interrupted=True),
        began(6, 30, is_whole_day=True, bridge_ended_ms=UPTIME - MS_PER_HOUR),
        began(6, 20, is_whole_day=True),
        began(6, is_whole_day=True),
    ],
    ids=["log too short", "interrupted", "bridged", "20 h known", "nothing known before"],
)
def test_a_day_that_is_not_wholly_known_is_what_the_pump_tells(known: History) -> None:
    present = running(DAY_200, history=known, previous=wire_configuration(DAY_400, P40), mass_24h_ng=420_000)
    assert read(present).used_to in (MassRate(420_000), None)
    assert (read(present).used_to is None) == known.interrupted


@pytest.mark.sr("SR-07")
def test_what_has_no_time_is_told_in_words() -> None:
    what = "of a therapy before the last two changes, which the pump tells no time of: as much may be counted twice"
    assert untimed_text(Mass(2_500)) == f", 2.5 mcg of it {what}"
    assert untimed_text(Mass(0)) == ""


# ------------------------------------------------------------------------------------------------ edges of a long phase
def test_a_long_phase_has_the_edges_of_its_begin_and_of_its_end() -> None:
    every_7h = Schedule.periodic(pulses=100, pulse_nL=500, duration_min=60, every_min=7 * 60, flow_nL_per_day=24_000)

    def edges(until_h: int) -> list[float]:
        return [edge / MS_PER_HOUR for edge in Course([Phase(every_7h, 0, 1)]).edges(until_h * MS_PER_HOUR)]

    assert edges(40) == [0, 1, 7, 8, 14, 15, 21, 22, 28, 29, 35, 36, 40]
    assert edges(55) == [*(float(7 * turn + more) for turn in range(8) for more in (0, 1) if 7 * turn + more < 55), 55]
    assert edges(84) == [0, 1, 7, 8, 14, 15, 21, 22, 28, 29, 60, 63, 64, 70, 71, 77, 78, 84]
