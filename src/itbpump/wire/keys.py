"""Handshake contents, transcript hash and key schedule of itbp1. Pure functions; randomness comes in as an argument.

    H1 = version u8 ‖ suite u8 ‖ programmer id[8] ‖ Np[16]
    H2 = version u8 ‖ suite u8 ‖ pump id[8] ‖ Nd[16] ‖ boot epoch u32
    th = SHA-256("itbp1" ‖ u16 len(H1) ‖ H1 ‖ u16 len(H2) ‖ H2)
    OKM = HKDF-SHA256(ikm = PSK, salt = Np ‖ Nd, info = "itbp1 session\\0" ‖ th, 80 bytes)
    confirm = HMAC-SHA256(k_conf, "P" or "D" ‖ th), first 16 bytes; the programmer sends its id before it

HKDF: RFC 5869. Version and suite are inside th, so that an attacker cannot talk the ends down without breaking the confirmation.
Suite 1 has no forward secrecy: who learns a PSK can read recorded sessions.
"""

from __future__ import annotations

import hashlib
import hmac
import struct
from typing import Any, Literal, NamedTuple

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from itbpump.wire.errors import FieldEnumError, FieldRangeError, LengthError
from itbpump.wire.messages.constants import PROTOCOL_NAME
from itbpump.wire.messages.types import RefuseReason

PSK_BYTES = 32
NONCE_BYTES = 16
ID_BYTES = 8
CONFIRM_BYTES = 16
_OKM_BYTES = 80

_H1 = struct.Struct(">BB8s16s")
_H2 = struct.Struct(">BB8s16sI")
_BUSY = struct.Struct(">H")
_REFUSE = struct.Struct(">BBBH")
_REASONS = {int(member): member for member in RefuseReason}


class Hello(NamedTuple):
    """H1, the programmer's opening."""

    version: int
    suite: int
    programmer_id: bytes
    np: bytes


class HelloReply(NamedTuple):
    """H2, the pump's answer. `boot_epoch` counts the pump's boots."""

    version: int
    suite: int
    pump_id: bytes
    nd: bytes
    boot_epoch: int


class Refusal(NamedTuple):
    """Why a pump refuses a handshake, in clear and so not to be trusted for more than a hint. `wait_s` is 0 unless it backs off."""

    reason: RefuseReason
    version_min: int
    version_max: int
    wait_s: int


class SessionKeys(NamedTuple):
    """Keys of one session; p2d is programmer to pump, d2p pump to programmer."""

    k_p2d: bytes
    k_d2p: bytes
    iv_p: bytes
    iv_d: bytes
    k_conf: bytes

    def __repr__(self) -> str:
        return "SessionKeys(…)"  # keys never reach a log


def encode_h1(version: int, suite: int, programmer_id: bytes, np: bytes) -> bytes:
    """26 bytes. Raises LengthError or FieldRangeError."""
    _exact("hello", "programmer_id", programmer_id, ID_BYTES)
    _exact("hello", "np", np, NONCE_BYTES)
    _within("hello", "version", version, 255)
    _within("hello", "suite", suite, 255)
    return _H1.pack(version, suite, programmer_id, np)


def decode_h1(content: bytes) -> Hello:
    """Raises LengthError."""
    version, suite, programmer_id, np = _unpack("hello", _H1, content)
    return Hello(version, suite, programmer_id, np)


def encode_h2(version: int, suite: int, pump_id: bytes, nd: bytes, boot_epoch: int) -> bytes:
    """30 bytes. Raises LengthError or FieldRangeError."""
    _exact("hello_reply", "pump_id", pump_id, ID_BYTES)
    _exact("hello_reply", "nd", nd, NONCE_BYTES)
    _within("hello_reply", "version", version, 255)
    _within("hello_reply", "suite", suite, 255)
    _within("hello_reply", "boot_epoch", boot_epoch, 0xFFFFFFFF)
    return _H2.pack(version, suite, pump_id, nd, boot_epoch)


def decode_h2(content: bytes) -> HelloReply:
    """Raises LengthError."""
    version, suite, pump_id, nd, boot_epoch = _unpack("hello_reply", _H2, content)
    return HelloReply(version, suite, pump_id, nd, boot_epoch)


def encode_busy(retry_after_s: int) -> bytes:
    """Another session is open. Raises FieldRangeError."""
    _within("busy", "retry_after_s", retry_after_s, 0xFFFF)
    return _BUSY.pack(retry_after_s)


