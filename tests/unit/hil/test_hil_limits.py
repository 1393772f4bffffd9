"""The tolerances of the suites: each figure has its source, and each is used."""

from __future__ import annotations

import re
import tomllib
from fractions import Fraction
from pathlib import Path

import pytest

from hil.limits import FILE, limit, pump_limit
from itbpump.profiles import load_profile, profile_names

DATA = tomllib.loads(FILE.read_text("utf-8"))
ROWS = [
    *((table, key, figure) for table, rows in DATA.items() if table not in ("schema", "pump") for key, figure in rows.items()),
    *((f"pump.{pump}", key, figure) for pump, rows in DATA["pump"].items() for key, figure in rows.items()),
]
SUITES = "".join(path.read_text("utf-8") for path in Path(FILE).parent.glob("test_*.py"))


@pytest.mark.parametrize(("table", "key", "figure"), ROWS, ids=[f"{table}.{key}" for table, key, _ in ROWS])
def test_figure_has_a_value_a_mark_and_a_source_and_is_used(table: str, key: str, figure: dict[str, str]) -> None:
    assert set(figure) == {"value", "mark", "source"}, table
    assert figure["mark"] in ("R", "R2", "M", "D")
    assert figure["source"]
    assert re.fullmatch(r"-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?", figure["value"]), "exact decimal text"
    assert figure["mark"] != "M" or figure["source"].startswith("unverified"), "what is not verified says so"
    assert f'"{key}"' in SUITES, "no suite reads it"


def test_a_figure_is_exact_and_one_that_is_missing_is_an_error() -> None:
    assert pump_limit("P-40", "accuracy_percent") == Fraction(29, 2)
    with pytest.raises(KeyError):
        limit("delivery", "no_such_figure")
    with pytest.raises(KeyError):
        pump_limit("X-1", "accuracy_percent")


@pytest.mark.parametrize("name", profile_names())
def test_every_pump_has_its_tolerances_and_they_are_its_profiles(name: str) -> None:
    profile = load_profile(name)
    assert pump_limit(name, "accuracy_percent") * 10_000 == profile.accuracy_ppm
    assert set(DATA["pump"][name[0]]) == set(DATA["pump"]["P"])
