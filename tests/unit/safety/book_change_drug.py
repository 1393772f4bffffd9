"""Chapters of the book of changes: concentration, indication, the 24-h total, boluses, age, other drugs, conditions, keeping of the drug.

Baclofen of spinal origin: soft above 1000 mcg in 24 h, hard above 2003, asked about below 12. A pulse of a P-40 at 2000 mcg/mL is 1 mcg.
"""

from __future__ import annotations

from dataclasses import replace as changed
from datetime import UTC, datetime, timedelta
from typing import Any

from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import MS_PER_DAY, Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.golden.cases import UPTIME_MS, fresh, pump
from tests.unit.safety.book_change_dose import LEAST, NOW, RUNNING, STOP
from tests.unit.safety.book_change_rows import AS_OF, BACLOFEN, CEREBRAL, HOUR_MS, Chapter, at, chapter, morphine, of_dose, row, stopped
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

FULL: dict[str, Any] = {"refill": Volume(38_000_000)}
P40 = load_profile("P-40")

CONCENTRATION = chapter(
    "concentration",
    *(row(f"{amount} mcg/mL", of_dose("200 mcg/day", drug=at(f"{amount} mcg/mL"))) for amount in (500, 1000, 2000, 3000)),
    row("50 mcg/mL, for screening", of_dose("200 mcg/day", drug=at("50 mcg/mL"))),
    row("4000 mcg/mL", of_dose("200 mcg/day", drug=at("4000 mcg/mL"))),
)


def patient(**more: Any) -> Prescription:
    return of_dose("200 mcg/day", patient=more)


INDICATION = chapter(
    "indication",
    row("spinal, no diagnosis", patient()),
    row("spinal, multiple sclerosis", patient(diagnosis="multiple-sclerosis")),
    row("spinal, stroke", patient(diagnosis="stroke")),
    row("cerebral, stroke", patient(indication="cerebral", diagnosis="stroke")),
    row("a slip of the pen", patient(indication="spinel")),
    row("two that are near", patient(indication="spinal-cerebral")),
    row("none that is near", patient(indication="dystonia", diagnosis="stroke")),
    row("of another drug", patient(indication="pain")),
    row("a library without diagnoses", patient(diagnosis="stroke"), library=changed(BACLOFEN, diagnoses={}, diagnosis_origins={})),
)

# ------------------------------------------------------------------------------------------------ the highest 24 h
ASKING: dict[str, Any] = {"dose": "20 mcg", "over": "10m", "lockout": "4h", "max_per_day": 3}


def given(rx: Prescription, *, hours: int = 2, pulses: int = 20, more_ng: int = 0, **state: Any) -> Any:
    """A pump that gave a bolus so many hours ago, and so much more that its log does not tell."""
    beside = pump(rx)
    history = History(boluses=((UPTIME_MS - hours * HOUR_MS, pulses),) if pulses else ())
    return changed(beside, **{"history": history, "mass_24h_ng": beside.mass_24h_ng + pulses * 1_000 + more_ng, **state})


def primed(rx: Prescription, more_ng: int = 0, **state: Any) -> Any:
    """A pump that pushed 30 pulses into its path 3 h ago."""
    beside, history = pump(rx), History(primes=((UPTIME_MS - 3 * HOUR_MS, 30),), primed_ms=UPTIME_MS - 4 * HOUR_MS)
    return changed(beside, **{"history": history, "mass_24h_ng": beside.mass_24h_ng + 30_000 + more_ng, **state})


