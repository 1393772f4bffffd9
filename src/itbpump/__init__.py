"""Companion of an intrathecal pump: reads and programs it over a serial line, and lets nothing unsafe through.

What people import: `connect(url) -> Pump`, `Pump`, `review(rx, current)`, `forecast(rx)`, `load_prescription`. Loaded when first used, so
that `import itbpump` costs nothing. A research and engineering tool, not a medical device.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from itbpump.errors import ItbPumpError
    from itbpump.forecast import forecast
    from itbpump.outcome import Applied, NotApplied, Unknown
    from itbpump.pump import Pump, connect
    from itbpump.safety import review
    from itbpump.therapy import load_prescription

__all__ = ["Applied", "ItbPumpError", "NotApplied", "Pump", "Unknown", "connect", "forecast", "load_prescription", "review"]

_HOMES = {
    "Applied": "itbpump.outcome",
    "ItbPumpError": "itbpump.errors",
    "NotApplied": "itbpump.outcome",
    "Pump": "itbpump.pump",
    "Unknown": "itbpump.outcome",
    "connect": "itbpump.pump",
    "forecast": "itbpump.forecast",
    "load_prescription": "itbpump.therapy",
    "review": "itbpump.safety",
}


def __getattr__(name: str) -> object:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return [*__all__, *globals()]