def decode_busy(content: bytes) -> int:
    """Seconds after which to try again. Raises LengthError."""
    retry_after_s: int = _unpack("busy", _BUSY, content)[0]
    return retry_after_s


def encode_refuse(reason: RefuseReason, version_min: int, version_max: int, wait_s: int = 0) -> bytes:
    """Raises FieldRangeError."""
    if reason not in _REASONS:
        raise FieldEnumError("refuse", "reason", reason, min(_REASONS), max(_REASONS), 1)
    _within("refuse", "version_min", version_min, 255)
    _within("refuse", "version_max", version_max, 255)
    _within("refuse", "wait_s", wait_s, 0xFFFF)
    return _REFUSE.pack(reason, version_min, version_max, wait_s)


def decode_refuse(content: bytes) -> Refusal:
    """Raises LengthError, or FieldEnumError for an unknown reason."""
    reason, version_min, version_max, wait_s = _unpack("refuse", _REFUSE, content)
    if reason not in _REASONS:
        raise FieldEnumError("refuse", "reason", reason, min(_REASONS), max(_REASONS), 1)
    return Refusal(_REASONS[reason], version_min, version_max, wait_s)


def encode_confirm_programmer(programmer_id: bytes, mac: bytes) -> bytes:
    """24 bytes: the id tells the pump whose handshake is meant. Raises LengthError."""
    _exact("confirm_programmer", "programmer_id", programmer_id, ID_BYTES)
    _exact("confirm_programmer", "mac", mac, CONFIRM_BYTES)
    return programmer_id + mac


def decode_confirm_programmer(content: bytes) -> tuple[bytes, bytes]:
    """Programmer id and MAC. Raises LengthError."""
    _exact("confirm_programmer", "content", content, ID_BYTES + CONFIRM_BYTES)
    return content[:ID_BYTES], content[ID_BYTES:]


def decode_confirm_pump(content: bytes) -> bytes:
    """MAC of a confirm_pump record. Raises LengthError."""
    _exact("confirm_pump", "mac", content, CONFIRM_BYTES)
    return content


def transcript_hash(h1: bytes, h2: bytes) -> bytes:
    """SHA-256 over the name of the protocol and both hellos, each behind its length; 32 bytes."""
    name = PROTOCOL_NAME.encode("ascii")
    return hashlib.sha256(name + len(h1).to_bytes(2, "big") + h1 + len(h2).to_bytes(2, "big") + h2).digest()


def derive(psk: bytes, np: bytes, nd: bytes, th: bytes) -> SessionKeys:
    """Keys of a session from the pairing key (32 bytes), both nonces (16) and the transcript hash (32). Raises LengthError."""
    _exact("key schedule", "psk", psk, PSK_BYTES)
    _exact("key schedule", "np", np, NONCE_BYTES)
    _exact("key schedule", "nd", nd, NONCE_BYTES)
    _exact("key schedule", "th", th, hashlib.sha256().digest_size)
    info = PROTOCOL_NAME.encode("ascii") + b" session\x00" + th
    okm = HKDF(algorithm=SHA256(), length=_OKM_BYTES, salt=np + nd, info=info).derive(psk)
    return SessionKeys(okm[:16], okm[16:32], okm[32:40], okm[40:48], okm[48:80])


def confirm(k_conf: bytes, side: Literal[b"P", b"D"], th: bytes) -> bytes:
    """MAC by which the programmer (P) or the pump (D) proves that it has the keys; 16 bytes."""
    return hmac.digest(k_conf, side + th, "sha256")[:CONFIRM_BYTES]


def confirm_holds(k_conf: bytes, side: Literal[b"P", b"D"], th: bytes, mac: bytes) -> bool:
    """True when `mac` is the one of `side`; takes the same time whether it is or not."""
    return hmac.compare_digest(confirm(k_conf, side, th), mac)


def _unpack(message: str, layout: struct.Struct, content: bytes) -> tuple[Any, ...]:
    try:
        return layout.unpack(content)
    except struct.error:
        raise LengthError(message, len(content), f"{layout.size} bytes") from None


def _exact(message: str, field: str, value: bytes, length: int) -> None:
    if len(value) != length:
        raise LengthError(message, len(value), f"exactly {length}", field)


def _within(message: str, field: str, value: int, high: int) -> None:
    if not 0 <= value <= high:
        raise FieldRangeError(message, field, value, 0, high)
