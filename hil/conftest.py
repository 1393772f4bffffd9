"""Loads the HIL kit where it is not installed: in a checkout without `pip install`. Installed, its entry point has done so."""

from __future__ import annotations

import pytest

from itbpump.hil import plugin


def pytest_addoption(pluginmanager: pytest.PytestPluginManager) -> None:
    """Hooks of registration are told to a plugin that comes late, so its options and its own hook are there in time."""
    if plugin not in pluginmanager.get_plugins():
        pluginmanager.register(plugin, "itbpump-hil")
