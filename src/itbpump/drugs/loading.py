"""The libraries shipped here, with or without a clinic's own file. The only place of this room that reads a file: its own data."""

from __future__ import annotations

from functools import cache, lru_cache
from importlib import resources

from itbpump.drugs.model import DrugLibrary
from itbpump.drugs.overlay import read_library, with_clinic
from itbpump.errors import LibraryError

__all__ = ["library_names", "load_library"]


@cache
def library_names() -> tuple[str, ...]:
    """Drugs with a library shipped here, sorted."""
    files = resources.files("itbpump.drugs").iterdir()
    return tuple(sorted(file.name.removesuffix(".toml") for file in files if file.name.endswith(".toml")))


@lru_cache(maxsize=16)
def load_library(name: str, clinic: bytes | None = None) -> DrugLibrary:
    """The library shipped for a drug, tightened by the bytes of a clinic's file where there is one.

    LibraryError for a drug without a library, a damaged file, or a clinic's file that does not tighten (SR-06).
    """
    if name not in library_names():
        raise LibraryError(f"no drug library for {name!r}", action=f"drugs with a library: {', '.join(library_names())}")
    base = read_library(resources.files("itbpump.drugs").joinpath(f"{name}.toml").read_bytes())
    return base if clinic is None else with_clinic(base, clinic)
