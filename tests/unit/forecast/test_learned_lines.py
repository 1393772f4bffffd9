"""What `itbpump forecast` says of a pump's own refills."""

from __future__ import annotations

from itbpump.cli.forecasting import forecast_lines
from itbpump.forecast import RefillSpan, calibrate, forecast
from itbpump.profiles import load_profile
from tests.unit.therapy.prescriptions import continuous, prescription

P40 = load_profile("P-40")
RX = prescription(continuous("500 mcg/day"))


def told(*aspirated: int) -> str:
    spans = [RefillSpan(38_000_000, 20_000_000, volume) for volume in aspirated]
    return "\n".join(forecast_lines(forecast(RX, calibration=calibrate(spans, P40))))


def test_without_refills_nothing_is_said() -> None:
    assert "refills" not in told()
    assert told() == "\n".join(forecast_lines(forecast(RX)))


def test_more_and_less_are_words_not_signs() -> None:
    assert "Its refills (2): 4.8 % more than it counts, spread 2 %." in told(15_600_000, 15_600_000)
    less = told(17_600_000, 17_600_000)
    assert "4.8 % less than it counts" in less
    assert "If it goes on so: low 3 Apr 2027, empty 25 Apr 2027;" in less
    assert "ATTENTION" not in less
    assert max(map(len, less.splitlines())) <= 80


def test_drift_and_a_flow_outside_the_profile_are_shown() -> None:
    assert "ATTENTION: its flow drifts: it gives more than before." in told(16_600_000, 16_600_000, 14_600_000, 14_600_000)
    assert "ATTENTION: its flow is outside the tolerance of its profile." in told(12_600_000, 12_600_000, 12_600_000)
