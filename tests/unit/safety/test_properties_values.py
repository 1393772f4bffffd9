"""Accepted value in is value out: from a prescription to its file and back, to the pump's configuration, and to what a screen shows of it.

Every amount is equal at the end, or the review shows it as what the pump can give (`achievable`); nothing else may change on the way
(SR-05). Not here: the wire's own bytes (`tests/unit/wire`).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given

from itbpump.configuration import wire_configuration
from itbpump.profiles import load_profile
from itbpump.quantity import Mass, MassRate
from itbpump.safety import Achievable, Severity, review
from itbpump.therapy import Prescription, dump_prescription, load_prescription
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import decode_configuration, encode_configuration
from tests.unit.therapy.prescriptions import continuous, fits_wire, flex, periodic, prescription, prescriptions, rate

sendable = prescriptions().filter(lambda rx: fits_wire(wire_configuration(rx, load_profile(rx.pump.profile))))
Pair = tuple[Mass | MassRate, Mass | MassRate]


def amounts(rx: Prescription, view: TherapyView) -> Iterator[Pair]:
    """Each dose and rate as prescribed, with what the pump's configuration means."""
    therapy = rx.therapy
    if therapy.mode == "continuous":
        (step,) = view.days[0]
        assert step.rate is not None
        yield therapy.dose, step.rate
    elif therapy.mode == "periodic-bolus":
        assert view.periodic is not None
        assert view.background is not None
        yield from ((therapy.dose, view.periodic.dose), (therapy.background, view.background))
    elif therapy.mode == "flex":
        for day in range(7):
            for wanted, shown in zip(therapy.pattern_of(day).steps, view.days[day], strict=True):
                assert (wanted.at, wanted.over) == (shown.at, shown.over)
                if wanted.rate is not None:
                    assert shown.rate is not None
                    yield wanted.rate, shown.rate
                else:
                    assert wanted.dose is not None
                    assert shown.dose is not None
                    yield wanted.dose, shown.dose
    if rx.patient_bolus is not None and view.patient is not None:
        yield rx.patient_bolus.dose, view.patient.dose


def in_unit_of(wanted: Mass | MassRate, given: Mass | MassRate) -> str:
    return str(type(given)(given.value, wanted.unit))


def round_trip(rx: Prescription) -> TherapyView:
    """To a file and back, to the wire and back, to doses."""
    again = load_prescription(dump_prescription(rx))
    assert again == rx
    configuration = wire_configuration(again, load_profile(rx.pump.profile))
    received = decode_configuration(encode_configuration(configuration))
    assert received == configuration
    return view_configuration(received, load_profile(rx.pump.profile))


def shown_as(items: tuple[Achievable, ...], wanted: Mass | MassRate, given: Mass | MassRate) -> bool:
    return any((item.prescribed, item.achievable) == (str(wanted), in_unit_of(wanted, given)) for item in items)


@pytest.mark.sr("SR-01", "SR-05")
@given(sendable)
def test_every_amount_comes_out_as_it_went_in_or_is_shown_as_achievable(rx: Prescription) -> None:
    view = round_trip(rx)
    items = review(rx).achievable
    for wanted, given_ in amounts(rx, view):
        assert wanted == given_ or shown_as(items, wanted, given_), (wanted, given_, items)
        if isinstance(wanted, MassRate):
            assert given_.value <= wanted.value  # a flow rounds down, never up


@pytest.mark.sr("SR-05")
@given(sendable)
def test_what_is_no_dose_comes_out_exactly(rx: Prescription) -> None:
    view, therapy, asked = round_trip(rx), rx.therapy, rx.patient_bolus
    assert (view.drug, view.concentration, view.path) == (rx.drug.name, rx.drug.concentration, rx.catheter.path)
    assert view.mode_text == therapy.mode
    if rx.pump.low_reservoir_alarm is not None:
        assert view.low_alarm == rx.pump.low_reservoir_alarm
    if therapy.mode == "periodic-bolus":
        assert view.periodic is not None
        assert (view.periodic.over, view.periodic.every) == (therapy.over, therapy.every)
    if asked is not None and view.patient is not None:
        assert (view.patient.over, view.patient.lockout, view.patient.max_per_day) == (asked.over, asked.lockout, asked.max_per_day)


@pytest.mark.sr("SR-05")
@given(sendable)
def test_what_rounds_to_nothing_never_passes_unseen(rx: Prescription) -> None:
    """A bolus of no pulse is hard; a rate of no flow is at least asked about, on a pump that may stand still."""
    view = round_trip(rx)
    vanished = [wanted for wanted, given_ in amounts(rx, view) if wanted.value and not given_.value]
    bolus_gone = rx.patient_bolus is not None and view.patient is None
    if bolus_gone or any(isinstance(wanted, Mass) for wanted in vanished):
        assert review(rx).severity is Severity.HARD
    elif vanished:
        assert review(rx).severity >= Severity.SOFT


@pytest.mark.sr("SR-05")
def test_an_amount_that_changes_is_shown() -> None:
    """So that the properties above cannot pass for want of amounts that change."""
    fine = flex(rate("00:00", "200.001 mcg/day"))
    for therapy in (continuous("200.001 mcg/day"), fine, periodic("10.3 mcg", "30m", "24h", "100.001 mcg/day")):
        rx = prescription(therapy)
        view = round_trip(rx)
        changed = [(wanted, given_) for wanted, given_ in amounts(rx, view) if wanted != given_]
        assert changed
        assert all(shown_as(review(rx).achievable, *pair) for pair in changed)
