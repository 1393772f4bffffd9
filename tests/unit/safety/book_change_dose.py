"""Chapters of the book of changes: the change of the dose, and a new start.

At 2000 mcg/mL a whole nL a day is 0.002 mcg, so that 260.002 mcg/day is the least above 260. 200 mcg/day is the present dose where a row
names none.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, CommandKind, RunState
from tests.golden.cases import UPTIME_MS, fresh, pump
from tests.unit.safety.book_change_rows import (
    AS_OF,
    BACLOFEN,
    CEREBRAL,
    CHILD,
    HOUR_MS,
    MINUTE_MS,
    Chapter,
    at,
    chapter,
    morphine,
    of_dose,
    row,
    since,
    stopped,
    with_figure,
)
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

NOW = of_dose("200 mcg/day")
RUNNING = pump(NOW)
STOP: dict[str, Any] = {"mode": "stopped"}
LEAST: dict[str, Any] = {"mode": "minimum-rate"}
UNKNOWN_AGE: dict[str, Any] = {"last_change_kind": CommandKind.BOLUS, "last_change_ms": UPTIME_MS - HOUR_MS}


def running_since(back_ms: int, **state: Any) -> Any:
    return pump(NOW, history=History(therapy_since_ms=UPTIME_MS - back_ms), **state)


def spinal(old: str, new: str, **tables: Any) -> tuple[Prescription, Prescription]:
    """New and old of the same patient."""
    return of_dose(new, **tables), of_dose(old, **tables)


# ------------------------------------------------------------------------------------------------ more, less, nothing
INCREASE = chapter(
    "increase",
    row("nothing known of the present", NOW),
    row("the same dose", NOW, NOW),
    row("less", of_dose("100 mcg/day"), NOW),
    row("spinal, 30 percent", of_dose("260 mcg/day"), NOW),
    row("spinal, just above 30 percent", of_dose("260.002 mcg/day"), NOW),
    row("spinal, 40 percent", of_dose("280 mcg/day"), NOW),
    row("spinal, just above 40 percent", of_dose("280.002 mcg/day"), NOW),
    row("spinal, twice", of_dose("400 mcg/day"), NOW),
    row("spinal, just above twice", of_dose("400.002 mcg/day"), NOW),
    row("spinal, twelve times", of_dose("2400 mcg/day"), NOW),
    row("spinal, 30 percent beside the pump", of_dose("260 mcg/day"), RUNNING),
    row("spinal, just above 30 percent beside the pump", of_dose("260.002 mcg/day"), RUNNING),
    row("cerebral, 15 percent", *spinal("200 mcg/day", "230 mcg/day", patient=CEREBRAL)),
    row("cerebral, just above 15 percent", *spinal("200 mcg/day", "230.002 mcg/day", patient=CEREBRAL)),
    row("cerebral, just above 20 percent", *spinal("200 mcg/day", "240.002 mcg/day", patient=CEREBRAL)),
    row("17 years, 15 percent", *spinal("200 mcg/day", "230 mcg/day", patient=CHILD)),
    row("17 years, just above 15 percent", *spinal("200 mcg/day", "230.002 mcg/day", patient=CHILD)),
    row("17 years, just above 20 percent", *spinal("200 mcg/day", "240.002 mcg/day", patient=CHILD)),
    row("17 years, just above twice", *spinal("200 mcg/day", "400.002 mcg/day", patient=CHILD)),
    row("18 years, 30 percent", *spinal("200 mcg/day", "260 mcg/day", patient={"age_years": 18})),
    row("18 years, 35 percent", *spinal("200 mcg/day", "270 mcg/day", patient={"age_years": 18})),
    row("no age, 35 percent", *spinal("200 mcg/day", "270 mcg/day", patient={"age_years": None})),
    row("no indication that the library knows, 16 percent", *spinal("200 mcg/day", "232 mcg/day", patient={"indication": "dystonia"})),
    row("by the highest 24 h, patient boluses included", prescription(
        continuous("200 mcg/day", patient_bolus={"dose": "20 mcg", "over": "10m", "lockout": "4h", "max_per_day": 4})), NOW),
    row("a new pump", of_dose("500 mcg/day"), fresh(NOW)),
    row("a stopped pump", of_dose("500 mcg/day"), stopped(NOW, 1)),
    row("from no dose at all", of_dose("500 mcg/day", pump={"profile": "V-40"}), of_dose("0 mcg/day", pump={"profile": "V-40"})),
)  # fmt: skip

FIRST_PERIOD = chapter(
    "first-period",
    row("nothing known of the present", of_dose("210 mcg/day")),
    row("more of a file that says nothing of its beginning", of_dose("210 mcg/day"), NOW),
    row("the same of a file that says nothing of its beginning", NOW, NOW),
    row("more after 24 h", of_dose("210 mcg/day"), since("200 mcg/day", timedelta(hours=24))),
    row("more just before 24 h", of_dose("210 mcg/day"), since("200 mcg/day", timedelta(hours=23, minutes=59))),
    row("the least more just before 24 h", of_dose("200.002 mcg/day"), since("200 mcg/day", timedelta(hours=23))),
    row("three times as much after 2 h", of_dose("600 mcg/day"), since("200 mcg/day", timedelta(hours=2))),
    row("the same after 2 h", NOW, since("200 mcg/day", timedelta(hours=2))),
    row("less after 2 h", of_dose("190 mcg/day"), since("200 mcg/day", timedelta(hours=2))),
    row("from no dose at all", of_dose("50 mcg/day", pump={"profile": "V-40"}), of_dose("0 mcg/day", pump={"profile": "V-40"})),
    row("more than the pump gives, its log tells 24 h", of_dose("210 mcg/day"), running_since(24 * HOUR_MS)),
    row("more than the pump gives, its log tells 1 ms less", of_dose("210 mcg/day"), running_since(24 * HOUR_MS - 1)),
    row("more than the pump gives, begun this moment", of_dose("210 mcg/day"), running_since(0)),
    row("more than the pump gives, only a later bolus is known", of_dose("210 mcg/day"), pump(NOW, **UNKNOWN_AGE)),
    row("the same as the pump gives, only a later bolus is known", NOW, pump(NOW, **UNKNOWN_AGE)),
    row("morphine after 71 h", morphine("410 mcg/day"), prescription(
        continuous("400 mcg/day", since=AS_OF - timedelta(hours=71)),
        drug={"name": "morphine", "concentration": "10000 mcg/mL"}, patient={"indication": "pain"})),
)  # fmt: skip

DECREASE = chapter(
    "decrease",
    row("nothing known of the present", of_dose("100 mcg/day")),
    row("20 percent", of_dose("160 mcg/day"), NOW),
    row("just above 20 percent", of_dose("159.998 mcg/day"), NOW),
    row("to a tenth, beside the pump", of_dose("20 mcg/day"), RUNNING),
    row("more", of_dose("260 mcg/day"), NOW),
    row("a stop is not a decrease", prescription(STOP), NOW),
    row("the minimum rate is not a decrease", prescription(LEAST), NOW),
    row("a stopped pump", of_dose("20 mcg/day"), stopped(NOW, 1)),
    row("morphine, just above 20 percent", morphine("799.99 mcg/day"), morphine("1000 mcg/day")),
)

STOPPING = chapter(
    "stop",
    row("stop", prescription(STOP), RUNNING),
    row("minimum rate", prescription(LEAST), RUNNING),
    row("stop with nothing known of the present", prescription(STOP)),
    row("a therapy", NOW, RUNNING),
    row("morphine", prescription(STOP, drug={"name": "morphine", "concentration": "10000 mcg/mL"}, patient={"indication": "pain"})),
)

# ------------------------------------------------------------------------------------------------ a bolus with the commit
EVERY_6H = prescription(periodic("30 mcg", "1h", "6h", "48 mcg/day"))
EVERY_8H = prescription(periodic("30 mcg", "1h", "8h", "48 mcg/day"))
LARGER = prescription(periodic("31 mcg", "1h", "6h", "48 mcg/day"))
WITH_STEPS = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "40 mcg", "1h")))
SUNDAYS = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "40 mcg", "1h"), days=("sun",)))
RATES = prescription(flex(rate("00:00", "8 mcg/h"), rate("12:00", "9 mcg/h")))
WEAKER = {"drug": at("1000 mcg/mL")}
TO_1000 = prescription(periodic("30 mcg", "1h", "8h", "48 mcg/day"), bridge={"plan": "auto"}, **WEAKER)
REFUSED = prescription(periodic("30 mcg", "1h", "8h", "48 mcg/day"), bridge={"plan": "refused", "reason": "the path was rinsed"}, **WEAKER)
FULL = {"refill": Volume(38_000_000)}
BRIDGE: dict[str, Any] = {"bridge_left_pulses": 300, "path_left_pulses": 300, "path_concentration_ng_per_mL": 500_000}

AT_ONCE = chapter(
    "bolus-at-once",
    row("a constant rate", NOW, pump(EVERY_6H)),
    row("nothing known of the present", EVERY_6H),
    row("the same period and a larger bolus", LARGER, pump(EVERY_6H)),
    row("the same period in a stopped pump", EVERY_6H, stopped(EVERY_6H, 1)),
    row("another period", EVERY_8H, pump(EVERY_6H)),
    row("another period beside the file", EVERY_8H, EVERY_6H),
    row("after a day with a bolus", EVERY_8H, pump(WITH_STEPS)),
    row("after a week with a bolus on Sundays", EVERY_8H, pump(SUNDAYS)),
    row("after a week of rates", EVERY_8H, pump(RATES)),
    row("after a constant rate", EVERY_8H, RUNNING),
    row("in a new pump", EVERY_8H, fresh(EVERY_8H)),
    row("in a pump that was stopped and gave nothing for a day", EVERY_8H, stopped(EVERY_6H, 30)),
    row("in a pump that was stopped and gave the least in the last day", EVERY_8H, stopped(EVERY_6H, 1, mass_24h_ng=1)),
    row("after a file that is stopped", EVERY_8H, prescription(STOP)),
    row("with a refill into a pump that runs", EVERY_8H, pump(EVERY_6H), **FULL),
    row("with a refill into a stopped pump: it waits for the start", EVERY_8H, stopped(EVERY_6H, 1), **FULL),
    row("with a refill beside the file", EVERY_8H, EVERY_6H, **FULL),
    row("behind a bridge in force", EVERY_8H, pump(EVERY_6H, **BRIDGE)),
    row("behind the bridge of another concentration", TO_1000, pump(EVERY_6H), **FULL),
    row("another concentration without its bridge", REFUSED, pump(EVERY_6H), **FULL),
)

IDENTITY = chapter(
    "identity",
    row("nothing known of the present", NOW),
    row("the same patient and pump", NOW, NOW),
    row("another patient", NOW, of_dose("200 mcg/day", patient={"id": "P-2"})),
    row("another pump", NOW, of_dose("200 mcg/day", pump={"profile": "P-20"})),
    row("another patient with another pump", NOW, of_dose("200 mcg/day", patient={"id": "P-2"}, pump={"profile": "P-20"})),
    row("a pump tells of no patient", NOW, RUNNING),
)

# ------------------------------------------------------------------------------------------------ starts
TESTED = {"dose": "100 mcg", "effect": "8h"}
LONG = {"dose": "100 mcg", "effect": "8h1m"}


def first(dose: str, **tables: Any) -> tuple[Prescription, Any]:
    """A start of a new pump."""
    rx = of_dose(dose, **tables)
    return rx, fresh(rx)


def first_morphine(dose: str) -> tuple[Prescription, Any]:
    rx = morphine(dose)
    return rx, fresh(rx)


BOTH = with_figure(BACLOFEN, start_absolute_soft=of_dose("150 mcg/day").therapy.dose, start_absolute_second=of_dose("160 mcg/day").therapy.dose)

START = chapter(
    "start",
    row("nothing known of the present", of_dose("900 mcg/day", screening=TESTED)),
    row("a therapy is running", of_dose("900 mcg/day", screening=TESTED), RUNNING),
    row("stopped", prescription(STOP, screening=TESTED), fresh(NOW)),
    row("no screening", *first("200 mcg/day")),
    row("twice the screening dose", *first("200 mcg/day", screening=TESTED)),
    row("just above twice", *first("200.002 mcg/day", screening=TESTED)),
    row("three times", *first("300 mcg/day", screening=TESTED)),
    row("just above three times", *first("300.002 mcg/day", screening=TESTED)),
    row("a long effect, once the screening dose", *first("100 mcg/day", screening=LONG)),
    row("a long effect, just above once", *first("100.002 mcg/day", screening=LONG)),
    row("a long effect, just above one and a half times", *first("150.002 mcg/day", screening=LONG)),
    row("from a stopped pump", of_dose("300.002 mcg/day", screening=TESTED), stopped(NOW, 1)),
    row("from the minimum rate", of_dose("300.002 mcg/day", screening=TESTED), pump(prescription(LEAST))),
    row("from a file that is stopped", of_dose("300.002 mcg/day", screening=TESTED), prescription(STOP)),
    row("morphine, 1 mg", *first_morphine("1000 mcg/day")),
    row("morphine, just above 1 mg", *first_morphine("1000.01 mcg/day")),
    row("morphine, 10 mg", *first_morphine("10000 mcg/day")),
    row("morphine, just above 10 mg", *first_morphine("10000.01 mcg/day")),
    row("a library with both limits", *first("155 mcg/day", screening=TESTED), library=BOTH),
    row("a library with both limits, both broken", *first("310 mcg/day", screening=TESTED), library=BOTH),
)


def stalled(hours: float, **state: Any) -> Any:
    return pump(
        NOW, alarms=(AlarmNumber.MOTOR_STALL,), history=History(untreated_since_ms=UPTIME_MS - round(hours * HOUR_MS)), **state
    )


def stopped_file(back: timedelta | None) -> Prescription:
    return prescription({**STOP, "since": None if back is None else AS_OF - back})


RESTART = chapter(
    "restart",
    row("nothing known of the present", NOW),
    row("a pump that runs", NOW, RUNNING),
    row("a new pump", NOW, fresh(NOW)),
    row("a pump without its configuration", NOW, pump(NOW, configuration=None, run_state=RunState.SAFE)),
    row("a stop", prescription(STOP), stopped(NOW, 100)),
    row("stopped this moment", NOW, stopped(NOW, 0)),
    row("stopped for 23 h 59 min", NOW, stopped(NOW, 24 - 1 / 60)),
    row("stopped for 24 h", NOW, stopped(NOW, 24)),
    row("stopped for 47 h 59 min", NOW, stopped(NOW, 48 - 1 / 60)),
    row("stopped for 48 h", NOW, stopped(NOW, 48)),
    row("stopped for 71 h 59 min", NOW, stopped(NOW, 72 - 1 / 60)),
    row("stopped for 72 h", NOW, stopped(NOW, 72)),
    row("stopped for more than a thousand days", NOW, stopped(
        NOW, uptime_ms=1_500 * MS_PER_DAY, history=History(untreated_since_ms=499 * MS_PER_DAY))),
    row("stopped beyond the log, nothing in the last day", NOW, stopped(NOW)),
    row("stopped beyond the log, something in the last day", NOW, stopped(NOW, mass_24h_ng=1)),
    row("a file that is stopped, nobody knows since when", NOW, stopped_file(None)),
    row("a file stopped 23 h ago", NOW, stopped_file(timedelta(hours=23))),
    row("a file stopped 24 h ago", NOW, stopped_file(timedelta(hours=24))),
    row("a file stopped now", NOW, stopped_file(timedelta(0))),
    row("a file stopped from later on", NOW, stopped_file(-timedelta(hours=1))),
    row("a motor that has not turned for 3 h", NOW, stalled(3)),
    row("a motor that has not turned for 30 h", NOW, stalled(30)),
    row("a motor that has not turned for 50 h", NOW, stalled(50)),
    row("stopped with a stalled motor", NOW, stalled(50, run_state=RunState.STOPPED)),
    row("a dose to start with", of_dose("200 mcg/day", screening=TESTED), stopped(NOW, 100)),
    row("just above a dose to start with", of_dose("200.002 mcg/day", screening=TESTED), stopped(NOW, 100)),
    row("from the minimum rate", NOW, pump(prescription(LEAST))),
)  # fmt: skip

PROGRAMMED = "200 mcg/day"
CATCH_UP = chapter(
    "catch-up",
    row("nothing known of the present", of_dose("300 mcg/day")),
    row("a new pump", of_dose("300 mcg/day"), fresh(NOW)),
    row("a stop", prescription(STOP), stopped(NOW, 100)),
    row("after a stop, the same", NOW, stopped(NOW, 5)),
    row("after a stop, the least more", of_dose("200.002 mcg/day"), stopped(NOW, 5)),
    row("after a stop, less", of_dose("100 mcg/day"), stopped(NOW, 5)),
    row("after a program that was a stop", NOW, pump(prescription(STOP))),
    row("more, nothing missed", of_dose("210 mcg/day"), RUNNING),
    row("more, stalls kept 40 mcg back", of_dose("210 mcg/day"), pump(NOW, history=History(missed_nL=20_000))),
    row("the least more, stalls kept the least back", of_dose("200.002 mcg/day"), pump(NOW, history=History(missed_nL=1))),
    row("five times, stalls kept 40 mcg back", of_dose("1000 mcg/day"), pump(NOW, history=History(missed_nL=20_000))),
    row("the same, stalls kept 40 mcg back", NOW, pump(NOW, history=History(missed_nL=20_000))),
    row("more, stalls kept 40 mcg back and the day is short", of_dose("210 mcg/day"), pump(
        NOW, history=History(missed_nL=20_000), mass_24h_ng=100_000)),
    row("more, 95 percent arrived", of_dose("210 mcg/day"), pump(NOW, mass_24h_ng=190_000)),
    row("more, just below 95 percent arrived", of_dose("210 mcg/day"), pump(NOW, mass_24h_ng=189_999)),
    row("more, nothing arrived", of_dose("210 mcg/day"), pump(NOW, mass_24h_ng=0)),
    row("more, nobody knows what was programmed", of_dose("210 mcg/day"), pump(NOW, mass_24h_ng=0, **UNKNOWN_AGE)),
    row("more beside the file", of_dose("210 mcg/day"), NOW),
    row("from no dose at all, with a stall", of_dose("50 mcg/day", pump={"profile": "V-40"}), pump(
        of_dose("0 mcg/day", pump={"profile": "V-40"}), history=History(missed_nL=1))),
)  # fmt: skip

DOSE_CHAPTERS: Chapter = {
    **INCREASE, **FIRST_PERIOD, **DECREASE, **STOPPING, **AT_ONCE, **IDENTITY, **START, **RESTART, **CATCH_UP,
}  # fmt: skip
