"""Commands as they are staged: the bytes of a bolus order, fragments, the commit that belongs to them. Pure; every figure is an argument.

Who sends them, over which session and under which ids, is not here: `orders` (the companion's session), `speaking` (by hand).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from itbpump.wire.messages import FRAGMENT_BYTES, BolusKind, BolusOrder, CommandKind, Commit, Stage, encode_bolus_order

__all__ = ["bolus_payload", "commit_of", "digest_of", "fragments"]


def bolus_payload(counter: int, pulses: int = 4, seconds: int = 600, kind: BolusKind = BolusKind.SINGLE) -> bytes:
    """A bolus order from a state of the bolus counter, as it is staged."""
    return encode_bolus_order(BolusOrder(layout=1, kind=kind, from_counter=counter, to_counter=counter + pulses, duration_s=seconds))


def digest_of(payload: bytes) -> bytes:
    """As Commit tells it."""
    return hashlib.sha256(payload).digest()


def fragments(cmd_id: int, kind: CommandKind, base: int, payload: bytes) -> Iterator[Stage]:
    """The whole payload in its order, on revision `base`."""
    for offset in range(0, len(payload), FRAGMENT_BYTES):
        yield Stage(cmd_id, kind, base, len(payload), offset, payload[offset : offset + FRAGMENT_BYTES])


def commit_of(cmd_id: int, base: int, payload: bytes) -> Commit:
    """The commit of what was staged."""
    return Commit(cmd_id, digest_of(payload), base)
