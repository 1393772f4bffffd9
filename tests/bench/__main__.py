"""Runs every bench of this folder and prints one table: `python -m tests.bench [NAME…]`, as `make bench` does.

A bench is a module `bench_*.py` with `run() -> Iterable[Figure]`; it asserts by itself that what it compares computes the same.
Ends with 1 when a target is missed, with 2 when a name given is no bench.
"""

from __future__ import annotations

import importlib
import platform
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from tests.bench.figure import Figure

HERE = Path(__file__).resolve().parent


def bench_names() -> list[str]:
    return sorted(path.stem.removeprefix("bench_") for path in HERE.glob("bench_*.py"))


def number(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def lines(figures: Iterable[Figure]) -> list[str]:
    """The table: name, measured, target, verdict, note."""
    rows = [("", "measured", "target", "", "")]
    for figure in figures:
        target = f"{figure.bound} {number(figure.target)}" if figure.bound else "reported"
        verdict = "" if figure.bound is None else "ok" if figure.ok else "MISSED"
        rows.append((figure.name, f"{number(figure.value)} {figure.unit}", target, verdict, figure.note))
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    form = "{:<{}}  {:>{}}  {:<{}}  {:<{}}  {}"
    return [form.format(row[0], widths[0], row[1], widths[1], row[2], widths[2], row[3], widths[3], row[4]).rstrip() for row in rows]


def main(arguments: Sequence[str]) -> int:
    known = bench_names()
    unknown = [name for name in arguments if name not in known]
    if unknown or not known:
        print(f"no such bench: {', '.join(unknown)}. There are: {', '.join(known)}", file=sys.stderr)
        return 2
    figures: list[Figure] = []
    for name in arguments or known:
        figures.extend(importlib.import_module(f"tests.bench.bench_{name}").run())
    print(f"Python {platform.python_version()}, {platform.system()} {platform.machine()}")
    print("\n".join(lines(figures)))
    missed = [figure.name for figure in figures if not figure.ok]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
