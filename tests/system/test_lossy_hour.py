"""A programming session over a bad line goes on by itself; over a dead one the person learns in time what is known of the dose.

Companion, line and pump in one process in manual time: an hour takes a fraction of a second, and each run repeats byte for byte.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import TypeVar

import pytest

from firmware_sim.device import SimulatedPump
from itbpump.cli.guard import CommandError, Output
from itbpump.cli.outcomes import require_applied
from itbpump.hoststate import HostState
from itbpump.link.errors import LinkError, NoReply
from itbpump.outcome import Applied, NotApplied, Outcome, Unknown
from itbpump.present import PresentPump
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass, Volume
from itbpump.session import ASK_WAIT_MS
from itbpump.transport.faulty import FaultyTransport, parse_spec
from itbpump.transport.sim import SimTransport
from itbpump.wire.line import Frames, Harm, Line, LineFault, Way
from itbpump.wire.messages import (
    COMMAND_DEADLINE_MS,
    HANDSHAKE_DEADLINE_MS,
    TRANSACTION_DEADLINE_MS,
    BolusState,
    CommandKind,
    LogKind,
    Role,
    RunState,
)
from tests.unit.client.lines import KEY, flex

SIM = "sim://P-40?fill=38mL&seed=1"
MINUTE_MS, MINUTES = 60_000, 60
REFILL = Volume.parse("36 mL")
DOSE, OVER, PULSES = Mass.parse("25 mcg"), Duration.parse("5m"), 25
SOUND = "latency=0ms"
LOSSY = "drop=10%,duplicate=10%,jitter=20ms"
AWFUL = "drop=40%,duplicate=10%:300ms,flip=10%:3bits,delay=5%:4000ms,reorder=5%,noise=10%,stale=5%,replay=5%,jitter=50ms"
R = TypeVar("R")


class Kept(FaultyTransport):
    """Stays open, so that one can connect again to the same pump."""

    def close(self) -> None:
        """Nothing."""


@dataclass
class Hour:
    """A pump, a line, a programmer, and what came of it."""

    spec: str
    seed: int
    persistent: bool = False  # ask again what got no answer
    figures: Counter[str] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.inner = SimTransport.open(SIM)
        assert isinstance(self.inner.device, SimulatedPump)
        self.device = self.inner.device
        self.line = Kept(f"faulty:{self.spec};{SIM}", self.inner, parse_spec(f"{self.spec},seed={self.seed}"))
        self.state = HostState.in_memory(Random(self.seed).randbytes)
        self.device.provision(self.state.programmer_id, Role.CLINICIAN, KEY)
        self.state.pair(self.device.serial.encode("ascii"), Role.CLINICIAN, KEY)
        self.pump: Pump = self.ask("connect", self._connect)

    def _connect(self) -> Pump:
        return connect(
            self.line.url, transport=self.line, state=self.state, entropy=Random(self.seed).randbytes, host_clock=lambda: 1_795_359_600
        )

    def ask(self, what: str, question: Callable[[], R]) -> R:
        """The answer; a persistent programmer asks again while there is none."""
        while True:
            begun_ms = self.line.now_ms()
            try:
                return question()
            except LinkError:
                self.figures["unanswered"] += 1
                if not self.persistent:
                    raise
            finally:
                self.figures["asked"] += 1
                longest = f"longest {what}, ms"
                self.figures[longest] = max(self.figures[longest], self.line.now_ms() - begun_ms)

    def order(self, what: str, command: Callable[[], Outcome]) -> None:
        """A command until it is applied. Unknown is resolved by asking the pump; only a certain NotApplied is ordered again."""
        while True:
            outcome = self.ask(what, command)
            if isinstance(outcome, Unknown):
                self.figures["unknown"] += 1
                ((_, outcome),) = self.ask("reconcile", self.pump.reconcile)
                assert not isinstance(outcome, Unknown)
                self.figures["found applied" if isinstance(outcome, Applied) else "found not applied"] += 1
            if isinstance(outcome, Applied):
                assert outcome.proof is None or outcome.proof.holds
                self.applied[what] += 1
                return
            self.figures["not applied"] += 1
            assert self.persistent, outcome

    def wait_until(self, at_ms: int) -> None:
        while (left := at_ms - self.line.now_ms()) > 0:
            self.pump.session.listen(left)

    def see_the_bolus_end(self) -> None:
        """Where calls take long, the next thing to do waits for the bolus."""
        while self.ask("status", self.pump.status).bolus_state is BolusState.RUNNING:
            self.wait_until(self.line.now_ms() + MINUTE_MS)

    def run(self) -> Hour:
        """Status each minute; each ten minutes a therapy or a bolus; a stop and a restart thrice; the log each five."""
        begun_ms = self.line.now_ms()
        for minute in range(MINUTES):
            self.ask("status", self.pump.status)
            if minute % 10 == 0:
                self.order("program", lambda: self.pump.program(flex()))
            if minute % 10 == 3:
                self.order("bolus", lambda: self.pump.bolus(DOSE, OVER))
            if minute % 20 == 19:
                self.see_the_bolus_end()
                self.order("stop", self.pump.stop)
                assert self.ask("status", self.pump.status).run_state is RunState.STOPPED
                self.order("program", lambda: self.pump.program(flex()))
            if minute % 5 == 0:
                self.ask("log", lambda: list(self.pump.log()))
            self.wait_until(begun_ms + (minute + 1) * MINUTE_MS)
        self.figures["frames"] = sum(self.line.line.frames(way) for way in Way)
        self.figures["faults"] = len(self.line.line.fired)
        self.figures["resends"] = self.pump.session.link.resent
        return self

    def truth(self) -> dict[str, int]:
        """What the pump itself has on record, read past the line."""
        self.line.line = Line()
        status, log = self.pump.status(), list(self.pump.log())
        kinds = Counter(entry.kind for entry in log)
        committed = Counter(entry.b >> 32 for entry in log if entry.kind is LogKind.COMMITTED)
        assert status.run_state is RunState.RUNNING
        self.figures["sessions"] = kinds[LogKind.SESSION_OPEN]
        return {
            "program": committed[CommandKind.CONFIGURE],
            "bolus": kinds[LogKind.BOLUS_START],
            "stop": kinds[LogKind.STOP],
            "bolus pulses": status.bolus_counter,
            "revision": status.revision,
        }


ALL_DONE = {"program": 9, "bolus": 6, "stop": 3, "bolus pulses": 6 * PULSES, "revision": 9 + 3}


def require_each_once(hour: Hour) -> None:
    assert dict(hour.applied) == {"program": 9, "bolus": 6, "stop": 3}
    assert hour.truth() == ALL_DONE
    assert hour.state.unsettled(hour.pump.key) == []
    sys.stdout.write(f"{hour.spec}, seed {hour.seed}: {dict(hour.figures)}\n")


# ------------------------------------------------------------------------------------------------------- an hour goes on
def test_over_a_sound_line_nothing_is_sent_twice() -> None:
    hour = Hour(SOUND, 0).run()
    require_each_once(hour)
    assert (hour.figures["resends"], hour.figures["sessions"], hour.figures["faults"]) == (0, 1, 0)


@pytest.mark.sr("SR-41", "SR-51")
@pytest.mark.parametrize("seed", [*range(1, 7), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(7, 101))])
def test_an_hour_over_a_lossy_line_goes_on_by_itself(seed: int) -> None:
    """10 % lost, 10 % twice, 20 ms of jitter. Nobody asks again, nobody settles anything: every call answers, every command is applied."""
    hour = Hour(LOSSY, seed).run()
    require_each_once(hour)
    assert hour.figures["resends"] > 20
    assert (hour.figures["unanswered"], hour.figures["unknown"], hour.figures["not applied"]) == (0, 0, 0)
    assert hour.line.now_ms() <= MINUTES * MINUTE_MS + COMMAND_DEADLINE_MS


def test_an_hour_repeats_with_its_seed() -> None:
    one, same, other = Hour(LOSSY, 1).run(), Hour(LOSSY, 1).run(), Hour(LOSSY, 2).run()
    assert one.line.line.fired == same.line.line.fired != other.line.line.fired
    assert one.device.memory.image() == same.device.memory.image()


@pytest.mark.sr("SR-41", "SR-42")
@pytest.mark.parametrize("seed", [*range(1, 4), *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(4, 41))])
def test_over_an_awful_line_one_who_asks_again_gets_every_command_applied_once(seed: int) -> None:
    """Many harms at once, half of all frames lost or damaged: reads are repeated, Unknown is resolved by asking the pump."""
    hour = Hour(AWFUL, seed, persistent=True).run()
    require_each_once(hour)
    assert hour.figures["unanswered"] > 0


# ----------------------------------------------------------------------------------------------------------- a dead line
def dead_from(frame: int, way: Way) -> Line:
    """Neither way passes anything from this frame on, and nobody is told."""
    return Line([LineFault(Harm.SILENCE, way, Frames(nth=frame))])


COMMANDS: dict[str, tuple[Callable[[Pump, PresentPump], Outcome], int]] = {
    "program": (lambda pump, present: pump.program(flex(), present), TRANSACTION_DEADLINE_MS),
    "bolus": (lambda pump, present: pump.bolus(DOSE, OVER, present), TRANSACTION_DEADLINE_MS),
    "refill": (lambda pump, present: pump.refill(REFILL, REFILL, None, present)[0], TRANSACTION_DEADLINE_MS),
    "restore": (lambda pump, present: pump.restore(present), TRANSACTION_DEADLINE_MS),
    # One answer waited for, then one attempt to ask over a new session.
    "stop": (lambda pump, _: pump.stop(), COMMAND_DEADLINE_MS + HANDSHAKE_DEADLINE_MS),
}
NAMED = {
    "program": "program a therapy",
    "bolus": "a bolus of 25 mcg",
    "refill": "refill",
    "restore": "restore the previous therapy",
    "stop": "stop the therapy",
}


def told(outcome: Outcome) -> str:
    """What the command line tells of it."""
    try:
        require_applied(Output(as_json=False), outcome, "URL")
    except CommandError as error:
        return str(error)
    return "applied and proved"


def says_what_is_known(command: str, outcome: Outcome, effect: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """The words fit the outcome, and the outcome fits what the pump really did."""
    text = told(outcome)
    capsys.readouterr()
    if isinstance(outcome, NotApplied):
        assert not effect
        assert text.startswith("not applied, nothing changed in the pump")
        assert "check cable, power and port" in text
    elif isinstance(outcome, Unknown):
        assert text.startswith(f"OUTCOME UNKNOWN of command {outcome.cmd_id}: {NAMED[command]}\n")
        assert "unknown: whether the pump carried it out; neither guess is the safe one" in text
        assert "itbpump reconcile URL" in text
    else:
        assert effect
        assert outcome.proof is not None or command == "stop" or text.startswith("the pump says that it carried out command")


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("way", Way)
@pytest.mark.parametrize("command", COMMANDS)
def test_on_a_line_that_dies_at_any_frame_of_a_command_the_person_learns_in_time_what_is_known(
    command: str, way: Way, capsys: pytest.CaptureFixture[str]
) -> None:
    order, deadline_ms = COMMANDS[command]
    seen: Counter[str] = Counter()
    for frame in count():
        hour = Hour(SOUND, 0)
        hour.order("program", lambda pump=hour.pump: pump.program(flex()))  # type: ignore[misc]
        hour.order("program", lambda pump=hour.pump: pump.program(flex()))  # type: ignore[misc]
        present = hour.pump.present()
        hour.line.line = dead_from(frame, way)
        begun_ms = hour.line.now_ms()
        try:
            outcome: Outcome | NoReply = order(hour.pump, present)
        except NoReply as error:  # while it still read: nothing was ordered
            outcome = error
        assert hour.line.now_ms() - begun_ms <= deadline_ms
        if not hour.line.line.fired:
            break
        hour.line.line.plug_in()
        settled = [found for _, found in hour.pump.reconcile()]
        status = hour.pump.status()
        effect = {
            "program": status.revision == 3,
            "refill": status.revision == 3,
            "restore": status.revision == 3,
            "bolus": status.bolus_counter > 0 or status.bolus_state is BolusState.RUNNING,
            "stop": status.run_state is RunState.STOPPED,
        }[command]
        assert not any(isinstance(found, Unknown) for found in settled)
        assert [isinstance(found, Applied) for found in settled] == ([effect] if isinstance(outcome, Unknown) else [])
        if isinstance(outcome, NoReply):
            assert not effect
            assert [intent.what for intent in hour.pump.decisions()] == [NAMED["program"]] * 2
        else:
            says_what_is_known(command, outcome, effect, capsys)
        seen[type(outcome).__name__] += 1
    assert seen["Unknown"] >= 1
    assert seen["Applied"] >= 1
    assert seen["NotApplied"] == (0 if command == "stop" else 2)


def test_on_a_dead_line_a_reading_ends_at_its_deadline() -> None:
    hour = Hour(SOUND, 0)
    hour.line.line = dead_from(0, Way.TO_PUMP)
    for deadline_ms in (COMMAND_DEADLINE_MS, HANDSHAKE_DEADLINE_MS, HANDSHAKE_DEADLINE_MS):  # after the first there is no session any more
        begun_ms = hour.line.now_ms()
        with pytest.raises(NoReply, match="check cable, power and port"):
            hour.pump.status()
        assert hour.line.now_ms() - begun_ms == deadline_ms
    hour.line.line.plug_in()
    assert hour.pump.status().run_state is RunState.UNCONFIGURED


class Trickle(FaultyTransport):
    """A line that lets so many writes pass, each from its time on."""

    passes: tuple[int, ...] = ()
    passed = 0

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        if sum(self.now_ms() >= from_ms for from_ms in self.passes) > self.passed:
            self.passed += 1
            super().write(data, deadline_ms)


def test_on_a_line_that_gives_just_enough_to_hope_a_reading_still_ends() -> None:
    """Hello and confirmation pass late, the pump's identity passes late, the status never: the deadlines do not add up."""
    hour = Hour(SOUND, 0)
    trickle = Trickle(hour.line.url, hour.inner, Line())
    hour.pump.session.transport = trickle
    hour.pump.session._connection.transport = trickle
    begun_ms = trickle.now_ms()
    with pytest.raises(NoReply):
        hour.pump.status()
    trickle.passes = (begun_ms + 19_500, begun_ms + 19_500, begun_ms + 27_000)
    begun_ms = trickle.now_ms()
    with pytest.raises(NoReply, match="GetStatus"):
        hour.pump.status()
    assert trickle.passed == 3
    assert trickle.now_ms() - begun_ms <= ASK_WAIT_MS == COMMAND_DEADLINE_MS + HANDSHAKE_DEADLINE_MS


def test_a_line_that_dies_before_anybody_is_there_is_told_as_that() -> None:
    hour = Hour(SOUND, 0)
    hour.pump.close()
    again = FaultyTransport("faulty:silence=all;sim://", SimTransport.open(SIM), parse_spec("silence=all"))
    with pytest.raises(NoReply, match="hello within 15 s"):
        connect(again.url, transport=again, state=hour.state, entropy=Random(5).randbytes)
    assert again.now_ms() == HANDSHAKE_DEADLINE_MS
