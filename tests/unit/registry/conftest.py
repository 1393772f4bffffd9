"""One suite for both databases: `address` is an empty place on SQLite, then on PostgreSQL; `registry` one that was made there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path

import pytest

from itbpump.registry.store import Registry
from tests.postgres import PostgresServer, postgres_server
from tests.unit.registry.clinic import NOW


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "postgresql"])
def new_address(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Gives empty places, one after the other."""
    numbers = count(1)
    if request.param == "sqlite":
        return lambda: str(tmp_path / "clinic" / f"registry-{next(numbers)}.db")
    running: PostgresServer = request.getfixturevalue("server")
    running.rewind()
    return running.database


@pytest.fixture
def address(new_address: Callable[[], str]) -> str:
    return new_address()


@pytest.fixture
def registry(address: str) -> Iterator[Registry]:
    with Registry.create(address, at=NOW) as made:
        yield made


@pytest.fixture
def file_registry(tmp_path: Path) -> Iterator[Registry]:
    """On SQLite alone, where the database makes no difference."""
    with Registry.create(tmp_path / "registry.db", at=NOW) as made:
        yield made
