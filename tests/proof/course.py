"""The course of one command from its first byte to the end of its delivery, and the judgement of it.

Phases: the command is given; the pump delivers what it has begun; the companion, restarted where it died, asks what is not known. In all of
them the chooser may do harm. Then nothing goes wrong any more, late frames arrive, what is still open is resolved, and what was told is
compared with what the pump did. `RULES` names every rule; `judge` reports those that are broken.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from firmware_sim.firmware.core import SessionInfo
from firmware_sim.firmware.materialise import PulsePhase
from itbpump.errors import ItbPumpError
from itbpump.hoststate import HostStateError
from itbpump.link.errors import LinkError
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.transport.base import TransportError
from itbpump.wire.messages import AlarmPriority, BolusState, CommandKind, GetLog, LogEntry, LogKind, LogPage, Role, RunState
from tests.proof.scenario import BOLUS_PULSES, Facts, Scene
from tests.proof.world import DELAY_MS, LONG_CUT_MS, HostCrash, Nothing, Point

__all__ = ["RULES", "Told", "judge", "run"]

BOLUS_MS = 600_000
SETTLED_MS = max(DELAY_MS, LONG_CUT_MS) + 1_000
PULSE_HARMS = ("intent", "moved", "done")
OTHERS_COMMANDS = 20
JOINS = 12
LINE = (LinkError, TransportError, HostStateError)

RULES = {
    "once": "the command took effect at most once",
    "old-or-new": "the configuration in force is the old one or the new one, whole",
    "never-stopped": "a running pump was at no moment without therapy, unless it was stopped by order",
    "pulses": "a bolus gave 0, all, or a logged number of its pulses, and the motor made those within the doubt told",
    "doubt": "there are no more pulses in doubt than resets",
    "told": "what the companion told was so: applied, not applied, or that it is not known",
    "blocked": "while an outcome is not known no further dose leaves this companion",
    "resolved": "what was not known is known after one question, and is so",
    "volume": "no nanolitre is lost",
    "base": "a command decided on a state that is no longer so takes no effect",
    "not-resumed": "a bolus that a reset interrupted is not resumed",
    "goes-on": "what was not applied can be ordered again, and takes effect once",
    "documented": "no exception but a documented one",
}


@dataclass
class Told:
    """What became known on the way. `outcome` is None where the companion died or nothing was sent."""

    outcome: Outcome | None = None
    died: bool = False
    unsent: Exception | None = None
    run_states: set[RunState] = field(default_factory=set)
    broken: list[tuple[str, str]] = field(default_factory=list)
    settled: str = ""
    forgotten: bool = False
    """The companion has itself given so many commands that the pump may no longer know of this one."""
    effect: bool = False

    def breaks(self, rule: str, detail: str) -> None:
        """Note a broken rule."""
        assert rule in RULES
        self.broken.append((rule, detail))

    @property
    def word(self) -> str:
        """For the statistics."""
        if self.died:
            return "died"
        return type(self.outcome).__name__ if self.outcome is not None else "unsent"


def run(scene: Scene, thorough: Callable[[], bool] = lambda: False) -> Told:
    """Give the command and see it through. `thorough`, asked when no more harm is done: before the question another programmer gives 20
    commands where something is open, and a command that was not applied is ordered once more."""
    told, world = Told(), scene.world
    world.watch = lambda: _look(scene, told)
    _give(scene, told)
    try:
        _deliver(scene)
        _ask(scene, told)
    except HostCrash:
        told.died = True
    world.chooser = Nothing()
    world.mend()
    world.advance_to(world.now_ms + SETTLED_MS)
    if thorough() and scene.state.unsettled(scene.state.key_of(world.pump)):
        _others(scene)
        _own_stops(scene, told)
    _resolve(scene, told)
    world.advance_to(world.now_ms + BOLUS_MS + 60_000)
    judge(scene, told)
    if thorough() and not told.effect:
        _again(scene, told)
    return told


def _look(scene: Scene, told: Told) -> None:
    if scene.world.pump.powered:
        told.run_states.add(scene.world.pump.firmware._machine.state.run_state)


# ------------------------------------------------------------------------------------------------ while things go wrong
def _give(scene: Scene, told: Told) -> None:
    try:
        told.outcome = scene.act(scene.pump, scene.present)
    except HostCrash:
        told.died = True
    except LINE as error:  # documented: raised only before anything was sent
        told.unsent = error
    except Exception as error:  # noqa: BLE001 -- any other one breaks a rule, and is told
        told.unsent = error
        told.breaks("documented", repr(error))


def _deliver(scene: Scene) -> None:
    """The minutes of a bolus, pulse by pulse, with a power cut in the middle of one if so chosen."""
    world = scene.world
    until_ms = world.now_ms + BOLUS_MS + 1_000
    while scene.kind is CommandKind.BOLUS and _bolus_runs(scene):
        train = world.pump.firmware.train
        next_ms = train.time_of_pulse(train.count_at(world.pump.uptime_ms) + 1)
        if next_ms is None or next_ms - world.pump.uptime_ms > BOLUS_MS:
            break
        world.advance_to(world.now_ms + next_ms - 1 - world.pump.uptime_ms)
        if not _bolus_runs(scene):
            break
        harm = world.chooser.choose(Point("pulse", "bolus"))
        if harm is not None:
            world.pump.power_cut(PulsePhase(harm))
        world.advance_to(world.now_ms + 2)
    world.advance_to(max(world.now_ms, until_ms))


def _bolus_runs(scene: Scene) -> bool:
    pump = scene.world.pump
    return pump.powered and pump.firmware._machine.state.bolus.running


def _ask(scene: Scene, told: Told) -> None:
    """Where something is open, the companion is started again and asks, over a line that may do more harm."""
    if isinstance(told.outcome, Applied | NotApplied):
        return
    try:
        with scene.world.join(scene.state) as pump:
            pump.reconcile()
    except LINE:
        return  # asked again when all is well


# ------------------------------------------------------------------------------------------------ when all is well
def _join(scene: Scene, state: object = None) -> Pump:
    """A session; a pump that backs off or has lost track is asked again a little later."""
    for _ in range(JOINS):
        try:
            return scene.world.join(scene.state if state is None else scene.other)
        except (LinkError, TransportError):
            scene.world.advance_to(scene.world.now_ms + 30_000)
    return scene.world.join(scene.state)


def _others(scene: Scene) -> None:
    """Another programmer's twenty commands."""
    scene.world.advance_to(scene.world.now_ms + 901_000)  # the first one's session is over by then
    with _join(scene, scene.other) as other:
        for _ in range(OTHERS_COMMANDS):
            assert isinstance(other.alarm_test(AlarmPriority.NON_CRITICAL), Applied)


