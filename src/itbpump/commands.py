"""State-changing commands, each at most once: intent on disk, send, learn the outcome, write it down (safety 4.2, SR-41 … SR-45).

An outcome is Applied or NotApplied only on the pump's word. When the answer is lost, the pump is asked again, over a new session if
need be, in which the old bytes can no longer be accepted; when that fails too the outcome is Unknown, and nothing that doses leaves
until `reconcile` has settled it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress

from itbpump.errors import ItbPumpError
from itbpump.hoststate import HostState, Intent
from itbpump.link.errors import LinkError, PumpRefused, SessionLost
from itbpump.link.transaction import CommandFailed, Transaction
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Outcome, Unknown
from itbpump.session import PumpSession
from itbpump.transport.base import TransportError
from itbpump.wire.messages import (
    COMMAND_DEADLINE_MS,
    TRANSACTION_DEADLINE_MS,
    CommandKind,
    CommandResult,
    ConfirmResult,
    ReadBack,
    Request,
    Result,
)
from itbpump.wire.messages import Outcome as PumpOutcome

__all__ = ["Commands"]


class Commands:
    """Runs commands over a session and keeps the host's record of them."""

    def __init__(self, session: PumpSession, state: HostState) -> None:
        self._session = session
        self._state = state

    def require_settled(self) -> None:
        """Raises DosingBlocked while the outcome of an earlier command is unknown."""
        unsettled = self._state.unsettled(self._session.key)
        if unsettled:
            raise DosingBlocked(unsettled)

    def staged(
        self, kind: CommandKind, payload: bytes, base_revision: int, compare: Callable[[ReadBack], tuple[str, ...]], what: str
    ) -> Outcome:
        """Stage, have read back, commit. `compare` returns the differences between the pump's reading and what was meant."""
        self.require_settled()
        self._session.ensure_open()
        cmd_id = self._begin(kind, payload, what)
        transaction = Transaction(cmd_id, kind, payload, base_revision, compare)
        deadline = self._session.now_ms() + TRANSACTION_DEADLINE_MS
        while (request := transaction.next_request()) is not None:
            try:
                until = min(deadline, self._session.now_ms() + COMMAND_DEADLINE_MS)
                transaction.replied(self._session.send(request, until))
            except (LinkError, TransportError) as error:
                transaction.lost(error)
        if transaction.state == "unknown":
            result = self._query(cmd_id)
            if result is not None:
                transaction.queried(result)
        return self._settle(cmd_id, _outcome_of(transaction, what))

    def direct(self, kind: CommandKind, make: Callable[[int], Request], what: str) -> Outcome:
        """A command of one message; none of these gives drug, so an open outcome does not block them."""
        self._session.ensure_open()
        cmd_id = self._begin(kind, b"", what)
        try:
            outcome = _judged(cmd_id, self._session.ask(make(cmd_id), Result, again=False).result)
        except PumpRefused as error:
            outcome = NotApplied(cmd_id, error)
        except (LinkError, TransportError) as error:
            result = self._query(cmd_id)
            outcome = Unknown(cmd_id, what, error) if result is None else _judged(cmd_id, result)
        return self._settle(cmd_id, outcome)

    def reconcile(self) -> list[tuple[Intent, Outcome]]:
        """Ask the pump about every command whose outcome is not known here. Raises as `PumpSession.ask` when the line fails."""
        answered: list[tuple[Intent, Outcome]] = []
        for intent in self._state.unsettled(self._session.key):
            try:
                outcome = _judged(intent.cmd_id, self._session.result_of(intent.cmd_id))
            except PumpRefused as error:
                outcome = Unknown(intent.cmd_id, intent.what, error)
            answered.append((intent, self._settle(intent.cmd_id, outcome)))
        return answered

    def _begin(self, kind: CommandKind, payload: bytes, what: str) -> int:
        digest = hashlib.sha256(payload).digest()
        return self._state.begin(self._session.key, self._session.info.last_cmd_id, kind, digest, payload, what)

    def _query(self, cmd_id: int) -> CommandResult | None:
        """What the pump knows of a command, over a new session if the old one is gone; None when the line gives no answer."""
        try:
            if not self._session.is_open:
                self._session.reconnect()
            return self._session.result_of(cmd_id)
        except (LinkError, TransportError):
            return None

    def _settle(self, cmd_id: int, outcome: Outcome) -> Outcome:
        """Write the outcome down, then tell the pump that it is known here."""
        key = self._session.key
        if isinstance(outcome, Unknown):
            self._state.settle(key, cmd_id, "unknown", str(outcome.cause))
        elif isinstance(outcome, NotApplied):
            self._state.settle(key, cmd_id, "not_applied", str(outcome.reason))
        else:
            self._state.settle(key, cmd_id, "applied")
            # Only a courtesy to other programmers: without it the pump goes on listing the result as unconfirmed.
            with suppress(LinkError, TransportError):
                self._session.send(ConfirmResult(cmd_id=cmd_id))
        return outcome


def _outcome_of(transaction: Transaction, what: str) -> Outcome:
    if transaction.state == "applied" and transaction.result is not None:
        return Applied(transaction.cmd_id, transaction.result)
    error: ItbPumpError = transaction.error or SessionLost("the pump never took this command, and its old bytes can no longer be accepted")
    if transaction.state == "not_applied":
        return NotApplied(transaction.cmd_id, error)
    return Unknown(transaction.cmd_id, what, error)


def _judged(cmd_id: int, result: CommandResult) -> Outcome:
    if result.outcome is PumpOutcome.APPLIED:
        return Applied(cmd_id, result)
    if result.outcome is PumpOutcome.REFUSED:
        return NotApplied(cmd_id, CommandFailed(result))
    return NotApplied(cmd_id, SessionLost("the pump never took this command, and its old bytes can no longer be accepted"))
