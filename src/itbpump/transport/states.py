"""Which host state goes with which line when the caller names none."""

from __future__ import annotations

from itbpump.hoststate import HostState
from itbpump.transport import innermost
from itbpump.transport.base import Transport
from itbpump.transport.replay import ReplayTransport, rehearsal_state

__all__ = ["default_state"]


def default_state(port: Transport) -> HostState:
    """The host's own file; memory with the demo key for a `sim://` pump without `state=`; for a recording what it was made with."""
    line = innermost(port)
    if isinstance(line, ReplayTransport):
        return rehearsal_state(line)
    if not line.url.startswith("sim://") or "state=" in line.url:
        return HostState.open()
    from itbpump.transport.demo_key import pair_with_demo_key  # noqa: PLC0415  (only simulated pumps take it)

    state = HostState.in_memory()
    pair_with_demo_key(line, state)
    return state
