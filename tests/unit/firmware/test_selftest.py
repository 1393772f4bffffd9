"""Every check of the self-test: raised by one case with its alarm and its log entry, quiet in a sound start; nothing flows before it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace as replace_fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.memory import LAYOUT, Memory
from firmware_sim.firmware.selftest import CHECKS, NOISE_BYTES, Check, CheckRow, NoiseFault, fingerprint, is_fatal, noise_fault
from firmware_sim.profiles import FirmwareProfile, load_profile
from itbpump.wire.messages import BolusState, LogKind, Outcome, RunState, StopTherapy
from tests.unit.firmware.rig import BASE, DAY, HOUR, MINUTE, PROFILE, FakeHardware, Rig, result_of

NOISE = b"".join(hashlib.sha256(bytes([number])).digest() for number in range(2))
Start = tuple[Memory, FakeHardware]
SLOTS = ("journal_a", "journal_b")


def running() -> Rig:
    """A pump that gives therapy and a bolus."""
    rig = Rig()
    rig.configure()
    rig.advance(HOUR)
    result_of(rig.bolus(25, 600))
    rig.advance(MINUTE)
    return rig


def memory_of(rig: Rig) -> Memory:
    rig.firmware.materialise(rig.now)
    return Memory.from_image(rig.memory.image())


def damaged(*places: tuple[str, int]) -> Start:
    """One bit turned over at each place."""
    rig = running()
    memory = memory_of(rig)
    for region, offset in places:
        memory.flip(region, offset, 1)
    return memory, rig.hardware


def slot(*, newest: bool) -> Start:
    rig = running()
    last = rig.firmware._machine.journal._next_slot ^ 1
    memory = memory_of(rig)
    memory.flip(SLOTS[last if newest else 1 - last], 99, 1)
    return memory, rig.hardware


def rewritten(**changes: object) -> Start:
    """A whole journal record that says something else."""
    rig = running()
    memory = memory_of(rig)
    state = Journal(memory).load().state
    assert state is not None
    journal = Journal(memory)
    journal.load()
    journal.store(replace_fields(state, **changes))  # type: ignore[arg-type]
    return memory, rig.hardware


def clock_back() -> Start:
    rig = running()
    memory = memory_of(rig)
    rig.hardware.now_ms = HOUR // 2
    return memory, rig.hardware


def sound() -> Start:
    rig = running()
    return memory_of(rig), rig.hardware


CASES: dict[Check, tuple[Callable[[], Start], bytes]] = {
    Check.JOURNAL: (lambda: damaged(*((name, 99) for name in SLOTS)), NOISE),
    Check.CLOCK: (clock_back, NOISE),
    Check.CONFIGURATION: (lambda: rewritten(active=b"\xff" * 80), NOISE),
    Check.JOURNAL_OLD: (lambda: slot(newest=True), NOISE),
    Check.JOURNAL_SLOT: (lambda: slot(newest=False), NOISE),
    Check.COUNTERS: (lambda: damaged(("pulses", 3), ("pulses", 23)), NOISE),
    Check.CELLS: (lambda: damaged(("alive", 3), ("alive", 23)), NOISE),
    Check.LOG_CHAIN: (lambda: damaged(("log", 70)), NOISE),
    Check.RESULTS: (lambda: damaged(("results", 5)), NOISE),
    Check.PAIRINGS: (lambda: damaged(("pairings", 50)), NOISE),
    Check.VERSION: (lambda: rewritten(written_by=bytes(8)), NOISE),
    Check.RANDOM_SOURCE: (sound, NOISE[:32] * 2),
}


def start(made: Start, noise: bytes = NOISE) -> Rig:
    return Rig(*made, noise=noise)


def failed(rig: Rig) -> list[int]:
    """Checks that the last start has failed."""
    boots = rig.log(LogKind.BOOT)
    return [entry.a for entry in rig.log(LogKind.SELF_TEST_FAILED) if entry.seq > boots[-1].seq]


def test_the_table_holds_every_check_and_each_has_a_case() -> None:
    assert [entry.check for entry in CHECKS] == list(Check)
    assert set(CASES) == set(Check)
    assert all(entry.tested and entry.detail and entry.source for entry in CHECKS)


@pytest.mark.sr("SR-59")
@pytest.mark.parametrize("entry", CHECKS, ids=lambda entry: entry.check.name)
def test_each_check_is_told_with_its_alarm_and_nothing_starts_that_it_forbids(entry: CheckRow) -> None:
    made, noise = CASES[entry.check]
    rig = start(made(), noise)
    # Where the newest record is lost, its slot is damaged as well.
    beside = [Check.JOURNAL_SLOT] if entry.check is Check.JOURNAL_OLD else []
    assert failed(rig) == [*beside, entry.check]
    assert rig.alarms() == ({entry.alarm} if entry.alarm else set())
    status = rig.status()
    assert status.bolus_state is not BolusState.RUNNING
    if is_fatal(entry.check):
        assert (status.run_state, status.flow_nL_per_day) == (RunState.SAFE, PROFILE.minimum_rate_nL_per_day)
    else:
        assert (status.run_state, status.flow_nL_per_day) == (RunState.RUNNING, BASE.flow_nL_per_day)


@pytest.mark.sr("SR-59")
@pytest.mark.parametrize("check", list(Check))
def test_no_check_fails_in_a_sound_start_nor_again_in_the_start_after_its_own(check: Check) -> None:
    assert failed(start(sound())) == []
    made, noise = CASES[check]
    rig = start(made(), noise)
    rig.advance(2 * MINUTE)
    if is_fatal(check):
        assert rig.configure().outcome is Outcome.APPLIED
    rig = start((memory_of(rig), rig.hardware))
    # A damaged record of the log, of a result or a pairing stays what it is.
    lasting = {Check.LOG_CHAIN, Check.RESULTS, Check.PAIRINGS}
    assert failed(rig) == ([check] if check in lasting else [])


# ------------------------------------------------------------------------------------------------ the version pair
@pytest.mark.sr("SR-59", "SR-32")
@pytest.mark.parametrize("pulse_volume_nL", [400, 700])
def test_a_configuration_is_not_carried_out_by_a_program_with_other_constants(pulse_volume_nL: int) -> None:
    memory, hardware = sound()
    other = load_profile("P-40", pulse_volume_nL=pulse_volume_nL).firmware
    rig = Rig(memory, hardware, profile=other, noise=NOISE)
    assert failed(rig) == [Check.VERSION]
    assert rig.status().flow_nL_per_day == PROFILE.minimum_rate_nL_per_day
    rig.advance(DAY)
    assert rig.configure(BASE).outcome is Outcome.APPLIED
    rig = Rig(memory_of(rig), rig.hardware, profile=other, noise=NOISE)
    assert (failed(rig), rig.status().flow_nL_per_day) == ([], BASE.flow_nL_per_day)


@pytest.mark.sr("SR-59")
@pytest.mark.parametrize("residual_nL", [-250, -201, 0, 201, 249])
def test_what_was_left_of_a_pulse_of_another_volume_is_left(residual_nL: int) -> None:
    memory, hardware = rewritten(residual_units=residual_nL * 86_400_000)
    rig = Rig(memory, hardware, profile=load_profile("P-40", pulse_volume_nL=400).firmware, noise=NOISE)
    assert Check.VERSION in failed(rig)


@pytest.mark.sr("SR-59", "SR-22")
def test_a_stopped_pump_of_another_version_stays_stopped_and_an_unconfigured_one_is_sound() -> None:
    other = load_profile("P-40", pulse_volume_nL=400).firmware
    rig = running()
    rig.ask(StopTherapy(cmd_id=rig.next_id()))
    made = rig.hardware.made
    rig = Rig(memory_of(rig), rig.hardware, profile=other)
    rig.advance(DAY)
    assert (failed(rig), rig.status().run_state, rig.hardware.made) == ([Check.VERSION], RunState.STOPPED, made)
    fresh = Rig()
    assert failed(Rig(memory_of(fresh), fresh.hardware, profile=other)) == []


def test_the_fingerprint_follows_the_constants_of_every_profile() -> None:
    def of(profile: FirmwareProfile) -> bytes:
        return fingerprint(profile)

    profiles = [load_profile(name).firmware for name in ("P-20", "P-40", "V-20", "V-40")]
    assert len({of(profile) for profile in profiles}) == 4
    assert of(replace_fields(PROFILE, stall_detect_ms=1)) == of(PROFILE), "what changes no dose does not count"


# ------------------------------------------------------------------------------------------------ the random source
@pytest.mark.sr("SR-59")
@given(st.binary(min_size=8, max_size=8), st.integers(0, 7), st.integers(0, 7), st.integers(0, 255))
def test_a_source_that_repeats_itself_is_found(block: bytes, first: int, second: int, stuck: int) -> None:
    sample = bytearray(NOISE)
    sample[8 * first : 8 * first + 8] = sample[8 * second : 8 * second + 8] = block
    assert noise_fault(bytes(sample)) is (NoiseFault.NONE if first == second else NoiseFault.REPEATED_BLOCK) or len(set(block)) < 5
    assert noise_fault(bytes([stuck]) * NOISE_BYTES) is not NoiseFault.NONE
    often = bytes(stuck if place % 6 == 0 else byte for place, byte in enumerate(NOISE))
    assert noise_fault(often) is NoiseFault.ONE_BYTE_TOO_OFTEN


def test_a_sample_of_another_length_is_no_sample() -> None:
    with pytest.raises(ValueError, match="64 bytes, not 63"):
        noise_fault(NOISE[1:])


@pytest.mark.sr("SR-59")
def test_a_sound_source_ends_the_alarm_and_none_at_all_changes_nothing() -> None:
    rig = start(sound(), bytes(64))
    (entry,) = [entry for entry in rig.log(LogKind.ALARM_RAISED) if entry.a == Alarm.RANDOM_SOURCE]
    assert entry.b == NoiseFault.REPEATED_BLOCK
    rig = rig.reset()
    assert rig.alarms() == {Alarm.RANDOM_SOURCE}
    assert start((memory_of(rig), rig.hardware)).alarms() == set()


# ------------------------------------------------------------------------------------------------ lost within its minute
@pytest.mark.sr("SR-59", "SR-49")
def test_an_event_of_the_pumps_own_whose_record_is_lost_at_once_is_missed() -> None:
    rig = running()
    rig.advance(9 * MINUTE + 1)
    assert rig.status().bolus_state is BolusState.DONE
    state = rig.firmware._machine.state
    assert state.pending_results, "the end of the bolus has a result"
    rig.firmware.patient_request(rig.now)
    assert not rig.firmware._machine.state.pending_results, "the grant has none"
    newest = SLOTS[rig.firmware._machine.journal._next_slot ^ 1]
    memory = memory_of(rig)
    memory.flip(newest, 99, 1)
    rig = start((memory, rig.hardware))
    assert (failed(rig), rig.alarms()) == ([Check.JOURNAL_SLOT, Check.JOURNAL_OLD], {Alarm.MEMORY_LOST})


@pytest.mark.sr("SR-59", "SR-61")
def test_nothing_moves_the_motor_while_the_pump_tests_itself() -> None:
    memory, hardware = sound()
    made = hardware.commanded
    start((memory, hardware))
    assert hardware.commanded == made
    assert LAYOUT["log"].size >= 64 * 1_000
