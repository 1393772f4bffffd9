"""Two programmers, one pump, time, and a line, supplies and programs that fail at random: the long run above the exhaustive one.

Every act is drawn from the seed or given by a test; harms are drawn from the seed. After each act the rules of `course.RULES` that can be
judged then are judged, and at the end all of them. The same seed gives the same world, byte for byte. Not modelled: more than two
programmers; faults of motor and reservoir (`firmware_sim.faults`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from firmware_sim.firmware.core import SessionInfo
from firmware_sim.firmware.materialise import PulsePhase
from itbpump.errors import ItbPumpError
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.wire.messages import BolusState, CommandKind, GetLog, LogEntry, LogKind, LogPage, Role, RunState
from tests.proof.course import RULES
from tests.proof.explore import torn
from tests.proof.scenario import prescription
from tests.proof.world import FRAME_HARMS, CrashableState, HostCrash, Nothing, Point, World, on_memory_writes

__all__ = ["ACTS", "Broken", "Clinic", "swarm_run"]

SECOND_IDS = 1_000_000  # the second programmer's command ids, so that the pump's log tells whose a command was
DOSES = ("180 mcg/day", "200 mcg/day", "220 mcg/day")
PLUGGED_IN = 0.7  # how often somebody sees that the line is cut, before the next act
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000


class Broken(AssertionError):
    """A rule is broken."""

    def __init__(self, rule: str, detail: str) -> None:
        self.rule = rule
        super().__init__(f"{rule} ({RULES[rule]}): {detail}")


class Drawn:
    """Harms drawn from a seed, each kind of point with its own chance, in ppm."""

    def __init__(self, seed: str, frame_ppm: int, write_ppm: int, host_ppm: int) -> None:
        self._random = random.Random(seed)
        self._ppm = {"frame": frame_ppm, "write": write_ppm, "host": host_ppm}
        self.done: Counter[str] = Counter()

    def choose(self, point: Point) -> str | None:
        """See Chooser."""
        if self._random.randrange(1_000_000) >= self._ppm.get(point.kind, 0):
            return None
        if point.kind == "frame":
            harm = self._random.choice(FRAME_HARMS)
        elif point.kind == "write":
            harm = f"torn {self._random.choice((*torn(point.size), self._random.randint(0, point.size)))}"
        else:
            harm = "crash"
        self.done[f"{point.kind} {harm.split()[0]}"] += 1
        return harm


@dataclass
class Programmer:
    """A companion: what it keeps, and its session where it has one."""

    state: CrashableState
    pump: Pump | None = None
    told: dict[int, Outcome] = field(default_factory=dict)


class Clinic:
    """The world and what is known to be true of it. Raises Broken."""

    def __init__(self, seed: int, *, frame_ppm: int = 40_000, write_ppm: int = 20_000, host_ppm: int = 5_000) -> None:
        self.seed = seed
        self.world = World(seed)
        self.programmers = [Programmer(self.world.companion()), Programmer(self.world.companion())]
        second = self.programmers[1].state
        key = second.key_of(self.world.pump)
        second._db.execute("INSERT INTO counter VALUES (?, ?, ?)", (key.serial, key.memory_id, SECOND_IDS))
        self.drawn = Drawn(f"harms {seed}", frame_ppm, write_ppm, host_ppm)
        self.effects: dict[int, LogEntry] = {}
        self.counted: Counter[str] = Counter()
        self._read_until = 0
        self._running = False
        self.world.watch = self._watch
        with self.calm():
            assert isinstance(self._session(0).program(prescription(DOSES[1])), Applied)
        self.check()

    # ------------------------------------------------------------------------------------------------ acts
    def program(self, who: int, dose: str) -> None:
        """A programmer programs and starts; also how a stopped pump is started."""
        self._command(who, lambda pump: pump.program(prescription(dose)))

    def bolus(self, who: int, mcg: int) -> None:
        """A programmer gives a bolus of so many pulses."""
        self._command(who, lambda pump: pump.bolus(Mass.parse(f"{mcg} mcg"), Duration.parse("10m")))

    def stop(self, who: int) -> None:
        """A programmer stops the pump."""
        self._command(who, lambda pump: pump.stop())

    def stop_bolus(self, who: int) -> None:
        """A programmer ends a bolus."""
        self._command(who, lambda pump: pump.stop_bolus())

    def ask(self, who: int) -> None:
        """A programmer asks for what is not known."""
        try:
            with self.harmed():
                self._session(who).reconcile()
        except HostCrash:
            self.programmers[who].pump = None
        except ItbPumpError:
            self.counted["asked in vain"] += 1

    def leave(self, who: int) -> None:
        """A programmer ends the session."""
        programmer = self.programmers[who]
        if programmer.pump is not None:
            try:
                with self.harmed():
                    programmer.pump.close()
            except HostCrash:
                self.counted["crashed"] += 1
            programmer.pump = None

    def crash(self, who: int) -> None:
        """A companion's process is gone between two commands."""
        self.programmers[who].pump = None

    def wait(self, ms: int) -> None:
        """Time passes."""
        self.world.advance_to(self.world.now_ms + ms)

    def power_cut(self, phase: str) -> None:
        """The pump's supply goes, in this phase of the next pulse."""
        self.world.pump.power_cut(PulsePhase(phase))
        self.wait(5_000)

    def plug_in(self) -> None:
        """A line that was cut is mended."""
        self.world.unplugged = False

    # ------------------------------------------------------------------------------------------------ how they are carried out
    def calm(self) -> _Choosing:
        """Nothing goes wrong inside."""
        return _Choosing(self.world, Nothing())

    def harmed(self) -> _Choosing:
        """Harms are drawn inside."""
        return _Choosing(self.world, self.drawn)

    def _session(self, who: int) -> Pump:
        programmer = self.programmers[who]
        if programmer.pump is None:
            other = self.programmers[1 - who]
            if other.pump is not None:  # one session at a time: the other one has gone for a coffee
                other.pump = None
                self.wait(16 * MINUTE_MS)
            programmer.pump = self.world.join(programmer.state)
        return programmer.pump

    def _command(self, who: int, act: Callable[[Pump], Outcome]) -> None:
        programmer = self.programmers[who]
        last = self._last_id(programmer)
        try:
            with self.harmed():
                outcome = act(self._session(who))
        except HostCrash:
            programmer.pump = None
            self.counted["crashed"] += 1
            return
        except DosingBlocked:
            if not programmer.state.unsettled(programmer.state.key_of(self.world.pump)):
                raise Broken("blocked", "blocked though nothing is open") from None
            self.counted["blocked"] += 1
            return
        except ItbPumpError as error:
            if self._last_id(programmer) != last:
                raise Broken("documented", f"{error!r} after a command was begun") from error
            self.counted["unsent"] += 1
            if self.world.unplugged:
                programmer.pump = None
            return
        programmer.told[outcome.cmd_id] = outcome
        self.counted[type(outcome).__name__] += 1
        if self.world.unplugged:
            programmer.pump = None

    def _last_id(self, programmer: Programmer) -> int:
        return programmer.state.last_cmd_id(programmer.state.key_of(self.world.pump))

    # ------------------------------------------------------------------------------------------------ the rules
    def _watch(self) -> None:
        pump = self.world.pump
        if pump.powered:
            self._read_log()
            state = pump.firmware._machine.state.run_state
            if self._running and state is not RunState.RUNNING:
                raise Broken("never-stopped", f"run state {state.name}")

    def _read_log(self) -> None:
        """Take in what is new in the pump's log: what took effect, and whether therapy must be running."""
        log = self.world.pump.firmware._machine.log
        while self._read_until < log.next_seq:
            for entry in log.page(self._read_until, 25):
                self._read_until = entry.seq + 1
                if entry.kind is not LogKind.COMMITTED:
                    continue
                if entry.a in self.effects:
                    raise Broken("once", f"command {entry.a} was carried out at {self.effects[entry.a].uptime_ms} and {entry.uptime_ms} ms")
                self.effects[entry.a] = entry
                kind = CommandKind(entry.b >> 32)
                if kind in (CommandKind.CONFIGURE, CommandKind.STOP):
                    self._running = kind is CommandKind.CONFIGURE

    def check(self) -> None:
        """Everything that can be judged now."""
        while not self.world.pump.powered:
            self.wait(2_000)
        self._watch()
        for programmer in self.programmers:
            for cmd_id, outcome in programmer.told.items():
                effect = cmd_id in self.effects
                if (isinstance(outcome, Applied) and not effect) or (isinstance(outcome, NotApplied) and effect):
                    raise Broken("told", f"command {cmd_id}: {outcome!r}, but effect {effect}")
        machine, plant = self.world.pump.firmware._machine, self.world.pump.plant
        if abs(machine.pulses - plant.encoder_pulses()) > machine.state.doubt:
            raise Broken("pulses", f"the pump counts {machine.pulses}, the motor {plant.encoder_pulses()}, in doubt {machine.state.doubt}")
        if machine.state.doubt > machine.resets:
            raise Broken("doubt", f"{machine.state.doubt} pulses after {machine.resets} resets")
        truth = plant.truth()
        inside = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + truth.ledger.aspirated_nL + truth.ledger.lost_nL
        if inside != truth.ledger.filled_nL + truth.ledger.initial_path_nL:
            raise Broken("volume", f"{inside} nL of {truth.ledger.filled_nL + truth.ledger.initial_path_nL} nL")
        self._check_configuration()

    def _check_configuration(self) -> None:
        """In force is what the last configuration that took effect said."""
        machine = self.world.pump.firmware._machine
        configured = [cmd_id for cmd_id, entry in self.effects.items() if entry.b >> 32 == CommandKind.CONFIGURE]
        programmer = self.programmers[configured[-1] > SECOND_IDS]
        meant = {intent.cmd_id: intent.payload for intent in programmer.state.intents(programmer.state.key_of(self.world.pump))}
        if machine.state.active != meant[configured[-1]]:
            raise Broken("old-or-new", f"not what command {configured[-1]} said")

    def finish(self) -> None:
        """All is well again; everything open is asked for, and every record agrees with what took effect."""
        self.world.mend()
        self.wait(HOUR_MS)
        for who, programmer in enumerate(self.programmers):
            programmer.pump = None
            key = programmer.state.key_of(self.world.pump)
            with self.calm():
                self._session(who).reconcile()
            for intent in programmer.state.intents(key):
                if not intent.settled:
                    raise Broken("resolved", f"command {intent.cmd_id} is still {intent.state}")
                if (intent.state == "applied") != (intent.cmd_id in self.effects):
                    raise Broken("resolved", f"command {intent.cmd_id} is {intent.state}, effect {intent.cmd_id in self.effects}")
        self.check()
        self._check_boluses()

    def _check_boluses(self) -> None:
        """The counter that only boluses move holds what their results tell."""
        machine = self.world.pump.firmware._machine
        who = SessionInfo(self.programmers[0].state.programmer_id, Role.CLINICIAN)
        page = self.world.pump.order(GetLog(from_seq=0, max_entries=1), who)
        assert isinstance(page, LogPage)
        if page.entries[0].kind is LogKind.GAP:  # the log has turned: no sum of all boluses
            return
        ends, at = 0, 0
        while at < machine.log.next_seq:
            entries = machine.log.page(at, 25)
            ends += sum(entry.a for entry in entries if entry.kind is LogKind.BOLUS_END)
            at = entries[-1].seq + 1
        if machine.state.bolus.state is not BolusState.RUNNING and ends != machine.bolus_counter():
            raise Broken("pulses", f"the counter stands at {machine.bolus_counter()}, the ends of boluses tell {ends}")

    @property
    def open_commands(self) -> int:
        """Commands told as unknown so far."""
        return sum(isinstance(outcome, Unknown) for programmer in self.programmers for outcome in programmer.told.values())