HIGH = of_dose("1000 mcg/day")
UNBRIDGED = of_dose("700 mcg/day", drug=at("500 mcg/mL"), bridge={"plan": "refused", "reason": "rinsed"})
DAILY_TOTAL = chapter(
    "daily-total",
    row("spinal, 1000", HIGH),
    row("spinal, just above 1000", of_dose("1000.002 mcg/day")),
    row("spinal, 2003", of_dose("2003 mcg/day")),
    row("spinal, just above 2003", of_dose("2003.002 mcg/day")),
    row("spinal, 12", of_dose("12 mcg/day", drug=at("500 mcg/mL"))),
    row("spinal, just below 12", of_dose("11.999 mcg/day", drug=at("500 mcg/mL"))),
    row("cerebral, just above 1400", of_dose("1400.002 mcg/day", patient=CEREBRAL)),
    row("cerebral, just below 22", of_dose("21.999 mcg/day", drug=at("500 mcg/mL"), patient=CEREBRAL)),
    row("11 years, 1199", of_dose("1199 mcg/day", patient={"age_years": 11})),
    row("11 years, just above 1199", of_dose("1199.002 mcg/day", patient={"age_years": 11})),
    row("12 years, just above 1199", of_dose("1199.002 mcg/day", patient={"age_years": 12})),
    row("11 years, just below 24", of_dose("23.998 mcg/day", patient={"age_years": 11})),
    row("no indication that the library knows, just above 1400", of_dose("1400.002 mcg/day", patient={"indication": "dystonia"})),
    row("no indication that the library knows, just below 22", of_dose("21.998 mcg/day", patient={"indication": "dystonia"})),
    row("a stop", prescription(STOP), RUNNING),
    row("the minimum rate", prescription(LEAST), RUNNING),
    row("by three patient boluses", prescription(continuous("941 mcg/day", patient_bolus=ASKING))),
    row("just not by three patient boluses", prescription(continuous("940 mcg/day", patient_bolus=ASKING))),
    row("just not by three patient boluses, beside the pump", prescription(continuous("940 mcg/day", patient_bolus=ASKING)), RUNNING),
    row("by a period that was running", prescription(periodic("90 mcg", "1h", "6h", "600 mcg/day")), pump(
        prescription(periodic("95 mcg", "1h", "5h", "600 mcg/day")))),
    row("by a prime", HIGH, primed(HIGH)),
    row("by a prime and a bolus", HIGH, primed(HIGH, bolus_left_pulses=11)),
    row("by what only the sum tells, and a prime", HIGH, primed(HIGH, more_ng=7_000)),
    row("of another drug, whose boluses do not count", morphine("16000 mcg/day"), primed(NOW, bolus_left_pulses=11)),
    row("by a bolus 2 h ago", HIGH, given(HIGH)),
    row("by a bolus 2 h ago, and what only the sum tells", HIGH, given(HIGH, more_ng=7_000)),
    row("by what only the sum tells", HIGH, given(HIGH, pulses=0, more_ng=7_000)),
    row("by what is left of a bolus", HIGH, pump(HIGH, bolus_left_pulses=11)),
    row("by all of them and the patient's", prescription(continuous("1000 mcg/day", patient_bolus=ASKING)), given(
        HIGH, more_ng=7_000, bolus_left_pulses=11)),
    row("just not across the change from less", of_dose("1500 mcg/day"), given(of_dose("900 mcg/day"))),
    row("by a bolus of 150 mcg before half the dose", of_dose("900 mcg/day"), given(HIGH, pulses=150)),
    row("across the change, with no bolus", of_dose("900 mcg/day"), pump(of_dose("1200 mcg/day"))),
    row("by what the path holds", UNBRIDGED, RUNNING, **FULL),
    row("by what the path holds, and what only the sum tells", UNBRIDGED, given(NOW, pulses=0, more_ng=7_000), **FULL),
    row("of a stopped pump, by its sum", HIGH, stopped(HIGH, 1, mass_24h_ng=5_000)),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ boluses


def steps(*doses: str) -> Prescription:
    """The same boluses every day, an hour apart."""
    hourly = [bolus(f"{number + 6:02d}:00", dose, "30m") for number, dose in enumerate(doses)]
    return prescription(flex(rate("00:00", "4 mcg/h"), *hourly))


BOLUS_SIZE = chapter(
    "bolus-size",
    row("a constant rate", NOW),
    row("50 mcg", steps("50 mcg")),
    row("just above 50 mcg", steps("50.001 mcg")),
    row("100 mcg", steps("100 mcg")),
    row("just above 100 mcg", steps("100.001 mcg")),
    row("50.6 mcg, given as 51", prescription(periodic("50.6 mcg", "30m", "24h"))),
    row("the patient's bolus", prescription(continuous("200 mcg/day", patient_bolus={**ASKING, "dose": "60 mcg"}))),
    row("a valve pump gives more than was typed", prescription(
        periodic("99.5 mcg", "30m", "24h"), pump={"profile": "V-40"}, drug=at("3000 mcg/mL"))),
)  # fmt: skip

WEEKEND = prescription(
    {
        "mode": "flex",
        "pattern": [
            {"days": ["mon", "tue", "wed", "thu", "fri"], "steps": [rate("00:00", "4 mcg/h"), bolus("07:00", "90 mcg", "1h")]},
            {
                "days": ["sat", "sun"],
                "steps": [rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "1h")],
            },
        ],
    }
)
TWICE = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "1h")))
# The same pulses at the same times, which carry half as much.
TWICE_BY_DOUBLE = flex(rate("00:00", "4 mcg/h"), bolus("07:00", "10 mcg", "1h"), bolus("19:00", "12.5 mcg", "1h"))
TWICE_BY_MORE = prescription(flex(rate("00:00", "5 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "1h")))
TWICE_LATER = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:01", "25 mcg", "1h")))
TWICE_LARGER = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "26 mcg", "1h")))
TWICE_LONGER = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "2h")))


