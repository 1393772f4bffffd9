"""What can go wrong in this room.

::

    ItbPumpError
    ├── InputError
    │   ├── AlertPolicyError     rules.toml or a clinic's own file: an unknown key, a figure out of order
    │   ├── ChannelSetupError    channels/errors.py: channels.toml
    │   ├── AddressError         channels/errors.py: an address that a channel cannot use
    │   └── CalendarError        ical.py: a calendar file that is not ours
    └── AlertsError              (here)
        ├── UnknownAlert         no alert of that key
        ├── NotSnoozable         critical, settled, or asked to sleep past its next stage
        └── ChannelDefects       channels raised where they must answer; everything else was done
"""

from __future__ import annotations

from datetime import datetime

from itbpump.errors import InputError, ItbPumpError

__all__ = ["AlertPolicyError", "AlertsError", "ChannelDefects", "NotSnoozable", "UnknownAlert"]


class AlertPolicyError(InputError):
    """`place` is the file, `key` the dotted key in it."""

    def __init__(self, place: str, key: str, problem: str, action: str) -> None:
        super().__init__(f"{place}: {key}: {problem}; {action}", action=action)
        self.place, self.key, self.problem = place, key, problem


class AlertsError(ItbPumpError):
    """An alert cannot be handled so."""


class UnknownAlert(AlertsError, LookupError):
    """No alert of that key is kept."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"there is no alert {key!r}; take a key from `itbpump alerts list`", action="take a key from `itbpump alerts list`"
        )
        self.key = key


class NotSnoozable(AlertsError):
    """`latest` is the last moment that would be accepted; None where none is."""

    def __init__(self, key: str, problem: str, action: str, latest: datetime | None = None) -> None:
        super().__init__(f"{key}: {problem}; {action}", action=action)
        self.key, self.problem, self.latest = key, problem, latest


class ChannelDefects(AlertsError):
    """Raised by the job at its very end; `defects` are (channel, class of the error), without addresses."""

    def __init__(self, defects: tuple[tuple[str, str], ...]) -> None:
        named = ", ".join(sorted({f"{channel} raised {error}" for channel, error in defects}))
        super().__init__(f"a channel failed unexpectedly ({named}); what it should have sent is kept and tried again; report this")
        self.defects = defects
