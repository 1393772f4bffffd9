"""The one place where an error becomes a text and an exit code (design 5), and where prose and data part ways.

0 fine · 1 failed · 2 usage or unreadable input · 3 an override is needed · 4 a hard limit · 5 the outcome is not known.
A documented error never shows a traceback; one that is not documented is a defect and does. An interrupt in the midst of a command to the
pump says what it left open. Prose is laid out for 80 columns. Imports nothing heavy.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from typing import Any

import typer
from typer.core import TyperCommand

from itbpump.errors import ConfigurationError, InputError, ItbPumpError, LibraryError
from itbpump.wording.layout import laid_out
from itbpump.wording.outcomes import unknown_text

__all__ = [
    "FAILED",
    "FINE",
    "HARD_LIMIT",
    "NEEDS_OVERRIDE",
    "UNKNOWN",
    "USAGE",
    "Cancelled",
    "CommandError",
    "GuardedCommand",
    "Output",
    "exit_code",
]

FINE, FAILED, USAGE, NEEDS_OVERRIDE, HARD_LIMIT, UNKNOWN = range(6)


class CommandError(ItbPumpError):
    """A command ends here, with this exit code. `data` joins the error on stdout with --json."""

    def __init__(self, message: str, code: int = FAILED, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = dict(data or {})


class Cancelled(CommandError):
    """The person did not confirm; nothing was sent."""


class Output:
    """Where a command writes: data on stdout as JSON, prose on stdout for people and on stderr beside JSON, notes always on stderr."""

    def __init__(self, as_json: bool) -> None:
        self.as_json = as_json

    def say(self, *lines: str) -> None:
        """Prose; a line that is too long for the screen goes on below."""
        for line in lines:
            typer.echo(laid_out(line), err=self.as_json)

    def note(self, text: str) -> None:
        """Progress and warnings."""
        typer.echo(laid_out(text), err=True)

    def data(self, content: Mapping[str, Any]) -> None:
        """The result for programs; nothing without --json."""
        if self.as_json:
            typer.echo(json.dumps(content, indent=2, ensure_ascii=False, default=str))

    def ask(self, question: str) -> str:
        """A line from the person; the question goes to stderr. Raises CommandError (2) when nobody can answer.

        What was typed before the question stood there is thrown away: it cannot have been meant as its answer.
        """
        _forget_type_ahead()
        typer.echo(laid_out(question) + " ", nl=False, err=True)
        try:
            answer = sys.stdin.readline()
            if answer and not sys.stdin.isatty():  # nobody's Enter has ended the line
                typer.echo("", err=True)
        except KeyboardInterrupt:
            answer = "\n"
            typer.echo("", err=True)
        if not answer:
            typer.echo("", err=True)
            raise CommandError("a confirmation is needed and nobody answers; nothing was sent; add --yes to run without a question", USAGE)
        return answer.strip()


def _forget_type_ahead() -> None:
    """Drop the lines waiting in the terminal; a pipe or a file keeps what it has."""
    try:
        import termios
    except ImportError:
        return
    if sys.stdin.isatty():
        termios.tcflush(sys.stdin.fileno(), termios.TCIFLUSH)


class GuardedCommand(TyperCommand):
    """A command whose documented errors end in a text on stderr and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run it. Raises typer.Exit for a documented error."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as error:
            told = _interrupted(error, str(ctx.params.get("url") or ctx.params.get("pump") or "URL"))
            if told is None:
                raise
            _tell(told, told.code, str(told), as_json=bool(ctx.params.get("as_json")))
            raise typer.Exit(told.code) from error
        except Exception as error:
            code = exit_code(error)
            if code is None:
                raise
            _tell(error, code, _with_address(_with_action(error), ctx.params), as_json=bool(ctx.params.get("as_json")))
            raise typer.Exit(code) from error


