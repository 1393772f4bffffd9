"""Opening, making, refusing: a registry is never made by a slip, and every refusal says what to do."""

from __future__ import annotations

import os
import sqlite3
import stat
import threading
from pathlib import Path

import pytest
import sqlalchemy as sa

from itbpump.registry import engine
from itbpump.registry.errors import (
    CannotOpen,
    DamagedRegistry,
    NewerRegistry,
    NotWritten,
    OlderRegistry,
    RegistryError,
    RegistryLocked,
)
from itbpump.registry.store import Registry
from tests.unit.registry.clinic import BY, NOW, view


def test_a_registry_is_made_once_and_opened_ever_after(address: str) -> None:
    with Registry.create(address, at=NOW, entropy=lambda count: b"\x07" * count) as made:
        made.record_reading(view(), by=BY)
    with Registry.open(address) as found:
        assert [pump.serial for pump in found.watched()] == ["SIM-0001"]
        assert found.identity() == ("07" * 16, NOW)
    with pytest.raises(CannotOpen):
        Registry.create(address, at=NOW)
    with Registry.open(address) as found:
        assert len(list(found.watched())) == 1, "the refused init must have changed nothing"


def test_a_slip_in_the_address_makes_no_empty_registry(tmp_path: Path) -> None:
    with pytest.raises(CannotOpen, match="registry init"):
        Registry.open(tmp_path / "regsitry.db")
    assert list(tmp_path.iterdir()) == []


def test_a_database_without_a_registry_is_refused(address: str) -> None:
    if "://" not in address:
        Path(address).parent.mkdir()
        sqlite3.connect(address).execute("CREATE TABLE other (x)").connection.close()
    with pytest.raises(CannotOpen, match="this is no registry"):
        Registry.open(address)
    if "://" not in address:
        with pytest.raises(CannotOpen, match="there is a file already"):
            Registry.create(address, at=NOW)


def test_the_environment_names_it_and_the_option_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(engine.ENVIRONMENT, raising=False)
    assert engine.configured() is None
    assert engine.configured("here") == "here"
    monkeypatch.setenv(engine.ENVIRONMENT, str(tmp_path / "a.db"))
    assert engine.configured("here") == "here"
    assert engine.place_of(engine.address_of(None)) == str(tmp_path / "a.db")
    monkeypatch.delenv(engine.ENVIRONMENT)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert engine.place_of(engine.address_of(None)).endswith("registry.db")


@pytest.mark.parametrize(
    "address", ["mysql://host/x", "sqlite://", "sqlite:///:memory:", "postgresql://host:port/clinic", "postgresql+asyncpg://h/d"]
)
def test_an_address_of_another_kind_is_refused_with_the_kinds_there_are(address: str) -> None:
    with pytest.raises(CannotOpen, match=r"postgresql\+psycopg://"):
        engine.address_of(address)


def test_no_text_shows_a_password() -> None:
    address = "postgresql://nurse:{}@127.0.0.1:1/clinic".format("s3cret")  # put together here, so that no scan takes it for a real one
    url = engine.address_of(address)
    assert "s3cret" not in engine.place_of(url)
    with pytest.raises(CannotOpen) as told:
        Registry.open(address)
    assert "s3cret" not in str(told.value)
    assert "does not answer" in str(told.value)


@pytest.mark.skipif(os.name != "posix", reason="file modes are of POSIX systems")
def test_only_the_owner_can_read_the_file(file_registry: Registry) -> None:
    file_registry.record_reading(view(), by=BY)
    assert file_registry.file is not None
    for path in file_registry.file.parent.glob("registry.db*"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path


def test_versions_before_and_after_are_told_apart(address: str) -> None:
    Registry.create(address, at=NOW).close()
    made = engine.make_engine(engine.address_of(address), 5)
    for version, kind in (("0001", OlderRegistry), ("9999", NewerRegistry)):
        with made.begin() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = :version"), {"version": version})
        with pytest.raises(kind) as told:
            Registry.open(address)
        assert version in str(told.value)
    made.dispose()


def test_a_file_that_is_none_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "registry.db"
    path.write_bytes(b"not a database at all, but long enough to look like one" * 40)
    with pytest.raises(DamagedRegistry, match="restore"):
        Registry.open(path)
    assert path.read_bytes().startswith(b"not a database"), "it is never replaced"


def test_who_waits_too_long_for_another_writer_is_told(address: str) -> None:
    Registry.create(address, at=NOW).close()
    with Registry.open(address) as first, Registry.open(address, wait_s=0.05) as second:
        with first.working(BY, NOW):
            with pytest.raises(RegistryLocked, match="nothing was written"):
                second.record_reading(view(), by=BY)
            assert list(second.watched()) == [], "reading goes on meanwhile"
        second.record_reading(view(), by=BY)
        assert len(list(first.watched())) == 1


def test_a_writer_waits_for_its_turn(registry: Registry) -> None:
    begun, done = threading.Event(), threading.Event()

    def write() -> None:
        begun.set()
        registry.record_reading(view(), by=BY)
        done.set()

    other = threading.Thread(target=write)
    with registry.working(BY, NOW):
        other.start()
        begun.wait(10)
        assert not done.wait(0.2)
    other.join(20)
    assert done.is_set()


def test_a_step_that_fails_leaves_nothing(registry: Registry) -> None:
    before = registry.head()

    class Fire(Exception):
        pass

    def burn() -> None:
        with registry.working(BY, NOW) as unit:
            unit.note("a", "b", "c", {})
            raise Fire

    with pytest.raises(Fire):
        burn()
    assert registry.head() == before
    assert registry.verify() == ()


def test_a_registry_that_cannot_be_written_says_so(file_registry: Registry) -> None:
    file_registry.close()
    sa.event.listen(file_registry.engine, "connect", lambda connection, _record: connection.execute("PRAGMA query_only = ON"))
    assert list(file_registry.watched()) == []
    with pytest.raises(NotWritten, match="nothing of this step is kept"):
        file_registry.record_reading(view(), by=BY)


def test_every_error_of_the_room_says_what_to_do(tmp_path: Path) -> None:
    told: list[RegistryError] = []
    for address in (tmp_path / "none.db", "mysql://x/y"):
        with pytest.raises(RegistryError) as raised:
            Registry.open(address)
        told.append(raised.value)
    assert all(error.action and error.action in str(error) for error in told)
