"""The table of firmwares with a defect: `defects.toml` read and checked, each row with the class that makes it.

Pure, but for reading its own file. Not here: the classes themselves (`motor`, `reservoir`, `dosing`, `commands`, `starts`).
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.resources import files

from firmware_sim.firmware.core import Firmware
from itbpump.link.pump_side import PumpLink

__all__ = ["Defect", "defects"]

_SCHEMA = "firmware_sim.defects/1"
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SR = re.compile(r"SR-(0[1-9]|[1-5][0-9]|6[0-4])")
_MADE_BY = re.compile(r"(motor|reservoir|dosing|commands|starts)\.([A-Z][A-Za-z]+)")


@dataclass(frozen=True, slots=True)
class Defect:
    """One firmware with one defect."""

    id: str
    what: str
    harm: str
    """Why it matters to a patient."""
    srs: tuple[str, ...]
    """Safety requirements that it breaks."""
    how: str
    """How it is made of the sound firmware."""
    part: type[Firmware | PumpLink]
    """What is put in the place of the sound part."""


@cache
def defects() -> dict[str, Defect]:
    """All rows by id, in the order of the file. Raises ValueError naming a row that is incomplete, twice there, or made by nothing."""
    table = tomllib.loads(files(__package__).joinpath("defects.toml").read_text(encoding="utf-8"))
    if table.pop("schema") != _SCHEMA or set(table) != {"defect"}:
        raise ValueError(f"defects.toml: not {_SCHEMA}")
    found: dict[str, Defect] = {}
    for row in table["defect"]:
        read = _read(row)
        if read.id in found:
            raise ValueError(f"defects.toml: {read.id} stands there twice")
        found[read.id] = read
    return found


def _read(row: dict[str, object]) -> Defect:
    if set(row) != {"id", "what", "harm", "srs", "how", "made_by"}:
        raise ValueError(f"defects.toml, {row.get('id')}: a row has id, what, harm, srs, how, made_by; not {sorted(row)}")
    texts = {key: row[key] for key in ("id", "what", "harm", "how", "made_by")}
    srs = row["srs"]
    if not all(isinstance(text, str) and text for text in texts.values()) or not _ID.fullmatch(str(row["id"])):
        raise ValueError(f"defects.toml, {row['id']}: a text is missing, or the id has other signs than small letters, digits and hyphens")
    if not isinstance(srs, list) or not srs or not all(isinstance(sr, str) and _SR.fullmatch(sr) for sr in srs):
        raise ValueError(f"defects.toml, {row['id']}: srs names the safety requirements SR-01 to SR-64 that it breaks")
    where = _MADE_BY.fullmatch(str(row["made_by"]))
    if where is None:
        raise ValueError(f"defects.toml, {row['id']}: made_by names a class of this package, such as motor.SixFifths")
    part = getattr(import_module(f"{__package__}.{where[1]}"), where[2])
    return Defect(str(row["id"]), str(row["what"]), str(row["harm"]), tuple(srs), str(row["how"]), part)
