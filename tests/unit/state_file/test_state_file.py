"""The state file keeps the old state or the new one, notices every damage, and never replaces a damaged file by a fresh pump."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim import state_file
from firmware_sim.state_file import StateFile, StateFileError, decode_state, encode_state

STATE: dict[str, object] = {"uptime_ms": 12_345, "memory": b"\x00\xff\x10", "log": [1, {"kind": "boot"}], "name": "P-40"}

plain = (
    st.none() | st.booleans() | st.integers(-(2**200), 2**200) | st.floats(allow_nan=False, allow_infinity=False) | st.text() | st.binary()
)
names = st.text().filter(lambda name: name != "$bytes")
states = st.dictionaries(names, st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(names, inner), max_leaves=20))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "pump.state"


@given(states)
def test_what_is_saved_is_what_is_loaded(state: dict[str, object]) -> None:
    assert decode_state(encode_state(state)) == state


def test_a_saved_state_is_loaded_by_the_next_process(path: Path) -> None:
    with StateFile(path) as file:
        file.save(STATE)
    with StateFile(path) as file:
        assert file.exists()
        assert file.load() == STATE


def test_tuples_come_back_as_lists() -> None:
    assert decode_state(encode_state({"pair": (1, b"x")})) == {"pair": [1, b"x"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: 2}, {"$bytes": "AA"}, {1, 2}, object()])
def test_what_json_cannot_keep_is_refused_by_its_place(value: object) -> None:
    with pytest.raises(StateFileError, match=r"state\.deep\[1\]"):
        encode_state({"deep": [0, value]})


@pytest.mark.sr("SR-47")
def test_every_changed_byte_is_noticed() -> None:
    whole = encode_state(STATE)
    for place in range(len(whole)):
        for flip in (0x01, 0x20, 0x80):
            damaged = bytearray(whole)
            damaged[place] ^= flip
            with pytest.raises(StateFileError):
                decode_state(bytes(damaged))


@pytest.mark.sr("SR-47")
def test_every_cut_and_every_tail_is_noticed() -> None:
    whole = encode_state(STATE)
    for length in range(len(whole)):
        with pytest.raises(StateFileError):
            decode_state(whole[:length])
    with pytest.raises(StateFileError, match="3 bytes follow"):
        decode_state(whole + b"abc")


@given(st.binary(max_size=300))
def test_any_bytes_are_a_state_or_a_state_file_error(data: bytes) -> None:
    with pytest.raises(StateFileError):
        decode_state(data)


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "empty"),
        (b"\x7fELF and so on", "no pump state file"),
        (encode_state(STATE)[:60], "cut short"),
        (encode_state(STATE)[:-5], r"cut short: \d+ of \d+ bytes"),
        (encode_state(STATE).replace(b"12345", b"12346"), "SHA-256"),
        (encode_state(STATE).replace(b"state/1 ", b"state/2 "), "version 2, this program reads version 1"),
    ],
    ids=["empty", "foreign", "header-cut", "half", "flipped", "version"],
)
def test_damage_is_named_and_the_file_left_alone(path: Path, content: bytes, problem: str) -> None:
    path.write_bytes(content)
    with StateFile(path) as file:
        with pytest.raises(StateFileError, match=problem) as caught:
            file.load()
        assert caught.value.action
        assert str(path) in str(caught.value)
    assert path.read_bytes() == content


def test_a_missing_file_does_not_exist_and_cannot_be_loaded(path: Path) -> None:
    with StateFile(path) as file:
        assert not file.exists()
        with pytest.raises(StateFileError, match="does not exist"):
            file.load()


def test_a_file_longer_than_any_state_is_refused_unread(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state_file, "MAX_BYTES", 100)
    path.write_bytes(b"x" * 1000)
    with StateFile(path) as file:
        with pytest.raises(StateFileError, match="longer than 100 bytes"):
            file.load()
        with pytest.raises(StateFileError, match="more than 100"):
            file.save({"a": "x" * 200})


def _failing(name: str) -> Callable[..., None]:
    def fail(*_: object, **__: object) -> None:
        raise OSError(28, f"no space left ({name})")

    return fail


@pytest.mark.sr("SR-47")
@pytest.mark.parametrize("step", ["open", "fsync", "replace"])
def test_a_save_that_fails_leaves_the_old_state(path: Path, monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    with StateFile(path) as file:
        file.save(STATE)
        with monkeypatch.context() as patch:
            if step == "replace":
                patch.setattr(Path, "replace", _failing(step))
            else:
                patch.setattr(os, step, _failing(step))
            with pytest.raises(StateFileError, match="no space left"):
                file.save({"uptime_ms": 99_999})
        assert file.load() == STATE
        file.save({"uptime_ms": 99_999})
        assert file.load() == {"uptime_ms": 99_999}


@pytest.mark.sr("SR-47")
def test_data_reach_the_disk_before_the_name_and_the_name_before_the_answer(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    fsync, replace = os.fsync, Path.replace

    def noting_fsync(fd: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")  # noqa: PTH112 -- of a descriptor
        fsync(fd)

    def noting_replace(self: Path, target: Path) -> Path:
        order.append("rename")
        return replace(self, target)

    monkeypatch.setattr(os, "fsync", noting_fsync)
    monkeypatch.setattr(Path, "replace", noting_replace)
    with StateFile(path) as file:
        file.save(STATE)
    assert order == ["file", "rename", "folder"]


def test_a_second_simulator_is_kept_out_until_the_first_ends(path: Path, tmp_path: Path) -> None:
    other_name = tmp_path / "link.state"
    other_name.symlink_to(path)
    with StateFile(path) as file:
        file.save(STATE)
        for name in (path, other_name):
            with pytest.raises(StateFileError, match="another simulator") as caught:
                StateFile(name)
            assert "stop that one" in caught.value.action
    with StateFile(other_name) as file:
        assert file.load() == STATE


def test_a_closed_file_cannot_be_used_and_may_be_closed_again(path: Path) -> None:
    file = StateFile(path)
    file.close()
    file.close()
    with pytest.raises(StateFileError, match="closed"):
        file.save(STATE)
    with pytest.raises(StateFileError, match="closed"):
        file.load()


def test_files_are_readable_by_their_owner_alone(path: Path) -> None:
    with StateFile(path) as file:
        file.save(STATE)
    assert {entry.name: entry.stat().st_mode & 0o777 for entry in path.parent.iterdir()} == {"pump.state": 0o600, "pump.state.lock": 0o600}


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StateFileError, match="mkdir -p"):
        StateFile(tmp_path / "no" / "pump.state")
