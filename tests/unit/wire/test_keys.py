"""Handshake contents and key schedule: everything that was said is inside the keys."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.wire import keys
from itbpump.wire.errors import FieldEnumError, FieldRangeError, LengthError
from itbpump.wire.messages import RefuseReason
from protocols import reference_codec

U8 = st.integers(0, 255)
ID, NONCE, PSK = (st.binary(min_size=n, max_size=n) for n in (8, 16, 32))


@given(U8, U8, ID, NONCE)
def test_hello_round_trip(version: int, suite: int, programmer_id: bytes, np: bytes) -> None:
    assert keys.decode_h1(keys.encode_h1(version, suite, programmer_id, np)) == (version, suite, programmer_id, np)


@given(U8, U8, ID, NONCE, st.integers(0, 0xFFFFFFFF))
def test_hello_reply_round_trip(version: int, suite: int, pump_id: bytes, nd: bytes, epoch: int) -> None:
    assert keys.decode_h2(keys.encode_h2(version, suite, pump_id, nd, epoch)) == (version, suite, pump_id, nd, epoch)


@given(st.sampled_from(RefuseReason), U8, U8, st.integers(0, 65535))
def test_refuse_and_busy_round_trip(reason: RefuseReason, low: int, high: int, wait_s: int) -> None:
    assert keys.decode_refuse(keys.encode_refuse(reason, low, high, wait_s)) == (reason, low, high, wait_s)
    assert keys.decode_busy(keys.encode_busy(wait_s)) == wait_s


@given(PSK, NONCE, NONCE, st.binary(min_size=32, max_size=32))
def test_key_schedule_equals_the_reference(psk: bytes, np: bytes, nd: bytes, th: bytes) -> None:
    session = keys.derive(psk, np, nd, th)
    assert b"".join(session) == reference_codec.hkdf(psk, np + nd, b"itbp1 session\x00" + th, 80)
    assert [len(part) for part in session] == [16, 16, 8, 8, 32]


@pytest.mark.sr("SR-62")
@given(st.integers(0, 26 + 30 - 1), st.integers(0, 7))
def test_any_bit_of_either_hello_changes_hash_keys_and_confirmations(byte: int, bit: int) -> None:
    """So neither version nor suite can be talked down by someone in between."""
    both = keys.encode_h1(1, 1, b"PROGID01", b"\xa0" * 16) + keys.encode_h2(1, 1, b"PUMPID01", b"\xb0" * 16, 7)
    touched = bytearray(both)
    touched[byte] ^= 1 << bit
    hashes = [keys.transcript_hash(bytes(raw[:26]), bytes(raw[26:])) for raw in (both, touched)]
    assert hashes[0] != hashes[1]
    first, second = (keys.derive(bytes(32), b"\xa0" * 16, b"\xb0" * 16, th) for th in hashes)
    assert all(a != b for a, b in zip(first, second, strict=True))
    assert not keys.confirm_holds(second.k_conf, b"P", hashes[1], keys.confirm(first.k_conf, b"P", hashes[0]))


def test_boundary_between_the_hellos_is_part_of_the_hash() -> None:
    assert keys.transcript_hash(b"ab", b"c") != keys.transcript_hash(b"a", b"bc")


@pytest.mark.sr("SR-62")
def test_confirmation_of_one_side_cannot_be_reflected_as_that_of_the_other() -> None:
    k_conf, th = bytes(range(32)), bytes(32)
    assert keys.confirm_holds(k_conf, b"P", th, keys.confirm(k_conf, b"P", th))
    assert not keys.confirm_holds(k_conf, b"D", th, keys.confirm(k_conf, b"P", th))
    assert not keys.confirm_holds(k_conf, b"P", th, b"")


@pytest.mark.sr("SR-63")
def test_keys_never_show_in_a_log() -> None:
    session = keys.derive(bytes(32), bytes(16), bytes(16), bytes(32))
    assert session.k_p2d.hex() not in repr(session)
    assert repr(session) == "SessionKeys(…)"


def test_contents_of_another_length_are_refused() -> None:
    for wrong in (bytes(31), bytes(33)):
        with pytest.raises(LengthError, match="psk"):
            keys.derive(wrong, bytes(16), bytes(16), bytes(32))
    with pytest.raises(LengthError, match="programmer_id"):
        keys.encode_h1(1, 1, b"short", bytes(16))
    with pytest.raises(LengthError, match="nd"):
        keys.encode_h2(1, 1, bytes(8), bytes(15), 0)
    with pytest.raises(LengthError, match="mac"):
        keys.decode_confirm_pump(bytes(17))
    assert keys.decode_confirm_pump(bytes(16)) == bytes(16)
    with pytest.raises(LengthError, match="mac"):
        keys.encode_confirm_programmer(bytes(8), bytes(15))


@given(ID, NONCE)
def test_confirmation_of_a_programmer_round_trip(programmer_id: bytes, mac: bytes) -> None:
    assert keys.decode_confirm_programmer(keys.encode_confirm_programmer(programmer_id, mac)) == (programmer_id, mac)


def test_numbers_outside_their_range_are_refused() -> None:
    with pytest.raises(FieldRangeError) as caught:
        keys.encode_h2(1, 1, bytes(8), bytes(16), 1 << 32)
    assert (caught.value.field, caught.value.value, caught.value.max) == ("boot_epoch", 1 << 32, 0xFFFFFFFF)
    with pytest.raises(FieldRangeError, match="retry_after_s"):
        keys.encode_busy(65536)
    with pytest.raises(FieldEnumError, match="reason"):
        keys.encode_refuse(99, 1, 1)  # type: ignore[arg-type]  # what a caller without types could do
