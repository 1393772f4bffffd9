"""`itbpump restore`: the stopped therapy, or the one before the present one, reviewed like any other and sent again.

A pump says what it gives, not to whom: the patient's data come from the prescription (`--rx`), or from `--indication` and `--age`.
Not here: therapies that the pump no longer holds; it keeps one beside the present one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, indication_of, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.patients import Age, Indication, PatientFile, read_patient
from itbpump.cli.programming import Json, confirm_dose, require_model, show_change
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, decided_json, pass_review

if TYPE_CHECKING:
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Configuration

__all__ = ["restore"]


def restore(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    *,
    rx: PatientFile = None,
    indication: Indication = None,
    age: Age = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Start the stopped therapy again, or take back the one before the present one: a normal review, then as `program`."""
    from itbpump.safety import basis_of
    from itbpump.safety import review as judge

    out = Output(as_json)
    patient = read_patient(rx, indication, age)
    if patient is None and indication is None:
        raise CommandError("the limits hang on the patient: give --rx RX, or --indication and --age", USAGE)
    with opened(url, dosing=True) as line:
        present = line.present()
        if present.configuration is not None:
            indication_of(library_for(present.configuration.drug, clinic_library), indication)
        stored, was_stopped = _stored(line, present)
        library = library_for(stored.drug, clinic_library)
        former = _as_prescription(stored, line, present, _told(patient, line, present, indication, age))
        _require_same(former, stored, present, line)
        found = judge(former, present, profile=line.profile, library=library)
        title = "Start the stopped therapy again" if was_stopped else "Restore the therapy before the present one"
        show_change(out, title, line, present, former, found)
        decision = pass_review(out, found, override, user, second)
        confirm_dose(out, line, former, found, yes=yes)
        basis = basis_of(found, decision, user, second, patient.patient.id if patient is not None else "")
        outcome = line.program(former, present, basis=basis) if was_stopped else line.restore(present, basis=basis)
        data = decided_json(found, decision)
        require_applied(out, outcome, url, data)
        out.data({**data, **outcome_json(outcome)})


def _stored(line: Pump, present: PresentPump) -> tuple[Configuration, bool]:
    """What is to be restored, and whether it is the present configuration of a pump that does not run it. CommandError (1) for nothing."""
    from itbpump.present import THERAPEUTIC
    from itbpump.wire.messages import ConfigurationSlot, RunState

    active = present.configuration
    if active is None:
        if present.has_lost_its_configuration:
            raise CommandError("the pump has lost its therapy; measure the reservoir, fill it, and tell both: itbpump refill URL --rx RX")
        raise CommandError("the pump has no therapy; program it by a prescription: itbpump program RX --pump URL")
    if present.run_state is not RunState.RUNNING and active.mode in THERAPEUTIC:
        return active, True
    previous = line.configuration(ConfigurationSlot.PREVIOUS)
    if previous is None:
        raise CommandError("the pump holds no earlier configuration; program it by a prescription")
    if present.bridging:
        raise CommandError("a bridge is in force; program by a prescription, which carries it on: itbpump program RX --pump URL")
    if _therapy_of(previous) == _therapy_of(active):
        raise CommandError(
            "the configuration before the present one holds the same therapy (a refill or a moved day came last, and the pump keeps only "
            "one); program by a prescription: itbpump program RX --pump URL"
        )
    return previous, False


def _therapy_of(configuration: Configuration) -> Configuration:
    """Without what belongs to the moment of its commit: volume, week, start, bridge."""
    from msgspec.structs import replace

    return replace(
        configuration,
        reservoir_set=False,
        reservoir_volume_nL=0,
        week_offset_ms=0,
        start=True,
        bridge_flow_nL_per_day=0,
        bridge_pulses=0,
    )


def _require_same(former: Prescription, stored: Configuration, present: PresentPump, line: Pump) -> None:
    """What is reviewed is what is sent. CommandError (1) for a stored therapy that no prescription makes."""
    from itbpump.configuration import wire_configuration

    if _therapy_of(wire_configuration(former, line.profile)) != _therapy_of(stored):
        raise CommandError(
            f"no prescription makes exactly what pump {line.info.serial} holds (revision {present.revision}), so it cannot be reviewed; "
            "program by a prescription: itbpump program RX --pump URL"
        )


# ------------------------------------------------------------------------------------------------ as a prescription
def _told(patient: Prescription | None, line: Pump, present: PresentPump, indication: str | None, age: int | None) -> dict[str, Any]:
    """The tables of a prescription that speak of the patient."""
    if patient is None:
        return {"patient": {"id": present.patient_id or "not-told", "indication": indication, "age_years": age}}
    require_model(patient, line)
    return {"patient": patient.patient, "screening": patient.screening, "medication": patient.medication}


def _as_prescription(old: Configuration, line: Pump, present: PresentPump, told: dict[str, Any]) -> Prescription:
    """A stored configuration as what could have been prescribed; its amounts are exactly what the pump gives."""
    from itbpump.forecast import last_fill
    from itbpump.quantity import Volume
    from itbpump.therapy import SCHEMA, Prescription
    from itbpump.therapy_view import view_configuration

    view, fill = view_configuration(old, line.profile), last_fill(line.log(), present)
    return Prescription.model_validate(
        {
            "schema": SCHEMA,
            **told,
            "pump": {
                "profile": line.info.profile,
                "reservoir_volume": Volume(present.reservoir_nL),
                "as_of": present.host_now,
                "low_reservoir_alarm": view.low_alarm,
            },
            "drug": {"name": view.drug, "concentration": view.concentration, "filled_on": fill.on if fill is not None else None},
            "catheter": {"path_volume": view.path},
            "therapy": _as_therapy(old, line),
        }
    )


def _as_therapy(old: Configuration, line: Pump) -> dict[str, Any]:
    from itbpump.therapy import WEEKDAYS
    from itbpump.therapy_view import view_configuration

    view = view_configuration(old, line.profile)
    therapy: dict[str, Any] = {"mode": view.mode_text}
    if view.mode_text == "continuous":
        therapy["dose"] = view.days[0][0].rate
    elif view.mode_text == "periodic-bolus" and view.periodic is not None:
        therapy |= {"dose": view.periodic.dose, "over": view.periodic.over, "every": view.periodic.every, "background": view.background}
    elif view.mode_text == "flex":
        therapy["pattern"] = [
            {
                "days": [day for number, day in enumerate(WEEKDAYS) if pattern.days >> number & 1],
                "steps": [
                    {"at": step.at, **({"rate": step.rate} if step.rate is not None else {"dose": step.dose, "over": step.over})}
                    for step in view.days[next(number for number in range(7) if pattern.days >> number & 1)]
                ],
            }
            for pattern in old.patterns
        ]
    if view.patient is not None:
        patient = view.patient
        therapy["patient_bolus"] = {
            "dose": patient.dose,
            "over": patient.over,
            "lockout": patient.lockout,
            "max_per_day": patient.max_per_day,
        }
    return therapy
