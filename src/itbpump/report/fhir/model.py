"""What the FHIR export says of a bundle: problems by path and rule, and its errors. Not here: making and checking a bundle.

::

    ItbPumpError
    └── FhirError                no bundle can be made of a record, or read
        ├── FhirExtraMissing     fhir.resources is not installed (extra `fhir`)
        └── FhirInvalid          a bundle breaks a rule; carries its problems
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from itbpump.errors import ItbPumpError

__all__ = ["OPAQUE_ID", "R4B", "R5", "RELEASES", "FhirError", "FhirExtraMissing", "FhirInvalid", "Json", "Problem"]

Json = dict[str, Any]
"""A resource or a part of one: text, int, Decimal, bool, lists and dicts of them; never a float."""

R5, R4B = "R5", "R4B"
RELEASES = (R5, R4B)
OPAQUE_ID = re.compile(
    r"[A-Za-z0-9._-]{1,32}"
)  # as a prescription file takes it (therapy.fields.OpaqueId): no room for a name with a space


@dataclass(frozen=True, slots=True)
class Problem:
    """One breach: where (`entry[3].resource.status`), which rule, and what is wrong in words."""

    path: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}: {self.text} ({self.rule})"


class FhirError(ItbPumpError):
    """No bundle can be made or checked; the text says why, `action` what to do."""


class FhirExtraMissing(FhirError):
    """fhir.resources is not installed, so the structure is not checked."""


class FhirInvalid(FhirError):
    """A bundle breaks rules; `problems` are they."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first, more = problems[0], len(problems) - 1
        rest = f", and {more:,} more" if more else ""
        super().__init__(f"the FHIR bundle is not valid: {first}{rest}", action="do not send it; report this with the record")
        self.problems = problems
