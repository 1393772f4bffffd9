"""A visit while it goes on: immutable, each step gives the next one, so that a face can keep it in a snapshot and lose nothing.

`Visit.opened` with the first reading, `changed` after each command, `settled` when an unknown outcome has become known, `noted` for what
was seen, `closed` with the last reading: a `SessionRecord`. Not here: reading a pump, sending to it, files.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from itbpump.quantity import Concentration, Volume
from itbpump.report.model import Change, Identity, Note, PumpState, ReportError, SessionRecord, Settlement
from itbpump.report.reading import identity_of, state_of, told_of, versions_of
from itbpump.report.since import Delivered, delivered_since

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Forecast
    from itbpump.outcome import Outcome
    from itbpump.profiles import PumpProfile
    from itbpump.refill import Refill
    from itbpump.safety import Decision, Review
    from itbpump.wire.messages import Info, LogEntry
    from itbpump.wording.pumpview import PumpView

__all__ = ["Visit"]


@dataclass(frozen=True)
class Visit:
    """What a visit has come to so far."""

    info: Info
    profile: PumpProfile
    identity: Identity
    start: PumpState
    delivered: Delivered
    staff: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()

    @classmethod
    def opened(
        cls, view: PumpView, profile: PumpProfile, log: Iterable[LogEntry], *, patient_id: str = "", staff: Iterable[str] = ()
    ) -> Visit:
        """From the first reading and the whole log read right after it (oldest first), before anything is sent. `staff`: opaque ids."""
        return cls(
            info=view.info,
            profile=profile,
            identity=identity_of(view.info, patient_id),
            start=state_of(view),
            delivered=delivered_since(log, view.status, profile, view.host_now),
            staff=_people((), *staff),
        )

    def changed(
        self,
        title: str,
        outcome: Outcome,
        at: datetime,
        *,
        review: Review | None = None,
        decision: Decision | None = None,
        user: str = "",
        second: str = "",
        patient_id: str = "",
        refill: Refill | None = None,
        dose_by: Concentration | None = None,
    ) -> Visit:
        """After a command, whatever became of it. `review` and `decision` are what the person confirmed; `patient_id` is whom it was for;
        `dose_by` is the label's concentration where the command was a single bolus. ReportError for a time without offset."""
        change = Change(
            at=_aware(at),
            title=title,
            cmd_id=outcome.cmd_id,
            told=told_of(outcome, dose_by, Volume(self.info.pulse_volume_nL)),
            user=user,
            second=second,
            refill=refill,
        )
        if review is not None:
            change = replace(
                change,
                table=review.table,
                achievable=review.achievable,
                findings=review.findings,
                overrides=decision.overrides if decision is not None else (),
                verdict=review.verdict,
                review=review.digest,
                library=dict(review.library),
            )
        visit = replace(self, changes=(*self.changes, change), staff=_people(self.staff, user, second))
        return _for_patient(visit, patient_id, title, at)

    def settled(self, cmd_id: int, outcome: Outcome, at: datetime, *, what: str = "", by: str = "", reason: str = "") -> Visit:
        """An outcome that was unknown has become known, or was asked for in vain. A command of an earlier visit is listed under `what`."""
        told = told_of(outcome)
        if not any(change.cmd_id == cmd_id for change in self.changes):
            title = f"Earlier command settled: {what or 'not named'}"
            earlier = Change(at=_aware(at), title=title, cmd_id=cmd_id, told=told, user=by)
            visit = replace(self, changes=(*self.changes, earlier), staff=_people(self.staff, by))
            return visit.noted(f"{title}; reason: {reason}", at) if reason else visit
        settlement = Settlement(_aware(at), told, by, reason)
        changes = tuple(replace(change, settled=settlement) if change.cmd_id == cmd_id else change for change in self.changes)
        return replace(self, changes=changes, staff=_people(self.staff, by))

    def of_patient(self, patient_id: str) -> Visit:
        """Whose visit it is, found out after it began; one who is known already stays."""
        if self.identity.patient_id or not patient_id:
            return self
        return replace(self, identity=replace(self.identity, patient_id=patient_id))

    def noted(self, text: str, at: datetime, *, attention: bool = False) -> Visit:
        """Something that was seen or done and ordered nothing; `attention` puts it at the top of the report as well."""
        return replace(self, notes=(*self.notes, Note(_aware(at), text, attention)))

    def closed(
        self,
        view: PumpView | None,
        at: datetime,
        *,
        companion: str,
        library: DrugLibrary | None = None,
        dates: Forecast | None = None,
        dates_note: str = "",
        end_note: str = "",
        contact: str = "",
    ) -> SessionRecord:
        """The record. `view` is the last reading, None where the pump could not be read any more: then `end_note` must say why. `library`
        gives the texts for emergencies; `companion` is this program's version. The visit itself can go on, and be closed again.

        Raises ReportError where a reading is of another pump, or is missing without a word.
        """
        if view is None and not end_note:
            raise ReportError("a visit that ends without a reading must say why", action="read the pump again, or give the reason")
        if view is not None and (view.info.serial, view.info.memory_id) != (self.info.serial, self.info.memory_id):
            found = view.info.serial
            raise ReportError(
                f"the visit began with pump {self.info.serial} and ends with {found}, or with another memory", action="make two reports"
            )
        return SessionRecord(
            identity=self.identity,
            staff=self.staff,
            opened_at=self.start.at,
            closed_at=_aware(at),
            start=self.start,
            end=state_of(view) if view is not None else None,
            delivered=self.delivered,
            versions=versions_of(companion, self.info, self.profile, library.json() if library is not None else None),
            changes=self.changes,
            notes=self.notes,
            dates=dates,
            end_note=end_note,
            dates_note=dates_note,
            care=library.texts if library is not None else None,
            contact=contact.strip(),
        )


def _for_patient(visit: Visit, patient_id: str, title: str, at: datetime) -> Visit:
    """The first patient named is the visit's; another one is told, never taken over in silence (SR-20)."""
    known = visit.identity.patient_id
    if not patient_id or patient_id == known:
        return visit
    if not known:
        return visit.of_patient(patient_id)
    return visit.noted(f"OTHER PATIENT: {title} was for patient {patient_id}, the visit is of patient {known}", at, attention=True)


def _people(known: tuple[str, ...], *more: str) -> tuple[str, ...]:
    """Ids in the order in which they came, each once."""
    return tuple(dict.fromkeys((*known, *(name.strip() for name in more if name.strip()))))


def _aware(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise ReportError(f"the time {at.isoformat()} has no offset from UTC", action="pass an aware datetime")
    return at
