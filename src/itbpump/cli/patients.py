"""Whom a dose is for, where the pump alone is asked: a pump knows no patient, and limits hang on indication and age."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError

if TYPE_CHECKING:
    from itbpump.therapy import Prescription

__all__ = ["Age", "Indication", "PatientFile", "read_patient"]


def _known_indications() -> list[str]:
    """For the shell: every indication of every library shipped."""
    from itbpump.drugs import library_names, load_library

    return sorted({indication for name in library_names() for indication in load_library(name).indications})


PatientFile = Annotated[
    Path | None, typer.Option("--rx", metavar="RX", help="The patient's prescription, read for the patient's data alone.")
]
Indication = Annotated[
    str | None,
    typer.Option(
        "--indication",
        metavar="NAME",
        help="The patient's, as the drug's library names it, such as spinal.",
        autocompletion=_known_indications,
    ),
]
Age = Annotated[int | None, typer.Option("--age", help="The patient's age in years.", min=0, max=130)]


def read_patient(rx: Path | None, indication: str | None, age: int | None) -> Prescription | None:
    """The prescription the patient's data come from; None without `rx`. CommandError (2) when they are given twice."""
    from itbpump.therapy import load_prescription

    if rx is None:
        return None
    if indication is not None or age is not None:
        raise CommandError("give --rx, or --indication and --age: the patient is told once", USAGE)
    return load_prescription(rx)
