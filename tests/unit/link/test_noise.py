"""What a bad line or a stranger puts on the link disturbs nobody (SR-62)."""

from __future__ import annotations

import pytest

from itbpump.link.budget import HandshakeBudget
from itbpump.link.errors import (
    Downgraded,
    SessionLost,
    describe_error,
    refusal_error,
)
from itbpump.link.programmer import Failed, ProgrammerLink, Replied
from itbpump.link.programmer import Opened as SessionOpen
from itbpump.link.pump_events import HandshakeRefused
from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    MAX_COUNTER,
    PROGRAMMERS,
    SUITE,
    ErrorCode,
    LimitCode,
    Pong,
    RecordType,
    RefuseReason,
    Role,
)
from itbpump.wire.record import clear_body, clear_content
from tests.unit.link.pair import KEY, PUMP_ID, Pair, recorded, seeded


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("rtype", [RecordType.HELLO_REPLY, RecordType.CONFIRM_PUMP, RecordType.REFUSE, RecordType.BUSY, RecordType.HELLO])
@pytest.mark.parametrize("state", ["closed", "hello_sent", "confirm_sent", "open"])
def test_stray_clear_records_of_any_length_disturb_nobody(rtype: RecordType, state: str) -> None:
    pair = Pair()
    if state in ("hello_sent", "confirm_sent"):
        pair.programmer.connect(0)
        if state == "confirm_sent":
            pair.pump_hears(pair.programmer.transmit())
            pair.programmer.feed(pair.pump.transmit(), 0)
    elif state == "open":
        pair.open()
    sent = pair.programmer.transmit()
    for content in (b"", bytes(1), bytes(30), keys.encode_h2(1, SUITE + 1, PUMP_ID, bytes(16), 1), bytes(16), bytes(24)):
        if rtype in (RecordType.BUSY, RecordType.REFUSE) and len(content) not in (0, 30):
            continue
        pair.programmer.feed(encode_frame(clear_body(rtype, content)), 0)
        pair.pump_hears(encode_frame(clear_body(rtype, content)))
    assert pair.programmer.state == state
    pair.pump.transmit()
    pair.pump_hears(sent)
    for data in (pair.pump.transmit(),):
        pair.events += pair.programmer.feed(data, 0)
    pair.exchange()
    if state != "closed":
        pair.ping(4)
        assert Replied(Pong(nonce=4, uptime_ms=0)) in pair.events


def test_a_busy_or_refusal_in_an_open_session_is_only_noise() -> None:
    pair = Pair()
    pair.open()
    for rtype, content in (
        (RecordType.BUSY, keys.encode_busy(9)),
        (RecordType.REFUSE, keys.encode_refuse(RefuseReason.KEY, 1, 1, 0)),
    ):
        assert pair.programmer.feed(encode_frame(clear_body(rtype, content)), 0) == []
    pair.ping()
    assert pair.of(Replied)


def test_a_forged_no_session_during_the_handshake_is_only_noise() -> None:
    pair = Pair()
    pair.programmer.connect(0)
    refuse = keys.encode_refuse(RefuseReason.NO_SESSION, 1, 1, 0)
    assert pair.programmer.feed(encode_frame(clear_body(RecordType.REFUSE, refuse)), 0) == []
    pair.exchange()
    assert pair.of(SessionOpen)


def test_sealed_records_without_a_session_are_dropped_by_the_programmer() -> None:
    pair = Pair()
    for rtype in (RecordType.COMMAND, RecordType.EVENT):
        body = bytes([1, rtype]) + bytes(4) + b"\0\0" + bytes(16)
        assert pair.programmer.feed(encode_frame(body), 0) == []
    assert pair.programmer.dropped["no_session"] == 2


def test_authentic_nonsense_from_a_pump_is_dropped() -> None:
    pair = Pair()
    pair.open()
    pair.ping()
    session = pair.pump._session
    assert session is not None
    reply = session.send.seal(RecordType.COMMAND, session.next_counter, b"\xee")
    event = session.send.seal(RecordType.EVENT, 0, b"\xee")
    forged = bytearray(session.send.seal(RecordType.EVENT, 1, b""))
    forged[-1] ^= 1
    pair.programmer.feed(encode_frame(reply) + encode_frame(event) + encode_frame(bytes(forged)), 0)
    assert (pair.programmer.dropped["message"], pair.programmer.dropped["tag"]) == (2, 1)


def test_a_late_reply_to_a_request_given_up_is_not_taken_for_the_next_one() -> None:
    pair = Pair()
    pair.open()
    kept: list[bytes] = []
    pair.to_programmer = recorded(kept, lose=True)
    pair.ping(1)
    pair.now = 10_000
    pair.events += pair.programmer.tick(pair.now)
    assert pair.of(Failed)
    assert pair.programmer.feed(kept[0], pair.now) == []
    assert pair.programmer.dropped["late"] == 1
    pair.to_programmer = lambda data: [data]
    pair.ping(2)
    assert pair.of(Replied) == [Replied(Pong(nonce=2, uptime_ms=10_000))]


