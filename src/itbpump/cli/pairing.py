"""`itbpump pair`: one key on both sides. A new key goes to the pump through its provisioning port (bench), never over the patient's line.

What the host stores is proved first: a session opens only when both sides hold the same key. An emergency pairing is not proved, because a
session of that role raises a critical alarm.
"""

from __future__ import annotations

import binascii
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.pumps import keeps_state

if TYPE_CHECKING:
    from firmware_sim.bench_client import BenchClient
    from itbpump.hoststate import HostState
    from itbpump.wire.messages import Role

__all__ = ["bench_address", "pair", "pair_over_bench"]

KEY_BYTES = 32
_MAGNET_HOLD = "11s"  # the pump wants 10 s; an emergency pairing is met only near the pump


def _roles() -> list[str]:
    """For the shell."""
    from itbpump.wire.messages import Role

    return [role.name.lower() for role in Role]


def pair(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump, on its patient line.")],
    bench: Annotated[str | None, typer.Option(metavar="BENCHURL", help="The pump's provisioning port: PATH or HOST:PORT.")] = None,
    role: Annotated[
        str, typer.Option(metavar="ROLE", help="What this computer may do: clinician, observer or emergency.", autocompletion=_roles)
    ] = "clinician",
    key_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A key the pump holds already: 32 bytes, or 64 hexadecimal digits.")
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Replace a pairing of another role with the same pump.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Pair this computer with a pump."""
    from itbpump.hoststate import HostState
    from itbpump.wire.messages import Role

    out = Output(as_json)
    if role.upper() not in Role.__members__:
        raise CommandError(f"--role {role!r}: write clinician, observer or emergency", USAGE)
    wanted = Role[role.upper()]
    if not keeps_state(url):
        raise CommandError(f"{url}: a simulated pump without state= is gone when the command ends, and is paired by itself", USAGE)
    state = HostState.open()
    try:
        if key_file is not None:
            pump_id = _pair_by_key(url, state, wanted, _read_key(key_file))
        elif url.startswith("sim://"):
            pump_id = _pair_in_process(url, state, wanted, replace=replace)
        elif bench is not None:
            pump_id = pair_over_bench(url, bench, state, wanted, replace=replace)
        else:
            raise CommandError(
                "pairing needs the pump in hand: give its provisioning port with --bench, or --key-file FILE for a key that it holds "
                f"already for programmer {state.programmer_id.hex()}",
                USAGE,
            )
        name = pump_id.decode("ascii", "replace")
        stored = state.pairing(pump_id)
        kept = f"the system's keyring ({stored.keyring})" if stored and stored.keyring else "a file that only this user may read"
        proved = "proved by a session" if wanted is not Role.EMERGENCY else "not proved: an emergency session raises an alarm"
        out.say(f"Paired with pump {name} as {role} ({proved}). This computer is programmer {state.programmer_id.hex()}.")
        out.say(f"Its key is kept in {kept}.")
        place = "keyring" if stored is not None and stored.keyring else "file"
        proof = wanted is not Role.EMERGENCY
        out.data({"pump": name, "role": role, "programmer": state.programmer_id.hex(), "proved": proof, "key_in": place})
    finally:
        state.close()


def bench_address(text: str) -> str:
    """A bench address; a bare name is a file in this folder."""
    return text if ":" in text or "/" in text else f"./{text}"


def pair_over_bench(url: str, bench: str, state: HostState, role: Role, *, replace: bool = False) -> bytes:
    """Make a random key, give it to the pump through its provisioning port, prove it on the line, keep it. Returns the pump's id.

    Raises BenchError, TransportError, LinkError; CommandError for a pump paired in another role already.
    """
    from firmware_sim.bench_client import BenchClient
    from itbpump.wire.messages import Role

    known = _who_answers(url, state)
    if known is not None:
        _refuse_other_role(state, known, role, replace=replace)
    key = os.urandom(KEY_BYTES)
    with BenchClient(bench_address(bench)) as client:
        client.call("pair", programmer=state.programmer_id.hex(), role=role.name.lower(), key=key.hex())
        if role is Role.EMERGENCY:
            pump_id = _meet_with_magnet(url, state, client)
            state.pair(pump_id, role, key)
            return pump_id
    return _pair_by_key(url, state, role, key)


def _pair_in_process(url: str, state: HostState, role: Role, *, replace: bool) -> bytes:
    """The same for a simulated pump with a state file, which has no other process to provision it."""
    from itbpump.transport.sim import SimTransport
    from itbpump.wire.messages import Role

    transport = SimTransport.open(url)
    try:
        pump_id = transport.device.serial.encode("ascii")
        _refuse_other_role(state, pump_id, role, replace=replace)
        key = os.urandom(KEY_BYTES)
        transport.device.provision(state.programmer_id, role, key)
    finally:
        transport.close()
    if role is not Role.EMERGENCY:
        return _pair_by_key(url, state, role, key)
    state.pair(pump_id, role, key)
    return pump_id


def _refuse_other_role(state: HostState, pump_id: bytes, role: Role, *, replace: bool) -> None:
    from itbpump.wire.messages import Role

    stored = state.pairing(pump_id)
    if stored is not None and stored.role != role and not replace:
        raise CommandError(
            f"this computer is paired with pump {pump_id.decode('ascii', 'replace')} as {Role(stored.role).name.lower()}; "
            "it holds one pairing for a pump: add --replace, or set ITBPUMP_HOME to a folder of its own for the other role"
        )


# ------------------------------------------------------------------------------------------------ who is on the line
def _stranger(state: HostState) -> HostState:
    """The same programmer without any key, kept in memory: what it is told changes nothing here."""
    from itbpump.hoststate import HostState

    return HostState.in_memory(lambda _count: state.programmer_id)


def _who_answers(url: str, state: HostState) -> bytes | None:
    """The id of the pump on the line if it knows this programmer; None if it does not, or keeps it for the magnet."""
    from itbpump.link.errors import HandshakeFailed, NotPaired, PumpBusy
    from itbpump.pump import connect

    try:
        connect(url, state=_stranger(state)).close()
    except NotPaired as error:
        return error.pump_id
    except PumpBusy:
        raise
    except HandshakeFailed:  # an emergency pairing far from its magnet: the pump does not say who it is
        return None
    raise AssertionError("a session without a key")


def _meet_with_magnet(url: str, state: HostState, client: BenchClient) -> bytes:
    """The pump's id when it answers only near the magnet; the handshake is not finished, so no session and no alarm."""
    client.call("magnet", hold_ms=_MAGNET_HOLD)
    pump_id = _who_answers(url, state)
    if pump_id is None:
        raise CommandError(f"the pump on {url} is not the one of this provisioning port; check both addresses")
    return pump_id


def _pair_by_key(url: str, state: HostState, role: Role, key: bytes) -> bytes:
    """Keep a key that the pump holds, once a session has proved it."""
    from itbpump.pump import connect

    pump_id = _who_answers(url, state)
    if pump_id is None:
        raise CommandError(
            f"the pump on {url} does not know this programmer ({state.programmer_id.hex()}); are line and provisioning port of one pump?"
        )
    proof = _stranger(state)
    proof.pair(pump_id, role, key)
    connect(url, state=proof).close()
    state.pair(pump_id, role, key)
    return pump_id


def _read_key(path: Path) -> bytes:
    """32 bytes, raw or as 64 hexadecimal digits. CommandError (2) for anything else."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: cannot be read ({error.strerror or error})", USAGE) from error
    if len(content) == KEY_BYTES:
        return content
    try:
        key = binascii.unhexlify(content.strip())
    except ValueError as error:
        raise CommandError(f"{path}: a key has 32 bytes, or 64 hexadecimal digits", USAGE) from error
    if len(key) != KEY_BYTES:
        raise CommandError(f"{path}: this key has {len(key)} bytes, 32 are needed", USAGE)
    return key
