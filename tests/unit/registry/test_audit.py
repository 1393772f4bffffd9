"""The audit chain: whatever is changed past this program, `verify` says where (SR-61 for the registry)."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itbpump.registry import chain
from itbpump.registry.model import ContactRow
from itbpump.registry.store import Registry
from itbpump.registry.tables import VOUCHED, audit, audit_head, refills
from tests.unit.registry.clinic import BY, DAY_MS, NOW, dates, fill_entry, info, view
from tests.unit.registry.test_recording import intent, refill


def lived_in(registry: Registry) -> None:
    """Something in every table."""
    first = intent(1, prescription="schema = …", patient="P-0042", user="N-17", second="N-2", review="ab" * 32)
    log = [fill_entry(2, 10 * DAY_MS, 38_000_000, 0)]
    registry.record_reading(view(), log=log, dates=dates(), by=BY, decisions_here=[first], programmer_id=b"PROGRAM1")
    registry.record_refill("SIM-0001", refill(3_000_000, 6_000_000, 30_000_000), at=NOW, by=BY)
    registry.record_observation("P-0042", "penn-frequency", "2", at=NOW, by=BY)
    registry.book("SIM-0001", NOW.date() + timedelta(days=30), at=NOW, by=BY)
    registry.set_contact(ContactRow("nurse", 1, "mail", "a@clinic.invalid", 24, shows_patient=False), at=NOW, by=BY)
    registry.record_reading(view(NOW + timedelta(days=1), info("SIM-0002")), by=BY)
    registry.set_zone("P-0042", "Europe/Berlin", at=NOW, by=BY)
    registry.settle_discrepancy(registry.refill_history("SIM-0001")[-1].id, "weighed again", at=NOW, by=BY)


def past(registry: Registry, statement: sa.Executable) -> None:
    """Change the database as no program of ours would."""
    with registry.engine.begin() as connection:
        connection.execute(statement)


@pytest.mark.sr("SR-61")
def test_a_registry_in_use_is_sound_and_every_table_is_vouched_for(registry: Registry) -> None:
    lived_in(registry)
    assert registry.verify() == ()
    with registry.reading() as connection:
        for table in VOUCHED:
            rows = connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
            assert rows, f"nothing in {table.name}: the tests below would prove nothing of it"


@pytest.mark.sr("SR-61")
@pytest.mark.parametrize("table", VOUCHED, ids=lambda table: str(table.name))
def test_any_cell_changed_past_the_program_is_found(file_registry: Registry, table: sa.Table) -> None:
    registry = file_registry
    lived_in(registry)
    with registry.reading() as connection:
        key = connection.execute(sa.select(sa.func.max(table.c.id))).scalar_one()
    for column in table.columns:
        if column.primary_key or column.foreign_keys:
            continue
        with registry.reading() as connection:
            kept = connection.execute(sa.select(column).where(table.c.id == key)).scalar_one()
        if kept is None:
            continue
        past(registry, sa.update(table).where(table.c.id == key).values({column.name: forged(kept)}))
        assert any(breach.where == f"{table.name} {key}" for breach in registry.verify()), column.name
        past(registry, sa.update(table).where(table.c.id == key).values({column.name: kept}))
    assert registry.verify() == ()


def forged(kept: Any) -> Any:
    """Another value of the same kind, as little apart as may be."""
    if isinstance(kept, bool):
        return not kept
    if isinstance(kept, str):
        return f"{kept[:-1]}{'b' if kept[-1:] != 'b' else 'c'}"
    if isinstance(kept, bytes):
        return bytes([kept[0] ^ 1]) + kept[1:]
    if isinstance(kept, datetime):
        return kept + timedelta(microseconds=1)
    return kept + (timedelta(days=1) if isinstance(kept, date) else 1)


@pytest.mark.sr("SR-61")
def test_a_row_that_is_gone_is_missed_and_one_put_in_is_noticed(registry: Registry) -> None:
    lived_in(registry)
    with registry.reading() as connection:
        row = dict(connection.execute(sa.select(refills).order_by(refills.c.id).limit(1)).mappings().one())
    past(registry, sa.delete(refills).where(refills.c.id == row["id"]))
    assert ["it is gone" in breach.what for breach in registry.verify()] == [True]
    past(registry, sa.insert(refills).values(row))
    assert registry.verify() == ()
    past(registry, sa.insert(refills).values({**row, "id": 999}))
    (breach,) = registry.verify()
    assert (breach.where, "no audit link" in breach.what) == ("refills 999", True)


@pytest.mark.sr("SR-61")
def test_links_changed_removed_exchanged_or_cut_off_are_found(registry: Registry) -> None:
    lived_in(registry)
    with registry.reading() as connection:
        links = [dict(row) for row in connection.execute(sa.select(audit).order_by(audit.c.seq)).mappings()]
    middle, last = links[len(links) // 2], links[-1]

    def back() -> None:
        past(registry, sa.delete(audit))
        past(registry, sa.insert(audit).values(links))
        assert registry.verify() == ()

    past(registry, sa.update(audit).where(audit.c.seq == middle["seq"]).values(by="somebody"))
    assert registry.verify()[0] == chain.Breach(f"audit link {middle['seq']}", "its content was changed")
    back()
    past(registry, sa.delete(audit).where(audit.c.seq == middle["seq"]))
    assert any("links are gone" in breach.what for breach in registry.verify())
    back()
    past(registry, sa.delete(audit).where(audit.c.seq == last["seq"]))
    assert any(breach.where == "audit head" for breach in registry.verify())
    back()
    for seq, other in ((middle["seq"], links[1]), (2, middle)):
        past(registry, sa.update(audit).where(audit.c.seq == seq).values({name: value for name, value in other.items() if name != "seq"}))
    assert registry.verify()
    back()
    past(registry, sa.update(audit_head).values(digest="0" * 64))
    assert any(breach.where == "audit head" for breach in registry.verify())


@pytest.mark.sr("SR-61")
def test_a_history_written_anew_is_found_by_the_head_noted_before(new_address: Callable[[], str]) -> None:
    with Registry.create(new_address(), at=NOW) as real, Registry.create(new_address(), at=NOW) as forged:
        lived_in(real)
        noted = real.head().digest
        real.record_reading(view(NOW + timedelta(days=3)), by=BY)
        assert real.verify(noted) == ()
        forged.record_reading(view(), by="somebody")
        assert forged.verify() == ()
        assert ["written anew" in breach.what for breach in forged.verify(noted)] == [True]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.randoms(use_true_random=False))
def test_any_change_of_any_cell_of_the_audit_is_found(tmp_path_factory: pytest.TempPathFactory, chance: random.Random) -> None:
    registry = _shared(tmp_path_factory)
    with registry.reading() as connection:
        row = dict(chance.choice(list(connection.execute(sa.select(audit)).mappings())))
    name = chance.choice(["by", "action", "subject", "subject_id", "content", "previous", "digest"])
    place = chance.randrange(len(row[name]))
    forged = row[name][:place] + chr(33 + (ord(row[name][place]) - 32) % 90) + row[name][place + 1 :]
    assert forged != row[name]
    past(registry, sa.update(audit).where(audit.c.seq == row["seq"]).values({name: forged}))
    assert registry.verify() != ()
    past(registry, sa.update(audit).where(audit.c.seq == row["seq"]).values({name: row[name]}))
    assert registry.verify() == ()


_SHARED: dict[str, Registry] = {}


def _shared(factory: pytest.TempPathFactory) -> Registry:
    if "made" not in _SHARED:
        _SHARED["made"] = Registry.create(Path(factory.mktemp("audit")) / "registry.db", at=NOW)
        lived_in(_SHARED["made"])
    return _SHARED["made"]


def test_canonical_form_is_the_same_for_the_same_content() -> None:
    assert chain.canonical({"b": 1, "a": NOW}) == chain.canonical({"a": NOW.astimezone(None), "b": 1})
    assert chain.row_digest({"a": 1, "new": None}) == chain.row_digest({"a": 1})
    with pytest.raises(TypeError):
        chain.canonical({"a": object()})


# ------------------------------------------------------------------------------------------------ two writers at once
@pytest.mark.sr("SR-61")
def test_threads_that_write_at_once_lose_nothing_and_the_chain_holds(address: str) -> None:
    Registry.create(address, at=NOW).close()

    def write(number: int) -> None:
        with Registry.open(address, wait_s=60) as mine:
            for visit in range(6):
                mine.record_reading(view(NOW + timedelta(hours=visit), info(f"SIM-{number:04}")), dates=dates(), by=f"N-{number}")

    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write, number) for number in range(4)]:
            done.result()
    with Registry.open(address) as found:
        assert [len(found.pump_history(f"SIM-{number:04}").readings) for number in range(4)] == [6] * 4
        assert found.verify() == ()
