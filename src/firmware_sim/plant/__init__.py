"""The physics of a pump and of the patient's CSF: what is true, whatever the firmware believes. Never imports the firmware."""

from __future__ import annotations

from firmware_sim.plant.errors import HistoryGoneError, PlantError, SnapshotError
from firmware_sim.plant.plant import Plant
from firmware_sim.plant.reservoir import Withdrawal
from firmware_sim.plant.truth import TruePulse, Truth

__all__ = ["HistoryGoneError", "Plant", "PlantError", "SnapshotError", "TruePulse", "Truth", "Withdrawal"]
