"""`itbpump status`: what the pump says of itself, as a screen and as JSON. Reading changes nothing in the pump."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from itbpump.cli.guard import Output
from itbpump.cli.pumps import open_commands, opened
from itbpump.cli.statusdata import status_json
from itbpump.wording.pumpview import read_view
from itbpump.wording.status import status_lines

if TYPE_CHECKING:
    pass

__all__ = ["status"]


def status(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump: /dev/ttyUSB0, COM3, socket://HOST:PORT, sim://P-40?fill=38mL.")],
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Show what the pump says of itself: therapy, reservoir, alarms, battery, clock. Changes nothing in it."""
    out = Output(as_json)
    with opened(url) as pump:
        view = read_view(pump, open_commands(pump))
    out.data(status_json(view))
    if not as_json:
        out.say(*status_lines(view))


# ------------------------------------------------------------------------------------------------ screen
