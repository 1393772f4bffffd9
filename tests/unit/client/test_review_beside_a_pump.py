"""What the review makes of a pump's own words: how old the therapy is, and whether the motor turns (SR-08, SR-22, SR-30)."""

from __future__ import annotations

import pytest

from itbpump.outcome import Applied
from itbpump.quantity import Duration, Mass
from itbpump.safety import review, review_bolus
from itbpump.safety.model import Severity
from itbpump.therapy import load_prescription
from itbpump.wire.messages import AlarmNumber, AlarmPriority
from tests.unit.client.lines import EXAMPLES, Line, flex, host, joined

HOUR_MS = 3_600_000
TEXT = (EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8")
MORE = load_prescription(TEXT.replace('rate = "6 mcg/h"', 'rate = "6.5 mcg/h"'))


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize("command", ["none", "bolus", "alarm test", "clock"])
@pytest.mark.parametrize(("hours", "second"), [(2, True), (30, False)])
def test_no_other_command_hides_that_a_therapy_is_new(command: str, hours: int, second: bool) -> None:
    line = Line()
    pump = joined(line, host(line))
    assert isinstance(pump.program(flex()), Applied)
    line.device.advance(HOUR_MS)
    if command == "bolus":
        assert isinstance(pump.bolus(Mass.parse("5 mcg"), Duration.parse("10m")), Applied)
    elif command == "alarm test":
        assert isinstance(pump.alarm_test(AlarmPriority.CRITICAL), Applied)
    elif command == "clock":
        assert isinstance(pump.set_clock(1_795_359_600), Applied)
    line.device.advance(hours * HOUR_MS)
    found = {finding.rule: finding.severity for finding in review(MORE, pump.present()).findings}
    assert (found.get("first-period") is Severity.SECOND) is second


@pytest.mark.sr("SR-30")
def test_a_bolus_is_not_offered_while_the_motor_does_not_turn() -> None:
    line = Line()
    pump = joined(line, host(line))
    assert isinstance(pump.program(flex()), Applied)
    line.device.advance(30 * HOUR_MS)
    dose, over = Mass.parse("10 mcg"), Duration.parse("10m")
    assert review_bolus(dose, over, pump.present(), pump.profile).verdict != "hard"
    line.device.plant.stalled = True
    line.device.advance(3 * HOUR_MS)
    present = pump.present()
    assert AlarmNumber.MOTOR_STALL in present.alarms
    judged = review_bolus(dose, over, present, pump.profile)
    assert judged.verdict == "hard"
    assert any("motor" in finding.message for finding in judged.findings)
