"""The report of a visit and the card for an emergency department: heard here, and saved as files."""

from __future__ import annotations

from pathlib import Path

from itbpump.drugs import library_names
from itbpump.errors import ItbPumpError
from itbpump.forecast import Forecast
from itbpump.report import SessionRecord, card_text, text
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import Back, Left, Stopped
from itbpump.tui.plain.menu import Item, choose
from itbpump.version import installed_version
from itbpump.wording.beside import dates_of_pump
from itbpump.workflow.libraries import library_for
from itbpump.workflow.saving import save_report

__all__ = ["report_page"]

_REPORT, _CARD, _SAVE = "report", "card", "save"


def report_page(desk: Desk) -> None:
    """What this visit has come to so far. Raises Stopped, Ended, LinkError, TransportError, ReportError."""
    record = _record(desk)
    items = [
        Item(_REPORT, "Hear the report of this visit"),
        Item(_CARD, "Hear the card for an emergency department"),
        Item(_SAVE, "Save both as files"),
    ]
    try:
        while True:
            desk.page("REPORT.")
            chosen = choose(desk.dialogue, "Which? A point goes back.", items, edit=False)
            if chosen == _SAVE:
                _save(desk, record)
            else:
                desk.dialogue.say(*(text(record) if chosen == _REPORT else card_text(record)).splitlines())
    except Stopped:
        raise
    except (Left, Back):
        return


def _record(desk: Desk) -> SessionRecord:
    """The visit so far, read now."""
    facts, view = desk.read(), desk.view()
    drug = view.status.drug
    library = library_for(drug, desk.policy.clinic_library) if drug in library_names() else None
    dates: Forecast | None = None
    problem = ""
    try:
        dates = dates_of_pump(
            desk.pump,
            facts.present,
            library,
            implanted_on=facts.rx.pump.implanted_on if facts.rx is not None else None,
            calibration=desk.known.calibration(),
        )
    except ItbPumpError as error:
        problem = refused_text(error)
    return desk.visit.record(
        view,
        desk.pump.host_now(),
        companion=installed_version(),
        library=library,
        dates=dates,
        dates_note=problem,
        contact=desk.policy.contact,
    )


def _save(desk: Desk, record: SessionRecord) -> None:
    folder = Path(desk.dialogue.ask("Folder for the files (Enter for this one):", edit=False) or ".").expanduser()
    try:
        names, problem = save_report(record, folder)
    except (ItbPumpError, OSError) as error:
        desk.dialogue.say(f"NOT SAVED: {error}")
        return
    desk.dialogue.say("SAVED:", *(f"  {name}" for name in names), *([f"ATTENTION: {problem}"] if problem else []))
