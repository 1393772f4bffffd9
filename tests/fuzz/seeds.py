"""Writes the seeds of the corpus, `corpus/HARNESS/seed-NN`: `python -m tests.fuzz.seeds`.

They come from the conformance vectors and the examples, so that the fuzzer starts where the product is spoken to properly. Run it again
when the protocol has changed; what the fuzzer found itself is added by `scripts/fuzz.py --minimise`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from itbpump.wire.messages import encode_configuration
from tests.fuzz import capture, damage, plan, record, session
from tests.fuzz.harness import Chunk, joined
from tests.fuzz.prescription import EXAMPLES
from tests.fuzz.pumps import CONFIGURATION
from tests.fuzz.registry import CORPUS, HARNESSES
from tests.fuzz.wire import VECTORS, payload_rows

__all__ = ["seeds_of"]

_MOST = 20
_LARGEST_BYTES = 1000
_DAY: Final[Chunk] = (6, (86_399_999).to_bytes(4, "big"))


def seeds_of(name: str) -> list[bytes]:
    """Seeds of a harness: at most 20, each below 1,000 bytes."""
    small = [seed for seed in _SOURCES[name]() if len(seed) < _LARGEST_BYTES]
    step = -(-len(small) // _MOST)
    return small[::step]


def _frames() -> Iterator[bytes]:
    frames = [bytes.fromhex(frame["hex"]) for frame in json.loads((VECTORS / "session.json").read_text())["frames"]]
    for at in range(0, len(frames), 4):
        yield bytes([at]) + b"".join(frames[at : at + 4])
    for row in json.loads((VECTORS / "invalid.json").read_text()):
        if row["layer"] == "frame":
            yield b"\xff\0" + bytes.fromhex(row["hex"]) + b"\0"
    yield b"\x06" + b"\x02\x11" * 480


def _messages() -> Iterator[bytes]:
    seen: set[tuple[int, bytes]] = set()
    for kind, payload in payload_rows():
        if (kind, payload[:1]) not in seen:
            seen.add((kind, payload[:1]))
            yield bytes([kind]) + payload


def _records() -> Iterator[bytes]:
    meaning = record._dictionary()
    yield joined([(8, b""), (10, b""), (10, b"\x01"), (9, b"\0\0\x03\xe8"), (9, b"\0\x0d\xbb\xa0"), (8, b"\x01")])
    yield joined([chunk for chunk in meaning if chunk[0] in (3, 4, 11)][:12])
    requests = [chunk for chunk in meaning if chunk[0] in (1, 2)]
    answers = [chunk for chunk in meaning if chunk[0] == 5]
    for at in range(0, len(requests), 8):
        yield joined([(8, b""), *requests[at : at + 8]])
    for answer in answers:
        yield joined([(8, b""), (10, b"\x01"), answer])


def _sessions() -> Iterator[bytes]:
    meaning = session._dictionary()
    sound: Chunk = (2, encode_configuration(CONFIGURATION))
    yield joined([sound, _DAY, (8, b""), (4, b"\0\0\x14\x02\x57"), _DAY, (9, b"\x02\0\0\0")])
    for who in (b"\x01", b"\x02\x01"):
        yield joined([(10, who), *(chunk for chunk in meaning if chunk[0] == 1 and len(chunk[1]) == 9), _DAY])
    yield joined([(11, b""), _DAY, (11, b""), (11, b"\x01\0\x28"), _DAY, (9, b"\x01\x10\0\0"), _DAY])
    plain = [chunk for chunk in meaning if chunk[0] in (0, 1)]
    for at in range(0, len(plain), 6):
        yield joined(plain[at : at + 6])
    for chunk in meaning:
        if chunk[0] in (2, 3):
            yield joined([chunk, _DAY])


def _damages() -> Iterator[bytes]:
    meaning = damage._dictionary()
    yield b""
    for at in range(0, len(meaning), 3):
        yield joined(meaning[at : at + 1])


def _prescriptions() -> Iterator[bytes]:
    for path in EXAMPLES:
        text = path.read_text()
        yield "\n".join(line for line in text.splitlines() if line and not line.startswith("#")).encode()


def _states() -> Iterator[bytes]:
    from tests.fuzz import state

    yield joined([(2, b"{}")])
    meaning = state._dictionary()
    for at in range(0, len(meaning), 40):
        yield joined(meaning[at : at + 1])


_SOURCES: Final[dict[str, Callable[[], Iterable[bytes]]]] = {
    "frame": _frames,
    "message": _messages,
    "record": _records,
    "session": _sessions,
    "damage": _damages,
    "prescription": _prescriptions,
    "state": _states,
    "capture": capture.seeds,
    "plan": plan.seeds,
}


def main() -> None:
    """Write them all; seeds of an earlier run go."""
    for name in HARNESSES:
        folder = CORPUS / name
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("seed-*"):
            old.unlink()
        for number, seed in enumerate(seeds_of(name)):
            (folder / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
