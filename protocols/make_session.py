"""Writes vectors/session.json: one whole session as it goes over the line, from hello to close. `--check` compares instead.

The two ends are the shipped ones, with every random byte given, so the file is the same each time. It holds what a line brings: a
therapy of several fragments, a reply that is lost and resent, a bolus, a hint, and pages of the log. Run with src/ on the path.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from firmware_sim.device import SimulatedPump
from itbpump.link.programmer import ProgrammerLink
from itbpump.wire import keys
from itbpump.wire.frame import decode_frame
from itbpump.wire.messages import (
    BolusKind,
    BolusOrder,
    Close,
    CommandKind,
    Commit,
    Configuration,
    ConfirmResult,
    GetInfo,
    GetLog,
    GetReadBack,
    GetStatus,
    Mode,
    Pattern,
    Ping,
    RecordType,
    Request,
    Role,
    Stage,
    Step,
    StepKind,
    StopBolus,
    decode_event,
    decode_reply,
    decode_request,
    encode_bolus_order,
    encode_configuration,
)
from itbpump.wire.record import Sealer, clear_content, parse_header

TARGET = Path(__file__).parent / "vectors" / "session.json"
PSK, NP, ND, MEMORY_ID = bytes(range(32)), b"\xa0" * 16, b"\xb0" * 16, b"\xc0" * 8
NOISE = bytes(range(64))  # what the pump's start takes of its random source to judge it; nothing on the wire comes of it
PROGRAMMER_ID, SERIAL = b"PROGID01", "PUMPID01"
FILL_NL = 38_000_000


def entropy_of(*pieces: bytes) -> Callable[[int], bytes]:
    """A source that gives these pieces, in order, and no more."""
    left = list(pieces)

    def take(count: int) -> bytes:
        piece = left.pop(0)
        if len(piece) != count:
            raise ValueError(f"{count} random bytes asked for, {len(piece)} prepared")
        return piece

    return take


def new_pump() -> SimulatedPump:
    """The pump of the session, paired."""
    pump = SimulatedPump("P-40", seed=1, serial=SERIAL, fill_nL=FILL_NL, entropy=entropy_of(MEMORY_ID, NOISE, ND))
    pump.provision(PROGRAMMER_ID, Role.CLINICIAN, PSK)
    return pump


def new_programmer() -> ProgrammerLink:
    """The programmer of the session."""
    return ProgrammerLink(PROGRAMMER_ID, lambda _pump: PSK, entropy_of(NP))


class Recorder:
    """Both ends, and every frame that passes between them."""

    def __init__(self) -> None:
        self.pump, self.programmer = new_pump(), new_programmer()
        self.frames: list[dict[str, Any]] = []
        self.now_ms = 0

    def note(self, direction: str, data: bytes) -> None:
        for frame in split(data):
            body = decode_frame(frame[1:-1])
            name = name_of(direction, body, self.frames)
            self.frames.append({"dir": direction, "uptime_ms": self.pump.uptime_ms, "hex": frame.hex(), "message": name})

    def carry(self, *, lose_reply: bool = False) -> None:
        out = self.programmer.transmit()
        self.note("p2d", out)
        self.pump.receive(out, self.now_ms)
        back = self.pump.transmit()
        self.note("d2p", back)
        if not lose_reply:
            self.programmer.feed(back, self.now_ms)

    def connect(self) -> None:
        self.programmer.connect(self.now_ms)
        self.carry()
        self.carry()

    def ask(self, request: Request, *, lose_reply: bool = False) -> None:
        self.programmer.request(request, self.now_ms, self.now_ms + 10_000)
        self.carry(lose_reply=lose_reply)
        if lose_reply:
            due = self.programmer.deadline_ms()
            assert due is not None
            self.now_ms = due
            self.programmer.tick(due)
            self.carry()

    def stage(self, cmd_id: int, kind: CommandKind, payload: bytes, base_revision: int, *, lose_reply: bool = False) -> None:
        for offset in range(0, len(payload), 900):
            self.ask(Stage(cmd_id, kind, base_revision, len(payload), offset, payload[offset : offset + 900]))
        self.ask(GetReadBack(cmd_id))
        self.ask(Commit(cmd_id, hashlib.sha256(payload).digest(), base_revision), lose_reply=lose_reply)
        self.ask(ConfirmResult(cmd_id))

    def wait(self, ms: int) -> None:
        self.pump.advance(ms)
        self.now_ms += ms
        hint = self.pump.transmit()
        self.note("d2p", hint)
        self.programmer.feed(hint, self.now_ms)


def split(data: bytes) -> list[bytes]:
    """Single frames, each with both delimiters."""
    return [b"\0" + run + b"\0" for run in data.split(b"\0") if run]


def name_of(direction: str, body: bytes, before: list[dict[str, Any]]) -> str:
    """Name of a clear record's type, or of the message in a sealed one."""
    header = parse_header(body)
    if not header.sealed:
        return header.rtype.name.lower()
    h1, h2 = (clear_content(decode_frame(bytes.fromhex(frame["hex"])[1:-1])) for frame in before[:2])
    made = keys.derive(PSK, NP, ND, keys.transcript_hash(h1, h2))
    if direction == "p2d":
        return type(decode_request(Sealer(made.k_p2d, made.iv_p).open(body).plaintext)).__name__
    record = Sealer(made.k_d2p, made.iv_d).open(body)
    return type(decode_event(record.plaintext) if record.rtype is RecordType.EVENT else decode_reply(record.plaintext)[1]).__name__


