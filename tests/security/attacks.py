"""What an attacker on the line can try against the pump: one function for each row of docs/threats.toml with `against = "pump"`.

Each takes the scene in the middle of its story, does its worst, and checks what the pump answers at once. What the pump holds in the
end is compared with its twin by the caller.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from itbpump.wire import keys
from itbpump.wire.frame import FrameSplitter, encode_frame
from itbpump.wire.messages import (
    CommandKind,
    Commit,
    MinimumRate,
    RecordType,
    RefuseReason,
    Stage,
    StopTherapy,
    encode_configuration,
    encode_request,
)
from itbpump.wire.record import Sealer, clear_body, clear_content, parse_header
from tests.security.scene import CLINICIAN, OBSERVER, SECOND, THEN, Scene, key_of

ATTACKS: dict[str, Callable[[Scene], None]] = {}


def attack(name: str) -> Callable[[Callable[[Scene], None]], Callable[[Scene], None]]:
    def keep(function: Callable[[Scene], None]) -> Callable[[Scene], None]:
        assert name not in ATTACKS
        ATTACKS[name] = function
        return function

    return keep


def types(bodies: list[bytes]) -> list[RecordType]:
    return [parse_header(body).rtype for body in bodies]


def commands(bodies: list[bytes]) -> list[bytes]:
    return [body for body in bodies if parse_header(body).rtype == RecordType.COMMAND]


def refusals(answers: bytes) -> list[RefuseReason]:
    """Reasons that the pump gave; every answer must be a refusal."""
    bodies = FrameSplitter().feed(answers)
    assert set(types(bodies)) <= {RecordType.REFUSE}, types(bodies)
    return [keys.decode_refuse(clear_content(body)).reason for body in bodies]


def hello(programmer_id: bytes, *, version: int = 1, suite: int = 1, np: bytes = bytes(16)) -> bytes:
    return encode_frame(clear_body(RecordType.HELLO, keys.encode_h1(version, suite, programmer_id, np)))


def intercepted(scene: Scene) -> bytes:
    """The clinician's commit, sealed and on its way, that the pump has not heard: as good a record as an attacker can get."""
    assert scene.staged is not None
    session = scene.clinician._session
    assert session is not None
    return session.send.seal(RecordType.COMMAND, session.counter + 1, encode_request(scene.staged[0]))


# ------------------------------------------------------------------------------------------------ records
@attack("forge-command")
def forge_command(scene: Scene) -> None:
    """Records with the right form and the next number, sealed under keys of one's own."""
    assert scene.staged is not None
    random = Random(1)
    for request in (scene.staged[0], StopTherapy(cmd_id=99), MinimumRate(cmd_id=99)):
        for counter in range(scene.clinician._session.counter + 4 if scene.clinician._session else 4):
            forged = Sealer(random.randbytes(16), random.randbytes(8)).seal(RecordType.COMMAND, counter, encode_request(request))
            assert scene.say(encode_frame(forged)) == b""
    zero = Sealer(bytes(16), bytes(8)).seal(RecordType.COMMAND, 40, encode_request(StopTherapy(cmd_id=99)))
    assert scene.say(encode_frame(zero)) == b""


