"""An external balance as the truth of hardware: a stream of lines `ms,grams`, and the volume that a density makes of it.

    [rigs.NAME.balance]
    source = "/dev/ttyUSB1"        # any line of itbpump.transport, or the path of a file that another program writes (file:PATH)
    density_g_per_mL = "1.004"     # of the liquid; text, because it goes into every figure
    patience_s = 10                # how old the newest reading may get before the balance counts as silent

`ms` is the balance's own clock and only has to rise; `grams` is decimal text and falls or rises with the set-up: what counts is how far it
has moved from the first reading. A line that begins with # is passed over; the first line of a stream may be cut and is not counted. Not
modelled: evaporation, buoyancy, drift; take a blank beforehand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from itbpump.hil.errors import BalanceError, TargetsError
from itbpump.transport import open_transport
from itbpump.transport.base import Transport, TransportError

__all__ = ["Balance", "FileSource", "LineSource", "balance_of"]

NL_PER_ML = 1_000_000
_READING = re.compile(rb"([0-9]{1,15}) *, *([+-]?[0-9]{1,6}(?:\.[0-9]{1,9})?)")
_LONGEST_LINE = 1_024


class Source(Protocol):
    """Where readings come from."""

    def read(self) -> bytes:
        """What has come since it was last asked; never waits."""

    def close(self) -> None:
        """Give it back."""


class FileSource:
    """A file that grows at its end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")

    def read(self) -> bytes:
        """See Source."""
        return self._file.read()

    def close(self) -> None:
        """See Source."""
        self._file.close()


class LineSource:
    """A serial device or socket."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def read(self) -> bytes:
        """See Source."""
        come = b""
        while data := self._transport.read(0):
            come += data
        return come

    def close(self) -> None:
        """See Source."""
        self._transport.close()


class Balance:
    """Readings and the volume they stand for. `whole_lines`: the stream begins at the begin of a line, as a file does."""

    def __init__(
        self,
        rig: str,
        source: Source,
        density_g_per_mL: Fraction,
        *,
        patience_s: int = 10,
        whole_lines: bool = True,
        sleep: Callable[[float], None],
    ) -> None:
        self._rig, self._source, self._density = rig, source, density_g_per_mL
        self._patience_s, self._sleep = patience_s, sleep
        self._tail = b""
        self._skip = not whole_lines
        self._first: tuple[int, Fraction] | None = None
        self._last: tuple[int, Fraction] | None = None

    def delivered_nL(self) -> int:
        """How far the balance has moved since its first reading, as a volume, to the nearest nL; waits for a reading newer than the one
        asked about last, up to the patience. Raises BalanceError for a silent balance, or a line that is no reading."""
        first, last = self._newest()
        return round(abs(last - first) * NL_PER_ML / self._density)

    def _newest(self) -> tuple[Fraction, Fraction]:
        before = self._last
        for wait_s in (*[0.05] * (20 * self._patience_s), 0.0):
            self._take(self._source.read())
            if self._first is not None and self._last is not None and self._last is not before:
                return self._first[1], self._last[1]
            self._sleep(wait_s)
        raise BalanceError(
            self._rig, f"its balance has said nothing for {self._patience_s} s", "see its cable, and that it sends by itself"
        )

    def _take(self, data: bytes) -> None:
        *lines, self._tail = (self._tail + data).split(b"\n")
        if len(self._tail) > _LONGEST_LINE:
            raise BalanceError(self._rig, f"its balance sends a line of over {_LONGEST_LINE} bytes", "let it send lines `ms,grams`")
        if lines and self._skip:
            lines, self._skip = lines[1:], False
        for line in lines:
            if (text := line.strip()) and not text.startswith(b"#"):
                self._reading(text)

    def _reading(self, text: bytes) -> None:
        found = _READING.fullmatch(text)
        if found is None:
            raise BalanceError(self._rig, f"its balance sends {text[:60]!r}, which is no reading", "let it send lines `ms,grams`")
        reading = (int(found[1]), Fraction(Decimal(found[2].decode())))
        if self._last is not None and reading[0] < self._last[0]:
            raise BalanceError(
                self._rig, f"the clock of its balance goes back from {self._last[0]} to {reading[0]} ms", "start the run anew"
            )
        self._first = self._first or reading
        self._last = reading

    def close(self) -> None:
        """Give the source back."""
        self._source.close()


def balance_of(rig: str, table: Mapping[str, Any], sleep: Callable[[float], None]) -> Balance:
    """The balance that a table [rigs.NAME.balance] describes, opened. Raises TargetsError, BalanceError."""
    where = f"rig {rig}, balance"
    source, density, patience_s = table.get("source"), table.get("density_g_per_mL"), table.get("patience_s", 10)
    if not isinstance(source, str) or not source:
        raise TargetsError(where, "source is missing", 'write source = "/dev/ttyUSB1", or "file:PATH"')
    if not isinstance(density, str) or not re.fullmatch(r"(0|[1-9][0-9]?)(\.[0-9]{1,6})?", density) or not Decimal(density):
        raise TargetsError(where, f"density_g_per_mL = {density!r}", 'write it as text, such as "1.004"')
    if type(patience_s) is not int or patience_s < 1:
        raise TargetsError(where, f"patience_s = {patience_s!r}", "write whole seconds, from 1")
    try:
        opened: Source = (
            FileSource(Path(source.removeprefix("file:"))) if source.startswith("file:") else LineSource(open_transport(source))
        )
    except (OSError, TransportError) as error:
        raise BalanceError(rig, f"its balance cannot be opened ({error})", "see its cable and address") from error
    whole = source.startswith("file:")
    return Balance(rig, opened, Fraction(Decimal(density)), patience_s=patience_s, whole_lines=whole, sleep=sleep)
