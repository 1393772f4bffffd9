"""`sim://P-40?fill=38mL&seed=1`: the address of a pump simulated in the caller's own process.

Parameters: fill (volume in a new pump), seed, state (file), speed (manual, real or a factor), rx (prescription of a new pump; only
programs that know prescriptions can open it), faults (a fault plan,
docs/faults.md), firmware (one with a defect) or minor (an older one; `firmware_sim.defects`). An existing state file wins over fill,
seed and rx: it is the pump; which firmware it ran it does not know.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from firmware_sim.bench import BenchError, parse_volume_nL
from firmware_sim.endpoints.clock import Speed
from firmware_sim.endpoints.device import EndpointError

__all__ = ["SimUrl"]

DEFAULT_PROFILE = "P-40"
_PARAMETERS = ("fill", "seed", "state", "speed", "rx", "faults", "firmware", "minor")
_HOW = "write it like sim://P-40?fill=38mL&seed=1, with any of " + ", ".join(_PARAMETERS)


@dataclass(frozen=True, slots=True)
class SimUrl:
    """What a sim:// address asks for; None where it is silent."""

    url: str
    profile: str
    fill_nL: int | None = None
    seed: int = 0
    state: Path | None = None
    speed: Speed | None = None
    rx: Path | None = None
    faults: Path | None = None
    firmware: str | None = None
    minor: int | None = None

    @property
    def profile_named(self) -> str | None:
        """The profile, if the address names one."""
        return self.profile if urlsplit(self.url).netloc else None

    @classmethod
    def parse(cls, url: str) -> SimUrl:
        """Read a sim:// address. Raises EndpointError saying what is wrong with it."""
        try:
            parts = urlsplit(url)
            pairs = parse_qsl(parts.query, keep_blank_values=True, strict_parsing=True) if parts.query else []
        except ValueError as error:
            raise EndpointError(f"{url!r}: {error}", _HOW) from error
        if parts.scheme != "sim" or parts.path not in ("", "/") or parts.fragment:
            raise EndpointError(f"{url!r} is no address of a simulated pump", _HOW)
        given = dict(pairs)
        for name, _ in pairs:
            if name not in _PARAMETERS:
                raise EndpointError(f"{url!r} has an unknown parameter {name!r}", _HOW)
        if len(given) != len(pairs) or "" in given.values():
            raise EndpointError(f"{url!r} has a parameter twice or without a value", _HOW)
        return cls(
            url=url,
            profile=parts.netloc or DEFAULT_PROFILE,
            fill_nL=_volume(url, given.get("fill")),
            seed=_seed(url, given.get("seed", "0")),
            state=_path(given.get("state")),
            speed=_speed(url, given.get("speed")),
            rx=_path(given.get("rx")),
            faults=_path(given.get("faults")),
            firmware=given.get("firmware"),
            minor=_minor(url, given.get("minor")),
        )


def _volume(url: str, text: str | None) -> int | None:
    try:
        return parse_volume_nL(text) if text is not None else None
    except BenchError as error:
        raise EndpointError(f"{url!r}: {error}", _HOW) from error


def _seed(url: str, text: str) -> int:
    if re.fullmatch(r"0|[1-9][0-9]{0,17}", text) is None:
        raise EndpointError(f"{url!r}: {text!r} is no seed", "give a whole number of up to 18 digits")
    return int(text)


def _minor(url: str, text: str | None) -> int | None:
    if text is not None and re.fullmatch(r"0|[1-9][0-9]{0,2}", text) is None:
        raise EndpointError(f"{url!r}: {text!r} is no minor version", "give a whole number of up to 3 digits")
    return None if text is None else int(text)


def _speed(url: str, text: str | None) -> Speed | None:
    try:
        return Speed.parse(text) if text is not None else None
    except ValueError as error:
        raise EndpointError(f"{url!r}: {error}", _HOW) from error


def _path(text: str | None) -> Path | None:
    return Path(text).expanduser() if text is not None else None
