"""`itbpump plan titrate | taper | convert`: dated prescriptions, each reviewed beside the one before, with charts. Sends nothing.

The arithmetic is `itbpump.plan`. Each file that `--out` writes is an ordinary prescription, to be reviewed and programmed at its date.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import FAILED, HARD_LIMIT, USAGE, CommandError, GuardedCommand, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.reviewing import Overrides, read_overrides
from itbpump.wording.review import library_lines

if TYPE_CHECKING:
    from itbpump.plan import Plan, Rinse
    from itbpump.quantity import Duration

__all__ = ["app", "convert", "taper", "titrate"]

app = typer.Typer(
    help="Plan a change over days: dated prescriptions, each reviewed beside the one before.", no_args_is_help=True, rich_markup_mode=None
)

Rx = Annotated[Path, typer.Argument(metavar="RX", help="The present therapy, a TOML file.")]
Step = Annotated[str | None, typer.Option(metavar="PERCENT", help="Size of a step; by default the least of the library's range.")]
Every = Annotated[str | None, typer.Option(metavar="DURATION", help='From one step to the next, such as "48h"; by default the shortest.')]
At = Annotated[str | None, typer.Option(metavar="TIME", help="Time of the first step, such as 2026-11-22T10:00:00-05:00.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Write each prescription there: 00-… is the present one.")]
Svg = Annotated[Path | None, typer.Option(metavar="FILE", help="Write the charts there as one SVG.")]
Json = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


@app.command(cls=GuardedCommand, short_help="Up to a daily dose, low and slow.")
def titrate(
    rx: Rx,
    target: Annotated[str, typer.Option(help='Mean daily dose to reach, such as "300 mcg/day".')],
    *,
    step: Step = None,
    every: Every = None,
    start: Annotated[str | None, typer.Option(help="Dose to start with from a stopped pump; by default that of the screening.")] = None,
    at: At = None,
    override: Overrides = None,
    clinic_library: ClinicLibrary = None,
    out: Out = None,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Up to a daily dose: start low, go slow, by the steps of the label."""
    from itbpump.plan import titrate as plan
    from itbpump.quantity import MassRate
    from itbpump.therapy import load_prescription

    present, goal = load_prescription(rx), MassRate.parse(target)
    first = None if start is None else MassRate.parse(start)
    library, reasons = library_for(present.drug.name, clinic_library), read_overrides(override)
    _present_plan(
        lambda: plan(
            present,
            goal,
            step_percent=_percent(step),
            every=_duration(every),
            start=first,
            at=_time(at),
            reasons=reasons,
            library=library,
        ),
        reasons,
        out,
        svg,
        as_json=as_json,
    )


