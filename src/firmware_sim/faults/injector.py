"""Carries a fault plan out on one pump: what is due when, what holds now, what has fired. Ground truth; firmware never sees it.

The device asks `next_ms` before it lets time pass, calls `act` when it has, and tells of requests, frames, writes and resets. All times
are the plant's. A sound pump without a plan costs one comparison a step. What has fired is not kept in a state file: a plan begins with
the process that loads it, since frames, writes and commands are counted from there, and so that the same state under the same plan does
the same however often it is started (`BEGINS_ANEW` says so to whoever starts one again).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from firmware_sim.faults.catalogue import catalogue
from firmware_sim.faults.condition import SOUND, Condition, together
from firmware_sim.faults.effects import ACTIONS, CONDITIONS, Hands, Values
from firmware_sim.faults.errors import FaultsNotFired, NotNow, PlanError
from firmware_sim.faults.lines import line_of
from firmware_sim.faults.plan import Fault, FaultPlan, inserted_now
from firmware_sim.faults.when import On, When
from firmware_sim.firmware.memory import MemoryFault
from firmware_sim.plant.errors import PlantError
from itbpump.wire.line import Line

__all__ = ["BEGINS_ANEW", "Fired", "Injector"]

BEGINS_ANEW = (
    "ATTENTION: this pump ran before, and its plan of faults begins anew: frames, writes, commands and `count` are counted from now on, so "
    "a fault that has fired may fire again. What fired before is in the pump, and lasts if it does."
)
"""For a plan that is loaded for a pump of a state file."""

_BEFORE_PULSE = {"power.mid-pulse-reset", "power.battery-sag"}
"""They act in the middle of the pulse they name, so the pump is stopped a ms before it."""


@dataclass(frozen=True, slots=True)
class Fired:
    """One occurrence: which planned fault (its place in the plan, from 1), what it was, and the plant's time; of the line, link time."""

    number: int
    id: str
    at_ms: int
    on: str


@dataclass(slots=True)
class _Planned:
    fault: Fault
    number: int
    cursor: int
    times: int = 0
    refused: str = ""
    next: int | None = None

    def look(self, seed: object) -> None:
        """Find the next number it fires on."""
        spent = self.fault.count is not None and self.times >= self.fault.count
        self.next = None if spent else self.fault.when.next_after(self.cursor, f"{seed}:{self.number}")


@dataclass(order=True, slots=True)
class _Ending:
    at_ms: int
    number: int
    active: _Active = field(compare=False)


@dataclass(frozen=True, slots=True)
class _Active:
    """Something that lasts: by which fault, and what it makes of the pump."""

    number: int
    id: str
    condition: Condition


