"""Pairing keys in the operating system's keyring: what counts as one, the setting, the move, and crashes on the way (SR-63)."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random

import keyring
import pytest
from keyring.backends import fail, null

from itbpump.hoststate import HostSettingError, HostState, HostStateError
from itbpump.keyvault import MEANINGS, KeyringChoice, KeyringError, KeyringVault, chosen, entry_name, system_vault
from tests.command_line import CliRunner
from tests.unit.hoststate.backends import Chain, MemoryBackend, PlaintextBackend

PUMP, OTHER = b"P4000001", b"P4000002"
KEY, NEWER = bytes(range(32)), bytes(range(1, 33))


def no_keyring() -> object:
    return fail.Keyring()  # type: ignore[no-untyped-call]


def null_keyring() -> object:
    return null.Keyring()  # type: ignore[no-untyped-call]


@pytest.fixture
def backend(monkeypatch: pytest.MonkeyPatch) -> MemoryBackend:
    """The system's keyring is one in memory."""
    made = MemoryBackend()
    use(monkeypatch, made)
    return made


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The host's own state lies here, and nothing is set."""
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path))
    monkeypatch.delenv("ITBPUMP_KEYRING", raising=False)
    return tmp_path


@pytest.fixture
def state(home: Path) -> Iterator[HostState]:
    opened = HostState.open(entropy=Random(1).randbytes)
    yield opened
    opened.close()


def use(monkeypatch: pytest.MonkeyPatch, backend: object) -> None:
    monkeypatch.setattr(keyring, "get_keyring", lambda: backend)


def row(home: Path) -> tuple[bytes | None, str | None]:
    """What the file itself holds for PUMP."""
    with sqlite3.connect(home / "state.db") as db:
        found: tuple[bytes | None, str | None] = db.execute("SELECT key, entry FROM pairing WHERE pump_id = ?", (PUMP,)).fetchone()
    db.close()
    return found


def paired_in_file(home: Path, key: bytes = KEY) -> None:
    """A pairing as it was kept before there was a keyring."""
    before = HostState.open(home / "state.db", Random(1).randbytes)
    before.pair(PUMP, 1, key)
    before.close()


# ------------------------------------------------------------------------------------------------ where a key goes
@pytest.mark.sr("SR-63")
def test_a_key_goes_to_the_keyring_and_only_its_name_to_the_file(backend: MemoryBackend, home: Path, state: HostState) -> None:
    state.pair(PUMP, 1, KEY)
    assert list(backend.kept.values()) == [KEY.hex()]
    assert row(home) == (None, entry_name(state.programmer_id, PUMP, KEY))
    assert KEY not in (home / "state.db").read_bytes()
    again = HostState.open()
    stored = again.pairing(PUMP)
    again.close()
    assert stored is not None
    assert (stored.key, stored.role, stored.keyring) == (KEY, 1, "in memory")
    assert state.pairing(OTHER) is None


@pytest.mark.parametrize("found", [null_keyring(), no_keyring(), PlaintextBackend(), Chain(), Chain(PlaintextBackend(), null_keyring())])
def test_what_keeps_no_secret_counts_as_no_keyring(monkeypatch: pytest.MonkeyPatch, home: Path, state: HostState, found: object) -> None:
    use(monkeypatch, found)
    assert system_vault(KeyringChoice.AUTO) is None
    state.pair(PUMP, 1, KEY)
    stored = state.pairing(PUMP)
    assert stored is not None
    assert (stored.key, stored.keyring) == (KEY, "")
    assert row(home) == (KEY, None)
    with pytest.raises(KeyringError, match="keeps a secret"):
        system_vault(KeyringChoice.ON)


def test_a_chain_is_used_by_its_real_member(monkeypatch: pytest.MonkeyPatch) -> None:
    real, plain = MemoryBackend(), PlaintextBackend()
    use(monkeypatch, Chain(plain, real))
    vault = system_vault(KeyringChoice.AUTO)
    assert vault is not None
    vault.put("a", KEY)
    assert (list(real.kept), list(plain.kept)) == (["a"], [])


