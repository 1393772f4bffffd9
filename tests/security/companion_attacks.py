"""What an attacker on the line can try against the companion: one function for each row of docs/threats.toml with `against = "companion"`.

Each bends a line between a companion and its pump; `Recordings` is what passed before. What must hold afterwards is the caller's matter.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import Pong, RecordType, RefuseReason, encode_reply
from itbpump.wire.record import Sealer, clear_body, clear_content, parse_header
from tests.unit.client.lines import Line

COMPANION_ATTACKS: dict[str, Callable[[Line, Recordings], None]] = {}


@dataclass
class Recordings:
    """Chunks that passed so far, in an earlier session and in this one."""

    to_pump: list[bytes] = field(default_factory=list)
    to_host: list[bytes] = field(default_factory=list)


Bend = Callable[[Line, Recordings], None]


def attack(name: str) -> Callable[[Bend], Bend]:
    def keep(function: Bend) -> Bend:
        assert name not in COMPANION_ATTACKS
        COMPANION_ATTACKS[name] = function
        return function

    return keep


def inserted(line: Line, before: Callable[[bytes], list[bytes]], after: Callable[[bytes], list[bytes]] = lambda _data: []) -> None:
    """Whatever the pump says arrives, with something before and after it."""
    line.to_host = lambda data: [*before(data), data, *after(data)]


@attack("forge-replies")
def forge_replies(line: Line, _said: Recordings) -> None:
    """Replies of the right form under keys of one's own, with every counter that could be the next."""
    random = Random(1)

    def forged(_data: bytes) -> list[bytes]:
        sealer = Sealer(random.randbytes(16), random.randbytes(8))
        plain = encode_reply(3, Pong(nonce=1, uptime_ms=5))
        return [encode_frame(sealer.seal(rtype, n, plain)) for n in range(20) for rtype in (RecordType.COMMAND, RecordType.EVENT)]

    inserted(line, forged)


@attack("replay-replies")
def replay_replies(line: Line, said: Recordings) -> None:
    """Everything the pump ever said, before and after each thing that it says now."""
    inserted(line, lambda _data: list(said.to_host), lambda _data: list(reversed(said.to_host)))


@attack("reflect-to-companion")
def reflect_to_companion(line: Line, said: Recordings) -> None:
    """The companion's own words, and those of before, come back to it."""
    latest: list[bytes] = []

    def heard(data: bytes) -> list[bytes]:
        latest.append(data)
        return [data]

    line.to_pump = heard
    inserted(line, lambda _data: [*said.to_pump, *latest[-3:]])


@attack("forge-refusals")
def forge_refusals(line: Line, _said: Recordings) -> None:
    """Every refusal that can be said in clear, before each thing that the pump says: a session can be cut off so, nothing else."""
    clear = [clear_body(RecordType.REFUSE, keys.encode_refuse(reason, 1, 1, 9)) for reason in RefuseReason]
    clear.append(clear_body(RecordType.BUSY, keys.encode_busy(600)))
    count = [0]

    def refusing(_data: bytes) -> list[bytes]:
        count[0] += 1
        return [encode_frame(body) for body in clear] if count[0] % 3 == 0 else []

    inserted(line, refusing)


@attack("rewrite-hello-reply")
def rewrite_hello_reply(line: Line, _said: Recordings) -> None:
    """Version, suite, pump, nonce and epoch of the pump's answer, changed one after the other, before the answer itself."""

    def rewritten(data: bytes) -> list[bytes]:
        frames: list[bytes] = []
        for body in FrameSplitter().feed(data):
            if parse_header(body).rtype == RecordType.HELLO_REPLY:
                changed = (body[:place] + bytes([body[place] ^ 1]) + body[place + 1 :] for place in (8, 9, 12, 20, 37))
                frames += map(encode_frame, changed)
        return frames

    inserted(line, rewritten)


@attack("cut-replies")
def cut_replies(line: Line, _said: Recordings) -> None:
    """Of every third thing that the pump says, only a part arrives, with a delimiter put where it stops."""
    count = [0]

    def cut(data: bytes) -> list[bytes]:
        count[0] += 1
        return [data[: len(data) * 2 // 3] + b"\0"] if count[0] % 3 == 0 else [data]

    line.to_host = cut


@attack("other-pump-answers-first")
def other_pump_answers_first(line: Line, _said: Recordings) -> None:
    """The answer of a pump with which this companion is paired as well, slipped in before the answer of the one on the line."""

    def slipped(data: bytes) -> list[bytes]:
        found = []
        for body in FrameSplitter().feed(data):
            if parse_header(body).rtype == RecordType.HELLO_REPLY:
                h2 = keys.decode_h2(clear_content(body))
                other = keys.encode_h2(h2.version, h2.suite, b"P4000002", bytes(16), h2.boot_epoch)
                found.append(encode_frame(clear_body(RecordType.HELLO_REPLY, other)))
        return found

    inserted(line, slipped)
