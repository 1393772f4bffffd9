"""An emergency session on a bad line: the pump's confirmation is lost for as long as a handshake may last; nobody is kept out by that."""

from __future__ import annotations

import pytest

from itbpump.link.programmer import ProgrammerLink
from itbpump.link.programmer_events import Failed, Opened
from itbpump.wire.messages import EMERGENCY_WINDOW_MS, Close, GetStatus
from tests.security.scene import EMERGENCY, Scene, prepared

STEP_MS = 50


def tried(scene: Scene, link: ProgrammerLink, lost_ms: int) -> Opened | Failed:
    """One handshake; all that the pump says within `lost_ms` after the first confirmation was sent is lost."""
    link.connect(scene.link_ms)
    begun_ms: int | None = None
    for _ in range(20_000 // STEP_MS):
        while out := link.transmit():
            scene.pump.receive(out, scene.link_ms)
            if link.state == "confirm_sent" and begun_ms is None:
                begun_ms = scene.link_ms
            is_lost = begun_ms is not None and scene.link_ms - begun_ms < lost_ms
            for event in link.feed(b"" if is_lost else scene.pump.transmit(), scene.link_ms):
                if isinstance(event, Opened | Failed):
                    return event
        scene.pump.transmit()
        scene.pass_ms(STEP_MS)
        for event in link.tick(scene.link_ms):
            if isinstance(event, Opened | Failed):
                return event
    raise AssertionError("neither opened nor failed")


def counted(scene: Scene) -> int:
    return len(scene.pump.firmware.emergency_ages_ms(scene.pump.uptime_ms))


@pytest.mark.sr("SR-64", "SR-46")
@pytest.mark.parametrize("lost_ms", range(0, 12_001, 400))
def test_a_lost_confirmation_uses_up_no_second_session(lost_ms: int) -> None:
    scene = prepared()
    scene.ask(Close())
    for number in range(1, 4):
        scene.pump.magnet(10_000, scene.link_ms)
        link = scene.programmer(EMERGENCY, seed=100 + number)
        assert isinstance(tried(scene, link, lost_ms), Opened), (lost_ms, number)
        assert counted(scene) == number
        scene.ask(GetStatus(), link)


@pytest.mark.sr("SR-64")
def test_a_session_that_was_used_is_another_one_and_needs_the_magnet() -> None:
    scene = prepared()
    scene.ask(Close())
    scene.pump.magnet(10_000, scene.link_ms)
    link = scene.programmer(EMERGENCY, seed=1)
    assert isinstance(tried(scene, link, 0), Opened)
    scene.ask(GetStatus(), link)
    scene.pass_ms(EMERGENCY_WINDOW_MS)
    failed = tried(scene, scene.programmer(EMERGENCY, seed=2), 0)
    assert isinstance(failed, Failed)
    assert "magnet" in str(failed.error)
    assert counted(scene) == 1


@pytest.mark.sr("SR-64")
def test_handshakes_of_a_session_that_is_never_used_have_an_end() -> None:
    scene = prepared()
    scene.ask(Close())
    scene.pump.magnet(10_000, scene.link_ms)
    opened = 0
    for number in range(200):
        opened += isinstance(tried(scene, scene.programmer(EMERGENCY, seed=number), 0), Opened)
        scene.pass_ms(2_000)
    assert counted(scene) == 1
    assert 1 < opened < 60
