"""The needle of the bench: what it draws out and fills in, each alone too."""

from __future__ import annotations

from firmware_sim.device import SimulatedPump


def test_a_needle_that_only_draws_out_fills_nothing() -> None:
    pump = SimulatedPump("P-40", fill_nL=38_000_000)
    assert pump.bench("refill", {"aspirate_nL": 5_000_000, "fill_nL": 0}) == {"aspirated_nL": 5_000_000, "reservoir_nL": 33_000_000}
    assert pump.bench("refill", {"fill_nL": 0}) == {
        "aspirated_nL": 31_600_000,
        "reservoir_nL": 1_400_000,
    }  # no needle reaches the last 1.4 mL
    assert pump.bench("refill", {"aspirate_nL": 0, "fill_nL": 2_000_000})["reservoir_nL"] == 3_400_000