class Injector:
    """The faults of one pump. `line` is the patient's line at fault, for the endpoints; None while it is sound."""

    def __init__(self, hands: Hands) -> None:
        self._hands = hands
        self._plan = FaultPlan()
        self._planned: list[_Planned] = []
        self._active: list[_Active] = []
        self._endings: list[_Ending] = []
        self._supply_ms: int | None = None
        self._fired: list[Fired] = []
        self._line_numbers: list[int] = []
        self._writes_from = 0
        self._counts: dict[str, int] = {}
        self._frames = 0
        self._hand_made = 0
        self._natural_ppm: int | None = None
        self.line: Line | None = None
        self.holds = SOUND

    # ------------------------------------------------------------------------------------------------ planning
    def load(self, plan: FaultPlan, writes: int = 0) -> None:
        """Take a plan; its times must lie ahead. `writes`: memory writes of this pump so far. Raises PlanError."""
        now_ms, pulses = self._hands.plant.now_ms, self._hands.plant.motor.commanded
        for number, fault in enumerate(plan.faults, 1):
            behind = {On.TIME: now_ms, On.PULSE: pulses}.get(fault.when.on)
            last = fault.when.nth if fault.when.window is None else fault.when.window[1]
            if behind is not None and last is not None and last <= behind:
                raise PlanError(f"fault {number} ({fault.id})", f"{fault.when.on} {last} lies behind: the pump is at {behind}")
        line_faults = [(number, fault) for number, fault in enumerate(plan.faults, 1) if fault.row.by == "line"]
        self.line = line_of(plan, [fault for _, fault in line_faults])
        self._line_numbers = [number for number, _ in line_faults]
        starts = {On.TIME: now_ms, On.PULSE: pulses, On.FRAME: -1}
        self._planned = [
            _Planned(fault, number, starts.get(fault.when.on, 0)) for number, fault in enumerate(plan.faults, 1) if fault.row.by == "inject"
        ]
        self._plan, self._writes_from, self._counts, self._frames = plan, writes, {}, 0
        for planned in self._planned:
            planned.look(plan.seed)

    def inject(self, fault_id: str, arguments: dict[str, object]) -> None:
        """Let one fault happen now. One of a memory write (a brown-out) happens in a write to come: `write` counts from now on, 1 is the
        next. Raises FaultError, PlantError if it is physically impossible now."""
        arguments = dict(arguments)
        write = arguments.pop("write", None) if On.WRITE in catalogue().injectable(fault_id).when else None
        given, for_ms = inserted_now(fault_id, arguments)
        self._hand_made += 1
        on = next((one for one in (On.TIME, On.PULSE, On.COMMAND, On.FRAME, On.WRITE) if one in catalogue().row(fault_id).when), On.TIME)
        if write is not None:
            if type(write) is not int or write < 1:
                raise PlanError(fault_id, f"write = {write!r} is no whole number from 1, which is the next write")
            self._arm(Fault(fault_id, When(on, nth=self._hands.writes - self._writes_from + write), given))
            return
        if fault_id not in ACTIONS and fault_id not in CONDITIONS:
            hint = " or say in which, such as write=1 for the next" if on is On.WRITE else ""
            raise PlanError(fault_id, f"happens on a {on} only; plan it with --faults{hint}")
        when = When(on, nth=max(1, self._hands.plant.now_ms), command="refill" if on is On.COMMAND else "")
        planned = _Planned(Fault(fault_id, when, given, for_ms), -self._hand_made, 0)
        self._fire(planned, "hand")

    def _arm(self, fault: Fault) -> None:
        """A fault of a memory write to come, by hand."""
        planned = _Planned(fault, -self._hand_made, 0)
        planned.look(self._plan.seed)
        self._planned.append(planned)
        self._hands.arm_memory()

    # ------------------------------------------------------------------------------------------------ what the device asks and tells
    def next_ms(self) -> int | None:
        """Plant time of the next thing to do; the present if it is due; None if only frames, writes or commands can bring any."""
        if not (self._planned or self._endings or self._supply_ms is not None):
            return None
        times = [ending.at_ms for ending in self._endings]
        if self._supply_ms is not None:
            times.append(self._supply_ms)
        for planned in self._planned:
            if planned.next is not None and planned.fault.when.on in (On.TIME, On.PULSE):
                at_ms = planned.next if planned.fault.when.on is On.TIME else self._pulse_ms(planned)
                if at_ms is not None:
                    times.append(at_ms)
        return max(min(times), self._hands.plant.now_ms) if times else None

    def _pulse_ms(self, planned: _Planned) -> int | None:
        hands, number = self._hands, planned.next
        if number is None or not hands.powered or self.holds.clock_stands:
            return None
        ahead = number - hands.plant.motor.commanded
        if ahead <= 0:
            return hands.plant.now_ms
        train = hands.port.seen(hands.firmware.train)
        place = train.count_at(max(hands.plant.now_ms, train.start_ms)) + ahead
        at_ms = train.time_of_pulse(place)
        if at_ms is None or planned.fault.id not in _BEFORE_PULSE:
            return at_ms
        before_ms = train.time_of_pulse(place - 1) if ahead > 1 else None
        # Two pulses in one ms leave no moment between them.
        return at_ms - 1 if before_ms is None else max(at_ms - 1, before_ms)

    def act(self) -> None:
        """Carry out everything that is due now: endings, the supply, then faults in the order of the plan."""
        now_ms = self._hands.plant.now_ms
        while self._endings and min(self._endings).at_ms <= now_ms:
            ending = min(self._endings)
            self._endings.remove(ending)
            self._active.remove(ending.active)
            self._apply()
        if self._supply_ms is not None and self._supply_ms <= now_ms:
            self._supply_ms = None
            self._power_on()
        for planned in self._planned:
            while self._due(planned, now_ms):
                planned.cursor = planned.next if planned.next is not None else planned.cursor
                self._fire(planned, str(planned.fault.when.on))

    def _due(self, planned: _Planned, now_ms: int) -> bool:
        if planned.next is None:
            return False
        if planned.fault.when.on is On.TIME:
            return planned.next <= now_ms
        if planned.fault.when.on is not On.PULSE:
            return False
        ahead = planned.next - self._hands.plant.motor.commanded
        if ahead == 1 and planned.fault.id in _BEFORE_PULSE:
            at_ms = self._pulse_ms(planned)
            return at_ms is not None and at_ms <= now_ms
        return ahead <= 0

    def on_frame(self) -> None:
        """A frame has come to the pump and has not been looked at."""
        number, self._frames = self._frames, self._frames + 1
        self._counted(On.FRAME, number, "")

    def on_command(self, name: str) -> None:
        """A command of this kind is about to be carried out (a refill at the bench: has been)."""
        number = self._counts[name] = self._counts.get(name, 0) + 1
        self._counted(On.COMMAND, number, name)

    def _counted(self, on: On, number: int, command: str) -> None:
        for planned in self._planned:
            when = planned.fault.when
            if when.on is on and when.command == command and planned.next is not None and planned.next <= number:
                planned.cursor = number
                self._fire(planned, f"{on} {command}".strip())

    # ------------------------------------------------------------------------------------------------ memory writes
    def next_cut(self) -> tuple[int, int] | None:
        """The next write (counted as `load` was told, from 0) in which the supply fails, and how many of its bytes are written."""
        cuts = [
            (self._writes_from + planned.next - 1, Values(planned.fault.values).number("torn"))
            for planned in self._planned
            if planned.fault.when.on is On.WRITE and planned.next is not None
        ]
        return min(cuts, default=None)

    def power_lost(self, write: int) -> None:
        """The supply has failed in this write."""
        for planned in self._planned:
            if planned.fault.when.on is On.WRITE and planned.next is not None and self._writes_from + planned.next - 1 == write:
                planned.cursor = planned.next
                self._note(planned, f"write {planned.next}")
                self._supply_ms = self._hands.plant.now_ms + Values(planned.fault.values).number("off")
                planned.look(self._plan.seed)

    # ------------------------------------------------------------------------------------------------ firing
    def _note(self, planned: _Planned, on: str) -> None:
        planned.times += 1
        self._fired.append(Fired(planned.number, planned.fault.id, self._hands.plant.now_ms, on))

    def _fire(self, planned: _Planned, on: str) -> None:
        fault, hands = planned.fault, self._hands
        values = Values(fault.values, self._plan.seed, planned.number, planned.times)
        begun = None
        try:
            make = CONDITIONS.get(fault.id)
            if make is not None:
                begun = self._begin(planned, make(values))
            action = ACTIONS.get(fault.id)
            if action is not None:
                off_ms = action(hands, values)
                if off_ms == 0:
                    self._power_on()
                elif off_ms is not None:
                    self._supply_ms = hands.plant.now_ms + off_ms
        except MemoryFault:
            self._note(planned, on)  # it happened, and nothing can be started from what it left
        except (PlantError, NotNow) as error:
            planned.refused = str(error)  # it cannot happen to this pump now; `require_all_fired` says so
            if begun is not None:
                self._endings = [ending for ending in self._endings if ending.active is not begun]
                self._active = [one for one in self._active if one is not begun]
                self._apply()
            if planned.number < 0:
                raise
        else:
            self._note(planned, on)
        planned.look(self._plan.seed)

    def _begin(self, planned: _Planned, condition: Condition) -> _Active:
        # A noise that is drawn anew replaces what it was; everything else adds up.
        if planned.fault.id == "power.battery-noise":
            self._active = [one for one in self._active if one.number != planned.number]
            self._endings = [ending for ending in self._endings if ending.number != planned.number]
        active = _Active(planned.number, planned.fault.id, condition)
        self._active.append(active)
        if planned.fault.for_ms is not None:
            self._endings.append(_Ending(self._hands.plant.now_ms + planned.fault.for_ms, planned.number, active))
        self._apply()
        return active

    def _apply(self) -> None:
        """Make the pump be as all active conditions together say; what they leave alone stays as hands at the bench have set it."""
        hands, before = self._hands, self.holds
        now = self.holds = together(one.condition for one in self._active)
        if now.flow != before.flow:
            hands.plant.flow = now.flow
        if now.stalled != before.stalled:
            hands.plant.stalled = now.stalled
        if now.encoder_ppm != before.encoder_ppm:
            hands.plant.set_encoder_rate(now.encoder_ppm)
        if now.drift_ppm != before.drift_ppm:
            natural = hands.plant.oscillator.ppm - before.drift_ppm
            hands.plant.oscillator.change(hands.plant.now_ms, natural + now.drift_ppm)
        hands.port.battery_offset, hands.port.battery_stuck = now.battery_offset, now.battery_stuck

    def _power_on(self) -> None:
        """A memory that nothing can be started from leaves the pump without firmware, which is what it would be."""
        try:
            self._hands.power_on()
        except MemoryFault:
            self._supply_ms = None

    # ------------------------------------------------------------------------------------------------ report
    @property
    def planned(self) -> tuple[Fault, ...]:
        """What the plan holds."""
        return self._plan.faults

    @property
    def active(self) -> tuple[str, ...]:
        """Faults that last at this moment, by id."""
        return tuple(one.id for one in self._active)

    @property
    def fired(self) -> tuple[Fired, ...]:
        """What has happened, those of the line behind the others."""
        line = () if self.line is None else self.line.fired
        return (
            *self._fired,
            *(
                Fired(self._line_numbers[one.number_of_fault], f"link.{one.harm}", one.at_ms, f"frame {one.frame} {one.way}")
                for one in line
            ),
        )

    def require_all_fired(self) -> None:
        """Raises FaultsNotFired naming each declared fault that never happened, and why if it was impossible."""
        happened = {one.number for one in self.fired}
        refused = {planned.number: planned.refused for planned in self._planned}
        missing = tuple(
            f"fault {number}: {fault}" + (f" ({refused[number]})" if refused.get(number) else "")
            for number, fault in enumerate(self._plan.faults, 1)
            if number not in happened
        )
        if missing:
            raise FaultsNotFired(missing)
