"""The simulated pump: physics (`plant`) and firmware (`firmware`) written apart, behind the protocol (`itbpump.wire`, `itbpump.link`).

It shares only the wire protocol and the link with the companion. Not a model of any vendor's pump, and not a medical device.

What people import: `SimulatedPump(profile, seed=…)` with `advance`, `power_cut`, `truth`; loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from firmware_sim.device import SimulatedPump

__all__ = ["SimulatedPump"]


def __getattr__(name: str) -> object:
    if name != "SimulatedPump":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module("firmware_sim.device").SimulatedPump


def __dir__() -> list[str]:
    return [*__all__, *globals()]
