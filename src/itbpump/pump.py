"""The client people import: one pump, reached by its URL.

`connect(url)` opens the port, makes the handshake and reads who the pump is. Every state-changing method writes its intent to disk
before the first byte and answers with an outcome: Applied, NotApplied or Unknown (`outcome.py`); all but a stop raise DosingBlocked
while an earlier outcome is unknown. After a commit the pump is read again, and only what it says itself is called running. Judging a
prescription is `itbpump.safety`; asking the person is the face's task.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Self, TypeAlias

from itbpump.changes import rebased_configuration, refilled_configuration, restored_configuration
from itbpump.commands import Commands, Settled
from itbpump.configuration import (
    THERAPEUTIC,
    PresentPump,
    bolus_order,
    configuration_digest,
    prime_order,
    to_configuration,
)
from itbpump.errors import ConfigurationError
from itbpump.hoststate import HostState, HostStateError, Intent, PumpKey
from itbpump.link.errors import LinkError
from itbpump.mismatch import ConstantsMismatch, WrongPump
from itbpump.outcome import Applied, Interrupted, Outcome, Proof
from itbpump.profiles import PumpProfile, load_profile, mismatches
from itbpump.quantity import MS_PER_DAY, Concentration, Duration, Mass, Volume
from itbpump.read_back import compare_bolus_read_back, compare_read_back
from itbpump.refill import Refill
from itbpump.session import PumpSession
from itbpump.transport import innermost, open_transport
from itbpump.transport.base import Transport, TransportError
from itbpump.transport.capture import Files, recorded
from itbpump.transport.replay import ReplayTransport
from itbpump.transport.states import default_state
from itbpump.wire.messages import (
    AlarmPriority,
    BolusOrder,
    CommandKind,
    CommandResult,
    Configuration,
    ConfigurationSlot,
    Event,
    Info,
    LogEntry,
    LogKind,
    MinimumRate,
    Mode,
    ResultScope,
    RunState,
    SetClock,
    SilenceAlarm,
    Status,
    StopBolus,
    StopTherapy,
    TestAlarm,
    encode_bolus_order,
    encode_configuration,
)
from itbpump.wire.messages import Outcome as PumpOutcome

if TYPE_CHECKING:
    from itbpump.therapy import Prescription

__all__ = ["ConstantsMismatch", "Pump", "WrongPump", "connect"]

Basis: TypeAlias = Mapping[str, Any] | None
RECENT_ENTRIES = 50  # two pages
MOST_RECENT_ENTRIES = 500  # some 1.5 s at 115200 baud
RECENT_MS = 2 * MS_PER_DAY


def connect(
    url: str,
    *,
    state: HostState | None = None,
    transport: Transport | None = None,
    on_event: Callable[[Event], None] | None = None,
    entropy: Callable[[int], bytes] = os.urandom,
    host_clock: Callable[[], float] = time.time,
    capture: Files = None,
    keylog: str | os.PathLike[str] | None = None,
) -> Pump:
    """Open a pump by its URL (`/dev/ttyUSB0`, `COM3`, `socket://host:port`, `sim://P-40?fill=38mL`, …) and make a session.

    `state` is where keys and intents live: by default the host's own file, or memory for a `sim://` pump without `state=`, which is
    paired with the visible demo key. `transport` replaces the one that `url` names. `on_event` gets the pump's hints between requests,
    never inside a command. `host_clock` gives seconds since 1970. Results that the pump has not been told are known here are confirmed
    to it. `capture` names files that record the line (`.pcapng`, `.jsonl`), `keylog` one for the session's keys; see `recorded`. A
    `replay:` URL brings its own random bytes, host clock and state. Raises TransportError, HandshakeFailed and its kinds, NoReply,
    HostStateError, RecordingFileError, ReplayDeviation.
    """
    port = open_transport(url) if transport is None else transport
    own: HostState | None = None
    try:
        if isinstance(line := innermost(port), ReplayTransport):
            entropy, host_clock = line.entropy, line.host_clock
        store = own = default_state(port) if state is None else state
        port, host_clock = recorded(port, store, capture, keylog, host_clock)
        return Pump(PumpSession(port, store, entropy, on_event), store, host_clock, owned=state is None)
    except BaseException:
        port.close()
        if own is not None and state is None:
            own.close()
        raise


class Pump:
    """One pump in session. Not thread-safe: one caller at a time."""

    def __init__(self, session: PumpSession, state: HostState, host_clock: Callable[[], float], *, owned: bool = False) -> None:
        """`owned`: the state was opened for this pump alone, and is closed with it."""
        self.session = session
        self._owned_state = state if owned else None
        self.patient_elsewhere: Callable[[], str | None] | None = None
        """Says whose pump it is, where no therapy was programmed from here; asked for `present`, never for a stop."""
        self.profile: PumpProfile = load_profile(session.info.profile)
        self._commands = Commands(session, state)
        self._host_clock = host_clock
        with suppress(HostStateError):  # only a list of what was used; a disk that takes no more must not keep anybody from a stop
            state.remember(session.transport.url, session.info.serial, session.info.profile)
        self._commands.confirm_owed()

    @property
    def info(self) -> Info:
        """Who the pump is."""
        return self.session.info

    @property
    def key(self) -> PumpKey:
        """Under which name the host keeps this pump's commands."""
        return self.session.key

    def close(self) -> None:
        """End the session and close the port."""
        try:
            self.session.close()
        finally:
            if self._owned_state is not None:
                self._owned_state.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    # -------------------------------------------------------------------------------------------------- reading
    def status(self) -> Status:
        """What the pump says of itself now; changes nothing in it."""
        return self.session.status()

    def configuration(self, slot: ConfigurationSlot = ConfigurationSlot.ACTIVE) -> Configuration | None:
        """A stored configuration; None when there is none."""
        return self.session.configuration(slot)

    def present(self) -> PresentPump:
        """Status, active configuration, newest log entries and host time together: what a new command starts from."""
        status = self.status()
        configuration = self.configuration() if status.revision else None
        recent = self._recent_log(status)
        changed = [entry.uptime_ms for entry in recent if entry.kind is LogKind.COMMITTED and entry.b >> 32 == CommandKind.CONFIGURE]
        is_new = bool(changed) and status.uptime_ms - changed[-1] < RECENT_MS
        is_treating = status.run_state is RunState.RUNNING and status.mode in THERAPEUTIC
        previous = self.configuration(ConfigurationSlot.PREVIOUS) if status.revision > 1 and (is_new or not is_treating) else None
        return PresentPump.from_status(status, configuration, self.host_now(), recent, previous, self._patient_id())

    def _patient_id(self) -> str | None:
        """The patient of the newest therapy that was programmed from here, else whom `patient_elsewhere` names; None where none is."""
        for basis in self._commands.bases_applied():
            patient = json.loads(basis).get("patient")
            if patient:
                return str(patient)
        return self.patient_elsewhere() if self.patient_elsewhere is not None else None

    def _recent_log(self, status: Status) -> tuple[LogEntry, ...]:
        """The newest entries, page by page backwards until they reach two days back, as far as that is worth the time on a serial line."""
        recent: tuple[LogEntry, ...] = ()
        first = status.log_next_seq
        while first > 0 and len(recent) < MOST_RECENT_ENTRIES and (not recent or status.uptime_ms - recent[0].uptime_ms < RECENT_MS):
            end, first = first, max(0, first - RECENT_ENTRIES)
            recent = (*self._log_between(first, end), *recent)
            if recent and recent[0].seq > first:  # the pump keeps no older ones
                break
        return recent

    def _log_between(self, from_seq: int, end_seq: int) -> Iterator[LogEntry]:
        yield from takewhile(lambda entry: entry.seq < end_seq, self.log(from_seq))

    def log(self, from_seq: int = 0) -> Iterator[LogEntry]:
        """Log entries from `from_seq` on, oldest first, fetched page by page."""
        return self.session.log(from_seq)

    def others_unconfirmed(self) -> tuple[CommandResult, ...]:
        """What others did to the drug given and have not yet confirmed: therapies and boluses that took effect. A review counts them."""
        return tuple(
            result
            for result in self.session.results(ResultScope.OTHERS_UNCONFIRMED)
            if result.outcome is PumpOutcome.APPLIED and result.kind in (CommandKind.CONFIGURE, CommandKind.BOLUS)
        )

    def own_results(self) -> tuple[CommandResult, ...]:
        """The pump's stored results of this programmer, newest first."""
        return self.session.results(ResultScope.OWN)

    def decisions(self) -> tuple[Intent, ...]:
        """Every command that was decided here for this pump, oldest first, with what the decision rested on."""
        return self._commands.intents()

    def host_now(self) -> datetime:
        """The host's time, with its offset."""
        return datetime.fromtimestamp(self._host_clock()).astimezone()

    # -------------------------------------------------------------------------------------------------- therapy
    def program(self, rx: Prescription, present: PresentPump | None = None, *, start: bool = True, basis: Basis = None) -> Outcome:
        """Stage, have read back, commit and prove a prescription. `present` is what the review was made against: its revision is the base.
        `basis` (see `safety.basis_of`) is what the decision rested on; it is kept with the intent, as it is for each method below.

        Raises DosingBlocked, ConstantsMismatch, WrongPump, ConfigurationError before anything is sent.
        """
        self._require_profile(rx.pump.profile)
        present = self.present() if present is None else present
        return self._configure(to_configuration(rx, present, self.profile, start=start), present, "program a therapy", basis)

    def refill(
        self, aspirated: Volume, filled: Volume, rx: Prescription | None = None, present: PresentPump | None = None, *, basis: Basis = None
    ) -> tuple[Outcome, Refill]:
        """Tell the pump of a refill: what was drawn out and what was put in. Another drug or concentration needs the prescription `rx`.

        A stopped pump stays stopped. Raises as `program`, and RefillError for volumes that the reservoir cannot hold.
        """
        present = self.present() if present is None else present
        refill = Refill.plan(aspirated, filled, present, self.profile, self.log())
        if rx is None:
            configuration = refilled_configuration(refill, present)
        else:
            self._require_profile(rx.pump.profile)
            running = present.run_state is RunState.RUNNING
            configuration = to_configuration(rx, present, self.profile, refill=refill.volume_after, start=running)
        return self._configure(configuration, present, "refill", basis), refill

    def rebase_clock(self, week_offset: int, present: PresentPump, *, basis: Basis = None) -> Outcome:
        """Move the pump's week to another offset (ms, 0 to 604,799,999): a reviewed configuration change."""
        return self._configure(rebased_configuration(week_offset, present), present, "re-base the pump's clock", basis)

    def restore(self, present: PresentPump, *, basis: Basis = None) -> Outcome:
        """Commit and start the configuration before the present one, in the present week. ConfigurationError when none fits."""
        previous = self.configuration(ConfigurationSlot.PREVIOUS)
        if previous is None:
            raise ConfigurationError("the pump holds no earlier configuration", "program it by a prescription")
        return self._configure(restored_configuration(previous, present), present, "restore the previous therapy", basis)

    # ---------------------------------------------------------------------------------------------------- boluses
    def bolus(self, dose: Mass, over: Duration, present: PresentPump | None = None, *, basis: Basis = None) -> Outcome:
        """Start a single bolus. The outcome is told when it has started; follow it with `status`."""
        present = self.present() if present is None else present
        concentration = _concentration(present)
        order = bolus_order(dose, over, concentration, self.profile.pulse_volume, present.bolus_counter)
        return self._give(order, present, f"a bolus of {dose}", basis)

    def prime(self, rx: Prescription, over: Duration, present: PresentPump | None = None, *, basis: Basis = None) -> Outcome:
        """Start a priming bolus through the path of `rx`."""
        self._require_profile(rx.pump.profile)
        present = self.present() if present is None else present
        return self._give(prime_order(rx, self.profile, over, present.bolus_counter), present, "a priming bolus", basis)

    def stop_bolus(self) -> Outcome:
        """End a running bolus; the therapy goes on."""
        return self._commands.direct(CommandKind.STOP_BOLUS, lambda cmd_id: StopBolus(cmd_id=cmd_id), "stop the bolus")

    # ------------------------------------------------------------------------------------------------ stop, clock, alarms
    def stop(self) -> Outcome:
        """Stop all delivery now. Allowed while another outcome is unknown. Withdrawal can kill: the caller has said so to the person."""
        return self._commands.direct(CommandKind.STOP, lambda cmd_id: StopTherapy(cmd_id=cmd_id), "stop the therapy")

    def minimum_rate(self) -> Outcome:
        """Fall to the pump's minimum rate now; an emergency session may do this."""
        return self._commands.direct(CommandKind.MINIMUM_RATE, lambda cmd_id: MinimumRate(cmd_id=cmd_id), "fall to the minimum rate")

    def set_clock(self, wall_s: int) -> Outcome:
        """Set the pump's wall-clock label (s since 1970, UTC); no dose changes by it."""
        return self._commands.direct(CommandKind.SET_CLOCK, lambda cmd_id: SetClock(cmd_id=cmd_id, wall_s=wall_s), "set the clock")

    def alarm_test(self, priority: AlarmPriority) -> Outcome:
        """Sound one tone once."""
        return self._commands.direct(
            CommandKind.ALARM_TEST, lambda cmd_id: TestAlarm(cmd_id=cmd_id, priority=priority), "test an alarm tone"
        )

    def silence(self, alarm: int) -> Outcome:
        """Silence an alarm (its number) for 10 min."""
        return self._commands.direct(CommandKind.SILENCE, lambda cmd_id: SilenceAlarm(cmd_id=cmd_id, alarm=alarm), "silence an alarm")

    def unsettled(self) -> tuple[Intent, ...]:
        """Commands to this pump of which this computer does not know what became."""
        return self._commands.unsettled()

    def reconcile(self) -> list[tuple[Intent, Outcome]]:
        """Ask the pump what became of every command whose outcome is not known here, and settle what it can answer."""
        return self._commands.reconcile()

    def settle_by_hand(self, cmd_id: int, state: Settled, by: str, reason: str) -> Outcome | None:
        """Record what a person found out of a command that the pump no longer knows; read the log and the reservoir before.

        None when it was recorded; the pump's own outcome where it has one, which stands instead. Raises as `Commands.settle_by_hand`.
        """
        return self._commands.settle_by_hand(cmd_id, state, by, reason)

    # ---------------------------------------------------------------------------------------------------- pieces
    def _require_profile(self, wanted: str) -> None:
        if wanted != self.info.profile:
            raise WrongPump(wanted, self.info.profile)

    def _require_same_constants(self) -> None:
        differences = mismatches(self.profile, self.info)
        if differences:
            raise ConstantsMismatch(self.info, differences)

    def _configure(self, configuration: Configuration, present: PresentPump, what: str, basis: Basis) -> Outcome:
        self._require_same_constants()
        outcome = self._commands.staged(
            CommandKind.CONFIGURE,
            encode_configuration(configuration),
            present.revision,
            lambda read: compare_read_back(configuration, read, self.profile),
            what,
            _basis_text(basis),
        )
        if not isinstance(outcome, Applied):
            return outcome
        was_running = present.run_state is RunState.RUNNING
        result = outcome.result
        return replace(outcome, proof=self._proof(outcome, what, lambda: self._prove_running(configuration, result, was_running)))

    def _give(self, order: BolusOrder, present: PresentPump, what: str, basis: Basis) -> Outcome:
        self._require_same_constants()
        concentration = _concentration(present)
        outcome = self._commands.staged(
            CommandKind.BOLUS,
            encode_bolus_order(order),
            present.revision,
            lambda read: compare_bolus_read_back(order, read, concentration.ng_per_mL, self.profile),
            what,
            _basis_text(basis),
        )
        if not isinstance(outcome, Applied):
            return outcome
        return replace(outcome, proof=self._proof(outcome, what, lambda: self._prove_bolus(order)))

    def _proof(self, outcome: Applied, what: str, prove: Callable[[], Proof]) -> Proof | None:
        """The proof, or None when the line is lost while it is read: the commit itself stands."""
        try:
            with self.session.quiet():
                return prove()
        except (LinkError, TransportError):
            return None
        except KeyboardInterrupt as error:
            raise Interrupted(outcome.cmd_id, what, outcome) from error

    def _prove_running(self, configuration: Configuration, result: CommandResult, was_running: bool) -> Proof:
        """What the pump stores and runs equals what was meant."""
        status = self.status()
        checks: list[tuple[str, object, object]] = [
            ("digest", configuration_digest(configuration).hex(), status.digest.hex()),
            ("revision", result.revision, status.revision),
            ("stored configuration", configuration, self.configuration()),
        ]
        if configuration.mode is not Mode.STOPPED and (configuration.start or was_running):
            # A pump that is stopped or in its safe state stays so without a start, and tells the mode it is in.
            checks += [("mode", configuration.mode, status.mode), ("run state", RunState.RUNNING, status.run_state)]
        return Proof(tuple(checks))

    def _prove_bolus(self, order: BolusOrder) -> Proof:
        """The pump gives the bolus that was meant, towards the counter that was meant."""
        status = self.status()
        target = status.bolus_counter - status.bolus_delivered + status.bolus_requested
        return Proof((("kind", order.kind, status.bolus_kind), ("target of the bolus counter", order.to_counter, target)))


def _basis_text(basis: Basis) -> str:
    return json.dumps(basis, sort_keys=True, ensure_ascii=True) if basis is not None else ""


def _concentration(present: PresentPump) -> Concentration:
    if present.configuration is None:
        raise ConfigurationError("the pump has no configuration, so no concentration to dose by", "program it first")
    return Concentration(present.configuration.concentration_ng_per_mL)