def twice_on(*days: str) -> Prescription:
    return prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "1h"), days=days))


TWO_PATTERNS = prescription(
    {
        "mode": "flex",
        "pattern": [
            {"days": list(days), "steps": [rate("00:00", amount), bolus("07:00", "20 mcg", "1h"), bolus("19:00", "25 mcg", "1h")]}
            for days, amount in ((("mon", "tue", "wed"), "4 mcg/h"), (("thu", "fri", "sat", "sun"), "5 mcg/h"))
        ],
    }
)
PERIOD = prescription(periodic("30 mcg", "30m", "12h", "100 mcg/day"))
REPEATED = chapter(
    "repeated-bolus",
    row("a constant rate", NOW),
    row("a stop", prescription(STOP)),
    row("every 24 h", prescription(periodic("30 mcg", "30m", "24h"))),
    row("every 24 h less a minute", prescription(periodic("30 mcg", "30m", "23h59m"))),
    row("every 25 h", prescription(periodic("30 mcg", "30m", "25h"))),
    row("every 12 h", prescription(periodic("30 mcg", "30m", "12h"))),
    row("every hour", prescription(periodic("60 mcg", "30m", "1h"))),
    row("steps without a bolus", prescription(flex(rate("00:00", "8 mcg/h"), rate("12:00", "9 mcg/h")))),
    row("a step a day", steps("60 mcg")),
    row("two steps a day", steps("30 mcg", "31 mcg")),
    row("two steps on some days", WEEKEND),
    row("four steps a day", steps("10 mcg", "11 mcg", "12 mcg", "13 mcg")),
    row("the same two steps as now", TWICE, pump(TWICE)),
    row("the same two steps as in the file", TWICE, TWICE),
    row("the same two steps, with more in between", TWICE_BY_MORE, pump(TWICE)),
    row("the same two steps in two patterns", TWO_PATTERNS, pump(TWICE)),
    row("the same two steps in a stopped pump", TWICE, stopped(TWICE, 5)),
    row("the same two steps of another concentration", TWICE, pump(prescription(TWICE_BY_DOUBLE, drug=at("1000 mcg/mL"))), **FULL),
    row("two steps, one later than now", TWICE_LATER, pump(TWICE)),
    row("two steps, one larger than now", TWICE_LARGER, pump(TWICE)),
    row("two steps, one longer than now", TWICE_LONGER, pump(TWICE)),
    row("two steps on every day, now not on Mondays", TWICE, pump(twice_on("tue", "wed", "thu", "fri", "sat", "sun"))),
    row("two steps on every day, now on Mondays alone", TWICE, pump(twice_on("mon"))),
    row("two steps on Tuesdays, now on Sundays", twice_on("tue"), pump(twice_on("sun"))),
    row("the same period as now", PERIOD, pump(PERIOD)),
    row("the same period over more", prescription(periodic("30 mcg", "30m", "12h", "110 mcg/day")), pump(PERIOD)),
    row("another period than now", prescription(periodic("30 mcg", "30m", "8h", "100 mcg/day")), pump(PERIOD)),
    row("five steps a day", steps("10 mcg", "11 mcg", "12 mcg", "13 mcg", "14 mcg")),
)


