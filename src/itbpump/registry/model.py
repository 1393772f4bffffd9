"""What goes into the registry and what comes out, as plain frozen values. Volumes in nL, flows in nL/day. No names of people anywhere.

`PumpRow` and `DateRow` have the fields of `alerts.model.WatchedPump` and `RefillDates`; alerts stand above this room, so they convert. A
reading of a face (`wording.pumpview.PumpView`) fits `Reading`. Not here: tables, words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from itbpump.forecast import Calibration
    from itbpump.wire.messages import Info, Status

__all__ = [
    "AppointmentRow",
    "CommandRow",
    "ContactRow",
    "DateRow",
    "Learned",
    "ObservationRow",
    "PatientRow",
    "PumpHistory",
    "PumpRow",
    "PumpSummary",
    "Reading",
    "ReadingRow",
    "RefillRow",
    "SetAside",
    "TherapyRow",
    "alarm_id",
    "shown_address",
]

_ALARM_IDS = {"REPLACEMENT": "replacement-indicator"}


def alarm_id(number: int) -> str:
    """The id under which alerts and screens know a pump's alarm; `alarm-N` for one that this version does not know."""
    from itbpump.wire.messages import AlarmNumber  # noqa: PLC0415  (only where wire bytes are at hand anyway)

    if number not in AlarmNumber._value2member_map_:
        return f"alarm-{number}"
    name = AlarmNumber(number).name
    return _ALARM_IDS.get(name, name.lower().replace("_", "-"))


class Reading(Protocol):
    """One reading of a pump, with the host's time of it."""

    @property
    def info(self) -> Info: ...

    @property
    def status(self) -> Status: ...

    @property
    def host_now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class DateRow:
    """Dates of one pump as they were computed, or told by an import, at the pump's own offset; None for no date."""

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
class PumpRow:
    """The newest of everything that is known of one pump that is in use. `cycle` counts its fills. `zone`: IANA, UTC where none was told.

    `visit_on`: the first appointment that stands, missed ones included. `previous_refill_by` with `moved_because`: the date before a change
    of therapy in this cycle moved it. `discrepancy_open`: a suspicious difference that nobody has decided on. `stopped_since`: since when
    no therapy flows, also at the minimum rate. `retired_on`: set for a pump that was read after it was retired; it has no dates then.
    """

    serial: str
    memory_id: str
    patient_id: str
    profile: str
    cycle: int
    dates: DateRow | None
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
class Learned:
    """What a session with a pump takes from here: what its refills taught of its flow (None before the first), the day of implant, and
    whose pump it is."""

    calibration: Calibration | None
    implanted_on: date | None
    patient_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReadingRow:
    """A reading as it was kept; the wire bytes decode to `Status` and `Configuration`."""

    taken_at: datetime
    by: str
    run_state: str
    mode: str
    stopped_since: datetime | None
    revision: int
    digest: str
    reservoir_nL: int
    mean_flow_nL_per_day: int
    lifetime_pulses: int
    battery_permille: int
    eri_left_days: int | None
    resets: int
    alarms: str
    link: str
    status_wire: bytes
    configuration_wire: bytes | None


@dataclass(frozen=True, slots=True)
class SetAside:
    """A reading that is kept and not gone by: `taken_at`, by that workstation's clock, is later than a reading the pump made after it."""

    serial: str
    taken_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class RefillRow:
    """A refill; None where it is not known. `source`: command (told from here), log (seen in the pump's log), import, entry (by hand)."""

    id: int
    at: datetime
    by: str
    source: str
    expected_nL: int | None
    aspirated_nL: int | None
    filled_nL: int | None
    after_nL: int | None
    counted_nL: int | None
    discrepancy_nL: int | None
    tolerance_nL: int | None
    suspicious: bool
    decision: str

    @property
    def is_open(self) -> bool:
        """A suspicious difference that nobody has decided on."""
        return self.suspicious and not self.decision


@dataclass(frozen=True, slots=True)
class TherapyRow:
    """A therapy that was programmed: its prescription file as text, the configuration's digest, the digest of its review."""

    since: datetime
    patient_id: str | None
    prescription: str
    digest: str
    review_digest: str
    by: str
    second: str


@dataclass(frozen=True, slots=True)
class CommandRow:
    """A decision of a workstation, with what it rested on (JSON) and what became of it. `at` is when it came into the registry."""

    programmer_id: str
    cmd_id: int
    kind: str
    what: str
    state: str
    note: str
    basis: str
    at: datetime
    by: str
    second: str


@dataclass(frozen=True, slots=True)
class ObservationRow:
    """What was seen of a patient: a grade on a scale at a site, a side effect by its code, or a note."""

    patient_id: str
    at: datetime
    by: str
    scale: str
    site: str
    grade: str
    text: str


@dataclass(frozen=True, slots=True)
class AppointmentRow:
    """A visit that was booked; kept by the fill of that day or a later one, or cancelled, or still standing."""

    visit_on: date
    made_at: datetime
    by: str
    kept_at: datetime | None
    cancelled_at: datetime | None
    cancelled_because: str | None


@dataclass(frozen=True, slots=True)
class ContactRow:
    """Where word goes, in order; the fields of `alerts.model.Contact`."""

    id: str
    position: int
    channel: str
    address: str
    escalate_after_h: int
    shows_patient: bool


def shown_address(address: str) -> str:
    """For people and their tools: a service's URL holds its keys, so only the service is named."""
    service, sign, _ = address.partition("://")
    return f"{service}://…" if sign else address


@dataclass(frozen=True, slots=True)
class PatientRow:
    """A patient: an opaque id, a zone, and the pumps assigned now."""

    id: str
    zone: str
    pumps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PumpSummary:
    """A pump in a list. `retired_because` is empty for one in use."""

    serial: str
    memory_id: str
    profile: str
    simulated: bool
    patient_id: str
    last_seen: datetime | None
    refill_by: date | None
    limited_by: str
    retired_because: str


@dataclass(frozen=True, slots=True)
class PumpHistory:
    """Everything kept of one pump, oldest first."""

    pump: PumpSummary
    readings: tuple[ReadingRow, ...]
    dates: tuple[DateRow, ...]
    refills: tuple[RefillRow, ...]
    therapies: tuple[TherapyRow, ...]
    commands: tuple[CommandRow, ...]
    appointments: tuple[AppointmentRow, ...]
    calibrations: tuple[Mapping[str, Any], ...]
