"""The hook that the HIL kit adds to pytest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from itbpump.hil.model import RunRecord

__all__ = ["pytest_hil_run"]


@pytest.hookspec
def pytest_hil_run(run: RunRecord, config: pytest.Config) -> None:
    """Called once at the end with the record of the run; with pytest-xdist in the process that gathers the workers."""
