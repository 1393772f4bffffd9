"""Pairing: one key on both sides. A new key goes to the pump through its provisioning port, never over the patient's line (SR-63).

What this computer keeps is proved first: a session opens only when both sides hold the same key. An emergency pairing is not proved, as a
session of that role raises a critical alarm. Not here: how keys are kept (`hoststate`, `pairings`), what is asked of a person (the faces).
"""

from __future__ import annotations

import binascii
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from itbpump.errors import InputError, ItbPumpError
from itbpump.hoststate import HostState
from itbpump.link.errors import HandshakeFailed, NotPaired, PumpBusy
from itbpump.pump import connect
from itbpump.wire.messages import Role
from itbpump.workflow.provisioning import ProvisioningPort

__all__ = [
    "Entropy",
    "NoWayToPair",
    "OtherRole",
    "Paired",
    "Pairing",
    "PairingError",
    "UnusablePairing",
    "keeps_state",
    "make_pairing",
    "pair",
]

KEY_BYTES: Final = 32
_MAGNET_HOLD: Final = "11s"
"""The pump wants 10 s (design 4); an emergency pairing is met only near the pump."""
Entropy: TypeAlias = Callable[[int], bytes]


class PairingError(ItbPumpError):
    """This computer and the pump could not be paired; what this computer held before still stands."""


class UnusablePairing(PairingError, InputError):
    """What was given is no pairing: a key that is none, a pump that is gone at the end."""


class NoWayToPair(UnusablePairing):
    """Neither port nor key was given; `programmer_id` is this computer's, which the pump would have to know."""

    def __init__(self, programmer_id: bytes) -> None:
        self.programmer_id = programmer_id
        super().__init__(
            "pairing needs the pump in hand",
            action=f"give its provisioning port, or a file with a key that it holds already for programmer {programmer_id.hex()}",
        )


class OtherRole(PairingError):
    """This computer is paired with the pump `pump_id` in another role, `role`; it holds one pairing for a pump."""

    def __init__(self, pump_id: bytes, role: Role) -> None:
        self.pump_id, self.role = pump_id, role
        super().__init__(
            f"this computer is paired with pump {pump_id.decode('ascii', 'replace')} as {role.name.lower()}",
            action="it holds one pairing for a pump: replace it, or set ITBPUMP_HOME to a folder of its own for the other role",
        )


@dataclass(frozen=True, slots=True)
class Pairing:
    """What is wanted: the patient's line, the role, and how the key gets there: `bench` (the provisioning port) or `key_file`.

    A simulated pump in a state file needs neither. `replace`: also where this computer is paired with the pump in another role.
    """

    url: str
    role: Role = Role.CLINICIAN
    bench: str = ""
    key_file: Path | None = None
    replace: bool = False


@dataclass(frozen=True, slots=True)
class Paired:
    """What was made. `keyring` names the system's keyring that holds the key; empty where a file of this user does."""

    pump_id: bytes
    role: Role
    programmer_id: bytes
    keyring: str = ""

    @property
    def name(self) -> str:
        """The pump's serial number."""
        return self.pump_id.decode("ascii", "replace")

    @property
    def proved(self) -> bool:
        """A session was opened with the key."""
        return self.role is not Role.EMERGENCY

    def lines(self) -> tuple[str, ...]:
        """In words."""
        proof = "proved by a session" if self.proved else "not proved: an emergency session raises an alarm"
        kept = f"the system's keyring ({self.keyring})" if self.keyring else "a file that only this user may read"
        return (
            f"Paired with pump {self.name} as {self.role.name.lower()} ({proof}). This computer is programmer {self.programmer_id.hex()}.",
            f"Its key is kept in {kept}.",
        )


def keeps_state(url: str) -> bool:
    """A pump that outlives its line: everything but `sim://` and a recording without `state=`, faults put before it or not."""
    while url.startswith("faulty:"):
        url = url.partition(";")[2]
    return not url.startswith(("sim://", "replay:")) or "state=" in url


def pair(asked: Pairing) -> tuple[str, ...]:
    """Pair this computer, and say so in words. Raises as `make_pairing`, and HostStateError."""
    state = HostState.open()
    try:
        return make_pairing(asked, state).lines()
    finally:
        state.close()


