"""A stored configuration as a prescription: exactly what the pump gives, or nothing at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace as altered

from itbpump.configuration import wire_configuration
from itbpump.errors import ConfigurationError, ItbPumpError, PrescriptionError
from itbpump.profiles import load_profile
from itbpump.pump import Pump, WrongPump
from itbpump.therapy import Prescription
from itbpump.wire.messages import Configuration, Mode, RunState
from itbpump.workflow.facts import Facts, gather
from itbpump.workflow.stored import NothingToRestore, as_prescription, patient_tables, require_same, stored_therapy
from tests.unit.therapy.prescriptions import fits_wire, prescription, prescriptions
from tests.unit.workflow_stored.conftest import opened, passed

PATIENT = {"patient": {"id": "P-0042", "indication": "spinal", "age_years": 46}}


@pytest.fixture(scope="module")
def facts() -> Facts:
    with opened() as line:
        passed(line, 30)
        return gather(line)


def stored(rx: Prescription) -> Configuration:
    """What a pump of this model would hold. Hypothesis looks further where it could hold nothing."""
    try:
        found = wire_configuration(rx, load_profile(rx.pump.profile))
    except ConfigurationError:
        assume(False)
        raise
    assume(fits_wire(found))
    return found


def on(facts: Facts, profile: str) -> Facts:
    return replace(facts, profile=load_profile(profile), info=altered(facts.info, profile=profile))


@pytest.mark.sr("SR-09")
@given(prescriptions())
def test_what_a_pump_holds_is_told_exactly_or_not_at_all(facts: Facts, rx: Prescription) -> None:
    """The prescription made of a configuration makes that configuration, unless it is refused."""
    held = stored(rx)
    there = on(facts, rx.pump.profile)
    try:
        former = as_prescription(held, there, PATIENT)
        require_same(former, held, there)
    except (NothingToRestore, PrescriptionError, ConfigurationError):
        return
    again = wire_configuration(former, there.profile)
    for name in ("mode", "drug", "concentration_ng_per_mL", "flow_nL_per_day", "patterns", "periodic_pulses", "patient_pulses"):
        assert getattr(again, name) == getattr(held, name), name
    assert former.patient.id == "P-0042"


@given(prescriptions())
def test_every_therapy_of_a_usual_concentration_can_be_told(facts: Facts, rx: Prescription) -> None:
    """Else restoring would be refused where nothing is wrong. A bolus of no pulse is no therapy (hard limit, design 4)."""
    assume(rx.drug.concentration.ng_per_mL >= 50_000)
    held = stored(rx)
    assume(held.patient_pulses > 0 or held.patient_max_per_day == 0)
    there = on(facts, rx.pump.profile)
    require_same(as_prescription(held, there, PATIENT), held, there)


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize("field", ["empty_alarm_nL", "flow_nL_per_day", "path_volume_nL"])
def test_what_no_prescription_makes_is_refused(facts: Facts, field: str) -> None:
    held = facts.present.configuration
    assert held is not None
    former = as_prescription(held, facts, PATIENT)
    require_same(former, held, facts)
    with pytest.raises(NothingToRestore, match="no prescription makes exactly what pump P4000001 holds"):
        require_same(former, altered(held, **{field: getattr(held, field) + 1}), facts)


def test_only_the_moment_of_the_commit_may_differ(facts: Facts) -> None:
    held = facts.present.configuration
    assert held is not None
    former = as_prescription(held, facts, PATIENT)
    require_same(former, altered(held, week_offset_ms=5, reservoir_set=True, reservoir_volume_nL=7, start=False), facts)


def test_the_present_reservoir_and_fill_stand_in_it(facts: Facts) -> None:
    held = facts.present.configuration
    assert held is not None
    former = as_prescription(held, facts, PATIENT)
    assert former.pump.reservoir_volume.nL == facts.present.reservoir_nL < 38_000_000
    assert former.pump.as_of == facts.present.host_now
    assert former.drug.filled_on is not None


def test_a_patient_is_told_by_a_prescription_of_this_model_only(facts: Facts) -> None:
    rx = prescription(screening={"dose": "50 mcg", "effect": "6h"})
    assert patient_tables(rx, facts) == {"patient": rx.patient, "screening": rx.screening, "medication": ()}
    with pytest.raises(WrongPump):
        patient_tables(prescription(pump={"profile": "P-20"}), facts)


def test_what_cannot_be_a_patient_is_named(facts: Facts) -> None:
    held = facts.present.configuration
    assert held is not None
    with pytest.raises(PrescriptionError, match="age_years"):
        as_prescription(held, facts, {"patient": {"id": "P-1", "indication": "spinal", "age_years": 900}})


# ------------------------------------------------------------------------------------------------ what is to be given again
def known(facts: Facts, previous: Configuration | None = None, **present: Any) -> Facts:
    return replace(facts, previous=previous, present=replace(facts.present, **present))


def test_the_stopped_therapy_comes_before_the_one_before(facts: Facts) -> None:
    held = facts.present.configuration
    assert held is not None
    other = altered(held, mode=Mode.CONTINUOUS, patterns=(), flow_nL_per_day=80_000)
    found = stored_therapy(known(facts, other, run_state=RunState.STOPPED))
    assert (found.configuration, found.was_stopped) == (held, True)
    assert found.title == "Start the stopped therapy again"
    found = stored_therapy(known(facts, other))
    assert (found.configuration, found.was_stopped) == (other, False)
    assert found.title == "Restore the therapy before the present one"


@pytest.mark.parametrize(
    ("present", "words"),
    [
        ({"configuration": None, "run_state": RunState.UNCONFIGURED}, "has no therapy"),
        ({"configuration": None, "run_state": RunState.SAFE}, "has lost its therapy"),
        ({}, "no earlier configuration"),
        ({"bridge_left_pulses": 3}, "a bridge is in force"),
    ],
)
def test_where_nothing_can_be_restored(facts: Facts, present: dict[str, Any], words: str) -> None:
    held = facts.present.configuration
    assert held is not None
    previous = altered(held, flow_nL_per_day=1) if "bridge_left_pulses" in present else None
    with pytest.raises(NothingToRestore, match=words) as caught:
        stored_therapy(known(facts, previous, **present))
    assert "itbpump" not in f"{caught.value.problem}; {caught.value.advice}"
    assert caught.value.action.startswith(caught.value.advice)
    assert isinstance(caught.value, ItbPumpError)


def test_the_same_therapy_again_is_nothing(facts: Facts) -> None:
    held = facts.present.configuration
    assert held is not None
    with pytest.raises(NothingToRestore, match="holds the same therapy"):
        stored_therapy(known(facts, altered(held, week_offset_ms=1, reservoir_set=False, reservoir_volume_nL=0)))


def test_reading_it_asks_the_pump_nothing(pump: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
    """Once gathered, all is worked out without a pump."""
    found = gather(pump)
    pump.close()
    held = stored_therapy(known(found, run_state=RunState.STOPPED)).configuration
    require_same(as_prescription(held, found, PATIENT), held, found)


@given(st.integers(0, 6))
def test_each_day_has_the_steps_of_its_pattern(facts: Facts, day: int) -> None:
    held = facts.present.configuration
    assert held is not None
    former = as_prescription(held, facts, PATIENT)
    names = [("mon", "tue", "wed", "thu", "fri"), ("sat", "sun")]
    patterns = former.therapy.pattern  # type: ignore[union-attr]  # the example is a flex therapy
    assert [pattern.days for pattern in patterns] == names
    steps = patterns[0 if day < 5 else 1].steps
    assert [str(step.at) for step in steps] == (["00:00", "06:00", "20:00"] if day < 5 else ["00:00"])
