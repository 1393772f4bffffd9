"""`itbpump sim` and `itbpump bench`: a simulated pump as a process of its own, and the hands at its workbench."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.wording.layout import wrapped

if TYPE_CHECKING:
    from firmware_sim.bench import BenchCommand, Kind
    from firmware_sim.device import SimulatedPump
    from firmware_sim.endpoints import Ready, TcpLink
    from firmware_sim.faults import FaultPlan

__all__ = ["bench", "sim"]

_PULSES_SHOWN = 40
_FIRED_SHOWN = 20


def _models() -> list[str]:
    """For the shell."""
    from itbpump.profiles import profile_names

    return list(profile_names())


def sim(
    *,
    profile: Annotated[
        str | None, typer.Option(help="Pump model: P-20, P-40, V-20, V-40. Default: P-40, or that of --rx.", autocompletion=_models)
    ] = None,
    fill: Annotated[str | None, typer.Option(help='What is in the reservoir, such as "38 mL". Default: full, or as --rx says.')] = None,
    link: Annotated[
        Path | None, typer.Option(metavar="PATH", help="Name for the patient's serial device (a symbolic link to the pty).")
    ] = None,
    tcp: Annotated[str | None, typer.Option(metavar="HOST:PORT", help="The patient's line on TCP instead of a serial device.")] = None,
    bench: Annotated[str | None, typer.Option(metavar="PATH|HOST:PORT", help="Open the bench port there.")] = None,
    speed: Annotated[
        str, typer.Option(metavar="N|real|manual", help="How pump time passes: N times as fast, real, or by the bench.")
    ] = "real",
    state: Annotated[Path | None, typer.Option(metavar="FILE", help="Keep the pump in this file; it survives kill -9.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, max=10**18 - 1, help="Which one of all pumps of this model; random if absent.")] = None,
    rx: Annotated[Path | None, typer.Option(metavar="RX", help="Start configured and running, by this prescription.")] = None,
    faults: Annotated[
        Path | None, typer.Option(metavar="PLAN", help="Let these faults happen (docs/faults.md); exit 1 if one never did.")
    ] = None,
    firmware: Annotated[
        str | None, typer.Option(metavar="NAME", help="Run a firmware with this defect, or an older one: minor-1, minor-0 (docs/hil.md).")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Tell the addresses as one line of JSON.")] = False,
) -> None:
    """Run a simulated pump until Ctrl-C, on a serial device of its own (pty) or on TCP."""
    from firmware_sim.endpoints import PtyLink, serve
    from firmware_sim.endpoints.clock import Speed
    from firmware_sim.state_file import StateFile
    from itbpump.cli.pairing import bench_address

    out = Output(as_json)
    if link is not None and tcp is not None:
        raise CommandError("give --link or --tcp: a pump has one patient's line", USAGE)
    try:
        Speed.parse(speed)
    except ValueError as error:
        raise CommandError(f"--speed: {error}", USAGE) from error
    _require_same_model(profile, rx)
    line = _tcp_link(tcp) if tcp is not None else PtyLink(link)
    address = bench_address(bench) if bench is not None else None
    plan = _plan(faults)
    file = StateFile(state) if state is not None else None
    try:
        pump = _stored_or_new(out, file, profile=profile, fill=fill, seed=seed, rx=rx, kind=_kind(firmware))
        _let_fail(out, pump, plan)
        serve(pump, line, address, speed, file, lambda ready: _announce(out, ready, pump), line=pump.faults.line)
    finally:
        if file is not None:
            file.close()
    out.note("The simulated pump has ended" + (f"; it is kept in {state}." if state is not None else "."))
    if plan is not None:
        _tell_what_fired(out, pump)


def _plan(path: Path | None) -> FaultPlan | None:
    """CommandError (2) for a plan that cannot be read or carried out."""
    from firmware_sim.faults import FaultError, load_plan

    try:
        return None if path is None else load_plan(path)
    except FaultError as error:
        raise CommandError(f"--faults: {error}", USAGE) from error


def _kind(firmware: str | None) -> type[SimulatedPump]:
    """CommandError (2) for a firmware that there is not."""
    from firmware_sim.endpoints import EndpointError
    from firmware_sim.endpoints.opening import kind_of

    older = re.fullmatch(r"minor-([0-9]{1,3})", firmware or "")
    try:
        return kind_of(firmware) if older is None else kind_of(minor=int(older[1]))
    except EndpointError as error:
        raise CommandError(f"--firmware: {error}", USAGE) from error


def _let_fail(out: Output, pump: SimulatedPump, plan: FaultPlan | None) -> None:
    from firmware_sim.faults import BEGINS_ANEW, FaultError

    if plan is None:
        return
    try:
        pump.plan_faults(plan)
    except FaultError as error:
        raise CommandError(f"--faults: {error}", USAGE) from error
    if pump.was_restored:
        out.note(BEGINS_ANEW)


def _tell_what_fired(out: Output, pump: SimulatedPump) -> None:
    """The ground truth of the run; CommandError (1) if a declared fault never happened."""
    from firmware_sim.bench import duration_text
    from firmware_sim.faults import FaultsNotFired

    fired = pump.faults.fired
    for one in fired[:_FIRED_SHOWN]:
        out.note(f"  fault {one.number}  {one.id}  at {_spaced(duration_text(one.at_ms))} ({one.on})")
    if len(fired) > _FIRED_SHOWN:
        out.note(f"  … and {len(fired) - _FIRED_SHOWN:,} more")
    try:
        pump.faults.require_all_fired()
    except FaultsNotFired as error:
        raise CommandError(str(error)) from error
    planned = [one for one in fired if one.number > 0]
    count = len(pump.faults.planned)
    all_of_them = "The planned fault has" if count == 1 else f"All {count} planned faults have"
    by_hand = f"; {len(fired) - len(planned):,} more were made by hand" if len(fired) > len(planned) else ""
    out.note(f"{all_of_them} happened, {len(planned):,} time{'s' if len(planned) != 1 else ''} in all{by_hand}.")


def _tcp_link(address: str) -> TcpLink:
    """CommandError (2) for what is no address."""
    from firmware_sim.endpoints import EndpointError, TcpLink

    try:
        return TcpLink(address)
    except EndpointError as error:
        raise CommandError(f"--tcp: {error}", USAGE) from error


def _require_same_model(profile: str | None, rx: Path | None) -> None:
    """CommandError (2) for a prescription that is for another model than the one asked for."""
    from itbpump.therapy import load_prescription

    if profile is None or rx is None:
        return
    wanted = load_prescription(rx).pump.profile
    if wanted != profile:
        raise CommandError(f"{rx} is for a {wanted}, not a {profile}; leave --profile out, or name another prescription", USAGE)


def _stored_or_new(
    out: Output, file: Any, *, profile: str | None, fill: str | None, seed: int | None, rx: Path | None, kind: type[SimulatedPump]
) -> SimulatedPump:
    """The pump of the state file, or a fresh one. A file that exists is the pump; options that describe a new one are refused then."""
    from firmware_sim.endpoints.opening import load_pump

    if file is None or not file.exists():
        return _new_pump(out, profile=profile, fill=fill, seed=seed, rx=rx, kind=kind)
    pump = load_pump(file, entropy=os.urandom, kind=kind)
    ignored = [name for name, given in (("--fill", fill), ("--seed", seed), ("--rx", rx)) if given is not None]
    if profile is not None and profile != pump.profile.firmware.name:
        raise CommandError(f"{file.path} holds a {pump.profile.firmware.name}, not a {profile}; name another file for another pump", USAGE)
    out.note(
        f"Going on with pump {pump.serial} from {file.path}."
        + (f" {', '.join(ignored)} describe a new pump and are not used." if ignored else "")
    )
    return pump


def _new_pump(
    out: Output, *, profile: str | None, fill: str | None, seed: int | None, rx: Path | None, kind: type[SimulatedPump]
) -> SimulatedPump:
    from firmware_sim.endpoints.device import EndpointError
    from firmware_sim.endpoints.opening import make_pump
    from itbpump.quantity import Volume
    from itbpump.transport.sim import configured_pump

    chosen = int.from_bytes(os.urandom(4), "big") % 100_000 if seed is None else seed
    fill_nL = Volume.parse(fill).nL if fill is not None else None
    try:
        if rx is not None:
            pump = configured_pump(rx, profile=profile, seed=chosen, fill_nL=fill_nL, entropy=os.urandom, kind=kind)
        else:
            pump = make_pump(profile or "P-40", seed=chosen, fill_nL=fill_nL, entropy=os.urandom, kind=kind)
    except EndpointError as error:  # an unknown model, or a fill that does not fit it: what was typed is wrong
        raise CommandError(str(error), USAGE) from error
    if seed is None:
        out.note(f"Seed {chosen} makes this pump again.")
    return pump


def _announce(out: Output, ready: Ready, pump: SimulatedPump) -> None:
    """Tell where the pump can be reached; whoever started this waits for it."""
    if out.as_json:
        typer.echo(json.dumps({**json.loads(ready.as_json()), "serial": pump.serial, "profile": pump.profile.firmware.name}))
    else:
        out.say(
            f"Simulated pump {pump.serial}, {pump.profile.firmware.name}, time: {ready.speed}",
            f"  patient's line  {ready.link}",
            f"  bench           {ready.bench or 'none (give --bench to move time, pair, and see the truth)'}",
        )
        if ready.bench is not None:
            out.say(f"Pair with it: itbpump pair {ready.link} --bench {ready.bench}")
        out.say("Ctrl-C ends it.")
    sys.stdout.flush()


# ------------------------------------------------------------------------------------------------ bench
def bench(
    url: Annotated[str, typer.Argument(metavar="URL", help="The bench port: PATH, HOST:PORT, or what `itbpump sim` printed.")],
    command: Annotated[str, typer.Argument(metavar="CMD", help="What to do; `help` lists all.")],
    arguments: Annotated[
        list[str] | None, typer.Argument(metavar="[ARG | NAME=VALUE]…", help="In the order of the table, or by name.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Work at the simulator's bench: move time, cut the power, hold the magnet, use a needle, see the truth."""
    from firmware_sim.bench import COMMANDS
    from firmware_sim.bench_client import BenchClient
    from itbpump.cli.pairing import bench_address

    out = Output(as_json)
    row = COMMANDS.get(command)
    if row is None:
        raise CommandError(f"{command!r} is no bench command; there are: {', '.join(sorted(COMMANDS))}", USAGE)
    given = _arguments(row, arguments or [])
    with BenchClient(bench_address(url)) as client:
        answer = client.call(command, **given)
    out.data(answer)
    if not as_json:
        out.say(*(_help_lines(answer) if command == "help" else _answer_lines(answer)))


