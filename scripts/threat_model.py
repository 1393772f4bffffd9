"""Write the table of docs/threat-model.md from docs/threats.toml; `--check` fails if it is not up to date. No dependency."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DATA, PAGE = ROOT / "docs" / "threats.toml", ROOT / "docs" / "threat-model.md"
BEGIN, END = "<!-- made by scripts/threat_model.py from docs/threats.toml -->", "<!-- end -->"
STRIDE = {
    "S": "Spoofing",
    "T": "Tampering",
    "R": "Repudiation",
    "I": "Information disclosure",
    "D": "Denial of service",
    "E": "Elevation of privilege",
}


def rating(row: dict[str, Any]) -> tuple[int, int]:
    """Harm times ease, before and after the controls."""
    (harm, harm_after), (ease, ease_after) = row["harm"], row["ease"]
    return harm * ease, harm_after * ease_after


def table(data: dict[str, Any]) -> str:
    """The threats by letter, with what tries them and what is left."""
    lines = []
    for letter, word in STRIDE.items():
        lines += [f"### {word}", "", "| id | threat | asset | before | after | control | shown by |", "|---|---|---|---|---|---|---|"]
        for row in data["threat"]:
            if row["stride"] != letter:
                continue
            before, after = rating(row)
            attacks = ", ".join(f"`{attack['id']}`" for attack in data["attack"] if attack["threat"] == row["id"])
            files = dict.fromkeys(test.split("::")[0].removeprefix("tests/") for test in row["tests"])
            tests = ", ".join(f"`{name}`" for name in files)
            controls = ", ".join(f"`{Path(control).name}`" for control in row["controls"])
            shown = f"{tests}{'; attacks ' + attacks if attacks else ''}"
            lines.append(f"| {row['id']} | {row['name']} | {row['asset']} | {before} | {after} | {controls} | {shown} |")
        lines.append("")
    lines += ["### What is left", ""]
    lines += [f"* {row['id']}: {row['left']}." for row in data["threat"] if "left" in row]
    return "\n".join(lines)


def page(before: str, data: dict[str, Any]) -> str:
    """The page with its table anew. Raises ValueError where the marks are missing."""
    head, _, rest = before.partition(BEGIN)
    _, found, tail = rest.partition(END)
    if not found:
        raise ValueError(f"{PAGE.name} has lost its marks {BEGIN} and {END}")
    return f"{head}{BEGIN}\n\n{table(data)}\n\n{END}{tail}"


def main(arguments: list[str]) -> int:
    """Write the page, or compare."""
    before = PAGE.read_text("utf-8")
    after = page(before, tomllib.loads(DATA.read_text("utf-8")))
    if "--check" in arguments:
        if before != after:
            print("docs/threat-model.md is not what docs/threats.toml says: run python scripts/threat_model.py")
        return int(before != after)
    PAGE.write_text(after, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
