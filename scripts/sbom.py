"""The bill of materials: every package of requirements.lock as CycloneDX 1.6 JSON, on stdout or into a file. Works offline.

    python scripts/sbom.py [FILE]

The same lock and the same installed packages give the same bytes: no time, no random number, no name of a host or folder. Packages for
other systems have no licence in it, because it is read from what is installed. Ours alone: what the wheels carry inside (OpenSSL in
`cryptography`) is not listed.
"""

from __future__ import annotations

import hashlib
import json
import sys
import uuid
from importlib import metadata
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from scripts.parts import Part, installed, licence_words, lock, needs, project, shipped


def component(part: Part, present: dict[str, metadata.Distribution], with_product: set[str]) -> dict[str, Any]:
    """One package."""
    found: dict[str, Any] = {
        "type": "library",
        "bom-ref": reference(part),
        "name": part.name,
        "version": part.version,
        "scope": "required" if part.name in with_product else "excluded",
        "purl": reference(part),
        "properties": [{"name": "itbpump:sha256", "value": value} for value in part.hashes],
    }
    if part.name in present:
        words = licence_words(present[part.name])
        if "License-Expression" in present[part.name].metadata:
            found["licenses"] = [{"expression": words[0]}]
        elif words:
            found["licenses"] = [{"license": {"name": word}} for word in words]
    return found


def reference(part: Part) -> str:
    """Package URL."""
    return f"pkg:pypi/{part.name}@{part.version}"


def bill(parts: list[Part], present: dict[str, metadata.Distribution]) -> dict[str, Any]:
    """The whole document."""
    table = project()
    with_product = shipped(present)
    by_name: dict[str, list[str]] = {}
    for part in parts:
        by_name.setdefault(part.name, []).append(reference(part))
    us = f"pkg:pypi/{table['name']}@{table['version']}"
    asked = [name for name in sorted(with_product) if name in by_name]
    edges = [{"ref": us, "dependsOn": sorted(ref for name in asked for ref in by_name[name])}]
    for part in parts:
        wanted = needs(present[part.name]) if part.name in present else set()
        edges.append({"ref": reference(part), "dependsOn": sorted(ref for name in wanted for ref in by_name.get(name, []))})
    digest = hashlib.sha256(json.dumps([(p.name, p.version, p.hashes) for p in parts]).encode()).digest()
    return {
        "$schema": "http://cyclonedx.org/schema/bom-1.6.schema.json",
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{uuid.UUID(bytes=digest[:16], version=5)}",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": us,
                "name": table["name"],
                "version": table["version"],
                "licenses": [{"license": {"id": table["license"]}}],
                "purl": us,
            }
        },
        "components": [component(part, present, with_product) for part in parts],
        "dependencies": edges,
    }


def main(arguments: list[str]) -> int:
    """Write it."""
    text = json.dumps(bill(lock(), installed()), indent=1, ensure_ascii=True) + "\n"
    if arguments:
        Path(arguments[0]).write_text(text, "utf-8")
    else:
        sys.stdout.write(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