def for_hours(amount: str, *more: dict[str, str]) -> Prescription:
    """4 mcg/h, but this much from 08:00 to 12:00. 4 h of 60 mcg/h more are 10 mcg/h more in the mean, so 50 beyond it."""
    return prescription(flex(rate("00:00", "4 mcg/h"), rate("08:00", amount), rate("12:00", "4 mcg/h"), *more))


SURGE = chapter(
    "surge",
    row("a constant rate", of_dose("2000 mcg/day")),
    row("a stop", prescription(STOP)),
    row("50 mcg beyond the mean", for_hours("64 mcg/h")),
    row("just above 50 mcg beyond the mean", for_hours("64.001 mcg/h")),
    row("100 mcg beyond the mean", for_hours("124 mcg/h")),
    row("just above 100 mcg beyond the mean", for_hours("124.001 mcg/h")),
    row("a bolus of 80 mcg", prescription(flex(rate("00:00", "4 mcg/h"), bolus("06:00", "80 mcg", "30m")))),
    row("two boluses of 40 mcg in an hour", prescription(
        flex(rate("00:00", "4 mcg/h"), bolus("06:00", "40 mcg", "30m"), bolus("06:30", "40 mcg", "30m")))),
    row("two boluses of 60 mcg in an hour", prescription(
        flex(rate("00:00", "4 mcg/h"), bolus("06:00", "60 mcg", "30m"), bolus("06:30", "60 mcg", "30m")))),
    row("55 mcg beyond the mean beside a bolus of 60 mcg", for_hours("69 mcg/h", bolus("20:00", "60 mcg", "30m"))),
    row("a period of 20 min", prescription(periodic("30 mcg", "5m", "20m", "0 mcg/day"), pump={"profile": "V-40"})),
    row("an hour of 60 mcg in a week", prescription(
        flex(rate("00:00", "4 mcg/h"), rate("08:00", "60 mcg/h"), rate("09:00", "4 mcg/h"), days=("sun",)))),
)  # fmt: skip

# ------------------------------------------------------------------------------------------------ the patient
YOUNG = prescription(
    continuous("400 mcg/day"),
    drug={"name": "morphine", "concentration": "10000 mcg/mL"},
    patient={"indication": "pain", "age_years": 17},
)
AGE = chapter(
    "age",
    row("no age", patient(age_years=None)),
    row("3 years", patient(age_years=3)),
    row("4 years", patient(age_years=4)),
    row("0 years", patient(age_years=0)),
    row("morphine, 17 years", YOUNG),
)  # fmt: skip


def takes(*names: tuple[str, str]) -> Prescription:
    return prescription(medication=[{"name": name, "class": drug_class} for name, drug_class in names])


INTERACTION = chapter(
    "interaction",
    row("nothing", NOW),
    row("an opioid", takes(("oxycodone", "opioid"))),
    row("an unknown class", takes(("amoxicillin", "antibiotic"))),
    row("both", takes(("amoxicillin", "antibiotic"), ("diazepam", "cns-depressant"))),
)

