"""`itbpump forecast`: by when to refill, with bounds, and what limits it; from a prescription or from a pump. Sends nothing."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.cli.libraries import ClinicLibrary, library_for
from itbpump.cli.pumps import opened
from itbpump.cli.registered import dates_of

if TYPE_CHECKING:
    from itbpump.forecast import Forecast

__all__ = ["forecast", "forecast_lines"]


def forecast(
    rx: Annotated[Path | None, typer.Argument(metavar="RX", help="A prescription, a TOML file; counted from its as_of.")] = None,
    pump: Annotated[str | None, typer.Option("--pump", metavar="URL", help="The pump; counted from now.")] = None,
    implanted_on: Annotated[
        str | None, typer.Option("--implanted-on", metavar="DATE", help="Day of implant, such as 2026-11-22, for the pump's service life.")
    ] = None,
    *,
    clinic_library: ClinicLibrary = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Tell by when to refill: earliest, nominal and latest dates, and what limits them. Sends nothing."""
    from itbpump.forecast import forecast as dates_as_written
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    day = _day(implanted_on)
    if pump is not None and rx is None:
        with opened(pump) as line:
            title = f"Dates of pump {line.info.serial}, {line.info.profile}{', SIMULATED' if line.info.simulated else ''}, as it runs now"
            present = line.present()
            drug = present.configuration.drug if present.configuration is not None else None
            library = library_for(drug, clinic_library) if drug is not None else None
            found = dates_of(line, present, library, implanted_on=day)
    elif rx is not None and pump is None:
        new = load_prescription(rx)
        title = f"Dates of the prescription for patient {new.patient.id}, {new.pump.profile}, as written"
        found = dates_as_written(new, library=library_for(new.drug.name, clinic_library), implanted_on=day)
    else:
        raise CommandError("give a prescription or --pump URL, one of the two", USAGE)
    out.data(found.json())
    if not as_json:
        out.say(title, "", *forecast_lines(found))


def forecast_lines(found: Forecast) -> list[str]:
    """Dates as tables, on what they rest, and what is not in them; for a screen of 80 columns."""
    from itbpump.forecast import day_text
    from itbpump.quantity import Volume

    rests = found.assumptions
    volume, fill, low, empty = (
        Volume.parse(f"{rests[name]['value']} mL") for name in ("reservoir_volume", "counted_from", "low_reservoir_alarm", "empty")
    )
    top = [("from", f"{day_text(found.as_of)} {found.as_of:%H:%M (%Z)}"), ("refill by", found.refill_text)]
    bounds = [(f"low, at {low}", found.low_reservoir), (f"empty, at {empty}", found.empty)]
    table = [("", "earliest", "nominal", "latest")]
    table += [(label, day_text(dates.earliest), day_text(dates.nominal), day_text(dates.latest)) for label, dates in bounds]
    return [
        *(f"{label:<22}{text}" for label, text in top),
        "",
        *(f"{label:<22}{first:<14}{second:<14}{third}".rstrip() for label, first, second, third in table),
        "",
        f"{'alarm, by the count':<22}{day_text(found.alarm)}",
        *(f"{label:<22}{text}" for label, text in found.ends()),
        "",
        f"From {volume}, counted since {fill}; flow within {rests['flow_tolerance_percent']} %.",
        "Earliest: with every patient bolus allowed and a prime still to come.",
        *_learned_lines(rests["calibration"]),
        *(f"Not checked: {text}" for text in found.not_checked),
    ]


def _learned_lines(learned: Mapping[str, Any] | None) -> list[str]:
    """What the pump's refills tell of its flow; nothing where there is no history."""
    if learned is None or learned["refills"] == "0":
        return []
    error = learned["flow_error_percent"]
    side = f"{error.removeprefix('-')} % {'less' if error.startswith('-') else 'more'} than it counts"
    from itbpump.forecast import day_text

    likely = [learned[name] for name in ("low_reservoir_likely", "empty_likely")]
    days = [day_text(datetime.fromisoformat(at)) if at is not None else "no date" for at in likely]
    lines = [
        f"Its refills ({learned['refills']}): {side}, spread {learned['spread_percent']} %.",
        f"If it goes on so: low {days[0]}, empty {days[1]}; the bounds only widen.",
    ]
    if learned["outside_tolerance"]:
        lines.append("ATTENTION: its flow is outside the tolerance of its profile.")
    if learned["drift"].startswith("gives"):
        lines.append(f"ATTENTION: its flow drifts: it {learned['drift']}.")
    return lines


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"--implanted-on {text!r} is no date; write it as 2026-11-22", USAGE) from error
