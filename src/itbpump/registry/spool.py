"""Contacts that could not be put into their registry, as files of this computer until they can be: one each, readable by the owner alone.

A file is written whole or not at all, and is taken away only once the registry has it; a program killed in between hands it in again, and
the registry keeps a reading once. Two programs may work on one folder. Not here: when they are handed in.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from itbpump.errors import ItbPumpError
from itbpump.hoststate import default_path
from itbpump.registry.contact import Contact

__all__ = ["Kept", "Spool", "SpoolError", "default_folder"]

SCHEMA = "itbpump.contact/1"
_ENDING, _DAMAGED = ".json", ".damaged"


class SpoolError(ItbPumpError):
    """A contact cannot be kept on this computer; `place` is the folder."""

    def __init__(self, place: Path, problem: str) -> None:
        super().__init__(f"{place}: {problem}", action="make space, and see that the folder can be written")
        self.place = place


class _Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    schema: str
    registry: str
    contact: Contact


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of a contact; `contact` is None for one that cannot be read."""

    path: Path
    contact: Contact | None

    def drop(self) -> None:
        """The registry has it. Another program may have been faster."""
        self.path.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Keep a file that cannot be read, under a name that is not looked at again; that name. Raises SpoolError."""
        aside = self.path.with_suffix(_DAMAGED)
        try:
            self.path.replace(aside)
        except OSError as error:
            raise SpoolError(self.path.parent, f"{self.path.name} cannot be renamed ({error.strerror})") from error
        return aside


def default_folder() -> Path:
    """`to-register` beside the host state."""
    return default_path().parent / "to-register"


class Spool:
    """The contacts that wait in one folder, which need not be there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def keep(self, registry: str, contact: Contact) -> Path:
        """Write it for this registry (its place, without a password); the same contact is kept once. Raises SpoolError."""
        content = msgspec.json.encode(_Form(SCHEMA, registry, contact))
        name = f"{contact.host_now.timestamp():017.6f}-{hashlib.sha256(content).hexdigest()[:16]}{_ENDING}"
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle, draft = tempfile.mkstemp(dir=self.folder, prefix=".new-")
            try:
                with os.fdopen(handle, "wb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
                Path(draft).replace(self.folder / name)
            except BaseException:
                with suppress(OSError):
                    Path(draft).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise SpoolError(self.folder, error.strerror or str(error)) from error
        return self.folder / name

    def waiting(self, registry: str) -> Iterator[Kept]:
        """Those of one registry, the oldest first; and files of which nobody can tell. Raises SpoolError."""
        try:
            paths = sorted(path for path in self.folder.glob(f"*{_ENDING}") if not path.name.startswith("."))
            found = [(path, _content(path)) for path in paths]
        except OSError as error:
            raise SpoolError(self.folder, error.strerror or str(error)) from error
        for path, content in found:
            form = None if content is None else _read(content)
            if form is not None and form.registry == registry:
                yield Kept(path, form.contact)
            elif form is None and content is not None:
                yield Kept(path, None)


def _content(path: Path) -> bytes | None:
    """None where another program was faster with it."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None


def _read(content: bytes) -> _Form | None:
    try:
        form = msgspec.json.decode(content, type=_Form)
    except msgspec.DecodeError:
        return None
    return form if form.schema == SCHEMA else None
