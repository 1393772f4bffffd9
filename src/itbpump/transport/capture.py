"""Recording a line: every byte that goes over it into a pcapng file, as JSON lines beside it, and the keys of its sessions if asked.

`recorded(port, …)` puts a recorder in front of a transport. Recording is never in the way: when a file cannot be written any more (disk
full) it is left as it is, the log says so, and the bytes go on. A recording holds what went over the line, and that is sealed; a `.jsonl`
holds the opened messages in plain, and a key log opens them, so all three are files of mode 0600 and the last two are made only on
request. A pairing key is in none of them. Files are never overwritten: a new section is added behind what is there.
Not here: the format (`wire.pcapng`), what is in a frame (`wire.capture`), playing back (`transport.replay`).
"""

from __future__ import annotations

import errno
import json
import logging
import os
import stat
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Protocol, TypeAlias

from itbpump.errors import InputError
from itbpump.hoststate import HostState, HostStateError
from itbpump.transport.base import Transport, TransportError
from itbpump.wire.capture import CLOCK_REMARK, Cutter, LoggedKeys, Seen, Watch, encode_key_line
from itbpump.wire.pcapng import Line, Packet, RecordingError, Way, encode_line, encode_packet, encode_section, whole_bytes
from itbpump.wire.shown import frame_json

__all__ = ["ASKED", "CAPTURE_VARIABLE", "KEYLOG_VARIABLE", "CapturingTransport", "Files", "Recorder", "RecordingFileError", "recorded"]

LOG = logging.getLogger("itbpump.recording")
CAPTURE_VARIABLE, KEYLOG_VARIABLE = "ITBPUMP_CAPTURE", "ITBPUMP_KEYLOG"
Name: TypeAlias = str | os.PathLike[str]
Files: TypeAlias = Name | Sequence[Name] | None
# What the command line was asked to record, for whatever connects during the command.
ASKED: ContextVar[tuple[tuple[Path, ...], Path | None]] = ContextVar("ASKED", default=((), None))

_STOPPED = "the recording stops there, the session goes on"


class RecordingFileError(InputError):
    """A file cannot take a recording; `path` names it."""

    def __init__(self, path: Path, problem: str, action: str = "name another file") -> None:
        self.path, self.problem = path, problem
        super().__init__(f"recording {path}: {problem}; {action}", action=action)


