"""The screen's contacts in the registry: recorded from readings it has anyway, once for each change, and kept where they cannot be."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from itbpump.pump import Pump
from itbpump.registry.contact import Contact
from itbpump.registry.store import Registry
from itbpump.tui.registering import Recorder
from itbpump.tui.snapshot import LinkState, LinkWord, Snapshot
from itbpump.workflow.registering import Registering
from tests.unit.registry.clinic import NOW
from tests.unit.tui_reader.watching import Bench


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.reader.stop()


@pytest.fixture
def place(tmp_path: Path) -> Path:
    Registry.create(tmp_path / "registry.db", at=NOW).close()
    return tmp_path / "registry.db"


class Screen:
    """What the app does with a recorder, and what it was told."""

    def __init__(self, place: Path | str | None, bench: Bench, spool: Path) -> None:
        self.bench, self.told, self.spool = bench, list[str](), spool
        self.recorder = Recorder(Registering(None if place is None else str(place), user="N-17", spool=spool), self.told.append)

    def whole(self) -> Snapshot:
        return self.bench.watch.until(lambda one: one.log_complete and one.present is not None and one.link.word is LinkWord.LIVE)

    def seen(self, snapshot: Snapshot) -> bool:
        return self.recorder.seen(snapshot, self.bench.reader)

    def settle(self) -> None:
        """Every job that was asked for is done."""
        self.bench.reader.submit(lambda pump: pump.info.serial).result(20)


@pytest.mark.sr("SR-36")
def test_a_contact_is_recorded_once_for_each_change(bench: Bench, place: Path, tmp_path: Path) -> None:
    screen = Screen(place, bench, tmp_path / "spool")
    bench.reader.start()
    first = screen.whole()
    assert screen.seen(first)
    assert not screen.seen(first)
    assert not screen.seen(replace(first, seq=first.seq + 1))
    bench.reader.submit(Pump.stop).result(20)
    stopped = bench.watch.until(
        lambda one: (
            one.log_complete
            and one.view is not None
            and one.present is not None
            and one.view.status.run_state.name == one.present.run_state.name == "STOPPED"
        )
    )
    assert screen.seen(stopped)
    screen.settle()
    assert screen.recorder.end() == ()
    with Registry.open(place) as registry:
        assert registry.verify() == ()
        kept = registry.pump_history(first.view.info.serial if first.view is not None else "")
    assert [(reading.run_state, reading.by) for reading in kept.readings] == [("running", "N-17"), ("stopped", "N-17")]
    assert kept.commands[-1].kind == "stop"
    assert screen.told == []


def test_an_order_that_changed_nothing_is_a_contact_too(bench: Bench, place: Path, tmp_path: Path) -> None:
    screen = Screen(place, bench, tmp_path / "spool")
    bench.reader.start()
    snapshot = screen.whole()
    assert screen.seen(snapshot)
    screen.recorder.ordered()
    assert screen.seen(snapshot)


@pytest.mark.parametrize("lacks", [{"view": None}, {"present": None}, {"log_complete": False}, {"link": LinkState(LinkWord.STALE)}])
def test_a_reading_that_is_not_whole_is_none(bench: Bench, place: Path, tmp_path: Path, lacks: dict[str, Any]) -> None:
    screen = Screen(place, bench, tmp_path / "spool")
    bench.reader.start()
    snapshot = screen.whole()
    assert not screen.seen(replace(snapshot, **lacks))
    assert screen.seen(snapshot)


def test_without_a_registry_nothing_is_asked_of_anybody(bench: Bench, tmp_path: Path) -> None:
    screen = Screen(None, bench, tmp_path / "spool")
    bench.reader.start()
    assert not screen.seen(screen.whole())
    assert screen.recorder.end() == ()


@pytest.mark.sr("SR-36")
def test_what_the_registry_does_not_take_is_told_and_kept(bench: Bench, tmp_path: Path) -> None:
    screen = Screen(tmp_path / "none.db", bench, tmp_path / "spool")
    bench.reader.start()
    screen.seen(screen.whole())
    screen.settle()
    screen.recorder.end()
    assert any("NOT RECORDED" in text for text in screen.told)
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1


def test_a_registry_that_does_not_answer_holds_up_neither_a_stop_nor_leaving(
    bench: Bench, place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    screen = Screen(place, bench, tmp_path / "spool")
    go_on, asked = threading.Event(), threading.Event()

    def hangs(_self: Registering, _contact: Contact) -> tuple[str, ...]:
        asked.set()
        go_on.wait(20)
        return ()

    monkeypatch.setattr(Registering, "deliver", hangs)
    bench.reader.start()
    screen.seen(screen.whole())
    assert asked.wait(20)
    assert bench.reader.submit(Pump.stop, urgent=True).result(20) is not None
    (told,) = screen.recorder.end(wait_s=0)
    assert "kept on this computer" in told
    go_on.set()
    assert len(list((tmp_path / "spool").glob("*.json"))) == 1
