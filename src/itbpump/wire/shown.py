"""A frame of a recording as JSON and as a line of text: header fields, and the message's own fields under their names on the wire.

Amounts stay in the protocol's units, which the names tell (`flow_nL_per_day`). Nothing secret can be in them: keys never travel as
messages. Not here: words and amounts for people (`itbpump.cli`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any

import msgspec

from itbpump.wire.capture import Seen
from itbpump.wire.keys import Hello, HelloReply, Refusal
from itbpump.wire.pcapng import Packet, Way

__all__ = ["WAYS", "frame_json", "frame_text", "plain"]

WAYS = {Way.TO_PUMP: "to-pump", Way.FROM_PUMP: "from-pump"}


def plain(value: object) -> Any:
    """A field as JSON knows it: bytes in hex, enums by name, structures and lists as they are nested."""
    if isinstance(value, IntEnum):
        return value.name.lower()
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, msgspec.Struct):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if isinstance(value, (Hello, HelloReply, Refusal)):
        return {name: plain(field) for name, field in value._asdict().items()}
    if isinstance(value, tuple):
        return [plain(part) for part in value]
    return value


def frame_json(number: int, packet: Packet, seen: Seen | None) -> dict[str, Any]:
    """One line of a JSONL recording: `number` counts packets of the section from 1; `fields` are there where the content can be read.

    `seen` is None for a packet that is no frame: a remark of the recorder, or lost zeros.
    """
    found: dict[str, Any] = {"frame": number, "time_us": packet.time_us, "way": WAYS[packet.way], "line": packet.line}
    if packet.comment:
        found["comment"] = packet.comment
    if seen is not None and seen.header is not None:
        header = seen.header
        found |= {"type": header.rtype.name.lower(), "version": header.version, "counter": header.counter, "length": header.length}
    if seen is not None and seen.content is not None:
        found |= {"message": seen.name, **({"re": seen.re} if seen.re is not None else {}), "fields": _fields(seen.content)}
    if seen is not None and seen.problem:
        found["problem"] = seen.problem
    return found | {"data": packet.data.hex()}


def _fields(content: object) -> dict[str, Any]:
    """Fields by name, also of the handshake contents that have only one or two."""
    shown = plain(content)
    if isinstance(shown, dict):
        return shown
    if isinstance(shown, list):
        return {"programmer_id": shown[0], "mac": shown[1]}
    return {"mac": shown} if isinstance(content, bytes) else {"retry_after_s": shown}


def frame_text(seen: Seen) -> str:
    """`GetStatus #3`, `Status #4 for #3: uptime_ms=…, …`, `sealed #7, 120 bytes`."""
    if seen.header is None:
        return f"damaged: {seen.problem}"
    name = f"{seen.name} #{seen.header.counter}" if seen.header.sealed else seen.name
    if seen.problem:
        return f"{name}: {seen.problem}"
    if seen.content is None:
        return f"{name}, {seen.header.length} bytes"
    answered = f" for #{seen.re}" if seen.re is not None else ""
    fields = ", ".join(f"{name}={_short(value)}" for name, value in _fields(seen.content).items())
    return f"{name}{answered}" + (f": {fields}" if fields else "")


def _short(value: Any) -> str:
    """A value on one line; long bytes and lists by their size."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return "(" + ", ".join(f"{name}={_short(part)}" for name, part in value.items()) + ")"
    if isinstance(value, list):
        return f"{len(value)} entries" if len(value) != 1 else f"[{_short(value[0])}]"
    text = str(value)
    return text if len(text) <= 40 else f"{text[:32]}… ({len(text)} characters)"
