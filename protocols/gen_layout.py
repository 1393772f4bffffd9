"""Writes the parts of the codec that follow a layout field by field: checks, reading, packing.

A layout that is not flat is a chain of runs: a run of fixed fields ends with the length prefix of the text, blob or list that follows,
so that a run costs one call. The rest of the module text is written by gen_codec.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from protocols.spec_model import UINT_BYTES, Field, Layout, Spec, format_of

WIDTH = 140
LENGTH_CODE = {"str": "B", "blob": "H", "list": "B"}


@dataclass
class Run:
    """Fixed fields, then at most one variable or nested field."""

    fixed: list[tuple[int, Field]] = field(default_factory=list)
    tail: tuple[int, Field] | None = None


def fold(before: str, items: list[str], after: str, indent: str = "    ") -> list[str]:
    """`before` items `after` on one line, or with the items on lines of their own when that is too long."""
    one = f"{indent}{before}{', '.join(items)}{after}"
    if len(one) <= WIDTH:
        return [one]
    lines = [indent + before]
    row = ""
    for item in items:
        piece = f"{item}, "
        if row and len(indent) + 4 + len(row) + len(piece) > WIDTH:
            lines.append(f"{indent}    {row.rstrip()}")
            row = ""
        row += piece
    return [*lines, f"{indent}    {row.rstrip()}", indent + after]


def unpacked(targets: list[str], source: str, indent: str) -> list[str]:
    """Assignment of an unpacked tuple to its names."""
    if not targets:
        return []
    if len(targets) == 1:
        return [f"{indent}({targets[0]},) = {source}"]
    one = f"{indent}{', '.join(targets)} = {source}"
    return [one] if len(one) <= WIDTH else fold("(", targets, f") = {source}", indent)


def snake(name: str) -> str:
    """GetInfo → get_info."""
    return "".join(("_" if i and c.isupper() else "") + c.lower() for i, c in enumerate(name))


def runs_of(layout: Layout) -> list[Run]:
    runs = [Run()]
    for number, f in enumerate(layout.fields, 1):
        if f.is_uint or f.base in ("bool", "enum", "bytes"):
            runs[-1].fixed.append((number, f))
        else:
            runs[-1].tail = (number, f)
            runs.append(Run())
    if not runs[-1].fixed:
        runs.pop()
    return runs


class LayoutWriter:
    """Text for the layouts of one spec."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec

    # ------------------------------------------------------------------------------------------ checks
    def decode_check(self, c: str, number: int, f: Field, indent: str) -> list[str]:
        if f.base == "enum":
            test = f"{f.name} not in _{snake(f.ref).upper()}"
        elif f.base == "bool":
            test = f"{f.name} > 1"
        elif f.narrowed:
            test = _outside(f.name, f)
        else:
            return []
        return [f"{indent}if {test}:", f"{indent}    raise {c}.range_error({number}, {f.name})"]

    @staticmethod
    def encode_checks(layout: Layout) -> list[str]:
        """One test for all fields that struct.pack would let through; which one failed is worked out afterwards."""
        tests: list[str] = []
        for f in layout.fields:
            name = f"message.{f.name}"
            if f.base in ("enum", "bool"):
                tests.append(f"type({name}) is not {f.ref or 'bool'}")
            elif f.base == "bytes":
                tests.append(f"len({name}) != {f.bound}")
            elif f.base in ("blob", "list"):
                tests.append(f"len({name}) > {f.bound}")
            elif f.narrowed:
                tests.append(_outside(name, f))
        if not tests:
            return []
        failed = f"        raise _C_{snake(layout.name).upper()}.explain({explained(layout)})"
        if len(tests) == 1:
            return [f"    if {tests[0]}:", failed]
        return ["    if (", f"        {tests[0]}", *[f"        or {t}" for t in tests[1:]], "    ):", failed]

    @staticmethod
    def may_stumble(layout: Layout) -> bool:
        """Whether a value of a wholly wrong type can fail outside struct.pack: where it is measured, compared or entered."""
        return any(f.narrowed or f.base in ("bytes", "blob", "list", "str", "struct") for f in layout.fields)

    @staticmethod
    def value(f: Field) -> str:
        if f.base == "enum":
            return f"_{snake(f.ref).upper()}[{f.name}]"
        return f"{f.name} == 1" if f.base == "bool" else f.name

    def construct(self, before: str, layout: Layout, after: str = "") -> list[str]:
        return fold(f"{before}{layout.name}(", [self.value(f) for f in layout.fields], ")" + after)

    # ------------------------------------------------------------------------------------------ runs
    def run_structs(self, layout: Layout) -> list[str]:
        up = snake(layout.name).upper()
        head = {"": "", "reply": "BI"}.get(layout.kind, "B")
        lines: list[str] = []
        for i, run in enumerate(runs_of(layout)):
            codes = self._run_codes(run)
            if i == 0 and head:
                lines.append(f'_P{i}_{up}: Final = struct.Struct(">{head}{codes}")')
                codes = head.replace("B", "x") + codes
                lines.append(f'_S{i}_{up}: Final = struct.Struct(">{codes}")')
            elif codes:
                lines.append(f'_S{i}_{up}: Final = struct.Struct(">{codes}")')
        return lines

    @staticmethod
    def _run_codes(run: Run) -> str:
        tail = LENGTH_CODE.get(run.tail[1].base, "") if run.tail else ""
        return "".join(format_of(f) for _, f in run.fixed) + tail

    def read_runs(self, layout: Layout, indent: str) -> list[str]:
        up = snake(layout.name).upper()
        lines: list[str] = []
        for i, run in enumerate(runs_of(layout)):
            targets = (["re"] if i == 0 and layout.kind == "reply" else []) + [f.name for _, f in run.fixed]
            has_length = run.tail is not None and run.tail[1].base in LENGTH_CODE
            if has_length:
                targets.append("end")
            size = self._run_size(layout, i, run)
            if size:
                start = "0" if layout.kind and i == 0 else "at"
                lines += unpacked(targets, f"_S{i}_{up}.unpack_from(raw, {start})", indent)
                lines.append(f"{indent}at = {size}" if start == "0" else f"{indent}at += {size}")
            for number, f in run.fixed:
                lines += self.decode_check(f"_C_{up}", number, f, indent)
            if run.tail:
                lines += self._read_tail(f"_C_{up}", *run.tail, indent)
        return lines

    def _run_size(self, layout: Layout, i: int, run: Run) -> int:
        widths = {"B": 1, "H": 2}
        size = sum(self.spec.field_sizes(f)[0] for _, f in run.fixed) + (layout.prefix_bytes if i == 0 else 0)
        return size + (widths[LENGTH_CODE[run.tail[1].base]] if run.tail and run.tail[1].base in LENGTH_CODE else 0)

    def _read_tail(self, c: str, number: int, f: Field, indent: str) -> list[str]:
        """`end` holds the length prefix and becomes the place behind the field."""
        if f.base == "struct":
            return self._read_nested(f, indent)
        bound = [f"{indent}if end > {f.bound}:", f"{indent}    raise {c}.bound_error({number}, end)"]
        if f.base == "list":
            return bound + self._read_list(f, indent)
        short = [f"{indent}end += at", f"{indent}if end > len(raw):", f"{indent}    raise {c}.bound_error({number}, len(raw) - at)"]
        if f.base == "blob":
            return [*bound, *short, f"{indent}{f.name} = raw[at:end]", f"{indent}at = end"]
        return [
            *bound,
            *short,
            f"{indent}try:",
            f'{indent}    {f.name} = raw[at:end].decode("utf-8")',
            f"{indent}except UnicodeDecodeError:",
            f"{indent}    raise {c}.text_error({number}) from None",
            f"{indent}at = end",
        ]

    def _read_nested(self, f: Field, indent: str) -> list[str]:
        target = self.spec.structs[f.ref]
        if self.spec.is_flat(target):
            up = snake(f.ref).upper()
            return [
                f"{indent}{f.name} = _make_{snake(f.ref)}(*_S_{up}.unpack_from(raw, at))",
                f"{indent}at += {self.spec.sizes(target)[0]}",
            ]
        return [f"{indent}{f.name}, at = _read_{snake(f.ref)}(raw, at)"]

    def _read_list(self, f: Field, indent: str) -> list[str]:
        target = self.spec.structs[f.ref]
        if self.spec.is_flat(target):
            up = snake(f.ref).upper()
            return [
                f"{indent}end = at + end * {self.spec.sizes(target)[0]}",
                f"{indent}{f.name} = tuple(starmap(_make_{snake(f.ref)}, _S_{up}.iter_unpack(raw[at:end])))",
                f"{indent}at = end",
            ]
        items = f"{f.name}_items"
        return [
            f"{indent}{items}: list[{f.ref}] = []",
            f"{indent}for _ in range(end):",
            f"{indent}    item, at = _read_{snake(f.ref)}(raw, at)",
            f"{indent}    {items}.append(item)",
            f"{indent}{f.name} = tuple({items})",
        ]

    # ------------------------------------------------------------------------------------------ packing
    def pack_body(self, layout: Layout) -> list[str]:
        up = snake(layout.name).upper()
        c = f"_C_{up}"
        lines = self.encode_checks(layout)
        texts = [(number, f) for number, f in enumerate(layout.fields, 1) if f.base == "str"]
        lines.append("    try:")
        for number, f in texts:
            lines += [
                f'        {f.name} = message.{f.name}.encode("utf-8")',
                f"        if len({f.name}) > {f.bound}:",
                f"            raise {c}.bound_error({number}, len({f.name}))",
            ]
        pieces = self._pieces(layout)
        lines.append("        return (")
        for i, (before, arguments, after) in enumerate(pieces):
            lines += fold(("+ " if i else "") + before, arguments, after, "            ")
        lines.append("        )")
        caught = "(struct.error, UnicodeEncodeError)" if texts else "struct.error"
        return [*lines, f"    except {caught}:", f"        raise {c}.explain({explained(layout)}) from None"]

    def _pieces(self, layout: Layout) -> list[tuple[str, list[str], str]]:
        """The parts a long layout is joined from: text before the arguments, arguments, text after them."""
        up = snake(layout.name).upper()
        pieces: list[tuple[str, list[str], str]] = []
        for i, run in enumerate(runs_of(layout)):
            arguments = [f"message.{f.name}" for _, f in run.fixed]
            struct = f"_S{i}_{up}"
            if i == 0 and layout.kind:
                arguments = [str(layout.id), *(["re"] if layout.kind == "reply" else []), *arguments]
                struct = f"_P{i}_{up}"
            tail = run.tail[1] if run.tail else None
            if tail and tail.base in LENGTH_CODE:
                arguments.append(f"len({tail.name})" if tail.base == "str" else f"len(message.{tail.name})")
            if arguments:
                pieces.append((f"{struct}.pack(", arguments, ")"))
            if tail:
                pieces.append((self._tail_piece(tail), [], ""))
        return pieces

    @staticmethod
    def _tail_piece(f: Field) -> str:
        if f.base == "str":
            return f.name
        if f.base == "blob":
            return f"message.{f.name}"
        if f.base == "list":
            return f'b"".join(map(_pack_{snake(f.ref)}, message.{f.name}))'
        return f"_pack_{snake(f.ref)}(message.{f.name})"


def _outside(name: str, f: Field) -> str:
    """Test that a number is outside a range narrower than its type."""
    natural = (1 << 8 * UINT_BYTES[f.base]) - 1
    if f.low > 0 and f.high < natural:
        return f"not {f.low} <= {name} <= {f.high}"
    return f"{name} < {f.low}" if f.low > 0 else f"{name} > {f.high}"


def explained(layout: Layout) -> str:
    return "message, re" if layout.kind == "reply" else "message"
