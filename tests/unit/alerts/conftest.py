"""The alert tests that keep something run on SQLite and on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from itbpump.alerts.store import create_tables
from itbpump.registry.engine import address_of, make_engine
from tests.postgres import PostgresServer, postgres_server
from tests.unit.alerts.alert_rig import engine_at


@pytest.fixture(scope="session")
def alert_server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An empty registry with the tables of this room."""
    if request.param == "sqlite":
        made = engine_at(tmp_path / "registry.db")
    else:
        server: PostgresServer = request.getfixturevalue("alert_server")
        made = make_engine(address_of(server.database()), 5.0)
        create_tables(made)
    yield made
    made.dispose()
