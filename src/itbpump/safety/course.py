"""The course from the commit on: a bridge, or what the path still holds, then the new therapy from a clear path.

Pure. Not modelled: mixing in the path. Not here: the largest 24 h of a course (`across`), judgement (`rules_*`).
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from itbpump.configuration import BridgePlan, bridge_wanted, plan_bridge, week_offset_ms
from itbpump.safety.across import Course, Phase
from itbpump.safety.current import Current, is_other_drug, is_relabelled
from itbpump.schedule import UNITS_PER_NL, WEEK_MS, Schedule
from itbpump.therapy_view import TherapyView

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["course_after"]


def course_after(rx: Prescription, view: TherapyView, current: Current | None, profile: PumpProfile, now: datetime) -> Course:
    """What leaves the catheter from the commit on: a bridge or what the path still holds, then the therapy from a clear path.

    A weekly therapy goes on at the pump's own time of the week, or at that of `now` for a pump without one; a periodic one begins.
    """
    present = current.present if current is not None else None
    start = 0
    if view.schedule.follows_week:
        start = week_offset_ms(rx.pump.as_of, now, 0)
        if present is not None and present.configuration is not None:
            start = (present.uptime_ms + present.configuration.week_offset_ms) % WEEK_MS
    last = Phase(view.schedule, start, view.concentration.ng_per_mL)
    if current is None or current.view is None:
        return Course([last])
    bridge, held = _bridge_after(rx, view, current, profile), _held(view, current, profile)
    if is_other_drug(view, current):  # what the path still holds is no dose of this drug
        held = (0, held[1])
    if bridge is not None and bridge.flow_nL_per_day:
        length = -(-bridge.pulses * profile.pulse_volume.nL * UNITS_PER_NL // bridge.flow_nL_per_day)
        first = Phase(Schedule.constant(bridge.flow_nL_per_day), 0, held[0], length)
        later = start + length if view.schedule.follows_week else 0
        return Course([first, Phase(view.schedule, later, view.concentration.ng_per_mL)])
    end = view.schedule.time_of_volume(start, held[1] * UNITS_PER_NL)
    if end is None or end == start:
        return Course([last])
    return Course([Phase(view.schedule, start, held[0], end - start), Phase(view.schedule, end, view.concentration.ng_per_mL)])


def _bridge_after(rx: Prescription, view: TherapyView, current: Current, profile: PumpProfile) -> BridgePlan | None:
    """The bridge that comes with the change, or is carried on; None without one, or where none can be made (a rule says so)."""
    present, old = current.present, current.view
    if old is not None and is_relabelled(view, current):
        if not bridge_wanted(rx) or current.bridging:
            return None
        return plan_bridge(
            path_nL=old.path.nL,
            pulse_nL=profile.pulse_volume.nL,
            old_flow=old.schedule.mean_flow if current.is_treating else None,
            old_ng_per_mL=old.concentration.ng_per_mL,
            new_flow=view.schedule.mean_flow,
            new_ng_per_mL=view.concentration.ng_per_mL,
        )
    if present is None or not present.bridging or present.configuration is None:
        return None
    return BridgePlan(present.configuration.bridge_flow_nL_per_day, present.bridge_left_pulses)


def _held(view: TherapyView, current: Current, profile: PumpProfile) -> tuple[int, int]:
    """Concentration of what the path holds of an earlier label, ng/mL, and its volume, nL; nothing for a clear path."""
    present, old = current.present, current.view
    if present is not None and present.path_left_pulses:
        left_nL = present.path_left_pulses * profile.pulse_volume.nL
        return present.path_concentration_ng_per_mL, old.path.nL if old is not None and is_relabelled(view, current) else left_nL
    if old is not None and is_relabelled(view, current):
        return old.concentration.ng_per_mL, old.path.nL
    return view.concentration.ng_per_mL, 0
