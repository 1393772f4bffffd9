"""The `link_faults` fixture: faults on the line in front of any pump, hardware too, as `faulty:SPEC;URL` has them.

    with link_faults("drop=10%,seed=7") as line:
        pump.bolus("25 mcg", "10m")
    assert line.fired

Sessions opened inside go through it; one that is open is ended before, and the one inside is ended after. Opening the line again inside
puts a pulled cable back. SPEC is that of `itbpump.transport.faulty`, or the path of a plan file. The line's log shows what the host sent
and got: what a fault made of it on the way is told as events.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from itbpump.hil.errors import MeasurementError
from itbpump.hil.model import Capability
from itbpump.transport.faulty import FaultyTransport, parse_plan, parse_spec
from itbpump.wire.line import Line, LineFaultError

if TYPE_CHECKING:
    from itbpump.hil.station import Station
    from itbpump.transport.base import Transport
    from itbpump.wire.line_faults import Fired

__all__ = ["FaultyLine", "LinkFaults", "line_of"]


def line_of(spec: str) -> Line:
    """The line that SPEC, or a plan file (its name ends in .toml), describes. Raises MeasurementError saying what is wrong with it."""
    try:
        return parse_plan(Path(spec).expanduser()) if spec.endswith(".toml") else parse_spec(spec)
    except LineFaultError as error:
        raise MeasurementError(f"link faults {spec!r}: {error}") from error


class FaultyLine:
    """What `with link_faults(…) as line` gives: `line.fired` tells what happened so far, also after the end."""

    def __init__(self, spec: str) -> None:
        self.spec = spec
        self._line = line_of(spec)

    @property
    def fired(self) -> tuple[Fired, ...]:
        """Each fault that happened: harm, way, frame, link time."""
        return self._line.fired

    def around(self, inner: Transport) -> Transport:
        """A line opened anew goes through the same faults, which count on."""
        self._line.plug_in()
        return FaultyTransport(f"faulty:{self.spec};{inner.url}", inner, self._line)


class LinkFaults:
    """The fixture. One set of faults at a time."""

    def __init__(self, station: Station) -> None:
        self._station = station

    @contextmanager
    def __call__(self, spec: str) -> Iterator[FaultyLine]:
        """Put faults into the line. Raises MeasurementError for a SPEC that makes no sense, or inside another set of faults."""
        station = self._station
        station.require(Capability.LINK_FAULTS, "put faults into the line")
        if station.faults is not None:
            raise MeasurementError("there are faults in the line already; end those first, or write both into one SPEC")
        line = FaultyLine(spec)
        station.end_sessions()
        station.faults = line
        station.note_bench(f"link faults {spec}")
        try:
            yield line
        finally:
            station.end_sessions()
            station.faults = None
            for fired in line.fired:
                station.note_bench(f"{fired.harm.value} struck frame {fired.frame} {fired.way.value} at link time {fired.at_ms} ms")
            station.note_bench(f"link faults end, {len(line.fired)} struck")
