"""`itbpump review`, `program`: a prescription judged beside the present, confirmed by a person, then sent and proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import (
    Digest,
    Overrides,
    Second,
    User,
    Yes,
    confirm,
    decided_json,
    hold_lines,
    pass_review,
    require_digest,
    show_others,
    show_review,
)
from itbpump.wording.beside import pump_heading

if TYPE_CHECKING:
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.safety import Review
    from itbpump.therapy import Prescription

__all__ = ["Json", "confirm_dose", "program", "require_model", "review", "show_change"]

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def review(
    rx: Annotated[Path, typer.Argument(metavar="RX", help="The prescription, a TOML file.")],
    *,
    current: Annotated[Path | None, typer.Option("--current", metavar="RX", help="The present therapy as a file.")] = None,
    pump: Annotated[str | None, typer.Option("--pump", metavar="URL", help="The pump that runs the present therapy.")] = None,
    clinic_library: ClinicLibrary = None,
    as_json: Json = False,
) -> None:
    """Judge a prescription: against the pump's and the drug's limits, and beside the present. Sends nothing."""
    from itbpump.safety import review as judge
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    if current is not None and pump is not None:
        raise CommandError("give --current or --pump, not both: the present is one thing", USAGE)
    new = load_prescription(rx)
    library = library_for(new.drug.name, clinic_library)
    title = [_title(new)]
    if pump is not None:
        with opened(pump) as line:
            require_model(new, line)
            present = line.present()
            found = judge(new, present, profile=line.profile, library=library)
            title += pump_heading(line, present, new.pump.as_of)
    else:
        found = judge(new, load_prescription(current) if current is not None else None, library=library)
    out.data(found.json())
    if not as_json:
        show_review(out, "\n".join(title), found)
        if pump is not None:  # without a pump, fewer findings ask to be accepted than beside one
            out.say(*hold_lines(found))
    raise typer.Exit(found.exit_code)


def program(
    rx: Annotated[Path, typer.Argument(metavar="RX", help="The prescription, a TOML file.")],
    pump: Annotated[str, typer.Option("--pump", metavar="URL", help="The pump.")],
    *,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    digest: Digest = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Program a prescription: review, confirm, stage, read back, commit, prove that it runs."""
    from itbpump.safety import basis_of
    from itbpump.safety import review as judge
    from itbpump.therapy import load_prescription
    from itbpump.workflow.facts import with_prescription

    out = Output(as_json)
    new = load_prescription(rx)
    library = library_for(new.drug.name, clinic_library)
    with opened(pump, dosing=True) as line:
        require_model(new, line)
        present = line.present()
        found = judge(new, present, profile=line.profile, library=library)
        show_change(out, _title(new), line, present, new, found)
        require_digest(found, digest)
        decision = pass_review(out, found, override, user, second)
        confirm_dose(out, line, new, found, yes=yes)
        basis = with_prescription(basis_of(found, decision, user, second, new.patient.id), new)
        outcome = line.program(new, present, basis=basis)
        data = decided_json(found, decision)
        require_applied(out, outcome, pump, data)
        out.data({**data, **outcome_json(outcome)})


def show_change(out: Output, title: str, line: Pump, present: PresentPump, new: Prescription, found: Review) -> None:
    """A change before it is decided: for which pump, as it is now, and what it is judged to be."""
    show_review(out, "\n".join([title, *pump_heading(line, present, new.pump.as_of)]), found)
    show_others(out, line)


def require_model(rx: Prescription, line: Pump) -> None:
    """Raises WrongPump: a review of another model's limits would say nothing about this pump."""
    from itbpump.pump import WrongPump

    if rx.pump.profile != line.info.profile:
        raise WrongPump(rx.pump.profile, line.info.profile)


def _title(rx: Prescription) -> str:
    return f"Prescription for patient {rx.patient.id}: {rx.therapy.mode.replace('-', ' ')}, {rx.drug.name} {rx.drug.concentration}"


def confirm_dose(out: Output, line: Pump, rx: Prescription, found: Review, *, yes: bool) -> None:
    """The person types the mean daily dose before the first byte is sent (design 4); nothing shorter will do."""
    from itbpump.workflow.confirming import dose_confirmation

    asked = dose_confirmation(rx, found, line.info.serial, rx.patient.id)
    confirm(out, asked.prompt, asked.answers, yes=yes)
