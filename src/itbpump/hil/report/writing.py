"""Writes the three files of a run. Each is written whole beside its place and then put there, so that no reader finds half of one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from itbpump.hil.model import RunRecord
from itbpump.hil.report.encoding import record_bytes, timing_bytes
from itbpump.hil.report.page import page_of
from itbpump.hil.report.reading import RECORD_FILE, TIMING_FILE
from itbpump.hil.report.requirements import requirement_texts

__all__ = ["PAGE_FILE", "write", "write_page"]

PAGE_FILE: Final = "report.html"


def write(run: RunRecord, folder: Path) -> Path:
    """Write record, timing and page into a folder, made if need be; gives the page. What an earlier run left there is replaced. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    _put(folder / RECORD_FILE, record_bytes(run))
    if run.timing is not None:
        _put(folder / TIMING_FILE, timing_bytes(run.timing))
    else:
        (folder / TIMING_FILE).unlink(missing_ok=True)
    return write_page(run, folder)


def write_page(run: RunRecord, folder: Path) -> Path:
    """Write the page alone. OSError."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / PAGE_FILE
    _put(page, page_of(run, requirement_texts()).encode("utf-8"))
    return page


def _put(file: Path, content: bytes) -> None:
    beside = file.with_name(f".{file.name}.part")
    beside.write_bytes(content)
    os.replace(beside, file)  # noqa: PTH105 -- atomic on each system, and so named
