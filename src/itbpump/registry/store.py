"""The clinic's registry as one object: opened, asked, written to.

`Registry.open(address)` opens one that is there and never makes one: a slip in an address must not give an empty registry in which nobody
is watched. `Registry.create(address)` makes one. Each `record_…` is one transaction that is sealed into the audit, or nothing. Times and
authors are arguments. Thread-safe; processes and workstations may share it (SQLite: those of one computer).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Self

import sqlalchemy as sa
from sqlalchemy.engine import URL, Connection, Engine

from itbpump.registry import chain, decisions, engine, fills, logmark, queries, recording, scales, schema, subjects, unit
from itbpump.registry.errors import CannotOpen, DamagedRegistry, NewerRegistry, OlderRegistry
from itbpump.registry.model import (
    ContactRow,
    Learned,
    ObservationRow,
    PatientRow,
    PumpHistory,
    PumpRow,
    PumpSummary,
    Reading,
    RefillRow,
    SetAside,
)
from itbpump.registry.tables import identity

if TYPE_CHECKING:
    from itbpump.forecast import Forecast
    from itbpump.hoststate import Intent
    from itbpump.present import PresentPump
    from itbpump.refill import Refill
    from itbpump.registry.logmark import LogMark
    from itbpump.wire.messages import Info, LogEntry

__all__ = ["Registry"]

WAIT_S = 10.0  # for other writers; a write takes milliseconds, an import of thousands of pumps seconds
Address = str | os.PathLike[str] | None


class Registry:
    """One registry. Use `open` or `create`; close it, or use it as a context."""

    def __init__(self, url: URL, made: Engine) -> None:
        self._url, self._engine = url, made

    # -------------------------------------------------------------------------------------------- opening
    @classmethod
    def open(cls, address: Address = None, *, wait_s: float = WAIT_S) -> Self:
        """The registry at a path or URL; None: of ITBPUMP_REGISTRY, else the default place. `wait_s`: for other writers.

        Raises CannotOpen, OlderRegistry, NewerRegistry, DamagedRegistry, RegistryLocked.
        """
        url = engine.address_of(address)
        file = engine.database_file(url)
        if file is not None and not file.exists():
            raise CannotOpen(str(file), "there is none", f"check the path, or make one: itbpump registry init --registry {file}")
        found = cls(url, engine.make_engine(url, wait_s))
        try:
            found._require_version()
        except BaseException:
            found.close()
            raise
        return found

    @classmethod
    def create(
        cls,
        address: Address = None,
        *,
        at: datetime,
        by: str = "itbpump",
        entropy: Callable[[int], bytes] = os.urandom,
        wait_s: float = WAIT_S,
    ) -> Self:
        """A new registry in a file that is not there yet, or an empty database of a server. Raises CannotOpen, RegistryLocked."""
        url = engine.address_of(address)
        file = engine.database_file(url)
        if file is not None:
            engine.made_file(file)
        made = cls(url, engine.make_engine(url, wait_s))
        try:
            made._fill(at, by, entropy)
        except BaseException:
            made.close()
            if file is not None:
                for name in (file, Path(f"{file}-wal"), Path(f"{file}-shm")):
                    name.unlink(missing_ok=True)
            raise
        return made

    def _fill(self, at: datetime, by: str, entropy: Callable[[int], bytes]) -> None:
        with unit.working(self._engine, by, at) as work:
            if not schema.is_empty(work.connection):
                raise CannotOpen(self.place, "the database is not empty", "name an empty one, or open this one without init")
            schema.migrate(work.connection)
            work.insert(identity, {"id": entropy(16).hex(), "created_at": at}, "created")

    def _require_version(self) -> None:
        with engine.reading(self._engine) as connection:
            found = schema.found_version(connection)
            if found is None:
                raise CannotOpen(self.place, "this is no registry", "check the address, or make one there: itbpump registry init")
        newest = schema.VERSIONS[-1]
        if found in schema.VERSIONS[:-1]:
            raise OlderRegistry(self.place, found, newest)
        if found != newest:
            raise NewerRegistry(self.place, found, newest)

    @classmethod
    def migrate(cls, address: Address = None, *, at: datetime, by: str, wait_s: float = WAIT_S) -> tuple[str, str]:
        """Bring a registry to the present schema; from which to which. A sound audit is required first: a migration must not hide a
        change. Raises CannotOpen, NewerRegistry, DamagedRegistry, RegistryLocked; then it is as it was."""
        url = engine.address_of(address)
        file = engine.database_file(url)
        if file is not None and not file.exists():
            raise CannotOpen(str(file), "there is none", "check the path")
        made = cls(url, engine.make_engine(url, wait_s))
        try:
            with unit.working(made._engine, by, at) as work:
                found = schema.found_version(work.connection)
                if found is None:
                    raise CannotOpen(made.place, "this is no registry", "check the address")
                if found not in schema.VERSIONS:
                    raise NewerRegistry(made.place, found, schema.VERSIONS[-1])
                if found != schema.VERSIONS[-1]:
                    breaches = tuple(chain.verify(work.connection, schema.vouched_tables(work.connection)))
                    if breaches:
                        raise DamagedRegistry(made.place, f"{breaches[0].where}: {breaches[0].what}")
                    schema.migrate(work.connection)
                    work.note("migrated", "registry", "schema", {"from": found, "to": schema.VERSIONS[-1]})
            return found, schema.VERSIONS[-1]
        finally:
            made.close()

    def close(self) -> None:
        """Close its connections."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # -------------------------------------------------------------------------------------------- for other rooms
    @property
    def engine(self) -> Engine:
        """For rooms with tables of their own. A transaction begun on it may write; on SQLite it takes its turn at once."""
        return self._engine

    @property
    def place(self) -> str:
        """Path or address for people, without a password."""
        return engine.place_of(self._url)

    @property
    def file(self) -> Path | None:
        """Of a SQLite registry; None for a server."""
        return engine.database_file(self._url)

    def reading(self) -> AbstractContextManager[Connection]:
        """A connection that sees one moment. Raises RegistryError."""
        return engine.reading(self._engine)

    def working(self, by: str, at: datetime) -> AbstractContextManager[unit.Unit]:
        """A step of work that is sealed into the audit. Raises RegistryError, Contradiction."""
        return unit.working(self._engine, by, at)

    # -------------------------------------------------------------------------------------------- recording
    def record_reading(
        self,
        view: Reading,
        present: PresentPump | None = None,
        log: Sequence[LogEntry] = (),
        dates: Forecast | Callable[[Learned], Forecast | None] | None = None,
        *,
        by: str,
        decisions_here: Sequence[Intent] = (),
        programmer_id: bytes = b"",
        because: str = "",
        library_sha256: str = "",
        log_since: int | None = None,
    ) -> None:
        """All of one contact with a pump: commands decided on this workstation (with the therapies and refills they brought), the
        reading, the fills of its log (oldest first), the dates, or what makes them of what is known after these fills. For every connect,
        program and refill.

        `decisions_here`: `Pump.decisions()`, `programmer_id` the workstation's; `because`: what changed the therapy since the last dates,
        empty for the newest of `decisions_here` that was not known (a change on the pump is noticed all the same). `log_since`: the number
        from which on `log` leaves no entry out, 0 for the whole log; the next contact then reads on from its end (`log_mark`). A reading
        that is kept already is not kept twice. Raises RegistryError, Contradiction; then nothing is kept.
        """
        with self.working(by, view.host_now) as work:
            if decisions_here:
                pump_id = subjects.ensure_pump(work, view.info)
                _, what = decisions.record_decisions(work, pump_id, view.info.profile, programmer_id, decisions_here)
                because = because or what
            recording.record_reading(work, view, present, log, dates, because, library_sha256, log_since=log_since)

    def record_commands(self, info: Info, programmer_id: bytes, intents: Sequence[Intent], *, at: datetime, by: str) -> int:
        """Commands of a workstation alone, without a reading; how many were new or had changed."""
        with self.working(by, at) as work:
            return decisions.record_decisions(work, subjects.ensure_pump(work, info), info.profile, programmer_id, intents)[0]

    def record_refill(self, serial: str, refill: Refill, *, at: datetime, by: str, decision: str = "", lot: str | None = None) -> int:
        """A refill that no command of this program told of: made with another programmer, taken from papers. Its row's id.

        Those made here come with `record_reading`. Raises UnknownSubject, Contradiction.
        """
        found = refill.discrepancy
        fill = fills.Fill(
            at=at,
            source="entry",
            expected_nL=refill.expected_nL,
            aspirated_nL=refill.aspirated_nL,
            filled_nL=refill.filled_nL,
            after_nL=refill.volume_after_nL,
            counted_nL=refill.counted_nL,
            discrepancy_nL=found.difference_nL,
            tolerance_nL=found.tolerance_nL,
            suspicious=found.suspicious,
            decision=decision,
            lot=lot,
        )
        with self.working(by, at) as work:
            row = subjects.pump_row(work.connection, serial)
            return fills.insert_fill(work, row["id"], row["profile"], fill)

    def settle_discrepancy(self, refill_id: int, decision: str, *, at: datetime, by: str) -> None:
        """What was found out about a suspicious difference. Raises UnknownSubject, Contradiction."""
        with self.working(by, at) as work:
            fills.settle_discrepancy(work, refill_id, decision)

    def record_observation(
        self,
        patient_id: str,
        scale: str,
        grade: str = "",
        *,
        site: str = "",
        text: str = "",
        at: datetime,
        by: str,
        seen_at: datetime | None = None,
    ) -> int:
        """What was seen of a patient (`scales.load_scales`); its row's id. Raises UnknownSubject, ObservationError."""
        with self.working(by, at) as work:
            return scales.record_observation(work, patient_id, scale, grade, site, text, at if seen_at is None else seen_at)

    def assign(self, serial: str, patient_id: str, *, at: datetime, by: str, zone: str | None = None) -> None:
        """This patient has that pump from now on; a retired one is in use again. Raises UnknownSubject, Contradiction."""
        with self.working(by, at) as work:
            subjects.ensure_patient(work, patient_id, zone)
            subjects.assign(work, subjects.in_use(work, serial), patient_id, at)

    def set_zone(self, patient_id: str, zone: str, *, at: datetime, by: str) -> None:
        """Where the patient lives or travels (IANA). Raises UnknownSubject, Contradiction."""
        with self.working(by, at) as work:
            subjects.set_zone(work, patient_id, zone)

    def retire(self, serial: str, because: str, *, at: datetime, by: str) -> None:
        """Nothing watches this pump any more, until it is read again. Raises UnknownSubject, Contradiction."""
        with self.working(by, at) as work:
            subjects.retire(work, serial, because)

    def book(self, serial: str, visit_on: date, *, at: datetime, by: str) -> None:
        """A visit. Raises UnknownSubject."""
        with self.working(by, at) as work:
            subjects.book(work, serial, visit_on)

    def cancel_visit(self, serial: str, visit_on: date, because: str, *, at: datetime, by: str) -> None:
        """Raises UnknownSubject, Contradiction where there is none."""
        with self.working(by, at) as work:
            subjects.cancel_visits(work, serial, visit_on, because)

    def set_contact(self, contact: ContactRow, *, at: datetime, by: str) -> None:
        """Add a contact, or change it. Contradiction for one that is not complete."""
        with self.working(by, at) as work:
            subjects.set_contact(work, contact)

    def remove_contact(self, key: str, *, at: datetime, by: str) -> None:
        """Raises UnknownSubject."""
        with self.working(by, at) as work:
            subjects.remove_contact(work, key)

    # -------------------------------------------------------------------------------------------- asking
    def watched(self) -> Iterator[PumpRow]:
        """The newest of everything of every pump in use, and of retired ones that were read since; streamed, as at one moment.

        Raises RegistryError.
        """
        with self.reading() as connection:
            yield from queries.watched(connection)

    def pump_history(self, serial: str) -> PumpHistory:
        """Everything kept of one pump. Raises UnknownSubject."""
        with self.reading() as connection:
            return queries.history(connection, serial)

    def learned(self, serial: str) -> Learned:
        """What its refills taught of a pump's flow, when it was implanted, and in whom. Raises UnknownSubject."""
        with self.reading() as connection:
            return queries.learned(connection, subjects.pump_row(connection, serial)["id"])

    def log_mark(self, serial: str, memory_id: bytes) -> LogMark | None:
        """How far this pump's log is known; None where nothing is."""
        with self.reading() as connection:
            return logmark.newest_mark(connection, serial, memory_id)

    def set_aside(self) -> tuple[SetAside, ...]:
        """Readings that are kept and not gone by, because a workstation's clock was wrong when they were taken."""
        with self.reading() as connection:
            return queries.set_aside(connection)

    def refill_history(self, serial: str) -> tuple[RefillRow, ...]:
        """Oldest first. Raises UnknownSubject."""
        with self.reading() as connection:
            return queries.refill_rows(connection, serial)

    def observations(self, patient_id: str) -> tuple[ObservationRow, ...]:
        """Oldest first. Raises UnknownSubject."""
        with self.reading() as connection:
            return queries.observation_rows(connection, patient_id)

    def pumps(self, *, retired: bool = False) -> tuple[PumpSummary, ...]:
        """By serial; `retired`: those no longer in use as well."""
        with self.reading() as connection:
            return queries.pump_summaries(connection, retired=retired)

    def patients(self) -> tuple[PatientRow, ...]:
        """By id."""
        with self.reading() as connection:
            return queries.patient_rows(connection)

    def contacts(self) -> tuple[ContactRow, ...]:
        """In order of escalation."""
        with self.reading() as connection:
            return queries.contact_rows(connection)

    # -------------------------------------------------------------------------------------------- trust
    def head(self) -> chain.Head:
        """The newest link of the audit; note its digest where this registry cannot be written from."""
        with self.reading() as connection:
            return chain.head_of(connection)

    def verify(self, expected_head: str | None = None) -> tuple[chain.Breach, ...]:
        """Everything that cannot be right; empty for a sound registry. `expected_head`: a digest noted earlier. Raises RegistryError."""
        try:
            with self.reading() as connection:
                found = [chain.Breach(self.place, problem) for problem in engine.file_problems(connection)]
                return (*found, *chain.verify(connection, schema.vouched_tables(connection), expected_head))
        except DamagedRegistry as error:
            return (chain.Breach(self.place, error.problem),)

    def identity(self) -> tuple[str, datetime]:
        """The registry's random id, and when it was made."""
        with self.reading() as connection:
            row = connection.execute(sa.select(identity)).one_or_none()
        if row is None:
            raise DamagedRegistry(self.place, "it does not tell which registry it is")
        return str(row.id), row.created_at
