"""`itbpump bolus`, `prime`, `stop`: doses of the moment. Each is reviewed, confirmed, sent, proved; a bolus is followed to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import FAILED, USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, indication_of, library_for
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.patients import Age, Indication, PatientFile, read_patient
from itbpump.cli.programming import Json, require_model
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, decided_json, pass_review, show_others, show_review
from itbpump.wording.beside import pump_heading
from itbpump.wording.status import given_text

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.safety import Review
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Status

__all__ = ["bolus", "follow", "prime", "stop"]

Url = Annotated[str, typer.Argument(metavar="URL", help="The pump.")]
Over = Annotated[str, typer.Option(metavar="TIME", help='How long it takes, such as "10m" or "1h30m".')]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Follow the bolus without a progress line.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="End when the bolus has started; it goes on in the pump.")]

_LOOK_EVERY_MS = 1_000


def bolus(
    url: Url,
    dose: Annotated[str, typer.Option(metavar="DOSE", help='How much, such as "25 mcg".')],
    over: Over,
    *,
    rx: PatientFile = None,
    indication: Indication = None,
    age: Age = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    no_progress: NoProgress = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Give a single bolus: review, confirm, start, prove, follow to its end by the pump's own counter."""
    from itbpump.quantity import Duration, Mass
    from itbpump.safety import basis_of, review_bolus

    out = Output(as_json)
    mass, duration = Mass.parse(dose), Duration.parse(over)
    if mass.ng == 0:
        raise CommandError(f"--dose {dose!r}: a bolus of no drug; write how much to give", USAGE)
    patient = read_patient(rx, indication, age)
    with opened(url, dosing=True) as line:
        present = line.present()
        library = _library_of(present, clinic_library)
        indication_of(library, indication)
        if patient is not None:
            _require_label(patient, present, line)
            indication, age = patient.patient.indication, patient.patient.age_years
        whose = patient.patient.id if patient is not None else None
        found = review_bolus(mass, duration, present, line.profile, library=library, indication=indication, age_years=age, patient_id=whose)
        title = f"Bolus of {mass} over {duration}" + (f" for patient {whose}" if whose is not None else "")
        _show(out, title, line, present, found)
        decision = pass_review(out, found, override, user, second)
        confirm(out, f"Type the dose, {mass}, to give it; anything else cancels:", [mass.text(), str(mass), dose], yes=yes)
        basis = basis_of(found, decision, user, second, whose or "")
        outcome = line.bolus(mass, duration, present, basis=basis)
        data = decided_json(found, decision)
        applied = require_applied(out, outcome, url, data)
        data |= outcome_json(outcome)
        out.say(library.texts.observe_after_bolus.text)
        _finish(out, line, applied.bolus.requested, data, url, wait=not no_wait, progress=not no_progress)


def _library_of(present: PresentPump, folder: Path | None) -> DrugLibrary:
    """The library of the drug in the pump. CommandError (1) for a pump that knows none."""
    if present.configuration is None:
        raise CommandError("the pump has no therapy, so its drug is not known; program a therapy first: itbpump program RX --pump URL")
    return library_for(present.configuration.drug, folder)


def _require_label(patient: Prescription, present: PresentPump, line: Pump) -> None:
    """Raises WrongPump, CommandError (1): the prescription is for what this pump is and holds."""
    require_model(patient, line)
    held, drug = present.configuration, patient.drug
    if held is not None and (held.drug, held.concentration_ng_per_mL) != (drug.name, drug.concentration.ng_per_mL):
        raise CommandError(
            f"the prescription is for {drug.name} {drug.concentration}, and the pump holds another; is it this patient's? nothing was sent"
        )


def _show(out: Output, title: str, line: Pump, present: PresentPump, found: Review) -> None:
    show_review(out, "\n".join([title, *pump_heading(line, present)]), found)
    show_others(out, line)


