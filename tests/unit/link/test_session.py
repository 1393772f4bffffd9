"""Handshake, session and resends of both link ends together (safety 4.2, 5.3; SR-62)."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from itbpump.link.errors import (
    HandshakeFailed,
    KeyMismatch,
    LinkMisuse,
    NoReply,
    NotPaired,
    PumpBusy,
    SessionLost,
)
from itbpump.link.programmer import Failed, Notified, ProgrammerLink, Replied
from itbpump.link.programmer import Opened as SessionOpen
from itbpump.link.pump_side import Ended, Opened, Pairing, PumpLink, Requested
from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    SESSION_IDLE_MS,
    SUITE,
    AlarmEvent,
    AlarmPriority,
    Close,
    Error,
    ErrorCode,
    Ping,
    Pong,
    RecordType,
    RefuseReason,
    Role,
)
from itbpump.wire.record import clear_body
from tests.unit.link.pair import KEY, PUMP_ID, Pair, Table, recorded, seeded


@pytest.mark.sr("SR-62")
def test_handshake_opens_a_session_and_a_request_is_answered() -> None:
    pair = Pair()
    pair.open()
    pair.ping(42)
    assert pair.events == [SessionOpen(PUMP_ID, 1, 7), Replied(Pong(nonce=42, uptime_ms=0))]
    assert pair.pump_events[0] == Opened(b"PROGID01", Role.CLINICIAN)


@pytest.mark.sr("SR-62")
def test_wrong_key_is_refused_named_and_backed_off() -> None:
    pair = Pair(key=bytes(32))
    pair.open()
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, KeyMismatch)
    assert pair.pump.session is None
    pair.events.clear()
    pair.open()
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert "1 s" in str(failed.error)


@pytest.mark.sr("SR-64")
def test_backoff_doubles_up_to_its_bound_and_a_good_session_clears_it() -> None:
    pair = Pair(key=bytes(32))
    waits = []
    for _ in range(9):
        pair.events.clear()
        pair.open()
        budget = pair.pump.budget
        wait = budget.take(b"PROGID01", pair.now)
        waits.append(wait)
        pair.now += wait + 2_000
    assert waits[:4] == [1000, 2000, 4000, 8000]
    assert max(waits) == 64_000
    good = pair.new_programmer(b"PROGID01", KEY)
    pair.events.clear()
    pair.open(good)
    assert pair.of(SessionOpen)
    assert pair.pump.budget.take(b"PROGID01", pair.now) == 0


@pytest.mark.sr("SR-62")
def test_stranger_is_refused_then_unheard() -> None:
    pair = Pair()
    stranger = pair.new_programmer(b"STRANGER")
    answers = 0
    for _ in range(40):
        stranger.connect(pair.now)
        pair.pump_hears(stranger.transmit())
        answers += bool(pair.pump.transmit())
    assert 0 < answers <= 8
    pair.open()
    assert pair.of(SessionOpen)


def test_host_without_a_key_says_that_it_is_not_paired() -> None:
    pair = Pair()
    programmer = pair.new_programmer(b"PROGID01", None)
    pair.open(programmer)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NotPaired)
    assert failed.error.pump_id == PUMP_ID


def test_second_programmer_is_told_busy_and_the_session_goes_on() -> None:
    pair = Pair()
    pair.table.pairings[b"PROGID02"] = Pairing(b"PROGID02", Role.CLINICIAN, KEY)
    pair.open()
    second = pair.new_programmer(b"PROGID02")
    pair.events.clear()
    pair.now = 60_000
    pair.open(second)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, PumpBusy)
    assert failed.error.retry_after_s == (SESSION_IDLE_MS - 60_000) // 1000
    pair.events.clear()
    pair.ping()
    assert pair.of(Replied)


def test_same_programmer_may_start_again_and_replaces_its_session() -> None:
    pair = Pair()
    pair.open()
    pair.open()
    assert [type(event) for event in pair.pump_events] == [Opened, Ended, Opened]
    pair.ping()
    assert pair.of(Replied)


@pytest.mark.sr("SR-64")
def test_emergency_needs_the_magnet_displaces_a_session_and_is_limited() -> None:
    pair = Pair()
    pair.table.pairings[b"EMERGNCY"] = Pairing(b"EMERGNCY", Role.EMERGENCY, KEY)
    pair.open()
    emergency = pair.new_programmer(b"EMERGNCY")
    pair.events.clear()
    pair.open(emergency)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert "magnet" in str(failed.error)
    assert not pair.pump.magnet(9_999, pair.now)
    for _ in range(3):
        assert pair.pump.magnet(10_000, pair.now)
        pair.open(emergency)
        assert pair.pump.session is not None
        assert pair.pump.session.role is Role.EMERGENCY
        emergency.request(Ping(nonce=1), pair.now, pair.now + 10_000)
        pair.exchange(emergency)
    pair.pump.magnet(10_000, pair.now)
    pair.events.clear()
    pair.open(emergency)
    assert pair.of(Failed)
    pair.now += 3_600_000
    assert pair.pump.magnet(10_000, pair.now)
    pair.events.clear()
    pair.open(emergency)
    assert pair.of(SessionOpen)


@pytest.mark.sr("SR-64")
def test_magnet_window_closes_after_a_minute() -> None:
    pair = Pair(role=Role.EMERGENCY)
    pair.pump.magnet(10_000, 0)
    pair.now = 60_000
    pair.open()
    assert pair.of(Failed)


@pytest.mark.sr("SR-41")
def test_lost_reply_brings_identical_bytes_and_one_execution() -> None:
    pair = Pair()
    pair.open()
    lose = [True]
    seen: list[bytes] = []

    def to_pump(data: bytes) -> list[bytes]:
        seen.append(data)
        return [data]

    pair.to_pump = to_pump
    pair.to_programmer = lambda data: [] if lose and lose.pop() else [data]
    pair.ping()
    pair.pass_time(5_000)
    assert len(seen) == 2
    assert seen[0] == seen[1]
    assert len(pair.executed) == 1
    assert pair.of(Replied)


@pytest.mark.sr("SR-62")
def test_replayed_and_reordered_records_have_no_effect() -> None:
    pair = Pair()
    pair.open()
    sent: list[bytes] = []
    pair.to_pump = recorded(sent)
    for nonce in (1, 2, 3):
        pair.ping(nonce)
    for data in sent[:2]:
        pair.pump_hears(data)
    assert len(pair.executed) == 3
    assert pair.pump.dropped["replay"] == 2
    assert pair.pump.transmit() == b""
    pair.pump_hears(sent[2])
    assert len(pair.executed) == 3
    assert pair.pump.transmit() != b""


@pytest.mark.sr("SR-62")
def test_bad_tags_never_end_a_session() -> None:
    pair = Pair()
    pair.open()
    pair.programmer.request(Ping(nonce=9), 0, 10_000)
    (body,) = FrameSplitter().feed(pair.programmer.transmit())
    for position in range(8, len(body)):
        flipped = bytearray(body)
        flipped[position] ^= 1
        pair.pump_hears(encode_frame(bytes(flipped)))
    assert pair.pump.dropped["tag"] == len(body) - 8
    assert not pair.executed
    pair.pump_hears(encode_frame(body))
    assert len(pair.executed) == 1


@pytest.mark.sr("SR-62")
def test_records_of_an_older_session_are_dropped() -> None:
    pair = Pair()
    pair.open()
    old: list[bytes] = []
    pair.to_pump = recorded(old)
    pair.ping()
    pair.to_pump = lambda data: [data]
    pair.open()
    pair.pump_hears(old[0])
    assert len(pair.executed) == 1
    assert pair.pump.dropped["tag"] == 1


@pytest.mark.sr("SR-62")
def test_own_records_reflected_are_dropped() -> None:
    pair = Pair()
    pair.open()
    pair.programmer.request(Ping(nonce=1), 0, 10_000)
    data = pair.programmer.transmit()
    assert pair.programmer.feed(data, 1) == []
    assert pair.programmer.dropped["tag"] == 1


def test_event_is_delivered_once_and_does_not_disturb_a_lost_reply() -> None:
    pair = Pair()
    pair.open()
    pair.ping()
    event = AlarmEvent(log_seq=3, alarm=1, priority=AlarmPriority.CRITICAL, active=True)
    lose = [True]
    pair.to_programmer = lambda data: [] if lose and lose.pop() else [data, data]
    pair.events.clear()
    pair.ping(7)
    assert pair.pump.notify(event)
    pair.exchange()
    for data in pair.to_programmer(pair.pump.transmit()):
        pair.events += pair.programmer.feed(data, pair.now)
    pair.pass_time(5_000)
    assert pair.of(Notified) == [Notified(event)]
    assert pair.of(Replied) == [Replied(Pong(nonce=7, uptime_ms=0))]


def test_no_hint_before_the_first_request_or_without_a_session() -> None:
    pair = Pair()
    event = AlarmEvent(log_seq=3, alarm=1, priority=AlarmPriority.CRITICAL, active=True)
    assert not pair.pump.notify(event)
    pair.open()
    assert not pair.pump.notify(event)
    pair.ping()
    assert pair.pump.notify(event)


@pytest.mark.sr("SR-42")
def test_dead_line_is_told_at_the_deadline_and_the_session_stays() -> None:
    pair = Pair()
    pair.open()
    pair.to_pump = lambda _data: []
    pair.ping()
    pair.pass_time(20_000)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NoReply)
    assert failed.error.waited_ms == 10_000
    assert failed.error.sent > 3
    pair.to_pump = lambda data: [data]
    pair.ping(2)
    assert pair.of(Replied)


def test_handshake_without_an_answer_ends_at_its_deadline() -> None:
    pair = Pair()
    pair.to_pump = lambda _data: []
    pair.open()
    pair.pass_time(20_000)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NoReply)
    assert pair.programmer.state == "closed"


@pytest.mark.sr("SR-41")
@given(st.lists(st.sampled_from(["pass", "lose", "double", "cut", "flip"]), max_size=30), st.integers(0, 3))
def test_any_disturbance_of_the_line_executes_a_request_at_most_once(pattern: list[str], back: int) -> None:
    pair = Pair()
    plan = iter(pattern)

    def disturb(data: bytes) -> list[bytes]:
        match next(plan, "pass") if data else "pass":
            case "lose":
                return []
            case "double":
                return [data, data]
            case "cut":
                return [data[: len(data) // 2]]
            case "flip":
                return [bytes([data[0]]) + bytes([data[1] ^ 4]) + data[2:]] if len(data) > 2 else [data]
            case _:
                return [data]

    pair.to_pump = disturb
    if back:
        pair.to_programmer = disturb
    pair.open()
    pair.pass_time(16_000)
    if pair.programmer.state == "open":
        pair.ping(5)
        pair.pass_time(40_000)
    assert len(pair.executed) <= 1
    replies = pair.of(Replied)
    assert len(replies) <= len(pair.executed)


@pytest.mark.sr("SR-51")
def test_idle_session_ends_on_both_sides_the_programmer_first() -> None:
    pair = Pair()
    pair.open()
    pair.ping()
    pair.pass_time(SESSION_IDLE_MS + 1)
    assert pair.programmer.state == "closed"
    assert pair.pump.session is None
    assert pair.of(Ended) == [Ended(b"PROGID01", "expired")]
    with pytest.raises(LinkMisuse):
        pair.ping()


@pytest.mark.sr("SR-51")
def test_a_record_that_comes_after_its_session_has_ended_is_not_carried_out() -> None:
    """Whoever runs the pump's end may have slept over the idle time without a tick."""
    pair = Pair()
    pair.open()
    pair.ping()
    pair.programmer.request(Ping(nonce=9), pair.now, pair.now + 10_000)
    late = pair.programmer.transmit()
    pair.now += SESSION_IDLE_MS
    pair.pump_hears(late)
    assert len(pair.executed) == 1
    assert pair.pump.session is None
    assert pair.of(Ended) == [Ended(b"PROGID01", "expired")]
    (body,) = FrameSplitter().feed(pair.pump.transmit())
    assert keys.decode_refuse(body[8:]).reason is RefuseReason.NO_SESSION


