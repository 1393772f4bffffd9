"""The simulator's state file: one pump, kept whole on disk through any crash.

One line of header, then the state as JSON::

    itbpump-sim-state/1 bytes=<length> sha256=<64 hex digits>\\n{ … }

The digest covers the JSON; the header is matched letter by letter, so a change of any byte of the file is noticed. A save writes a second
file in the same folder, flushes it to the disk, renames it over the first and flushes the folder: a reader finds the old state or the
new one. A damaged file is reported and left as it is, never replaced by a fresh pump. A lock on `<file>.lock` keeps a second simulator out.

Bytes in the state are written as {"$bytes": base64}; tuples come back as lists.
Not here: what the state means (device.py), keeping earlier versions, file systems that lie about fsync, anything but POSIX locks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import math
import os
import re
from pathlib import Path
from types import TracebackType
from typing import Self

__all__ = ["STATE_VERSION", "StateFile", "StateFileError", "decode_state", "encode_state"]

STATE_VERSION = 1
MAGIC = b"itbpump-sim-state/"
# Far above any pump (a full log is some 100 kB) and far below what would exhaust memory when a foreign file is given by mistake.
MAX_BYTES = 64 * 1024 * 1024
_HEADER = re.compile(rb"itbpump-sim-state/(0|[1-9][0-9]{0,5}) bytes=(0|[1-9][0-9]{0,9}) sha256=([0-9a-f]{64})")
_LONGEST_HEADER = 128
_BYTES_KEY = "$bytes"


class StateFileError(Exception):
    """A state file cannot be used. `path` is the file, `problem` what is wrong, `action` what to do; the file has not been changed."""

    def __init__(self, path: Path | None, problem: str, action: str) -> None:
        super().__init__(f"{path if path is not None else 'state'}: {problem}; {action}")
        self.path = path
        self.problem = problem
        self.action = action


_RESTORE = "the file is left as it is: put back a copy, or start another pump with another file name"


def encode_state(state: dict[str, object]) -> bytes:
    """The whole content of a state file. Raises StateFileError for a value that JSON cannot keep exactly."""
    payload = json.dumps(_to_json(state, "state"), allow_nan=False, separators=(",", ":"), ensure_ascii=True).encode("ascii")
    digest = hashlib.sha256(payload).hexdigest()
    return MAGIC + f"{STATE_VERSION} bytes={len(payload)} sha256={digest}\n".encode("ascii") + payload


def decode_state(data: bytes, path: Path | None = None) -> dict[str, object]:
    """The state in the content of a file. Raises StateFileError saying how it is damaged."""
    if not data:
        raise StateFileError(path, "the file is empty", _RESTORE)
    if not data.startswith(MAGIC):
        raise StateFileError(
            path, "this is no pump state file, or its beginning is damaged", "name another file; this one is left as it is"
        )
    header, newline, payload = data.partition(b"\n")
    match = _HEADER.fullmatch(header)
    if not newline or match is None:
        raise StateFileError(path, "its header is damaged or cut short", _RESTORE)
    version, length = int(match[1]), int(match[2])
    if version != STATE_VERSION:
        raise StateFileError(path, f"it has version {version}, this program reads version {STATE_VERSION}", "use the program that wrote it")
    if len(payload) < length:
        raise StateFileError(path, f"it is cut short: {len(payload)} of {length} bytes of state", _RESTORE)
    if len(payload) > length:
        raise StateFileError(path, f"{len(payload) - length} bytes follow the end of the state", _RESTORE)
    if hashlib.sha256(payload).hexdigest().encode("ascii") != match[3]:
        raise StateFileError(path, "its content does not match its SHA-256: at least one byte has changed", _RESTORE)
    try:
        state = _from_json(json.loads(payload))
    except (ValueError, RecursionError) as error:
        raise StateFileError(path, f"its content is not the JSON this program writes ({error})", _RESTORE) from error
    if not isinstance(state, dict):
        raise StateFileError(path, "its content is not a table", _RESTORE)
    return state


def _to_json(value: object, where: str) -> object:
    if value is None or isinstance(value, bool | str) or type(value) is int:
        return value
    if isinstance(value, int):  # IntEnum: kept as its number
        return int(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise StateFileError(None, f"{where} is {value}, which JSON cannot keep", "this is a defect of the simulator: report it")
        return value
    if isinstance(value, bytes):
        return {_BYTES_KEY: base64.b64encode(value).decode("ascii")}
    if isinstance(value, list | tuple):
        return [_to_json(item, f"{where}[{index}]") for index, item in enumerate(value)]
    if isinstance(value, dict):
        return _table_to_json(value, where)
    raise StateFileError(
        None, f"{where} is a {type(value).__name__}, which JSON cannot keep", "this is a defect of the simulator: report it"
    )


def _table_to_json(table: dict[object, object], where: str) -> dict[str, object]:
    result: dict[str, object] = {}
    for key, value in table.items():
        if not isinstance(key, str) or key == _BYTES_KEY:
            raise StateFileError(
                None, f"{where} has the key {key!r}, which JSON cannot keep", "this is a defect of the simulator: report it"
            )
        result[key] = _to_json(value, f"{where}.{key}")
    return result


def _from_json(value: object) -> object:
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is a number that no state holds")
    if isinstance(value, dict):
        if _BYTES_KEY in value:
            if len(value) > 1:
                raise ValueError(f"{_BYTES_KEY} stands beside other keys")
            try:
                return base64.b64decode(value[_BYTES_KEY], validate=True)
            except (TypeError, binascii.Error) as error:
                raise ValueError(f"bytes are not base64: {error}") from error
        return {key: _from_json(item) for key, item in value.items()}
    return value


class StateFile:
    """One pump's file, held under a lock from creation to `close()`.

    The folder must exist. A link is followed once, so that two names of one file share one lock. Files are made readable by their
    owner alone: they hold pairing keys. Raises StateFileError if another simulator holds the file.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path).expanduser().resolve()
        if not self.path.parent.is_dir():
            raise StateFileError(self.path, "its folder does not exist", f"make it first: mkdir -p {self.path.parent}")
        self._lock_fd: int | None = self._lock()

    def _lock(self) -> int:
        try:
            import fcntl  # noqa: PLC0415 -- POSIX only; the rest of the simulator runs without it
        except ImportError as error:
            raise StateFileError(self.path, "state files need POSIX file locks", "run the simulator without a state file here") from error
        lock = self.path.with_name(self.path.name + ".lock")
        try:
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StateFileError(self.path, f"its lock cannot be made ({error})", "name a file in a folder you may write to") from error
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise StateFileError(
                self.path, "another simulator is using it", "stop that one first, or name another file: one pump lives in one process"
            ) from error
        except OSError as error:
            os.close(fd)
            raise StateFileError(self.path, f"it cannot be locked ({error})", "name a file on a local disk") from error
        return fd

    def exists(self) -> bool:
        """Whether there is anything under the name, sound or not."""
        return self.path.exists()

    def load(self) -> dict[str, object]:
        """The last state saved. Raises StateFileError if the file is missing, damaged, foreign or of another version."""
        self._require_open()
        try:
            with self.path.open("rb") as stream:
                data = stream.read(MAX_BYTES + _LONGEST_HEADER + 1)
        except FileNotFoundError as error:
            raise StateFileError(self.path, "it does not exist", "check the name") from error
        except OSError as error:
            raise StateFileError(self.path, f"it cannot be read ({error})", "check the name and its permissions") from error
        if len(data) > MAX_BYTES + _LONGEST_HEADER:
            raise StateFileError(self.path, f"it is longer than {MAX_BYTES} bytes", "name another file; this one is left as it is")
        return decode_state(data, self.path)

    def save(self, state: dict[str, object]) -> None:
        """Replace the saved state as a whole; on return it survives a power cut. Raises StateFileError, the old state then stands."""
        self._require_open()
        data = encode_state(state)
        if len(data) > MAX_BYTES:
            raise StateFileError(self.path, f"the state has {len(data)} bytes, more than {MAX_BYTES}", "this is a defect: report it")
        draft = self.path.with_name(self.path.name + ".new")  # one fixed name: a crash leaves at most one draft, the next save reuses it
        try:
            _write_through(draft, data)
            draft.replace(self.path)
            _flush_folder(self.path.parent)
        except OSError as error:
            raise StateFileError(self.path, f"it cannot be saved ({error})", "free some space or check the permissions") from error

    def close(self) -> None:
        """Give up the lock. Harmless when repeated. The lock file stays: removing it would let two simulators lock two files."""
        if self._lock_fd is not None:
            os.close(self._lock_fd)
            self._lock_fd = None

    def _require_open(self) -> None:
        if self._lock_fd is None:
            raise StateFileError(self.path, "it has been closed", "open it again")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def _write_through(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


def _flush_folder(folder: Path) -> None:
    """Without this a power cut may bring back the old directory entry after the new state was acted upon."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