def therapy() -> Configuration:
    """Seven days of 24 steps and a bolus step: more than one fragment."""
    steps = (
        *(Step(60 * hour, StepKind.RATE, 60_000 + 1_000 * hour, 0) for hour in range(6)),
        Step(360, StepKind.BOLUS, 40, 60),
        *(Step(60 * hour, StepKind.RATE, 60_000 + 1_000 * hour, 0) for hour in range(7, 24)),
    )
    return Configuration(
        layout=1,
        drug="baclofen",
        concentration_ng_per_mL=2_000_000,
        reservoir_set=True,
        reservoir_volume_nL=FILL_NL,
        path_volume_nL=316_000,
        low_alarm_nL=6_500_000,
        empty_alarm_nL=1_400_000,
        week_offset_ms=86_400_000,
        start=True,
        mode=Mode.FLEX,
        flow_nL_per_day=0,
        periodic_pulses=0,
        periodic_duration_min=0,
        periodic_every_min=0,
        patterns=tuple(Pattern(1 << day, steps) for day in range(7)),
        bridge_flow_nL_per_day=0,
        bridge_pulses=0,
        patient_pulses=0,
        patient_duration_min=0,
        patient_lockout_min=0,
        patient_max_per_day=0,
    )


def session() -> dict[str, Any]:
    """The file's content."""
    line = Recorder()
    line.connect()
    line.ask(GetInfo())
    line.ask(GetStatus())
    line.stage(1, CommandKind.CONFIGURE, encode_configuration(therapy()), 0, lose_reply=True)
    line.wait(60_000)
    order = BolusOrder(layout=1, kind=BolusKind.SINGLE, from_counter=0, to_counter=25, duration_s=600)
    line.stage(2, CommandKind.BOLUS, encode_bolus_order(order), 1)
    line.wait(300_000)
    line.ask(GetStatus())
    line.ask(StopBolus(3))
    line.wait(30_000)
    line.ask(Ping(7))
    line.ask(GetLog(0, 25))
    line.ask(Close())
    return {
        "psk": PSK.hex(),
        "np": NP.hex(),
        "nd": ND.hex(),
        "boot_epoch": line.pump.firmware.boot_epoch,
        "programmer_id": PROGRAMMER_ID.hex(),
        "pump_id": SERIAL.encode("ascii").hex(),
        "frames": line.frames,
    }


def main() -> int:
    """Write or check; 1 when the file is stale."""
    text = json.dumps(session(), indent=1) + "\n"
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(text, encoding="utf-8")
        print(f"wrote {TARGET.name}")
        return 0
    if TARGET.read_text(encoding="utf-8") == text:
        return 0
    print(f"{TARGET.name} is stale: run protocols/make_session.py")
    return 1


if __name__ == "__main__":
    sys.exit(main())
