"""Cases of the book of doses: single boluses, primes and refills, each rule on both sides of each limit.

A P-40 at 2000 mcg/mL gives 1 mcg with a pulse of 500 nL; at 500 mcg/mL a quarter. Figures in the names of the cases are those of library
and profile. `python -m tests.unit.safety.book_doses --write` writes the book again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace as changed
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import DrugLibrary, Figure, load_library
from itbpump.history import History
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import MS_PER_HOUR, Duration, Mass, Volume
from itbpump.refill import Refill
from itbpump.safety import review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, CommandKind, Configuration, LogEntry, LogKind, RunState
from tests.unit.safety.book import ALL_PARTS as FULL
from tests.unit.safety.book import Page, page, write
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, continuous, example, flex, periodic, prescription, rate

BOOK = Path(__file__).with_suffix(".json")
P40 = load_profile("P-40")
SLOW = changed(P40, bolus_min_duration=Duration.of_minutes(10))
LIBRARY = load_library("baclofen")
UPTIME_MS = 900 * MS_PER_HOUR
STALL = (AlarmNumber.MOTOR_STALL,)
SAID = ("verdict", "findings")
LIBRARY_TOO = (*SAID, "library")


def wired(rx: Prescription, **more: Any) -> Configuration:
    return replace(wire_configuration(rx, P40), **more)


def gives(dose: str, concentration: str = "2000 mcg/mL", **state: Any) -> PresentPump:
    """A pump that has been giving this rate for five weeks."""
    return pump(wired(prescription(continuous(dose), drug={"concentration": concentration})), **state)


MORPHINE = {"name": "morphine", "concentration": "10000 mcg/mL"}
OPIOID = pump(wired(prescription(continuous("1000 mcg/day"), drug=MORPHINE)))
RUNNING = gives("200 mcg/day")
WEAK = gives("200 mcg/day", "500 mcg/mL")
HIGH = changed(RUNNING, reservoir_nL=39_000_000)
WORKDAYS = ("mon", "tue", "wed", "thu", "fri")
PATIENT = {"dose": "20 mcg", "over": "10m", "lockout": "4h", "max_per_day": 3}


# ------------------------------------------------------------------------------------------------ a bolus
def bolus_page(
    dose: str, over: str = "10m", present: PresentPump = RUNNING, *, parts: tuple[str, ...] = SAID, library: DrugLibrary | None = None,
    indication: str | None = "spinal", age_years: int | None = 46, profile: PumpProfile = P40, patient_id: str | None = None,
) -> Callable[[], Page]:  # fmt: skip
    """What a review of this bolus says to an adult of spinal origin, unless told otherwise."""

    def make() -> Page:
        judged = review_bolus(
            Mass.parse(dose),
            Duration.parse(over),
            present,
            profile,
            library=library,
            indication=indication,
            age_years=age_years,
            patient_id=patient_id,
        )
        return page(judged, parts=parts)

    return make


def ago(hours: int, milliseconds: int = 0) -> int:
    return UPTIME_MS - hours * MS_PER_HOUR - milliseconds


def had(*boluses: tuple[int, int], beside: PresentPump = RUNNING, late_ms: int = 0) -> PresentPump:
    """A pump whose last 24 h gave the schedule and these boluses: hours ago (less `late_ms`), pulses of 1 mcg."""
    told = History(boluses=tuple((ago(hours, -late_ms), pulses) for hours, pulses in boluses))
    return changed(beside, history=told, mass_24h_ng=beside.mass_24h_ng + sum(pulses for _, pulses in boluses) * 1_000)


def rounding(percent: int) -> DrugLibrary:
    return changed(LIBRARY, rounding_soft_percent=Figure(percent, "D", "ours"))


def holds(pulses: int, ng_per_mL: int, **more: Any) -> PresentPump:
    return changed(RUNNING, path_left_pulses=pulses, path_concentration_ng_per_mL=ng_per_mL, **more)


def bridged(run_state: RunState = RunState.RUNNING) -> PresentPump:
    waits = gives("200 mcg/day", bridge_left_pulses=30, path_left_pulses=30, path_concentration_ng_per_mL=500_000, run_state=run_state)
    return changed(waits, configuration=wired(prescription(), bridge_flow_nL_per_day=400_000, bridge_pulses=632))


def weekly(**state: Any) -> PresentPump:
    """Noon of a Friday by the pump: 48 mcg per day until midnight, then 240."""
    weekend = [
        {"days": list(WORKDAYS), "steps": [rate("00:00", "2 mcg/h")]},
        {"days": ["sat", "sun"], "steps": [rate("00:00", "10 mcg/h")]},
    ]
    configuration = wired(prescription({"mode": "flex", "pattern": weekend}), week_offset_ms=114 * MS_PER_HOUR)
    # 834 h of uptime and 114 h are 5 weeks and 108 h: Friday, 12:00
    state = {"uptime_ms": 834 * MS_PER_HOUR, "mass_24h_ng": 48_000, **state}
    return pump(configuration, **state)


def just_begun(uptime_ms: int) -> PresentPump:
    """A period of 5 h that began now, wherever in its cycle it is: 50 mcg in a minute beside 100 mcg per day."""
    return pump(
        wired(prescription(periodic("50 mcg", "1m", "5h"))), uptime_ms=uptime_ms, mass_24h_ng=0, history=History(therapy_since_ms=uptime_ms)
    )


BOLUSES: dict[str, Callable[[], Page]] = {
    "25 mcg in 10 min beside 200 mcg per day": bolus_page("25 mcg", parts=FULL),
    "the library named": bolus_page("25 mcg", library=changed(LIBRARY, sha256="ours"), parts=LIBRARY_TOO),
    "of another drug, by its own limits": bolus_page("250 mcg", present=OPIOID, indication="pain", parts=LIBRARY_TOO),
    "with patient boluses and a flex day": bolus_page("25 mcg", present=pump(wired(prescription(
        flex(rate("00:00", "6 mcg/h"), bolus("06:00", "40 mcg", "1h")) | {"patient_bolus": PATIENT})), uptime_ms=905 * MS_PER_HOUR),
        parts=FULL),
    "the day before a weekend of more": bolus_page("25 mcg", present=weekly(), parts=FULL),
    "the day before a weekend of more, 40 mcg given that nobody knows of": bolus_page(
        "25 mcg", present=weekly(mass_24h_ng=88_000), parts=FULL),
    "the day before a weekend of more, primed with 40 mcg": bolus_page(
        "25 mcg", present=weekly(mass_24h_ng=88_000, history=History(primes=((833 * MS_PER_HOUR, 40),))), parts=FULL),
    "the day before a weekend of more, another bolus under way": bolus_page("25 mcg", present=weekly(bolus_left_pulses=7), parts=FULL),
    "a period that began now": bolus_page("25 mcg", present=just_begun(900 * MS_PER_HOUR), parts=FULL),
    "a period that began now, half an hour into it": bolus_page("25 mcg", present=just_begun(900 * MS_PER_HOUR + 1_800_000), parts=FULL),
    "stopped in another bolus": bolus_page(
        "25 mcg", present=gives("200 mcg/day", run_state=RunState.STOPPED, bolus_left_pulses=7), parts=FULL),
    "more than a thousand pulses": bolus_page("251 mcg", "1h", WEAK, parts=FULL, library=changed(
        LIBRARY, bolus_soft=Figure(Mass(300_000), "D", "ours"), bolus_hard=Figure(Mass(400_000), "D", "ours"))),
    # bolus-size: soft above 50 mcg, hard above 100 mcg, of what is prescribed or given
    "50 mcg": bolus_page("50 mcg"),
    "50.001 mcg": bolus_page("50.001 mcg"),
    "50.6 mcg, given as 51": bolus_page("50.6 mcg"),
    "49.9 mcg, given as 50": bolus_page("49.9 mcg"),
    "100 mcg": bolus_page("100 mcg"),
    "100.001 mcg": bolus_page("100.001 mcg"),
    "100.6 mcg, given as 101": bolus_page("100.6 mcg"),
    # bolus-delivery: a pulse at least, 0.048 to 24 mL per day, 1 min to 24 h
    "half a pulse": bolus_page("0.5 mcg", parts=FULL),
    "just more than half a pulse": bolus_page("0.501 mcg"),
    "100 pulses in 3 min: the highest flow": bolus_page("25 mcg", "3m", WEAK),
    "101 pulses in 3 min": bolus_page("25.25 mcg", "3m", WEAK),
    "4 pulses in 1 h: the lowest flow": bolus_page("4 mcg", "1h"),
    "4 pulses in 61 min": bolus_page("4 mcg", "61m"),
    "1 min": bolus_page("8 mcg", "1m", WEAK),
    "10 min where 10 min are the shortest": bolus_page("25 mcg", profile=SLOW),
    "9 min where 10 min are the shortest": bolus_page("25 mcg", "9m", profile=SLOW),
    "24 h": bolus_page("96 mcg", "24h"),
    "24 h and a minute": bolus_page("97 mcg", "1441m"),
    # achievable: 5 % from rounding to pulses; a limit of 25 % is met exactly by 0.8 mcg
    "1.4 mcg, given as 1": bolus_page("1.4 mcg", parts=FULL),
    "0.8 mcg, given as 1, where 25 % is allowed": bolus_page("0.8 mcg", library=rounding(25)),
    "0.799 mcg, given as 1, where 25 % is allowed": bolus_page("0.799 mcg", library=rounding(25)),
    # daily-total: 1,000 and 2,003 mcg per day in spinal, 1,400 in cerebral origin, 1,199 under 12 years
    "25 mcg beside 975 mcg per day": bolus_page("25 mcg", present=gives("975 mcg/day")),
    "26 mcg beside 975 mcg per day": bolus_page("26 mcg", present=gives("975 mcg/day")),
    "25 mcg beside 1,978 mcg per day": bolus_page("25 mcg", present=gives("1978 mcg/day")),
    "26 mcg beside 1,978 mcg per day": bolus_page("26 mcg", present=gives("1978 mcg/day")),
    "25 mcg beside 1,376 mcg per day, cerebral": bolus_page("25 mcg", present=gives("1376 mcg/day"), indication="cerebral"),
    "25 mcg beside 1,376 mcg per day, of unknown origin": bolus_page("25 mcg", present=gives("1376 mcg/day"), indication=None),
    "25 mcg beside 1,175 mcg per day, 11 years old": bolus_page("25 mcg", present=gives("1175 mcg/day"), age_years=11),
    "a stopped pump that gave 980 mcg": bolus_page(
        "25 mcg", present=gives("1000 mcg/day", run_state=RunState.STOPPED, mass_24h_ng=980_000)),
    # whole-day-at-once: 20 % from the mean day either way
    "20 mcg beside 25 mcg per day": bolus_page("20 mcg", present=gives("25 mcg/day")),
    "19.999 mcg beside 25 mcg per day": bolus_page("19.999 mcg", present=gives("25 mcg/day")),
    "30 mcg beside 25 mcg per day": bolus_page("30 mcg", present=gives("25 mcg/day")),
    "30.001 mcg beside 25 mcg per day": bolus_page("30.001 mcg", present=gives("25 mcg/day")),
    "beside 0 mcg per day": bolus_page("25 mcg", present=had((6, 25), beside=gives("0 mcg/day"))),
    # catch-up
    "after a stall that kept 40 mcg": bolus_page("25 mcg", present=changed(RUNNING, history=History(missed_nL=20_000))),
    "after 190 mcg of 200 in 24 h": bolus_page("10 mcg", present=changed(RUNNING, mass_24h_ng=190_000)),
    "after 189.999 mcg of 200 in 24 h": bolus_page("10 mcg", present=changed(RUNNING, mass_24h_ng=189_999)),
    # repeated-bolus: 30 % of the day in spinal, 15 % in cerebral origin
    "the second of a day, 60 mcg together": bolus_page("25 mcg", present=had((6, 35))),
    "the second of a day, 61 mcg together": bolus_page("25 mcg", present=had((6, 36))),
    "the second of a day, 30 mcg together, cerebral": bolus_page("10 mcg", present=had((6, 20)), indication="cerebral"),
    "the second of a day, 31 mcg together, cerebral": bolus_page("11 mcg", present=had((6, 20)), indication="cerebral"),
    "the second of a day, 31 mcg together, of unknown origin": bolus_page("11 mcg", present=had((6, 20)), indication=None),
    "the second of a day, 31 mcg together, 17 years old": bolus_page("11 mcg", present=had((6, 20)), age_years=17),
    # bolus-soon: 4 h; together above 100 mcg it takes two
    "4 h after 75 mcg": bolus_page("25 mcg", present=had((4, 75))),
    "less than 4 h after 75 mcg": bolus_page("25 mcg", present=had((4, 75), late_ms=1)),
    "less than 4 h after 76 mcg": bolus_page("25 mcg", present=had((3, 76))),
    "3 and 2 h after 40 mcg": bolus_page("25 mcg", present=had((6, 5), (3, 40), (2, 40))),
    # first-period: 24 h
    "an hour less than a day after the start": bolus_page("25 mcg", present=changed(RUNNING, history=History(therapy_since_ms=ago(23)))),
    "a day after the start": bolus_page("25 mcg", present=changed(RUNNING, history=History(therapy_since_ms=ago(24)))),
    "stopped soon after the start": bolus_page("25 mcg", present=gives(
        "200 mcg/day", run_state=RunState.STOPPED, history=History(therapy_since_ms=ago(5)))),
    "nobody knows since when": bolus_page("25 mcg", present=changed(RUNNING, last_change_ms=ago(2), last_change_kind=CommandKind.STOP)),
    # unknown-patient
    "of unknown origin": bolus_page("25 mcg", indication=None, age_years=None),
    "of unknown origin, 46 years old": bolus_page("25 mcg", indication=None),
    "of unknown age": bolus_page("25 mcg", age_years=None),
    # pump-state
    "stopped": bolus_page("25 mcg", present=gives("200 mcg/day", run_state=RunState.STOPPED), parts=FULL),
    "in a safe state": bolus_page("25 mcg", present=gives("200 mcg/day", run_state=RunState.SAFE)),
    "motor stalled": bolus_page("25 mcg", present=gives("200 mcg/day", alarms=STALL)),
    "another alarm": bolus_page("25 mcg", present=gives("200 mcg/day", alarms=(AlarmNumber.LOW_RESERVOIR,))),
    "another bolus under way": bolus_page("25 mcg", present=gives("200 mcg/day", bolus_left_pulses=1, bolus_given_pulses=9), parts=FULL),
    "bridging": bolus_page("25 mcg", present=bridged()),
    "a bridge waits": bolus_page("25 mcg", present=bridged(RunState.STOPPED)),
    # path: 25 pulses push out what it holds
    "10 pulses of 500 mcg/mL in the path": bolus_page("25 mcg", present=holds(10, 500_000)),
    "1 pulse of 500 mcg/mL in the path": bolus_page("25 mcg", present=holds(1, 500_000)),
    "100 pulses of 500 mcg/mL in the path": bolus_page("25 mcg", present=holds(100, 500_000)),
    "10 pulses of 3000 mcg/mL in the path": bolus_page("25 mcg", present=holds(10, 3_000_000)),
    "10 pulses of another drug in the path": bolus_page("25 mcg", present=holds(10, 2_000_000)),
    # identity
    "for the patient who has the pump": bolus_page("25 mcg", present=changed(RUNNING, patient_id="P-1"), patient_id="P-1"),
    "for another patient": bolus_page("25 mcg", present=changed(RUNNING, patient_id="P-2"), patient_id="P-1"),
    "for nobody who is named": bolus_page("25 mcg", present=changed(RUNNING, patient_id="P-2")),
    # reservoir: 25 pulses are 0.0125 mL, above a residual of 1.4 mL
    "just enough in the reservoir": bolus_page("25 mcg", present=changed(RUNNING, reservoir_nL=1_412_500)),
    "one nL too little in the reservoir": bolus_page("25 mcg", present=changed(RUNNING, reservoir_nL=1_412_499)),
    "less than the residual": bolus_page("25 mcg", present=changed(RUNNING, reservoir_nL=1_000_000)),
    "a valve pump with a residual of 1 mL": bolus_page("24 mcg", present=pump(wire_configuration(
        prescription(pump={"profile": "V-40"}), load_profile("V-40")), reservoir_nL=1_010_000), profile=load_profile("V-40")),
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ a prime
def prime_rx(scope: str = "path", path: str = "0.316 mL", dose: str = "200 mcg/day", **more: Any) -> Prescription:
    catheter = {"path_volume": path, **more.pop("catheter", {})}
    return prescription(continuous(dose), prime={"scope": scope}, catheter=catheter, **more)


def primes(
    rx: Prescription, over: str = "1h", *, parts: tuple[str, ...] = SAID, stored: str = "0.316 mL", **state: Any
) -> Callable[[], Page]:
    """What a review of this prime says beside a new implant that runs 200 mcg per day and stores such a path."""
    library: DrugLibrary | None = state.pop("library", None)
    present: PresentPump = state.pop("present", None) or pump(wired(prescription(catheter={"path_volume": stored})), **state)

    def make() -> Page:
        return page(review_prime(rx, Duration.parse(over), present, P40, library=library), parts=parts)

    return make


def primed(hours: int, milliseconds: int = 0) -> History:
    return History(primed_ms=ago(hours, milliseconds))


PRIMES: dict[str, Callable[[], Page]] = {
    "a new path of 0.316 mL in 1 h": primes(prime_rx(), parts=FULL),
    "the library named": primes(prime_rx(), library=changed(LIBRARY, sha256="ours"), parts=LIBRARY_TOO),
    "of another drug": primes(prime_rx(drug=MORPHINE, patient={"indication": "pain"}), present=OPIOID),
    "beside a weekly schedule": primes(prime_rx(), present=weekly(), parts=FULL),
    "the catheter alone": primes(prime_rx("catheter", catheter={"tubing_volume": "0.14 mL"}), parts=FULL),
    "a path of 0.3163 mL: part of a pulse is not given": primes(prime_rx(path="0.3163 mL"), stored="0.3163 mL", parts=FULL),
    # bolus-delivery and daily-total, as for a bolus: 0.316 mL hold 632 mcg
    "in 19 min": primes(prime_rx(), "19m"),
    "in 18 min: above the highest flow": primes(prime_rx(), "18m"),
    "in 6 days": primes(prime_rx(), "144h"),
    "after 1,372 mcg in 24 h": primes(prime_rx(), mass_24h_ng=1_372_000, run_state=RunState.STOPPED),
    "after 1,371 mcg in 24 h": primes(prime_rx(), mass_24h_ng=1_371_000, run_state=RunState.STOPPED),
    "a cerebral patient after 800 mcg": primes(
        prime_rx(patient={"indication": "cerebral"}), mass_24h_ng=800_000, run_state=RunState.STOPPED),
    "a child after 600 mcg": primes(prime_rx(patient={"age_years": 11}), mass_24h_ng=600_000, run_state=RunState.STOPPED),
    # prime-volume: a margin of 0.025 mL beside the stored path
    "the pump stores 0.291 mL": primes(prime_rx(), stored="0.291 mL", parts=FULL),
    "the pump stores 0.2905 mL": primes(prime_rx(), stored="0.2905 mL"),
    "the pump stores 0.35 mL": primes(prime_rx(), stored="0.35 mL"),
    # tubing
    "another tubing": primes(prime_rx("catheter", catheter={"tubing_volume": "0.199 mL"})),
    # prime-full-path: the path holds 632 pulses
    "631 pulses were given": primes(prime_rx(), lifetime_pulses=631),
    "632 pulses were given": primes(prime_rx(), lifetime_pulses=632),
    # prime-repeat: within 24 h
    "primed 24 h ago": primes(prime_rx(), history=primed(24)),
    "primed 1 ms less than 24 h ago": primes(prime_rx(), history=primed(24, -1)),
    "primed 2 h and a half ago": primes(prime_rx(), history=primed(2, 1_800_000)),
    # identity
    "for another patient": primes(prime_rx(), patient_id="P-2"),
    # prime-label
    "another concentration": primes(prime_rx(drug={"concentration": "500 mcg/mL"})),
    "another drug": primes(prime_rx(drug={"name": "morphine"})),
    # prime-state
    "stopped": primes(prime_rx(), run_state=RunState.STOPPED, mass_24h_ng=0),
    "in a safe state": primes(prime_rx(), run_state=RunState.SAFE, mass_24h_ng=0),
    "motor stalled": primes(prime_rx(), alarms=STALL),
    "another alarm": primes(prime_rx(), alarms=(AlarmNumber.LOW_RESERVOIR,)),
    "a bolus under way": primes(prime_rx(), bolus_left_pulses=1),
    "bridging": primes(prime_rx(), bridge_left_pulses=5, path_concentration_ng_per_mL=500_000),
    "the path holds another label": primes(prime_rx(), path_left_pulses=5, path_concentration_ng_per_mL=500_000),
    # reservoir: 0.316 mL above the residual
    "just enough in the reservoir": primes(prime_rx(), reservoir_nL=1_716_000),
    "one nL too little in the reservoir": primes(prime_rx(), reservoir_nL=1_715_999),
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ a refill
def refilled(
    aspirated: str = "28.6 mL", filled: str = "38 mL", present: PresentPump = RUNNING, *, parts: tuple[str, ...] = SAID,
    counted: str | None = "8 mL", now: datetime | None = None, low_alarm: str = "6.5 mL", **state: Any,
) -> Callable[[], Page]:  # fmt: skip
    """What the review of a refill says. 28.6 mL are expected: a reservoir of 30 mL without its residual; `counted` was given since the
    last fill, None where the log does not show it."""
    library: DrugLibrary | None = state.pop("library", None)
    if present.configuration is not None:
        configuration = replace(present.configuration, low_alarm_nL=Volume.parse(low_alarm).nL)
        present = changed(present, **{"configuration": configuration, **state})
    log: list[LogEntry] = []
    if counted is not None:
        before_nL = present.reservoir_nL + Volume.parse(counted).nL
        log = [LogEntry(seq=9, uptime_ms=MS_PER_HOUR, wall_s=0, kind=LogKind.REFILL, a=before_nL, b=0)]
    plan = Refill.plan(Volume.parse(aspirated), Volume.parse(filled), present, P40, log)

    def make() -> Page:
        return page(review_refill(plan, present, P40, library=library, now=now), parts=parts)

    return make


LATER = RUNNING.host_now + timedelta(days=40)
FAST = gives("300 mcg/day")  # 0.15 mL per day: 180 days are 27 mL
REFILLS: dict[str, Callable[[], Page]] = {
    "38 mL beside 200 mcg per day": refilled(parts=FULL),
    "40 days later": refilled(now=LATER),
    "the library named": refilled(library=changed(LIBRARY, sha256="ours"), parts=LIBRARY_TOO),
    "of another drug": refilled(present=OPIOID, parts=FULL),
    "another alarm": refilled(alarms=(AlarmNumber.LOW_RESERVOIR,)),
    "motor stalled": refilled(alarms=STALL),
    # refill-discrepancy and under-delivery
    "1.66 mL more than expected: 14.5 % of 8 mL, and 0.5 mL": refilled("30.26 mL"),
    "1.661 mL more than expected": refilled("30.261 mL"),
    "2 mL less than expected": refilled("26.6 mL"),
    "2.5 mL less than expected, last fill unknown": refilled("26.1 mL", counted=None),
    "4 mL more than expected of 8 mL": refilled("32.6 mL"),
    "4 mL more than expected of 8 mL, stopped": refilled("32.6 mL", run_state=RunState.STOPPED),
    # reservoir and alarm-volume: 38 mL beside the residual of 1.4 mL need 6.212 mL
    "filled up to the alarm": refilled(filled="5.1 mL", parts=FULL),
    "filled 0.001 mL above the alarm": refilled(filled="5.101 mL", parts=FULL),
    "an alarm at 6.21222 mL": refilled(low_alarm="6.21222 mL"),
    "an alarm at 6.212227 mL": refilled(low_alarm="6.212227 mL"),
    "an alarm at 6.212228 mL": refilled(low_alarm="6.212228 mL"),
    "an alarm at 6 mL": refilled(low_alarm="6 mL"),
    # not-running
    "stopped": refilled(run_state=RunState.STOPPED, parts=FULL),
    "at the minimum rate": refilled(present=pump(wired(prescription({"mode": "minimum-rate"})))),
    # stability: 180 days at 0.15 mL per day above an alarm of 6.5 mL
    "180 days to the alarm": refilled(filled="32.1 mL", present=FAST, parts=FULL),
    "181 days to the alarm": refilled(filled="32.25 mL", present=FAST),
    "filled up to what it holds": refilled(filled="28.6 mL", parts=FULL),
    "a periodic bolus": refilled(present=pump(wired(prescription(periodic("25 mcg", "1h", "6h"))), reservoir_nL=30_000_000), parts=FULL),
    "an example": refilled(present=pump(wired(example("flex-weekday-weekend")), reservoir_nL=30_000_000), parts=FULL),
}  # fmt: skip


# ------------------------------------------------------------------------------------------------ old against new
def compared(new: Prescription, old: Prescription | PresentPump | None = None, **more: Any) -> Callable[[], Page]:
    """The table of a prescription's review, and what pulses make of its amounts."""

    def make() -> Page:
        return page(review(new, old, **more), parts=("table", "achievable"))

    return make