def test_a_session_ends_before_its_counters_do() -> None:
    pair = Pair()
    pair.open()
    made = pair.programmer._session
    assert made is not None
    made.counter = MAX_COUNTER - 1
    events = pair.programmer.tick(1)
    assert isinstance(events[0], Failed)
    assert isinstance(events[0].error, SessionLost)


def test_a_pump_without_a_session_has_nothing_to_answer() -> None:
    pair = Pair()
    pair.pump.reply(Pong(nonce=1, uptime_ms=0))
    assert pair.pump.close() == []
    assert pair.pump.transmit() == b""


@pytest.mark.sr("SR-62")
def test_a_pairing_removed_during_the_handshake_opens_nothing() -> None:
    pair = Pair()
    pair.programmer.connect(0)
    pair.pump_hears(pair.programmer.transmit())
    pair.programmer.feed(pair.pump.transmit(), 0)
    del pair.table.pairings[b"PROGID01"]
    pair.pump_hears(pair.programmer.transmit())
    assert pair.pump.session is None


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize(
    "forged",
    [keys.encode_h1(9, SUITE, b"PROGID01", bytes(16)), keys.encode_h1(1, SUITE, b"PROGID01", bytes(16)), b"\x02\x01PROGID01"],
    ids=["other version", "fresh nonce", "short"],
)
def test_a_forged_hello_does_not_end_an_honest_handshake(forged: bytes) -> None:
    pair = Pair()
    pair.programmer.connect(0)
    pair.pump_hears(pair.programmer.transmit())
    pair.programmer.feed(pair.pump.transmit(), 0)
    pair.pump_hears(encode_frame(clear_body(RecordType.HELLO, forged)))
    pair.pump.transmit()
    pair.exchange()
    assert pair.of(SessionOpen)


@pytest.mark.parametrize("length", [2, 10, 25, 27, 200])
def test_a_hello_of_another_major_in_any_form_is_told_the_versions(length: int) -> None:
    pair = Pair()
    pair.pump_hears(encode_frame(clear_body(RecordType.HELLO, b"\x02" + bytes(length - 1))))
    (body,) = FrameSplitter().feed(pair.pump.transmit())
    refusal = keys.decode_refuse(clear_content(body))
    assert (refusal.reason, refusal.version_min, refusal.version_max) == (RefuseReason.VERSION, 1, 1)


@pytest.mark.sr("SR-64")
@pytest.mark.parametrize("kind", ["version", "suite", "no magnet", "no session", "unpaired"])
def test_a_flood_of_what_is_refused_in_clear_is_soon_not_answered(kind: str) -> None:
    pair = Pair(role=Role.EMERGENCY if kind == "no magnet" else Role.CLINICIAN)
    sealed = bytes([1, RecordType.COMMAND]) + bytes(4) + b"\0\0" + bytes(16)
    answers = 0
    for number in range(500):
        nonce = number.to_bytes(16, "big")
        hello = {
            "version": keys.encode_h1(2, SUITE, b"PROGID01", nonce),
            "suite": keys.encode_h1(1, SUITE + 1, b"PROGID01", nonce),
            "unpaired": keys.encode_h1(1, SUITE, b"STRANGER", nonce),
        }.get(kind, keys.encode_h1(1, SUITE, b"PROGID01", nonce))
        pair.pump_hears(encode_frame(sealed if kind == "no session" else clear_body(RecordType.HELLO, hello)))
        answers += bool(pair.pump.transmit())
    assert 0 < answers <= 8
    refused = [event for event in pair.pump_events if isinstance(event, HandshakeRefused)]
    assert len(refused) <= 8


@pytest.mark.sr("SR-64")
def test_junk_in_the_name_of_a_programmer_in_good_standing_does_not_lock_it_out() -> None:
    pair = Pair()
    pair.open()
    for number in range(5):
        pair.pump_hears(encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(1, SUITE, b"PROGID01", number.to_bytes(16, "big")))))
        pair.pump_hears(encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, b"PROGID01" + bytes(16))))
    pair.pump.transmit()
    pair.events.clear()
    pair.open()
    assert pair.of(SessionOpen)


def test_the_programmer_may_begin_its_handshake_anew() -> None:
    pair = Pair()
    answers = []
    for _ in range(2):
        pair.programmer.connect(0)
        pair.pump_hears(pair.programmer.transmit())
        answers.append(pair.pump.transmit())
    pair.programmer.feed(answers[-1], 0)
    pair.exchange()
    assert pair.of(SessionOpen)


