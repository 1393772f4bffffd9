"""The drug library a command judges by: the one shipped, tightened by the clinic's own file where the clinic has one.

A clinic's folder holds `<drug>.toml` files. It is named by `--clinic-library`, by ITBPUMP_CLINIC_LIBRARY, or is `drugs` in the platform's
configuration folder. A file that cannot be read or that is looser ends the command: nothing is judged by half a policy.
Not here: what a file may say (`itbpump.drugs.overlay`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary

__all__ = ["ClinicLibrary", "default_folder", "indication_of", "library_for"]


ClinicLibrary = Annotated[
    Path | None,
    typer.Option(
        "--clinic-library",
        envvar="ITBPUMP_CLINIC_LIBRARY",
        metavar="DIR",
        help="Folder with the clinic's own tighter limits, DRUG.toml. Default: drugs in the configuration folder, if it is there.",
    ),
]


def default_folder() -> Path:
    """Where a clinic's files are looked for when nobody names a folder."""
    import platformdirs

    return Path(platformdirs.user_config_dir("itbpump", appauthor=False)) / "drugs"


def library_for(drug: str, folder: Path | None) -> DrugLibrary:
    """The library of a drug with the clinic's file over it. CommandError (2) for a folder or file that cannot be read, LibraryError (2)
    for an unknown drug and for a file that is damaged, of another drug, or looser."""
    from itbpump.drugs import load_library
    from itbpump.errors import LibraryError

    content = _clinic_file(drug, folder)
    if content is None:
        return load_library(drug)
    path, clinic = content
    try:
        return load_library(drug, clinic)
    except LibraryError as error:
        raise CommandError(f"{path}: {error}{'; ' + error.action if error.action else ''}; nothing was sent", USAGE) from error


def _clinic_file(drug: str, folder: Path | None) -> tuple[Path, bytes] | None:
    """The clinic's file for a drug; None where there is none."""
    from itbpump.drugs import library_names

    where = default_folder() if folder is None else folder
    if not where.is_dir():
        if folder is None:
            return None
        raise CommandError(f"--clinic-library {where}: there is no such folder; nothing was sent", USAGE)
    try:
        files = {path.stem: path for path in sorted(where.iterdir()) if path.suffix == ".toml"}
        strange = [path.name for name, path in files.items() if name not in library_names()]
        if strange:
            known = ", ".join(f"{name}.toml" for name in library_names())
            raise CommandError(f"{where}: {', '.join(strange)} is for no drug known here ({known}); nothing was sent", USAGE)
        path = files.get(drug)
        return None if path is None else (path, path.read_bytes())
    except OSError as error:
        raise CommandError(f"{error.filename or where}: cannot be read ({error.strerror or error}); nothing was sent", USAGE) from error


def indication_of(library: DrugLibrary, wanted: str | None) -> str | None:
    """An indication given on the command line. CommandError (2) for one the library has no limits for."""
    if wanted is not None and wanted not in library.indications:
        raise CommandError(f"--indication {wanted!r}: for {library.name} write {' or '.join(library.indications)}", USAGE)
    return wanted
