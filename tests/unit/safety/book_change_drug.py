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


HIGH = of_dose("1000 mcg/day")
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
        prescription(periodic("90 mcg", "1h", "8h", "600 mcg/day")))),
    row("by a bolus 2 h ago", HIGH, given(HIGH)),
    row("by a bolus 2 h ago, and what only the sum tells", HIGH, given(HIGH, more_ng=7_000)),
    row("by what only the sum tells", HIGH, given(HIGH, pulses=0, more_ng=7_000)),
    row("by what is left of a bolus", HIGH, pump(HIGH, bolus_left_pulses=11)),
    row("by all of them and the patient's", prescription(continuous("1000 mcg/day", patient_bolus=ASKING)), given(
        HIGH, more_ng=7_000, bolus_left_pulses=11)),
    row("just not across the change from less", of_dose("1500 mcg/day"), given(of_dose("900 mcg/day"))),
    row("by a bolus of 150 mcg before half the dose", of_dose("900 mcg/day"), given(HIGH, pulses=150)),
    row("across the change, with no bolus", of_dose("900 mcg/day"), pump(of_dose("1200 mcg/day"))),
    row("by what the path holds", of_dose("700 mcg/day", drug=at("500 mcg/mL"), bridge={"plan": "refused", "reason": "rinsed"}), RUNNING, **FULL),
    row("by what the path holds, and what only the sum tells", of_dose(
        "700 mcg/day", drug=at("500 mcg/mL"), bridge={"plan": "refused", "reason": "rinsed"}), given(NOW, pulses=0, more_ng=7_000), **FULL),
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
    row("five steps a day", steps("10 mcg", "11 mcg", "12 mcg", "13 mcg", "14 mcg")),
)

# ------------------------------------------------------------------------------------------------ the patient
AGE = chapter(
    "age",
    row("no age", patient(age_years=None)),
    row("3 years", patient(age_years=3)),
    row("4 years", patient(age_years=4)),
    row("0 years", patient(age_years=0)),
    row("morphine, 17 years", prescription(
        continuous("400 mcg/day"), drug={"name": "morphine", "concentration": "10000 mcg/mL"}, patient={"indication": "pain", "age_years": 17})),
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
    row("nobody says when it was filled, on its last day", of_dose("200 mcg/day", pump={"reservoir_volume": "6.5 mL"}), now=AS_OF + timedelta(days=180)),
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
    **CONCENTRATION, **INDICATION, **DAILY_TOTAL, **BOLUS_SIZE, **REPEATED, **AGE, **INTERACTION, **CONDITION, **STABILITY,
}  # fmt: skip