def _arguments(row: BenchCommand, texts: list[str]) -> dict[str, object]:
    """Texts of the command line as the table's arguments. CommandError (2) for too many, or one given twice; BenchError for a bad value."""
    from firmware_sim.bench import Kind

    names = [argument.name for argument in row.arguments]
    kinds = {argument.name: argument.kind for argument in row.arguments}
    given: dict[str, object] = {}
    for place, text in enumerate(texts):
        name, sign, value = text.partition("=")
        if not sign or name not in names:
            # A fault's own arguments are NAME=VALUE in themselves: `faults mechanical.slip "percent=20, for=3h"`.
            if (sign and names[place : place + 1] != ["with"]) or place >= len(names):
                raise CommandError(f"{row.name} takes {', '.join(names) or 'no arguments'}; {text!r} is none of them", USAGE)
            name, value = names[place], text
        if name in given:
            raise CommandError(f"{row.name}: {name} is given twice", USAGE)
        given[name] = _figure_of(row, name, value, kinds[name])
        if kinds[name] is Kind.BOOLEAN and value in ("true", "false"):
            given[name] = value == "true"
    row.read(given)  # checked here too, so that a mistake is told before the simulator is reached
    return given


def _figure_of(row: BenchCommand, name: str, value: str, kind: Kind) -> int | str:
    """A number where the argument's name says its unit, else the text as it is. CommandError (2) for a number without a unit."""
    from firmware_sim.bench import Kind

    if kind is Kind.INTEGER and not value.lstrip("-").isdecimal():
        raise CommandError(f"{row.name}: {name} is a whole number, {value!r} is none{_hint(name, value)}", USAGE)
    if kind not in (Kind.INTEGER, Kind.DURATION, Kind.VOLUME) or not value.isdecimal():
        return value
    if kind is Kind.DURATION and not name.endswith("_ms"):
        raise CommandError(f"{row.name}: {value!r} has no unit; write it like 5m, 77d or 1h30m", USAGE)
    return int(value)


