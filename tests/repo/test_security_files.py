"""Threat model, secret scan, audit and bill of materials: each row is served, and each tool finds what it is for (SR-63)."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from scripts import audit, parts, sbom, secret_scan, threat_model

ROOT = Path(__file__).resolve().parents[2]
DATA = tomllib.loads((ROOT / "docs" / "threats.toml").read_text("utf-8"))
THREATS = {row["id"]: row for row in DATA["threat"]}
RULES = tomllib.loads((ROOT / "scripts" / "audit.toml").read_text("utf-8"))
HASH = "0123456789abcdef" * 4


@cache
def functions(path: str) -> frozenset[str]:
    """Names of the tests of a file."""
    tree = ast.parse((ROOT / path).read_text("utf-8"))
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


# ------------------------------------------------------------------------------------------------ the threat model
def test_threats_are_numbered_and_rated() -> None:
    assert list(THREATS) == [f"T-{number:02}" for number in range(1, len(DATA["threat"]) + 1)]
    for row in DATA["threat"]:
        assert row["stride"] in threat_model.STRIDE
        assert all(1 <= figure <= 4 for figure in (*row["harm"], *row["ease"])), row["id"]
        before, after = threat_model.rating(row)
        assert after <= before, row["id"]
        assert after <= 4 or row.get("left"), f"{row['id']} stays at {after}: say what is left"
    assert {row["stride"] for row in DATA["threat"]} == set(threat_model.STRIDE)


@pytest.mark.sr("SR-62", "SR-63")
@pytest.mark.parametrize("name", sorted(THREATS))
def test_every_threat_has_a_control_and_a_test_that_exist(name: str) -> None:
    row = THREATS[name]
    assert row["controls"]
    assert row["tests"]
    for control in row["controls"]:
        assert (ROOT / control).is_file(), control
    for test in row["tests"]:
        path, _, function = test.partition("::")
        assert functions(path), path
        assert function == "*" or function in functions(path), test


def test_every_attack_tries_a_threat_that_names_its_test() -> None:
    runners = {"pump": "tests/security/test_attacks.py", "companion": "tests/security/test_companion.py"}
    names = [row["id"] for row in DATA["attack"]]
    assert len(names) == len(set(names))
    for row in DATA["attack"]:
        files = {test.partition("::")[0] for test in THREATS[row["threat"]]["tests"]}
        assert runners[row["against"]] in files, row["id"]


def test_the_page_is_what_the_data_say() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text("utf-8")
    assert threat_model.page(page, DATA) == page
    with pytest.raises(ValueError, match="marks"):
        threat_model.page("no marks", DATA)


def test_security_md_points_at_what_exists() -> None:
    text = (ROOT / "SECURITY.md").read_text("utf-8")
    named = re.findall(r"\]\(([^)#:]+)\)", text) + re.findall(r"`((?:docs|scripts|tests)/[\w./-]+)`", text)
    assert "docs/threat-model.md" in named
    assert [name for name in named if not (ROOT / name).exists()] == []


# ------------------------------------------------------------------------------------------------ secrets
@pytest.mark.slow  # `make check` asks the same of every change
@pytest.mark.sr("SR-63")
def test_nothing_tracked_looks_like_a_secret(capsys: pytest.CaptureFixture[str]) -> None:
    assert secret_scan.main([]) == 0, capsys.readouterr().out


@pytest.mark.sr("SR-63")
@pytest.mark.parametrize(
    ("rule", "line"),
    [
        ("private key", "-----BEGIN " + "EC PRIVATE KEY-----"),
        ("token", "ghp" + "_" + "a1B2" * 9),
        ("token", "AKIA" + "ABCDEFGHIJKLMNOP"),
        ("key in hexadecimal", "key = " + "3f9a1c77e0b24d5586aa10cc" + "9be3f7d2"),
        ("key in hexadecimal", '"' + HASH[:40] + '"'),
        ("key in base64", "k = '" + "Zm9vQmFyMTIzNDU2Nzg5MGFi" + "Y2RlZkdISktMTU5PUFFSU1RV=" + "'"),
        ("e-mail address", "write to ada" + "@clinic" + ".org"),
        ("IPv4 address", "host 10." + "1.2.3"),
        ("path on a machine", "open('/ho" + "me/ada/key')"),
        ("password in an address", "postgres://" + "clinic:" + "hunter2@db"),
    ],
)
def test_the_scan_finds_what_it_should(rule: str, line: str) -> None:
    assert rule in {found.rule for found in secret_scan.scan("a.py", f"first\n{line}\n")}
    (found, *_) = secret_scan.scan("a.py", f"first\n{line}\n")
    assert str(found).startswith("a.py:2: ")


@pytest.mark.parametrize(
    "line",
    [
        "a1" * 8,
        "0" * 64,
        "bind to 127.0.0.1, not to 0.0.0.0",
        "types-pyserial==3.5.0.20260712",
        "ada@example.org",
        "src/itbpump/transport/serial_errors",
        "postgresql://USER@HOST/clinic",
        "test_a_key_that_the_keyring_does_not_give_back_stays_in_the_file",
    ],
)
def test_the_scan_leaves_the_harmless(line: str) -> None:
    assert list(secret_scan.scan("a.py", line)) == []


def test_a_found_secret_is_not_repeated_and_an_idle_excuse_is_told() -> None:
    (found,) = secret_scan.scan("a.py", HASH)
    assert HASH not in str(found)
    rows = [{"path": "a.*", "rule": found.rule}, {"path": "b/*", "rule": found.rule}, {"path": "a.py", "rule": "token"}]
    left, idle = secret_scan.excused([found], rows)
    assert (left, idle) == ([], rows[1:])
    left, idle = secret_scan.excused([found], rows[1:])
    assert left == [found]


def test_every_excuse_has_a_reason() -> None:
    allowed = tomllib.loads((ROOT / "scripts" / "secret_scan.toml").read_text("utf-8"))["allow"]
    for row in allowed:
        assert set(row) == {"path", "rule", "reason"}
        assert row["rule"] in secret_scan.RULES


# ------------------------------------------------------------------------------------------------ parts
@pytest.mark.sr("SR-63")
def test_the_audit_of_this_environment_is_clean(capsys: pytest.CaptureFixture[str]) -> None:
    assert audit.main([]) == 0, capsys.readouterr().out


LOCKED = parts.locked(f"pydantic==2.14.3 \\\n    --hash=sha256:{HASH}\n")


@pytest.mark.sr("SR-63")
@pytest.mark.parametrize("what", ["no hash", "short hash", "other version", "absent", "licence", "licence of a tool", "bad"])
def test_the_audit_finds(what: str) -> None:
    present = parts.installed()
    found = {
        "no hash": lambda: audit.unhashed(parts.locked("pydantic==2.14.3\n")),
        "short hash": lambda: audit.unhashed(parts.locked("pydantic==2.14.3 --hash=sha256:abcd\n")),
        "other version": lambda: audit.differing(parts.locked(f"pydantic==1.0 --hash=sha256:{HASH}\n"), present),
        "absent": lambda: audit.differing(parts.locked(f"no-such-package==1.0 --hash=sha256:{HASH}\n"), present),
        "licence": lambda: audit.unlicensed(LOCKED, present, {"pydantic"}, {"licences": {"run": ["ISC"], "develop": ["MIT"], "words": {}}}),
        "licence of a tool": lambda: audit.unlicensed(LOCKED, present, set(), {"licences": {"run": ["ISC"], "develop": [], "words": {}}}),
        "bad": lambda: audit.bad(parts.locked(f"pydantic==2.3.0 --hash=sha256:{HASH}\n"), RULES),
    }[what]()
    assert len(found) == 1, found
    allowed = {"licences": {"run": ["ISC"], "develop": ["MIT"], "words": {}}}
    assert audit.unhashed(LOCKED) == audit.bad(LOCKED, RULES) == audit.unlicensed(LOCKED, present, set(), allowed) == []


def test_an_entry_without_a_version_is_refused() -> None:
    with pytest.raises(ValueError, match="not pinned"):
        parts.locked("pydantic>=2\n")


def test_a_marker_of_another_system_is_no_finding() -> None:
    (part,) = parts.locked(f"colorama==0.4.6 ; sys_platform == 'no such system' --hash=sha256:{HASH}\n")
    assert not part.for_us
    assert audit.differing([part], {}) == []


def test_rules_of_the_audit_have_sources_and_no_licence_twice() -> None:
    licences = RULES["licences"]
    assert not set(licences["run"]) & set(licences["develop"])
    assert {*licences["words"].values(), *licences["stated"].values()} <= {*licences["run"], *licences["develop"]}
    present = parts.installed()
    assert not [name for name in licences["stated"] if name in present and parts.licence_words(present[name])], "it says so itself now"
    for row in RULES["bad"]:
        assert row["mark"] in ("R", "M")
        assert row["source"]


# ------------------------------------------------------------------------------------------------ bill of materials
@cache
def bill() -> dict[str, Any]:
    return sbom.bill(parts.lock(), parts.installed())


@pytest.mark.sr("SR-63")
def test_the_bill_of_materials_names_every_locked_package() -> None:
    named = {(row["name"], row["version"]) for row in bill()["components"]}
    assert named == {(part.name, part.version) for part in parts.lock()}
    refs = {row["bom-ref"] for row in bill()["components"]}
    assert {ref for edge in bill()["dependencies"] for ref in edge["dependsOn"]} <= refs
    scopes = {row["name"]: row["scope"] for row in bill()["components"]}
    assert scopes["cryptography"] == scopes["cffi"] == "required"
    assert scopes["mypy"] == "excluded"


def test_the_bill_of_materials_is_cyclonedx() -> None:
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(json.dumps(bill())) is None


def test_the_bill_of_materials_is_the_same_each_time_and_names_no_place() -> None:
    text = json.dumps(bill())
    assert text == json.dumps(sbom.bill(parts.lock(), parts.installed()))
    assert not re.search(r"/(?:home|root|tmp|Users)/|://(?!cyclonedx\.org)", text)
