"""Start after a reset: self-test, what is still true, and what goes on.

Order: memory and configuration are checked before anything flows (SR-59). The last confirmed therapy goes on, a stopped pump stays
stopped, a bridge goes on, a single, priming or patient bolus does not; it is logged with what it gave (SR-50). Nothing of the gap is
caught up: what was scheduled counts up to the last minute stamp, and never so far back that the pulses since would be taken away.
Not modelled: how long a start takes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from msgspec.structs import replace as replace_struct

from firmware_sim.firmware.alarm_table import Alarm
from firmware_sim.firmware.cells import ALIVE, DONE, INTENT, RESETS, Cell
from firmware_sim.firmware.course import PresentState
from firmware_sim.firmware.delivery import Delivery, NoFlow, resume_delivery
from firmware_sim.firmware.draft import SAFE_STOPPED, Draft
from firmware_sim.firmware.durable import Drive, Durable
from firmware_sim.firmware.ledger import Ledger, Lump, PatientRecord
from firmware_sim.firmware.limits import check_configuration
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.materialise import MINUTE_MS
from firmware_sim.firmware.salvage import Given, end_lost_boluses, forgotten, lost_drive, taken_over, without_journal
from firmware_sim.firmware.selftest import ALARM_OF, Check, NoiseFault, fingerprint, is_fatal, noise_fault
from itbpump.wire.errors import MessageError
from itbpump.wire.messages import BolusState, LogKind, RunState, decode_configuration

__all__ = ["Check", "boot"]


@dataclass(slots=True)
class _Found:
    """What the memory says at the start."""

    record: Durable
    """The journal record."""
    state: Durable
    """What holds now: the same, but for what is known to have changed since."""
    before: Delivery
    """Delivery as it was since the journal record was written."""
    until_ms: int
    """The last instant the pump is known to have run at."""
    failures: list[tuple[Check, int]]
    lifetime: int = 0
    """Pulses since formatting; an open intent counts as given."""
    open_intent: bool = False
    doubt: int = 0
    """Pulses of this reset that may or may not have been given."""

    def failed(self, check: Check) -> bool:
        """Whether this check has failed."""
        return any(failed is check for failed, _ in self.failures)

    @property
    def lost(self) -> bool:
        """No therapy can be trusted."""
        return any(is_fatal(check) for check, _ in self.failures)


def boot(machine: Machine, uptime_ms: int, *, watchdog: bool = False, noise: bytes | None = None) -> None:
    """Start the pump at `uptime_ms` of its real-time clock. Raises PowerLost where a cut was set.

    watchdog: the watchdog has reset it. noise: a sample of the random source (`selftest.NOISE_BYTES`); None where there is no such source,
    as on a bench without a link, and then it is not judged.
    """
    starts = machine.boots + 1
    reset_cell_lost = RESETS.read(machine.memory) is None
    RESETS.write(machine.memory, Cell(starts))
    found = _examine(machine, uptime_ms)
    if reset_cell_lost:
        found.failures.append((Check.CELLS, 0))
    fault = NoiseFault.NONE if noise is None else noise_fault(noise)
    if fault:
        found.failures.append((Check.RANDOM_SOURCE, fault))
    ledger = _ledger(machine, found, uptime_ms)
    machine.state = found.state
    machine.ledger = ledger
    machine.now_ms = uptime_ms
    machine.last_stamped = uptime_ms // MINUTE_MS
    machine.boot_pulses = found.lifetime
    machine.delivery = resume_delivery(
        machine.profile.pulse_volume_nL, NoFlow(), uptime_ms, residual_units=_residual(found), lifetime_pulses=found.lifetime
    )
    draft = machine.draft()
    _report(draft, found, starts)
    _resume(draft, machine, found)
    if watchdog:
        _count_watchdog(draft)
    if noise is not None and not fault:
        draft.clear(Alarm.RANDOM_SOURCE)
    machine.store_or_force(draft)
    if found.failed(Check.CLOCK):
        # Neither cell may go on telling of a time to come: the next start would take the pump to have run until then.
        ALIVE.fill(machine.memory, Cell(machine.last_stamped, machine.state.sequence))
    INTENT.write(machine.memory, Cell(found.lifetime))
    DONE.write(machine.memory, Cell(found.lifetime))


# ------------------------------------------------------------------------------------------------ self-test
def _examine(machine: Machine, uptime_ms: int) -> _Found:
    failures: list[tuple[Check, int]] = []
    alive = ALIVE.read(machine.memory)
    alive_ms = alive.number * MINUTE_MS if alive is not None else 0
    loaded = machine.journal.load()
    state = loaded.state
    if state is None:
        failures.append((Check.JOURNAL, loaded.damaged))
        state = without_journal(machine, alive_ms)
    elif loaded.damaged:
        failures.append((Check.JOURNAL_SLOT, loaded.damaged))
    foreign = bool(state.active) and state.written_by != fingerprint(machine.profile)
    if foreign:
        # Its pulses are of another volume, or its limits others: not even the residual means what it says.
        failures.append((Check.VERSION, state.active_revision))
        state = replace(state, residual_units=0)
    if foreign or not _configuration_holds(machine, state, uptime_ms):
        if not foreign:
            failures.append((Check.CONFIGURATION, state.active_revision))
        # Kept in the other slot and in the log by its revision; here it must not be compiled again.
        state = replace(state, active=b"", bridge_end=0, drive=Drive.NONE if state.drive is Drive.NONE else lost_drive(machine))
    # What the journal holds beyond its own state is made good before it is judged.
    machine.adopt(state)
    machine.log.load()
    last_ms = max(state.at_ms, alive_ms)
    stamped = alive.value if alive is not None else 0
    record, lost = state, forgotten(machine, state)
    if lost or (loaded.state is not None and stamped > state.sequence):
        failures.append((Check.JOURNAL_OLD, max(stamped, state.sequence + 1)))
        state = taken_over(machine, state, lost)
    # Go on above every number ever in force, or the next start would miss a newer record again.
    state = replace(state, sequence=max(state.sequence, stamped))
    if uptime_ms < last_ms:
        failures.append((Check.CLOCK, last_ms - uptime_ms))
    before = resume_delivery(
        machine.profile.pulse_volume_nL,
        machine.source_of(record, record.lifetime),
        record.at_ms,
        residual_units=record.residual_units,
        lifetime_pulses=record.lifetime,
    )
    found = _Found(record, state, before, last_ms, failures)
    for check, count in (
        (Check.CELLS, int(alive is None)),
        (Check.LOG_CHAIN, machine.log.broken_links),
        (Check.RESULTS, machine.results.damaged(state.programmers)),
        (Check.PAIRINGS, machine.memory.damaged_pairings()),
    ):
        if count:
            failures.append((check, count))
    _count_pulses(machine, found)
    return found


def _count_pulses(machine: Machine, found: _Found) -> None:
    """From the records of intent and done; where they are lost or contradict the journal, from the schedule."""
    intent, done = INTENT.read(machine.memory), DONE.read(machine.memory)
    scheduled = found.before.lifetime_at(found.until_ms)
    # What an older record had scheduled need not have flowed, nor what a stamp of a time that did not come yet would make of it.
    least = found.record.lifetime if found.failed(Check.JOURNAL_OLD) or found.failed(Check.CLOCK) else scheduled
    if intent is None or done is None or intent.number - done.number not in (0, 1) or intent.number < least:
        found.failures.append((Check.COUNTERS, scheduled))
        found.lifetime = scheduled
        found.doubt = found.before.lifetime_at(found.until_ms + MINUTE_MS) - scheduled + 1
        return
    found.lifetime = intent.number
    # An intent that the journal knows was counted by an earlier start.
    found.open_intent = intent.number > max(done.number, found.state.lifetime)
    found.doubt = int(found.open_intent)


def _configuration_holds(machine: Machine, state: Durable, uptime_ms: int) -> bool:
    """The configuration in force decodes and keeps the pump's own limits; none is in order where none was ever committed."""
    if not state.active:
        return state.drive is not Drive.THERAPY
    try:
        configuration = decode_configuration(state.active)
    except MessageError:
        return False
    judged = replace_struct(configuration, start=False)
    present = PresentState(
        uptime_ms, False, configuration, state.anchor_ms, 0, Ledger(), PatientRecord(), bridge_left_pulses=configuration.bridge_pulses
    )
    return check_configuration(judged, machine.profile, present) is None


