"""The visit of the screen as a record for a report: what was kept of it, and what the newest snapshot shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itbpump.drugs import library_names
from itbpump.version import installed_version
from itbpump.workflow.libraries import library_for

if TYPE_CHECKING:
    from datetime import datetime

    from itbpump.report import SessionRecord
    from itbpump.tui.snapshot import Snapshot
    from itbpump.workflow.facts import Policy
    from itbpump.workflow.visit import VisitKeeper

__all__ = ["record_of"]


def record_of(visit: VisitKeeper, snapshot: Snapshot | None, at: datetime, policy: Policy) -> SessionRecord:
    """The visit so far. Raises ReportError, LibraryError."""
    view = snapshot.view if snapshot is not None else None
    drug = view.status.drug if view is not None else ""
    return visit.record(
        view,
        at,
        companion=installed_version(),
        library=library_for(drug, policy.clinic_library) if drug in library_names() else None,
        dates=snapshot.dates if snapshot is not None else None,
        dates_note=snapshot.dates_problem if snapshot is not None else "",
        end_note="" if view is not None else "the pump was not read",
        contact=policy.contact,
        log=snapshot.log if snapshot is not None else (),
    )
