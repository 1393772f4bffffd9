"""`itbpump registry …`: make it, look at it, tables in and out, backups, proof that nothing was changed, and what was seen of a patient.

The registry is named by `--registry`, by ITBPUMP_REGISTRY, or is the file in the platform's data folder. Passphrases come from a file, the
environment (ITBPUMP_PASSPHRASE) or the terminal, never from the command line, where other users see them. Not here: alerts, recording.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import FAILED, USAGE, CommandError, GuardedCommand, Output
from itbpump.cli.registrydesk import By, Json, Where, add_to, host_now, opened_registry
from itbpump.wording.layout import rows

if TYPE_CHECKING:
    from itbpump.registry.chain import Breach
    from itbpump.registry.importing import Plan

__all__ = ["app"]

app = typer.Typer(
    help="The clinic's registry: pumps, patients by opaque id, readings, refills, observations.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
PASSPHRASE = "ITBPUMP_PASSPHRASE"

PassphraseFile = Annotated[Path | None, typer.Option("--passphrase-file", metavar="FILE", help="Its first line is the passphrase.")]


# ------------------------------------------------------------------------------------------------ make, look, migrate
@app.command(cls=GuardedCommand, short_help="Make a registry.")
def init(where: Where = None, by: By = "itbpump", as_json: Json = False) -> None:
    """Make an empty registry. Nothing that is there is touched."""
    from itbpump.registry.schema import VERSIONS
    from itbpump.registry.store import Registry

    out = Output(as_json)
    with Registry.create(where, at=host_now(), by=by) as made:
        out.data({"registry": made.place, "id": made.identity()[0], "schema": VERSIONS[-1]})
        out.say(f"Made: {made.place}", "Commands record there when ITBPUMP_REGISTRY, or --registry, names it.")


@app.command(cls=GuardedCommand, short_help="Show what is in it.")
def status(where: Where = None, as_json: Json = False) -> None:
    """Show what the registry holds, and the digest of its newest audit link: note it elsewhere, and give it to verify."""
    from itbpump.forecast import day_text
    from itbpump.registry import engine
    from itbpump.registry.schema import VERSIONS

    out = Output(as_json)
    with opened_registry(where) as registry:
        key, made_at = registry.identity()
        pumps, patients, head = registry.pumps(retired=True), registry.patients(), registry.head()
        aside = [{"pump": one.serial, "taken_at": one.taken_at.isoformat(), "by": one.by} for one in registry.set_aside()]
        file = registry.file
    in_use = [pump for pump in pumps if not pump.retired_because]
    undated = [pump.serial for pump in in_use if pump.refill_by is None]
    data = {"registry": registry.place, "id": key, "schema": VERSIONS[-1], "made_at": made_at.isoformat()}
    counts = {
        "pumps": len(in_use),
        "retired": len(pumps) - len(in_use),
        "patients": len(patients),
        "without_date": undated,
        "set_aside": aside,
    }
    out.data({**data, **counts, "audit": {"links": head.seq, "head": head.digest}})
    out.say(
        *rows(
            [
                ("registry", registry.place),
                ("made", day_text(made_at.astimezone())),
                ("pumps", f"{len(in_use):,} in use, {len(pumps) - len(in_use):,} retired"),
                ("patients", f"{len(patients):,}"),
                ("without a refill date", f"{len(undated):,}: {', '.join(undated[:5])}" if undated else "none"),
                ("audit", f"{head.seq:,} links, head {head.digest}"),
            ]
        )
    )
    if aside:
        shown = "; ".join(f"{one['pump']}, {one['taken_at'][:16]} by {one['by']}" for one in aside[:5])
        out.note(
            f"ATTENTION: {len(aside):,} readings were taken by a wrong clock and are set aside ({shown}); "
            "see that the clocks of these workstations are right"
        )
    if file is not None and not engine.private(file):
        out.note(f"ATTENTION: others can read {file}; give it to its owner alone: chmod 600")


@app.command(cls=GuardedCommand, short_help="Bring it to this version.")
def migrate(where: Where = None, by: By = "itbpump", as_json: Json = False) -> None:
    """Bring a registry of an earlier version to this one. Make a backup with the version that works with it first."""
    from itbpump.registry.store import Registry

    out = Output(as_json)
    before, after = Registry.migrate(where, at=host_now(), by=by)
    out.data({"from": before, "to": after})
    out.say(
        "It has the present schema already."
        if before == after
        else f"Schema {before} is now {after}; every other workstation needs it too."
    )


@app.command(cls=GuardedCommand, short_help="Prove that nothing was changed past the program.")
def verify(
    where: Where = None,
    head: Annotated[str | None, typer.Option(metavar="DIGEST", help="A head noted earlier: must still be in the chain.")] = None,
    as_json: Json = False,
) -> None:
    """Check the file, every link of the audit, and every row against it. Exit code 1 when something cannot be right."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        breaches, now = registry.verify(head), registry.head()
    _require_sound(breaches, "keep it for the inquiry")
    out.data({"breaches": [], "links": now.seq, "head": now.digest})
    out.say(f"Sound: {now.seq:,} links, head {now.digest}.")


