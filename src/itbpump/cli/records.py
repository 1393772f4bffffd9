"""`itbpump log`, `reconcile`, `alarm-test`: what the pump has written down, what became of lost commands, how its alarms sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import UNKNOWN, CommandError, Output
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.outcome import Outcome
    from itbpump.wire.messages import LogEntry

__all__ = ["alarm_test", "log", "reconcile"]

Url = Annotated[str, typer.Argument(metavar="URL", help="The pump.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


# ------------------------------------------------------------------------------------------------ log
def log(
    url: Url, from_seq: Annotated[int, typer.Option("--from", metavar="N", min=0, help="First entry wanted.")] = 0, as_json: Json = False
) -> None:
    """Show the pump's event log in words, oldest first."""
    out = Output(as_json)
    with opened(url) as line:
        entries = list(line.log(from_seq))
    out.data({"entries": [_entry_json(entry) for entry in entries]})
    if not as_json:
        out.say(*(entry_text(entry) for entry in entries))
        if not entries:
            out.say(f"no entries from number {from_seq} on")


def entry_text(entry: LogEntry) -> str:
    """One line: number, uptime, wall clock where it was set, what happened."""
    from itbpump.cli.words import log_words, wall_text

    wall = f"  {wall_text(entry.wall_s)}" if entry.wall_s else ""
    return f"{entry.seq:>6}  {uptime_text(entry.uptime_ms):>14}{wall}  {log_words(entry)}"


def uptime_text(uptime_ms: int) -> str:
    """`77 d 06:00:00` of pump time."""
    seconds = uptime_ms // 1_000
    days, rest = divmod(seconds, 86_400)
    return f"{days:,} d {rest // 3_600:02d}:{rest % 3_600 // 60:02d}:{rest % 60:02d}"


def _entry_json(entry: LogEntry) -> dict[str, Any]:
    from itbpump.cli.words import log_words

    return {
        "seq": entry.seq,
        "uptime_ms": entry.uptime_ms,
        "wall_s": entry.wall_s or None,
        "kind": entry.kind.name.lower(),
        "a": entry.a,
        "b": entry.b,
        "text": log_words(entry),
    }


# ------------------------------------------------------------------------------------------------ reconcile
def reconcile(url: Url, as_json: Json = False) -> None:
    """Ask the pump what became of commands whose outcome is not known, and settle what it can answer."""
    out = Output(as_json)
    with opened(url) as line:
        answers = line.reconcile()
    data = {"answers": [{"what": intent.what, **outcome_json(outcome)} for intent, outcome in answers]}
    out.say(*(_answer_text(intent, outcome) for intent, outcome in answers))
    still = [intent for intent, outcome in answers if outcome_json(outcome)["outcome"] == "unknown"]
    if still:
        listed = ", ".join(f"{intent.what} (command {intent.cmd_id})" for intent in still)
        raise CommandError(
            f"still unknown: {listed}; dosing from here stays blocked; read log and status, compare the volume at the next refill",
            UNKNOWN,
            data,
        )
    out.say("Nothing is open; dosing is possible." if answers else "Nothing was open: every outcome is known.")
    out.data(data)


def _answer_text(intent: Intent, outcome: Outcome) -> str:
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


# ------------------------------------------------------------------------------------------------ alarm test
def alarm_test(
    url: Url,
    critical: Annotated[bool, typer.Option("--critical/--non-critical", help="Which tone.")] = False,
    as_json: Json = False,
) -> None:
    """Sound one alarm tone once, so that the patient knows it."""
    from itbpump.wire.messages import AlarmPriority

    out = Output(as_json)
    priority = AlarmPriority.CRITICAL if critical else AlarmPriority.NON_CRITICAL
    name = "critical" if critical else "non-critical"
    with opened(url) as line:
        outcome = line.alarm_test(priority)
        require_applied(out, outcome, url, proven=False)
    out.say(f"The pump has sounded its {name} tone once.")
    out.data({**outcome_json(outcome), "tone": name})
