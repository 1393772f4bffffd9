"""The link group of the catalogue as faults of the line model, and a line in front of an endpoint. Pure but for the line's own state."""

from __future__ import annotations

from collections.abc import Sequence

from firmware_sim.faults.effects import Values
from firmware_sim.faults.errors import PlanError
from firmware_sim.faults.plan import Fault, FaultPlan
from itbpump.wire.line import Frames, Harm, Line, LineFault, LineFaultError, Way

__all__ = ["line_fault", "line_of"]


def line_fault(fault: Fault) -> LineFault:
    """The planned fault in the words of the line model. Raises PlanError."""
    values, when = Values(fault.values), fault.when
    way = values.text("way")
    try:
        window = None if when.window is None else (when.window[0], when.window[1] + 1)
        return LineFault(
            Harm(fault.row.harm),
            None if way == "both" else Way(way),
            Frames(when.nth, when.every, window, when.rate_ppm),
            fault.count,
            ms=values.number("ms"),
            bits=values.number("bits"),
            bytes=values.number("bytes"),
        )
    except LineFaultError as error:
        raise PlanError(fault.id, str(error)) from error


def line_of(plan: FaultPlan, faults: Sequence[Fault]) -> Line | None:
    """The patient's line of a plan; None where nothing is planned for it, so that a sound line costs nothing."""
    if not faults and plan.pacing is None:
        return None
    return Line([line_fault(fault) for fault in faults], seed=plan.seed, pacing=plan.pacing)
