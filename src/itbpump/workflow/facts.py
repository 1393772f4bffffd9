"""What is known when a task begins: the pump as just read, its log, and the patient as last programmed from this computer.

`gather` is the only function here that talks to a pump; it changes nothing in it. The record of the patient comes from the newest decision
kept on this computer (`basis_with`): a pump knows no patient (SR-20).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from itbpump.errors import PrescriptionError
from itbpump.hoststate import Intent
from itbpump.present import PresentPump
from itbpump.profiles import PumpProfile
from itbpump.pump import Pump
from itbpump.therapy import Prescription, dump_prescription, load_prescription
from itbpump.wire.messages import CommandResult, Configuration, ConfigurationSlot, Info, LogEntry, Status

__all__ = ["RX_KEY", "Facts", "Policy", "gather", "patient_record", "with_prescription"]

RX_KEY = "prescription"
"""Under which a decision's record keeps the prescription, as TOML text."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a clinic asks beyond the rules: `second_always` wants a second person for every change of a dose; `user` is who sits here;
    `clinic_library` the folder of its own limits; `contact` its line on emergency cards."""

    second_always: bool = False
    user: str = ""
    clinic_library: Path | None = None
    contact: str = ""


@dataclass(frozen=True)
class Facts:
    """A pump as it was read, and whom it treats. `rx` is the prescription last programmed here or opened from a file; None if unknown."""

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

    @property
    def patient_id(self) -> str:
        """Whose therapy was programmed here last; empty where nobody knows."""
        return self.rx.patient.id if self.rx is not None else self.present.patient_id or ""


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
    )


def patient_record(pump: Pump) -> Prescription | None:
    """The prescription of the newest decision that the pump carried out; None where none is kept, or an older version wrote it."""
    for intent in reversed(pump.decisions()):
        kept = json.loads(intent.basis).get(RX_KEY) if intent.basis and intent.state == "applied" else None
        if kept is not None:
            try:
                return load_prescription(str(kept))
            except PrescriptionError:  # of another version of the form: the patient is asked for again
                return None
    return None


def with_prescription(basis: Mapping[str, Any], rx: Prescription | None) -> dict[str, Any]:
    """A decision's record with the prescription it was about."""
    return dict(basis) if rx is None else {**basis, RX_KEY: dump_prescription(rx)}
