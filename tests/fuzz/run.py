"""Runs one harness: on given inputs, without a fuzzer, or under atheris, which looks for new ones.

    python -m tests.fuzz.run HARNESS FILE…                     replay: a crash comes back with its trace
    python -m tests.fuzz.run HARNESS --fuzz [--plant NAME] LIBFUZZER-ARGUMENT…

`--plant` breaks the product on purpose first (`planted`), to see that the harness notices. Needs atheris only with `--fuzz`.
"""

from __future__ import annotations

import importlib.util
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz.registry import INSTRUMENTED, UNGUIDED, harness

__all__ = ["main"]


def main(arguments: list[str]) -> None:
    """Command line as in the module's docstring."""
    name, *rest = arguments
    if "--fuzz" not in rest:
        for path in rest:
            harness(name).run(Path(path).read_bytes())
            sys.stdout.write(f"{path}: holds\n")
        return
    rest.remove("--fuzz")
    planted = ""
    if "--plant" in rest:
        at = rest.index("--plant")
        planted = rest[at + 1]
        del rest[at : at + 2]
    _fuzz(name, planted, rest)


def _fuzz(name: str, planted: str, options: list[str]) -> None:
    import atheris  # ships no types; has no business in a replay

    wanted = INSTRUMENTED[name]
    packages = sorted({prefix.partition(".")[0] for prefix in wanted})
    others = [module for package in packages for module in _modules(package) if module in UNGUIDED or not _within(module, wanted)]
    with atheris.instrument_imports(include=packages, exclude=others, enable_loader_override=False):
        found = harness(name)
    if planted:
        from tests.fuzz.planted import PLANTED

        PLANTED[planted].plant(_set)

    def mutate(data: bytes, max_bytes: int, seed: int) -> bytes:
        return found.mutate(data, min(max_bytes, found.max_bytes), random.Random(seed), _basic)

    def _basic(data: bytes, max_bytes: int) -> bytes:
        changed: bytes = atheris.Mutate(data or b"\0", max(1, max_bytes))
        return changed

    atheris.Setup([sys.argv[0], f"-max_len={found.max_bytes}", *options], found.run, custom_mutator=mutate)
    atheris.Fuzz()


def _modules(package: str) -> Iterator[str]:
    """Names of all modules of a package, which is not imported for it."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec is not None else ():
        for path in sorted(Path(folder).rglob("*.py")):
            parts = path.relative_to(folder).with_suffix("").parts
            yield ".".join((package, *(part for part in parts if part != "__init__")))


def _within(module: str, prefixes: Sequence[str]) -> bool:
    return any(module == prefix or module.startswith(f"{prefix}.") for prefix in prefixes)


def _set(owner: object, name: str, value: object) -> None:
    setattr(owner, name, value)


if __name__ == "__main__":
    main(sys.argv[1:])
