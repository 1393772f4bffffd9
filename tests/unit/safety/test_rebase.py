"""A move of the pump's day is a reviewed change: a bolus that comes again, one that is left out, the 24 h across the move."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest

from itbpump.configuration import wire_configuration
from itbpump.errors import ConfigurationError
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_HOUR
from itbpump.safety import Severity, review_rebase
from itbpump.wire.messages import AlarmNumber, RunState
from tests.unit.safety.test_review import message, pump, severities
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
WEEK = 168 * MS_PER_HOUR
# 900 h of uptime: the pump's week is at Wednesday 12:00
NOON = pump(wire_configuration(prescription(flex(rate("00:00", "20 mcg/h"), bolus("11:00", "100 mcg", "30m"))), P40))


def moved(hours: float, present: object = NOON) -> dict[str, Severity]:
    return severities(review_rebase(int(hours * MS_PER_HOUR) % WEEK, present, P40))  # type: ignore[arg-type]


@pytest.mark.sr("SR-10", "SR-52")
def test_a_day_moved_back_over_a_bolus_gives_it_again() -> None:
    found = review_rebase(WEEK - 2 * MS_PER_HOUR, NOON, P40)
    assert severities(found)["bolus-again"] is Severity.SECOND
    # 10:00 to 12:00 comes twice: 100 mcg over 30 min and 1.5 h of 20 mcg per hour
    assert "given again: the bolus of Wed 11:00; 130 mcg" in message(found, "bolus-again")
    assert found.table[0].old == "Wed 12:00"
    assert found.table[0].new == "Wed 10:00"
    # two boluses and 23 h of 20 mcg per hour in the 24 h that begin at 10:00 before the move
    assert found.proposed["highest_24h"] == {"value": "660", "unit": "mcg/day"}
    assert "bolus-again" not in moved(-0.5)
    assert moved(-1)["bolus-again"] is Severity.SECOND


@pytest.mark.sr("SR-52")
def test_a_day_moved_ahead_over_a_bolus_leaves_it_out() -> None:
    found = review_rebase(23 * MS_PER_HOUR + MS_PER_HOUR // 2, NOON, P40)
    assert severities(found)["bolus-again"] is Severity.SOFT
    assert "left out: the bolus of Thu 11:00" in message(found, "bolus-again")
    assert "bolus-again" not in moved(22.9)


@pytest.mark.sr("SR-07", "SR-02")
def test_the_24_hours_across_the_move_are_held_to_the_strictest_limits() -> None:
    high = pump(wire_configuration(prescription(flex(rate("00:00", "48 mcg/h"), bolus("11:00", "100 mcg", "30m"))), P40))
    assert moved(-2, high)["daily-total"] is Severity.SOFT
    by_hand = changed(high, mass_24h_ng=high.mass_24h_ng + 200_000)
    assert moved(-2, by_hand)["daily-total"] is Severity.HARD
    assert "daily-total" not in moved(-2)


def test_what_does_not_hang_on_the_day_or_does_not_run_is_let_through() -> None:
    for therapy in (continuous("200 mcg/day"), periodic("40 mcg", "1h", "12h")):
        assert moved(-3, pump(wire_configuration(prescription(therapy), P40))) == {}
    stopped = changed(
        NOON, run_state=RunState.STOPPED, history=History(untreated_since_ms=NOON.uptime_ms - 30 * MS_PER_HOUR), mass_24h_ng=0
    )
    assert "bolus-again" not in moved(-2, stopped)
    assert moved(0) == {}


@pytest.mark.sr("SR-12", "SR-55")
def test_alarms_and_an_earlier_label_are_told() -> None:
    assert moved(-3, changed(NOON, alarms=(AlarmNumber.LOW_RESERVOIR,)))["alarms"] is Severity.INFO
    assert moved(-3, changed(NOON, path_left_pulses=5))["bridge"] is Severity.SOFT
    with pytest.raises(ConfigurationError):
        review_rebase(0, pump(None), P40)
    assert review_rebase(1, NOON, P40).digest != review_rebase(2, NOON, P40).digest
