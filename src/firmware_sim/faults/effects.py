"""What each fault of the catalogue does to a pump: a condition that lasts, or something done at once with the hands of a bench.

`CONDITIONS` and `ACTIONS` together have a function for each row that is injected; a test compares them with the table. Faults reach the
pump only from outside: plant, supply, clock, memory, what is heard off the line. Firmware cannot see that a fault was planned.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from typing import Protocol, cast

from firmware_sim.faults.condition import Condition
from firmware_sim.faults.errors import NotNow
from firmware_sim.faults.parts import Parts
from firmware_sim.faults.port import Port
from firmware_sim.faults.when import PPM, drawn
from firmware_sim.firmware.core import Firmware
from firmware_sim.firmware.materialise import PulsePhase
from firmware_sim.firmware.memory import LAYOUT, LAYOUT_NUMBER, Memory
from firmware_sim.plant.plant import Plant

__all__ = ["ACTIONS", "CONDITIONS", "Act", "Hands", "Values"]

_PPM_PER_PERCENT = PPM // 100
_WRAP_MS = 2**32
_LENGTH_BYTES = 2
_IDENTITY_BYTES = 42
_LAYOUT_AT = 8
"""Of the memory's identity: its length without CRC, and where its layout number stands."""


class Hands(Protocol):
    """What a fault may do to a pump; `firmware_sim.device.SimulatedPump` lets it."""

    plant: Plant
    port: Port
    parts: Parts

    @property
    def memory(self) -> Memory:
        """The non-volatile memory."""

    @property
    def firmware(self) -> Firmware:
        """The running firmware; BenchError without power."""

    @property
    def powered(self) -> bool:
        """Whether the supply is on."""

    @property
    def writes(self) -> int:
        """Memory writes in the pump's life."""

    def arm_memory(self) -> None:
        """Let the memory know in which write the supply fails next."""

    def power_cut(self, phase: PulsePhase = PulsePhase.NONE) -> None:
        """Take the supply away."""

    def power_on(self) -> None:
        """Give it back."""

    def watchdog_reset(self) -> None:
        """The watchdog starts the pump anew."""


class Values:
    """The checked arguments of one fault, and its own chance."""

    def __init__(self, values: Mapping[str, object], *about: object) -> None:
        self._values = values
        self._about = about

    def number(self, name: str) -> int:
        """A whole number, a volume in nL, or a time in ms."""
        return cast("int", self._values[name])

    def ppm(self, name: str) -> int:
        """Percent as ppm."""
        return self.number(name) * _PPM_PER_PERCENT

    def text(self, name: str) -> str:
        """A choice."""
        return cast("str", self._values[name])

    def flag(self, name: str) -> bool:
        """True or false."""
        return cast("bool", self._values[name])

    def draw(self, below: int, purpose: str) -> int:
        """0 to below − 1, of this occurrence alone."""
        return drawn(below, *self._about, purpose)


Act = Callable[[Hands, Values], int | None]
"""Done at once. Returns after how many ms the supply comes back; None if it was not taken away, or is back already."""


# ------------------------------------------------------------------------------------------------ power
def _require_power(hands: Hands) -> None:
    """A fault of what runs needs something that runs. Raises NotNow."""
    if not hands.powered:
        raise NotNow("the pump has no power then")


def _mid_pulse(hands: Hands, values: Values) -> int | None:
    _require_power(hands)
    hands.power_cut(PulsePhase(values.text("phase")))
    return values.number("off")


def _sag(hands: Hands, _values: Values) -> int | None:
    _require_power(hands)
    hands.power_cut(PulsePhase.MOVED)
    return 0


def _watchdog(hands: Hands, _values: Values) -> int | None:
    _require_power(hands)
    hands.watchdog_reset()
    return None


def _outage(hands: Hands, values: Values) -> int | None:
    _require_power(hands)
    hands.power_cut()
    return values.number("off")


def _early_end(hands: Hands, values: Values) -> int | None:
    hands.plant.set_battery(values.number("permille"))
    return None


# ------------------------------------------------------------------------------------------------ clock
def _step(hands: Hands, ms: int) -> int | None:
    """The watchdog runs on an oscillator of its own: a step looks to it like a main task that stood still or ran away, so it resets."""
    was_on = hands.powered
    hands.power_cut()
    # A clock counts from 0: set back by more than it has counted, it shows 0.
    hands.port.offset_ms = max(hands.port.offset_ms + ms, -hands.plant.now_ms)
    return 0 if was_on else None


