"""`kill -9` of the pump process in the middle of commands: what it has acknowledged is in force afterwards, once (safety 4.2, 5.3).

A programmer on a real pty programs, gives boluses and stops. The process is killed at a drawn frame of a command, the pump is started
again from its state file, the programmer asks what became of the command, and the pump is compared with what was meant: its revision,
digest, boluses and log. The moments are drawn from the seed in the test's name.
"""

from __future__ import annotations

import logging
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path
from random import Random

import pytest

from itbpump.configuration import PresentPump, configuration_digest, to_configuration
from itbpump.hoststate import HostState
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.profiles import PumpProfile
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.therapy import Prescription
from itbpump.wire.frame import FrameSplitter
from itbpump.wire.messages import BolusState, CommandKind, LogEntry, LogKind, RunState
from tests.e2e.process import PATIENCE_S, PumpProcess, Wrapped, flex, join, pair

pytestmark = pytest.mark.e2e

KILLS_A_STORY = 10
MANY = int(os.environ.get("ITBPUMP_KILLS", "50"))  # `make kills` asks for more
DOSE, OVER, PULSES = Mass.parse("25 mcg"), Duration.parse("10m"), 25
log = logging.getLogger(__name__)


class Moment(Enum):
    """When the process dies, counted at a frame of the programmer."""

    BEFORE = auto()  # before the frame is written
    TORN = auto()  # half of it is on the line
    TAKEN = auto()  # it is on the line whole; what the pump makes of it before it dies is open
    SAVING = auto()  # the pump is writing its state file
    ANSWERED = auto()  # the pump has answered, and the answer is lost
    TOLD = auto()  # the answer has come


@dataclass(frozen=True)
class Kill:
    """One kill: during which command, at which of its frames (from 0), when."""

    command: str
    frame: int
    moment: Moment


# Frames of a command: its stages, read back, commit, confirm, then what proves it; a stop is one frame and its confirmation.
FRAMES = {"program": 6, "long program": 8, "bolus": 5, "stop": 2}
# The frame that carries a command out.
COMMIT = {"program": 2, "long program": 3, "bolus": 2, "stop": 0}
# The four ways in which a command may end, and a stop while it is written down; the rest is drawn.
ALWAYS = (
    Kill("bolus", COMMIT["bolus"], Moment.ANSWERED),
    Kill("program", COMMIT["program"], Moment.BEFORE),
    Kill("long program", 1, Moment.TORN),
    Kill("program", COMMIT["program"], Moment.TOLD),
    Kill("stop", COMMIT["stop"], Moment.SAVING),
)


def therapy(command: str, number: int) -> Prescription:
    """Another one each time; a long one does not fit into one fragment."""
    return flex(("6 mcg/h", "5 mcg/h", "7 mcg/h")[number % 3], steps_a_day=24 if command == "long program" else None)


def plan(seed: int, kills: int) -> list[Kill]:
    """Kills of one run, in a drawn order."""
    random = Random(seed)
    steps = [(command, frame) for command, frames in FRAMES.items() for frame in range(frames)]
    drawn = [Kill(*random.choice(steps), random.choice(list(Moment))) for _ in range(kills - len(ALWAYS))]
    chosen = [*ALWAYS, *drawn]
    random.shuffle(chosen)
    return chosen


