"""What the review once held up for no reason, on a real simulated pump, with a hostile reviewer's own figures: ordinary work stays easy.

A false alarm teaches people to override. What may stand in the way is named in each test. The other half: `test_what_once_got_through`.
"""

from __future__ import annotations

from typing import Any

import pytest

from itbpump.quantity import Duration, Mass
from itbpump.safety import Severity, review_prime
from tests.system.visit import LOWEST, SCREENED, STOPPED, Visit, applied, daily, in_the_way, message, worst
from tests.unit.therapy.prescriptions import bolus, flex, rate

SECOND, SOFT, INFO = Severity.SECOND, Severity.SOFT, Severity.INFO
AUTO = {"plan": "auto"}


# ------------------------------------------------------------------------------- B1: several commits within a day
def _raised_then_refilled(visit: Visit) -> None:
    visit.program(daily(440))
    visit.wait(0.1).refill()


def _refilled_then_raised(visit: Visit) -> None:
    visit.refill()
    visit.wait(0.1).program(daily(440))


def _raised_then_refilled_with_the_same(visit: Visit) -> None:
    visit.program(daily(440))
    assert in_the_way(visit.wait(0.1).refill(daily(440))) == []


def _lowered_then_refilled(visit: Visit) -> None:
    visit.program(daily(360))
    visit.wait(0.1).refill()


@pytest.mark.sr("SR-08", "SR-10")
@pytest.mark.parametrize(
    ("how", "next_mcg"),
    [(_raised_then_refilled, 484), (_refilled_then_raised, 484), (_raised_then_refilled_with_the_same, 484), (_lowered_then_refilled, 396)],
)
def test_a_bolus_after_a_visit_with_two_commits_is_judged_by_boluses_alone(how: Any, next_mcg: int) -> None:
    visit = Visit.treated(daily(400), 24 * 60)
    how(visit)
    assert in_the_way(visit.wait(5).bolus("25 mcg", only_ask=True)) == []
    assert in_the_way(visit.wait(12).bolus("25 mcg")) == []
    assert in_the_way(visit.wait(8).ask(daily(next_mcg))) == []  # a day later, the next step


@pytest.mark.sr("SR-07")
@pytest.mark.parametrize("mcg", [400, 600, 800])
def test_a_day_with_a_scan_is_not_counted_twice(mcg: int) -> None:
    visit = Visit.treated(daily(mcg), 24 * 30).stop().wait(2)
    visit.program(daily(mcg))
    judged = visit.wait(3).bolus("25 mcg", only_ask=True)
    assert in_the_way(judged) == []
    assert judged.proposed["highest_24h"] == {"value": f"{mcg + 25}", "unit": "mcg/day"}


@pytest.mark.sr("SR-08", "SR-10")
def test_a_bolus_after_a_first_fill_and_its_correction_is_judged_by_boluses_alone() -> None:
    visit = Visit.treated(daily(200), 1)
    assert in_the_way(visit.refill()) == []
    assert in_the_way(visit.wait(4).bolus("25 mcg")) == []


@pytest.mark.sr("SR-08", "SR-10")
def test_two_titrations_in_two_days_and_a_bolus_are_judged_by_boluses_alone() -> None:
    visit = Visit.treated(daily(400), 24 * 10)
    assert in_the_way(visit.program(daily(440))) == []
    assert in_the_way(visit.wait(24).program(daily(484))) == []
    assert in_the_way(visit.wait(4).bolus("25 mcg", only_ask=True)) == []
    assert in_the_way(visit.wait(21).ask(daily(532))) == []


# ------------------------------------------------------------------------------------ B2, B3, B7: what a bolus was
@pytest.mark.sr("SR-10", "SR-33")
def test_a_button_that_is_pressed_sixty_times_hides_nothing() -> None:
    on_demand = {"dose": "5 mcg", "over": "10m", "lockout": "1h", "max_per_day": 3}
    visit = Visit.treated(daily(400) | {"patient_bolus": on_demand})
    for _ in range(2):
        visit.bolus("50 mcg")
        visit.wait(0.5)
    assert [visit.wait(0.01).device.patient_request() for _ in range(60)].count(True) == 1
    judged = visit.wait(5).bolus("10 mcg", only_ask=True)
    assert in_the_way(judged) == []
    assert message(judged, "repeated-bolus").startswith("105 mcg came in the last 24 h beside the schedule; with this bolus 115 mcg")


@pytest.mark.sr("SR-33")
def test_a_button_that_is_pressed_sixty_times_does_not_shorten_an_interruption() -> None:
    visit = Visit.treated(daily(400)).stop().wait(30)
    assert not any(visit.wait(0.01).device.patient_request() for _ in range(60))
    judged = visit.ask(daily(400))
    assert worst(judged, "restart") is SOFT
    assert "for 30 h" in message(judged, "restart")


@pytest.mark.sr("SR-10", "SR-12")
def test_a_bolus_of_the_old_label_counts_as_what_it_was() -> None:
    visit = Visit.treated(daily(200), 24 * 20, conc="500 mcg/mL")
    visit.bolus("50 mcg")
    assert in_the_way(visit.wait(1).refill(daily(200), bridge=AUTO)) == []
    judged = visit.wait(19.5).bolus("5 mcg", only_ask=True)
    assert in_the_way(judged) == []
    assert message(judged, "repeated-bolus").startswith("50 mcg came")


