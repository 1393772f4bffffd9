"""Faults of a simulated pump: the catalogue, plans, and what carries them out. Off unless a plan is loaded.

`FaultPlan` and `Fault` are what a test writes; `load_plan` reads a file; `SimulatedPump.faults` carries out and reports. Firmware and plant
never import this package: ground truth stays outside what the pump believes.
"""

from __future__ import annotations

from firmware_sim.faults.catalogue import Catalogue, Row, catalogue
from firmware_sim.faults.errors import FaultError, FaultsNotFired, PlanError, UnknownFault, UnsupportedFault
from firmware_sim.faults.injector import BEGINS_ANEW, Fired, Injector
from firmware_sim.faults.plan import Fault, FaultPlan, load_plan, parse_plan
from firmware_sim.faults.when import On, When

__all__ = [
    "BEGINS_ANEW",
    "Catalogue",
    "Fault",
    "FaultError",
    "FaultPlan",
    "FaultsNotFired",
    "Fired",
    "Injector",
    "On",
    "PlanError",
    "Row",
    "UnknownFault",
    "UnsupportedFault",
    "When",
    "catalogue",
    "load_plan",
    "parse_plan",
]
