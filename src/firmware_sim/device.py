"""One whole simulated pump: plant, memory, firmware and the pump's end of the link, with the hands of a bench.

Bytes and two times come in (uptime by `advance`, link time by argument), bytes go out; no clock is read, nothing drawn but from `entropy`.
A power cut loses all but memory and plant; uptime runs on. Not modelled: what plant and firmware exclude; how long a start takes (none).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import cast

from firmware_sim.bench import BenchError
from firmware_sim.faults.injector import Injector
from firmware_sim.faults.parts import Parts
from firmware_sim.faults.plan import FaultPlan
from firmware_sim.faults.port import Port
from firmware_sim.firmware.core import Firmware, SessionInfo
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory, MemoryFault, PowerLost
from firmware_sim.firmware.monitor import WatchdogReset
from firmware_sim.firmware.selftest import NOISE_BYTES
from firmware_sim.hands import carry_out
from firmware_sim.plant.plant import Plant
from firmware_sim.plant.truth import TruePulse, Truth
from firmware_sim.profiles import PumpProfile, load_profile
from itbpump.link.pump_side import Ended, HandshakeRefused, Opened, Pairing, PumpLink, PumpLinkEvent, Requested
from itbpump.wire.messages import Close, Reply, Request, Role

__all__ = ["SimulatedPump"]

_STATE_FORM = 2
_SAVED: dict[str, type] = {
    "profile": str, "seed": int, "serial": str, "memory": bytes, "plant": dict, "powered": bool, "clock_offset_ms": int,
}  # fmt: skip


class SimulatedPump:
    """A pump of `profile`. `seed` makes it this one pump and gives its random bytes, unless `entropy(n)` does.

    `fill_nL` is put into the reservoir at `concentration_ng_per_mL`; the pump is unconfigured and stopped. `serial`: 8 ASCII characters.
    `path_volume_nL`: else the profile's. `faults`: from the first start on. Raises ProfileError, PlantError, FaultError, ValueError.
    """

    firmware_type, link_type = Firmware, PumpLink  # a pump with other firmware (`defects`) is a subclass

    def __init__(
        self,
        profile: str | PumpProfile = "P-40",
        *,
        seed: int = 0,
        serial: str | None = None,
        fill_nL: int = 0,
        concentration_ng_per_mL: int = 2_000_000,
        drug: str = "baclofen",
        path_volume_nL: int | None = None,
        entropy: Callable[[int], bytes] | None = None,
        faults: FaultPlan | None = None,
    ) -> None:
        self.profile = load_profile(profile) if isinstance(profile, str) else profile
        self._entropy = random.Random(f"itbpump simulated pump {seed}").randbytes if entropy is None else entropy
        self.seed = seed
        name = self.profile.firmware.name
        self.serial = f"{name.replace('-', '')}{seed % 100_000:05d}" if serial is None else serial
        if len(self.serial.encode("ascii")) != 8:
            raise ValueError(f"serial {self.serial!r}: a simulated pump's serial has 8 ASCII characters, as it is the pump id on the wire")
        self.plant = Plant(self.profile.plant, seed, path_volume_nL=path_volume_nL)
        self.port = Port(self.plant)
        self.faults = Injector(self)
        self.parts = Parts(self.profile.firmware, self._entropy)
        if fill_nL:
            self.plant.fill(fill_nL, concentration_ng_per_mL, drug)
        self._memory = format_memory(self._entropy(8), self.serial, name)
        self._firmware: Firmware | None = None
        self._link: PumpLink | None = None
        self._bench_changes = 0
        self._writes_before = 0
        self.was_restored = False
        """It was loaded from a saved state: an earlier process has run it, perhaps under a plan of faults."""
        if faults is not None:
            self.plan_faults(faults)
        self.power_on()

    def plan_faults(self, plan: FaultPlan) -> None:
        """Let the faults of a plan happen from now on, in place of those planned before; see `faults`. Raises FaultError."""
        self.faults.load(plan, self.writes)
        self.arm_memory()

    def arm_memory(self) -> None:
        """Let the memory know in which write a planned fault takes the supply away next."""
        cut = self.faults.next_cut()
        if cut is not None:
            self._memory.cut_at(cut[0] - self._writes_before, cut[1])

    @property
    def powered(self) -> bool:
        """The supply is on."""
        return self._firmware is not None

    @property
    def uptime_ms(self) -> int:
        """What the pump's monotonic clock shows; it runs on while the power is off."""
        return self.port.uptime_ms

    @property
    def drift_ppm(self) -> int:
        """How much faster the pump's clock runs than true time; of this one pump."""
        return self.plant.oscillator.ppm

    @property
    def firmware(self) -> Firmware:
        """The running firmware. Raises BenchError while the power is off."""
        if self._firmware is None:
            raise BenchError("the pump has no power: switch it on first")
        return self._firmware

    @property
    def link(self) -> PumpLink:
        """The pump's end of the link. Raises BenchError while the power is off."""
        if self._link is None:
            raise BenchError("the pump has no power: switch it on first")
        return self._link

    @property
    def memory(self) -> Memory:
        """The non-volatile memory."""
        return self._memory

    def power_cut(self, phase: PulsePhase = PulsePhase.NONE) -> None:
        """Take the supply away now, or in the middle of the next pulse (`phase`)."""
        if self._firmware is None:
            return
        self._firmware.materialise(self.uptime_ms, phase)
        if phase.moved:
            self.plant.pulse_by_hand()
        self._lose_power()

    def _lose_power(self, lost: PowerLost | None = None) -> None:
        self._firmware = None
        self._link = None
        self._bench_changes += 1
        if lost is not None:
            self.faults.power_lost(self._writes_before + lost.write_index)

    @contextmanager
    def _may_lose_power(self) -> Iterator[None]:
        try:
            yield
        except PowerLost as lost:
            self._lose_power(lost)

    def power_on(self) -> None:
        """Give the supply back: a reset. Raises MemoryFault for a memory that nothing can be started from."""
        if self._firmware is None:
            self._start(watchdog=False)

    def watchdog_reset(self) -> None:
        """The watchdog starts the pump anew; the supply stays."""
        if self._firmware is not None:
            self._firmware.materialise(self.uptime_ms)
            self._bitten()

    def _bitten(self) -> None:
        self._lose_power()
        with suppress(MemoryFault):  # a memory that nothing can be started from leaves the pump dead
            self._start(watchdog=True)

    def _start(self, *, watchdog: bool) -> None:
        self._writes_before += self._memory.write_index
        self._memory = self.parts.fit(Memory.from_image(self._memory.image()))
        self.arm_memory()
        firmware = self.firmware_type(self.parts.constants, self._memory, self.port, self.serial)
        try:
            firmware.boot(self.uptime_ms, watchdog=watchdog, noise=self.parts.entropy(NOISE_BYTES))
        except PowerLost as lost:
            self._lose_power(lost)
            return
        self._firmware = firmware
        self._bench_changes += 1
        pump_id, ages_ms = self.serial.encode("ascii"), lambda: firmware.emergency_ages_ms(self.uptime_ms)
        self._link = self.link_type(pump_id, self._memory, self.parts.entropy, firmware.boot_epoch, emergency_ages_ms=ages_ms)

    # --------------------------------------------------------------------------------------------------- line
    def receive(self, data: bytes, link_now_ms: int) -> None:
        """Bytes off the line; answers are ready when it returns. A pump without power, or with a main task that hangs, hears nothing."""
        link = self._link
        if link is None or self.firmware.hung:
            return
        with self._may_lose_power():
            for body in link.split(data[: self.faults.holds.queue_bytes]):
                self.faults.on_frame()
                if self._deaf(link):
                    return
                self._act(link.take(body, link_now_ms), link_now_ms)
            self.plant.radio(*link.take_spent())
            self._notify()

    def _deaf(self, link: PumpLink) -> bool:
        """A fault has just taken the power, and with it what was heard, or stopped the main task."""
        return self._link is not link or self.firmware.hung

    def _act(self, events: list[PumpLinkEvent], link_now_ms: int) -> None:
        firmware, link = self.firmware, self.link
        for event in events:
            if isinstance(event, Requested):
                self.faults.on_command(type(event.request).__name__)
                if self._deaf(link):
                    return
                self.plant.radio(0, 1)
                pairing = link.session
                if pairing is not None:
                    session = SessionInfo(pairing.programmer_id, pairing.role)
                    link.reply(self._handle(event.request, session, link_now_ms))
                    if isinstance(event.request, Close):
                        self._act(link.close(), link_now_ms)
            elif isinstance(event, Opened):
                firmware.session_opened(SessionInfo(event.programmer_id, event.role), self.uptime_ms, is_again=event.is_again)
            elif isinstance(event, Ended):
                firmware.session_closed(event.programmer_id, self.uptime_ms)
            elif isinstance(event, HandshakeRefused):
                firmware.handshake_refused(event.programmer_id, event.reason, self.uptime_ms)

    def _handle(self, request: Request, session: SessionInfo, link_now_ms: int) -> Reply:
        """By the firmware; twice where a fault lets its task run twice."""
        if self.faults.holds.double:
            self.firmware.handle(request, session, self.uptime_ms, link_now_ms)
        return self.firmware.handle(request, session, self.uptime_ms, link_now_ms)

    def _notify(self) -> None:
        if self._firmware is None or self._link is None:
            return
        for hint in self._firmware.take_events():
            self._link.notify(hint)

    def transmit(self) -> bytes:
        """Bytes for the line; drained."""
        return b"" if self._link is None else self._link.transmit()

    def link_deadline_ms(self) -> int | None:
        """Link time at which `link_tick` wants to be called."""
        if self._link is None or self._firmware is None or self._firmware.hung:
            return None
        times = [t for t in (self._link.deadline_ms(), self._firmware.link_deadline()) if t is not None]
        return min(times, default=None)

    def link_tick(self, link_now_ms: int) -> None:
        """Let the link's timers act."""
        if self._link is None or self._firmware is None or self._firmware.hung:
            return
        with self._may_lose_power():
            self._act(self._link.tick(link_now_ms), link_now_ms)
            self._firmware.link_tick(link_now_ms)

    # --------------------------------------------------------------------------------------------------- time
    def next_event_ms(self) -> int | None:
        """Uptime at which something happens by itself beyond pulses, a planned fault included; None if never."""
        times = [] if self._firmware is None or self.faults.holds.clock_stands else [self._firmware.next_event_ms()]
        fault_ms = self.faults.next_ms()
        times.append(None if fault_ms is None else fault_ms + self.port.offset_ms)
        return min((at_ms for at_ms in times if at_ms is not None), default=None)

    def advance(self, ms: int) -> None:
        """Let `ms` pass, as a sound clock of this pump counts them. Raises ValueError if negative. A flat battery takes the power away."""
        if ms < 0:
            raise ValueError(f"time does not run backwards ({ms} ms)")
        until_ms = self.plant.now_ms + ms
        while True:
            fault_ms = self.faults.next_ms()
            self._pass(until_ms if fault_ms is None else min(until_ms, fault_ms))
            with self._may_lose_power():
                self.faults.act()
            if self.faults.planned:
                self._pass(self.plant.now_ms)  # what failed this very ms is met in it, however time is cut
            if self.plant.now_ms >= until_ms:
                return

    def advance_to(self, uptime_ms: int) -> None:
        """Let uptime pass until `uptime_ms`. Raises ValueError if that is in the past."""
        self.advance(uptime_ms - self.uptime_ms)

    def _pass(self, until_ms: int) -> None:
        """Up to the next event or `until_ms` of the plant's time; the battery goes flat at its own ms, however time is cut."""
        firmware, port = self._firmware, self.port
        if firmware is None or self.faults.holds.clock_stands:
            before_ms = self.plant.now_ms
            self.plant.rest(until_ms)
            if self.faults.holds.clock_stands:
                port.offset_ms -= until_ms - before_ms
            return
        try:
            event_ms = firmware.next_event_ms()
            stop_ms = until_ms if event_ms is None else min(until_ms, max(event_ms - port.offset_ms, self.plant.now_ms))
            flat_ms = self.plant.flat_by(port.seen(firmware.train), stop_ms)
            firmware.advance((stop_ms if flat_ms is None else flat_ms) + port.offset_ms)
            if self.plant.battery_permille() == 0:
                self.power_cut()
            self._notify()
        except PowerLost as lost:
            self._lose_power(lost)
        except WatchdogReset:
            self._bitten()

    # -------------------------------------------------------------------------------------------------- hands
    def magnet(self, hold_ms: int, link_now_ms: int) -> bool:
        """Hold a magnet over the pump; whether an emergency session is now accepted."""
        return self.link.magnet(hold_ms, link_now_ms)

    def patient_request(self) -> bool:
        """Press the patient's button; whether a bolus starts."""
        self.faults.on_command("patient-request")
        granted = False
        with self._may_lose_power():
            granted = self.firmware.patient_request(self.uptime_ms)
            self._notify()
        return granted

    def provision(self, programmer_id: bytes, role: Role, key: bytes) -> None:
        """Store a pairing through the provisioning port."""
        self._memory.pair(Pairing(programmer_id, role, key))

    def order(self, request: Request, session: SessionInfo) -> Reply:
        """Give the firmware a request past the link, as its own factory set-up would; not reachable over the line."""
        self.faults.on_command(type(request).__name__)
        if self.firmware.hung:
            raise BenchError("the pump's main task hangs: it takes no order until the watchdog has reset it")
        try:
            return self._handle(request, session, 0)
        except PowerLost as lost:
            self._lose_power(lost)
            raise BenchError("the power went while the pump carried the order out") from lost

    @property
    def truth(self) -> Truth:
        """What is physically true now; its times are the plant's, which a fault of the clock leaves alone."""
        return self.plant.truth()

    def pulses(self, from_ms: int, to_ms: int) -> list[TruePulse]:
        """Each pulse the motor made in (from_ms, to_ms]."""
        return list(self.plant.pulses(from_ms, to_ms))

    def bench(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        """A bench command whose arguments the table has checked (`hands`). Raises BenchError when the pump cannot."""
        return carry_out(self, command, arguments)

    def note_change(self) -> None:
        """A hand has changed something that must survive the simulator."""
        self._bench_changes += 1

    @property
    def writes(self) -> int:
        """Memory writes in the pump's life."""
        return self._writes_before + self._memory.write_index

    @property
    def memory_version(self) -> int:
        """Rises with each change that must survive a power cut."""
        return self.writes + self._bench_changes

    def save(self) -> dict[str, object]:
        """Memory (bytes) and, apart, plant truth (plain JSON-able data)."""
        if self._firmware is not None:
            self._firmware.materialise(self.uptime_ms)
        return {
            "form": _STATE_FORM,
            "profile": self.profile.firmware.name,
            "seed": self.seed,
            "serial": self.serial,
            "powered": self.powered,
            "memory": self._memory.image(),
            "clock_offset_ms": self.port.offset_ms,
            "plant": self.plant.snapshot(),
        }

    @classmethod
    def load(cls, state: dict[str, object], entropy: Callable[[int], bytes] | None = None) -> SimulatedPump:
        """The pump of a saved state after a reset. Raises ValueError, MemoryFault or SnapshotError for damaged data: never a fresh pump."""
        if state.get("form") != _STATE_FORM:
            raise ValueError(f"a saved pump of form {state.get('form')!r}; this program knows form {_STATE_FORM}")
        for key, kind in _SAVED.items():
            if type(state.get(key)) is not kind:
                raise ValueError(f"a saved pump whose {key} is no {kind.__name__}")
        seed, memory = cast("int", state["seed"]), Memory.from_image(cast("bytes", state["memory"]))
        pump = cls(cast("str", state["profile"]), seed=seed, serial=cast("str", state["serial"]), entropy=entropy)
        pump._lose_power()
        pump.was_restored = True
        pump._memory = memory
        pump.plant = Plant.restore(pump.profile.plant, cast("dict[str, object]", state["plant"]))
        pump.port = Port(pump.plant, cast("int", state["clock_offset_ms"]))
        if state["powered"]:
            pump.power_on()
        return pump
