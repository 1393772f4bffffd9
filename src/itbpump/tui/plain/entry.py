"""From a command to the dialogue and to its exit code (design 5).

0 fine, 1 failed, 2 the input ended in the middle of an edit or the address makes no sense, 5 an outcome is not known.
"""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TextIO

from itbpump.errors import InputError, ItbPumpError
from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.transport.base import BadUrlError
from itbpump.tui.plain.connecting import Connect, Ports, Recent, choose_url, open_pump
from itbpump.tui.plain.desk import Desk, refused_text
from itbpump.tui.plain.dialogue import GENERAL, Back, Dialogue, Ended, Left, Streams
from itbpump.tui.plain.menu import Item, choose
from itbpump.tui.plain.visiting import Ending, Page, visit
from itbpump.wording import DISCLAIMER
from itbpump.workflow.registering import Registering
from itbpump.workflow.settings import Settings

if TYPE_CHECKING:
    from itbpump.registry.contact import Contact

__all__ = ["FAILED", "FINE", "UNKNOWN", "USAGE", "run", "standard_streams"]

FINE, FAILED, USAGE, UNKNOWN = 0, 1, 2, 5
_AGAIN, _OTHER = "again", "other"


def run(
    url: str | None,
    *,
    demo: bool = False,
    streams: Streams | None = None,
    connect: Connect = connect,
    monotonic: Callable[[], int] = lambda: time.monotonic_ns() // 1_000_000,
    settings: Settings | None = None,
    recent: Recent | None = None,
    ports: Ports | None = None,
    registering: Registering | None = None,
) -> int:
    """Hold the dialogue until it ends; its exit code.

    `url` is opened at once; without it, and without `demo` (a simulated pump of its own), the person chooses. `connect(url)` makes a
    session, `monotonic` gives ms, `recent` and `ports` are what can be chosen from; `registering` takes contacts.
    Nothing is sent once the input has ended.
    """
    program = _Program(
        Dialogue(streams or standard_streams(), monotonic), connect, settings or Settings(), recent or _recent_pumps, ports or _serial_ports
    )
    program.registering = registering or Registering(None)
    try:
        return program.run(url, demo=demo)
    except Ended as end:
        return max(program.code, USAGE if end.midway else FINE)
    except (Left, Back):
        return program.code


class _Program:
    """One run. `code` is the exit code so far."""

    def __init__(self, dialogue: Dialogue, connect: Connect, settings: Settings, recent: Recent, ports: Ports) -> None:
        self.dialogue = dialogue
        self.connect = connect
        self.settings = settings
        self.recent = recent
        self.ports = ports
        self.code = FINE
        self.registering = Registering(None)
        self.extra: tuple[Item[Page], ...] = ()
        self.desk: Desk | None = None

    def run(self, url: str | None, *, demo: bool) -> int:
        self.dialogue.say(f"itbpump, plain dialogue. {DISCLAIMER[0].upper()}{DISCLAIMER[1:]}.", *GENERAL)
        if demo:
            return self._demo()
        if url and self._at(url):
            return self.code
        while True:
            self._at(choose_url(self.dialogue, self.recent, self.ports))

    def _demo(self) -> int:
        """At a simulated pump that lives as long as this run."""
        from itbpump.tui.demo import DemoPump  # noqa: PLC0415 -- the simulator is loaded for a demo alone
        from itbpump.tui.plain.demoing import demo_page  # noqa: PLC0415 -- the same

        pump = DemoPump(now=datetime.now().astimezone())
        self.connect = lambda _url: pump.connect()
        self.extra = (Item(lambda: demo_page(self.dialogue, pump, self._note), "The simulated pump: its time, and trouble", group="Demo"),)
        try:
            while not self._at("demo"):
                demo_page(self.dialogue, pump)
        finally:
            pump.close()
        return self.code

    def _note(self, text: str) -> None:
        """Into the report of the visit that goes on."""
        if self.desk is not None:
            self.desk.visit.noted(text, self.desk.pump.host_now())

    def _at(self, url: str) -> bool:
        """Visit the pump at an address, again after a lost line if the person wants; False where another line is wanted.

        Raises Left, Ended.
        """
        while True:
            try:
                pump = open_pump(self.dialogue, url, self.connect)
            except Left:
                return False
            except ItbPumpError as error:
                self.code = max(self.code, USAGE if isinstance(error, (BadUrlError, InputError)) else FAILED)
                self.dialogue.say(f"NOT CONNECTED: {refused_text(error)}")
            else:
                if self._visit(pump) is Ending.LEFT:
                    return True
                self.code = max(self.code, FAILED)
            items = [Item(_AGAIN, "Connect again"), Item(_OTHER, "Choose another line")]
            try:
                if choose(self.dialogue, "What now? A point ends the program.", items, edit=False) == _OTHER:
                    return False
            except Back:
                return False

    def _visit(self, pump: Pump) -> Ending:
        """Whatever way it ends, no session stays open, and an outcome that is not known is told by the exit code."""
        self.desk = desk = Desk(self.dialogue, pump, self.settings.policy(), registering=self.registering)
        try:
            return visit(desk, self.extra)
        finally:
            self.desk = None
            left_open = bool(desk.open_intents())
            self.code = max(self.code, UNKNOWN if left_open else FAILED if desk.failed else FINE)
            contact = self._contact(pump, ask_pump=not left_open)
            with suppress(ItbPumpError):  # a line that is gone cannot be told that the session ends; the pump ends it by itself
                pump.close()
            self._tell(self.registering.deliver(contact))
            if left_open:
                with suppress(Ended):  # nobody may be there to hear it; the exit code says it too
                    self.dialogue.say("OUTCOME UNKNOWN: left open for this pump. Watch the patient.")

    def _contact(self, pump: Pump, *, ask_pump: bool) -> Contact | None:
        """For the registry, where one is set; why there is none is told."""
        try:
            return self.registering.take(pump, ask_pump=ask_pump)
        except ItbPumpError as error:
            self._tell((f"This contact is not recorded in the registry: {error}",))
            return None

    def _tell(self, texts: Sequence[str]) -> None:
        with suppress(Ended):  # nobody may be there to hear it
            for text in texts:
                self.dialogue.say(f"ATTENTION: {text}")


# ------------------------------------------------------------------------------------------------ the world
def standard_streams() -> Streams:
    """Standard input and output of this process. A sign that the terminal cannot show becomes a question mark, never an error."""
    for stream in (sys.stdin, sys.stdout):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    return Streams(sys.stdin, sys.stdout, not sys.stdin.isatty(), lambda: _forget(sys.stdin), lambda: _is_pending(sys.stdin))


def _forget(stream: TextIO) -> None:
    """Drop the lines waiting in a terminal; a pipe or a file keeps what it has."""
    try:
        import termios  # noqa: PLC0415 -- not on every system
    except ImportError:
        return
    if stream.isatty():
        termios.tcflush(stream.fileno(), termios.TCIFLUSH)


def _is_pending(stream: TextIO) -> bool:
    """Something waits to be read; False where the system cannot tell."""
    if os.name != "posix":
        return False
    return bool(select.select([stream], [], [], 0)[0])


def _recent_pumps() -> Sequence[tuple[str, str, str]]:
    state = HostState.open()
    try:
        return state.recent()
    finally:
        state.close()


def _serial_ports() -> Sequence[tuple[str, str]]:
    from itbpump.tui.ports import found_ports  # noqa: PLC0415 -- pyserial's list is loaded when somebody looks

    return [(port.device, port.description) for port in found_ports()]
