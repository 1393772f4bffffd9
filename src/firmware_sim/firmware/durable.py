"""The pump's durable state: what a command or an event changes in one atomic step, and its byte layout in the journal.

Pulses and the alive stamp change between events and have records of their own (`materialise`). The result of
a command and its log entries travel inside the same record as its effect: there is no instant at which one is durable and the other
is not (safety 4.2). Not modelled: state of the link, staged data and alarm silences, which a reset is meant to forget.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from firmware_sim.firmware.ledger import BUCKETS
from itbpump.wire.messages import PROGRAMMERS, BolusKind, BolusState, CommandKind, RunState

__all__ = ["NOBODY", "NO_OWNER", "BolusRecord", "Drive", "Durable", "ProgrammerRecord", "decode_durable", "encode_durable"]

NOBODY = bytes(8)
"""Programmer id of a change the pump made by itself."""
NO_OWNER = 255
"""Owner of a patient bolus: no pairing record."""


class Drive(IntEnum):
    """What flows when no bolus runs."""

    NONE = 0
    MINIMUM = 1
    THERAPY = 2


@dataclass(frozen=True, slots=True)
class BolusRecord:
    """The running or last single, priming or patient bolus. `delivered` counts only once it has ended; `owner` is a pairing number."""

    kind: BolusKind = BolusKind.NONE
    state: BolusState = BolusState.IDLE
    requested: int = 0
    delivered: int = 0
    doubt: int = 0
    start_ms: int = 0
    duration_ms: int = 0
    start_lifetime: int = 0
    owner: int = NO_OWNER
    cmd_id: int = 0

    @property
    def running(self) -> bool:
        """Whether it is in progress."""
        return self.state is BolusState.RUNNING


@dataclass(frozen=True, slots=True)
class ProgrammerRecord:
    """Per pairing record: highest command id taken, how many results were stored in its ring, and the highest id that was pushed out."""

    last_cmd_id: int = 0
    results: int = 0
    pushed_out: int = 0


@dataclass(frozen=True, slots=True)
class Durable:
    """One journal record. Times are uptime in ms, volumes nL, `residual_units` 1/86,400,000 nL; None where something never happened."""

    sequence: int = 0
    revision: int = 0
    active_revision: int = 0
    previous_revision: int = 0
    active: bytes = b""
    previous: bytes = b""
    run_state: RunState = RunState.UNCONFIGURED
    drive: Drive = Drive.NONE
    anchor_ms: int = 0
    bridge_end: int = 0
    """Lifetime pulse count at which the bridge ends; 0 without one."""
    at_ms: int = 0
    """Uptime at which this record was written; residual and counters below are of that instant."""
    residual_units: int = 0
    lifetime: int = 0
    bolus_counter: int = 0
    """Bolus counter without the pulses of a running bolus."""
    bolus: BolusRecord = BolusRecord()
    entered_nL: int = 0
    entered_lifetime: int = 0
    stopped_since_ms: int | None = None
    eri_since_ms: int | None = None
    primed_ms: int | None = None
    """Start of the last priming bolus."""
    changed_by: bytes = NOBODY
    changed_ms: int = 0
    changed_kind: CommandKind = CommandKind.NONE
    wall_s: int = 0
    wall_set_ms: int = 0
    granted: int = 0
    denied: int = 0
    doubt: int = 0
    encoder_offset: int = 0
    """Lifetime pulses less encoder pulses while nothing is missed."""
    grants_ms: tuple[int, ...] = ()
    """Starts of the patient boluses of the last 24 h and of the one before."""
    alarms: tuple[tuple[int, int], ...] = ()
    """(number, since) of the active alarms."""
    path_concentration_ng_per_mL: int = 0
    """Concentration the path held before the last change of label; 0 if it holds the active one."""
    path_clear: int = 0
    """Lifetime pulse count at which the old contents are out of the path."""
    written_by: bytes = bytes(8)
    """`selftest.fingerprint` of the program that wrote the record; zeros from formatting."""
    locked_until_ms: int | None = None
    """No start before this: the same alarm came back too often (SR-58)."""
    watchdogs_ms: tuple[int, ...] = ()
    """Resets by the watchdog within the profile's window, oldest first."""
    emergencies_ms: tuple[int, ...] = ()
    """Emergency sessions of the last hour, oldest first; at most the newest few."""
    alert_stops: tuple[tuple[int, int], ...] = ()
    """(alarm, at) of the alarms that took delivery away within the profile's window, oldest first; at most the newest few."""
    buckets: tuple[int, ...] = (0,) * BUCKETS
    """`Ledger.buckets` at `at_ms`."""
    programmers: tuple[ProgrammerRecord, ...] = (ProgrammerRecord(),) * PROGRAMMERS
    pending_results: tuple[bytes, ...] = ()
    """Records of the results ring written together with this one; each begins with its place."""
    pending_log: tuple[bytes, ...] = ()
    """Log records written together with this one."""


_HEAD = struct.Struct(">IIIIBBQQQqQQQQQQQ8sQBIQIIIqIQ8sQ")
_BUCKETS = struct.Struct(f">{BUCKETS}Q")
_BOLUS = struct.Struct(">BBIIBQQQBQ")
_PROGRAMMER = struct.Struct(">QIQ")
_ALARM = struct.Struct(">BQ")
_NEVER = 0xFFFF_FFFF_FFFF_FFFF


