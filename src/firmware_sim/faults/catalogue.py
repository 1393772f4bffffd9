"""The fault catalogue as data: what can go wrong, what is then expected, and who has to notice. Rows are in catalogue.toml.

Every row of the nine groups has a way in: `inject` rows are carried out by a plan, `line` rows by the line model, `scenario` rows by
people, strangers or companions and proved by the test they name, `absent` rows name a part that this pump does not have.
`parse_catalogue` is pure; `catalogue` reads the packaged file once.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from functools import cache
from importlib import resources
from typing import Any

from firmware_sim.bench import Argument, BenchError, Kind
from firmware_sim.faults.errors import FaultError, PlanError, UnknownFault, UnsupportedFault
from firmware_sim.faults.when import On

__all__ = ["GROUPS", "Catalogue", "Expectation", "Row", "catalogue", "parse_catalogue"]

SCHEMA = "itbpump.fault-catalogue/1"
GROUPS = ("link", "power", "clock", "sensors", "mechanical", "memory", "software", "human", "security")
_BY = ("inject", "line", "scenario", "absent")
_WHO = ("pump", "companion", "person", "nobody")
_KINDS = {
    "integer": Kind.INTEGER,
    "duration": Kind.DURATION,
    "volume": Kind.VOLUME,
    "choice": Kind.CHOICE,
    "boolean": Kind.BOOLEAN,
}
_ROW_KEYS = {
    "id",
    "by",
    "what",
    "when",
    "lasting",
    "arguments",
    "expect",
    "srs",
    "source",
    "mark",
    "reason",
    "tests",
    "harm",
    "defaults",
    "example",
}

LINE_ARGUMENTS = (
    Argument("way", Kind.CHOICE, "direction", required=False, choices=("both", "to-pump", "to-host")),
    Argument("ms", Kind.DURATION, "how late, or how long", required=False, high=86_400_000),
    Argument("bits", Kind.INTEGER, "how many", required=False, low=1, high=8_192),
    Argument("bytes", Kind.INTEGER, "how many; 0 as the harm has it", required=False, high=65_536),
)
"""What every fault of the line takes; which of them count depends on the harm (itbpump.wire.line)."""
LINE_DEFAULTS: Mapping[str, object] = {"way": "both", "ms": 0, "bits": 1, "bytes": 0}


@dataclass(frozen=True, slots=True)
class Expectation:
    """What has to follow. `detected_by`: pump, companion, person or nobody; `within`: the bound in words a bench can parse, or "".

    safe_state: what the pump's delivery does then. alarm: id of the alarm in the pump's table, or "". log: kind of the log entry that tells
    of it where no alarm does, or "". how: the sign, in words.
    """

    detected_by: str
    how: str
    within: str
    safe_state: str
    alarm: str
    log: str = ""


@dataclass(frozen=True, slots=True)
class Row:
    """One fault. `defaults` are the arguments' default values as written; `example` is a planned fault without its id."""

    id: str
    by: str
    what: str
    when: tuple[On, ...]
    lasting: bool
    arguments: tuple[Argument, ...]
    defaults: Mapping[str, object]
    expect: Expectation
    srs: tuple[str, ...]
    source: str
    mark: str
    reason: str = ""
    tests: tuple[str, ...] = ()
    harm: str = ""
    example: Mapping[str, object] = field(default_factory=dict)
    group: str = field(init=False)
    component: str = field(init=False)

    def __post_init__(self) -> None:
        group, _, kind = self.id.partition(".")
        object.__setattr__(self, "group", group)
        object.__setattr__(self, "component", kind)

    def read(self, given: Mapping[str, object], where: str) -> dict[str, object]:
        """The arguments checked, converted and completed by the defaults. Raises PlanError."""
        known = {argument.name: argument for argument in self.arguments}
        for name in given:
            if name not in known:
                raise PlanError(where, f"{self.id} has no argument {name!r}; it has: {', '.join(known) or 'none'}")
        missing = sorted(known.keys() - given.keys() - self.defaults.keys())
        if missing:
            raise PlanError(where, f"{self.id} needs the argument {missing[0]!r} ({known[missing[0]].doc})")
        try:
            return {name: argument.read(given[name] if name in given else self.defaults[name]) for name, argument in known.items()}
        except BenchError as error:
            raise PlanError(where, str(error)) from error