def test_without_the_library_auto_is_the_file_and_on_an_error(monkeypatch: pytest.MonkeyPatch, state: HostState) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    state.pair(PUMP, 1, KEY)
    stored = state.pairing(PUMP)
    assert stored is not None
    assert stored.keyring == ""
    with pytest.raises(KeyringError, match="not installed"):
        system_vault(KeyringChoice.ON)


def test_the_file_is_readable_by_its_owner_only(monkeypatch: pytest.MonkeyPatch, home: Path, state: HostState) -> None:
    use(monkeypatch, no_keyring())
    state.pair(PUMP, 1, KEY)
    assert (home / "state.db").stat().st_mode & 0o777 == 0o600


def test_a_throwaway_file_leaves_nothing_in_the_keyring(backend: MemoryBackend, tmp_path: Path) -> None:
    for opened in (HostState.open(tmp_path / "demo.db"), HostState.in_memory()):
        opened.pair(PUMP, 1, KEY)
        assert opened.pairing(PUMP) is not None
        opened.close()
    assert backend.asked == []


# ------------------------------------------------------------------------------------------------ the setting
@pytest.mark.parametrize(("word", "wanted"), [("", "auto"), ("auto", "auto"), ("on", "on"), ("off", "off")])
def test_the_setting(word: str, wanted: str) -> None:
    assert chosen({"ITBPUMP_KEYRING": word}) == wanted
    assert chosen({}) is KeyringChoice.AUTO


@pytest.mark.parametrize("word", ["yes", "ON", "0", "keyring"])
def test_another_word_is_refused(monkeypatch: pytest.MonkeyPatch, home: Path, word: str) -> None:
    monkeypatch.setenv("ITBPUMP_KEYRING", word)
    with pytest.raises(HostSettingError) as caught:
        HostState.open()
    assert f"ITBPUMP_KEYRING={word} is no setting; write auto (" in str(caught.value)
    assert all(f"{choice} ({meaning})" in str(caught.value) for choice, meaning in MEANINGS.items())
    assert set(MEANINGS) == set(KeyringChoice)
    assert not (home / "state.db").exists()


@pytest.mark.parametrize("words", [("pair", "PUMP"), ("status", "PUMP"), ("stop", "PUMP", "--yes"), ("log", "PUMP")])
def test_a_command_with_another_word_ends_as_one_with_an_unreadable_option(
    monkeypatch: pytest.MonkeyPatch, home: Path, words: tuple[str, ...]
) -> None:
    from itbpump.cli.main import app

    monkeypatch.setenv("ITBPUMP_KEYRING", "nonsense")
    url = f"sim://P-40?fill=38mL&seed=1&state={home / 'pump.state'}"
    told = CliRunner().invoke(app, [url if word == "PUMP" else word for word in words] + ["--json"], prog_name="itbpump")
    assert told.exit_code == 2
    form = json.loads(told.stdout)
    assert (form["error"]["kind"], form["exit_code"]) == ("HostSettingError", 2)
    assert "ITBPUMP_KEYRING=nonsense is no setting; write auto (" in " ".join(told.stderr.split())


def test_off_touches_no_keyring_and_says_so_when_the_key_lies_there(
    monkeypatch: pytest.MonkeyPatch, backend: MemoryBackend, home: Path, state: HostState
) -> None:
    state.pair(PUMP, 1, KEY)
    backend.asked.clear()
    monkeypatch.setenv("ITBPUMP_KEYRING", "off")
    off = HostState.open()
    with pytest.raises(HostStateError, match="ITBPUMP_KEYRING=off forbids"):
        off.pairing(PUMP)
    off.pair(PUMP, 1, NEWER)
    stored = off.pairing(PUMP)
    off.close()
    assert stored is not None
    assert stored.key == NEWER
    assert backend.asked == []


