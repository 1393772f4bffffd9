"""What the fuzzers found: each was once a crash or a hang. Here because the input is too large for the corpus, or says more by name."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from firmware_sim.faults.errors import FaultError
from firmware_sim.faults.plan import parse_plan
from firmware_sim.state_file import StateFileError, decode_state
from itbpump.errors import PrescriptionError
from itbpump.therapy import load_prescription
from tests.fuzz.prescription import EXAMPLES
from tests.fuzz.state import behind_a_header, patched, started


def _dated(as_of: str) -> str:
    """An example of another day."""
    return re.sub(r"(?m)^as_of = .*$", f"as_of = {as_of}", EXAMPLES[0].read_text())


NO_PRESCRIPTIONS = {
    "tables nested without end": "a = " + "[" * 3_000,
    "inline tables nested without end": "a = " + "{a=" * 3_000,
    "a number of thousands of digits": "a = " + "9" * 5_000,
    "a hexadecimal one": "schema = 0x" + "f" * 5_000,
    "a key of a hundred thousand parts": "a" + ".a" * 100_000 + " = 1",
    "a year from which dates leave the calendar": _dated("9999-12-31T10:00:00-05:00"),
    "the first year, east of Greenwich": _dated("0001-01-01T00:00:00+14:00"),
}


@pytest.mark.parametrize("text", NO_PRESCRIPTIONS.values(), ids=NO_PRESCRIPTIONS)
def test_text_that_once_crashed_the_reader_is_no_prescription(text: str) -> None:
    with pytest.raises(PrescriptionError):
        load_prescription(text)


@pytest.mark.parametrize("text", ["a = " + "[" * 3_000, "a = " + "9" * 5_000], ids=["nested", "digits"])
def test_text_that_crashes_toml_is_no_fault_plan(text: str) -> None:
    with pytest.raises(FaultError):
        parse_plan(text)


@pytest.mark.parametrize("payload", [b'{"a":1e999}', b'{"a":NaN}', b'{"a":-Infinity}', b'{"a":{"$bytes":"","b":1}}'])
def test_state_that_could_not_be_saved_again_is_not_read(payload: bytes) -> None:
    with pytest.raises(StateFileError):
        decode_state(behind_a_header(payload), Path("x.pump"))


@pytest.mark.parametrize(
    "patch",
    [
        {"profile": 0},
        {"serial": []},
        {"seed": None},
        {"powered": 1},
        {"plant": {"now_ms": 1 << 64}},
        {"clock_offset_ms": "1"},
        {"clock_offset_ms": 1 << 64},
        {"clock_offset_ms": -(1 << 64)},
    ],
    ids=str,
)
def test_pump_of_foreign_figures_is_refused_by_name(patch: dict[str, object]) -> None:
    with pytest.raises(StateFileError, match="now_ms" if "plant" in patch else next(iter(patch))):
        started(patched(json.dumps(patch).encode()))
