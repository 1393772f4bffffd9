"""Sealed and clear records: what was sealed opens, what was touched does not, sizes and counters are capped."""

from __future__ import annotations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from itbpump.wire.errors import CounterError, HeaderError, RecordError, TagError
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import RecordType
from itbpump.wire.record import (
    LARGEST_COUNTER,
    MAX_CLEAR_BYTES,
    MAX_PLAINTEXT_BYTES,
    Sealer,
    clear_body,
    clear_content,
    open_sealed,
    parse_header,
    seal,
)

KEY, IV = bytes(range(16)), bytes(range(8))
SEALER = Sealer(KEY, IV)
SEALED = st.sampled_from([RecordType.COMMAND, RecordType.EVENT])
CLEAR = st.sampled_from([t for t in RecordType if t < RecordType.COMMAND])
COUNTERS = st.integers(0, LARGEST_COUNTER)


@given(SEALED, COUNTERS, st.binary(max_size=MAX_PLAINTEXT_BYTES))
def test_what_is_sealed_opens_and_fits_a_frame(rtype: RecordType, counter: int, plaintext: bytes) -> None:
    body = SEALER.seal(rtype, counter, plaintext)
    assert Sealer(KEY, IV).open(body) == (rtype, counter, plaintext)
    assert parse_header(body) == (1, rtype, counter, len(plaintext))
    assert encode_frame(body)


@pytest.mark.sr("SR-62")
@given(SEALED, COUNTERS, st.binary(max_size=40), st.data())
def test_any_single_bit_changed_is_refused(rtype: RecordType, counter: int, plaintext: bytes, data: st.DataObject) -> None:
    body = SEALER.seal(rtype, counter, plaintext)
    bit = data.draw(st.integers(0, len(body) * 8 - 1))
    touched = bytearray(body)
    touched[bit // 8] ^= 1 << bit % 8
    with pytest.raises((TagError, HeaderError)):
        SEALER.open(bytes(touched))


@pytest.mark.sr("SR-62")
@given(st.binary(max_size=1100))
def test_any_bytes_give_a_record_error(body: bytes) -> None:
    with pytest.raises(RecordError):
        SEALER.open(body)


@pytest.mark.sr("SR-62")
@given(st.binary(min_size=16, max_size=16), st.binary(min_size=8, max_size=8))
def test_another_key_or_iv_does_not_open(key: bytes, iv: bytes) -> None:
    assume((key, iv) != (KEY, IV))
    with pytest.raises(TagError):
        open_sealed(key, iv, SEALER.seal(RecordType.COMMAND, 3, b"stop"))


@pytest.mark.sr("SR-62")
def test_a_command_cannot_be_passed_off_as_an_event_with_the_same_counter() -> None:
    command = SEALER.seal(RecordType.COMMAND, 5, b"same")
    event = SEALER.seal(RecordType.EVENT, 5, b"same")
    assert command[8:] != event[8:]
    with pytest.raises(TagError):
        SEALER.open(command[:1] + bytes([RecordType.EVENT]) + command[2:])


@given(CLEAR, COUNTERS, st.binary(max_size=MAX_CLEAR_BYTES))
def test_clear_record_gives_its_content_back(rtype: RecordType, counter: int, content: bytes) -> None:
    body = clear_body(rtype, content, counter)
    header = parse_header(body)
    assert (header.rtype, header.counter, header.sealed) == (rtype, counter, False)
    assert clear_content(body) == content


@pytest.mark.sr("SR-62")
def test_clear_record_of_another_version_is_readable_a_sealed_one_does_not_open() -> None:
    assert parse_header(clear_body(RecordType.HELLO, b"x", version=9)).version == 9
    with pytest.raises(HeaderError, match="version 1; this session speaks 9"):
        Sealer(KEY, IV, version=9).open(SEALER.seal(RecordType.COMMAND, 0, b"x"))
    assert Sealer(KEY, IV, 9).open(Sealer(KEY, IV, 9).seal(RecordType.COMMAND, 0, b"x")).plaintext == b"x"


@pytest.mark.parametrize("counter", [-1, LARGEST_COUNTER + 1, 1 << 32])
def test_counter_outside_its_space_is_not_sealed(counter: int) -> None:
    with pytest.raises(CounterError, match="new handshake") as caught:
        SEALER.seal(RecordType.COMMAND, counter, b"")
    assert caught.value.counter == counter


def test_too_much_content_never_reaches_the_cipher() -> None:
    with pytest.raises(HeaderError, match="997"):
        SEALER.seal(RecordType.COMMAND, 0, bytes(MAX_PLAINTEXT_BYTES + 1))
    with pytest.raises(HeaderError, match="1013"):
        clear_body(RecordType.HELLO, bytes(MAX_CLEAR_BYTES + 1))


def test_clear_and_sealed_types_are_not_mixed_up() -> None:
    with pytest.raises(HeaderError, match="not a sealed"):
        SEALER.seal(RecordType.HELLO, 0, b"")
    with pytest.raises(HeaderError, match="not a clear"):
        clear_body(RecordType.COMMAND, b"")
    with pytest.raises(HeaderError, match="not a sealed"):
        SEALER.open(clear_body(RecordType.CONFIRM_PUMP, bytes(16)))


@pytest.mark.parametrize(("key", "iv"), [(bytes(15), bytes(8)), (bytes(32), bytes(8)), (bytes(16), bytes(7))])
def test_key_of_another_length_is_refused(key: bytes, iv: bytes) -> None:
    with pytest.raises(ValueError, match="16 and iv of 8"):
        Sealer(key, iv)


def test_function_and_class_seal_alike() -> None:
    assert seal(KEY, IV, RecordType.EVENT, 9, b"x") == SEALER.seal(RecordType.EVENT, 9, b"x")
