"""What blocks what, who is believed, and what a bad disk, an interrupt or a failing pump leave of a command (SR-41 … SR-44)."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Literal

import pytest

from firmware_sim.firmware.memory import LAYOUT
from firmware_sim.firmware.results import ResultsRing
from itbpump import hoststate
from itbpump.commands import Settled
from itbpump.errors import InputError
from itbpump.hoststate import HostState, HostStateError, PumpKey, Unsettled
from itbpump.link.errors import NoReply
from itbpump.link.transaction import CommandFailed, OtherCommand
from itbpump.outcome import Applied, DosingBlocked, Interrupted, NotApplied, NothingOpen, Unknown
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass
from itbpump.wire.messages import (
    PROGRAMMERS,
    RESULTS_PER_PROGRAMMER,
    AlarmPriority,
    BolusState,
    CommandKind,
    Event,
    ResultScope,
    Role,
    RunState,
    StopTherapy,
    encode_request,
)
from tests.unit.client.lines import KEY, Line, flex, host, joined, lost, nth, straight

DOSE, OVER = Mass.parse("25 mcg"), Duration.parse("10m")
MINUTE_MS, HOUR_MS = 60_000, 3_600_000
PUMP = PumpKey("P4000001", bytes(8))


@pytest.fixture
def line() -> Line:
    return Line()


def running(line: Line, state: HostState) -> Pump:
    pump = joined(line, state)
    assert isinstance(pump.program(flex()), Applied)
    line.device.advance(30 * HOUR_MS)
    return pump


def give_unknown(line: Line, pump: Pump) -> Unknown:
    """A bolus that the pump gives, and of which nothing comes back from the answer to the commit on."""
    present, heard = pump.present(), [0]

    def deaf(data: bytes) -> list[bytes]:
        heard[0] += 1
        return [data] if heard[0] <= 2 else []

    line.to_host = deaf
    outcome = pump.bolus(DOSE, OVER, present)
    line.to_host = straight
    assert isinstance(outcome, Unknown)
    return outcome


def dead(line: Line) -> None:
    line.to_pump = lost


def unwritable(state: HostState, value: bool = True) -> None:
    """Stands for a full or read-only disk."""
    state._db.execute(f"PRAGMA query_only = {int(value)}")


# ------------------------------------------------------------------------------------------------ what is open blocks
HARMLESS: list[Callable[[Pump], object]] = [
    lambda pump: pump.alarm_test(AlarmPriority.NON_CRITICAL),
    lambda pump: pump.set_clock(1_795_359_600),
    lambda pump: pump.silence(3),
]


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("command", HARMLESS, ids=["alarm test", "clock", "silence"])
def test_no_number_of_harmless_commands_makes_an_unknown_outcome_unsolvable(command: Callable[[Pump], object], line: Line) -> None:
    pump = running(line, host(line))
    give_unknown(line, pump)
    for _ in range(RESULTS_PER_PROGRAMMER):
        with pytest.raises(DosingBlocked, match="nothing but a stop is sent"):
            command(pump)
    ((intent, outcome),) = pump.reconcile()
    assert isinstance(outcome, Applied)
    assert intent.what == "a bolus of 25 mcg"
    command(pump)


@pytest.mark.sr("SR-42")
def test_of_two_processes_with_one_host_state_the_second_sees_what_the_first_left_open(line: Line, tmp_path: Path) -> None:
    first, second = HostState.open(tmp_path / "state.db", Random(1).randbytes), HostState.open(tmp_path / "state.db")
    line.device.provision(first.programmer_id, Role.CLINICIAN, KEY)
    first.pair(line.device.serial.encode("ascii"), Role.CLINICIAN, KEY)
    pump = running(line, first)
    present, given = pump.present(), line.device.truth.commanded_pulses
    whole = pump.session.ensure_open

    def slow_reconnect(deadline_ms: int | None = None) -> None:
        """Between this process' look at the record and its intent, the other one sends a bolus."""
        if not second.unsettled(pump.key):
            give_unknown(line, joined(line, second, seed=2))
        whole(deadline_ms)

    pump.session.ensure_open = slow_reconnect  # type: ignore[method-assign]
    with pytest.raises(DosingBlocked, match="a bolus of 25 mcg"):
        pump.bolus(DOSE, OVER, present)
    line.device.advance(HOUR_MS)
    assert line.device.truth.commanded_pulses - given < 50
    assert [intent.what for intent in first.unsettled(pump.key)] == ["a bolus of 25 mcg"]
    first.close()
    second.close()


