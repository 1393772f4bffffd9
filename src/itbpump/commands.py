"""State-changing commands, each at most once: intent on disk, send, learn the outcome, write it down (safety 4.2, SR-41 … SR-45).

An outcome is Applied or NotApplied only on the pump's word about this very command: id, kind and digest. When the answer is lost, the pump
is asked again, over a new session if need be, in which the old bytes can no longer be accepted; when that fails too the outcome is Unknown.

While an outcome is unknown nothing but a stop leaves from here, not even what gives no drug: the pump keeps the last 16 results of a
programmer, and harmless commands would push out the one that is needed. Only `reconcile` asks for it, which tells the person what it
learns: one who took a bolus for lost must know of it before the next is given. What the pump no longer knows only a person can settle
(`settle_by_hand`).

A stop leaves even when the disk takes no intent; its outcome then says so. Not modelled: keeping results in the pump until they are
confirmed; 16 stops can still push one out.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Literal

from itbpump.errors import InputError, ItbPumpError
from itbpump.hoststate import HostState, HostStateError, Intent, Unsettled
from itbpump.link.errors import LinkError, PumpRefused, SessionLost
from itbpump.link.transaction import CommandFailed, OtherCommand, Transaction, UnexpectedReply, Verdict, verdict
from itbpump.outcome import Applied, DosingBlocked, Interrupted, NotApplied, NothingOpen, Outcome, Unknown
from itbpump.quantity import Flow
from itbpump.session import ASK_WAIT_MS, PumpSession
from itbpump.transport.base import TransportError
from itbpump.wire.messages import (
    COMMAND_DEADLINE_MS,
    TRANSACTION_DEADLINE_MS,
    Closed,
    CommandKind,
    CommandResult,
    ConfirmResult,
    Error,
    ReadBack,
    Request,
    Result,
    encode_request,
)
from itbpump.wire.messages import Outcome as PumpOutcome

__all__ = ["Commands"]

_STOPS = (CommandKind.STOP, CommandKind.STOP_BOLUS)
_CONFIRM_WAIT_MS = 2_000
Settled = Literal["applied", "not_applied"]


class Commands:
    """Runs commands over a session and keeps the host's record of them."""

    def __init__(self, session: PumpSession, state: HostState) -> None:
        self._session = session
        self._state = state
        self._highest = 0  # command ids taken here, whether or not the disk knows of them

    def require_settled(self) -> None:
        """Raises DosingBlocked while the outcome of an earlier command is unknown."""
        unsettled = self._state.unsettled(self._session.key)
        if unsettled:
            raise DosingBlocked(unsettled)

    def staged(
        self,
        kind: CommandKind,
        payload: bytes,
        base_revision: int,
        compare: Callable[[ReadBack], tuple[str, ...]],
        what: str,
        basis: str = "",
    ) -> Outcome:
        """Stage, have read back, commit. `compare` returns the differences between the pump's reading and what was meant; `basis` is kept
        with the intent: what the decision rested on.

        Raises DosingBlocked, HostStateError, and as `PumpSession.reconnect`: then nothing was sent. Interrupted when a person breaks in.
        """
        self.require_settled()
        with self._session.quiet():
            self._session.ensure_open()
            cmd_id = self._begin(kind, hashlib.sha256(payload).digest(), payload, what, dosing=True, basis=basis)
            with _telling_of(cmd_id, what):
                transaction = Transaction(cmd_id, kind, payload, base_revision, compare)
                self._run(transaction)
                return self._settle(cmd_id, what, self._completed(_outcome_of(transaction, what)))

    def direct(self, kind: CommandKind, make: Callable[[int], Request], what: str) -> Outcome:
        """A command of one message; none of these gives drug. A stop is never held back, the others while an earlier outcome is unknown.

        Raises as `staged`; a stop raises no HostStateError.
        """
        stops = kind in _STOPS
        if not stops:
            self.require_settled()
        with self._session.quiet():
            self._session.ensure_open()
            unwritten = ""
            try:
                cmd_id = self._begin(kind, lambda new_id: _digest(make(new_id)), b"", what, dosing=not stops)
            except HostStateError as error:
                if not stops:
                    raise
                cmd_id = self._next_unwritten()
                unwritten = f"this stop was sent though no record of it could be written: {error}"
            with _telling_of(cmd_id, what):
                outcome = self._completed(self._sent(cmd_id, kind, make(cmd_id), what))
                return _noted(outcome, unwritten) if unwritten else self._settle(cmd_id, what, outcome)

    def intents(self) -> tuple[Intent, ...]:
        """Every command of this companion to this pump, oldest first."""
        return tuple(self._state.intents(self._session.key))

    def unsettled(self) -> tuple[Intent, ...]:
        """Those of them whose outcome is not known here."""
        return tuple(self._state.unsettled(self._session.key))

    def bases_applied(self) -> Iterator[str]:
        """What the decisions rested on that the pump has carried out, the newest first."""
        return (intent.basis for intent in reversed(self._state.intents(self._session.key)) if intent.state == "applied" and intent.basis)

    def reconcile(self) -> list[tuple[Intent, Outcome]]:
        """Ask the pump about every command whose outcome is not known here, and tell it which ones are known by now.

        Raises as `PumpSession.ask` when the line fails, HostStateError when the record cannot be read.
        """
        with self._session.quiet():
            # All are asked before any is settled: should the line fail, none is settled without a word to the person.
            answers = [(intent, self._answer_about(intent)) for intent in self._state.unsettled(self._session.key)]
            settled = [(intent, self._settle(intent.cmd_id, intent.what, outcome)) for intent, outcome in answers]
            self.confirm_owed()
        return settled

    def settle_by_hand(self, cmd_id: int, state: Settled, by: str, reason: str) -> Outcome | None:
        """Record what a person found out of a command that the pump no longer knows: by whom and why stays with it.

        None when it was recorded; the pump's own outcome where it has one, which stands instead. Raises NothingOpen when this command is
        not open, InputError when `by` or `reason` is blank or `state` another word, HostStateError, and as `reconcile`.
        """
        if state not in ("applied", "not_applied"):
            raise InputError(f"{state!r} is no outcome to settle a command with; it is applied or not_applied")
        if not (by.strip() and reason.strip()):
            raise InputError("a command is settled by hand only with the name of who says so and the reason")
        key = self._session.key
        with self._session.quiet():
            found = [intent for intent in self._state.unsettled(key) if intent.cmd_id == cmd_id]
            if not found:
                raise NothingOpen(cmd_id)
            outcome = self._answer_about(found[0])
            if not isinstance(outcome, Unknown):
                return self._settle(cmd_id, found[0].what, outcome)
            self._state.settle(key, cmd_id, state, f"settled by {by.strip()}: {reason.strip()}")
            return None

    def confirm_owed(self) -> None:
        """Tell the pump of outcomes that are known here and of which it has not yet been told; harmless when repeated."""
        with self._session.quiet(), suppress(HostStateError, LinkError, TransportError):
            for cmd_id in self._state.owed(self._session.key):
                self._session.ensure_open()
                if not self._confirm(cmd_id):
                    return

    # ------------------------------------------------------------------------------------------------ before
    def _begin(
        self, kind: CommandKind, digest: bytes | Callable[[int], bytes], payload: bytes, what: str, *, dosing: bool, basis: str = ""
    ) -> int:
        at_least = max(self._session.info.last_cmd_id, self._highest)
        try:
            self._highest = self._state.begin(self._session.key, at_least, kind, digest, payload, what, dosing=dosing, basis=basis)
        except Unsettled as error:
            raise DosingBlocked(error.intents) from error
        return self._highest

    def _next_unwritten(self) -> int:
        """An id above all that the pump, this process and, where it can be read, the disk know of."""
        known = max(self._session.info.last_cmd_id, self._highest)
        with suppress(HostStateError):
            known = max(known, self._state.last_cmd_id(self._session.key))
        self._highest = known + 1
        return self._highest

    # ------------------------------------------------------------------------------------------------ sending and asking
    def _run(self, transaction: Transaction) -> None:
        deadline = self._session.now_ms() + TRANSACTION_DEADLINE_MS - ASK_WAIT_MS  # leaves time to ask what became of it
        while (request := transaction.next_request()) is not None:
            try:
                until = min(deadline, self._session.now_ms() + COMMAND_DEADLINE_MS)
                transaction.replied(self._session.send(request, until))
            except (LinkError, TransportError) as error:
                transaction.lost(error)
        if transaction.state == "unknown":
            result = self._query(transaction.cmd_id)
            if result is not None:
                transaction.queried(result)

    def _sent(self, cmd_id: int, kind: CommandKind, message: Request, what: str) -> Outcome:
        try:
            reply = self._session.send(message)
        except (LinkError, TransportError) as error:
            lost: ItbPumpError = error
        else:
            if isinstance(reply, Error):
                return NotApplied(cmd_id, PumpRefused(reply))
            if isinstance(reply, Result) and reply.result.outcome is not PumpOutcome.UNKNOWN_COMMAND:
                return _judged(cmd_id, kind, _digest(message), what, reply.result)
            lost = UnexpectedReply(type(message).__name__, reply)
        result = self._query(cmd_id)
        return Unknown(cmd_id, what, lost) if result is None else _judged(cmd_id, kind, _digest(message), what, result)

    def _query(self, cmd_id: int) -> CommandResult | None:
        """What the pump knows of a command, over a new session if the old one is gone; None when the line gives no answer."""
        try:
            return self._session.result_of(cmd_id)
        except (LinkError, TransportError):
            return None

    def _answer_about(self, intent: Intent) -> Outcome:
        try:
            return _judged(intent.cmd_id, intent.kind, intent.digest, intent.what, self._session.result_of(intent.cmd_id))
        except PumpRefused as error:
            return Unknown(intent.cmd_id, intent.what, error)

    def _completed(self, outcome: Outcome) -> Outcome:
        """After a fault of the pump's memory: with what the pump does now."""
        if not isinstance(outcome, NotApplied) or outcome.nothing_changed:
            return outcome
        try:
            status = self._session.status()
        except (LinkError, TransportError) as error:
            return _noted(outcome, f"what the pump does now could not be read ({error})")
        gives = f"delivers {Flow(status.flow_nL_per_day)}" if status.flow_nL_per_day else "delivers nothing"
        return _noted(outcome, f"the pump was read again: its run state is {status.run_state.name.lower()}, it {gives}")

    # ------------------------------------------------------------------------------------------------ after
    def _settle(self, cmd_id: int, what: str, outcome: Outcome) -> Outcome:
        """Write the outcome down, then tell the pump that it is known here. A disk that fails never hides the outcome."""
        # The pump keeps a result only of what it judged: applied, or refused for a reason of its own.
        kept = isinstance(outcome, Applied) or (isinstance(outcome, NotApplied) and isinstance(outcome.reason, CommandFailed))
        state, note = "applied", ""
        if isinstance(outcome, Unknown):
            state, note = "unknown", str(outcome.cause)
        elif isinstance(outcome, NotApplied):
            state, note = "not_applied", str(outcome.reason)
        try:
            self._state.settle(self._session.key, cmd_id, state, note, owed=kept)
        except HostStateError as error:
            return _noted(outcome, f"this outcome could not be written down, so the command counts as open until it is asked for: {error}")
        if kept and not isinstance(outcome, Unknown):
            try:
                self._confirm(cmd_id)
            except KeyboardInterrupt as error:
                raise Interrupted(cmd_id, what, outcome) from error
        return outcome

    def _confirm(self, cmd_id: int) -> bool:
        """Only a courtesy to other programmers: what fails here is made good at the next connection."""
        try:
            reply = self._session.send(ConfirmResult(cmd_id=cmd_id), self._session.now_ms() + _CONFIRM_WAIT_MS)
            if not isinstance(reply, Closed):
                return False
            self._state.confirmed(self._session.key, cmd_id)
        except (LinkError, TransportError, HostStateError):
            return False
        return True


