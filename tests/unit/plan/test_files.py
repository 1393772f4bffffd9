"""Each prescription of a plan stands alone: written, read and reviewed beside the one before, it gets the same verdict."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest

from itbpump.plan import Plan, convert, taper, titrate
from itbpump.plan.steps import reminders
from itbpump.quantity import Concentration, MassRate, Volume
from itbpump.safety import review
from itbpump.therapy import load_prescription
from tests.unit.plan.presents import AS_OF, continuous, example, present

PLANS = {
    "titrate": lambda: titrate(example("continuous"), MassRate.parse("300 mcg/day")),
    "titrate-flex": lambda: titrate(example("flex-weekday-weekend"), MassRate.parse("200 mcg/day")),
    "titrate-periodic": lambda: titrate(example("periodic-bolus"), MassRate.parse("160 mcg/day")),
    "titrate-start": lambda: titrate(
        present({"mode": "stopped"}, screening={"dose": "50 mcg", "effect": "5h"}), MassRate.parse("120 mcg/day")
    ),
    "taper": lambda: taper(example("patient-bolus")),
    "taper-stop": lambda: taper(present(continuous("15 mcg/day"), profile="V-40", concentration="500 mcg/mL")),
    "convert": lambda: convert(example("continuous"), Concentration.parse("2000 mcg/mL"), Volume.parse("18 mL")),
    "convert-later": lambda: convert(
        example("flex-weekday-weekend"), Concentration.parse("500 mcg/mL"), Volume.parse("38 mL"), at=AS_OF + timedelta(days=3, hours=5)
    ),
}


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize("name", PLANS)
def test_files_read_back_and_get_the_same_verdict(name: str) -> None:
    plan: Plan = PLANS[name]()
    files = plan.files()
    read = [load_prescription(text, name=file) for file, text in files.items()]
    assert list(files) == sorted(files)
    assert read == [plan.present, *(entry.rx for entry in plan.entries)]
    for (before, after), entry in zip(pairwise(read), plan.entries, strict=True):
        found = review(after, before)
        assert (found.verdict, found.findings, found.digest) == (entry.verdict, entry.review.findings, entry.review.digest)


def test_files_are_numbered_and_dated() -> None:
    assert list(PLANS["titrate"]().files())[:3] == ["00-2026-11-22.toml", "01-2026-11-23.toml", "02-2026-11-24.toml"]


def test_each_step_has_run_since_its_own_date() -> None:
    for entry in PLANS["titrate-flex"]().entries:
        assert entry.rx.therapy.since == entry.rx.pump.as_of == entry.at


def test_what_belongs_to_one_session_is_not_taken_along() -> None:
    """A bridge, a prime and signatures are those of the day they were written for."""
    rx = example("concentration-change")
    assert rx.session is not None
    assert rx.bridge is not None
    for entry in titrate(rx, MassRate.parse("240 mcg/day")).entries:
        assert (entry.rx.session, entry.rx.bridge, entry.rx.prime) == (None, None, None)


def test_the_drug_keeps_the_day_it_was_filled() -> None:
    for entry in PLANS["titrate"]().entries:
        assert entry.rx.drug.filled_on == AS_OF.date()


def test_reminders_are_the_library_s_own_words() -> None:
    plan = PLANS["taper"]()
    assert [reminder.text for reminder in plan.reminders] == [
        plan.library.texts.withdrawal_care.text,
        plan.library.texts.stop_confirmation.text,
    ]
    assert all(reminder.origin for reminder in reminders(plan.library, "overdose"))
