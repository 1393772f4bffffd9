"""How large a whole number in a TOML file of ours may be: TOML's 64 bits.

tomllib reads hexadecimal numbers of any length, which Python then refuses to print. Not here: what a number means (whoever reads the file).
"""

from __future__ import annotations

__all__ = ["beyond_64_bits"]

_LOWEST, _HIGHEST = -(2**63), 2**63 - 1


def beyond_64_bits(document: object) -> str | None:
    """Name of a key in a parsed document that holds a whole number of more than 64 bits; None where all are smaller."""
    waiting: list[tuple[str, object]] = [("", document)]
    while waiting:  # no recursion: tables may be nested almost as deep as Python allows
        key, value = waiting.pop()
        if isinstance(value, dict):
            waiting += ((str(name), one) for name, one in value.items())
        elif isinstance(value, list):
            waiting += ((key, one) for one in value)
        elif type(value) is int and not _LOWEST <= value <= _HIGHEST:
            return key
    return None
