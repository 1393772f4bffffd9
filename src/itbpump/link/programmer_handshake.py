"""The programmer's half of the handshake's keys: its hello, the answers to it, and the confirmation that fits one of them.

H2 does not echo the hello, so an answer that was meant for an earlier hello looks like one's own until a confirmation fails. Every
answer is therefore tried, up to a bound, and the pump's confirmation tells which one was meant. Not here: time-outs, the session.
"""

from __future__ import annotations

from collections.abc import Callable

from itbpump.wire import keys
from itbpump.wire.errors import WireError
from itbpump.wire.messages import SUITE

__all__ = ["ProgrammerHandshake"]

_ANSWERS_KEPT = 4


class ProgrammerHandshake:
    """One hello of `programmer_id` (8 bytes) in `version`, with a fresh nonce from `entropy`."""

    def __init__(self, programmer_id: bytes, version: int, entropy: Callable[[int], bytes]) -> None:
        self.version = version
        self.hello = keys.encode_h1(version, SUITE, programmer_id, nonce := entropy(16))
        self.answer: keys.HelloReply | None = None
        self._programmer_id = programmer_id
        self._nonce = nonce
        self._tried: dict[bytes, tuple[keys.SessionKeys, bytes]] = {}
        self._sent = 0
        self._refused = 0

    def fits(self, content: bytes) -> keys.HelloReply | None:
        """The answer in a hello_reply record; None if it is malformed, of another version or suite, known, or one too many."""
        try:
            answer = keys.decode_h2(content)
        except WireError:
            return None
        wanted = (answer.version, answer.suite) == (self.version, SUITE)
        return answer if wanted and content not in self._tried and len(self._tried) < _ANSWERS_KEPT else None

    def confirmation(self, content: bytes, answer: keys.HelloReply, key: bytes) -> bytes:
        """Content of the confirmation for this answer, under the pairing key of the pump that gave it."""
        transcript = keys.transcript_hash(self.hello, content)
        made = keys.derive(key, self._nonce, answer.nd, transcript)
        self.answer = answer
        self._tried[content] = (made, transcript)
        self._sent += 1
        return keys.encode_confirm_programmer(self._programmer_id, keys.confirm(made.k_conf, b"P", transcript))

    def confirmed(self, mac: bytes) -> keys.SessionKeys | None:
        """The session's keys, if this is the pump's confirmation for one of the answers tried."""
        for made, transcript in self._tried.values():
            if keys.confirm_holds(made.k_conf, b"D", transcript, mac):
                return made
        return None

    def resent(self) -> None:
        """Every confirmation so far is sent again."""
        self._sent += len(self._tried)

    def key_refused(self) -> bool:
        """The pump refused the key of one confirmation; whether none is under way that it may still accept."""
        self._refused += 1
        return self._refused >= self._sent
