"""`itbpump refill`: what came out against what was expected, what goes in, and the pump told of both as one unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.programming import Json, require_model
from itbpump.cli.pumps import opened
from itbpump.cli.registered import dates_of
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, decided_json, pass_review, show_others, show_review
from itbpump.wording.beside import pump_heading
from itbpump.wording.layout import rows
from itbpump.wording.refilling import refill_lines

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.refill import Refill
    from itbpump.safety import Review
    from itbpump.therapy import Prescription

__all__ = ["refill", "refill_json"]


def refill(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    aspirated: Annotated[str, typer.Option(metavar="VOLUME", help='What was drawn out, such as "2.1 mL".')],
    filled: Annotated[str, typer.Option(metavar="VOLUME", help='What was filled in, such as "38 mL".')],
    *,
    rx: Annotated[Path | None, typer.Option(metavar="RX", help="The new prescription; needed for another drug or concentration.")] = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Tell the pump of a refill. Both discrepancy tests are made; one that fires needs a recorded reason. A stopped pump stays stopped."""
    from itbpump.quantity import Volume
    from itbpump.refill import Refill
    from itbpump.safety import basis_of
    from itbpump.therapy import load_prescription
    from itbpump.workflow.facts import with_prescription
    from itbpump.workflow.refills import refill_record

    out = Output(as_json)
    drawn, put_in = Volume.parse(aspirated), Volume.parse(filled)
    new = load_prescription(rx) if rx is not None else None
    with opened(url, dosing=True) as line:
        present = line.present()
        library = library_for(_drug_of(new, present), clinic_library)
        plan = Refill.plan(drawn, put_in, present, line.profile, line.log())
        data: dict[str, Any] = {"refill": refill_json(plan)}
        found = _judged(new, plan, present, line, library)
        title = f"Refill with the prescription for patient {new.patient.id}" if new is not None else "Refill; the therapy stays as it is"
        heading = pump_heading(line, present, new.pump.as_of if new is not None else None)
        show_review(out, "\n".join([title, *heading, *refill_lines(plan)]), found)
        show_others(out, line)
        decision = pass_review(out, found, override, user, second, data)
        confirm(out, 'Type "yes" to tell the pump; anything else cancels:', ["yes"], yes=yes)
        decided = basis_of(found, decision, user, second, new.patient.id if new is not None else "")
        basis = {**decided, "refill": refill_record(plan, present.host_now, {})}
        outcome, _ = line.refill(drawn, put_in, new, present, basis=with_prescription(basis, new))
        data |= decided_json(found, decision)
        require_applied(out, outcome, url, data)
        out.data({**data, **outcome_json(outcome), "dates": _after(out, line, library)})


def _drug_of(new: Prescription | None, present: PresentPump) -> str:
    """The drug that will be in the reservoir. CommandError (1) for a pump whose refill must come with a prescription."""
    if new is not None:
        return new.drug.name
    if present.has_lost_its_configuration:
        raise CommandError("the pump has lost its therapy; a refill must come with it: add --rx RX; nothing was sent")
    if present.configuration is None:
        raise CommandError("the pump has no therapy yet; a first filling is part of it: itbpump program RX --pump URL")
    return present.configuration.drug


def _judged(new: Prescription | None, plan: Refill, present: PresentPump, line: Pump, library: DrugLibrary) -> Review:
    """The review of the prescription that comes with the refill, or of the refill alone. Raises WrongPump."""
    from itbpump.safety import review, review_refill

    if new is None:
        return review_refill(plan, present, line.profile, library=library)
    require_model(new, line)
    return review(new, present, profile=line.profile, library=library, refill=plan)


def refill_json(plan: Refill) -> dict[str, Any]:
    """The figures for programs; the difference carries a sign."""
    from itbpump.quantity import Volume

    found = plan.discrepancy
    difference = None if found.difference_nL is None else _signed_json(found.difference_nL)
    return {
        "expected": Volume(plan.expected_nL).json() if plan.expected_nL is not None else None,
        "aspirated": Volume(plan.aspirated_nL).json(),
        "filled": Volume(plan.filled_nL).json(),
        "volume_after": plan.volume_after.json(),
        "difference": difference,
        "above_clinic_limit": found.above_clinic_limit,
        "outside_accuracy": found.outside_accuracy,
        "tolerance": Volume(found.tolerance_nL).json() if found.tolerance_nL is not None else None,
        "meaning": found.meaning,
    }


def _signed_json(nL: int) -> dict[str, str]:
    from itbpump.quantity import Volume, number_text

    magnitude = Volume(abs(nL)).json()
    return {**magnitude, "value": number_text(0) if not nL else ("-" if nL < 0 else "") + magnitude["value"]}


def _after(out: Output, line: Pump, library: DrugLibrary) -> dict[str, Any] | None:
    """What the pump says afterwards, how long the drug keeps, and by when to refill again; the dates for programs."""
    from itbpump.forecast import ForecastError, day_text
    from itbpump.quantity import Volume

    present = line.present()
    out.say(f"Reservoir {Volume(present.reservoir_nL)}, {present.run_state.name.lower()}.")
    try:
        found = dates_of(line, present, library)
    except ForecastError as error:  # the refill stands all the same; that there is no date must be seen
        out.note(f"ATTENTION: the dates of this refill are not known: {error}")
        return None
    out.say(*rows([("drug stable until", day_text(found.stable_until)), ("refill by", found.refill_text)], indent="  "))
    return found.json()