def _require_sound(breaches: tuple[Breach, ...], then: str) -> None:
    found = [{"where": breach.where, "what": breach.what} for breach in breaches]
    if breaches:
        listed = "".join(f"\n  {breach.where}: {breach.what}" for breach in breaches[:20])
        more = f"\n  and {len(breaches) - 20:,} more" if len(breaches) > 20 else ""
        raise CommandError(f"the registry is not as it was recorded:{listed}{more}\n{then}", FAILED, {"breaches": found})


# ------------------------------------------------------------------------------------------------ lists
@app.command(cls=GuardedCommand, short_help="List the pumps.")
def pumps(
    where: Where = None,
    retired: Annotated[bool, typer.Option("--all", help="Those no longer in use as well.")] = False,
    as_json: Json = False,
) -> None:
    """List the pumps with patient, last reading and refill date."""
    from itbpump.forecast import day_text
    from itbpump.wording.layout import columns

    out = Output(as_json)
    with opened_registry(where) as registry:
        found = registry.pumps(retired=retired)
    out.data({"pumps": [{**_public(pump), "last_seen": _iso(pump.last_seen), "refill_by": _iso(pump.refill_by)} for pump in found]})
    widths = (18, 8, 14, 12, 20)
    lines = [columns(("pump", "model", "patient", "seen", "refill by"), widths)] if found else [["No pump is registered."]]
    for pump in found:
        seen = day_text(pump.last_seen.astimezone()) if pump.last_seen is not None else "never"
        last = f"retired: {pump.retired_because}" if pump.retired_because else day_text(pump.refill_by)
        name = f"{pump.serial}{' SIM' if pump.simulated else ''}"
        lines.append(columns((name, pump.profile, pump.patient_id or "nobody", seen, last), widths))
    out.say(*(line for block in lines for line in block))


@app.command(cls=GuardedCommand, short_help="List the patients.")
def patients(
    where: Where = None,
    patient: Annotated[str | None, typer.Argument(metavar="ID", help="One patient: what was seen of them.")] = None,
    as_json: Json = False,
) -> None:
    """List the patients by opaque id, or what was seen of one of them."""
    from itbpump.forecast import day_text

    out = Output(as_json)
    with opened_registry(where) as registry:
        if patient is None:
            found = registry.patients()
            out.data({"patients": [{"id": row.id, "zone": row.zone, "pumps": list(row.pumps)} for row in found]})
            out.say(
                *(rows([(row.id, f"{', '.join(row.pumps) or 'no pump'}; {row.zone}") for row in found]) or ["No patient is registered."])
            )
            return
        seen = registry.observations(patient)
    out.data({"patient": patient, "observations": [{**_public(row), "at": _iso(row.at)} for row in seen]})
    words = [(day_text(row.at.astimezone()), " ".join(part for part in (row.scale, row.site, row.grade, row.text) if part)) for row in seen]
    out.say(*(rows(words) or [f"Nothing is recorded of {patient}."]))


def _public(row: object) -> dict[str, object]:
    return {name: getattr(row, name) for name in row.__slots__}  # type: ignore[attr-defined]


def _iso(at: datetime | date | None) -> str | None:
    return None if at is None else at.isoformat()


