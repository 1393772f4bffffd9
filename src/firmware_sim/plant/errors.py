"""Errors of the plant: something physically impossible was asked for, or something that is no longer known.

PlantError ── HistoryGoneError
           └─ SnapshotError
"""

from __future__ import annotations


class PlantError(ValueError):
    """What was asked for cannot happen physically, or time would run backwards. Nothing was changed."""


class HistoryGoneError(PlantError):
    """A time before the kept history: `at_ms` was asked for, `floor_ms` is the first that can be answered."""

    def __init__(self, at_ms: int, floor_ms: int) -> None:
        super().__init__(f"{at_ms} ms lies before the kept history, which begins at {floor_ms} ms; ask for a later time")
        self.at_ms = at_ms
        self.floor_ms = floor_ms


class SnapshotError(PlantError):
    """A stored plant that cannot be restored: `key` is what is missing or wrong."""

    def __init__(self, key: str, problem: str) -> None:
        super().__init__(f"plant snapshot: {key}: {problem}; the state does not fit this pump")
        self.key = key
        self.problem = problem
