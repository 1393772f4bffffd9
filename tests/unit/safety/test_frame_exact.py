"""Entry slips that stand behind others in their pattern: every bolus of a day is looked at, whatever comes before it."""

from __future__ import annotations

import pytest

from itbpump.safety import Severity, review
from tests.unit.therapy.prescriptions import bolus, flex, prescription, rate


@pytest.mark.sr("SR-10", "SR-18")
def test_a_rare_bolus_in_the_morning_hides_no_daily_one_entered_as_hourly() -> None:
    """60 mcg once a day entered every hour of the day's half, after one of 5 mcg that comes once."""
    rare, background = bolus("00:30", "5 mcg", "5m"), rate("00:00", "4 mcg/h")
    large = [bolus(f"{hour:02d}:00", "60 mcg", "20m") for hour in range(11, 23)]
    meant = prescription(flex(background, rare, large[0]))
    found = [finding for finding in review(prescription(flex(background, rare, *large)), meant).findings if finding.rule == "field-swap"]
    assert [finding.severity for finding in found] == [Severity.SECOND]
    assert found[0].message.startswith(
        "every day: 60 mcg twelve times, 804.667 mcg per day in all; once a day, 159.333 mcg per day in all; "
    )
