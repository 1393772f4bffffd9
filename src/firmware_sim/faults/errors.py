"""Errors of the fault catalogue and its plans: each says what is wrong and what to do.

FaultError ── UnknownFault
           ├─ UnsupportedFault
           ├─ PlanError
           ├─ NotNow
           └─ FaultsNotFired
"""

from __future__ import annotations

__all__ = ["FaultError", "FaultsNotFired", "NotNow", "PlanError", "UnknownFault", "UnsupportedFault"]


class FaultError(ValueError):
    """A fault cannot be planned or injected; nothing was changed."""


class UnknownFault(FaultError):
    """No row of the catalogue has this id. `nearest` is the likeliest one that has, or ""."""

    def __init__(self, fault_id: str, nearest: str, known: tuple[str, ...]) -> None:
        hint = f"; did you mean {nearest!r}?" if nearest else f"; there are: {', '.join(known)}"
        super().__init__(f"unsupported: no fault is called {fault_id!r}{hint}")
        self.fault_id = fault_id
        self.nearest = nearest


class UnsupportedFault(FaultError):
    """The catalogue has the row, but nothing injects it: the pump has no such part, or people and programs outside the pump do it."""

    def __init__(self, fault_id: str, reason: str) -> None:
        super().__init__(f"unsupported: {fault_id!r} cannot be injected: {reason}")
        self.fault_id = fault_id
        self.reason = reason


class PlanError(FaultError):
    """A plan that cannot be carried out. `where` names the place in it, such as `fault 2 (mechanical.stall): when`."""

    def __init__(self, where: str, problem: str) -> None:
        super().__init__(f"fault plan: {where}: {problem}")
        self.where = where
        self.problem = problem


class NotNow(FaultError):
    """The fault cannot happen to the pump in its present state, such as a reset without power."""


class FaultsNotFired(FaultError):
    """Declared faults never happened, so what was tested is not what was planned. `missing` has a line for each."""

    def __init__(self, missing: tuple[str, ...]) -> None:
        super().__init__("declared faults never fired: " + "; ".join(missing) + ". Run longer, or plan them where something happens")
        self.missing = missing