@attack("flip-bits")
def flip_bits(scene: Scene) -> None:
    """Every bit of a good record that the pump has not heard yet, turned over one by one, under a good CRC."""
    body = intercepted(scene)
    for number in range(len(body) * 8):
        changed = bytearray(body)
        changed[number // 8] ^= 1 << number % 8
        assert scene.say(encode_frame(bytes(changed))) == b""


@attack("truncate")
def truncate(scene: Scene) -> None:
    """Every beginning and every end of a good record, under a good CRC, also with the length in its header made to fit."""
    body = intercepted(scene)
    for length in range(1, len(body)):
        fitting = body[:6] + max(0, length - 24).to_bytes(2, "big") + body[8:length]
        for part in (body[:length], body[-length:], fitting):
            assert scene.say(encode_frame(part)) == b""


@attack("cut-frames")
def cut_frames(scene: Scene) -> None:
    """Frames cut off on the line, glued together, and without end; the next good frame must be heard."""
    frame = encode_frame(intercepted(scene))
    for length in range(2, len(frame) - 1):
        assert scene.say(frame[:length] + b"\0") == b""
    assert scene.say(b"\0" + Random(8).randbytes(5_000).replace(b"\0", b"\1") + b"\0") == b""
    assert scene.say(frame[:-1] + frame[1:20] + b"\0") == b""


@attack("replay-session")
def replay_session(scene: Scene) -> None:
    """Everything the clinician said in this session, again, in order, backwards and shuffled. Only the last is answered, as before."""
    said = [encode_frame(body) for body in scene.to_pump]
    last = scene.to_host[-1]
    shuffled = said[:]
    Random(2).shuffle(shuffled)
    for frame in (*said, *reversed(said), *shuffled):
        answers = FrameSplitter().feed(scene.say(frame))
        sealed = commands(answers)
        assert not sealed or (sealed == [last] and frame == said[-1])
        assert set(types(answers)) <= {RecordType.COMMAND, RecordType.HELLO_REPLY, RecordType.REFUSE}


@attack("replay-earlier-session")
def replay_earlier_session(scene: Scene) -> None:
    """A whole session of before, from its hello to its good-bye; its commit of a therapy is in there."""
    assert len(commands(scene.earlier[0])) > 3
    for body in scene.earlier[0]:
        answers = FrameSplitter().feed(scene.say(encode_frame(body)))
        assert not commands(answers)
        assert RecordType.CONFIRM_PUMP not in types(answers)


@attack("reflect-to-pump")
def reflect_to_pump(scene: Scene) -> None:
    """What the pump said, said to the pump."""
    for body in (*scene.to_host, *scene.earlier[1]):
        assert scene.say(encode_frame(body)) == b""


@attack("reorder")
def reorder(scene: Scene) -> None:
    """Records of one's choice from all that was said, in any order, with gaps and doubles."""
    random = Random(3)
    pool = [encode_frame(body) for body in (*commands(scene.to_pump[:-1]), *commands(scene.earlier[0]), *scene.to_host)]
    for _ in range(300):
        assert scene.say(random.choice(pool)) == b""


@attack("retype-records")
def retype_records(scene: Scene) -> None:
    """A sealed record under another type, version, counter or length: all are under the tag."""
    body = intercepted(scene)
    for index in range(8):
        for value in range(256):
            if body[index] != value:
                assert scene.say(encode_frame(body[:index] + bytes([value]) + body[index + 1 :])) == b""


# ------------------------------------------------------------------------------------------------ handshakes
@attack("unpaired")
def unpaired(scene: Scene) -> None:
    """A programmer that nobody paired says hello, confirms, and orders a stop; so does one without an id."""
    reasons = []
    for name in (b"STRANGER", bytes(8), b"\xff" * 8):
        reasons += refusals(scene.say(hello(name)))
        made = keys.derive(bytes(32), bytes(16), bytes(16), bytes(32))
        mac = keys.confirm(made.k_conf, b"P", bytes(32))
        assert scene.say(encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, name + mac))) == b""
        sealed = Sealer(made.k_p2d, made.iv_p).seal(RecordType.COMMAND, 0, encode_request(StopTherapy(cmd_id=1)))
        assert scene.say(encode_frame(sealed)) == b""
    assert set(reasons) == {RefuseReason.UNPAIRED}


@attack("wrong-key")
def wrong_key(scene: Scene) -> None:
    """In the name of everybody who is paired, with a key that is guessed, empty, or derived from serial number and id."""
    serial = scene.pump.serial.encode()
    for programmer_id in (CLINICIAN, SECOND, OBSERVER):
        for key in (bytes(32), serial.ljust(32, b"\0"), programmer_id * 4, Random(4).randbytes(32)):
            link = scene.programmer(programmer_id, key)
            link.connect(scene.link_ms)
            for _ in range(3):
                answers = scene.say(link.transmit())
                assert RecordType.CONFIRM_PUMP not in types(FrameSplitter().feed(answers))
                link.feed(answers, scene.link_ms)
            assert link.state not in ("open", "awaiting")  # refused, or no longer answered


