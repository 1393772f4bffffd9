"""The drug library a command judges by (`itbpump.workflow.libraries`), and the option that names the clinic's folder.

A clinic's folder is named by `--clinic-library`, by ITBPUMP_CLINIC_LIBRARY, or is `drugs` in the platform's configuration folder. A file
that cannot be read or that is looser ends the command: nothing is judged by half a policy.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary

__all__ = ["ClinicLibrary", "indication_of", "library_for"]


ClinicLibrary = Annotated[
    Path | None,
    typer.Option(
        "--clinic-library",
        envvar="ITBPUMP_CLINIC_LIBRARY",
        metavar="DIR",
        help="Folder with the clinic's own tighter limits, DRUG.toml. Default: drugs in the configuration folder, if it is there.",
    ),
]


def library_for(drug: str, folder: Path | None) -> DrugLibrary:
    """As `workflow.libraries.library_for`; CommandError (2) naming the option for a folder that is not there."""
    from itbpump.workflow import libraries

    try:
        return libraries.library_for(drug, folder)
    except libraries.NoSuchFolder as error:
        raise CommandError(f"--clinic-library {error}", USAGE) from error


def indication_of(library: DrugLibrary, wanted: str | None) -> str | None:
    """An indication given on the command line. CommandError (2) for one the library has no limits for."""
    if wanted is not None and wanted not in library.indications:
        raise CommandError(f"--indication {wanted!r}: for {library.name} write {' or '.join(library.indications)}", USAGE)
    return wanted
