"""Does the pump speak itbp1, as protocols/SPEC.md and its vectors have it? Each kind of request, each kind of damage, a session as a whole.

What a pump of an older minor version lacks is a test that fails and names it. Requests come from the tables of `itbpump.wire.messages`,
which are generated from protocols/itbp1.toml. Not here: staging and ids (`test_staging`), who may send what, and attacks (`test_security`);
what a command does to a therapy (other suites); layers of the vectors that only a programmer reads (replies, events).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from hil.commands import digest_of
from hil.speaking import VECTORS, Speaker, name_of, small_bolus, told, types
from itbpump.hil.fixtures import Clock, Measure, PumpUnderTest
from itbpump.wire import messages
from itbpump.wire.frame import decode_frame, encode_frame
from itbpump.wire.keys import derive, transcript_hash
from itbpump.wire.messages import (
    AlarmPriority,
    BolusKind,
    BolusOrder,
    CommandKind,
    Commit,
    Configuration,
    ConfigurationSlot,
    Error,
    ErrorCode,
    Info,
    Outcome,
    RecordType,
    Reply,
    Request,
    Result,
    ResultScope,
    Stage,
    decode_request,
    encode_bolus_order,
    encode_configuration,
    encode_request,
)
from itbpump.wire.record import Sealer, clear_body, clear_content, parse_header

DAY = "200 mcg/day"
LATER_WALL_S = 1_795_400_000
Ask = Callable[[Speaker, PumpUnderTest], Request]


def vectors(name: str) -> Any:
    return json.loads((VECTORS / f"{name}.json").read_text("utf-8"))


@pytest.fixture
def speaker(pump: PumpUnderTest) -> Speaker:
    """A session by hand with a pump that runs a therapy."""
    pump.program(pump.rx(DAY))
    return Speaker.to(pump).open()


# ------------------------------------------------------------------------------------------------ versions
def test_minor_version_is_told_and_is_this_one(pump: PumpUnderTest, measure: Measure) -> None:
    """An older one lacks something: the tests that fail besides say what."""
    info = pump.info
    assert info.protocol_major_max >= messages.PROTOCOL_VERSION
    measure("minor version of itbp1", info.protocol_minor, "", lo=messages.PROTOCOL_MINOR)


def test_constants_of_info_have_the_hash_it_tells(pump: PumpUnderTest) -> None:
    info = pump.info
    named = ("accuracy_ppm", "capacity_nL", "flow_max_nL_per_day", "flow_min_nL_per_day", "minimum_rate_nL_per_day")
    names = sorted((*named, "pulse_volume_nL", "residual_nL"))
    assert hashlib.sha256("".join(f"{name}={getattr(info, name)}\n" for name in names).encode()).digest() == info.constants_hash


# ------------------------------------------------------------------------------------------------ every request
def _staged_bolus(speaker: Speaker, _pump: PumpUnderTest) -> Commit:
    return speaker.stage(CommandKind.BOLUS, small_bolus(speaker))


def _running_bolus(speaker: Speaker, pump: PumpUnderTest) -> Request:
    speaker.applied(_staged_bolus(speaker, pump))
    return messages.StopBolus(speaker.next_id())


REQUESTS: dict[str, tuple[Ask, str]] = {
    "GetInfo": (lambda _s, _p: messages.GetInfo(), "Info"),
    "GetStatus": (lambda _s, _p: messages.GetStatus(), "Status"),
    "GetConfiguration": (lambda _s, _p: messages.GetConfiguration(ConfigurationSlot.ACTIVE, 0), "ConfigurationPage"),
    "GetLog": (lambda _s, _p: messages.GetLog(0, 25), "LogPage"),
    "QueryCommand": (lambda s, _p: messages.QueryCommand(max(s.cmd_id, 1)), "Result"),
    "GetResults": (lambda _s, _p: messages.GetResults(ResultScope.OWN, 0), "ResultsPage"),
    "Ping": (lambda _s, _p: messages.Ping(0xA5A5), "Pong"),
    "Close": (lambda _s, _p: messages.Close(), "Closed"),
    "Stage": (lambda s, _p: messages.Stage(s.next_id(), CommandKind.BOLUS, s.status().revision, 22, 0, small_bolus(s)), "Staged"),
    "GetReadBack": (lambda s, p: messages.GetReadBack(_staged_bolus(s, p).cmd_id), "ReadBack"),
    "Commit": (_staged_bolus, "Result"),
    "StopTherapy": (lambda s, _p: messages.StopTherapy(s.next_id()), "Result"),
    "StopBolus": (_running_bolus, "Result"),
    "MinimumRate": (lambda s, _p: messages.MinimumRate(s.next_id()), "Result"),
    "SetClock": (lambda s, _p: messages.SetClock(s.next_id(), LATER_WALL_S), "Result"),
    "TestAlarm": (lambda s, _p: messages.TestAlarm(s.next_id(), AlarmPriority.NON_CRITICAL), "Result"),
    "SilenceAlarm": (lambda s, _p: messages.SilenceAlarm(s.next_id(), 1), "Result"),
    "ConfirmResult": (lambda s, _p: messages.ConfirmResult(max(s.cmd_id, 1)), "Closed"),
}
REFUSED_HERE = {"SilenceAlarm": ErrorCode.WRONG_STATE}  # no alarm is up


@pytest.mark.parametrize("name", REQUESTS)
def test_request_is_answered(speaker: Speaker, pump: PumpUnderTest, name: str) -> None:
    make, answer = REQUESTS[name]
    request = make(speaker, pump)
    assert type(request).__name__ == name
    reply = speaker.ask_bytes(encode_request(request))
    assert type(reply).__name__ == answer, f"{name} is answered with {told(reply)}"
    if isinstance(reply, Result) and name != "QueryCommand":
        assert reply.result.error == REFUSED_HERE.get(name, 0), told(reply)
        assert reply.result.digest in (digest_of(encode_request(request)), getattr(request, "digest", b""))


def test_every_request_of_the_protocol_is_asked_for() -> None:
    assert set(REQUESTS) == {kind.__name__ for kind in messages.ROLES}


def test_kinds_that_no_request_has_are_refused_by_name(speaker: Speaker) -> None:
    known = {encode_request(make)[0] for make in (messages.GetInfo(), messages.GetStatus(), messages.Close())}
    known |= {int(vector["payload"][:2], 16) for vector in vectors("valid") if vector["kind"] == "request"}
    wrong = {}
    for number in sorted(set(range(256)) - known):
        reply = speaker.ask_bytes(bytes([number]))
        if not isinstance(reply, Error) or (reply.code, reply.detail) != (ErrorCode.UNKNOWN_MESSAGE, number):
            wrong[number] = told(reply)
    assert wrong == {}


CODES = {"UnknownMessage": ErrorCode.UNKNOWN_MESSAGE, "LengthError": ErrorCode.BAD_MESSAGE}
BAD = [vector for vector in vectors("invalid") if vector["layer"] in ("request", "configuration", "bolus_order")]


def test_bad_requests_of_the_vectors_are_refused_and_change_nothing(speaker: Speaker) -> None:
    before, wrong = speaker.status(), {}
    for vector in BAD:
        payload, code = bytes.fromhex(vector["hex"]), CODES.get(vector["error"], ErrorCode.OUT_OF_RANGE)
        if vector["layer"] == "request":
            reply = speaker.ask_bytes(payload)
        else:
            kind = CommandKind.CONFIGURE if vector["layer"] == "configuration" else CommandKind.BOLUS
            reply = speaker.ask_bytes(encode_request(Stage(speaker.next_id(), kind, before.revision, len(payload), 0, payload)))
        if not isinstance(reply, Error) or reply.code != code:
            wrong[vector["reason"]] = f"{told(reply)} instead of {name_of(code)}"
    assert wrong == {}
    after = speaker.status()
    assert (after.digest, after.revision, after.bolus_counter) == (before.digest, before.revision, before.bolus_counter)


@pytest.mark.reset("new")
def test_good_requests_of_the_vectors_are_understood(speaker: Speaker, pump: PumpUnderTest) -> None:
    """Whatever the pump makes of them, none is malformed. Some hold ids far ahead, so this is no test for a pump that is to live on."""
    wrong = {}
    for vector in vectors("valid"):
        if vector["kind"] != "request":
            continue
        reply = speaker.ask_bytes(bytes.fromhex(vector["payload"]))
        if isinstance(reply, Error) and reply.code in (ErrorCode.BAD_MESSAGE, ErrorCode.UNKNOWN_MESSAGE):
            wrong[f"{vector['message']} {vector['case']}"] = told(reply)
        if vector["message"] == "Close":
            speaker = Speaker.to(pump).open()
    assert wrong == {}


# ------------------------------------------------------------------------------------------------ damage on the line
def test_damaged_frames_of_the_vectors_are_dropped(speaker: Speaker) -> None:
    for vector in vectors("invalid"):
        if vector["layer"] == "frame":
            assert speaker.silent_at(b"\0" + bytes.fromhex(vector["hex"]) + b"\0") == [], vector["reason"]


def test_bad_records_of_the_vectors_are_dropped(speaker: Speaker) -> None:
    layers = {"hello": RecordType.HELLO, "confirm_programmer": RecordType.CONFIRM_PROGRAMMER}
    for vector in vectors("invalid"):
        content = bytes.fromhex(vector["hex"])
        if vector["layer"] in layers:
            assert speaker.silent_at(encode_frame(clear_body(layers[vector["layer"]], content))) == [], vector["reason"]
        elif vector["layer"] == "record" and len(content) <= 1_020 and vector["error"] != "TagError":
            answers = types(speaker.silent_at(encode_frame(content)))
            assert set(answers) <= {RecordType.REFUSE}, vector["reason"]  # a stranger's hello may be told so


def test_a_record_changed_in_any_byte_is_dropped(speaker: Speaker) -> None:
    before = speaker.status()
    body = speaker.sealed(encode_request(messages.StopTherapy(speaker.cmd_id + 1)), counter=speaker.counter + 1)
    for place in range(len(body)):
        wrong = body[:place] + bytes([body[place] ^ 0x40]) + body[place + 1 :]
        speaker.send(encode_frame(wrong))
    for length in range(1, len(body)):
        speaker.send(encode_frame(body[:length]))
    assert speaker.silent_at() == []
    assert speaker.status().flow_nL_per_day == before.flow_nL_per_day > 0


def test_garbage_and_frames_without_end_are_survived(speaker: Speaker, hil_seed: int) -> None:
    noise = hashlib.shake_256(str(hil_seed).encode()).digest(6_000)
    speaker.silent_at(b"\0" + noise.replace(b"\0", b"\1") + b"\0")
    speaker.silent_at(noise[:900] + b"\0")
    frame = encode_frame(speaker.sealed(encode_request(messages.Ping(1)), counter=speaker.counter + 1))
    assert speaker.silent_at(*(frame[:length] + b"\0" for length in range(2, len(frame) - 1))) == []


def test_a_frame_that_comes_byte_by_byte_is_heard(speaker: Speaker) -> None:
    frame = encode_frame(speaker.sealed(encode_request(messages.Ping(77))))
    for place in range(len(frame)):
        speaker.send(frame[place : place + 1])
    body = speaker.await_body("Ping", lambda come: parse_header(come).rtype is RecordType.COMMAND)
    re, reply = speaker.reply_in(body)
    assert isinstance(reply, messages.Pong)
    assert (re, reply.nonce) == (speaker.counter, 77)


def test_a_resent_record_gets_the_same_bytes_and_has_no_other_effect(speaker: Speaker) -> None:
    """A bolus' commit three times over: one reply, thrice, and one bolus."""
    commit = speaker.stage(CommandKind.BOLUS, small_bolus(speaker))
    before = speaker.status().log_next_seq
    speaker.applied(commit)
    frame, answer = encode_frame(speaker.said[-1]), next(body for body in reversed(speaker.heard) if types([body]) == [RecordType.COMMAND])
    for _ in range(2):
        speaker.send(frame)
        assert speaker.await_body("a resent record", lambda come: types([come]) == [RecordType.COMMAND]) == answer
    kinds = [entry.kind for entry in speaker.ask(messages.GetLog(before, 25), messages.LogPage).entries]
    assert kinds.count(messages.LogKind.BOLUS_START) == 1


