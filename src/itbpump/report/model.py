"""What a visit to a pump leaves behind, as plain exact values: nothing here holds a pump, a line or a file.

`Visit` (visit.py) makes a `SessionRecord`; the renderers read it. Amounts are exact with their unit in the type, times carry an offset.
What nobody knows is None or empty, and every form says so in words. Not here: how it is shown, where it is kept, names of people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from types import MappingProxyType
from typing import Any

from itbpump.drugs.model import Texts
from itbpump.errors import ItbPumpError
from itbpump.forecast import Forecast
from itbpump.quantity import Concentration, Mass, MassRate, Volume
from itbpump.refill import Refill
from itbpump.report.since import Delivered
from itbpump.safety import Finding, Override
from itbpump.safety.model import Achievable, Row
from itbpump.therapy_view import StepView

__all__ = [
    "Alarm",
    "BolusPulses",
    "Change",
    "Identity",
    "Note",
    "OutcomeWord",
    "PumpState",
    "ReportError",
    "SessionRecord",
    "Settlement",
    "Therapy",
    "Told",
    "Versions",
]

OutcomeWord = str
"""`applied`, `not applied`, `unknown` (SR-42)."""


class ReportError(ItbPumpError):
    """A report cannot be made; the text says why, `action` what to do."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose visit it was. `patient_id` is an opaque id, empty where nobody knows; `memory_id` is random, made at formatting."""

    patient_id: str
    serial: str
    profile: str
    firmware: str
    memory_id: str
    simulated: bool


@dataclass(frozen=True, slots=True)
class Alarm:
    """An active alarm in words; `priority` is `critical` or `non-critical`, `since` by the pump's own clock."""

    id: str
    priority: str
    text: str
    action: str
    since: str
    silenced: bool


@dataclass(frozen=True, slots=True)
class Therapy:
    """A configuration in doses, as the pump gives it. `rows`: label and text of all but the steps; `days`: the steps from Monday on."""

    mode: str
    mean_day: MassRate
    lowest_day: MassRate
    highest_day: MassRate
    highest_24h: MassRate
    rows: tuple[tuple[str, str], ...]
    days: tuple[tuple[StepView, ...], ...]
    patient_bolus: str = ""


@dataclass(frozen=True, slots=True)
class PumpState:
    """One reading of a pump. `drug`, `concentration`, `reservoir`, `low_alarm` and `therapy` are empty or None while it has none.

    `rows` are label and text of the whole reading as every screen shows it; the fields beside are the exact figures in it. `at` is host
    time, `battery_permille` 0 to 1000, `next_entry` the number the pump's next log entry gets, `digest` of the configuration, hex.
    """

    at: datetime
    run_state: str
    mode: str
    revision: int
    digest: str
    drug: str
    concentration: Concentration | None
    therapy: Therapy | None
    delivering: str
    dose_now: MassRate | None
    reservoir: Volume | None
    capacity: Volume
    low_alarm: Volume | None
    given_24h: Mass
    battery_permille: int
    alarms: tuple[Alarm, ...]
    unknown: tuple[str, ...]
    rows: tuple[tuple[str, str], ...]
    next_entry: int


@dataclass(frozen=True, slots=True)
class BolusPulses:
    """How far a bolus had come when its outcome was told: pulses, and what they are worth by the label."""

    requested: int
    delivered: int
    doubt: int
    state: str
    requested_mass: Mass | None = None
    delivered_mass: Mass | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """What became of a command. `agreed` and `disagreed` are the checks of the proof by name, both None where there is no proof."""

    word: OutcomeWord
    text: str
    agreed: tuple[str, ...] | None = None
    disagreed: tuple[str, ...] | None = None
    bolus: BolusPulses | None = None
    note: str = ""

    @property
    def proved(self) -> bool:
        """The pump was read afterwards, and everything agrees."""
        return self.agreed is not None and not self.disagreed


@dataclass(frozen=True, slots=True)
class Settlement:
    """What an unknown outcome turned out to be; `by` and `reason` where a person settled it by hand."""

    at: datetime
    told: Told
    by: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Change:
    """One command of the visit, with what was reviewed. `verdict` and `review` (its digest) are empty where nothing was judged."""

    at: datetime
    title: str
    cmd_id: int
    told: Told
    user: str = ""
    second: str = ""
    table: tuple[Row, ...] = ()
    achievable: tuple[Achievable, ...] = ()
    findings: tuple[Finding, ...] = ()
    overrides: tuple[Override, ...] = ()
    verdict: str = ""
    review: str = ""
    library: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    refill: Refill | None = None
    settled: Settlement | None = None

    @property
    def final(self) -> Told:
        """The last word on it."""
        return self.settled.told if self.settled is not None else self.told


@dataclass(frozen=True, slots=True)
class Note:
    """A point that was seen or done and ordered nothing: a checklist, a tone that was heard. `attention`: it stands at the top as well."""

    at: datetime
    text: str
    attention: bool = False


@dataclass(frozen=True, slots=True)
class Versions:
    """By what the figures were made. Hashes are hex; `library` as every review carries it. `log_chain` is empty while the protocol does not
    tell the hash of the pump's log."""

    companion: str
    protocol: str
    profile: str
    constants: str
    library: Mapping[str, Any]
    log_chain: str = ""


@dataclass(frozen=True, slots=True)
class SessionRecord:
    """A visit from its first reading to its last. `end` is None where the pump could not be read at the end: `end_note` says why.

    `dates` is None where there are none, `dates_note` says why. `care` are the drug's texts for emergencies, None for an unknown drug;
    `contact` is the clinic's own line, empty where none is set.
    """

    identity: Identity
    staff: tuple[str, ...]
    opened_at: datetime
    closed_at: datetime
    start: PumpState
    end: PumpState | None
    delivered: Delivered
    versions: Versions
    changes: tuple[Change, ...] = ()
    notes: tuple[Note, ...] = ()
    dates: Forecast | None = None
    end_note: str = ""
    dates_note: str = ""
    care: Texts | None = None
    contact: str = ""

    @property
    def last(self) -> PumpState:
        """The newest reading."""
        return self.end if self.end is not None else self.start

    @property
    def refills(self) -> tuple[Change, ...]:
        """The changes that came with a refill."""
        return tuple(change for change in self.changes if change.refill is not None)

    @property
    def open_outcomes(self) -> tuple[str, ...]:
        """Commands of which nobody knows whether the pump obeyed: of this visit, and those the last reading names."""
        own = [f"{change.title} (command {change.cmd_id})" for change in self.changes if change.final.word == "unknown"]
        ids = {f"(command {change.cmd_id})" for change in self.changes}
        return (*own, *(text for text in self.last.unknown if not any(text.endswith(known) for known in ids)))

    @property
    def unproven(self) -> tuple[str, ...]:
        """Commands that took effect but whose effect was not seen to run as meant."""
        applied = [change for change in self.changes if change.final.word == "applied"]
        return tuple(f"{change.title} (command {change.cmd_id})" for change in applied if change.final.disagreed)
