"""Put the agreed snapshots of the screen into docs/tui.md, each below its mark; `--check` fails if one is not up to date. No dependency.

A mark is a line `<!-- shot: bolus bolus-review 80x24 -->`: walk, page, size, as tests/tui/shots keeps them; a block of text follows.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "tui.md"
SHOTS = ROOT / "tests" / "tui" / "shots" / "__snapshots__" / "test_shots"
MARK = re.compile(r"<!-- shot: (?P<walk>[\w-]+) (?P<page>[\w-]+) (?P<size>\d+x\d+) -->\n```text\n.*?```\n", re.DOTALL)


def block(found: re.Match[str]) -> str:
    """The mark and below it the page as it stands; FileNotFoundError where there is no such snapshot."""
    name = f"test_pages_are_as_they_were_read_and_agreed[{found['walk']}-{found['size']}][{found['page']}].txt"
    text = (SHOTS / name).read_text("utf-8").rstrip("\n")
    return f"<!-- shot: {found['walk']} {found['page']} {found['size']} -->\n```text\n{text}\n```\n"


def main(arguments: list[str]) -> int:
    """0, or 1 where `--check` finds an old shot."""
    written = PAGE.read_text("utf-8")
    made = MARK.sub(block, written)
    if made == written:
        return 0
    if "--check" in arguments:
        print(f"{PAGE.relative_to(ROOT)} shows old screens: python scripts/tui_shots.py", file=sys.stderr)
        return 1
    PAGE.write_text(made, "utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
