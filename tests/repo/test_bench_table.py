"""The table of `make bench` judges rightly: what fails a build must not depend on how a number prints."""

from __future__ import annotations

import math
from typing import Literal

import pytest

from tests.bench.__main__ import bench_names, lines, main
from tests.bench.figure import Figure


@pytest.mark.parametrize(
    ("value", "bound", "ok"),
    [
        (0.5, "at least", True),
        (0.4999, "at least", False),
        (0.5, "at most", True),
        (0.5001, "at most", False),
        (0.0, None, True),
        (math.nan, "at least", False),
        (math.nan, "at most", False),
    ],
)
def test_figure_is_judged_on_the_right_side(value: float, bound: Literal["at least", "at most"] | None, ok: bool) -> None:
    assert Figure("encode", value, 0.5, bound).ok is ok


def test_table_shows_each_figure_with_its_verdict() -> None:
    table = lines(
        [Figure("encode / floor", 0.613, 0.5), Figure("ten years", 71.0, 50, "at most", "ms", "P-40"), Figure("echo", 1.2, 0, None)]
    )
    assert [" ".join(line.split()) for line in table] == [
        "measured target",
        "encode / floor 0.613 × at least 0.5 ok",
        "ten years 71 ms at most 50 MISSED P-40",
        "echo 1.2 × reported",
    ]


def test_unknown_bench_is_named_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["codek"]) == 2
    message = capsys.readouterr().err
    assert "codek" in message
    assert all(name in message for name in bench_names())
