"""`itbpump bolus`, `prime`, `stop`: doses of the moment. A bolus is reviewed, confirmed, started, proved, and followed to its end."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import FAILED, CommandError, Output
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, pass_review, show_others, show_review

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.wire.messages import Status

__all__ = ["bolus", "follow", "given_text", "prime", "stop"]

Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]
Url = Annotated[str, typer.Argument(metavar="URL", help="The pump.")]
Over = Annotated[str, typer.Option(help='How long it takes, such as "10m" or "1h30m".')]
NoProgress = Annotated[bool, typer.Option("--no-progress", help="Follow the bolus without a progress line.")]
NoWait = Annotated[bool, typer.Option("--no-wait", help="End when the bolus has started; it goes on in the pump.")]

_LOOK_EVERY_MS = 1_000
WITHDRAWAL = (
    "A sudden stop of intrathecal baclofen can kill within days: withdrawal begins with itching and returning spasticity, then fever,\n"
    "confusion, rigidity, organ failure. A stopped pump never starts by itself; it alarms while it is stopped."
)


def bolus(
    url: Url,
    dose: Annotated[str, typer.Option(help='How much, such as "25 mcg".')],
    over: Over,
    *,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    yes: Yes = False,
    no_progress: NoProgress = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Give a single bolus: review, confirm, start, prove, follow to its end by the pump's own counter."""
    from itbpump.quantity import Duration, Mass
    from itbpump.safety import review_bolus

    out = Output(as_json)
    mass, duration = Mass.parse(dose), Duration.parse(over)
    with opened(url, dosing=True) as line:
        present = line.present()
        found = review_bolus(mass, duration, present, line.profile)
        show_review(out, f"Bolus of {mass} over {duration} from pump {line.info.serial}, {line.info.profile}", found)
        show_others(out, line)
        decision = pass_review(found, override, user, second)
        confirm(out, f'Type the dose, {mass.text()}, or "yes" to give it; anything else cancels:', ["yes", mass.text(), dose], yes=yes)
        outcome = line.bolus(mass, duration, present)
        data: dict[str, Any] = {"review": found.json(), "overrides": [item.json() for item in decision.overrides]}
        applied = require_applied(out, outcome, url, data)
        data |= outcome_json(outcome)
        _finish(out, line, applied.bolus.requested, data, url, wait=not no_wait, progress=not no_progress)


def prime(
    url: Url,
    rx: Annotated[Path, typer.Option(metavar="RX", help="The prescription whose catheter is primed; it needs a [prime].")],
    over: Over,
    *,
    yes: Yes = False,
    no_progress: NoProgress = False,
    no_wait: NoWait = False,
    as_json: Json = False,
) -> None:
    """Give a priming bolus that fills the path of a new catheter."""
    from itbpump.configuration import prime_volume
    from itbpump.pump import WrongPump
    from itbpump.quantity import Duration
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    prescription, duration = load_prescription(rx), Duration.parse(over)
    with opened(url, dosing=True) as line:
        if prescription.pump.profile != line.info.profile:
            raise WrongPump(prescription.pump.profile, line.info.profile)
        present = line.present()
        volume = prime_volume(prescription)
        out.say(
            f"Prime of {volume} over {duration} from pump {line.info.serial}, {line.info.profile}",
            "Only for a path that is new or empty: in a filled path it would give all that the path holds, at once.",
            f"The path would hold {_mass_in(volume.nL, line)} of the drug now in the reservoir.",
        )
        confirm(out, 'Type "yes" to prime; anything else cancels:', ["yes"], yes=yes)
        outcome = line.prime(prescription, duration, present)
        applied = require_applied(out, outcome, url)
        _finish(out, line, applied.bolus.requested, outcome_json(outcome), url, wait=not no_wait, progress=not no_progress)


def stop(
    url: Url,
    bolus: Annotated[bool, typer.Option("--bolus", help="End only the running bolus; the therapy goes on.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Stop the therapy, or only a running bolus. Possible also while an earlier outcome is unknown."""
    out = Output(as_json)
    with opened(url) as line:
        if bolus:
            outcome = line.stop_bolus()
            require_applied(out, outcome, url, proven=False)
            now = line.status()
            out.say(f"The bolus is ended: {given_text(now, line)}. The therapy goes on.")
            out.data({**outcome_json(outcome), "bolus": _given_json(now)})
            return
        out.say(f"Stop all delivery of pump {line.info.serial}, {line.info.profile}.", WITHDRAWAL)
        confirm(out, "Type STOP to stop the therapy; anything else cancels:", ["STOP"], yes=yes)
        outcome = line.stop()
        require_applied(out, outcome, url, proven=False)
        now = line.status()
        state = now.run_state.name.lower()
        if now.flow_nL_per_day:
            raise CommandError(
                f"the pump confirmed the stop but says that it is {state} and delivers; read it again", FAILED, outcome_json(outcome)
            )
        out.say(f"Stopped. The pump was read again: {state}, it delivers nothing. It starts only when a therapy is programmed.")
        out.data({**outcome_json(outcome), "run_state": state})


# ------------------------------------------------------------------------------------------------ following
def _finish(out: Output, line: Pump, requested: int, data: dict[str, Any], url: str, *, wait: bool, progress: bool) -> None:
    """Follow the bolus that was started, and tell what was given. CommandError (1) if it did not come to its end, or was lost sight of."""
    from itbpump.wire.messages import BolusState

    if not wait:
        out.say(f"Started: {requested:,} pulses. Follow it with: itbpump status {url}")
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
                left = Duration(now.bolus_left_ms)
                typer.echo(f"\r{given_text(now, line)}, {left} left \x1b[K", nl=False, err=True)
            if now.bolus_state is not BolusState.RUNNING:
                return now
            line.session.listen(_LOOK_EVERY_MS)
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


def given_text(now: Status, line: Pump) -> str:
    """`25 mcg of 25 mcg, 25 of 25 pulses, done`; for a prime in mL."""
    from itbpump.quantity import Concentration, Volume, mass_of_pulses
    from itbpump.wire.messages import BolusKind

    pulse_nL, concentration = line.info.pulse_volume_nL, Concentration(now.concentration_ng_per_mL)
    if now.bolus_kind is BolusKind.PRIME:
        given, asked = str(Volume(now.bolus_delivered * pulse_nL)), str(Volume(now.bolus_requested * pulse_nL))
    else:
        given, asked = (str(mass_of_pulses(count, concentration, pulse_nL)) for count in (now.bolus_delivered, now.bolus_requested))
    return f"{given} of {asked}, {now.bolus_delivered:,} of {now.bolus_requested:,} pulses, {now.bolus_state.name.lower()}"


def _given_json(now: Status) -> dict[str, Any]:
    return {"state": now.bolus_state.name.lower(), "requested_pulses": now.bolus_requested, "delivered_pulses": now.bolus_delivered}


def _mass_in(volume_nL: int, line: Pump) -> str:
    from itbpump.quantity import Concentration, mass_of_volume

    return str(mass_of_volume(volume_nL, Concentration(line.status().concentration_ng_per_mL)).rounded())
