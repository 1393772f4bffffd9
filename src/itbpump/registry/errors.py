"""What can go wrong with the clinic's registry. No text shows a password of a database address.

::

    ItbPumpError
    ├── InputError
    │   ├── ImportRefused         imports.py: a file that cannot be imported; carries every problem with line and column
    │   └── ObservationError      scales.py: a scale, site, grade or side effect that the tables do not have
    ├── SpoolError                spool.py: a contact that cannot be kept on this computer
    ├── UnknownSubject            (here) no such pump, patient, refill or contact
    ├── Contradiction             (here) what is to be recorded contradicts what is there
    ├── BackupError               (here) a backup that cannot be read: cut short, changed, another passphrase
    └── RegistryError             (here)
        ├── CannotOpen            no registry there, no right to it, no server, or a database of another program
        ├── OlderRegistry         an earlier schema: migrate it
        ├── NewerRegistry         a later schema: update the program
        ├── DamagedRegistry       its file or its audit cannot be right
        ├── RegistryLocked        another writer holds it longer than was waited
        ├── NotWritten            disk full, read-only, the server refused or went away: nothing of the step is kept
        └── NotEmpty              a backup goes into an empty registry only
"""

from __future__ import annotations

from itbpump.errors import ItbPumpError

__all__ = [
    "BackupError",
    "CannotOpen",
    "Contradiction",
    "DamagedRegistry",
    "NewerRegistry",
    "NotEmpty",
    "NotWritten",
    "OlderRegistry",
    "RegistryError",
    "RegistryLocked",
    "UnknownSubject",
]


class RegistryError(ItbPumpError):
    """Root of this room. `place` names the registry or file (never with a password), `problem` what is wrong."""

    def __init__(self, place: str, problem: str, action: str) -> None:
        super().__init__(f"registry {place}: {problem}; {action}", action=action)
        self.place, self.problem = place, problem


class CannotOpen(RegistryError):
    """There is no registry at that place, or it cannot be reached."""


class OlderRegistry(RegistryError):
    """`found` is the schema it has, `wanted` the one this program works with."""

    def __init__(self, place: str, found: str, wanted: str) -> None:
        action = "make a backup, close it everywhere, and run: itbpump registry migrate"
        super().__init__(place, f"it has schema {found}, this program works with {wanted}", action)
        self.found, self.wanted = found, wanted


class NewerRegistry(RegistryError):
    """`found` is the schema it has, `wanted` the newest this program knows."""

    def __init__(self, place: str, found: str, wanted: str) -> None:
        super().__init__(place, f"it has schema {found}, this program knows none after {wanted}", "update itbpump on this computer")
        self.found, self.wanted = found, wanted


class DamagedRegistry(RegistryError):
    """It cannot be trusted as it is. Never repaired or replaced by itself."""

    def __init__(self, place: str, problem: str) -> None:
        super().__init__(place, problem, "keep it for the inquiry, and restore the last good backup: itbpump registry restore FILE")


class RegistryLocked(RegistryError):
    """Nothing was written."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "another program is writing to it and does not end", "nothing was written; try again, or end that program")


class NotWritten(RegistryError):
    """The step was undone as a whole."""

    def __init__(self, place: str, problem: str) -> None:
        action = "nothing of this step is kept; see that it can be reached, is not read-only and has space, then try again"
        super().__init__(place, problem, action)


class UnknownSubject(ItbPumpError, LookupError):
    """`kind` is pump, patient, refill or contact; `name` what was asked for."""

    def __init__(self, kind: str, name: str) -> None:
        action = f"see `itbpump registry {'patients' if kind == 'patient' else 'pumps'}`"
        super().__init__(f"the registry has no {kind} {name!r}; {action}", action=action)
        self.kind, self.name = kind, name


class Contradiction(ItbPumpError, ValueError):
    """Nothing was recorded."""

    def __init__(self, problem: str, action: str) -> None:
        super().__init__(f"{problem}; {action}", action=action)
        self.problem = problem


class NotEmpty(RegistryError):
    """`rows` is how many rows are there already."""

    def __init__(self, place: str, rows: int) -> None:
        super().__init__(
            place, f"it already holds {rows} rows", "restore into a new one: itbpump registry init --registry URL, then restore"
        )
        self.rows = rows


class BackupError(ItbPumpError):
    """`place` is the file. Nothing was restored."""

    def __init__(self, place: str, problem: str, action: str) -> None:
        super().__init__(f"backup {place}: {problem}; {action}", action=action)
        self.place, self.problem = place, problem