@pytest.mark.sr("SR-42")
def test_an_intent_is_refused_in_the_same_step_in_which_it_would_be_written() -> None:
    state = HostState.in_memory(Random(1).randbytes)
    assert state.begin(PUMP, 0, 2, bytes(32), b"", "a bolus", dosing=True) == 1
    with pytest.raises(Unsettled) as caught:
        state.begin(PUMP, 0, 2, bytes(32), b"", "a bolus", dosing=True)
    assert [intent.cmd_id for intent in caught.value.intents] == [1]
    assert state.last_cmd_id(PUMP) == 1
    assert state.begin(PUMP, 0, 3, lambda cmd_id: bytes([cmd_id]) * 32, b"", "a stop") == 2
    assert [(intent.cmd_id, intent.digest[0]) for intent in state.unsettled(PUMP)] == [(1, 0), (2, 2)]
    state.settle(PUMP, 1, "applied")
    state.settle(PUMP, 2, "not_applied")
    assert state.unsettled(PUMP) == []
    assert len(state.intents(PUMP)) == 2
    assert state.begin(PUMP, 7, 2, bytes(32), b"", "a bolus", dosing=True) == 8


# ------------------------------------------------------------------------------------------------ settled by hand
def forgotten(line: Line, pump: Pump) -> Unknown:
    """An unknown bolus whose result is damaged in the pump's memory: nothing else makes it forget one that nobody has confirmed."""
    outcome = give_unknown(line, pump)
    ring, step = ResultsRing(line.device.memory), LAYOUT["results"].size // (PROGRAMMERS * RESULTS_PER_PROGRAMMER)
    for place in range(PROGRAMMERS * RESULTS_PER_PROGRAMMER):
        result = ring._stored(place)
        if result is not None and result.cmd_id == outcome.cmd_id:
            line.device.memory.flip("results", place * step, 0)
    line.device.advance(HOUR_MS)  # the bolus is over
    return outcome


@pytest.mark.sr("SR-42")
def test_sixteen_stops_push_no_unknown_dose_out_of_the_pump(line: Line) -> None:
    pump = running(line, host(line))
    outcome = give_unknown(line, pump)
    for _ in range(RESULTS_PER_PROGRAMMER):
        assert isinstance(pump.stop(), Applied)
    ((intent, known),) = pump.reconcile()
    assert intent.cmd_id == outcome.cmd_id
    assert isinstance(known, Applied)


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize("state", ["applied", "not_applied"])
def test_what_the_pump_no_longer_knows_a_person_settles_with_name_and_reason(state: Literal["applied", "not_applied"], line: Line) -> None:
    record = host(line)
    pump = running(line, record)
    cmd_id = forgotten(line, pump).cmd_id
    ((_, still),) = pump.reconcile()
    assert isinstance(still, Unknown)
    with pytest.raises(DosingBlocked):
        pump.program(flex())
    assert pump.settle_by_hand(cmd_id, state, " n1 ", "log entry 12: 25 pulses") is None
    (intent,) = [intent for intent in record.intents(pump.key) if intent.cmd_id == cmd_id]
    assert (intent.state, intent.note) == (state, "settled by n1: log entry 12: 25 pulses")
    assert pump.reconcile() == []
    assert isinstance(pump.program(flex()), Applied)


@pytest.mark.sr("SR-42")
def test_what_the_pump_still_knows_stands_against_any_hand(line: Line) -> None:
    pump = running(line, host(line))
    cmd_id = give_unknown(line, pump).cmd_id
    outcome = pump.settle_by_hand(cmd_id, "not_applied", "n1", "I think so")
    assert isinstance(outcome, Applied)
    assert pump.reconcile() == []
    with pytest.raises(NothingOpen, match=f"command {cmd_id} is not open"):
        pump.settle_by_hand(cmd_id, "not_applied", "n1", "I think so")


