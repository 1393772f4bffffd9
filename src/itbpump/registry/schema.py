"""Which schema a registry has, and bringing it to the present one by the migrations shipped in `migrations`.

A registry is migrated only when somebody asks for it: a newer workstation that did it by itself would lock the others out at their next
refill. Alembic is loaded for that alone; opening only compares versions. Each migration is one transaction.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from itbpump.registry.tables import VOUCHED

if TYPE_CHECKING:
    from alembic.config import Config

__all__ = ["VERSIONS", "config_of", "found_version", "is_empty", "migrate", "vouched_tables"]

VERSIONS: Final = ("0001", "0002", "0003", "0004")
"""Oldest first; the last is the one this program works with. A test holds it to the files."""
_STAMP = "alembic_version"


def found_version(connection: Connection) -> str | None:
    """The schema it has; None for a database without one."""
    if not sa.inspect(connection).has_table(_STAMP):
        return None
    found = connection.execute(sa.text(f"SELECT version_num FROM {_STAMP}")).scalar_one_or_none()
    return None if found is None else str(found)


def is_empty(connection: Connection) -> bool:
    """It has no table at all."""
    return not sa.inspect(connection).get_table_names()


def migrate(connection: Connection, to: str = VERSIONS[-1]) -> None:
    """Bring it to version `to`, in the transaction that stands; an empty database gets every table."""
    from alembic import command  # noqa: PLC0415  (330 ms, only for a migration)

    command.upgrade(config_of(connection), to)


def vouched_tables(connection: Connection) -> dict[str, sa.Table]:
    """The tables whose rows the audit vouches for, as this registry's schema has them; an earlier one lacks some, and some columns."""
    found = {}
    inspector = sa.inspect(connection)
    for table in VOUCHED:
        if inspector.has_table(table.name):
            present = {column["name"] for column in inspector.get_columns(table.name)}
            columns = [
                sa.Column(column.name, column.type, primary_key=column.primary_key, autoincrement=column.autoincrement)
                for column in table.columns
                if column.name in present
            ]
            found[table.name] = sa.Table(table.name, sa.MetaData(), *columns)
    return found


def config_of(connection: Connection | None) -> Config:
    """Alembic's view of the migrations shipped here; `connection` is what they run on."""
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
