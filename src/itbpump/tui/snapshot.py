"""What the screen is given of a pump: one immutable reading, and how old it is.

`reader` makes a snapshot on its thread and hands it over whole; nothing in it is ever changed, so a page may keep it as long as it likes.
Not here: what a task starts from (`workflow.facts.gather` reads the pump anew), and words for anything but the line itself.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Final

from itbpump.tui.logmirror import EMPTY_LOG, LogView

if TYPE_CHECKING:
    from itbpump.forecast import Forecast
    from itbpump.present import PresentPump
    from itbpump.wording.pumpview import PumpView

__all__ = ["CONNECTING", "OVERDUE_MS", "LinkState", "LinkWord", "Snapshot"]

OVERDUE_MS: Final = 6_000
"""A reading that old is not called live, even while the next one is still awaited: two polls of 2 s and one answer late."""


class LinkWord(Enum):
    """How far the readings can be trusted: `connecting` none yet, `live`, `stale` the last one failed, `lost` given up or gone."""

    CONNECTING = "connecting"
    LIVE = "live"
    STALE = "stale"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class LinkState:
    """The line to the pump. `since`: the last good reading where the word is `stale` or `lost`, None where there was none.

    `reason`: why, with what to do. `retries`: it is tried again by itself. `trace`: the traceback of a defect in this program, else empty.
    """

    word: LinkWord
    since: datetime | None = None
    reason: str = ""
    retries: bool = True
    trace: str = ""

    @property
    def text(self) -> str:
        """`live`, `stale since 10:04:13`, `lost since 10:04:13`, `connecting`; the reason is apart, since it is a sentence."""
        since = f" since {self.since:%H:%M:%S}" if self.since is not None and self.word is not LinkWord.LIVE else ""
        return f"{self.word.value}{since}"


CONNECTING: Final = LinkState(LinkWord.CONNECTING)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One reading. `seq` rises by one with each.

    `view` is the newest status with the therapy it belongs to. `present` and `dates` are of the last change, at most some ten minutes of
    pump time old; where one is None, `present_problem` or `dates_problem` says why (empty: not read yet). `log` is what was read of the
    pump's log, oldest first; `log_complete`: nothing older is to be had, nothing newer was known of; `log_dropped`: entries that had to be
    given up here. `read_at`: host time of the last good reading, `read_ms` the same on the reader's monotonic clock (ms).
    """

    seq: int = 0
    link: LinkState = CONNECTING
    view: PumpView | None = None
    present: PresentPump | None = None
    present_problem: str = ""
    dates: Forecast | None = None
    dates_problem: str = ""
    log: LogView = EMPTY_LOG
    log_complete: bool = False
    log_dropped: int = 0
    read_at: datetime | None = None
    read_ms: int | None = None

    def aged(self, now_ms: int) -> Snapshot:
        """The same, but not called live when no reading has come for OVERDUE_MS: an answer may be awaited for longer than that.

        `now_ms` is of the clock that `read_ms` is of.
        """
        if self.link.word is not LinkWord.LIVE or self.read_ms is None or now_ms - self.read_ms < OVERDUE_MS:
            return self
        waiting = "no answer yet to the last question; what stands here may have changed"
        return replace(self, link=LinkState(LinkWord.STALE, self.read_at, waiting))
