"""A record read back: schema, then keys, then values. What nothing reads is refused with the nearest that something does.

Not here: records of other schemas. A later version of the kit keeps reading this one, or says which version does.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

import msgspec

from itbpump.errors import InputError
from itbpump.hil.model import Event, Frame, Limits, Measurement, RunRecord, Series, TestRecord, Timing
from itbpump.hil.report.encoding import SCHEMA, TIMING_SCHEMA

__all__ = ["RECORD_FILE", "TIMING_FILE", "RecordError", "read_record"]

RECORD_FILE: Final = "record.json"
TIMING_FILE: Final = "timing.json"
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_LONGEST_NUMBER = 400  # a figure of a test has some ten digits; one of a million would cost minutes to compare
_LISTS: Final[dict[str, type]] = {"measurements": Measurement, "series": Series, "events": Event, "frames": Frame}


class RecordError(InputError):
    """A file is no record that can be read; `where` names file and place."""

    def __init__(self, where: str, problem: str, action: str) -> None:
        super().__init__(f"{where}: {problem}; {action}", action=action)
        self.where = where
        self.problem = problem


def read_record(path: Path) -> RunRecord:
    """The run of a `record.json`, or of a folder that holds one, with the timing beside it if there is any. Raises RecordError."""
    file = path / RECORD_FILE if path.is_dir() else path
    content = _loaded(file, SCHEMA)
    _require_keys(content, ("seed", "versions", "targets", "tests"), f"{file}", complete=True)
    for where, kind, table in _tables(content, str(file)):
        _require_keys(table, [field.name for field in fields(kind)], where)
    run: RunRecord = _converted(content, RunRecord, str(file))
    _require_sense(run, str(file))
    beside = file.with_name(TIMING_FILE)
    if file.name != RECORD_FILE or not beside.exists():
        return run
    told = _loaded(beside, TIMING_SCHEMA)
    _require_keys(told, ("begun", "seconds"), str(beside), complete=True)
    return RunRecord(run.seed, run.versions, run.targets, run.tests, _converted(told, Timing, str(beside)))


def _loaded(file: Path, schema: str) -> dict[str, Any]:
    try:
        content = msgspec.json.decode(file.read_bytes())
    except OSError as error:
        raise RecordError(
            str(file), f"it cannot be read ({error.strerror})", "name a record.json, or the folder of --hil-report"
        ) from error
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise RecordError(str(file), f"it is no JSON ({error})", "see that it was written to its end") from error
    told = content.pop("schema", None) if isinstance(content, dict) else None
    if told != schema or not isinstance(content, dict):
        kit = re.fullmatch(rf"{re.escape(schema.rpartition('/')[0])}/[0-9]+", told) if isinstance(told, str) else None
        action = "read it with the version of itbpump that wrote it" if kit else f'a record begins with "schema": "{schema}"'
        raise RecordError(str(file), f"its schema is {told!r}" if told is not None else "it names no schema", action)
    return content


def _tables(content: dict[str, Any], file: str) -> Iterator[tuple[str, type, dict[str, Any]]]:
    """Each table with what it is; shapes that are wrong are left to the conversion, which names them."""
    for number, test in enumerate(_list(content.get("tests"))):
        if not isinstance(test, dict):
            continue
        where = f"{file}, test {test.get('test', number)}"
        yield where, TestRecord, test
        for name, kind in _LISTS.items():
            for place, item in enumerate(_list(test.get(name))):
                if isinstance(item, dict):
                    yield f"{where}, {name}[{place}]", kind, item
                    limits = item.get("limits")
                    if kind is Measurement and isinstance(limits, dict):
                        yield f"{where}, {name}[{place}].limits", Limits, limits


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _require_keys(table: dict[str, Any], known: Iterable[str], where: str, *, complete: bool = False) -> None:
    names = list(known)
    for key in table:
        if key not in names:
            near = difflib.get_close_matches(key, names, 1)
            raise RecordError(
                where, f"{key!r} is nothing that is read here", f"did you mean {near[0]}?" if near else f"there are {', '.join(names)}"
            )
    missing = [name for name in names if name not in table] if complete else []
    if missing:
        raise RecordError(where, f"{missing[0]} is missing", "see that it was written to its end")


def _converted(content: dict[str, Any], kind: Any, where: str) -> Any:
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise RecordError(where, str(error), "a record is not made by hand; write it anew") from error


def _require_sense(run: RunRecord, file: str) -> None:
    """What types do not say: figures are numbers, curves are as long as their points, and no test stands twice."""
    seen: set[tuple[str, str]] = set()
    for test in run.tests:
        where = f"{file}, test {test.test}"
        if (test.test, test.target) in seen:
            raise RecordError(where, f"it stands twice for {test.target}", "one record holds one run")
        seen.add((test.test, test.target))
        for one in test.measurements:
            _require_numbers((one.value, *(limit for limit in (one.limits.lo, one.limits.hi) if limit is not None)), f"{where}, {one.name}")
            if one.within != _is_within(one):
                raise RecordError(
                    f"{where}, {one.name}", f"{one.value} is not what `within` says of it", "the record was changed; run again"
                )
        for curve in test.series:
            _require_numbers((*curve.x, *curve.y, *curve.lo, *curve.hi), f"{where}, {curve.name}")
            if len(curve.y) != len(curve.x) or any(len(line) not in (0, len(curve.x)) for line in (curve.lo, curve.hi)):
                raise RecordError(f"{where}, {curve.name}", "its points and values are not as many", "the record was changed; run again")


def _require_numbers(texts: Iterable[str], where: str) -> None:
    for text in texts:
        if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
            raise RecordError(where, f"{text[:40]!r} is no decimal number", 'figures are text such as "499.5"')


def _is_within(one: Measurement) -> bool:
    value = Decimal(one.value)
    return not (one.limits.lo is not None and value < Decimal(one.limits.lo)) and not (
        one.limits.hi is not None and value > Decimal(one.limits.hi)
    )