def test_on_without_a_keyring_is_an_error_and_the_older_pairing_holds(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    paired_in_file(home)
    use(monkeypatch, no_keyring())
    monkeypatch.setenv("ITBPUMP_KEYRING", "on")
    opened = HostState.open()  # what cannot be had is told when it is used
    with pytest.raises(HostStateError, match="start one"):
        opened.pair(PUMP, 1, NEWER)
    with pytest.raises(HostStateError, match="start one"):
        opened.pairing(PUMP)
    opened.close()
    assert row(home) == (KEY, None)


# ------------------------------------------------------------------------------------------------ the move
@pytest.mark.sr("SR-63")
def test_a_key_in_the_file_moves_at_its_first_use_and_once(backend: MemoryBackend, home: Path) -> None:
    paired_in_file(home)
    opened = HostState.open()
    for _ in range(3):
        stored = opened.pairing(PUMP)
        assert stored is not None
        assert (stored.key, stored.role, stored.keyring) == (KEY, 1, "in memory")
    assert opened.rows("PRAGMA secure_delete") == [(1,)]
    opened.close()
    assert backend.asked == ["set", "get"]
    assert row(home)[0] is None
    assert KEY not in (home / "state.db").read_bytes()


@pytest.mark.parametrize("trouble", ["set", "get", "forgets", "swaps"])
def test_a_key_that_the_keyring_does_not_give_back_stays_in_the_file(backend: MemoryBackend, home: Path, trouble: str) -> None:
    paired_in_file(home)
    backend.fails = {trouble} & {"set", "get"}
    backend.forgets, backend.swaps = trouble == "forgets", trouble == "swaps"
    opened = HostState.open()
    stored = opened.pairing(PUMP)
    opened.close()
    assert stored is not None
    assert (stored.key, stored.keyring) == (KEY, "")
    assert row(home) == (KEY, None)


def test_a_crash_after_the_keyring_was_written_loses_nothing(backend: MemoryBackend, home: Path) -> None:
    paired_in_file(home)
    opened = HostState.open(entropy=Random(1).randbytes)
    KeyringVault(backend).put(entry_name(opened.programmer_id, PUMP, KEY), KEY)  # and here the program dies
    stored = opened.pairing(PUMP)
    opened.close()
    assert stored is not None
    assert stored.key == KEY
    assert len(backend.kept) == 1
    assert row(home)[0] is None


def test_a_file_that_takes_no_writes_still_gives_its_key(backend: MemoryBackend, home: Path) -> None:
    opened = HostState.open()
    paired_in_file(home)
    blocker = sqlite3.connect(home / "state.db", isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    opened._db.execute("PRAGMA busy_timeout = 0")
    stored = opened.pairing(PUMP)
    blocker.execute("ROLLBACK")
    blocker.close()
    opened.close()
    assert stored is not None
    assert (stored.key, stored.keyring) == (KEY, "")
    assert row(home) == (KEY, None)


def test_a_key_that_another_process_pairs_during_the_move_is_the_one_that_counts(backend: MemoryBackend, home: Path) -> None:
    opened, store = HostState.open(), backend.set_password
    paired_in_file(home)

    def slow(service: str, username: str, password: str) -> None:
        paired_in_file(home, NEWER)
        store(service, username, password)

    backend.set_password = slow  # type: ignore[method-assign]
    opened.pairing(PUMP)
    opened.close()
    assert row(home) == (NEWER, None)


def test_a_new_key_never_overwrites_the_old_and_the_old_goes_last(backend: MemoryBackend, home: Path, state: HostState) -> None:
    state.pair(PUMP, 1, KEY)
    backend.fails = {"delete"}
    state.pair(PUMP, 2, NEWER)  # what is left behind is only rubbish
    stored = state.pairing(PUMP)
    assert stored is not None
    assert (stored.key, stored.role) == (NEWER, 2)
    assert len(backend.kept) == 2
    backend.fails = set()
    state.pair(PUMP, 2, KEY)
    assert list(backend.kept.values()) == [KEY.hex()]


def test_a_pairing_whose_file_write_fails_keeps_the_older_one(backend: MemoryBackend, home: Path, state: HostState) -> None:
    state.pair(PUMP, 1, KEY)
    state._db.execute("PRAGMA query_only = ON")
    with pytest.raises(HostStateError, match="cannot be written"):
        state.pair(PUMP, 1, NEWER)
    state._db.execute("PRAGMA query_only = OFF")
    stored = state.pairing(PUMP)
    assert stored is not None
    assert stored.key == KEY


def test_another_process_pairs_anew_meanwhile(backend: MemoryBackend, state: HostState) -> None:
    state.pair(PUMP, 1, KEY)
    reader = HostState.open()
    assert reader.pairing(PUMP) is not None
    state.pair(PUMP, 2, NEWER)
    stored = reader.pairing(PUMP)
    reader.close()
    assert stored is not None
    assert (stored.key, stored.role) == (NEWER, 2)


def test_keys_are_at_hand_before_a_pump_is_spoken_to(backend: MemoryBackend, home: Path, state: HostState) -> None:
    """A keyring may ask a person for its password; the pump gives a handshake 10 s."""
    paired_in_file(home)
    state.pair(OTHER, 1, NEWER)
    later = HostState.open()
    backend.fails = {"get", "set"}
    assert {pump: later.pairing(pump) is not None for pump in (PUMP, OTHER)} == {PUMP: True, OTHER: True}
    later.close()
    assert row(home)[0] is None


# ------------------------------------------------------------------------------------------------ trouble on reading
def test_a_locked_keyring_is_told_and_nothing_else_is_tried(backend: MemoryBackend, state: HostState) -> None:
    state.pair(PUMP, 1, KEY)
    backend.fails = {"get"}
    later = HostState.open()
    with pytest.raises(HostStateError, match=r"the keyring is locked.*unlock it"):
        later.pairing(PUMP)
    backend.fails = set()
    stored = later.pairing(PUMP)
    backend.fails = {"get"}
    assert later.pairing(PUMP) == stored  # asked once in a process: a reconnect in the middle of a command needs no keyring
    later.close()


@pytest.mark.parametrize("content", [None, "no hexadecimal digits", "abc"])
def test_an_entry_that_is_gone_or_damaged_is_told(backend: MemoryBackend, state: HostState, content: str | None) -> None:
    state.pair(PUMP, 1, KEY)
    (name,) = backend.kept
    if content is None:
        backend.kept.clear()
    else:
        backend.kept[name] = content
    later = HostState.open()
    with pytest.raises(HostStateError, match="itbpump pair"):
        later.pairing(PUMP)
    later.close()


def test_a_file_of_the_schema_before_is_brought_up_to_date(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, no_keyring())
    paired_in_file(home)
    with sqlite3.connect(home / "state.db") as db:
        db.execute("ALTER TABLE pairing RENAME TO newer")
        db.execute("CREATE TABLE pairing (pump_id BLOB PRIMARY KEY, role INTEGER NOT NULL, key BLOB NOT NULL CHECK (length(key) = 32))")
        db.execute("INSERT INTO pairing SELECT pump_id, role, key FROM newer")
        db.execute("DROP TABLE newer")
        db.execute("PRAGMA user_version = 3")
    db.close()
    opened = HostState.open()
    stored = opened.pairing(PUMP)
    opened.close()
    assert stored is not None
    assert (stored.role, stored.key) == (1, KEY)
    assert row(home) == (KEY, None)


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_the_library_is_not_loaded_before_a_key_is_needed(arguments: list[str]) -> None:
    code = (
        "import sys\nfrom itbpump.cli.main import run\nimport itbpump.hoststate, itbpump.pump\n"
        f"sys.argv = ['itbpump', *{arguments!r}]\n"
        "try:\n    run()\nexcept SystemExit as end:\n    assert not end.code\n"
        "sys.exit('keyring' in sys.modules)\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[3] / "src")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60, env=environment)
    assert done.returncode == 0, done.stderr
