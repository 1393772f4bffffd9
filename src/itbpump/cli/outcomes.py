"""Telling an outcome: Applied with its proof, NotApplied, or Unknown with what is known, what is blocked and what to do (SR-42)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from itbpump.cli.guard import FAILED, UNKNOWN, CommandError, Output, exit_code
from itbpump.wording.outcomes import disproof_text, proof_words, unknown_text

if TYPE_CHECKING:
    from itbpump.outcome import Applied, Outcome

__all__ = ["outcome_json", "require_applied"]


def require_applied(out: Output, outcome: Outcome, url: str, data: Mapping[str, Any] | None = None, *, proven: bool = True) -> Applied:
    """The applied outcome, or CommandError: 1 or 4 not applied, 5 unknown, 1 applied without the proof that it runs.

    `data` joins the outcome in the JSON of an error. `proven`: the command is one that is proved by reading the pump again. What else the
    outcome notes is told in any case.
    """
    from itbpump.outcome import Applied, NotApplied

    form = {**(data or {}), **outcome_json(outcome)}
    if outcome.note:
        out.note(f"ATTENTION: {outcome.note}")
    if isinstance(outcome, NotApplied):
        told = "not applied, nothing changed in the pump" if outcome.nothing_changed else "not applied as ordered"
        raise CommandError(f"{told}: {outcome.reason}", exit_code(outcome.reason) or FAILED, form)
    if not isinstance(outcome, Applied):
        raise CommandError(unknown_text(outcome.what, outcome.cmd_id, str(outcome.cause), url), UNKNOWN, form)
    if not proven:
        return outcome
    if outcome.proof is None:
        raise CommandError(
            f"the pump says that it carried out command {outcome.cmd_id}, but the line was lost before it could be read again; "
            f"read it: itbpump status {url}",
            FAILED,
            form,
        )
    if not outcome.proof.holds:
        raise CommandError(disproof_text(outcome.proof, url), FAILED, form)
    out.say(f"Applied as command {outcome.cmd_id}. The pump was read again: {proof_words(outcome.proof)}.")
    return outcome


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome for programs."""
    form = _outcome_form(outcome)
    return {**form, "note": outcome.note} if outcome.note else form


def _outcome_form(outcome: Outcome) -> dict[str, Any]:
    from itbpump.outcome import Applied, NotApplied

    if isinstance(outcome, NotApplied):
        return {"outcome": "not applied", "command": outcome.cmd_id, "reason": str(outcome.reason)}
    if not isinstance(outcome, Applied):
        return {"outcome": "unknown", "command": outcome.cmd_id, "what": outcome.what, "reason": str(outcome.cause)}
    proof = outcome.proof
    return {
        "outcome": "applied",
        "command": outcome.cmd_id,
        "revision": outcome.result.revision,
        "proof": None
        if proof is None
        else {"holds": proof.holds, "checks": [{"what": name, "agrees": meant == found} for name, meant, found in proof.checks]},
    }
