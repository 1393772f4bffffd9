"""What people import is pinned: a name may be added on purpose, and none may vanish unnoticed."""

from __future__ import annotations

import subprocess
import sys

import pytest

import firmware_sim
import itbpump

PUBLIC = {
    "itbpump": ["Applied", "ItbPumpError", "NotApplied", "Pump", "Unknown", "connect", "forecast", "load_prescription", "review"],
    "firmware_sim": ["SimulatedPump"],
}


@pytest.mark.parametrize("package", [itbpump, firmware_sim], ids=list(PUBLIC))
def test_the_public_names_are_these(package: object) -> None:
    names: list[str] = package.__all__  # type: ignore[attr-defined]
    assert names == PUBLIC[package.__name__]  # type: ignore[attr-defined]
    assert set(names) <= set(dir(package))
    for name in names:
        # `itbpump.forecast` is a room and, called, the function of that name.
        assert getattr(package, name).__name__ in {name, f"itbpump.{name}"}
        assert callable(getattr(package, name))
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = package.no_such_name  # type: ignore[attr-defined]


def test_importing_the_packages_loads_nothing_heavy() -> None:
    code = "import sys, itbpump, firmware_sim; print(*sorted(m for m in sys.modules if m.split('.')[0] in %r))"
    heavy = ("pydantic", "serial", "cryptography", "msgspec", "typer", "sqlite3", "cobs")
    done = subprocess.run([sys.executable, "-c", code % (heavy,)], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.strip() == ""
