"""`itbpump log`, `reconcile`, `alarm-test`: what the pump has written down, what became of lost commands, how its alarms sound."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import UNKNOWN, USAGE, CommandError, Output
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.wording.log import is_wanted, kind_names, log_lines
from itbpump.wording.outcomes import BY_HAND, answer_text, still_open_text

if TYPE_CHECKING:
    from itbpump.commands import Settled
    from itbpump.hoststate import Intent
    from itbpump.pump import Pump
    from itbpump.wire.messages import LogEntry

__all__ = ["alarm_test", "log", "reconcile"]

Url = Annotated[str, typer.Argument(metavar="URL", help="The pump.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


# ------------------------------------------------------------------------------------------------ log


def log(
    url: Url,
    *,
    from_seq: Annotated[int, typer.Option("--from", metavar="N", min=0, help="First entry wanted.")] = 0,
    kind: Annotated[
        list[str] | None,
        typer.Option(
            "--kind", metavar="KIND", help="Only these: therapy, alarm, session, pump, or a kind. Repeatable.", autocompletion=kind_names
        ),
    ] = None,
    decisions: Annotated[
        bool, typer.Option("--decisions", help="What was decided here for this pump: reviews, overrides, who; not the pump's own log.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the pump's event log in words, the newest entry first; as data the oldest first."""
    from itbpump.wording.decisions import decision_lines, decisions_json

    out = Output(as_json)
    if decisions:
        with opened(url) as line:
            intents = line.decisions()
        out.data({"decisions": decisions_json(intents)})
        out.say(*decision_lines(intents))
        return
    wanted = _wanted_kinds(kind)
    with opened(url) as line:
        entries = [entry for entry in line.log(from_seq) if wanted is None or is_wanted(entry, wanted)]
    out.data({"entries": [_entry_json(entry) for entry in entries]})
    if not as_json:
        what = f" of {', '.join(kind)}" if kind else ""
        out.say(*(log_lines(entries) if entries else [f"no entries{what} from number {from_seq} on"]))


def _wanted_kinds(given: list[str] | None) -> frozenset[str] | None:
    """Names of the kinds asked for; None for all. CommandError (2) for a name that is none."""
    from itbpump.wording.words import log_groups

    if not given:
        return None
    groups, names = log_groups(), kind_names()
    for name in given:
        if name not in names:
            raise CommandError(
                f"--kind {name!r}: write {', '.join(names[: len(groups)])}, or a kind: {', '.join(names[len(groups) :])}", USAGE
            )
    return frozenset(kind for name in given for kind in groups.get(name, (name.replace("-", "_"),))) | {"gap"}


def _entry_json(entry: LogEntry) -> dict[str, Any]:
    from itbpump.wording.words import log_words

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
def reconcile(
    url: Url,
    settle: Annotated[
        list[str] | None,
        typer.Option(metavar="ID=STATE", help="Settle by hand what the pump no longer knows: applied or not-applied. Repeatable."),
    ] = None,
    by: Annotated[str, typer.Option(metavar="ID", help="Who settles by hand.")] = "",
    reason: Annotated[str, typer.Option(metavar="TEXT", help="What shows it: log entries, counters, the volume drawn out.")] = "",
    as_json: Json = False,
) -> None:
    """Ask the pump what became of commands whose outcome is not known, and settle what it can answer."""
    out = Output(as_json)
    by_hand = _by_hand(settle, by, reason)
    with opened(url) as line:
        answers = line.reconcile()
        data: dict[str, Any] = {"answers": [{"what": intent.what, **outcome_json(outcome)} for intent, outcome in answers]}
        out.say(*(answer_text(intent, outcome) for intent, outcome in answers))
        for outcome in (outcome for _, outcome in answers if outcome.note):
            out.note(f"ATTENTION: {outcome.note}")
        open_ids = {intent.cmd_id: intent for intent, outcome in answers if outcome_json(outcome)["outcome"] == "unknown"}
        if by_hand:
            data["settled_by_hand"] = _settle_by_hand(out, line, by_hand, {intent.cmd_id: intent for intent, _ in answers}, by, reason)
    still = [intent for cmd_id, intent in open_ids.items() if cmd_id not in by_hand]
    if still:
        raise CommandError(still_open_text(still, url), UNKNOWN, data)
    out.say("Nothing is open; dosing is possible." if answers else "Nothing was open: every outcome is known.")
    out.data(data)


def _by_hand(settle: list[str] | None, by: str, reason: str) -> dict[int, Settled]:
    """Which commands are to be settled by hand, and how. CommandError (2) for what cannot be read or lacks name and reason."""
    states: dict[str, Settled] = {"applied": "applied", "not-applied": "not_applied"}
    found: dict[int, Settled] = {}
    for text in settle or ():
        number, _, state = text.partition("=")
        if not (number.isascii() and number.isdecimal()) or state not in states or int(number) in found:
            raise CommandError(f"--settle {text!r}: write a command's number once, and what became of it: 7=applied, 7=not-applied", USAGE)
        found[int(number)] = states[state]
    given = (bool(found), bool(by.strip()), bool(reason.strip()))
    if any(given) and not all(given):
        raise CommandError("settling by hand takes --settle ID=applied or ID=not-applied, --by ID and --reason TEXT together", USAGE)
    return found


def _settle_by_hand(
    out: Output, line: Pump, wanted: dict[int, Settled], asked: dict[int, Intent], by: str, reason: str
) -> list[dict[str, Any]]:
    """Record what a person knows of commands of which the pump has just said that it does not; what the pump knew stands."""
    from itbpump.outcome import NothingOpen

    for cmd_id in wanted:
        if cmd_id not in asked:
            raise NothingOpen(cmd_id)
    out.say(BY_HAND)
    done: list[dict[str, Any]] = []
    for cmd_id, state in wanted.items():
        intent = asked[cmd_id]
        try:
            outcome = line.settle_by_hand(cmd_id, state, by, reason)
        except NothingOpen:  # it was open a moment ago, so the pump has answered
            out.say(f"command {cmd_id}, {intent.what}: the pump itself has told what became of it, and that stands")
            continue
        if outcome is not None:
            out.say(answer_text(intent, outcome))
            continue
        out.say(f"command {cmd_id}, {intent.what}: settled by {by} as {state.replace('_', ' ')}: {reason}")
        done.append({"command": cmd_id, "what": intent.what, "outcome": state.replace("_", " "), "by": by, "reason": reason})
    return done


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
