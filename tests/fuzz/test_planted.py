"""A harness that notices no defect proves nothing: each is shown one, put in on purpose, and must find it."""

from __future__ import annotations

import importlib.util
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.harness import Harness, havoc
from tests.fuzz.planted import PLANTED
from tests.fuzz.registry import HARNESSES, corpus_of, harness

ROOT = Path(__file__).parents[2]


def runs_until_found(found: Harness, most: int) -> int | None:
    """Blind mutations of the seeds until the harness complains, the same every time; None if it never does."""
    rng = random.Random(found.name)
    corpus = [path.read_bytes() for path in corpus_of(found.name) if path.name.startswith("seed-")]
    for number in range(most):
        data = rng.choice(corpus)
        if number >= len(corpus):
            for _ in range(rng.randint(1, 3)):
                data = found.mutate(data, found.max_bytes, rng, lambda raw, size: havoc(raw, size, rng))
        else:
            data = corpus[number]
        try:
            found.run(data)
        except Exception:  # noqa: BLE001  (whatever it is, it was noticed)
            return number + 1
    return None


def test_every_harness_is_shown_a_defect() -> None:
    assert {planted.harness for planted in PLANTED.values()} == set(HARNESSES)


@pytest.mark.parametrize("name", PLANTED)
def test_planted_defect_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = PLANTED[name]
    found = harness(planted.harness)
    planted.plant(monkeypatch.setattr)
    assert runs_until_found(found, planted.runs) is not None, planted.what


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed; scripts/fuzz.py needs it as well")
@pytest.mark.parametrize("name", PLANTED)
def test_fuzzer_finds_the_planted_defect(name: str) -> None:
    asked = [sys.executable, "scripts/fuzz.py", "120", "--plant", name]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ": found after" in done.stdout
