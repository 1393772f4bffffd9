"""What a face keeps of a visit while it goes on, until a report is made of it (`itbpump.report`).

It begins with the first reading and the whole log; what is ordered before the log has come is told afterwards. Not here: rendering
(`itbpump.report`), files (`saving`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from itbpump.drugs import DrugLibrary
from itbpump.forecast import Forecast
from itbpump.outcome import Applied, NotApplied, Unknown
from itbpump.profiles import PumpProfile
from itbpump.quantity import Concentration
from itbpump.report.model import SessionRecord
from itbpump.report.visit import Visit
from itbpump.wire.messages import LogEntry, LogKind
from itbpump.wording.pumpview import PumpView
from itbpump.wording.words import log_words
from itbpump.workflow.consent import Consent, decision_of
from itbpump.workflow.model import Proposal

__all__ = ["VisitKeeper"]

_OF_EVERY_VISIT = frozenset({LogKind.SESSION_OPEN, LogKind.SESSION_CLOSE, LogKind.STAGED, LogKind.GAP})
"""Entries that every visit leaves; the rest says what happened to the pump."""


class VisitKeeper:
    """One visit to one pump."""

    def __init__(self) -> None:
        self._first: PumpView | None = None
        self._profile: PumpProfile | None = None
        self._visit: Visit | None = None
        self._waiting: list[Callable[[Visit], Visit]] = []
        self.under_way: set[str] = set()
        """Orders to deliver less (`StopOrder.id`) that were sent and have no outcome yet: each is sent once until it has one."""

    @property
    def begun(self) -> bool:
        """The pump and its whole log have been read, so a report can be made."""
        return self._visit is not None

    def saw(self, view: PumpView, profile: PumpProfile, log: Sequence[LogEntry] | None, patient_id: str = "") -> None:
        """A reading; `log` is the whole log, or None while it is still being read. `patient_id` may come with a later one."""
        if self._first is None:
            self._first, self._profile = view, profile
        if self._visit is None and log is not None:
            before = [entry for entry in log if entry.seq < self._first.status.log_next_seq]
            self._visit = Visit.opened(self._first, profile, before, patient_id=patient_id)
            waiting, self._waiting = self._waiting, []
            for step in waiting:
                self._visit = step(self._visit)
        if self._visit is not None:
            self._visit = self._visit.of_patient(patient_id)

    def did(self, proposal: Proposal, consent: Consent, outcome: object, at: datetime) -> None:
        """An order and what became of it; what was never sent is no part of a visit."""
        if not isinstance(outcome, (Applied, NotApplied, Unknown)):
            return
        label = proposal.old.concentration if proposal.follows_bolus and proposal.old is not None else None
        self._step(lambda visit: _changed(visit, proposal, consent, outcome, at, label))

    def ordered(self, title: str, outcome: Applied | NotApplied | Unknown, at: datetime) -> None:
        """An order without a review: a stop."""
        self._step(lambda visit: visit.changed(title, outcome, at))

    def settled(self, cmd_id: int, outcome: Applied | NotApplied | Unknown, at: datetime, what: str) -> None:
        """The pump was asked about an order of unknown outcome."""
        self._step(lambda visit: visit.settled(cmd_id, outcome, at, what=what))

    def noted(self, text: str, at: datetime) -> None:
        """Something seen or done that ordered nothing."""
        self._step(lambda visit: visit.noted(text, at))

    def record(
        self,
        view: PumpView | None,
        at: datetime,
        *,
        companion: str,
        library: DrugLibrary | None,
        dates: Forecast | None,
        dates_note: str = "",
        end_note: str = "",
        contact: str = "",
        log: Sequence[LogEntry] = (),
    ) -> SessionRecord:
        """The visit so far; `log` (oldest first) gives what the pump itself wrote down meanwhile. Raises ReportError; AssertionError before
        it has begun."""
        if self._visit is None or self._first is None:
            raise AssertionError("a record of a visit that has not begun")
        visit = self._visit
        for entry in log:
            if entry.seq >= self._first.status.log_next_seq and entry.kind not in _OF_EVERY_VISIT:
                when = (view or self._first).at(entry.uptime_ms)
                visit = visit.noted(f"the pump wrote: {log_words(entry)}", when)
        return visit.closed(
            view, at, companion=companion, library=library, dates=dates, dates_note=dates_note, end_note=end_note, contact=contact
        )

    def _step(self, step: Callable[[Visit], Visit]) -> None:
        if self._visit is None:
            self._waiting.append(step)
        else:
            self._visit = step(self._visit)


def _changed(
    visit: Visit, proposal: Proposal, consent: Consent, outcome: Applied | NotApplied | Unknown, at: datetime, label: Concentration | None
) -> Visit:
    return visit.changed(
        proposal.title,
        outcome,
        at,
        review=proposal.review,
        decision=decision_of(proposal, consent),
        user=consent.user,
        second=consent.second,
        patient_id=proposal.patient_id,
        refill=proposal.refill,
        dose_by=label,
    )