@app.command(cls=GuardedCommand, short_help="Note what was seen of a patient.")
def observe(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Opaque id.")],
    scale: Annotated[
        str, typer.Option(metavar="SCALE", help="ashworth, modified-ashworth, penn-frequency, penn-severity, side-effect, note.")
    ],
    by: By,
    *,
    grade: Annotated[str, typer.Option(metavar="GRADE", help="As the scale has it, such as 1+; of a side effect its code.")] = "",
    site: Annotated[str, typer.Option(metavar="SITE", help='Side and group, such as "left elbow-flexors".')] = "",
    text: Annotated[str, typer.Option(metavar="TEXT", help="In words, never who.")] = "",
    at: Annotated[str | None, typer.Option(metavar="TIME", help="When, such as 2026-11-22T10:00:00-05:00. Default: now.")] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Record an observation: spasticity, spasms, a side effect."""
    out, now = Output(as_json), host_now()
    seen_at = now if at is None else _time(at)
    if seen_at > now:
        raise CommandError("--at lies ahead; nothing was recorded", USAGE)
    with opened_registry(where) as registry:
        key = registry.record_observation(patient, scale, grade, site=site, text=text, at=now, by=by, seen_at=seen_at)
    out.data({"observation": key, "patient": patient, "scale": scale, "grade": grade, "site": site, "at": seen_at.isoformat()})
    out.say(f"Recorded of {patient}: {' '.join(part for part in (scale, site, grade) if part)}.")


def _time(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--at {text!r} is no time; write it as 2026-11-22T10:00:00-05:00", USAGE) from error
    if found.utcoffset() is None:
        raise CommandError(f"--at {text!r} has no offset from UTC; add it, such as -05:00", USAGE)
    return found


# ------------------------------------------------------------------------------------------------ tables in and out
@app.command("import", cls=GuardedCommand, short_help="Bring a table in.")
def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="The table; its first line names the columns.")],
    by: By,
    *,
    kind: Annotated[str, typer.Option(metavar="KIND", help="pumps, refills or observations.")] = "pumps",
    mapping: Annotated[Path | None, typer.Option(metavar="FILE.toml", help="How its columns are meant.")] = None,
    column: Annotated[list[str] | None, typer.Option("--map", metavar="TITLE=FIELD", help="A column. Repeatable.")] = None,
    unit: Annotated[
        list[str] | None, typer.Option(metavar="FIELD=UNIT", help="Unit of bare numbers, such as filled=mL. Repeatable.")
    ] = None,
    ignore: Annotated[list[str] | None, typer.Option(metavar="TITLE", help="Leave this column out. Repeatable.")] = None,
    separator: Annotated[str | None, typer.Option(metavar="NAME", help="comma, semicolon, tab or bar.")] = None,
    encoding: Annotated[str | None, typer.Option(metavar="NAME", help="Such as cp1252. Default: UTF-8.")] = None,
    date_form: Annotated[str | None, typer.Option(metavar="FORM", help="Such as %d.%m.%Y. Default: %Y-%m-%d.")] = None,
    skip_known: Annotated[bool, typer.Option("--skip-known", help="Leave out what is registered already.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but keep nothing.")] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Bring in a table saved as CSV, all of it or nothing. A column that looks like a name is refused."""
    from itbpump.registry.taking_in import take_in

    out = Output(as_json)
    plan = _plan(mapping, column, unit, ignore, separator, encoding, date_form)
    with opened_registry(where) as registry:
        done = take_in(registry, file, kind, plan, at=host_now(), by=by, dry_run=dry_run, skip_known=skip_known)
    out.data({"rows": done.rows, "known": list(done.known), "read_as": list(done.read_as), "dry_run": dry_run})
    out.say("Read as:", *(f"  {line}" for line in done.read_as))
    left = f"; left out as known: {len(done.known):,}" if done.known else ""
    out.say(f"{'Would import' if dry_run else 'Imported'}: {done.rows:,} {kind}{left}.{' Nothing was kept.' if dry_run else ''}")


def _plan(
    mapping: Path | None,
    column: list[str] | None,
    unit: list[str] | None,
    ignore: list[str] | None,
    separator: str | None,
    encoding: str | None,
    date_form: str | None,
) -> Plan:
    """The mapping file, with what the command line says over it."""
    from itbpump.registry.importing import SEPARATORS, Plan, read_mapping

    base = read_mapping(mapping) if mapping is not None else Plan()
    names = {name: sign for sign, name in SEPARATORS.items()}
    if separator is not None and separator not in names:
        raise CommandError(f"--separator {separator!r}: write {', '.join(names)}", USAGE)
    return Plan(
        columns={**base.columns, **_pairs("--map", column)},
        units={**base.units, **_pairs("--unit", unit)},
        ignore=(*base.ignore, *(ignore or ())),
        separator=names[separator] if separator is not None else names.get(base.separator or "", base.separator),
        encoding=encoding or base.encoding,
        date_form=date_form or base.date_form,
    )


def _pairs(option: str, given: list[str] | None) -> dict[str, str]:
    found = {}
    for text in given or ():
        left, sign, right = text.rpartition("=")
        if not (sign and left and right):
            raise CommandError(f"{option} {text!r}: write both sides of the equals sign", USAGE)
        found[left] = right
    return found


@app.command(cls=GuardedCommand, short_help="Take a table out.")
def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="Such as refills, observations, audit.")],
    form: Annotated[str, typer.Option("--format", metavar="FORM", help="csv or json.")] = "csv",
    to: Annotated[Path | None, typer.Option("--out", metavar="FILE", help="Write there, not to the screen.")] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write a table as CSV, for spreadsheets, or as JSON, complete. With --json what was done is told, and the table needs --out."""
    from itbpump.registry.exporting import EXPORTABLE, as_csv
    from itbpump.registry.exporting import as_json as table_as_json

    out = Output(as_json)
    forms = {"csv": as_csv, "json": table_as_json}
    if table not in EXPORTABLE or form not in forms:
        raise CommandError(f"{table!r} as {form!r}: write one of {', '.join(EXPORTABLE)}, as csv or json", USAGE)
    with opened_registry(where) as registry, registry.reading() as connection:
        content = forms[form](connection, table)
    if to is None:
        if as_json and form != "json":
            raise CommandError("--json and a table of CSV cannot share the screen; add --out FILE, or --format json", USAGE)
        sys.stdout.write(content)
        return
    _write_new(to, content)
    out.data({"table": table, "file": str(to), "format": form})
    out.say(f"Written: {to}")


def _write_new(file: Path, content: str) -> None:
    """Readable by its owner alone, and never over another file."""
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8", newline="") as stream:
            stream.write(content)
    except FileExistsError as error:
        raise CommandError(f"{file} is there already; name another", USAGE) from error
    except OSError as error:
        raise CommandError(f"{file} cannot be written ({error.strerror})", FAILED) from error


# ------------------------------------------------------------------------------------------------ backup
@app.command(cls=GuardedCommand, short_help="Back it up, sealed.")
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A new file.")],
    passphrase_file: PassphraseFile = None,
    plain: Annotated[bool, typer.Option("--plain", help="Not sealed: whoever has the file reads it.")] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write everything to a new file, sealed by a passphrase. It may run while others work. Exit code 1 when something cannot be right:
    the file is there all the same, for the inquiry."""
    from itbpump.registry.backup import back_up

    out = Output(as_json)
    passphrase = None if plain else _passphrase(passphrase_file, twice=True)
    with opened_registry(where) as registry:
        counts, head = back_up(registry, file, at=host_now(), passphrase=passphrase), registry.head()
        breaches = registry.verify()
    _require_sound(breaches, f"written all the same: {file}; it cannot be restored, so keep the backups before it")
    out.data({"file": str(file), "sealed": not plain, "rows": counts, "head": head.digest})
    out.say(
        f"Written: {file}, {sum(counts.values()):,} rows, {'NOT sealed' if plain else 'sealed'}.",
        "Try it now and then: restore it into a new registry.",
    )