def test_close_ends_the_session_after_its_reply() -> None:
    pair = Pair()
    pair.open()
    pair.programmer.request(Close(), 0, 10_000)
    pair.exchange()
    assert pair.of(Replied)
    assert pair.pump.session is None


def test_a_reset_pump_says_that_it_has_no_session() -> None:
    pair = Pair()
    pair.open()
    pair.pump = PumpLink(PUMP_ID, pair.table, seeded(9), boot_epoch=8)
    pair.ping()
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, SessionLost)


@pytest.mark.sr("SR-62")
def test_higher_version_is_negotiated_down_and_lower_than_minimum_is_refused() -> None:
    pair = Pair()
    newer = ProgrammerLink(b"PROGID01", lambda _pump: KEY, seeded(3), versions=(1, 2))
    pair.open(newer)
    assert newer.negotiated_version == 1
    assert pair.of(SessionOpen) == [SessionOpen(PUMP_ID, 1, 7)]
    pair.events.clear()
    only_new = ProgrammerLink(b"PROGID01", lambda _pump: KEY, seeded(3), versions=(2, 2))
    pair.open(only_new)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert "2 to 2" in str(failed.error)


@pytest.mark.sr("SR-62")
def test_other_suite_is_refused() -> None:
    pair = Pair()
    hello = keys.encode_h1(1, SUITE + 1, b"PROGID01", bytes(16))
    pair.pump_hears(encode_frame(clear_body(RecordType.HELLO, hello)))
    (body,) = FrameSplitter().feed(pair.pump.transmit())
    assert keys.decode_refuse(body[8:]).reason is RefuseReason.SUITE


