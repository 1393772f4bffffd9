"""A flood on the line: the clinician is served, therapy goes on, the log keeps what matters, the battery its budget (SR-64).

The budget, from the model: each of nine buckets (eight pairings, one for all strangers) gives 48 answers a day, and 48 more once. An answer
costs what the profile says of a handshake; a half-made handshake answers its own hello 16 times more at the cost of a record each.
That is at most 10 permille of the battery a day, for as long as every pairing's id is known to somebody who never rests; 20 on the
first day. Listening is not in the model: a receiver that the reader's field wakes and feeds is assumed (SIDDIQI, "zero-power defence").
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, cycle

import pytest

from firmware_sim.firmware.refusals import most_entries
from firmware_sim.profiles import load_profile
from itbpump.link.budget import ANSWERS_PER_DAY, BUCKETS, LONG_BURST, HandshakeBudget
from itbpump.link.errors import PumpBusy
from itbpump.link.programmer import Failed, Opened
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import PROGRAMMERS, SESSION_IDLE_MS, Close, LogKind, Ping, Pong, RecordType, Role
from itbpump.wire.record import Sealer, clear_body
from tests.security.attacks import hello
from tests.security.scene import CLINICIAN, EMERGENCY, HOUR_MS, MINUTE_MS, OBSERVER, ROLES_OF, SECOND, Scene, key_of, prepared

DAY_MS = 24 * HOUR_MS
FULL_E12 = 10**12
BUDGET_PERMILLE_PER_DAY = 10
RESENDS = 16
EVERYTHING = ("stranger", "sealed", "CLINIC01", "EMERGN01")
LINE_BYTES_PER_S = 115_200 // 10


def spent_e12(scene: Scene) -> int:
    """What the radio has taken from the battery so far."""
    return scene.pump.plant.battery.events_e12


def flood(*kinds: str) -> Iterator[bytes]:
    """Frames without end, each another: hellos of strangers, in the name of one who is paired, sealed junk, confirmations."""
    for number, kind in zip(count(), cycle(kinds), strict=False):
        nonce = number.to_bytes(16, "big")
        if kind == "stranger":
            yield hello(nonce[8:], np=nonce)
        elif kind == "sealed":
            yield encode_frame(Sealer(bytes(16), bytes(8)).seal(RecordType.COMMAND, number, b"\x01"))
        else:
            yield hello(kind.encode(), np=nonce)
            yield encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, kind.encode() + nonce))


def pour(scene: Scene, frames: Iterator[bytes], for_ms: int, per_s: int) -> None:
    """So many frames a second, in steps of 10 s."""
    for _ in range(for_ms // 10_000):
        scene.pump.receive(b"".join(next(frames) for _ in range(per_s * 10)), scene.link_ms)
        scene.hear(scene.clinician)
        scene.pass_ms(10_000)


def test_the_budget_follows_from_the_model() -> None:
    assert (BUCKETS, ANSWERS_PER_DAY, LONG_BURST) == (PROGRAMMERS + 1, 48, 48)
    for name in ("P-40", "V-40"):
        plant = load_profile(name).plant
        answers = ANSWERS_PER_DAY * (BUCKETS * plant.battery_per_handshake_e12 + PROGRAMMERS * RESENDS * plant.battery_per_record_e12)
        assert answers * 1_000 / FULL_E12 <= BUDGET_PERMILLE_PER_DAY


@pytest.mark.sr("SR-64")
def test_a_flood_in_every_name_costs_no_more_than_its_budget_day_after_day() -> None:
    """All eight pairings' ids are known to the attacker, who resends each hello as well; nobody ever gets a session."""
    scene = Scene()
    ids = [*ROLES_OF, *(b"PAIRED%02d" % number for number in range(PROGRAMMERS - len(ROLES_OF)))]
    for programmer_id in ids[len(ROLES_OF) :]:
        scene.pump.provision(programmer_id, Role.CLINICIAN, key_of(programmer_id))
    frames = {programmer_id: flood(programmer_id.decode()) for programmer_id in [*ids, b"stranger"]}
    days = []
    for _ in range(3):
        before = spent_e12(scene)
        for _ in range(DAY_MS // (6 * MINUTE_MS)):
            for name, one in frames.items():
                first = next(one)
                scene.pump.receive(first * (1 if name == b"stranger" else RESENDS + 3), scene.link_ms)
                if name != b"stranger":
                    next(one)  # its confirmation is not sent: the hello is what costs
            scene.pump.transmit()
            scene.pass_ms(6 * MINUTE_MS)
        days.append((spent_e12(scene) - before) * 1_000 / FULL_E12)
    assert days[0] <= 2 * BUDGET_PERMILLE_PER_DAY
    assert all(BUDGET_PERMILLE_PER_DAY / 2 < day <= BUDGET_PERMILLE_PER_DAY for day in days[1:]), days
    assert scene.pump.link.budget.denied > 3 * 240, "most of it was not answered"


@pytest.mark.sr("SR-51", "SR-64")
@pytest.mark.parametrize(
    "kinds", [("stranger",), ("sealed",), ("OBSERV01",), ("CLINIC01",), ("stranger", "sealed", "CLINIC01", "EMERGN01")]
)
@pytest.mark.parametrize(("per_s", "minutes"), [(1, 120), (20, 30)])
def test_a_clinician_in_session_is_served_under_a_flood(kinds: tuple[str, ...], per_s: int, minutes: int) -> None:
    scene = prepared()
    frames, before = flood(*kinds), spent_e12(scene)
    for _ in range(minutes // 10):
        pour(scene, frames, 10 * MINUTE_MS, per_s)
        assert isinstance(scene.ask(Ping(1)), Pong)
    assert not [event for event in scene.events if isinstance(event, Failed)]
    assert (spent_e12(scene) - before) * 1_000 / FULL_E12 <= BUDGET_PERMILLE_PER_DAY


@pytest.mark.slow
@pytest.mark.sr("SR-51", "SR-64")
def test_a_full_line_for_hours_keeps_nobody_out_who_is_paired() -> None:
    """115200 baud full of hellos: some 280 a second; a second clinician comes and goes meanwhile."""
    per_s = LINE_BYTES_PER_S // len(hello(b"STRANGER"))
    scene = prepared()
    frames, before = flood("stranger", "stranger", "OBSERV01"), spent_e12(scene)
    for hour in range(2):
        for _ in range(6):
            pour(scene, frames, 10 * MINUTE_MS, per_s)
            assert isinstance(scene.ask(Ping(1)), Pong)
        scene.ask(Close())
        scene.clinician = scene.programmer(SECOND if hour % 2 else CLINICIAN, seed=50 + hour)
        scene.open(scene.clinician)
    assert per_s > 250
    assert (spent_e12(scene) - before) * 1_000 / FULL_E12 <= BUDGET_PERMILLE_PER_DAY


@pytest.mark.sr("SR-64")
def test_another_clinician_gets_in_at_once_in_the_middle_of_a_flood() -> None:
    scene = prepared()
    frames = flood("stranger", "OBSERV01", "CLINIC01", "sealed")
    pour(scene, frames, 30 * MINUTE_MS, 20)
    scene.clinician = scene.programmer(SECOND, seed=60)
    scene.open(scene.clinician)
    assert scene.pump.link.session is not None
    assert scene.pump.link.session.programmer_id == SECOND


@pytest.mark.sr("SR-64")
def test_who_is_kept_out_by_a_flood_in_their_own_name_needs_only_a_magnet() -> None:
    """The flood is over; what it has spent comes back slowly, or at once with somebody at the patient's side."""
    scene = prepared()
    scene.ask(Close())
    pour(scene, flood("CLINIC01"), 60 * MINUTE_MS, 5)
    link = scene.programmer(CLINICIAN, seed=70)
    scene.events.clear()
    link.connect(scene.link_ms)
    scene.carry(link)
    assert not [event for event in scene.events if isinstance(event, Opened)]
    scene.pump.magnet(10_000, scene.link_ms)
    scene.pass_ms(64_000)  # the longest back-off
    scene.open(link)


@pytest.mark.sr("SR-64")
def test_an_emergency_is_met_after_a_flood_in_its_name() -> None:
    scene = prepared()
    pour(scene, flood(EMERGENCY.decode(), "stranger"), 30 * MINUTE_MS, 20)
    scene.pump.magnet(10_000, scene.link_ms)
    scene.open(scene.programmer(EMERGENCY, seed=80))
    assert scene.pump.link.session is not None
    assert scene.pump.link.session.role is Role.EMERGENCY


def test_a_magnet_held_for_ever_fills_the_allowances_three_times_an_hour() -> None:
    budget = HandshakeBudget()
    given = 0
    for second in range(2 * 3_600):
        budget.magnet(second * 1_000)
        given += budget.take(CLINICIAN, second * 1_000) == 0
    assert given <= 7 * (LONG_BURST + 1)


@pytest.mark.sr("SR-61", "SR-64")
def test_a_flood_pushes_nothing_out_of_the_log() -> None:
    """Refusals stand in the log for paired programmers only, and seldom: the first entry of all is still there after a day."""
    scene = Scene()
    pour(scene, flood("CLINIC01", "CLINIC02", "OBSERV01", "EMERGN01", "stranger", "sealed"), DAY_MS, 1)
    scene.pump.magnet(10_000, scene.link_ms)
    scene.pass_ms(64_000)
    scene.open()
    log = scene.pump.firmware._machine.log
    refused = [entry for entry in log.page(0, 1_000) if entry.kind is LogKind.HANDSHAKE_FAILED]
    assert 0 < len(refused) <= most_entries(1)
    assert any(entry.b >> 32 for entry in refused), "with how many were refused in between"
    assert log.page(0, 1)[0].seq == 0


# ------------------------------------------------------------------------------------------------ what a listener can repeat
@pytest.mark.sr("SR-62", "SR-64")
def test_repeating_the_last_record_does_not_keep_a_session_nor_drain_the_battery() -> None:
    """Anybody can say the clinician's last record again: the session ends 15 min after it all the same, and others get in."""
    scene = prepared()
    before = spent_e12(scene)
    last, answers = encode_frame(scene.to_pump[-1]), 0
    for _ in range(SESSION_IDLE_MS // 1_000):
        scene.pump.receive(last, scene.link_ms)
        answers += bool(scene.pump.transmit())
        scene.pass_ms(1_000)
    assert 0 < answers <= 64 + LONG_BURST, "its resends, then refusals: there is no session"
    assert scene.pump.link.session is None
    assert spent_e12(scene) - before <= 64 * 200_000 + LONG_BURST * 20_000_000
    scene.clinician = scene.programmer(SECOND, seed=90)
    scene.open(scene.clinician)


@pytest.mark.sr("SR-64")
def test_repeating_each_request_of_a_clinician_that_polls_costs_little() -> None:
    """Half an hour of polls a second, each repeated 64 times: at most 20 permille a day are lost to it, and every poll is answered."""

    def spent(repeats: int) -> int:
        scene = prepared()
        before = spent_e12(scene)
        for _ in range(1_800):
            scene.status()
            said = encode_frame(scene.to_pump[-1])
            for _ in range(repeats):
                scene.pump.receive(said, scene.link_ms)
                scene.pump.transmit()
            scene.pass_ms(1_000)
        return spent_e12(scene) - before

    assert (spent(64) - spent(0)) * 48 * 1_000 <= 20 * FULL_E12


@pytest.mark.sr("SR-64")
def test_repeating_the_confirmation_is_answered_a_bounded_number_of_times() -> None:
    scene = Scene()
    scene.open()
    confirmation = encode_frame(scene.to_pump[-1])
    answers = 0
    for _ in range(1_000):
        scene.pump.receive(confirmation, scene.link_ms)
        answers += bool(scene.pump.transmit())
    assert answers == 64
    assert isinstance(scene.ask(Ping(1)), Pong)


@pytest.mark.sr("SR-64")
def test_who_finds_the_pump_busy_has_proved_its_key_and_is_not_made_to_wait() -> None:
    scene = prepared()
    for number in range(3 * LONG_BURST):
        link = scene.programmer(SECOND, seed=number)
        link.connect(scene.link_ms)
        scene.events.clear()
        scene.carry(link)
        assert isinstance(next(event.error for event in scene.events if isinstance(event, Failed)), PumpBusy)


@pytest.mark.sr("SR-64")
def test_an_observer_that_comes_again_and_again_empties_no_battery_and_pushes_nothing_out_of_the_log() -> None:
    scene = prepared()
    assert scene.staged is not None
    scene.applied(scene.ask(scene.staged[0]))
    scene.ask(Close())
    log = scene.pump.firmware._machine.log
    before, spent = list(log.page(0, 1_000)), spent_e12(scene)
    opened = 0
    for number in range(HOUR_MS // 5_000):
        link = scene.programmer(OBSERVER, seed=number)
        scene.events.clear()
        link.connect(scene.link_ms)
        scene.carry(link)
        opened += any(isinstance(event, Opened) for event in scene.events)
        scene.pass_ms(5_000)
    assert LONG_BURST <= opened <= LONG_BURST + ANSWERS_PER_DAY // 24 + 1
    after = list(log.page(0, 1_000))
    assert after[: len(before)] == before
    added = [entry for entry in after[len(before) :] if entry.kind in (LogKind.SESSION_OPEN, LogKind.SESSION_CLOSE)]
    assert 1 <= len(added) <= 8
    assert (spent_e12(scene) - spent) * 1_000 <= BUDGET_PERMILLE_PER_DAY * FULL_E12
    # and a clinician is in at once
    scene.open()
    assert scene.pump.link.session is not None
    assert scene.pump.link.session.role is Role.CLINICIAN
