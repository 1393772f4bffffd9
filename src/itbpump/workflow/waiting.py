"""A point of a checklist that is done by waiting: what is left in words, and what ticking it early takes.

The wait runs by the pump's clock. Nobody is held up by it: whoever goes on earlier gives a reason, which stands on the checklist and in the
report of the visit. Pure. Not here: which points wait (`checklists`), reading the pump.
"""

from __future__ import annotations

from itbpump.workflow.fields import FieldError
from itbpump.workflow.model import WalkStep

__all__ = ["early_lines", "is_over", "wait_text"]

MINUTE_MS = 60_000
SHORTEST_REASON = 3
"""Signs of a reason: one letter is a key that was hit."""


def is_over(step: WalkStep, uptime_ms: int | None) -> bool:
    """The point can be ticked without a reason: nothing has to be waited for, or it was, by the pump's clock (None: not known)."""
    return step.left_ms is None or (uptime_ms is not None and step.left_ms(uptime_ms) == 0)


def wait_text(step: WalkStep, uptime_ms: int | None, *, live: bool = True) -> str:
    """`12 min left`, minutes rounded up; empty for a point that is not waited for. `uptime_ms`: the pump's at the last reading, None where
    there was none; `live`: that reading is of now."""
    if step.left_ms is None:
        return ""
    if uptime_ms is None:
        return "not known how long: the pump was not read"
    left_ms = step.left_ms(uptime_ms)
    if left_ms is None:
        return "the wait has not begun: take the points before it first"
    words = f"{-(-left_ms // MINUTE_MS):,} min left" if left_ms else "the wait is over"
    return words if live or not left_ms else f"{words} at the last reading; the line is not live"


def early_lines(step: WalkStep, uptime_ms: int | None, reason: str) -> tuple[str, ...]:
    """What stands beside a point that was ticked before its wait was over. Raises FieldError for no reason."""
    if len(reason.strip()) < SHORTEST_REASON or not reason.isprintable():
        raise FieldError("reason", "a point that waits is ticked early only with a reason", "wait, or say in words why not")
    return (f"ATTENTION: ticked early ({wait_text(step, uptime_ms)}): {reason.strip()}",)
