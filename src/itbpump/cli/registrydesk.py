"""`itbpump registry assign | retire | zone | book | cancel | refills | settle | contacts …`: what a clinic keeps beside the
pumps' words.

Each is one step in the registry, by a staff id. Not here: making, checking, backing up a registry, tables in and out (`registering`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, GuardedCommand, Output
from itbpump.wording.layout import row, rows

if TYPE_CHECKING:
    from itbpump.registry.model import RefillRow
    from itbpump.registry.store import Registry

__all__ = ["By", "Json", "Where", "add_to", "host_now", "opened_registry"]

Where = Annotated[
    str | None, typer.Option("--registry", envvar="ITBPUMP_REGISTRY", metavar="URL", help="Path, or postgresql+psycopg://HOST/DATABASE.")
]
By = Annotated[str, typer.Option("--by", envvar="ITBPUMP_USER", metavar="ID", help="Who does this: an opaque staff id.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The pump.")]
Because = Annotated[str, typer.Option(metavar="TEXT", help="Why; it is kept.")]
Day = Annotated[str, typer.Argument(metavar="DATE", help="Such as 2026-11-22.")]


@contextmanager
def opened_registry(where: str | None) -> Iterator[Registry]:
    """The registry that is named. Raises RegistryError."""
    from itbpump.registry.store import Registry

    with Registry.open(where) as registry:
        yield registry


def host_now() -> datetime:
    """This computer's time, with its offset."""
    return datetime.now().astimezone()


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no date; write it as 2026-11-22", USAGE) from error