def _hint(name: str, value: str) -> str:
    """What to write for a concentration given with its unit."""
    from itbpump.errors import QuantityError
    from itbpump.quantity import Concentration

    if not name.endswith("_ng_per_mL"):
        return ""
    try:
        return f'; write "{name}={Concentration.parse(value).ng_per_mL}"'
    except QuantityError:
        return "; it counts ng in a mL: 2000 mcg per mL is 2000000"


def _help_lines(answer: dict[str, object]) -> list[str]:
    rows = []
    for name, entry in answer.items():
        if isinstance(entry, dict):
            arguments = [key if value["required"] else f"[{key}]" for key, value in entry["arguments"].items()]
            rows.append((" ".join([name, *arguments]), str(entry["doc"])))
    return [line for usage, doc in rows for line in (f"  {usage}", *wrapped(f"      {doc}"))]


def _answer_lines(answer: dict[str, object]) -> list[str]:
    lines = []
    for name, value in answer.items():
        if isinstance(value, list):
            lines.append(f"  {name}: {len(value):,}")
            lines += [f"    {', '.join(f'{key} {item}' for key, item in entry.items())}" for entry in value[:_PULSES_SHOWN]]
            lines += [f"    … and {len(value) - _PULSES_SHOWN:,} more; --json shows all"] if len(value) > _PULSES_SHOWN else []
        else:
            label, text = _figure(name, value)
            lines.append(f"  {label:<34}{text}")
    return lines


