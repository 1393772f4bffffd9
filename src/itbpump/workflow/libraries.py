"""The drug library everything is judged by: the one shipped, tightened by the clinic's own file where the clinic has one.

A clinic's folder holds `<drug>.toml` files. It is named by a person or a setting, or is `drugs` in the platform's configuration folder. A
file that cannot be read or that is looser ends the work: nothing is judged by half a policy (SR-06).
Not here: what a file may say (`itbpump.drugs.overlay`), who names the folder (`settings`, the command line).
"""

from __future__ import annotations

from pathlib import Path

from itbpump.drugs import DrugLibrary, library_names, load_library
from itbpump.errors import InputError, LibraryError

__all__ = ["NoSuchFolder", "default_folder", "library_for"]


class NoSuchFolder(InputError):
    """The clinic's folder that was named is not there; `folder` is its path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        super().__init__(f"{folder}: there is no such folder; nothing was sent")


def default_folder() -> Path:
    """Where a clinic's files are looked for when nobody names a folder."""
    import platformdirs  # noqa: PLC0415  (25 ms, only when the default is asked for)

    return Path(platformdirs.user_config_dir("itbpump", appauthor=False)) / "drugs"


def library_for(drug: str, folder: Path | None) -> DrugLibrary:
    """The library of a drug with the clinic's file over it; `folder` None is the default one, which need not be there.

    Raises NoSuchFolder for a folder that was named and is not there; InputError for a folder or file that cannot be read, and for a file
    of no known drug; LibraryError for an unknown drug and for a file that is damaged, of another drug, or looser.
    """
    content = _clinic_file(drug, folder)
    if content is None:
        return load_library(drug)
    path, clinic = content
    try:
        return load_library(drug, clinic)
    except LibraryError as error:
        raise LibraryError(f"{path}: {error}{'; ' + error.action if error.action else ''}; nothing was sent") from error


def _clinic_file(drug: str, folder: Path | None) -> tuple[Path, bytes] | None:
    """The clinic's file for a drug; None where there is none."""
    where = default_folder() if folder is None else folder
    if not where.is_dir():
        if folder is None:
            return None
        raise NoSuchFolder(where)
    try:
        files = {path.stem: path for path in sorted(where.iterdir()) if path.suffix == ".toml"}
        strange = [path.name for name, path in files.items() if name not in library_names()]
        if strange:
            known = ", ".join(f"{name}.toml" for name in library_names())
            raise InputError(f"{where}: {', '.join(strange)} is for no drug known here ({known}); nothing was sent")
        path = files.get(drug)
        return None if path is None else (path, path.read_bytes())
    except OSError as error:
        raise InputError(f"{error.filename or where}: cannot be read ({error.strerror or error}); nothing was sent") from error
