"""Cases of the frame's book: hours for minutes, path and reservoir, with both sides of every edge. Figures: `profiles/slips.toml`."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.unit.safety.book_frame_entry import WEEKEND, WORKDAYS, Case, asking, case, day, week
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, flex, periodic, prescription, rate

P40 = load_profile("P-40")


def every(interval: str, dose: str = "5 mcg", over: str = "5m", background: str = "0 mcg/day") -> dict[str, Any]:
    return periodic(dose, over, interval, background)


def step(dose: str, over: str, base: str = "8 mcg/h", at: str = "06:00") -> dict[str, Any]:
    """A bolus step over a rate."""
    return flex(rate("00:00", base), bolus(at, dose, over))


def often(lockout: str, most: int = 3, over: str = "10m") -> dict[str, Any]:
    return asking(lockout=lockout, max_per_day=most, over=over)


CASES_TIMES: dict[str, Case] = {
    # -------------------------------------------------------------------------------------------- the interval
    "every 12 min beside every 12 h": case(every("12m", "40 mcg"), every("12h", "40 mcg")),
    "every 60 min": case(every("60m", "60 mcg")),
    "every 61 min": case(every("61m", "60 mcg")),
    "every 30 min, as now": case(every("30m", "1 mcg", background="100 mcg/day"), every("30m", "2 mcg", background="100 mcg/day")),
    "every 30 min beside a constant dose": case(every("30m", "1 mcg"), day("48")),
    "every 30 min alone": case(every("30m", "1 mcg")),
    "every 30 h for 30 min": case(every("30h"), day("240")),
    "every 24 h for 24 min": case(every("24h"), day("240")),
    "every 25 h for 25 min": case(every("25h"), day("240")),
    "every 48 h beside every 24 h": case(every("48h", "40 mcg"), every("24h", "40 mcg")),
    "every 30 h, where minutes would be less than the bolus": case(every("30h", over="31m"), day("240")),
    "every 30 h, where minutes would be just the bolus": case(every("30h", over="30m"), day("240")),
    "every 30 h, where minutes explain nothing": case(every("30h"), day("1000")),
    "every 30 h 1 min": case(every("30h1m"), day("240")),
    "every 6 min over a background": case(every("6m", "4 mcg", background="100 mcg/day"), day("120")),
    # -------------------------------------------------------------------------------------------- the periodic bolus
    "a periodic bolus over 2 h, slower than the background": case(periodic("5 mcg", "2h", "12h", "100 mcg/day")),
    "a periodic bolus over 2 h, as fast as the background": case(periodic("5 mcg", "2h", "12h", "60 mcg/day")),
    "a periodic bolus over 1 h, slower than the background": case(periodic("2 mcg", "1h", "12h", "100 mcg/day")),
    "a periodic bolus over 2 h 1 min": case(periodic("5 mcg", "2h1m", "12h", "100 mcg/day")),
    "a periodic bolus of nothing over 2 h": case(periodic("0 mcg", "2h", "12h", "100 mcg/day")),
    "a periodic bolus that the pump could not give in minutes": case(periodic("101 mcg", "3h", "24h", "900 mcg/day")),
    "a periodic bolus that the pump could just give in minutes": case(periodic("100 mcg", "3h", "24h", "900 mcg/day")),
    "a periodic bolus sixty times longer than now": case(periodic("40 mcg", "2h", "12h"), periodic("40 mcg", "2m", "12h")),
    "a periodic bolus sixty times shorter than now": case(periodic("40 mcg", "2m", "12h"), periodic("40 mcg", "2h", "12h")),
    "a periodic bolus fifty times shorter than now": case(periodic("40 mcg", "2m", "12h"), periodic("40 mcg", "100m", "12h")),
    "a periodic bolus over 8 min that would be near the background over 8 h": case(periodic("80 mcg", "8m", "24h", "192 mcg/day")),
    "a periodic bolus over 8 min of 4 h": case(periodic("80 mcg", "8m", "4h", "192 mcg/day")),
    "a periodic bolus over 8 min of 8 h": case(periodic("80 mcg", "8m", "8h", "192 mcg/day")),
    # -------------------------------------------------------------------------------------------- a bolus step
    "a step over 8 min for 8 h": case(step("80 mcg", "8m", at="22:00")),
    "a step over 10 h for 10 min": case(step("40 mcg", "10h")),
    "a step over 5 h, as fast as its rate": case(step("40 mcg", "5h")),
    "a step over 5 h, slower than its rate": case(step("39 mcg", "5h")),
    "a step over 2 h, slower than its rate": case(step("10 mcg", "2h")),
    "a step over 90 min, slower than its rate": case(step("10 mcg", "90m")),
    "a fast step over 5 h": case(step("60 mcg", "5h")),
    "a step of 50 mcg over 8 min": case(step("50 mcg", "8m")),
    "a step of 51 mcg over 8 min": case(step("51 mcg", "8m")),
    "a step of 80 mcg over 24 min": case(step("80 mcg", "24m", "80 mcg/day")),
    "a step of 80 mcg over 25 min": case(step("80 mcg", "25m", "80 mcg/day")),
    "a step of 80 mcg over 60 min": case(step("80 mcg", "60m", "2 mcg/h")),
    "read over 8 h a third of the rate": case(step("80 mcg", "8m", "30 mcg/h")),
    "read over 8 h less than a third of the rate": case(step("80 mcg", "8m", "30.1 mcg/h")),
    "read over 8 h three times the rate": case(step("80 mcg", "8m", "80 mcg/day")),
    "read over 8 h more than three times the rate": case(step("80 mcg", "8m", "79 mcg/day")),
    "a step over nothing": case(step("80 mcg", "8m", "0 mcg/h")),
    "a step sixty times shorter than now": case(step("40 mcg", "2m"), step("40 mcg", "2h")),
    "a step sixty times shorter than now, on one day": case(
        flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "2m"), days=("sun",)),
        flex(rate("00:00", "8 mcg/h"), bolus("06:00", "40 mcg", "2h"), days=("sun",)),
    ),
    "a step sixty times longer than now": case(step("40 mcg", "2h", "1 mcg/h"), step("40 mcg", "2m", "1 mcg/h")),
    "a step sixty times shorter than one at another time": case(step("40 mcg", "2m"), step("40 mcg", "2h", at="07:00")),
    "the rate that a step replaces is the last one": case(
        flex(rate("00:00", "1 mcg/h"), bolus("05:00", "10 mcg", "2h"), rate("08:00", "8 mcg/h"), bolus("20:00", "10 mcg", "2h"))
    ),
    "two slow steps on the weekend": case(
        week(
            (WORKDAYS, [rate("00:00", "4 mcg/h")]),
            (
                WEEKEND,
                [rate("00:00", "8 mcg/h"), bolus("06:00", "10 mcg", "3h"), bolus("12:00", "50 mcg", "2h"), bolus("18:00", "10 mcg", "2h")],
            ),
        )
    ),
    "a step that was shorter on that weekday": case(
        week(
            (WORKDAYS, [rate("00:00", "4 mcg/h"), bolus("06:00", "10 mcg", "2m")]),
            (WEEKEND, [rate("00:00", "4 mcg/h"), bolus("06:00", "10 mcg", "1h")]),
        ),
        week(
            (WORKDAYS, [rate("00:00", "4 mcg/h"), bolus("06:00", "10 mcg", "10m")]),
            (WEEKEND, [rate("00:00", "4 mcg/h"), bolus("06:00", "10 mcg", "1m")]),
        ),
    ),
    # -------------------------------------------------------------------------------------------- the patient's bolus
    "a patient bolus over 10 h": case(asking(over="10h", lockout="12h")),
    "a fast patient bolus over 5 h": case(asking(dose="50 mcg", over="5h")),
    "a fast patient bolus over 4 h": case(asking(dose="50 mcg", over="4h")),
    "a fast patient bolus over 3 h": case(asking(dose="50 mcg", over="3h")),
    "a fast patient bolus over 4 h 30 min": case(asking(dose="50 mcg", over="4h30m")),
    "a patient bolus sixty times shorter than now": case(asking(over="1m"), asking(over="1h")),
    "a patient bolus over 8 min that would be near the day over 8 h": case(asking(dose="60 mcg", over="8m", lockout="12h")),
    "a patient bolus over 8 min with a lockout of 6 h": case(asking(dose="60 mcg", over="8m")),
    "a patient bolus over 8 min with a lockout of 8 h": case(asking(dose="60 mcg", over="8m", lockout="8h")),
    "a patient bolus over 24 min with a lockout of 2 days": case(asking("150 mcg/day", dose="60 mcg", over="24m", lockout="48h")),
    "a patient bolus over 25 min with a lockout of 2 days": case(asking("150 mcg/day", dose="60 mcg", over="25m", lockout="48h")),
    "no patient bolus": case(day("200"), asking()),
    # -------------------------------------------------------------------------------------------- the lockout
    "a lockout of 6 min": case(often("6m", over="5m")),
    "a lockout of 59 min": case(often("59m")),
    "a lockout of 60 min": case(often("60m")),
    "a lockout of 6 min, once a day": case(often("6m", 1, over="5m")),
    "a lockout of 59 h": case(often("59h")),
    "a lockout of 60 h": case(often("60h")),
    "a lockout of 60 h, twice a day": case(often("60h", 2)),
    "a lockout of 60 h, once a day": case(often("60h", 1)),
    "a lockout of 90 h": case(often("90h")),
    "a lockout of 90 h, of a bolus over 90 min": case(often("90h", over="90m")),
    "a lockout of 90 h, of a bolus over 91 min": case(often("90h", over="91m")),
    "a lockout of 12 h, more often than it lets": case(often("12h", 5), often("12m", 5)),
    "a lockout of 120 h beside 2 h": case(often("120h", 1), often("2h", 1)),
    "a lockout of 1 h beside 60 h": case(often("1h", 12), often("60h", 1)),
    "a lockout of 6 h beside 5 h": case(often("6h"), often("5h")),
    "a lockout where there was no bolus": case(often("6h"), day("200")),
}

# ------------------------------------------------------------------------------------------------ path and reservoir
LENGTHS: dict[str, Any] = {
    "path_volume": None,
    "length_total": "114 cm",
    "length_removed": "34 cm",
    "volume_per_length": "0.0022 mL/cm",
    "tubing_volume": "0.14 mL",
}  # 80 cm of 0.0022 mL and the tubing are 0.316 mL


def lengths(present: Prescription | None = None, **own: Any) -> Case:
    return prescription(catheter={**LENGTHS, **own}), present, {}


def path(volume: str, present: Prescription | PresentPump | None = None, **own: Any) -> Case:
    return prescription(catheter={"path_volume": volume, **own}), present, {}


def filled(volume: str, alarm: str = "6.5 mL", **more: Any) -> Case:
    return prescription(pump={"reservoir_volume": volume, "low_reservoir_alarm": alarm}), None, more


def counted(nL: int, days: float = 0, therapy: dict[str, Any] | None = None, refill: Volume | None = None, **state: Any) -> Case:
    """38 mL in the prescription, so much in the pump that was read `days` later."""
    rx = prescription(therapy)
    present = pump(wire_configuration(rx, P40), host_now=rx.pump.as_of + timedelta(days=days), reservoir_nL=nL, **state)
    return rx, present, {"refill": refill} if refill is not None else {}


READ = pump(wire_configuration(prescription(), P40), reservoir_nL=38_000_000)

CASES_PATH: dict[str, Case] = {
    "tubing of another pump beside a path": path("0.316 mL", tubing_volume="0.199 mL"),
    "less tubing beside a path": path("0.316 mL", tubing_volume="0.1 mL"),
    "tubing of another pump beside lengths": lengths(tubing_volume="0.199 mL"),
    "less tubing beside lengths": lengths(tubing_volume="0.1 mL"),
    "tubing as near as a file agrees": lengths(tubing_volume="0.141 mL"),
    "tubing just further": lengths(tubing_volume="0.141001 mL"),
    "tubing just as near on the other side": lengths(tubing_volume="0.139 mL"),
    "only a path": path("0.316 mL"),
    "only a path, as now": path("0.317 mL", prescription()),
    "only a path, beside a pump": path("0.316 mL", READ),
    "only a path, beside a pump without a configuration": path("0.316 mL", pump(None)),
    "nothing cut off": lengths(length_removed="0 cm"),
    "a millimetre cut off": lengths(length_removed="0.1 cm"),
    "half the usual bore": lengths(volume_per_length="0.0011 mL/cm"),
    "less than half the usual bore": lengths(volume_per_length="0.00109 mL/cm"),
    "twice the usual bore": lengths(volume_per_length="0.0044 mL/cm"),
    "more than twice the usual bore": lengths(volume_per_length="0.00441 mL/cm"),
    "a bore ten times too narrow, and nothing cut off": lengths(length_removed="0 cm", volume_per_length="0.00022 mL/cm"),
    "trimmed, but not entered": lengths(prescription(), length_removed="0 cm"),
    "a path 0.001 mL longer": path("0.317 mL", prescription()),
    "a path just longer": path("0.317001 mL", prescription()),
    "a path just shorter": path("0.314999 mL", prescription()),
    "a path 0.025 mL longer": path("0.341 mL", prescription()),
    "a path more than 0.025 mL longer": path("0.341001 mL", prescription()),
    "a path more than 0.025 mL shorter": path("0.29 mL", READ),
    "a longer path of a stronger drug": (
        prescription(catheter={"path_volume": "0.4 mL"}),
        prescription(drug={"concentration": "500 mcg/mL"}),
        {},
    ),
    "2 mL in 40": filled("2 mL", "1.9 mL"),
    "less than 2 mL in 40": filled("1.999 mL", "1.9 mL"),
    "4 mL in 40": filled("4 mL", "2 mL"),
    "more than 4 mL in 40": filled("4.001 mL", "2 mL"),
    "40 mL in 40": filled("40 mL", "3.9 mL"),
    "more than 40 mL in 40": filled("40.001 mL", "3.9 mL"),
    "380 mL in 40": filled("380 mL"),
    "65 mL in 40, a tenth of which is the alarm": filled("65 mL"),
    "more than 65 mL in 40": filled("65.001 mL"),
    "400 mL in 40": filled("400 mL"),
    "more than 400 mL in 40": filled("400.001 mL"),
    "3.8 mL in the file, 30 in the pump": (
        prescription(pump={"reservoir_volume": "3.8 mL"}),
        READ,
        {},
    ),
    "3.8 mL after a refill": (prescription(), READ, {"refill": Volume(3_800_000)}),
    "2 mL less than the file": counted(36_000_000),
    "more than 2 mL less": counted(35_999_999),
    "2 mL more than the file": counted(40_000_000),
    "more than 2 mL more": counted(40_000_001),
    "2 mL less than 30 days of use explain": counted(33_000_000, 30),
    "more than 2 mL less than 30 days of use explain": counted(32_999_999, 30),
    "2 mL less than 36 h 1 s of use explain": counted(38_000_000 - 150_001 - 2_000_000, 1.5 + 1 / 86_400),
    "more than 2 mL less than 36 h 1 s of use explain": counted(38_000_000 - 150_002 - 2_000_000, 1.5 + 1 / 86_400),
    "a file of the future": counted(36_000_000, -3),
    "more than 2 mL less than a file of the future": counted(35_999_999, -3),
    "a stopped pump uses nothing": counted(35_999_999, 30, run_state=RunState.STOPPED),
    "a refill sets the volume": counted(20_000_000, refill=Volume(38_000_000)),
}
