"""Harnesses of the wire: frame (splitter and encoder) and message (every decoder), with their invariants.

Frame: an input is a first byte (how the stream is cut) and a stream. Message: a first byte (which decoder) and a payload.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from itbpump.wire import messages
from itbpump.wire.errors import FrameError, MessageError
from itbpump.wire.frame import MAX_BODY_BYTES, MAX_ENCODED_BYTES, FrameSplitter, decode_frame, encode_frame
from itbpump.wire.messages import codec
from tests.fuzz.harness import Basic, Harness, brief, mutate_bytes

__all__ = ["FRAME", "MESSAGE", "VECTORS", "payload_rows"]

VECTORS = Path(__file__).parents[2] / "protocols" / "vectors"


# ------------------------------------------------------------------------------------------------ frame
def run_frame(data: bytes) -> None:
    """Any chunking finds the same bodies; each is what its run decodes to and encodes to again; nothing is held beyond one frame."""
    if not data:
        return
    size, stream = 1 + data[0], data[1:]
    whole, pieces = FrameSplitter(), FrameSplitter()
    bodies = whole.feed(stream)
    assert bodies == [body for at in range(0, len(stream), size) for body in pieces.feed(stream[at : at + size])], "chunking matters"
    counted = (whole.damaged, whole.oversized, whole.pending_bytes)
    assert counted == (pieces.damaged, pieces.oversized, pieces.pending_bytes), "chunking changes the counts"
    assert whole.pending_bytes <= MAX_ENCODED_BYTES, "more than one unfinished frame is held"
    good: list[bytes] = []
    runs = [run for run in stream.split(b"\0")[:-1] if run]
    for run in runs:
        try:
            good.append(decode_frame(run))
        except FrameError as error:
            brief(error, 200)
    assert bodies == good, "splitter and decoder disagree"
    # An oversized run without its end is counted already.
    assert len(runs) <= whole.damaged + whole.oversized + len(bodies) <= len(runs) + 1, "a run that was neither found nor counted"
    for body in bodies:
        assert 1 <= len(body) <= MAX_BODY_BYTES, "a body beyond its bound"
        assert FrameSplitter().feed(encode_frame(body)) == [body], "a body does not survive its own frame"


def mutate_frame(data: bytes, max_bytes: int, rng: random.Random, basic: Basic) -> bytes:
    """Plain bytes, or a body inside a frame whose CRC and stuffing are then put right."""
    runs = data[1:].split(b"\0")
    at = rng.randrange(len(runs))
    if rng.random() < 0.5:
        return basic(data, max_bytes)
    try:
        body = decode_frame(runs[at])
    except FrameError:
        body = runs[at] or b"\x01"
    changed = basic(body, MAX_BODY_BYTES) or b"\x01"
    runs[at] = encode_frame(changed[:MAX_BODY_BYTES])[1:-1]
    return (data[:1] + b"\0".join(runs))[:max_bytes]


FRAME = Harness("frame", run_frame, mutate_frame, max_bytes=2560, max_calls=20_000)


# ------------------------------------------------------------------------------------------------ message
def _reply(payload: bytes) -> bytes:
    re, message = messages.decode_reply(payload)
    return messages.encode_reply(re, message)


_DECODERS: Final[tuple[tuple[str, Callable[[bytes], bytes]], ...]] = (
    ("request", lambda raw: messages.encode_request(messages.decode_request(raw))),
    ("reply", _reply),
    ("event", lambda raw: messages.encode_event(messages.decode_event(raw))),
    ("Configuration", lambda raw: messages.encode_configuration(messages.decode_configuration(raw))),
    ("BolusOrder", lambda raw: messages.encode_bolus_order(messages.decode_bolus_order(raw))),
)
KINDS = [name for name, _ in _DECODERS]
_NAMES = {"", "Request", "Reply", "Event", *codec.FIELDS}
"""What an error may speak of; empty for a message nobody knows."""


def run_message(data: bytes) -> None:
    """Bytes are a message whose encoding they are, letter by letter, or a MessageError that says where."""
    if not data:
        return
    kind, again = _DECODERS[data[0] % len(_DECODERS)]
    payload = data[1:]
    try:
        encoded = again(payload)
    except MessageError as error:
        _located(error)
    else:
        assert encoded == payload, f"{kind}: two encodings of one message"


def _located(error: MessageError) -> None:
    assert error.message in _NAMES, f"an error of {error.message!r}, which is no message or structure"
    brief(error, 300)


def payload_rows() -> list[tuple[int, bytes]]:
    """(decoder, payload) of every valid vector."""
    rows: list[dict[str, Any]] = json.loads((VECTORS / "valid.json").read_text())
    return [(KINDS.index(row["kind"] if row["kind"] in KINDS else row["message"]), bytes.fromhex(row["payload"])) for row in rows]


def mutate_message(data: bytes, max_bytes: int, rng: random.Random, basic: Basic) -> bytes:
    """A change of the bytes, or of a valid vector."""
    if rng.random() < 0.2:
        kind, payload = rng.choice(_ROWS)
        data = bytes([kind]) + payload
    return data[:1] + mutate_bytes(data[1:], max_bytes - 1, rng, basic) if data else b"\0"


_ROWS = payload_rows()
MESSAGE = Harness("message", run_message, mutate_message, max_bytes=2048, max_calls=5_000)
