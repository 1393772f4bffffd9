# ruff: noqa: PLC0415 -- each answer loads only what it uses
"""What `itbpump doctor` asks of this room: registry, channels, and whether the check still runs. Changes nothing.

Each answer is a word (`ok`, `note`, `WRONG`) and what was found, with what to do about it where the row of `doctor.toml` does not say that.
A clinic that has no registry gets notes: nothing is wrong without one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Protocol

__all__ = ["ANSWERS", "channels", "heartbeat", "registry"]

OK, NOTE, WRONG = "ok", "note", "WRONG"
_ADD = "add one: itbpump registry contacts add nurse-1 --channel email --address A --position 1 --by N-17"
_RENAME = "name a channel there is: itbpump registry contacts add ID --channel NAME; or write that one into channels.toml"
_NO_REGISTRY = "no registry is set, so nothing is recorded and nobody is alerted"


class Asked(Protocol):
    """What is known of the computer."""

    @property
    def environment(self) -> Mapping[str, str]: ...

    @property
    def now(self) -> datetime: ...


def registry(asked: Asked) -> tuple[str, str] | tuple[str, str, str]:
    """Whether the registry that is set can be opened. Raises RegistryError, which tells what is wrong and what to do about that."""
    from itbpump.registry.engine import address_of, looked_at, place_of
    from itbpump.registry.store import Registry

    address = looked_at(asked.environment)
    if address is None:
        return NOTE, _NO_REGISTRY
    with Registry.open(address) as opened:
        contacts = len(opened.contacts())
    place = place_of(address_of(address))
    return (OK, f"{place}, {contacts} contacts") if contacts else (WRONG, f"{place}: no contact is set, so nobody can be told", _ADD)


def channels(asked: Asked) -> tuple[str, str] | tuple[str, str, str]:
    """Whether word can be sent, and to every contact. Raises ChannelSetupError, RegistryError."""
    from itbpump.alerts.channels.setup import load_channels
    from itbpump.registry.engine import looked_at
    from itbpump.registry.store import Registry

    found, address = load_channels(environment=asked.environment), looked_at(asked.environment)
    if not found:
        return (NOTE if address is None else WRONG), "none is set up, so nobody can be told"
    names = ", ".join(sorted(found))
    if address is None:
        return OK, names
    with Registry.open(address) as opened:
        lost = [f"{contact.id} (by {contact.channel})" for contact in opened.contacts() if contact.channel not in found]
    return (WRONG, f"{names}; not set up, so never told: {', '.join(lost)}", _RENAME) if lost else (OK, names)


def heartbeat(asked: Asked) -> tuple[str, str]:
    """Whether the check has run lately. Raises RegistryError."""
    from itbpump.alerts.desk import heartbeat_of
    from itbpump.alerts.store import AlertStore
    from itbpump.registry.engine import looked_at, telling
    from itbpump.registry.store import Registry

    address = looked_at(asked.environment)
    if address is None:
        return NOTE, _NO_REGISTRY
    with Registry.open(address) as opened, telling(opened.engine.url):
        pulse = heartbeat_of(AlertStore(opened.engine))
    problem = pulse.problem(asked.now)
    if problem or pulse.last_run is None:
        return WRONG, problem
    return OK, f"last came to its end at {pulse.last_run.astimezone(asked.now.tzinfo):%Y-%m-%d %H:%M %z}"


ANSWERS: Mapping[str, Callable[[Asked], tuple[str, str] | tuple[str, str, str]]] = MappingProxyType(
    {"registry": registry, "channels": channels, "heartbeat": heartbeat}
)
"""For `cli.doctoring.answer`, by the id of the check."""
