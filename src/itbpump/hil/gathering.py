"""Gathers the records of a run, also from the workers of pytest-xdist, into one `RunRecord` whose order no worker decides.

Records travel as JSON. Not here: making one (`plugin`), writing files (`report`).
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass, field

import msgspec

from itbpump.hil.model import RunRecord, TestRecord, Timing
from itbpump.version import installed_version
from itbpump.wire.messages import PROTOCOL_MINOR, PROTOCOL_NAME, PROTOCOL_VERSION

__all__ = ["Gathered", "Kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """One test's record, its place in the collection, and what it took: s as decimal text."""

    place: int
    record: TestRecord
    seconds: str


@dataclass(slots=True)
class Gathered:
    """What one process has of a run. `firmware`: by target. `lost`: workers that died with what they had."""

    seed: int
    targets: dict[str, str]
    begun: str
    tests: list[Kept] = field(default_factory=list)
    firmware: dict[str, str] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def text(self) -> str:
        """For the process that gathers."""
        return msgspec.json.encode(self).decode()

    def take(self, text: str) -> None:
        """What a worker has. Raises msgspec.DecodeError for what is no such text."""
        other = msgspec.json.decode(text.encode(), type=Gathered)
        self.tests += other.tests
        self.firmware |= other.firmware

    def run(self, pytest_version: str) -> RunRecord:
        """The run, in the order of collection."""
        tests = sorted(self.tests, key=lambda one: (one.place, one.record.target, one.record.test))
        return RunRecord(
            seed=self.seed,
            versions=self._versions(pytest_version),
            targets=dict(self.targets),
            tests=tuple(one.record for one in tests),
            timing=Timing(self.begun, {f"{one.record.test} [{one.record.target}]": one.seconds for one in tests}),
        )

    def _versions(self, pytest_version: str) -> dict[str, str]:
        own: Mapping[str, str] = {
            "itbpump": installed_version(),
            "protocol": f"{PROTOCOL_NAME} {PROTOCOL_VERSION}.{PROTOCOL_MINOR}",
            "python": platform.python_version(),
            "pytest": pytest_version,
        }
        return {**own, **{f"firmware of {name}": self.firmware[name] for name in sorted(self.firmware)}}
