"""A real PostgreSQL for tests: the machine's own programs, a fresh cluster in a short folder, a Unix socket and no network.

Absent, a test is skipped with the reason; with CI set it fails, so that no build passes without it. The server refuses to run as root, so
root starts it as `postgres`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

__all__ = ["PostgresServer", "postgres_server"]

_PLACES = "/usr/lib/postgresql"
_START_S = 60


def _programs() -> Path | None:
    """The folder with initdb and pg_ctl; the newest version where several are there."""
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent  # it may be a link to where the others are
    found = [path for path in Path(_PLACES).glob("*/bin") if (path / "initdb").exists()]
    return max(found, key=lambda path: int(path.parent.name.split(".")[0]), default=None)


@dataclass
class PostgresServer:
    """A running server. `database()` gives the URL of an empty database; after `rewind` those given before may be given again, emptied."""

    socket: Path
    _given: int = field(default=0)
    _made: int = field(default=0)

    def rewind(self) -> None:
        """Nobody uses the databases given so far any more."""
        self._given = 0

    def database(self) -> str:
        self._given += 1
        name = f"registry_{self._given}"
        if self._given > self._made:
            self._made = self._given
            self._tell("postgres", f"CREATE DATABASE {name}")
        else:
            self._tell(name, "DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        return f"postgresql+psycopg://postgres@/{name}?host={self.socket}"

    def _tell(self, database: str, statement: str) -> None:
        with psycopg.connect(host=str(self.socket), user="postgres", dbname=database, autocommit=True) as connection:
            connection.execute(statement.encode())


def _run(command: list[str]) -> None:
    """As `postgres` where this is root. What it says is shown when it fails."""
    as_user = ["runuser", "-u", "postgres", "--", *command] if os.name == "posix" and os.geteuid() == 0 else command
    done = subprocess.run(as_user, capture_output=True, text=True, timeout=_START_S, check=False, cwd="/")
    if done.returncode:
        raise RuntimeError(f"{command[0]} ended with {done.returncode}: {done.stderr.strip() or done.stdout.strip()}")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    """A server for a session of tests."""
    programs = _programs()
    if programs is None:
        message = "PostgreSQL is not on this machine: install the package postgresql"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    folder = Path(tempfile.mkdtemp(prefix="itbpump-pg-"))
    try:
        if os.geteuid() == 0:
            shutil.chown(folder, "postgres")
        data = folder / "data"
        _run([str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "--no-sync", "--no-instructions", "-E", "UTF8"])
        options = f"-k {folder} -c listen_addresses='' -c fsync=off -c max_connections=40"
        log = ["-l", str(folder / "log")]
        _run([str(programs / "pg_ctl"), "-D", str(data), "-w", "-o", options, *log, "start"])
        try:
            yield PostgresServer(folder)
        finally:
            _run([str(programs / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"])
    finally:
        shutil.rmtree(folder, ignore_errors=True)