# ------------------------------------------------------------------------------------------------ what was given
def _residual(found: _Found) -> int:
    """Schedule less pulses. What was scheduled after the last stamp is not caught up, but a pulse given was scheduled half at least."""
    pulse_units = found.before.phase.pulse_units
    # Above half a pulse only where an older record had scheduled what did not flow: that is not caught up either.
    return min(max(found.before.total_units_at(found.until_ms) - found.lifetime * pulse_units, -(pulse_units // 2)), pulse_units // 2 - 1)


def _ledger(machine: Machine, found: _Found, uptime_ms: int) -> Ledger:
    """Masses of the journal, of the schedule until the last stamp, and of the pulses after it, which count until now."""
    record = found.record
    if uptime_ms < found.until_ms:
        # The clock went back: all that was given, by the clock of then, counts as given just now.
        return Ledger.from_buckets(_ledger(machine, found, found.until_ms).buckets(found.until_ms), uptime_ms)
    concentration = machine.concentration_of(record, record.lifetime)
    ledger = Ledger.from_buckets(record.buckets, record.at_ms)
    ledger = ledger.begin(found.before.phase.source, concentration, record.at_ms).begin(NoFlow(), 0, found.until_ms)
    pulses = found.lifetime - found.before.lifetime_at(found.until_ms)
    if pulses <= 0:
        return Ledger(ledger.closed)
    # From a ms before: the pulse in doubt may be due at the very ms of stamp and start, and no entry is without length.
    return Ledger((*ledger.closed, Lump(found.until_ms - 1, uptime_ms, pulses * found.before.phase.pulse_units * concentration)))


# ------------------------------------------------------------------------------------------------ what goes on
def _report(draft: Draft, found: _Found, starts: int) -> None:
    draft.log(LogKind.BOOT, starts, found.doubt)
    if found.doubt:
        draft.set(doubt=draft.state.doubt + found.doubt)
        draft.log(LogKind.PULSE_DOUBT, found.lifetime, draft.state.doubt)
    for check, detail in found.failures:
        draft.log(LogKind.SELF_TEST_FAILED, check, detail)


def _resume(draft: Draft, machine: Machine, found: _Found) -> None:
    draft.end_bolus(BolusState.INTERRUPTED, doubt=min(found.doubt, 255))
    end_lost_boluses(draft, machine, _given(found))
    if found.failed(Check.JOURNAL_OLD):
        # Never back: no more pulses than all since the record can have been in boluses that it does not know of.
        draft.set(bolus_counter=draft.state.bolus_counter + found.lifetime - found.record.lifetime)
    _no_later_than_now(draft, found)
    _compare_encoder(draft, machine, found)
    _alarm(draft, found)
    low_battery = machine.hardware.battery_permille() <= machine.profile.eri_battery_permille
    # A first start has nothing to deliver; the count of starts itself may be lost.
    if low_battery and draft.state.drive is not Drive.NONE:
        draft.raise_alarm(Alarm.LOW_BATTERY_RESET, machine.hardware.battery_permille())


def _given(found: _Found) -> Given:
    before = None if found.failed(Check.JOURNAL) else found.before
    return Given(before, found.lifetime, found.doubt, not found.failed(Check.COUNTERS))


def _no_later_than_now(draft: Draft, found: _Found) -> None:
    """Only a clock that went back can have put what happened after the present. What lasts goes on for as long as it has lasted, so that
    no warning comes later; what locks, locks from now."""
    state, now_ms, profile = draft.state, draft.now_ms, draft.profile
    back_ms = max(0, found.until_ms - now_ms)

    def since(at_ms: int) -> int:
        return min(max(0, at_ms - back_ms), now_ms)

    draft.set(
        written_by=fingerprint(profile),
        alarms=tuple((alarm, since(at_ms)) for alarm, at_ms in state.alarms),
        stopped_since_ms=None if state.stopped_since_ms is None else since(state.stopped_since_ms),
        eri_since_ms=None if state.eri_since_ms is None else since(state.eri_since_ms),
        primed_ms=None if state.primed_ms is None else min(state.primed_ms, now_ms),
        changed_ms=min(state.changed_ms, now_ms),
        grants_ms=tuple(min(at_ms, now_ms) for at_ms in state.grants_ms),
        alert_stops=tuple((alarm, min(at_ms, now_ms)) for alarm, at_ms in state.alert_stops),
        watchdogs_ms=tuple(min(at_ms, now_ms) for at_ms in state.watchdogs_ms),
        emergencies_ms=tuple(min(at_ms, now_ms) for at_ms in state.emergencies_ms),
    )
    if state.locked_until_ms is not None:
        draft.set(locked_until_ms=min(state.locked_until_ms, now_ms + profile.restart_lock_ms))


def _compare_encoder(draft: Draft, machine: Machine, found: _Found) -> None:
    """What the rotor missed before the start, by the encoder that no reset disturbs (SR-30). What it made too many stays, and the monitor
    goes on from there (SR-29)."""
    state = draft.state
    unasked = machine.hardware.encoder_pulses() + state.encoder_offset - found.lifetime
    if any(found.failed(check) for check in (Check.JOURNAL, Check.JOURNAL_OLD, Check.COUNTERS)):
        # The pulses are known by the schedule only: what they differ by is no fault of the rotor.
        draft.set(encoder_offset=state.encoder_offset - unasked)
    elif unasked < 0 and not draft.is_active(Alarm.MOTOR_STALL):
        # What an alarmed stall has cost so far is still to be told when the rotor turns again; the pulse in doubt is told as that.
        draft.set(encoder_offset=state.encoder_offset - unasked)
        if -unasked > found.doubt:
            draft.log(LogKind.STALL_RECOVERED, -unasked, -unasked * machine.profile.pulse_volume_nL)


def _alarm(draft: Draft, found: _Found) -> None:
    """The alarms of the failed checks; beside a lost therapy a repaired record is not worth one of its own."""
    if found.lost:
        _lose(draft, next(check for check, _ in found.failures if is_fatal(check)))
    for check, detail in found.failures:
        alarm = ALARM_OF[check]
        if alarm is Alarm.MEMORY_REPAIRED and not found.lost:
            draft.raise_alarm(alarm, check)
        elif alarm is Alarm.RANDOM_SOURCE:
            draft.raise_alarm(alarm, detail)


def _lose(draft: Draft, check: Check) -> None:
    """No therapy can be trusted: alarm, and the profile's safe state; a pump known to be stopped stays stopped."""
    draft.raise_alarm(Alarm.MEMORY_LOST, check)
    if draft.state.run_state is RunState.SAFE and draft.state.drive is Drive.NONE:
        draft.drive(RunState.SAFE, Drive.NONE)
        draft.log(LogKind.SAFE_STATE, Alarm.MEMORY_LOST, SAFE_STOPPED)


def _count_watchdog(draft: Draft) -> None:
    """A program that hung is started again; one that hangs again and again is not trusted with a therapy (SR-60)."""
    profile = draft.profile
    recent = [at_ms for at_ms in draft.state.watchdogs_ms if draft.now_ms - at_ms < profile.reset_loop_window_ms]
    draft.set(watchdogs_ms=(*recent, draft.now_ms)[-profile.reset_loop_resets :])
    count = len(draft.state.watchdogs_ms)
    draft.log(LogKind.WATCHDOG_RESET, count)
    if count >= profile.reset_loop_resets:
        draft.raise_alarm(Alarm.RESET_LOOP, count)
