"""The clinic's registry as the alerts see it: its rows become what the rules watch. It stands below this room and knows none of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import fields
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from itbpump.alerts.model import Contact, RefillDates, WatchedPump

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from itbpump.registry.model import ContactRow, PumpRow

__all__ = ["RegistrySource", "Rows", "contact_of", "watched_of"]

_DATES = tuple(field.name for field in fields(RefillDates))
_PUMP = tuple(field.name for field in fields(WatchedPump) if field.name != "dates")


class Rows(Protocol):
    """What is used of a registry."""

    @property
    def engine(self) -> Engine: ...

    def watched(self) -> Iterable[PumpRow]: ...

    def contacts(self) -> Sequence[ContactRow]: ...


class RegistrySource:
    """A `job.Source` over a registry."""

    def __init__(self, registry: Rows) -> None:
        self._registry = registry

    @property
    def engine(self) -> Engine:
        """The registry's; what is begun on it may write."""
        return self._registry.engine

    def watched(self, now: datetime) -> Iterator[WatchedPump]:
        """Every pump in use. What is known does not hang on `now`; the rules ask for it."""
        return map(watched_of, self._registry.watched())

    def contacts(self) -> Sequence[Contact]:
        """In order of escalation."""
        return tuple(map(contact_of, self._registry.contacts()))


def watched_of(row: PumpRow) -> WatchedPump:
    """Field by field; the names are the same on both sides, which a test holds."""
    dates = None if row.dates is None else RefillDates(**{name: getattr(row.dates, name) for name in _DATES})
    return WatchedPump(dates=dates, **{name: getattr(row, name) for name in _PUMP})


def contact_of(row: ContactRow) -> Contact:
    """The registry counts `position`, escalation calls it order."""
    return Contact(row.id, row.position, row.channel, row.address, row.escalate_after_h, row.shows_patient)