@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(
    ("state", "by", "reason"), [("applied", " ", "seen"), ("applied", "n1", "\t"), ("unknown", "n1", "seen"), ("pending", "n1", "seen")]
)
def test_nobody_settles_without_name_and_reason(state: Settled, by: str, reason: str, line: Line) -> None:
    record = host(line)
    pump = running(line, record)
    cmd_id = forgotten(line, pump).cmd_id
    with pytest.raises(InputError):
        pump.settle_by_hand(cmd_id, state, by, reason)
    assert [intent.cmd_id for intent in record.unsettled(pump.key)] == [cmd_id]


# ------------------------------------------------------------------------------------------------ whose result it is
def crash(_data: bytes) -> list[bytes]:
    raise KeyboardInterrupt


@pytest.mark.sr("SR-42", "SR-44")
def test_a_copy_of_the_host_state_is_noticed_and_its_command_is_not_taken_for_ours(line: Line, tmp_path: Path) -> None:
    first = HostState.open(tmp_path / "a.db", Random(1).randbytes)
    line.device.provision(first.programmer_id, Role.CLINICIAN, KEY)
    first.pair(line.device.serial.encode("ascii"), Role.CLINICIAN, KEY)
    pump = running(line, first)
    (tmp_path / "b.db").write_bytes((tmp_path / "a.db").read_bytes())
    copy = HostState.open(tmp_path / "b.db")
    present = pump.present()
    line.to_pump = crash
    with pytest.raises(KeyboardInterrupt):
        pump.bolus(DOSE, OVER, present)
    line.to_pump = straight
    assert isinstance(joined(line, copy, seed=2).alarm_test(AlarmPriority.NON_CRITICAL), Applied)
    again = joined(line, first, seed=3)
    ((intent, outcome),) = again.reconcile()
    assert isinstance(outcome, Unknown)
    assert isinstance(outcome.cause, OtherCommand)
    assert outcome.cause.result.cmd_id == intent.cmd_id
    assert "another command took this id" in str(outcome.cause)
    assert again.status().bolus_counter == 0
    with pytest.raises(DosingBlocked):
        again.bolus(DOSE, OVER)
    first.close()
    copy.close()


