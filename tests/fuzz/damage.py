"""Harness of the pump's memory: a pump whose image was damaged while it was off, and one whose records somebody forged.

An input is a script of patches: bytes put at a place of a region, as they are, or with the record's CRC made good afterwards. Plain
damage must never bring a therapy the pump did not have; a forged record is past all checks but the pump's own limits, which hold on.
Either way the pump starts or refuses by a documented error, and runs three days within its limits; after damage it answers whatever it is
asked. Open: a forged number beyond its range may still stop the pump (`_STOPS`).
"""

from __future__ import annotations

import struct
import zlib
from functools import cache
from typing import Final

from firmware_sim import SimulatedPump
from firmware_sim.firmware.cells import CellPair
from firmware_sim.firmware.memory import LAYOUT, Area, MemoryFault
from firmware_sim.plant.errors import SnapshotError
from itbpump.wire.errors import WireError
from itbpump.wire.messages import (
    ConfigurationSlot,
    Error,
    GetConfiguration,
    GetInfo,
    GetLog,
    GetResults,
    GetStatus,
    Request,
    ResultScope,
)
from tests.fuzz.harness import Chunk, Harness, brief, chunks_of, mutate_chunks
from tests.fuzz.pumps import CONFIGURATION, DAY_MS, Session, Watch, pump_of, template

__all__ = ["DAMAGE", "REGIONS"]

REGIONS: Final = tuple(LAYOUT)
_STEPS = {"pairings": 48, "results": 128, "log": 64, "pulses": CellPair.BYTES, "resets": CellPair.BYTES, "alive": CellPair.BYTES}
"""Bytes from one record of a region to the next."""
_BODIES = {"pairings": 42, "pulses": 16, "resets": 16, "alive": 16}
"""Bytes before the CRC where a record does not fill its place."""
_FORGED = len(REGIONS)
_STOPS = (struct.error, WireError, OverflowError)
"""What a number that only a forged record can hold leads to where it is written or told again: the pump stops. Not so for damage."""
_ASKED: Final[tuple[Request, ...]] = (
    GetInfo(),
    GetStatus(),
    GetConfiguration(ConfigurationSlot.ACTIVE, 0),
    GetConfiguration(ConfigurationSlot.PREVIOUS, 0),
    GetLog(0, 25),
    GetResults(ResultScope.OWN, 0),
    GetResults(ResultScope.OTHERS_UNCONFIRMED, 0),
)


def run_damage(data: bytes) -> None:
    """The pump starts or says why not; no foreign therapy; within the limits for three days; every question answered."""
    state = template()
    whole = state["memory"]
    assert isinstance(whole, bytes)
    image, forged = bytearray(whole), False
    for op, content in chunks_of(data):
        number = op % (2 * _FORGED)
        region = REGIONS[number % _FORGED]
        at = int.from_bytes(content[:2], "big")
        area = LAYOUT[region]
        patch = content[2:][: max(0, area.size - at)]
        image[area.offset + at : area.offset + at + len(patch)] = patch
        if number >= _FORGED and patch:
            _make_good(image, region, area, at)
            forged = True
    _start_and_live({**state, "memory": bytes(image)}, forged=forged)


def _make_good(image: bytearray, region: str, area: Area, at: int) -> None:
    """Put the CRC of the record that holds byte `at` of a region right."""
    if region in ("journal_a", "journal_b"):
        start, body = area.offset, 2 + int.from_bytes(image[area.offset : area.offset + 2], "big")
    elif region == "identity":
        start, body = area.offset, 42
    else:
        step = _STEPS[region]
        start = area.offset + at // step * step
        body = _BODIES.get(region, step - 4)
    if start + body + 4 <= area.offset + area.size:
        image[start + body : start + body + 4] = zlib.crc32(image[start : start + body]).to_bytes(4, "big")


def _start_and_live(state: dict[str, object], *, forged: bool) -> None:
    try:
        pump = pump_of(state)
    except (ValueError, MemoryFault, SnapshotError) as error:
        brief(error)
        return
    except _STOPS:
        if not forged:
            raise
        return
    own = pump.firmware._machine.state.active
    if not forged:
        assert own in _own_configurations(), "damage has made a therapy"
    try:
        _live(pump)
    except _STOPS:
        if not forged:
            raise


def _live(pump: SimulatedPump) -> None:
    """Three days, then every question; the limits are looked at all the time."""
    watch = Watch(pump, CONFIGURATION.concentration_ng_per_mL)
    for _ in range(3):
        pump.advance(DAY_MS)
        if pump.powered:
            pump.patient_request()
        watch.look()
    session = Session(pump)
    if pump.powered and session.open(0):
        for request in _ASKED:
            reply = session.request(request)
            assert reply is not None, f"no answer to {type(request).__name__}"
            assert not isinstance(reply, Error), f"{type(request).__name__}: {reply}"
    # What it has become is kept like any other pump.
    pump_of(pump.save())


@cache
def _own_configurations() -> tuple[bytes, ...]:
    kept = pump_of(template()).firmware._machine.state
    return kept.active, kept.previous, b""


def _dictionary() -> list[Chunk]:
    """Whole records blanked, single bytes turned over in each region, lengths and counters at their ends."""
    chunks: list[Chunk] = []
    for number, region in enumerate(REGIONS):
        for kind in (number, number + _FORGED):
            chunks += [(kind, b"\0\0" + bytes(64)), (kind, b"\0\0" + b"\xff" * 24), (kind, b"\0\x04\x80"), (kind, b"\0\x14" + bytes(20))]
        chunks.append((number, b"\0\0" + bytes(min(LAYOUT[region].size, 600))))
    return chunks


DAMAGE = Harness("damage", run_damage, mutate_chunks(2 * _FORGED, _dictionary()), max_bytes=4096, max_calls=600_000)
