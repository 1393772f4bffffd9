"""Which firmware a simulated pump runs, by name or by minor version: `sim://P-40?firmware=over-delivers`, `sim://P-40?minor=1`.

The pump is a subclass of `SimulatedPump` that differs in one part. A pump kept in a state file does not remember its firmware: name it
again with each address.
"""

from __future__ import annotations

import difflib
from functools import cache

from firmware_sim.defects.generations import firmware_of, generations
from firmware_sim.defects.table import defects
from firmware_sim.device import SimulatedPump
from firmware_sim.firmware.core import Firmware
from itbpump.wire.messages import PROTOCOL_MINOR

__all__ = ["SOUND", "UnknownFirmware", "pump_type"]

SOUND = "sound"


class UnknownFirmware(ValueError):
    """No firmware of that name, or of that minor version."""


def pump_type(firmware: str | None = None, minor: int | None = None) -> type[SimulatedPump]:
    """The pump that runs `firmware` (an id of defects.toml, or `sound`), or the firmware of the protocol's minor version.

    Raises UnknownFirmware, also where both are given: a defect is one of the present firmware.
    """
    if minor is not None and firmware is not None:
        raise UnknownFirmware(f"both firmware {firmware!r} and minor {minor}; a defect is one of the present firmware: give one of them")
    if minor is not None:
        return _older(minor)
    return SimulatedPump if firmware in {None, SOUND} else _defective(str(firmware))


@cache
def _defective(firmware: str) -> type[SimulatedPump]:
    table = defects()
    if firmware not in table:
        near = difflib.get_close_matches(firmware, [SOUND, *table], 1)
        raise UnknownFirmware(f"no firmware {firmware!r}; " + (f"did you mean {near[0]}?" if near else f"there are {', '.join(table)}"))
    part = table[firmware].part
    if issubclass(part, Firmware):
        return type("DefectivePump", (SimulatedPump,), {"firmware_type": part, "__doc__": table[firmware].what})
    return type("DefectivePump", (SimulatedPump,), {"link_type": part, "__doc__": table[firmware].what})


@cache
def _older(minor: int) -> type[SimulatedPump]:
    if minor == PROTOCOL_MINOR:
        return SimulatedPump
    table = generations()
    if minor not in table:
        known = ", ".join(map(str, sorted({*table, PROTOCOL_MINOR})))
        raise UnknownFirmware(f"no firmware of minor version {minor}; there are {known}")
    return type("OlderPump", (SimulatedPump,), {"firmware_type": firmware_of(minor), "__doc__": table[minor].what})