def _spaced(duration: str) -> str:
    """`1h30m` of the bench as people read it: `1 h 30 min`."""
    parts = re.findall(r"([0-9.]+)([a-z]+)", duration)
    return " ".join(f"{amount} {'min' if unit == 'm' else unit}" for amount, unit in parts) or duration


def _figure(name: str, value: object) -> tuple[str, str]:
    """A figure of the bench with the unit of its name, for people: `reservoir_nL` 31504000 is `reservoir  31.504 mL`."""
    from firmware_sim.bench import duration_text
    from itbpump.quantity import Concentration, Mass, Volume, number_text

    if isinstance(value, bool) or not isinstance(value, int | float):
        return name.replace("_", " "), {"None": "none", "True": "yes", "False": "no"}.get(str(value), str(value))
    exact, minus = abs(Fraction(str(value))), "−" if value < 0 else ""
    readers: tuple[tuple[str, Callable[[Fraction], str]], ...] = (
        ("_ng_per_mL", lambda figure: str(Concentration(round(figure)))),
        ("_nL", lambda figure: str(Volume(round(figure)))),
        ("_ng", lambda figure: str(Mass(round(figure)))),
        ("_permille", lambda figure: f"{number_text(figure / 10)} %"),
        ("_ppm", lambda figure: f"{number_text(figure / 10_000)} %"),
        ("_ms", lambda figure: _spaced(duration_text(round(figure)))),
    )
    for ending, shown in readers:
        if name.endswith(ending):
            return name.removesuffix(ending).replace("_", " "), minus + shown(exact)
    return name.replace("_", " "), f"{value:,}"
