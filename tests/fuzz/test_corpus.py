"""The committed corpus holds, without a fuzzer: every input ever worth keeping goes through its harness in the ordinary tests."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.harness import chunks_of, havoc, joined
from tests.fuzz.registry import CORPUS, HARNESSES, corpus_of, harness

INPUTS = [(name, path) for name in HARNESSES for path in corpus_of(name)]


def calls_of(run: Callable[[], None]) -> int:
    """Python functions called: the work of a run, the same on every machine."""
    count = 0

    def profile(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event == "call"

    before = sys.getprofile()
    sys.setprofile(profile)
    try:
        run()
    finally:
        sys.setprofile(before)
    return count


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize(("name", "path"), INPUTS, ids=lambda value: value.name if isinstance(value, Path) else value)
def test_input_of_the_corpus_holds_within_its_work(name: str, path: Path) -> None:
    found, data = harness(name), path.read_bytes()
    found.run(data)  # first uses fill the caches
    assert calls_of(lambda: found.run(data)) <= found.max_calls


def test_corpus_is_small_and_every_harness_has_one() -> None:
    assert {folder.name for folder in CORPUS.iterdir()} == set(HARNESSES)
    for name in HARNESSES:
        files = corpus_of(name)
        assert 5 <= len(files) <= 40, name
        assert all(path.stat().st_size < 1000 for path in files), name
        assert len({path.read_bytes() for path in files}) == len(files), f"{name}: the same input twice"


@pytest.mark.parametrize("name", HARNESSES)
def test_harness_holds_on_what_its_own_mutator_makes(name: str) -> None:
    """A taste of fuzzing without a fuzzer: the mutators work, and what they make from the corpus holds."""
    found, rng = harness(name), random.Random(name)
    corpus = [path.read_bytes() for path in corpus_of(name)]
    made = set()
    runs = 60 if found.max_calls <= 100_000 else 12  # a whole pump costs more
    for number in range(runs):
        data = found.mutate(corpus[number % len(corpus)], found.max_bytes, rng, lambda raw, most: havoc(raw, most, rng))
        assert len(data) <= found.max_bytes
        made.add(data)
        found.run(data)
    assert len(made) > runs // 2


@pytest.mark.parametrize("name", HARNESSES)
def test_harness_holds_on_nothing_and_on_noise(name: str) -> None:
    found, rng = harness(name), random.Random(7)
    for size in (0, 1, 2, 3, 17, 400):
        found.run(rng.randbytes(size))


def test_script_is_its_chunks() -> None:
    chunks = [(3, b"abc"), (0, b""), (255, bytes(300))]
    assert chunks_of(joined(chunks)) == chunks
    assert chunks_of(joined(chunks)[:-1]) == [*chunks[:2], (255, bytes(299))]
    assert chunks_of(b"\x05") == [(5, b"")]