def _forward(hands: Hands, values: Values) -> int | None:
    return _step(hands, values.number("by"))


def _back(hands: Hands, values: Values) -> int | None:
    return _step(hands, -values.number("by"))


def _wrap(hands: Hands, values: Values) -> int | None:
    del values
    shown_ms = hands.port.uptime_ms
    return _step(hands, shown_ms % _WRAP_MS - shown_ms)


# ------------------------------------------------------------------------------------------------ mechanics
def _extra_pulses(hands: Hands, values: Values) -> int | None:
    for _ in range(values.number("pulses")):
        hands.plant.turn_by_hand()
    return None


def _pocket(hands: Hands, values: Values) -> int | None:
    hands.plant.lose(values.number("volume_nL"))
    return None


def _short_fill(hands: Hands, values: Values) -> int | None:
    hands.plant.aspirate(values.number("volume_nL"))
    return None


def _overfill(hands: Hands, values: Values) -> int | None:
    here = hands.plant.truth()
    hands.plant.fill(values.number("volume_nL"), int(here.reservoir_concentration_ng_per_mL), here.drug or "baclofen")
    return None


def _residual(hands: Hands, values: Values) -> int | None:
    hands.plant.set_residual(values.number("volume_nL"))
    return None


# ------------------------------------------------------------------------------------------------ memory
def _newest_slot(memory: Memory) -> tuple[str, str]:
    """The journal slot in force and the other one, by their sequence numbers."""

    def sequence(slot: str) -> int:
        return int.from_bytes(memory.read(slot, _LENGTH_BYTES, 4), "big")

    older, newer = sorted(("journal_a", "journal_b"), key=sequence)
    return newer, older


def _then_reset(hands: Hands, values: Values) -> int | None:
    return _then_cut(hands) if values.flag("reset") else None


def _then_cut(hands: Hands) -> int | None:
    """A reset, unless there is no power: then the next start finds it."""
    if not hands.powered:
        return None
    hands.power_cut()
    return 0


def _flip_programme(hands: Hands, values: Values) -> int | None:
    slot, _ = _newest_slot(hands.memory)
    length = int.from_bytes(hands.memory.read(slot, 0, _LENGTH_BYTES), "big")
    for turn in range(values.number("bits")):
        hands.memory.flip(slot, _LENGTH_BYTES + values.draw(length, f"byte {turn}"), values.draw(8, f"bit {turn}"))
    return _then_reset(hands, values)


def _old_slot(hands: Hands, values: Values) -> int | None:
    newer, older = _newest_slot(hands.memory)
    hands.memory.place(newer, 0, hands.memory.read(older, 0, LAYOUT[older].size))
    return _then_reset(hands, values)


def _both_slots(hands: Hands, values: Values) -> int | None:
    for slot in ("journal_a", "journal_b"):
        hands.memory.flip(slot, _LENGTH_BYTES + values.draw(200, slot), values.draw(8, f"{slot} bit"))
    return _then_reset(hands, values)


def _flip(hands: Hands, values: Values) -> int | None:
    region, offset = values.text("region"), values.number("offset")
    hands.memory.flip(region, offset % LAYOUT[region].size, values.number("bit"))
    return _then_reset(hands, values)


def _stick(hands: Hands, values: Values) -> int | None:
    region, offset = values.text("region"), values.number("offset")
    hands.parts.wear_cell(hands.memory, region, offset % LAYOUT[region].size, values.number("value"))
    return None


def _log_wrap(hands: Hands, values: Values) -> int | None:
    _require_power(hands)
    if hands.firmware.hung:
        raise NotNow("the main task hangs then and writes nothing")
    for _ in range(values.number("entries")):
        hands.firmware.handshake_failed(b"STRANGER", 1, hands.port.uptime_ms)
    return None


def _constants(hands: Hands, values: Values) -> int | None:
    hands.parts.change_constant(values.text("constant"), values.number("add"))
    return _then_cut(hands)


