"""The alert job killed at every step, singly and in pairs, over a real SMTP server: each alert arrives, no key twice.

A kill is an exception that nothing in the job catches: the transaction it is in is rolled back, what was committed stays, and the next run
starts from the database alone. `test_alert_job_kill.py` does the same with processes and SIGKILL.
"""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from itbpump.alerts.channel import Channel
from itbpump.alerts.job import Run, Step, run
from itbpump.alerts.store import AlertStore
from itbpump.registry.engine import address_of, make_engine
from tests.system.alert_mailbox import AskingChannel, Mailbox, SilentChannel, serving, troubled_pumps
from tests.unit.alerts.alert_rig import DOCTOR, NOW, NURSE, Clinic, engine_at

LATER = timedelta(minutes=11)
"""Past the lease of a message that was being sent."""
PEOPLE = (NURSE, DOCTOR)
MAILS = 3  # the one due to the nurse, the critical one to both
BATCHES = 1


class Killed(BaseException):
    """Nothing in the job may catch it."""


class Killer:
    """Kills at the step of this number, counted from 0; None: never. `passed` are the steps it saw."""

    def __init__(self, at: int | None) -> None:
        self.at, self.passed = at, list[Step]()

    def __call__(self, step: Step) -> None:
        self.passed.append(step)
        if self.at is not None and len(self.passed) > self.at:
            raise Killed


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Mailbox, int]]:
    mailbox = Mailbox(tmp_path_factory.mktemp("mailbox"))
    with serving(mailbox) as port:
        yield mailbox, port


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty registry as a file, to be copied."""
    path = tmp_path_factory.mktemp("registry") / "registry.db"
    engine = engine_at(path)
    engine.dispose()  # the last connection puts the log into the file
    return path


class World:
    """One clinic, its database in a file of its own, and runs that may be killed."""

    def __init__(self, path: Path, template: Path, channel: Channel) -> None:
        shutil.copy(template, path)
        self.path, self.channel = path, channel

    def run(self, now: datetime, at: int | None = None) -> tuple[Run | None, list[Step]]:
        """Every run opens the database anew, as a new process does. A result of None: it was killed."""
        engine = make_engine(address_of(self.path), 5.0)
        killer = Killer(at)
        try:
            result = run(Clinic(engine, troubled_pumps(), PEOPLE), {"mail": self.channel}, now, probe=killer)
        except Killed:
            return None, killer.passed
        finally:
            engine.dispose()
        return result, killer.passed

    def store(self) -> AlertStore:
        return AlertStore(engine_at(self.path))


Made = Callable[[Channel | None], World]


@pytest.fixture
def world(tmp_path: Path, template: Path, box: tuple[Mailbox, int]) -> Made:
    mailbox, port = box
    count = iter(range(10_000))

    def make(channel: Channel | None = None) -> World:
        mailbox.empty()
        return World(tmp_path / f"{next(count)}.db", template, channel or AskingChannel(port, mailbox))

    return make


EXPECTED = {
    ("nurse@clinic.example", "Due: Refill by 7 Aug 2026"),
    ("nurse@clinic.example", "Critical: Pump alarm: empty reservoir (and 1 more)"),
    ("doctor@clinic.example", "Critical: Pump alarm: empty reservoir (and 1 more)"),
}


def whole(mailbox: Mailbox, name: str) -> None:
    assert {(to, subject.replace("\n", "")) for to, subject in mailbox.subjects()} == EXPECTED, name
    twice = [key for key, count in Counter(mailbox.ids()).items() if count > 1]
    assert not twice, f"{name}: {twice} came twice"


def test_every_step_is_passed_and_counted(world: Made) -> None:
    """The number of places to kill at follows from the steps: what the exhaustive tests explore is all there is."""
    result, passed = world(None).run(NOW)
    assert result is not None
    assert (result.delivered, result.problems) == (MAILS, [])
    per_batch = [Step.DECIDED, Step.WRITTEN, Step.RECORDED]
    per_mail = [Step.CLAIMED, Step.SENT, Step.MARKED]
    assert passed == [Step.BEGUN, *per_batch * BATCHES, *per_mail * MAILS, Step.FINISHED]
    assert set(passed) == set(Step)


@pytest.mark.sr("SR-40")
def test_killed_at_every_step(world: Made, box: tuple[Mailbox, int]) -> None:
    mailbox, _ = box
    _, steps = world(None).run(NOW)
    for at, step in enumerate(steps):
        each = world(None)
        assert each.run(NOW, at)[0] is None
        result, _ = each.run(NOW + LATER)
        assert result is not None
        whole(mailbox, f"killed at {at}: {step}")
        store = each.store()
        assert store.job_overdue(NOW + LATER) is None
        assert all(listed.delivered_at for listed in store.listed() if listed.state.told)
        assert each.run(NOW + 2 * LATER)[0] == Run(pumps=3)
        store.engine.dispose()


@pytest.mark.slow
@pytest.mark.sr("SR-40")
def test_killed_at_every_pair_of_steps(world: Made, box: tuple[Mailbox, int]) -> None:
    """Killed, and the run that mends it killed too, at every step that it comes to."""
    mailbox, _ = box
    _, steps = world(None).run(NOW)
    explored = 0
    for first in range(len(steps)):
        second = 0
        while True:
            each = world(None)
            each.run(NOW, first)
            result, passed = each.run(NOW + LATER, second)
            if result is not None:
                break  # the mending run has fewer steps than this
            explored += 1
            result, _ = each.run(NOW + 2 * LATER)
            assert result is not None
            whole(mailbox, f"killed at {steps[first]} ({first}), then at {passed[-1]} ({second})")
            second += 1
    assert explored == pairs_expected(), explored


def pairs_expected() -> int:
    """Steps of the mending run, summed over the places of the first kill: mails already marked are not tried again."""
    recorded = 2 + BATCHES * 3  # kills until here: BEGUN, DECIDED, WRITTEN leave nothing behind, RECORDED all to be sent
    fixed = 2 + BATCHES * 3
    total = (recorded - 1) * (fixed + 3 * MAILS)
    for mail in range(MAILS):
        left = MAILS - mail
        total += 2 * (fixed + 3 * left) + (fixed + 3 * (left - 1))  # claimed, sent, marked
    return total + fixed  # killed after the heartbeat's end


@pytest.mark.sr("SR-40")
def test_where_nobody_can_be_asked_a_mail_comes_again_as_the_same_mail(world: Made, box: tuple[Mailbox, int]) -> None:
    """SMTP cannot tell. Killed between sent and marked, one mail is sent twice: the same Message-ID and the same bytes."""
    mailbox, port = box
    _, steps = world(None).run(NOW)
    for at, step in enumerate(steps):
        channel = SilentChannel(port, mailbox)
        each = world(channel)
        each.run(NOW, at)
        each.run(NOW + LATER)
        again = len(channel.sent) - MAILS
        assert again == (1 if step is Step.SENT else 0), step
        assert len(set(mailbox.mails())) == len(set(mailbox.ids())) == MAILS


def test_while_a_message_may_still_be_on_its_way_nobody_else_sends_it(world: Made, box: tuple[Mailbox, int]) -> None:
    """A second job within the lease leaves the message alone."""
    mailbox, port = box
    each = world(SilentChannel(port, mailbox))
    _, steps = world(None).run(NOW)
    mailbox.empty()
    each.run(NOW, steps.index(Step.CLAIMED))
    result, _ = each.run(NOW + timedelta(minutes=9))
    assert result is not None
    assert result.delivered == MAILS - 1
    result, _ = each.run(NOW + LATER)
    assert result is not None
    assert result.delivered == 1
