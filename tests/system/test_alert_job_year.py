"""A clinic day by day: no pump runs below its alarm volume before somebody was told, and nobody drowns in mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from itbpump.alerts.policy import policy_of
from tests.system.alert_clinic import SimClinic, Year
from tests.unit.alerts.alert_rig import engine_at

BAVARIA = policy_of('[closed]\ncountry = "DE"\nsubdivision = "BY"\ndays = [2026-12-24, 2026-12-31]', "clinic.toml")


def lived(folder: Path, pumps: int, days: int, seed: int) -> Year:
    engine = engine_at(folder / "registry.db", durable=False)
    try:
        return SimClinic(engine, pumps, seed, BAVARIA).live(days)
    finally:
        engine.dispose()


def good(year: Year, pumps: int, record_property: object) -> None:
    assert callable(record_property)
    figures = {
        "refills": year.refills,
        "below_alarm_volume": year.low,
        "mails_per_nurse_and_day": round(year.per_nurse_and_day(), 2),
        "busiest_day": year.busiest_day(),
        "mails_to_the_next_contact": year.escalated(),
    }
    for name, value in figures.items():
        record_property(name, value)
    print(figures)  # noqa: T201  # `pytest -rP` shows it
    assert year.unalerted == []
    assert year.dry == 0
    assert year.refills
    assert year.per_nurse_and_day() < pumps / 10, "more than one mail for ten pumps each day: nobody reads them any more"


@pytest.mark.sr("SR-36", "SR-40")
def test_forty_pumps_through_half_a_year(tmp_path: Path, record_property: object) -> None:
    good(lived(tmp_path, 40, 180, seed=7), 40, record_property)


@pytest.mark.slow
@pytest.mark.sr("SR-36", "SR-40")
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_two_hundred_pumps_through_a_year(tmp_path: Path, record_property: object, seed: int) -> None:
    good(lived(tmp_path, 200, 365, seed), 200, record_property)


def test_the_same_seed_is_the_same_year(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    assert lived(tmp_path / "a", 10, 30, seed=11) == lived(tmp_path / "b", 10, 30, seed=11)
