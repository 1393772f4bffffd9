"""The one gate between a proposal and the pump: what a person must give on the review page, and sending once all of it is there.

Every face shows `missing` and calls `carry_out`; nothing else in this room calls a proposal's `send`. Here and nowhere else: an override
with its reason (SR-03), the second person (rules, or the clinic's policy), the daily dose typed, identity of the pump (SR-20).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from itbpump.errors import InputError, ItbPumpError
from itbpump.outcome import Outcome
from itbpump.pump import Pump
from itbpump.safety import Decision, basis_of, decide
from itbpump.workflow.facts import Policy, with_prescription
from itbpump.workflow.model import Proposal

__all__ = ["Consent", "NotConsented", "OtherPump", "basis", "carry_out", "decision_of", "missing"]


class NotConsented(ItbPumpError):
    """Something the review page asks for is not there; nothing was sent. `missing` says what."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        self.missing = missing
        super().__init__("not sent: " + "; ".join(missing), action="complete the review page")


class OtherPump(ItbPumpError):
    """Another pump answers than the one reviewed; nothing was sent."""

    def __init__(self, reviewed: str, found: str) -> None:
        self.reviewed, self.found = reviewed, found
        super().__init__(f"reviewed for pump {reviewed}, and pump {found} answers; nothing was sent", action="check patient and pump")


@dataclass(frozen=True, slots=True)
class Consent:
    """What was entered on a review page: `reasons` by rule (`reason: text`), staff ids, and what was typed to confirm."""

    typed: str = ""
    reasons: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    user: str = ""
    second: str = ""


def decision_of(proposal: Proposal, consent: Consent) -> Decision | None:
    """The reasons held against the findings; None where nothing is judged. Raises OverrideError for a reason that cannot be."""
    if proposal.review is None:
        return None
    given = {rule: text for rule, text in consent.reasons.items() if text.strip()}
    return decide(proposal.review, given, consent.user, consent.second)


def missing(proposal: Proposal, consent: Consent, policy: Policy) -> tuple[str, ...]:
    """What is still to be given, in words; empty when it may be sent."""
    wanted: list[str] = []
    try:
        decision = decision_of(proposal, consent)
    except InputError as error:
        wanted.append(f"{error}; {error.action}" if error.action and error.action not in str(error) else str(error))
        decision = None
    if decision is not None:
        wanted += decision.missing
    if policy.second_always and proposal.review is not None and not (consent.user.strip() and consent.second.strip()):
        wanted.append("this clinic wants a second person for every change: both staff ids")
    if consent.typed not in proposal.confirmation.answers:
        wanted.append("the confirmation is not typed" if not consent.typed else "what was typed to confirm is not what is asked for")
    return tuple(dict.fromkeys(wanted))


def basis(proposal: Proposal, consent: Consent) -> dict[str, Any]:
    """What the decision rests on, as it is kept with the command."""
    decision = decision_of(proposal, consent)
    form: dict[str, Any] = {}
    if proposal.review is not None and decision is not None:
        form = basis_of(proposal.review, decision, consent.user, consent.second, proposal.patient_id)
    return with_prescription({**form, **(proposal.record or {})}, proposal.rx)


def carry_out(pump: Pump, proposal: Proposal, consent: Consent, policy: Policy) -> Outcome:
    """Send what was reviewed and confirmed. Raises NotConsented and OtherPump before anything is sent, then as the pump's method."""
    lacks = missing(proposal, consent, policy)
    if lacks:
        raise NotConsented(lacks)
    if pump.info.serial != proposal.serial:
        raise OtherPump(proposal.serial, pump.info.serial)
    return proposal.send(pump, basis(proposal, consent))