MORNING, NOON = bolus("06:00", "40 mcg", "1h"), bolus("12:00", "10.4 mcg", "30m")
STOPPED: dict[str, Any] = {"mode": "stopped"}
TABLES: dict[str, Callable[[], Page]] = {
    "200 mcg per day, nothing known of the present": compared(prescription()),
    "200 mcg per day as before": compared(prescription(), prescription()),
    "225 mcg per day beside the pump's 200": compared(prescription(continuous("225 mcg/day")), RUNNING),
    "200.05 mcg per day for 200: too little to be shown": compared(prescription(continuous("200.05 mcg/day")), prescription()),
    "12 times the dose": compared(prescription(continuous("2400 mcg/day")), prescription()),
    "less than before": compared(prescription(continuous("150.3 mcg/day")), prescription()),
    "a dose of nothing": compared(prescription(continuous("0 mcg/day")), prescription()),
    "50 mcg per day: more than a thousand days": compared(prescription(continuous("50 mcg/day"))),
    "3 ng per day: the pump gives 2": compared(prescription(continuous("0.003 mcg/day"))),
    "a stop": compared(prescription(STOPPED), prescription()),
    "a start after a stop": compared(prescription(), prescription(STOPPED)),
    "a stop as before": compared(prescription(STOPPED), prescription(STOPPED)),
    "a pump without a configuration": compared(prescription(), pump(None)),
    "a pump that lost its configuration": compared(prescription(), pump(None, run_state=RunState.SAFE)),
    "the minimum rate": compared(prescription({"mode": "minimum-rate"}), prescription()),
    "flex for continuous": compared(prescription(flex(rate("00:00", "8 mcg/h"), MORNING, days=WORKDAYS)), prescription()),
    "continuous for flex": compared(prescription(), prescription(flex(rate("00:00", "8 mcg/h"), MORNING, days=WORKDAYS))),
    "flex for flex on other days": compared(
        prescription(flex(rate("00:00", "6 mcg/h"), MORNING, NOON, days=("mon", "tue", "sat"))),
        prescription(flex(rate("00:00", "5 mcg/h"), NOON, rate("20:00", "6 mcg/h"), days=("tue", "wed", "sun")))),
    "a time of day earlier than the old one": compared(
        prescription(flex(rate("00:00", "6 mcg/h"), rate("05:00", "7 mcg/h"))),
        prescription(flex(rate("00:00", "6 mcg/h"), rate("21:00", "7 mcg/h")))),
    "a period of 5 h": compared(prescription(periodic("10 mcg", "1h", "5h")), prescription()),
    "a period of a day for one of 6 h": compared(
        prescription(periodic("25 mcg", "1h", "24h")), prescription(periodic("25 mcg", "1h", "6h"))),
    "a period of two days": compared(prescription(periodic("25.4 mcg", "1h", "48h", "0 mcg/day"))),
    "continuous for periodic": compared(prescription(), prescription(periodic("10 mcg", "1h", "5h"))),
    "a patient bolus, of 20.4 mcg": compared(
        prescription(continuous("200.001 mcg/day", patient_bolus={**PATIENT, "dose": "20.4 mcg"})), prescription()),
    "a refill of 30 mL": compared(prescription(), RUNNING, refill=Volume.parse("30 mL")),
}  # fmt: skip


def pages() -> dict[str, Page]:
    """Every case, as it is said now."""
    chapters = {"bolus": BOLUSES, "prime": PRIMES, "refill": REFILLS, "table": TABLES}
    return {f"{chapter}: {name}": make() for chapter, cases in chapters.items() for name, make in cases.items()}


if __name__ == "__main__":
    write(BOOK, pages())
