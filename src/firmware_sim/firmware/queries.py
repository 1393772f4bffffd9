"""Answers that change nothing: interrogating a pump leaves its memory and everything it will do as they are."""

from __future__ import annotations

from firmware_sim.firmware.commands import Session, live
from firmware_sim.firmware.cycle import DAY_MS, periodic_anchor_ms
from firmware_sim.firmware.durable import Drive
from firmware_sim.firmware.events import eos_ms
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.readback import bolus_read_back, configuration_read_back
from firmware_sim.firmware.staging import Payload, Staging
from itbpump.wire.messages import (
    PAGE_BYTES,
    PROTOCOL_MINOR,
    PROTOCOL_VERSION,
    CommandKind,
    CommandResult,
    ConfigurationPage,
    ConfigurationSlot,
    Error,
    ErrorCode,
    GetConfiguration,
    GetLog,
    GetResults,
    Info,
    LogPage,
    Mode,
    Reply,
    ResultScope,
    ResultsPage,
    Status,
    decode_bolus_order,
    decode_configuration,
)

__all__ = ["FIRMWARE_VERSION", "configuration_page", "info", "log_page", "read_back", "results_page", "status"]

FIRMWARE_VERSION = "1.0.0"
_RESULTS_PAGE = 8
_ERI_NOT_RAISED = 65_535


def info(machine: Machine, session: Session) -> Info:
    """Who the pump is."""
    profile, memory = machine.profile, machine.memory
    return Info(
        serial=memory.serial,
        profile=profile.name,
        firmware=FIRMWARE_VERSION,
        protocol_major_max=PROTOCOL_VERSION,
        protocol_minor=PROTOCOL_MINOR,
        simulated=True,
        memory_id=memory.memory_id,
        role=session.role,
        last_cmd_id=machine.state.programmers[session.number].last_cmd_id,
        pulse_volume_nL=profile.pulse_volume_nL,
        capacity_nL=profile.capacity_nL,
        residual_nL=profile.residual_nL,
        minimum_rate_nL_per_day=profile.minimum_rate_nL_per_day,
        flow_min_nL_per_day=profile.flow_min_nL_per_day,
        flow_max_nL_per_day=profile.flow_max_nL_per_day,
        accuracy_ppm=profile.accuracy_ppm,
        constants_hash=profile.constants_hash,
    )


def _path_concentration(machine: Machine) -> int:
    """The highest concentration that the path may still hold; the label's own when it is clear, 0 without a configuration."""
    state, configuration = machine.state, machine.configuration
    if configuration is None:
        return 0
    return state.path_concentration_ng_per_mL if state.path_clear > machine.pulses else configuration.concentration_ng_per_mL


def status(machine: Machine, session: Session) -> Status:
    """The present state."""
    state, now_ms, configuration = machine.state, machine.now_ms, machine.configuration
    patient = machine.patient()
    lockout_ms = configuration.patient_lockout_min * 60_000 if configuration is not None else 0
    bolus = state.bolus
    return Status(
        uptime_ms=now_ms,
        wall_s=machine.wall_s(now_ms),
        run_state=state.run_state,
        mode=_mode(machine),
        bridging=state.drive is Drive.THERAPY and machine.bridge_left() > 0,
        flow_nL_per_day=machine.delivery.flow_at(now_ms),
        revision=state.revision,
        digest=machine.active_digest(),
        drug=configuration.drug if configuration is not None else "",
        concentration_ng_per_mL=configuration.concentration_ng_per_mL if configuration is not None else 0,
        week_offset_ms=configuration.week_offset_ms if configuration is not None else 0,
        reservoir_nL=machine.reservoir_nL(),
        low_alarm_nL=configuration.low_alarm_nL if configuration is not None else 0,
        path_concentration_ng_per_mL=_path_concentration(machine),
        path_left_pulses=max(0, state.path_clear - machine.pulses),
        lifetime_pulses=machine.pulses,
        bolus_counter=machine.bolus_counter(),
        bridge_left_pulses=machine.bridge_left(),
        bolus_kind=bolus.kind,
        bolus_state=bolus.state,
        bolus_requested=bolus.requested,
        bolus_delivered=machine.bolus_delivered(),
        bolus_left_ms=bolus.start_ms + bolus.duration_ms - now_ms if bolus.running else 0,
        mass_24h_ng=machine.ledger.mass_24h(now_ms),
        patient_granted_24h=patient.granted_24h(now_ms),
        patient_granted=patient.granted,
        patient_denied=patient.denied,
        lockout_left_ms=patient.lockout_left_ms(now_ms, lockout_ms),
        last_change_by=state.changed_by,
        last_change_ms=state.changed_ms,
        last_change_kind=state.changed_kind,
        others_unconfirmed=min(len(_others_unconfirmed(machine, session)), 255),
        battery_permille=machine.hardware.battery_permille(),
        eri_left_days=_eri_left_days(machine),
        resets=machine.resets,
        doubt_pulses=state.doubt,
        log_next_seq=machine.log.next_seq,
        alarms=machine.panel.states(now_ms),
    )


