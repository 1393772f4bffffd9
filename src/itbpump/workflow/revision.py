"""After a revision: another catheter, or another pump. The path is given anew, nothing of the old one is offered; then the whole therapy.

A wrong path volume is a wrong prime and a wrong bridge, and a wrong constant was a recall (domain 0.7). Sending is that of any therapy. Not
here: filling the new path (`prime`), the operation, taking the old pump out of service.
"""

from __future__ import annotations

from dataclasses import replace

from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind, Values, choice_field
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import prescription_of
from itbpump.workflow.therapy import propose_prescription, therapy_fields

__all__ = ["ReviseTask"]

CATHETER, PUMP = "catheter", "pump"
_GROUP = "Revision"
_CATHETER_HELP = (
    "This pump runs a therapy, so it is the old one; only the catheter is new. Where the pump itself was exchanged, connect the new pump: "
    "it has no therapy yet."
)
_PUMP_HELP = (
    "This pump has no therapy yet, so it is the new one. It knows nothing of the old: patient, drug, path and doses are given again, from "
    "the record, not from memory. Its service life counts from the implant."
)


class ReviseTask:
    """Programs a therapy for another path, or in another pump."""

    id = "revision"
    title = "Catheter or pump revision"
    summary = "the new path, and the therapy with it"
    group = "Therapy"

    def hindered(self, facts: Facts) -> str:
        present = facts.present
        if present.has_lost_its_configuration:
            return "the pump has lost its therapy; measure the reservoir, fill it, and tell both as a refill with a new prescription"
        if present.bolus_left_pulses:
            return "a bolus is running; wait for its end, or stop it"
        if present.bridging:
            return "a bridge is in force, counted for the old path; let it end, or stop the pump and refill with a new decision"
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        is_new = facts.present.configuration is None
        what = ((PUMP, "a new pump"),) if is_new else ((CATHETER, "a new catheter, or one that was shortened"),)
        implanted = Field(
            "implanted_on", "Implanted on", Kind.DATE, "Day of the implant of this pump; its service life ends by it.",
            path="pump.implanted_on", group=_GROUP,
        )  # fmt: skip
        return (
            choice_field("what", "What was exchanged", what, _PUMP_HELP if is_new else _CATHETER_HELP, group=_GROUP),
            *((implanted,) if is_new else ()),
            *therapy_fields(facts, values, with_volume=is_new, fresh_catheter=True),
        )

    def propose(self, facts: Facts, values: Values) -> Proposal:
        if self.hindered(facts):
            raise FieldError("", self.hindered(facts))
        fields = self.fields(facts, values)
        rx = prescription_of(facts, fields, values)
        implanted, today = rx.pump.implanted_on, facts.present.host_now.date()
        if implanted is not None and implanted > today and facts.present.configuration is None:
            raise FieldError("implanted_on", f"{implanted.isoformat()} has not come yet", "write the day of the implant")
        what = "a new pump" if facts.present.configuration is None else "a new catheter"
        proposal = propose_prescription(facts, rx, self.id, f"Therapy with {what} for patient {rx.patient.id}")
        return replace(proposal, observe=(*proposal.observe, *_afterwards(facts)))


def _afterwards(facts: Facts) -> tuple[str, ...]:
    filled = "tubing and catheter" if facts.present.configuration is None else "the catheter"
    return (
        f"The new path holds no drug yet: until it is filled the patient gets nothing. If {filled} was not filled by hand, prime next.",
        "Give the patient a card with the new pump and path; the old ones are void.",
    )
