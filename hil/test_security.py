"""Who may do what, and that nobody else can: records replayed, forged, reordered; strangers, wrong roles, old versions; a flood.

Everything an attacker says is said on the same line, in the middle of a clinician's session and a running therapy. After each attack the
session still stands, and the pump is what it was. Not here: what a listener learns (nothing but lengths), radio and supply attacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, replace

import pytest

from hil.commands import bolus_payload
from hil.speaking import Speaker, confirmation, hello, small_bolus, told, types
from itbpump.hil.fixtures import Clock, Measure, Plant, PumpUnderTest
from itbpump.wire import keys, messages
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    AlarmNumber,
    AlarmPriority,
    CommandKind,
    Commit,
    ConfigurationSlot,
    Error,
    ErrorCode,
    RecordType,
    RefuseReason,
    Request,
    ResultScope,
    Role,
    RunState,
    Stage,
    Status,
    encode_request,
)
from itbpump.wire.record import Sealer, clear_content

DAY = "1920 mcg/day"  # with 2000 mcg/mL 80 pulses an hour: what an attack did would show soon
LATER_WALL_S = 1_795_400_000


@dataclass(frozen=True)
class Therapy:
    """What no attack may change."""

    digest: bytes
    revision: int
    run_state: RunState
    flow_nL_per_day: int
    bolus_counter: int
    alarms: tuple[int, ...]
    last_change_ms: int

    @classmethod
    def of(cls, status: Status) -> Therapy:
        alarms = tuple(alarm.alarm for alarm in status.alarms)
        fields = (status.digest, status.revision, status.run_state, status.flow_nL_per_day, status.bolus_counter)
        return cls(*fields, alarms, status.last_change_ms)


@pytest.fixture
def clinician(pump: PumpUnderTest) -> Iterator[Speaker]:
    """A clinician in session with a running pump. When the test is over the same session must still be answered, and the therapy be the
    same."""
    pump.program(pump.rx(DAY))
    speaker = Speaker.to(pump).open()
    before = Therapy.of(speaker.status())
    assert before.run_state is RunState.RUNNING
    yield speaker
    own_ms = max(before.last_change_ms, speaker.changed_ms)  # where the test itself has changed something
    assert Therapy.of(speaker.status()) == replace(before, last_change_ms=own_ms)


def stop(speaker: Speaker) -> bytes:
    """What an attacker would like to be taken for: a stop under the next id."""
    return encode_request(messages.StopTherapy(speaker.cmd_id + 1))


def refusals(bodies: list[bytes]) -> list[RefuseReason]:
    """Of what came; nothing else may have come."""
    assert set(types(bodies)) <= {RecordType.REFUSE}, types(bodies)
    return [keys.decode_refuse(clear_content(body)).reason for body in bodies]


# ------------------------------------------------------------------------------------------------ records
@pytest.mark.sr("SR-62")
def test_replayed_records_have_no_effect(clinician: Speaker) -> None:
    """All that was said, again, in order and backwards; only the last one is answered, as it was."""
    for number in range(6):
        clinician.ask(messages.Ping(number), messages.Pong)
    clinician.applied(messages.SetClock(clinician.next_id(), LATER_WALL_S))
    label = clinician.status().wall_s
    said = [encode_frame(body) for body in clinician.said]
    assert clinician.silent_at(*said[:-1], *reversed(said[:-1])) == []
    assert clinician.status().wall_s - label < 60
    entries = clinician.ask(messages.GetLog(0, 25), messages.LogPage).entries
    assert [entry.kind for entry in entries].count(messages.LogKind.CLOCK_SET) == 1


@pytest.mark.sr("SR-62")
def test_a_session_replayed_as_a_whole_opens_none(clinician: Speaker, pump: PumpUnderTest) -> None:
    """Every byte of a session that is over, from its hello on, to the pump in its next session."""
    clinician.ask(messages.Ping(1), messages.Pong)
    recorded = [encode_frame(body) for body in clinician.said]
    old = hello(clinician.programmer_id, hashlib.sha256(b"recorded").digest()[:16])
    clinician.open()
    assert types(clinician.silent_at(*recorded)) == []
    answers = types(clinician.silent_at(old, confirmation(clinician.programmer_id, bytes(16)), *recorded))
    assert RecordType.CONFIRM_PUMP not in answers


@pytest.mark.sr("SR-62")
def test_a_counter_that_goes_back_is_not_taken(clinician: Speaker) -> None:
    """Sealed with the session's own key, as by a programmer whose counter was reset: a nonce must never be used twice."""
    for counter in range(clinician.counter):
        assert clinician.silent_at(encode_frame(clinician.sealed(stop(clinician), counter=counter))) == []


