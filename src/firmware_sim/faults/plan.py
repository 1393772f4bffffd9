"""Fault plans: which faults of the catalogue happen when, as typed data in Python or as a TOML file.

    schema = "itbpump.faults/1"
    seed = 7
    [[fault]]
    id = "mechanical.stall"
    when = { on = "time", nth = "2d" }
    for = "3h"

`when`: on = time | pulse | frame | write | command, with one of nth, every, window = [first, last], rate_ppm; times are written like `2d`.
`for` (of lasting faults; for good if absent), `count` (at most so many times) and the row's own arguments stand beside it. `[line]` may
give baud, latency_ms, jitter_ms and buffer_bytes of the patient's line. Pure; `load_plan` alone reads a file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, get_args

from firmware_sim.bench import BenchError, parse_duration_ms
from firmware_sim.faults.catalogue import Row, catalogue
from firmware_sim.faults.errors import FaultError, PlanError
from firmware_sim.faults.when import On, When
from itbpump.wire.line import LineFaultError, Pacing
from itbpump.wire.messages import Request
from itbpump.wire.numbers import beyond_64_bits

__all__ = ["BENCH_COMMANDS", "COMMANDS", "Fault", "FaultPlan", "load_plan", "parse_plan"]

SCHEMA = "itbpump.faults/1"
BENCH_COMMANDS = ("patient-request", "refill")
"""Hands at the bench, counted as commands are; a refill's faults act right after it, all others right before."""
COMMANDS = (*sorted(kind.__name__ for kind in get_args(Request)), *BENCH_COMMANDS)
_WHEN_KEYS = {"on", "nth", "every", "window", "rate_ppm", "command"}
_PACING_KEYS = {"baud", "latency_ms", "jitter_ms", "buffer_bytes"}


@dataclass(frozen=True, slots=True)
class Fault:
    """One planned fault. `arguments` are as a file would have them (`"3 mL"`, `"1h"`) and are checked here.

    Raises UnknownFault, UnsupportedFault, PlanError.
    """

    id: str
    when: When
    arguments: Mapping[str, object] = field(default_factory=dict)
    for_ms: int | None = None
    count: int | None = None
    values: Mapping[str, object] = field(init=False)
    """The arguments checked, in whole units, with defaults."""

    def __post_init__(self) -> None:
        row = catalogue().injectable(self.id)
        if self.when.on not in row.when:
            raise PlanError(self.id, f"cannot happen on a {self.when.on}; it takes {', '.join(row.when)}")
        if self.when.command and self.when.command not in COMMANDS:
            raise PlanError(self.id, f"{self.when.command!r} is no command; there are: {', '.join(COMMANDS)}")
        if self.for_ms is not None and (self.for_ms < 1 or not row.lasting):
            raise PlanError(self.id, "`for` is 1 ms or more" if row.lasting else "it does not last: leave `for` out")
        if self.count is not None and self.count < 1:
            raise PlanError(self.id, f"a count of {self.count} never fires; give 1 or more")
        object.__setattr__(self, "values", row.read(self.arguments, self.id))

    @property
    def row(self) -> Row:
        """Its row of the catalogue."""
        return catalogue().row(self.id)

    def __str__(self) -> str:
        return f"{self.id} on {self.when}"


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Faults with one seed for all that is drawn. `pacing` is the patient's line, as fast as can be by default."""

    faults: tuple[Fault, ...] = ()
    seed: int = 0
    pacing: Pacing | None = None


