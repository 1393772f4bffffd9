"""Look for secrets in every tracked file: keys, tokens, addresses of people and machines. Ends with 1 when something is found.

    python scripts/secret_scan.py [FILE …]        without files: all that git would carry

What may look like a secret stands in secret_scan.toml, each with its reason; an entry that excuses nothing any more is a finding too.
Not found: a secret of low entropy (a pass phrase), one in a binary file or in the history. (Not named secrets.py: that is a module of
Python's own, which every script in this folder would then get instead.)
"""

from __future__ import annotations

import ipaddress
import math
import re
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALLOWED = Path(__file__).with_name("secret_scan.toml")
HEX_BITS, BASE64_BITS = 3.0, 4.5  # Shannon bits a character: random hexadecimal has up to 4, random base64 up to 6


@dataclass(frozen=True)
class Finding:
    """Something in a file that looks like a secret."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        shown = self.text if len(self.text) <= 12 else f"{self.text[:6]}… ({len(self.text)} characters)"  # a real one is not repeated here
        return f"{self.path}:{self.line}: {self.rule}: {shown}"


def bits_per_character(text: str) -> float:
    """Shannon entropy of the characters."""
    counts = Counter(text)
    return -sum(n / len(text) * math.log2(n / len(text)) for n in counts.values())


def _random_hex(text: str) -> bool:
    return bits_per_character(text.lower()) >= HEX_BITS


def _random_base64(text: str) -> bool:
    kinds = (any(c.islower() for c in text), any(c.isupper() for c in text), any(c.isdigit() for c in text))
    return all(kinds) and bits_per_character(text) >= BASE64_BITS


def _foreign_address(text: str) -> bool:
    try:
        address = ipaddress.IPv4Address(text)
    except ValueError:
        return False
    documentation = any(address in ipaddress.IPv4Network(net) for net in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24"))
    return not (address.is_loopback or address.is_unspecified or documentation)


def _person(text: str) -> bool:
    return not re.search(r"@(?:[\w-]+\.)*(?:example\.(?:com|net|org)|example|invalid|test)$", text)


def _always(_text: str) -> bool:
    return True


# Written so that this file does not match itself.
RULES: dict[str, tuple[re.Pattern[str], Callable[[str], bool]]] = {
    "private key": (re.compile(r"-{5}BEGIN [A-Z ]*PRIVATE KEY-{5}"), _always),
    "token": (
        re.compile(
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|glpat-[\w-]{15,}|AKIA[0-9A-Z]{16}|xox[abprs]-[\w-]{10,}"
            r"|AIza[\w-]{30,}|sk-[A-Za-z0-9_-]{20,}|pypi-[\w-]{20,}|eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]{5,})"
        ),
        _always,
    ),
    "key in hexadecimal": (re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{32,}(?![0-9A-Za-z])"), _random_hex),
    "key in base64": (re.compile(r"(?<![\w+/-])[A-Za-z0-9+/]{40,}={0,2}(?![\w+/-])"), _random_base64),
    "e-mail address": (re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)*\.[A-Za-z]{2,}\b"), _person),
    "IPv4 address": (re.compile(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])"), _foreign_address),
    "path on a machine": (re.compile(r"(?<![\w.])/(?:home|root|Users|work)/\w+|[A-Z]:\\Users\\\w+"), _always),
    "password in an address": (re.compile(r"\b[a-z][a-z0-9+.-]*://[^\s/:@\"'{}]+:[^\s/@\"'{}]+@\w"), _always),
}


def scan(path: str, text: str) -> Iterator[Finding]:
    """What a text has that looks like a secret."""
    for number, line in enumerate(text.splitlines(), 1):
        for rule, (pattern, judged) in RULES.items():
            for found in pattern.finditer(line):
                if judged(found[0]):
                    yield Finding(path, number, rule, found[0])


def tracked() -> list[str]:
    """What git would carry: added files, and new ones that no ignore rule hides."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return sorted({name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()})


def excused(findings: Iterable[Finding], allowed: list[dict[str, str]]) -> tuple[list[Finding], list[dict[str, str]]]:
    """What no entry excuses, and the entries that excuse nothing."""
    left, used = [], set()
    for finding in findings:
        entry = next((n for n, row in enumerate(allowed) if row["rule"] == finding.rule and fnmatchcase(finding.path, row["path"])), None)
        if entry is None:
            left.append(finding)
        else:
            used.add(entry)
    return left, [row for number, row in enumerate(allowed) if number not in used]


def main(names: list[str]) -> int:
    """Scan, tell, and end with 1 if anything was found."""
    findings: list[Finding] = []
    files = names or tracked()
    for name in files:
        try:
            findings += scan(name, (ROOT / name).read_text("utf-8"))
        except UnicodeDecodeError:
            continue  # binary
    left, idle = excused(findings, tomllib.loads(ALLOWED.read_text("utf-8"))["allow"])
    for finding in left:
        print(finding)
    for row in () if names else idle:
        print(f"{ALLOWED.name}: {row['path']} ({row['rule']}) excuses nothing any more: take it out")
    print(f"secrets: {len(files)} files, {len(left)} findings, {len(findings) - len(left)} excused")
    return int(bool(left or (idle and not names)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
