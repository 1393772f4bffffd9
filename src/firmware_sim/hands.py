"""What the bench commands of the device itself do: look at the truth, use a needle, hold the rotor, set the battery, inject a fault.

Arguments have been checked by the table in bench.py. Not here: the commands of the server (endpoints/controls.py).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, cast

from firmware_sim.bench import BenchError
from firmware_sim.faults.errors import FaultError
from firmware_sim.plant.errors import PlantError

if TYPE_CHECKING:
    from firmware_sim.device import SimulatedPump

__all__ = ["carry_out"]

_Arguments = Mapping[str, int | str]
_Answer = dict[str, object]


def carry_out(pump: SimulatedPump, command: str, arguments: Mapping[str, object]) -> _Answer:
    """The answer of one command. Raises BenchError when it is none of the device's, or the pump cannot."""
    handler = _HANDLERS.get(command)
    if handler is None:
        raise BenchError(f"{command!r} is no command of the device", kind="bad-command")
    try:
        return handler(pump, cast("_Arguments", arguments))
    except (PlantError, FaultError) as error:
        raise BenchError(str(error)) from error


def _truth(pump: SimulatedPump, _arguments: _Arguments) -> _Answer:
    truth = pump.truth
    return {
        "uptime_ms": pump.uptime_ms,
        "true_ms": truth.true_ms,
        "reservoir_nL": truth.reservoir_nL,
        "reservoir_concentration_ng_per_mL": round(float(truth.reservoir_concentration_ng_per_mL), 3),
        "delivered_nL": truth.delivered_nL,
        "commanded_pulses": truth.commanded_pulses,
        "made_pulses": truth.made_pulses,
        "encoder_pulses": truth.encoder_pulses,
        "stalled": truth.stalled,
        "accuracy_ppm": truth.accuracy_ppm,
        "drift_ppm": truth.drift_ppm,
        "path_ng": round(sum(truth.path_tanks_ng), 3),
        "tip_mass_ng": round(truth.tip_mass_ng, 3),
        "csf_ng": round(pump.plant.csf_mass_ng(), 3),
        "battery_permille": truth.battery_permille,
        "filled_nL": truth.ledger.filled_nL,
        "aspirated_nL": truth.ledger.aspirated_nL,
        "lost_nL": truth.ledger.lost_nL,
    }


def _pulses(pump: SimulatedPump, arguments: _Arguments) -> _Answer:
    listed = pump.pulses(int(arguments["from_ms"]), int(arguments["to_ms"]))
    return {"pulses": [{"at_ms": pulse.at_ms, "number": pulse.number, "volume_nL": pulse.volume_nL} for pulse in listed]}


def _refill(pump: SimulatedPump, arguments: _Arguments) -> _Answer:
    concentration = arguments.get("concentration_ng_per_mL", int(pump.truth.reservoir_concentration_ng_per_mL))
    drawn = pump.plant.aspirate(int(arguments["aspirate_nL"]) if "aspirate_nL" in arguments else "all")
    if fill_nL := int(arguments["fill_nL"]):  # 0: a needle that only draws out
        pump.plant.fill(fill_nL, int(concentration))
    pump.note_change()
    pump.faults.on_command("refill")
    return {"aspirated_nL": drawn.volume_nL, "reservoir_nL": pump.truth.reservoir_nL}


def _stall(pump: SimulatedPump, arguments: _Arguments) -> _Answer:
    pump.plant.stalled = arguments["state"] == "on"
    pump.note_change()
    return {"stalled": pump.plant.stalled}


def _battery(pump: SimulatedPump, arguments: _Arguments) -> _Answer:
    if "permille" in arguments:
        pump.plant.set_battery(int(arguments["permille"]))
        pump.note_change()
    return {"battery_permille": pump.plant.battery_permille()}


def _faults(pump: SimulatedPump, arguments: _Arguments) -> _Answer:
    """What is planned, lasts and has fired; with `inject`, one more at once."""
    faults = pump.faults
    if "inject" in arguments:
        faults.inject(str(arguments["inject"]), _named(str(arguments.get("with", ""))))
        pump.note_change()
    elif "with" in arguments:
        raise BenchError("arguments belong to a fault: name it with `inject`", kind="bad-argument", argument="with")
    return {
        "planned": [{"fault": number, "what": str(fault)} for number, fault in enumerate(faults.planned, 1)],
        "active": [{"fault": name} for name in faults.active],
        "fired": [{"fault": one.number, "id": one.id, "at_ms": one.at_ms, "on": one.on} for one in faults.fired],
    }


def _named(text: str) -> dict[str, object]:
    """`percent=20, for=3h` as arguments; whole numbers as such. Raises BenchError."""
    given: dict[str, object] = {}
    for part in filter(None, (piece.strip() for piece in text.split(","))):
        name, sign, value = (piece.strip() for piece in part.partition("="))
        if not sign or not name or name in given:
            raise BenchError(f"{part!r} is no argument: write name=value, name=value", kind="bad-argument", argument="with")
        given[name] = value == "true" if value in ("true", "false") else int(value) if value.isdecimal() and value.isascii() else value
    return given


_HANDLERS: Mapping[str, Callable[[SimulatedPump, _Arguments], _Answer]] = {
    "truth": _truth,
    "pulses": _pulses,
    "refill": _refill,
    "stall": _stall,
    "battery": _battery,
    "faults": _faults,
}