@attack("cross-pump-key")
def cross_pump_key(scene: Scene) -> None:
    """A clinician of another pump, with that pump's good key, and with that pump's name in the answer."""
    link = scene.programmer(CLINICIAN, key_of(CLINICIAN, "P4000008"))
    link.connect(scene.link_ms)
    for _ in range(3):
        answers = scene.say(link.transmit())
        assert RecordType.CONFIRM_PUMP not in types(FrameSplitter().feed(answers))
        link.feed(answers, scene.link_ms)
    assert link.state == "closed"


@attack("downgrade")
def downgrade(scene: Scene) -> None:
    """Hellos of every other version and suite: refused in words, never answered with a weaker one."""
    told = set()
    for value in (0, 2, 3, 127, 255):
        told |= set(refusals(scene.say(hello(CLINICIAN, version=value))))
        told |= set(refusals(scene.say(hello(CLINICIAN, suite=value))))
    assert told == {RefuseReason.VERSION, RefuseReason.SUITE}


@attack("splice-handshakes")
def splice_handshakes(scene: Scene) -> None:
    """Hello of one session, confirmation of another; then the records of either."""
    by_type = [dict(zip(types(said), said, strict=True)) for said in (scene.earlier[0], scene.to_pump)]
    for first, second in ((0, 1), (1, 0)):
        for part in (by_type[first][RecordType.HELLO], by_type[second][RecordType.CONFIRM_PROGRAMMER]):
            answers = types(FrameSplitter().feed(scene.say(encode_frame(part))))
            assert RecordType.CONFIRM_PUMP not in answers
        for body in commands(scene.earlier[0]):
            assert scene.say(encode_frame(body)) == b""


@attack("push-out-handshakes")
def push_out_handshakes(scene: Scene) -> None:
    """Hellos without end in the clinician's name, each with a confirmation that is wrong, while the clinician is in session."""
    for number in range(200):
        scene.say(hello(CLINICIAN, np=number.to_bytes(16, "big")))
        scene.say(encode_frame(clear_body(RecordType.CONFIRM_PROGRAMMER, CLINICIAN + bytes(16))))


@attack("emergency-without-magnet")
def emergency_without_magnet(scene: Scene) -> None:
    """An emergency pairing from afar, its key known: without the magnet the pump does not even say who it is."""
    link = scene.programmer(b"EMERGN01")
    link.connect(scene.link_ms)
    assert refusals(scene.say(link.transmit())) == [RefuseReason.NO_MAGNET]


@attack("second-session")
def second_session(scene: Scene) -> None:
    """Another paired programmer, good key and all, while the clinician is in session: told that the pump is busy."""
    link = scene.programmer(SECOND)
    link.connect(scene.link_ms)
    link.feed(scene.say(link.transmit()), scene.link_ms)
    answers = scene.say(link.transmit())
    assert types(FrameSplitter().feed(answers)) == [RecordType.BUSY]
    sealed = Sealer(bytes(16), bytes(8)).seal(RecordType.COMMAND, 0, encode_request(StopTherapy(cmd_id=1)))
    assert scene.say(encode_frame(sealed)) == b""


@attack("garbage")
def garbage(scene: Scene) -> None:
    """Random bytes, random frames, random records: nothing is answered but what looks like a hello."""
    random = Random(5)
    for _ in range(300):
        scene.say(random.randbytes(random.randrange(1, 200)) + b"\0")
        scene.say(encode_frame(random.randbytes(random.randrange(1, 300))))
        rtype = random.choice(list(RecordType))
        body = bytes([1, rtype]) + random.randbytes(4) + (12).to_bytes(2, "big") + random.randbytes(12 + 16 * (rtype >= RecordType.COMMAND))
        assert not commands(FrameSplitter().feed(scene.say(encode_frame(body))))


@attack("stage-over")
def stage_over(scene: Scene) -> None:
    """Somebody else's staging and commit over the clinician's, in records of an older session and of one's own making."""
    payload = encode_configuration(THEN)
    own = Sealer(Random(6).randbytes(16), Random(7).randbytes(8))
    stage, commit = Stage(50, CommandKind.CONFIGURE, 1, len(payload), 0, payload), Commit(50, bytes(32), 1)
    for counter, plaintext in enumerate((encode_request(stage), encode_request(commit))):
        assert scene.say(encode_frame(own.seal(RecordType.COMMAND, counter, plaintext))) == b""
    for body in commands(scene.earlier[0]):
        assert scene.say(encode_frame(body)) == b""