def load_plan(path: Path) -> FaultPlan:
    """The plan of a file. Raises PlanError, UnknownFault, UnsupportedFault; PlanError too for a file that cannot be read."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PlanError(str(path), f"cannot be read ({error}); check the name") from error
    return parse_plan(text)


def parse_plan(text: str) -> FaultPlan:
    """The plan in a text. Raises PlanError, UnknownFault, UnsupportedFault."""
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also numbers of thousands of digits, tables nested without end
        raise PlanError("file", f"not TOML: {error}") from error
    key = beyond_64_bits(document)
    if key is not None:
        raise PlanError(key, "a number beyond 64 bits; give a smaller one")
    _only("file", document, {"schema", "seed", "line", "fault"})
    if document.get("schema") != SCHEMA:
        raise PlanError("schema", f"is {document.get('schema')!r}, expected {SCHEMA!r}")
    seed, tables = document.get("seed", 0), document.get("fault", [])
    if type(seed) is not int or not isinstance(tables, list):
        raise PlanError("file", "seed is a whole number, and faults are [[fault]] tables")
    faults = tuple(_fault(number, table) for number, table in enumerate(tables, 1))
    pacing = _pacing(document["line"]) if "line" in document else None
    if not faults and pacing is None:
        raise PlanError("file", "plans nothing; give at least one [[fault]] or [line]")
    return FaultPlan(faults, seed, pacing)


def _fault(number: int, table: object) -> Fault:
    where = f"fault {number}"
    if not isinstance(table, dict):
        raise PlanError(where, "is not a table")
    fault_id = table.get("id")
    if not isinstance(fault_id, str):
        raise PlanError(where, "has no id such as mechanical.stall")
    where = f"{where} ({fault_id})"
    catalogue().injectable(fault_id)
    when, count = table.get("when"), table.get("count")
    if not isinstance(when, dict):
        raise PlanError(where, 'has no `when` such as { on = "time", nth = "2d" }')
    if count is not None and type(count) is not int:
        raise PlanError(where, f"count is {count!r}, not a whole number")
    arguments = {key: value for key, value in table.items() if key not in ("id", "when", "for", "count")}
    for_ms = _duration(f"{where}: for", table["for"]) if "for" in table else None
    return Fault(fault_id, _when(f"{where}: when", when), arguments, for_ms, count)


def _when(where: str, table: Mapping[str, Any]) -> When:
    _only(where, table, _WHEN_KEYS)
    try:
        on = On(table.get("on", ""))
    except ValueError as error:
        raise PlanError(where, f"on is {table.get('on')!r}, expected one of {', '.join(On)}") from error
    numbers: dict[str, Any] = {}
    for key in ("nth", "every"):
        if key in table:
            numbers[key] = _number(f"{where}: {key}", on, table[key])
    if "window" in table:
        window = table["window"]
        if not isinstance(window, list) or len(window) != 2:
            raise PlanError(where, "a window is [first, last]")
        numbers["window"] = tuple(_number(f"{where}: window", on, one) for one in window)
    if "rate_ppm" in table:
        numbers["rate_ppm"] = _whole(f"{where}: rate_ppm", table["rate_ppm"])
    try:
        return When(on, command=str(table.get("command", "")), **numbers)
    except ValueError as error:
        raise PlanError(where, str(error)) from error


def _number(where: str, on: On, value: object) -> int:
    return _duration(where, value) if on is On.TIME else _whole(where, value)


def _whole(where: str, value: object) -> int:
    if type(value) is not int:
        raise PlanError(where, f"is {value!r}, not a whole number")
    return value


def _duration(where: str, value: object) -> int:
    if not isinstance(value, str):
        raise PlanError(where, f"is {value!r}; write a time like 2d, 1h30m or 500ms")
    try:
        return parse_duration_ms(value)
    except BenchError as error:
        raise PlanError(where, str(error)) from error


def _pacing(table: object) -> Pacing:
    if not isinstance(table, dict):
        raise PlanError("line", "is not a table")
    _only("line", table, _PACING_KEYS)
    values = {key: _whole(f"line: {key}", value) for key, value in table.items()}
    try:
        return Pacing(**values)
    except LineFaultError as error:
        raise PlanError("line", str(error)) from error


def _only(where: str, table: Mapping[str, object], known: set[str]) -> None:
    for key in sorted(table.keys() - known):
        raise PlanError(where, f"unknown key {key!r}; there are: {', '.join(sorted(known))}")


def inserted_now(fault_id: str, texts: Mapping[str, object]) -> tuple[dict[str, object], int | None]:
    """Arguments and duration of a fault that is injected by hand at once, as `name=value` texts. Raises FaultError."""
    catalogue().injectable(fault_id)
    given = dict(texts)
    for_ms = _duration(f"{fault_id}: for", given.pop("for")) if "for" in given else None
    if for_ms is not None and not catalogue().row(fault_id).lasting:
        raise FaultError(f"{fault_id} does not last: leave `for` out")
    return given, for_ms
