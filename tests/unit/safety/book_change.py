"""The book of changes: what the review says of a change of dose, a new start, the path, drug and patient, the pump, and the moment.

One page for each situation of each rule, on both sides of every limit. `python -m tests.unit.safety.book_change --write` writes it again.
"""

from __future__ import annotations

from pathlib import Path

from tests.unit.safety.book import Page, write
from tests.unit.safety.book_change_dose import DOSE_CHAPTERS
from tests.unit.safety.book_change_drug import DRUG_CHAPTERS
from tests.unit.safety.book_change_path import PATH_CHAPTERS
from tests.unit.safety.book_change_pump import PUMP_CHAPTERS

BOOK = Path(__file__).with_suffix(".json")


def pages() -> dict[str, Page]:
    """Every page, as it is said now."""
    return {name: make() for name, make in {**DOSE_CHAPTERS, **PATH_CHAPTERS, **DRUG_CHAPTERS, **PUMP_CHAPTERS}.items()}


if __name__ == "__main__":
    write(BOOK, pages())
