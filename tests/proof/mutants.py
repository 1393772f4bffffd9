"""Deliberate breaks of the protocol. Each takes away one of the means by which a command is carried out once, and the proof must notice.

A break is a context manager around everything that happens in the world. The rows say what is taken away, what it stands for elsewhere,
and with which commands it shows. Not here: breaks of arithmetic (`scripts/mutate.py`) and attacks (`tests/security`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

from firmware_sim.firmware import boot as boot_module
from firmware_sim.firmware import commands as pump_commands
from firmware_sim.firmware import journal as journal_module
from firmware_sim.firmware import prescribe
from firmware_sim.firmware import results as results_module
from firmware_sim.firmware.cells import sealed
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Drive, Durable, decode_durable, encode_durable
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.memory import JOURNAL_SLOT_BYTES
from firmware_sim.firmware.results import Found, ResultsRing, Verdict
from itbpump.commands import Commands
from itbpump.hoststate import HostState
from itbpump.link.errors import SessionLost
from itbpump.link.pump_side import PumpLink
from itbpump.outcome import Applied, NotApplied, Unknown
from itbpump.session import PumpSession
from itbpump.wire.errors import RecordError
from itbpump.wire.messages import BolusState, CommandKind, CommandResult, Outcome, RunState, decode_bolus_order

__all__ = ["MUTANTS", "Mutant"]


@dataclass(frozen=True, slots=True)
class Mutant:
    """One break: its name, what it takes away, the commands it is tried with, and the break itself."""

    name: str
    text: str
    scenarios: tuple[str, ...]
    broken: Callable[[], AbstractContextManager[Any]]


def _patched(target: object, name: str, value: object) -> Callable[[], AbstractContextManager[Any]]:
    return lambda: patch.object(target, name, value)


# ------------------------------------------------------------------------------------------------ the pump forgets or mixes
def _finds_nothing(_ring: ResultsRing, _number: int, record: Any, cmd_id: int) -> Found:
    return Found(Verdict.NEW if cmd_id > record.last_cmd_id else Verdict.NEVER)


def _find_new(ring: ResultsRing, number: int, record: Any, cmd_id: int) -> Found:
    """Every command counts as new; a query is answered from the ring all the same."""
    return Found(Verdict.NEW)


def _any_base(original: Callable[[bytes, int], Any]) -> Callable[[bytes, int], Any]:
    def make(payload: bytes, _base_revision: int) -> Any:
        def effect(machine: Machine, draft: Draft) -> None:
            original(payload, machine.state.revision)(machine, draft)

        return effect

    return make


@contextmanager
def _base_is_not_compared() -> Iterator[None]:
    with (
        patch.object(pump_commands, "configure", _any_base(prescribe.configure)),
        patch.object(pump_commands, "bolus", _any_base(prescribe.bolus)),
    ):
        yield


@contextmanager
def _stop_moves_no_revision() -> Iterator[None]:
    def stop(machine: Machine, draft: Draft) -> None:
        prescribe.stop(machine, draft)
        draft.set(revision=machine.state.revision)

    with patch.object(pump_commands, "stop", stop):
        yield


@contextmanager
def _counter_is_not_compared() -> Iterator[None]:
    def make(payload: bytes, base_revision: int) -> Any:
        def effect(machine: Machine, draft: Draft) -> None:
            with patch.object(Machine, "bolus_counter", lambda _self: decode_bolus_order(payload).from_counter):
                prescribe.bolus(payload, base_revision)(machine, draft)

        return effect

    with patch.object(pump_commands, "bolus", make):
        yield


def _oldest_out(item: tuple[int, CommandResult | None]) -> tuple[bool, int]:
    return False, 0 if item[1] is None else item[1].cmd_id


@contextmanager
def _too_old_is_never() -> Iterator[None]:
    find = ResultsRing.find

    def found(ring: ResultsRing, number: int, record: Any, cmd_id: int) -> Found:
        known = find(ring, number, record, cmd_id)
        return Found(Verdict.NEVER) if known.verdict is Verdict.TOO_OLD else known

    with patch.object(ResultsRing, "find", found):
        yield


@contextmanager
def _old_bytes_count() -> Iterator[None]:
    """The question goes over the session of the commit, and the pump takes a record that comes after a later one."""
    take = PumpLink._record

    def record(link: PumpLink, body: bytes, now_ms: int) -> None:
        session = link._session
        if session is not None:
            with suppress(RecordError):
                opened = session.receive.open(body)
                if opened.counter < session.last_counter:
                    link._dispatch(opened.plaintext)
                    return
        take(link, body, now_ms)

    with patch.object(PumpLink, "_record", record), patch.object(PumpSession, "is_open", property(lambda own: own._link.state == "open")):
        yield


def _store_in_place(journal: Journal, state: Durable) -> Durable:
    """Over the record in force."""
    numbered = replace(state, sequence=state.sequence + 1)
    body = encode_durable(numbered)
    slots = journal_module._SLOTS
    journal._memory.write(slots[1 - journal._next_slot], 0, sealed(len(body).to_bytes(journal_module._LENGTH_BYTES, "big") + body))
    return numbered


def _read_without_crc(memory: Any, region: str) -> Durable | None:
    raw = memory.read(region, 0, JOURNAL_SLOT_BYTES)
    size = int.from_bytes(raw[: journal_module._LENGTH_BYTES], "big")
    try:
        return decode_durable(raw[journal_module._LENGTH_BYTES : journal_module._LENGTH_BYTES + size])
    except (ValueError, IndexError, zlib.error):
        return None


def _load_older(journal: Journal) -> Any:
    """The slot with the lower number."""
    found = [(slot, state) for slot, region in enumerate(journal_module._SLOTS) if (state := journal_module._read(journal._memory, region))]
    slot, state = min(found, key=lambda item: item[1].sequence)
    journal._next_slot = 1 - slot
    return journal_module.Loaded(state, 2 - len(found))


@contextmanager
def _flip_before_verify() -> Iterator[None]:
    """What is in force is changed, and the answer given, while the record waits for the next write."""
    original = Journal.store
    waiting: dict[Journal, Durable] = {}

    def store(journal: Journal, state: Durable) -> Durable:
        late = waiting.pop(journal, None)
        if late is not None:
            original(journal, late)
        waiting[journal] = state
        return replace(state, sequence=state.sequence + 1)

    with patch.object(Journal, "store", store):
        yield


@contextmanager
def _result_apart() -> Iterator[None]:
    """The results are not in the journal's record: a cut between the two leaves an effect without a result."""
    original = Machine.store

    def store(machine: Machine, draft: Draft) -> None:
        with patch.object(Draft, "result_records", lambda own, _ring: ((), own.state.programmers)):
            original(machine, draft)
        records, programmers = draft.result_records(machine.results)
        for record in records:
            machine.results.adopt(record)
        machine.state = replace(machine.state, programmers=programmers)

    with patch.object(Machine, "store", store):
        yield


