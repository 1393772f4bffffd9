"""The bench: what a hand, a needle, a magnet and a power supply do to a simulated pump. Commands as a table, and their line form.

A request is one line of JSON, `{"command": "advance", "arguments": {"for": "77d"}, "id": 1}`; its answer is one line,
`{"ok": true, "result": {…}, "id": 1}` or `{"ok": false, "error": {"kind": …, "message": …}, "id": 1}`. Answers keep the order of the
requests of one connection. The bench is never reachable over the patient's link.

Pure: no I/O and no clock. The port is endpoints/bench_port.py, the client bench_client.py; endpoints/controls.py and device.py carry out.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "COMMANDS",
    "LONGEST_LINE_BYTES",
    "Argument",
    "BenchCall",
    "BenchCommand",
    "BenchError",
    "Kind",
    "answer_line",
    "duration_text",
    "error_line",
    "help_table",
    "parse_call",
    "parse_duration_ms",
    "parse_volume_nL",
]

# A request is a name and a few numbers; a longer line is a mistake or an attack, and must not fill the memory.
LONGEST_LINE_BYTES = 16 * 1024

_UNITS_MS = {"w": 604_800_000, "d": 86_400_000, "h": 3_600_000, "m": 60_000, "min": 60_000, "s": 1_000, "ms": 1}
_DURATION_PART = re.compile(r"(0|[1-9][0-9]{0,11})(w|d|h|min|ms|m|s)")
# 100 years: beyond any pump's service life, and far from the end of every counter.
LONGEST_DURATION_MS = 36_525 * 86_400_000
_VOLUME = re.compile(r"(0|[1-9][0-9]{0,6})(?:\.([0-9]{0,5}[1-9]))? ?(mL|uL|nL)")
_UNIT_DECIMALS = {"mL": 6, "uL": 3, "nL": 0}


class BenchError(Exception):
    """A bench command cannot be carried out; nothing has changed.

    `kind` is stable and for programs: bad-line, bad-command, bad-argument, refused, busy, connection. `argument` names the culprit.
    """

    def __init__(self, message: str, *, kind: str = "refused", argument: str = "") -> None:
        super().__init__(message)
        self.kind = kind
        self.argument = argument


def parse_duration_ms(text: str) -> int:
    """Milliseconds of `77d`, `11w`, `1h30m`, `500ms`: whole numbers, units w d h m (min) s ms from long to short, each once.

    Raises BenchError otherwise, also beyond 100 years.
    """
    total, position, smaller_than = 0, 0, LONGEST_DURATION_MS
    while position < len(text):
        part = _DURATION_PART.match(text, position)
        if part is None or _UNITS_MS[part[2]] >= smaller_than:
            raise BenchError(f"{text!r} is no duration: write it like 77d, 11w, 1h30m or 500ms", kind="bad-argument")
        smaller_than = _UNITS_MS[part[2]]
        total += int(part[1]) * smaller_than
        position = part.end()
    if not text:
        raise BenchError("an empty text is no duration: write it like 77d, 11w, 1h30m or 500ms", kind="bad-argument")
    if total > LONGEST_DURATION_MS:
        raise BenchError(f"{text!r} is more than 100 years", kind="bad-argument")
    return total


def duration_text(duration_ms: int) -> str:
    """The shortest text parse_duration_ms reads back as `duration_ms` (0 or more)."""
    if duration_ms < 0:
        raise ValueError(f"{duration_ms} ms is negative")
    parts: list[str] = []
    for unit in ("w", "d", "h", "m", "s", "ms"):
        count, duration_ms = divmod(duration_ms, _UNITS_MS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0ms"


def parse_volume_nL(text: str) -> int:
    """Nanolitres of `38mL`, `2.1 mL`, `500uL`, `30nL`, exactly. Raises BenchError for anything else, also below a nanolitre."""
    match = _VOLUME.fullmatch(text)
    if match is None:
        raise BenchError(f"{text!r} is no volume: write it like 38mL or 2.1 mL, without zeros after the last digit", kind="bad-argument")
    fraction = match[2] or ""
    decimals = _UNIT_DECIMALS[match[3]]
    if len(fraction) > decimals:
        raise BenchError(f"{text!r} is finer than a nanolitre", kind="bad-argument")
    return int(match[1] + fraction.ljust(decimals, "0"))


class Kind(Enum):
    """Type of an argument, as written in JSON."""

    DURATION = "whole milliseconds, or text like 77d"
    VOLUME = "whole nanolitres, or text like 38mL"
    INTEGER = "whole number"
    TEXT = "text"
    BOOLEAN = "true or false"
    HEX = "bytes as hexadecimal digits"
    CHOICE = "one of a list"


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a command. `low` and `high` are inclusive; for HEX they bound the number of bytes."""

    name: str
    kind: Kind
    doc: str
    required: bool = True
    choices: tuple[str, ...] = ()
    low: int = 0
    high: int = 2**63 - 1

    def read(self, value: object) -> object:
        """`value` as the handler wants it: int, str, bool or bytes. Raises BenchError naming this argument."""
        try:
            return self._read(value)
        except BenchError as error:
            raise BenchError(f"argument {self.name!r}: {error}", kind="bad-argument", argument=self.name) from error

    def _read(self, value: object) -> object:
        match self.kind:
            case Kind.DURATION:
                return self._number(parse_duration_ms(value) if isinstance(value, str) else value)
            case Kind.VOLUME:
                return self._number(parse_volume_nL(value) if isinstance(value, str) else value)
            case Kind.INTEGER:
                return self._number(value)
            case Kind.BOOLEAN:
                return self._boolean(value)
            case Kind.HEX:
                return self._hex(value)
            case Kind.TEXT | Kind.CHOICE:
                return self._text(value)

    def _number(self, value: object) -> int:
        # JSON's true is Python's 1; 1.0 and "5" are refused too: a bench that guesses hides a wrong script.
        if not isinstance(value, int) or isinstance(value, bool):
            raise BenchError(f"{value!r} is not a {self.kind.value}")
        if not self.low <= value <= self.high:
            raise BenchError(f"{value} lies outside {self.low} to {self.high}")
        return value

    def _boolean(self, value: object) -> bool:
        if not isinstance(value, bool):
            raise BenchError(f"{value!r} is not true or false")
        return value

    def _hex(self, value: object) -> bytes:
        if not isinstance(value, str) or re.fullmatch(r"([0-9a-fA-F]{2})*", value) is None:
            raise BenchError(f"{value!r} is not hexadecimal, two digits a byte")
        if not self.low <= len(value) // 2 <= self.high:
            raise BenchError(f"{len(value) // 2} bytes, not {self.low}" + (f" to {self.high}" if self.high != self.low else ""))
        return bytes.fromhex(value)

    def _text(self, value: object) -> str:
        if not isinstance(value, str):
            raise BenchError(f"{value!r} is not text")
        if self.choices and value not in self.choices:
            raise BenchError(f"{value!r} is not one of {', '.join(self.choices)}")
        return value


