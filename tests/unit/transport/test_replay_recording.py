"""Recording a session: it changes nothing for the session, loses no byte, survives a full disk, and holds no secret."""

from __future__ import annotations

import base64
import errno
import fcntl
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from itbpump.hoststate import HostState
from itbpump.outcome import Applied
from itbpump.pump import Pump, connect
from itbpump.therapy import load_prescription
from itbpump.transport import open_transport
from itbpump.transport.base import PortUnpluggedError
from itbpump.transport.capture import CAPTURE_VARIABLE, KEYLOG_VARIABLE, Recorder, RecordingFileError
from itbpump.transport.demo_key import DEMO_KEY
from itbpump.transport.sim import SimTransport
from itbpump.transport.states import default_state
from itbpump.wire import keys
from itbpump.wire.capture import LoggedKeys, Watch, parse_key_log
from itbpump.wire.messages import Role
from itbpump.wire.pcapng import Line, Packet, RecordingError, Way, decode

SIM = "sim://P-40?fill=38mL&seed=1"
FLEX = Path(__file__).resolve().parents[3] / "examples" / "flex-weekday-weekend.toml"
HOST_CLOCK_S = 1_795_359_600.25


@pytest.fixture(autouse=True)
def unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(CAPTURE_VARIABLE, raising=False)
    monkeypatch.delenv(KEYLOG_VARIABLE, raising=False)


def counted() -> Callable[[int], bytes]:
    """Random bytes that are the same each time."""
    numbers: Iterator[int] = iter(range(1, 200))
    return lambda count: bytes([next(numbers)]) * count


def visit(pump: Pump) -> tuple[object, ...]:
    """Program, read, stop."""
    with pump:
        programmed = pump.program(load_prescription(FLEX))
        return programmed, pump.status(), tuple(pump.log()), pump.stop()


def recording(path: Path, name: str = "visit.pcapng", keylog: Path | None = None) -> Pump:
    return connect(SIM, capture=path / name, keylog=keylog, entropy=counted(), host_clock=lambda: HOST_CLOCK_S)


def test_a_recorded_session_goes_as_one_that_is_not(tmp_path: Path) -> None:
    plain = visit(connect(SIM, entropy=counted(), host_clock=lambda: HOST_CLOCK_S))
    found = visit(recording(tmp_path))
    # The programmer's id differs from one state in memory to the next, and results name it.
    assert [type(entry) for entry in found] == [type(entry) for entry in plain]
    assert isinstance(found[0], Applied)
    assert found[0].proof is not None
    (section,) = decode((tmp_path / "visit.pcapng").read_bytes()).sections
    assert section.lines[0].name == SIM
    watch = Watch(lambda _pump: DEMO_KEY)
    names = [seen.name for packet in section.packets for seen in watch.see(packet.way, packet.data)]
    assert names[:6] == ["hello", "hello_reply", "confirm_programmer", "confirm_pump", "GetInfo", "Info"]
    assert names[-2:] == ["Close", "Closed"]
    assert {"Stage", "ReadBack", "Commit", "StopTherapy", "LogPage"} <= set(names)
    assert "sealed" not in names
    assert "damaged" not in names


def test_the_times_lead_to_the_hosts_clock(tmp_path: Path) -> None:
    recording(tmp_path).close()
    (section,) = decode((tmp_path / "visit.pcapng").read_bytes()).sections
    first = section.packets[0]
    assert section.lines[0].wall_offset_s + first.time_us / 1_000_000 == HOST_CLOCK_S


def test_the_same_session_gives_the_same_bytes(tmp_path: Path) -> None:
    def once(name: str) -> bytes:
        state = HostState.in_memory(lambda count: b"P" * count)
        state.pair(b"P4000001", Role.CLINICIAN, DEMO_KEY)
        transport = open_transport(SIM)
        assert isinstance(transport, SimTransport)
        transport.device.provision(state.programmer_id, Role.CLINICIAN, DEMO_KEY)
        files = [tmp_path / f"{name}.pcapng", tmp_path / f"{name}.jsonl"]
        pump = connect(SIM, state=state, transport=transport, entropy=counted(), host_clock=lambda: HOST_CLOCK_S, capture=files)
        visit(pump)
        return b"".join(path.read_bytes() for path in files)

    assert once("one") == once("two")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
@given(st.lists(st.tuples(st.sampled_from(Way), st.binary(max_size=80)), max_size=12))
def test_any_bytes_are_in_the_recording(tmp_path: Path, traffic: list[tuple[Way, bytes]]) -> None:
    path = tmp_path / "any.pcapng"
    path.unlink(missing_ok=True)
    recorder = Recorder(Line("x"), [path, tmp_path / "any.jsonl"], None, lambda _pump: None)
    for time_us, (way, data) in enumerate(traffic):
        recorder.add(way, data, time_us)
    recorder.close()
    (section,) = decode(path.read_bytes()).sections
    for way in Way:
        sent = b"".join(data for went, data in traffic if went is way)
        assert b"".join(packet.data for packet in section.packets if packet.way is way) == sent


