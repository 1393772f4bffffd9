"""What can go wrong on the link, as objects.

ItbPumpError
└── LinkError
    ├── HandshakeFailed      no session came about (refused, busy, wrong key, no answer)
    │   ├── PumpBusy         another programmer is in session
    │   ├── NotPaired        no key for this pump, or the pump has none for this programmer
    │   ├── KeyMismatch      the two sides hold different keys
    │   └── Downgraded       the pump speaks a higher version than was negotiated
    ├── SessionLost          the session ended; a command that was under way has an unknown outcome
    ├── NoReply              the deadline passed (also a TimeoutError)
    ├── PumpRefused          the pump answered with an error message
    └── LinkMisuse           the caller broke the rules of this API
"""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.wire.keys import Refusal
from itbpump.wire.messages import ERROR_TEXTS, LIMIT_TEXTS, Error, ErrorCode, LimitCode, RefuseReason

__all__ = [
    "Downgraded",
    "HandshakeFailed",
    "KeyMismatch",
    "LinkError",
    "LinkMisuse",
    "NoReply",
    "NotPaired",
    "PumpBusy",
    "PumpRefused",
    "SessionLost",
    "describe_error",
    "refusal_error",
]


class LinkError(ItbPumpError):
    """Root of the link's errors."""


class HandshakeFailed(LinkError):
    """No session came about."""


class PumpBusy(HandshakeFailed):
    """Another programmer is in session; `retry_after_s` is when its idle time ends at the latest."""

    def __init__(self, retry_after_s: int) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(f"another programmer is in session with this pump; try again in {retry_after_s} s, or close the other programmer")


class NotPaired(HandshakeFailed):
    """No common key. `pump_id` is the pump that answered, or None when the pump does not know this programmer."""

    def __init__(self, pump_id: bytes | None) -> None:
        self.pump_id = pump_id
        who = (
            "the pump does not know this programmer"
            if pump_id is None
            else f"no pairing stored for pump {pump_id.decode('ascii', 'replace')}"
        )
        super().__init__(f"{who}; pair first: itbpump pair URL")


class KeyMismatch(HandshakeFailed):
    """Both sides know each other but hold different keys."""

    def __init__(self, pump_id: bytes) -> None:
        self.pump_id = pump_id
        super().__init__(f"pump {pump_id.decode('ascii', 'replace')} holds another key for this programmer; pair again: itbpump pair URL")


class Downgraded(HandshakeFailed):
    """The pump's authentic highest version is above the negotiated one although both speak it."""

    def __init__(self, negotiated: int, possible: int) -> None:
        self.negotiated, self.possible = negotiated, possible
        super().__init__(
            f"the session came out at version {negotiated} though both sides speak {possible}: somebody on the line forced it; "
            "check the cable, then connect again"
        )


class SessionLost(LinkError):
    """The session ended while a request was under way or before it could be sent."""


class NoReply(LinkError, TimeoutError):
    """The deadline of a request or of the handshake passed; `sent` tells how often its bytes went out."""

    def __init__(self, what: str, waited_ms: int, sent: int) -> None:
        self.what, self.waited_ms, self.sent = what, waited_ms, sent
        super().__init__(
            f"no answer to {what} within {waited_ms / 1000:g} s (sent {sent} times); check cable, power and port, then try again"
        )


class PumpRefused(LinkError):
    """The pump answered with an error: what was asked for has no effect.

    That nothing at all changed is true but for a memory fault (`memory_fault`): a pump that cannot write its memory may stop or fall
    back to its minimum rate by itself.
    """

    def __init__(self, error: Error) -> None:
        self.error = error
        self.code = ErrorCode(error.code) if error.code in ErrorCode._value2member_map_ else None
        self.limit = LimitCode(error.detail) if self.code is ErrorCode.LIMIT and error.detail in LimitCode._value2member_map_ else None
        super().__init__(describe_error(error.code, error.detail))

    @property
    def memory_fault(self) -> bool:
        """The pump could not write its memory, and may have gone to its safe state."""
        return self.code is ErrorCode.MEMORY_FAULT


class LinkMisuse(LinkError):
    """The caller asked for something the link cannot do in its present state."""


def refusal_error(refusal: Refusal, versions: tuple[int, int], pump_id: bytes) -> HandshakeFailed:
    """The error for a pump's refusal in clear; `versions` are the programmer's own lowest and highest."""
    if refusal.reason is RefuseReason.UNPAIRED:
        return NotPaired(None)
    if refusal.reason is RefuseReason.KEY:
        return KeyMismatch(pump_id)
    theirs, ours = f"{refusal.version_min} to {refusal.version_max}", f"{versions[0]} to {versions[1]}"
    words = {
        RefuseReason.VERSION: f"the pump speaks protocol {theirs}, this programmer {ours}; update one of them",
        RefuseReason.SUITE: "the pump does not speak this cipher suite; update the companion",
        RefuseReason.BACKOFF: f"too many handshakes; the pump answers this programmer again in {refusal.wait_s} s",
        RefuseReason.NO_MAGNET: "an emergency session needs the magnet: hold it at the pump for 10 s, then connect within 60 s",
        RefuseReason.NO_SESSION: "the pump has no session; connect again",
    }
    return HandshakeFailed(words[refusal.reason])


def describe_error(code: int, detail: int) -> str:
    """Plain words for an error code and its detail, with what to do."""
    text, action = ERROR_TEXTS.get(code, (f"error {code}, unknown to this version", "update the companion"))
    if code == ErrorCode.LIMIT:
        text = f"{text}: {LIMIT_TEXTS.get(detail, f'limit {detail}')}"
    elif detail:
        text = f"{text} (detail {detail})"
    if code == ErrorCode.MEMORY_FAULT:
        text = f"{text}, and it may have gone to its safe state (stopped, or the minimum rate)"
    return f"the pump refused: {text}; {action}"
