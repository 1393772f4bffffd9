"""The tanks in series: against step-by-step integration, and mass in = mass out."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.plant.path import Path, empty_path

MASSES = st.floats(0, 1e15)
INLETS = st.floats(0, 3e6)
TANKS = st.integers(1, 64)


@st.composite
def paths(draw: st.DrawFn) -> Path:
    count = draw(TANKS)
    return Path(draw(st.integers(1, 10**6)), tuple(draw(st.lists(MASSES, min_size=count, max_size=count))))


def integrate(path: Path, displaced_nL: int, inlet: float, steps: int) -> tuple[list[float], float]:
    """Classical Runge-Kutta of dm_i/dV = (m_{i-1} - m_i) / tank volume, with what leaves the last tank as one more unknown."""
    tank_nL = path.volume_nL / len(path.tanks_fg)
    h = displaced_nL / steps

    def slope(state: list[float]) -> list[float]:
        flows = [inlet, *(mass / tank_nL for mass in state[:-1])]
        return [*(flows[i] - flows[i + 1] for i in range(len(flows) - 1)), flows[-1]]

    def moved(state: list[float], by: list[float], width: float) -> list[float]:
        return [value + width * change for value, change in zip(state, by, strict=True)]

    state = [*path.tanks_fg, 0.0]
    for _ in range(steps):
        k1 = slope(state)
        k2 = slope(moved(state, k1, h / 2))
        k3 = slope(moved(state, k2, h / 2))
        k4 = slope(moved(state, k3, h))
        state = [value + h / 6 * (a + 2 * b + 2 * c + d) for value, a, b, c, d in zip(state, k1, k2, k3, k4, strict=True)]
    return state[:-1], state[-1]


@pytest.mark.parametrize("tanks", [1, 2, 12, 30])
@pytest.mark.parametrize("volumes", [0.02, 0.5, 1.0, 1.7])
def test_closed_form_equals_integration(tanks: int, volumes: float) -> None:
    path = Path(316_000, tuple(1e9 * (1 + (3 * i) % 5) for i in range(tanks)))
    displaced = round(volumes * 316_000)
    masses, out = integrate(path, displaced, 2e6, 1500)
    assert path.after(displaced, 2e6).tanks_fg == pytest.approx(masses, rel=1e-8)
    assert path.outflow_fg(displaced, 2e6) == pytest.approx(out, rel=1e-8, abs=1)


@given(paths(), st.integers(0, 10**9), INLETS)
def test_mass_in_is_mass_out(path: Path, displaced: int, inlet: float) -> None:
    flowed = inlet * displaced
    after = path.after(displaced, inlet)
    assert path.mass_fg + flowed == pytest.approx(after.mass_fg + path.outflow_fg(displaced, inlet), rel=1e-9)
    assert all(math.isfinite(mass) and mass >= 0 for mass in after.tanks_fg)
    assert path.outflow_fg(displaced, inlet) >= 0


@given(paths(), st.integers(0, 10**7), st.integers(0, 10**7), INLETS)
def test_two_steps_are_one(path: Path, first: int, second: int, inlet: float) -> None:
    halfway = path.after(first, inlet)
    scale = 1e-10 * (path.mass_fg + inlet * (path.volume_nL + first + second)) + 1e-300
    assert halfway.after(second, inlet).tanks_fg == pytest.approx(path.after(first + second, inlet).tanks_fg, rel=1e-9, abs=scale)
    both = path.outflow_fg(first, inlet) + halfway.outflow_fg(second, inlet)
    assert both == pytest.approx(path.outflow_fg(first + second, inlet), rel=1e-9, abs=scale)


@pytest.mark.sr("SR-28")
@given(paths(), st.lists(st.integers(0, 10**6), min_size=2, max_size=8), INLETS)
def test_what_has_left_never_comes_back(path: Path, displaced: list[int], inlet: float) -> None:
    out = [path.outflow_fg(volume, inlet) for volume in sorted(displaced)]
    scale = 1e-12 * (path.mass_fg + inlet * (path.volume_nL + max(displaced)))
    assert all(later >= earlier - scale for earlier, later in pairwise(out))


@given(paths(), INLETS)
def test_nothing_displaced_changes_nothing(path: Path, inlet: float) -> None:
    assert path.after(0, inlet) == path
    assert path.outflow_fg(0, inlet) == 0


def test_priming_is_not_plug_flow() -> None:
    """After exactly one path volume the tip is still short of the full concentration, and drug came long before: both by design."""
    path, inlet, tank_nL = empty_path(316_000, 12), 2e6, 316_000 / 12

    def tip(volumes: float) -> float:
        return path.after(round(volumes * 316_000), inlet).tanks_fg[-1] / tank_nL / inlet

    assert tip(0.65) == pytest.approx(0.10, abs=0.01)
    assert tip(1.0) == pytest.approx(0.54, abs=0.01)
    assert tip(1.38) == pytest.approx(0.90, abs=0.01)
    assert tip(3.0) == pytest.approx(1.0, abs=1e-5)


def test_old_slug_stays_behind_a_new_concentration() -> None:
    """500 into a path of 2000 mcg/mL: what leaves the tip over one path volume is mostly the old drug."""
    full = empty_path(316_000, 12).after(10**8, 2e6)
    left = full.outflow_fg(316_000, 5e5)
    assert 0.85 * 2e6 * 316_000 < left < 2e6 * 316_000
    assert full.after(316_000, 5e5).mass_fg > 5e5 * 316_000
