"""Writes the module itbpump.wire.messages.codec: tables, one encoder and decoder for each layout, and the entrances.

A flat layout (fixed fields only) is packed and read by one struct of exact size; the others are written by gen_layout.
"""

from __future__ import annotations

from protocols.gen_layout import LayoutWriter, explained, fold, snake, unpacked
from protocols.spec_model import Field, Layout, Spec, format_of, quoted


class CodecWriter:
    """Collects the text of the module. `exports` are its public names, known after `write`."""

    def __init__(self, spec: Spec) -> None:
        self.spec = spec
        self.layouts = LayoutWriter(spec)
        self.exports: list[str] = ["FIELDS"]
        self.enums = sorted({f.ref for x in [*spec.structs.values(), *spec.messages] for f in x.fields if f.base == "enum"})

    def used_types(self) -> list[str]:
        return [*self.enums, *self.spec.structs, *[m.name for m in self.spec.messages], "Request", "Reply", "Event"]

    def write(self) -> list[str]:
        lines = self._fields_table()
        for name in self.enums:
            lines.append(f"_{snake(name).upper()}: Final[dict[int, {name}]] = {{int(member): member for member in {name}}}")
        lines += ["", ""]
        for layout in self.spec.structs.values():
            lines += self._struct(layout)
        for layout in self.spec.messages:
            lines += self._encoder(layout) + self._decoder(layout)
        for layout in self.spec.structs.values():
            if layout.standalone:
                lines += self._standalone(layout)
        for kind in ("request", "event"):
            lines += self._entrance(kind)
        lines += self._reply_entrance()
        while lines[-1] == "":
            lines.pop()
        return lines

    # ------------------------------------------------------------------------------------------ tables
    def _fields_table(self) -> list[str]:
        lines = ["FIELDS: Final[dict[str, tuple[Field, ...]]] = {"]
        layouts = [*self.spec.structs.values(), *self.spec.messages]
        for layout in layouts:
            if not layout.fields:
                lines.append(f'    "{layout.name}": (),')
                continue
            lines.append(f'    "{layout.name}": (')
            for f in layout.fields:
                low, high = self._span(f)
                lines.append(f'        Field("{f.name}", "{f.type}", {low}, {high}, {f.bound}, {quoted(f.unit)}, {quoted(f.doc)}),')
            lines.append("    ),")
        lines.append("}")
        lines += [f'_C_{snake(x.name).upper()}: Final = Codec("{x.name}", FIELDS["{x.name}"])' for x in layouts]
        return lines

    def _span(self, f: Field) -> tuple[int, int]:
        if f.is_uint:
            return f.low, f.high
        if f.base == "bool":
            return 0, 1
        if f.base == "enum":
            values = self.spec.enums[f.ref].members.values()
            return min(values), max(values)
        return 0, 0

    # ------------------------------------------------------------------------------------------ structs
    def _struct(self, layout: Layout) -> list[str]:
        return self._flat_struct(layout) if self.spec.is_flat(layout) else self._long_struct(layout)

    def _flat_struct(self, layout: Layout) -> list[str]:
        """_pack_x(x) → bytes, and _make_x(fields) → x for use with unpack and iter_unpack."""
        low, up = snake(layout.name), snake(layout.name).upper()
        names = [f.name for f in layout.fields]
        codes = "".join(format_of(f) for f in layout.fields)
        lines = [f'_S_{up}: Final = struct.Struct(">{codes}")', "", "", f"def _pack_{low}(message: {layout.name}) -> bytes:"]
        lines += self.layouts.encode_checks(layout)
        lines += [
            "    try:",
            *fold(f"return _S_{up}.pack(", [f"message.{n}" for n in names], ")", "        "),
            "    except struct.error:",
            f"        raise _C_{up}.explain(message) from None",
            "",
            "",
        ]
        arguments = [f"{f.name}: {'bytes' if f.base == 'bytes' else 'int'}" for f in layout.fields]
        lines += fold(f"def _make_{low}(", arguments, f") -> {layout.name}:", "")
        for number, f in enumerate(layout.fields, 1):
            lines += self.layouts.decode_check(f"_C_{up}", number, f, "    ")
        return [*lines, *self.layouts.construct("return ", layout), "", ""]

    def _long_struct(self, layout: Layout) -> list[str]:
        """_pack_x(x) → bytes, and _read_x(raw, at) → x and the place behind it; may raise struct.error where bytes are missing."""
        low = snake(layout.name)
        lines = self.layouts.run_structs(layout)
        lines += ["", "", f"def _pack_{low}(message: {layout.name}) -> bytes:", *self.layouts.pack_body(layout)]
        lines += ["", "", f"def _read_{low}(raw: bytes, at: int) -> tuple[{layout.name}, int]:", *self.layouts.read_runs(layout, "    ")]
        return [*lines, *self.layouts.construct("return ", layout, ", at"), "", ""]

    # ------------------------------------------------------------------------------------------ messages
    def _encoder(self, layout: Layout) -> list[str]:
        low, up = snake(layout.name), snake(layout.name).upper()
        arguments = ("re: int, " if layout.kind == "reply" else "") + f"message: {layout.name}"
        lines = self._flat_structs(layout) if self.spec.is_flat(layout) else self.layouts.run_structs(layout)
        lines += ["", "", f"def _encode_{low}({arguments}) -> bytes:"]
        if not self.spec.is_flat(layout):
            return [*lines, *self.layouts.pack_body(layout), "", ""]
        if not layout.fields and layout.kind != "reply":
            return [*lines, f'    return b"\\x{layout.id:02x}"', "", ""]
        lines += self.layouts.encode_checks(layout)
        values = [str(layout.id), *(["re"] if layout.kind == "reply" else []), *[f"message.{f.name}" for f in layout.fields]]
        return [
            *lines,
            "    try:",
            *fold(f"return _P_{up}.pack(", values, ")", "        "),
            "    except struct.error:",
            f"        raise _C_{up}.explain({explained(layout)}) from None",
            "",
            "",
        ]

    def _flat_structs(self, layout: Layout) -> list[str]:
        up = snake(layout.name).upper()
        head = "BI" if layout.kind == "reply" else "B"
        codes = "".join(format_of(f) for f in layout.fields)
        if not layout.fields and layout.kind != "reply":
            return []
        return [f'_P_{up}: Final = struct.Struct(">{head}{codes}")', f'_S_{up}: Final = struct.Struct(">{head.replace("B", "x")}{codes}")']

    def _decoder(self, layout: Layout) -> list[str]:
        low, up = snake(layout.name), snake(layout.name).upper()
        reply = layout.kind == "reply"
        result = f"tuple[int, {layout.name}]" if reply else layout.name
        lines = [f"def _decode_{low}(raw: bytes) -> {result}:"]
        prefix = "re, " if reply else ""
        if not self.spec.is_flat(layout):
            return [*lines, *self._long_decoder(layout), *self.layouts.construct(f"return {prefix}", layout), "", ""]
        size = self.spec.sizes(layout)[0]
        length = [f'raise _C_{up}.length_error(len(raw), "{size} bytes")']
        if not layout.fields and not reply:
            return [*lines, f"    if len(raw) != {size}:", f"        {length[0]}", f"    return {layout.name}()", "", ""]
        targets = [*(["re"] if reply else []), *[f.name for f in layout.fields]]
        lines += ["    try:", *unpacked(targets, f"_S_{up}.unpack(raw)", "        ")]
        lines += ["    except struct.error:", f"        {length[0]} from None"]
        for number, f in enumerate(layout.fields, 1):
            lines += self.layouts.decode_check(f"_C_{up}", number, f, "    ")
        return [*lines, *self.layouts.construct(f"return {prefix}", layout), "", ""]

    def _long_decoder(self, layout: Layout) -> list[str]:
        up = snake(layout.name).upper()
        low, high = self.spec.sizes(layout)
        error = f'raise _C_{up}.length_error(len(raw), "{low} to {high} bytes, as its own lengths say")'
        return [
            "    try:",
            *self.layouts.read_runs(layout, "        "),
            "    except struct.error:",
            f"        {error} from None",
            "    if at != len(raw):",
            f"        {error}",
        ]

    def _standalone(self, layout: Layout) -> list[str]:
        low, up = snake(layout.name), snake(layout.name).upper()
        self.exports += [f"encode_{low}", f"decode_{low}"]
        small, large = self.spec.sizes(layout)
        lines = [
            f"def encode_{low}(message: {layout.name}) -> bytes:",
            '    """Canonical bytes; raises MessageError for what does not fit."""',
            *_guarded(f"_pack_{low}(message)"),
            "",
            "",
            f"def decode_{low}(raw: bytes) -> {layout.name}:",
            '    """Exactly one structure; raises MessageError."""',
        ]
        if self.spec.is_flat(layout):
            return [
                *lines,
                "    try:",
                f"        return _make_{low}(*_S_{up}.unpack(raw))",
                "    except struct.error:",
                f'        raise _C_{up}.length_error(len(raw), "{small} bytes") from None',
                "",
                "",
            ]
        error = f'raise _C_{up}.length_error(len(raw), "{small} to {large} bytes, as its own lengths say")'
        return [
            *lines,
            "    try:",
            f"        message, at = _read_{low}(raw, 0)",
            "    except struct.error:",
            f"        {error} from None",
            "    if at != len(raw):",
            f"        {error}",
            "    return message",
            "",
            "",
        ]

    # ------------------------------------------------------------------------------------------ entrances
    def _dispatch(self, kind: str) -> list[str]:
        members = self.spec.of_kind(kind)
        up, alias = kind.upper(), kind.capitalize()
        result = f"tuple[int, {alias}]" if kind == "reply" else alias
        return [
            f"_{up}_ENCODERS: Final[dict[type, Callable[..., bytes]]] = {{",
            *[f"    {m.name}: _encode_{snake(m.name)}," for m in members],
            "}",
            f"_{up}_DECODERS: Final[dict[int, Callable[[bytes], {result}]]] = {{",
            *[f"    {m.id}: _decode_{snake(m.name)}," for m in members],
            "}",
            "",
            "",
        ]

    def _entrance(self, kind: str) -> list[str]:
        up, alias = kind.upper(), kind.capitalize()
        self.exports += [f"encode_{kind}", f"decode_{kind}"]
        members = self.spec.of_kind(kind)
        return [
            *self._dispatch(kind),
            f"def encode_{kind}(message: {alias}) -> bytes:",
            f'    """Bytes of {"an" if kind[0] in "aeiou" else "a"} {kind}; raises MessageError for what does not fit."""',
            "    try:",
            f"        encode = _{up}_ENCODERS[type(message)]",
            "    except KeyError:",
            f'        raise FieldTypeError("{alias}", "message", message) from None',
            *(_guarded("encode(message)") if any(map(self.layouts.may_stumble, members)) else ["    return encode(message)"]),
            "",
            "",
            f"def decode_{kind}(raw: bytes) -> {alias}:",
            f'    """Exactly one {kind}; raises MessageError."""',
            *self._find(kind),
            "    return decode(raw)",
            "",
            "",
        ]

    def _reply_entrance(self) -> list[str]:
        self.exports += ["encode_reply", "decode_reply"]
        return [
            *self._dispatch("reply"),
            "def encode_reply(re: int, message: Reply) -> bytes:",
            '    """Bytes of a reply to the request with record counter `re` (u32); raises MessageError for what does not fit."""',
            "    try:",
            "        encode = _REPLY_ENCODERS[type(message)]",
            "    except KeyError:",
            '        raise FieldTypeError("Reply", "message", message) from None',
            *_guarded("encode(re, message)"),
            "",
            "",
            "def decode_reply(raw: bytes) -> tuple[int, Reply]:",
            '    """`re` and exactly one reply; raises MessageError."""',
            *self._find("reply"),
            "    return decode(raw)",
            "",
            "",
        ]

    @staticmethod
    def _find(kind: str) -> list[str]:
        up, alias = kind.upper(), kind.capitalize()
        return [
            "    try:",
            f"        decode = _{up}_DECODERS[raw[0]]",
            "    except IndexError:",
            f'        raise LengthError("{alias}", 0, "at least 1 byte") from None',
            "    except KeyError:",
            "        raise UnknownMessage(raw[0]) from None",
        ]


def _guarded(call: str) -> list[str]:
    """A value of a wholly wrong type stumbles over Python itself; that too is told as an error of the message."""
    return [
        "    try:",
        f"        return {call}",
        "    except (AttributeError, TypeError) as problem:",
        '        raise FieldTypeError(type(message).__name__, "a field", message) from problem',
    ]
