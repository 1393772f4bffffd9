"""What the reader does next, given what has happened and the time: no thread, no pump, no clock.

`next` names one short step, so that a job never waits behind more than that. Order: a poll that is due; the view of what the poll found
changed; new log entries; the present pump and its dates; then older log pages, a few for each poll. The line's states are those of
`snapshot.LinkWord`: a failed reading makes it stale, `lost_ms` of failures or a port that is gone make it lost; the next good reading makes
it live. All times are ms of one monotonic clock but `uptime_ms`. Not here: what the steps do (`reader`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from itbpump.errors import ItbPumpError
from itbpump.link.errors import Downgraded, KeyMismatch, LinkError, NotPaired, PumpBusy
from itbpump.transport.base import BadUrlError, TransportError, WriteTimeoutError
from itbpump.tui.snapshot import LinkWord
from itbpump.wire.messages import Status

__all__ = ["AnotherPump", "ReaderLogic", "Rest", "Seen", "Step", "Timing", "Trouble", "trouble_of", "wait_of"]


class AnotherPump(ItbPumpError):
    """Another pump answers on the line than the one this reader began with."""

    def __init__(self, wanted: str, found: str) -> None:
        self.wanted, self.found = wanted, found
        super().__init__(
            f"pump {found} answers now instead of {wanted}, or its memory was formatted; leave this pump and connect anew",
            action="leave this pump and connect anew",
        )


class Step(Enum):
    """One short thing to do. DROP: the line has been silent for too long; say that it is lost and give it up."""

    CONNECT = "connect"
    STATUS = "status"
    VIEW = "view"
    PRESENT = "present"
    DATES = "dates"
    NEWER = "newer log entries"
    OLDER = "older log entries"
    DROP = "drop"


@dataclass(frozen=True, slots=True)
class Rest:
    """Nothing to do until then; None: until somebody asks."""

    until_ms: int | None


class Trouble(Enum):
    """What a failure means: SILENT, the same line may answer again; GONE, it must be opened anew; FINAL, trying again does not help."""

    SILENT = "silent"
    GONE = "gone"
    FINAL = "final"


def trouble_of(error: ItbPumpError, *, connecting: bool) -> Trouble:
    """What an error of a reading, or of opening a session, means."""
    if isinstance(error, NotPaired | KeyMismatch | Downgraded | BadUrlError | AnotherPump):
        return Trouble.FINAL
    if isinstance(error, WriteTimeoutError):
        return Trouble.GONE if connecting else Trouble.SILENT
    if isinstance(error, TransportError):
        return Trouble.GONE
    return Trouble.FINAL if connecting and not isinstance(error, LinkError) else Trouble.SILENT


def wait_of(error: ItbPumpError) -> int:
    """How long the pump asks to be left alone, ms; 0 where it does not say. Handshakes are budgeted in the pump (design 4)."""
    return error.retry_after_s * 1_000 if isinstance(error, PumpBusy) else 0


@dataclass(frozen=True, slots=True)
class Timing:
    """All ms. `poll_ms` between readings, `fast_ms` while a bolus runs or an alarm sounds; `lost_ms` of failures make a line lost;
    `backoff_ms` doubles up to `backoff_most_ms`. Present and dates are read again after `refresh_uptime_ms` of pump time, but not before
    `refresh_ms` have passed here; `pages` of older log entries are read for each poll."""

    poll_ms: int = 2_000
    fast_ms: int = 500
    lost_ms: int = 30_000
    backoff_ms: int = 1_000
    backoff_most_ms: int = 30_000
    refresh_uptime_ms: int = 600_000
    refresh_ms: int = 10_000
    pages: int = 10

    def __post_init__(self) -> None:
        for name in self.__slots__:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: a time or a count of 1 or more is needed")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a status says of whether more has to be read: `key` changes with everything that present, view or dates hang on."""

    key: tuple[object, ...]
    uptime_ms: int
    log_next_seq: int
    is_lively: bool

    @classmethod
    def of(cls, status: Status) -> Seen:
        """Of one status."""
        key = (
            status.revision,
            status.digest,
            status.run_state,
            status.mode,
            status.log_next_seq,
            status.last_change_ms,
            status.last_change_kind,
            status.others_unconfirmed,
            status.alarms,
        )
        return cls(key, status.uptime_ms, status.log_next_seq, status.bolus_left_ms > 0 or bool(status.alarms))


