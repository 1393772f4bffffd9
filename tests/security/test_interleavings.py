"""A man in the middle who mixes what several sessions said: each end accepts only what the other sent in this session, once, in order."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.link.programmer import Notified, Replied
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import Ping, Pong, Request
from tests.security.scene import CLINICIAN, SECOND, Scene

SESSIONS, PINGS = 3, 6


@cache
def recorded() -> tuple[bytes, ...]:
    """Frames of both directions of earlier sessions, of two clinicians; the pump of the property is the same, byte for byte."""
    scene = Scene()
    hold_sessions(scene)
    return tuple(encode_frame(body) for body in (*scene.to_pump, *scene.to_host))


def hold_sessions(scene: Scene) -> None:
    for number in range(SESSIONS):
        scene.clinician = scene.programmer(SECOND if number == 1 else CLINICIAN, seed=100 + number)
        scene.open(scene.clinician)
        for nonce in range(PINGS):
            scene.ask(Ping(nonce=1_000 * (number + 1) + nonce))
        scene.pump.link.close()
        scene.pump.firmware.session_closed(CLINICIAN, scene.pump.uptime_ms)


class Middle:
    """A session through an attacker, who holds every frame of it and of those before, and passes on what he likes."""

    def __init__(self) -> None:
        self.scene = Scene()
        hold_sessions(self.scene)
        scene = self.scene
        scene.open()
        self.link = scene.clinician
        self.heard: list[Request] = []
        handle = scene.pump.firmware.handle

        def watched(request: Request, *rest: object) -> object:
            self.heard.append(request)
            return handle(request, *rest)  # type: ignore[arg-type]

        scene.pump.firmware.handle = watched  # type: ignore[method-assign, assignment]
        self.sent: list[Request] = []
        self.replies: list[object] = []
        self.pool: list[bytes] = list(recorded())
        self.fresh: list[bytes] = []

    def clinician_asks(self) -> None:
        """A request leaves the clinician, and falls into the attacker's hands; nobody waits for the one before."""
        if self.link.state == "awaiting":
            self.link.tick(self.link._deadline_ms)  # the clinician gives up and asks the next thing
        request = Ping(nonce=len(self.sent))
        self.sent.append(request)
        self.link.request(request, self.scene.link_ms, self.scene.link_ms + 10_000)
        self._hold(self.link.transmit())

    def to_pump(self, frame: bytes) -> None:
        self.scene.pump.receive(frame, self.scene.link_ms)
        self._hold(self.scene.pump.transmit())

    def to_host(self, frame: bytes) -> None:
        for event in self.link.feed(frame, self.scene.link_ms):
            assert isinstance(event, Replied | Notified), event
            if isinstance(event, Replied):
                self.replies.append(event.reply)
        self._hold(self.link.transmit())

    def _hold(self, out: bytes) -> None:
        for body in FrameSplitter().feed(out):
            self.fresh.append(encode_frame(body))


STEPS = st.lists(
    st.one_of(
        st.just(("ask", 0, 0)),
        st.tuples(st.sampled_from(["old", "new", "newest"]), st.integers(0, 10_000), st.sampled_from([0, 1])),
    ),
    min_size=5,
    max_size=60,
)


def in_order(part: list[object], whole: list[object]) -> bool:
    """`part` is `whole` with some left out: none twice, none that is not there, none before its time."""
    rest = iter(whole)
    return all(any(item == other for other in rest) for item in part)


@pytest.mark.sr("SR-41", "SR-62")
@given(steps=STEPS)
def test_nothing_is_accepted_that_was_not_sent_in_this_session_in_order(steps: list[tuple[str, int, int]]) -> None:
    middle = Middle()
    for what, index, whom in steps:
        if what == "ask":
            middle.clinician_asks()
            continue
        pool = middle.pool if what == "old" else middle.fresh[-3:] if what == "newest" else middle.fresh
        if pool:
            (middle.to_pump, middle.to_host)[whom](pool[index % len(pool)])
    assert in_order(list(middle.heard), list(middle.sent))
    answered = [reply.nonce for reply in middle.replies if isinstance(reply, Pong)]
    assert len(answered) == len(middle.replies)
    assert in_order(list(answered), [request.nonce for request in middle.sent if isinstance(request, Ping)])


def test_the_property_is_not_empty() -> None:
    """Passing everything on gets everything through; a second copy of each gets nothing more."""
    middle = Middle()
    for _ in range(5):
        middle.clinician_asks()
        request = middle.fresh[-1]
        middle.to_pump(request)
        reply = middle.fresh[-1]
        for frame in (reply, reply):
            middle.to_host(frame)
        middle.to_pump(request)
    assert middle.heard == middle.sent
    assert len(middle.replies) == 5
    assert not in_order([1, 2], [2, 1])
    assert not in_order([1, 1], [1, 2])
