"""The ISMP rules of SR-17 as checks over a printed text: every report and screen is held against them.

Source: ISMP, list of error-prone abbreviations, symbols and dose designations (domain 7). Entry grammar shown in quotes, addresses and
paths are not doses and are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

UNITS = r"(?:mcg|mg|mL|ng)"
RULES: dict[str, re.Pattern[str]] = {
    "mcg is written mcg": re.compile(r"µg|μg|\bug\b|\bmcgs\b|\bcc\b"),
    "no zero after the last digit": re.compile(rf"\d\.\d*0 ?(?:{UNITS}|h|min|days|%)(?![A-Za-z])"),
    "a zero before the point": re.compile(rf"(?<![\d.])\.\d+ ?(?:{UNITS}|h|min|days|%)(?![A-Za-z])"),
    "a space before the unit": re.compile(rf"\d(?:{UNITS}|nL|min)\b"),
    "a comma from a thousand on": re.compile(rf"(?<![\d.,:-])\d{{4,}}(?:\.\d+)? (?:{UNITS}|h|min|days|d|pulses)\b"),
    "per in words": re.compile(rf"\b{UNITS}/(?:day|d|h|hr|mL)\b"),
    "mL, not the nL of the code": re.compile(r"\d ?nL\b"),
    "no abbreviation of a frequency": re.compile(r"\b(?:q\.?d|q\.?o\.?d|b\.?i\.?d|t\.?i\.?d|IU)\b", re.IGNORECASE),
}
_NO_DOSE = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|\S*://\S*|\S*/\S*/\S*|\S+\.(?:toml|port|state)\b|[a-z_]+=\S+")


def faults(text: str) -> Iterator[str]:
    """What breaks a rule, with the line it stands in."""
    for line in text.splitlines():
        plain = _NO_DOSE.sub("", line)
        for name, pattern in RULES.items():
            if pattern.search(plain):
                yield f"{name}: {line}"
