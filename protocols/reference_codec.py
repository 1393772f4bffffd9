"""A second, slow encoder of itbp1 that reads the model and nothing else, so that the vectors do not come from the code they test.

Values are as in the vectors: numbers, u64 as decimal text (JSON numbers lose digits above 2^53), bytes as hex, enums by name.
"""

from __future__ import annotations

import hashlib
import hmac
import zlib
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from protocols.spec_model import UINT_BYTES, Field, Layout, Spec

FULL_GROUP = 254


def encode_fields(spec: Spec, layout: Layout, values: dict[str, Any]) -> bytes:
    """Bytes of the fields of a message or structure, without id and `re`."""
    return b"".join(_encode_field(spec, f, values[f.name]) for f in layout.fields)


def _encode_field(spec: Spec, f: Field, value: Any) -> bytes:
    if f.is_uint:
        return int(value).to_bytes(UINT_BYTES[f.base], "big")
    if f.base == "bool":
        return b"\x01" if value else b"\x00"
    if f.base == "enum":
        return bytes([spec.enums[f.ref].members[value]])
    if f.base == "str":
        text = str(value).encode("utf-8")
        return bytes([len(text)]) + text
    if f.base in ("bytes", "blob"):
        raw = bytes.fromhex(value)
        return raw if f.base == "bytes" else len(raw).to_bytes(2, "big") + raw
    target = spec.structs[f.ref]
    if f.base == "list":
        return bytes([len(value)]) + b"".join(encode_fields(spec, target, item) for item in value)
    return encode_fields(spec, target, value)


def encode_message(spec: Spec, message: Layout, values: dict[str, Any], re: int) -> bytes:
    """Whole bytes of a message; `re` counts for replies only."""
    head = bytes([message.id]) + (re.to_bytes(4, "big") if message.kind == "reply" else b"")
    return head + encode_fields(spec, message, values)


def cobs(data: bytes) -> bytes:
    """Consistent overhead byte stuffing (Cheshire and Baker 1999), byte by byte."""
    out = bytearray()
    runs = data.split(b"\x00")
    for i, run in enumerate(runs):
        rest, last = run, i == len(runs) - 1
        while len(rest) >= FULL_GROUP:
            out += b"\xff" + rest[:FULL_GROUP]
            rest = rest[FULL_GROUP:]
        # A full group has no zero behind it, so that nothing more is owed at the very end.
        if rest or not (last and run):
            out += bytes([len(rest) + 1]) + rest
    return bytes(out)


def frame(body: bytes) -> bytes:
    """Delimiter, stuffed body and CRC, delimiter."""
    return b"\x00" + cobs(body + zlib.crc32(body).to_bytes(4, "big")) + b"\x00"


def header(rtype: int, counter: int, length: int, version: int = 1) -> bytes:
    """Clear header of a record."""
    return bytes([version, rtype]) + counter.to_bytes(4, "big") + length.to_bytes(2, "big")


def seal(key: bytes, iv: bytes, rtype: int, counter: int, content: bytes, version: int = 1) -> bytes:
    """Body of a sealed record."""
    clear = header(rtype, counter, len(content), version)
    nonce = iv + bytes([rtype & 0x0F]) + counter.to_bytes(4, "big")
    return clear + AESCCM(key, 16).encrypt(nonce, content, clear)


def hkdf(psk: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """HKDF-SHA256 (RFC 5869), written out."""
    prk = hmac.digest(salt, psk, "sha256")
    out, block = b"", b""
    while len(out) < length:
        block = hmac.digest(prk, block + info + bytes([len(out) // 32 + 1]), "sha256")
        out += block
    return out[:length]


def transcript(h1: bytes, h2: bytes) -> bytes:
    """Hash over both hellos."""
    return hashlib.sha256(b"itbp1" + len(h1).to_bytes(2, "big") + h1 + len(h2).to_bytes(2, "big") + h2).digest()
