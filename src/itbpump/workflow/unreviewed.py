"""An order that changes no dose (a tone, a silence, a label of the clock): nothing is judged, a plain yes sends it."""

from __future__ import annotations

from itbpump.wording.beside import heading_lines
from itbpump.workflow.confirming import yes_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.model import Proposal, Send

__all__ = ["unreviewed"]


def unreviewed(
    facts: Facts, task: str, title: str, what: str, send: Send, *, lines: tuple[str, ...] = (), observe: tuple[str, ...] = ()
) -> Proposal:
    """The proposal of `task`; `what` ends the question whether to send it. `lines` stand under those of the pump, `observe` afterwards."""
    return Proposal(
        task=task,
        title=title,
        serial=facts.info.serial,
        revision=facts.present.revision,
        patient_id=facts.patient_id,
        review=None,
        confirmation=yes_confirmation(what),
        send=send,
        lines=(*heading_lines(facts.info, facts.present), *lines),
        observe=observe,
    )
