"""FHIR export: a pump as it is now, or a visit that was kept, as a bundle on stdout or in a file.

Changes nothing in a pump, sends to no server. The bundle is checked before it is written: always by own rules, and by fhir.resources
where the extra `fhir` is installed.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.pumps import open_commands, opened
from itbpump.cli.registered import dates_of, recording

if TYPE_CHECKING:
    from itbpump.report import SessionRecord

__all__ = ["export_fhir", "write_bundle"]

RELEASES = ("R5", "R4B")


@recording
def export_fhir(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    patient: Annotated[str, typer.Option("--patient", metavar="ID", help="Whose pump it is: an opaque id, never a name.")],
    *,
    to: Annotated[Path | None, typer.Option("--to", metavar="FILE", help="Write there, never over another file. Default: stdout.")] = None,
    release: Annotated[str, typer.Option("--release", metavar="R5|R4B", help="Which FHIR.")] = "R5",
    user: Annotated[str, typer.Option("--user", metavar="ID", help="Who exports: an opaque id.")] = "",
    clinic_library: ClinicLibrary = None,
    as_json: Annotated[bool, typer.Option("--json", help="With --to: tell what was written as JSON on stdout.")] = False,
) -> None:
    """Write what a pump says of itself as a FHIR bundle: readings, therapy, doses, next refill. Changes nothing in it."""
    from itbpump.report.fhir.model import OPAQUE_ID

    for option, given in (("--patient", patient), ("--user", user or "none")):
        if OPAQUE_ID.fullmatch(given) is None:
            raise CommandError(f"{option} {given!r}: an id has 1 to 32 letters, digits, points, underlines and hyphens, no name", USAGE)
    write_bundle(Output(as_json), _read(url, patient, user, clinic_library), to=to, release=release)


def write_bundle(out: Output, record: SessionRecord, *, to: Path | None, release: str = "R5") -> None:
    """A record as a checked bundle, to a file or to stdout. Raises FhirError, CommandError (2) for a release or a file that cannot be."""
    from itbpump.report import fhir

    if release not in RELEASES:
        raise CommandError(f"--release {release!r}: write {' or '.join(RELEASES)}", USAGE)
    if to is None and out.as_json:
        raise CommandError("--json tells of a file: add --to FILE; without it stdout is the bundle itself", USAGE)
    bundle = fhir.bundle(record, release=release)
    checks = _checked(out, bundle, release)
    if record.dates is None or record.dates.refill_by is None:
        out.note(f"ATTENTION: the bundle has no refill task, as there is no date: {record.dates_note or 'the pump gives nothing'}")
    if to is None:
        typer.echo(fhir.text(bundle), nl=False)
        return
    try:
        with to.open("x", encoding="utf-8", newline="\n") as file:
            file.write(fhir.text(bundle))
    except OSError as error:
        raise CommandError(f"--to {to}: not written: {error.strerror or error}", USAGE) from error
    count = len(bundle["entry"])
    out.say(f"Written: {to}, FHIR {release}, {count:,} resources, checked by {' and '.join(checks)}.")
    out.data({"file": str(to), "release": release, "resources": count, "checked_by": checks})


def _checked(out: Output, bundle: dict[str, Any], release: str) -> list[str]:
    """What the bundle was checked by. Raises FhirInvalid."""
    from itbpump.report import fhir

    own, structure = "own rules", "fhir.resources"
    problems = fhir.check(bundle, release)
    if problems:
        raise fhir.FhirInvalid(problems)
    try:
        fhir.validated(bundle, release)
    except fhir.FhirExtraMissing as missing:
        out.note(f"{missing}; {missing.action}")
        return [own]
    return [own, structure]


def _read(url: str, patient: str, user: str, clinic_library: Path | None) -> SessionRecord:
    """A visit that only reads."""
    from itbpump.drugs import library_names
    from itbpump.forecast.model import ForecastError
    from itbpump.report import Visit
    from itbpump.version import installed_version
    from itbpump.wording.pumpview import read_view

    with opened(url) as line:
        view = read_view(line, open_commands(line))
        visit = Visit.opened(view, line.profile, list(line.log()), patient_id=patient, staff=[user] if user else [])
        library = library_for(view.status.drug, clinic_library) if view.status.drug in library_names() else None
        dates, problem = None, ""
        try:
            dates = dates_of(line, line.present(), library)
        except ForecastError as error:
            problem = str(error)
        return visit.closed(view, view.host_now, companion=installed_version(), library=library, dates=dates, dates_note=problem)
