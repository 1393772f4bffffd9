"""Which sessions are written to the log: all of those who may change a therapy; of an observer as often as of a refused handshake.

An observer may read as often as it likes within its allowance, and must not wash the log out by that: of each series of its sessions the
first is logged, then one after 1 h, 2 h, 4 h … and at last 24 h (`refusals.RefusalLog`). Begins anew with each start of the pump. Pure.
Not here: how often a session may be opened (the link's budget).
"""

from __future__ import annotations

from firmware_sim.firmware.refusals import RefusalLog
from itbpump.wire.messages import Role

__all__ = ["VisitLog"]


class VisitLog:
    """Asked at each session's begin and end. Bounded: one number for each programmer in session."""

    def __init__(self) -> None:
        self._observers = RefusalLog()
        self._untold: set[bytes] = set()

    def opened(self, programmer_id: bytes, role: Role, uptime_ms: int) -> bool:
        """Whether this session is logged."""
        self._untold.discard(programmer_id)
        if role is Role.OBSERVER and self._observers.heard(int.from_bytes(programmer_id, "big"), uptime_ms) is None:
            self._untold.add(programmer_id)
        return programmer_id not in self._untold

    def closed(self, programmer_id: bytes) -> bool:
        """Whether its end is: as its begin was."""
        told = programmer_id not in self._untold
        self._untold.discard(programmer_id)
        return told
