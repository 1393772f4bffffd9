"""Single short readings of a pump for the reader: each one question or a few, so that a job waits no longer than that.

Not here: when to read what (`readerlogic`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import islice
from typing import TYPE_CHECKING, Final

from msgspec.structs import replace

from itbpump.link.errors import PumpRefused, SessionLost
from itbpump.link.transaction import UnexpectedReply
from itbpump.tui.logmirror import LogMirror
from itbpump.wire.messages import Error, GetStatus, LogEntry, LogKind, Status

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Calibration, Forecast
    from itbpump.present import PresentPump
    from itbpump.profiles import PumpProfile
    from itbpump.pump import Pump

__all__ = ["PAGE_ENTRIES", "POLL_DEADLINE_MS", "dates_of", "newer_page", "older_page", "quick_status"]

POLL_DEADLINE_MS: Final = 5_000
"""A status unanswered for that long is a failed reading: four sendings at 0, 0.5, 1.5 and 3.5 s. `Pump.status` would wait for 10 to 25 s,
and a stop that is submitted meanwhile with it."""
PAGE_ENTRIES: Final = 25


def quick_status(pump: Pump) -> Status:
    """What the pump says of itself, or NoReply within POLL_DEADLINE_MS, a new session included. Hands out hints that have come."""
    session = pump.session
    until_ms = session.now_ms() + POLL_DEADLINE_MS
    session.listen(0)
    session.ensure_open(until_ms)
    try:
        reply = session.send(GetStatus(), until_ms)
    except SessionLost:
        session.reconnect(until_ms)
        reply = session.send(GetStatus(), until_ms)
    if isinstance(reply, Error):
        raise PumpRefused(reply)
    if not isinstance(reply, Status):
        raise UnexpectedReply("GetStatus", reply)
    return reply


def dates_of(
    present: PresentPump,
    status: Status,
    profile: PumpProfile,
    refill: LogEntry | None,
    drug_library: Callable[[str], DrugLibrary] | None,
    calibration: Calibration | None = None,
) -> Forecast:
    """As `wording.beside.dates_of_pump`, but from what was read before: `refill` is the newest such entry of the log, None without one.

    Raises ForecastError, LibraryError, and ConfigurationError for a bridge that the configuration does not have.
    """
    from itbpump.forecast import forecast_of_reading  # noqa: PLC0415 -- the first screen needs no dates

    drug = present.configuration.drug if present.configuration is not None else ""
    return forecast_of_reading(
        present,
        status,
        () if refill is None else (refill,),
        profile,
        drug_library(drug) if drug_library is not None and drug else None,
        calibration=calibration,
    )


def newer_page(pump: Pump, mirror: LogMirror, next_seq: int) -> None:
    """Read on from where the mirror ends, a page at most; for an empty mirror the newest page before `next_seq`."""
    if mirror.end is None:
        from_seq = max(0, next_seq - PAGE_ENTRIES)
        entries = _page(pump, from_seq, next_seq)
        mirror.begin(entries, from_seq, entries[-1].seq + 1 if entries else next_seq)
    else:
        mirror.extend(_page(pump, mirror.end, next_seq))


def older_page(pump: Pump, mirror: LogMirror) -> None:
    """Read the page before the mirror's oldest entry; where the pump has lost what came before, say so in the mirror and end there."""
    from_seq = max(0, mirror.first - PAGE_ENTRIES)
    entries = _before(mirror.first, islice(pump.log(from_seq), mirror.first - from_seq))
    if entries and entries[0].kind is LogKind.GAP:
        oldest = next(pump.log(0), None)
        if oldest is not None and oldest.kind is LogKind.GAP and oldest.seq >= entries[0].seq:
            mirror.prepend(entries[1:], from_seq)
            mirror.close_gap()
            return
    mirror.prepend(entries, from_seq)


def _before(seq: int, entries: Iterable[LogEntry]) -> list[LogEntry]:
    """The entries below `seq`; of a gap that reaches over it the part that is below."""
    found = []
    for entry in entries:
        if entry.seq < seq:
            found.append(entry)
        elif entry.kind is LogKind.GAP and entry.b < seq:
            found.append(replace(entry, seq=seq - 1, a=seq - entry.b))
    return found


def _page(pump: Pump, from_seq: int, end_seq: int) -> list[LogEntry]:
    return [entry for entry in islice(pump.log(from_seq), max(0, min(PAGE_ENTRIES, end_seq - from_seq))) if entry.seq < end_seq]
