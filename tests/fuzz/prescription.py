"""Harness of the prescription file: any text is a prescription that can be reviewed, or a PrescriptionError that names its problems.

An input is the file itself. Not here: whether a review is right (`tests/unit/safety`), only that it ends, by one or a documented error.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Final

from itbpump.errors import DataError, PrescriptionError
from itbpump.safety import review
from itbpump.therapy import Prescription, dump_prescription, load_prescription
from tests.fuzz.harness import Harness, mutate_lines

__all__ = ["EXAMPLES", "PRESCRIPTION"]

EXAMPLES = sorted((Path(__file__).parents[2] / "examples").glob("*.toml"))
_LONGEST_FORM = 400_000
"""Characters of a review as JSON; a full week of 7 × 48 steps takes some 100,000."""


class _File:
    """What `load_prescription` reads."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __str__(self) -> str:
        return "fuzz.toml"

    def read_bytes(self) -> bytes:
        return self._content


@cache
def _present() -> Prescription:
    """A running therapy to compare with."""
    return load_prescription(EXAMPLES[0])


def run_prescription(data: bytes) -> None:
    """Load, write, load again; review alone, against a therapy in force, and as the therapy in force."""
    try:
        rx = load_prescription(_File(data))
    except PrescriptionError as error:
        _named(error)
        return
    assert load_prescription(dump_prescription(rx)) == rx, "what is written is not what was read"
    for wanted, current in ((rx, None), (rx, _present()), (_present(), rx)):
        try:
            judged = review(wanted, current)
        except DataError:  # no such profile or drug
            continue
        form = json.dumps(judged.json())
        assert len(form) <= _LONGEST_FORM, "a review without bound"
        assert judged.verdict, "a review without a verdict"


def _named(error: PrescriptionError) -> None:
    assert 1 <= len(error.problems) <= 2_000, "an error without a problem, or with problems without bound"


_TEXTS: Final = """
0 mL|40 mL|9999999 mL|0.00001 mcg/mL|9999999 mg/mL|2000 mcg/mL|1 mcg/day|9999999 mg/day|0 mcg/day|200 mcg/day|8 mcg/h|0 mcg|9999999 mg|5 mcg
1m|0m|24h|9999h|1h30m|00:00|23:59|24:00|P-20|P-40|V-40|X|baclofen|morphine|spinal|cerebral|continuous|flex|periodic-bolus|minimum-rate|stopped
auto|refused|catheter|path|\\u0000||2026-11-22T10:00:00-05:00
"""
_WORDS: Final = (
    *(f'"{word}"' for line in _TEXTS.strip().splitlines() for word in line.split("|")),
    *("0", "-1", "130", "9" * 400, "9" * 5000, "1e400", "nan", "true", "[]", "{}", '["mon"]', '["mon", "mon"]', '"' + "é" * 201 + '"'),
    *("2026-11-22", "2026-11-22T10:00:00-05:00", "2026-11-22T10:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"),
    *("0001-01-01", "9999-12-31", "10:00:00", "[" * 400, "{a=" * 300, '"""', "'''", "a" + ".a" * 300 + " = 1"),
    *('{ at = "00:00", rate = "8 mcg/h" }', '[{ at = "00:00", rate = "8 mcg/h" }]'),
)
_LINES: Final = tuple(
    {line for path in EXAMPLES for line in path.read_text().splitlines() if line}
    | {f"[{name}]" for name in ("bridge", "prime", "session", "screening", "therapy.patient_bolus", "catheter", "x")}
    | {"[[medication]]", "[[therapy.pattern]]", "implanted_on = 2020-01-01", "filled_on = 2026-11-22", "since = 2026-11-22T10:00:00-05:00"}
    | {
        'plan = "auto"',
        'scope = "path"',
        'author = "A"',
        'second = "B"',
        'class = "opioid"',
        "conditions = []",
        "a = " + "[" * 2000,
        "a" + ".a" * 300 + " = 1",
    }
)
PRESCRIPTION = Harness("prescription", run_prescription, mutate_lines(sorted(_LINES), _WORDS), max_bytes=16_384, max_calls=400_000)