@pytest.mark.sr("SR-43")
def test_the_intent_of_a_one_message_command_carries_the_digest_that_the_pump_keeps(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    outcome = pump.stop()
    assert isinstance(outcome, Applied)
    stored = state.intents(pump.key)[-1].digest
    assert stored == outcome.result.digest == hashlib.sha256(encode_request(StopTherapy(cmd_id=outcome.cmd_id))).digest()


@pytest.mark.sr("SR-43")
def test_a_stop_whose_answers_are_all_lost_is_settled_by_reconcile(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    line.to_host = lost
    assert isinstance(pump.stop(), Unknown)
    line.to_host = straight
    assert isinstance(pump.stop(), Applied)
    ((_, outcome),) = pump.reconcile()
    assert isinstance(outcome, Applied)
    assert state.owed(pump.key) == []


# ------------------------------------------------------------------------------------------------ a pump whose memory fails
@pytest.mark.sr("SR-32", "SR-42")
@pytest.mark.parametrize("staged", [True, False], ids=["bolus", "alarm test"])
def test_a_memory_fault_is_told_with_what_the_pump_does_now(staged: bool, line: Line) -> None:
    pump = running(line, host(line))
    for slot in ("journal_a", "journal_b"):
        line.device.memory.stick(slot, 200, 0xAA)
    outcome = pump.bolus(DOSE, OVER) if staged else pump.alarm_test(AlarmPriority.CRITICAL)
    assert isinstance(outcome, NotApplied)
    assert not outcome.nothing_changed
    assert "may have gone to its safe state" in str(outcome.reason)
    status = pump.status()
    assert status.run_state is not RunState.RUNNING
    assert f"its run state is {status.run_state.name.lower()}, it delivers" in outcome.note
    assert ("delivers nothing" in outcome.note) == (status.flow_nL_per_day == 0)


@pytest.mark.sr("SR-42")
def test_after_any_other_refusal_nothing_has_changed_and_nothing_is_noted(line: Line) -> None:
    pump = running(line, host(line))
    outcome = pump.stop_bolus()
    assert isinstance(outcome, NotApplied)
    assert (outcome.nothing_changed, outcome.note) == (True, "")


# ------------------------------------------------------------------------------------------------ interrupts and hints
@pytest.mark.sr("SR-42")
@pytest.mark.parametrize(("write", "known"), [(0, False), (2, False), (3, True), (4, True)], ids=["stage", "commit", "confirm", "proof"])
def test_an_interrupt_names_the_command_and_what_is_known_of_it(write: int, known: bool, line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    line.to_pump = nth(write, crash)
    with pytest.raises(Interrupted) as caught:
        pump.bolus(DOSE, OVER, present)
    told = caught.value
    assert (told.cmd_id, told.what, isinstance(told.outcome, Applied)) == (2, "a bolus of 25 mcg", known)
    assert [intent.cmd_id for intent in state.unsettled(pump.key)] == ([] if known else [2])


@pytest.mark.sr("SR-42")
def test_an_interrupt_while_a_stop_is_under_way_names_it(line: Line) -> None:
    pump = running(line, host(line))
    line.to_host = crash
    with pytest.raises(Interrupted) as caught:
        pump.stop()
    assert (caught.value.what, caught.value.outcome) == ("stop the therapy", None)


def test_who_waits_for_a_bolus_looks_when_the_pump_says_that_it_ended(line: Line) -> None:
    pump = running(line, host(line))
    assert isinstance(pump.bolus(DOSE, OVER), Applied)
    pump.session.listen(1)  # what it said of the beginning
    begun_ms = line.now_ms()
    pump.session.listen(MINUTE_MS)
    assert line.now_ms() == begun_ms + MINUTE_MS
    line.device.advance(HOUR_MS)
    pump.session.listen(MINUTE_MS)
    assert line.now_ms() < begun_ms + MINUTE_MS + 1_000
    assert pump.status().bolus_state is BolusState.DONE


@pytest.mark.sr("SR-42")
def test_what_a_hint_sets_off_never_comes_between_a_command_and_its_outcome(line: Line) -> None:
    state = host(line)
    hints: list[Event] = []

    def on_event(event: Event) -> None:
        hints.append(event)
        raise RuntimeError("the screen is gone")

    pump = connect(line.url, transport=line, state=state, on_event=on_event, entropy=Random(1).randbytes, host_clock=lambda: 1_795_359_600)
    assert isinstance(pump.program(flex()), Applied)
    present = pump.session.status()
    outcome = pump.bolus(DOSE, OVER, pump.present()) if present.revision else None
    assert isinstance(outcome, Applied)
    assert outcome.proof is not None
    line.device.advance(HOUR_MS)
    assert isinstance(pump.stop(), Applied)
    assert hints == []
    for count in range(1, 20):
        try:
            pump.session.listen(1)
        except RuntimeError:
            assert len(hints) == count
        else:
            break
    assert len(hints) == len(set(map(id, hints))) > 0
    assert state.unsettled(pump.key) == []


def test_hints_are_handed_out_before_the_next_reading_oldest_first(line: Line) -> None:
    hints: list[Event] = []
    pump = connect(line.url, transport=line, state=host(line), on_event=hints.append, host_clock=lambda: 1_795_359_600)
    assert isinstance(pump.program(flex()), Applied)
    assert isinstance(pump.bolus(DOSE, OVER), Applied)
    line.device.advance(HOUR_MS)
    assert isinstance(pump.stop(), Applied)
    pump.status()
    pump.status()
    assert [getattr(event, "log_seq", 0) for event in hints] == sorted(getattr(event, "log_seq", 0) for event in hints)
    told = len(hints)
    assert told > 1
    pump.status()
    assert len(hints) == told


# ------------------------------------------------------------------------------------------------ confirming results
@pytest.mark.parametrize("by", ["connecting", "reconcile"])
def test_a_confirmation_that_was_lost_is_made_good(by: str, line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    writes = [0]

    def dies_before_the_confirmation(data: bytes) -> list[bytes]:
        writes[0] += 1
        return [data] if writes[0] <= 3 else []

    line.to_pump = dies_before_the_confirmation
    outcome = pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, Applied)
    assert outcome.proof is None
    assert state.owed(pump.key) == [outcome.cmd_id]
    line.to_pump = straight
    if by == "reconcile":
        assert pump.reconcile() == []
    else:
        pump = joined(line, state, seed=2)
    assert state.owed(pump.key) == []
    assert all(result.confirmed for result in pump.own_results())


def test_a_refusal_is_confirmed_too(line: Line) -> None:
    pump = running(line, host(line))
    outcome = pump.stop_bolus()
    assert isinstance(outcome, NotApplied)
    assert isinstance(outcome.reason, CommandFailed)
    assert [result.confirmed for result in pump.own_results()] == [True, True]


def test_a_sound_connection_confirms_nothing_and_changes_nothing(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    pump.close()
    before = line.written
    joined(line, state, seed=2)
    assert line.written - before == 3  # hello, confirmation, GetInfo


@pytest.mark.sr("SR-42")
def test_people_are_told_of_others_therapies_and_boluses_only(line: Line) -> None:
    first, second = host(line, 1), host(line, 2)
    pump = running(line, first)
    present = pump.present()
    line.to_pump = nth(3, crash)
    with pytest.raises(KeyboardInterrupt):
        pump.bolus(DOSE, OVER, present)
    line.to_pump = nth(4, crash)  # after hello, confirmation, GetInfo and stop: an interrupted request costs the session
    with pytest.raises(KeyboardInterrupt):
        pump.stop()
    line.to_pump = straight
    line.inner.advance(16 * 60_000)
    other = joined(line, second, seed=2)
    everything = other.session.results(ResultScope.OTHERS_UNCONFIRMED)
    assert {result.kind for result in everything} >= {CommandKind.BOLUS, CommandKind.STOP}
    assert [result.kind for result in other.others_unconfirmed()] == [CommandKind.BOLUS]


# ------------------------------------------------------------------------------------------------ a disk that takes nothing
@pytest.mark.sr("SR-43")
def test_a_stop_leaves_though_the_disk_takes_no_intent_and_says_so(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    unwritable(state)
    for expected in (2, 3):
        outcome = pump.stop()
        assert isinstance(outcome, Applied)
        assert outcome.cmd_id == expected
        assert "no record of it could be written" in outcome.note
        assert "free space" in outcome.note
    assert pump.status().run_state is RunState.STOPPED
    unwritable(state, False)
    outcome = pump.program(flex())
    assert isinstance(outcome, Applied)
    assert outcome.cmd_id == 4


@pytest.mark.sr("SR-43")
def test_nothing_else_leaves_without_its_intent_on_disk(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()
    unwritable(state)
    written = line.written
    commands: list[Callable[[], object]] = [
        lambda: pump.bolus(DOSE, OVER, present),
        lambda: pump.program(flex(), present),
        lambda: pump.alarm_test(AlarmPriority.CRITICAL),
    ]
    for command in commands:
        with pytest.raises(HostStateError, match="cannot be written"):
            command()
    assert line.written == written


@pytest.mark.sr("SR-42")
def test_an_outcome_that_cannot_be_written_down_is_told_all_the_same(line: Line) -> None:
    state = host(line)
    pump = running(line, state)
    present = pump.present()

    def fills_the_disk(data: bytes) -> list[bytes]:
        unwritable(state)
        return [data]

    line.to_pump = nth(1, fills_the_disk)
    outcome = pump.bolus(DOSE, OVER, present)
    assert isinstance(outcome, Applied)
    assert "could not be written down" in outcome.note
    assert outcome.proof is not None
    assert outcome.proof.holds
    assert not any(result.confirmed for result in pump.own_results() if result.cmd_id == outcome.cmd_id)
    unwritable(state, False)
    ((intent, told),) = pump.reconcile()
    assert intent.cmd_id == outcome.cmd_id
    assert isinstance(told, Applied)


@pytest.mark.sr("SR-42")
def test_a_pump_can_be_reached_and_stopped_from_a_read_only_disk(line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "state.db"
    state = HostState.open(path, Random(1).randbytes)
    line.device.provision(state.programmer_id, Role.CLINICIAN, KEY)
    state.pair(line.device.serial.encode("ascii"), Role.CLINICIAN, KEY)
    running(line, state)
    state.close()
    monkeypatch.setattr(hoststate, "_connected", lambda path: sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None))
    state = HostState.open(path)
    pump = joined(line, state, seed=2)
    outcome = pump.stop()
    assert isinstance(outcome, Applied)
    assert "no record" in outcome.note
    assert pump.status().run_state is RunState.STOPPED
    state.close()


# ------------------------------------------------------------------------------------------------ the host's file
@pytest.mark.sr("SR-43")
def test_the_folder_is_synced_too_before_an_intent_counts_as_written(tmp_path: Path) -> None:
    state = HostState.open(tmp_path / "state.db")
    assert state._db.execute("PRAGMA synchronous").fetchone() == (3,)
    state.close()


def test_the_twenty_newest_pumps_are_kept() -> None:
    state = HostState.in_memory()
    for number in range(30):
        state.remember(f"/dev/pump{number}", "P4000001", "P-40")
    state.remember("/dev/pump15", "P4000001", "P-40")
    assert [url for url, _, _ in state.recent()] == ["/dev/pump15", *(f"/dev/pump{number}" for number in range(29, 9, -1) if number != 15)]
    assert state._db.execute("SELECT count(*) FROM recent").fetchone() == (20,)


def test_a_file_of_the_first_version_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    state = HostState.open(path)
    state.begin(PUMP, 0, 2, bytes(32), b"", "a bolus")
    state._db.execute("ALTER TABLE intent DROP COLUMN owed")
    state._db.execute("ALTER TABLE intent DROP COLUMN basis")
    state._db.execute("PRAGMA user_version = 1")
    state.close()
    state = HostState.open(path)
    assert [intent.what for intent in state.unsettled(PUMP)] == ["a bolus"]
    state.settle(PUMP, 1, "applied", owed=True)
    assert state.owed(PUMP) == [1]
    state.confirmed(PUMP, 1)
    assert state.owed(PUMP) == []
    state.close()
    HostState.open(path).close()


@pytest.mark.sr("SR-43")
def test_a_failed_write_leaves_the_record_usable() -> None:
    state = HostState.in_memory()

    def fails(_: int) -> bytes:
        raise ValueError("no digest")

    with pytest.raises(ValueError, match="no digest"):
        state.begin(PUMP, 0, 3, fails, b"", "a stop")
    assert state.intents(PUMP) == []
    unwritable(state)
    with pytest.raises(HostStateError, match="free space"):
        state.settle(PUMP, 1, "applied")
    unwritable(state, False)
    assert state.begin(PUMP, 0, 3, bytes(32), b"", "a stop") == 1


# ------------------------------------------------------------------------------------------------ lost requests
@pytest.mark.sr("SR-51")
def test_any_number_of_lost_requests_leaves_the_pump_reachable(line: Line) -> None:
    pump = running(line, host(line))
    line.to_pump = lost
    for _ in range(70):
        with pytest.raises(NoReply):
            pump.status()
    line.to_pump = straight
    assert pump.status().bolus_state is BolusState.IDLE
    assert isinstance(pump.bolus(DOSE, OVER), Applied)


@pytest.mark.sr("SR-64")
def test_an_emergency_session_outlives_a_lost_answer_because_a_new_one_needs_the_magnet(line: Line) -> None:
    running(line, host(line)).close()
    state = host(line, 2, Role.EMERGENCY)
    line.device.magnet(10_000, line.now_ms())
    pump = joined(line, state, seed=2)
    line.inner.advance(120_000)
    line.to_pump = lost
    assert isinstance(pump.stop(), Unknown)
    line.to_pump = straight
    assert isinstance(pump.stop(), Applied)
    assert pump.status().run_state is RunState.STOPPED
