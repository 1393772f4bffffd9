"""A run as JSON: keys sorted, one indent, UTF-8, a newline at the end; the same run is always the same bytes. Pure.

`timing.json` holds what no two runs share, so that it need not be cut out of a record before two are compared. Not here: files (`writing`).
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from itbpump.hil.model import RunRecord, Timing

__all__ = ["SCHEMA", "TIMING_SCHEMA", "record_bytes", "timing_bytes"]

SCHEMA: Final = "itbpump.hil.record/1"
TIMING_SCHEMA: Final = "itbpump.hil.timing/1"


def record_bytes(run: RunRecord) -> bytes:
    """The deterministic part of a run."""
    content: dict[str, Any] = {"seed": run.seed, "versions": run.versions, "targets": run.targets, "tests": run.tests}
    return _json(SCHEMA, content)


def timing_bytes(timing: Timing) -> bytes:
    """What differs from run to run."""
    return _json(TIMING_SCHEMA, {"begun": timing.begun, "seconds": timing.seconds})


def _json(schema: str, content: dict[str, Any]) -> bytes:
    whole = {"schema": schema, **content}
    try:
        encoded = msgspec.json.encode(whole, order="sorted")
    except UnicodeEncodeError:  # a text with half a character, such as a file name in a traceback: it must not cost the record of a night
        encoded = msgspec.json.encode(_in_unicode(msgspec.to_builtins(whole)), order="sorted")
    return msgspec.json.format(encoded, indent=1) + b"\n"


def _in_unicode(value: Any) -> Any:
    """The same with halves of characters written out (`\\udc80`)."""
    if isinstance(value, str):
        return value.encode("utf-8", "backslashreplace").decode("utf-8")
    if isinstance(value, dict):
        return {_in_unicode(key): _in_unicode(item) for key, item in value.items()}
    return [_in_unicode(item) for item in value] if isinstance(value, (list, tuple)) else value
