"""Tables of the registry for people's own tools: CSV for spreadsheets, JSON complete. Nothing is changed.

Only the keys in a contact's address are left out. A text cell that a spreadsheet would take for a formula gets an apostrophe before it, in
CSV alone. Volumes stand in nL as the columns say. Not here: FHIR, backups (`backup` holds everything and goes back).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.model import shown_address
from itbpump.registry.tables import VOUCHED, audit, pumps

__all__ = ["EXPORTABLE", "as_csv", "as_json"]

EXPORTABLE: Final = {table.name: table for table in (*VOUCHED, audit)}
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def _rows(connection: Connection, name: str) -> Iterator[dict[str, Any]]:
    """Of one table; a row that belongs to a pump names its serial."""
    table = EXPORTABLE[name]
    query = sa.select(table)
    if "pump_id" in table.c:
        query = sa.select(pumps.c.serial, table).join_from(table, pumps, pumps.c.id == table.c.pump_id)
    order = next(iter(table.primary_key.columns))
    for row in connection.execute(query.order_by(order).execution_options(yield_per=1_000)).mappings():
        told = {key: _plain(value) for key, value in row.items()}
        yield {**told, "address": shown_address(told["address"])} if "address" in told else told


def _plain(value: Any) -> Any:
    if isinstance(value, (bytes, memoryview)):
        return bytes(value).hex()
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def as_json(connection: Connection, name: str) -> str:
    """Rows as a list of objects."""
    return json.dumps(list(_rows(connection, name)), indent=2, ensure_ascii=False)


def as_csv(connection: Connection, name: str) -> str:
    """Rows below the columns' names; empty for what is not known."""
    out = io.StringIO(newline="")
    columns = [*(["serial"] if "pump_id" in EXPORTABLE[name].c else []), *(column.name for column in EXPORTABLE[name].columns)]
    writer = csv.DictWriter(out, list(dict.fromkeys(columns)))
    writer.writeheader()
    for row in _rows(connection, name):
        writer.writerow({key: _cell(value) for key, value in row.items()})
    return out.getvalue()


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
