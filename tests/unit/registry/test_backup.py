"""Backups: what went out comes back, on either database, sealed or not; whatever was done to the file, nothing half comes in."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.registry.backup import back_up, restore
from itbpump.registry.errors import BackupError, NotEmpty
from itbpump.registry.sealed import MAGIC, sealed, unsealed
from itbpump.registry.store import Registry
from tests.unit.registry.clinic import BY, NOW, view
from tests.unit.registry.test_audit import lived_in

WEAK = {"n": 2, "r": 1, "p": 1}
WORDS = "four words of a nurse"


def entropy(count: int) -> bytes:
    return random.Random(count).randbytes(count)


def saved(registry: Registry, file: Path, passphrase: str | None = WORDS) -> Path:
    back_up(registry, file, at=NOW, passphrase=passphrase, entropy=entropy, work=WEAK)
    return file


@pytest.mark.parametrize("passphrase", [None, WORDS], ids=["plain", "sealed"])
def test_a_backup_comes_back_whole_and_goes_on(new_address: Callable[[], str], tmp_path: Path, passphrase: str | None) -> None:
    with Registry.create(new_address(), at=NOW) as old, Registry.create(new_address(), at=NOW) as new:
        lived_in(old)
        counts = restore(new, saved(old, tmp_path / "b", passphrase), at=NOW, by=BY, passphrase=passphrase)
        assert (counts["pumps"], counts["interrogations"], counts["observations"]) == (2, 2, 1)
        assert list(new.watched()) == list(old.watched())
        assert new.pump_history("SIM-0001") == old.pump_history("SIM-0001")
        assert new.identity() == old.identity()
        assert new.verify(old.head().digest) == ()
        new.record_reading(view(NOW), by=BY)  # numbers go on after those that came
        assert new.verify() == ()


def test_a_file_moves_to_a_server_and_back(new_address: Callable[[], str], tmp_path: Path, file_registry: Registry) -> None:
    lived_in(file_registry)
    with Registry.create(new_address(), at=NOW) as other, Registry.create(tmp_path / "third.db", at=NOW) as third:
        restore(other, saved(file_registry, tmp_path / "b1"), at=NOW, by=BY, passphrase=WORDS)
        restore(third, saved(other, tmp_path / "b2"), at=NOW, by=BY, passphrase=WORDS)
        assert list(third.watched()) == list(file_registry.watched())
        assert third.verify(file_registry.head().digest) == ()


def test_it_goes_into_a_new_registry_alone(registry: Registry, tmp_path: Path) -> None:
    lived_in(registry)
    with pytest.raises(NotEmpty):
        restore(registry, saved(registry, tmp_path / "b"), at=NOW, by=BY, passphrase=WORDS)
    assert registry.verify() == ()


def test_a_backup_never_replaces_a_file_and_leaves_no_half(file_registry: Registry, tmp_path: Path) -> None:
    file = saved(file_registry, tmp_path / "b")
    before = file.read_bytes()
    with pytest.raises(BackupError, match="there is a file already"):
        saved(file_registry, file)
    assert file.read_bytes() == before
    with pytest.raises(BackupError, match="cannot be written"):
        saved(file_registry, tmp_path / "no folder" / "b")
    assert not list(tmp_path.glob("*.part"))
    assert file.stat().st_mode & 0o077 == 0


def test_without_the_passphrase_nothing_is_told(file_registry: Registry, tmp_path: Path) -> None:
    lived_in(file_registry)
    file = saved(file_registry, tmp_path / "b")
    assert b"P-0042" not in file.read_bytes()
    with Registry.create(tmp_path / "new.db", at=NOW) as new:
        before = new.head()
        for passphrase, text in ((None, "sealed"), ("four words of a Nurse", "passphrase")):
            with pytest.raises(BackupError, match=text):
                restore(new, file, at=NOW, by=BY, passphrase=passphrase)
        assert new.head() == before


@pytest.mark.parametrize("passphrase", [None, WORDS], ids=["plain", "sealed"])
def test_any_byte_changed_or_cut_off_brings_nothing_in(file_registry: Registry, tmp_path: Path, passphrase: str | None) -> None:
    lived_in(file_registry)
    whole = saved(file_registry, tmp_path / "b", passphrase).read_bytes()
    chance = random.Random(6)
    harmed = [whole[:count] for count in (0, 1, 16, len(whole) // 2, len(whole) - 1)]
    # The first ten bytes of gzip hold a time and a system that say nothing of the content.
    places = [chance.randrange(10, len(whole)) for _ in range(20)]
    harmed += [whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :] for place in places]
    with Registry.create(tmp_path / "new.db", at=NOW) as new:
        before = new.head()
        for number, content in enumerate(harmed):
            (tmp_path / "harmed").write_bytes(content)
            with pytest.raises(BackupError):
                restore(new, tmp_path / "harmed", at=NOW, by=BY, passphrase=passphrase)
            assert new.head() == before, number
        restore(new, tmp_path / "b", at=NOW, by=BY, passphrase=passphrase)


def test_a_backup_packed_anew_with_a_line_changed_or_left_out_is_noticed(file_registry: Registry, tmp_path: Path) -> None:
    lived_in(file_registry)
    lines = gzip.decompress(saved(file_registry, tmp_path / "b", None).read_bytes()).split(b"\n")
    (contact,) = [number for number, line in enumerate(lines) if b"a@clinic.invalid" in line]
    for harmed in (
        [*lines[:contact], *lines[contact + 1 :]],
        [*lines[:contact], lines[contact].replace(b"a@clinic", b"b@clinic"), *lines[contact + 1 :]],
        [*lines[:-2], b""],
    ):
        (tmp_path / "harmed").write_bytes(gzip.compress(b"\n".join(harmed)))
        with (
            Registry.create(tmp_path / f"new-{len(harmed)}-{hash(harmed[contact])}.db", at=NOW) as new,
            pytest.raises(BackupError, match="checksum"),
        ):
            restore(new, tmp_path / "harmed", at=NOW, by=BY)


def test_a_backup_of_a_changed_registry_is_not_taken_for_sound(file_registry: Registry, tmp_path: Path) -> None:
    lived_in(file_registry)
    with file_registry.engine.begin() as connection:
        connection.exec_driver_sql('UPDATE refills SET "aspirated_nL" = 1')
    with Registry.create(tmp_path / "new.db", at=NOW) as new, pytest.raises(BackupError, match="changed past this program"):
        restore(new, saved(file_registry, tmp_path / "b"), at=NOW, by=BY, passphrase=WORDS)


# ------------------------------------------------------------------------------------------------ the seal alone
@settings(max_examples=25)
@given(st.binary(max_size=3_000), st.integers(1, 999), st.integers(0, 3))
def test_what_is_sealed_is_unsealed_in_whatever_pieces_it_came(content: bytes, size: int, mebibytes: int) -> None:
    content = bytes(mebibytes << 20) + content
    parts = [content[at : at + size * 1_024] for at in range(0, len(content), size * 1_024)]
    stream = b"".join(sealed(parts, WORDS, entropy, WEAK))
    assert stream.startswith(MAGIC)
    assert b"".join(unsealed(io.BytesIO(stream), WORDS, "x")) == content


def test_pieces_exchanged_left_out_or_put_behind_are_noticed() -> None:
    stream = b"".join(sealed([random.Random(1).randbytes(3 << 20)], WORDS, entropy, WEAK))
    start = stream.index(b"\n", len(MAGIC)) + 1
    size = (1 << 20) + 16
    head, pieces = stream[:start], [stream[at : at + size] for at in range(start, len(stream), size)]
    assert len(pieces) == 3
    for order in ([1, 0, 2], [0, 2], [0, 1], [0, 1, 2, 2], []):
        with pytest.raises(BackupError):
            b"".join(unsealed(io.BytesIO(head + b"".join(pieces[number] for number in order)), WORDS, "x"))


@pytest.mark.parametrize(
    "change", [(b'"n": 2', b'"n": 4'), (b'"n": 2', b'"n": 1073741824'), (b'"p": 1', b'"p": 0'), (b"AES-256", b"AES-128")]
)
def test_a_header_that_was_changed_is_refused_before_it_costs_anything(change: tuple[bytes, bytes]) -> None:
    stream = b"".join(sealed([b"x"], WORDS, entropy, WEAK))
    assert change[0] in stream
    with pytest.raises(BackupError):
        b"".join(unsealed(io.BytesIO(stream.replace(*change)), WORDS, "x"))
