"""Rigs by name: `targets.toml`, and what an address alone says. Pure but for reading the file; nothing is opened here (`rig`).

    schema = "itbpump.targets/1"
    [rigs.pty]
    kind = "process"              # memory: in this process · process: started on a pty or TCP · device: a line that is there
    pump = "sim://P-40?fill=38mL" # memory and process: which simulated pump
    link = "pty"                  # process: pty or tcp
    speed = "manual"              # process: manual, real, or a factor
    address = "/dev/ttyUSB0"      # device: any address of `itbpump.transport`
    bench = "127.0.0.1:4001"      # device: a bench port, where the pump is a simulator after all; then also its speed and
    serial = "P4000042"           #         serial, by which it is paired
    fill = "38 mL"                # device: what is in the reservoir; "2000 mcg/mL" in `concentration`
    adapter = "module:Class"      # device: firmware that does not speak itbp1
    capabilities = [...]          # by default all that the kind can do
    [rigs.pty.power] …            # `power`    [rigs.pty.balance] … `balance`

A key that nothing reads is refused with the nearest one that something does: a typo must not run a test without its power driver.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from itbpump.errors import QuantityError
from itbpump.hil.errors import TargetsError
from itbpump.hil.model import Capability
from itbpump.quantity import Concentration, Volume

__all__ = ["DEFAULT_PUMP", "MEMORY", "SCHEMA", "Target", "load_targets", "target_named"]

SCHEMA: Final = "itbpump.targets/1"
DEFAULT_PUMP: Final = "sim://P-40?fill=38mL"

_SIMULATOR = frozenset(Capability) - {Capability.REAL_HARDWARE}
# fmt: off
_KEYS: Final[Mapping[str, tuple[str, ...]]] = {
    "memory": ("about", "kind", "pump", "capabilities"),
    "process": ("about", "kind", "pump", "link", "speed", "capabilities"),
    "device": (
        "about", "kind", "address", "bench", "serial", "speed", "fill", "concentration", "adapter", "capabilities", "power", "balance",
    ),
}
# fmt: on
_POWER: Final[Mapping[str, tuple[str, ...]]] = {
    "command": ("driver", "cut", "on", "timeout_s", "settle_s"),
    "uhubctl": ("driver", "location", "port", "program", "repeat", "timeout_s", "settle_s"),
}
_BALANCE = ("source", "density_g_per_mL", "patience_s")
_NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:|/|COM[0-9]|\.")


@dataclass(frozen=True, slots=True)
class Target:
    """One pump to test, as described; `address` is what the report tells of it. `faults` is the SPEC of a `faulty:` in front, or empty."""

    name: str
    kind: str
    address: str
    capabilities: frozenset[Capability]
    about: str = ""
    link: str = ""
    speed: str = "manual"
    faults: str = ""
    bench: str = ""
    serial: str = ""
    fill: Volume | None = None
    concentration: Concentration = field(default_factory=lambda: Concentration.parse("2000 mcg/mL"))
    adapter: str = ""
    power: Mapping[str, Any] = field(default_factory=dict)
    balance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def simulated(self) -> bool:
        """The pump is one that this kit makes; a key and a seed of its own do no harm there."""
        return self.kind != "device"

    @property
    def described(self) -> str:
        """Where the pump is, for a report: nothing of it differs between two runs."""
        way = f"{self.link}, time {self.speed}: " if self.kind == "process" else ""
        return way + (f"faulty:{self.faults};" if self.faults else "") + self.address

    def lacks(self, needed: Iterable[Capability]) -> tuple[Capability, ...]:
        """Which of `needed` this rig cannot do, in their order."""
        return tuple(one for one in needed if one not in self.capabilities)


# ------------------------------------------------------------------------------------------------------------- by name or address
def target_named(asked: str, rigs: Mapping[str, Target], where: str) -> Target:
    """The rig of that name, or the one an address describes. Raises TargetsError naming what there is."""
    if asked in rigs:
        return rigs[asked]
    if _URL.match(asked):
        return _of_address(asked)
    near = difflib.get_close_matches(asked, rigs, 1)
    hint = f"did you mean {near[0]}?" if near else f"rigs are {', '.join(rigs)}, and those that a targets.toml beside the tests describes."
    raise TargetsError("--pump", f"{asked!r} is neither a rig of {where} nor an address", f"{hint} An address is such as {DEFAULT_PUMP}")


def _of_address(url: str) -> Target:
    inner, faults = url, ""
    if url.startswith("faulty:"):
        faults, semicolon, inner = url.removeprefix("faulty:").partition(";")
        if not semicolon or not inner or inner.startswith("faulty:"):
            raise TargetsError("--pump", f"{url!r} names no pump behind the faults", "write faulty:drop=10%,seed=7;URL")
    if inner.startswith("replay:"):
        raise TargetsError("--pump", f"{url!r} is a recording", "a test needs a pump that answers what it is asked")
    if not inner.startswith("sim://"):
        capabilities = frozenset({Capability.LINK_FAULTS, Capability.REAL_HARDWARE})
        return Target(url, "device", inner, capabilities, faults=faults, speed="real")
    _require_no_state(inner, "--pump")
    speed = _parameter(inner, "speed") or "manual"
    return Target(url, "memory", inner, _simulator(speed), faults=faults, speed=speed)


def _simulator(speed: str) -> frozenset[Capability]:
    return _SIMULATOR if speed == "manual" else _SIMULATOR - {Capability.VIRTUAL_TIME}


def _parameter(url: str, name: str) -> str:
    found = re.search(rf"[?&]{name}=([^&]*)", url)
    return found[1] if found else ""


def _require_no_state(url: str, where: str) -> None:
    if _parameter(url, "state"):
        raise TargetsError(where, f"{url!r} keeps its pump in a file", "leave `state` out: each test begins with a fresh pump")


MEMORY: Final = replace(_of_address(DEFAULT_PUMP), name="memory", about="in this process, in virtual time")


# -------------------------------------------------------------------------------------------------------------------- the file
def load_targets(path: Path) -> dict[str, Target]:
    """The rigs of a file, in its order; `memory` is always among them. Raises TargetsError naming file, rig and key."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TargetsError(str(path), f"it cannot be read ({error})", "name a file as docs/hil.md describes") from error
    _require_keys(content, ("schema", "rigs"), str(path))
    if content.get("schema") != SCHEMA:
        raise TargetsError(str(path), "it describes no rigs", f'let it begin with schema = "{SCHEMA}"')
    rigs = content.get("rigs", {})
    if not isinstance(rigs, dict) or not all(isinstance(rig, dict) for rig in rigs.values()):
        raise TargetsError(str(path), "rigs are tables", "write [rigs.NAME]")
    return {MEMORY.name: MEMORY} | {name: _rig(name, table, f"{path}, rig {name}") for name, table in rigs.items()}


