"""Reads itbp1.toml into a checked model that the generators share.

Standard library only. Everything wrong with the file is found here and told as one `SpecError` with the place of it, so that the
generators may trust what they get. Not checked: whether the prose in SPEC.md agrees.
"""

from __future__ import annotations

import json
import keyword
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

UINT_BYTES = {"u8": 1, "u16": 2, "u32": 4, "u64": 8}
STRUCT_CODE = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q", "bool": "B", "enum": "B"}
KINDS = ("request", "reply", "event")
RESERVED_NAMES = frozenset({"raw", "at", "end", "item", "message", "re", "struct"})  # used by the generated code itself
REPLY_RE_BYTES = 4


class SpecError(Exception):
    """itbp1.toml contradicts itself; the text names the place."""


@dataclass(frozen=True)
class Field:
    """One field. `base` is u8 … u64, bool, enum, bytes, str, blob, list or struct; `ref` names the enum or struct;
    `bound` is N of bytes, str, blob and list."""

    name: str
    type: str
    base: str
    ref: str
    bound: int
    min: int | None
    max: int | None
    unit: str
    doc: str

    @property
    def is_uint(self) -> bool:
        return self.base in UINT_BYTES

    @property
    def natural_max(self) -> int:
        return (1 << 8 * UINT_BYTES[self.base]) - 1

    @property
    def low(self) -> int:
        return 0 if self.min is None else self.min

    @property
    def high(self) -> int:
        return self.natural_max if self.max is None else self.max

    @property
    def narrowed(self) -> bool:
        """True when the range is smaller than what the bytes can hold."""
        return self.is_uint and (self.low > 0 or self.high < self.natural_max)


@dataclass(frozen=True)
class Layout:
    """A struct or a message: a named list of fields."""

    name: str
    doc: str
    fields: tuple[Field, ...]
    standalone: bool = False
    id: int = 0
    kind: str = ""
    reply: str = ""
    roles: tuple[str, ...] = ()

    @property
    def prefix_bytes(self) -> int:
        """Bytes before the first field: the id, and `re` of a reply."""
        if not self.kind:
            return 0
        return 1 + (REPLY_RE_BYTES if self.kind == "reply" else 0)


@dataclass(frozen=True)
class EnumSpec:
    name: str
    doc: str
    members: dict[str, int]


@dataclass(frozen=True)
class Code:
    """A row of [error] or [limit]."""

    name: str
    value: int
    text: str
    action: str


@dataclass(frozen=True)
class Constant:
    name: str
    value: int
    why: str


@dataclass(frozen=True)
class TransitionSpec:
    source: str
    on: str
    target: str
    do: str
    doc: str


@dataclass(frozen=True)
class MachineSpec:
    name: str
    doc: str
    initial: str
    transitions: tuple[TransitionSpec, ...]


@dataclass(frozen=True)
class LogArguments:
    kind: str
    a: str
    b: str


@dataclass
class Spec:
    protocol: dict[str, Any]
    frame: dict[str, Any]
    record: dict[str, Any]
    record_types: dict[str, int]
    timing: list[Constant]
    limits: list[Constant]
    enums: dict[str, EnumSpec]
    errors: list[Code]
    limit_codes: list[Code]
    structs: dict[str, Layout]
    messages: list[Layout]
    machines: list[MachineSpec] = field(default_factory=list)
    log_arguments: list[LogArguments] = field(default_factory=list)

    def of_kind(self, kind: str) -> list[Layout]:
        return [m for m in self.messages if m.kind == kind]

    def field_sizes(self, f: Field) -> tuple[int, int]:
        """Smallest and largest number of bytes of a field."""
        if f.is_uint:
            size = UINT_BYTES[f.base]
            return size, size
        if f.base in ("bool", "enum"):
            return 1, 1
        if f.base == "bytes":
            return f.bound, f.bound
        if f.base == "str":
            return 1, 1 + f.bound
        if f.base == "blob":
            return 2, 2 + f.bound
        if f.base == "list":
            return 1, 1 + f.bound * self.sizes(self.structs[f.ref])[1]
        return self.sizes(self.structs[f.ref])

    def sizes(self, layout: Layout) -> tuple[int, int]:
        """Smallest and largest number of bytes of a struct or message, id and `re` included."""
        pairs = [self.field_sizes(f) for f in layout.fields]
        return layout.prefix_bytes + sum(p[0] for p in pairs), layout.prefix_bytes + sum(p[1] for p in pairs)

    def is_flat(self, layout: Layout) -> bool:
        """True when one precompiled struct reads the whole: no text, blob, list or nested struct."""
        return all(f.is_uint or f.base in ("bool", "enum", "bytes") for f in layout.fields)


