"""Accidents that happened, and the slips behind them, as rows: what was typed, what the review must find, and the figures it must show.

Sources: `domain.md` by section, with the report it names. Rule names: several may rightly catch one accident; each row lists them all.
Severities are the least that is safe: domain 7 asks that hours for minutes, 10 times the concentration, 24 times the flex dose and a
catheter of another length be blocked or need a second person.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

from itbpump.history import History
from itbpump.quantity import Volume
from itbpump.safety import Severity
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, RunState
from tests.golden.cases import (
    HOUR_MS,
    UPTIME_MS,
    Accident,
    bolus_review,
    fresh,
    prime_review,
    pump,
    refill_review,
    rules,
    rx_review,
)
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

HARD, SECOND, SOFT = Severity.HARD, Severity.SECOND, Severity.SOFT
ISMP = "domain 0.6, ISMP: a flex program meant as 60 mcg once a day entered as 60 mcg every hour"
FDA_2004 = "domain 0.5, FDA Class I 2004: interval typed in the minutes field instead of hours; 7 serious injuries, 2 deaths"
NO_BRIDGE = "domain 0.9: missing bridge bolus, path 0.316 mL, 200 mcg/day"
WRONG_LABEL = "domain 2.5: concentration wrong, 10x decimal; mechanism of domain 0.9"
TUBING = "domain 0.7: tubing volume 0.199 for 0.140 mL, TGA RC-2017-RN-00065-1"
TRIM = "domain 2.2: implanted length is total less removed; a trimmed segment is a classic error"
SGOUROS = "domain 2.4: 19 mL still in the pump at refill, near-lethal overdose after the restart, Sgouros 2010, doi 10.1159/000315319"
HOLIDAY = "domain 3: overdoses on restart after a drug holiday, 27 and 55 mcg/h, acemap 1991"
STOPPED_2020 = "domain 0.1: sent home with a stopped pump, noticed after 48 h to 21 days, HK MDD 8 Dec 2020"
FIELDS = "SR-18: rate and dose fields confused, 41.7 for 4.17, patientsafetysolutions 2019"
TEN = "domain 2.5: 10x decimal"
IDENTITY = "safety SR-20: wrong patient, wrong pump"
PRIME = "domain 0.8 and 0.7, FDA Class I 2013 and 2017: priming bolus over-delivers"

TENFOLD = rules("ten-times", "field-swap")
COUNT = rules("bolus-count", "repeated-bolus")
TIMES = rules("hours-minutes", "bolus-count", "repeated-bolus")
RESTART = rules("restart", "start", "under-delivery")


def running(dose: str, **tables: Any) -> Prescription:
    """A constant dose that has been running for a month before the new prescription."""
    since = datetime(2026, 10, 20, 10, tzinfo=timezone(timedelta(hours=-5)))
    return prescription(continuous(dose, since=since), **tables)


def mcg_per_mL(number: int) -> dict[str, str]:
    return {"concentration": f"{number} mcg/mL"}


def lengths(removed: str = "34 cm", bore: str = "0.0022 mL/cm", tubing: str = "0.14 mL") -> dict[str, str | None]:
    """A 114 cm catheter in place of a path volume."""
    return {"path_volume": None, "length_total": "114 cm", "length_removed": removed, "volume_per_length": bore, "tubing_volume": tubing}


# ------------------------------------------------------------------------------------------------ 60 mcg a day as every hour
ONCE = prescription(flex(rate("00:00", "4 mcg/h"), bolus("07:00", "60 mcg", "1h")))
HOURLY_STEPS = [bolus(f"{hour:02d}:30", "60 mcg", "30m") for hour in range(24)]
HOURLY = prescription(flex(rate("00:00", "4 mcg/h"), *HOURLY_STEPS))
HOURLY_START = prescription(flex(rate("00:00", "4 mcg/h"), *HOURLY_STEPS), screening={"dose": "75 mcg", "effect": "5h"})
EVERY_HOUR = prescription(periodic("60 mcg", "30m", "1h", "96 mcg/day"))

ROWS_ISMP = (
    Accident("60 mcg hourly beside once a day", ISMP, rx_review(HOURLY, ONCE), HARD, rules("increase")),
    Accident("60 mcg hourly beside the pump", ISMP, rx_review(HOURLY, pump(ONCE)), HARD, rules("increase")),
    Accident("60 mcg hourly counts in words", ISMP, rx_review(HOURLY), SOFT, COUNT, ("twenty-four", "1,440 mcg per day")),
    Accident("60 mcg hourly, nothing known of the present", ISMP, rx_review(HOURLY), SECOND, COUNT | TENFOLD | rules("daily-total")),
    Accident("60 mcg hourly as a first therapy", ISMP, rx_review(HOURLY_START, fresh(HOURLY_START)), SECOND, rules("start")),
    Accident("60 mcg every 1 h for every day", ISMP, rx_review(EVERY_HOUR), SECOND, TIMES, ("twenty-four", "1,440 mcg per day")),
    Accident(
        "60 mcg per hour as a rate", ISMP, rx_review(prescription(continuous("60 mcg/h")), running("60 mcg/day")), HARD, rules("increase")
    ),
)

# ------------------------------------------------------------------------------------------------ minutes for hours, hours for minutes
V40 = {"profile": "V-40"}
ASKING: dict[str, Any] = {"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}


def every(typed: str, dose: str = "40 mcg", over: str = "5m") -> Prescription:
    return prescription(periodic(dose, over, typed, "100 mcg/day"))


ROWS_TIMES = (
    Accident("every 6 min for 6 h", FDA_2004, rx_review(every("6m")), HARD, rules("daily-total"), ("2,003 mcg per day",)),
    Accident("every 6 min counts in words", FDA_2004, rx_review(every("6m")), SOFT, TIMES, ("240", "9,600 mcg per day")),
    Accident("every 12 min beside every 12 h", FDA_2004, rx_review(every("12m"), every("12h")), HARD, rules("increase")),
    Accident("every 60 min for 6 h, small dose", FDA_2004, rx_review(every("60m", "5 mcg")), SECOND, TIMES, ("twenty-four",)),
    Accident("every 24 min for 24 h, small dose", FDA_2004, rx_review(every("24m", "2 mcg")), SECOND, TIMES, ("sixty", "120 mcg per day")),
    Accident(
        "every 60 min beside every 6 h",
        FDA_2004,
        rx_review(every("60m", "5 mcg"), pump(every("6h", "5 mcg"))),
        SECOND,
        rules("increase") | TIMES,
    ),
    Accident("over 10 h for 10 min", FDA_2004, rx_review(every("24h", over="10h")), SECOND, TIMES, ("10 h",)),
    Accident(
        "patient bolus over 10 h for 10 min",
        FDA_2004,
        rx_review(prescription(continuous("150 mcg/day", patient_bolus=ASKING | {"over": "10h", "lockout": "12h"}), pump=V40)),
        SECOND,
        TIMES,
        ("10 h",),
    ),
    Accident(
        "lockout of 6 min for 6 h",
        FDA_2004,
        rx_review(prescription(continuous("150 mcg/day", patient_bolus=ASKING | {"over": "5m", "lockout": "6m"}))),
        HARD,
        rules("patient-bolus"),
        ("6 min",),
    ),
    Accident("single bolus over 10 h for 10 min", FDA_2004, bolus_review("25 mcg", "10h", prescription()), HARD, rules("bolus-delivery")),
)

# ------------------------------------------------------------------------------------------------ another concentration
FULL = Volume(38_000_000)
REFUSED = {"plan": "refused", "reason": "not thought of"}
WEAK_TO_STRONG = ("50 mcg per day", "3.2 days")
STRONG_TO_WEAK = ("800 mcg per day", "19 h")


def relabelled(old: int, new: int, **tables: Any) -> tuple[Prescription, Prescription]:
    """New and old prescription of 200 mcg/day."""
    return prescription(drug=mcg_per_mL(new), **tables), running("200 mcg/day", drug=mcg_per_mL(old))


def beside_the_pump(old: int, new: int, **tables: Any) -> Any:
    rx, before = relabelled(old, new, **tables)
    return rx_review(rx, pump(before), refill=FULL)


ROWS_CONCENTRATION = (
    Accident("20000 typed for 2000", WRONG_LABEL, rx_review(prescription(drug=mcg_per_mL(20000))), HARD, rules("concentration")),
    Accident("200 typed for 2000", WRONG_LABEL, rx_review(prescription(drug=mcg_per_mL(200))), HARD, rules("concentration")),
    Accident("refill with 200 for 2000", WRONG_LABEL, beside_the_pump(2000, 200), HARD, rules("concentration")),
    Accident("refill with 20000 for 2000", WRONG_LABEL, beside_the_pump(2000, 20000), HARD, rules("concentration")),
    Accident(
        "500 typed beside a pump that holds 2000",
        WRONG_LABEL,
        rx_review(relabelled(2000, 500)[0], pump(relabelled(2000, 500)[1])),
        HARD,
        rules("label"),
        ("500 mcg per mL", "2,000 mcg per mL"),
    ),
    Accident("refill with 500 for 2000", WRONG_LABEL, beside_the_pump(2000, 500), HARD, rules("bridge"), STRONG_TO_WEAK),
    Accident("refill with 2000 for 500", WRONG_LABEL, beside_the_pump(500, 2000), HARD, rules("bridge"), WEAK_TO_STRONG),
    Accident("no bridge, 500 to 2000", NO_BRIDGE, rx_review(*relabelled(500, 2000)), HARD, rules("bridge"), WEAK_TO_STRONG),
    Accident("no bridge, 2000 to 500", NO_BRIDGE, rx_review(*relabelled(2000, 500)), HARD, rules("bridge"), STRONG_TO_WEAK),
    Accident("bridge refused, 500 to 2000", NO_BRIDGE, beside_the_pump(500, 2000, bridge=REFUSED), SECOND, rules("bridge"), WEAK_TO_STRONG),
    Accident("bridge refused, 2000 to 500", NO_BRIDGE, beside_the_pump(2000, 500, bridge=REFUSED), SECOND, rules("bridge"), STRONG_TO_WEAK),
    Accident(
        "bolus while the path still holds 2000 under a label of 500",
        NO_BRIDGE,
        bolus_review(
            "25 mcg", "10m", running("200 mcg/day", drug=mcg_per_mL(500)), path_left_pulses=600, path_concentration_ng_per_mL=2_000_000
        ),
        HARD,
        rules("path"),
        ("100 mcg", "25 mcg"),
    ),
    Accident(
        "second change while the path is not clear",
        "domain 2.2: a second change within the bridge stacks the path",
        rx_review(
            prescription(drug=mcg_per_mL(1000), bridge={"plan": "auto"}),
            pump(running("200 mcg/day", drug=mcg_per_mL(500)), path_left_pulses=600, path_concentration_ng_per_mL=2_000_000),
            refill=FULL,
        ),
        HARD,
        rules("path", "bridge"),
    ),
)

# ------------------------------------------------------------------------------------------------ the catheter
TUBING_MCG = {500: "29.5 mcg", 1000: "59 mcg", 2000: "118 mcg", 3000: "177 mcg"}
WRONG_TUBING = lengths(tubing="0.199 mL")
ROWS_CATHETER = (
    *(
        Accident(
            f"tubing of 0.199 mL at {number} mcg/mL",
            TUBING,
            rx_review(prescription(catheter=WRONG_TUBING, drug=mcg_per_mL(number))),
            SECOND,
            rules("tubing"),
            ("0.059 mL", shown),
        )
        for number, shown in TUBING_MCG.items()
    ),
    Accident(
        "nothing removed from the catheter",
        TRIM,
        rx_review(prescription(catheter=lengths("0 cm"))),
        SOFT,
        rules("catheter-trim"),
        ("0.022 mL",),
    ),
    Accident(
        "trimmed part not entered, beside the pump",
        TRIM,
        rx_review(prescription(catheter=lengths("0 cm")), pump(running("200 mcg/day"))),
        SECOND,
        rules("path-changed"),
        ("0.316 mL", "0.3908 mL"),
    ),
    Accident(
        "trimmed part not entered, beside the file",
        TRIM,
        rx_review(prescription(catheter=lengths("0 cm")), running("200 mcg/day", catheter=lengths())),
        SECOND,
        rules("path-changed"),
        ("0.316 mL", "0.3908 mL"),
    ),
    Accident("bore ten times too wide", TRIM, rx_review(prescription(catheter=lengths(bore="0.022 mL/cm"))), HARD, rules("path-volume")),
    Accident(
        "bore ten times too narrow",
        TRIM,
        rx_review(prescription(catheter=lengths(bore="0.00022 mL/cm"))),
        SECOND,
        rules("catheter-trim", "ten-times", "volume-per-length"),
    ),
)

# ------------------------------------------------------------------------------------------------ after an interruption
P20: dict[str, Any] = {"pump": {"profile": "P-20", "reservoir_volume": "18 mL", "low_reservoir_alarm": "4 mL"}}
CHILD = {"indication": "cerebral", "age_years": 9}
OLD_DOSE = running("300 mcg/day", patient=CHILD, **P20)
THREE_MONTHS = pump(OLD_DOSE, reservoir_nL=2_900_000)  # 1.5 mL expected above the residual
STALLED_REFILL: dict[str, Any] = {"aspirated": "19 mL", "filled": "18 mL", "present": THREE_MONTHS, "profile": "P-20"}


def untreated(rx: Prescription, hours: int) -> Any:
    """The pump of `rx`, stopped so many hours ago."""
    return pump(
        rx,
        run_state=RunState.STOPPED,
        history=History(untreated_since_ms=UPTIME_MS - hours * HOUR_MS),
        mass_24h_ng=0,
        last_change_kind=CommandKind.STOP,
    )


HOLIDAY_DOSE = running("27 mcg/h")
ROWS_INTERRUPTED = (
    Accident(
        "19 mL drawn out where 1.5 mL were expected",
        SGOUROS,
        refill_review(**STALLED_REFILL),
        SECOND,
        rules("refill-discrepancy", "under-delivery"),
        ("19 mL", "17.5 mL"),
    ),
    Accident(
        "the old dose again after a stall",
        SGOUROS,
        refill_review(**STALLED_REFILL, rx=prescription(continuous("300 mcg/day"), patient=CHILD, **P20)),
        SECOND,
        RESTART,
    ),
    Accident(
        "the old dose again after a stall, without a prescription",
        SGOUROS,
        refill_review(**STALLED_REFILL),
        SECOND,
        RESTART | rules("refill-discrepancy"),
    ),
    Accident(
        "27 mcg/h again after ten days without",
        HOLIDAY,
        rx_review(prescription(continuous("27 mcg/h")), untreated(HOLIDAY_DOSE, 240)),
        SECOND,
        RESTART,
    ),
    Accident(
        "55 mcg/h again after ten days without",
        HOLIDAY,
        rx_review(prescription(continuous("55 mcg/h")), untreated(running("55 mcg/h"), 240)),
        SECOND,
        RESTART,
    ),
    Accident(
        "a bolus to make up for a stall",
        "design 10: a missed dose is not doubled later",
        bolus_review("50 mcg", "10m", running("200 mcg/day"), history=History(missed_nL=50_000)),
        SOFT,
        rules("catch-up"),
    ),
    Accident(
        "refill of a pump that was left stopped",
        STOPPED_2020,
        refill_review("9 mL", "38 mL", replace(untreated(running("200 mcg/day"), 72), reservoir_nL=10_400_000), "P-40"),
        SOFT,
        rules("not-running"),
    ),
    Accident("a stop", STOPPED_2020, rx_review(prescription({"mode": "stopped"}), running("200 mcg/day")), SOFT, rules("stop")),
)

# ------------------------------------------------------------------------------------------------ fields and tens
SCREENED = {"dose": "50 mcg", "effect": "5h"}
WEAK = {"drug": mcg_per_mL(500)}


def start_at(dose: str) -> Any:
    rx = prescription(continuous(dose), screening=SCREENED, **WEAK)
    return rx_review(rx, fresh(rx))


PEAK = flex(rate("00:00", "6 mcg/h"), rate("12:00", "60 mcg/h"), rate("14:00", "6 mcg/h"), rate("18:00", "7 mcg/h"))
ROWS_TENS = (
    Accident(
        "200 mcg/h for 200 mcg/day",
        FIELDS,
        rx_review(prescription(continuous("200 mcg/h"))),
        HARD,
        rules("daily-total"),
        ("4,800 mcg per day",),
    ),
    Accident("40 mcg/h for 40 mcg/day", FIELDS, rx_review(prescription(continuous("40 mcg/h"))), SOFT, TENFOLD, ("960 mcg per day",)),
    Accident(
        "25 mcg/h for 25 mcg/day as a start", FIELDS, start_at("25 mcg/h"), SECOND, rules("start"), ("600 mcg per day", "100 mcg per day")
    ),
    Accident("8 mcg/day for 8 mcg/h", FIELDS, rx_review(prescription(continuous("8 mcg/day"))), HARD, rules("flow-range")),
    Accident(
        "8 mcg/day for 8 mcg/h where the pump can",
        FIELDS,
        rx_review(prescription(continuous("8 mcg/day"), pump=V40), running("8 mcg/h", pump=V40)),
        SOFT,
        TENFOLD,
        ("192 mcg per day",),
    ),
    Accident(
        "41.7 mcg/h beside 4.17", FIELDS, rx_review(prescription(continuous("41.7 mcg/h")), running("4.17 mcg/h")), HARD, rules("increase")
    ),
    Accident(
        "41.7 mcg/h, nothing known",
        FIELDS,
        rx_review(prescription(continuous("41.7 mcg/h"))),
        SOFT,
        rules("daily-total") | TENFOLD,
        ("1,000.8 mcg per day",),
    ),
    Accident("41.7 mcg/h as a start", FIELDS, start_at("41.7 mcg/h"), SECOND, rules("start")),
    Accident("4.17 mcg/h beside 41.7", FIELDS, rx_review(prescription(continuous("4.17 mcg/h")), running("41.7 mcg/h")), SECOND, TENFOLD),
    Accident(
        "2000 for 200 mcg/day", TEN, rx_review(prescription(continuous("2000 mcg/day")), running("200 mcg/day")), HARD, rules("increase")
    ),
    Accident(
        "20 for 200 mcg/day",
        TEN,
        rx_review(prescription(continuous("20 mcg/day"), pump=V40), running("200 mcg/day", pump=V40)),
        SECOND,
        TENFOLD,
    ),
    Accident("250 for 25 mcg at once", TEN, bolus_review("250 mcg", "10m", prescription()), HARD, rules("bolus-size")),
    Accident(
        "280 mcg at once",
        "domain 3: overdose by a bolus of 280 mcg, acemap 1991",
        bolus_review("280 mcg", "1h", prescription()),
        HARD,
        rules("bolus-size"),
    ),
    Accident(
        "50 for 5 mcg on request",
        TEN,
        rx_review(
            prescription(continuous("150 mcg/day", patient_bolus=ASKING | {"dose": "50 mcg"})),
            pump(prescription(continuous("150 mcg/day", patient_bolus=ASKING))),
        ),
        SECOND,
        rules("increase") | TENFOLD,
    ),
    Accident("3.8 for 38 mL", TEN, rx_review(prescription(pump={"reservoir_volume": "3.8 mL"})), HARD, rules("reservoir")),
    Accident("60 for 6 mcg/h in one step", TEN, rx_review(prescription(PEAK)), SOFT, TENFOLD, ("60 mcg per hour",)),
)

# ------------------------------------------------------------------------------------------------ somebody else; prime again
PRIMED = prescription(prime={"scope": "path"})
JUST_PRIMED = pump(
    running("200 mcg/day"),
    mass_24h_ng=832_000,
    history=History(primed_ms=UPTIME_MS - 2 * HOUR_MS),
    last_change_kind=CommandKind.BOLUS,
    last_change_ms=UPTIME_MS - 2 * HOUR_MS,
    bolus_counter=672,
)
ROWS_OTHERS = (
    Accident(
        "wrong patient",
        IDENTITY,
        rx_review(prescription(patient={"id": "P-2"}), running("200 mcg/day")),
        HARD,
        rules("identity"),
        ("P-2", "P-1"),
    ),
    Accident("wrong pump", IDENTITY, rx_review(prescription(pump=V40), running("200 mcg/day")), HARD, rules("identity"), ("V-40", "P-40")),
    Accident(
        "prime of a path that holds drug already",
        PRIME,
        prime_review(PRIMED, "1h", pump(running("200 mcg/day"))),
        SECOND,
        rules("prime-full-path"),
        ("632 mcg",),
    ),
    Accident(
        "prime again two hours later",
        PRIME,
        prime_review(PRIMED, "1h", JUST_PRIMED),
        HARD,
        rules("prime-repeat"),
        ("2 h",),
    ),
)

ACCIDENTS: tuple[Accident, ...] = (
    *ROWS_ISMP,
    *ROWS_TIMES,
    *ROWS_CONCENTRATION,
    *ROWS_CATHETER,
    *ROWS_INTERRUPTED,
    *ROWS_TENS,
    *ROWS_OTHERS,
)