def _rig(name: str, table: dict[str, Any], where: str) -> Target:
    if not _NAME.fullmatch(name):
        raise TargetsError(where, f"{name!r} is no name", "use small letters, digits and hyphens")
    kind = _choice(table, "kind", tuple(_KEYS), where)
    _require_keys(table, _KEYS[kind], where)
    made = _device(name, table, where) if kind == "device" else _simulated(name, kind, table, where)
    return replace(made, about=_text(table, "about", where, ""), capabilities=_capabilities(table, made.capabilities, where))


def _simulated(name: str, kind: str, table: dict[str, Any], where: str) -> Target:
    pump = _text(table, "pump", where, DEFAULT_PUMP)
    if not pump.startswith("sim://"):
        raise TargetsError(where, f"pump = {pump!r} is no simulated pump", f'write it like "{DEFAULT_PUMP}"')
    _require_no_state(pump, where)
    if kind == "memory":
        speed = _parameter(pump, "speed") or "manual"
        return Target(name, kind, pump, _simulator(speed), speed=speed)
    if _parameter(pump, "speed"):
        raise TargetsError(where, "the speed of a process is a key of its own", "write speed = … beside pump")
    speed = _speed(table, "manual", where)
    return Target(name, kind, pump, _simulator(speed), link=_choice(table, "link", ("pty", "tcp"), where), speed=speed)