class Guillotine(Wrapped):
    """A line that kills the pump process at a moment of a frame, counted from `arm`."""

    def __init__(self, pump: PumpProcess, state: Path) -> None:
        super().__init__(pump.link)
        self._pump = pump
        self._draft = state.with_name(state.name + ".new")
        self._kill: Kill | None = None
        self._frames = 0
        self._held = b""

    def arm(self, kill: Kill) -> None:
        self._kill, self._frames = kill, 0

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        kill, self._frames = self._kill, self._frames + 1
        if kill is None or self._frames - 1 != kill.frame:
            super().write(data, deadline_ms)
            return
        if kill.moment is Moment.TORN:
            super().write(data[: len(data) // 2])
        elif kill.moment is not Moment.BEFORE:
            super().write(data)
        if kill.moment is Moment.SAVING:
            self._await_answer(or_draft=True)
        elif kill.moment in (Moment.ANSWERED, Moment.TOLD):
            answer = self._await_answer()
            self._held = answer if kill.moment is Moment.TOLD else b""
        self._pump.kill()
        if kill.moment is Moment.BEFORE:
            super().write(data)  # fails as a write to a port that has gone

    def read(self, max_wait_ms: int) -> bytes:
        held, self._held = self._held, b""
        return held or super().read(max_wait_ms)

    def _await_answer(self, *, or_draft: bool = False) -> bytes:
        """What the pump says until a frame is whole; with `or_draft` until it is seen saving, if that comes first."""
        splitter, heard = FrameSplitter(), b""
        end_ms = self.now_ms() + int(PATIENCE_S * 1000)
        while self.now_ms() < end_ms:
            if or_draft and self._draft.exists():
                return heard
            data = self.inner.read(0 if or_draft else 1000)
            heard += data
            if splitter.feed(data):
                return heard
        raise AssertionError("the pump neither answers nor saves")


@dataclass
class Belief:
    """What must be true of the pump, by what the programmer was told."""

    revision: int = 0
    digest: bytes = bytes(32)
    running: bool = False
    committed: list[int] = field(default_factory=list)
    boluses: int = 0

    def program(self, digest: bytes) -> None:
        self.revision, self.digest, self.running = self.revision + 1, digest, True

    def stop(self) -> None:
        self.revision, self.running = self.revision + self.running, False


class Story:
    """One pump through many deaths, and one programmer who keeps its own file."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / "pump.state"
        self.state = HostState.open(folder / "host.db")
        self.belief = Belief()
        self.log: list[LogEntry] = []
        self.ended = Counter[str]()
        self.starts = 0
        self.process = PumpProcess.start(state=self.file)
        pair(self.process, self.state)
        with join(self.process.link, self.state) as pump:
            self.memory_id = pump.info.memory_id

    def close(self) -> None:
        self.process.kill()
        self.state.close()

    # -------------------------------------------------------------------------------------------- one death
    def live_and_die(self, kill: Kill, rx: Prescription) -> None:
        """A session that ends with the pump's death in a command, and the next one, in which everything is found out."""
        line = Guillotine(self.process, self.file)
        pump = join(line.url, self.state, line)
        if kill.command in ("bolus", "stop") and not self.belief.running:
            self._settle("program", pump.profile, rx, pump.present(), pump.program(rx))
        present = pump.present()
        line.arm(kill)
        outcome = self._command(pump, kill.command, rx, present)
        self.process.kill()  # a command that ended early has not come to its frame
        pump.close()
        log.info("%s: %s", kill, outcome)
        self.restart()
        with join(self.process.link, self.state) as pump:
            self._ask_and_settle(pump, kill, rx, present, outcome)
            self._compare(pump)

    def _command(self, pump: Pump, command: str, rx: Prescription, present: PresentPump) -> Outcome:
        if command == "stop":
            return pump.stop()
        return pump.bolus(DOSE, OVER, present) if command == "bolus" else pump.program(rx, present)

    def _ask_and_settle(self, pump: Pump, kill: Kill, rx: Prescription, present: PresentPump, outcome: Outcome) -> None:
        told = type(outcome).__name__
        if isinstance(outcome, Unknown):
            with pytest.raises(DosingBlocked, match="reconcile"):
                pump.program(rx)
            ((intent, outcome),) = pump.reconcile()
            assert intent.cmd_id == outcome.cmd_id
            told += f" → {type(outcome).__name__}"
        assert pump.reconcile() == []
        self.ended[told] += 1
        self._settle(kill.command, pump.profile, rx, present, outcome)
        # Between these two only the pump can know.
        carried_out = COMMIT[kill.command]
        if kill.frame > carried_out or (kill.frame == carried_out and kill.moment in (Moment.ANSWERED, Moment.TOLD)):
            assert isinstance(outcome, Applied)
        elif kill.frame < carried_out or kill.moment in (Moment.BEFORE, Moment.TORN):
            assert isinstance(outcome, NotApplied)

    def _settle(self, command: str, profile: PumpProfile, rx: Prescription, present: PresentPump, outcome: Outcome) -> None:
        """Note what an outcome says. NotApplied leaves everything as it was."""
        assert not isinstance(outcome, Unknown)
        if isinstance(outcome, NotApplied):
            return
        assert outcome.proof is None or outcome.proof.holds, outcome.proof.failures
        self.belief.committed.append(outcome.cmd_id)
        if "program" in command:
            self.belief.program(configuration_digest(to_configuration(rx, present, profile)))
        elif command == "bolus":
            self.belief.boluses += 1
        else:
            self.belief.stop()

    def restart(self) -> None:
        """The same pump again, from its file."""
        self.process = PumpProcess.start(state=self.file)
        self.starts += 1

    # ------------------------------------------------------------------------------------------- the truth
    def _compare(self, pump: Pump) -> None:
        """The pump that came back is the old one, and everything acknowledged is in force, once."""
        belief, status = self.belief, pump.status()
        assert (pump.info.serial, pump.info.memory_id, status.resets) == (self.process.serial, self.memory_id, self.starts)
        assert (status.revision, status.digest) == (belief.revision, belief.digest)
        assert status.run_state is (RunState.RUNNING if belief.running else self._at_rest())
        before, self.log = self.log, list(pump.log())  # append-only over every death
        assert self.log[: len(before)] == before
        assert [entry.a for entry in self._entries(LogKind.COMMITTED)] == belief.committed
        assert len(self._entries(LogKind.BOLUS_START)) == belief.boluses
        # No bolus is resumed after a reset; what each gave before is in the log and on the counter.
        ends = self._entries(LogKind.BOLUS_END)
        assert len(ends) == belief.boluses
        assert sum(entry.a for entry in ends) == status.bolus_counter
        for result in pump.own_results():
            if result.kind is CommandKind.BOLUS:
                assert result.bolus_state is BolusState.INTERRUPTED
        assert status.alarms == ()
        truth = self.process.do("truth")
        surplus = int(str(truth["commanded_pulses"])) - status.lifetime_pulses
        assert abs(surplus) <= status.doubt_pulses
        self.process.do("advance", for_="3h")
        assert (pump.status().lifetime_pulses > status.lifetime_pulses) is belief.running

    def _at_rest(self) -> RunState:
        return RunState.STOPPED if self.belief.revision else RunState.UNCONFIGURED

    def _entries(self, kind: LogKind) -> list[LogEntry]:
        return [entry for entry in self.log if entry.kind is kind]


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Story]:
    told = Story(tmp_path)
    yield told
    told.close()


def tell(story: Story, seed: int, kills: int) -> None:
    for number, kill in enumerate(plan(seed, kills)):
        story.live_and_die(kill, therapy(kill.command, number))
    log.info("outcomes: %s", dict(story.ended))
    # A run in which nothing was interrupted, or nothing came through, would prove nothing.
    assert set(story.ended) == {"Applied", "NotApplied", "Unknown → Applied", "Unknown → NotApplied"}, story.ended
    assert story.ended.total() == kills


@pytest.mark.sr("SR-41", "SR-42", "SR-47", "SR-50")
def test_a_pump_killed_in_its_commands_comes_back_with_each_of_them_once_or_not_at_all(story: Story) -> None:
    tell(story, seed=1, kills=8)


@pytest.mark.sr("SR-48", "SR-49", "SR-50")
def test_a_bolus_killed_on_its_way_has_given_what_was_told_and_is_not_resumed(story: Story) -> None:
    wanted: dict[int, tuple[BolusState, int]] = {}
    for minutes, state, given in ((0, BolusState.INTERRUPTED, 0), (4, BolusState.INTERRUPTED, 10), (10, BolusState.DONE, PULSES)):
        with join(story.process.link, story.state) as pump:
            if not wanted:
                assert isinstance(pump.program(flex()), Applied)
            before = pump.status().bolus_counter
            outcome = pump.bolus(DOSE, OVER)
            assert isinstance(outcome, Applied)
            wanted[outcome.cmd_id] = state, given
            story.process.do("advance", for_=f"{minutes}m")
            told = pump.status()
            assert (told.bolus_delivered, told.bolus_counter) == (given, before + given)
            story.process.kill()
        story.restart()
        with join(story.process.link, story.state) as pump:
            status = pump.status()
            assert (status.uptime_ms, status.lifetime_pulses) == (told.uptime_ms, told.lifetime_pulses)
            assert (status.bolus_state, status.bolus_counter, status.bolus_left_ms) == (state, before + given, 0)
            story.process.do("advance", for_="1h")
            assert pump.status().bolus_counter == before + given
            results = {result.cmd_id: (result.bolus_state, result.delivered_pulses) for result in pump.own_results()}
            assert results.items() >= wanted.items()


@pytest.mark.slow
@pytest.mark.sr("SR-41", "SR-42", "SR-47", "SR-50")
@pytest.mark.parametrize("seed", range(2, 2 + MANY // KILLS_A_STORY))
def test_many_kills(story: Story, seed: int) -> None:
    tell(story, seed, kills=KILLS_A_STORY)
