"""Drug files for tests: figures by path, and a clinic's file written from them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from typing import Any

from hypothesis import strategies as st

from itbpump.drugs import Figure, library_names
from itbpump.drugs.keys import Key, Kind, Tighten, find_key
from itbpump.drugs.overlay import HEAD
from itbpump.drugs.parsing import MARKS, SCHEMA, figures_of, parse
from itbpump.quantity import Amount, Concentration, Duration

CONTENT = {name: resources.files("itbpump.drugs").joinpath(f"{name}.toml").read_bytes() for name in library_names()}
LISTS = frozenset({Kind.CONCENTRATIONS, Kind.MASSES})
NUMBERS = frozenset({Kind.MASS, Kind.RATE, Kind.DURATION, Kind.COUNT}) | LISTS
# Tables whose figures are tied to each other by an order, so that a clinic tightens them together.
TOGETHER = (
    ("concentrations",), ("daily",), ("increase", "titration", "maintenance"), ("change", "taper"), ("start",), ("restart",), ("bolus",),
    ("age",), ("stability",), ("rounding",),
)  # fmt: skip


def figures(name: str) -> dict[str, Figure[Any]]:
    """Every figure of a shipped library by its path."""
    return figures_of(parse(CONTENT[name], SCHEMA, HEAD).tables, MARKS)


def key_of(path: str) -> Key:
    key = find_key(path)
    assert key is not None
    return key


def size(value: Any) -> Any:
    """A value in base units."""
    return value.value if isinstance(value, Amount) else value.ms if isinstance(value, Duration) else value


def of_size(like: Any, number: int) -> Any:
    """A value of the same kind; durations in whole minutes."""
    if isinstance(like, Duration):
        return Duration(number // 60_000 * 60_000)
    return type(like)(number) if isinstance(like, Amount) else number


def by_steps(value: Any, steps: int) -> Any:
    """A value so many of the smallest steps higher: a base unit, or a minute."""
    return of_size(value, size(value) + steps * (60_000 if isinstance(value, Duration) else 1))


def entry(path: str, value: Any) -> str:
    """A figure as a line of a clinic's file."""
    kind, name = key_of(path).kind, path.rpartition(".")[2]
    word = {Kind.COUNT: "count", Kind.TEXT: "text", Kind.SLUGS: "slugs", Kind.NAMES: "names"}.get(kind)
    if isinstance(value, tuple):
        items = ", ".join(f'"{item}"' if isinstance(item, str) else f'"{item.text()}"' for item in value)
        text, word = f"[{items}]", word or "amounts"
    elif isinstance(value, int):
        text = str(value)
    else:
        text, word = f'"{value if isinstance(value, str) else value.text()}"', word or "amount"
    return f'{name} = {{ {word} = {text}, mark = "C", source = "policy 7 of this clinic" }}'


def clinic_file(drug: str, changes: Mapping[str, Any], head: str = 'clinic = "clinic-12"\nversion = "3"\n') -> bytes:
    """A clinic's file with these figures."""
    tables: dict[str, list[str]] = {}
    for path, value in changes.items():
        tables.setdefault(path.rpartition(".")[0], []).append(entry(path, value))
    body = "".join(f"\n[{table}]\n" + "\n".join(lines) + "\n" for table, lines in tables.items())
    return f'schema = "itbpump.clinic-library/1"\ndrug = "{drug}"\n{head}{body}'.encode()


@st.composite
def tighter(draw: st.DrawFn, drug: str = "baclofen") -> bytes:
    """A clinic's file that tightens whole tables: upper limits down to a half, lower ones up by a quarter, some concentrations only."""
    wanted = {table for group in TOGETHER if draw(st.booleans()) for table in group}
    down, up = draw(st.integers(50, 100)), draw(st.integers(100, 125))
    changes: dict[str, Any] = {}
    for path, figure in figures(drug).items():
        key = key_of(path)
        if path.split(".")[0] not in wanted or key.tighten is Tighten.FIXED:
            continue
        if key.tighten is Tighten.SUBSET:
            some = draw(st.sets(st.sampled_from(figure.value), min_size=1))
            changes[path] = tuple(sorted(some))
            continue
        floor = 100 if path == "start.second_percent" else min(1, size(figure.value))
        share = down if key.tighten is Tighten.LOWER else up
        changes[path] = of_size(figure.value, max(floor, size(figure.value) * share // 100))
    return clinic_file(drug, changes)


def another_concentration(own: tuple[Concentration, ...]) -> tuple[Concentration, ...]:
    return (*own, Concentration(max(item.ng_per_mL for item in own) + 1_000))
