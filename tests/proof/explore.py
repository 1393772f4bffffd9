"""Walk through everything that can go wrong with a command: one harm at every point, and every second one after it.

The process forks at each point, once for each harm: the child goes on with the harm done, the parent as if nothing had been. So each
world is run once from the point on at which it differs, and no two can touch each other. Every run leaves one line in a file. How many
runs there must be is computed apart, from the points that the runs with one harm met (`expected_pairs`), and must equal those explored
and those pruned, each pruning under its name.
"""

from __future__ import annotations

import gc
import json
import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.course import PULSE_HARMS, Told, run
from tests.proof.scenario import Scene, staged_scene
from tests.proof.world import FRAME_HARMS, Point, on_memory_writes

__all__ = ["PRUNED", "Harmed", "Leaf", "Sizes", "each_single", "explore", "first_harms", "noticing", "replay", "second_harms"]

PRUNED = {
    "as-dropped": "a damaged frame is discarded by either end as a lost one is: the run with one harm leaves the same trace",
    "as-the-step-before": "a companion that dies right before a step has done what it had after the last one: the trace is the same",
    "torn-elsewhere": "in pairs a write is torn after 0, 1, half and all of its bytes; every byte is tried singly (design 6)",
    "long-cut": "a power cut that outlasts the transaction is tried singly",
    "coarsely": "a command decided on a changed state goes the way of another up to its refusal: singly, with the tears of pairs",
    "repeats-late": "a frame that comes late with all its repeats is tried singly",
}
_AS_DROPPED = ("truncate", "corrupt")
SHORT = ("torn-elsewhere", "long-cut")  # what follows these is not seen through further


@dataclass(frozen=True, slots=True)
class Harmed:
    """A harm at the n-th point of a run."""

    at: int
    kind: str
    name: str
    size: int
    harm: str

    @property
    def pruned(self) -> str:
        """Under which name what follows it is pruned; empty where pairs begin with it."""
        return _pruned(Point(self.kind, self.name, self.size), self.harm)

    def text(self) -> str:
        """As `replay` takes it."""
        return f"{self.at}:{self.harm}"


@dataclass(frozen=True, slots=True)
class Sizes:
    """How many further harms the rest of a run offers: those to explore, and those pruned by name."""

    explored: int = 0
    pruned: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One run."""

    path: tuple[Harmed, ...]
    word: str
    broken: tuple[str, ...]
    points: tuple[tuple[str, str, int], ...]
    """All points after the last harm."""
    trace: str


def torn(size: int) -> tuple[int, ...]:
    """Where a write is torn in pairs: before it, in it twice, after it."""
    return tuple(sorted({0, 1, size // 2, size}))


def first_harms(point: Point) -> list[str]:
    """Everything that can go wrong at a point, singly."""
    match point.kind:
        case "frame":
            return list(FRAME_HARMS)
        case "write":
            return [f"torn {count}" for count in range(point.size + 1)] + [f"torn {count} long" for count in torn(point.size)]
        case "pulse":
            return list(PULSE_HARMS)
        case _:
            return ["crash"]


def second_harms(point: Point) -> tuple[list[str], dict[str, int]]:
    """What of it is tried as one of a pair, and how many are pruned under which name."""
    harms, kept, pruned = first_harms(point), [], Counter[str]()
    for harm in harms:
        reason = _pruned(point, harm)
        if reason:
            pruned[reason] += 1
        else:
            kept.append(harm)
    return kept, dict(pruned)


def _pruned(point: Point, harm: str) -> str:
    if point.kind == "frame":
        return "as-dropped" if harm in _AS_DROPPED else "repeats-late" if harm == "late" else ""
    if point.kind == "host":
        return "as-the-step-before" if point.name.startswith("then ") else ""
    if point.kind == "write":
        if harm.endswith("long"):
            return "long-cut"
        return "" if int(harm.split()[1]) in torn(point.size) else "torn-elsewhere"
    return ""


def sizes_of(points: Iterable[tuple[str, str, int]]) -> Sizes:
    """How many second harms these points offer."""
    explored, pruned = 0, Counter[str]()
    for kind, name, size in points:
        kept, left = second_harms(Point(kind, name, size))
        explored += len(kept)
        pruned.update(left)
    return Sizes(explored, dict(pruned))


def noticing(point: Point) -> list[str]:
    """The single harms with which breaks are looked for: those of pairs, and frames that are late with all their repeats."""
    return second_harms(point)[0] + [harm for harm in first_harms(point) if _pruned(point, harm) == "repeats-late"]


class _Forking:
    """The chooser that forks. `shard` of `shards`: which of the first harms are this process's."""

    def __init__(self, depth: int, shard: int = 0, shards: int = 1, *, coarse: bool = False) -> None:
        self.depth = depth
        self.coarse = coarse or depth == 2
        self.shard, self.shards = shard, shards
        self.path: tuple[Harmed, ...] = ()
        self.met: list[Point] = []
        self.since = 0
        self._first = 0

    def choose(self, point: Point) -> str | None:
        at = len(self.met)
        self.met.append(point)
        for harm in self._harms(point):
            pid = os.fork()
            if pid == 0:
                self.path = (*self.path, Harmed(at, point.kind, point.name, point.size, harm))
                self.since = len(self.met)
                self.depth -= 1
                return harm
            _, status = os.waitpid(pid, 0)
            if status:
                raise RuntimeError(f"the run with {harm!r} at point {at} ({point}) ended with status {status}")
        return None

    def _harms(self, point: Point) -> Iterator[str]:
        if self.depth == 0:
            return
        if self.path:
            yield from second_harms(point)[0]
            return
        for harm in first_harms(point):
            if self.coarse and harm not in noticing(point) and self.depth < 2:
                continue
            if self.depth == 2 and _pruned(point, harm):
                continue
            self._first += 1
            if self._first % self.shards == self.shard:
                yield harm