def _own_stops(scene: Scene, told: Told) -> None:
    """Stops leave while something is open: more of them than the pump keeps results. They push out no dose that was taken; of what was
    not, and of a stop, the pump may then say no more than that it does not know."""
    if _bolus_runs(scene):
        return
    with _join(scene) as pump:
        for _ in range(OTHERS_COMMANDS):
            assert isinstance(pump.stop_bolus(), NotApplied)
    told.forgotten = True


def _resolve(scene: Scene, told: Told) -> None:
    key = scene.state.key_of(scene.world.pump)
    with _join(scene) as pump:
        open_before = scene.state.unsettled(key)
        if open_before:
            try:
                pump.alarm_test(AlarmPriority.NON_CRITICAL)
            except DosingBlocked:
                pass
            else:
                told.breaks("blocked", "a command left while another was open")
        pump.reconcile()
        if scene.state.unsettled(key) and not told.forgotten:
            told.breaks("resolved", "still open after the question")
    intent = scene.intent()
    told.settled = "" if intent is None else intent.state


def _again(scene: Scene, told: Told) -> None:
    scene.mark()
    scene.stale = False
    try:
        with _join(scene) as pump:
            for intent in scene.state.unsettled(scene.state.key_of(scene.world.pump)):
                pump.settle_by_hand(intent.cmd_id, "not_applied", "proof", "the pump's log tells of no effect")
            outcome = scene.act(pump, pump.present())
    except ItbPumpError as error:
        told.breaks("goes-on", repr(error))
        return
    scene.world.advance_to(scene.world.now_ms + BOLUS_MS + 60_000)
    second = Told(outcome=outcome, settled="applied")
    second.run_states = told.run_states
    judge(scene, second)
    told.broken += [("goes-on", f"{rule}: {detail}") for rule, detail in second.broken]
    if not second.effect:
        told.breaks("goes-on", f"no effect: {outcome!r}")


# ------------------------------------------------------------------------------------------------ the judgement
def judge(scene: Scene, told: Told) -> None:
    """Compare what was told with what the pump did."""
    now, before = Facts.of(scene.world), scene.before
    log = [entry for entry in _log(scene) if entry.seq >= scene.log_from]
    counts = _effects(scene, log)
    told.effect = counts > 0
    if counts > 1:
        told.breaks("once", f"{counts} effects")
    if counts and scene.stale:
        told.breaks("base", "it took effect on another base")
    _judge_configuration(scene, told, now)
    if scene.kind is CommandKind.BOLUS:
        _judge_bolus(scene, told, now, log)
    _judge_pulses(scene, told, now)
    if now.doubt - before.doubt > now.resets - before.resets:
        told.breaks("doubt", f"{now.doubt - before.doubt} pulses after {now.resets - before.resets} resets")
    _judge_words(told, scene.kind is not CommandKind.STOP)


def _effects(scene: Scene, log: list[LogEntry]) -> int:
    """How often the command took effect, by the pump's own log; what it left is compared apart."""
    return sum(entry.kind is LogKind.COMMITTED and entry.b >> 32 == scene.kind for entry in log)