@contextmanager
def _stop_in_between() -> Iterator[None]:
    """A running pump is stopped, and started again by a second record."""
    original = Machine.store

    def store(machine: Machine, draft: Draft) -> None:
        if draft.state.active != machine.state.active and machine.state.run_state is RunState.RUNNING:
            between = machine.draft()
            between.set(run_state=RunState.STOPPED, drive=Drive.NONE)
            original(machine, between)
        original(machine, draft)

    with patch.object(Machine, "store", store):
        yield


# ------------------------------------------------------------------------------------------------ after a reset
@contextmanager
def _stays_stopped() -> Iterator[None]:
    original = boot_module._resume

    def resume(draft: Draft, machine: Machine, found: Any) -> None:
        original(draft, machine, found)
        if draft.state.run_state is RunState.RUNNING:
            draft.set(run_state=RunState.STOPPED, drive=Drive.NONE)

    with patch.object(boot_module, "_resume", resume):
        yield


@contextmanager
def _bolus_resumed() -> Iterator[None]:
    original = Draft.end_bolus

    def end_bolus(draft: Draft, state: BolusState, doubt: int = 0) -> None:
        if state is not BolusState.INTERRUPTED:
            original(draft, state, doubt)

    with patch.object(Draft, "end_bolus", end_bolus):
        yield


