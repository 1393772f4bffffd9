"""What a bench hands back: one measured figure with its target. Judging it is arithmetic; taking it is the bench's own affair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Figure"]


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table.

    `value` is a ratio to a floor or a peer that did the same work in the same run, or, where `unit` says so, a plain amount (ms, kB).
    `bound` tells which side of `target` is good; None for a figure that is only reported.
    """

    name: str
    value: float
    target: float
    bound: Literal["at least", "at most"] | None = "at least"
    unit: str = "×"
    note: str = ""

    @property
    def ok(self) -> bool:
        """Whether the target is met; a figure that is only reported always is. A value that is no number never is."""
        match self.bound:
            case "at least":
                return self.value >= self.target
            case "at most":
                return self.value <= self.target
            case None:
                return True
