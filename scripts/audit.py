"""Look over the packages that the project stands on; works offline. Ends with 1 when something is wrong.

    python scripts/audit.py [--online]

Every locked package has hashes; what is installed is what is locked; each licence is on the list of audit.toml; no locked release is known
to be bad there. `--online` asks the advisory database as well, through pip-audit, which has to be installed. Packages that are installed
and not locked are told, not refused: a developer may have tools of their own.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import tomllib
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from scripts.parts import ROOT, Part, installed, licence_words, lock, shipped

RULES = ROOT / "scripts" / "audit.toml"


def unhashed(parts: list[Part]) -> list[str]:
    """Locked packages whose files nothing proves."""
    wrong = [part for part in parts if not part.hashes or not all(re.fullmatch(r"[0-9a-f]{64}", value) for value in part.hashes)]
    return [f"{part.name} {part.version}: no SHA-256 in requirements.lock; run make lock" for part in wrong]


def differing(parts: list[Part], present: dict[str, metadata.Distribution]) -> list[str]:
    """Locked packages that are absent, or there in another version."""
    found = []
    for name in sorted({part.name for part in parts if part.for_us}):
        wanted = {part.version for part in parts if part.name == name and part.for_us}
        if name not in present:
            found.append(f"{name}: locked and not installed; run make setup")
        elif present[name].version not in wanted:
            found.append(f"{name}: {present[name].version} is installed, {', '.join(sorted(wanted))} is locked; run make setup")
    return found


def unlicensed(parts: list[Part], present: dict[str, metadata.Distribution], with_product: set[str], rules: dict[str, Any]) -> list[str]:
    """Locked packages whose licence is not on the list for where they are used."""
    listed = rules["licences"]
    found = []
    for part in parts:
        if part.name not in present:
            continue  # for another system
        allowed = set(listed["run"]) | (set() if part.name in with_product else set(listed["develop"]))
        allowed |= {listed.get("accepted", {}).get(part.name, "")} - {""}
        stated = listed.get("stated", {}).get(part.name)
        words = [stated] if stated else licence_words(present[part.name])
        if not words or not all(_fits(word, allowed, listed["words"]) for word in words):
            found.append(f"{part.name} {part.version}: licence {' and '.join(words) or 'not stated'} is not on the list of {RULES.name}")
    return found


def _fits(said: str, allowed: set[str], words: dict[str, str]) -> bool:
    """One of an OR, all of an AND; parentheses are not met in practice and so are refused."""
    if said in words:
        return words[said] in allowed
    return any(all(word in allowed for word in part.split(" AND ")) for part in said.split(" OR "))


def bad(parts: list[Part], rules: dict[str, Any]) -> list[str]:
    """Locked releases that are known to be bad."""
    found = []
    for row in rules["bad"]:
        versions = SpecifierSet(row["versions"], prereleases=True)
        hit = [part for part in parts if part.name == canonicalize_name(row["name"]) and part.version in versions]
        found += [f"{part.name} {part.version}: {row['source']}" for part in hit]
    return found


def online() -> list[str]:
    """What the advisory database says. Asked for only by the flag: it needs the network."""
    if importlib.util.find_spec("pip_audit") is None:
        return ["pip-audit is not installed: pip install pip-audit"]
    asked = [sys.executable, "-m", "pip_audit", "--requirement", str(ROOT / "requirements.lock"), "--require-hashes", "--disable-pip"]
    done = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return [line for line in (done.stdout + done.stderr).splitlines() if line.strip()] if done.returncode else []


def main(arguments: list[str]) -> int:
    """Audit, tell, and end with 1 if anything is wrong."""
    if set(arguments) - {"--online"}:
        print("usage: audit.py [--online]")
        return 2
    rules = tomllib.loads(RULES.read_text("utf-8"))
    parts, present = lock(), installed()
    found = unhashed(parts) + differing(parts, present) + unlicensed(parts, present, shipped(present), rules) + bad(parts, rules)
    found += online() if "--online" in arguments else []
    for line in found:
        print(line)
    others = sorted(set(present) - {part.name for part in parts} - {"itbpump", "pip", "setuptools"})
    if others:
        print(f"audit: installed, not locked: {', '.join(others)}")
    print(f"audit: {len(parts)} locked packages, {len(found)} findings")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