@pytest.mark.sr("SR-10", "SR-13")
def test_a_prime_of_a_new_implant_is_no_dose_given() -> None:
    visit = Visit()
    visit.program(STOPPED, prime={"scope": "path"}, screening=SCREENED)
    primed = visit.rx(daily(200), prime={"scope": "path"}, screening=SCREENED)
    assert in_the_way(visit.prime(primed)) == []
    visit.wait(0.5).program(daily(200), screening=SCREENED)
    judged = visit.wait(1).bolus("25 mcg", only_ask=True)
    assert in_the_way(judged) == []
    assert worst(judged, "repeated-bolus") is None
    again = review_prime(primed, Duration.parse("20m"), visit.pump.present(), visit.pump.profile)
    assert worst(again, "prime-repeat") is Severity.HARD


# ------------------------------------------------------------------------------------- B4, B5: the way back is open
@pytest.mark.sr("SR-08", "SR-33")
def test_a_mistyped_decrease_is_undone_at_once() -> None:
    visit = Visit.treated(daily(400))
    assert in_the_way(visit.program(daily(150)), beside=["decrease"]) == []
    judged = visit.wait(0.1).ask(daily(400))
    assert in_the_way(judged) == []
    assert message(judged, "first-period").startswith("no more than the therapy that ran until 0 h ago")
    assert visit.ask(daily(480)).severity >= SECOND  # more than the way back is no undoing
    applied(visit.pump.restore(visit.pump.present()))
    assert visit.pump.present().mass_24h_ng == pytest.approx(400_000, rel=0.01)


@pytest.mark.sr("SR-33", "SR-08")
@pytest.mark.parametrize("mcg", [200, 400])
@pytest.mark.parametrize(("between", "hours"), [(LOWEST, 1), (STOPPED, 1 / 60)], ids=["minimum rate", "stopped"])
def test_after_a_short_pause_the_old_dose_goes_on(between: dict[str, Any], hours: float, mcg: int) -> None:
    visit = Visit.treated(daily(mcg))
    assert in_the_way(visit.program(between), beside=["stop"]) == []
    judged = visit.wait(hours).ask(daily(mcg))
    assert in_the_way(judged) == []
    assert "not known" not in message(judged, "restart")
    visit.program(daily(mcg))
    assert in_the_way(visit.wait(3).bolus("25 mcg", only_ask=True)) == []


@pytest.mark.sr("SR-33", "SR-08")
@pytest.mark.parametrize("mcg", [200, 300])
def test_after_two_hours_of_stop_for_a_scan_the_old_dose_goes_on(mcg: int) -> None:
    visit = Visit.treated(daily(mcg)).stop().wait(2)
    assert in_the_way(visit.program(daily(mcg))) == []
    assert in_the_way(visit.wait(3).bolus("25 mcg")) == []
    assert in_the_way(visit.wait(22).ask(daily(mcg * 11 // 10))) == []


@pytest.mark.sr("SR-33")
def test_a_stop_after_five_days_at_the_minimum_rate_tells_of_five_days() -> None:
    visit = Visit.treated(daily(400))
    visit.program(LOWEST)
    judged = visit.wait(120).stop().wait(0.1).ask(daily(400))
    assert worst(judged, "restart") is SECOND
    assert "for 5 days" in message(judged, "restart")


# -------------------------------------------------------------------------------------------- B6: syringes are read
@pytest.mark.sr("SR-38")
@pytest.mark.parametrize("days", [0, 10])
@pytest.mark.parametrize("beside_nL", [400_000, -300_000])
def test_a_refill_soon_after_a_fill_is_not_held_to_less_than_a_syringe_shows(days: int, beside_nL: int) -> None:
    visit = Visit.treated(daily(200), 24 * days)
    assert in_the_way(visit.refill(aspirated=visit.in_reservoir(beside_nL), only_ask=True)) == []
    assert in_the_way(visit.refill(daily(200), aspirated=visit.in_reservoir(beside_nL), only_ask=True), beside=["start"]) == []


# -------------------------------------------------------------------------------------- B8: boluses that do not change
@pytest.mark.sr("SR-08")
def test_boluses_that_the_patient_never_asked_for_are_taken_away_without_a_word_of_withdrawal() -> None:
    on_demand = {"dose": "10 mcg", "over": "10m", "lockout": "2h", "max_per_day": 8}
    visit = Visit.treated(daily(300) | {"patient_bolus": on_demand})
    assert in_the_way(visit.program(daily(300))) == []


@pytest.mark.sr("SR-10")
def test_two_boluses_that_were_there_before_are_told_and_not_asked_about() -> None:
    steps = [rate("00:00", "10 mcg/h"), bolus("06:00", "40 mcg", "1h"), bolus("14:00", "30 mcg", "1h"), rate("22:00", "8 mcg/h")]
    visit = Visit.treated(flex(*steps))
    judged = visit.refill(flex(*steps))
    assert in_the_way(judged) == []
    assert message(judged, "repeated-bolus").endswith("together 70 mcg per day, as in the present therapy")
    third = [*steps[:3], bolus("18:00", "10 mcg", "1h"), steps[3]]
    assert worst(visit.wait(30).ask(flex(*third)), "repeated-bolus") is SOFT


def test_the_doses_of_these_tests_are_what_the_pump_gives() -> None:
    """The rig itself: a bolus and a schedule reach the pump's own sum."""
    visit = Visit.treated(daily(400))
    visit.bolus("50 mcg")
    given_ng = visit.wait(1).pump.present().mass_24h_ng
    assert Mass(given_ng).rounded() == Mass.parse("447.222 mcg")  # 50 for 10 min, 400 mcg/day for the other 1430 min
