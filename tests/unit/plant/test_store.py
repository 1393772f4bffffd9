"""Damaged plant data are refused with the key that is wrong; never repaired, never replaced."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest

from firmware_sim.plant import Plant, SnapshotError
from firmware_sim.profiles import load_profile
from tests.unit.plant.trains import DAY_MS, Even

P40 = load_profile("P-40").plant


@cache
def saved_text() -> str:
    plant = Plant(P40, 11)
    plant.fill(30_000_000, 2_000_000)
    plant.drive(Even(0, 5000, 10 * DAY_MS), 10 * DAY_MS)
    plant.aspirate(1_000_000)
    plant.radio(1, 20)
    return json.dumps(plant.snapshot())


def saved() -> dict[str, Any]:
    data = json.loads(saved_text())
    assert isinstance(data, dict)
    return data


def leaves(data: dict[str, Any], where: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for key, value in data.items():
        found += leaves(value, (*where, key)) if isinstance(value, dict) else [(*where, key)]
    return found


def at(data: dict[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
    for key in path[:-1]:
        data = data[key]
    return data


PATHS = leaves(saved())
REQUIRED = [*PATHS, *sorted({path[:-1] for path in PATHS if len(path) > 1})]


@pytest.mark.parametrize("path", REQUIRED, ids=".".join)
def test_missing_key_is_named(path: tuple[str, ...]) -> None:
    data = saved()
    del at(data, path)[path[-1]]
    with pytest.raises(SnapshotError) as caught:
        Plant.restore(P40, data)
    assert caught.value.key == ".".join(path)


WRONG: tuple[object, ...] = (None, 1.5, [], "x", {}, -(10**30))
RIGHT = {(("reservoir", "drug"), "x"), (("battery", "events_e12"), -(10**30))}
WRONG_VALUES = [(path, wrong) for path in REQUIRED for wrong in WRONG if not any((path, wrong) == right for right in RIGHT)]


@pytest.mark.parametrize(("path", "wrong"), WRONG_VALUES)
def test_wrong_kind_of_value_is_named(path: tuple[str, ...], wrong: object) -> None:
    data = saved()
    at(data, path)[path[-1]] = wrong
    with pytest.raises(SnapshotError) as caught:
        Plant.restore(P40, data)
    if path != ("seed",):  # another seed is another motor, which is how it is found out
        assert caught.value.key.startswith(".".join(path))


def _set(*path: str, to: object) -> Callable[[dict[str, Any]], None]:
    def change(data: dict[str, Any]) -> None:
        at(data, path)[path[-1]] = to

    return change


@pytest.mark.parametrize(
    ("change", "key"),
    [
        (_set("layout", to=3), "layout"),
        (_set("layout", to=True), "layout"),
        (_set("profile", to="P-20"), "profile"),
        (_set("pulse_volume_nL", to=50), "pulse_volume_nL"),
        (_set("motor", "made", to=5001), "motor.made"),
        (_set("motor", "made", to=4999), "motor.true_nL"),
        (_set("seed", to=12), "motor.true_nL"),
        (_set("reservoir", "volume_nL", to=27_000_000), "ledger"),
        (_set("reservoir", "volume_nL", to=40_000_001), "reservoir.volume_nL"),
        (_set("reservoir", "true_nL", to=10**9), "reservoir.true_nL"),
        (_set("path", "tanks_fg", to=["0x0p+0"] * 11), "path.tanks_fg"),
        (_set("path", "tanks_fg", to=["-0x1p+0"] * 12), "path.tanks_fg"),
        (_set("path", "tip_fg", to="inf"), "path.tip_fg"),
        (_set("path", "tip_fg", to="0x1p+99999"), "path.tip_fg"),
        (_set("csf", "half_life_s", to=1), "csf.half_life_s"),
        (_set("motor", "speed", to=1), "motor.speed"),
        (_set("colour", to="blue"), "colour"),
    ],
)
def test_data_that_do_not_fit_are_refused(change: Callable[[dict[str, Any]], None], key: str) -> None:
    data = saved()
    change(data)
    with pytest.raises(SnapshotError) as caught:
        Plant.restore(P40, data)
    assert caught.value.key == key


def test_reading_leaves_the_data_alone() -> None:
    data = saved()
    before = copy.deepcopy(data)
    Plant.restore(P40, data)
    assert data == before
