"""Runs one of the transition tables of `tables.py`.

The tables are data from `protocols/itbp1.toml`, and so are the charts in SPEC.md; this module only looks rows up. An event that has no
row in the present state changes nothing and is counted.
"""

from __future__ import annotations

from itbpump.link.tables import MACHINES

__all__ = ["StateMachine"]

_ROWS: dict[str, dict[tuple[str, str], tuple[str, str]]] = {
    name: {(row.source, row.on): (row.target, row.do) for row in machine.transitions} for name, machine in MACHINES.items()
}


class StateMachine:
    """The present state of one machine. `fire` moves it and says what to do."""

    __slots__ = ("_rows", "ignored", "name", "state")

    def __init__(self, name: str) -> None:
        self.name = name
        self.state = MACHINES[name].initial
        self.ignored = 0
        self._rows = _ROWS[name]

    def fire(self, on: str) -> str | None:
        """Take the row of (state, `on`); return its action, or None when the table has no such row."""
        row = self._rows.get((self.state, on))
        if row is None:
            self.ignored += 1
            return None
        self.state, action = row
        return action
