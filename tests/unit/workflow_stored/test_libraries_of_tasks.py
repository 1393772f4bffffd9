"""The library everything is judged by: shipped, tightened by a clinic's file, and never half of it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from itbpump.drugs import load_library
from itbpump.errors import InputError, LibraryError
from itbpump.workflow.libraries import NoSuchFolder, default_folder, library_for

STRICT = """schema = "itbpump.clinic-library/1"
drug = "baclofen"
clinic = "ward-7"
version = "3"

[bolus]
soft = { amount = "30 mcg", mark = "C", source = "policy of the clinic" }
"""


def put(folder: Path, content: str | bytes, name: str = "baclofen.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def test_without_a_folder_it_is_the_one_shipped() -> None:
    assert library_for("baclofen", None).json() == load_library("baclofen").json()


@pytest.mark.sr("SR-04")
def test_a_clinics_file_tightens_it_where_it_is_named_and_where_it_is_looked_for(tmp_path: Path) -> None:
    own = put(tmp_path / "own", STRICT)
    assert library_for("baclofen", own).json()["clinic"]["id"] == "ward-7"
    assert library_for("morphine", own).json() == load_library("morphine").json()
    put(default_folder(), STRICT.replace("ward-7", "ward-8"))
    assert default_folder() == tmp_path / "config" / "itbpump" / "drugs"
    assert library_for("baclofen", None).json()["clinic"]["id"] == "ward-8"


@pytest.mark.sr("SR-06")
@pytest.mark.parametrize(
    ("content", "name", "kind", "words"),
    [
        (STRICT.replace("30 mcg", "60 mcg"), "baclofen.toml", LibraryError, "60 mcg against the library's 50 mcg"),
        ("not toml", "baclofen.toml", LibraryError, "damaged"),
        (b"\xff\xfe", "baclofen.toml", LibraryError, "damaged"),
        (STRICT.replace('"baclofen"', '"morphine"'), "baclofen.toml", LibraryError, "for morphine"),
        (STRICT, "baclofne.toml", InputError, "for no drug known here"),
    ],
    ids=["looser", "no-toml", "no-text", "another-drug", "misnamed"],
)
def test_a_file_that_cannot_be_used_ends_the_work(
    tmp_path: Path, content: str | bytes, name: str, kind: type[Exception], words: str
) -> None:
    own = put(tmp_path / "own", content, name)
    with pytest.raises(kind, match=words) as caught:
        library_for("baclofen", own)
    assert "nothing was sent" in str(caught.value)


@pytest.mark.sr("SR-06")
def test_a_folder_that_was_named_must_be_there_and_readable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    absent = tmp_path / "absent"
    with pytest.raises(NoSuchFolder, match="no such folder") as caught:
        library_for("baclofen", absent)
    assert caught.value.folder == absent
    own = put(tmp_path / "own", STRICT)

    def unreadable(self: Path) -> bytes:
        raise PermissionError(13, os.strerror(13), str(self))

    monkeypatch.setattr(Path, "read_bytes", unreadable)
    with pytest.raises(InputError, match=r"baclofen\.toml: cannot be read \(Permission denied\); nothing was sent"):
        library_for("baclofen", own)


def test_a_drug_without_a_library_is_named() -> None:
    with pytest.raises(LibraryError, match="ziconotide") as caught:
        library_for("ziconotide", None)
    assert "baclofen, morphine" in caught.value.action
