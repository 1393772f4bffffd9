"""Drug libraries: limits of the safety review as versioned, sourced, hashed data, and a clinic's own tighter ones over them.

A library whose limits are out of order, or a figure without source and mark, does not load (SR-04, SR-06); a clinic's figure that is looser
than the library's does not either. `keys` is the table of all keys, docs/drug-library.md says what each means.
Not here: the rules that use the limits (`itbpump.safety`), oral drugs, compatibility of mixtures.
"""

from __future__ import annotations

from itbpump.drugs.loading import library_names, load_library
from itbpump.drugs.model import (
    Clinic,
    Condition,
    DailyLimits,
    DrugLibrary,
    Figure,
    IncreaseLimits,
    Interaction,
    Maintenance,
    Passage,
    Steps,
    Taper,
    Texts,
    Titration,
)
from itbpump.drugs.overlay import read_library, with_clinic

__all__ = [
    "Clinic",
    "Condition",
    "DailyLimits",
    "DrugLibrary",
    "Figure",
    "IncreaseLimits",
    "Interaction",
    "Maintenance",
    "Passage",
    "Steps",
    "Taper",
    "Texts",
    "Titration",
    "library_names",
    "load_library",
    "read_library",
    "with_clinic",
]
