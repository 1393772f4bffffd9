"""Snapshots of screens as plain text: a changed number is one changed line in a diff."""

from __future__ import annotations

from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.single_file import SingleFileSnapshotExtension, WriteMode


class ScreenText(SingleFileSnapshotExtension):
    """One text file a screen."""

    file_extension = "txt"
    _write_mode = WriteMode.TEXT

    def serialize(self, data: Any, **_more: Any) -> str:
        """As it stands on the screen."""
        return str(data)


@pytest.fixture
def screen(snapshot: SnapshotAssertion) -> SnapshotAssertion:
    """Compare a screen's text with the committed one; `pytest --snapshot-update` writes it anew."""
    return snapshot.use_extension(ScreenText)
