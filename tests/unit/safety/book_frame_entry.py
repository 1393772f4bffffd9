"""Cases of the frame's book: doses and times typed into the wrong field, with both sides of every edge. Figures: `profiles/slips.toml`."""

from __future__ import annotations

from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import STOPPED, pump
from tests.unit.therapy.prescriptions import WEEK, bolus, continuous, flex, periodic, prescription, rate

Case = tuple[Prescription, Prescription | PresentPump | None, dict[str, Any]]
SCREENED: dict[str, Any] = {"screening": {"dose": "60 mcg", "effect": "5h"}}  # the start limit is 120 mcg/day


def case(therapy: dict[str, Any] | None, present: dict[str, Any] | None = None, **tables: Any) -> Case:
    """A therapy beside another, or alone; tables of the typed one."""
    return prescription(therapy, **tables), prescription(present) if present is not None else None, {}


def day(mcg: str) -> dict[str, Any]:
    return continuous(f"{mcg} mcg/day")


def hourly(mcg: str) -> dict[str, Any]:
    return continuous(f"{mcg} mcg/h")


def asking(background: str = "200 mcg/day", **own: Any) -> dict[str, Any]:
    """A rate and a bolus the patient may ask for."""
    return continuous(background, patient_bolus={"dose": "5 mcg", "over": "10m", "lockout": "6h", "max_per_day": 3, **own})


def steps(*amounts: str) -> dict[str, Any]:
    """Rates, an hour each."""
    return flex(*(rate(f"{hour:02d}:00", amount) for hour, amount in enumerate(amounts)))


def hours_of(dose: str, count: int, base: str = "4 mcg/h", days: tuple[str, ...] = WEEK) -> dict[str, Any]:
    """The same bolus at every hour from the first on."""
    return flex(rate("00:00", base), *(bolus(f"{hour:02d}:30", dose, "30m") for hour in range(count)), days=days)


def week(*patterns: tuple[tuple[str, ...], list[dict[str, str]]]) -> dict[str, Any]:
    return {"mode": "flex", "pattern": [{"days": list(days), "steps": list(own)} for days, own in patterns]}


PAIN: dict[str, Any] = {"drug": {"name": "morphine", "concentration": "10000 mcg/mL"}, "patient": {"indication": "pain"}}
WEEKEND, WORKDAYS = ("sat", "sun"), ("mon", "tue", "wed", "thu", "fri")
BESIDE_5 = asking("200 mcg/day", dose="5 mcg")
BESIDE_40 = asking("200 mcg/day", dose="40 mcg", lockout="24h", max_per_day=1)
PERIOD_5 = periodic("5 mcg", "5m", "12h", "190 mcg/day")
WHOLE_DAY = [rate("00:00", "0 mcg/day"), bolus("06:00", "160 mcg", "1h")]

