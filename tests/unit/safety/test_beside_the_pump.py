"""Companion and pump judge apart; what the companion lets through, the pump takes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.firmware.ledger import Ledger, PatientRecord
from firmware_sim.firmware.limits import PresentState, check_configuration
from firmware_sim.profiles import load_profile as load_pump_profile
from itbpump.configuration import wire_configuration
from itbpump.profiles import load_profile
from itbpump.safety import Severity, review
from itbpump.therapy import Prescription
from itbpump.wire.messages import LimitCode
from tests.unit.therapy.prescriptions import bolus, continuous, example, flex, periodic, prescription, rate

EXAMPLES = ("flex-weekday-weekend", "continuous", "periodic-bolus", "patient-bolus", "concentration-change", "stopped")


def pump_says(rx: Prescription) -> LimitCode | None:
    """First limit of its own that a fresh pump finds broken."""
    configuration = wire_configuration(rx, load_profile(rx.pump.profile), set_volume=rx.pump.reservoir_volume)
    fresh = PresentState(
        now_ms=1_000_000, running=False, active=None, anchor_ms=0, reservoir_nL=0, ledger=Ledger(), patient=PatientRecord()
    )
    return check_configuration(configuration, load_pump_profile(rx.pump.profile).firmware, fresh)


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_pump_takes_every_example(name: str) -> None:
    assert pump_says(example(name)) is None


@st.composite
def plausible(draw: st.DrawFn) -> Prescription:
    """Prescriptions around the limits, of which about half pass."""

    def amount(low: int, high: int, unit: str) -> str:
        return f"{draw(st.integers(low, high))}{unit}"

    def some_rate() -> str:
        return amount(40, 900, " mcg/day")

    def some_bolus(at: str) -> dict[str, str]:
        return bolus(at, amount(1, 105, " mcg"), amount(1, 120, "m"))

    mode = draw(st.sampled_from(["continuous", "periodic", "flex"]))
    if mode == "continuous":
        therapy: dict[str, Any] = continuous(some_rate())
    elif mode == "periodic":
        background = draw(st.sampled_from(["0 mcg/day", "100 mcg/day", "400 mcg/day"]))
        therapy = periodic(amount(1, 105, " mcg"), amount(1, 120, "m"), amount(3, 30, "h"), background)
    else:
        therapy = flex(rate("00:00", some_rate()), some_bolus("06:00"), rate("12:00", some_rate()), some_bolus("23:30"))
    if draw(st.booleans()):
        therapy["patient_bolus"] = {
            "dose": amount(1, 55, " mcg"),
            "over": amount(1, 30, "m"),
            "lockout": amount(50, 600, "m"),
            "max_per_day": draw(st.integers(1, 13)),
        }
    return prescription(
        therapy,
        pump={
            "profile": draw(st.sampled_from(["P-20", "P-40", "V-20"])),
            "reservoir_volume": amount(5, 21, " mL"),
            "low_reservoir_alarm": "4 mL",
        },
        drug={"concentration": draw(st.sampled_from(["500 mcg/mL", "1000 mcg/mL", "2000 mcg/mL", "3000 mcg/mL"]))},
    )


@pytest.mark.sr("SR-02")
@given(plausible())
def test_what_the_review_lets_through_the_pump_takes(rx: Prescription) -> None:
    if review(rx).severity is not Severity.HARD:
        assert pump_says(rx) is None