@pytest.mark.sr("SR-62")
def test_counters_go_forward_and_leap_64_at_most(speaker: Speaker) -> None:
    status = encode_request(messages.GetStatus())
    for counter in (speaker.counter + 66, speaker.counter + 1_000, 2**24 - 1):
        assert speaker.silent_at(encode_frame(speaker.sealed(status, counter=counter))) == [], f"counter {counter}"
    speaker.counter += 63
    speaker.ask(messages.GetStatus(), messages.Status)  # 64 above the last one


# ------------------------------------------------------------------------------------------------ limits
@pytest.mark.sr("SR-02")
def test_the_pump_refuses_what_is_beyond_its_own_limits(speaker: Speaker) -> None:
    """Not clamped, not taken: refused with the limit. The companion, which would not send these, is not asked."""
    info, before = speaker.ask(messages.GetInfo(), Info), speaker.status()
    active = _configuration_of(speaker)
    over = {
        "flow_max": replace(active, flow_nL_per_day=info.flow_max_nL_per_day + 1),
        "mass_24h": replace(active, flow_nL_per_day=info.flow_max_nL_per_day - 1),
        "path_volume": replace(active, path_volume_nL=10_000_000),
        "alarm_order": replace(active, low_alarm_nL=active.empty_alarm_nL),
        "drug": replace(active, drug="unobtainium"),
    }
    if info.flow_min_nL_per_day:
        over["flow_min"] = replace(active, flow_nL_per_day=info.flow_min_nL_per_day - 1)
    for name, configuration in over.items():
        reply = speaker.stage_refused(CommandKind.CONFIGURE, encode_configuration(configuration))
        assert (reply.code, reply.detail) == (ErrorCode.LIMIT, messages.LimitCode[name.upper()]), f"{name}: {told(reply)}"
    counter = before.bolus_counter
    milligram = 10**6 * 10**6 // (active.concentration_ng_per_mL * info.pulse_volume_nL)  # in one bolus: no pump's drug allows it
    orders = {
        "bolus_mass": BolusOrder(1, BolusKind.SINGLE, counter, counter + milligram, 86_400),
        "bolus_flow": BolusOrder(1, BolusKind.SINGLE, counter, counter + milligram // 12, 60),
        "zero_pulses": BolusOrder(1, BolusKind.SINGLE, counter, counter, 600),
    }
    for name, order in orders.items():
        reply = speaker.stage_refused(CommandKind.BOLUS, encode_bolus_order(order))
        assert (reply.code, reply.detail) == (ErrorCode.LIMIT, messages.LimitCode[name.upper()]), f"{name}: {told(reply)}"
    after = speaker.status()
    assert (after.revision, after.bolus_counter, after.flow_nL_per_day) == (before.revision, counter, before.flow_nL_per_day)


def _configuration_of(speaker: Speaker) -> Configuration:
    page = speaker.ask(messages.GetConfiguration(ConfigurationSlot.ACTIVE, 0), messages.ConfigurationPage)
    return replace(messages.decode_configuration(page.page), reservoir_set=False, reservoir_volume_nL=0)


# ------------------------------------------------------------------------------------------------ handshake, whole session
def test_the_same_hello_gets_the_same_answer(pump: PumpUnderTest) -> None:
    speaker = Speaker.to(pump)
    speaker.greet()
    first = speaker.heard[-1]
    again = Speaker.to(pump)
    greeting = hashlib.sha256(b"one hello").digest()[:16]
    frame = encode_frame(clear_body(RecordType.HELLO, b"\1\1" + again.programmer_id + greeting))
    answers = []
    for _ in range(3):
        again.send(frame)
        answers.append(again.await_body("hello", lambda come: types([come]) == [RecordType.HELLO_REPLY]))
    assert answers[0] == answers[1] == answers[2]
    assert clear_content(answers[0]) != clear_content(first), "another hello gets another nonce"


@pytest.mark.needs("virtual-time")
@pytest.mark.reset("new")
def test_the_session_of_the_vectors_goes_as_written(pump: PumpUnderTest, clock: Clock) -> None:
    """Each request of session.json, in its order and at its time; each answer of the kind that stands there, with the same outcome."""
    session = vectors("session")
    if pump.info.profile != "P-40":
        pytest.skip("session.json was made with a P-40")
    speaker = Speaker.to(pump).open()
    wanted, begun_ms = _opened(session), clock.uptime_ms()
    for at_ms, request, answer in wanted:
        clock.advance(max(0, begun_ms + at_ms - clock.uptime_ms()))
        reply = speaker.ask_bytes(encode_request(request))
        assert type(reply) is type(answer), f"{type(request).__name__} at {at_ms} ms is answered with {told(reply)}"
        if isinstance(reply, Result) and isinstance(answer, Result):
            names = ("cmd_id", "kind", "outcome", "error", "digest", "requested_pulses", "bolus_state")
            assert [getattr(reply.result, name) for name in names] == [getattr(answer.result, name) for name in names]
        if isinstance(reply, Info):
            assert reply.last_cmd_id == 0


def _opened(session: dict[str, Any]) -> list[tuple[int, Request, Reply]]:
    """Requests of the vector with their times and answers; a repeat comes but once."""
    bodies = [(frame, decode_frame(bytes.fromhex(frame["hex"]).strip(b"\0"))) for frame in session["frames"]]
    clear = {frame["message"]: clear_content(body) for frame, body in bodies if parse_header(body).rtype < RecordType.COMMAND}
    made = derive(
        bytes.fromhex(session["psk"]),
        bytes.fromhex(session["np"]),
        bytes.fromhex(session["nd"]),
        transcript_hash(clear["hello"], clear["hello_reply"]),
    )
    to_pump, to_host = Sealer(made.k_p2d, made.iv_p), Sealer(made.k_d2p, made.iv_d)
    asked: dict[int, tuple[int, Request]] = {}
    answered: dict[int, Reply] = {}
    for frame, body in bodies:
        header = parse_header(body)
        if header.rtype is RecordType.COMMAND and frame["dir"] == "p2d":
            asked.setdefault(header.counter, (frame["uptime_ms"], decode_request(to_pump.open(body).plaintext)))
        elif header.rtype is RecordType.COMMAND:
            re, reply = messages.decode_reply(to_host.open(body).plaintext)
            answered.setdefault(re, reply)
    return [(at_ms, request, answered[counter]) for counter, (at_ms, request) in asked.items()]


def test_results_tell_what_was_and_what_was_not(speaker: Speaker) -> None:
    stop = messages.StopTherapy(speaker.next_id())
    speaker.applied(stop)
    assert speaker.ask(messages.QueryCommand(stop.cmd_id), Result).result.outcome is Outcome.APPLIED
    assert speaker.ask(messages.QueryCommand(stop.cmd_id + 1), Result).result.outcome is Outcome.UNKNOWN_COMMAND
    speaker.refused(messages.MinimumRate(speaker.next_id()), ErrorCode.WRONG_STATE)
    page = speaker.ask(messages.GetResults(ResultScope.OWN, 0), messages.ResultsPage)
    assert [(one.cmd_id, one.outcome) for one in page.results[:2]] == [
        (stop.cmd_id + 1, Outcome.REFUSED),
        (stop.cmd_id, Outcome.APPLIED),
    ]