def _no_doubt(original: Callable[..., None]) -> Callable[..., None]:
    def count(machine: Machine, found: Any) -> None:
        original(machine, found)
        if found.open_intent:
            found.lifetime -= 1
        found.open_intent, found.doubt = False, 0

    return count


# ------------------------------------------------------------------------------------------------ the companion
@contextmanager
def _intent_after_sending() -> Iterator[None]:
    """The id is taken in memory, the intent comes to disk with the outcome."""
    held: dict[int, tuple[Any, ...]] = {}
    begin, settle = HostState.begin, HostState.settle

    def late_begin(state: HostState, pump: Any, at_least: int, kind: int, digest: Any, payload: bytes, what: str, **rest: Any) -> int:
        cmd_id = max(state.last_cmd_id(pump), at_least) + 1
        held[cmd_id] = (pump, at_least, kind, digest, payload, what, rest)
        return cmd_id

    def late_settle(state: HostState, pump: Any, cmd_id: int, *values: Any, **rest: Any) -> None:
        if cmd_id in held:
            where, at_least, kind, digest, payload, what, more = held.pop(cmd_id)
            begin(state, where, at_least, kind, digest, payload, what, **more)
        settle(state, pump, cmd_id, *values, **rest)

    with patch.object(HostState, "begin", late_begin), patch.object(HostState, "settle", late_settle):
        yield


@contextmanager
def _lost_as(made: Callable[[int, Any], Any]) -> Iterator[None]:
    """A lost answer is told as an outcome, and nobody is asked."""

    def settle(commands: Commands, cmd_id: int, what: str, outcome: Any) -> Any:
        return original(commands, cmd_id, what, made(cmd_id, outcome.cause) if isinstance(outcome, Unknown) else outcome)

    original = Commands._settle
    with (
        patch.object(Commands, "_query", lambda _self, _cmd_id: None),
        patch.object(Commands, "_settle", settle),
    ):
        yield


@contextmanager
def _retry_without_id() -> Iterator[None]:
    """What is not known to have arrived is sent again as a new command."""
    original = Commands.staged

    def staged(commands: Commands, kind: CommandKind, payload: bytes, base_revision: int, compare: Any, what: str, basis: str = "") -> Any:
        outcome = original(commands, kind, payload, base_revision, compare, what, basis)
        if isinstance(outcome, Unknown):
            commands._state.settle(commands._session.key, outcome.cmd_id, "not_applied")
            return original(commands, kind, payload, base_revision, compare, what, basis)
        return outcome

    with patch.object(Commands, "staged", staged), patch.object(Commands, "_query", lambda _self, _cmd_id: None):
        yield


@contextmanager
def _unknown_does_not_block() -> Iterator[None]:
    begin = HostState.begin

    def begin_anyway(state: HostState, *values: Any, **rest: Any) -> int:
        return begin(state, *values, **(rest | {"dosing": False}))

    with patch.object(Commands, "require_settled", lambda _self: None), patch.object(HostState, "begin", begin_anyway):
        yield


@contextmanager
def _guessing_reconcile() -> Iterator[None]:
    """What is open is settled as not applied without the pump's word."""
    original = Commands._answer_about

    def answer(commands: Commands, intent: Any) -> Any:
        original(commands, intent)
        return NotApplied(intent.cmd_id, SessionLost("guessed"))

    with patch.object(Commands, "_answer_about", answer):
        yield