class ReaderLogic:
    """State of one reader. `word` is the state of the line; `is_open`: there is a session, or one can be made on the same port."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self.word = LinkWord.CONNECTING
        self.is_open = False
        self.view_due = True
        self._reads_more = True
        self._ever_read = False
        self._seen: Seen | None = None
        self._poll_ms = 0
        self._present_due = True
        self._present_uptime_ms = 0
        self._present_ms = 0
        self._dates_due = False
        self._newer_due = True
        self._older_due = False
        self._fill_known = False
        self._pages = 0
        self._failing_since_ms: int | None = None
        self._failures = 0
        self._retry_ms: int | None = 0

    @property
    def retries(self) -> bool:
        """It is tried again by itself."""
        return self._failing_since_ms is None or self._retry_ms is not None

    @property
    def pages_left(self) -> bool:
        """Older pages are read before the next poll."""
        return self._older_due and self._pages > 0

    # -------------------------------------------------------------------------------------------------- what to do
    def next(self, now_ms: int) -> Step | Rest:
        """The one thing to do at `now_ms`."""
        if self._failing_since_ms is not None:
            return self._next_in_trouble(now_ms, self._failing_since_ms + self._timing.lost_ms)
        if not self.is_open:
            return Step.CONNECT
        if now_ms >= self._poll_ms:
            return Step.STATUS
        return self._next_reading() or Rest(self._poll_ms)

    def _next_in_trouble(self, now_ms: int, lost_ms: int) -> Step | Rest:
        is_lost = self.word is LinkWord.LOST
        if not is_lost and now_ms >= lost_ms:
            return Step.DROP
        if self._retry_ms is None:
            return Rest(None)
        if now_ms < self._retry_ms:
            return Rest(self._retry_ms if is_lost else min(self._retry_ms, lost_ms))
        return Step.STATUS if self.is_open else Step.CONNECT

    def _next_reading(self) -> Step | None:
        if self.view_due:
            return Step.VIEW
        if not self._reads_more:
            return None
        if self._newer_due:
            return Step.NEWER
        if self._present_due:
            return Step.PRESENT
        if self._dates_due and self._fill_known:
            return Step.DATES
        return Step.OLDER if self.pages_left else None

    # -------------------------------------------------------------------------------------------------- what has happened
    def connected(self, now_ms: int, *, reads_more: bool) -> None:
        """A session stands. `reads_more`: its role may read more than the status; one that may not is never given up by itself, since a
        new emergency session would need the magnet again."""
        self.is_open, self._reads_more = True, reads_more
        self._failing_since_ms = None
        self._poll_ms = now_ms
        self.view_due = True

    def status_read(self, now_ms: int, seen: Seen) -> None:
        """A poll has been answered."""
        self._failing_since_ms, self._failures, self._retry_ms = None, 0, None
        if self._ever_read:
            self.word = LinkWord.LIVE
        self._poll_ms = now_ms + (min(self._timing.fast_ms, self._timing.poll_ms) if seen.is_lively else self._timing.poll_ms)
        self._pages = self._timing.pages
        before, self._seen = self._seen, seen
        if before is None or before.key != seen.key:
            self.view_due = self._present_due = True
        self._newer_due = self._newer_due or before is None or before.log_next_seq != seen.log_next_seq
        grown_old = seen.uptime_ms - self._present_uptime_ms >= self._timing.refresh_uptime_ms
        if grown_old and now_ms - self._present_ms >= self._timing.refresh_ms:
            self._present_due = True

    def view_read(self) -> None:
        """The view belongs to the status now; the first one makes the line live."""
        self.view_due, self._ever_read, self.word = False, True, LinkWord.LIVE

    def present_read(self, now_ms: int) -> None:
        """The present pump was read, or said why it cannot be; its dates are to be computed."""
        self._present_due, self._dates_due = False, True
        self._present_ms = now_ms
        self._present_uptime_ms = self._seen.uptime_ms if self._seen is not None else 0

    def present_again(self) -> None:
        """What the present pump and its dates were made with has changed."""
        self._present_due = True

    def dates_read(self) -> None:
        """Dates were computed, or said why they cannot be."""
        self._dates_due = False

    def log_read(self, *, newer_left: bool, older_left: bool, fill_known: bool, older: bool) -> None:
        """A page of the log was read: whether there is more on either side, and whether the last fill is known as far as it can be.
        `older`: it was one of the older pages, of which there are some for each poll."""
        self._newer_due, self._older_due, self._fill_known = newer_left, older_left, fill_known
        if older:
            self._pages -= 1

    def failed(self, now_ms: int, trouble: Trouble, wait_ms: int = 0) -> None:
        """A step has failed. `wait_ms`: how long the pump asks to be left alone; it is tried a little earlier, since whoever keeps it
        busy may end sooner."""
        self._failures += 1
        if self._failing_since_ms is None:
            self._failing_since_ms = now_ms
        if trouble is Trouble.SILENT:
            if self.word is LinkWord.LIVE:
                self.word = LinkWord.STALE
        else:
            self.word, self.is_open = LinkWord.LOST, False
        timing = self._timing
        backoff = min(timing.backoff_ms << min(self._failures - 1, 20), timing.backoff_most_ms)
        self._retry_ms = None if trouble is Trouble.FINAL else now_ms + max(backoff, min(wait_ms, timing.backoff_most_ms))

    def dropped(self) -> bool:
        """The line counts as lost from now on. True where the port is to be closed and opened anew, since it may itself have died."""
        self.word = LinkWord.LOST
        gives_up = self.is_open and self._reads_more
        if gives_up:
            self.is_open = False
        return gives_up

    def asked(self, now_ms: int) -> None:
        """Somebody wants a reading now, whatever the back-off."""
        self._poll_ms = now_ms
        if self._failing_since_ms is not None:
            self._retry_ms = now_ms

    def touched(self) -> None:
        """A job was let at the pump: with the next reading everything is read, also what the status would not tell."""
        self.view_due = self._present_due = True