def encode_durable(state: Durable) -> bytes:
    """Bytes of the record, without CRC."""
    head = _HEAD.pack(
        state.sequence,
        state.revision,
        state.active_revision,
        state.previous_revision,
        state.run_state,
        state.drive,
        state.anchor_ms,
        state.bridge_end,
        state.at_ms,
        state.residual_units,
        state.lifetime,
        state.bolus_counter,
        state.entered_nL,
        state.entered_lifetime,
        _or_never(state.stopped_since_ms),
        _or_never(state.eri_since_ms),
        _or_never(state.primed_ms),
        state.changed_by,
        state.changed_ms,
        state.changed_kind,
        state.wall_s,
        state.wall_set_ms,
        state.granted,
        state.denied,
        state.doubt,
        state.encoder_offset,
        state.path_concentration_ng_per_mL,
        state.path_clear,
        state.written_by,
        _or_never(state.locked_until_ms),
    )
    bolus = state.bolus
    parts = [
        head,
        _BOLUS.pack(
            bolus.kind,
            bolus.state,
            bolus.requested,
            bolus.delivered,
            bolus.doubt,
            bolus.start_ms,
            bolus.duration_ms,
            bolus.start_lifetime,
            bolus.owner,
            bolus.cmd_id,
        ),
        _BUCKETS.pack(*state.buckets),
        *(_PROGRAMMER.pack(record.last_cmd_id, record.results, record.pushed_out) for record in state.programmers),
    ]
    for pairs in (state.alarms, state.alert_stops):
        parts += [bytes([len(pairs)]), *(_ALARM.pack(number, at_ms) for number, at_ms in pairs)]
    for times_ms in (state.grants_ms, state.watchdogs_ms, state.emergencies_ms):
        parts += [bytes([len(times_ms)]), *(at_ms.to_bytes(8, "big") for at_ms in times_ms)]
    for blobs in ((state.active, state.previous), state.pending_results, state.pending_log):
        parts.append(bytes([len(blobs)]))
        parts.extend(len(blob).to_bytes(2, "big") + blob for blob in blobs)
    return b"".join(parts)


def decode_durable(raw: bytes) -> Durable:
    """The record of these bytes; raises ValueError if they are none (their CRC has been judged before)."""
    reader = _Reader(raw)
    head = reader.unpack(_HEAD)
    bolus = reader.unpack(_BOLUS)
    buckets = reader.unpack(_BUCKETS)
    programmers = tuple(ProgrammerRecord(*reader.unpack(_PROGRAMMER)) for _ in range(PROGRAMMERS))
    alarms, alert_stops = (reader.alarms() for _ in range(2))
    grants_ms, watchdogs_ms, emergencies_ms = (reader.times() for _ in range(3))
    (active, previous), results, log = (reader.blobs() for _ in range(3))
    reader.end()
    return Durable(
        sequence=head[0],
        revision=head[1],
        active_revision=head[2],
        previous_revision=head[3],
        active=active,
        previous=previous,
        run_state=RunState(head[4]),
        drive=Drive(head[5]),
        anchor_ms=head[6],
        bridge_end=head[7],
        at_ms=head[8],
        residual_units=head[9],
        lifetime=head[10],
        bolus_counter=head[11],
        bolus=BolusRecord(BolusKind(bolus[0]), BolusState(bolus[1]), *bolus[2:]),
        entered_nL=head[12],
        entered_lifetime=head[13],
        stopped_since_ms=_unless_never(head[14]),
        eri_since_ms=_unless_never(head[15]),
        primed_ms=_unless_never(head[16]),
        changed_by=head[17],
        changed_ms=head[18],
        changed_kind=CommandKind(head[19]),
        wall_s=head[20],
        wall_set_ms=head[21],
        granted=head[22],
        denied=head[23],
        doubt=head[24],
        encoder_offset=head[25],
        path_concentration_ng_per_mL=head[26],
        path_clear=head[27],
        written_by=head[28],
        locked_until_ms=_unless_never(head[29]),
        watchdogs_ms=watchdogs_ms,
        emergencies_ms=emergencies_ms,
        alert_stops=alert_stops,
        buckets=buckets,
        grants_ms=grants_ms,
        alarms=alarms,
        programmers=programmers,
        pending_results=results,
        pending_log=log,
    )


class _Reader:
    """Takes bytes from the front."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    def take(self, size: int) -> bytes:
        if self._at + size > len(self._raw):
            raise ValueError(f"a journal record of {len(self._raw)} bytes ends within a field at {self._at}")
        self._at += size
        return self._raw[self._at - size : self._at]

    def unpack(self, layout: struct.Struct) -> tuple[Any, ...]:
        return layout.unpack(self.take(layout.size))

    def byte(self) -> int:
        return self.take(1)[0]

    def alarms(self) -> tuple[tuple[int, int], ...]:
        return tuple((number, at_ms) for number, at_ms in (self.unpack(_ALARM) for _ in range(self.byte())))

    def times(self) -> tuple[int, ...]:
        return tuple(int.from_bytes(self.take(8), "big") for _ in range(self.byte()))

    def blobs(self) -> tuple[bytes, ...]:
        return tuple(self.take(int.from_bytes(self.take(2), "big")) for _ in range(self.byte()))

    def end(self) -> None:
        if self._at != len(self._raw):
            raise ValueError(f"{len(self._raw) - self._at} bytes are left over after a journal record")


def _or_never(time_ms: int | None) -> int:
    return _NEVER if time_ms is None else time_ms


def _unless_never(raw: int) -> int | None:
    return None if raw == _NEVER else raw
