"""Reaching a pump for a command: the host's state, the session, and who is meant by a programmer's id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from itbpump.cli.registered import registered

if TYPE_CHECKING:
    from itbpump.hoststate import HostState, Intent
    from itbpump.pump import Pump

__all__ = ["open_commands", "opened", "require_settled"]


@contextmanager
def opened(url: str, *, dosing: bool = False) -> Iterator[Pump]:
    """A session with the pump at `url`, closed and recorded in the registry that is set at the end. `dosing`: refuse at once while an
    earlier outcome is unknown.

    Raises what `itbpump.pump.connect` raises, and DosingBlocked.
    """
    from itbpump.hoststate import HostState
    from itbpump.pump import connect
    from itbpump.workflow.pairing import keeps_state

    state = HostState.open() if keeps_state(url) else None
    try:
        with registered() as session, connect(url, state=state) as pump, session(pump):
            if dosing and state is not None:
                require_settled(pump, state)
            yield pump
    finally:
        if state is not None:
            state.close()


def require_settled(pump: Pump, state: HostState) -> None:
    """Raises DosingBlocked before the person is asked anything; the client would refuse later all the same."""
    from itbpump.outcome import DosingBlocked

    unsettled = state.unsettled(pump.key)
    if unsettled:
        raise DosingBlocked(unsettled)


def open_commands(pump: Pump) -> list[Intent]:
    """Commands to this pump whose outcome is not known here; none for a pump that is gone with the command."""
    from itbpump.hoststate import HostState
    from itbpump.workflow.pairing import keeps_state

    if not keeps_state(pump.session.transport.url):
        return []
    state = HostState.open()
    try:
        return state.unsettled(pump.key)
    finally:
        state.close()
