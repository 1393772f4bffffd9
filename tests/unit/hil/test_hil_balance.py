"""The balance: a stream of readings in any pieces gives the same volume, and what is no reading is never guessed."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.hil.balance import Balance, balance_of
from itbpump.hil.errors import BalanceError, TargetsError


class Pieces:
    """A source that gives one piece each time it is asked."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def read(self) -> bytes:
        return self.pieces.pop(0) if self.pieces else b""

    def close(self) -> None:
        self.pieces = []


def _balance(*pieces: bytes, density: Fraction = Fraction(1), whole_lines: bool = True) -> Balance:
    return Balance("bench", Pieces(list(pieces)), density, whole_lines=whole_lines, sleep=lambda _: None)


@given(st.lists(st.integers(0, 40_000_000), min_size=1, max_size=30), st.data())
def test_volume_does_not_depend_on_how_the_stream_is_cut(micrograms: list[int], data: st.DataObject) -> None:
    stream = "".join(f"{place * 100},{value // 1_000_000}.{value % 1_000_000:06d}\r\n" for place, value in enumerate(micrograms)).encode()
    cuts = sorted(data.draw(st.sets(st.integers(1, len(stream) - 1), max_size=8)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    balance = _balance(*pieces)
    for piece in pieces:  # all of it is taken, whether or not a piece completes a reading
        balance._take(piece)
    assert balance._first is not None
    assert balance._last is not None
    assert (balance._first[1], balance._last[1]) == (Fraction(micrograms[0], 1_000_000), Fraction(micrograms[-1], 1_000_000))


@pytest.mark.parametrize(("last", "nL"), [("19.9875", 12_500), ("20.0125", 12_500), ("20", 0)])
def test_grams_are_volume_by_the_density(last: str, nL: int) -> None:
    assert _balance(f"0,20\n100,{last}\n".encode()).delivered_nL() == nL
    assert _balance(f"0,20\n100,{last}\n".encode(), density=Fraction(5, 4)).delivered_nL() == nL * 4 // 5


def test_first_line_of_a_stream_may_be_cut() -> None:
    assert _balance(b"7,9.5\n100,20\n200,20.001\n", whole_lines=False).delivered_nL() == 1_000
    assert _balance(b"# started\n\n100,20\n200,20.001\n").delivered_nL() == 1_000


@pytest.mark.parametrize("line", [b"x,1", b"1", b"1,2,3", b"1,nan", b"-1,2", b"1,1e3", b"1,2 g", b"\xff,1"])
def test_line_that_is_no_reading_is_told(line: bytes) -> None:
    with pytest.raises(BalanceError, match="no reading"):
        _balance(b"0,1\n" + line + b"\n").delivered_nL()


def test_clock_that_goes_back_is_told() -> None:
    with pytest.raises(BalanceError, match="goes back from 200 to 100"):
        _balance(b"200,1\n100,2\n").delivered_nL()


def test_silent_balance_is_told_after_its_patience() -> None:
    slept: list[float] = []
    balance = Balance("bench", Pieces([b"0,1\n"]), Fraction(1), patience_s=3, sleep=slept.append)
    assert balance.delivered_nL() == 0
    with pytest.raises(BalanceError, match="said nothing for 3 s"):
        balance.delivered_nL()
    assert 2.9 < sum(slept) < 3.1


def test_endless_line_is_told() -> None:
    with pytest.raises(BalanceError, match="over 1024 bytes"):
        _balance(b"1" * 2_000).delivered_nL()


def test_file_that_grows_is_followed(tmp_path: Path) -> None:
    file = tmp_path / "balance.csv"
    file.write_bytes(b"0,10\n")
    balance = balance_of("bench", {"source": f"file:{file}", "density_g_per_mL": "1.25"}, lambda _: None)
    try:
        assert balance.delivered_nL() == 0
        with file.open("ab") as out:
            out.write(b"1000,10.125\n")
        assert balance.delivered_nL() == 100_000
    finally:
        balance.close()


@pytest.mark.parametrize(
    "table",
    [
        {"density_g_per_mL": "1"},
        {"source": "file:x", "density_g_per_mL": 1.004},
        {"source": "file:x", "density_g_per_mL": "0"},
        {"source": "file:x", "density_g_per_mL": "1", "patience_s": 0},
        {"source": "file:x"},
    ],
)
def test_table_that_makes_no_sense_is_refused(table: dict[str, object]) -> None:
    with pytest.raises(TargetsError):
        balance_of("bench", table, lambda _: None)


def test_balance_that_is_absent_is_told(tmp_path: Path) -> None:
    with pytest.raises(BalanceError, match="cannot be opened"):
        balance_of("bench", {"source": f"file:{tmp_path}/absent", "density_g_per_mL": "1"}, lambda _: None)
