"""What became of a command, in words: proved, disproved, unknown with what is known, what is blocked and what to do (SR-42)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.outcome import Applied, Outcome, Proof
    from itbpump.wording.deeds import Face

__all__ = [
    "BY_HAND",
    "answer_text",
    "disproof_text",
    "outcome_lines",
    "proof_words",
    "still_open_text",
    "unknown_lines",
    "unknown_text",
]


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


def outcome_lines(outcome: Outcome | Exception, width: int, *, proven: bool = True, face: Face | None = None) -> tuple[list[str], str]:
    """For a page: lines, and the state they stand for (`ok`, `warning`, `critical`). `proven`: the command is one that is proved by
    reading the pump again. An exception is what kept an order from being sent. `face`: whose keys are told, None for commands."""
    from itbpump.outcome import Applied, NotApplied, Unknown
    from itbpump.wording.deeds import on_face
    from itbpump.wording.layout import wrapped

    state = "warning"
    if isinstance(outcome, Applied):
        texts, state = _applied_texts(outcome, proven=proven)
    elif isinstance(outcome, NotApplied):
        done = "nothing changed in the pump" if outcome.nothing_changed else "but not as it was: read the pump"
        texts = [f"NOT APPLIED: {done}", f"why: {outcome.reason}"]
    elif isinstance(outcome, Unknown):
        texts, state = [f"OUTCOME UNKNOWN of command {outcome.cmd_id}: {outcome.what}", f"no proof came back: {outcome.cause}"], "critical"
    else:
        texts = [f"NOT SENT: {outcome}"]
    note = "" if isinstance(outcome, Exception) else outcome.note
    texts = [*texts, *([f"ATTENTION: {note}"] if note else [])]
    said = texts if face is None else [on_face(text, face) for text in texts]
    return [part for text in said for part in wrapped(text, width, hanging=2)], state


def _applied_texts(outcome: Applied, *, proven: bool) -> tuple[list[str], str]:
    head = f"APPLIED as command {outcome.cmd_id}"
    if not proven:
        return [head], "ok"
    if outcome.proof is None:
        return [f"{head}, but the line was lost before the pump could be read again: read it before you rely on it"], "warning"
    if not outcome.proof.holds:
        wrong = [f"{name}: meant {_short(meant)}, the pump says {_short(found)}" for name, meant, found in outcome.proof.failures]
        return [f"{head}, but the pump does NOT run what was meant:", *wrong], "critical"
    return [f"{head} and PROVED: the pump was read again; {proof_words(outcome.proof)}."], "ok"


def unknown_lines(intent: Intent, width: int) -> list[str]:
    """What is known of an open command, what is blocked, what to do."""
    from itbpump.wording.layout import rows, wrapped

    pairs = [
        ("known", f"it was sent, and no proof of its outcome came back{f' ({intent.note})' if intent.note else ''}"),
        ("unknown", "whether the pump carried it out; neither guess is the safe one"),
        ("blocked", "nothing but a stop is sent from here to this pump; reading is possible"),
        ("to do", "watch the patient, restore the line, then ask the pump"),
    ]
    return [*wrapped(f"Command {intent.cmd_id}: {intent.what}", width), *rows(pairs, indent="  ", width=width)]
