"""Turns itbp1.toml into everything that is derived from it. Standard library only.

`python protocols/generate.py` writes the files that differ; with `--check` it writes nothing, shows the difference and exits 1 when a
file is not what it should be.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python knows only this folder

from protocols import gen_lua, gen_python, gen_reference, gen_tables  # noqa: E402
from protocols.spec_model import Spec, SpecError, load  # noqa: E402

SOURCE = ROOT / "protocols" / "itbp1.toml"
MESSAGES = "src/itbpump/wire/messages"
SPEC_TEXT = "protocols/SPEC.md"
DIFF_LINES = 60


def outputs(spec: Spec) -> dict[str, str]:
    """Path below the root → content, of every generated file."""
    return {
        **{f"{MESSAGES}/{name}": text for name, text in gen_python.render(spec).items()},
        "src/itbpump/link/tables.py": gen_tables.tables(spec),
        "protocols/REFERENCE.md": gen_reference.render(spec),
        "protocols/itbp1.lua": gen_lua.render(spec),
        SPEC_TEXT: gen_tables.with_charts((ROOT / SPEC_TEXT).read_text(encoding="utf-8"), spec),
    }


def difference(path: str, wanted: str) -> list[str]:
    """Unified diff from what is on disk to what should be; empty when equal."""
    target = ROOT / path
    present = target.read_text(encoding="utf-8") if target.exists() else ""
    return list(difflib.unified_diff(present.splitlines(), wanted.splitlines(), f"{path} (on disk)", f"{path} (generated)", lineterm=""))


def main(arguments: list[str] | None = None) -> int:
    """0 fine, 1 a file differs under --check or the source is wrong."""
    parser = argparse.ArgumentParser(description="Generate code and documents from protocols/itbp1.toml.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a generated file differs")
    check = parser.parse_args(arguments).check
    try:
        wanted = outputs(load(SOURCE))
    except SpecError as problem:
        print(f"{SOURCE.name}: {problem}", file=sys.stderr)
        return 1
    stale = 0
    for path, text in wanted.items():
        lines = difference(path, text)
        if not lines:
            continue
        stale += 1
        if check:
            print("\n".join(lines[:DIFF_LINES]))
            if len(lines) > DIFF_LINES:
                print(f"… and {len(lines) - DIFF_LINES} more lines")
        else:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(text, encoding="utf-8")
            print(f"wrote {path}")
    if check and stale:
        print(f"{stale} generated files differ: run python protocols/generate.py and commit what it writes", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
