# ruff: noqa: PLC0415 -- each command loads only what it uses: `--version` stays fast
"""`itbpump alerts`: check, send, list, acknowledge, snooze, publish the calendar, and what makes it run by itself.

A face: it decides nothing. `alerts_app(command_class)` is hooked in by `itbpump.console`, which brings the class that turns documented
errors into a text and an exit code; 0 fine, 1 something was not done or nobody could be told, 2 usage.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.alerts.model import AlertKind, Stage
from itbpump.errors import InputError
from itbpump.wording.layout import laid_out

if TYPE_CHECKING:
    from itbpump.alerts.job import Run
    from itbpump.alerts.source import RegistrySource

__all__ = ["COMMANDS", "UsageError", "alerts_app"]

FAILED = 1
_STATES = ("open", "acknowledged", "snoozed", "muted", "resolved")
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Url = Annotated[
    str | None,
    typer.Option("--registry", envvar="ITBPUMP_REGISTRY", metavar="URL", help="The clinic's registry. Default: this computer's own."),
]
PolicyFile = Annotated[
    Path | None, typer.Option("--policy", metavar="FILE", help="The clinic's leads and closed days. Default: alerts.toml, if it is there.")
]
ChannelFile = Annotated[
    Path | None, typer.Option("--channels", metavar="FILE", help="How word is sent. Default: channels.toml in the configuration folder.")
]
Key = Annotated[str, typer.Argument(metavar="REFERENCE", help="Of the alert, as the list shows it.")]
By = Annotated[str, typer.Option("--by", envvar="ITBPUMP_USER", metavar="ID", help="Your opaque staff id.")]
Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, in one line; it is kept.")]


class UsageError(InputError):
    """What was typed cannot be meant."""


def check(
    registry: Url = None,
    policy: PolicyFile = None,
    channels: ChannelFile = None,
    *,
    send: Annotated[bool, typer.Option("--send", help="Send what is due as well: what a timer runs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Look at every pump and record what is found; --send tells people too. Ends with 1 if somebody could not be told."""
    from itbpump.alerts import job
    from itbpump.alerts.channels.setup import load_channels
    from itbpump.alerts.desk import load_clinic_policy

    rules = load_clinic_policy(policy)
    ways = load_channels(channels) if send else {}
    with _source(registry) as source:
        found = job.run(source, ways, _now(), policy=rules, clock=_now) if send else job.check(source, _now(), policy=rules)
    _tell_run(found, as_json=as_json, sent=send)


def send(registry: Url = None, channels: ChannelFile = None, *, as_json: AsJson = False) -> None:
    """Send what is recorded and waits, without looking at the pumps. Ends with 1 if something could not be sent."""
    from itbpump.alerts import job
    from itbpump.alerts.channels.setup import load_channels

    ways = load_channels(channels)
    with _source(registry) as source:
        found = job.send(source, ways, _now(), clock=_now)
    _tell_run(found, as_json=as_json, sent=True)


def _tell_run(run: Run, *, as_json: bool, sent: bool) -> None:
    counts = run.counts()
    problems = list(run.problems)
    if run.failed:
        problems.append(f"{run.failed} messages could not be sent now; they are kept and tried again: itbpump alerts send")
    if run.refused:
        problems.append(f"{run.refused} messages were refused for good; see that contacts and channels are right: itbpump alerts channels")
    if as_json:
        _data({**counts, "problems": problems})
    else:
        names = ("pumps", "fired", "told", "settled", *(("delivered", "failed", "refused", "withdrawn") if sent else ()))
        _say(", ".join(f"{name} {counts[name]:,}" for name in names))
        if not sent:
            _say("Nothing was sent: --send tells people, as the timer does.")
    _complain(problems)


def _complain(problems: Sequence[str]) -> None:
    for problem in problems:
        typer.echo(laid_out(f"ATTENTION: {problem}"), err=True)
    if problems:
        raise typer.Exit(FAILED)


