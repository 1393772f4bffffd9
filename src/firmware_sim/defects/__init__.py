"""Firmwares with one defect each, and older ones: what a suite of tests must find. Never part of a sound pump.

`sim://P-40?firmware=ID` and `sim://P-40?minor=N` choose one; `pump_type` gives the class, `defects` and `generations` the tables. The
sound firmware does not know of them: each is put together here from its parts, one of which is wrong.
"""

from __future__ import annotations

from firmware_sim.defects.choosing import SOUND, UnknownFirmware, pump_type
from firmware_sim.defects.generations import Generation, generations
from firmware_sim.defects.table import Defect, defects

__all__ = ["SOUND", "Defect", "Generation", "UnknownFirmware", "defects", "generations", "pump_type"]
