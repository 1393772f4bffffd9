"""Books of findings: what reviews say, word for word, in data files that a clinician can read.

A book is a JSON file beside its test: one page per case, with everything a review says. A text that changes turns the test red; whoever
means the change writes the book again (`PYTHONPATH=src python -m tests.unit.safety.book_AREA --write`) and reads what the difference shows.
Not here: the cases (`book_AREA`), and whether a text is right; that was judged by reading it.
"""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any

from itbpump.safety import Finding, Review

Page = dict[str, Any]
SHORT = 120  # characters of a line that holds an object
ALL_PARTS = ("verdict", "findings", "table", "current", "proposed", "achievable")


def told(findings: Iterable[Finding], rules: Collection[str] | None = None) -> list[dict[str, Any]]:
    """The findings as a book holds them: their JSON without what is empty; only those of `rules` where these are named."""
    return [
        {key: part for key, part in finding.json().items() if part not in ("", [])}
        for finding in findings
        if rules is None or finding.rule in rules
    ]


def page(judged: Review, *, parts: Collection[str] = ALL_PARTS, rules: Collection[str] | None = None) -> Page:
    """A review as a book holds it: `parts` of its JSON, and only the findings of `rules` where these are named."""
    form = {part: content for part, content in judged.json().items() if part in parts}
    return {**form, "findings": told(judged.findings, rules)} if "findings" in parts else form


def severities(pages: Mapping[str, Page]) -> dict[str, set[str]]:
    """Rule → every severity that the book shows of it."""
    shown: dict[str, set[str]] = {}
    for content in pages.values():
        for finding in content.get("findings", ()):
            shown.setdefault(finding["rule"], set()).add(finding["severity"])
    return shown


def text(pages: Mapping[str, Page]) -> str:
    """The file of these pages; a finding, and what is short, stands on one line."""
    return "{\n" + ",\n\n".join(f"{json.dumps(name)}: {_form(content, 1)}" for name, content in pages.items()) + "\n}\n"


def _form(item: Any, depth: int) -> str:
    line, indent, inside = json.dumps(item, ensure_ascii=False), "  " * (depth - 1), "  " * depth
    if depth > 1 and isinstance(item, dict) and (len(line) <= SHORT or "rule" in item):
        return line
    if isinstance(item, dict) and item:
        return "{\n" + ",\n".join(f"{inside}{json.dumps(key)}: {_form(entry, depth + 1)}" for key, entry in item.items()) + f"\n{indent}}}"
    if isinstance(item, list) and item and isinstance(item[0], dict):
        return "[\n" + ",\n".join(f"{inside}{_form(entry, depth + 1)}" for entry in item) + f"\n{indent}]"
    return line


def check(book: Path, pages: Mapping[str, Page]) -> None:
    """AssertionError, with the lines that differ, where the book does not hold exactly these pages."""
    held, made = book.read_text("utf-8"), text(pages)
    difference = difflib.unified_diff(held.splitlines(), made.splitlines(), f"{book.name} (the book)", "what is said now", lineterm="", n=1)
    assert held == made, "\n".join(["", *difference])


def write(book: Path, pages: Mapping[str, Page]) -> None:
    """For `--write`: the book as it would be said now. SystemExit without that option."""
    if sys.argv[1:] != ["--write"]:
        raise SystemExit(f"usage: --write  (replaces {book.name})")
    book.write_text(text(pages), "utf-8")
