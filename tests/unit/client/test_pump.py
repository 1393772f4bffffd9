"""The client against a simulated pump over good, bad and dead lines (safety 4.2; SR-41 … SR-46, SR-49)."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from itbpump import pump as pump_module
from itbpump.errors import ConfigurationError
from itbpump.hoststate import HostState
from itbpump.link.errors import KeyMismatch, NotPaired, PumpBusy, PumpRefused
from itbpump.link.transaction import ReadBackDiffers
from itbpump.outcome import Applied, DosingBlocked, NotApplied, Unknown
from itbpump.pump import ConstantsMismatch, Pump, WrongPump, connect
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import RefillError
from itbpump.therapy import load_prescription
from itbpump.transport.base import TransportError
from itbpump.transport.demo_key import pair_with_demo_key
from itbpump.wire.messages import (
    COMMAND_DEADLINE_MS,
    AlarmPriority,
    BolusState,
    ConfigurationSlot,
    ErrorCode,
    LogKind,
    Mode,
    ResultScope,
    Role,
    RunState,
)
from tests.unit.client.lines import (
    EXAMPLES,
    URL,
    Line,
    Passing,
    doubled,
    flex,
    flipped,
    halved,
    host,
    joined,
    lossy,
    lost,
    nth,
    straight,
)

DOSE, OVER = Mass.parse("25 mcg"), Duration.parse("10m")
HOUR_MS = 3_600_000


@pytest.fixture
def line() -> Line:
    return Line()


def running(line: Line, state: HostState) -> Pump:
    pump = joined(line, state)
    assert isinstance(pump.program(flex()), Applied)
    line.device.advance(30 * HOUR_MS)
    return pump


@pytest.mark.sr("SR-23")
def test_a_therapy_is_programmed_and_proved(line: Line) -> None:
    pump = joined(line, host(line))
    outcome = pump.program(flex())
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    assert {what for what, _, _ in outcome.proof.checks} >= {"digest", "revision", "stored configuration", "run state"}
    status = pump.status()
    assert (status.run_state, status.mode, status.reservoir_nL) == (RunState.RUNNING, Mode.FLEX, 38_000_000)
    assert pump.configuration(ConfigurationSlot.PREVIOUS) is None


@pytest.mark.sr("SR-26")
def test_a_bolus_gives_exactly_its_pulses_and_the_therapy_goes_on(line: Line) -> None:
    pump = running(line, host(line))
    before = pump.status()
    outcome = pump.bolus(DOSE, OVER)
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    line.device.advance(600_000)
    after = pump.status()
    assert after.bolus_counter - before.bolus_counter == 25
    assert after.lifetime_pulses - before.lifetime_pulses == 25
    assert after.bolus_state is BolusState.DONE
    (result,) = [r for r in pump.own_results() if r.cmd_id == outcome.cmd_id]
    assert (result.requested_pulses, result.delivered_pulses, result.doubt_pulses, result.confirmed) == (25, 25, 0, True)


@pytest.mark.sr("SR-43")
def test_the_intent_is_on_disk_before_the_first_byte(line: Line) -> None:
    state = host(line)
    pump = joined(line, state)
    present = pump.present()
    seen: list[list[str]] = []

    def watch(data: bytes) -> list[bytes]:
        seen.append([intent.state for intent in state.intents(pump.key)])
        return [data]

    line.to_pump = watch
    pump.program(flex(), present)
    assert seen[0] == ["pending"]
    assert [intent.state for intent in state.intents(pump.key)] == ["applied"]


DISTURBANCES: list[Callable[[bytes], list[bytes]]] = [lost, doubled, halved, flipped]


@pytest.mark.sr("SR-41")
@pytest.mark.parametrize("disturbance", DISTURBANCES)
@pytest.mark.parametrize("number", range(8))
@pytest.mark.parametrize("towards", ["pump", "host"])
def test_any_single_disturbance_of_a_bolus_leaves_one_bolus(disturbance: Passing, number: int, towards: str, line: Line) -> None:
    pump = running(line, host(line))
    present = pump.present()
    setattr(line, f"to_{towards}", nth(number, disturbance))
    outcome = pump.bolus(DOSE, OVER, present)
    line.to_pump = line.to_host = straight
    assert isinstance(outcome, Applied)
    line.device.advance(HOUR_MS)
    status = pump.status()
    assert status.bolus_counter == 25
    assert line.device.truth.commanded_pulses == status.lifetime_pulses


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("after_writes", range(8))
def test_a_line_cut_at_any_step_is_told_truly_and_settled_by_reconcile(after_writes: int, line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    left = [after_writes]

    def cut(data: bytes) -> list[bytes]:
        left[0] -= 1
        line.cut = left[0] < 0
        return [] if line.cut else [data]

    line.to_pump = cut
    outcome = pump.bolus(DOSE, OVER, present)
    line.cut, line.to_pump = False, straight
    if isinstance(outcome, Unknown):
        assert state.unsettled(pump.key)
        with pytest.raises(DosingBlocked):
            pump.bolus(DOSE, OVER)
        ((_, settled),) = pump.reconcile()
    else:
        settled = outcome
    assert not isinstance(settled, Unknown)
    line.device.advance(HOUR_MS)
    counter = joined(line, state).status().bolus_counter
    assert counter == (25 if isinstance(settled, Applied) else 0)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(("command", "answers_before"), [("bolus", 2), ("stop", 0)])
def test_an_answer_lost_beyond_its_deadline_is_asked_for_before_it_is_called_unknown(command: str, answers_before: int, line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    heard, deaf_until = [0], [0]

    def deaf(data: bytes) -> list[bytes]:
        """From the answer that matters on, nothing comes for longer than a command's deadline."""
        if heard[0] == answers_before:
            deaf_until[0] = line.now_ms() + COMMAND_DEADLINE_MS + 500
        heard[0] += 1
        return [] if line.now_ms() < deaf_until[0] else [data]

    line.to_host = deaf
    outcome = pump.stop() if command == "stop" else pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, Applied)
    assert pump.session.link.resent > 2
    assert not state.unsettled(pump.key)


