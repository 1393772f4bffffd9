"""A bridge in force outlives whatever happens to the therapy: it ends at its own pulse, never sooner and never later."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from firmware_sim.firmware.ledger import Denial
from itbpump.wire.messages import (
    BolusKind,
    CommandKind,
    Configuration,
    ErrorCode,
    LimitCode,
    LogKind,
    MinimumRate,
    Mode,
    Outcome,
    RunState,
    StopTherapy,
    encode_configuration,
)
from tests.unit.firmware.rig import BASE, DAY, HOUR, KEEP, PROFILE, P, Rig, error_of, result_of

PULSES = 632
WEAK = replace(BASE, concentration_ng_per_mL=500_000, flow_nL_per_day=400_000, bridge_flow_nL_per_day=100_000, bridge_pulses=PULSES)
"""From 2,000 to 500 mcg/mL at 200 mcg a day."""
FLOW = WEAK.bridge_flow_nL_per_day
NO_PATIENT = {"patient_pulses": 0, "patient_duration_min": 0, "patient_lockout_min": 0, "patient_max_per_day": 0}


def kept(rig: Rig, **changes: object) -> Configuration:
    """The present label again, with what is left of the bridge."""
    left = rig.status().bridge_left_pulses
    same = replace(WEAK, reservoir_set=False, reservoir_volume_nL=0, bridge_pulses=left, bridge_flow_nL_per_day=FLOW if left else 0)
    return replace(same, **changes)


def bridged() -> Rig:
    """A pump some hours into its bridge."""
    rig = Rig()
    rig.configure()
    rig.advance(DAY)
    assert rig.configure(WEAK).outcome is Outcome.APPLIED
    rig.advance(10 * HOUR)
    return rig


def end_of(rig: Rig) -> int:
    status = rig.status()
    return status.lifetime_pulses + status.bridge_left_pulses


def refused(rig: Rig, configuration: Configuration, limit: LimitCode = LimitCode.BRIDGE) -> None:
    before = rig.status()
    reply = rig.stage(encode_configuration(configuration), CommandKind.CONFIGURE, rig.next_id(), before.revision)
    assert error_of(reply) == ErrorCode.LIMIT
    assert reply.detail == limit  # type: ignore[union-attr]
    assert replace(rig.status(), log_next_seq=0) == replace(before, log_next_seq=0)


def stop(rig: Rig) -> None:
    rig.ask(StopTherapy(cmd_id=rig.next_id()))


def go_down(rig: Rig) -> None:
    rig.ask(MinimumRate(cmd_id=rig.next_id()))


INTERRUPTIONS = {"nothing": lambda _rig: None, "stop": stop, "minimum rate": go_down}


@pytest.mark.sr("SR-12", "SR-02")
@pytest.mark.parametrize("interrupt", INTERRUPTIONS.values(), ids=INTERRUPTIONS)
def test_a_commit_neither_drops_nor_shortens_nor_lengthens_nor_changes_it(interrupt: object) -> None:
    rig = bridged()
    end = end_of(rig)
    interrupt(rig)  # type: ignore[operator]
    left = rig.status().bridge_left_pulses
    assert 0 < left < PULSES
    for wrong in (
        {"bridge_pulses": 0, "bridge_flow_nL_per_day": 0},
        {"bridge_pulses": left - 1},
        {"bridge_flow_nL_per_day": FLOW + 1},
        {"bridge_flow_nL_per_day": WEAK.flow_nL_per_day},
    ):
        refused(rig, kept(rig, **wrong))
        refused(rig, kept(rig, **wrong, start=False))
        refused(rig, kept(rig, **wrong, reservoir_set=True, reservoir_volume_nL=38_000_000))
    for right in ({"start": False}, {"start": True, "flow_nL_per_day": 300_000}, {"bridge_pulses": PULSES}):
        assert rig.configure(kept(rig, **right)).outcome is Outcome.APPLIED
        assert end_of(rig) == end
    assert (rig.status().bridging, rig.status().flow_nL_per_day) == (True, FLOW)
    rig.advance(10 * DAY)
    ended = [entry for entry in rig.firmware._machine.log.page(0, 100) if entry.kind is LogKind.BRIDGE_END]
    assert [entry.a for entry in ended] == [end]
    assert rig.status().flow_nL_per_day == WEAK.flow_nL_per_day


STEPS = st.tuples(st.sampled_from(["stop", "minimum", "hold", "start", "none", "longer", "reset", "pulses"]), st.integers(0, 12 * HOUR))


@pytest.mark.sr("SR-12", "SR-50")
@settings(max_examples=40)
@given(st.lists(STEPS, max_size=8))
def test_the_end_never_moves_whatever_happens_to_the_therapy(steps: list[tuple[str, int]]) -> None:
    rig = bridged()
    end = end_of(rig)
    for what, wait in steps:
        match what:
            case "stop":
                stop(rig)
            case "minimum":
                go_down(rig)
            case "hold" | "start":
                rig.configure(kept(rig, start=what == "start"))
            case "none":
                nothing = {"mode": Mode.STOPPED, "flow_nL_per_day": 0, **NO_PATIENT}
                assert rig.configure(kept(rig, **nothing)).outcome is Outcome.APPLIED
                assert rig.status().run_state is RunState.STOPPED
            case "longer" if rig.status().bridge_left_pulses:
                rig.configure(kept(rig, bridge_pulses=PULSES))
            case "reset":
                rig = rig.reset(HOUR)
            case _:
                pass
        left = rig.status().bridge_left_pulses
        assert left == 0 or end_of(rig) == end
        rig.advance(wait)
    rig.configure(kept(rig, start=True, bridge_pulses=rig.status().bridge_left_pulses))
    before = rig.status()
    assert before.flow_nL_per_day == (FLOW if before.bridge_left_pulses else WEAK.flow_nL_per_day)
    rig.advance(5 * DAY)
    ended = [entry.a for entry in rig.firmware._machine.log.page(0, 200) if entry.kind is LogKind.BRIDGE_END]
    assert ended == [end]


@pytest.mark.sr("SR-12")
def test_no_other_label_comes_in_before_the_bridge_has_ended_but_a_prime_may_push_it_out() -> None:
    rig = bridged()
    other = replace(BASE, concentration_ng_per_mL=3_000_000, flow_nL_per_day=66_000, bridge_flow_nL_per_day=0, bridge_pulses=0)
    refused(rig, other)
    refused(rig, replace(other, bridge_flow_nL_per_day=FLOW, bridge_pulses=PULSES))
    stop(rig)
    refused(rig, replace(other, mode=Mode.STOPPED, flow_nL_per_day=0, **NO_PATIENT))
    left = rig.status().bridge_left_pulses
    result_of(rig.bolus(left, 3600, BolusKind.PRIME))
    rig.advance(HOUR)
    assert rig.status().bridge_left_pulses == 0
    assert rig.configure(other).outcome is Outcome.APPLIED


@pytest.mark.sr("SR-12")
def test_a_bridge_that_ended_before_the_commit_is_not_begun_again() -> None:
    rig = bridged()
    late = kept(rig, start=True)
    rig.advance(10 * DAY)
    assert rig.status().bridge_left_pulses == 0
    refused(rig, late)
    refused(rig, replace(KEEP, bridge_flow_nL_per_day=FLOW, bridge_pulses=1, concentration_ng_per_mL=500_000))
    refused(rig, kept(rig, mode=Mode.STOPPED, flow_nL_per_day=0, bridge_pulses=1, **NO_PATIENT), LimitCode.MODE_FIELDS)


@pytest.mark.sr("SR-14", "SR-12")
def test_a_patients_bolus_waits_while_the_path_holds_too_much_of_another_label() -> None:
    """Without a bridge: 50 pulses of the new label are 12.5 mcg, of the old one in the path 50."""
    rig = Rig()
    most = PROFILE.drugs["baclofen"].patient_mass_max_ng
    pulses = most // (P * 2) + 1
    rig.configure()
    rig.advance(DAY)
    rig.configure(replace(WEAK, bridge_flow_nL_per_day=0, bridge_pulses=0, patient_pulses=pulses, patient_duration_min=60))
    rig.advance(HOUR)
    assert not rig.firmware.patient_request(rig.now)
    denied = next(entry for entry in reversed(rig.firmware._machine.log.page(0, 100)) if entry.kind is LogKind.BOLUS_DENIED)
    assert denied.b == Denial.PATIENT_DOSE
    rig.advance(3 * DAY)
    assert rig.status().path_left_pulses == 0
    assert rig.firmware.patient_request(rig.now)