def _mode(machine: Machine) -> Mode:
    if machine.state.drive is Drive.MINIMUM:
        return Mode.MINIMUM_RATE
    return machine.configuration.mode if machine.configuration is not None else Mode.STOPPED


def _eri_left_days(machine: Machine) -> int:
    end_ms = eos_ms(machine)
    return _ERI_NOT_RAISED if end_ms is None else max(0, end_ms - machine.now_ms) // DAY_MS


def configuration_page(machine: Machine, request: GetConfiguration, staging: Staging) -> Reply:
    """A page of a stored configuration; an empty one if there is none."""
    state = machine.state
    if request.slot is ConfigurationSlot.ACTIVE:
        revision, raw = state.active_revision, state.active
    elif request.slot is ConfigurationSlot.PREVIOUS:
        revision, raw = state.previous_revision, state.previous
    else:
        payload = staging.current()
        staged = payload is not None and payload.kind is CommandKind.CONFIGURE
        revision, raw = (payload.base_revision, payload.taken) if payload is not None and staged else (0, b"")
    if request.offset > len(raw):
        return Error(code=ErrorCode.OUT_OF_RANGE, detail=2, cmd_id=0)
    page = raw[request.offset : request.offset + PAGE_BYTES]
    return ConfigurationPage(revision=revision, total_length=len(raw), offset=request.offset, page=page)


def log_page(machine: Machine, request: GetLog) -> LogPage:
    """Entries of the log."""
    return LogPage(next_seq=machine.log.next_seq, entries=machine.log.page(request.from_seq, request.max_entries))


def results_page(machine: Machine, session: Session, request: GetResults) -> ResultsPage:
    """Stored results, newest first."""
    if request.scope is ResultScope.OWN:
        kept = machine.results.results(session.number, machine.state.programmers[session.number])
        results = [live(machine, session.number, result) for result in kept]
    else:
        results = sorted(_others_unconfirmed(machine, session), key=lambda result: -result.uptime_ms)
    page = results[request.skip : request.skip + _RESULTS_PAGE]
    return ResultsPage(total=min(len(results), 255), results=tuple(page))


def _others_unconfirmed(machine: Machine, session: Session) -> list[CommandResult]:
    found = []
    for number, record in enumerate(machine.state.programmers):
        if number != session.number:
            kept = machine.results.results(number, record)
            found += [live(machine, number, result) for result in kept if not result.confirmed]
    return found


def read_back(machine: Machine, cmd_id: int, payload: Payload | None) -> Reply:
    """What the pump understood of the staged payload."""
    revision, active = machine.state.revision, machine.configuration
    if payload is not None and payload.kind is CommandKind.CONFIGURE:
        configuration = decode_configuration(payload.taken)
        present = machine.present()
        anchor_ms = periodic_anchor_ms(configuration, present.active, present.anchor_ms, machine.now_ms)
        return configuration_read_back(
            configuration,
            machine.profile,
            anchor_ms,
            cmd_id=cmd_id,
            digest=payload.digest,
            base_revision=payload.base_revision,
            current_revision=revision,
        )
    # An unconfigured pump keeps no staged bolus (`limits.check_bolus`).
    if payload is None or active is None:
        return Error(code=ErrorCode.NOT_STAGED, detail=0, cmd_id=cmd_id)
    order = decode_bolus_order(payload.taken)
    return bolus_read_back(
        order,
        active,
        machine.profile,
        cmd_id=cmd_id,
        digest=payload.digest,
        base_revision=payload.base_revision,
        current_revision=revision,
    )
