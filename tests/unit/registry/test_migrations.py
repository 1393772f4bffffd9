"""Migrations: from every version with data in it, to exactly the tables that the program declares; on both databases."""

from __future__ import annotations

from datetime import date

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import itbpump.alerts.tables as alert_tables
from itbpump.registry import chain, engine, schema, unit
from itbpump.registry.base import metadata
from itbpump.registry.errors import CannotOpen, DamagedRegistry, NewerRegistry, OlderRegistry
from itbpump.registry.store import Registry
from itbpump.registry.tables import identity, patients
from tests.unit.registry.clinic import BY, NOW, view


def shipped() -> list[str]:
    folder = ScriptDirectory.from_config(schema.config_of(None))
    return [script.revision for script in reversed(list(folder.walk_revisions()))]


def test_the_versions_told_are_the_files_shipped_in_one_line() -> None:
    assert tuple(shipped()) == schema.VERSIONS


def test_the_tables_made_are_the_tables_declared(registry: Registry) -> None:
    assert alert_tables.TABLES, "those of the alerts are on the same metadata"
    with registry.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, metadata) == []


def at_version(address: str, version: str) -> None:
    """A registry as that version made it, with a patient, a pump and a sound audit."""
    url = engine.address_of(address)
    file = engine.database_file(url)
    if file is not None:
        engine.made_file(file)
    made = engine.make_engine(url, 10)
    with unit.working(made, BY, NOW) as work:
        schema.migrate(work.connection, version)
        tables = schema.vouched_tables(work.connection)
        work.insert(tables["registry_identity"], {"id": "ab" * 16, "created_at": NOW}, "created")
        known = {"id": "P-0042", "created_at": NOW}
        work.insert(tables["patients"], {**known, **({"zone": "Europe/Berlin"} if "zone" in tables["patients"].c else {})})
        values = {"serial": "SIM-0001", "memory_id": b"MEMORY-1".hex(), "profile": "P-40", "simulated": True, "first_seen": NOW}
        pump = work.insert(tables["pumps"], values)
        work.insert(tables["assignments"], {"pump_id": pump, "patient_id": "P-0042", "since": NOW})
    made.dispose()


@pytest.mark.parametrize("version", schema.VERSIONS[:-1])
def test_a_registry_of_an_earlier_version_keeps_its_data_and_its_audit(address: str, version: str) -> None:
    at_version(address, version)
    with pytest.raises(OlderRegistry, match="registry migrate"):
        Registry.open(address)
    assert Registry.migrate(address, at=NOW, by=BY) == (version, schema.VERSIONS[-1])
    with Registry.open(address) as found:
        assert found.verify() == ()
        (pump,) = found.watched()
        zone = "Europe/Berlin" if version > "0001" else "UTC"
        assert (pump.patient_id, pump.zone) == ("P-0042", zone)
        found.record_reading(view(), by=BY)
        found.set_zone("P-0042", "America/New_York", at=NOW, by=BY)
        found.book("SIM-0001", date(2027, 1, 4), at=NOW, by=BY)
        (pump,) = found.watched()
        assert (pump.zone, pump.visit_on) == ("America/New_York", date(2027, 1, 4))
        assert found.verify() == ()
        with found.engine.connect() as connection:
            assert compare_metadata(MigrationContext.configure(connection), metadata) == []


def test_migrating_the_present_version_changes_nothing(registry: Registry, address: str) -> None:
    head = registry.head()
    assert Registry.migrate(address, at=NOW, by=BY) == (schema.VERSIONS[-1], schema.VERSIONS[-1])
    assert registry.head() == head


def test_a_changed_registry_is_not_migrated_so_that_the_change_stays_visible(address: str) -> None:
    at_version(address, "0001")
    made = engine.make_engine(engine.address_of(address), 10)
    with made.begin() as connection:
        connection.execute(sa.text("UPDATE pumps SET serial = 'SIM-9999'"))
    with pytest.raises(DamagedRegistry, match="changed past this program"):
        Registry.migrate(address, at=NOW, by=BY)
    with engine.reading(made) as connection:
        assert schema.found_version(connection) == "0001"
        assert len(tuple(chain.verify(connection, schema.vouched_tables(connection)))) == 1
    made.dispose()


def test_what_is_newer_or_none_is_not_migrated(registry: Registry, address: str) -> None:
    with registry.engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(NewerRegistry):
        Registry.migrate(address, at=NOW, by=BY)
    with registry.engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE alembic_version"))
    with pytest.raises(CannotOpen):
        Registry.migrate(address, at=NOW, by=BY)


def test_columns_that_came_later_may_be_empty(address: str) -> None:
    """Rows written before them keep their digest only then."""
    at_version(address, "0001")
    with engine.reading(made := engine.make_engine(engine.address_of(address), 10)) as connection:
        before = schema.vouched_tables(connection)
        for table in (identity, patients):
            later = [column for column in table.columns if column.name not in before[table.name].c]
            assert all(column.nullable for column in later)
    made.dispose()