class _Chosen:
    """The chooser that repeats a path."""

    def __init__(self, harms: dict[int, str]) -> None:
        self.harms = harms
        self.met: list[Point] = []

    def choose(self, point: Point) -> str | None:
        self.met.append(point)
        return self.harms.get(len(self.met) - 1)


def explore(name: str, depth: int, *, shard: int = 0, shards: int = 1, coarse: bool = False, thorough: bool = False) -> list[Leaf]:
    """Every run of a command with up to `depth` harms (0, 1 or 2), all in processes of their own.

    `coarse`: single harms only as they are tried in pairs. `shard` of `shards`: a part of the first harms. `thorough`: what follows
    a harm that is tried in pairs is seen through further (see `run`).
    """
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "leaves"
        pid = os.fork()
        if pid == 0:
            _child(name, _Forking(depth, shard, shards, coarse=coarse), lines, thorough=thorough)
        _, status = os.waitpid(pid, 0)
        if status:
            raise RuntimeError(f"the exploration of {name} ended with status {status}; its message stands above")
        return [_read(line) for line in lines.read_text(encoding="ascii").splitlines()]


def _child(name: str, chooser: _Forking, lines: Path, *, thorough: bool) -> None:
    """Never returns: this process and all that it becomes end here."""
    status = 1
    try:
        gc.freeze()
        gc.disable()
        leaf = _run(staged_scene(name), chooser, thorough=thorough)
        with lines.open("a", encoding="ascii") as file:
            file.write(leaf + "\n")
        status = 0
    except BaseException:  # noqa: BLE001 -- told on stderr and by the status; nothing may run on in the copy of the parent
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(status)


def _run(scene: Scene, chooser: _Forking, *, thorough: bool) -> str:
    scene.world.chooser = chooser
    with on_memory_writes(scene.world.write_harm):
        told = run(scene, lambda: thorough and not any(harmed.pruned in SHORT for harmed in chooser.path))
    points = [[point.kind, point.name, point.size] for point in chooser.met[chooser.since :]]
    path = [[harmed.at, harmed.kind, harmed.name, harmed.size, harmed.harm] for harmed in chooser.path]
    broken = [f"{rule}: {detail}" for rule, detail in told.broken]
    return json.dumps([path, told.word, broken, points if len(path) < 2 else [], scene.world.trace_digest() if len(path) < 2 else ""])


def _read(line: str) -> Leaf:
    path, word, broken, points, trace = json.loads(line)
    return Leaf(tuple(Harmed(*harmed) for harmed in path), word, tuple(broken), tuple((k, n, s) for k, n, s in points), trace)


def each_single(name: str) -> Iterator[tuple[str, Told]]:
    """Every single harm that is tried in pairs, one after the other in this process: its path and what came of it."""
    first = _Chosen({})
    _replayed(name, first)
    for at, point in enumerate(first.met):
        for harm in noticing(point):
            yield f"{at}:{harm}", _replayed(name, _Chosen({at: harm}))


def replay(name: str, path: str) -> Told:
    """Run a path such as `12:drop,40:torn 7` again, in this process."""
    parts = (part.partition(":") for part in path.split(",") if part)
    return _replayed(name, _Chosen({int(at): harm for at, _, harm in parts}))


def _replayed(name: str, chooser: _Chosen) -> Told:
    scene = staged_scene(name)
    scene.world.chooser = chooser
    with on_memory_writes(scene.world.write_harm):
        return run(scene, lambda: True)
