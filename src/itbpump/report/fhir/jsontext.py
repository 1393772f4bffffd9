"""A bundle as JSON text, and back, with decimals as they are: the standard library would make floats of them."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from itbpump.report.fhir.model import FhirError, Json

__all__ = ["read", "text"]

_INDENT = "  "


def text(bundle: Json) -> str:
    """JSON with an indent of two, keys in their order, ASCII, a newline at the end. TypeError for what JSON or FHIR cannot hold."""
    return f"{_written(bundle, '')}\n"


def read(source: str) -> Json:
    """JSON of a bundle, decimals exact. FhirError for what is no JSON object."""
    try:
        found = json.loads(source, parse_float=Decimal)
    except ValueError as error:
        raise FhirError(f"this is not JSON: {error}", action="give a bundle written by this export") from error
    if not isinstance(found, dict):
        raise FhirError("this is JSON, but no bundle", action="give a bundle written by this export")
    return found


def _written(value: Any, indent: str) -> str:
    if isinstance(value, (str, bool)):
        return json.dumps(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, Decimal) and value.is_finite():
        return format(value, "f")
    deeper = indent + _INDENT
    if isinstance(value, dict) and value:
        lines = [f"{deeper}{json.dumps(key)}: {_written(item, deeper)}" for key, item in value.items()]
        return "{\n" + ",\n".join(lines) + f"\n{indent}}}"
    if isinstance(value, list) and value:
        return "[\n" + ",\n".join(deeper + _written(item, deeper) for item in value) + f"\n{indent}]"
    raise TypeError(f"FHIR has no place for {value!r}")