@dataclass(frozen=True, slots=True)
class BenchCommand:
    """One row of the table. `on_device`: the device's own `bench()` carries it out; the others need the server's clock or process."""

    name: str
    doc: str
    arguments: tuple[Argument, ...] = ()
    on_device: bool = False

    def read(self, given: dict[str, object]) -> dict[str, object]:
        """The arguments checked and converted; absent optional ones stay absent. Raises BenchError."""
        known = {argument.name: argument for argument in self.arguments}
        for name in given:
            if name not in known:
                names = ", ".join(known) or "none"
                raise BenchError(f"{self.name} has no argument {name!r}; it has: {names}", kind="bad-argument", argument=name)
        for argument in self.arguments:
            if argument.required and argument.name not in given:
                raise BenchError(
                    f"{self.name} needs the argument {argument.name!r} ({argument.doc})", kind="bad-argument", argument=argument.name
                )
        return {name: known[name].read(value) for name, value in given.items()}


_ON_OFF = ("on", "off")
_TABLE = (
    BenchCommand(
        "advance", "move pump time forward, in any mode of time", (Argument("for", Kind.DURATION, "how far", high=LONGEST_DURATION_MS),)
    ),
    BenchCommand("advance-to-event", "move pump time to the next thing that happens by itself"),
    BenchCommand(
        "power", "the pump's supply", (Argument("action", Kind.CHOICE, "cut, on, or cycle (both)", choices=("cut", "on", "cycle")),)
    ),
    BenchCommand("magnet", "hold the magnet over the pump", (Argument("hold_ms", Kind.DURATION, "how long", high=3_600_000),)),
    BenchCommand("patient-request", "the patient presses the button for a bolus"),
    BenchCommand(
        "pair",
        "store a programmer through the provisioning port",
        (
            Argument("programmer", Kind.HEX, "programmer id, 8 bytes", low=8, high=8),
            Argument("role", Kind.CHOICE, "what it may do", choices=("clinician", "observer", "emergency")),
            Argument("key", Kind.HEX, "pairing key, 32 bytes", low=32, high=32),
        ),
    ),
    BenchCommand("time", "the clocks, and whether the pump has power"),
    BenchCommand("speed", "how pump time moves by itself", (Argument("to", Kind.TEXT, "a factor such as 60 or 0.5, real, or manual"),)),
    BenchCommand("save", "write the state file now"),
    BenchCommand("quit", "save and end the simulator"),
    BenchCommand("help", "this table"),
    BenchCommand("truth", "what is really in the reservoir, the catheter and the patient", on_device=True),
    BenchCommand(
        "pulses",
        "the motor's pulses in (from, to]",
        (Argument("from_ms", Kind.DURATION, "pump uptime"), Argument("to_ms", Kind.DURATION, "pump uptime")),
        on_device=True,
    ),
    BenchCommand(
        "refill",
        "a needle in the port: draws out, fills in; the pump is not told",
        (
            Argument("aspirate_nL", Kind.VOLUME, "how much is drawn out; all of it if absent", required=False),
            Argument("fill_nL", Kind.VOLUME, "how much is filled in"),
            Argument("concentration_ng_per_mL", Kind.INTEGER, "of what is filled in; as before if absent", required=False),
        ),
        on_device=True,
    ),
    BenchCommand("stall", "the rotor sticks", (Argument("state", Kind.CHOICE, "on or off", choices=_ON_OFF),), on_device=True),
    BenchCommand(
        "faults",
        "faults planned, lasting and fired; or one more, now",
        (
            Argument("inject", Kind.TEXT, "id in the catalogue, such as mechanical.stall", required=False),
            Argument("with", Kind.TEXT, "its arguments, such as percent=20, for=3h", required=False),
        ),
        on_device=True,
    ),
    BenchCommand(
        "battery",
        "read the charge, or set it",
        (Argument("permille", Kind.INTEGER, "new charge", required=False, high=1000),),
        on_device=True,
    ),
)
COMMANDS: dict[str, BenchCommand] = {command.name: command for command in _TABLE}


