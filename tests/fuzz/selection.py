"""Picks the committed corpus: of many inputs the few that together reach every line step of the product that all of them reach.

libFuzzer's own merge starts itself anew as a program of its own, which a Python harness is not; and it keeps hundreds. Here each input is
traced, and the one that adds most is taken, until nothing is added or the corpus is full. Not here: running the fuzzer.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TypeAlias

from tests.fuzz.registry import INSTRUMENTED

__all__ = ["Step", "picked", "steps_of"]

Step: TypeAlias = tuple[str, int, int]
"""Module, line before, line after, within one function."""


def steps_of(run: Callable[[bytes], None], data: bytes, name: str) -> frozenset[Step]:
    """Line steps of the packages of harness `name` that this input takes."""
    found: set[Step] = set()
    prefixes = tuple(INSTRUMENTED[name])

    def trace(frame: FrameType, event: str, argument: object) -> object:
        module = str(frame.f_globals.get("__name__", ""))
        if not module.startswith(prefixes):
            return None
        before = 0

        def line(inner: FrameType, event: str, argument: object) -> object:
            nonlocal before
            found.add((module, before, inner.f_lineno))
            before = inner.f_lineno
            return line

        return line

    earlier = sys.gettrace()
    sys.settrace(trace)  # type: ignore[arg-type]  # a local trace function is one as well
    try:
        run(data)
    finally:
        sys.settrace(earlier)
    return frozenset(found)


def picked(kept: Sequence[frozenset[Step]], candidates: Sequence[frozenset[Step]], room: int) -> list[int]:
    """Places of the candidates to take beside the kept ones, the one that adds most first; at most `room`."""
    reached = set().union(*kept)
    chosen: list[int] = []
    left = dict(enumerate(candidates))
    while left and len(chosen) < room:
        best = max(left, key=lambda place: (len(left[place] - reached), -place))
        if not left[best] - reached:
            break
        reached |= left.pop(best)
        chosen.append(best)
    return chosen