def _log(scene: Scene) -> list[LogEntry]:
    who = SessionInfo(scene.state.programmer_id, Role.CLINICIAN)
    entries: list[LogEntry] = []
    while True:
        page = scene.world.pump.order(GetLog(from_seq=entries[-1].seq + 1 if entries else 0, max_entries=50), who)
        assert isinstance(page, LogPage)
        entries += page.entries
        if not page.entries or page.entries[-1].seq + 1 >= page.next_seq:
            return entries


def _judge_configuration(scene: Scene, told: Told, now: Facts) -> None:
    before = scene.before
    configures = scene.kind is CommandKind.CONFIGURE
    if configures and told.effect:
        intent = scene.intent()
        meant = b"" if intent is None else intent.payload
        if now.active != meant or now.revision != before.revision + 1:
            told.breaks("old-or-new", f"revision {now.revision} after {before.revision}, the configuration is not what was meant")
    elif now.active != before.active or (now.revision != before.revision and scene.kind is not CommandKind.STOP):
        told.breaks("old-or-new", f"revision {now.revision} after {before.revision} though nothing took effect")
    allowed = {RunState.RUNNING, before.run_state} | ({RunState.STOPPED} if scene.kind is CommandKind.STOP else set())
    if told.run_states - allowed:
        told.breaks("never-stopped", ", ".join(sorted(state.name for state in told.run_states - allowed)))
    if scene.kind is CommandKind.STOP and (now.run_state is RunState.STOPPED) != told.effect:
        told.breaks("old-or-new", f"{now.run_state.name} though the stop took {'effect' if told.effect else 'none'}")


def _judge_bolus(scene: Scene, told: Told, now: Facts, log: list[LogEntry]) -> None:
    given = now.bolus_counter - scene.before.bolus_counter
    if not told.effect:
        if given:
            told.breaks("pulses", f"{given} pulses of a bolus that took no effect")
        return
    whole = now.bolus_state is BolusState.DONE and given == BOLUS_PULSES
    ends = [entry for entry in log if entry.kind is LogKind.BOLUS_END]
    begin = next(entry.seq for entry in log if entry.kind is LogKind.BOLUS_START)
    resets = [entry for entry in log if entry.kind is LogKind.BOOT and begin < entry.seq < (ends[0].seq if ends else entry.seq + 1)]
    if resets and not (ends and ends[0].uptime_ms == resets[0].uptime_ms):
        told.breaks("not-resumed", "it went on after a reset")
    partly = now.bolus_state is BolusState.INTERRUPTED and 0 <= given <= BOLUS_PULSES and len(ends) == 1
    if not (whole or partly) or now.bolus_delivered != given:
        told.breaks("pulses", f"{given} pulses, {now.bolus_state.name}, the pump tells {now.bolus_delivered}, {len(ends)} ends logged")


def _judge_pulses(scene: Scene, told: Told, now: Facts) -> None:
    """The motor's own count against the pump's, and the fluid."""
    machine, plant = scene.world.pump.firmware._machine, scene.world.pump.plant
    apart = machine.pulses - plant.encoder_pulses()
    if abs(apart) > now.doubt:
        told.breaks("pulses", f"the motor made {plant.encoder_pulses()} pulses, the pump counts {machine.pulses}, in doubt {now.doubt}")
    truth = plant.truth()
    ledger = truth.ledger
    inside = truth.reservoir_nL + truth.path_nL + truth.delivered_nL + ledger.aspirated_nL + ledger.lost_nL
    if inside != ledger.filled_nL + ledger.initial_path_nL:
        told.breaks("volume", f"{ledger.filled_nL + ledger.initial_path_nL - inside} nL")


def _judge_words(told: Told, doses: bool) -> None:
    effect = told.effect
    if isinstance(told.outcome, Applied):
        if not effect:
            told.breaks("told", "told as applied, without effect")
        if told.outcome.proof is not None and not told.outcome.proof.holds:
            told.breaks("told", f"the proof does not hold: {told.outcome.proof.failures}")
    elif isinstance(told.outcome, NotApplied):
        if effect:
            told.breaks("told", f"told as not applied ({told.outcome.reason}), but it took effect")
    elif not isinstance(told.outcome, Unknown) and told.unsent is not None and effect:
        told.breaks("told", f"told that nothing was sent ({told.unsent!r}), but it took effect")
    if told.forgotten and told.settled == "unknown" and not (effect and doses):
        return
    if (told.settled or effect) and told.settled != ("applied" if effect else "not_applied"):
        told.breaks("resolved", f"settled as {told.settled or 'nothing'}, effect {effect}")


def broken_text(told: Told) -> Iterator[str]:
    """For people."""
    for rule, detail in told.broken:
        yield f"{rule} ({RULES[rule]}): {detail}"