@dataclass
class _Choosing:
    """Exchanges the chooser for the length of a block."""

    world: World
    chooser: Nothing | Drawn

    def __enter__(self) -> None:
        self._before, self.world.chooser = self.world.chooser, self.chooser

    def __exit__(self, *_exc: object) -> None:
        self.world.chooser = self._before


# ------------------------------------------------------------------------------------------------ the swarm
ACTS: tuple[tuple[str, int], ...] = (
    ("program", 20),
    ("bolus", 20),
    ("stop", 4),
    ("stop_bolus", 6),
    ("ask", 14),
    ("leave", 8),
    ("crash", 4),
    ("wait", 16),
    ("power_cut", 5),
)


def swarm_run(seed: int, acts: int) -> Clinic:
    """One run of so many acts, all drawn from the seed: which kinds of harm, how often, and what is done. Raises Broken."""
    draw = random.Random(f"acts {seed}")
    levels = (0, 5_000, 40_000, 150_000)
    with on_memory_writes(lambda memory, region, size: clinic.world.write_harm(memory, region, size) if clinic is not None else None):
        clinic = None
        clinic = Clinic(seed, frame_ppm=draw.choice(levels), write_ppm=draw.choice(levels), host_ppm=draw.choice(levels[:3]))
        names = [name for name, weight in ACTS if draw.random() < 0.8 for _ in range(weight)] or ["program"]
        for _ in range(acts):
            if clinic.world.unplugged and draw.random() < PLUGGED_IN:
                clinic.plug_in()
            _act(clinic, draw.choice(names), draw)
            clinic.check()
        clinic.finish()
    return clinic


def _act(clinic: Clinic, name: str, draw: random.Random) -> None:
    who = draw.randrange(2)
    match name:
        case "program":
            clinic.program(who, draw.choice(DOSES))
        case "bolus":
            clinic.bolus(who, draw.randint(1, 20))
        case "wait":
            clinic.wait(draw.choice((1, 500, MINUTE_MS, 20 * MINUTE_MS, 2 * HOUR_MS, DAY_MS)))
        case "power_cut":
            clinic.power_cut(draw.choice([phase.value for phase in PulsePhase]))
        case _:
            getattr(clinic, name)(who)
