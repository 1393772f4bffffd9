"""The CSF observer: against pulse-by-pulse sums and a fine integration, and in its steady state."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.plant import Plant, PlantError
from firmware_sim.plant.csf import Csf
from firmware_sim.profiles import load_profile
from tests.unit.plant.trains import DAY_MS, HOUR_MS, Even

P40 = load_profile("P-40").plant
HALF_LIFE_MS = P40.csf_half_life_s * 1000


def running(flow_nL: int, days: int) -> Plant:
    plant = Plant(P40, 3)
    plant.fill(38_000_000, 2_000_000)
    plant.drive(Even(0, flow_nL * days // 500, days * DAY_MS), days * DAY_MS)
    return plant


@given(st.lists(st.tuples(st.integers(0, 30 * HALF_LIFE_MS), st.floats(1, 1e9)), max_size=20), st.integers(0, 45 * HALF_LIFE_MS))
def test_amount_is_the_sum_of_decayed_doses(doses: list[tuple[int, float]], at_ms: int) -> None:
    csf = Csf(P40.csf_half_life_s, P40.csf_clearance_nL_per_h)
    given_before = [(time, dose) for time, dose in doses if 0 < time <= at_ms]
    exact = sum(dose * 2 ** (-(at_ms - time) / HALF_LIFE_MS) for time, dose in given_before)
    seen = csf.amount_fg(lambda upto: sum(dose for time, dose in doses if 0 < time <= upto), 0, at_ms, 0.0)
    coarse = sum(dose for time, dose in given_before if at_ms - time > 8 * HALF_LIFE_MS) / 256 * 0.07
    assert seen == pytest.approx(exact, rel=0.008, abs=coarse)  # a dose is known to its cell: ln 2 / 90, ten times that when old


def test_smooth_flow_equals_numeric_integration() -> None:
    csf, rate = Csf(5436, 30_000_000), 0.4
    k = math.log(2) / HALF_LIFE_MS

    def left(upto_ms: int) -> float:
        return rate * upto_ms + 5e5 * math.sin(upto_ms / 3e6) ** 2

    at_ms, steps = 6 * HOUR_MS, 200_000
    width = at_ms / steps
    slopes = (rate + 5e5 * math.sin(2 * (i + 0.5) * width / 3e6) / 3e6 for i in range(steps))
    exact = math.fsum(slope * width * math.exp(-k * (at_ms - (i + 0.5) * width)) for i, slope in enumerate(slopes))
    assert csf.amount_fg(left, 0, at_ms, 0.0) == pytest.approx(exact, rel=1e-5)


def test_steady_state_is_rate_over_clearance() -> None:
    plant = running(250_000, 30)
    rate_ng_per_h = plant.tip_mass_ng(29 * DAY_MS, 30 * DAY_MS) / 24
    assert plant.csf_concentration_ng_per_mL() == pytest.approx(
        rate_ng_per_h / 30, rel=0.015
    )  # half of one pulse's sawtooth: k × 2.88 min / 2


def test_drug_is_gone_after_the_infusion_stops() -> None:
    plant = running(250_000, 30)
    before = plant.csf_mass_ng()
    plant.rest(30 * DAY_MS + HALF_LIFE_MS)
    assert plant.csf_mass_ng() == pytest.approx(before / 2, rel=1e-5)  # the older cells shift
    plant.rest(40 * DAY_MS)
    assert plant.csf_mass_ng() < 1e-9 * before


def test_looking_is_repeatable_and_changes_nothing() -> None:
    plant = running(250_000, 3)
    before = plant.snapshot()
    assert plant.csf_mass_ng(2 * DAY_MS) == plant.csf_mass_ng(2 * DAY_MS)
    assert plant.snapshot() == before


def test_half_life_outside_what_was_measured_is_refused() -> None:
    assert Plant(P40, 1, csf_half_life_s=18_000).csf_half_life_s == 18_000
    for half_life_s in (3239, 18_001):
        with pytest.raises(PlantError, match="half-life"):
            Plant(P40, 1, csf_half_life_s=half_life_s)
