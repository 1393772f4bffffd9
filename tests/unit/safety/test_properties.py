"""Every review is total: for whatever can be written and whatever a pump may be read to be, there is a judgement or a documented error.

Holds the strategies that the other property modules of this room use: prescriptions of any drug and indication, pumps in any state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace as changed
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from msgspec.structs import replace

from itbpump.configuration import PresentPump, configuration_digest, to_configuration, wire_configuration
from itbpump.errors import ConfigurationError, LibraryError, ProfileError
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import Refill, RefillError
from itbpump.safety import Review, Severity, all_rules, review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import AlarmNumber, CommandKind, LogEntry, LogKind, Mode, RunState
from tests.unit.safety.test_beside_the_pump import plausible
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import continuous, fits_wire, instants, prescription, prescriptions

# What each judge may raise instead of judging; anything else is a crash.
DOCUMENTED = (ConfigurationError, LibraryError, ProfileError, RefillError)
CONCENTRATIONS = st.sampled_from([0, 500_000, 1_000_000, 2_000_000, 3_000_000, 25_000_000])


# ------------------------------------------------------------------------------------------------ strategies
written = st.one_of(prescriptions(), plausible(), plausible())


@st.composite
def any_prescriptions(draw: st.DrawFn) -> Prescription:
    """Prescriptions of any drug, known or not, for any indication, labelled or not; many of them around the limits."""
    rx = draw(written)
    drug = draw(st.sampled_from(["baclofen", "baclofen", "baclofen", "morphine", "saline"]))
    indication = draw(st.sampled_from([rx.patient.indication, rx.patient.indication, "pain", "hiccups"]))
    more = {"indication": indication, "diagnosis": draw(st.sampled_from([None, "multiple-sclerosis", "cold-hands"]))}
    return rx.model_copy(update={"drug": rx.drug.model_copy(update={"name": drug}), "patient": rx.patient.model_copy(update=more)})


@st.composite
def pumps(draw: st.DrawFn, held: Prescription) -> PresentPump:
    """A pump that holds this therapy, or none, as it may be read: running or not, bridging or not, whatever it gave and sounds."""
    profile = load_profile(held.pump.profile)
    configuration = wire_configuration(held, profile)
    assume(fits_wire(configuration))
    bridge = draw(st.sampled_from([(0, 0), (0, 0), (400_000, 5), (400_000, 0), (0, 5)]))
    configuration = replace(configuration, bridge_flow_nL_per_day=bridge[0], bridge_pulses=bridge[1])
    uptime = draw(st.integers(0, 10**12))
    state = draw(st.sampled_from(list(RunState)))
    return PresentPump(
        host_now=draw(instants),
        uptime_ms=uptime,
        run_state=state,
        mode=draw(st.sampled_from(list(Mode))),
        revision=draw(st.integers(0, 10**6)),
        configuration=draw(st.sampled_from([configuration, configuration, configuration, None])),
        reservoir_nL=draw(st.integers(0, 45_000_000)),
        lifetime_pulses=draw(st.integers(0, 10**9)),
        bolus_counter=draw(st.integers(0, 10**6)),
        bridge_left_pulses=bridge[1],
        path_concentration_ng_per_mL=draw(CONCENTRATIONS),
        path_left_pulses=draw(st.sampled_from([0, 0, 1, 632])),
        bolus_left_pulses=draw(st.sampled_from([0, 0, 30])),
        mass_24h_ng=draw(st.integers(0, 10**7)),
        last_change_ms=draw(st.integers(0, uptime)),
        last_change_kind=draw(st.sampled_from(list(CommandKind))),
        alarms=tuple(draw(st.sets(st.sampled_from(list(AlarmNumber)), max_size=3))),
        history=History(
            untreated_since_ms=draw(st.none() | st.integers(0, uptime)),
            therapy_since_ms=draw(st.none() | st.integers(0, uptime)),
            boluses=tuple(draw(st.lists(st.tuples(st.integers(max(0, uptime - 80_000_000), uptime), st.integers(1, 400)), max_size=3))),
            missed_nL=draw(st.sampled_from([0, 0, 50_000])),
            primed_ms=draw(st.none() | st.integers(0, uptime)),
        ),
    )


any_pumps = written.flatmap(pumps)
volumes = st.integers(0, 45_000_000).map(Volume)


@st.composite
def presents(draw: st.DrawFn) -> PresentPump | Prescription | None:
    return draw(st.one_of(st.none(), any_prescriptions(), any_pumps))


def refill_of(aspirated: Volume, filled: Volume, present: PresentPump, profile: str, filled_before: int | None) -> Refill:
    log = [] if filled_before is None else [LogEntry(seq=1, uptime_ms=0, wall_s=0, kind=LogKind.REFILL, a=filled_before, b=0)]
    return Refill.plan(aspirated, filled, present, load_profile(profile), log)


# ------------------------------------------------------------------------------------------------ what a judgement is
RULE_NAME = re.compile(r"[a-z][a-z0-9-]{2,31}")


def is_a_judgement(judged: Review, worst: dict[str, Severity] | None = None) -> None:
    """A verdict that agrees with its findings, findings that say something, and a form that JSON carries."""
    assert judged.exit_code == {"ok": 0, "soft": 3, "second": 3, "hard": 4}[judged.verdict]
    assert judged.severity is max((finding.severity for finding in judged.findings), default=Severity.INFO)
    for finding in judged.findings:
        assert RULE_NAME.fullmatch(finding.rule)
        assert len(finding.message) > 10
        if worst is not None:
            assert finding.severity <= worst[finding.rule]
    form = json.loads(json.dumps(judged.json()))
    assert (form["verdict"], form["digest"]) == (judged.verdict, judged.digest)
    assert re.fullmatch("[0-9a-f]{64}", judged.digest)


def judged_or_refused(judge: Callable[[], Review]) -> Review | None:
    """The judgement, twice the same; None for a documented error that says what to do."""
    try:
        first = judge()
    except DOCUMENTED as error:
        assert str(error)  # noqa: PT017
        return None
    assert judge() == first
    return first


# ------------------------------------------------------------------------------------------------ properties
@pytest.mark.sr("SR-05", "SR-06")
@given(any_prescriptions(), presents(), st.none() | volumes, st.none() | instants)
def test_a_review_of_anything_beside_anything_is_a_judgement(
    rx: Prescription, current: PresentPump | Prescription | None, refill: Volume | None, now: datetime | None
) -> None:
    judged = judged_or_refused(lambda: review(rx, current, refill=refill, now=now))
    if judged is None:
        assert rx.drug.name == "saline"
    else:
        is_a_judgement(judged, {rule.name: rule.worst for rule in all_rules()})


@pytest.mark.sr("SR-06")
@given(any_prescriptions(), st.data())
def test_what_a_review_lets_through_can_be_sent(rx: Prescription, data: st.DataObject) -> None:
    held = data.draw(prescriptions()).model_copy(update={"pump": rx.pump})
    present, refill = data.draw(pumps(held)), data.draw(st.none() | volumes)
    judged = judged_or_refused(lambda: review(rx, present, refill=refill))
    if judged is not None and judged.severity is not Severity.HARD:
        configuration = to_configuration(rx, present, load_profile(rx.pump.profile), refill=refill)
        if fits_wire(configuration):
            assert len(configuration_digest(configuration)) == 32


@pytest.mark.sr("SR-02", "SR-05")
@given(any_pumps, st.sampled_from(["P-20", "P-40", "V-40"]), st.integers(0, 400_000), st.integers(0, 1_500), st.data())
def test_a_review_of_a_bolus_is_a_judgement(present: PresentPump, profile: str, ng: int, minutes: int, data: st.DataObject) -> None:
    who: Any = {
        "indication": data.draw(st.sampled_from([None, "spinal", "cerebral", "hiccups"])),
        "age_years": data.draw(st.none() | st.integers(0, 120)),
    }
    judged = judged_or_refused(
        lambda: review_bolus(Mass(ng), Duration.of_minutes(minutes), present, load_profile(profile), library=None, **who)
    )
    if judged is None:
        assert present.configuration is None or not (ng and minutes)
    else:
        is_a_judgement(judged)


@pytest.mark.sr("SR-13", "SR-05")
@given(any_prescriptions(), any_pumps, st.integers(0, 1_500))
def test_a_review_of_a_prime_is_a_judgement(rx: Prescription, present: PresentPump, minutes: int) -> None:
    judged = judged_or_refused(lambda: review_prime(rx, Duration.of_minutes(minutes), present, load_profile(rx.pump.profile)))
    if judged is not None:
        is_a_judgement(judged)


@pytest.mark.sr("SR-38", "SR-39")
@given(
    any_pumps,
    st.sampled_from(["P-20", "P-40", "V-40"]),
    volumes,
    volumes,
    st.none() | st.integers(0, 40_000_000),
    st.none() | any_prescriptions(),
)
def test_a_review_of_a_refill_is_a_judgement(
    present: PresentPump, profile: str, aspirated: Volume, filled: Volume, before: int | None, rx: Prescription | None
) -> None:
    def judge() -> Review:
        plan = refill_of(aspirated, filled, present, profile, before)
        return review_refill(plan, present, load_profile(profile)) if rx is None else review(rx, present, refill=plan)

    judged = judged_or_refused(judge)
    if judged is not None:
        is_a_judgement(judged)


@pytest.mark.sr("SR-09")
@given(prescriptions(), any_pumps, st.sampled_from(["reservoir_nL", "mass_24h_ng", "revision", "path_left_pulses", "bridge_left_pulses"]))
def test_another_present_is_another_digest(rx: Prescription, present: PresentPump, field: str) -> None:
    """What the clinician has confirmed is not confirmed for a pump that has moved on."""
    moved = changed(present, **{field: getattr(present, field) + 1_000_000})
    assert (review(rx, present).digest == review(rx, moved).digest) is (field == "reservoir_nL" and present.configuration is None)


# ------------------------------------------------------------------------------------------------ what the properties once found
ALMOST_WATER = {"concentration": "0.001 mcg/mL"}


def test_a_therapy_that_no_wire_can_carry_is_judged_all_the_same() -> None:
    before = prescription(continuous("0.101 mcg/day"), drug=ALMOST_WATER)  # 101 mL a day
    is_a_judgement(review(prescription(), before))


def test_a_prime_of_next_to_no_drug_is_judged_all_the_same() -> None:
    held = wire_configuration(prescription(continuous("0.05 mcg/day"), drug=ALMOST_WATER), load_profile("P-40"))
    rx = prescription(prime={"scope": "path"}, catheter={"path_volume": "0.001 mL"})
    is_a_judgement(review_prime(rx, Duration.of_minutes(60), pump(held), load_profile("P-40")))