@app.command(cls=GuardedCommand, short_help="Put a backup into a new registry.")
def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The backup.")],
    by: By,
    passphrase_file: PassphraseFile = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Put a backup into a registry that `registry init` has just made. All of it, with its audit found sound, or nothing."""
    from itbpump.registry.backup import is_sealed, restore

    out = Output(as_json)
    passphrase = _passphrase(passphrase_file, twice=False) if is_sealed(file) else None
    with opened_registry(where) as registry:
        counts = restore(registry, file, at=host_now(), by=by, passphrase=passphrase)
    out.data({"registry": registry.place, "rows": counts})
    out.say(f"Restored into {registry.place}: {sum(counts.values()):,} rows; the audit is sound.")


def _passphrase(file: Path | None, *, twice: bool) -> str:
    """From the file, the environment, or the terminal. CommandError (2) for none, and for one of under 12 characters when sealing."""
    found = os.environ.get(PASSPHRASE, "")
    if file is not None:
        try:
            found = file.read_text("utf-8").split("\n")[0]
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"--passphrase-file {file} cannot be read", USAGE) from error
    if not found:
        if not sys.stdin.isatty():
            raise CommandError(f"a passphrase is needed: --passphrase-file FILE, or {PASSPHRASE}", USAGE)
        found = str(typer.prompt("Passphrase", hide_input=True, confirmation_prompt=twice, err=True))
    if twice and len(found) < 12:
        raise CommandError("the passphrase has under 12 characters; take four words or more", USAGE)
    return found


add_to(app)
