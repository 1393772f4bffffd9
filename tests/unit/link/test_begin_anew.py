"""A pump reset between hello and confirmation drops the confirmation in silence; the programmer says hello anew, once and in time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.link.errors import NoReply
from itbpump.link.programmer import Failed
from itbpump.link.programmer import Opened as SessionOpen
from itbpump.link.pump_side import PumpLink
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import HANDSHAKE_DEADLINE_MS, RecordType
from itbpump.wire.record import parse_header
from tests.unit.link.pair import PUMP_ID, Pair, recorded, seeded


def reset_after_hello(pair: Pair, hello_took_ms: int = 20) -> None:
    """The pump answers a hello that was sent now, and is reset; the answer comes after `hello_took_ms`."""
    pair.programmer.connect(pair.now)
    pair.pump_hears(pair.programmer.transmit())
    answer = pair.pump.transmit()
    pair.pump = PumpLink(PUMP_ID, pair.table, seeded(9), boot_epoch=8)
    pair.now += hello_took_ms
    pair.events += pair.programmer.feed(answer, pair.now)
    pair.exchange()


def hellos(sent: list[bytes]) -> set[bytes]:
    """The different ones."""
    bodies = [body for data in sent for body in FrameSplitter().feed(data)]
    return {body for body in bodies if parse_header(body).rtype is RecordType.HELLO}


def run_until(pair: Pair, end_ms: int, *, done: type[object]) -> int:
    """Let time pass from one timer to the next; when the first `done` came, link ms."""
    while not pair.of(done) and (due := pair.programmer.deadline_ms()) is not None and due <= end_ms:
        pair.now = max(pair.now, due)
        pair.events += pair.programmer.tick(pair.now)
        pair.exchange()
    return pair.now


@pytest.mark.sr("SR-62")
def test_a_pump_reset_in_the_midst_of_a_handshake_is_met_again_within_seconds() -> None:
    pair = Pair()
    reset_after_hello(pair)
    at_ms = run_until(pair, HANDSHAKE_DEADLINE_MS, done=SessionOpen)
    (opened,) = pair.of(SessionOpen)
    assert isinstance(opened, SessionOpen)
    assert opened.boot_epoch == 8, "the session is one of the pump after its reset"
    assert at_ms < 3_000
    pair.ping()
    assert len(pair.executed) == 1
    assert pair.pump.take_spent()[0] == 1, "the pump was asked for one handshake"


@pytest.mark.sr("SR-62")
def test_hello_is_said_anew_once_and_the_deadline_stands() -> None:
    """Every confirmation is lost, and every hello is answered: a pump pays for two handshakes and no more."""
    pair = Pair()
    sent: list[bytes] = []

    def without_confirmations(data: bytes) -> list[bytes]:
        sent.append(data)
        bodies = FrameSplitter().feed(data)
        return [encode_frame(body) for body in bodies if parse_header(body).rtype is RecordType.HELLO]

    pair.to_pump = without_confirmations
    pair.open()
    at_ms = run_until(pair, 10 * HANDSHAKE_DEADLINE_MS, done=Failed)
    (failed,) = pair.of(Failed)
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, NoReply)
    assert at_ms == HANDSHAKE_DEADLINE_MS
    assert len(hellos(sent)) == 2
    assert pair.pump.take_spent()[0] == 2


@given(st.integers(1, 4_000))
def test_a_slow_line_is_not_taken_for_a_pump_that_was_reset(hello_took_ms: int) -> None:
    """A line whose way there and back takes so long: the confirmation's answer is waited for three times that."""
    pair = Pair()
    reset_after_hello(pair, hello_took_ms)
    sent: list[bytes] = []
    pair.to_pump = recorded(sent, lose=True)
    patience_ms = max(2_000, 3 * hello_took_ms)
    run_until(pair, hello_took_ms + patience_ms - 1, done=Failed)
    assert hellos(sent) == set()
    run_until(pair, hello_took_ms + patience_ms, done=Failed)
    assert len(hellos(sent)) == (hello_took_ms + patience_ms < HANDSHAKE_DEADLINE_MS)


def test_an_answer_to_the_first_confirmation_that_comes_too_late_opens_nothing() -> None:
    """Its keys are gone: the session is the one of the newer hello, on both sides."""
    pair = Pair()
    late: list[bytes] = []
    pair.programmer.connect(0)
    pair.pump_hears(pair.programmer.transmit())
    pair.events += pair.programmer.feed(pair.pump.transmit(), 10)
    pair.now = 10
    pair.to_programmer = recorded(late, lose=True)  # the pump opens a session, and its word of it is held up
    pair.exchange()
    run_until(pair, 2_100, done=SessionOpen)
    assert pair.pump.session is not None
    pair.to_programmer = lambda data: [*late, data]
    run_until(pair, HANDSHAKE_DEADLINE_MS, done=SessionOpen)
    assert len(pair.of(SessionOpen)) == 1
    pair.to_programmer = lambda data: [data]
    pair.ping()
    assert len(pair.executed) == 1