@pytest.mark.sr("SR-62")
def test_unknown_and_malformed_messages_get_an_error_and_no_effect() -> None:
    pair = Pair()
    pair.open()
    made = pair.programmer._session
    assert made is not None
    for counter, (plaintext, code) in enumerate(
        [
            (b"\xee", ErrorCode.UNKNOWN_MESSAGE),
            (b"", ErrorCode.BAD_MESSAGE),
            (b"\x07\x00", ErrorCode.BAD_MESSAGE),
            (b"\x05" + bytes(8), ErrorCode.OUT_OF_RANGE),
        ]
    ):
        pair.pump_hears(encode_frame(made.send.seal(RecordType.COMMAND, counter, plaintext)))
        made.counter = counter
        pair.programmer._machine.state = "awaiting"
        (event,) = pair.programmer.feed(pair.pump.transmit(), 1)
        assert isinstance(event, Replied)
        assert isinstance(event.reply, Error)
        assert event.reply.code == code
    assert not pair.executed


@pytest.mark.sr("SR-62")
@given(st.binary(max_size=200))
def test_garbage_raises_nothing_on_either_side(data: bytes) -> None:
    pair = Pair()
    pair.open()
    for noise in (data, encode_frame(data + b"x")):
        pair.pump_hears(noise)
        pair.programmer.feed(noise, pair.now)
    pair.programmer.feed(b"\0", pair.now)
    pair.pump_hears(b"\0")
    pair.pump.transmit()
    pair.ping(3)
    assert Replied(Pong(nonce=3, uptime_ms=0)) in pair.events


