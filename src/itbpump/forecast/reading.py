"""The dates of a pump from one reading of it: its status, its log, and what its refills taught.

What every face and the clinic's registry compute alike. Pure: what was read is handed in. Not here: reading a pump.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from typing import TYPE_CHECKING, Final

from itbpump.forecast.dates import forecast
from itbpump.forecast.facts import last_fill

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast.calibration import Calibration
    from itbpump.forecast.model import Forecast
    from itbpump.present import PresentPump
    from itbpump.profiles import PumpProfile
    from itbpump.wire.messages import LogEntry, Status

__all__ = ["NO_ERI", "forecast_of_reading"]

NO_ERI: Final = 65_535
"""Of `Status.eri_left_days`: the replacement indicator is not raised (itbp1.toml)."""


def forecast_of_reading(
    present: PresentPump,
    status: Status,
    log: Iterable[LogEntry],
    profile: PumpProfile,
    library: DrugLibrary | None,
    *,
    implanted_on: date | None = None,
    calibration: Calibration | None = None,
) -> Forecast:
    """The dates of a pump as it runs: its count, its last fill by its log (oldest first), its battery, what its refills taught.

    Raises as `forecast`.
    """
    fill = last_fill(log, present)
    return forecast(
        present,
        profile=profile,
        library=library,
        filled=fill.volume if fill is not None else None,
        filled_on=fill.on if fill is not None else None,
        implanted_on=implanted_on,
        eri_left_days=None if status.eri_left_days == NO_ERI else status.eri_left_days,
        bolus_left_ms=status.bolus_left_ms,
        calibration=calibration,
    )