class Catalogue:
    """All rows, in order."""

    def __init__(self, rows: tuple[Row, ...]) -> None:
        self.rows = rows
        self._by_id = {row.id: row for row in rows}

    def row(self, fault_id: str) -> Row:
        """The row of this id. Raises UnknownFault naming the nearest."""
        if fault_id not in self._by_id:
            raise UnknownFault(fault_id, self._nearest(fault_id), tuple(self._by_id))
        return self._by_id[fault_id]

    def _nearest(self, wanted: str) -> str:
        """By the whole id, or by its kind where the group is another; "" if nothing is near."""

        def likeness(row: Row) -> float:
            kinds = SequenceMatcher(None, wanted.rpartition(".")[2], row.component).ratio()
            return max(SequenceMatcher(None, wanted, row.id).ratio(), kinds - 0.05)

        best = max(self.rows, key=likeness)
        return best.id if likeness(best) > 0.6 else ""

    def injectable(self, fault_id: str) -> Row:
        """The row, if a plan can carry it out. Raises UnknownFault, UnsupportedFault."""
        row = self.row(fault_id)
        if row.by == "absent":
            raise UnsupportedFault(fault_id, row.reason)
        if row.by == "scenario":
            raise UnsupportedFault(fault_id, f"no part of a pump fails there; it is played by {', '.join(row.tests)}")
        return row


@cache
def catalogue() -> Catalogue:
    """The packaged catalogue."""
    return parse_catalogue(resources.files(__package__).joinpath("catalogue.toml").read_text(encoding="utf-8"))


def parse_catalogue(text: str) -> Catalogue:
    """Raises FaultError naming the row and what is wrong with it."""
    document = tomllib.loads(text)
    if document.get("schema") != SCHEMA:
        raise FaultError(f"fault catalogue: schema is {document.get('schema')!r}, expected {SCHEMA!r}")
    rows = tuple(_row(table) for table in document["fault"])
    ids = [row.id for row in rows]
    twice = sorted({name for name in ids if ids.count(name) > 1})
    if twice:
        raise FaultError(f"fault catalogue: {twice[0]} stands twice")
    return Catalogue(rows)


def _row(table: Mapping[str, Any]) -> Row:
    name = str(table.get("id", "?"))
    for key in sorted(table.keys() - _ROW_KEYS):
        raise FaultError(f"fault catalogue: {name}: unknown key {key!r}")
    row = Row(
        id=name,
        by=table["by"],
        what=table["what"],
        when=tuple(On(one) for one in table.get("when", ())),
        lasting=table.get("lasting", False),
        arguments=LINE_ARGUMENTS if table["by"] == "line" else tuple(_argument(one) for one in table.get("arguments", ())),
        defaults=_defaults(table),
        expect=Expectation(**table["expect"]),
        srs=tuple(table["srs"]),
        source=table["source"],
        mark=table["mark"],
        reason=table.get("reason", ""),
        tests=tuple(table.get("tests", ())),
        harm=table.get("harm", ""),
        example=table.get("example", {}),
    )
    problem = _problem(row)
    if problem:
        raise FaultError(f"fault catalogue: {name}: {problem}")
    return row


def _defaults(table: Mapping[str, Any]) -> dict[str, object]:
    if table["by"] == "line":
        return {**LINE_DEFAULTS, **table.get("defaults", {})}
    return {one["name"]: one["default"] for one in table.get("arguments", ()) if "default" in one}


def _argument(table: Mapping[str, Any]) -> Argument:
    return Argument(
        name=table["name"],
        kind=_KINDS[table["kind"]],
        doc=table["doc"],
        required="default" not in table,
        choices=tuple(table.get("choices", ())),
        low=table.get("low", 0),
        high=table.get("high", 2**63 - 1),
    )


def _problem(row: Row) -> str:
    planned = bool(row.when and row.example)
    needs = {"inject": planned, "line": planned and bool(row.harm), "scenario": bool(row.tests), "absent": bool(row.reason)}
    checks = (
        (row.group in GROUPS and bool(row.component), f"an id is group.kind with a group of {', '.join(GROUPS)}"),
        (row.by in _BY, f"`by` is {row.by!r}, expected one of {', '.join(_BY)}"),
        (
            needs.get(row.by, False),
            "inject and line rows need `when` and `example`, line rows `harm`, scenarios `tests`, absent ones a `reason`",
        ),
        (row.expect.detected_by in _WHO, f"detected_by is {row.expect.detected_by!r}, expected one of {', '.join(_WHO)}"),
        (bool(row.what.strip() and row.source.strip() and row.expect.how.strip()), "what, source and expect.how may not be empty"),
        (row.mark in ("R", "R2", "M", "D"), f"mark is {row.mark!r}"),
    )
    return next((text for holds, text in checks if not holds), "")