CONDITION = chapter(
    "condition",
    row("none", patient()),
    row("seizures", patient(conditions=("seizures",))),
    row("unknown to the library", patient(conditions=("hiccups",))),
    row("both", patient(conditions=("hiccups", "renal-impairment"))),
)

# ------------------------------------------------------------------------------------------------ how long the drug keeps
NIGHT = datetime(2026, 11, 23, 4, 59, tzinfo=UTC)  # 23:59 of the day before where the pump is


def filled(days_before: int, dose: str = "200 mcg/day", **pump_table: Any) -> Prescription:
    """A file whose drug was filled so many days before its date."""
    return of_dose(dose, drug={"filled_on": (AS_OF - timedelta(days=days_before)).date()}, pump=pump_table)


def last_filled(days_before: int) -> Any:
    return pump(NOW, uptime_ms=1_000 * MS_PER_DAY, history=History(filled_ms=(1_000 - days_before) * MS_PER_DAY))


SHORT = {"reservoir_volume": "6.6 mL"}  # one day above the alarm at 0.1 mL a day
STABILITY = chapter(
    "stability",
    row("filled today, 180 days to the alarm", of_dose("200 mcg/day", pump={"reservoir_volume": "24.5 mL"})),
    row("filled today, 181 days to the alarm", of_dose("200 mcg/day", pump={"reservoir_volume": "24.6 mL"})),
    row("filled today, 315 days to the alarm", NOW),
    row("filled 10 days ago, 170 days to the alarm", filled(10, reservoir_volume="23.5 mL")),
    row("filled 10 days ago, 171 days to the alarm", filled(10, reservoir_volume="23.6 mL")),
    row("the last day", filled(180, reservoir_volume="6.5 mL")),
    row("the last day and one more to the alarm", filled(180, **SHORT)),
    row("a day too old", filled(181, **SHORT)),
    row("a day too old, by the time now", filled(180, **SHORT), now=AS_OF + timedelta(days=1)),
    row("the last day where the pump is, by the time now", filled(180, reservoir_volume="6.5 mL"), now=NIGHT),
    row("the day after where the pump is, by the time now", filled(180, reservoir_volume="6.5 mL"), now=NIGHT + timedelta(minutes=1)),
    row("nobody says when it was filled, half a year ago", of_dose("200 mcg/day", pump=SHORT), now=AS_OF + timedelta(days=181)),
    row(
        "nobody says when it was filled, on its last day",
        of_dose("200 mcg/day", pump={"reservoir_volume": "6.5 mL"}),
        now=AS_OF + timedelta(days=180),
    ),
    row("too old, and filled now", filled(400), RUNNING, **FULL),
    row("too old by the file, and lately filled by the pump's log", filled(400), last_filled(20)),
    row("fresh by the file, and too old by the pump's log", filled(5), last_filled(181)),
    row("too old by the pump's log alone", NOW, last_filled(181)),
    row("a pump whose log tells of no fill, filled by the file", filled(181), RUNNING),
    row("a stop has no alarm to come", prescription(STOP)),
    row("no flow for thousands of years", of_dose("0.002 mcg/day", pump={"profile": "V-40"})),
    row("below the alarm", of_dose("200 mcg/day", pump={"reservoir_volume": "6 mL"})),
    row("morphine keeps 90 days", morphine("1000 mcg/day")),
    row("a new pump", NOW, fresh(NOW)),
    row("a pump in its safe state", filled(200), pump(NOW, run_state=RunState.SAFE)),
)

DRUG_CHAPTERS: Chapter = {
    **CONCENTRATION, **INDICATION, **DAILY_TOTAL, **BOLUS_SIZE, **SURGE, **REPEATED, **AGE, **INTERACTION, **CONDITION, **STABILITY,
}  # fmt: skip
