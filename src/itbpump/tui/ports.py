"""Serial ports of this computer, with what they say of themselves, the likely ones first.

pyserial is asked only when somebody wants the list. Not here: opening a port, or telling which of them leads to a pump.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

__all__ = ["FoundPort", "PortInfo", "found_ports", "ordered"]

_SELDOM = re.compile(r"bluetooth|debug-console|wlan-debug|irda", re.IGNORECASE)
_SILENT = ("", "n/a")


class PortInfo(Protocol):
    """What pyserial tells of a port (`serial.tools.list_ports_common.ListPortInfo`)."""

    @property
    def device(self) -> str:
        """The address to open."""

    @property
    def description(self) -> str | None:
        """What the adapter calls itself; `n/a` where it says nothing."""

    @property
    def manufacturer(self) -> str | None:
        """Who made the adapter."""

    @property
    def vid(self) -> int | None:
        """The USB vendor's number; None where it is no USB device."""


@dataclass(frozen=True, slots=True)
class FoundPort:
    """A port: the address to open, what it says of itself (may be empty), and whether it is an adapter that was plugged in."""

    device: str
    description: str
    likely: bool


def found_ports(listed: Callable[[], Iterable[PortInfo]] | None = None) -> list[FoundPort]:
    """The ports there are now. `listed` is asked in place of pyserial."""
    if listed is None:
        from serial.tools.list_ports import comports  # noqa: PLC0415 -- seldom needed, and slow on some systems

        return ordered(comports())
    return ordered(listed())


def ordered(ports: Iterable[PortInfo]) -> list[FoundPort]:
    """USB adapters first, then the rest, what hardly leads to a pump last; each group by name, with 2 before 10. Each address once."""
    once = {port.device: port for port in ports}
    ranked = sorted(once.values(), key=lambda port: (_rank(port), _natural(port.device)))
    return [FoundPort(port.device, _description(port), _rank(port) == 0) for port in ranked]


def _rank(port: PortInfo) -> int:
    if _SELDOM.search(f"{port.device} {port.description or ''}"):
        return 2
    return 0 if port.vid is not None else 1


def _natural(name: str) -> list[tuple[int, int, str]]:
    return [(0, int(part), "") if part.isdecimal() else (1, 0, part) for part in re.split(r"([0-9]+)", name.casefold()) if part]


def _description(port: PortInfo) -> str:
    """Control characters and line ends of a badly written adapter do not reach the screen."""
    parts = [text for text in (port.description, port.manufacturer) if text is not None and text.strip().casefold() not in _SILENT]
    told = parts[0] if len(parts) == 1 or (parts and parts[-1].casefold() in parts[0].casefold()) else ", ".join(parts)
    clean = "".join(letter if letter.isprintable() else " " for letter in told)
    return "" if clean.strip() == port.device else " ".join(clean.split())
