"""A stream of bytes under a passphrase: scrypt makes the key, AES-256-GCM seals pieces of 1 MiB, the last one marked as the last.

A piece that is changed, left out, put elsewhere or missing at the end is noticed before anything of it is used; the header is sealed with
each piece, so that nobody can weaken its parameters unseen. The construction is that of STREAM (Hoang, Reyhanitabar, Rogaway, Vizár 2015):
nonce = 7 random bytes, the piece's number, and 1 for the last. Not protected: how long it is, and when it was made.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Iterable, Iterator
from typing import IO, Any, Final

from itbpump.registry.errors import BackupError

__all__ = ["MAGIC", "SCRYPT", "sealed", "unsealed"]

MAGIC: Final = b"itbpump-sealed/1\n"
SCRYPT: Final = {"n": 2**17, "r": 8, "p": 1}
"""128 MiB and some 0.4 s for each guess: the interactive-to-file range that OWASP's Password Storage Cheat Sheet gives for scrypt [R]."""
_MOST = {"n": 2**20, "r": 16, "p": 4}
_PIECE: Final = 1 << 20
_TAG: Final = 16
_ACTION: Final = "take another copy of it, or the passphrase it was made with"


def sealed(
    content: Iterable[bytes], passphrase: str, entropy: Callable[[int], bytes], work: dict[str, int] | None = None
) -> Iterator[bytes]:
    """The sealed stream. `work`: scrypt's parameters; smaller ones are for tests."""
    parameters = dict(SCRYPT if work is None else work)
    salt, prefix = entropy(16), entropy(7)
    form = {"kdf": "scrypt", **parameters, "salt": salt.hex(), "cipher": "AES-256-GCM", "nonce": prefix.hex(), "piece": _PIECE}
    header = MAGIC + json.dumps(form, sort_keys=True).encode() + b"\n"
    cipher = _cipher(passphrase, salt, parameters)
    yield header
    number, held = 0, b""
    for part in content:
        held += part
        while len(held) > _PIECE:  # the last piece is never empty unless all is
            yield cipher.encrypt(_nonce(prefix, number, last=False), held[:_PIECE], header)
            number, held = number + 1, held[_PIECE:]
    yield cipher.encrypt(_nonce(prefix, number, last=True), held, header)


def unsealed(stream: IO[bytes], passphrase: str, place: str) -> Iterator[bytes]:
    """The content. `stream` stands at its beginning. Raises BackupError for another passphrase and for any change."""
    from cryptography.exceptions import InvalidTag  # noqa: PLC0415  (only where something is sealed)

    header, form = _header(stream, place)
    prefix = bytes.fromhex(form["nonce"])
    cipher = _cipher(passphrase, bytes.fromhex(form["salt"]), {name: form[name] for name in ("n", "r", "p")})
    number, piece = 0, stream.read(_PIECE + _TAG)
    while True:
        following = stream.read(_PIECE + _TAG)
        try:
            yield cipher.decrypt(_nonce(prefix, number, last=not following), piece, header)
        except (InvalidTag, ValueError):
            problem = "the passphrase is another one, or it was changed" if number == 0 else "it was changed or cut short"
            raise BackupError(place, problem, _ACTION) from None
        if not following:
            return
        number, piece = number + 1, following


def _header(stream: IO[bytes], place: str) -> tuple[bytes, dict[str, Any]]:
    magic, line = stream.read(len(MAGIC)), stream.readline(2_000)
    try:
        form = json.loads(line)
        fits = magic == MAGIC and form["kdf"] == "scrypt" and form["cipher"] == "AES-256-GCM" and form["piece"] == _PIECE
        fits = fits and len(bytes.fromhex(form["nonce"])) == 7 and len(bytes.fromhex(form["salt"])) == 16
        # A made-up header must not be able to take all memory.
        fits = fits and all(isinstance(form[name], int) and 1 <= form[name] <= most for name, most in _MOST.items())
        fits = fits and form["n"] > 1 and form["n"].bit_count() == 1
    except (ValueError, KeyError, TypeError):
        fits, form = False, {}
    if not fits:
        raise BackupError(place, "its header cannot be read", _ACTION)
    return magic + line, form


def _cipher(passphrase: str, salt: bytes, parameters: dict[str, int]) -> Any:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # noqa: PLC0415
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt  # noqa: PLC0415

    return AESGCM(Scrypt(salt=salt, length=32, **parameters).derive(passphrase.encode()))


def _nonce(prefix: bytes, number: int, *, last: bool) -> bytes:
    return prefix + struct.pack(">IB", number, last)
