"""What the alerts speak of, as plain frozen values: what is watched, what is found, what is to be told to whom.

Pure. `rules` make alerts of watched pumps, `store` keeps them, `channels` tell them. An alert that fired and a notification that
was delivered are two things, and both are kept. Not here: patients' names; a patient is an opaque id, and third parties get not even that.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import IntEnum, StrEnum

__all__ = ["Alert", "AlertKind", "Contact", "Notification", "RefillDates", "Stage", "WatchedPump"]


class AlertKind(StrEnum):
    """What an alert is about."""

    REFILL = "refill"
    STABILITY = "stability"
    BATTERY = "battery"
    CALIBRATION = "calibration"
    DISCREPANCY = "discrepancy"
    MISSED_VISIT = "missed-visit"
    SILENT_PUMP = "silent-pump"
    LEFT_STOPPED = "left-stopped"
    DATE_MOVED = "date-moved"
    PUMP_ALARM = "pump-alarm"
    RETIRED_PUMP = "retired-pump"


class Stage(IntEnum):
    """How near it is; only a refill, a change of its date or a settled cause leads back."""

    SCHEDULED = 0
    DUE_SOON = 1
    DUE = 2
    OVERDUE = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """`due soon`."""
        return self.name.lower().replace("_", " ")


@dataclass(frozen=True, slots=True)
class RefillDates:
    """Dates of one pump as its forecast gave them, at the pump's own offset; None for no date. `limited_by` as in the forecast."""

    computed_at: datetime
    alarm: date | None
    low_earliest: date | None
    low_nominal: date | None
    low_latest: date | None
    empty_earliest: date | None
    empty_nominal: date | None
    empty_latest: date | None
    refill_by: date | None
    limited_by: str
    stable_until: date | None = None
    battery_until: date | None = None


@dataclass(frozen=True, slots=True)
class WatchedPump:
    """What the rules look at: the newest of everything the registry knows of one pump. Volumes in nL.

    `cycle` counts refills, so that one refill's alerts are not another's. `alarms` are the pump's own, by id. `zone` is the patient's
    time zone (IANA), `visit_on` the appointment, `previous_refill_by` the date before the last change of therapy with `moved_because`.
    `mode` is the programmed one; `stopped_since`: since when no therapy flows, also at the minimum rate. `retired_on`: the pump was taken
    out of use then, and was read after it. `simulated`: the pump says that it is; it is watched like any other, and every word about it
    says so.
    """

    serial: str
    memory_id: str
    patient_id: str
    profile: str
    cycle: int
    dates: RefillDates | None
    last_seen: datetime | None
    run_state: str = "running"
    stopped_since: datetime | None = None
    zone: str = "UTC"
    visit_on: date | None = None
    previous_refill_by: date | None = None
    moved_because: str = ""
    mean_flow_nL_per_day: int = 0
    reservoir_nL: int = 0
    alarms: tuple[str, ...] = ()
    calibration_ppm: int | None = None
    calibration_drifts: bool = False
    discrepancy_nL: int | None = None
    discrepancy_open: bool = False
    simulated: bool = False
    mode: str = ""
    retired_on: datetime | None = None


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing found. `key` is its fingerprint: the same pump, kind and cycle are the same alert, whatever its stage."""

    key: str
    kind: AlertKind
    stage: Stage
    serial: str
    memory_id: str
    patient_id: str
    cycle: int
    due: date | None
    title: str
    lines: tuple[str, ...]
    since: datetime
    supersedes: str = ""

    @property
    def is_critical(self) -> bool:
        """Nothing silences it."""
        return self.stage is Stage.CRITICAL


@dataclass(frozen=True, slots=True)
class Contact:
    """Where word goes, in order of escalation. `channel` is a name of the channel table, `address` what that needs; never in a log.

    `escalate_after_h`: hours without an acknowledgement until the next contact is told. `shows_patient`: the opaque id may be sent.
    """

    id: str
    order: int
    channel: str
    address: str
    escalate_after_h: int = 24
    shows_patient: bool = False


@dataclass(frozen=True, slots=True)
class Notification:
    """One message to one contact. `idempotency_key` is the same for the same alert, stage, round and contact, for ever; a mail's Message-ID
    is made of it. `sequence` and `uid` are the calendar entry's.
    """

    idempotency_key: str
    alerts: tuple[Alert, ...]
    contact: Contact
    subject: str
    lines: tuple[str, ...]
    made_at: datetime
    round: int = 0
    uid: str = ""
    sequence: int = 0
    cancels: bool = False
    extra: dict[str, str] = field(default_factory=dict)
