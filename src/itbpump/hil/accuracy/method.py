"""The figures of the method, read from `method.toml`: sets of windows, sample intervals, spans. Not here: any limit of any pump."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any

from itbpump.hil.accuracy.errors import AccuracyError

__all__ = ["FlowMethod", "WindowSet", "load_method", "read_method"]

MARKS = ("R", "R2", "M", "X", "D")
SCHEMA = "itbpump.flow-method/1"


@dataclass(frozen=True, slots=True)
class WindowSet:
    """Observation windows P, ms, rising, each a whole number of sample intervals S = `step_ms`. Raises AccuracyError otherwise."""

    step_ms: int
    windows_ms: tuple[int, ...]

    def __post_init__(self) -> None:
        rising = all(low < high for low, high in zip((0, *self.windows_ms), self.windows_ms, strict=False))
        if self.step_ms < 1 or not self.windows_ms or not rising or any(window % self.step_ms for window in self.windows_ms):
            raise AccuracyError(
                f"windows {self.windows_ms} ms do not fit samples every {self.step_ms} ms", "give rising windows of whole samples"
            )


@dataclass(frozen=True, slots=True)
class FlowMethod:
    """Method after IEC 60601-2-24 (safety 1.5): two window sets, start-up span, share of windows, number of boluses."""

    short: WindowSet
    long: WindowSet
    startup_span_ms: int
    share_window_ms: int
    share_within_percent: int
    bolus_succession: int


@cache
def load_method() -> FlowMethod:
    """The method this project uses."""
    return read_method(resources.files("itbpump.hil.accuracy").joinpath("method.toml").read_text("utf-8"))


def read_method(text: str) -> FlowMethod:
    """A method from TOML text. Raises AccuracyError for another schema, a figure without mark and source, or one that is missing."""
    data = tomllib.loads(text)
    if data.get("schema") != SCHEMA:
        raise AccuracyError(f"schema {data.get('schema')!r} is no flow method", f'write schema = "{SCHEMA}"')
    return FlowMethod(
        short=WindowSet(_figure(data, "short", "step_ms"), tuple(_figure(data, "short", "windows_ms"))),
        long=WindowSet(_figure(data, "long", "step_ms"), tuple(_figure(data, "long", "windows_ms"))),
        startup_span_ms=_figure(data, "startup", "span_ms"),
        share_window_ms=_figure(data, "share", "window_ms"),
        share_within_percent=_figure(data, "share", "within_percent"),
        bolus_succession=_figure(data, "bolus", "succession"),
    )


def _figure(data: dict[str, Any], table: str, key: str) -> Any:
    figure = data.get(table, {}).get(key, {})
    if "value" not in figure or figure.get("mark") not in MARKS or not figure.get("source"):
        raise AccuracyError(f"[{table}] {key} has no value, mark and source", f"give all three; marks are {', '.join(MARKS)}")
    return figure["value"]
