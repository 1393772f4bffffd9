"""The pump's event log as a table in words, and which entries belong to which group of kinds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from itbpump.wording.layout import WIDTH, columns

if TYPE_CHECKING:
    from itbpump.wire.messages import LogEntry

__all__ = ["is_wanted", "kind_names", "log_lines", "uptime_text"]


def kind_names() -> list[str]:
    """Groups and kinds of log entries, as `--kind` takes them."""
    from itbpump.wire.messages import LogKind
    from itbpump.wording.words import log_groups

    return [*log_groups(), *(kind.name.lower().replace("_", "-") for kind in LogKind)]


def is_wanted(entry: LogEntry, wanted: frozenset[str]) -> bool:
    """By its kind; of the commands carried out a therapy's are those that change what is given."""
    from itbpump.wire.messages import LogKind
    from itbpump.wording.pumpview import dose_kinds

    if entry.kind is LogKind.COMMITTED and "committed" not in wanted:
        return "dose_command" in wanted and entry.b >> 32 in dose_kinds()
    return entry.kind.name.lower() in wanted


def log_lines(entries: Sequence[LogEntry]) -> list[str]:
    """Entries as a table, the newest first: number, the pump's age, its label of the wall clock where any is set, what happened."""
    from itbpump.wording.words import log_words, wall_text

    known = any(entry.wall_s for entry in entries)
    widths = [6, 14, *([17] if known else [])]
    widths.append(WIDTH - sum(widths) - 2 * len(widths))
    heads = ["number", "pump's uptime", *(["clock (UTC)"] if known else []), "newest first"]
    lines = columns(heads, widths)
    for entry in reversed(entries):
        wall = [wall_text(entry.wall_s).removesuffix(" UTC")[:-3] if entry.wall_s else ""] if known else []
        lines += columns([f"{entry.seq:>6}", f"{uptime_text(entry.uptime_ms):>14}", *wall, log_words(entry)], widths)
    return lines


def uptime_text(uptime_ms: int) -> str:
    """`77 d 06:00:00` of pump time."""
    seconds = uptime_ms // 1_000
    days, rest = divmod(seconds, 86_400)
    return f"{days:,} d {rest // 3_600:02d}:{rest % 3_600 // 60:02d}:{rest % 60:02d}"
