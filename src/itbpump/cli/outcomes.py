"""Telling an outcome: Applied with its proof, NotApplied, or Unknown with what is known, what is blocked and what to do (SR-42)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from itbpump.cli.guard import FAILED, UNKNOWN, CommandError, Output, exit_code

if TYPE_CHECKING:
    from itbpump.outcome import Applied, Outcome, Proof

__all__ = ["outcome_json", "require_applied", "unknown_text"]


def require_applied(out: Output, outcome: Outcome, url: str, data: Mapping[str, Any] | None = None, *, proven: bool = True) -> Applied:
    """The applied outcome, or CommandError: 1 or 4 not applied, 5 unknown, 1 applied without the proof that it runs.

    `data` joins the outcome in the JSON of an error. `proven`: the command is one that is proved by reading the pump again.
    """
    from itbpump.outcome import Applied, NotApplied

    form = {**(data or {}), **outcome_json(outcome)}
    if isinstance(outcome, NotApplied):
        raise CommandError(f"not applied, nothing changed in the pump: {outcome.reason}", exit_code(outcome.reason) or FAILED, form)
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
        raise CommandError(_disproof(outcome.proof, url), FAILED, form)
    out.say(f"Applied as command {outcome.cmd_id}. The pump was read again: {_proof_words(outcome.proof)}.")
    return outcome


def unknown_text(what: str, cmd_id: int, cause: str, url: str) -> str:
    """What to tell when nobody knows whether the pump obeyed."""
    return (
        f"OUTCOME UNKNOWN of command {cmd_id}: {what}\n"
        f"  known:   the line failed after the command was sent ({cause})\n"
        "  unknown: whether the pump carried it out; for baclofen neither guess is the safe one\n"
        "  blocked: nothing that doses is sent from here to this pump; stop and reading are possible\n"
        f"  to do:   watch the patient, restore the line, then ask the pump: itbpump reconcile {url}"
    )


def _proof_words(proof: Proof) -> str:
    return ", ".join(name for name, _, _ in proof.checks) + " agree with what was sent"


def _disproof(proof: Proof, url: str) -> str:
    wrong = "\n".join(f"  {name}: meant {_short(meant)}, the pump says {_short(found)}" for name, meant, found in proof.failures)
    return f"the pump took the command but does not run what was meant:\n{wrong}\nthe therapy is not proven; read it: itbpump status {url}"


def _short(value: object) -> str:
    text = getattr(value, "name", None) or str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """An outcome for programs."""
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
