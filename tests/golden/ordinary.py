"""Ordinary work of a clinic, as rows: what the label and the examples do must not be stopped. Too many alarms teach people to ignore them.

Each row is `ok`, or at most the soft findings it names. Not here: accidents (`accidents`).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from itbpump.history import History
from itbpump.quantity import Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, RunState
from tests.golden.cases import HOUR_MS, UPTIME_MS, Ordinary, bolus_review, fresh, prime_review, pump, refill_review, rules, rx_review
from tests.unit.therapy.prescriptions import bolus, continuous, example, flex, periodic, prescription, rate

LABEL = "domain 3: label steps, minclinic and skyscape tc256"
EXAMPLE = "examples/"
REFILL = "domain 2.4: differences within 2 mL and within the pump's accuracy"
MARCH = datetime(2026, 10, 20, 10, tzinfo=timezone(timedelta(hours=-5)))
CEREBRAL = {"indication": "cerebral", "age_years": 27}
CHILD = {"indication": "cerebral", "age_years": 9}
ALONE = ("flex-weekday-weekend", "continuous", "periodic-bolus", "patient-bolus", "concentration-change")


def steady(dose: str, **tables: Any) -> Prescription:
    return prescription(continuous(dose, since=MARCH), **tables)


def step(old: str, new: str, **tables: Any) -> Ordinary:
    """One step of the dose beside the file."""
    return Ordinary(
        f"{old} to {new} {tables.get('patient', '')}", LABEL, rx_review(prescription(continuous(new), **tables), steady(old, **tables))
    )


def step_at_pump(old: str, new: str, **tables: Any) -> Ordinary:
    judge = rx_review(prescription(continuous(new), **tables), pump(steady(old, **tables)))
    return Ordinary(f"{old} to {new} beside the pump {tables.get('patient', '')}", LABEL, judge)


def first(dose: str, screening: str, effect: str, **tables: Any) -> Ordinary:
    rx = prescription(continuous(dose), screening={"dose": screening, "effect": effect}, **tables)
    return Ordinary(f"start at {dose} after {screening} for {effect}", LABEL, rx_review(rx, fresh(rx)))


def stopped_for(rx: Prescription, hours: int) -> Any:
    return pump(
        rx, run_state=RunState.STOPPED, history=History(untreated_since_ms=UPTIME_MS - hours * HOUR_MS), last_change_kind=CommandKind.STOP
    )


def refill_row(name: str, aspirated: str, reservoir_nL: int) -> Ordinary:
    present = replace(pump(steady("200 mcg/day")), reservoir_nL=reservoir_nL)
    return Ordinary(name, REFILL, refill_review(aspirated, "38 mL", present, "P-40"))


WEAK = {"drug": {"concentration": "500 mcg/mL"}}
TO_500 = prescription(drug={"concentration": "500 mcg/mL"}, bridge={"plan": "auto"})
MORNING = flex(rate("00:00", "6 mcg/h"), bolus("06:00", "40 mcg", "1h"))
TWICE = flex(rate("00:00", "6 mcg/h"), bolus("06:00", "30 mcg", "1h"), bolus("18:00", "30 mcg", "1h"))
DAY_AND_NIGHT = flex(rate("00:00", "6 mcg/h"), rate("07:00", "10 mcg/h"), rate("21:00", "7 mcg/h"))
ASKING: dict[str, Any] = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}
NEW_IMPLANT = prescription(prime={"scope": "path"}, screening={"dose": "100 mcg", "effect": "5h"})
CATHETER = {
    "path_volume": None,
    "length_total": "114 cm",
    "length_removed": "34 cm",
    "volume_per_length": "0.0022 mL/cm",
    "tubing_volume": "0.14 mL",
}

AN_HOUR_AGO: dict[str, Any] = {
    "last_change_kind": CommandKind.CONFIGURE,
    "last_change_ms": UPTIME_MS - HOUR_MS,
    "history": History(therapy_since_ms=UPTIME_MS - 90 * HOUR_MS),
}
AFTER_A_BOLUS: dict[str, Any] = {
    "last_change_kind": CommandKind.BOLUS,
    "last_change_ms": UPTIME_MS - 6 * HOUR_MS,
    "mass_24h_ng": 220_000,
    "history": History(therapy_since_ms=0, boluses=((UPTIME_MS - 6 * HOUR_MS, 20),)),
}

ORDINARY: tuple[Ordinary, ...] = (
    *(Ordinary(f"{name} alone", EXAMPLE, rx_review(example(name))) for name in ALONE),
    *(Ordinary(f"{name} as a start", EXAMPLE, rx_review(example(name), fresh(example(name)))) for name in ALONE),
    *(Ordinary(f"{name} again unchanged", EXAMPLE, rx_review(example(name), pump(example(name)))) for name in ALONE),
    Ordinary("stop with its acknowledgement", EXAMPLE, rx_review(example("stopped"), example("flex-weekday-weekend")), rules("stop")),
    Ordinary("concentration change with its bridge", EXAMPLE, rx_review(example("concentration-change"), example("continuous"))),
    # titration and maintenance, spinal 10 to 30 %, cerebral and children 5 to 15 %
    step("200 mcg/day", "220 mcg/day"),
    step("200 mcg/day", "260 mcg/day"),
    step("400 mcg/day", "520 mcg/day"),
    step("8 mcg/h", "9 mcg/h"),
    step("200 mcg/day", "210 mcg/day", patient=CEREBRAL),
    step("200 mcg/day", "230 mcg/day", patient=CEREBRAL),
    step("200 mcg/day", "230 mcg/day", patient=CHILD),
    step("100 mcg/day", "105 mcg/day", patient=CHILD, **WEAK),
    step_at_pump("200 mcg/day", "260 mcg/day"),
    step_at_pump("200 mcg/day", "230 mcg/day", patient=CEREBRAL),
    # decreases for side effects
    step("200 mcg/day", "180 mcg/day"),
    step("200 mcg/day", "160 mcg/day"),
    step("600 mcg/day", "480 mcg/day", patient=CEREBRAL),
    # starts
    first("100 mcg/day", "50 mcg", "5h", **WEAK),
    first("200 mcg/day", "100 mcg", "8h"),
    first("75 mcg/day", "75 mcg", "10h", **WEAK),
    first("150 mcg/day", "75 mcg", "6h", patient=CEREBRAL, **WEAK),
    first("50 mcg/day", "25 mcg", "5h", patient=CHILD, **WEAK),
    # other therapies of about the same dose
    Ordinary("one morning bolus", LABEL, rx_review(prescription(MORNING), steady("200 mcg/day"))),
    Ordinary("more by day than by night", LABEL, rx_review(prescription(DAY_AND_NIGHT), steady("200 mcg/day"))),
    Ordinary(
        "two boluses a day are asked about",
        LABEL,
        rx_review(prescription(TWICE), steady("210 mcg/day")),
        rules("repeated-bolus", "bolus-count"),
    ),
    Ordinary(
        "a bolus the patient may ask for",
        LABEL,
        rx_review(prescription(continuous("200 mcg/day", patient_bolus=ASKING)), steady("200 mcg/day")),
    ),
    Ordinary("a bolus every day", LABEL, rx_review(prescription(periodic("40 mcg", "30m", "24h", "160 mcg/day")), steady("200 mcg/day"))),
    Ordinary("the catheter by its lengths", LABEL, rx_review(prescription(catheter=CATHETER), steady("200 mcg/day"))),
    Ordinary(
        "more than usual is asked about",
        LABEL,
        rx_review(prescription(continuous("1100 mcg/day")), steady("1000 mcg/day")),
        rules("daily-total"),
    ),
    # refills
    refill_row("as expected", "9 mL", 10_400_000),
    refill_row("1.5 mL less than expected", "7.5 mL", 10_400_000),
    refill_row("1.5 mL more than expected", "10.5 mL", 10_400_000),
    Ordinary(
        "refill with the same prescription",
        REFILL,
        refill_review("9 mL", "38 mL", replace(pump(steady("200 mcg/day")), reservoir_nL=10_400_000), "P-40", prescription()),
    ),
    Ordinary(
        "refill with another concentration and its bridge",
        "domain 2.2",
        refill_review("9 mL", "38 mL", replace(pump(steady("200 mcg/day")), reservoir_nL=10_400_000), "P-40", TO_500),
    ),
    Ordinary("the same beside the volume", "domain 2.2", rx_review(TO_500, pump(steady("200 mcg/day")), refill=Volume(38_000_000))),
    # boluses and primes
    Ordinary("single bolus of 25 mcg", LABEL, bolus_review("25 mcg", "10m", steady("200 mcg/day"))),
    Ordinary("single bolus of 50 mcg", LABEL, bolus_review("50 mcg", "10m", steady("200 mcg/day"))),
    Ordinary("single bolus of 75 mcg is asked about", LABEL, bolus_review("75 mcg", "10m", steady("200 mcg/day")), rules("bolus-size")),
    Ordinary("single bolus an hour after a refill", LABEL, bolus_review("25 mcg", "10m", steady("200 mcg/day"), **AN_HOUR_AGO)),
    Ordinary(
        "single bolus an hour after a refill, larger dose", LABEL, bolus_review("25 mcg", "10m", steady("900 mcg/day"), **AN_HOUR_AGO)
    ),
    Ordinary("second bolus of the day", LABEL, bolus_review("20 mcg", "10m", steady("200 mcg/day"), **AFTER_A_BOLUS)),
    Ordinary(
        "prime of a new implant",
        "domain 2.2: after implant, empty path",
        prime_review(
            NEW_IMPLANT, "1h", pump(NEW_IMPLANT, run_state=RunState.STOPPED, revision=1, lifetime_pulses=0, bolus_counter=0, mass_24h_ng=0)
        ),
        rules("prime"),
    ),
    # the same again after a short stop, as for a scan
    Ordinary(
        "again an hour after a stop",
        "domain 1.2: MRI",
        rx_review(prescription(), stopped_for(steady("200 mcg/day"), 1)),
        rules("restart", "start"),
    ),
)