# ------------------------------------------------------------------------------------------------ software
def _stuck_task(hands: Hands, _values: Values) -> int | None:
    _require_power(hands)
    hands.firmware.hang(hands.port.uptime_ms)
    return None


def _late_tick(hands: Hands, values: Values) -> int | None:
    _require_power(hands)
    hands.firmware.hang(hands.port.uptime_ms, values.number("ms"))
    return None


def _version_pair(hands: Hands, _values: Values) -> int | None:
    """The memory says that a program of the next layout wrote it, with a good CRC."""
    body = bytearray(hands.memory.read("identity", 0, _IDENTITY_BYTES))
    body[_LAYOUT_AT : _LAYOUT_AT + 2] = (LAYOUT_NUMBER + 1).to_bytes(2, "big")
    waiting = _then_cut(hands)
    hands.memory.place("identity", 0, bytes(body) + zlib.crc32(body).to_bytes(4, "big"))
    return waiting


def _random_source(hands: Hands, values: Values) -> int | None:
    hands.parts.stick_entropy(values.number("byte"))
    return _then_cut(hands)


# ------------------------------------------------------------------------------------------------ the tables
ACTIONS: Mapping[str, Act] = {
    "power.mid-pulse-reset": _mid_pulse,
    "power.watchdog-reset": _watchdog,
    "power.outage": _outage,
    "power.reset-loop": _watchdog,
    "power.battery-sag": _sag,
    "power.early-end": _early_end,
    "clock.step-forward": _forward,
    "clock.step-back": _back,
    "clock.wrap-32-bit": _wrap,
    "mechanical.extra-pulse": _extra_pulses,
    "mechanical.pocket-fill": _pocket,
    "mechanical.refill-error": _short_fill,
    "mechanical.refill-excess": _overfill,
    "mechanical.residual": _residual,
    "memory.programme-flip": _flip_programme,
    "memory.old-slot": _old_slot,
    "memory.both-slots": _both_slots,
    "memory.flip": _flip,
    "memory.stuck-cell": _stick,
    "memory.log-wrap": _log_wrap,
    "memory.constants": _constants,
    "software.stuck-task": _stuck_task,
    "software.late-tick": _late_tick,
    "software.version-pair": _version_pair,
    "software.random-source": _random_source,
}

CONDITIONS: Mapping[str, Callable[[Values], Condition]] = {
    "power.battery-sag": lambda values: Condition(battery_offset=-values.number("permille")),
    "power.eri-stuck": lambda values: Condition(battery_stuck=values.number("permille")),
    "power.battery-noise": lambda values: Condition(
        battery_offset=values.draw(2 * values.number("permille") + 1, "noise") - values.number("permille")
    ),
    "clock.drift-fast": lambda values: Condition(drift_ppm=values.number("ppm")),
    "clock.drift-slow": lambda values: Condition(drift_ppm=-values.number("ppm")),
    "clock.tick-loss": lambda values: Condition(drift_ppm=-values.number("ticks_per_million")),
    "clock.stuck": lambda _: Condition(clock_stands=True),
    "sensors.encoder-missed": lambda values: Condition(encoder_ppm=PPM - values.ppm("percent")),
    "sensors.encoder-extra": lambda values: Condition(encoder_ppm=PPM + values.ppm("percent")),
    "mechanical.stall": lambda _: Condition(stalled=True),
    "mechanical.slip": lambda values: Condition(scale_ppm=PPM - values.ppm("percent")),
    "mechanical.wear": lambda values: Condition(scale_ppm=PPM + values.number("ppm")),
    "mechanical.kink": lambda values: Condition(scale_ppm=PPM - values.ppm("percent")),
    "mechanical.over-pressure": lambda values: Condition(scale_ppm=PPM + values.ppm("percent")),
    "mechanical.reverse-pressure": lambda values: Condition(scale_ppm=max(0, PPM - values.ppm("percent"))),
    "mechanical.leak": lambda values: Condition(leak_ppm=values.ppm("percent")),
    "mechanical.disconnection": lambda _: Condition(leak_ppm=PPM),
    "mechanical.roller-creep": lambda values: Condition(creep_nL_per_day=values.number("volume_per_day_nL")),
    "software.double-task": lambda _: Condition(double=True),
    "software.queue-overflow": lambda values: Condition(queue_bytes=values.number("bytes")),
}
