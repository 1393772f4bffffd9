"""Records: a clear header, then a clear content (handshake) or a content sealed with AES-128-CCM.

    header = version u8 ‖ type u8 ‖ counter u32 ‖ length u16        big-endian; length counts the content without the tag
    sealed = header ‖ AES-CCM(key, nonce, content, associated data = header)     tag of 16 bytes behind the ciphertext
    nonce  = iv[8] ‖ stream u8 ‖ counter u32,   stream = low nibble of the type

Types below 16 travel in clear, types from 16 on sealed. RFC 3610, NIST SP 800-38C. Knows no session: whether a counter is fresh is
decided by the caller, after the tag has held. Not modelled: side channels.
"""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESCCM

from itbpump.wire.errors import CounterError, HeaderError, TagError
from itbpump.wire.frame import MAX_BODY_BYTES
from itbpump.wire.messages.constants import HEADER_BYTES, MAX_COUNTER, PROTOCOL_VERSION, TAG_BYTES
from itbpump.wire.messages.types import RecordType

__all__ = [
    "FIRST_SEALED_TYPE",
    "IV_BYTES",
    "KEY_BYTES",
    "LARGEST_COUNTER",
    "MAX_CLEAR_BYTES",
    "MAX_PLAINTEXT_BYTES",
    "Header",
    "Record",
    "RecordType",
    "Sealer",
    "clear_body",
    "clear_content",
    "open_sealed",
    "parse_header",
    "seal",
]

KEY_BYTES = 16
IV_BYTES = 8
MAX_PLAINTEXT_BYTES = MAX_BODY_BYTES - HEADER_BYTES - TAG_BYTES
MAX_CLEAR_BYTES = MAX_BODY_BYTES - HEADER_BYTES
FIRST_SEALED_TYPE = 16
LARGEST_COUNTER = MAX_COUNTER - 1

_HEADER = Struct(">BBIH")
_NONCE = Struct(">8sBI")
_TYPES = {int(member): member for member in RecordType}


class Header(NamedTuple):
    """Clear header of a record. `version` is not yet judged: a hello of another major must be readable."""

    version: int
    rtype: RecordType
    counter: int
    length: int

    @property
    def sealed(self) -> bool:
        """True when the content is encrypted."""
        return self.rtype >= FIRST_SEALED_TYPE


class Record(NamedTuple):
    """A record whose tag held."""

    rtype: RecordType
    counter: int
    plaintext: bytes


def parse_header(body: bytes) -> Header:
    """Header of a body, with type, counter and lengths checked. Raises HeaderError.

    Any version is let through, so that versions can be negotiated; `Sealer.open` takes only the one of its session.
    """
    if len(body) < HEADER_BYTES:
        raise HeaderError(f"a record has at least {HEADER_BYTES} bytes, not {len(body)}")
    version, number, counter, length = _HEADER.unpack_from(body)
    rtype = _TYPES.get(number)
    if rtype is None:
        raise HeaderError(f"no record type {number}")
    sealed = number >= FIRST_SEALED_TYPE
    expected = HEADER_BYTES + length + (TAG_BYTES if sealed else 0)
    if len(body) != expected or expected > MAX_BODY_BYTES:
        raise HeaderError(f"the header tells of {expected} bytes, the record has {len(body)}")
    if counter > LARGEST_COUNTER:
        raise HeaderError(f"counter {counter} is above {LARGEST_COUNTER}")
    return Header(version, rtype, counter, length)


def clear_body(rtype: RecordType, content: bytes, counter: int = 0, version: int = PROTOCOL_VERSION) -> bytes:
    """Body of a clear record. Raises HeaderError for a sealed type or a content over 1,012 bytes."""
    if rtype >= FIRST_SEALED_TYPE or rtype not in _TYPES:
        raise HeaderError(f"record type {int(rtype)} is not a clear one")
    if len(content) > MAX_CLEAR_BYTES:
        raise HeaderError(f"a clear content has at most {MAX_CLEAR_BYTES} bytes, not {len(content)}")
    return _HEADER.pack(version, rtype, counter, len(content)) + content


def clear_content(body: bytes) -> bytes:
    """Content of a clear record whose header has been parsed."""
    return body[HEADER_BYTES:]


class Sealer:
    """Seals and opens the records of one direction. Holds no counter: the session owns it and never repeats one under a key."""

    __slots__ = ("_ccm", "_iv", "_version")

    def __init__(self, key: bytes, iv: bytes, version: int = PROTOCOL_VERSION) -> None:
        """`key` 16 bytes, `iv` 8 bytes, from `keys.derive`; `version` as negotiated. Raises ValueError for other lengths."""
        if len(key) != KEY_BYTES or len(iv) != IV_BYTES:
            raise ValueError(f"key of {KEY_BYTES} and iv of {IV_BYTES} bytes needed, not {len(key)} and {len(iv)}")
        self._ccm = AESCCM(key, TAG_BYTES)
        self._iv = iv
        self._version = version

    def seal(self, rtype: RecordType, counter: int, plaintext: bytes) -> bytes:
        """Body of a sealed record. Raises CounterError at 2^24, HeaderError for a clear type or over 996 bytes."""
        if not 0 <= counter <= LARGEST_COUNTER:
            raise CounterError(counter, LARGEST_COUNTER)
        if rtype < FIRST_SEALED_TYPE or rtype not in _TYPES:
            raise HeaderError(f"record type {int(rtype)} is not a sealed one")
        if len(plaintext) > MAX_PLAINTEXT_BYTES:
            raise HeaderError(f"a sealed content has at most {MAX_PLAINTEXT_BYTES} bytes, not {len(plaintext)}")
        header = _HEADER.pack(self._version, rtype, counter, len(plaintext))
        return header + self._ccm.encrypt(_NONCE.pack(self._iv, rtype & 0x0F, counter), plaintext, header)

    def open(self, body: bytes) -> Record:
        """Content of a sealed record. Raises HeaderError, or TagError when the tag does not hold."""
        header = parse_header(body)
        if not header.sealed:
            raise HeaderError(f"record type {int(header.rtype)} is not a sealed one")
        if header.version != self._version:
            raise HeaderError(f"sealed record of version {header.version}; this session speaks {self._version}")
        nonce = _NONCE.pack(self._iv, header.rtype & 0x0F, header.counter)
        try:
            plaintext = self._ccm.decrypt(nonce, body[HEADER_BYTES:], body[:HEADER_BYTES])
        except InvalidTag:
            raise TagError(f"the tag of record {header.counter} does not hold: noise, another key, or an attack") from None
        return Record(header.rtype, header.counter, plaintext)


def seal(key: bytes, iv: bytes, rtype: RecordType, counter: int, plaintext: bytes) -> bytes:
    """One record; `Sealer` is faster for many. Raises as `Sealer.seal`."""
    return Sealer(key, iv).seal(rtype, counter, plaintext)


def open_sealed(key: bytes, iv: bytes, body: bytes) -> Record:
    """One record; `Sealer` is faster for many. Raises as `Sealer.open`."""
    return Sealer(key, iv).open(body)
