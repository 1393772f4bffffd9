"""Putting what happened at a pump into the clinic's registry, where one is set: one place for the command line, the dialogue, the screen.

A face takes a `Contact` when its work at the pump is done and hands it to `Registering.deliver`, which answers in sentences for the person
and raises nothing: a registry that cannot be reached must hinder neither a stop nor a dose. What it does not take is kept on this computer
and handed in at the next contact, each once. Not here: what is recorded (`itbpump.registry.contact`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from itbpump.errors import ItbPumpError
from itbpump.link.errors import LinkError
from itbpump.transport import innermost
from itbpump.transport.base import TransportError
from itbpump.transport.replay import ReplayTransport
from itbpump.workflow.libraries import library_for

if TYPE_CHECKING:
    from datetime import datetime

    from itbpump.forecast import Calibration
    from itbpump.pump import Pump
    from itbpump.registry.contact import Contact
    from itbpump.registry.logmark import LogMark
    from itbpump.registry.model import Learned
    from itbpump.registry.spool import Spool
    from itbpump.registry.store import Registry
    from itbpump.wire.messages import Configuration, LogEntry, Status

__all__ = ["NOBODY", "Known", "Registering"]

NOBODY: Final = "itbpump"
"""Who records where no staff id is known."""
WAIT_S: Final = 3.0
"""For another writer: a write takes milliseconds, and somebody waits at the pump."""
_LATER = "It is kept on this computer and recorded at the next contact with a pump."


class Registering:
    """Records in the registry at `address`; without one (None: neither option nor ITBPUMP_REGISTRY names any) nothing is done or read.

    `user`: the staff id, empty where it is not known. `clinic_library`: the folder of the clinic's own limits. `spool`: folder for what the
    registry does not take, by default beside the host state.
    """

    def __init__(
        self, address: str | None, *, user: str = "", clinic_library: Path | None = None, spool: Path | None = None, wait_s: float = WAIT_S
    ) -> None:
        self.address, self.by = address, user.strip() or NOBODY
        self._library, self._spool, self._wait_s = partial(library_for, folder=clinic_library), spool, wait_s
        self._not_reached: ItbPumpError | None = None

    @classmethod
    def chosen(cls, option: str | None = None, *, user: str = "", clinic_library: Path | None = None) -> Registering:
        """In the registry that the option names, else the environment."""
        name = option or os.environ.get("ITBPUMP_REGISTRY") or None  # as `registry.engine.configured`, which loads the database
        return cls(name, user=user, clinic_library=clinic_library)

    def by_user(self, user: str) -> Registering:
        """The same for another person."""
        made = copy(self)
        made.by = user.strip() or NOBODY
        return made

    @property
    def is_nobody(self) -> bool:
        """No staff id is known."""
        return self.by == NOBODY

    @property
    def is_set(self) -> bool:
        """A registry is named."""
        return self.address is not None

    # -------------------------------------------------------------------------------------------- reading
    def take(self, pump: Pump, *, ask_pump: bool = True) -> Contact | None:
        """What is to be recorded of this session; None where no registry is set. `ask_pump` False, or a line that fails: only what was
        decided here. The registry is asked how far it knows the pump's log; where it cannot be, all of it is read. Raises HostStateError.
        """
        if not self.is_set:
            return None
        from itbpump.registry.contact import take, take_decisions  # noqa: PLC0415  (only where a registry is set)

        if isinstance(
            innermost(pump.session.transport), ReplayTransport
        ):  # a recording is no contact, and answers only what was asked then
            return None
        try:
            return take(pump, self.by, self._held(pump)) if ask_pump else take_decisions(pump, self.by)
        except (LinkError, TransportError):  # the face tells of a lost line; the next contact brings the reading
            return take_decisions(pump, self.by)

    def _held(self, pump: Pump) -> LogMark | None:
        """One that cannot be opened is not waited for a second time, neither here nor when this contact is delivered."""
        from itbpump.registry.errors import CannotOpen  # noqa: PLC0415
        from itbpump.registry.store import Registry  # noqa: PLC0415

        if self._not_reached is not None:
            return None
        try:
            with Registry.open(self.address, wait_s=self._wait_s) as registry:
                return registry.log_mark(pump.info.serial, pump.info.memory_id)
        except CannotOpen as error:
            self._not_reached = error
        except ItbPumpError:  # told when the contact is delivered, if it is still so
            pass
        return None

    def of_reading(
        self, pump: Pump, status: Status, configuration: Configuration | None, log: Sequence[LogEntry], host_now: datetime
    ) -> Contact | None:
        """As `take`, of what was read before; asks the pump nothing. Raises HostStateError."""
        if not self.is_set:
            return None
        from itbpump.registry.contact import of_reading  # noqa: PLC0415

        return of_reading(pump, self.by, status, configuration, log, host_now)

    def learned(self, serial: str) -> tuple[Learned | None, str]:
        """What the registry knows of this pump, None where it does not know it; and what is wrong with it, in words."""
        if not self.is_set:
            return None, ""
        from itbpump.registry.errors import CannotOpen, UnknownSubject  # noqa: PLC0415
        from itbpump.registry.store import Registry  # noqa: PLC0415

        try:
            with Registry.open(self.address, wait_s=self._wait_s) as registry:
                return registry.learned(serial), ""
        except UnknownSubject:
            return None, ""
        except ItbPumpError as error:
            self._not_reached = error if isinstance(error, CannotOpen) else None
            return None, f"What the registry knows of this pump, its patient and its flow, is not looked at: {error}."

    # -------------------------------------------------------------------------------------------- recording
    def deliver(self, contact: Contact | None) -> tuple[str, ...]:
        """Record it, after all that waited; sentences for the person, none where all is well. Raises nothing but what ends the program."""
        if contact is None or self.address is None:
            return ()
        told: list[str] = [contact.note] if contact.note else []
        not_reached, self._not_reached = self._not_reached, None
        try:
            if not_reached is not None:
                raise not_reached
            from itbpump.registry.store import Registry  # noqa: PLC0415

            with Registry.open(self.address, wait_s=self._wait_s) as registry:
                self._hand_in(registry, told)
                problem = self._record(registry, contact)
            if problem:
                told.append(f"Recorded without dates: {problem}")
        except ItbPumpError as error:
            told += (f"NOT RECORDED in the registry: {_words(error)}", *self.keep(contact))
        except Exception as error:  # noqa: BLE001 -- a defect here may hold up neither a dose nor a stop; it is told, and nothing is lost
            told += (f"NOT RECORDED in the registry, by a defect of this program ({error!r}): report it.", *self.keep(contact))
        return tuple(told)

    def _record(self, registry: Registry, contact: Contact) -> str:
        from itbpump.registry.contact import record  # noqa: PLC0415

        return record(registry, contact, self._library)

    def _hand_in(self, registry: Registry, told: list[str]) -> None:
        """All that waits for this registry. One that contradicts what is there waits on and is told each time; the others go in. Raises
        RegistryError."""
        from itbpump.registry.errors import RegistryError  # noqa: PLC0415
        from itbpump.registry.spool import SpoolError  # noqa: PLC0415

        done = 0
        try:
            for kept in self._folder().waiting(self._place()):
                if kept.contact is None:
                    told.append(f"A contact that was kept here cannot be read, and was put aside: {kept.set_aside()}")
                    continue
                try:
                    self._record(registry, kept.contact)
                except RegistryError:
                    raise
                except Exception as error:  # noqa: BLE001 -- one that cannot be recorded keeps out no other; it stays and is told
                    told.append(f"A contact with pump {kept.contact.info.serial} that was kept here is not recorded yet: {error}")
                    continue
                kept.drop()
                done += 1
        except SpoolError as error:
            told.append(f"What is kept on this computer for the registry cannot be read: {_words(error)}")
        if done:
            told.append(f"Recorded in the registry now: {done} contact{'s' if done > 1 else ''} kept on this computer.")

    def keep(self, contact: Contact) -> tuple[str, ...]:
        """Keep it on this computer until the registry can be reached; what became of it, in sentences."""
        try:
            self._folder().keep(self._place(), contact)
        except ItbPumpError as error:
            return (f"It could not be kept on this computer either: {_words(error)}",)
        return (_LATER,)

    def _folder(self) -> Spool:
        from itbpump.registry.spool import Spool, default_folder  # noqa: PLC0415

        return Spool(self._spool if self._spool is not None else default_folder())

    def _place(self) -> str:
        """Which registry, without a password; a file by its full path. An address that cannot be read stands for none."""
        from itbpump.registry.engine import address_of, database_file, place_of  # noqa: PLC0415

        url = address_of(self.address)
        file = database_file(url)
        return place_of(url) if file is None else str(file.absolute())


class Known:
    """What the registry knows of the pump of one session: asked at the first question, and once. `tell` takes what is wrong with it."""

    def __init__(self, registering: Registering, serial: str, tell: Callable[[str], None]) -> None:
        self._registering, self._serial, self._tell = registering, serial, tell
        self._is_asked = False
        self._found: Learned | None = None

    def learned(self) -> Learned | None:
        """None where it does not know the pump, or cannot be asked."""
        if not self._is_asked:
            self._is_asked = True
            self._found, problem = self._registering.learned(self._serial)
            if problem:
                self._tell(problem)
        return self._found

    def calibration(self) -> Calibration | None:
        """What the pump's refills taught of its flow."""
        found = self.learned()
        return found.calibration if found is not None else None

    def patient_id(self) -> str | None:
        """Whose pump it is; for `Pump.patient_elsewhere`."""
        found = self.learned()
        return found.patient_id if found is not None else None


def _words(error: ItbPumpError) -> str:
    """What is wrong and what to do, once each."""
    text = str(error)
    return text if not error.action or error.action in text else f"{text}; {error.action}"
