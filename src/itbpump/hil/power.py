"""The `power` fixture and its drivers: the simulator's bench, any command line, a USB hub by uhubctl.

    [rigs.NAME.power]
    driver = "command"
    cut = ["/usr/local/bin/supply", "--channel", "2", "off"]     # a list of words: nothing goes through a shell
    on = ["/usr/local/bin/supply", "--channel", "2", "on"]
    settle_s = 2                                                 # how long the pump takes to start; timeout_s = 30 for the command itself

    [rigs.NAME.power]
    driver = "uhubctl"                                           # https://github.com/mvp/uhubctl
    location = "1-1"
    port = 2
    repeat = 1                                                   # some devices need the switching-off repeated

A driver of your own: a class with `cut()` and `on()`, set as `power.driver` in a fixture of yours. Not modelled: inrush, brown-outs.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from itbpump.hil.errors import PowerError, TargetsError

if TYPE_CHECKING:
    from itbpump.hil.benches import Bench

__all__ = ["BenchPower", "CommandPower", "Power", "PowerDriver", "driver_of", "uhubctl_driver"]

_TIMEOUT_S = 30
_SAID = 300


class PowerDriver(Protocol):
    """Switches one supply; each returns when it has happened. Raises PowerError."""

    def cut(self) -> None:
        """Take the supply away."""

    def on(self) -> None:
        """Give it back. Harmless when it is on."""


class BenchPower:
    """The supply of a simulated pump."""

    def __init__(self, bench: Callable[[], Bench]) -> None:
        self._bench = bench

    def cut(self) -> None:
        """See PowerDriver."""
        self._bench().call("power", action="cut")

    def on(self) -> None:
        """See PowerDriver."""
        self._bench().call("power", action="on")


class CommandPower:
    """A program for each way, given as its words."""

    def __init__(self, rig: str, cut: Sequence[str], on: Sequence[str], timeout_s: int = _TIMEOUT_S) -> None:
        self._rig = rig
        self._cut, self._on, self._timeout_s = tuple(cut), tuple(on), timeout_s

    def cut(self) -> None:
        """See PowerDriver."""
        self._run(self._cut)

    def on(self) -> None:
        """See PowerDriver."""
        self._run(self._on)

    def _run(self, words: tuple[str, ...]) -> None:
        try:
            done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, timeout=self._timeout_s, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise PowerError(
                self._rig, f"{words[0]} could not be run to its end ({error})", "see that it is installed and does it by hand"
            ) from error
        if done.returncode:
            said = (done.stderr or done.stdout).decode(errors="replace").strip()[-_SAID:]
            raise PowerError(self._rig, f"{' '.join(words)} ended with {done.returncode}: {said}", "see that it does it by hand")


def uhubctl_driver(
    rig: str, location: str, port: int, *, program: str = "uhubctl", repeat: int = 1, timeout_s: int = _TIMEOUT_S
) -> CommandPower:
    """A port of a USB hub that can switch its ports one by one. Options as in uhubctl(8): --location, --ports, --repeat, --action."""
    hub = [program, "--location", location, "--ports", str(port)]
    return CommandPower(rig, [*hub, "--repeat", str(repeat), "--action", "off"], [*hub, "--action", "on"], timeout_s)


def driver_of(rig: str, table: Mapping[str, Any]) -> tuple[PowerDriver, int]:
    """The driver that a table [rigs.NAME.power] describes, and how many seconds the pump takes to start. Raises TargetsError."""
    where = f"rig {rig}, power"
    timeout_s, settle_s = _whole(table, "timeout_s", where, _TIMEOUT_S), _whole(table, "settle_s", where, 0)
    if table["driver"] == "command":
        return CommandPower(rig, _words(table, "cut", where), _words(table, "on", where), timeout_s), settle_s
    location = table.get("location")
    if not isinstance(location, str) or not re.fullmatch(r"[0-9]+(-[0-9]+(\.[0-9]+)*)?", location):
        raise TargetsError(where, f"location = {location!r} is no place of a hub", 'write it as uhubctl lists it, such as "1-1.4"')
    program = table.get("program", "uhubctl")
    if not isinstance(program, str) or not program:
        raise TargetsError(where, f"program = {program!r}", "write its name or path")
    port, repeat = _whole(table, "port", where, 0), _whole(table, "repeat", where, 1)
    if port < 1:
        raise TargetsError(where, "port is missing", "write the number of the hub's port, from 1")
    return uhubctl_driver(rig, location, port, program=program, repeat=repeat, timeout_s=timeout_s), settle_s


def _words(table: Mapping[str, Any], key: str, where: str) -> list[str]:
    words = table.get(key)
    if not isinstance(words, list) or not words or not all(isinstance(word, str) and word for word in words):
        raise TargetsError(where, f"{key} is no list of words", f'write {key} = ["program", "argument"]; nothing goes through a shell')
    return words


def _whole(table: Mapping[str, Any], key: str, where: str, default: int) -> int:
    value = table.get(key, default)
    if type(value) is not int or value < 0:
        raise TargetsError(where, f"{key} = {value!r} is no whole number", f"write {key} = {default}")
    return value


class Power:
    """The `power` fixture: `cut()`, `on()`, `cycle()`; `is_on` as far as it was switched here."""

    def __init__(self, driver: PowerDriver, switched: Callable[[bool], None]) -> None:
        self.driver = driver
        self.is_on = True
        self._switched = switched

    def cut(self) -> None:
        """Take the supply away, now."""
        self.driver.cut()
        self.is_on = False
        self._switched(False)

    def on(self) -> None:
        """Give it back; the pump has had the time to start when this returns."""
        self.driver.on()
        self.is_on = True
        self._switched(True)

    def cycle(self) -> None:
        """Both: a reset by the supply."""
        self.cut()
        self.on()
