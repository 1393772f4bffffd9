"""Harness of the simulator's state file: a pump that starts, or a StateFileError; never anything else, never a fresh pump.

An input is a script: the whole content of a file as it is; a state of the script's own behind a header whose length and digest hold; or
a JSON merge patch (RFC 7386) on the state of a sound pump. Not here: the disk, the lock (`tests/unit/state_file`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, cast

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.opening import load_pump
from firmware_sim.state_file import MAGIC, STATE_VERSION, StateFile, StateFileError, decode_state, encode_state
from tests.fuzz.harness import Chunk, Harness, chunks_of, mutate_chunks
from tests.fuzz.pumps import CONFIGURATION, DAY_MS, Session, Watch, template

__all__ = ["STATE", "behind_a_header", "patched", "started"]

_PATH = Path("fuzz.pump")


class _File:
    """A state file without a disk."""

    path = _PATH

    def __init__(self, content: bytes) -> None:
        self._content = content

    def load(self) -> dict[str, object]:
        return decode_state(self._content, self.path)


def behind_a_header(payload: bytes) -> bytes:
    """A state file whose length and digest hold."""
    digest = hashlib.sha256(payload).hexdigest()
    return MAGIC + f"{STATE_VERSION} bytes={len(payload)} sha256={digest}\n".encode() + payload


def started(content: bytes) -> SimulatedPump:
    """The pump of a file of this content. Raises StateFileError."""
    return load_pump(cast("StateFile", _File(content)), entropy=bytes)


def patched(data: bytes) -> bytes:
    """The file of a sound pump with this JSON merge patch on its state; what is no patch becomes the state itself."""
    try:
        patch = json.loads(data)
    except (ValueError, RecursionError):
        return behind_a_header(data)
    sound = json.loads(encode_state(template()).partition(b"\n")[2])
    try:
        return behind_a_header(json.dumps(_merged(sound, patch)).encode())
    except RecursionError:
        return behind_a_header(data)


def _opens(content: bytes) -> None:
    """The file gives a state that is written as it was read, or the documented error; a pump that starts lives within its limits."""
    try:
        state = decode_state(content, _PATH)
    except StateFileError as error:
        _said(error)
        return
    assert decode_state(encode_state(state)) == state, "what is written is not what was read"
    try:
        pump = started(content)
    except StateFileError as error:
        _said(error)
        return
    watch = Watch(pump, CONFIGURATION.concentration_ng_per_mL)
    pump.advance(DAY_MS)
    watch.look()
    if pump.powered:
        Session(pump).open(0)
    assert decode_state(encode_state(pump.save()))["serial"] == pump.serial, "a pump that cannot be kept"


def _said(error: StateFileError) -> None:
    assert all((error.path == _PATH, error.problem, error.action)), "an error that does not say what to do"
    assert len(str(error)) < 2_000, "an error as long as its input"


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = _merged(merged.get(key), value)
    return merged


def _whole_file(data: bytes) -> bytes:
    return data


def _own_state(data: bytes) -> bytes:
    return behind_a_header(data)


OPS: Final[tuple[Callable[[bytes], bytes], ...]] = (_whole_file, _own_state, patched)


def run_state(data: bytes) -> None:
    """Each chunk is one file."""
    for op, content in chunks_of(data)[:4]:
        _opens(OPS[op % len(OPS)](content))


def _dictionary() -> list[Chunk]:
    """A patch for each key of a sound state with values of every kind, and files cut short."""
    values: list[object] = [None, 0, -1, 1 << 64, 1.5, "", "é", True, [], {}, ["0x1p+0"] * 12, "0x1p+1023", {"$bytes": ""}, {"$bytes": "é"}]
    state = template()
    chunks: list[Chunk] = [(0, b""), (0, MAGIC), (0, behind_a_header(b"{}")), (1, b"[" * 3000), (1, b"9" * 5000), (1, b"NaN"), (1, b"{}")]
    chunks += [(1, b'{"form":1}'), (1, b'{"a":{"$bytes":1}}'), (1, b'{"a":1e999}'), (1, b'"\\ud800"')]
    for key, inner in state.items():
        keys = [{key: value} for value in values]
        if isinstance(inner, dict):
            keys += [{key: {name: value}} for name in inner for value in values]
            keys += [{key: {name: {deep: v}}} for name, table in inner.items() if isinstance(table, dict) for deep in table for v in values]
        chunks += [(2, json.dumps(patch).encode()) for patch in keys]
    return chunks


STATE = Harness("state", run_state, mutate_chunks(len(OPS), _dictionary()), max_bytes=8192, max_calls=900_000)