# ------------------------------------------------------------------------------------------------ pumps and patients
def assign(
    serial: Serial,
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Opaque id, never a name.")],
    by: By,
    zone: Annotated[str | None, typer.Option(metavar="ZONE", help="Where the patient lives, such as Europe/Berlin.")] = None,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """From now on this patient has that pump; a patient who had it before has it no longer. A retired pump is in use again."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        registry.assign(serial, patient, at=host_now(), by=by, zone=zone)
    out.data({"pump": serial, "patient": patient, "zone": zone})
    out.say(f"Pump {serial} is {patient}'s.")


def retire(serial: Serial, by: By, because: Because, where: Where = None, as_json: Json = False) -> None:
    """A pump that is no longer in use: nothing watches it any more. One that is read after it raises an alert."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        registry.retire(serial, because, at=host_now(), by=by)
    out.data({"pump": serial, "retired": because})
    out.say(f"Pump {serial} is retired; no alert comes from it unless it is read again.")


def zone(
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Opaque id.")],
    name: Annotated[str, typer.Argument(metavar="ZONE", help="Such as Europe/Berlin.")],
    by: By,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Where a patient lives or travels: alerts count that place's days. No dose and no pump's day moves by it."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        registry.set_zone(patient, name, at=host_now(), by=by)
    out.data({"patient": patient, "zone": name})
    out.say(f"The days of {patient} are counted in {name}.")


# ------------------------------------------------------------------------------------------------ visits
def book(serial: Serial, day: Day, by: By, where: Where = None, as_json: Json = False) -> None:
    """Book a visit for a refill. A refill of that day or a later one keeps it; one that nobody keeps is told."""
    from itbpump.forecast import day_text

    out, visit = Output(as_json), _day(day)
    with opened_registry(where) as registry:
        registry.book(serial, visit, at=host_now(), by=by)
    out.data({"pump": serial, "visit_on": visit.isoformat()})
    out.say(f"Booked: pump {serial} on {day_text(visit)}.")


def cancel(serial: Serial, day: Day, by: By, because: Because, where: Where = None, as_json: Json = False) -> None:
    """Cancel the visit of that day."""
    from itbpump.forecast import day_text

    out, visit = Output(as_json), _day(day)
    with opened_registry(where) as registry:
        registry.cancel_visit(serial, visit, because, at=host_now(), by=by)
    out.data({"pump": serial, "cancelled": visit.isoformat(), "because": because})
    out.say(f"Cancelled: pump {serial} on {day_text(visit)}.")


# ------------------------------------------------------------------------------------------------ refills and their differences
def refills(serial: Serial, where: Where = None, as_json: Json = False) -> None:
    """List the refills of a pump: what was drawn out against what was expected, and what is open."""
    from itbpump.forecast import day_text

    out = Output(as_json)
    with opened_registry(where) as registry:
        found = registry.refill_history(serial)
        learned = registry.learned(serial).calibration
    names = ("id", "by", "source", "expected_nL", "aspirated_nL", "filled_nL", "after_nL", "discrepancy_nL", "decision")
    listed = [{**{name: getattr(one, name) for name in names}, "at": one.at.isoformat(), "open": one.is_open} for one in found]
    out.data({"pump": serial, "refills": listed, "calibration": learned.json() if learned is not None else None})
    out.say(*(rows([(day_text(one.at.astimezone()), _refill_text(one)) for one in found]) or [f"No refill of {serial} is known."]))
    if learned is not None:
        out.say(*row("learned", learned.text))


def _refill_text(one: RefillRow) -> str:
    from itbpump.quantity import Volume

    parts = (("drawn", one.aspirated_nL), ("expected", one.expected_nL), ("filled", one.filled_nL), ("in it then", one.after_nL))
    known = [f"{what} {'-' if nL < 0 else ''}{Volume(abs(nL))}" for what, nL in parts if nL is not None]
    text = ", ".join(known) or "no volume is known"
    if one.is_open:
        return f"{text}; OPEN: settle it with `itbpump registry settle {one.id}`"
    return f"{text}; {one.decision}" if one.suspicious else text


def settle(
    refill: Annotated[int, typer.Argument(metavar="REFILL", help="Its number, as `registry refills` shows it.")],
    by: By,
    found: Annotated[str, typer.Option(metavar="TEXT", help="What was found, and what is done.")],
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Write down what was found out about a suspicious difference of a refill; it is open until then."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        registry.settle_discrepancy(refill, found, at=host_now(), by=by)
    out.data({"refill": refill, "found": found})
    out.say(f"Settled: refill {refill}.")


# ------------------------------------------------------------------------------------------------ contacts
def contacts_list(where: Where = None, as_json: Json = False) -> None:
    """List whom alerts tell, in order. Of a service's URL only the service is shown: the rest are its keys."""
    from itbpump.registry.model import shown_address

    out = Output(as_json)
    with opened_registry(where) as registry:
        found = registry.contacts()
    out.data(
        {"contacts": [{name: getattr(one, name) for name in one.__slots__} | {"address": shown_address(one.address)} for one in found]}
    )
    ids = {True: "with pump and patient's id", False: "names neither pump nor patient"}
    shown = [
        (
            f"{one.position}. {one.id}",
            f"{one.channel} {shown_address(one.address)}; the next after {one.escalate_after_h} h; {ids[one.shows_patient]}",
        )
        for one in found
    ]
    out.say(*(rows(shown) or ["No contact is set, so nobody can be told: itbpump registry contacts add"]))


def contacts_add(
    contact: Annotated[str, typer.Argument(metavar="ID", help="Opaque, such as nurse-1; one that is there is changed.")],
    channel: Annotated[str, typer.Option(metavar="NAME", help="A channel, as `itbpump alerts channels` shows it.")],
    address: Annotated[
        str,
        typer.Option(
            metavar="ADDRESS", help="What that channel needs, such as a mail address; - reads it from a line, for one with keys in it."
        ),
    ],
    by: By,
    *,
    position: Annotated[int, typer.Option(metavar="N", min=1, help="Place in the order; 1 is told first.")] = 1,
    escalate_after: Annotated[int, typer.Option(metavar="HOURS", min=1, help="Until the next is told.")] = 24,
    show_patient: Annotated[
        bool, typer.Option("--show-patient/--hide-patient", help="Whether pump, opaque id and details may be sent there.")
    ] = False,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Add somebody whom alerts tell, or change them."""
    from itbpump.registry.model import ContactRow

    out = Output(as_json)
    if address == "-":
        address = typer.prompt("Address", hide_input=True, err=True) if sys.stdin.isatty() else sys.stdin.readline().strip()
    with opened_registry(where) as registry:
        registry.set_contact(ContactRow(contact, position, channel, address, escalate_after, show_patient), at=host_now(), by=by)
    out.data({"contact": contact, "position": position, "channel": channel})
    out.say(f"Told by alerts: {contact}, as number {position}, by {channel}.")
    if not show_patient:
        out.say("Word there names the alert, and neither pump nor patient; --show-patient sends both, and what to do.")
    out.say("Whether that channel is set up: itbpump alerts channels")


def contacts_remove(
    contact: Annotated[str, typer.Argument(metavar="ID", help="As `registry contacts list` shows it.")],
    by: By,
    where: Where = None,
    as_json: Json = False,
) -> None:
    """Nobody is told there any more; what was told stays on record."""
    out = Output(as_json)
    with opened_registry(where) as registry:
        registry.remove_contact(contact, at=host_now(), by=by)
        left = len(registry.contacts())
    out.data({"removed": contact, "left": left})
    out.say(f"Removed: {contact}.{'' if left else ' No contact is left: nobody can be told.'}")


_COMMANDS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("assign", assign, "Say whose a pump is."),
    ("retire", retire, "Take a pump out of use."),
    ("zone", zone, "Say where a patient lives."),
    ("book", book, "Book a visit."),
    ("cancel", cancel, "Cancel a visit."),
    ("refills", refills, "List the refills of a pump."),
    ("settle", settle, "Settle a refill's difference."),
)
_CONTACTS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("list", contacts_list, "List them."),
    ("add", contacts_add, "Add or change one."),
    ("remove", contacts_remove, "Remove one."),
)


def add_to(app: typer.Typer) -> None:
    """Put these commands into the group of the registry."""
    for name, function, short in _COMMANDS:
        app.command(name, cls=GuardedCommand, short_help=short)(function)
    contacts = typer.Typer(help="Whom alerts tell, in order.", no_args_is_help=True, rich_markup_mode=None)
    for name, function, short in _CONTACTS:
        contacts.command(name, cls=GuardedCommand, short_help=short)(function)
    app.add_typer(contacts, name="contacts", short_help="Whom alerts tell.")
