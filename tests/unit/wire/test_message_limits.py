"""Every field of every message, one at a time just outside what it may be: refused by decoder and encoder, with its name and number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from itbpump.wire import messages as m
from itbpump.wire.errors import FieldEnumError, FieldRangeError, FieldTextError, LengthError, MessageError
from protocols import generate
from protocols.spec_model import UINT_BYTES, Field, Layout, load

SPEC = load(generate.SOURCE)
TOP_LEVEL = [*SPEC.messages, *[layout for layout in SPEC.structs.values() if layout.standalone]]


@dataclass(frozen=True)
class Wrong:
    """Bytes of a message in which one field is wrong."""

    layout: Layout
    owner: str
    number: int
    field: str
    why: str
    raw: bytes
    error: type[MessageError]

    def __str__(self) -> str:
        return f"{self.layout.name}-{self.owner}.{self.field}-{self.why}"


def decode(layout: Layout, raw: bytes) -> Any:
    match layout.kind:
        case "request":
            return m.decode_request(raw)
        case "reply":
            return m.decode_reply(raw)[1]
        case "event":
            return m.decode_event(raw)
    return m.decode_configuration(raw) if layout.name == "Configuration" else m.decode_bolus_order(raw)


def encode(layout: Layout, message: Any) -> bytes:
    match layout.kind:
        case "request":
            return m.encode_request(message)
        case "reply":
            return m.encode_reply(0, message)
        case "event":
            return m.encode_event(message)
    return m.encode_configuration(message) if layout.name == "Configuration" else m.encode_bolus_order(message)


def smallest(field: Field) -> bytes:
    """Bytes of the smallest value, an empty text or list."""
    if field.is_uint:
        return field.low.to_bytes(UINT_BYTES[field.base], "big")
    if field.base == "enum":
        return bytes([min(SPEC.enums[field.ref].members.values())])
    if field.base == "struct":
        return b"".join(smallest(inner) for inner in SPEC.structs[field.ref].fields)
    return bytes(SPEC.field_sizes(field)[0])


def wrong_values(field: Field) -> Iterator[tuple[str, bytes, type[MessageError]]]:
    """(why, bytes, error) for each way in which the bytes of this one field can be wrong."""
    if field.is_uint:
        for value in (field.low - 1, field.high + 1):
            if 0 <= value <= field.natural_max:
                yield f"{value}", value.to_bytes(UINT_BYTES[field.base], "big"), FieldRangeError
    elif field.base == "bool":
        yield "2", b"\x02", FieldEnumError
    elif field.base == "enum":
        unused = sorted(set(range(256)) - set(SPEC.enums[field.ref].members.values()))
        yield f"{unused[0]}", bytes([unused[0]]), FieldEnumError
    elif field.base == "str":
        yield "too long", bytes([field.bound + 1]) + b"a" * (field.bound + 1), LengthError
        yield "beyond the end", bytes([field.bound]), LengthError
        yield "not UTF-8", b"\x01\xff", FieldTextError
    elif field.base == "blob":
        yield "too long", (field.bound + 1).to_bytes(2, "big") + bytes(field.bound + 1), LengthError
        yield "beyond the end", field.bound.to_bytes(2, "big"), LengthError
    elif field.base == "list":
        yield "too many", bytes([field.bound + 1]), LengthError


def wrong_bytes(fields: tuple[Field, ...], owner: str) -> Iterator[tuple[str, int, str, str, bytes, type[MessageError]]]:
    """All wrong encodings of a list of fields, nested structures and list elements included."""
    parts = [smallest(field) for field in fields]
    for i, field in enumerate(fields):
        before, after = b"".join(parts[:i]), b"".join(parts[i + 1 :])
        for why, raw, error in wrong_values(field):
            # A length beyond the end needs the end to be near.
            yield owner, i + 1, field.name, why, before + raw + (b"" if why == "beyond the end" else after), error
        if field.base in ("list", "struct"):
            count = b"\x01" if field.base == "list" else b""
            for part, number, name, why, raw, error in wrong_bytes(SPEC.structs[field.ref].fields, field.ref):
                yield part, number, name, why, before + count + raw + (b"" if why == "beyond the end" else after), error


def every_wrong() -> Iterator[Wrong]:
    for layout in TOP_LEVEL:
        head = (bytes([layout.id]) if layout.kind else b"") + (bytes(4) if layout.kind == "reply" else b"")
        for owner, number, name, why, raw, error in wrong_bytes(layout.fields, layout.name):
            yield Wrong(layout, owner, number, name, why, head + raw, error)


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("wrong", list(every_wrong()), ids=str)
def test_one_wrong_field_is_refused_and_named(wrong: Wrong) -> None:
    with pytest.raises(MessageError) as caught:
        decode(wrong.layout, wrong.raw)
    error = caught.value
    assert type(error) is wrong.error
    assert error.message == wrong.owner
    assert isinstance(error, LengthError | FieldRangeError | FieldTextError)
    assert (error.field, error.field_number) == (wrong.field, wrong.number)


def lowest_bytes(layout: Layout) -> bytes:
    head = (bytes([layout.id]) if layout.kind else b"") + (bytes(4) if layout.kind == "reply" else b"")
    return head + b"".join(smallest(field) for field in layout.fields)


@pytest.mark.parametrize("layout", TOP_LEVEL, ids=lambda layout: layout.name)
def test_every_shortening_is_refused(layout: Layout) -> None:
    raw = lowest_bytes(layout)
    assert decode(layout, raw)
    for length in range(len(raw)):
        with pytest.raises(LengthError):
            decode(layout, raw[:length])
    with pytest.raises(LengthError):
        decode(layout, raw + b"\x00")


def wrong_python_values(field: Field, present: Any) -> list[tuple[Any, type[MessageError]]]:
    """Values an encoder must refuse."""
    if field.is_uint:
        return [(field.low - 1, FieldRangeError), (field.high + 1, FieldRangeError)]
    match field.base:
        case "enum":
            return [(255, FieldEnumError), (-1, FieldEnumError)]
        case "bool":
            return [(2, FieldEnumError)]
        case "bytes":
            return [(present[:-1], LengthError), (present + b"x", LengthError)]
        case "blob":
            return [(bytes(field.bound + 1), LengthError)]
        case "str":
            return [("a" * (field.bound + 1), LengthError), ("\udfff", FieldTextError)]
        case "list":
            return [((None,) * (field.bound + 1), LengthError)]
    return []


def check_encoder(layout: Layout, message: Any, inner: Layout, present: Any, wrap: Any) -> None:
    """Each field of `present`, a part of `message` put back by `wrap`, wrong in each way."""
    for number, field in enumerate(inner.fields, 1):
        value = getattr(present, field.name)
        for wrong, error in wrong_python_values(field, value):
            with pytest.raises(error) as caught:
                encode(layout, wrap(msgspec.structs.replace(present, **{field.name: wrong})))
            assert type(caught.value) is error
            assert (caught.value.message, caught.value.field) == (inner.name, field.name)  # type: ignore[attr-defined]
            assert caught.value.field_number == number  # type: ignore[attr-defined]


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("layout", TOP_LEVEL, ids=lambda layout: layout.name)
def test_nothing_outside_its_range_is_ever_sent(layout: Layout) -> None:
    message = decode(layout, lowest_bytes(layout))
    check_encoder(layout, message, layout, message, lambda changed: changed)
    for field in layout.fields:
        if field.base not in ("list", "struct"):
            continue
        target = SPEC.structs[field.ref]
        part = lowest_struct(target)
        name = field.name
        many = field.base == "list"

        def put(changed: Any, name: str = name, many: bool = many) -> Any:
            return msgspec.structs.replace(message, **{name: (changed,) if many else changed})

        assert encode(layout, put(part))
        check_encoder(layout, message, target, part, put)


def lowest_struct(target: Layout) -> Any:
    """A structure of smallest values, built from Python values."""
    values: list[Any] = []
    for field in target.fields:
        if field.is_uint:
            values.append(field.low)
        elif field.base == "enum":
            values.append(min(getattr(m, field.ref)))
        else:
            values.append({"bool": False, "bytes": bytes(field.bound), "str": "", "blob": b"", "list": ()}[field.base])
    return getattr(m, target.name)(*values)