def make_pairing(asked: Pairing, state: HostState, *, entropy: Entropy = os.urandom) -> Paired:
    """Pair with a pump: by a key it holds, in process for a simulated pump in a state file, or through its provisioning port.

    `entropy(n)` gives the key's random bytes. Nothing is kept here when it raises. Raises PairingError and its kinds, PortRefused,
    BadPortAddress, TransportError, LinkError (KeyMismatch for a key that the pump does not hold), HostStateError.
    """
    if not keeps_state(asked.url):
        raise UnusablePairing(
            f"{asked.url}: a simulated pump without state= is gone when it is closed, and is paired by itself",
            action="connect to it as it is",
        )
    if asked.key_file is not None:
        pump_id = _by_key(asked, state, _read_key(asked.key_file))
    elif asked.url.startswith("sim://"):
        pump_id = _in_process(asked, state, entropy)
    elif asked.bench:
        pump_id = _over_port(asked, state, entropy)
    else:
        raise NoWayToPair(state.programmer_id)
    stored = state.pairing(pump_id)
    return Paired(pump_id, asked.role, state.programmer_id, stored.keyring if stored is not None else "")


# ------------------------------------------------------------------------------------------------ three ways
def _by_key(asked: Pairing, state: HostState, key: bytes) -> bytes:
    """Keep a key that the pump holds, once a session has proved it."""
    pump_id = _who_answers(asked.url, state)
    if pump_id is None:
        raise PairingError(
            f"the pump on {asked.url} does not know this programmer ({state.programmer_id.hex()})",
            action="are line and provisioning port of one pump?",
        )
    proof = _stranger(state)
    proof.pair(pump_id, asked.role, key)
    connect(asked.url, state=proof).close()
    state.pair(pump_id, asked.role, key)
    return pump_id


def _in_process(asked: Pairing, state: HostState, entropy: Entropy) -> bytes:
    """A simulated pump with a state file, which has no other process to provision it."""
    from itbpump.transport.sim import SimTransport  # noqa: PLC0415  (the simulator is loaded for simulated pumps alone)

    transport = SimTransport.open(asked.url)
    try:
        pump_id = transport.device.serial.encode("ascii")
        _refuse_other_role(asked, state, pump_id)
        key = entropy(KEY_BYTES)
        transport.device.provision(state.programmer_id, asked.role, key)
    finally:
        transport.close()
    if asked.role is not Role.EMERGENCY:
        return _by_key(asked, state, key)
    state.pair(pump_id, asked.role, key)
    return pump_id


def _over_port(asked: Pairing, state: HostState, entropy: Entropy) -> bytes:
    """Give the pump a new key through its provisioning port, and prove it on the line."""
    known = _who_answers(asked.url, state)
    if known is not None:
        _refuse_other_role(asked, state, known)
    key = entropy(KEY_BYTES)
    with ProvisioningPort(asked.bench) as port:
        port.call("pair", programmer=state.programmer_id.hex(), role=asked.role.name.lower(), key=key.hex())
        if asked.role is Role.EMERGENCY:
            pump_id = _meet_with_magnet(asked.url, state, port)
            state.pair(pump_id, asked.role, key)
            return pump_id
    return _by_key(asked, state, key)


def _refuse_other_role(asked: Pairing, state: HostState, pump_id: bytes) -> None:
    stored = state.pairing(pump_id)
    if stored is not None and stored.role != asked.role and not asked.replace:
        raise OtherRole(pump_id, Role(stored.role))


# ------------------------------------------------------------------------------------------------ who is on the line
def _stranger(state: HostState) -> HostState:
    """The same programmer without any key, kept in memory: what it is told changes nothing here."""
    return HostState.in_memory(lambda _count: state.programmer_id)


def _who_answers(url: str, state: HostState) -> bytes | None:
    """The id of the pump on the line if it knows this programmer; None if it does not, or keeps it for the magnet."""
    try:
        connect(url, state=_stranger(state)).close()
    except NotPaired as error:
        return error.pump_id
    except PumpBusy:
        raise
    except HandshakeFailed:  # an emergency pairing far from its magnet: the pump does not say who it is
        return None
    raise AssertionError("a session without a key")


def _meet_with_magnet(url: str, state: HostState, port: ProvisioningPort) -> bytes:
    """The pump's id when it answers only near the magnet; the handshake is not finished, so no session and no alarm."""
    port.call("magnet", hold_ms=_MAGNET_HOLD)
    pump_id = _who_answers(url, state)
    if pump_id is None:
        raise PairingError(f"the pump on {url} is not the one of this provisioning port", action="check both addresses")
    return pump_id


def _read_key(path: Path) -> bytes:
    """32 bytes, raw or as 64 hexadecimal digits. UnusablePairing for anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UnusablePairing(f"{path}: cannot be read ({error.strerror or error})") from error
    if len(content) == KEY_BYTES:
        return content
    try:
        key = binascii.unhexlify(content.strip())
    except ValueError as error:
        raise UnusablePairing(f"{path}: a key has 32 bytes, or 64 hexadecimal digits") from error
    if len(key) != KEY_BYTES:
        raise UnusablePairing(f"{path}: this key has {len(key)} bytes, {KEY_BYTES} are needed")
    return key