def _device(name: str, table: dict[str, Any], where: str) -> Target:
    address, bench = _text(table, "address", where), _text(table, "bench", where, "")
    power, balance = _table(table, "power", where), _table(table, "balance", where)
    speed, serial = _behind_bench(table, bench, where)
    possible = {Capability.LINK_FAULTS} | (set(_simulator(speed)) if bench else {Capability.REAL_HARDWARE})
    if power:
        _require_keys(power, _POWER[_choice(power, "driver", tuple(_POWER), f"{where}, power")], f"{where}, power")
        possible.add(Capability.POWER_CONTROL)
    if balance:
        _require_keys(balance, _BALANCE, f"{where}, balance")
        possible.add(Capability.PLANT_TRUTH)
    adapter = _text(table, "adapter", where, "")
    if adapter and not re.fullmatch(r"[A-Za-z_][\w.]*:[A-Za-z_]\w*", adapter):
        raise TargetsError(where, f"adapter = {adapter!r} names no class", 'write "package.module:Class"')
    if adapter:
        possible.discard(Capability.LINK_FAULTS)
    try:
        fill = Volume.parse(table["fill"]) if "fill" in table else None
        concentration = Concentration.parse(table.get("concentration", "2000 mcg/mL"))
    except QuantityError as error:
        raise TargetsError(where, str(error), "amounts are text with their unit") from error
    return Target(
        name, "device", address, frozenset(possible), speed=speed, bench=bench, serial=serial, fill=fill, concentration=concentration,
        adapter=adapter, power=power, balance=balance,
    )  # fmt: skip


def _behind_bench(table: dict[str, Any], bench: str, where: str) -> tuple[str, str]:
    """Speed and serial of a simulator that somebody else started; hardware has neither."""
    if not bench:
        for key in ("speed", "serial"):
            if key in table:
                raise TargetsError(where, f"{key} is for a pump with a bench", "leave it out, or name the bench")
        return "real", ""
    serial = _text(table, "serial", where)
    if not re.fullmatch(r"[!-~]{8}", serial):
        raise TargetsError(where, f"{serial!r} is no serial", "write the 8 characters that the simulator told when it began")
    return _speed(table, "real", where), serial


def _speed(table: dict[str, Any], default: str, where: str) -> str:
    speed = _text(table, "speed", where, default)
    if not re.fullmatch(r"manual|real|[1-9][0-9]{0,5}|1000000", speed):
        raise TargetsError(where, f"{speed!r} is no speed", 'give "manual", "real", or a whole factor up to 1,000,000 such as "600"')
    return speed


def _capabilities(table: dict[str, Any], possible: frozenset[Capability], where: str) -> frozenset[Capability]:
    """Those listed, which must be possible; all that are, where none is listed. What a pump is made of cannot be left out."""
    if "capabilities" not in table:
        return possible
    listed = table["capabilities"]
    if not isinstance(listed, list):
        raise TargetsError(where, "capabilities are a list", 'write capabilities = ["virtual-time", …]')
    for one in listed:
        if one not in set(Capability):
            raise _unknown(f"{where}, capabilities", str(one), tuple(Capability))
        if one not in possible:
            raise TargetsError(where, f"it cannot have {one}", f"as described it can have {', '.join(sorted(possible))}")
    return frozenset(Capability(one) for one in listed) | (possible & {Capability.REAL_HARDWARE})


# ---------------------------------------------------------------------------------------------------------------------- pieces
def _require_keys(table: Mapping[str, Any], known: tuple[str, ...], where: str) -> None:
    for key in table:
        if key not in known:
            raise _unknown(where, key, known)


def _unknown(where: str, key: str, known: Iterable[str]) -> TargetsError:
    names = [str(one) for one in known]
    near = difflib.get_close_matches(key, names, 1)
    return TargetsError(
        where, f"{key!r} is nothing that is read here", f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
    )


def _text(table: Mapping[str, Any], key: str, where: str, default: str | None = None) -> str:
    value = table.get(key, default)
    if not isinstance(value, str) or (default is None and not value):
        raise TargetsError(where, f"{key} is missing, or no text", f"write {key} = …, in quotes")
    return value


def _choice(table: Mapping[str, Any], key: str, choices: tuple[str, ...], where: str) -> str:
    value = table.get(key)
    if value not in choices:
        raise TargetsError(where, f"{key} = {value!r}", f"it is one of {', '.join(choices)}")
    return str(value)


def _table(table: Mapping[str, Any], key: str, where: str) -> dict[str, Any]:
    value = table.get(key, {})
    if not isinstance(value, dict):
        raise TargetsError(where, f"{key} is no table", f"write [rigs.NAME.{key}]")
    return value
