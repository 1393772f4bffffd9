"""docs/hil.md, block by block, as a reader would type it: files are written, commands run, and what the page shows must be said."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import pytest

from itbpump.cli.process import PumpProcess

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "hil.md"
BLOCK = re.compile(r"(?:<!-- (?P<note>[^>]*?) -->\n)?```(?P<kind>\w+)\n(?P<text>.*?)```", re.DOTALL)
pytestmark = [pytest.mark.e2e, pytest.mark.slow]  # `make hil`, which CI runs as well


@dataclass(frozen=True)
class Block:
    """A fenced block; `note` is what the comment before it says."""

    note: str
    kind: str
    text: str


def blocks() -> Iterator[Block]:
    for found in BLOCK.finditer(PAGE.read_text("utf-8")):
        yield Block(found["note"] or "", found["kind"], found["text"])


class Reader:
    """Somebody who types what the page says, in an empty folder. `said` is what the last block's commands said."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said = ""
        self.pumps: list[PumpProcess] = []
        self.run = 0
        programs = folder / ".bin"
        programs.mkdir()
        for name, module in (("itbpump", "itbpump"), ("pytest", "pytest")):
            (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" -m {module} "$@"\n')
            (programs / name).chmod(0o755)
        installed = any(point.name == "itbpump-hil" for point in metadata.entry_points(group="pytest11"))
        self.env = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "ITBPUMP_HOME": str(folder / ".home"),
            "PYTEST_ADDOPTS": "-q -p no:cacheprovider" + ("" if installed else " -p itbpump.hil.plugin"),
            "COLUMNS": "200",
        }

    def do(self, block: Block) -> None:
        """Write it, run it, or look for it in what was said."""
        if block.note.startswith("file: "):
            (self.folder / block.note.removeprefix("file: ")).write_text(block.text, "utf-8")
        elif block.kind == "sh":
            self.said = ""
            wanted = int(block.note.removeprefix("ends with ")) if block.note else 0
            for line in block.text.splitlines():
                self.type(line, wanted)
        else:
            assert block.kind == "text", f"a block of {block.kind} that is neither a file nor a command"
            for line in block.text.splitlines():
                assert squeezed(line) in squeezed(self.said), f"{line!r} is not in\n{self.said}"

    def type(self, line: str, wanted: int) -> None:
        words = shlex.split(line)
        if words[:2] == ["pip", "install"]:
            return  # the only line of the page that is not run: the package under test is this one
        self.run += 1
        env = dict(self.env)
        while "=" in words[0]:
            name, _, value = words.pop(0).partition("=")
            env[name] = f"{value}{os.pathsep}{env.get(name, '')}"
        if words[:2] == ["itbpump", "sim"]:
            places = [str(self.folder / word) if word.endswith(".port") else word for word in words[2:]]
            self.pumps.append(PumpProcess.run(places))
            return
        done = subprocess.run(words, cwd=self.folder, env=env, capture_output=True, text=True, timeout=120, check=False)
        self.said += (done.stdout + done.stderr).replace(f"{self.folder}{os.sep}", "")
        assert done.returncode == wanted, f"{line} ended with {done.returncode}\n{done.stdout}{done.stderr}"

    def close(self) -> None:
        for pump in self.pumps:
            pump.close()


def squeezed(text: str) -> str:
    return " ".join(text.split())


def test_every_block_of_the_page_works_in_order(tmp_path: Path) -> None:
    found = list(blocks())
    assert PAGE.read_text("utf-8").count("```") == 2 * len(found), "a block that this test does not see"
    reader = Reader(tmp_path)
    try:
        for block in found:
            reader.do(block)
    finally:
        reader.close()
    assert reader.run > 12
    assert (tmp_path / "again" / "report.html").read_bytes() == (tmp_path / "more" / "report.html").read_bytes()


def test_every_suite_and_every_capability_stands_in_the_page() -> None:
    from itbpump.hil.model import Capability, Outcome

    text = PAGE.read_text("utf-8")
    missing = [path.name for path in sorted((ROOT / "hil").glob("test_*.py")) if f"`{path.name}`" not in text]
    missing += [one for one in (*Capability, *Outcome) if f"`{one}`" not in text and f"| {one} |" not in text]
    assert missing == []
