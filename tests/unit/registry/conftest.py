"""One suite for both databases: `address` is an empty place on SQLite, then on PostgreSQL; `registry` one that was made there."""

from __future__ import annotations

import shutil
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


@pytest.fixture(scope="session")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry that was just made: migrating costs more than most tests."""
    path = tmp_path_factory.mktemp("registry") / "new.db"
    Registry.create(path, at=NOW).close()
    return path


@pytest.fixture
def registry(address: str, new_file: Path) -> Iterator[Registry]:
    if "://" in address:
        with Registry.create(address, at=NOW) as made:
            yield made
    else:
        Path(address).parent.mkdir()
        shutil.copy(new_file, address)
        with Registry.open(address) as found:
            yield found


@pytest.fixture
def file_registry(tmp_path: Path, new_file: Path) -> Iterator[Registry]:
    """On SQLite alone, where the database makes no difference."""
    with Registry.open(shutil.copy(new_file, tmp_path / "registry.db")) as found:
        yield found
