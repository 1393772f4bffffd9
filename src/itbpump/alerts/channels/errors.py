"""Errors of setting up a channel. What happens while sending is no error but a `Delivery` with its words."""

from __future__ import annotations

from itbpump.errors import InputError

__all__ = ["AddressError", "ChannelSetupError"]


class ChannelSetupError(InputError):
    """A channel cannot be used as it is written. `place` is the file; `line` counts from 1."""

    def __init__(self, place: str, problem: str, action: str, *, line: int | None = None, key: str = "") -> None:
        self.place, self.problem, self.line, self.key = place, problem, line, key
        where = place if line is None else f"{place}, line {line}"
        super().__init__(f"{where}: {f'{key}: ' if key else ''}{problem}; {action}", action=action)


class AddressError(InputError):
    """An address that no mail can go to. The address itself is not repeated: it may end in a log."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(f"{problem}; write one address such as refills@clinic.example")
