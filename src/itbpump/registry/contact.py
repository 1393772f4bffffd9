"""One contact with a pump, whole and by itself: who it is, what it said, what was decided here; and recording it.

`take` reads it, `record` puts it into a registry, in one step. Because it holds all that `record` needs, as the pump's own messages, a
contact can wait in a file (`spool`) until the registry can be reached, and give the same rows then. Reading changes nothing in the pump.
Not here: which registry, and what a person is told (`itbpump.workflow.registering`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from itbpump.errors import ConfigurationError, ItbPumpError
from itbpump.hoststate import Intent
from itbpump.registry.logmark import WHOLE, LogMark, read_from
from itbpump.wire.messages import Configuration, Info, LogEntry, LogKind, Role, Status

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Forecast
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.registry.model import Learned
    from itbpump.registry.store import Registry

__all__ = ["Contact", "Spoken", "of_reading", "record", "take", "take_decisions"]

NEWEST: Final = 500
"""Log entries of other kinds than a fill that are kept: those that tell since when nothing is given (as `pump.MOST_RECENT_ENTRIES`)."""


class Spoken(msgspec.Struct, frozen=True):
    """What the pump said of itself. `configuration` is None where it has none, or where the role may not read it. `log_since`: the number
    from which on no entry was left unread, 0 for all of it, None where that is not known."""

    status: Status
    configuration: Configuration | None
    log: tuple[LogEntry, ...]
    log_since: int | None = None


class Contact(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """`spoken` is None where the line was lost: then only `decisions` are known. `by`: an opaque staff id, or the program's name. `note`:
    what was noticed while reading and a person must know; empty for nothing."""

    info: Info
    host_now: datetime
    by: str
    programmer_id: bytes
    decisions: tuple[Intent, ...]
    spoken: Spoken | None
    note: str = ""

    @property
    def patient_id(self) -> str | None:
        """Of the newest decision that took effect and names one."""
        for intent in reversed(self.decisions):
            patient = json.loads(intent.basis).get("patient") if intent.basis and intent.state == "applied" else None
            if patient:
                return str(patient)
        return None


class _View(msgspec.Struct, frozen=True):
    """A `model.Reading`."""

    info: Info
    status: Status
    host_now: datetime


def take(pump: Pump, by: str, held: LogMark | None = None) -> Contact:
    """Read the pump once more and bring what was decided here; of its log only what is newer than `held`, which the registry knows.

    Raises LinkError, TransportError, HostStateError.
    """
    status = pump.status()
    may_read = pump.info.role is not Role.EMERGENCY
    configuration = pump.configuration() if may_read and status.revision else None
    if not may_read:
        return _of(pump, by, Spoken(status, configuration, ()), pump.host_now())
    log = read_from(pump.log, held)
    spoken = Spoken(status, configuration, _needed(log.entries), log.since_seq)
    return msgspec.structs.replace(_of(pump, by, spoken, pump.host_now()), note=log.note)


def of_reading(
    pump: Pump, by: str, status: Status, configuration: Configuration | None, log: Sequence[LogEntry], host_now: datetime
) -> Contact:
    """Of what was read before; asks the pump nothing. `log` oldest first, without a hole. Raises HostStateError."""
    is_whole = bool(log) and (log[0].kind is LogKind.GAP or log[0].seq == 0)  # a gap is what the pump itself has lost
    since = None if not log else WHOLE if is_whole else log[0].seq
    return _of(pump, by, Spoken(status, configuration, _needed(tuple(log)), since), host_now)


def _of(pump: Pump, by: str, spoken: Spoken, host_now: datetime) -> Contact:
    return msgspec.structs.replace(take_decisions(pump, by), host_now=host_now, spoken=spoken)


def take_decisions(pump: Pump, by: str) -> Contact:
    """The same without asking the pump: its line is lost. Raises HostStateError."""
    return Contact(pump.info, pump.host_now(), by, pump.session.link.programmer_id, pump.decisions(), None)


def _needed(log: tuple[LogEntry, ...]) -> tuple[LogEntry, ...]:
    newest = max(0, len(log) - NEWEST)
    return (*(entry for entry in log[:newest] if entry.kind is LogKind.REFILL), *log[newest:])


# ------------------------------------------------------------------------------------------------ recording
def record(registry: Registry, contact: Contact, library_for: Callable[[str], DrugLibrary]) -> str:
    """Put it into the registry, once however often it is handed in. Why there are no dates, in words; empty where there are, and where
    there is nothing to count from. Raises RegistryError, Contradiction; then nothing is kept."""
    spoken = contact.spoken
    if spoken is None:
        known, at = contact.decisions, contact.host_now
        registry.record_commands(contact.info, contact.programmer_id, known, at=at, by=contact.by)
        return ""
    present, problem = _present(contact, spoken)
    dates = _Dates(contact, spoken, present, library_for)
    registry.record_reading(
        _View(contact.info, spoken.status, contact.host_now),
        present,
        spoken.log,
        dates.of if present is not None and present.configuration is not None else None,
        by=contact.by,
        decisions_here=contact.decisions,
        programmer_id=contact.programmer_id,
        library_sha256=dates.library_sha256,
        log_since=spoken.log_since,
    )
    return problem or dates.problem


def _present(contact: Contact, spoken: Spoken) -> tuple[PresentPump | None, str]:
    """None, and why, for a pump that was changed by somebody else between two answers."""
    from itbpump.present import PresentPump  # noqa: PLC0415  (with the pump's own rooms, not before)

    try:
        present = PresentPump.from_status(spoken.status, spoken.configuration, contact.host_now, spoken.log, patient_id=contact.patient_id)
    except ConfigurationError as error:
        return None, str(error)
    return present, ""


class _Dates:
    """The dates of one contact, made when the registry has learned of its fills. A problem keeps no reading out: it is kept in words."""

    def __init__(self, contact: Contact, spoken: Spoken, present: PresentPump | None, library_for: Callable[[str], DrugLibrary]) -> None:
        self._contact, self._spoken, self._present = contact, spoken, present
        self.problem = self.library_sha256 = ""
        self._library: DrugLibrary | None = None
        configuration = spoken.configuration
        if present is None or configuration is None:
            return
        try:
            self._library = library_for(configuration.drug)
            self.library_sha256 = self._library.sha256
        except ItbPumpError as error:
            self.problem = str(error)

    def of(self, learned: Learned) -> Forecast | None:
        from itbpump.forecast import forecast_of_reading  # noqa: PLC0415
        from itbpump.profiles import load_profile  # noqa: PLC0415

        if self._library is None or self._present is None:
            return None
        try:
            return forecast_of_reading(
                self._present,
                self._spoken.status,
                self._spoken.log,
                load_profile(self._contact.info.profile),
                self._library,
                implanted_on=learned.implanted_on,
                calibration=learned.calibration,
            )
        except ItbPumpError as error:
            self.problem = str(error)
            return None