def test_every_refusal_has_words_that_say_what_to_do() -> None:
    for reason in RefuseReason:
        error = refusal_error(keys.Refusal(reason, 1, 1, 5), (1, 1), PUMP_ID)
        assert len(str(error)) > 20


def test_errors_of_the_pump_are_told_in_words_also_unknown_ones() -> None:
    for code in ErrorCode:
        assert "the pump refused" in describe_error(code, 0)
    for limit in LimitCode:
        assert "limit" in describe_error(ErrorCode.LIMIT, limit)
    assert "unknown to this version" in describe_error(200, 3)
    assert Downgraded(1, 2).possible == 2


def test_bucket_of_a_new_programmer_does_not_let_the_table_grow() -> None:
    budget = HandshakeBudget()
    for number in range(1_000):
        budget.take(number.to_bytes(8, "big"), 0)
    assert len(budget._buckets) <= PROGRAMMERS + 2


@pytest.mark.sr("SR-62")
def test_a_confirmation_nobody_waits_for_is_dropped_also_when_it_comes_late() -> None:
    pair = Pair()
    stray = encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, b"NOBODY00" + bytes(16)))
    pair.pump_hears(stray)
    assert pair.pump.dropped["confirm"] == 1
    kept: list[bytes] = []
    pair.to_pump = recorded(kept)
    pair.open()
    pair.ping()
    pair.pump_hears(kept[1])  # the confirmation again, when the session has long been in use
    assert pair.pump.transmit() == b""
    pair.ping()
    assert len(pair.of(Replied)) == 2


@pytest.mark.parametrize("order", [("stale", "fresh"), ("fresh", "stale")])
def test_an_answer_to_an_earlier_hello_does_not_spoil_the_handshake(order: tuple[str, str]) -> None:
    pair = Pair()
    answers: dict[str, bytes] = {}
    for name in ("stale", "fresh"):
        pair.programmer.connect(0)
        pair.pump_hears(pair.programmer.transmit())
        answers[name] = pair.pump.transmit()
    for name in order:
        pair.events += pair.programmer.feed(answers[name], 0)
    pair.exchange()
    assert pair.of(SessionOpen)
    assert not pair.of(Failed)
    pair.ping()
    assert pair.of(Replied)


def test_a_refusal_of_a_version_that_is_spoken_belongs_to_somebody_else() -> None:
    pair = Pair()
    pair.programmer.connect(0)
    refuse = keys.encode_refuse(RefuseReason.VERSION, 1, 1, 0)
    assert pair.programmer.feed(encode_frame(clear_body(RecordType.REFUSE, refuse)), 0) == []
    pair.exchange()
    assert pair.of(SessionOpen)


def test_a_second_answer_from_a_pump_without_a_pairing_is_only_noise() -> None:
    """Another pump on the line answers late; the one whose confirmation is under way is not given up for it."""
    pair = Pair()
    link = ProgrammerLink(b"PROGID01", lambda pump: KEY if pump == PUMP_ID else None, seeded(5))
    link.connect(0)
    pair.pump_hears(link.transmit())
    link.feed(pair.pump.transmit(), 0)
    stranger = keys.encode_h2(1, SUITE, b"OTHER001", bytes(16), 1)
    assert link.feed(encode_frame(clear_body(RecordType.HELLO_REPLY, stranger)), 0) == []
    assert link.state == "confirm_sent"
    pair.exchange(link)
    assert pair.of(SessionOpen)


def test_nothing_is_resent_before_it_is_due() -> None:
    pair = Pair()
    pair.programmer.connect(0)
    pair.programmer.transmit()
    due = pair.programmer.deadline_ms()
    assert due is not None
    assert pair.programmer.tick(due - 1) == []
    assert pair.programmer.transmit() == b""
    pair.programmer.tick(due)
    assert pair.programmer.transmit() != b""


@pytest.mark.sr("SR-62", "SR-64")
@pytest.mark.parametrize("record", [0, 1])
def test_a_strangers_hello_on_the_line_does_not_make_a_paired_programmer_unpaired(record: int) -> None:
    pair = Pair()
    sent = 0

    def beside_a_stranger(data: bytes) -> list[bytes]:
        nonlocal sent
        sent += 1
        stranger = encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(1, SUITE, b"STRANGER", bytes(16))))
        return [stranger, data] if sent == record + 1 else [data]

    pair.to_pump = beside_a_stranger
    pair.open()
    pair.pass_time(10_000)
    assert pair.of(SessionOpen)
    assert not pair.of(Failed)


@pytest.mark.sr("SR-62")
def test_a_programmer_that_is_not_paired_is_told_so_within_a_resend() -> None:
    pair = Pair()
    stranger = pair.new_programmer(b"STRANGER")
    pair.open(stranger)
    pair.pass_time(2_000, stranger)
    (failed,) = pair.of(Failed)
    assert "does not know this programmer" in str(failed.error)  # type: ignore[attr-defined]
