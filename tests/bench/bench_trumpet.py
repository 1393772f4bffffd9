"""24 h of 30-s samples to trumpets of both window sets, beside a loop that sums each window by the letter of its definition.

Two pieces of work. By the method, the long set is taken from samples of 15 min, so that the 96 of them cost next to nothing. With every
window at every 30-s sample, the long set meets all phases of a cycle; there the naive loop adds up 6.9 million samples. Exact in all ways,
and asserted equal before anything is reported. Sampling from pulses is not timed: it is the same for all.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import TypeVar

from itbpump.hil.accuracy import Samples, TrumpetPoint, load_method, trumpet
from itbpump.hil.accuracy.windows import WindowVolumes, by_numpy, by_python
from tests.bench.__main__ import lines
from tests.bench.figure import Figure
from tests.unit.hil.naive_trumpet import naive_trumpet

DAY_MS = 86_400_000
STEP_MS = 30_000
FLOW_NL_PER_DAY = 100_000
# 500 nL at 0.1 mL/day; pulses scatter, so that no two windows need be equal.
CYCLE_MS = 432_000
T = TypeVar("T")


def run() -> Iterator[Figure]:
    method = load_method()
    pulses = [(at_ms, 460 + at_ms * 37 // CYCLE_MS % 81) for at_ms in range(1_000, DAY_MS, CYCLE_MS)]
    samples = Samples.from_pulses(pulses, 0, STEP_MS, DAY_MS // STEP_MS)
    every = method.short.windows_ms + method.long.windows_ms

    def by_method(way: WindowVolumes) -> list[TrumpetPoint]:
        short = trumpet(samples, FLOW_NL_PER_DAY, method.short.windows_ms, way)
        return [*short, *trumpet(samples.coarser(method.long.step_ms), FLOW_NL_PER_DAY, method.long.windows_ms, way)]

    def naive_by_method() -> list[TrumpetPoint]:
        short = naive_trumpet(_volumes(samples), STEP_MS, FLOW_NL_PER_DAY, method.short.windows_ms)
        coarse = _volumes(samples.coarser(method.long.step_ms))
        return [*short, *naive_trumpet(coarse, method.long.step_ms, FLOW_NL_PER_DAY, method.long.windows_ms)]

    def sliding(way: WindowVolumes) -> list[TrumpetPoint]:
        return list(trumpet(samples, FLOW_NL_PER_DAY, every, way))

    def naive_sliding() -> list[TrumpetPoint]:
        return naive_trumpet(_volumes(samples), STEP_MS, FLOW_NL_PER_DAY, every)

    for name, ours, naive, rounds in (("by the method", by_method, naive_by_method, 5), ("every 30 s", sliding, naive_sliding, 1)):
        naive_s, expected = _best(naive, rounds)
        numpy_s, found = _best(partial(ours, by_numpy()), 50)
        python_s, slower = _best(partial(ours, by_python()), 10)
        assert expected == found == slower
        note = f"{numpy_s * 1e6:,.0f} us; the loop {naive_s * 1e3:,.0f} ms"
        yield Figure(f"trumpet, 24 h, {name}: loop / ours", naive_s / numpy_s, 100, note=note)
        yield Figure(f"trumpet, 24 h, {name}: without numpy", naive_s / python_s, 0, None, note=f"{python_s * 1e6:,.0f} us")


def _volumes(samples: Samples) -> Sequence[int]:
    return [after - before for before, after in pairwise(samples.cumulative_nL)]


def _best(work: Callable[[], T], rounds: int) -> tuple[float, T]:
    """Shortest of some rounds: other work on the machine only ever adds."""
    found, best = work(), float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        found = work()
        best = min(best, time.perf_counter() - start)
    return best, found


if __name__ == "__main__":
    sys.stdout.write("\n".join(lines(run())) + "\n")
