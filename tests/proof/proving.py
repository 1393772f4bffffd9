"""The whole proof: singles, pairs and breaks, counted and compared with what the tables say there must be."""

from __future__ import annotations

import multiprocessing
import time
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from tests.proof.explore import Harmed, Leaf, explore, first_harms, noticing, second_harms
from tests.proof.mutants import MUTANTS, Mutant
from tests.proof.world import Point

__all__ = ["Command", "Steps", "caught_by", "expected_singles", "prove", "steps_of", "unlike_what_stands_for_them"]

STEPS = Path(__file__).with_name("steps.toml")
SHARDS = 6
ONLY_SINGLY = ("late", "late-stop", "late-bolus")


@dataclass(frozen=True, slots=True)
class Steps:
    """A row of steps.toml."""

    requests: tuple[str, ...]
    events: int
    writes: tuple[tuple[str, int], ...]
    disk: int
    pulses: int


def steps_of(name: str) -> Steps:
    """What this command consists of, by the table."""
    row = tomllib.loads(STEPS.read_text(encoding="utf-8"))[name]
    return Steps(tuple(row["requests"]), row["events"], tuple((region, size) for region, size in row["writes"]), row["disk"], row["pulses"])


def points_of(steps: Steps) -> Counter[tuple[str, str, int]]:
    """The points of a run without harm, by kind, name and size; frames without their sizes."""
    count = len(steps.requests)
    points = Counter[tuple[str, str, int]]()
    points["frame", "to-pump", 0], points["frame", "to-host", 0] = count, count + steps.events
    for name in ("before write", "after write", "read"):
        points["host", name, 0] = count
    points["host", "before disk", 0] = points["host", "after disk", 0] = steps.disk
    points["pulse", "bolus", 0] = steps.pulses
    points.update(("write", region, size) for region, size in steps.writes)
    return +points


def expected_singles(steps: Steps) -> int:
    """How many single harms there are, by the table."""
    return sum(count * len(first_harms(Point(*point))) for point, count in points_of(steps).items())


def met(leaf: Leaf) -> Counter[tuple[str, str, int]]:
    """The points that a run met after its last harm, as the table has them."""
    return Counter((kind, name.replace("then ", "before "), 0 if kind == "frame" else size) for kind, name, size in leaf.points)


def unlike_what_stands_for_them(singles: Iterable[Leaf]) -> list[str]:
    """Pruned harms whose run is not that of the harm that stands for them: there the pruning would not be allowed."""
    traces = {(leaf.path[0].at, leaf.path[0].harm): leaf.trace for leaf in singles if leaf.path}
    unlike = []
    for harmed in (leaf.path[0] for leaf in singles if leaf.path):
        other = {"as-dropped": (harmed.at, "drop"), "as-the-step-before": (harmed.at - 1, "crash")}.get(harmed.pruned)
        if other is not None and traces[other] != traces[harmed.at, harmed.harm]:
            unlike.append(harmed.text())
    return unlike


@dataclass
class Command:
    """What was found of one command."""

    name: str
    singles: int = 0
    pairs: int = 0
    pruned: Counter[str] = field(default_factory=Counter)
    words: Counter[str] = field(default_factory=Counter)
    broken: list[Leaf] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    """Where the count or an argument does not hold."""

    @property
    def holds(self) -> bool:
        """No rule broken, every case accounted for."""
        return not self.broken and not self.faults


def _shard(job: tuple[str, int, int]) -> list[Leaf]:
    name, depth, shard = job
    return explore(name, depth, shard=shard, shards=SHARDS, coarse=name in ONLY_SINGLY, thorough=depth == 1)


def prove(names: Iterable[str], workers: int, say: Callable[[str], None]) -> list[Command]:
    """Singles, then pairs, of these commands. Single harms are also followed by another programmer's 20 commands, and what was not applied
    is ordered again."""
    found = []
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        for name in names:
            began = time.monotonic()
            command = Command(name)
            singles = _once(pool.map(_shard, [(name, 1, shard) for shard in range(SHARDS)]))
            _count_singles(command, singles)
            if name not in ONLY_SINGLY:
                deeper = [leaf for leaf in _once(pool.map(_shard, [(name, 2, shard) for shard in range(SHARDS)])) if len(leaf.path) == 2]
                _count_pairs(command, singles, deeper)
            found.append(command)
            say(line(command, time.monotonic() - began))
    return found