_EVERY = ("program", "bolus", "stop", "refill")
MUTANTS: tuple[Mutant, ...] = (
    Mutant(
        "no-results-ring",
        "the pump keeps no results, so a question is answered as if it had taken nothing",
        ("program", "bolus"),
        _patched(ResultsRing, "find", _finds_nothing),
    ),
    Mutant(
        "known-id-again",
        "a command id that was taken is taken again",
        ("stop", "bolus", "program"),
        _patched(ResultsRing, "find", _find_new),
    ),
    Mutant("no-base-revision", "a commit is taken whatever the pump's revision", ("late",), _base_is_not_compared),
    Mutant("stop-moves-no-revision", "a stop leaves the revision as it is", ("late-stop",), _stop_moves_no_revision),
    Mutant("no-bolus-counter", "a bolus is taken wherever the counter stands", ("late-bolus",), _counter_is_not_compared),
    Mutant(
        "ring-pushes-out-doses",
        "a full ring pushes out its oldest result, be it of a dose nobody has confirmed",
        ("bolus", "program"),
        _patched(results_module, "_push_out_order", _oldest_out),
    ),
    Mutant("too-old-is-never", "of a command whose result is gone the pump says that it never took it", ("stop",), _too_old_is_never),
    Mutant(
        "old-bytes-count",
        "a commit that comes after the question about it is carried out",
        ("program", "bolus", "stop"),
        _old_bytes_count,
    ),
    Mutant(
        "journal-in-place",
        "the record in force is overwritten instead of the other slot",
        ("program", "bolus"),
        _patched(Journal, "store", _store_in_place),
    ),
    Mutant(
        "journal-without-crc",
        "a torn record passes for a whole one",
        ("bolus", "refill"),
        _patched(journal_module, "_read", _read_without_crc),
    ),
    Mutant("journal-older-slot", "the older of two whole records wins", ("program",), _patched(Journal, "load", _load_older)),
    Mutant(
        "answer-before-journal",
        "the flip and the answer come before the record is written and verified",
        ("program", "bolus", "stop"),
        _flip_before_verify,
    ),
    Mutant("result-apart", "effect and result are two steps, not one", ("program", "bolus"), _result_apart),
    Mutant("stop-in-between", "a commit stops the pump and starts it anew", ("program", "refill"), _stop_in_between),
    Mutant("stopped-after-reset", "the last confirmed therapy does not go on after a reset", ("program",), _stays_stopped),
    Mutant("bolus-resumed", "a bolus goes on after a reset", ("bolus",), _bolus_resumed),
    Mutant(
        "no-pulse-intent",
        "a pulse under way at a reset is counted as not given, without a doubt",
        ("bolus",),
        lambda: patch.object(boot_module, "_count_pulses", _no_doubt(boot_module._count_pulses)),
    ),
    Mutant("intent-after-sending", "the companion writes its intent down with the outcome (SR-43)", _EVERY, _intent_after_sending),
    Mutant("lost-is-not-applied", "no answer is told as not applied (AndroidAPS 4378)", _EVERY, lambda: _lost_as(NotApplied)),
    Mutant("lost-is-applied", "no answer is told as applied (Loop 1512)", _EVERY, lambda: _lost_as(_as_applied)),
    Mutant("retry-without-id", "what got no answer is sent again under a new id (Loop 1434)", ("program", "bolus"), _retry_without_id),
    Mutant("unknown-does-not-block", "further doses leave while an outcome is not known", ("program", "bolus"), _unknown_does_not_block),
    Mutant("reconcile-guesses", "what is open is settled without the pump's word", _EVERY, _guessing_reconcile),
)


def _as_applied(cmd_id: int, cause: Any) -> Applied:
    result = CommandResult(bytes(8), cmd_id, CommandKind.NONE, Outcome.APPLIED, 0, 0, bytes(32), 0, 0, 0, 0, 0, BolusState.IDLE, False)
    return Applied(cmd_id, result, note=str(cause))