@app.command(cls=GuardedCommand, short_help="Down by small steps, no abrupt stop.")
def taper(
    rx: Rx,
    to: Annotated[str, typer.Option(help="Mean daily dose to end at.")] = "0 mcg/day",
    *,
    step: Step = None,
    every: Every = None,
    at: At = None,
    override: Overrides = None,
    clinic_library: ClinicLibrary = None,
    out: Out = None,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """Down to a daily dose, or to nothing: small steps instead of an abrupt stop."""
    from itbpump.plan import taper as plan
    from itbpump.quantity import MassRate
    from itbpump.therapy import load_prescription

    present, goal = load_prescription(rx), MassRate.parse(to)
    library, reasons = library_for(present.drug.name, clinic_library), read_overrides(override)
    _present_plan(
        lambda: plan(
            present,
            goal,
            step_percent=_percent(step),
            every=_duration(every),
            at=_time(at),
            reasons=reasons,
            library=library,
        ),
        reasons,
        out,
        svg,
        as_json=as_json,
    )


@app.command(cls=GuardedCommand, short_help="The same dose, another concentration.")
def convert(
    rx: Rx,
    concentration: Annotated[str, typer.Option(help='The new concentration, such as "2000 mcg/mL".')],
    filled: Annotated[str, typer.Option(help='What is filled in, such as "38 mL".')],
    *,
    aspirated: Annotated[str | None, typer.Option(help="What was drawn out, to be compared with what was expected.")] = None,
    rinse: Annotated[str | None, typer.Option(metavar="VOLUME", help='Rinse with so much, such as "5 mL", and draw it out again.')] = None,
    times: Annotated[int, typer.Option(min=1, max=10, help="How many rinses.")] = 1,
    rinse_with: Annotated[str, typer.Option(metavar="drug|saline", help="The new drug, or drug-free fluid.")] = "drug",
    at: At = None,
    override: Overrides = None,
    clinic_library: ClinicLibrary = None,
    out: Out = None,
    svg: Svg = None,
    as_json: Json = False,
) -> None:
    """The same dose from another concentration: refill, residual mix, bridge, in figures."""
    from itbpump.plan import convert as plan
    from itbpump.quantity import Concentration, Volume
    from itbpump.therapy import load_prescription

    present, new, volume = load_prescription(rx), Concentration.parse(concentration), Volume.parse(filled)
    drawn = None if aspirated is None else Volume.parse(aspirated)
    rinsing = _rinse(rinse, times, rinse_with, new.ng_per_mL)
    library, reasons = library_for(present.drug.name, clinic_library), read_overrides(override)
    _present_plan(
        lambda: plan(
            present,
            new,
            volume,
            aspirated=drawn,
            rinse=rinsing,
            at=_time(at),
            reasons=reasons,
            library=library,
        ),
        reasons,
        out,
        svg,
        as_json=as_json,
    )


# ------------------------------------------------------------------------------------------------ reading options
def _percent(text: str | None) -> Fraction | None:
    """`10` or `12.5`, with or without a sign for percent, by the grammar of amounts. QuantityError for anything else."""
    from itbpump.quantity import Volume

    if text is None:
        return None
    try:
        return Fraction(Volume.parse(f"{text.removesuffix('%').strip()} mL").value, Volume.UNITS["mL"])
    except ValueError as error:
        raise CommandError(f"--step {text!r}: write a percentage, such as --step 10 or --step 12.5", USAGE) from error


def _duration(text: str | None) -> Duration | None:
    from itbpump.quantity import Duration

    return None if text is None else Duration.parse(text)


def _time(text: str | None) -> datetime | None:
    """CommandError (2) for what is no time with an offset."""
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--at {text!r}: write date, time and offset, such as 2026-11-22T10:00:00-05:00", USAGE) from error
    if found.utcoffset() is None:
        raise CommandError(f"--at {text!r}: the offset from UTC is missing; write it after the time, such as {text}-05:00", USAGE)
    return found


def _rinse(volume: str | None, times: int, fluid: str, new_ng_per_mL: int) -> Rinse | None:
    from itbpump.plan import Rinse
    from itbpump.quantity import Volume

    if fluid not in {"drug", "saline"}:
        raise CommandError(f"--rinse-with {fluid!r}: write drug or saline", USAGE)
    if volume is None:
        if times != 1 or fluid != "drug":
            raise CommandError("--times and --rinse-with belong to --rinse VOLUME", USAGE)
        return None
    amount = Volume.parse(volume)
    if amount.nL == 0:
        raise CommandError('--rinse "0 mL" is no rinse; leave it out', USAGE)
    return Rinse(amount.nL, times, new_ng_per_mL if fluid == "drug" else 0)


# ------------------------------------------------------------------------------------------------ showing and writing
def _present_plan(make: Callable[[], Plan], reasons: Mapping[str, str], folder: Path | None, svg: Path | None, *, as_json: bool) -> None:
    """Make the plan, run it in the simulator, write the files, show it. Exit code 3 or 4 where a step does not pass its review."""
    from itbpump.plan import PlanLimitError, StepRefused
    from itbpump.plan.chart import svg_chart
    from itbpump.plan.csf import simulate
    from itbpump.plan.views import plan_json, plan_lines

    out = Output(as_json)
    try:
        plan = make()
    except StepRefused as refused:
        data = {"at": refused.at.isoformat(), "finding": refused.finding.json(), "review": refused.review.json()}
        raise CommandError(f"no plan: {refused}", refused.review.exit_code, data) from refused
    except PlanLimitError as limit:
        data = {"value": limit.value, "limit": limit.limit, "source": limit.source}
        raise CommandError(f"no plan: {limit}", HARD_LIMIT, data) from limit
    idle = set(reasons) - {expected.finding.rule for entry in plan.entries for expected in entry.expected}
    if idle:
        raise CommandError(f"nothing to override for {', '.join(sorted(idle))} in this plan; leave it out", USAGE)
    csf = simulate(plan)
    written = [] if folder is None else _write_prescriptions(plan, folder)
    if svg is not None:
        _write(svg, svg_chart(plan, csf))
    out.data({**plan_json(plan, csf), "files": [str(path) for path in written]})
    if not as_json:
        _show(out, plan, plan_lines(plan, csf), written, svg)


def _show(out: Output, plan: Plan, lines: list[str], written: list[Path], svg: Path | None) -> None:
    out.say(*lines)
    out.say(*library_lines(plan.library.json()))
    if written:
        out.say(f"Written: {written[0].parent}{os.sep}, {len(written)} prescriptions; review each beside the one before:")
        out.say(f"  itbpump review {written[1]} --current {written[0]}")
    if svg is not None:
        out.say(f"Charts: {svg}")


def _write_prescriptions(plan: Plan, folder: Path) -> list[Path]:
    """Each into a file of its own; a folder that holds prescriptions of another plan is left alone."""
    files = plan.files()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        held = sorted(path.name for path in folder.glob("*.toml"))
    except OSError as error:
        raise CommandError(f"{folder}: cannot be used ({error.strerror or error})", FAILED) from error
    if held:
        raise CommandError(f"{folder} holds {held[0]} already; name an empty folder, so that two plans are never mixed", USAGE)
    paths = [folder / name for name in files]
    for path, text in zip(paths, files.values(), strict=True):
        _write(path, text)
    return paths


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, "utf-8")
    except OSError as error:
        raise CommandError(f"{path}: cannot be written ({error.strerror or error})", FAILED) from error
