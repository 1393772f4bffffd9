"""A dialogue held by a script against a simulated pump in this process, in manual time, over a line that a test may cut or make deaf."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from random import Random

from itbpump.hoststate import HostState, Intent
from itbpump.outcome import Applied
from itbpump.pump import Pump
from itbpump.tui.plain import Streams, run
from itbpump.wire.messages import Role, Status
from itbpump.workflow.facts import with_prescription
from itbpump.workflow.registering import Registering
from itbpump.workflow.settings import Settings
from tests.unit.client.lines import Line, flex, host, joined, straight

HOUR_MS = 3_600_000


@dataclass(frozen=True)
class Pick:
    """The number of the last menu line that has these words. `or_zero`: 0 where none has, for scripts that have lost their way."""

    words: str
    or_zero: bool = False


@dataclass(frozen=True)
class Wanted:
    """The dose that the last question wants typed."""


Step = str | Pick | Wanted | Callable[[], object]
"""What the script does next: type a line, choose from a menu, or something to the world before the next line."""


@dataclass(frozen=True)
class Told:
    """What was said, and the exit code."""

    code: int
    text: str

    def page(self, title: str) -> str:
        """From the last line that begins so to the next menu of the pump."""
        start = self.text.rindex(f"\n{title}") + 1
        end = self.text.find("\n\nPUMP.\n", start)
        return self.text[start : end if end >= 0 else None].rstrip() + "\n"

    @property
    def said(self) -> str:
        """All on one line: where a screen breaks it is no matter."""
        return " ".join(self.text.split())


class Script(io.StringIO):
    """A stream to read from."""

    def __init__(self, steps: Iterable[Step], out: io.StringIO) -> None:
        super().__init__()
        self.steps = list(steps)
        self.out = out

    def readline(self, size: int | None = -1, /) -> str:  # type: ignore[override]
        while self.steps:
            step = self.steps.pop(0)
            if isinstance(step, Pick):
                return f"{self._number(step)}\n"
            if isinstance(step, Wanted):
                wanted: list[str] = re.findall(r"Type (?:the mean daily dose, )?([0-9.]+)", self.out.getvalue())
                return f"{wanted[-1]}\n"
            if isinstance(step, str):
                return f"{step}\n"
            step()
        return ""

    def _number(self, pick: Pick) -> int:
        found = re.findall(rf"^ +(\d+)  .*{re.escape(pick.words)}", self.out.getvalue(), re.MULTILINE)
        assert found or pick.or_zero, f"no menu line has {pick.words!r}:\n{self.out.getvalue()[-2_000:]}"
        return int(found[-1]) if found else 0


def streams_of(steps: Iterable[Step], out: io.StringIO) -> Streams:
    """A script to read, and where all that is said is kept."""
    return Streams(Script(steps, out), out)


class Clinic:
    """One pump, one computer, one patient; `known`: the prescription was programmed from here."""

    def __init__(self, *, role: Role = Role.CLINICIAN, programmed: bool = True, known: bool = True) -> None:
        self.line = Line()
        self.state: HostState = host(self.line)
        self.now_ms = 0
        if programmed:
            with joined(self.line, self.state) as pump:
                basis = with_prescription({"patient": "P-0042"}, flex()) if known else None
                assert isinstance(pump.program(flex(), basis=basis), Applied)
            self.line.device.advance(30 * HOUR_MS)
        if role is not Role.CLINICIAN:
            self.state = host(self.line, seed=2, role=role)
        self.connected = 0
        self.random = Random(7)

    def connect(self, _url: str) -> Pump:
        self.connected += 1
        self.line.cut = False
        return joined(self.line, self.state, seed=10 + self.connected)

    def wait(self, ms: int) -> Callable[[], object]:
        """A step: so long nobody types."""

        def step() -> None:
            self.now_ms += ms

        return step

    def unplug(self) -> None:
        """A step: the cable is out until somebody connects again."""
        self.line.cut = True

    def talk(
        self, *steps: Step, settings: Settings | None = None, url: str | None = "sim://P-40", registering: Registering | None = None
    ) -> Told:
        """Hold the dialogue."""
        out = io.StringIO()
        code = run(
            url,
            streams=streams_of(steps, out),
            connect=self.connect,
            monotonic=lambda: self.now_ms,
            settings=settings or Settings(),
            recent=lambda: [("sim://P-40", "P4000001", "P-40")],
            ports=list,
            registering=registering,
        )
        return Told(code, out.getvalue())

    def status(self) -> Status:
        """What the pump says of itself, read over a sound line."""
        self.line.to_pump = self.line.to_host = straight
        with self.connect("") as pump:
            return pump.status()

    @property
    def revision(self) -> int:
        """Of the configuration in the pump."""
        return self.status().revision

    def unsettled(self) -> list[Intent]:
        """Commands of which this computer does not know what became."""
        with self.connect("") as pump:
            return self.state.unsettled(pump.key)

    @property
    def commanded(self) -> int:
        """Pulses the pump has commanded."""
        return self.line.device.truth.commanded_pulses
