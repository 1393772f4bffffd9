"""`itbpump review`, `program`, `restore`: a prescription judged beside the present, confirmed by a person, then sent and proved."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, pass_review, show_others, show_review

if TYPE_CHECKING:
    from itbpump.configuration import PresentPump
    from itbpump.pump import Pump
    from itbpump.safety import Review
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Configuration

__all__ = ["program", "restore", "review"]

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def review(
    rx: Annotated[Path, typer.Argument(metavar="RX", help="The prescription, a TOML file.")],
    current: Annotated[Path | None, typer.Option("--current", metavar="RX", help="The present therapy as a file.")] = None,
    pump: Annotated[str | None, typer.Option("--pump", metavar="URL", help="The pump that runs the present therapy.")] = None,
    as_json: Json = False,
) -> None:
    """Judge a prescription: against the pump's and the drug's limits, and beside the present. Sends nothing."""
    from itbpump.safety import review as judge
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    if current is not None and pump is not None:
        raise CommandError("give --current or --pump, not both: the present is one thing", USAGE)
    new = load_prescription(rx)
    if pump is not None:
        with opened(pump) as line:
            _require_model(new, line)
            found = judge(new, line.present(), profile=line.profile)
    else:
        found = judge(new, load_prescription(current) if current is not None else None)
    out.data(found.json())
    if not as_json:
        show_review(out, _title(new), found)
    raise typer.Exit(found.exit_code)


def program(
    rx: Annotated[Path, typer.Argument(metavar="RX", help="The prescription, a TOML file.")],
    pump: Annotated[str, typer.Option("--pump", metavar="URL", help="The pump.")],
    *,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Program a prescription: review, confirm, stage, read back, commit, prove that it runs."""
    from itbpump.safety import review as judge
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    new = load_prescription(rx)
    with opened(pump, dosing=True) as line:
        _require_model(new, line)
        present = line.present()
        found = judge(new, present, profile=line.profile)
        show_review(out, f"{_title(new)}\n{_onto(line)}", found)
        show_others(out, line)
        decision = pass_review(found, override, user, second)
        _confirm_dose(out, new, found, yes=yes)
        outcome = line.program(new, present)
        data = {"review": found.json(), "overrides": [item.json() for item in decision.overrides]}
        require_applied(out, outcome, pump, data)
        out.data({**data, **outcome_json(outcome)})


def restore(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    indication: Annotated[str, typer.Option(help="The patient's: spinal or cerebral. The limits depend on it.")],
    *,
    age: Annotated[int | None, typer.Option(help="The patient's age in years.", min=0, max=130)] = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Program the therapy before the present one again: a normal review of it, then as `program`."""
    from itbpump.safety import review as judge
    from itbpump.wire.messages import ConfigurationSlot

    out = Output(as_json)
    if indication not in ("spinal", "cerebral"):
        raise CommandError(f"--indication {indication!r}: write spinal or cerebral", USAGE)
    with opened(url, dosing=True) as line:
        present = line.present()
        previous = line.configuration(ConfigurationSlot.PREVIOUS)
        if previous is None:
            raise CommandError("the pump holds no earlier configuration; program it by a prescription")
        if present.bridging:
            raise CommandError("a bridge is in force; program by a prescription, which carries it on: itbpump program RX --pump URL")
        former = _as_prescription(previous, line, present, "spinal" if indication == "spinal" else "cerebral", age)
        found = judge(former, present, profile=line.profile)
        show_review(out, f"Restore the therapy before the present one\n{_onto(line)}", found)
        show_others(out, line)
        decision = pass_review(found, override, user, second)
        _confirm_dose(out, former, found, yes=yes)
        outcome = line.restore(present)
        data = {"review": found.json(), "overrides": [item.json() for item in decision.overrides]}
        require_applied(out, outcome, url, data)
        out.data({**data, **outcome_json(outcome)})


def _require_model(rx: Prescription, line: Pump) -> None:
    """Raises WrongPump: a review of another model's limits would say nothing about this pump."""
    from itbpump.pump import WrongPump

    if rx.pump.profile != line.info.profile:
        raise WrongPump(rx.pump.profile, line.info.profile)


def _title(rx: Prescription) -> str:
    return f"Prescription for patient {rx.patient.id}: {rx.therapy.mode}, {rx.drug.name} {rx.drug.concentration}"


def _onto(line: Pump) -> str:
    simulated = ", SIMULATED" if line.info.simulated else ""
    return f"Pump {line.info.serial}, {line.info.profile}{simulated}"


def _confirm_dose(out: Output, rx: Prescription, found: Review, *, yes: bool) -> None:
    """The person types the mean daily dose, or `yes`, before the first byte is sent (design 4)."""
    if rx.therapy.mode == "stopped":
        question, answers = "This stops the therapy; withdrawal can kill. Type STOP to send, anything else cancels:", ["STOP"]
    else:
        dose = found.proposed["daily_dose"]["mean"]
        text = f"{dose['value']} {dose['unit']}"
        question = f'Type the mean daily dose, {text}, or "yes" to send; anything else cancels:'
        answers = ["yes", dose["value"], text, text.replace("mcg/day", "mcg per day")]
    confirm(out, question, answers, yes=yes)


def _as_prescription(
    old: Configuration, line: Pump, present: PresentPump, indication: Literal["spinal", "cerebral"], age: int | None
) -> Prescription:
    """A stored configuration as what could have been prescribed; its amounts are exactly what the pump gives."""
    from itbpump.quantity import Volume
    from itbpump.therapy import SCHEMA, Prescription
    from itbpump.therapy_view import view_configuration

    view = view_configuration(old, line.profile)
    return Prescription.model_validate(
        {
            "schema": SCHEMA,
            "patient": {"id": "not-told", "indication": indication, "age_years": age},
            "pump": {
                "profile": line.info.profile,
                "reservoir_volume": Volume(present.reservoir_nL),
                "as_of": present.host_now,
                "low_reservoir_alarm": view.low_alarm,
            },
            "drug": {"name": view.drug, "concentration": view.concentration},
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
