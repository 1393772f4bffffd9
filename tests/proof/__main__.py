"""`python -m tests.proof prove | swarm SECONDS | replay COMMAND PATH`, as `make prove` and `make swarm` do."""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tests.proof.clinic import swarm_run
from tests.proof.course import broken_text
from tests.proof.explore import PRUNED, replay
from tests.proof.mutants import MUTANTS
from tests.proof.proving import all_caught, path_text, prove
from tests.proof.scenario import SCENARIOS

ACTS = 60
CHUNK = 8


def _say(text: str) -> None:
    print(text, flush=True)


def proving(workers: int, names: list[str]) -> int:
    """Everything; the exit code."""
    began = time.monotonic()
    commands = prove(names, workers, _say)
    pruned = sum((command.pruned for command in commands), Counter[str]())
    for name, text in PRUNED.items():
        _say(f"pruned {pruned[name]:10,} as {name}: {text}")
    for command in commands:
        for fault in command.faults:
            _say(f"FAULT {command.name}: {fault}")
        for leaf in command.broken[:10]:
            _say(f"BROKEN {command.name} {'; '.join(leaf.broken)}")
            _say(f"  again: python -m tests.proof replay {command.name} '{path_text(leaf.path)}'")
    _say(f"{len(MUTANTS)} deliberate breaks:")
    caught = all_caught(workers, _say)
    cases = sum(1 + command.singles + command.pairs for command in commands)
    holds = caught and all(command.holds for command in commands)
    _say(
        f"{cases:,} cases explored, {pruned.total():,} pruned, {sum(len(command.broken) for command in commands)} broken; "
        f"{'every break noticed' if caught else 'NOT every break noticed'}; {time.monotonic() - began:.0f} s"
    )
    _say("PROVED" if holds else "NOT PROVED")
    return 0 if holds else 1


def _seeds(first: int) -> tuple[int, Counter[str], Counter[str], str]:
    counted, harms = Counter[str](), Counter[str]()
    for seed in range(first, first + CHUNK):
        try:
            clinic = swarm_run(seed, ACTS)
        except Exception as error:  # noqa: BLE001 -- any exception of a run is a finding, told with its seed
            return seed, counted, harms, f"{type(error).__name__}: {error}"
        counted += clinic.counted
        harms += clinic.drawn.done
    return first + CHUNK, counted, harms, ""


def swarming(seconds: int, first: int, workers: int) -> int:
    """Runs over seeds until the time is over; the exit code."""
    until, seeds, counted, harms = time.monotonic() + seconds, 0, Counter[str](), Counter[str]()
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("fork")) as pool:
        while time.monotonic() < until:
            for last, words, done, error in pool.map(_seeds, range(first, first + 2 * workers * CHUNK, CHUNK)):
                counted += words
                harms += done
                if error:
                    _say(f"BROKEN seed {last}: {error}\n  again: python -m tests.proof swarm --seed {last}")
                    return 1
            seeds += 2 * workers * CHUNK
            first += 2 * workers * CHUNK
    _say(f"{seeds} seeds up to {first - 1}, {seeds * ACTS:,} acts, 0 broken")
    _say("  told: " + ", ".join(f"{word} {count:,}" for word, count in counted.most_common()))
    _say("  harms: " + ", ".join(f"{harm} {count:,}" for harm, count in harms.most_common()))
    return 0


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.proof")
    commands = parser.add_subparsers(dest="command", required=True)
    part = commands.add_parser("prove", help="every single harm and every pair, and the deliberate breaks")
    part.add_argument("names", nargs="*", metavar="COMMAND", help=f"of {', '.join(SCENARIOS)}; all if none")
    part = commands.add_parser("swarm", help="random runs of two programmers")
    part.add_argument("seconds", nargs="?", type=int, default=60)
    part.add_argument("--from", dest="first", type=int, default=1, help="first seed")
    part.add_argument("--seed", type=int, help="only this one")
    part = commands.add_parser("replay", help="one case again")
    part.add_argument("name", choices=list(SCENARIOS))
    part.add_argument("path", help="such as '12:drop,40:torn 7'")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    if options.command == "prove":
        return proving(options.workers, options.names or list(SCENARIOS))
    if options.command == "swarm":
        if options.seed is None:
            return swarming(options.seconds, options.first, options.workers)
        clinic = swarm_run(options.seed, ACTS)
        _say(f"seed {options.seed}: {dict(clinic.counted)}, {clinic.world.trace_digest()}")
        return 0
    try:
        told = replay(options.name, options.path)
    except ValueError:
        parser.error(f"{options.path!r} is no path; one looks like '12:drop,40:torn 7'")
    _say(f"{told.word}: {told.outcome!r}\nsettled {told.settled or 'nothing'}, effect {told.effect}")
    for text in broken_text(told):
        _say(f"BROKEN {text}")
    return 1 if told.broken else 0


if __name__ == "__main__":
    sys.exit(main())