@pytest.mark.sr("SR-62")
def test_forged_records_have_no_effect(clinician: Speaker, hil_seed: int) -> None:
    """The right form and the next number, under keys of one's own, of zeros, and of the other direction."""
    made = hashlib.shake_256(str(hil_seed).encode()).digest(24)
    sealers = [Sealer(made[:16], made[16:]), Sealer(bytes(16), bytes(8))]
    for counter in range(clinician.counter + 1, clinician.counter + 9):
        for sealer in sealers:
            assert clinician.silent_at(encode_frame(sealer.seal(RecordType.COMMAND, counter, stop(clinician)))) == []
    assert clinician.silent_at(*(encode_frame(body) for body in clinician.heard[-6:])) == [], "what the pump said, said to the pump"


@pytest.mark.sr("SR-62")
def test_every_bit_of_a_record_is_under_its_tag(clinician: Speaker) -> None:
    body = clinician.sealed(stop(clinician), counter=clinician.counter + 1)
    for bit in range(len(body) * 8):
        changed = bytearray(body)
        changed[bit // 8] ^= 1 << bit % 8
        clinician.send(encode_frame(bytes(changed)))
    assert clinician.silent_at() == []


# ------------------------------------------------------------------------------------------------ handshakes
@pytest.mark.sr("SR-62")
def test_strangers_are_refused(clinician: Speaker) -> None:
    for name in (b"STRANGER", bytes(8), b"\xff" * 8):
        assert refusals(clinician.silent_at(hello(name, bytes(16)))) == [RefuseReason.UNPAIRED], name
        assert clinician.silent_at(confirmation(name, bytes(16))) == []


@pytest.mark.sr("SR-62")
def test_older_and_newer_versions_and_suites_are_refused_in_words(clinician: Speaker) -> None:
    """A hello that asks for less is never answered with less."""
    for number in (0, 2, 255):
        asked = refusals(clinician.silent_at(hello(clinician.programmer_id, bytes(16), version=number)))
        asked += refusals(clinician.silent_at(hello(clinician.programmer_id, bytes(16), suite=number)))
        assert asked == [RefuseReason.VERSION, RefuseReason.SUITE], number


@pytest.mark.sr("SR-62")
def test_a_wrong_key_opens_nothing(clinician: Speaker) -> None:
    """In the clinician's own name, with keys that an attacker would try."""
    for key in (bytes(32), clinician.programmer_id * 4, clinician.pump_id * 4):
        thief = Speaker(clinician.line, clinician.programmer_id, dict.fromkeys([clinician.pump_id], key).get, key[:16].ljust)
        thief.greet()
        assert RecordType.CONFIRM_PUMP not in types(clinician.silent_at(thief.proof()))


@pytest.mark.needs("bench-hands")
@pytest.mark.sr("SR-62")
def test_a_second_programmer_is_told_that_the_pump_is_busy(clinician: Speaker, pump: PumpUnderTest) -> None:
    """Paired, with the right key, while the first is in session; it takes nothing of what the first has staged."""
    commit = clinician.stage(CommandKind.BOLUS, small_bolus(clinician))
    second = Speaker.to(pump.by("second"), clinician.line)
    second.greet()
    body = second.confirm()
    assert types([body]) == [RecordType.BUSY]
    assert 0 < keys.decode_busy(clear_content(body)) <= messages.SESSION_IDLE_MS // 1_000
    read = clinician.ask(messages.GetReadBack(commit.cmd_id), messages.ReadBack)
    assert read.cmd_id == commit.cmd_id


@pytest.mark.needs("bench-hands")
@pytest.mark.sr("SR-62", "SR-64")
def test_an_emergency_card_needs_somebody_at_the_patient(clinician: Speaker, pump: PumpUnderTest) -> None:
    card = Speaker.to(pump.by("card", Role.EMERGENCY), clinician.line)
    assert refusals(clinician.silent_at(hello(card.programmer_id, bytes(16)))) == [RefuseReason.NO_MAGNET]


# ------------------------------------------------------------------------------------------------ roles
def requests_of(speaker: Speaker) -> dict[str, Request]:
    """One of each kind, that would be taken from a clinician."""
    cmd_id = speaker.cmd_id + 1
    made: tuple[Request, ...] = (
        messages.GetInfo(),
        messages.GetStatus(),
        messages.GetConfiguration(ConfigurationSlot.ACTIVE, 0),
        messages.GetLog(0, 1),
        messages.QueryCommand(cmd_id),
        messages.GetResults(ResultScope.OWN, 0),
        messages.Ping(1),
        Stage(cmd_id, CommandKind.BOLUS, 0, 22, 0, bolus_payload(0)),
        messages.GetReadBack(cmd_id),
        Commit(cmd_id, bytes(32), 0),
        messages.SetClock(cmd_id, LATER_WALL_S),
        messages.TestAlarm(cmd_id, AlarmPriority.NON_CRITICAL),
        messages.SilenceAlarm(cmd_id, AlarmNumber.LOW_RESERVOIR),
        messages.StopBolus(cmd_id),
        messages.MinimumRate(cmd_id),
        messages.StopTherapy(cmd_id + 1),
        messages.ConfirmResult(cmd_id),
        messages.Close(),
    )
    return {type(request).__name__: request for request in made}


@pytest.mark.needs("bench-hands")
@pytest.mark.sr("SR-62", "SR-64")
@pytest.mark.parametrize("role", [Role.OBSERVER, Role.EMERGENCY], ids=lambda role: role.name.lower())
def test_each_role_may_send_what_its_row_says_and_nothing_else(pump: PumpUnderTest, plant: Plant, role: Role) -> None:
    pump.program(pump.rx(DAY))
    other = pump.by(f"{role.name.lower()}", role)
    line = other.line()
    if role is Role.EMERGENCY:
        plant.magnet("11s")
    speaker = Speaker.to(other, line).open()
    requests = requests_of(speaker)
    assert set(requests) == {kind.__name__ for kind in messages.ROLES}
    wrong = {}
    for name, request in requests.items():
        reply = speaker.ask_bytes_of(request)
        denied = isinstance(reply, Error) and reply.code == ErrorCode.ROLE_DENIED
        if denied == (role in messages.ROLES[type(request)]):
            wrong[name] = told(reply)
    assert wrong == {}
    after = pump.status()
    assert after.run_state is (RunState.STOPPED if role is Role.EMERGENCY else RunState.RUNNING)
    assert after.bolus_counter == 0
    assert (AlarmNumber.EMERGENCY_SESSION in {alarm.alarm for alarm in after.alarms}) == (role is Role.EMERGENCY)


# ------------------------------------------------------------------------------------------------ a flood
@pytest.mark.sr("SR-62", "SR-64")
def test_a_flood_of_bad_frames_is_survived_and_little_of_it_answered(clinician: Speaker, measure: Measure, hil_seed: int) -> None:
    """Strangers' hellos, hellos in the clinician's name, wrong confirmations, noise: 600 frames between two requests of the clinician."""
    noise = hashlib.shake_256(str(hil_seed).encode()).digest(12_000)
    answers = 0
    for number in range(150):
        nonce = number.to_bytes(16, "big")
        part = noise[number * 80 : number * 80 + 80].replace(b"\0", b"\1")
        frames = (
            hello(b"STRANGER", nonce),
            hello(clinician.programmer_id, nonce),
            confirmation(clinician.programmer_id, nonce),
            part + b"\0",
        )
        clinician.send(*frames)
        answers += len(clinician.listen())
    answers += len(clinician.silent_at())
    # 8 in a row for strangers and 8 for the clinician, one more for each 2 s that it takes (SPEC.md, section 11).
    measure("answers to 600 frames", answers, "frames", hi=100)


@pytest.mark.needs("plant-pulses")
@pytest.mark.sr("SR-62", "SR-24")
def test_therapy_goes_on_through_a_flood(clinician: Speaker, clock: Clock, plant: Plant, measure: Measure) -> None:
    begun_ms = clock.uptime_ms()
    for minute in range(15):
        for number in range(40):
            clinician.send(hello(b"STRANGER", bytes([minute, number]) * 8), b"\xff" * 60 + b"\0")
        clock.advance("1m")
        clinician.status()  # keeps the session, as a person who reads would
    ended_ms = clock.uptime_ms()
    flow, pulse_nL = clinician.status().flow_nL_per_day, clinician.ask(messages.GetInfo(), messages.Info).pulse_volume_nL
    wanted = (ended_ms - begun_ms) * flow // (86_400_000 * pulse_nL)
    measure("pulses by the plant", len(plant.pulses(begun_ms, ended_ms)), "pulses", lo=wanted - 1, hi=wanted + 1)


def test_what_is_cut_short_leaves_the_next_frame_whole(clinician: Speaker) -> None:
    """Each beginning of a good frame, closed and left open, before the next good one."""
    frame = encode_frame(clinician.sealed(stop(clinician), counter=clinician.counter + 1))
    assert FrameSplitter().feed(frame) != []
    for length in range(2, len(frame) - 1):
        assert clinician.silent_at(frame[:length]) == [], length