@contextmanager
def _telling_of(cmd_id: int, what: str) -> Iterator[None]:
    """An interrupt says which command it left open."""
    try:
        yield
    except Interrupted:
        raise
    except KeyboardInterrupt as error:
        raise Interrupted(cmd_id, what) from error


def _digest(message: Request) -> bytes:
    """By which the pump keeps the result of a command of one message."""
    return hashlib.sha256(encode_request(message)).digest()


def _noted(outcome: Outcome, note: str) -> Outcome:
    return replace(outcome, note="; ".join(text for text in (outcome.note, note) if text))


def _outcome_of(transaction: Transaction, what: str) -> Outcome:
    if transaction.state == "applied" and transaction.result is not None:
        return Applied(transaction.cmd_id, transaction.result)
    error = transaction.error or _never_taken()
    return NotApplied(transaction.cmd_id, error) if transaction.state == "not_applied" else Unknown(transaction.cmd_id, what, error)


def _judged(cmd_id: int, kind: int, digest: bytes, what: str, result: CommandResult) -> Outcome:
    match verdict(result, cmd_id, kind, digest):
        case Verdict.APPLIED:
            return Applied(cmd_id, result)
        case Verdict.REFUSED:
            return NotApplied(cmd_id, CommandFailed(result))
        case Verdict.NEVER_SEEN:
            return NotApplied(cmd_id, _never_taken())
        case Verdict.OTHER:
            return Unknown(cmd_id, what, OtherCommand(cmd_id, result))


def _never_taken() -> SessionLost:
    return SessionLost("the pump never took this command, and its old bytes can no longer be accepted")
