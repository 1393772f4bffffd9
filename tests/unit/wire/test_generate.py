"""The generator: what is committed is what it writes, and it refuses a protocol file that contradicts itself."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from protocols import generate, make_vectors
from protocols.gen_tables import with_charts
from protocols.spec_model import Spec, SpecError, load

SOURCE = generate.SOURCE.read_text(encoding="utf-8")


def load_changed(folder: Path, old: str, new: str) -> Spec:
    """The protocol file with one place changed."""
    assert old in SOURCE
    path = folder / "itbp1.toml"
    path.write_text(SOURCE.replace(old, new, 1), encoding="utf-8")
    return load(path)


def test_committed_files_are_what_the_generator_writes(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate.main(["--check"]) == 0, capsys.readouterr().out


def test_committed_vectors_are_what_the_script_writes() -> None:
    assert make_vectors.main(["--check"]) == 0


def test_check_shows_the_difference_and_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    wanted = generate.outputs(load(generate.SOURCE))
    for path, text in wanted.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text, encoding="utf-8")
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    assert generate.main(["--check"]) == 0
    stale = tmp_path / "src/itbpump/wire/messages/constants.py"
    stale.write_text(stale.read_text(encoding="utf-8").replace("STAGED_LIFE_MS: Final = 60_000", "STAGED_LIFE_MS: Final = 61_000"))
    assert generate.main(["--check"]) == 1
    shown = capsys.readouterr()
    assert "-STAGED_LIFE_MS: Final = 61_000" in shown.out
    assert "+STAGED_LIFE_MS: Final = 60_000" in shown.out
    assert "run python protocols/generate.py" in shown.err
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0


def test_generator_needs_the_standard_library_only() -> None:
    """A firmware team must be able to run it with nothing installed; the vectors alone need a cipher."""
    for name in ("generate", "spec_model", "gen_python", "gen_codec", "gen_layout", "gen_tables", "gen_reference", "gen_lua"):
        tree = ast.parse((generate.ROOT / "protocols" / f"{name}.py").read_text(encoding="utf-8"))
        imported = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
        imported |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        outside = {module.partition(".")[0] for module in imported} - {
            "__future__", "argparse", "dataclasses", "difflib", "json", "keyword", "pathlib", "protocols", "sys", "tomllib", "typing",
        }  # fmt: skip
        assert not outside, name


WRONG = [
    ("id = 2\n", "id = 1\n", "message id: 1 stands twice"),
    ('reply = "Info"', 'reply = "Infos"', "message GetInfo: its reply Infos is not a reply"),
    ('roles = ["clinician", "observer", "emergency"]', 'roles = ["surgeon"]', "message GetInfo: unknown role surgeon"),
    ('roles = ["clinician", "observer", "emergency"]', "roles = []", "message GetInfo: no role may send it"),
    ('type = "enum:StepKind"', 'type = "enum:StepSort"', "Step.kind: unknown type enum:StepSort"),
    ('type = "u16", max = 1439', 'type = "u12", max = 1439', "Step.start_min: unknown type u12"),
    ('type = "u16", max = 1439', 'type = "u16", max = 65536', "Step.start_min: the range 0 to 65536 does not fit u16"),
    ('type = "u16", max = 1439', 'type = "u16", maximum = 1439', "Step.start_min: unknown key maximum"),
    ('{ name = "start_min"', '{ name = "class"', "Step.class: not usable as a field name"),
    ('{ name = "start_min"', '{ name = "kind"', "Step: field: 'kind' stands twice"),
    ('type = "str:24"', 'type = "str:256"', "Configuration.drug: unknown type str:256"),
    ('type = "bool", doc = "true in', 'type = "bool", max = 1, doc = "true in', "reservoir_set: only a number has min and max"),
    ('type = "blob:900"', 'type = "blob:1000"', "message Stage: up to 1020 bytes do not fit a frame of 1024"),
    ("stopped = 0\n", "stopped = 1\n", "enum Mode: 1 stands twice"),
    ("bad_message = { value = 1,", "bad_message = { value = 2,", "[error]: 2 stands twice"),
    ("[enum.Role]", "[enumeration.Role]", "the file: unknown key enumeration"),
    ('from = "hello_sent", on = "no_key"', 'from = "hello_send", on = "no_key"', "nothing leads to state hello_send"),
    ('from = "hello_sent", on = "no_key"', 'from = "hello_sent", on = "hello_reply"', "stands twice"),
]


@pytest.mark.parametrize(("old", "new", "text"), WRONG, ids=[row[2] for row in WRONG])
def test_contradiction_is_refused_with_its_place(tmp_path: Path, old: str, new: str, text: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_changed(tmp_path, old, new)
    assert text in str(caught.value)


def test_charts_need_their_markers() -> None:
    spec = load(generate.SOURCE)
    with pytest.raises(SpecError, match="markers"):
        with_charts("# no markers here", spec)
    text = with_charts("a <!-- generated: charts --> what stood here <!-- end --> b", spec)
    assert text.startswith("a <!-- generated")
    assert text.endswith("<!-- end --> b")
    assert "what stood here" not in text
    assert all(f"### {machine.name}" in text for machine in spec.machines)
