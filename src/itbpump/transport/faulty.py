"""Any line with faults in front of it: `faulty:SPEC;URL`, the address of the pump last.

    faulty:drop=10%,duplicate=10%,jitter=20ms,seed=7;/dev/ttyUSB0
    faulty:PLAN.toml;sim://P-40?fill=38mL

SPEC is a plan file (its name ends in .toml) or items with commas between:
* `[to-pump.|to-host.]HARM=WHEN[:DETAIL]…`: HARM is one of `wire.line.Harm`; WHEN is `10%` (of the frames, up to four decimals), `#3`
  (frame 3 of a way, counted from 0), `every5`, `4..9` (frames 4 to 8) or `all`; DETAIL: `800ms`, `3bits`, `6bytes` or `x2` (at most twice).
* the line itself: `baud=115200`, `latency=5ms`, `jitter=20ms`, `buffer=4096`; and `seed=7`.
A plan file (TOML) has `schema = "itbpump.line/1"`, `seed`, a table `[pacing]`, tables `[[fault]]` with the fields of LineFault and Frames.

The faults are those of the pure model `itbpump.wire.line`; this module only carries bytes between it and the line, and waits no longer
than the caller, or the next byte due, asks. Bytes for the pump that are held back leave while the caller reads. Not modelled: faults of the
adapter's driver; in front of a real device its own speed and latency come on top.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from itbpump.transport.base import BadUrlError, PortClosedError, PortUnpluggedError, Transport, TransportError, require_wait
from itbpump.wire.line import Frames, Harm, Line, LineFault, LineFaultError, Pacing, Way
from itbpump.wire.numbers import beyond_64_bits

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["FaultyTransport", "parse_plan", "parse_spec"]

SCHEMA = "itbpump.line/1"
_PREFIX: Final = "faulty:"
_HOW = "write it like faulty:drop=10%,duplicate=10%,jitter=20ms,seed=7;/dev/ttyUSB0 or faulty:PLAN.toml;URL"
_WHOLE = r"0|[1-9][0-9]{0,8}"
_PACING = {"baud": ("baud", ""), "latency": ("latency_ms", "ms"), "jitter": ("jitter_ms", "ms"), "buffer": ("buffer_bytes", "")}
_DETAIL = re.compile(rf"(?:(?P<ms>{_WHOLE})ms|(?P<bits>{_WHOLE})bits?|(?P<bytes>{_WHOLE})bytes?|x(?P<count>{_WHOLE}))")


class FaultyTransport:
    """A Transport around another one. `line.fired` tells what happened."""

    def __init__(self, url: str, inner: Transport, line: Line) -> None:
        self.url = url
        self.inner = inner
        self.line = line
        self._closed = False

    @classmethod
    def open(cls, url: str, open_inner: Callable[[str], Transport]) -> FaultyTransport:
        """Open `faulty:SPEC;URL`; `open_inner` opens URL. Raises BadUrlError, and what opening URL raises."""
        spec, semicolon, inner = url.removeprefix(_PREFIX).partition(";")
        if not url.startswith(_PREFIX) or not semicolon or not inner:
            raise BadUrlError(url, "it names no line behind the faults", _HOW)
        try:
            line = parse_plan(Path(spec).expanduser()) if spec.endswith(".toml") else parse_spec(spec)
        except LineFaultError as error:
            raise BadUrlError(url, str(error), _HOW) from error
        return cls(url, open_inner(inner), line)

    @property
    def simulated(self) -> bool:
        """Whether the pump behind the faults is known to be simulated."""
        return self.inner.simulated

    def now_ms(self) -> int:
        """The clock of the line behind."""
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        require_wait(max_wait_ms)
        end_ms = self.now_ms() + max_wait_ms
        while True:
            self._require_open()
            now_ms = self.now_ms()
            self._carry(now_ms)
            data = self.line.receive(Way.TO_HOST, now_ms)
            if data:
                return data
            self._require_cable()
            due_ms = self.line.next_ms()
            until_ms = end_ms if due_ms is None else min(end_ms, due_ms)
            with self._reporting():
                come = self.inner.read(max(0, until_ms - now_ms))
            if come:
                self.line.send(Way.TO_HOST, come, self.now_ms())
            elif now_ms >= end_ms:
                return b""

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. What the line model holds back counts as written and leaves while `read` waits."""
        self._require_open()
        self._require_cable()
        now_ms = self.now_ms()
        self.line.send(Way.TO_PUMP, data, now_ms)
        self._carry(now_ms, deadline_ms)

    def close(self) -> None:
        """See Transport. What is still under way is lost."""
        self._closed = True
        with self._reporting():
            self.inner.close()

    def _carry(self, now_ms: int, deadline_ms: int | None = None) -> None:
        """Give the pump what has come through by now; each piece of a split frame by itself."""
        while data := self.line.receive(Way.TO_PUMP, now_ms):
            with self._reporting():
                self.inner.write(data, deadline_ms)

    def _require_open(self) -> None:
        if self._closed:
            raise PortClosedError(self.url, "it has been closed", "open it again")

    def _require_cable(self) -> None:
        if self.line.unplugged:
            raise PortUnpluggedError(
                self.url, "a fault of the plan has pulled the cable", "open it again, or take `disconnect` out of the plan"
            )

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Failures of the line behind, under this address."""
        try:
            yield
        except TransportError as error:
            raise type(error)(self.url, error.problem, error.action) from error


# ------------------------------------------------------------------------------------------------------------- the address
def parse_spec(spec: str) -> Line:
    """The line that the items of an address describe. Raises LineFaultError naming the item that makes no sense."""
    faults: list[LineFault] = []
    settings: dict[str, int] = {}
    for item in spec.split(","):
        name, equals, value = item.strip().partition("=")
        if not equals:
            raise LineFaultError(f"{item!r} is no item NAME=VALUE of a faulty line")
        if name == "seed" or name in _PACING:
            key, unit = _PACING.get(name, ("seed", ""))
            if key in settings:
                raise LineFaultError(f"{name} is given twice")
            settings[key] = _number(name, value, unit)
        else:
            faults.append(_fault(name, value))
    seed = settings.pop("seed", 0)
    return Line(faults, seed=seed, pacing=_pacing(settings) if settings else None)


def _pacing(given: dict[str, int]) -> Pacing:
    """Without a baud rate the line is as fast as what is behind it."""
    settings: dict[str, Any] = {"baud": None, **given}
    return Pacing(**settings)


def _number(name: str, text: str, unit: str) -> int:
    match = re.fullmatch(rf"({_WHOLE}){unit}", text)
    if match is None:
        raise LineFaultError(f"{name}={text}: give a whole number{' of ' + unit if unit else ''}, such as {name}=20{unit}")
    return int(match[1])


def _fault(name: str, value: str) -> LineFault:
    way_text, dot, harm_text = name.rpartition(".")
    if dot and way_text not in set(Way):
        raise LineFaultError(f"{name}: the way is one of {', '.join(Way)}")
    when, *details = value.split(":")
    given: dict[str, int] = {}
    for detail in details:
        match = _DETAIL.fullmatch(detail)
        if match is None or match.lastgroup is None or match.lastgroup in given:
            raise LineFaultError(f"{name}={value}: {detail!r} is no detail, or one given twice; give 800ms, 3bits, 6bytes or x2")
        given[match.lastgroup] = int(match[match.lastgroup])
    return LineFault(_harm(harm_text), Way(way_text) if dot else None, _when(name, when), **given)


def _harm(text: str) -> Harm:
    if text not in set(Harm):
        raise LineFaultError(
            f"{text!r} is nothing that can happen to a line; there are {', '.join(Harm)}; baud, latency, jitter, buffer; seed"
        )
    return Harm(text)


def _when(name: str, text: str) -> Frames:
    if match := re.fullmatch(r"([0-9]{1,3})(?:\.([0-9]{1,4}))?%", text):
        return Frames(rate_ppm=int(match[1] + (match[2] or "").ljust(4, "0")))
    if match := re.fullmatch(rf"#({_WHOLE})", text):
        return Frames(nth=int(match[1]))
    if match := re.fullmatch(rf"every({_WHOLE})", text):
        return Frames(every=int(match[1]))
    if match := re.fullmatch(rf"({_WHOLE})\.\.({_WHOLE})", text):
        return Frames(window=(int(match[1]), int(match[2])))
    if text == "all":
        return Frames()
    raise LineFaultError(f"{name}={text}: say when: 10%, #3, every5, 4..9 or all")


# ------------------------------------------------------------------------------------------------------------ the plan file
_FRAMES = tuple(field.name for field in fields(Frames))
_WHOLE_FIELDS = ("nth", "every", "rate_ppm", "count", "ms", "bits", "bytes")


def parse_plan(path: Path) -> Line:
    """The line that a plan file describes. Raises LineFaultError saying what is wrong with the file and where."""
    try:
        plan = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise LineFaultError(f"the plan {path} cannot be read: {error}") from error
    key = beyond_64_bits(plan)
    if key is not None:
        raise LineFaultError(f"{path}: {key} holds a number beyond 64 bits; give a smaller one")
    _require_keys(plan, ("schema", "seed", "pacing", "fault"), str(path))
    if plan.get("schema") != SCHEMA:
        raise LineFaultError(f'{path} is no plan of a line: it begins with schema = "{SCHEMA}"')
    pacing, faults, seed = plan.get("pacing"), plan.get("fault", []), plan.get("seed", 0)
    if not isinstance(faults, list) or not all(isinstance(fault, dict) for fault in [pacing or {}, *faults]):
        raise LineFaultError(f"{path}: pacing is one table [pacing], faults are tables [[fault]]")
    _require_whole(seed, f"{path}: seed")
    if pacing is not None:
        _require_keys(pacing, tuple(field.name for field in fields(Pacing)), f"{path}: pacing")
        for key, value in pacing.items():
            _require_whole(value, f"{path}: pacing.{key}")
    made = [_planned(fault, f"{path}: fault {number}") for number, fault in enumerate(faults)]
    return Line(made, seed=seed, pacing=None if pacing is None else _pacing(pacing))


def _planned(fault: dict[str, Any], where: str) -> LineFault:
    _require_keys(fault, (*(field.name for field in fields(LineFault) if field.name != "when"), *_FRAMES), where)
    for key in _WHOLE_FIELDS:
        if key in fault:
            _require_whole(fault[key], f"{where}: {key}")
    window = fault.get("window")
    if window is not None and not (isinstance(window, list) and [type(end) for end in window] == [int, int]):
        raise LineFaultError(f"{where}: window is [first, one after the last]")
    way = fault.get("way")
    if way is not None and way not in list(Way):
        raise LineFaultError(f"{where}: way is one of {', '.join(Way)}")
    try:
        frames: dict[str, Any] = {key: tuple(fault[key]) if key == "window" else fault[key] for key in _FRAMES if key in fault}
        rest = {key: fault[key] for key in ("count", "ms", "bits", "bytes") if key in fault}
        return LineFault(_harm(str(fault.get("harm", ""))), None if way is None else Way(way), Frames(**frames), **rest)
    except LineFaultError as error:
        raise LineFaultError(f"{where}: {error}") from error


def _require_keys(table: dict[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise LineFaultError(f"{where} has {key!r}, which nothing reads; there are {', '.join(known)}")


def _require_whole(value: object, where: str) -> None:
    if type(value) is not int:
        raise LineFaultError(f"{where} is {value!r}: give a whole number")
