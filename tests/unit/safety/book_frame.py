"""The book of the frame: what the rules about slips of entry, path and reservoir say, one page for each side of every edge.

`python -m tests.unit.safety.book_frame --write` writes it again. Not here: the cases (`book_frame_entry`, `book_frame_times`).
"""

from __future__ import annotations

from pathlib import Path

from itbpump.safety import review, rules_catheter, rules_entry
from tests.unit.safety.book import Page, page, write
from tests.unit.safety.book_frame_entry import CASES_DOSE, Case
from tests.unit.safety.book_frame_times import CASES_PATH, CASES_TIMES

BOOK = Path(__file__).with_suffix(".json")
ENTRY, CATHETER = set(rules_entry.RULES.rules), set(rules_catheter.RULES.rules)
CHAPTERS: dict[str, tuple[dict[str, Case], set[str]]] = {
    "doses": (CASES_DOSE, ENTRY),
    "times": (CASES_TIMES, ENTRY),
    "path and reservoir": (CASES_PATH, ENTRY | CATHETER),
}


def pages() -> dict[str, Page]:
    """Every page, as it is said now; an empty one says that nothing is found."""
    return {
        f"{chapter}: {name}": page(review(rx, current, **more), parts=("findings",), rules=rules)
        for chapter, (cases, rules) in CHAPTERS.items()
        for name, (rx, current, more) in cases.items()
    }


if __name__ == "__main__":
    write(BOOK, pages())
