"""What the rings of results still tell when the journal has lost its newest record, or all of them.

A result is copied to its ring once its journal record is in force. A ring that is ahead of the journal therefore proves that a command was
carried out which the journal has forgotten: it must not be told as never taken, nor its number given to another. A record without a result
(an event of the pump's own) is missed by its stamp. Not modelled: that stamp lost together with its record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from firmware_sim.firmware.cells import DONE
from firmware_sim.firmware.delivery import Delivery
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import BolusRecord, Drive, Durable, ProgrammerRecord
from firmware_sim.firmware.machine import Machine
from itbpump.wire.messages import BolusKind, BolusState, CommandKind, CommandResult, Outcome, RunState

__all__ = ["Given", "end_lost_boluses", "forgotten", "lost_drive", "taken_over", "without_journal"]

_LARGEST_DOUBT = 255
# A result tells the revision at its command; from there alarms can have moved it twice, to the minimum rate and to no flow.
_REVISIONS_OF_A_START = 3


def lost_drive(machine: Machine) -> Drive:
    """What flows between boluses when no therapy can be trusted."""
    return Drive.MINIMUM if machine.profile.critical_memory_safe_state == "minimum_rate" else Drive.NONE


def without_journal(machine: Machine, alive_ms: int) -> Durable:
    """What can be said when both slots are lost: command ids from the results, counters from the pulses, no therapy."""
    done = DONE.read(machine.memory)
    lifetime = done.number if done is not None else 0
    programmers = machine.results.rebuilt()
    return Durable(
        revision=_unseen_revision(machine, programmers, 0),
        run_state=RunState.SAFE,
        drive=lost_drive(machine),
        at_ms=alive_ms,
        lifetime=lifetime,
        # Never back: no more pulses than all can have been in boluses.
        bolus_counter=lifetime,
        programmers=programmers,
    )


def forgotten(machine: Machine, state: Durable) -> list[CommandResult]:
    """Results of commands that the journal does not know of, oldest first."""
    kept = machine.results.kept(machine.results.ahead_of(state.programmers))
    lost = [result for number, result in kept if result.cmd_id > state.programmers[number].last_cmd_id]
    return sorted(lost, key=lambda result: result.uptime_ms)


def taken_over(machine: Machine, state: Durable, lost: list[CommandResult]) -> Durable:
    """An older record with what the rings tell beyond it: command ids, a revision that nobody can have seen, and as much of the effects
    as keeps the pump from doing what was countermanded: a stop stays, and a configuration that was replaced is no longer in force."""
    programmers = machine.results.ahead_of(state.programmers)
    state = replace(state, programmers=programmers, revision=_unseen_revision(machine, programmers, state.revision))
    for result in lost:
        if result.outcome is not Outcome.APPLIED:
            continue
        state = replace(state, changed_by=result.programmer, changed_ms=result.uptime_ms, changed_kind=result.kind)
        if result.kind is CommandKind.CONFIGURE:
            # The reservoir may hold what only the lost one named.
            drive = Drive.NONE if state.drive is Drive.NONE else lost_drive(machine)
            state = replace(state, active=b"", previous=state.active, previous_revision=state.active_revision, bridge_end=0, drive=drive)
        elif result.kind is CommandKind.STOP and state.drive is not Drive.NONE:
            state = replace(state, run_state=RunState.STOPPED, drive=Drive.NONE, stopped_since_ms=result.uptime_ms)
    return state


def _unseen_revision(machine: Machine, programmers: tuple[ProgrammerRecord, ...], least: int) -> int:
    """Above every revision that may have been in force, also when this happens again without a command in between."""
    newest = max((result.revision for _, result in machine.results.kept(programmers)), default=0)
    return max(newest, least) + _REVISIONS_OF_A_START * machine.boots


@dataclass(frozen=True, slots=True)
class Given:
    """What was given since the record found: delivery as it was by that record, pulses at the start, and those of them in doubt.

    `before` is None where the record itself is lost; `counted` is false where the pulses are not known but by the schedule.
    """

    before: Delivery | None
    lifetime: int
    doubt: int
    counted: bool

    def of_bolus(self, result: CommandResult) -> tuple[int, int]:
        """(delivered, doubt) of a bolus that was interrupted: truly given were `delivered` or up to `doubt` fewer."""
        if self.before is None:
            return result.requested_pulses, min(result.requested_pulses, _LARGEST_DOUBT)
        # Until it began the record's own schedule ran.
        since = max(0, self.lifetime - self.before.lifetime_at(result.uptime_ms))
        delivered = min(since, result.requested_pulses)
        return delivered, min(delivered, self.doubt if self.counted else _LARGEST_DOUBT)


def end_lost_boluses(draft: Draft, machine: Machine, given: Given) -> None:
    """Interrupt every bolus that is said to be running and that the journal does not know of. The journal's own has been ended before."""
    own = (machine.state.bolus.owner, machine.state.bolus.cmd_id) if machine.state.bolus.running else None
    for number, result in machine.results.kept(draft.state.programmers):
        if result.bolus_state is not BolusState.RUNNING or (number, result.cmd_id) == own:
            continue
        delivered, doubt = given.of_bolus(result)
        draft.end_lost_bolus(
            BolusRecord(
                kind=BolusKind.NONE,
                state=BolusState.INTERRUPTED,
                requested=result.requested_pulses,
                delivered=delivered,
                doubt=doubt,
                start_ms=result.uptime_ms,
                owner=number,
                cmd_id=result.cmd_id,
            )
        )
