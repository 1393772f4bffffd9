"""One whole simulated pump: plant, memory, firmware and the pump's end of the link, with the hands of a bench.

Bytes and two times come in (uptime by `advance`, link time by argument), bytes go out; no clock is read and nothing is drawn but from
`entropy`. A power cut loses everything but the memory and the plant; uptime goes on, because the clock has a cell of its own. Not
modelled: what plant and firmware exclude; how long a start takes (none).
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import cast

from firmware_sim.bench import BenchError
from firmware_sim.firmware.core import Firmware, SessionInfo
from firmware_sim.firmware.formatting import format_memory
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import Memory, PowerLost
from firmware_sim.plant.errors import PlantError
from firmware_sim.plant.plant import Plant
from firmware_sim.plant.truth import TruePulse, Truth
from firmware_sim.profiles import PumpProfile, load_profile
from itbpump.link.pump_side import Ended, HandshakeRefused, Opened, Pairing, PumpLink, PumpLinkEvent, Requested
from itbpump.wire.messages import Close, Reply, Request, Role

__all__ = ["SimulatedPump"]

_STATE_FORM = 1
_HOUR_MS = 3_600_000


class SimulatedPump:
    """A pump of `profile`. `seed` makes it this one pump (its accuracy, drift, scatter); `entropy(n)` gives its random bytes, by default
    from the seed.

    `fill_nL` is put into the reservoir at `concentration_ng_per_mL`; the pump itself is unconfigured and stopped. `serial` has 8 ASCII
    characters. `path_volume_nL` is the true path, by default the profile's typical one. Raises ProfileError, PlantError, ValueError.
    """

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
    ) -> None:
        self.profile = load_profile(profile) if isinstance(profile, str) else profile
        self._entropy = random.Random(f"itbpump simulated pump {seed}").randbytes if entropy is None else entropy
        self.seed = seed
        name = self.profile.firmware.name
        self.serial = f"{name.replace('-', '')}{seed % 100_000:05d}" if serial is None else serial
        if len(self.serial.encode("ascii")) != 8:
            raise ValueError(f"serial {self.serial!r}: a simulated pump's serial has 8 ASCII characters, as it is the pump id on the wire")
        self.plant = Plant(self.profile.plant, seed, path_volume_nL=path_volume_nL)
        if fill_nL:
            self.plant.fill(fill_nL, concentration_ng_per_mL, drug)
        self._memory = format_memory(self._entropy(8), self.serial, name)
        self._firmware: Firmware | None = None
        self._link: PumpLink | None = None
        self._bench_changes = 0
        self._writes_before = 0
        self._refusal_logged_ms: dict[bytes, int] = {}
        self.power_on()

    # -------------------------------------------------------------------------------------------------- power
    @property
    def powered(self) -> bool:
        """The supply is on."""
        return self._firmware is not None

    @property
    def uptime_ms(self) -> int:
        """The pump's monotonic clock; it runs on while the power is off."""
        return self.plant.now_ms

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

    def _lose_power(self) -> None:
        self._firmware = None
        self._link = None
        self._bench_changes += 1

    def power_on(self) -> None:
        """Give the supply back: a reset."""
        if self._firmware is not None:
            return
        self._writes_before += self._memory.write_index
        self._memory = Memory.from_image(self._memory.image())
        firmware = Firmware(self.profile.firmware, self._memory, self.plant, self.serial)
        try:
            firmware.boot(self.uptime_ms)
        except PowerLost:
            return
        self._firmware = firmware
        self._bench_changes += 1
        self._link = PumpLink(self.serial.encode("ascii"), self._memory, self._entropy, firmware.boot_epoch)

    # --------------------------------------------------------------------------------------------------- line
    def receive(self, data: bytes, link_now_ms: int) -> None:
        """Bytes off the line; answers are ready when it returns. A pump without power hears nothing."""
        if self._link is None:
            return
        try:
            for body in self._link.split(data):
                self._act(self._link.take(body, link_now_ms), link_now_ms)
            self._notify()
        except PowerLost:
            self._lose_power()

    def _act(self, events: list[PumpLinkEvent], link_now_ms: int) -> None:
        firmware, link = self.firmware, self.link
        for event in events:
            if isinstance(event, Requested):
                self.plant.radio(0, 1)
                pairing = link.session
                if pairing is not None:
                    session = SessionInfo(pairing.programmer_id, pairing.role)
                    link.reply(firmware.handle(event.request, session, self.uptime_ms, link_now_ms))
                    if isinstance(event.request, Close):
                        self._act(link.close(), link_now_ms)
            elif isinstance(event, Opened):
                self.plant.radio(1, 0)
                firmware.session_opened(SessionInfo(event.programmer_id, event.role), self.uptime_ms)
            elif isinstance(event, Ended):
                firmware.session_closed(event.programmer_id, self.uptime_ms)
            elif isinstance(event, HandshakeRefused):
                self.plant.radio(1, 0)
                self._note_refusal(event)

    def _note_refusal(self, event: HandshakeRefused) -> None:
        """Log it for a paired programmer, once an hour at most: anybody can send hellos, and they must not push the log out."""
        last_ms = self._refusal_logged_ms.get(event.programmer_id)
        if self._memory.pairing(event.programmer_id) is None or (last_ms is not None and self.uptime_ms - last_ms < _HOUR_MS):
            return
        self._refusal_logged_ms[event.programmer_id] = self.uptime_ms
        self.firmware.handshake_failed(event.programmer_id, event.reason, self.uptime_ms)

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
        if self._link is None or self._firmware is None:
            return None
        times = [t for t in (self._link.deadline_ms(), self._firmware.link_deadline()) if t is not None]
        return min(times, default=None)

    def link_tick(self, link_now_ms: int) -> None:
        """Let the link's timers act."""
        if self._link is None or self._firmware is None:
            return
        try:
            self._act(self._link.tick(link_now_ms), link_now_ms)
            self._firmware.link_tick(link_now_ms)
        except PowerLost:
            self._lose_power()

    # --------------------------------------------------------------------------------------------------- time
    def next_event_ms(self) -> int | None:
        """Uptime at which something happens by itself beyond pulses; None if never."""
        return None if self._firmware is None else self._firmware.next_event_ms()

    def advance(self, ms: int) -> None:
        """Let `ms` of uptime pass."""
        self.advance_to(self.uptime_ms + ms)

    def advance_to(self, uptime_ms: int) -> None:
        """Let uptime pass until `uptime_ms`. Raises ValueError if that is in the past. A flat battery takes the power away."""
        if uptime_ms < self.uptime_ms:
            raise ValueError(f"uptime {uptime_ms} ms is before {self.uptime_ms} ms")
        if self._firmware is None:
            self.plant.rest(uptime_ms)
            return
        try:
            self._run_to(self._firmware, uptime_ms)
            self._notify()
        except PowerLost:
            self._lose_power()
        if self.uptime_ms < uptime_ms:
            self.plant.rest(uptime_ms)

    def _run_to(self, firmware: Firmware, uptime_ms: int) -> None:
        """From event to event, since between them the commanded pulses are known: the battery goes flat at its own ms, however time is
        cut."""
        while True:
            event_ms = firmware.next_event_ms()
            until_ms = uptime_ms if event_ms is None else min(uptime_ms, max(event_ms, self.uptime_ms))
            flat_ms = self.plant.flat_by(firmware.train, until_ms)
            firmware.advance(until_ms if flat_ms is None else flat_ms)
            if self.plant.battery_permille() == 0:
                self.power_cut()
                return
            if self.uptime_ms == uptime_ms:
                return

    # -------------------------------------------------------------------------------------------------- hands
    def magnet(self, hold_ms: int, link_now_ms: int) -> bool:
        """Hold a magnet over the pump; whether an emergency session is now accepted."""
        return self.link.magnet(hold_ms, link_now_ms)

    def patient_request(self) -> bool:
        """Press the patient's button; whether a bolus starts."""
        granted = self.firmware.patient_request(self.uptime_ms)
        self._notify()
        return granted

    def provision(self, programmer_id: bytes, role: Role, key: bytes) -> None:
        """Store a pairing through the provisioning port."""
        self._memory.pair(Pairing(programmer_id, role, key))

    def order(self, request: Request, session: SessionInfo) -> Reply:
        """Give the firmware a request past the link, as its own factory set-up would; not reachable over the line."""
        return self.firmware.handle(request, session, self.uptime_ms, 0)

    @property
    def truth(self) -> Truth:
        """What is physically true now."""
        return self.plant.truth()

    def pulses(self, from_ms: int, to_ms: int) -> list[TruePulse]:
        """Each pulse the motor made in (from_ms, to_ms]."""
        return list(self.plant.pulses(from_ms, to_ms))

    def bench(self, command: str, arguments: dict[str, object]) -> dict[str, object]:
        """Carry out a bench command whose arguments the bench table has checked. Raises BenchError when the pump cannot."""
        handler = {
            "truth": self._bench_truth,
            "pulses": self._bench_pulses,
            "refill": self._bench_refill,
            "stall": self._bench_stall,
            "battery": self._bench_battery,
        }.get(command)
        if handler is None:
            raise BenchError(f"{command!r} is no command of the device", kind="bad-command")
        try:
            return handler(cast("dict[str, int | str]", arguments))
        except PlantError as error:
            raise BenchError(str(error)) from error

    def _bench_truth(self, _arguments: dict[str, int | str]) -> dict[str, object]:
        truth = self.truth
        return {
            "uptime_ms": truth.at_ms,
            "true_ms": truth.true_ms,
            "reservoir_nL": truth.reservoir_nL,
            "reservoir_concentration_ng_per_mL": round(float(truth.reservoir_concentration_ng_per_mL), 3),
            "delivered_nL": truth.delivered_nL,
            "commanded_pulses": truth.commanded_pulses,
            "encoder_pulses": truth.encoder_pulses,
            "stalled": truth.stalled,
            "accuracy_ppm": truth.accuracy_ppm,
            "drift_ppm": truth.drift_ppm,
            "path_ng": round(sum(truth.path_tanks_ng), 3),
            "tip_mass_ng": round(truth.tip_mass_ng, 3),
            "csf_ng": round(self.plant.csf_mass_ng(), 3),
            "battery_permille": truth.battery_permille,
            "filled_nL": truth.ledger.filled_nL,
            "aspirated_nL": truth.ledger.aspirated_nL,
            "lost_nL": truth.ledger.lost_nL,
        }

    def _bench_pulses(self, arguments: dict[str, int | str]) -> dict[str, object]:
        listed = self.pulses(int(arguments["from_ms"]), int(arguments["to_ms"]))
        return {"pulses": [{"at_ms": pulse.at_ms, "number": pulse.number, "volume_nL": pulse.volume_nL} for pulse in listed]}

    def _bench_refill(self, arguments: dict[str, int | str]) -> dict[str, object]:
        concentration = arguments.get("concentration_ng_per_mL", int(self.truth.reservoir_concentration_ng_per_mL))
        drawn = self.plant.aspirate(int(arguments["aspirate_nL"]) if "aspirate_nL" in arguments else "all")
        self.plant.fill(int(arguments["fill_nL"]), int(concentration))
        self._bench_changes += 1
        return {"aspirated_nL": drawn.volume_nL, "reservoir_nL": self.truth.reservoir_nL}

    def _bench_stall(self, arguments: dict[str, int | str]) -> dict[str, object]:
        self.plant.stalled = arguments["state"] == "on"
        self._bench_changes += 1
        return {"stalled": self.plant.stalled}

    def _bench_battery(self, arguments: dict[str, int | str]) -> dict[str, object]:
        if "permille" in arguments:
            self.plant.set_battery(int(arguments["permille"]))
            self._bench_changes += 1
        return {"battery_permille": self.plant.battery_permille()}

    # --------------------------------------------------------------------------------------------------- state
    @property
    def memory_version(self) -> int:
        """Rises with each change that must survive a power cut."""
        return self._writes_before + self._memory.write_index + self._bench_changes

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
            "plant": self.plant.snapshot(),
        }

    @classmethod
    def load(cls, state: dict[str, object], entropy: Callable[[int], bytes] | None = None) -> SimulatedPump:
        """The pump of a saved state, started anew (a reset). Raises ValueError, MemoryFault or SnapshotError for damaged data: never a
        fresh pump.
        """
        if state.get("form") != _STATE_FORM:
            raise ValueError(f"a saved pump of form {state.get('form')!r}; this program knows form {_STATE_FORM}")
        seed, memory = cast("int", state["seed"]), Memory.from_image(cast("bytes", state["memory"]))
        pump = cls(cast("str", state["profile"]), seed=seed, serial=cast("str", state["serial"]), entropy=entropy)
        pump._lose_power()
        pump._memory = memory
        pump.plant = Plant.restore(pump.profile.plant, cast("dict[str, object]", state["plant"]))
        if state["powered"]:
            pump.power_on()
        return pump