CASES_DOSE: dict[str, Case] = {
    # -------------------------------------------------------------------------------------------- per hour for per day
    "per hour for per day": case(hourly("200"), day("200")),
    "per day for per hour": case(day("8"), day("200")),
    "per hour, 7.2 times the present": case(hourly("60"), day("200")),
    "per hour, twice the present as read": case(hourly("60"), day("30")),
    "per hour, more than twice as read": case(hourly("60"), day("29")),
    "per day, half the present as read": case(day("10"), day("480")),
    "per day, less than half as read": case(day("10"), day("481")),
    "per hour alone": case(hourly("60")),
    "per hour alone, at the top of the usual": case(hourly("33.3")),
    "per hour alone, just above the usual": case(hourly("33.4")),
    "per day alone": case(day("20")),
    "per day at a start": case(day("4"), STOPPED, **SCREENED),
    "per hour at a start": case(hourly("40"), STOPPED, **SCREENED),
    "no therapy": case(STOPPED, day("200")),
    "the minimum rate": case({"mode": "minimum-rate"}, day("200")),
    "background per hour beside boluses": case(
        periodic("40 mcg", "30m", "24h", "160 mcg/h"), periodic("40 mcg", "30m", "24h", "160 mcg/day")
    ),
    "weekend per hour": case(flex(rate("00:00", "200 mcg/h"), days=WEEKEND), day("200")),
    "one day per hour": case(flex(rate("00:00", "200 mcg/h"), days=("wed",)), day("200")),
    "weekend per hour, written second": case(
        week((WORKDAYS, [rate("00:00", "200 mcg/day")]), (WEEKEND, [rate("00:00", "200 mcg/h"), rate("12:00", "190 mcg/h")])), day("200")
    ),
    "three rates per hour, the first of none": case(
        flex(rate("00:00", "0 mcg/h"), rate("06:00", "200 mcg/h"), rate("12:00", "190 mcg/h"), rate("18:00", "180 mcg/h")), day("200")
    ),
    "two rates per hour": case(flex(rate("00:00", "200 mcg/h"), rate("12:00", "190 mcg/h")), day("200")),
    "two units, only the day's explains": case(flex(rate("00:00", "0.5 mcg/h"), rate("06:00", "8 mcg/day")), day("200")),
    "two units and a bolus, only the hour's explains": case(
        flex(rate("00:00", "90 mcg/h"), bolus("06:00", "20 mcg", "1h"), rate("12:00", "96 mcg/day")), day("120")
    ),
    "one step per hour for per day": case(steps("8 mcg/h", "200 mcg/h", "8 mcg/h")),
    "one step per day for per hour": case(steps("200 mcg/day", "8 mcg/day", "200 mcg/day")),
    "one step per hour beside the present": case(
        flex(rate("00:00", "8 mcg/h"), rate("06:00", "200 mcg/h"), rate("20:00", "8 mcg/h")), day("200")
    ),
    # -------------------------------------------------------------------------------------------- a dose for the day's total
    "a patient bolus of the whole day": case(asking("48 mcg/day", dose="48 mcg")),
    "a patient bolus of nine tenths": case(asking("50 mcg/day", dose="45 mcg")),
    "a patient bolus of less than nine tenths": case(asking("50 mcg/day", dose="44.9 mcg")),
    "a patient bolus beside nothing": case(asking("0 mcg/day")),
    "the day's total as each dose": case(periodic("80 mcg", "30m", "6h", "0 mcg/day"), day("80")),
    "the day's total on purpose": case(periodic("80 mcg", "30m", "24h", "0 mcg/day"), day("80")),
    "the day's total, and a quarter more": case(flex(*WHOLE_DAY, bolus("18:00", "40 mcg", "1h")), day("160")),
    "the day's total, and less than a quarter more": case(flex(*WHOLE_DAY, bolus("18:00", "39 mcg", "1h")), day("160")),
    "a tenth more than the day's total": case(periodic("88 mcg", "30m", "6h", "0 mcg/day"), day("80")),
    "more than a tenth more": case(periodic("89 mcg", "30m", "6h", "0 mcg/day"), day("80")),
    "a tenth less than the day's total": case(periodic("72 mcg", "30m", "6h", "0 mcg/day"), day("80")),
    "more than a tenth less": case(periodic("71 mcg", "30m", "6h", "0 mcg/day"), day("80")),
    "a total beside a pump that gives nothing": case(periodic("80 mcg", "30m", "6h", "0 mcg/day"), day("0")),
    "a total beside a stopped therapy": case(periodic("80 mcg", "30m", "6h", "0 mcg/day"), STOPPED),
    "a total beside a pump that was stopped": (
        prescription(periodic("80 mcg", "30m", "6h", "0 mcg/day")),
        pump(wire_configuration(prescription(day("80")), load_profile("P-40")), run_state=RunState.STOPPED),
        {},
    ),
    # -------------------------------------------------------------------------------------------- a daily dose every hour
    "the same bolus every hour": case(hours_of("60 mcg", 24)),
    "the same bolus every hour, written second": case(
        week((WORKDAYS, [rate("00:00", "300 mcg/day")]), (WEEKEND, hours_of("60 mcg", 24)["pattern"][0]["steps"]))
    ),
    "the same bolus every hour of one day": case(hours_of("60 mcg", 24, days=("wed",))),
    "the same bolus twelve times beside another": case(
        flex(rate("00:00", "4 mcg/h"), *(bolus(f"{hour:02d}:30", "75 mcg", "30m") for hour in range(12)), bolus("20:00", "9 mcg", "30m")),
        day("200"),
    ),
    "the same bolus eleven times": case(hours_of("90 mcg", 11), day("200")),
    "a small bolus every hour": case(hours_of("3 mcg", 24), day("200")),
    # -------------------------------------------------------------------------------------------- ten times
    "8 times the present": case(day("1440"), day("180")),
    "less than 8 times": case(day("1439"), day("180")),
    "12.5 times the present": case(day("2250"), day("180")),
    "more than 12.5 times": case(day("2251"), day("180")),
    "an eighth of the present": case(day("25"), day("200")),
    "more than an eighth": case(day("25.1"), day("200")),
    "a 12.5th of the present": case(day("16"), day("200")),
    "less than a 12.5th": case(day("15.9"), day("200")),
    "41.7 for 4.17": case(hourly("41.7"), hourly("4.17")),
    "a tenth": case(day("20"), day("200")),
    "a 9.5th": case(day("21"), day("200")),
    "more than a 9.5th": case(day("21.2"), day("200")),
    "a 10.5th": case(day("19"), day("200")),
    "less than a 10.5th": case(day("18.8"), day("200")),
    "a weekend of a tenth": case(flex(rate("00:00", "20 mcg/day"), days=WEEKEND), day("200")),
    "a weekend of ten times": case(flex(rate("00:00", "1000 mcg/day"), days=WEEKEND), day("100")),
    "beside days that differ, a tenth of the lowest": case(day("10"), flex(rate("00:00", "300 mcg/day"), days=WEEKEND)),
    "beside days that differ, ten times the highest": case(day("3000"), flex(rate("00:00", "300 mcg/day"), days=WEEKEND)),
    "both ways, on different days": case(
        week((WORKDAYS, [rate("00:00", "10 mcg/day")]), (WEEKEND, [rate("00:00", "1000 mcg/day")])), day("100")
    ),
    "ten times the start limit": case(day("1200"), STOPPED, **SCREENED),
    "a tenth of the start limit": case(day("12"), STOPPED, **SCREENED),
    "ten times, without a start limit": case(day("1200"), STOPPED),
    "ten times nothing": case(day("1200"), day("0")),
    "nothing, for a tenth": case(day("0"), day("200")),
    "the patient bolus 8 times": case(asking(dose="40 mcg"), BESIDE_5),
    "the patient bolus less than 8 times": case(asking(dose="39 mcg"), BESIDE_5),
    "the patient bolus 12.5 times": case(asking(dose="50 mcg"), asking(dose="4 mcg")),
    "the patient bolus more than 12.5 times": case(asking(dose="51 mcg"), asking(dose="4 mcg")),
    "the patient bolus a 12.5th": case(asking(dose="4 mcg"), asking(dose="50 mcg")),
    "the patient bolus an eighth": case(asking(dose="5 mcg"), BESIDE_40),
    "the patient bolus less than an eighth": case(asking(dose="3 mcg"), BESIDE_40),
    "the same patient bolus": case(asking(), BESIDE_5),
    "the patient bolus of nothing": case(asking(dose="0 mcg"), BESIDE_5),
    "a tenth of the periodic bolus": case(periodic("4 mcg", "30m", "12h"), periodic("40 mcg", "30m", "12h")),
    "ten times the periodic bolus": case(periodic("50 mcg", "5m", "12h", "190 mcg/day"), PERIOD_5),
    "a patient bolus where there was none": case(asking(), day("200")),
    "a patient bolus no more": case(day("200"), BESIDE_5),
    # -------------------------------------------------------------------------------------------- another drug
    "ten times the start limit of another drug": (prescription(day("10000"), **PAIN), prescription(day("1000")), {}),
    "ten times a day of another drug": (prescription(day("5000"), **PAIN), prescription(day("500")), {}),
    "ten times the periodic bolus of another drug": (
        prescription(periodic("1000 mcg", "5m", "12h"), **PAIN),
        prescription(periodic("100 mcg", "5m", "12h")),
        {},
    ),
    "a total of another drug": (prescription(periodic("500 mcg", "30m", "6h", "0 mcg/day"), **PAIN), prescription(day("500")), {}),
    # -------------------------------------------------------------------------------------------- a step among the others
    "two steps, 8 times": case(steps("1 mcg/h", "8 mcg/h")),
    "two steps, less than 8 times": case(steps("1 mcg/h", "7.9 mcg/h")),
    "a high step, read per day half the others": case(steps("8 mcg/h", "96 mcg/h", "8 mcg/h")),
    "a high step, read per day less than half": case(steps("8 mcg/h", "95 mcg/h", "8 mcg/h")),
    "a high step, read per day twice the others": case(steps("8 mcg/h", "384 mcg/h", "8 mcg/h")),
    "a high step, read per day more than twice": case(steps("8 mcg/h", "385 mcg/h", "8 mcg/h")),
    "a low step, read per hour half the others": case(steps("240 mcg/day", "5 mcg/day", "240 mcg/day")),
    "a low step, read per hour less than half": case(steps("240 mcg/day", "4.9 mcg/day", "240 mcg/day")),
    "a low step, read per hour twice the others": case(steps("240 mcg/day", "20 mcg/day", "240 mcg/day")),
    "a low step, read per hour more than twice": case(steps("240 mcg/day", "20.1 mcg/day", "240 mcg/day")),
    "a high step typed per day": case(steps("10 mcg/day", "200 mcg/day", "10 mcg/day")),
    "a low step typed per hour": case(steps("8 mcg/h", "0.4 mcg/h", "8 mcg/h")),
    "two high steps of six": case(steps("8 mcg/h", "80 mcg/h", "8 mcg/h", "80 mcg/h", "8 mcg/h", "8 mcg/h")),
    "two high steps of five": case(steps("8 mcg/h", "80 mcg/h", "8 mcg/h", "80 mcg/h", "8 mcg/h")),
    "two low steps of six": case(steps("240 mcg/day", "10 mcg/day", "240 mcg/day", "10 mcg/day", "240 mcg/day", "240 mcg/day")),
    "two low steps of five": case(steps("240 mcg/day", "10 mcg/day", "240 mcg/day", "10 mcg/day", "240 mcg/day")),
    "steps of nothing are no slip": case(steps("8 mcg/h", "0 mcg/h", "9 mcg/h")),
    "a high step beside steps of nothing": case(steps("0 mcg/h", "8 mcg/h", "80 mcg/h", "8 mcg/h", "9 mcg/h")),
    "a bolus ten times the others, on the weekend": case(
        flex(
            rate("00:00", "8 mcg/h"),
            bolus("06:00", "5 mcg", "5m"),
            bolus("12:00", "50 mcg", "5m"),
            bolus("18:00", "5 mcg", "5m"),
            days=WEEKEND,
        )
    ),
    "the same slip on weekdays and weekends": case(
        week(
            (("mon", "wed", "fri"), [rate("00:00", "8 mcg/h"), rate("06:00", "80 mcg/h"), rate("07:00", "8 mcg/h")]),
            (("tue", "thu", *WEEKEND), [rate("00:00", "8 mcg/h"), rate("09:00", "80 mcg/h"), rate("10:00", "8 mcg/h")]),
        )
    ),
}
