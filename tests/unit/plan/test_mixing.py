"""Residual, rinse and fill: the figures of domain 2.2, and what holds for any of them."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.plan.mixing import MOST_RINSES, Rinse, least_rinses, mixed_concentration, rinsed_residual

R = 1_400_000
ML = 1_000_000


@pytest.mark.sr("SR-12")
@pytest.mark.parametrize(
    ("volume_mL", "old", "new", "mix"),
    [(20, 2000, 500, 605), (20, 500, 2000, 1895), (40, 2000, 500, Fraction(1105, 2)), (40, 500, 2000, Fraction(3895, 2))],
)
def test_golden_mixes_of_domain_2_2(volume_mL: int, old: int, new: int, mix: Fraction) -> None:
    """605 (+21 %), 1895 (-5 %), 552 and 1948 mcg/mL, the last two rounded there."""
    assert mixed_concentration(R, old * 1000, volume_mL * ML, new * 1000) == mix * 1000


def test_a_rinse_by_hand() -> None:
    """1.4 mL of 2000 and 5 mL of 500: (2800 + 2500) / 6.4 = 828.125 mcg/mL stay behind."""
    assert rinsed_residual(R, 2_000_000, Rinse(5 * ML, 1, 500_000)) == 828_125
    assert rinsed_residual(R, 2_000_000, Rinse(5 * ML, 1, 0)) == 437_500
    twice = rinsed_residual(R, rinsed_residual(R, 2_000_000, Rinse(5 * ML, 1, 500_000)), Rinse(5 * ML, 1, 500_000))
    assert rinsed_residual(R, 2_000_000, Rinse(5 * ML, 2, 500_000)) == twice


@given(
    st.integers(1, 3 * ML),
    st.integers(0, 3_000_000),
    st.integers(1, 40 * ML),
    st.integers(1, 3_000_000),
    st.integers(1, 10 * ML),
    st.integers(1, 6),
)
def test_a_mix_lies_between_what_is_mixed_and_rinsing_brings_it_nearer(
    residual: int, old: int, filled: int, new: int, rinse: int, times: int
) -> None:
    plain = mixed_concentration(residual, old, residual + filled, new)
    rinsed = mixed_concentration(residual, old, residual + filled, new, Rinse(rinse, times, new))
    assert min(old, new) <= plain <= max(old, new)
    assert abs(rinsed - new) <= abs(plain - new)
    assert plain * (residual + filled) == residual * old + filled * new  # no drug is lost or made


def test_the_fewest_rinses_that_are_enough() -> None:
    within = Fraction(5, 100)
    times = least_rinses(R, 2_000_000, 20 * ML, 500_000, 5 * ML, within)
    assert times == 1
    without = mixed_concentration(R, 2_000_000, 20 * ML, 500_000)
    once = mixed_concentration(R, 2_000_000, 20 * ML, 500_000, Rinse(5 * ML, 1, 500_000))
    assert without / 500_000 - 1 > within >= once / 500_000 - 1
    assert least_rinses(R, 500_000, 40 * ML, 500_000, 5 * ML, within) == 0
    assert least_rinses(R, 2_000_000, 20 * ML, 500_000, 1, within) is None
    assert MOST_RINSES >= 1


@pytest.mark.parametrize(("volume", "times", "fluid"), [(0, 1, 0), (1, 0, 0), (1, 1, -1)])
def test_what_is_no_rinse(volume: int, times: int, fluid: int) -> None:
    with pytest.raises(ValueError, match="rinse"):
        Rinse(volume, times, fluid)


def test_a_reservoir_that_holds_only_the_residual_has_no_mix() -> None:
    with pytest.raises(ValueError, match="residual"):
        mixed_concentration(R, 500_000, R, 2_000_000)