@pytest.mark.sr("SR-62")
@given(st.sampled_from(list(RecordType)), st.binary(max_size=64))
@example(RecordType.REFUSE, keys.encode_refuse(RefuseReason.UNPAIRED, 1, 1, 0))
def test_well_framed_nonsense_raises_nothing_and_changes_nothing(rtype: RecordType, content: bytes) -> None:
    no_session = bytes([RefuseReason.NO_SESSION])
    assume(rtype is not RecordType.REFUSE or content[:1] != no_session)  # that is sense: the pump was reset
    pair = Pair()
    pair.open()
    body = (
        clear_body(rtype, content) if rtype < 16 else bytes([1, rtype]) + bytes(4) + len(content).to_bytes(2, "big") + content + bytes(16)
    )
    pair.pump_hears(encode_frame(body))
    pair.programmer.feed(encode_frame(body), pair.now)
    pair.pump.transmit()
    pair.ping(3)
    assert Replied(Pong(nonce=3, uptime_ms=0)) in pair.events


def test_requests_are_one_at_a_time() -> None:
    pair = Pair()
    with pytest.raises(LinkMisuse):
        pair.programmer.request(Ping(nonce=1), 0, 10)
    pair.open()
    pair.programmer.request(Ping(nonce=1), 0, 10)
    with pytest.raises(LinkMisuse):
        pair.programmer.request(Ping(nonce=2), 0, 10)


def test_pending_handshake_is_forgotten() -> None:
    pair = Pair()
    pair.programmer.connect(0)
    pair.pump_hears(pair.programmer.transmit())
    assert pair.pump.deadline_ms() == 10_000
    pair.pump.tick(10_000)
    assert pair.pump.deadline_ms() is None


@pytest.mark.sr("SR-62")
def test_two_handshakes_of_the_same_pair_share_no_key() -> None:
    pair = Pair()
    frames: set[bytes] = set()
    for _ in range(2):
        pair.open()
        sent: list[bytes] = []
        pair.to_pump = recorded(sent)
        pair.ping(1)
        pair.to_pump = lambda data: [data]
        frames.add(sent[0])
    assert len(frames) == 2


def test_handshake_failure_kinds_are_link_errors() -> None:
    assert issubclass(KeyMismatch, HandshakeFailed)
    assert issubclass(NoReply, TimeoutError)
    assert Table().pairing(b"x") is None
    assert Requested(Ping(nonce=1)).request == Ping(nonce=1)
