"""Which version of the companion this is."""

from __future__ import annotations

from importlib import metadata

__all__ = ["installed_version"]


def installed_version() -> str:
    """As installed; in words for a tree that is run from its source."""
    try:
        return metadata.version("itbpump")
    except metadata.PackageNotFoundError:
        return "(not installed: run from its source)"