class _File:
    """A regular file of mode 0600 that grows at its end by whole pieces; alone in this process's hands while it is open."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | getattr(os, "O_NONBLOCK", 0), 0o600)
        except OSError as error:
            raise RecordingFileError(path, f"it cannot be opened ({error.strerror})") from error
        try:
            self._require_own()
        except BaseException:
            os.close(self._fd)
            raise

    def _require_own(self) -> None:
        if not stat.S_ISREG(os.fstat(self._fd).st_mode):
            # Whoever reads a pipe could hold up the line.
            raise RecordingFileError(self.path, "it is no regular file")
        try:
            import fcntl  # noqa: PLC0415 -- POSIX only; elsewhere two programs must not name the same file
        except ImportError:
            return
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise RecordingFileError(self.path, "another program is recording into it") from error

    def content(self) -> bytes:
        return self.path.read_bytes()

    def cut(self, size: int) -> None:
        os.ftruncate(self._fd, size)

    def append(self, piece: bytes) -> None:
        """All of `piece` or nothing. OSError when there is no room."""
        before = os.fstat(self._fd).st_size
        if os.write(self._fd, piece) != len(piece):
            self.cut(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def close(self) -> None:
        os.close(self._fd)


class _Sink(Protocol):
    """One file of a recording. Any method may raise OSError: then the file is left alone."""

    @property
    def path(self) -> Path: ...

    def begin(self, line: Line) -> None: ...

    def packet(self, number: int, packet: Packet, seen: list[Seen]) -> None: ...

    def session(self, logged: LoggedKeys) -> None: ...

    def close(self) -> None: ...


class _Pcapng(_File):
    def begin(self, line: Line) -> None:
        """What a killed recorder left unfinished is cut off; RecordingFileError for a file of another kind."""
        present = self.content()
        try:
            whole = whole_bytes(present) if present else 0
        except RecordingError as error:
            raise RecordingFileError(self.path, f"it exists and is no recording ({error.problem})") from error
        if whole < len(present):
            self.cut(whole)
        self.append(encode_section() + encode_line(line))

    def packet(self, number: int, packet: Packet, seen: list[Seen]) -> None:
        self.append(encode_packet(packet))

    def session(self, logged: LoggedKeys) -> None:
        """Keys are no part of a recording."""


class _Jsonl(_File):
    def begin(self, line: Line) -> None:
        head = {"recording": line.name, "wall_offset_s": line.wall_offset_s}
        torn = self.content()[-1:] not in (b"", b"\n")
        self.append(b"\n" * torn + json.dumps(head).encode() + b"\n")

    def packet(self, number: int, packet: Packet, seen: list[Seen]) -> None:
        entries: list[Seen | None] = [*seen] or [None]
        for entry in entries:
            self.append(json.dumps(frame_json(number, packet, entry), ensure_ascii=False).encode() + b"\n")

    def session(self, logged: LoggedKeys) -> None:
        """Messages are opened here; keys are not written."""


_KEY_LINE = b"itbp1-session "


class _KeyLog(_File):
    def begin(self, line: Line) -> None:
        content = self.content()
        if self.path.suffix in _KINDS or not content.startswith(_KEY_LINE[: len(content)]):
            raise RecordingFileError(self.path, "it is no key log; keys must never land in a recording", "name another file")
        self.append(b"\n" * (content[-1:] not in (b"", b"\n")))

    def packet(self, number: int, packet: Packet, seen: list[Seen]) -> None:
        """Frames are no part of a key log."""

    def session(self, logged: LoggedKeys) -> None:
        self.append(encode_key_line(logged).encode() + b"\n")


_KINDS: dict[str, type[_Pcapng | _Jsonl]] = {".pcapng": _Pcapng, ".jsonl": _Jsonl}


def require_names(files: Sequence[Path]) -> None:
    """Raises RecordingFileError for a name that does not tell the kind of file."""
    for path in files:
        if path.suffix not in _KINDS:
            raise RecordingFileError(path, "its name ends neither in .pcapng nor in .jsonl", "name it FILE.pcapng or FILE.jsonl")


class Recorder:
    """Takes what passes on a line and writes it to the files. Threads may share it. `add` never raises for a file that takes no more."""

    def __init__(self, line: Line, files: Sequence[Path], keylog: Path | None, key_of: Callable[[bytes], bytes | None]) -> None:
        """`key_of(pump_id)` gives the pairing key, by which sessions are opened; it is asked at each handshake and not kept.

        Raises RecordingFileError when a file cannot take the recording; nothing is open then.
        """
        require_names(files)
        self._lock = threading.Lock()
        self._cutters = {way: Cutter() for way in Way}
        self.count = 0  # packets so far: frames, remarks, pieces of noise
        self._time_us = 0
        self._watch = Watch(key_of, on_session=self._opened)
        self._sinks: list[_Sink] = []
        try:
            for path in files:
                self._begin(_KINDS[path.suffix](path), line)
            if keylog is not None:
                self._begin(_KeyLog(keylog), line)
                LOG.warning("Session keys are written to %s: who has them can read what is recorded. Delete it when done.", keylog)
        except BaseException:
            self.close()
            raise

    def _begin(self, sink: _Sink, line: Line) -> None:
        self._sinks.append(sink)
        self._each(lambda taken: taken.begin(line) if taken is sink else None)

    @property
    def recording(self) -> bool:
        """Some file still takes what comes."""
        return bool(self._sinks)

    def add(self, way: Way, data: bytes, time_us: int) -> None:
        """Bytes that went one way by the link's clock (µs)."""
        with self._lock:
            for piece in self._cutters[way].feed(data):
                self._write(Packet(time_us, way, piece))
            self._time_us = time_us

    def remark(self, text: str, time_us: int) -> None:
        """Something about the line that is no frame, such as its end: a packet without bytes that carries a comment."""
        with self._lock:
            self._write(Packet(time_us, Way.FROM_PUMP, b"", text))

    def close(self) -> None:
        """Write what is left of a frame, and close the files. Harmless when repeated."""
        with self._lock:
            for way, cutter in self._cutters.items():
                for piece in cutter.finish():
                    self._write(Packet(self._time_us, way, piece))
            for sink in self._sinks:
                sink.close()
            self._sinks = []

    def _write(self, packet: Packet) -> None:
        self.count += 1
        seen = self._watch.see(packet.way, packet.data)
        self._each(lambda sink: sink.packet(self.count, packet, seen))

    def _opened(self, logged: LoggedKeys) -> None:
        self._each(lambda sink: sink.session(logged))

    def _each(self, do: Callable[[_Sink], None]) -> None:
        for sink in list(self._sinks):
            try:
                do(sink)
            except OSError as error:
                self._sinks.remove(sink)
                sink.close()
                LOG.warning("%s cannot be written (%s): %s.", sink.path, error.strerror or error, _STOPPED)