@dataclass(frozen=True, slots=True)
class BenchCall:
    """A request that the table allows: its arguments have the table's types. `id` is given back as it came."""

    command: BenchCommand
    arguments: dict[str, object]
    id: object = None


def parse_call(line: bytes) -> BenchCall:
    """The request in one line, without its newline. Raises BenchError naming what is wrong."""
    if len(line) > LONGEST_LINE_BYTES:
        raise BenchError(f"the line is longer than {LONGEST_LINE_BYTES} bytes", kind="bad-line")
    try:
        request = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BenchError(f"the line is not JSON: {error}", kind="bad-line") from error
    if not isinstance(request, dict):
        raise BenchError('the line is not a JSON object such as {"command": "truth"}', kind="bad-line")
    unknown = sorted(set(request) - {"command", "arguments", "id"})
    if unknown:
        raise BenchError(f"the request has an unknown key {unknown[0]!r}; it may have command, arguments, id", kind="bad-line")
    name, given = request.get("command"), request.get("arguments", {})
    if not isinstance(name, str) or name not in COMMANDS:
        raise BenchError(f"{name!r} is no bench command; there are: {', '.join(sorted(COMMANDS))}", kind="bad-command")
    if not isinstance(given, dict):
        raise BenchError("`arguments` is not a JSON object", kind="bad-line")
    return BenchCall(COMMANDS[name], COMMANDS[name].read(given), request.get("id"))


def request_id(line: bytes) -> object:
    """The id of a request that could not be carried out, as far as it can be told."""
    try:
        request = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return request.get("id") if isinstance(request, dict) else None


def answer_line(result: dict[str, object], call_id: object) -> bytes:
    """The answer of success. Raises BenchError if the result cannot be written as JSON."""
    try:
        return json.dumps({"ok": True, "result": result, "id": call_id}, allow_nan=False).encode("ascii") + b"\n"
    except (TypeError, ValueError) as error:
        raise BenchError(f"the answer cannot be written as JSON: {error}") from error


def error_line(error: BenchError, call_id: object) -> bytes:
    """The answer of failure."""
    body = {"kind": error.kind, "message": str(error)} | ({"argument": error.argument} if error.argument else {})
    return json.dumps({"ok": False, "error": body, "id": call_id}).encode("ascii") + b"\n"


def help_table() -> dict[str, object]:
    """The table as JSON: for each command its text and its arguments."""
    return {
        command.name: {
            "doc": command.doc,
            "arguments": {
                argument.name: {"type": argument.kind.value, "doc": argument.doc, "required": argument.required}
                | ({"choices": list(argument.choices)} if argument.choices else {})
                for argument in command.arguments
            },
        }
        for command in _TABLE
    }
