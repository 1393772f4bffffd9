"""Saying and asking over two streams, one line at a time.

Everywhere an answer may be `!` (stop page), `.` (leave), `<` (back) or `?` (help) instead. An answer that comes 10 min after its question
discards the edit (SR-11): a blocking read cannot be timed out, so the time between the two is measured. A key that bounced (SR-19) cannot
be seen in a line; every value is said back instead. Our own words are ASCII; a person's are as they were typed.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import TextIO

from itbpump.wording.deeds import on_face
from itbpump.wording.layout import WIDTH, laid_out, spelled_out
from itbpump.workflow.draft import ABANDONED_MS

__all__ = [
    "BACK",
    "HELP",
    "KEEP",
    "LEAVE",
    "STOP",
    "Abandoned",
    "Back",
    "Dialogue",
    "Ended",
    "Left",
    "Stopped",
    "Streams",
    "in_ascii",
    "said",
]

STOP, LEAVE, BACK, HELP, KEEP = "!", ".", "<", "?", "="
LONGEST = 2_000
"""Characters of a line; a week has some hundred."""
_ASCII = str.maketrans({"−": "-", "–": "-", "—": "-", "…": "...", "×": "x", "≥": ">=", "≤": "<=", "→": "->", "µ": "u", "·": "-"})
_MINUS = re.compile(r"(?<![A-Za-z0-9])−(?=\d)|(?<=\s)-(?=\d)")
_QUOTED = re.compile(r"(\"[^\"]*\"|'[^']*')")


class Ended(Exception):
    """The input has ended, or nobody takes the output any more. No error: the dialogue ends, and nothing more is sent. `midway`:
    a question of an edit was left without an answer."""

    midway = False


class Left(Exception):
    """The person has left what they were at."""


class Abandoned(Left):
    """The answer came so late that the edit is discarded (SR-11)."""


class Stopped(Left):
    """A stop was sent from the stop page: what was being edited no longer stands beside the pump as it is."""


class Back(Exception):
    """The person wants the question before."""


@dataclass(frozen=True, slots=True)
class Streams:
    """Where a dialogue reads and writes. `echo`: what was read is written too, as no terminal does it (a pipe).

    `forget` drops what was typed before a question stood there; `pending` says that a line waits to be read.
    """

    reader: TextIO
    writer: TextIO
    echo: bool = True
    forget: Callable[[], None] = lambda: None
    pending: Callable[[], bool] = lambda: False


class Dialogue:
    """Says and asks. `monotonic` gives ms; `urgent` is the stop page, set once there is a pump, and asked for by `!` at any question."""

    def __init__(self, streams: Streams, monotonic: Callable[[], int]) -> None:
        self.streams = streams
        self.monotonic = monotonic
        self.urgent: Callable[[], None] | None = None
        self._is_stopping = False

    # ------------------------------------------------------------------------------------------------ saying
    def say(self, *lines: str) -> None:
        """Each line laid out for 80 columns, in ASCII. Raises Ended when nobody takes them."""
        self._write("".join(f"{part}\n" for line in lines for part in _fitted(line)))

    def _write(self, text: str) -> None:
        try:
            self.streams.writer.write(text)
            self.streams.writer.flush()
        except (OSError, ValueError) as error:  # the other end of the pipe is closed, or the stream itself
            raise Ended from error

    # ------------------------------------------------------------------------------------------------ asking
    def ask(self, question: str, help: str = "", *, fresh: bool = False, edit: bool = True) -> str:
        """The answer to a question, without spaces around it; may be empty. `help` is what `?` says.

        `fresh`: what was typed ahead cannot have been meant for it. `edit`: an answer after 10 min discards what was being edited.
        Raises Left, Back, Abandoned, Ended.
        """
        while True:
            if fresh:
                self.streams.forget()
            asked = self.monotonic()
            try:
                answer = self._line(question)
            except Ended as end:
                end.midway = edit
                raise
            if answer == STOP:
                self._stop()
            if edit and self.monotonic() - asked >= ABANDONED_MS:
                self.say("DISCARDED: nobody answered for 10 min, so this edit is thrown away. Nothing was sent.")
                raise Abandoned
            if answer == LEAVE:
                raise Left
            if answer == BACK:
                raise Back
            if answer == HELP:
                self.say(help or "There is nothing more to say of this question.", *GENERAL)
            elif answer != STOP:
                return answer

    def _stop(self) -> None:
        """The stop page; the question comes again if nothing was sent from there."""
        if self.urgent is None:
            self.say("No pump is connected, so there is none to stop.")
        elif self._is_stopping:
            self.say("This is the stop page: only the word itself sends.")
        else:
            self._is_stopping = True
            try:
                self.urgent()
            finally:
                self._is_stopping = False

    def _line(self, question: str) -> str:
        """One line of plain text; what is none is refused. Raises Ended at the end of the input, Left for Ctrl-C."""
        while True:
            *above, last = _fitted(question)
            self._write("".join(f"{line}\n" for line in above) + (f"{last} " if len(last) < WIDTH else f"{last}\n"))
            try:
                line = self._read()
            except KeyboardInterrupt:
                self._write("\n")
                raise Left from None
            text = line.strip()
            if not text.isprintable() or len(line) > LONGEST:
                self._write("\n" if self.streams.echo else "")
                self.say("NOT TAKEN: that is not one line of plain text. Write it again.")
                continue
            if self.streams.echo:
                self._write("\n" + "\n".join(textwrap.wrap(f"> {text}", WIDTH)) + "\n")
            return text

    def _read(self) -> str:
        try:
            line = self.streams.reader.readline(LONGEST + 1)
            while line and not line.endswith("\n") and len(line) > LONGEST:  # the rest of a line without end is dropped
                rest = self.streams.reader.readline(LONGEST + 1)
                if rest.endswith("\n") or not rest:
                    break
        except (OSError, ValueError) as error:  # the terminal is gone
            raise Ended from error
        if not line:
            self._write("\n")
            raise Ended
        return line


GENERAL = (
    f"Everywhere: {HELP} this help, {BACK} back to the question before, {LEAVE} leave, {STOP} stop the therapy.",
    f"In a form: {KEEP} keeps what is offered.",
)


def in_ascii(text: str) -> str:
    """For voices and dumb terminals: `−28 mL` is `minus 28 mL`, as many voices do not read the sign."""
    return _MINUS.sub("minus ", text).translate(_ASCII)


def said(text: str) -> str:
    """A message with units as screens write them; what stands in quotes is to be typed and stays (SR-17)."""
    return "".join(part if part[:1] in {'"', "'"} else spelled_out(part) for part in _QUOTED.split(text))


def _fitted(text: str) -> list[str]:
    """Lines of at most 80 columns, with this face's words for what is to be done; a word that is longer goes on below."""
    found: list[str] = []
    for line in laid_out(in_ascii(on_face(text, "plain"))).split("\n"):
        found += [line] if len(line) <= WIDTH else textwrap.wrap(line, WIDTH) or [""]
    return found
