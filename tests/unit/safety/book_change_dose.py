"""Chapters of the book of changes: the change of the dose, and a new start.

At 2000 mcg/mL a whole nL a day is 0.002 mcg, so that 260.002 mcg/day is the least above 260. 200 mcg/day is the present dose where a row
names none.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.drugs import Figure, IncreaseLimits
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, MassRate, Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, CommandKind, RunState
from tests.golden.cases import UPTIME_MS, fresh, pump
from tests.unit.safety.book_change_rows import (
    AS_OF,
    BACLOFEN,
    CEREBRAL,
    CHILD,
    HOUR_MS,
    Chapter,
    at,
    changed_since,
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


OLD_300 = of_dose("300 mcg/day")
ON_REQUEST = {"dose": "20 mcg", "over": "10m", "lockout": "4h", "max_per_day": 4}
ASKING = prescription(continuous("200 mcg/day", patient_bolus=ON_REQUEST))
ASKING_ALONE = prescription(continuous("0 mcg/day", patient_bolus=ON_REQUEST), pump={"profile": "V-40"})
# 204 mcg on weekdays, 100 at weekends: the mean falls to (5 × 204 + 2 × 100) / 7 = 174.286, by 12.9 percent, the lowest day by 50
SUNDAY_DOWN = prescription(flex(rate("00:00", "8.5 mcg/h"), days=("mon", "tue", "wed", "thu", "fri")))
# Every day 12 × 2 + 12 × 8.4 = 124.8 mcg, 37.6 percent less; but 24 × 8.4 = 201.6 in the 24 h from one noon to the next
WEEK_DOWN = prescription(
    {
        "mode": "flex",
        "pattern": [
            {"days": ["mon", "wed", "fri", "sun"], "steps": [rate("00:00", "2 mcg/h"), rate("12:00", "8.4 mcg/h")]},
            {"days": ["tue", "thu", "sat"], "steps": [rate("00:00", "8.4 mcg/h"), rate("12:00", "2 mcg/h")]},
        ],
    }
)


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
    row("of another drug", morphine("1000 mcg/day"), RUNNING),
    row("30 percent above the last 24 h, in which the dose fell", of_dose("260 mcg/day"), changed_since(OLD_300, NOW, 2, 200_000)),
    row("just above 30 percent of them", of_dose("260.002 mcg/day"), changed_since(OLD_300, NOW, 2, 200_000)),
    row("back to what those 24 h gave", of_dose("290 mcg/day"), changed_since(OLD_300, NOW, 2, 290_000)),
    row("the same that was begun 2 h ago", NOW, changed_since(of_dose("100 mcg/day"), NOW, 2, 110_000)),
    row("two steps in a day add up", of_dose("300 mcg/day"), changed_since(NOW, of_dose("260 mcg/day"), 2, 205_000)),
    row("in which the pump gave nothing", of_dose("262 mcg/day"), changed_since(OLD_300, NOW, 2, 0)),
    row("of another drug, in which the dose fell", morphine("1000 mcg/day"), changed_since(OLD_300, NOW, 2, 200_000)),
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
    row("back to the dose before", OLD_300, changed_since(OLD_300, NOW, 2, 290_000)),
    row("more than the dose before", of_dose("300.002 mcg/day"), changed_since(OLD_300, NOW, 2, 290_000)),
    row("back after a stop, not a therapy", of_dose("210 mcg/day"), changed_since(prescription(STOP), NOW, 2, 20_000)),
    row("back, and the log shows only 10 h of the one before", OLD_300, changed_since(
        OLD_300, NOW, 2, 290_000, history={"before_since_ms": UPTIME_MS - 10 * HOUR_MS})),
    row("back from another drug", OLD_300, changed_since(morphine("1000 mcg/day"), NOW, 2, 290_000)),
    row("another drug", morphine("1000 mcg/day"), changed_since(OLD_300, NOW, 2, 290_000)),
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
    row("by the mean day alone", WEEK_DOWN, NOW),
    row("by the lowest day alone", SUNDAY_DOWN, NOW),
    row("of what the patient may ask for", NOW, ASKING),
    row("from nothing but what the patient may ask for", of_dose("0 mcg/day", pump={"profile": "V-40"}), ASKING_ALONE),
    row("another drug", morphine("1000 mcg/day"), of_dose("2000 mcg/day")),
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
    row("a pump that was programmed for this patient", NOW, pump(NOW, patient_id="P-1")),
    row("a pump that was programmed for another patient", NOW, pump(NOW, patient_id="P-2")),
    row("a file of the same time", NOW, of_dose("210 mcg/day")),
    row("a file of a second later", NOW, of_dose("210 mcg/day", pump={"as_of": AS_OF + timedelta(seconds=1)})),
    row("a file of the 5th of next month", NOW, of_dose("210 mcg/day", pump={"as_of": AS_OF + timedelta(days=13)})),
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


BOTH = with_figure(BACLOFEN, start_absolute_soft=MassRate.parse("150 mcg/day"), start_absolute_second=MassRate.parse("160 mcg/day"))


def stopped_file(back: timedelta | None) -> Prescription:
    return prescription({**STOP, "since": None if back is None else AS_OF - back})


OLD_500 = of_dose("500 mcg/day")
START = chapter(
    "start",
    row("nothing known of the present", of_dose("900 mcg/day", screening=TESTED)),
    row("a therapy is running", of_dose("900 mcg/day", screening=TESTED), RUNNING),
    row("stopped", prescription(STOP, screening=TESTED), fresh(NOW)),
    row("twice the screening dose", *first("200 mcg/day", screening=TESTED)),
    row("just above twice", *first("200.002 mcg/day", screening=TESTED)),
    row("three times", *first("300 mcg/day", screening=TESTED)),
    row("just above three times", *first("300.002 mcg/day", screening=TESTED)),
    row("a long effect, once the screening dose", *first("100 mcg/day", screening=LONG)),
    row("a long effect, just above once", *first("100.002 mcg/day", screening=LONG)),
    row("a long effect, just above one and a half times", *first("150.002 mcg/day", screening=LONG)),
    row("from a stopped pump", of_dose("300.002 mcg/day", screening=TESTED), stopped(NOW, 1)),
    row("the dose before, after 23 h 59 min", of_dose("500 mcg/day", screening=TESTED), stopped(OLD_500, 24 - 1 / 60)),
    row("the least more than before, after 23 h 59 min", of_dose("500.002 mcg/day", screening=TESTED), stopped(OLD_500, 24 - 1 / 60)),
    row("the dose before, after 24 h", of_dose("500 mcg/day", screening=TESTED), stopped(OLD_500, 24)),
    row("the dose before, after nobody knows how long", of_dose("500 mcg/day", screening=TESTED), stopped(OLD_500)),
    row("from a file that has been stopped for 5 h", of_dose("500 mcg/day", screening=TESTED), stopped_file(timedelta(hours=5))),
    row("less than another drug gave, after 5 h", of_dose("500 mcg/day", screening=TESTED), stopped(morphine("1000 mcg/day"), 5)),
    row("from the minimum rate", of_dose("300.002 mcg/day", screening=TESTED), pump(prescription(LEAST))),
    row("from a file that is stopped", of_dose("300.002 mcg/day", screening=TESTED), prescription(STOP)),
    row("no screening, twice the largest of the label", *first("200 mcg/day")),
    row("no screening, just above twice the largest", *first("200.002 mcg/day")),
    row("no screening, just above three times the largest", *first("300.002 mcg/day")),
    row("another drug than the one that runs", morphine("1000.01 mcg/day"), RUNNING),
    row("morphine, 1 mg", *first_morphine("1000 mcg/day")),
    row("morphine, just above 1 mg", *first_morphine("1000.01 mcg/day")),
    row("morphine, 10 mg", *first_morphine("10000 mcg/day")),
    row("morphine, just above 10 mg", *first_morphine("10000.01 mcg/day")),
    row("a library with both limits", *first("155 mcg/day", screening=TESTED), library=BOTH),
    row("a library with both limits, both broken", *first("310 mcg/day", screening=TESTED), library=BOTH),
)


def stalled(hours: float, **state: Any) -> Any:
    return pump(NOW, alarms=(AlarmNumber.MOTOR_STALL,), history=History(untreated_since_ms=UPTIME_MS - round(hours * HOUR_MS)), **state)


NO_DOSE = of_dose("0 mcg/day", pump={"profile": "V-40"})
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
    row("stopped for 59 min", NOW, stopped(NOW, 59 / 60)),
    row("stopped for 60 min", NOW, stopped(NOW, 1)),
    row("another drug", morphine("500 mcg/day"), stopped(NOW, 100)),
    row("stalls that are over kept just less than 24 h back", NOW, pump(NOW, history=History(missed_nL=99_999))),
    row("stalls that are over kept 24 h back", NOW, pump(NOW, history=History(missed_nL=100_000))),
    row("stalls that are over kept just less than 48 h back", NOW, pump(NOW, history=History(missed_nL=199_999))),
    row("stalls that are over kept 48 h back", NOW, pump(NOW, history=History(missed_nL=200_000))),
    row("stalls that are over kept 1,200 h back", NOW, pump(NOW, history=History(missed_nL=5_000_000))),
    row("stalls of a pump that gives nothing", NO_DOSE, pump(NO_DOSE, history=History(missed_nL=200_000))),
    row("a dose to start with, and no screening of the patient's own", of_dose("100 mcg/day"), stopped(NOW, 100)),
    row("morphine, a dose to start with", morphine("1000 mcg/day"), stopped(morphine("2000 mcg/day"), 100)),
    row("morphine, just above a dose to start with", morphine("1000.01 mcg/day"), stopped(morphine("2000 mcg/day"), 100)),
    row("a dose to start with", of_dose("200 mcg/day", screening=TESTED), stopped(NOW, 100)),
    row("just above a dose to start with", of_dose("200.002 mcg/day", screening=TESTED), stopped(NOW, 100)),
    row("from the minimum rate", NOW, pump(prescription(LEAST))),
)  # fmt: skip

STEPS = BACLOFEN.increase


def own_hard(group: str, percent: int) -> IncreaseLimits:
    """The library's limits of an increase, with a clinic's own hard one."""
    return replace(STEPS[group], hard_percent=Figure(percent, "C", f"a clinic's own for {group}"))


UNEQUAL = replace(BACLOFEN, increase={**STEPS, "child": own_hard("child", 50), "cerebral": own_hard("cerebral", 60)})
# The dose of the pump was committed after the stop and never ran; morphine did.
NEVER_RAN = stopped(
    NOW,
    previous=wire_configuration(morphine("100 mcg/day"), load_profile("P-40")),
    history=History(untreated_since_ms=UPTIME_MS - 5 * HOUR_MS, commits=(UPTIME_MS - 90 * HOUR_MS, UPTIME_MS - HOUR_MS)),
)
# The pump is labelled with morphine, which never ran; the dose before did.
OTHER_LABEL = stopped(
    morphine("100 mcg/day"),
    previous=wire_configuration(NOW, load_profile("P-40")),
    history=History(untreated_since_ms=UPTIME_MS - 5 * HOUR_MS, commits=(UPTIME_MS - 90 * HOUR_MS, UPTIME_MS - HOUR_MS)),
)
CATCH_UP = chapter(
    "catch-up",
    row("nothing known of the present", of_dose("300 mcg/day")),
    row("a new pump", of_dose("300 mcg/day"), fresh(NOW)),
    row("a stop", prescription(STOP), stopped(NOW, 100)),
    row("after a stop, the same", NOW, stopped(NOW, 5)),
    row("after a stop, the least more", of_dose("200.002 mcg/day"), stopped(NOW, 5)),
    row("after 5 h, twice", of_dose("400 mcg/day"), stopped(NOW, 5)),
    row("after 5 h, just above twice", of_dose("400.002 mcg/day"), stopped(NOW, 5)),
    row("just before 48 h, just above twice", of_dose("400.002 mcg/day"), stopped(NOW, 48 - 1 / 60)),
    row("after 48 h, just above twice", of_dose("400.002 mcg/day"), stopped(NOW, 48)),
    row("after nobody knows how long, just above twice", of_dose("400.002 mcg/day"), stopped(NOW)),
    row("a child, just above a clinic's own 50 percent", of_dose("300.002 mcg/day", patient=CHILD), stopped(NOW, 5), library=UNEQUAL),
    row("an adult, just above a clinic's own 50 percent for children", of_dose("300.002 mcg/day"), stopped(NOW, 5), library=UNEQUAL),
    row("an adult, spinal, above a clinic's own 60 percent for cerebral", of_dose("330 mcg/day"), stopped(NOW, 5), library=UNEQUAL),
    row("another drug", morphine("1000 mcg/day"), stopped(NOW, 5)),
    row("another drug while one runs", morphine("1000 mcg/day"), pump(NOW, history=History(missed_nL=20_000))),
    row("of the drug that ran last, under another label", of_dose("900 mcg/day"), OTHER_LABEL),
    row("of a dose that never ran", of_dose("900 mcg/day"), NEVER_RAN),
    row("after a stop of no dose at all", of_dose("50 mcg/day", pump={"profile": "V-40"}), stopped(NO_DOSE, 5)),
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

OTHER_DRUG = chapter(
    "other-drug",
    row("nothing known of the present", NOW),
    row("the same drug", NOW, RUNNING),
    row("a new pump", morphine("500 mcg/day"), fresh(NOW)),
    row("a stop", prescription(STOP, drug={"name": "morphine", "concentration": "10000 mcg/mL"}, patient={"indication": "pain"}), RUNNING),
    row("while one runs", morphine("500 mcg/day"), RUNNING),
    row("while one is stopped", morphine("500 mcg/day"), stopped(NOW, 5)),
    row("beside the file", morphine("500 mcg/day"), NOW),
)

DOSE_CHAPTERS: Chapter = {
    **OTHER_DRUG, **INCREASE, **FIRST_PERIOD, **DECREASE, **STOPPING, **AT_ONCE, **IDENTITY, **START, **RESTART, **CATCH_UP,
}  # fmt: skip
