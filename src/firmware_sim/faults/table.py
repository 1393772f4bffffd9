"""The catalogue as a Markdown table, for docs/faults.md: `python -m firmware_sim.faults.table` prints it; a test compares. Pure."""

from __future__ import annotations

import sys

from firmware_sim.faults.catalogue import GROUPS, Row, catalogue

__all__ = ["markdown"]


def markdown() -> str:
    """One table for each group."""
    parts = []
    for group in GROUPS:
        rows = [row for row in catalogue().rows if row.group == group]
        lines = [
            f"### {group} ({len(rows)})",
            "",
            "| fault | what happens | noticed by | how, within | delivery | SR |",
            "|---|---|---|---|---|---|",
        ]
        parts.append("\n".join([*lines, *map(_line, rows)]))
    return "\n\n".join(parts) + "\n"


def _line(row: Row) -> str:
    expect = row.expect
    sign = f" Alarm `{expect.alarm}`." if expect.alarm else f" Log `{expect.log}`." if expect.log else ""
    within = f" Within {expect.within}." if expect.within else ""
    how = f"{expect.how}.{sign}{within}" if row.by != "absent" else f"not applicable: {row.reason}"
    what = row.what + (f" ({', '.join(argument.name for argument in row.arguments)})" if row.arguments and row.by == "inject" else "")
    by = expect.detected_by if row.by != "absent" else "–"
    return f"| `{row.id}` | {what} | {by} | {how} | {expect.safe_state} | {', '.join(row.srs)} |"


if __name__ == "__main__":
    sys.stdout.write(markdown())
