"""What a decision rested on is kept with its command, on disk before the first byte; and whose pump this is comes back from it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from itbpump.hoststate import HostState, PumpKey
from itbpump.outcome import Applied
from itbpump.quantity import Duration, Mass, Volume
from itbpump.safety import Severity, basis_of, decide, review, review_bolus
from itbpump.therapy import Prescription, load_prescription
from tests.unit.client.lines import EXAMPLES, Line, flex, host, joined

TEXT = (EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8")


def other_patient() -> Prescription:
    return load_prescription(TEXT.replace('id = "P-0042"', 'id = "P-9999"'))


@pytest.mark.sr("SR-03")
def test_an_override_is_kept_with_value_limit_reason_and_persons() -> None:
    line = Line()
    state = host(line)
    pump = joined(line, state)
    assert isinstance(pump.program(flex()), Applied)
    line.device.advance(30 * 3_600_000)
    present = pump.present()
    dose, over = Mass.parse("60 mcg"), Duration.parse("30m")
    judged = review_bolus(dose, over, present, pump.profile, indication="spinal", age_years=46)
    decision = decide(judged, {"bolus-size": "monitored: on ward 3 until tomorrow"}, "u-1", "u-2")
    assert isinstance(pump.bolus(dose, over, present, basis=basis_of(judged, decision, "u-1", "u-2")), Applied)
    first, kept = (intent.basis for intent in state.intents(pump.key))
    assert first == ""
    record = json.loads(kept)
    (override,) = record["overrides"]
    assert (override["rule"], override["value"], override["limit"]) == ("bolus-size", "60 mcg", "50 mcg")
    assert (override["reason"], override["text"], override["user"], override["second"]) == (
        "monitored",
        "on ward 3 until tomorrow",
        "u-1",
        "u-2",
    )
    assert (record["review"], record["verdict"], record["library"]) == (judged.digest, "soft", dict(judged.library))


@pytest.mark.sr("SR-20")
def test_a_pump_keeps_its_patient_across_sessions() -> None:
    line = Line()
    pump = joined(line, host(line))
    rx = flex()
    alone = review(rx, pump.present())
    basis = basis_of(alone, decide(alone, {}), patient_id=rx.patient.id)
    assert isinstance(pump.program(rx, basis=basis), Applied)
    line.device.advance(30 * 3_600_000)
    assert isinstance(pump.refill(Volume.parse("36 mL"), Volume.parse("38 mL"))[0], Applied)  # names no patient, forgets none
    assert pump.present().patient_id == "P-0042"
    found = {finding.rule: finding for finding in review(other_patient(), pump.present()).findings}
    assert found["identity"].severity is Severity.SECOND
    assert "P-0042" in found["identity"].message
    assert "identity" not in {finding.rule for finding in review(rx, pump.present()).findings}


@pytest.mark.sr("SR-43")
def test_the_record_outlives_the_program(tmp_path: Path) -> None:
    path, key = tmp_path / "state.db", PumpKey("P1", bytes(8))
    state = HostState.open(path)
    state.begin(key, 0, 1, bytes(32), b"x", "program a therapy", basis='{"patient": "P-1"}')
    state.close()
    again = HostState.open(path)
    assert [intent.basis for intent in again.intents(key)] == ['{"patient": "P-1"}']
    again.close()
