"""Old against new as the person at the bed means it: old is what the pump gives now, not what it holds (SR-09).

`safety.review` compares with the therapy in the pump's memory. Of a pump that is stopped, in its safe state, or fallen to its minimum rate,
that therapy reaches nobody: beside it a restart looks like no change. Here such rows say what flows. A bridge, which is no part of a
therapy but comes before it, gets a row of its own with the time of its end. Only what is shown changes: findings and digest are those of
the review. Not modelled: mixing in the path, the pump's accuracy (an end is "about").
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from itbpump.configuration import to_configuration
from itbpump.errors import ConfigurationError
from itbpump.forecast import day_text
from itbpump.quantity import MS_PER_DAY, Concentration, Flow, Volume, rate_of_flow
from itbpump.safety import Review, Row
from itbpump.therapy import Prescription
from itbpump.therapy_view import TherapyView
from itbpump.wire.messages import Configuration, RunState
from itbpump.workflow.facts import Facts

__all__ = ["beside_what_runs", "flows_as_stored", "view_of_what_runs"]

BRIDGE = "bridge"
_CONTENT = frozenset({"drug", "concentration", "low-reservoir alarm", "path volume"})
"""What the pump holds whether it runs or not."""
_DOSES = frozenset({"mean day", "lowest day", "highest day", "highest 24 h, with all patient boluses"})


def flows_as_stored(facts: Facts) -> bool:
    """The pump gives the therapy it holds; True also for one that holds none."""
    stored = facts.present.configuration
    return stored is None or (facts.status.run_state is RunState.RUNNING and facts.status.mode is stored.mode)


def view_of_what_runs(facts: Facts, stored: TherapyView | None) -> TherapyView | None:
    """The therapy for the old curve of a chart; None where what is stored does not flow."""
    return stored if flows_as_stored(facts) else None


def beside_what_runs(found: Review, facts: Facts, rx: Prescription | None = None, refill: Volume | None = None) -> Review:
    """The review with a table that is told beside what flows now. `rx`: what would be sent, with the bridge that comes with it (`refill`:
    the volume after the fill it comes with); None where what is sent has no bridge."""
    rendering = replace(found.rendering, rows=lambda: tuple(_rows(found, facts, rx, refill)))
    return replace(found, rendering=rendering)


def _rows(found: Review, facts: Facts, rx: Prescription | None, refill: Volume | None) -> Iterator[Row]:
    bridge = _bridge_row(facts, rx, refill)
    for row in found.rendering.rows():
        shown = row if flows_as_stored(facts) else _beside_flow(row, facts)
        if shown is not None:
            yield shown
        if row.label == "mode" and bridge is not None:
            yield bridge


def _beside_flow(row: Row, facts: Facts) -> Row | None:
    """A row of the stored therapy as what flows; None for one that says nothing then."""
    if not row.old or row.label in _CONTENT:
        return row
    old = _flowing(row.label, facts)
    new = row.new or "none"
    return None if old == new == "none" else Row(row.label, old, row.new, changed=old != new)


def _flowing(label: str, facts: Facts) -> str:
    flow = Flow(facts.status.flow_nL_per_day)
    if label == "mode":
        state = facts.status.run_state
        word = "minimum rate" if state is RunState.RUNNING else "safe state" if state is RunState.SAFE else state.name.lower()
        return f"{word}; the therapy held does not run"
    if label in _DOSES:
        return str(rate_of_flow(flow, Concentration(facts.status.concentration_ng_per_mL)).rounded())
    return str(flow) if label == "mean volume" else "none"


# ------------------------------------------------------------------------------------------------ the bridge
def _bridge_row(facts: Facts, rx: Prescription | None, refill: Volume | None) -> Row | None:
    """The bridge in force against the one that would be; None where neither is."""
    present, held = facts.present, facts.present.configuration
    old = new = "none"
    if held is not None and present.bridge_left_pulses:
        old = _bridge_text(facts, held.bridge_flow_nL_per_day, present.bridge_left_pulses, runs=facts.status.bridging)
    then = _sent(facts, rx, refill)
    if then is not None and then.bridge_pulses:
        new = _bridge_text(facts, then.bridge_flow_nL_per_day, then.bridge_pulses, runs=then.start)
    return None if old == new == "none" else Row(BRIDGE, old, new, changed=old != new)


def _sent(facts: Facts, rx: Prescription | None, refill: Volume | None) -> Configuration | None:
    """What the pump would hold; None where it cannot be made, which the findings say."""
    if rx is None:
        return None
    try:
        return to_configuration(rx, facts.present, facts.profile, refill=refill)
    except ConfigurationError:
        return None


def _bridge_text(facts: Facts, flow_nL_per_day: int, pulses: int, *, runs: bool) -> str:
    """`100 mcg per day until about 25 Nov 2026 06:00`, rounded down to the minute: the dose of what the path holds, and its end."""
    volume = Volume(pulses * facts.profile.pulse_volume.nL)
    if not runs or not flow_nL_per_day:
        return f"waits for a start, {volume} still to pass"
    held = facts.present.path_concentration_ng_per_mL if facts.present.path_left_pulses else facts.status.concentration_ng_per_mL
    dose = rate_of_flow(Flow(flow_nL_per_day), Concentration(held)).rounded()
    end = facts.present.host_now + timedelta(milliseconds=volume.nL * MS_PER_DAY // flow_nL_per_day)
    return f"{dose} until about {_minute_text(end)}"


def _minute_text(at: datetime) -> str:
    return f"{day_text(at)} {at:%H:%M}"
