"""What is known when a task begins: the pump as just read, its log, and the patient as last programmed from this computer.

`gather` is the only function here that talks to a pump; it changes nothing in it. The record of the patient comes from the newest decision
kept on this computer (`basis_with`): a pump knows no patient (SR-20).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from itbpump.errors import PrescriptionError

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.present import PresentPump
    from itbpump.profiles import PumpProfile
    from itbpump.pump import Pump
    from itbpump.therapy import Medication, Patient, Prescription
    from itbpump.wire.messages import CommandResult, Configuration, Info, LogEntry, Status

__all__ = ["PERSON_KEY", "RX_KEY", "Facts", "Person", "Policy", "gather", "patient_record", "person_record", "with_prescription"]

RX_KEY = "prescription"
"""Under which a decision's record keeps the prescription, as TOML text."""
PERSON_KEY = "person"
"""Under which the record of an order without a prescription keeps for whom it was."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a clinic asks beyond the rules: `second_always` wants a second person for every change of a dose; `user` is who sits here;
    `clinic_library` the folder of its own limits; `contact` its line on emergency cards."""

    second_always: bool = False
    user: str = ""
    clinic_library: Path | None = None
    contact: str = ""


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a pump treats, as far as limits hang on it: opaque id, indication, age, other drugs."""

    patient: Patient
    medication: tuple[Medication, ...] = ()

    def json(self) -> dict[str, Any]:
        """As a decision's record keeps it."""
        return {
            "patient": self.patient.model_dump(mode="json"),
            "medication": [one.model_dump(mode="json", by_alias=True) for one in self.medication],
        }


@dataclass(frozen=True)
class Facts:
    """A pump as it was read, and whom it treats. `rx` is the prescription last programmed here or opened from a file (`opened`); None if
    unknown. `typed`: whom the newest order from here without a prescription (a bolus, a prime) was for.
    """

    url: str
    info: Info
    profile: PumpProfile
    status: Status
    present: PresentPump
    log: tuple[LogEntry, ...]
    previous: Configuration | None = None
    others: tuple[CommandResult, ...] = ()
    decisions: tuple[Intent, ...] = ()
    rx: Prescription | None = None
    policy: Policy = field(default_factory=Policy)
    opened: bool = False
    typed: Person | None = None

    @property
    def person(self) -> Person | None:
        """Whom it treats: by the prescription, else as it was told with an order; None where nobody knows."""
        return Person(self.rx.patient, tuple(self.rx.medication)) if self.rx is not None else self.typed

    @property
    def patient_id(self) -> str:
        """Whose therapy was programmed here last, or who was named with an order; empty where nobody knows."""
        return self.person.patient.id if self.person is not None else self.present.patient_id or ""


def gather(
    pump: Pump,
    *,
    policy: Policy | None = None,
    rx: Prescription | None = None,
    log: Sequence[LogEntry] | None = None,
) -> Facts:
    """Read everything a task may ask for. `log`: entries read before, oldest first; only newer ones are fetched then.

    Raises LinkError, TransportError, and ConfigurationError for a pump that changed while it was read.
    """
    from itbpump.wire.messages import ConfigurationSlot  # noqa: PLC0415 -- with the pump's own rooms; `Policy` needs none of them

    present = pump.present()
    status = pump.status()
    known = tuple(log or ())
    entries = (*known, *pump.log(known[-1].seq + 1 if known else 0))
    return Facts(
        url=pump.session.transport.url,
        info=pump.info,
        profile=pump.profile,
        status=status,
        present=present,
        log=entries,
        previous=pump.configuration(ConfigurationSlot.PREVIOUS) if status.revision > 1 else None,
        others=pump.others_unconfirmed(),
        decisions=pump.decisions(),
        rx=rx if rx is not None else patient_record(pump),
        policy=policy if policy is not None else Policy(),
        opened=rx is not None,
        typed=person_record(pump),
    )


def patient_record(pump: Pump) -> Prescription | None:
    """The prescription of the newest decision that the pump carried out; None where none is kept, or an older version wrote it."""
    from itbpump.therapy import load_prescription  # noqa: PLC0415 -- pydantic costs 60 ms

    for intent in reversed(pump.decisions()):
        kept = json.loads(intent.basis).get(RX_KEY) if intent.basis and intent.state == "applied" else None
        if kept is not None:
            try:
                return load_prescription(str(kept))
            except PrescriptionError:  # of another version of the form: the patient is asked for again
                return None
    return None


def person_record(pump: Pump) -> Person | None:
    """Whom the newest order was for that the pump carried out and that kept it; None where none did, or an older version wrote it."""
    from itbpump.therapy import Medication, Patient  # noqa: PLC0415 -- the same

    for intent in reversed(pump.decisions()):
        kept = json.loads(intent.basis).get(PERSON_KEY) if intent.basis and intent.state == "applied" else None
        if kept is not None:
            try:
                medication = tuple(Medication.model_validate(one) for one in kept["medication"])
                return Person(Patient.model_validate(kept["patient"]), medication)
            except (ValueError, KeyError, TypeError):  # of another version of the form: the person is asked for again
                return None
    return None


def with_prescription(basis: Mapping[str, Any], rx: Prescription | None) -> dict[str, Any]:
    """A decision's record with the prescription it was about."""
    from itbpump.therapy import dump_prescription  # noqa: PLC0415 -- the same

    return dict(basis) if rx is None else {**basis, RX_KEY: dump_prescription(rx)}
