"""What became of a command, in words: proved, disproved, unknown with what is known, what is blocked and what to do (SR-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.outcome import Outcome, Proof

__all__ = ["BY_HAND", "answer_text", "disproof_text", "proof_words", "still_open_text", "unknown_text"]


BY_HAND = (
    "Settling by hand takes your word in place of the pump's, and dosing becomes possible on it. Read the pump's log (itbpump log), its "
    "counters (itbpump status) and the volume in the reservoir first: too much stops breathing, a missed dose brings withdrawal."
)


def unknown_text(what: str, cmd_id: int, cause: str, url: str) -> str:
    """What to tell when nobody knows whether the pump obeyed."""
    return (
        f"OUTCOME UNKNOWN of command {cmd_id}: {what}\n"
        f"  known:   it was sent, and no proof of its outcome came back ({cause})\n"
        "  unknown: whether the pump carried it out; neither guess is the safe one\n"
        "  blocked: nothing but a stop is sent from here to this pump; reading is possible\n"
        f"  to do:   watch the patient, restore the line, then ask the pump: itbpump reconcile {url}"
    )


def proof_words(proof: Proof) -> str:
    return ", ".join(name for name, _, _ in proof.checks) + " agree with what was sent"


def disproof_text(proof: Proof, url: str) -> str:
    wrong = "\n".join(f"  {name}: meant {_short(meant)}, the pump says {_short(found)}" for name, meant, found in proof.failures)
    return f"the pump took the command but does not run what was meant:\n{wrong}\nthe therapy is not proven; read it: itbpump status {url}"


def _short(value: object) -> str:
    text = getattr(value, "name", None) or str(value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def still_open_text(still: list[Intent], url: str) -> str:
    listed = ", ".join(f"{intent.what} (command {intent.cmd_id})" for intent in still)
    return (
        f"still unknown: {listed}; nothing but a stop is sent from here; read log and status, compare the volume at the next refill; when "
        f"that shows what happened: itbpump reconcile {url} --settle {still[0].cmd_id}=applied (or =not-applied) --by ID --reason TEXT"
    )


def answer_text(intent: Intent, outcome: Outcome) -> str:
    from itbpump.outcome import Applied, NotApplied

    told = f"command {intent.cmd_id}, {intent.what}"
    if isinstance(outcome, NotApplied):
        return f"{told}: NOT applied ({outcome.reason})"
    if not isinstance(outcome, Applied):
        return f"{told}: still UNKNOWN ({outcome.cause})"
    given = outcome.bolus
    pulses = f"; {given.delivered:,} of {given.requested:,} pulses, {given.state.name.lower()}" if given.requested else ""
    doubt = f", {given.doubt} in doubt" if given.doubt else ""
    return f"{told}: APPLIED, revision {outcome.result.revision}{pulses}{doubt}"
