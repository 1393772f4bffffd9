"""How a chapter of the book of changes is written: a rule, and rows of a situation with the prescription and what it stands beside.

A page holds what this one rule says in that situation; an empty one says that nothing is found. Not here: the rows (`book_change_*`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import DrugLibrary, Figure, load_library
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.safety import Review, review
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.golden.cases import UPTIME_MS, pump
from tests.unit.safety.book import Page, told
from tests.unit.therapy.prescriptions import continuous, prescription

Row = tuple[str, Callable[[], Review]]
Chapter = dict[str, Callable[[], Page]]

AS_OF = datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5)))
BACLOFEN, MORPHINE = load_library("baclofen"), load_library("morphine")
CHILD = {"age_years": 17}
CEREBRAL = {"indication": "cerebral"}
MINUTE_MS, HOUR_MS = 60_000, 3_600_000


def row(situation: str, rx: Prescription, current: Prescription | PresentPump | None = None, **more: Any) -> Row:
    """The review of a prescription beside a file, a pump or nothing."""
    return situation, lambda: review(rx, current, **more)


def chapter(rule: str, *rows: Row) -> Chapter:
    """Pages of one rule. ValueError for a situation told twice."""
    pages: Chapter = {f"{rule}: {situation}": _page(rule, judge) for situation, judge in rows}
    if len(pages) != len(rows):
        raise ValueError(f"a situation of {rule} stands twice")
    return pages


def _page(rule: str, judge: Callable[[], Review]) -> Callable[[], Page]:
    return lambda: {"findings": told(judge().findings, (rule,))}


def of_dose(dose: str, **tables: Any) -> Prescription:
    """A constant dose, else the plain prescription."""
    return prescription(continuous(dose), **tables)


def since(dose: str, back: timedelta, **tables: Any) -> Prescription:
    """A file whose dose has been running so long at the date of the new one."""
    return prescription(continuous(dose, since=AS_OF - back), **tables)


def at(concentration: str) -> dict[str, str]:
    return {"concentration": concentration}


def morphine(dose: str, **tables: Any) -> Prescription:
    """A constant dose of morphine of 10 mg/mL, of which 1 nL a day is 0.01 mcg."""
    drug = {"name": "morphine", "concentration": "10000 mcg/mL"}
    return prescription(continuous(dose), drug=drug, patient={"indication": "pain"}, **tables)


def stopped(rx: Prescription, hours: float | None = None, **state: Any) -> PresentPump:
    """A pump that was stopped so many hours ago; None: the log does not reach back so far."""
    back = None if hours is None else UPTIME_MS - round(hours * HOUR_MS)
    return pump(rx, **{"run_state": RunState.STOPPED, "mass_24h_ng": 0, "history": History(untreated_since_ms=back), **state})


def changed_since(old: Prescription, new: Prescription, hours: float, given_ng: int, **state: Any) -> PresentPump:
    """A pump whose therapy was changed so many hours ago, and that gave so much in the last 24 h; the one before had run for days."""
    at_ms = UPTIME_MS - round(hours * HOUR_MS)
    history = {"therapy_since_ms": at_ms, "before_since_ms": UPTIME_MS - 100 * HOUR_MS, "before_until_ms": at_ms}
    before = wire_configuration(old, load_profile(old.pump.profile))
    told = History(**{**history, **state.pop("history", {})})
    return pump(new, **{"previous": before, "mass_24h_ng": given_ng, "history": told, **state})


def with_figure(library: DrugLibrary, **values: Any) -> DrugLibrary:
    """The library with other figures."""
    figures: dict[str, Any] = {name: Figure(value, "C", f"a clinic's own {name}") for name, value in values.items()}
    return replace(library, **figures)
