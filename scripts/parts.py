"""What requirements.lock pins, what of it comes with the product, and what the installed packages say of themselves. For sbom and audit."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Part:
    """One pinned package. `hashes` are SHA-256 of its files in hexadecimal; `for_us`: its marker, if any, fits this system."""

    name: str
    version: str
    hashes: tuple[str, ...]
    for_us: bool = True


def locked(text: str) -> list[Part]:
    """The entries of a lock. Raises ValueError for one that is not pinned to one version."""
    parts = []
    for line in text.replace("\\\n", " ").splitlines():
        words = line.split("--hash=")
        if not words[0].strip() or line.startswith("#"):
            continue
        wanted = Requirement(words[0].strip())
        pins = list(wanted.specifier)
        if [pin.operator for pin in pins] != ["=="]:
            raise ValueError(f"{wanted.name} is not pinned to one version: run make lock")
        hashes = tuple(word.strip().removeprefix("sha256:") for word in words[1:] if word.startswith("sha256:"))
        fits = wanted.marker is None or wanted.marker.evaluate()
        parts.append(Part(canonicalize_name(wanted.name), pins[0].version, hashes, fits))
    return sorted(parts, key=lambda part: part.name)


def lock() -> list[Part]:
    """The entries of requirements.lock."""
    return locked((ROOT / "requirements.lock").read_text("utf-8"))


def project() -> dict[str, object]:
    """The table [project] of pyproject.toml."""
    found: dict[str, object] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return found


def installed() -> dict[str, metadata.Distribution]:
    """Installed distributions by canonical name."""
    return {canonicalize_name(found.metadata["Name"]): found for found in metadata.distributions() if found.metadata["Name"]}


def needs(distribution: metadata.Distribution) -> set[str]:
    """Canonical names of what a distribution asks for on this system, without extras."""
    wanted = map(Requirement, distribution.requires or [])
    return {canonicalize_name(one.name) for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})}


def shipped(present: dict[str, metadata.Distribution]) -> set[str]:
    """Names of all that comes with the product: its dependencies, those of its extras, and theirs in turn."""
    table = project()
    asked = list(table["dependencies"]) if isinstance(table["dependencies"], list) else []
    extras = table.get("optional-dependencies", {})
    if isinstance(extras, dict):
        asked += [line for lines in extras.values() for line in lines]
    found: set[str] = set()
    todo: set[str] = {canonicalize_name(Requirement(str(line)).name) for line in asked}
    while todo:
        name = todo.pop()
        found.add(name)
        if name in present:
            todo |= needs(present[name]) - found
    return found


def licence_words(distribution: metadata.Distribution) -> list[str]:
    """What a distribution says of its licence: the SPDX expression, else its classifiers, else the short field."""
    said = distribution.metadata
    if "License-Expression" in said:
        return [said["License-Expression"]]
    classifiers = [line.split("::")[-1].strip() for line in said.get_all("Classifier") or [] if line.startswith("License ::")]
    field = " ".join(said.get_all("License") or []).strip()
    return [word for word in classifiers if word != "OSI Approved"] or ([field] if field and "\n" not in field else [])