@pytest.mark.sr("SR-42")
def test_an_unknown_outcome_blocks_dosing_but_never_a_stop(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    state.begin(pump.key, 0, 2, bytes(32), b"", "a bolus of 25 mcg")
    with pytest.raises(DosingBlocked, match="reconcile"):
        pump.bolus(DOSE, OVER, present)
    with pytest.raises(DosingBlocked, match="reconcile"):
        pump.program(flex(), present)
    assert isinstance(pump.stop(), Applied)
    assert pump.status().run_state is RunState.STOPPED
    ((intent, outcome),) = pump.reconcile()
    assert isinstance(outcome, NotApplied)
    assert intent.what == "a bolus of 25 mcg"


def crash(_data: bytes) -> list[bytes]:
    """The host's program is killed."""
    raise KeyboardInterrupt


@pytest.mark.sr("SR-43")
@pytest.mark.parametrize(("step", "expected"), [("stage", 0), ("read-back", 0), ("commit", 0), ("commit answered", 25), ("confirm", 25)])
def test_a_host_killed_at_any_step_finds_out_by_reconcile(step: str, expected: int, line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    if step == "commit answered":
        line.to_host = nth(2, crash)
    else:
        line.to_pump = nth(["stage", "read-back", "commit", "confirm"].index(step), crash)
    with pytest.raises(KeyboardInterrupt):
        pump.bolus(DOSE, OVER, present)
    line.to_pump = line.to_host = straight
    again = joined(line, state, seed=2)
    for intent, outcome in again.reconcile():
        assert isinstance(outcome, Applied if expected else NotApplied), intent
    assert not state.unsettled(again.key)
    line.device.advance(HOUR_MS)
    assert again.status().bolus_counter == expected


@pytest.mark.sr("SR-41")
def test_a_full_size_therapy_commits_over_a_line_that_loses_a_tenth(line: Line) -> None:
    pattern = "".join(
        f'[[therapy.pattern]]\ndays = ["{day}"]\nsteps = ['
        + ", ".join(
            f'{{ at = "{minute // 60:02d}:{minute % 60:02d}", rate = "{5 + (i + d) % 4} mcg/h" }}'
            for i, minute in enumerate(range(0, 1440, 30))
        )
        + "]\n"
        for d, day in enumerate(("mon", "tue", "wed", "thu", "fri", "sat", "sun"))
    )
    text = (EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8")
    rx = load_prescription(text[: text.index("[[therapy.pattern]]")] + pattern)
    pump = joined(line, host(line))
    line.to_pump, line.to_host = lossy(10, 7), lossy(10, 8)
    outcome = pump.program(rx)
    line.to_pump = line.to_host = straight
    assert isinstance(outcome, Applied)
    assert pump.status().revision == 1
    stored = pump.configuration()
    assert stored is not None
    assert sum(len(p.steps) for p in stored.patterns) == 7 * 48


@pytest.mark.sr("SR-09")
def test_what_the_pump_reads_differently_is_never_committed(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    pump = joined(line, host(line))
    monkeypatch.setattr(pump_module, "compare_read_back", lambda *_args: ("monday_ng: meant 1, pump says 2",))
    outcome = pump.program(flex())
    assert isinstance(outcome, NotApplied)
    assert isinstance(outcome.reason, ReadBackDiffers)
    assert pump.status().revision == 0


@pytest.mark.sr("SR-45")
def test_the_second_of_two_programmers_gets_a_stale_revision(line: Line) -> None:
    first, second = host(line, 1), host(line, 2)
    pump = joined(line, first)
    seen_by_second = pump.present()
    assert isinstance(pump.program(flex()), Applied)
    pump.close()
    other = joined(line, second, seed=2)
    outcome = other.program(flex(), seen_by_second)
    assert isinstance(outcome, NotApplied)
    assert "read the pump again" in str(outcome.reason)
    assert other.status().revision == 1
    assert other.status().others_unconfirmed == 0


@pytest.mark.sr("SR-41", "SR-45")
def test_a_bolus_meant_against_a_moved_counter_is_refused(line: Line) -> None:
    pump = running(line, host(line))
    present = pump.present()
    assert isinstance(pump.bolus(DOSE, OVER, present), Applied)
    line.device.advance(HOUR_MS)
    outcome = pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, NotApplied)
    assert pump.status().bolus_counter == 25


def test_results_another_programmer_has_not_confirmed_are_told(line: Line) -> None:
    first, second = host(line, 1), host(line, 2)
    pump = running(line, first)
    present = pump.present()
    line.to_pump = nth(3, crash)  # the confirmation of the result, after stage, read-back and commit
    with pytest.raises(KeyboardInterrupt):
        pump.bolus(DOSE, OVER, present)
    line.to_pump = straight
    line.inner.advance(16 * 60_000)  # the first programmer's session ends by itself
    other = joined(line, second, seed=2)
    (result,) = other.others_unconfirmed()
    assert (result.programmer, result.requested_pulses, result.confirmed) == (first.programmer_id, 25, False)
    assert other.status().others_unconfirmed == 1
    assert other.session.results(ResultScope.OWN) == ()
    other.close()
    joined(line, first, seed=3).reconcile()
    assert joined(line, first, seed=4).status().others_unconfirmed == 0


@pytest.mark.sr("SR-49")
def test_a_stopped_bolus_reports_the_pulses_given(line: Line) -> None:
    pump = running(line, host(line))
    outcome = pump.bolus(DOSE, OVER)
    assert isinstance(outcome, Applied)
    line.device.advance(240_000)
    assert isinstance(pump.stop_bolus(), Applied)
    status = pump.status()
    assert status.bolus_state is BolusState.ABORTED
    assert (status.bolus_requested, status.bolus_delivered) == (25, 10)
    (result,) = [r for r in pump.own_results() if r.cmd_id == outcome.cmd_id]
    assert (result.delivered_pulses, result.bolus_state) == (10, BolusState.ABORTED)
    assert status.run_state is RunState.RUNNING


@pytest.mark.sr("SR-50")
def test_a_reset_in_a_bolus_is_found_and_told(line: Line) -> None:
    pump = running(line, host(line))
    outcome = pump.bolus(DOSE, OVER)
    assert isinstance(outcome, Applied)
    line.device.advance(240_000)
    line.device.power_cut()
    line.device.advance(5_000)
    line.device.power_on()
    status = pump.status()
    assert (status.bolus_state, status.bolus_delivered, status.resets) == (BolusState.INTERRUPTED, 10, 1)
    line.device.advance(HOUR_MS)
    assert pump.status().bolus_counter == 10
    assert LogKind.BOLUS_END in {entry.kind for entry in pump.log()}


@pytest.mark.sr("SR-38")
def test_a_refill_tells_expected_against_aspirated(line: Line) -> None:
    pump = running(line, host(line))
    line.device.advance(70 * 24 * HOUR_MS)
    estimate = pump.status().reservoir_nL
    drawn = line.device.bench("refill", {"fill_nL": 38_000_000})["aspirated_nL"]
    assert isinstance(drawn, int)
    outcome, refill = pump.refill(Volume(drawn), Volume.parse("38 mL"))
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    assert outcome.proof.holds
    assert refill.expected_nL == estimate - 1_400_000
    assert refill.discrepancy.difference_nL == drawn - refill.expected_nL
    assert refill.discrepancy.outside_accuracy is False
    assert pump.status().reservoir_nL == 39_400_000 == line.device.truth.reservoir_nL
    assert pump.status().run_state is RunState.RUNNING


@pytest.mark.sr("SR-39")
def test_a_refill_beyond_the_capacity_is_refused(line: Line) -> None:
    pump = running(line, host(line))
    with pytest.raises(RefillError, match="fill less"):
        pump.refill(Volume.parse("2 mL"), Volume.parse("39 mL"))
    with pytest.raises(RefillError, match="aspirated"):
        pump.refill(Volume.parse("41 mL"), Volume.parse("38 mL"))


@pytest.mark.sr("SR-23")
def test_a_stopped_pump_stays_stopped_through_a_refill(line: Line) -> None:
    pump = running(line, host(line))
    assert isinstance(pump.stop(), Applied)
    outcome, _ = pump.refill(Volume.parse("36 mL"), Volume.parse("38 mL"))
    assert isinstance(outcome, Applied)
    assert pump.status().run_state is RunState.STOPPED
    assert isinstance(pump.program(flex()), Applied)
    assert pump.status().run_state is RunState.RUNNING


def test_restore_brings_the_earlier_therapy_back(line: Line) -> None:
    pump = running(line, host(line))
    before = pump.configuration()
    other = load_prescription((EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8").replace("6 mcg/h", "5 mcg/h"))
    assert isinstance(pump.program(other), Applied)
    assert isinstance(pump.restore(pump.present()), Applied)
    now = pump.configuration()
    assert now is not None
    assert before is not None
    assert now.patterns == before.patterns
    assert now.reservoir_set is False


def test_restore_without_an_earlier_therapy_says_so(line: Line) -> None:
    pump = running(line, host(line))
    with pytest.raises(ConfigurationError, match="no earlier"):
        pump.restore(pump.present())


@pytest.mark.sr("SR-52")
def test_setting_the_wall_clock_changes_no_dose_and_rebasing_is_a_configuration_change(line: Line) -> None:
    pump = running(line, host(line))
    before = pump.status()
    assert isinstance(pump.set_clock(1_795_359_600), Applied)
    after = pump.status()
    assert after.wall_s == 1_795_359_600
    assert (after.week_offset_ms, after.revision, after.digest) == (before.week_offset_ms, before.revision, before.digest)
    offset = (before.week_offset_ms + HOUR_MS) % (7 * 24 * HOUR_MS)
    assert isinstance(pump.rebase_clock(offset, pump.present()), Applied)
    assert pump.status().week_offset_ms == offset
    assert pump.status().revision == before.revision + 1


def test_an_alarm_test_sounds_once(line: Line) -> None:
    pump = running(line, host(line))
    assert isinstance(pump.alarm_test(AlarmPriority.CRITICAL), Applied)
    assert [name for _, name in line.device.plant.tones] == ["two-tone"]


@pytest.mark.sr("SR-06", "SR-20")
def test_wrong_model_and_foreign_constants_are_refused_before_anything_is_sent(line: Line) -> None:
    state = host(line)
    pump = joined(line, state)
    written = line.written
    text = (EXAMPLES / "flex-weekday-weekend.toml").read_text(encoding="utf-8").replace('"P-40"', '"P-20"').replace("38 mL", "18 mL")
    with pytest.raises(WrongPump):
        pump.program(load_prescription(text))
    assert line.written == written
    from msgspec.structs import replace

    pump.session.info = replace(pump.info, pulse_volume_nL=501, constants_hash=bytes(32))
    with pytest.raises(ConstantsMismatch, match="501"):
        pump.program(flex())
    assert state.intents(pump.key) == []


def test_a_second_programmer_is_told_busy(line: Line) -> None:
    running(line, host(line, 1))
    with pytest.raises(PumpBusy) as caught:
        joined(line, host(line, 2), seed=2)
    assert 0 < caught.value.retry_after_s <= 900


@pytest.mark.sr("SR-62")
def test_unpaired_and_wrong_key_are_named(line: Line) -> None:
    stranger = HostState.in_memory(Random(9).randbytes)
    with pytest.raises(NotPaired, match="pair"):
        joined(line, stranger)
    state = host(line)
    state.pair(line.device.serial.encode("ascii"), Role.CLINICIAN, bytes(32))
    with pytest.raises(KeyMismatch, match="another key"):
        joined(line, state)


@pytest.mark.sr("SR-63")
def test_the_demo_key_is_for_pumps_in_this_process_only(line: Line) -> None:
    with pytest.raises(TransportError, match="demo key"):
        pair_with_demo_key(line, HostState.in_memory())
    with connect(URL) as pump:
        assert pump.info.simulated


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("role", [Role.OBSERVER, Role.EMERGENCY])
def test_roles_other_than_clinician_cannot_dose(role: Role, line: Line) -> None:
    pump = running(line, host(line))
    present = pump.present()
    pump.close()
    state = host(line, 2, role)
    if role is Role.EMERGENCY:
        line.device.magnet(10_000, line.now_ms())
    other = joined(line, state, seed=2)
    outcome = other.bolus(DOSE, OVER, present)
    assert isinstance(outcome, NotApplied)
    assert isinstance(outcome.reason, PumpRefused)
    assert outcome.reason.code is ErrorCode.ROLE_DENIED
    assert isinstance(other.stop(), Applied if role is Role.EMERGENCY else NotApplied)
