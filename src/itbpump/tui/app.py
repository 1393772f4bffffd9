"""The program: which line is open, which page is on top, and the keys that work everywhere.

It owns the reader (the one thread that talks to the pump), the newest snapshot, and what this visit has done. Work for the pump goes
through `ask`; nothing here or on a page waits for it on the screen's own thread. Not here: pages (`screens`), judgement, words.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, TypeAlias, TypeVar

from textual import events, work
from textual.app import App
from textual.binding import BindingType
from textual.command import CommandPalette, Provider
from textual.message import Message

from itbpump.errors import ItbPumpError
from itbpump.tui import themes
from itbpump.tui.clinic import Clinic
from itbpump.tui.keys import bindings
from itbpump.tui.later import Later
from itbpump.tui.pages import key_lines
from itbpump.tui.ports import FoundPort, found_ports
from itbpump.tui.screens.connect import ConnectPage
from itbpump.tui.screens.hearing import HearsKeys
from itbpump.tui.screens.help import HelpPage
from itbpump.tui.screens.notice import AskPage, NoticePage
from itbpump.tui.screens.page import Lines, Page
from itbpump.tui.screens.small import SmallPage
from itbpump.tui.snapshot import Snapshot
from itbpump.workflow.facts import Facts, Policy, gather

if TYPE_CHECKING:
    from itbpump.outcome import Outcome
    from itbpump.pump import Pump
    from itbpump.report import SessionRecord
    from itbpump.therapy import Prescription
    from itbpump.tui.demo import DemoPump
    from itbpump.tui.reader import Reader
    from itbpump.wire.messages import Event
    from itbpump.workflow.consent import Consent
    from itbpump.workflow.model import Proposal, Task, Walk
    from itbpump.workflow.registering import Registering
    from itbpump.workflow.stopping import StopResult
    from itbpump.workflow.visit import VisitKeeper

__all__ = ["Fresh", "PumpApp", "Services"]

T = TypeVar("T")
OnEvent: TypeAlias = "Callable[[Event], None]"
SMALLEST = (60, 18)
CHECK_S = 1.0


class Fresh(Message):
    """A newer snapshot is there; `app.snapshot` holds it."""


@dataclass(frozen=True)
class Services:
    """What the screen stands on; tests put their own in. `open_line(url, on_event)` gives what the reader calls
    to make a session."""

    open_line: Callable[[str, OnEvent], Callable[[], Pump]]
    monotonic_ms: Callable[[], int]
    recent: Callable[[], list[tuple[str, str, str]]]
    ports: Callable[[], list[FoundPort]] = found_ports
    policy: Policy = field(default_factory=Policy)
    keymap: dict[str, str] = field(default_factory=dict)
    theme: str = themes.DEFAULT
    folder: Path = field(default_factory=Path.cwd)
    poll_ms: int = 2_000
    loaded: Callable[[], None] = lambda: None
    """Called once everything that a visit needs is loaded."""
    registering: Callable[[], Registering] | None = None
    """Where contacts are recorded; None: nowhere."""


def carry_out(pump: Pump, proposal: Proposal, consent: Consent, policy: Policy) -> Outcome:
    """The one gate (`workflow.consent`), which says what it raises."""
    from itbpump.workflow import consent as gate  # noqa: PLC0415 -- `later` has loaded it

    return gate.carry_out(pump, proposal, consent, policy)


def _commands() -> type[Provider]:
    from itbpump.tui.palette import PumpCommands  # noqa: PLC0415 -- loaded with the palette

    return PumpCommands


class PumpApp(App[int]):
    """The clinician's screen."""

    TITLE = "itbpump"
    CSS_PATH = "app.tcss"
    CSS = themes.themed_css()
    BINDINGS: ClassVar[list[BindingType]] = bindings("app")
    COMMANDS = {_commands}  # noqa: RUF012 -- as Textual declares it
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012 -- as Textual declares it
        (0, "-narrow"),
        (80, "-normal"),
        (120, "-wide"),
    ]

    def __init__(self, services: Services, url: str = "", demo: DemoPump | None = None) -> None:
        super().__init__()
        self.services = services
        self.demo = demo
        self.url = url
        self.snapshot: Snapshot | None = None
        self.rx: Prescription | None = None
        self._visit: VisitKeeper | None = None
        self.answers: dict[int, str] = {}
        """What the pump, or a person, has told since of a command whose outcome was unknown, by its id."""
        self.reader: Reader | None = None
        self.clinic = Clinic(services.registering, self._tell)
        self.unrecorded: tuple[str, ...] = ()
        """What a person has to know of the registry after the screen has closed."""
        self._is_drawing = threading.Event()
        self.later = Later(services.loaded)
        themes.register(self)
        self.theme = services.theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """States keep their colours under a theme that is none of ours."""
        return themes.variable_defaults()

    # -------------------------------------------------------------------------------------------------- life
    def on_mount(self) -> None:
        """First page: the pump's where an address was given, else the one that asks for it."""
        self.set_keymap(self.services.keymap)
        self.set_interval(CHECK_S, self._look_at_pages)
        self.push_screen(ConnectPage())
        self.call_after_refresh(self.later.begin)
        if self.url or self.demo is not None:
            self.open_pump(self.url)

    @property
    def visit(self) -> VisitKeeper:
        """What was done since the pump was opened."""
        if self._visit is None:
            from itbpump.workflow.visit import VisitKeeper  # noqa: PLC0415 -- `later` loads it, as everything of a visit

            self._visit = VisitKeeper()
        return self._visit

    def open_pump(self, url: str) -> None:
        """Begin a session; the pump page says how it comes along."""
        self.later.wait()
        from itbpump.tui.reader import Reader  # noqa: PLC0415 -- `later` has loaded it
        from itbpump.tui.screens.pump import PumpPage  # noqa: PLC0415 -- the same
        from itbpump.workflow.libraries import library_for  # noqa: PLC0415 -- the same

        self.close_pump()
        self.url = url
        connect = self.demo.connect if self.demo is not None and not url else self.services.open_line(url, self._hinted)
        folder = self.services.policy.clinic_library
        library = partial(library_for, folder=folder)
        learned = self.clinic.opens()
        if learned is None:
            self.reader = Reader(connect, self._published, poll_ms=self.services.poll_ms, drug_library=library)
        else:
            line, known = learned.connecting(connect), learned.calibration
            self.reader = Reader(line, self._published, poll_ms=self.services.poll_ms, drug_library=library, calibration=known)
            learned.arrived = self.reader.present_again
        self._visit = None
        self.answers = {}
        if self.demo is not None:
            self.demo.on_event = self._hinted
        self.reader.start()
        self.push_screen(PumpPage())

    def _tell(self, text: str) -> None:
        """From another thread, onto the page."""
        if self.is_running:
            self.call_later(self.say, text, "warning")

    def close_pump(self) -> None:
        """End the session; harmless without one."""
        self.clinic.left()
        reader, self.reader, self.snapshot, self.rx = self.reader, None, None, None
        if reader is not None:
            reader.stop()

    def _hinted(self, event: Event) -> None:
        """The pump says by itself that something happened: read it now. Called on the reader's thread."""
        if self.reader is not None:
            self.reader.hint(event)

    def _published(self, snapshot: Snapshot) -> None:
        """Called on the reader's thread. Readings that come faster than they can be drawn are skipped, never queued."""
        self.snapshot = snapshot
        if not self._is_drawing.is_set():
            self._is_drawing.set()
            self.post_message(Fresh())

    def on_fresh(self) -> None:
        """Hand it to the page on top, and to the one that shows around a question; one that comes up asks for it itself."""
        self._is_drawing.clear()
        snapshot = self.snapshot
        if snapshot is None or not self.is_running:  # one that comes while the program ends finds no pages
            return
        if snapshot.view is not None:
            from itbpump.profiles import load_profile  # noqa: PLC0415 -- `later` has loaded it

            profile = load_profile(snapshot.view.info.profile)
            patient = (snapshot.present.patient_id if snapshot.present is not None else "") or ""
            self.visit.saw(snapshot.view, profile, snapshot.log if snapshot.log_complete else None, patient)
            self.clinic.seen(snapshot, self.reader)
        page = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)
        if page is not None and page.is_ready:
            page.show_snapshot(snapshot)

    def _look_at_pages(self) -> None:
        """Once a second: an edit grows old, and so does a reading that no newer one follows."""
        if self.snapshot is not None:
            from itbpump.tui.reader import monotonic_ms  # noqa: PLC0415 -- `later` has loaded it

            self.snapshot = self.snapshot.aged(monotonic_ms())
            self.post_message(Fresh())
        self._fit(self.size.width, self.size.height)
        for screen in list(self.screen_stack):
            if isinstance(screen, Page) and screen.is_ready and screen in self.screen_stack:  # one may take others with it
                screen.check_age(self.services.monotonic_ms())

    async def on_event(self, event: events.Event) -> None:
        """Every key passes here, before a binding or a field takes it: it keeps an edit alive, and may have bounced."""
        if isinstance(event, events.Key) and not event.is_forwarded:
            now_ms = self.services.monotonic_ms()
            if isinstance(self.screen, Page):
                for said in self.screen.query("#say").results(Lines):  # none on a page that comes or goes
                    said.tell([])  # whoever hits a key has seen it
            for screen in list(self.screen_stack):
                if isinstance(screen, HearsKeys):
                    screen.key_hit(event, now_ms, on_top=screen is self.screen)
        await super().on_event(event)

    # -------------------------------------------------------------------------------------------------- the pump
    async def ask(self, job: Callable[[Pump], T], *, urgent: bool = False) -> T:
        """Run a job on the reader's thread and wait for it without holding up the screen. Raises what the job raises."""
        if self.reader is None:
            raise NoPumpError
        return await asyncio.wrap_future(self.reader.submit(job, urgent=urgent))

    async def facts(self) -> Facts:
        """Everything a task may ask for, as it is now."""
        snapshot = self.snapshot
        known = snapshot.log if snapshot is not None and snapshot.log_complete else None
        policy, rx = self.services.policy, self.rx
        return await self.ask(lambda pump: gather(pump, policy=policy, rx=rx, log=known))

    @work(group="carry-out")
    async def carry_out(self, proposal: Proposal, consent: Consent, done: Callable[[object], None]) -> None:
        """Send what was reviewed and confirmed; `done` gets the outcome, or the documented error that kept it back."""
        policy = self.services.policy
        try:
            outcome: object = await self.ask(lambda pump: carry_out(pump, proposal, consent, policy))
        except ItbPumpError as error:
            outcome = error
        self.visit.did(proposal, consent, outcome, self.now())
        self.clinic.ordered()
        done(outcome)

    @work(group="deliver-less")
    async def deliver_less(self, order: Callable[[Pump], StopResult], done: Callable[[StopResult | ItbPumpError], None]) -> None:
        """Send an order to deliver less, before all that waits. It belongs to no page, so leaving one never calls it back."""
        from itbpump.workflow.stopping import StopResult  # noqa: PLC0415 -- `later` has loaded it

        try:
            result: StopResult | ItbPumpError = await self.ask(order, urgent=True)
        except ItbPumpError as error:
            result = error
        if isinstance(result, StopResult):
            self.visit.ordered(result.title, result.outcome, self.now())
            self.clinic.ordered()
        done(result)

    def now(self) -> datetime:
        """The host's time as the pump's session tells it; one clock for screen and report."""
        read_at = self.snapshot.read_at if self.snapshot is not None else None
        return read_at if read_at is not None else datetime.now().astimezone()

    @work(group="begin", exclusive=True)
    async def begin_task(self, chosen: Task | Walk) -> None:
        """Open a task or checklist for the pump as it is now; a notice where that is not possible."""
        from itbpump.tui.screens.opening import page_of  # noqa: PLC0415 -- `later` has loaded what it stands on
        from itbpump.tui.screens.stop import StopPage  # noqa: PLC0415 -- `later` has loaded it

        try:
            page = page_of(chosen, await self.facts())
        except ItbPumpError as error:
            page = NoticePage(f"{chosen.title}: the pump could not be read", [str(error)])
        if isinstance(self.screen, StopPage):  # nothing comes between a person and the key that stops
            self.say(f"{chosen.title}: not opened over this page; go back and choose it again")
        else:
            self.push_screen(page)

    def record(self) -> SessionRecord:
        """The visit so far, for the report. Raises ReportError, LibraryError."""
        from itbpump.tui.visit_record import record_of  # noqa: PLC0415 -- only a report needs it

        return record_of(self.visit, self.snapshot, self.now(), self.services.policy)

    def free_name(self, stem: str, ending: str) -> Path:
        """A name in the working folder that no file has yet."""
        folder = self.services.folder
        names = (folder / f"{stem}{f'-{number}' if number else ''}.{ending}" for number in count())
        return next(path for path in names if not path.exists())

    # -------------------------------------------------------------------------------------------------- keys that work everywhere
    def action_help(self) -> None:
        """What this page or the field with the cursor is for."""
        if isinstance(self.screen, Page):
            self.push_screen(HelpPage(self.screen.help_title(), self.screen.help_lines()))

    def action_keys(self) -> None:
        """All keys of this page."""
        if isinstance(self.screen, Page):
            self.push_screen(HelpPage("Keys of this page", key_lines(("app", *self.screen.scopes), self.services.keymap)))

    def action_stop(self) -> None:
        """Open the page that stops the therapy; it sends nothing yet."""
        if self.reader is None:
            self.say("no pump is connected, so there is nothing to stop here", "warning")
        else:
            from itbpump.tui.screens.stop import StopPage  # noqa: PLC0415 -- `later` has loaded it

            open_one = next((screen for screen in self.screen_stack if isinstance(screen, StopPage)), None)
            if open_one is None:
                self.push_screen(StopPage())
            else:
                open_one.pop_until_active()

    def action_command_palette(self) -> None:
        """Find a task or page by name; one at a time, also where another page was opened over it."""
        if not any(isinstance(screen, CommandPalette) for screen in self.screen_stack):
            super().action_command_palette()

    def say(self, text: str, state: str = "notice") -> None:
        """On the page on top, or the one a question stands before."""
        page = next((screen for screen in reversed(self.screen_stack) if isinstance(screen, Page)), None)
        if page is not None and page.is_ready:
            page.say(text, state)

    def action_next_theme(self) -> None:
        """Next look."""
        self.theme = themes.after(self.theme)

    def action_leave(self) -> None:
        """End, after a question where something typed would be lost; not while an order is under way, whose outcome nobody would learn."""
        if any(isinstance(screen, Page) and screen.is_sending for screen in self.screen_stack):
            self.say("an order is on its way to the pump: wait for its outcome, then leave", "warning")
            return
        busy = [screen for screen in self.screen_stack if isinstance(screen, Page) and screen.unsaved()]
        if not busy:
            self._leave(leave=True)
        else:
            self.push_screen(AskPage("Something typed here is not sent. Leave all the same?"), self._leave)

    def _leave(self, leave: bool | None) -> None:
        if leave:
            self.close_pump()
            self.exit(0)

    async def on_unmount(self) -> None:
        """Whatever way the program ends, no session stays open."""
        self.close_pump()
        self.unrecorded = self.clinic.end()
        if self.demo is not None:
            self.demo.close()

    def on_resize(self, event: events.Resize) -> None:
        """Below the smallest size a plain notice, never a clipped dose."""
        self._fit(event.size.width, event.size.height)

    def _fit(self, width: int, height: int) -> None:
        small = width < SMALLEST[0] or height < SMALLEST[1]
        if small and not isinstance(self.screen, SmallPage):
            self.push_screen(SmallPage())
        elif not small and isinstance(self.screen, SmallPage):
            self.pop_screen()


class NoPumpError(ItbPumpError):
    """No pump is connected."""

    def __init__(self) -> None:
        super().__init__("no pump is connected", action="connect to one first")
