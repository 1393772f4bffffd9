"""The visible demo key: pairs a simulated pump in the caller's own process, and nothing else.

The key is in the source on purpose, so it protects nothing; a pump on any real line is refused it.
"""

from __future__ import annotations

from itbpump.hoststate import HostState
from itbpump.transport.base import Transport, TransportError
from itbpump.transport.sim import SimTransport
from itbpump.wire.messages import Role

__all__ = ["DEMO_KEY", "pair_with_demo_key"]

DEMO_KEY = b"the visible demo key of itbpump!"


def pair_with_demo_key(transport: Transport, state: HostState) -> None:
    """Store the demo key on both sides. Raises TransportError for anything but a simulated pump in this process."""
    if not isinstance(transport, SimTransport):
        raise TransportError(
            transport.url, "the demo key is for sim:// pumps only", "pair this pump with a key of its own: itbpump pair URL"
        )
    device = transport.device
    device.provision(state.programmer_id, Role.CLINICIAN, DEMO_KEY)
    state.pair(device.serial.encode("ascii"), Role.CLINICIAN, DEMO_KEY)