class CapturingTransport:
    """A Transport that hands everything on to `inner` and lets a recorder see it."""

    def __init__(self, inner: Transport, recorder: Recorder, shift_us: int = 0) -> None:
        """`shift_us` is added to the link's clock, so that whole seconds lead from there to the host's time."""
        self.inner = inner
        self.url = inner.url
        self.simulated = inner.simulated
        self._recorder = recorder
        self._shift_us = shift_us

    def now_ms(self) -> int:
        """See Transport."""
        return self.inner.now_ms()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport."""
        try:
            data = self.inner.read(max_wait_ms)
        except TransportError as error:
            self._recorder.remark(f"the line failed: {error.problem}", self._time_us())
            raise
        if data:
            self._recorder.add(Way.FROM_PUMP, data, self._time_us())
        return data

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. Recorded before it is sent: what is not sent to its end has been tried."""
        self._recorder.add(Way.TO_PUMP, data, self._time_us())
        try:
            self.inner.write(data, deadline_ms)
        except TransportError as error:
            self._recorder.remark(f"the line failed: {error.problem}", self._time_us())
            raise

    def close(self) -> None:
        """See Transport. Ends the recording."""
        try:
            self.inner.close()
        finally:
            self._recorder.close()

    def noted_clock(self, wall_s: float) -> float:
        """A time that the companion has read from the host's clock, noted and given back."""
        self._recorder.remark(f"{CLOCK_REMARK}{wall_s!r}", self._time_us())
        return wall_s

    def _time_us(self) -> int:
        return self.inner.now_ms() * 1_000 + self._shift_us


def line_of(url: str, now_us: int, wall_s: float) -> tuple[Line, int]:
    """How a line is described whose clock shows `now_us` at `wall_s` since 1970, and what to add to that clock (µs, below a second)."""
    wall_offset_s, shift_us = divmod(round(wall_s * 1_000_000) - now_us, 1_000_000)
    return Line(url, wall_offset_s), shift_us


def recorded(
    port: Transport, state: HostState, capture: Files, keylog: Name | None, host_clock: Callable[[], float]
) -> tuple[Transport, Callable[[], float]]:
    """`port` and `host_clock` as they are, or with a recorder in front of both. None means what the environment says: ITBPUMP_CAPTURE
    (files, as in a search path), ITBPUMP_KEYLOG; an empty list or name means nothing.

    The times that the host's clock told are remarks of the recording: what is sent depends on them.

    Raises RecordingFileError for files that the caller has named. One from the environment that cannot be used is told in the log, and
    the line works without: a stop must not fail for a variable.
    """
    files, keys, named = _asked(capture, keylog)
    if not files and keys is None:
        return port, host_clock

    def key_of(pump_id: bytes) -> bytes | None:
        try:
            stored = state.pairing(pump_id)
        except HostStateError:  # the link asks for the same key and tells; a recording shows less without it
            return None
        return None if stored is None else stored.key

    line, shift_us = line_of(port.url, port.now_ms() * 1_000, host_clock())
    try:
        recorder = Recorder(line, files, keys, key_of)
    except RecordingFileError as error:
        if named:
            raise
        LOG.warning("%s. Nothing is recorded.", error)
        return port, host_clock
    capturing = CapturingTransport(port, recorder, shift_us)
    return capturing, lambda: capturing.noted_clock(host_clock())


def _asked(capture: Files, keylog: Name | None) -> tuple[tuple[Path, ...], Path | None, bool]:
    """Files, key log, and whether the caller or the command line named any of them."""
    files, keys = ASKED.get()
    named = bool(files or keys is not None or capture or keylog)
    if capture is not None:
        names = [capture] if isinstance(capture, (str, os.PathLike)) else list(capture)
        files = tuple(Path(name) for name in names if os.fspath(name))
    elif not files:
        files = tuple(Path(name) for name in os.environ.get(CAPTURE_VARIABLE, "").split(os.pathsep) if name)
    if keylog is not None:
        keys = Path(keylog) if os.fspath(keylog) else None
    elif keys is None and os.environ.get(KEYLOG_VARIABLE):
        keys = Path(os.environ[KEYLOG_VARIABLE])
    return files, keys, named
