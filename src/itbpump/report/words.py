"""Small words that several parts of a report share: times, hashes of a library, volumes to the microlitre. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from itbpump.forecast import day_text
from itbpump.quantity import Volume
from itbpump.wording.days import offset_text

__all__ = ["instant_text", "library_text", "milli"]

NL_PER_MICROLITRE = 1_000


def instant_text(at: datetime) -> str:
    """`22 Nov 2026 10:00 UTC−05:00`, rounded down to the minute."""
    return f"{day_text(at)} {at:%H:%M} {offset_text(at)}"


def library_text(label: str, library: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Name, version and hash of a drug library, and of the clinic's file over it."""
    if not library:
        yield label, "none was used"
        return
    yield label, f"{library['name']}, version {library['version']}"
    yield f"{label}, SHA-256", str(library["sha256"])
    clinic = library.get("clinic")
    if clinic is not None:
        yield "Clinic's own limits", f"{clinic['id']}, version {clinic['version']}"
        yield "Clinic's own limits, SHA-256", str(clinic["sha256"])


def milli(volume: Volume) -> str:
    """A volume that was reckoned, not counted, rounded down to the microlitre."""
    return str(Volume(volume.nL // NL_PER_MICROLITRE * NL_PER_MICROLITRE))