def _once(shards: Iterable[list[Leaf]]) -> list[Leaf]:
    """All runs; the one without harm, which every shard makes, once."""
    leaves = [leaf for shard in shards for leaf in shard]
    return [next(leaf for leaf in leaves if not leaf.path), *(leaf for leaf in leaves if leaf.path)]


def _count_singles(command: Command, singles: list[Leaf]) -> None:
    steps = steps_of(command.name)
    if met(singles[0]) != points_of(steps):
        command.faults.append(f"the run is not that of steps.toml: {_apart(met(singles[0]), points_of(steps))}")
    command.singles = len(singles) - 1
    expected = expected_singles(steps)
    if command.name in ONLY_SINGLY:
        expected = sum(len(noticing(Point(*point))) for point in singles[0].points)
        command.pruned["coarsely"] += expected_singles(steps) - expected
    if command.singles != expected:
        command.faults.append(f"{command.singles} single harms, by the table {expected}")
    unlike = unlike_what_stands_for_them(singles)
    if unlike:
        command.faults.append(f"pruned, but not like what stands for it: {', '.join(unlike)}")
    _take(command, singles)


def _apart(one: Counter[tuple[str, str, int]], other: Counter[tuple[str, str, int]]) -> str:
    return f"more {dict(one - other)}, fewer {dict(other - one)}"


def _count_pairs(command: Command, singles: list[Leaf], pairs: list[Leaf]) -> None:
    """All second harms that the single runs offer are explored or pruned."""
    command.pairs = len(pairs)
    total = explored = 0
    for leaf in singles[1:]:
        points = [Point(*point) for point in leaf.points]
        offered = sum(len(first_harms(point)) for point in points)
        total += offered
        reason = leaf.path[0].pruned
        if reason:
            command.pruned[reason] += offered
            continue
        for point in points:
            kept, left = second_harms(point)
            explored += len(kept)
            command.pruned.update(left)
    if command.pairs != explored or explored + command.pruned.total() != total:
        command.faults.append(
            f"{command.pairs} pairs explored and {command.pruned.total()} pruned, by the single runs {explored} of {total}"
        )
    _take(command, pairs)


def _take(command: Command, leaves: list[Leaf]) -> None:
    command.words.update(leaf.word for leaf in leaves)
    command.broken += [leaf for leaf in leaves if leaf.broken]


def line(command: Command, seconds: float) -> str:
    """One line of the report."""
    cases = 1 + command.singles + command.pairs
    words = ", ".join(f"{word} {count:,}" for word, count in sorted(command.words.items()))
    counts = f"{cases:7,} cases ({command.singles:,} single, {command.pairs:,} pairs), {len(command.broken)} broken"
    return f"{command.name:8} {counts}; {words}; {seconds:.0f} s"


def path_text(path: tuple[Harmed, ...]) -> str:
    """A path as the `replay` command takes it."""
    return ",".join(harmed.text() for harmed in path)


# ------------------------------------------------------------------------------------------------ deliberate breaks
def caught_by(mutant: Mutant) -> tuple[int, Counter[str]]:
    """Runs until a command shows the break, and the rules that are broken with it; none is a break that the proof does not see."""
    runs, rules = 0, Counter[str]()
    for name in mutant.scenarios:
        with mutant.broken():
            leaves = explore(name, 1, coarse=True, thorough=True)
        runs += len(leaves)
        rules.update(text.partition(":")[0] for leaf in leaves for text in leaf.broken)
        if rules:
            break
    return runs, rules


def _caught(number: int) -> tuple[int, Counter[str]]:
    return caught_by(MUTANTS[number])


def all_caught(workers: int, say: Callable[[str], None]) -> bool:
    """Try every break; whether each was noticed."""
    good = True
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        for mutant, (runs, rules) in zip(MUTANTS, pool.map(_caught, range(len(MUTANTS))), strict=True):
            good = good and bool(rules)
            shown = ", ".join(f"{rule} {count}" for rule, count in rules.most_common()) or "NOT NOTICED"
            say(f"  {mutant.name:24} {runs:4} runs: {shown}")
    return good