def format_of(f: Field) -> str:
    """Code of a fixed field for Python's struct module."""
    return f"{f.bound}s" if f.base == "bytes" else STRUCT_CODE[f.base]


def quoted(text: str) -> str:
    """A string literal in double quotes; the same in Python and Lua for the characters in use."""
    return json.dumps(text, ensure_ascii=False)


def load(path: Path) -> Spec:
    """Read and check the protocol file; raises SpecError, or tomllib.TOMLDecodeError for broken TOML."""
    raw = tomllib.loads(path.read_text(encoding="utf-8"))
    _known_keys(
        "the file",
        raw,
        {"protocol", "frame", "record", "timing", "limits", "enum", "error", "limit", "struct", "message", "machine", "log_arguments"},
    )
    enums = {name: _enum(name, table) for name, table in raw["enum"].items()}
    struct_names = set(raw["struct"])
    structs = {name: _layout(name, table, enums, struct_names, {"standalone"}) for name, table in raw["struct"].items()}
    messages = [_layout(name, table, enums, struct_names, {"id", "kind", "reply", "roles"}) for name, table in raw["message"].items()]
    spec = Spec(
        protocol=raw["protocol"],
        frame=raw["frame"],
        record=raw["record"],
        record_types=dict(raw["record"]["types"]),
        timing=[Constant(n, t["value"], t["why"]) for n, t in raw["timing"].items()],
        limits=[Constant(n, v, "") for n, v in raw["limits"].items()],
        enums=enums,
        errors=_codes("error", raw["error"], with_action=True),
        limit_codes=_codes("limit", raw["limit"], with_action=False),
        structs=structs,
        messages=messages,
        machines=[_machine(n, t) for n, t in raw.get("machine", {}).items()],
        log_arguments=_log_arguments(raw.get("log_arguments", {}), enums),
    )
    _check_messages(spec)
    _check_sizes(spec)
    return spec


def _known_keys(where: str, table: dict[str, Any], known: set[str]) -> None:
    unknown = set(table) - known
    if unknown:
        raise SpecError(f"{where}: unknown key {', '.join(sorted(unknown))}")


def _unique(where: str, values: list[Any]) -> None:
    seen: set[Any] = set()
    for value in values:
        if value in seen:
            raise SpecError(f"{where}: {value!r} stands twice")
        seen.add(value)


def _enum(name: str, table: dict[str, Any]) -> EnumSpec:
    members = {k: v for k, v in table.items() if k != "doc"}
    for member, value in members.items():
        if not isinstance(value, int) or not 0 <= value <= 255:
            raise SpecError(f"enum {name}.{member}: a value is a whole number from 0 to 255")
    _unique(f"enum {name}", list(members.values()))
    return EnumSpec(name, table["doc"], members)


def _codes(where: str, table: dict[str, Any], *, with_action: bool) -> list[Code]:
    codes = [Code(name, row["value"], row["text"], row["action"] if with_action else "") for name, row in table.items()]
    _unique(f"[{where}]", [c.value for c in codes])
    for code in codes:
        if not 1 <= code.value <= 255:
            raise SpecError(f"[{where}] {code.name}: a code is from 1 to 255")
    return codes


def _layout(name: str, table: dict[str, Any], enums: dict[str, EnumSpec], structs: set[str], extra: set[str]) -> Layout:
    _known_keys(name, table, {"doc", "fields"} | extra)
    fields = tuple(_field(name, row, enums, structs) for row in table["fields"])
    _unique(f"{name}: field", [f.name for f in fields])
    return Layout(
        name,
        table["doc"],
        fields,
        table.get("standalone", False),
        table.get("id", 0),
        table.get("kind", ""),
        table.get("reply", ""),
        tuple(table.get("roles", ())),
    )


def _field(owner: str, row: dict[str, Any], enums: dict[str, EnumSpec], structs: set[str]) -> Field:
    where = f"{owner}.{row.get('name', '?')}"
    _known_keys(where, row, {"name", "type", "min", "max", "unit", "doc"})
    name = row["name"]
    if not name.isidentifier() or keyword.iskeyword(name) or name in RESERVED_NAMES:
        raise SpecError(f"{where}: not usable as a field name")
    base, _, rest = row["type"].partition(":")
    ref, bound = _parse_type(where, base, rest, enums, structs)
    parsed = Field(name, row["type"], base, ref, bound, row.get("min"), row.get("max"), row.get("unit", ""), row["doc"])
    if parsed.is_uint:
        if not 0 <= parsed.low <= parsed.high <= parsed.natural_max:
            raise SpecError(f"{where}: the range {parsed.low} to {parsed.high} does not fit {base}")
    elif parsed.min is not None or parsed.max is not None:
        raise SpecError(f"{where}: only a number has min and max")
    return parsed