def prime(
    url: Url,
    rx: Annotated[Path, typer.Option(metavar="RX", help="The prescription whose catheter is primed; it needs a [prime].")],
    over: Over,
    *,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    clinic_library: ClinicLibrary = None,
    yes: Yes = False,
    no_progress: NoProgress = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Give a priming bolus that fills the path of a new catheter: review, confirm, start, prove, follow to its end."""
    from itbpump.configuration import prime_volume
    from itbpump.quantity import Duration
    from itbpump.safety import basis_of, review_prime
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    prescription, duration = load_prescription(rx), Duration.parse(over)
    with opened(url, dosing=True) as line:
        require_model(prescription, line)
        present = line.present()
        library = _library_of(present, clinic_library)
        found = review_prime(prescription, duration, present, line.profile, library=library)
        volume = prime_volume(prescription)
        _show(out, f"Prime of {volume} over {duration} for patient {prescription.patient.id}", line, present, found)
        decision = pass_review(out, found, override, user, second)
        question = f"Only for a path that is new or empty. Type the volume, {volume}, to prime; anything else cancels:"
        confirm(out, question, [volume.text(), str(volume)], yes=yes)
        basis = basis_of(found, decision, user, second, prescription.patient.id)
        outcome = line.prime(prescription, duration, present, basis=basis)
        data = decided_json(found, decision)
        applied = require_applied(out, outcome, url, data)
        data |= outcome_json(outcome)
        _finish(out, line, applied.bolus.requested, data, url, wait=not no_wait, progress=not no_progress)


def stop(
    url: Url,
    *,
    bolus: Annotated[bool, typer.Option("--bolus", help="End only the running bolus; the therapy goes on.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop the therapy, or only a running bolus. Possible also while an earlier outcome is unknown."""
    from itbpump.workflow.stopping import stop_warning, stopped_words

    out = Output(as_json)
    with opened(url) as line:
        if bolus:
            outcome = line.stop_bolus()
            require_applied(out, outcome, url, proven=False)
            now = line.status()
            out.say(f"The bolus is ended: {given_text(now, line)}. The therapy goes on.")
            out.data({**outcome_json(outcome), "bolus": _given_json(now)})
            return
        out.say(f"Stop all delivery of pump {line.info.serial}, {line.info.profile}.", *stop_warning(line.status().drug))
        confirm(out, "Type STOP to stop the therapy; anything else cancels:", ["STOP"], yes=yes)
        outcome = line.stop()
        require_applied(out, outcome, url, proven=False)
        now = line.status()
        holds, words = stopped_words(now)
        if not holds:
            raise CommandError(words, FAILED, outcome_json(outcome))
        out.say(words)
        out.say(
            "It starts again only when it is told to, by one of:", f"  itbpump restore {url} --rx RX", f"  itbpump program RX --pump {url}"
        )
        out.data({**outcome_json(outcome), "run_state": now.run_state.name.lower()})


# ------------------------------------------------------------------------------------------------ following
def _finish(out: Output, line: Pump, requested: int, data: dict[str, Any], url: str, *, wait: bool, progress: bool) -> None:
    """Follow the bolus that was started, and tell what was given. CommandError (1) if it did not come to its end, or was lost sight of."""
    from itbpump.wire.messages import BolusState

    if not wait:
        out.say(f"Started: {requested:,} pulses. Follow it with:", f"  itbpump status {url}")
        out.data(data)
        return
    now = follow(line, progress=progress and sys.stderr.isatty(), url=url, data=data)
    data["bolus"] = _given_json(now)
    if now.bolus_state is not BolusState.DONE or now.bolus_delivered != requested:
        raise CommandError(f"the bolus did not come to its end: {given_text(now, line)}", FAILED, data)
    out.say(f"Given: {given_text(now, line)}.")
    out.data(data)


def follow(line: Pump, *, progress: bool, url: str, data: dict[str, Any]) -> Status:
    """Look at the pump's own counter until no bolus runs. CommandError (1) when the line fails or the person leaves; it goes on."""
    from itbpump.link.errors import LinkError
    from itbpump.quantity import Duration
    from itbpump.transport.base import TransportError
    from itbpump.wire.messages import BolusState

    try:
        while True:
            now = line.status()
            if progress:
                left = f", {Duration(now.bolus_left_ms)} left" if now.bolus_left_ms else ""
                typer.echo(f"\r{given_text(now, line)}{left} \x1b[K", nl=False, err=True)
            if now.bolus_state is not BolusState.RUNNING:
                return now
            # Where nobody watches, some fifty looks at a bolus are enough to see how it ends.
            line.session.listen(_LOOK_EVERY_MS if progress else max(_LOOK_EVERY_MS, now.bolus_left_ms // 50))
    except (LinkError, TransportError) as error:
        raise CommandError(
            f"the bolus was started and goes on, but the line was lost ({error}); look again: itbpump status {url}", FAILED, data
        ) from error
    except KeyboardInterrupt:
        message = f"no longer watching; the bolus goes on in the pump: itbpump status {url}, or itbpump stop {url} --bolus"
        raise CommandError(message, FAILED, data) from None
    finally:
        if progress:
            typer.echo("", err=True)


def _given_json(now: Status) -> dict[str, Any]:
    return {"state": now.bolus_state.name.lower(), "requested_pulses": now.bolus_requested, "delivered_pulses": now.bolus_delivered}