def test_a_line_that_fails_is_remarked(tmp_path: Path) -> None:
    transport = open_transport(SIM)
    assert isinstance(transport, SimTransport)
    pump = connect(SIM, transport=transport, state=default_state(transport), capture=tmp_path / "cut.pcapng")
    transport.unplug()
    with pytest.raises(PortUnpluggedError):
        pump.status()
    pump.close()
    last = decode((tmp_path / "cut.pcapng").read_bytes()).sections[0].packets[-1]
    assert (last.data, last.comment[:16]) == (b"", "the line failed:")


# ------------------------------------------------------------------------------------------------ files
@pytest.mark.parametrize("kind", [".pcapng", ".jsonl"])
@pytest.mark.parametrize("short", [False, True], ids=["refused", "written in part"])
def test_a_full_disk_stops_the_recording_and_not_the_session(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, kind: str, short: bool
) -> None:
    write, room = os.write, [2_000]

    def filling(fd: int, data: bytes) -> int:
        room[0] -= len(data)
        if room[0] >= 0:
            return write(fd, data)
        if short:
            return write(fd, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path, other = tmp_path / f"full{kind}", tmp_path / "beside.pcapng"
    pump = connect(SIM, capture=[path], host_clock=lambda: HOST_CLOCK_S)
    with monkeypatch.context() as patched:
        patched.setattr("itbpump.transport.capture.os.write", filling)
        programmed, _, _, stopped = visit(pump)
    assert isinstance(programmed, Applied)
    assert isinstance(stopped, Applied)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(path) in caplog.text
    assert "the session goes on" in caplog.text
    assert not other.exists()
    if kind == ".pcapng":
        assert decode(path.read_bytes()).torn_bytes == 0
    else:
        assert [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_a_recording_is_added_behind_what_is_there_and_a_torn_end_is_cut(tmp_path: Path) -> None:
    path = tmp_path / "visit.pcapng"
    recording(tmp_path).close()
    whole = path.read_bytes()
    path.write_bytes(whole + whole[:50])
    recording(tmp_path).close()
    found = decode(path.read_bytes())
    assert path.read_bytes().startswith(whole)
    assert (len(found.sections), found.torn_bytes) == (3, 0)
    assert len(found.sections[0].packets) == len(found.sections[2].packets) > 0


def test_json_lines_of_two_sessions_stand_one_behind_the_other(tmp_path: Path) -> None:
    for _ in range(2):
        recording(tmp_path, "visit.jsonl").close()
        with (tmp_path / "visit.jsonl").open("ab") as file:
            file.write(b'{"torn')
    lines = (tmp_path / "visit.jsonl").read_text("utf-8").split("\n")
    assert [number for number, line in enumerate(lines) if line == '{"torn'] == [len(lines) // 2 - 1, len(lines) - 1]
    heads = [json.loads(line) for line in lines if line.startswith('{"recording')]
    assert [head["recording"] for head in heads] == [SIM, SIM]


def refused(path: Path) -> str:
    with pytest.raises(RecordingFileError) as caught:
        connect(SIM, capture=path)
    assert caught.value.path == path
    return str(caught.value)


def test_files_that_cannot_take_a_recording_are_refused(tmp_path: Path) -> None:
    foreign = tmp_path / "letter.pcapng"
    foreign.write_bytes(b"Dear Sir or Madam")
    assert "is no recording" in refused(foreign)
    assert foreign.read_bytes() == b"Dear Sir or Madam"
    assert "ends neither" in refused(tmp_path / "visit.txt")
    assert "cannot be opened" in refused(tmp_path / "no" / "folder.pcapng")
    pipe = tmp_path / "pipe.pcapng"
    os.mkfifo(pipe)
    assert "no regular file" in refused(pipe)
    taken = tmp_path / "taken.pcapng"
    with taken.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert "another program" in refused(taken)


def test_a_refused_file_leaves_the_others_free(tmp_path: Path) -> None:
    files = [tmp_path / "a.pcapng", tmp_path / "b.jsonl"]
    for _ in range(2):  # the second time they would be taken, were they still open
        with pytest.raises(RecordingFileError, match="cannot be opened"):
            Recorder(Line("x"), files, tmp_path / "no" / "keys", lambda _pump: None)
    Recorder(Line("x"), files, None, lambda _pump: None).close()


def test_the_environment_records_whatever_connects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = [tmp_path / "all.pcapng", tmp_path / "all.jsonl"]
    monkeypatch.setenv(CAPTURE_VARIABLE, os.pathsep.join(map(str, files)))
    connect(SIM).close()
    connect(SIM, capture=[]).close()  # not this one
    assert len(decode(files[0].read_bytes()).sections) == 1
    assert files[1].read_text("utf-8").count('"message": "Close"') == 1


@pytest.mark.parametrize("name", ["no/folder.pcapng", "visit.txt"])
def test_a_bad_variable_keeps_nobody_from_a_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    monkeypatch.setenv(CAPTURE_VARIABLE, str(tmp_path / name))
    assert isinstance(visit(connect(SIM))[-1], Applied)
    assert "Nothing is recorded" in caplog.text


# ------------------------------------------------------------------------------------------------ secrets
def forms(secret: bytes) -> list[bytes]:
    """How a secret may stand in a file: as it is, in hex, in base64 at each of its three alignments, as a Python or JSON text."""
    plain = base64.b64encode(secret).rstrip(b"=")[:-1]
    shifted = [base64.b64encode(bytes(shift) + secret)[4:-4] for shift in (1, 2)]
    return [secret, secret[::-1], secret.hex().encode(), secret.hex().upper().encode(), plain, *shifted, repr(secret).encode()[2:-1]]


def found_in(content: bytes, secrets: dict[str, bytes]) -> set[str]:
    return {name for name, secret in secrets.items() for form in forms(secret) if form in content}


def secrets_of(entry: LoggedKeys, packets: tuple[Packet, ...]) -> dict[str, bytes]:
    """The pairing key, everything derived from it, and the state of the derivation."""
    watch = Watch()
    contents = [(packet, seen.content) for packet in packets for seen in watch.see(packet.way, packet.data)]
    h1 = next(content for _, content in contents if isinstance(content, keys.Hello))
    h2 = next(content for _, content in contents if isinstance(content, keys.HelloReply))
    transcript = keys.transcript_hash(keys.encode_h1(*h1), keys.encode_h2(*h2))
    made = keys.derive(DEMO_KEY, h1.np, h2.nd, transcript)
    assert made[:4] == entry[2:]
    return {"pairing key": DEMO_KEY, "first half of it": DEMO_KEY[:16], **made._asdict()}


@pytest.mark.sr("SR-62", "SR-63")
def test_no_secret_lands_in_a_recording(tmp_path: Path) -> None:
    files = [tmp_path / "visit.pcapng", tmp_path / "visit.jsonl"]
    keylog = tmp_path / "keys.log"
    visit(connect(SIM, capture=files, keylog=keylog))
    (entry,) = parse_key_log(keylog.read_text("utf-8"))
    secrets = secrets_of(entry, decode(files[0].read_bytes()).sections[0].packets)
    for path in files:
        assert found_in(path.read_bytes(), secrets) == set()
    # The search finds what is there: session keys, and never the pairing key or the key of the confirmations.
    assert found_in(keylog.read_bytes(), secrets) == {"k_p2d", "k_d2p", "iv_p", "iv_d"}


@pytest.mark.parametrize("form", range(8))
def test_the_search_for_secrets_finds_each_form(form: int) -> None:
    secret = bytes(range(100, 132))
    assert found_in(b"before " + forms(secret)[form] + b" after", {"key": secret}) == {"key"}


@pytest.mark.sr("SR-63")
def test_keys_are_written_only_on_request_and_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    recording(tmp_path).close()
    assert [path.name for path in tmp_path.iterdir()] == ["visit.pcapng"]
    assert caplog.text == ""
    keylog = tmp_path / "keys.log"
    recording(tmp_path, keylog=keylog).close()
    assert str(keylog) in caplog.text
    assert "Delete it when done" in caplog.text
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o600}
    recording(tmp_path, keylog=keylog).close()
    assert len(parse_key_log(keylog.read_text("utf-8"))) == 2


def test_a_key_log_in_the_place_of_a_recording_is_told(tmp_path: Path) -> None:
    path = tmp_path / "keys.log"
    recording(tmp_path, keylog=path).close()
    with pytest.raises(RecordingError, match="no pcapng"):
        decode(path.read_bytes())


@pytest.mark.parametrize("name", ["visit.pcapng", "new.pcapng", "new.jsonl", "notes.txt"])
def test_keys_never_go_into_a_recording_or_a_foreign_file(tmp_path: Path, name: str) -> None:
    recording(tmp_path).close()
    (tmp_path / "notes.txt").write_text("something else\n", "utf-8")
    before = (tmp_path / name).read_bytes() if (tmp_path / name).exists() else b""
    with pytest.raises(RecordingFileError, match="no key log"):
        connect(SIM, keylog=tmp_path / name)
    assert ((tmp_path / name).read_bytes() if (tmp_path / name).exists() else b"") == before
