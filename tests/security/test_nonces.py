"""No key and nonce ever seal two records, whatever crashes, and an old session opens nothing (SR-62).

The sealing itself is watched: every (key, iv, type, counter) that either end uses is kept, and must be new. The worst case is a pump or a
host whose random bytes are stuck or begin again after a crash; the pump's boot epoch, and the other end's nonce, still make other keys.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itbpump.link.programmer import Failed
from itbpump.wire.frame import encode_frame
from itbpump.wire.messages import Ping, RecordType, StopTherapy
from itbpump.wire.record import Sealer
from tests.security.attacks import commands, types
from tests.security.scene import CLINICIAN, Scene, prepared

Used = dict[tuple[bytes, bytes, int, int], bytes]


@pytest.fixture
def used(monkeypatch: pytest.MonkeyPatch) -> Used:
    """Everything sealed so far; sealing another content under the same key and nonce fails at once."""
    seen: Used = {}
    begin: Callable[..., None] = Sealer.__init__
    seal: Callable[..., bytes] = Sealer.seal
    keys: dict[int, tuple[bytes, bytes]] = {}
    kept: list[Sealer] = []

    def remember(sealer: Sealer, key: bytes, iv: bytes, version: int = 1) -> None:
        begin(sealer, key, iv, version)
        kept.append(sealer)  # so that no id is used again
        keys[id(sealer)] = (key, iv)

    def watched(sealer: Sealer, rtype: RecordType, counter: int, plaintext: bytes) -> bytes:
        body = seal(sealer, rtype, counter, plaintext)
        place = (*keys[id(sealer)], int(rtype) & 0x0F, counter)
        assert seen.setdefault(place, body) == body, "one nonce sealed two contents"
        return body

    monkeypatch.setattr(Sealer, "__init__", remember)
    monkeypatch.setattr(Sealer, "seal", watched)
    return seen


def talk(scene: Scene, start: int) -> None:
    """Contents that differ each time, so that a nonce used again cannot go unseen."""
    for nonce in range(start, start + 5):
        scene.ask(Ping(nonce))


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("stuck", [False, True], ids=["random bytes", "stuck random bytes"])
def test_no_nonce_is_used_twice_over_resets_of_the_pump(used: Used, stuck: bool) -> None:
    scene = Scene()
    if stuck:
        scene.pump._entropy = lambda count: b"\x55" * count
        scene.pump.power_cut()
        scene.pump.power_on()
    for number in range(6):
        scene.clinician = scene.programmer(CLINICIAN, seed=1)  # and the host begins with the same bytes each time
        scene.open(scene.clinician)
        talk(scene, number * 10)
        scene.pump.power_cut()
        scene.pump.power_on()
    assert len(used) == 6 * 5 * 2


@pytest.mark.sr("SR-62")
def test_no_nonce_is_used_twice_over_crashes_of_the_host(used: Used) -> None:
    """The host dies and comes back with the same random bytes; the pump, which lives on, gives another nonce."""
    scene = Scene()
    for number in range(6):
        scene.clinician = scene.programmer(CLINICIAN, seed=1)
        scene.open(scene.clinician)
        talk(scene, number * 10)
    assert len(used) == 6 * 5 * 2


@pytest.mark.sr("SR-62")
def test_the_watch_sees_a_nonce_that_is_used_again(used: Used) -> None:
    sealer = Sealer(bytes(16), bytes(8))
    sealer.seal(RecordType.COMMAND, 0, b"one")
    with pytest.raises(AssertionError, match="two contents"):
        Sealer(bytes(16), bytes(8)).seal(RecordType.COMMAND, 0, b"two")


@pytest.mark.sr("SR-62")
@pytest.mark.parametrize("stuck", [False, True])
def test_after_a_reset_counters_begin_anew_and_nothing_of_before_is_heard(stuck: bool) -> None:
    scene = prepared()
    if stuck:
        scene.pump._entropy = lambda count: b"\x55" * count
    scene.pump.power_cut()
    scene.pump.power_on()
    before = [*scene.earlier[0], *scene.to_pump]
    scene.events.clear()
    image = scene.pump.memory.image()
    for body in before:
        scene.pump.receive(encode_frame(body), scene.link_ms)
    answers = scene.pump.transmit()
    assert not commands_of(answers)
    assert scene.pump.link.session is None
    assert logless(image) == logless(scene.pump.memory.image())
    scene.pass_ms(2_000)  # the old confirmation counts as a wrong one: the back-off of a pump that has just been reset
    scene.open()
    for body in before:
        assert not commands_of(scene.say(encode_frame(body)))
    assert not [event for event in scene.events if isinstance(event, Failed)]
    talk(scene, 1)


def commands_of(answers: bytes) -> list[bytes]:
    from itbpump.wire.frame import FrameSplitter

    bodies = FrameSplitter().feed(answers)
    assert RecordType.CONFIRM_PUMP not in types(bodies)
    return commands(bodies)


def logless(image: bytes) -> bytes:
    """All but the log, where a refusal of a paired programmer may stand, and the journal, which holds its newest entries."""
    from firmware_sim.firmware.memory import LAYOUT

    kept = bytearray(image)
    for name in ("log", "journal_a", "journal_b"):
        area = LAYOUT[name]
        kept[area.offset : area.offset + area.size] = bytes(area.size)
    return bytes(kept)


@pytest.mark.sr("SR-62")
def test_a_captured_stop_is_worth_nothing_after_a_reset() -> None:
    scene = prepared()
    session = scene.clinician._session
    assert session is not None
    captured = [session.send.seal(RecordType.COMMAND, counter, StopTherapyBytes) for counter in range(40)]
    scene.pump.power_cut()
    scene.pump.power_on()
    running = scene.pump.firmware.train
    for body in captured:
        scene.pump.receive(encode_frame(body), scene.link_ms)
    assert scene.pump.firmware.train == running
    scene.open()
    for body in captured:
        assert scene.say(encode_frame(body)) == b""
    assert scene.status().run_state.name == "RUNNING"


def _stop() -> bytes:
    from itbpump.wire.messages import encode_request

    return encode_request(StopTherapy(cmd_id=77))


StopTherapyBytes = _stop()
