"""Reservoir and date bounds of one pump: when its alarm sounds, when it really runs low and empty, by when to refill.

`forecast(what)` gives a `Forecast`. Every date is computed twice, by code that shares nothing, and compared (SR-37); it is exact by the
week's pattern, earliest, nominal and latest, and always rounded to the early side where it matters (SR-36). Pure.
`forecast_of_reading(…)` is the same from one reading of a pump.
`calibrate(spans, profile)` learns a pump's true flow from its refills; `forecast(…, calibration=…)` shows it and lets it widen the bounds.
Not here: a fleet (`itbpump.fleet`), alerts, appointments.
"""

from __future__ import annotations

from importlib import import_module
from types import ModuleType
from typing import Any

from itbpump.forecast.calibration import Calibration, Drift, RefillSpan, calibrate
from itbpump.forecast.dates import forecast
from itbpump.forecast.facts import LastFill, last_fill
from itbpump.forecast.model import Bounds, Forecast, ForecastDisagreement, ForecastError, day_text
from itbpump.forecast.reading import forecast_of_reading

__all__ = [
    "Bounds",
    "Calibration",
    "Drift",
    "Forecast",
    "ForecastDisagreement",
    "ForecastError",
    "LastFill",
    "RefillSpan",
    "calibrate",
    "day_text",
    "forecast",
    "forecast_of_reading",
    "last_fill",
]


class _CallableRoom(ModuleType):
    """`itbpump.forecast` names this room and the function people import (design 2 and 5). Loading the room puts it in the function's
    place on the package, so the room can be called as well."""

    def __call__(self, *arguments: Any, **options: Any) -> Forecast:
        return forecast(*arguments, **options)


import_module(__name__).__class__ = _CallableRoom