def _interrupted(error: KeyboardInterrupt, url: str) -> CommandError | None:
    """What an interrupt left open in the pump; None when no command was under way."""
    if "itbpump.outcome" not in sys.modules:
        return None
    from itbpump.outcome import Applied, Interrupted

    if not isinstance(error, Interrupted):
        return None
    if error.outcome is None:
        text = unknown_text(error.what, error.cmd_id, "it was interrupted from the keyboard", url)
        return CommandError(text, UNKNOWN, {"outcome": "unknown", "command": error.cmd_id, "what": error.what})
    done = "applied" if isinstance(error.outcome, Applied) else "not applied"
    text = f"interrupted: command {error.cmd_id}, {error.what}, was {done}; the pump was not read again; read it: itbpump status {url}"
    return CommandError(text, FAILED, {"outcome": done, "command": error.cmd_id, "what": error.what})


def _with_action(error: Exception) -> str:
    """What is wrong and what to do; most errors say both in their text."""
    text, action = str(error), error.action if isinstance(error, ItbPumpError) else ""
    return text if not action or action in text else f"{text}; {action}"


def _with_address(text: str, parameters: Mapping[str, Any]) -> str:
    """Advice such as `itbpump pair URL` with the address that was given, so that it can be typed as it stands."""
    url = parameters.get("url") or parameters.get("pump")
    return re.sub(r"(itbpump [a-z-]+(?: RX --pump)?) URL\b", lambda found: f"{found[1]} {url}", text) if isinstance(url, str) else text


def _tell(error: Exception, code: int, text: str, *, as_json: bool) -> None:
    typer.echo(laid_out(f"{'' if isinstance(error, Cancelled) else 'error: '}{_in_mL(text)}"), err=True)
    if as_json:
        data = error.data if isinstance(error, CommandError) else {}
        form = {**data, "error": {"kind": type(error).__name__, "message": text}, "exit_code": code}
        typer.echo(json.dumps(form, indent=2, ensure_ascii=False, default=str))


def _in_mL(text: str) -> str:
    """Nanolitres of a message, which the pump's own code counts in, as people read a volume."""

    def volume(found: re.Match[str]) -> str:
        from itbpump.quantity import Volume

        return str(Volume(int(found[1].replace(",", ""))))

    return re.sub(r"\b([0-9][0-9,]*) nL\b(?!/)", volume, text)


def exit_code(error: BaseException) -> int | None:
    """The exit code of a documented error; None for anything else, which is a defect."""
    if isinstance(error, CommandError):
        return error.code
    if isinstance(error, (InputError, LibraryError)):
        return USAGE
    if isinstance(error, ConfigurationError):
        return HARD_LIMIT if error.rule else FAILED
    if isinstance(error, ItbPumpError):
        return _client_code(error)
    return _simulator_code(error)


def _client_code(error: ItbPumpError) -> int:
    """Errors of link, client and transport; loaded only now, as the error has loaded them already."""
    from itbpump.link.errors import PumpRefused
    from itbpump.link.transaction import CommandFailed
    from itbpump.outcome import DosingBlocked
    from itbpump.refill import RefillError
    from itbpump.transport.base import BadUrlError

    refusal = error.refusal if isinstance(error, CommandFailed) else error
    if isinstance(refusal, PumpRefused):
        return HARD_LIMIT if refusal.limit is not None else FAILED
    if isinstance(error, DosingBlocked):
        return UNKNOWN
    if isinstance(error, RefillError):
        return HARD_LIMIT
    if isinstance(error, BadUrlError):
        return USAGE
    cause = error.__cause__
    return FAILED if cause is None or isinstance(cause, ItbPumpError) else _simulator_code(cause) or FAILED


def _simulator_code(error: BaseException) -> int | None:
    """Errors of the simulator and its bench, if it is loaded at all."""
    if "firmware_sim" not in sys.modules:
        return None
    from firmware_sim.bench import BenchError
    from firmware_sim.endpoints.device import EndpointError
    from firmware_sim.state_file import StateFileError

    if isinstance(error, BenchError):
        return USAGE if error.kind.startswith("bad-") else FAILED
    if isinstance(error, StateFileError):
        return USAGE
    if isinstance(error, EndpointError):  # one that comes from a value names a pump that cannot be: no such model, a fill that does not fit
        return USAGE if isinstance(error.__cause__, ValueError) else FAILED
    return None