def _parse_type(where: str, base: str, rest: str, enums: dict[str, EnumSpec], structs: set[str]) -> tuple[str, int]:
    """Reference and bound of a type; raises SpecError for anything not in the grammar at the head of itbp1.toml."""
    if (base in UINT_BYTES or base == "bool") and not rest:
        return "", 0
    if base == "enum" and rest in enums:
        return rest, 0
    if base == "struct" and rest in structs:
        return rest, 0
    if base == "list":
        ref, _, count = rest.partition(":")
        if ref in structs and count.isdecimal() and 1 <= int(count) <= 255:
            return ref, int(count)
    largest = {"bytes": 255, "str": 255, "blob": 65535}.get(base, 0)
    if rest.isdecimal() and 1 <= int(rest) <= largest:
        return "", int(rest)
    raise SpecError(f"{where}: unknown type {base}{':' if rest else ''}{rest}")


def _machine(name: str, table: dict[str, Any]) -> MachineSpec:
    _known_keys(f"machine {name}", table, {"doc", "initial", "transitions"})
    transitions = tuple(TransitionSpec(t["from"], t["on"], t["to"], t.get("do", ""), t.get("doc", "")) for t in table["transitions"])
    _unique(f"machine {name}: from and event", [(t.source, t.on) for t in transitions])
    reachable = {table["initial"]} | {t.target for t in transitions}
    for t in transitions:
        if t.source not in reachable:
            raise SpecError(f"machine {name}: nothing leads to state {t.source}")
    return MachineSpec(name, table["doc"], table["initial"], transitions)


def _log_arguments(table: dict[str, Any], enums: dict[str, EnumSpec]) -> list[LogArguments]:
    kinds = enums["LogKind"].members
    for kind in table:
        if kind not in kinds:
            raise SpecError(f"[log_arguments] {kind}: no such LogKind")
    missing = set(kinds) - set(table)
    if table and missing:
        raise SpecError(f"[log_arguments]: nothing for {', '.join(sorted(missing))}")
    return [LogArguments(kind, row.get("a", ""), row.get("b", "")) for kind, row in table.items()]


def _check_messages(spec: Spec) -> None:
    _unique("message id", [m.id for m in spec.messages])
    replies = {m.name for m in spec.of_kind("reply")}
    roles = spec.enums["Role"].members
    for m in spec.messages:
        if m.kind not in KINDS or not 1 <= m.id <= 255:
            raise SpecError(f"message {m.name}: needs a kind of {', '.join(KINDS)} and an id from 1 to 255")
        if m.kind == "request" and m.reply not in replies:
            raise SpecError(f"message {m.name}: its reply {m.reply or '(none)'} is not a reply")
        if m.kind != "request" and (m.reply or m.roles):
            raise SpecError(f"message {m.name}: only a request has a reply and roles")
        if m.kind == "request" and not m.roles:
            raise SpecError(f"message {m.name}: no role may send it")
        for role in m.roles:
            if role not in roles:
                raise SpecError(f"message {m.name}: unknown role {role}")
    names = [m.name for m in spec.messages] + list(spec.structs) + list(spec.enums)
    _unique("name", names)
    _unique("record type", list(spec.record_types.values()))


def _check_sizes(spec: Spec) -> None:
    """Every message fits one frame when sealed; every standalone struct fits the staged payload."""
    overhead = spec.record["header_bytes"] + spec.record["tag_bytes"] + 4
    for m in spec.messages:
        if spec.sizes(m)[1] + overhead > spec.frame["max_decoded_bytes"]:
            raise SpecError(f"message {m.name}: up to {spec.sizes(m)[1]} bytes do not fit a frame of {spec.frame['max_decoded_bytes']}")
    staged = next(c.value for c in spec.limits if c.name == "staged_bytes")
    for s in spec.structs.values():
        if s.standalone and spec.sizes(s)[1] > staged:
            raise SpecError(f"struct {s.name}: up to {spec.sizes(s)[1]} bytes do not fit the staged payload of {staged}")
