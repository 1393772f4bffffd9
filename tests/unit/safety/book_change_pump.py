"""Chapters of the book of changes: what the pump can do, and the moment: alarms, dates, days.

P-40: 0.048 to 24 mL/day, pulses of 0.0005 mL, 40 mL, 14.5 percent. A whole nL a day at 500 mcg/mL is 0.0005 mcg, at 2000 it is 0.002 mcg.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from unittest.mock import patch

from msgspec.structs import replace

from itbpump.configuration import wire_configuration
from itbpump.forecast import ForecastDisagreement
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import Mass, Volume
from itbpump.safety import Review, review
from itbpump.schedule import WEEK_MS
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, RunState
from tests.golden.cases import UPTIME_MS, fresh, pump
from tests.unit.safety.book_change_dose import LEAST, NOW, RUNNING, STOP
from tests.unit.safety.book_change_path import refill
from tests.unit.safety.book_change_rows import AS_OF, BACLOFEN, MINUTE_MS, Chapter, at, chapter, of_dose, row, with_figure
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

P40 = load_profile("P-40")
FULL: dict[str, Any] = {"refill": Volume(38_000_000)}


def of(concentration: str, dose: str, profile: str = "P-40") -> Prescription:
    return of_dose(dose, drug=at(f"{concentration} mcg/mL"), pump={"profile": profile})


FLOW_RANGE = chapter(
    "flow-range",
    row("the least flow", of("500", "24 mcg/day")),
    row("just below the least flow", of("500", "23.999 mcg/day")),
    row("the least flow of a weaker one", of("2000", "24 mcg/day")),
    row("just below the least flow of a weaker one", of("2000", "23.999 mcg/day")),
    row("weaker ones carry it", of("2000", "50 mcg/day")),
    row("the highest flow", of("500", "12000 mcg/day")),
    row("just above the highest flow", of("500", "12000.001 mcg/day")),
    row("the highest flow of a stronger one", of("500", "24000 mcg/day")),
    row("above the highest flow of a stronger one", of("500", "24000.001 mcg/day")),
    row("above any", of("500", "72000.002 mcg/day")),
    row("no rate at all", of("2000", "0 mcg/day")),
    row("no rate at all from a pump that can", of("2000", "0 mcg/day", "V-40")),
    row("a background", prescription(periodic("30 mcg", "30m", "24h", "20 mcg/day"))),
    row("steps", prescription(flex(rate("00:00", "1 mcg/h"), rate("06:00", "8 mcg/h"), rate("22:00", "3000 mcg/h")))),
    row("days", prescription(flex(rate("00:00", "1 mcg/h"), days=("sat", "sun")))),
    row("a stop", prescription(STOP)),
    row("the minimum rate", prescription(LEAST)),
)


def every(dose: str, over: str, period: str = "24h", **tables: Any) -> Prescription:
    return prescription(periodic(dose, over, period), **tables)


BOLUS_DELIVERY = chapter(
    "bolus-delivery",
    row("a constant rate", NOW),
    row("40 mcg in 30 min", every("40 mcg", "30m")),
    row("half a pulse", every("0.5 mcg", "30m")),
    row("too fast", every("40 mcg", "1m")),
    row("too slow", every("1 mcg", "20h")),
    row("a step", prescription(flex(rate("00:00", "4 mcg/h"), bolus("06:00", "40 mcg", "1m")))),
    row("the patient's", prescription(
        continuous("200 mcg/day", patient_bolus={"dose": "40 mcg", "over": "1m", "lockout": "4h", "max_per_day": 1}))),
)  # fmt: skip

PERCENT_25, PERCENT_24 = (with_figure(BACLOFEN, rounding_soft_percent=percent) for percent in (25, 24))
PERCENT_20, PERCENT_19 = (with_figure(BACLOFEN, rounding_soft_percent=percent) for percent in (20, 19))


def asking(dose: str, over: str = "10m", lockout: str = "4h", count: int = 3, **tables: Any) -> Prescription:
    """A patient bolus beside a constant dose."""
    own = {"dose": dose, "over": over, "lockout": lockout, "max_per_day": count}
    return prescription(continuous("200 mcg/day", patient_bolus=own), **tables)


ACHIEVABLE = chapter(
    "achievable",
    row("200 mcg/day", NOW),
    row("a rate of less than a whole nL a day", of("2000", "0.003 mcg/day", "V-40")),
    row("a rate of nothing", of("2000", "0 mcg/day", "V-40")),
    row("a rate that is rounded away", of("2000", "0.001 mcg/day", "V-40")),
    row("1.4 mcg, given as 1", every("1.4 mcg", "30m")),
    row("1.6 mcg, given as 2", every("1.6 mcg", "30m")),
    row("10.4 mcg, given as 10", every("10.4 mcg", "30m")),
    row("half a pulse is told by another rule", every("0.5 mcg", "30m")),
    row("25 percent more of 25", every("0.8 mcg", "30m"), library=PERCENT_25),
    row("25 percent more of 24", every("0.8 mcg", "30m"), library=PERCENT_24),
    row("20 percent less of 20", every("1.25 mcg", "30m"), library=PERCENT_20),
    row("20 percent less of 19", every("1.25 mcg", "30m"), library=PERCENT_19),
    row("the patient's", asking("1.4 mcg")),
    row("the patient's of a weaker one", asking("1.4 mcg", drug=at("500 mcg/mL"))),
)


def holds(volume: str, alarm: str | None = "6.5 mL", **more: Any) -> Prescription:
    return of_dose("200 mcg/day", pump={"reservoir_volume": volume, "low_reservoir_alarm": alarm, **more})


RESERVOIR = chapter(
    "reservoir",
    row("full", holds("40 mL")),
    row("more than full", holds("40.000001 mL")),
    row("at the alarm", holds("6.5 mL")),
    row("just above the alarm", holds("6.500001 mL")),
    row("below the alarm", holds("3 mL")),
    row("at the alarm by the pump's count", NOW, pump(NOW, reservoir_nL=6_500_000)),
    row("just above the alarm by the pump's count", NOW, pump(NOW, reservoir_nL=6_500_001)),
    row("a refill to the alarm", NOW, RUNNING, refill=Volume(6_500_000)),
    row("a refill above the capacity", NOW, RUNNING, refill=Volume(40_000_001)),
    row("a new pump below the alarm", holds("6 mL"), fresh(NOW)),
    row("both", holds("41 mL", "41 mL")),
)

# domain 0.3: (V t + r) / (1 + t) = (38 × 0.145 + 1.4) / 1.145 = 6.91 / 1.145 = 6.034934498 mL, up to 6.034935; full: 7.2 / 1.145 = 6.288210
ALARM_VOLUME = chapter(
    "alarm-volume",
    row("what always comes before dryness", holds("38 mL", "6.034935 mL")),
    row("just below", holds("38 mL", "6.034934 mL")),
    row("the pump's own", holds("38 mL", None)),
    row("full, what always comes before dryness", holds("40 mL", "6.28821 mL")),
    row("full, just below", holds("40 mL", "6.288209 mL")),
    row("more than full is judged as full", holds("41 mL", "6.28821 mL")),
    row("at the residual", holds("38 mL", "1.4 mL")),
    row("just above the residual", holds("38 mL", "1.400001 mL")),
    row("at the capacity", holds("38 mL", "40 mL")),
    row("just below the capacity", holds("38 mL", "39.999999 mL")),
)


def path(volume: str, profile: str = "P-40") -> Prescription:
    return of_dose("200 mcg/day", catheter={"path_volume": volume}, pump={"profile": profile})


PATH_VOLUME = chapter(
    "path-volume",
    row("the least", path("0.14 mL")),
    row("just below the least", path("0.139999 mL")),
    row("the largest", path("0.5 mL")),
    row("just above the largest", path("0.500001 mL")),
)

PATIENT_BOLUS = chapter(
    "patient-bolus",
    row("none", NOW),
    row("within all limits", asking("50 mcg", lockout="1h", count=12)),
    row("a lockout of 59 min", asking("20 mcg", lockout="59m")),
    row("thirteen in 24 h", asking("20 mcg", lockout="1h", count=13)),
    row("just above 50 mcg", asking("50.001 mcg")),
    row("just above 50 mcg of a weaker one", asking("50.001 mcg", drug=at("500 mcg/mL"))),
    row("50.5 mcg, given as 52", asking("50.5 mcg", pump={"profile": "V-40"})),
    row("48.6 mcg, given as 49, of a library with 48.8", asking("48.6 mcg"), library=with_figure(
        BACLOFEN, patient_bolus_hard=Mass.parse("48.8 mcg"))),
    row("all at once", asking("60 mcg", lockout="30m", count=24)),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ the moment
ALARMS = chapter(
    "alarms",
    row("nothing known of the present", NOW),
    row("silence", NOW, RUNNING),
    row("a file", NOW, NOW),
    row("a motor stall", NOW, pump(NOW, alarms=(AlarmNumber.MOTOR_STALL,))),
    row("all of them", NOW, pump(NOW, alarms=tuple(AlarmNumber))),
)


def read(after: timedelta, rx: Prescription = NOW, **state: Any) -> Any:
    """The pump, read so long after the date of the prescription."""
    return pump(rx, host_now=AS_OF + after, **state)


DAY, SECOND_ = timedelta(days=1), timedelta(seconds=1)
AS_OF_DATE = chapter(
    "as-of",
    row("no time of decision", NOW),
    row("a day ago", NOW, now=AS_OF + DAY),
    row("just over a day ago", NOW, now=AS_OF + DAY + SECOND_),
    row("two days ago", NOW, now=AS_OF + 2 * DAY),
    row("a day ahead", NOW, now=AS_OF - DAY),
    row("just over a day ahead", NOW, now=AS_OF - DAY - SECOND_),
    row("three days ahead", NOW, now=AS_OF - 3 * DAY),
    row("40 days ago beside the pump, which keeps its count", NOW, read(40 * DAY)),
    row("40 days ago beside a new pump, which takes the volume", NOW, read(40 * DAY, configuration=None, run_state=RunState.UNCONFIGURED)),
    row("40 days ago with a refill, whose volume counts", NOW, read(40 * DAY), **FULL),
    row("of the 5th", of_dose("200 mcg/day", pump={"as_of": AS_OF - 17 * DAY}), now=AS_OF),
    row("of the 30th", of_dose("200 mcg/day", pump={"as_of": AS_OF + 8 * DAY}), now=AS_OF),
    row("40 days ago beside the file", NOW, NOW, now=AS_OF + 40 * DAY),
)

WEEKLY = prescription(flex(rate("00:00", "8 mcg/h"), rate("12:00", "9 mcg/h")))
# The prescription's time is Sunday 10:00, so its week is at 154 h.
IN_TIME_MS = (154 * 60 * MINUTE_MS - UPTIME_MS) % WEEK_MS


def week(gap_ms: int) -> Any:
    """A pump whose day is so far from the prescription's."""
    configuration = replace(wire_configuration(WEEKLY, P40), week_offset_ms=(IN_TIME_MS + gap_ms) % WEEK_MS)
    return pump(WEEKLY, configuration=configuration)


