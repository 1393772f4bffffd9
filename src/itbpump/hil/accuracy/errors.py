"""What an analysis of flow refuses."""

from __future__ import annotations

from itbpump.hil.errors import HilError

__all__ = ["AccuracyError"]


class AccuracyError(HilError, ValueError):
    """Samples, windows or boluses that make no analysis; `problem` and `action` say what is wrong and what to do."""

    def __init__(self, problem: str, action: str) -> None:
        super().__init__(f"{problem}; {action}", action=action)
        self.problem = problem
