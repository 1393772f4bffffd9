"""The generated codec: every message in range goes there and back; whatever is outside is refused on both sides, with its place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wire import messages as m
from itbpump.wire.errors import FieldEnumError, FieldRangeError, FieldTextError, FieldTypeError, LengthError, MessageError, UnknownMessage
from itbpump.wire.fields import Codec, Field
from itbpump.wire.messages.codec import FIELDS

TOP_LEVEL = [*m.MESSAGE_IDS, m.Configuration, m.BolusOrder]


def texts(bound: int) -> st.SearchStrategy[str]:
    return st.text(st.characters(exclude_categories=["Cs"]), max_size=bound).filter(lambda text: len(text.encode()) <= bound)


def value_of(field: Field) -> st.SearchStrategy[Any]:
    base, _, rest = field.type.partition(":")
    match base:
        case "bool":
            return st.booleans()
        case "enum":
            return st.sampled_from(getattr(m, rest))
        case "bytes":
            return st.binary(min_size=field.bound, max_size=field.bound)
        case "blob":
            return st.binary(max_size=field.bound)
        case "str":
            return texts(field.bound)
        case "struct":
            return message_of(getattr(m, rest))
        case "list":
            return st.lists(message_of(getattr(m, rest.partition(":")[0])), max_size=min(field.bound, 3)).map(tuple)
    return st.integers(field.low, field.high)


def message_of(kind: type) -> st.SearchStrategy[Any]:
    return st.builds(kind, *[value_of(field) for field in FIELDS[kind.__name__]])


def codec_of(kind: type) -> tuple[Callable[[Any], bytes], Callable[[bytes], Any]]:
    """Encoder and decoder of one kind; a reply answers record 7."""
    if kind is m.Configuration:
        return m.encode_configuration, m.decode_configuration
    if kind is m.BolusOrder:
        return m.encode_bolus_order, m.decode_bolus_order
    if kind in m.REPLY_TO:
        return m.encode_request, m.decode_request
    if m.MESSAGE_IDS[kind] in (192, 193):
        return m.encode_event, m.decode_event
    return lambda message: m.encode_reply(7, message), lambda raw: m.decode_reply(raw)[1]


@pytest.mark.parametrize("kind", TOP_LEVEL, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_every_message_in_range_goes_there_and_back(kind: type, data: st.DataObject) -> None:
    message = data.draw(message_of(kind))
    encode, decode = codec_of(kind)
    raw = encode(message)
    again = decode(raw)
    assert again == message
    assert encode(again) == raw
    assert [type(value) for value in msgspec.structs.astuple(again)] == [type(value) for value in msgspec.structs.astuple(message)]


DECODERS = [m.decode_request, m.decode_reply, m.decode_event, m.decode_configuration, m.decode_bolus_order]


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("decode", DECODERS, ids=lambda decode: decode.__name__)
@given(data=st.data())
def test_any_bytes_give_a_message_or_a_documented_error(decode: Callable[[bytes], Any], data: st.DataObject) -> None:
    first = data.draw(st.sampled_from(sorted(m.MESSAGE_IDS.values())))
    raw = data.draw(st.one_of(st.binary(max_size=300), st.binary(max_size=300).map(lambda tail: bytes([first]) + tail)))
    try:
        found = decode(raw)
    except MessageError:
        return
    again = m.encode_reply(*found) if isinstance(found, tuple) else codec_of(type(found))[0](found)
    assert again == raw, "two different byte strings mean the same message"


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("kind", TOP_LEVEL, ids=lambda kind: kind.__name__)
@given(data=st.data())
def test_any_single_byte_changed_gives_another_message_or_a_documented_error(kind: type, data: st.DataObject) -> None:
    encode, decode = codec_of(kind)
    raw = bytearray(encode(data.draw(message_of(kind))))
    at = data.draw(st.integers(0, len(raw) - 1))
    raw[at] ^= data.draw(st.integers(1, 255))
    try:
        found = decode(bytes(raw))
    except MessageError:
        return
    if m.MESSAGE_IDS.get(type(found), 0) < 128 or m.MESSAGE_IDS[type(found)] in (192, 193) or not 1 <= at <= 4:
        assert codec_of(type(found))[0](found) == bytes(raw)


NARROW = [(kind, field) for kind in TOP_LEVEL for field in FIELDS[kind.__name__] if field.type in ("u8", "u16", "u32", "u64")]


def lowest(kind: type) -> Any:
    """A message of smallest values."""

    def of(field: Field) -> Any:
        base, _, rest = field.type.partition(":")
        match base:
            case "bool":
                return False
            case "enum":
                return min(getattr(m, rest))
            case "bytes":
                return bytes(field.bound)
            case "blob":
                return b""
            case "str":
                return ""
            case "struct":
                return lowest(getattr(m, rest))
            case "list":
                return ()
        return field.low

    return kind(*[of(field) for field in FIELDS[kind.__name__]])


@pytest.mark.sr("SR-05")
@pytest.mark.parametrize(("kind", "field"), NARROW, ids=lambda x: x.name if isinstance(x, Field) else x.__name__)
def test_number_just_outside_its_range_is_not_encoded(kind: type, field: Field) -> None:
    encode, _ = codec_of(kind)
    number = 1 + [f.name for f in FIELDS[kind.__name__]].index(field.name)
    for value in (field.low - 1, field.high + 1):
        with pytest.raises(FieldRangeError) as caught:
            encode(msgspec.structs.replace(lowest(kind), **{field.name: value}))
        error = caught.value
        assert (error.message, error.field, error.value, error.field_number) == (kind.__name__, field.name, value, number)
        assert (error.min, error.max) == (field.low, field.high)
        assert field.name in str(error)
    for value in (field.low, field.high):
        assert encode(msgspec.structs.replace(lowest(kind), **{field.name: value}))


WRONG_TYPES: list[tuple[m.Request, type[MessageError]]] = [
    (m.Ping("5"), FieldTypeError),  # type: ignore[arg-type]
    (m.Ping(1.0), FieldTypeError),  # type: ignore[arg-type]
    (m.Commit(1, bytes(31), 0), LengthError),
    (m.Commit(1, "x" * 32, 0), FieldTypeError),  # type: ignore[arg-type]
    (m.TestAlarm(1, 1), FieldTypeError),  # type: ignore[arg-type]
    (m.TestAlarm(1, 9), FieldEnumError),  # type: ignore[arg-type]
    (m.Stage(1, m.CommandKind.BOLUS, 0, 1, 0, bytes(901)), LengthError),
    (m.Closed(), FieldTypeError),  # type: ignore[list-item]
]


@pytest.mark.parametrize(("message", "error"), WRONG_TYPES)
def test_values_of_a_wrong_type_are_not_encoded(message: m.Request, error: type[MessageError]) -> None:
    with pytest.raises(error) as caught:
        m.encode_request(message)
    assert type(caught.value) is error


def test_text_that_cannot_be_utf8_or_is_too_long_is_not_encoded() -> None:
    info = lowest(m.Info)
    with pytest.raises(FieldTextError, match="serial"):
        m.encode_reply(0, msgspec.structs.replace(info, serial="\ud800"))
    with pytest.raises(LengthError, match="serial"):
        m.encode_reply(0, msgspec.structs.replace(info, serial="é" * 9))


@pytest.mark.parametrize(("field", "value"), [("profile", 40), ("memory_id", 5), ("serial", b"P"), ("constants_hash", "0" * 32)])
def test_value_of_a_wholly_wrong_type_is_an_error_of_the_message(field: str, value: object) -> None:
    with pytest.raises(FieldTypeError, match="Info"):
        m.encode_reply(0, msgspec.structs.replace(lowest(m.Info), **{field: value}))


@pytest.mark.parametrize("value", [2, -1, "yes", None])
def test_bool_is_nothing_but_true_and_false(value: object) -> None:
    with pytest.raises((FieldEnumError, FieldTypeError), match="complete"):
        m.encode_reply(0, m.Staged(1, 1, value))  # type: ignore[arg-type]


def test_lists_and_nested_structures_are_checked() -> None:
    step = m.Step(0, m.StepKind.RATE, 1, 0)
    configuration = lowest(m.Configuration)
    too_many = msgspec.structs.replace(configuration, patterns=(m.Pattern(127, (step,)),) * 8)
    with pytest.raises(LengthError, match="patterns"):
        m.encode_configuration(too_many)
    late = msgspec.structs.replace(configuration, patterns=(m.Pattern(127, (msgspec.structs.replace(step, start_min=1440),)),))
    with pytest.raises(FieldRangeError, match=r"Step\.start_min") as caught:
        m.encode_configuration(late)
    assert caught.value.message == "Step"


@pytest.mark.parametrize("re", [-1, 1 << 32])
def test_reply_to_a_record_that_cannot_exist_is_not_encoded(re: int) -> None:
    for reply in (m.Closed(), m.Pong(1, 2), lowest(m.Info), lowest(m.Result)):
        with pytest.raises(FieldRangeError, match=r"\.re:"):
            m.encode_reply(re, reply)


STEP = m.Step(0, m.StepKind.RATE, 1, 0)
MISPLACED: list[tuple[Callable[[], bytes], str]] = [
    # (encoding, what the error names)
    (lambda: m.encode_reply(1.5, m.Pong(1, 2)), "Pong.re: 1.5"),  # type: ignore[arg-type]
    (lambda: m.encode_request(m.TestAlarm(1, m.Role.OBSERVER)), "TestAlarm.priority"),  # type: ignore[arg-type]
    (lambda: m.encode_request(m.Stage(1, m.CommandKind.BOLUS, 0, None, 0, b"")), "Stage.a field"),  # type: ignore[arg-type]
    (lambda: m.encode_bolus_order(None), "NoneType.a field"),  # type: ignore[arg-type]
    (lambda: m.encode_configuration(msgspec.structs.replace(lowest(m.Configuration), drug=5, mode=0)), "Configuration.drug: 5"),
    (lambda: with_pattern(m.Pattern(1.5, (STEP,))), "Pattern.days: 1.5"),  # type: ignore[arg-type]
    (lambda: with_pattern(m.Pattern(127, [STEP] * 49)), "Pattern.steps"),  # type: ignore[arg-type]
]


def with_pattern(pattern: m.Pattern) -> bytes:
    return m.encode_configuration(msgspec.structs.replace(lowest(m.Configuration), patterns=(pattern,)))


@pytest.mark.parametrize(("encoding", "named"), MISPLACED, ids=[row[1] for row in MISPLACED])
def test_a_value_that_only_looks_like_the_right_one_is_named_in_the_error(encoding: Callable[[], bytes], named: str) -> None:
    with pytest.raises(FieldTypeError) as caught:
        encoding()
    assert str(caught.value).startswith(named)


@pytest.mark.sr("SR-05")
def test_a_flow_beyond_its_32_bits_is_refused_and_not_cut() -> None:
    with pytest.raises(FieldRangeError, match=r"Step\.amount: 4294967296"):
        with_pattern(m.Pattern(127, (msgspec.structs.replace(STEP, amount=1 << 32),)))


def test_a_message_without_a_wrong_field_of_its_own_blames_what_is_nested() -> None:
    problem = Codec("Result", FIELDS["Result"]).explain(lowest(m.Result))
    assert isinstance(problem, FieldTypeError)
    assert problem.field == "a nested value"


def test_unknown_id_is_told() -> None:
    with pytest.raises(UnknownMessage) as caught:
        m.decode_request(b"\x63")
    assert caught.value.id == 0x63


def test_messages_are_frozen_and_hashable() -> None:
    ping = m.Ping(1)
    with pytest.raises(AttributeError, match="immutable"):
        ping.nonce = 2  # type: ignore[misc]
    assert len({ping, m.Ping(1), m.Ping(2)}) == 2


def test_tables_agree_with_each_other() -> None:
    requests = {kind for kind, number in m.MESSAGE_IDS.items() if number < 128}
    assert set(m.ROLES) == set(m.REPLY_TO) == requests
    assert set(m.ERROR_TEXTS) == set(m.ErrorCode)
    assert set(m.LIMIT_TEXTS) == set(m.LimitCode)
    assert all(text and action for text, action in m.ERROR_TEXTS.values())


@pytest.mark.sr("SR-64")
def test_emergency_may_only_ask_stop_and_reduce() -> None:
    allowed = {kind.__name__ for kind, roles in m.ROLES.items() if m.Role.EMERGENCY in roles}
    assert allowed == {
        "GetInfo", "GetStatus", "QueryCommand", "Ping", "Close", "StopTherapy", "StopBolus", "MinimumRate", "ConfirmResult",
    }  # fmt: skip


@pytest.mark.sr("SR-62")
def test_observer_may_change_nothing() -> None:
    changing = {kind for kind in m.ROLES if any(field.name == "cmd_id" for field in FIELDS[kind.__name__])} - {m.QueryCommand}
    assert changing
    assert not [kind for kind in changing if m.Role.OBSERVER in m.ROLES[kind]]


def test_message_of_another_direction_or_a_broken_list_is_not_encoded() -> None:
    with pytest.raises(FieldTypeError, match="Reply"):
        m.encode_reply(0, m.Ping(1))  # type: ignore[arg-type]
    with pytest.raises(FieldTypeError, match="Event"):
        m.encode_event(m.Ping(1))  # type: ignore[arg-type]
    with pytest.raises(FieldTypeError, match="LogPage"):
        m.encode_reply(0, m.LogPage(0, (None,)))  # type: ignore[arg-type]
    with pytest.raises(FieldTypeError, match="LogEvent"):
        m.encode_event(m.LogEvent(None, m.LogKind.BOOT))  # type: ignore[arg-type]
    with pytest.raises(FieldTypeError, match="None has the wrong type"):
        m.encode_configuration(None)  # type: ignore[arg-type]
