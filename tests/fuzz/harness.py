"""What a fuzz harness is, and the two ways inputs are made: a script of chunks, and mutations of bytes, chunks and lines.

A harness is a function of bytes that returns, or raises because an invariant is broken: "a message or a documented error, in bounded
memory and time". It needs no fuzzer to run on one input, so that every input ever found replays in the ordinary tests.
A mutator knows the form of the inputs and asks `basic` for a change of plain bytes: atheris' own under the fuzzer, `havoc` without it.
Not here: coverage guidance (atheris), what the harnesses check (their own modules).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

__all__ = [
    "MAX_CHUNKS",
    "Basic",
    "Chunk",
    "Harness",
    "Mutator",
    "brief",
    "chunks_of",
    "havoc",
    "joined",
    "mutate_bytes",
    "mutate_chunks",
    "mutate_lines",
]

MAX_CHUNKS = 24
"""Steps of one script that are carried out; what follows is ignored, so that the work of one input is bounded."""
_INTERESTING = (0, 1, 2, 0x7F, 0x80, 0xFE, 0xFF)

Chunk: TypeAlias = tuple[int, bytes]
Basic: TypeAlias = Callable[[bytes, int], bytes]
"""(data, largest size) → changed data."""
Mutator: TypeAlias = Callable[[bytes, int, random.Random, Basic], bytes]


@dataclass(frozen=True)
class Harness:
    """`run` is given one input; `mutate` makes another out of it. `max_bytes` bounds an input, `max_calls` the Python calls that `run`
    may make for one of the committed corpus (own figure, some three times what the dearest of them takes; counted, never timed)."""

    name: str
    run: Callable[[bytes], None]
    mutate: Mutator
    max_bytes: int
    max_calls: int


def brief(error: Exception, most: int = 400) -> None:
    """A documented error says what is wrong in fewer than `most` characters, however long its input is."""
    assert len(str(error)) < most, "an error as long as its input"


# ------------------------------------------------------------------------------------------------ scripts
def chunks_of(data: bytes) -> list[Chunk]:
    """Script of an input: op u8 ‖ length u16 ‖ data, repeated; the last chunk takes what is left. Every input is a script."""
    chunks: list[Chunk] = []
    at = 0
    while at < len(data) and len(chunks) < MAX_CHUNKS:
        size = int.from_bytes(data[at + 1 : at + 3], "big")
        chunks.append((data[at], data[at + 3 : at + 3 + size]))
        at += 3 + size
    return chunks


def joined(chunks: Sequence[Chunk]) -> bytes:
    """Input of a script."""
    return b"".join(bytes([op]) + len(data).to_bytes(2, "big") + data for op, data in chunks)


# ------------------------------------------------------------------------------------------------ mutations
def havoc(data: bytes, max_bytes: int, rng: random.Random) -> bytes:
    """One to four changes of plain bytes: flip, set, insert, delete, repeat."""
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at = rng.randint(0, len(changed))
        kind = rng.randrange(5)
        if kind == 0 and at < len(changed):
            changed[at] ^= 1 << rng.randrange(8)
        elif kind == 1 and at < len(changed):
            changed[at] = rng.choice(_INTERESTING)
        elif kind == 2:
            changed[at:at] = rng.randbytes(rng.choice((1, 1, 2, 4, 8)))
        elif kind == 3:
            del changed[at : at + rng.choice((1, 1, 2, 4, 8))]
        else:
            changed[at:at] = changed[at : at + rng.choice((1, 4, 16, 64))]
    return bytes(changed[:max_bytes])


def mutate_bytes(data: bytes, max_bytes: int, rng: random.Random, basic: Basic) -> bytes:
    """Mutator of inputs without a form. `rng` is not needed: the change is `basic`'s."""
    return basic(data, max_bytes)


def mutate_chunks(ops: int, dictionary: Sequence[Chunk]) -> Mutator:
    """Mutator of scripts whose chunks have ops 0 to `ops` − 1; `dictionary` holds chunks that mean something."""

    def mutate(data: bytes, max_bytes: int, rng: random.Random, basic: Basic) -> bytes:
        chunks = chunks_of(data) or [rng.choice(dictionary)]
        at = rng.randrange(len(chunks))
        op, content = chunks[at]
        kind = rng.randrange(8)
        if kind <= 2:
            chunks[at] = op, basic(content, max(1, max_bytes // 2))
        elif kind == 3:
            chunks[at] = rng.randrange(ops), content
        elif kind == 4:
            chunks.insert(at, chunks[rng.randrange(len(chunks))])
        elif kind == 5 and len(chunks) > 1:
            del chunks[at]
        else:
            chunks.insert(at + 1, rng.choice(dictionary))
        return joined(chunks[:MAX_CHUNKS])[:max_bytes]

    return mutate


def mutate_lines(dictionary: Sequence[str], words: Sequence[str]) -> Mutator:
    """Mutator of text files: lines from `dictionary` come in, double, go or change places; words are replaced by one of `words`."""

    def mutate(data: bytes, max_bytes: int, rng: random.Random, basic: Basic) -> bytes:
        lines = data.decode("utf-8", "replace").split("\n")
        at = rng.randrange(len(lines))
        kind = rng.randrange(8)
        if kind == 0:
            return basic(data, max_bytes)
        if kind == 1:
            lines[at] = basic(lines[at].encode(), 400).decode("utf-8", "replace")
        elif kind == 2:
            del lines[at]
        elif kind == 3:
            lines.insert(at, lines[rng.randrange(len(lines))])
        elif kind == 4:
            lines.insert(at, rng.choice(dictionary))
        else:
            key, equals, _ = lines[at].partition("=")
            lines[at] = f"{key}{equals} {rng.choice(words)}" if equals else rng.choice(dictionary)
        return "\n".join(lines).encode()[:max_bytes]

    return mutate