PUMP_DAY = chapter(
    "pump-day",
    row("nothing known of the present", WEEKLY),
    row("a file", WEEKLY, WEEKLY),
    row("a new pump", WEEKLY, fresh(WEEKLY)),
    row("no steps", NOW, pump(NOW, configuration=replace(wire_configuration(NOW, P40), week_offset_ms=5))),
    row("in time", WEEKLY, week(0)),
    row("a minute ahead", WEEKLY, week(MINUTE_MS)),
    row("just over a minute ahead", WEEKLY, week(MINUTE_MS + 1)),
    row("a minute behind", WEEKLY, week(-MINUTE_MS)),
    row("just over a minute behind", WEEKLY, week(-MINUTE_MS - 1)),
    row("two hours and a half ahead", WEEKLY, week(150 * MINUTE_MS)),
    row("15 h behind, in another week", WEEKLY, week(-155 * 60 * MINUTE_MS)),
    row("15 h ahead, in another week", WEEKLY, week(15 * 60 * MINUTE_MS)),
    row("half a week", WEEKLY, week(WEEK_MS // 2)),
)


def disagreeing() -> Review:
    """As if the two computations of the dates disagreed."""
    with patch("itbpump.safety.review.forecast", side_effect=ForecastDisagreement("empty, latest", 86_400_000, None)):
        return review(NOW)


MIDNIGHT = AS_OF - timedelta(hours=10)
DATES = chapter(
    "dates",
    row("far ahead", NOW),
    row("the alarm is a day off", holds("6.6 mL")),
    row("below the alarm", holds("6 mL")),
    row("due today, at midnight", holds("6.55 mL", as_of=MIDNIGHT)),
    row("a stop", prescription(STOP)),
    row("more in the reservoir than was filled", NOW, pump(NOW, reservoir_nL=30_000_000, history=History(filled_nL=20_000_000))),
    ("two computations that disagree", disagreeing),
    row("beside a pump", NOW, RUNNING),
    row("with a refill", NOW, RUNNING, **refill(0)),
)


PUMP_CHAPTERS: Chapter = {
    **FLOW_RANGE, **BOLUS_DELIVERY, **ACHIEVABLE, **RESERVOIR, **ALARM_VOLUME, **PATH_VOLUME, **PATIENT_BOLUS,
    **ALARMS, **AS_OF_DATE, **PUMP_DAY, **DATES,
}  # fmt: skip