def list_(
    registry: Url = None,
    *,
    stage: Annotated[str, typer.Option("--stage", metavar="STAGE", help="That stage and worse, such as overdue.")] = "scheduled",
    kind: Annotated[list[str] | None, typer.Option("--kind", metavar="KIND", help="Such as refill; may be repeated.")] = None,
    state: Annotated[list[str] | None, typer.Option("--state", metavar="STATE", help=f"{', '.join(_STATES)}; may be repeated.")] = None,
    pump: Annotated[str, typer.Option("--pump", metavar="SERIAL", help="One pump.")] = "",
    patient: Annotated[str, typer.Option("--patient", metavar="ID", help="One patient, by the opaque id.")] = "",
    until: Annotated[str | None, typer.Option("--until", metavar="DATE", help="Due by then, or without a day.")] = None,
    page: Annotated[Path | None, typer.Option("--page", metavar="FILE", help="Write it as an HTML page instead.")] = None,
    show_patient: Annotated[bool, typer.Option("--show-patient/--hide-patient", help="Opaque patient ids.")] = True,
    details: Annotated[bool, typer.Option("--details", help="What is known of each, and what to do.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show what is open, the most urgent first. Changes nothing."""
    from itbpump.alerts.desk import heartbeat_of, worklist_rows, write_text
    from itbpump.alerts.store import AlertStore
    from itbpump.alerts.table import table_lines
    from itbpump.alerts.worklist import Selection, json_of, page_of, selected

    states = frozenset(_one_of("--state", word, _STATES) for word in state or ())
    kinds = frozenset(AlertKind(_one_of("--kind", word, [known.value for known in AlertKind])) for word in kind or ())
    selection = Selection(_stage(stage), kinds, pump, patient, states, None if until is None else _day("--until", until))
    now = _now()
    with _source(registry) as source:
        store = AlertStore(source.engine)
        heartbeat = heartbeat_of(store)
        rows = selected(worklist_rows(store, now, settled="resolved" in states), selection)
    if page is not None:
        _written(page, lambda: write_text(page, page_of(rows, heartbeat, now=now, show_patient=show_patient)))
    if as_json:
        _data(json_of(rows, heartbeat, now=now))
    elif page is not None:
        _say(f"Written: {page}, {len(rows):,} alerts.")
    else:
        colour = sys.stdout.isatty() and not os.environ.get("NO_COLOR")
        typer.echo("\n".join(table_lines(rows, heartbeat, now=now, colour=colour, show_patient=show_patient, details=details)))


def ack(key: Key, by: By, reason: Reason, registry: Url = None, *, as_json: AsJson = False) -> None:
    """Acknowledge an alert: no more repeats at its stage. What is critical goes on being told."""
    from itbpump.alerts.store import AlertStore

    with _source(registry) as source:
        state = AlertStore(source.engine).acknowledge(key, by, reason, _now())
    goes_on = state.alert.is_critical
    if as_json:
        _data({"key": key, "state": "acknowledged", "stage": state.alert.stage.word, "by": by, "reason": reason, "still_told": goes_on})
    else:
        _say(f"Acknowledged by {by}: {state.alert.title}.{' It is critical: word goes on until its cause is settled.' if goes_on else ''}")


def snooze(
    key: Key,
    by: By,
    reason: Reason,
    until: Annotated[str, typer.Option("--until", metavar="TIME", help="Such as 2026-08-19T14:00; never past its next stage.")],
    policy: PolicyFile = None,
    registry: Url = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Keep an alert quiet until a time. Refused past the beginning of its next stage, and for what is critical."""
    from itbpump.alerts.desk import load_clinic_policy
    from itbpump.alerts.store import AlertStore

    end = _moment("--until", until)
    rules = load_clinic_policy(policy)
    with _source(registry) as source:
        state = AlertStore(source.engine).snooze(key, end, by, reason, _now(), rules)
    if as_json:
        _data({"key": key, "state": "snoozed", "stage": state.alert.stage.word, "by": by, "reason": reason, "until": end.isoformat()})
    else:
        _say(f"Quiet until {_shown(end)} by {by}: {state.alert.title}.")


def calendar(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Such as refills.ics; its own earlier version is its memory.")],
    policy: PolicyFile = None,
    registry: Url = None,
    *,
    show_patient: Annotated[bool, typer.Option("--show-patient", help="Opaque patient ids in the titles.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write every refill day as a calendar file that any web server can publish."""
    from itbpump.alerts.desk import calendar_entries, load_clinic_policy
    from itbpump.alerts.ical import publish
    from itbpump.alerts.store import AlertStore

    rules = load_clinic_policy(policy)
    now = _now()
    with _source(registry) as source:
        wanted = list(calendar_entries(source, AlertStore(source.engine), rules, now, show_patient=show_patient))
    entries = publish(file, wanted, now=now)
    cancelled = sum(entry.cancelled for entry in entries)
    if as_json:
        _data({"file": str(file), "entries": len(entries) - cancelled, "cancelled": cancelled})
    else:
        _say(f"Written: {file}, {len(entries) - cancelled:,} refill days, {cancelled:,} cancelled.")


def channels(
    file: ChannelFile = None,
    registry: Url = None,
    *,
    as_json: AsJson = False,
) -> None:
    """Show how word is sent, and check the file that says so and the contacts of the registry. Sends nothing. Ends with 1 if a contact
    could not be told."""
    from itbpump.alerts.channels.setup import default_path, kinds, load_channels
    from itbpump.alerts.job import unreachable
    from itbpump.registry.engine import looked_at

    found, problems = load_channels(file), []
    if address := registry or looked_at(os.environ):
        with _source(address) as source:
            problems = unreachable(source.contacts(), found)
    if as_json:
        words = {kind.name: kind.words for kind in kinds().values()}
        _data({"channels": sorted(found), "kinds": words, "problems": problems})
    else:
        _say(f"Set up: {', '.join(sorted(found))}." if found else f"None is set up; write {file or default_path()}.")
        _say("", "Kinds:", *(f"  {kind.name}: {kind.words}" for kind in kinds().values()))
    _complain(problems)


def install(
    registry: Url = None,
    policy: PolicyFile = None,
    channels: ChannelFile = None,
    *,
    system: Annotated[str, typer.Option("--for", metavar="SYSTEM", help="systemd, launchd or windows. Default: this computer's.")] = "",
    print_: Annotated[bool, typer.Option("--print", help="Print the texts. Nothing is installed from here.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print what makes the check run every hour by itself: a systemd timer, a launchd agent or a Windows task.

    Registry, leads and channels that are named here, or by ITBPUMP_REGISTRY, ITBPUMP_ALERTS and ITBPUMP_CHANNELS, are named in the texts.
    """
    from itbpump.alerts.install import pieces, schedulers

    if not print_:
        raise UsageError("give --print: the texts are yours to put in place, nothing is installed from here")
    own = {"darwin": "launchd", "win32": "windows"}.get(sys.platform, "systemd")
    scheduler = schedulers()[_one_of("--for", system or own, tuple(schedulers()))]
    place, hidden = _place(registry)
    made = pieces(scheduler, _program(), [*place, *_files(policy, channels)])
    problem = f"the registry's address holds a password and is not in these texts: {scheduler.secret}" if hidden else ""
    if as_json:
        texts = [{"path": piece.path, "text": piece.text} for piece in made]
        _data({"system": scheduler.name, "files": texts, "then": list(scheduler.then), "problem": problem})
        return
    for piece in made:
        typer.echo(f"### {piece.path}\n{piece.text}")
    typer.echo("### then\n" + "\n".join(scheduler.then))
    if problem:
        typer.echo(laid_out(f"ATTENTION: {problem}"), err=True)


def _place(registry: str | None) -> tuple[list[str], bool]:
    """The option that names the registry, none where this computer's own is meant, and whether one was left out. Raises CannotOpen."""
    from itbpump.registry.engine import address_of, database_file, place_of

    if registry is None:
        return [], False
    url = address_of(registry)
    if url.password is not None:
        return [], True
    file = database_file(url)
    return ["--registry", place_of(url) if file is None else str(file.absolute())], False


def _files(policy: Path | None, channels: Path | None) -> list[str]:
    """The options that name files, with their full paths."""
    from itbpump.alerts.channels.setup import CHANNELS
    from itbpump.alerts.desk import POLICY

    named = {"--policy": policy or os.environ.get(POLICY), "--channels": channels or os.environ.get(CHANNELS)}
    return [part for option, file in named.items() if file for part in (option, str(Path(file).expanduser().absolute()))]


COMMANDS: tuple[tuple[str, Callable[..., Any], str], ...] = (
    ("check", check, "Look at every pump; --send tells people."),
    ("list", list_, "Show what is open."),
    ("ack", ack, "Acknowledge an alert."),
    ("snooze", snooze, "Keep an alert quiet for a while."),
    ("send", send, "Send what waits."),
    ("calendar", calendar, "Write the refill days as a calendar."),
    ("channels", channels, "Show how word is sent."),
    ("install", install, "Print what makes it run by itself."),
)


def alerts_app(command_class: type[Any]) -> typer.Typer:
    """The group of commands, each of that class."""
    app = typer.Typer(help="Refill alerts: find, tell, acknowledge, publish.", no_args_is_help=True, rich_markup_mode=None)
    for name, function, short in COMMANDS:
        app.command(name, cls=command_class, short_help=short)(function)
    return app


# ------------------------------------------------------------------------------------------------ small things
@contextmanager
def _source(url: str | None) -> Iterator[RegistrySource]:
    from itbpump.alerts.source import RegistrySource
    from itbpump.registry.engine import telling
    from itbpump.registry.store import Registry

    with Registry.open(url) as registry, telling(registry.engine.url):
        yield RegistrySource(registry)


def _now() -> datetime:
    return datetime.now().astimezone()


def _program() -> list[str]:
    """How this program is started, wherever a scheduler starts it."""
    found = shutil.which("itbpump")
    return [str(Path(found).absolute())] if found else [sys.executable, "-m", "itbpump"]


def _stage(word: str) -> Stage:
    words = {stage.word.replace(" ", "-"): stage for stage in Stage}
    return words[_one_of("--stage", word.replace(" ", "-"), tuple(words))]


def _one_of(option: str, word: str, known: Any) -> str:
    if word not in known:
        raise UsageError(f"{option} {word!r}: write {', '.join(known)}")
    return word


def _day(option: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no date; write it as 2026-08-19") from error


def _moment(option: str, text: str) -> datetime:
    """A time without its offset is meant here; a day begins at its midnight."""
    try:
        found = datetime.fromisoformat(text) if "T" in text or " " in text else datetime.combine(date.fromisoformat(text), time())
    except ValueError as error:
        raise UsageError(f"{option} {text!r} is no time; write it as 2026-08-19 or 2026-08-19T14:00") from error
    return found.astimezone() if found.tzinfo is None else found


def _shown(moment: datetime) -> str:
    from itbpump.forecast import day_text

    return f"{day_text(moment.date())} {moment:%H:%M}"


def _written(path: Path, write: Callable[[], None]) -> None:
    try:
        write()
    except OSError as error:
        raise UsageError(f"{path} cannot be written ({error.strerror or error}); name a file in a folder of yours") from error


def _say(*lines: str) -> None:
    for line in lines:
        typer.echo(laid_out(line))


def _data(content: Mapping[str, Any]) -> None:
    typer.echo(json.dumps(content, indent=2, ensure_ascii=False))
