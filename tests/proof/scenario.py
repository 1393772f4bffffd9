"""The commands that are proved: from which state each is given, and what is done. `late`, `late-stop` and `late-bolus` are decided on a
state that another programmer has changed meanwhile, by a program, a stop, a bolus: they may not take effect.

Each begins with a pump that treats, a companion in session and a second companion paired. The proof therapy is a continuous one, whose
configuration is as short as one can be.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from itbpump.configuration import PresentPump
from itbpump.hoststate import Intent
from itbpump.outcome import Applied, Outcome
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass, Volume
from itbpump.therapy import Prescription, load_prescription
from itbpump.wire.messages import BolusState, CommandKind, RunState
from tests.proof.world import CrashableState, World

__all__ = ["SCENARIOS", "Scene", "prescription", "staged_scene"]

_RX = """
schema = "itbpump.prescription/1"
[patient]
id = "PROOF"
indication = "spinal"
[pump]
profile = "P-40"
reservoir_volume = "30 mL"
as_of = 2026-11-22T10:00:00-05:00
[drug]
name = "baclofen"
concentration = "2000 mcg/mL"
[catheter]
path_volume = "0.316 mL"
[therapy]
mode = "continuous"
dose = "{dose}"
"""
BOLUS_PULSES = 3
REFILLED = (Volume.parse("28 mL"), Volume.parse("38 mL"))


def prescription(dose: str) -> Prescription:
    """The proof therapy."""
    return load_prescription(_RX.format(dose=dose))


@dataclass
class Scene:
    """A world in which the command is about to be given."""

    world: World
    state: CrashableState
    other: CrashableState
    pump: Pump
    present: PresentPump
    act: Callable[[Pump, PresentPump], Outcome]
    kind: CommandKind
    stale: bool = False
    """Another programmer has changed the pump since the decision."""
    before: Facts = field(init=False)
    log_from: int = field(init=False)
    """Number of the pump's next log entry."""
    given: int = field(init=False)
    """Number of the companion's next intent."""

    def __post_init__(self) -> None:
        self.mark()

    def mark(self) -> None:
        """What comes from now on is the command's."""
        self.before = Facts.of(self.world)
        self.log_from = self.world.pump.firmware._machine.log.next_seq
        self.given = len(self.state.intents(self.state.key_of(self.world.pump)))

    def intent(self) -> Intent | None:
        """The command's own."""
        intents = self.state.intents(self.state.key_of(self.world.pump))
        return intents[self.given] if len(intents) > self.given else None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the pump's own records say; read past the line."""

    revision: int
    active: bytes
    previous: bytes
    run_state: RunState
    bolus_counter: int
    bolus_state: BolusState
    bolus_delivered: int
    entered_nL: int
    resets: int
    doubt: int

    @classmethod
    def of(cls, world: World) -> Facts:
        """Now. The pump must have power."""
        machine = world.pump.firmware._machine
        state = machine.state
        return cls(
            state.revision,
            state.active,
            state.previous,
            state.run_state,
            machine.bolus_counter(),
            state.bolus.state,
            machine.bolus_delivered(),
            state.entered_nL,
            machine.resets,
            state.doubt,
        )


def _program(pump: Pump, present: PresentPump) -> Outcome:
    return pump.program(prescription("220 mcg/day"), present)


def _bolus(pump: Pump, present: PresentPump) -> Outcome:
    return pump.bolus(Mass.parse(f"{BOLUS_PULSES} mcg"), Duration.parse("10m"), present)


def _stop(pump: Pump, present: PresentPump) -> Outcome:
    return pump.stop()


def _refill(pump: Pump, present: PresentPump) -> Outcome:
    outcome, _ = pump.refill(*REFILLED, present=present)
    return outcome


SCENARIOS: dict[str, tuple[CommandKind, Callable[[Pump, PresentPump], Outcome]]] = {
    "program": (CommandKind.CONFIGURE, _program),
    "bolus": (CommandKind.BOLUS, _bolus),
    "stop": (CommandKind.STOP, _stop),
    "refill": (CommandKind.CONFIGURE, _refill),
    "late": (CommandKind.CONFIGURE, _program),
    "late-stop": (CommandKind.CONFIGURE, _program),
    "late-bolus": (CommandKind.BOLUS, _bolus),
}
LATE: dict[str, Callable[[Pump], Outcome]] = {
    "late": lambda another: another.program(prescription("190 mcg/day")),
    "late-stop": lambda another: another.stop(),
    "late-bolus": lambda another: another.bolus(Mass.parse("2 mcg"), Duration.parse("10m")),
}
"""What another programmer has done since the decision."""


def staged_scene(name: str, seed: int = 1) -> Scene:
    """The world right before the command. A day of therapy has been given; the reservoir has been aspirated for the refill."""
    world = World(seed)
    state, other = world.companion(), world.companion()
    pump = world.join(state)
    assert isinstance(pump.program(prescription("200 mcg/day")), Applied)
    pump.close()
    world.pump.advance(90_000_000)
    if name == "refill":
        world.pump.plant.aspirate(REFILLED[0].nL)
        world.pump.plant.fill(REFILLED[1].nL, 2_000_000)
    pump = world.join(state)
    present = pump.present()
    if name in LATE:
        pump.close()
        with world.join(other) as another:
            assert isinstance(LATE[name](another), Applied)
        world.advance_to(world.now_ms + 660_000)  # a bolus is over by then
        pump = world.join(state)
    kind, act = SCENARIOS[name]
    world.pause()
    return Scene(world, state, other, pump, present, act, kind, stale=name in LATE)
