"""What treated last, and when that ended: by stop, stall, or the commit of a mode that treats nobody; never what was only stored."""

from __future__ import annotations

from dataclasses import replace as changed

import pytest

from itbpump.configuration import wire_configuration
from itbpump.history import History
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.safety.lately import has_ever_treated, last_given, untreated_since_ms
from itbpump.wire.messages import RunState
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import continuous, prescription

P40 = load_profile("P-40")
NOW_200 = wire_configuration(prescription(), P40)
BEFORE_400 = wire_configuration(prescription(continuous("400 mcg/day")), P40)
LEAST = wire_configuration(prescription({"mode": "minimum-rate"}), P40)
BOTH = pump(NOW_200, previous=BEFORE_400)


def stopped(present: PresentPump, untreated_since_ms: int | None = None, *commits: int) -> PresentPump:
    return changed(present, run_state=RunState.STOPPED, history=History(untreated_since_ms=untreated_since_ms, commits=commits))


@pytest.mark.sr("SR-33")
def test_a_therapy_that_runs_is_the_last_one() -> None:
    assert last_given(BOTH) is NOW_200
    assert untreated_since_ms(BOTH) is None
    stalled = changed(BOTH, history=History(untreated_since_ms=77, commits=(5,)))
    assert (last_given(stalled), untreated_since_ms(stalled)) == (NOW_200, 77)


@pytest.mark.sr("SR-33")
def test_a_stopped_pump_gave_what_it_ran_until_the_stop() -> None:
    for present in (stopped(BOTH, 50), stopped(BOTH, 50, 49), stopped(BOTH, 50, 10, 49), stopped(pump(NOW_200), 50)):
        assert last_given(present) == NOW_200
        assert untreated_since_ms(present) == 50
    assert (last_given(stopped(BOTH)), untreated_since_ms(stopped(BOTH))) == (NOW_200, None)
    assert (last_given(stopped(BOTH, None, 49)), untreated_since_ms(stopped(BOTH, None, 49))) == (NOW_200, None)


@pytest.mark.sr("SR-33")
def test_what_was_committed_to_a_stopped_pump_never_began() -> None:
    for present in (stopped(BOTH, 50, 50), stopped(BOTH, 50, 60), stopped(BOTH, 50, 10, 60), stopped(BOTH, 50, 49, 60)):
        assert last_given(present) is BEFORE_400
        assert untreated_since_ms(present) == 50
    for nothing in (stopped(BOTH, 50, 50, 60), stopped(BOTH, 50, 55, 60), stopped(pump(NOW_200), 50, 60)):
        assert last_given(nothing) is None
        assert untreated_since_ms(nothing) is None


@pytest.mark.sr("SR-33")
def test_a_mode_that_treats_nobody_ends_the_therapy_before_it() -> None:
    least = changed(pump(LEAST, previous=BEFORE_400), history=History(untreated_since_ms=90, commits=(10, 40)))
    assert (last_given(least), untreated_since_ms(least)) == (BEFORE_400, 40)  # the stall at 90 interrupted no therapy
    assert untreated_since_ms(changed(least, history=History(commits=(40,)))) == 40
    assert untreated_since_ms(changed(least, history=History())) is None
    assert last_given(changed(least, history=History())) is BEFORE_400
    stored = stopped(pump(LEAST, previous=BEFORE_400), 50, 10, 40)  # replaced at 40, stopped at 50
    assert (last_given(stored), untreated_since_ms(stored)) == (BEFORE_400, 40)
    later = stopped(pump(LEAST, previous=BEFORE_400), 30, 10, 40)
    assert (last_given(later), untreated_since_ms(later)) == (BEFORE_400, 30)
    assert last_given(pump(LEAST, previous=LEAST)) is None


@pytest.mark.sr("SR-33")
def test_the_first_end_after_its_commit_ended_a_therapy() -> None:
    def least(commits: tuple[int, ...], *interruptions: int) -> PresentPump:
        return changed(pump(LEAST, previous=BEFORE_400), history=History(commits=commits, interruptions=interruptions))

    assert untreated_since_ms(least((10, 40), 20, 30)) == 20
    assert untreated_since_ms(least((10, 40), 10)) == 10
    assert untreated_since_ms(least((10, 40), 9)) == 40  # before it began
    assert untreated_since_ms(least((40,), 9)) == 9  # nobody knows when it began
    assert untreated_since_ms(least((10, 40), 50)) == 40


@pytest.mark.sr("SR-33")
def test_a_pump_that_lost_its_configuration_gave_the_one_before() -> None:
    lost = changed(pump(None, previous=BEFORE_400), run_state=RunState.SAFE, history=History(untreated_since_ms=50))
    assert (last_given(lost), untreated_since_ms(lost)) == (BEFORE_400, 50)
    assert (last_given(pump(None)), untreated_since_ms(pump(None))) == (None, None)


@pytest.mark.sr("SR-08")
@pytest.mark.parametrize(("pulses", "mass_ng", "has"), [(100, 0, False), (101, 0, True), (100, 1, True), (0, 0, False)])
def test_primes_and_boluses_are_no_treatment(pulses: int, mass_ng: int, has: bool) -> None:
    given = History(boluses=((5, 50), (6, 10)), primes=((7, 40),))
    present = pump(None, lifetime_pulses=pulses, mass_24h_ng=mass_ng, history=given if pulses else History())
    assert has_ever_treated(present) is has
