"""`itbpump pair`: asks for line, role, and port or key file; the pairing itself is `itbpump.workflow.pairing`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import FAILED, USAGE, CommandError, Output

if TYPE_CHECKING:
    from itbpump.hoststate import HostState
    from itbpump.wire.messages import Role
    from itbpump.workflow.pairing import Paired, Pairing

__all__ = ["bench_address", "pair", "pair_over_bench"]


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
    from itbpump.workflow.pairing import Pairing, keeps_state

    out = Output(as_json)
    if role.upper() not in Role.__members__:
        raise CommandError(f"--role {role!r}: write clinician, observer or emergency", USAGE)
    if not keeps_state(url):
        raise CommandError(f"{url}: a simulated pump without state= is gone when the command ends, and is paired by itself", USAGE)
    state = HostState.open()
    try:
        made = _make(Pairing(url, Role[role.upper()], bench_address(bench) if bench is not None else "", key_file, replace), state)
    finally:
        state.close()
    out.say(*made.lines())
    place = "keyring" if made.keyring else "file"
    out.data({"pump": made.name, "role": role, "programmer": made.programmer_id.hex(), "proved": made.proved, "key_in": place})


def bench_address(text: str) -> str:
    """A bench address; a bare name is a file in this folder."""
    return text if ":" in text or "/" in text else f"./{text}"


def pair_over_bench(url: str, bench: str, state: HostState, role: Role) -> bytes:
    """Make a random key, give it to the pump through its provisioning port, prove it on the line, keep it. Returns the pump's id.

    Raises as `workflow.pairing.make_pairing`.
    """
    from itbpump.workflow.pairing import Pairing

    return _make(Pairing(url, role, bench_address(bench)), state).pump_id


def _make(asked: Pairing, state: HostState) -> Paired:
    """The pairing; what is to be done about one that cannot be, in terms of this command's options."""
    from itbpump.workflow.pairing import NoWayToPair, OtherRole, make_pairing
    from itbpump.workflow.provisioning import PortRefused

    try:
        return make_pairing(asked, state)
    except NoWayToPair as error:
        raise CommandError(
            f"{error}: give its provisioning port with --bench, or --key-file FILE for a key that it holds "
            f"already for programmer {error.programmer_id.hex()}",
            USAGE,
        ) from error
    except OtherRole as error:
        raise CommandError(
            f"{error}; it holds one pairing for a pump: add --replace, or set ITBPUMP_HOME to a folder of its own for the other role"
        ) from error
    except PortRefused as error:
        raise CommandError(str(error), USAGE if error.kind.startswith("bad-") else FAILED) from error
