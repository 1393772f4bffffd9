"""The pump's side of handshakes, sans-IO: who may open a session, and with which keys.

Runs beside an open session and cannot disturb it. For each paired programmer at most two half-made handshakes are kept, so that a forged
hello does not end an honest one. Every answer in clear is paid from a bucket; see `budget`. What the answers cost the battery is counted
in `spent_handshakes` and `spent_records` (a handshake answered or refused; a frame sent once more). Not here: the session that comes out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from itbpump.link.budget import HandshakeBudget
from itbpump.link.machine import StateMachine
from itbpump.link.pump_events import HandshakeRefused, Pairing, PairingTable
from itbpump.wire import keys
from itbpump.wire.errors import WireError
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import (
    EMERGENCY_PER_HOUR,
    EMERGENCY_WINDOW_MS,
    HANDSHAKE_PENDING_MS,
    MAGNET_HOLD_MS,
    SUITE,
    RecordType,
    RefuseReason,
    Role,
)
from itbpump.wire.record import clear_body

__all__ = ["Admitted", "Answer", "PumpHandshakes"]

_HOUR_MS = 3_600_000
_ATTEMPTS_KEPT = 2
_RESENDS = 16  # a programmer resends at most some 20 times within its deadline, most of them after the confirmation
_LONGEST_WAIT_S = 0xFFFF


@dataclass(frozen=True, slots=True)
class Admitted:
    """A programmer proved its key. `confirm_frame` tells it so; the session starts with `made`."""

    pairing: Pairing
    made: keys.SessionKeys
    version: int
    confirm_frame: bytes


@dataclass(slots=True)
class Answer:
    """What a hello or a confirmation leads to: a frame to send (or none), a refusal to note, somebody admitted, why it is dropped."""

    frame: bytes = b""
    refused: HandshakeRefused | None = None
    admitted: Admitted | None = None
    dropped: str = ""


@dataclass(slots=True)
class _Attempt:
    hello: bytes
    reply: bytes
    made: keys.SessionKeys
    transcript: bytes
    version: int
    expires_ms: int
    resends_left: int = _RESENDS


@dataclass(slots=True)
class _Programmer:
    machine: StateMachine = field(default_factory=lambda: StateMachine("pump_handshake"))
    attempts: list[_Attempt] = field(default_factory=list)


class PumpHandshakes:
    """All half-made handshakes of one pump; bounded by its pairing table. Arguments as `PumpLink`."""

    def __init__(
        self,
        pump_id: bytes,
        pairings: PairingTable,
        entropy: Callable[[int], bytes],
        boot_epoch: int,
        versions: tuple[int, int],
        emergency_ages_ms: Callable[[], tuple[int, ...]],
    ) -> None:
        self.budget = HandshakeBudget()
        self.spent_handshakes = 0
        self.spent_records = 0
        self._pump_id = pump_id
        self._pairings = pairings
        self._entropy = entropy
        self._boot_epoch = boot_epoch
        self._versions = versions
        self._programmers: dict[bytes, _Programmer] = {}
        self._magnet_until_ms = -1
        self._emergencies_ms: list[int] = []
        self._ages_ms: Callable[[], tuple[int, ...]] | None = emergency_ages_ms
        self._unheard = b""

    def magnet(self, held_ms: int, now_ms: int) -> bool:
        """A magnet was held for `held_ms`, ending now; whether an emergency session is now accepted."""
        if held_ms >= MAGNET_HOLD_MS:
            self._magnet_until_ms = now_ms + EMERGENCY_WINDOW_MS
            self.budget.magnet(now_ms)
        return held_ms >= MAGNET_HOLD_MS

    def deadline_ms(self) -> int | None:
        """Link time at which the oldest attempt expires."""
        return min((attempt.expires_ms for known in self._programmers.values() for attempt in known.attempts), default=None)

    def tick(self, now_ms: int) -> None:
        """Forget attempts whose time is over."""
        for programmer_id, known in list(self._programmers.items()):
            known.attempts = [attempt for attempt in known.attempts if now_ms < attempt.expires_ms]
            if not known.attempts:
                known.machine.fire("timeout")
                del self._programmers[programmer_id]

    # ---------------------------------------------------------------------------------------------------- hello
    def hello(self, body: bytes, content: bytes, now_ms: int) -> Answer:
        """A hello record: `body` is all of it, `content` what follows the header."""
        if len(content) >= 2 and not self._versions[0] <= content[0] <= self._versions[1]:
            # The hello of another major may have another form; its first byte is all that need be understood.
            return self._refuse(content[2:10], RefuseReason.VERSION, 0, now_ms)
        try:
            hello = keys.decode_h1(content)
        except WireError:
            return Answer(dropped="hello")
        known = self._programmers.get(hello.programmer_id)
        again = next((attempt for attempt in known.attempts if attempt.hello == body), None) if known else None
        if known is not None and again is not None:
            known.machine.fire("same_hello")
            if again.resends_left == 0:
                return Answer(dropped="over budget")
            again.resends_left -= 1
            self.spent_records += 1
            return Answer(frame=again.reply)
        pairing = self._pairings.pairing(hello.programmer_id)
        denied = self._denial(hello, pairing, now_ms)
        if pairing is None or denied is not None:
            if known is not None:
                known.machine.fire("hello_denied")
            reason, wait_ms = (RefuseReason.UNPAIRED, 0) if denied is None else denied
            return self._refuse(hello.programmer_id, reason, wait_ms, now_ms)
        known = self._programmers.setdefault(hello.programmer_id, _Programmer())
        known.machine.fire("hello")
        self.spent_handshakes += 1
        attempt = self._attempt(hello, pairing.key, body, content, now_ms)
        known.attempts = [*known.attempts, attempt][-_ATTEMPTS_KEPT:]
        return Answer(frame=attempt.reply)

    def _attempt(self, hello: keys.Hello, key: bytes, body: bytes, content: bytes, now_ms: int) -> _Attempt:
        nonce = self._entropy(16)
        h2 = keys.encode_h2(hello.version, SUITE, self._pump_id, nonce, self._boot_epoch)
        transcript = keys.transcript_hash(content, h2)
        made = keys.derive(key, hello.np, nonce, transcript)
        reply = encode_frame(clear_body(RecordType.HELLO_REPLY, h2))
        return _Attempt(body, reply, made, transcript, hello.version, now_ms + HANDSHAKE_PENDING_MS)

    def _denial(self, hello: keys.Hello, pairing: Pairing | None, now_ms: int) -> tuple[RefuseReason, int] | None:
        """Why this hello is not answered, with the ms to wait; None when it is."""
        if hello.suite != SUITE:
            return RefuseReason.SUITE, 0
        if pairing is None:
            return RefuseReason.UNPAIRED, 0
        # The session it has, whose confirmation was lost on the line, is no other one: it needs no magnet and is counted once.
        is_new = pairing.role is Role.EMERGENCY and hello.programmer_id != self._unheard
        denied = self._emergency_denial(now_ms) if is_new else None
        if denied is not None:
            return denied
        wait_ms = self.budget.take(hello.programmer_id, now_ms)
        return (RefuseReason.BACKOFF, wait_ms) if wait_ms else None

    def _emergency_denial(self, now_ms: int) -> tuple[RefuseReason, int] | None:
        if self._ages_ms is not None:
            # Asked now, not at the start: an hour may have passed since.
            self._emergencies_ms, self._ages_ms = [now_ms - age_ms for age_ms in self._ages_ms()], None
        if now_ms >= self._magnet_until_ms:
            return RefuseReason.NO_MAGNET, 0
        recent = [t for t in self._emergencies_ms if now_ms - t < _HOUR_MS]
        if len(recent) >= EMERGENCY_PER_HOUR:
            return RefuseReason.BACKOFF, recent[0] + _HOUR_MS - now_ms
        return None

    def _refuse(self, programmer_id: bytes, reason: RefuseReason, wait_ms: int, now_ms: int) -> Answer:
        if self.budget.take_clear(now_ms):
            return Answer(dropped="over budget")
        return Answer(frame=self.refusal(reason, wait_ms), refused=HandshakeRefused(programmer_id, reason))

    def refusal(self, reason: RefuseReason, wait_ms: int) -> bytes:
        """Frame of a refusal in clear, which the caller has paid for."""
        self.spent_handshakes += 1
        wait_s = min(_seconds(wait_ms), _LONGEST_WAIT_S)
        return encode_frame(clear_body(RecordType.REFUSE, keys.encode_refuse(reason, *self._versions, wait_s)))

    # -------------------------------------------------------------------------------------------------- confirmation
    def confirm(self, content: bytes, now_ms: int) -> Answer:
        """Content of a programmer's confirmation."""
        try:
            programmer_id, mac = keys.decode_confirm_programmer(content)
        except WireError:
            return Answer(dropped="confirm")
        known, pairing = self._programmers.get(programmer_id), self._pairings.pairing(programmer_id)
        if known is None or pairing is None:
            return Answer(dropped="confirm")
        for attempt in known.attempts:
            if keys.confirm_holds(attempt.made.k_conf, b"P", attempt.transcript, mac):
                mine = keys.confirm(attempt.made.k_conf, b"D", attempt.transcript)
                frame = encode_frame(clear_body(RecordType.CONFIRM_PUMP, mine))
                return Answer(admitted=Admitted(pairing, attempt.made, attempt.version, frame))
        known.machine.fire("bad_confirm")
        # An emergency never waits: the magnet and the hour's count bound it.
        wait_ms = 0 if pairing.role is Role.EMERGENCY else self.budget.failed(programmer_id, now_ms)
        return self._refuse(programmer_id, RefuseReason.KEY, wait_ms, now_ms)

    def settle(self, admitted: Admitted, now_ms: int, *, opened: bool) -> bool:
        """The key was proved, and the session opened, or somebody else's stood in the way; this programmer's attempts are over.

        Returns whether it is once more the emergency session that stands and of which nothing was heard.
        """
        programmer_id = admitted.pairing.programmer_id
        known = self._programmers.pop(programmer_id)
        known.machine.fire("confirm" if opened else "others_session")
        again = programmer_id == self._unheard
        self.budget.proved(programmer_id, now_ms, fills=not again and admitted.pairing.role is not Role.OBSERVER)
        if opened and admitted.pairing.role is Role.EMERGENCY:
            self._unheard = programmer_id
            if not again:
                self._emergencies_ms = [*(t for t in self._emergencies_ms if now_ms - t < _HOUR_MS), now_ms]
        return again

    def heard(self) -> None:
        """The session that stands was used, or stands no more."""
        self._unheard = b""


def _seconds(ms: int) -> int:
    """Whole seconds, rounded up."""
    return -(-ms // 1000)
