"""Who talks to the pump in a test: a programmer with a host state, a key and a source of random bytes.

Simulated pumps are paired by their bench with a key made from the test's seed, so that the same seed gives the same bytes. Hardware is
met with the pairing of this computer, or with one from a file:

    schema = "itbpump.hil-key/1"
    programmer = "0123456789abcdef"      # id, 8 bytes
    pump = "P4000042"                    # serial
    key = "…"                            # pairing key, 32 bytes

The file must be readable by its owner alone. Not here: how a real pump is paired (`itbpump pair`).
"""

from __future__ import annotations

import os
import random
import re
import stat
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from itbpump.hil.errors import TargetsError
from itbpump.hoststate import HostState
from itbpump.wire.messages import Role

if TYPE_CHECKING:
    from itbpump.hil.benches import Bench

__all__ = ["Programmer", "hardware_programmer", "new_programmer"]

KEY_SCHEMA = "itbpump.hil-key/1"


@dataclass(frozen=True, slots=True)
class Programmer:
    """A host state paired with one pump. `key` is None where the state alone knows it."""

    name: str
    state: HostState
    role: Role
    key: bytes | None
    entropy: Callable[[int], bytes]

    def key_of(self, pump_id: bytes) -> bytes | None:
        """The pairing key for a pump, for reading the frames of its sessions."""
        stored = self.state.pairing(pump_id)
        return None if stored is None else stored.key

    def close(self) -> None:
        """Close the state."""
        self.state.close()


def new_programmer(bench: Bench, serial: str, name: str, seed: str, role: Role = Role.CLINICIAN) -> Programmer:
    """One that nobody has met before, paired through the bench with a key that follows from `seed`. Raises BenchRefused (8 are paired)."""
    entropy = random.Random(f"itbpump hil {seed} {name}").randbytes
    state = HostState.in_memory(entropy)
    key = entropy(32)
    try:
        bench.call("pair", programmer=state.programmer_id.hex(), role=role.name.lower(), key=key.hex())
    except BaseException:
        state.close()
        raise
    state.pair(serial.encode("ascii"), role, key)
    return Programmer(name, state, role, key, entropy)


def hardware_programmer(key_file: Path | None) -> Programmer:
    """This computer's own pairings, or the one in `key_file`. Raises TargetsError, HostStateError."""
    if key_file is None:
        return Programmer("this computer", HostState.open(), Role.CLINICIAN, None, os.urandom)
    programmer_id, pump_id, key = _read_key(key_file)

    def entropy(count: int) -> bytes:
        return programmer_id if count == len(programmer_id) else os.urandom(count)

    state = HostState.in_memory(entropy)  # draws its id, 8 bytes, and nothing else
    state.pair(pump_id, Role.CLINICIAN, key)
    return Programmer("key file", state, Role.CLINICIAN, key, os.urandom)


def _read_key(path: Path) -> tuple[bytes, bytes, bytes]:
    where = "--hil-key"
    try:
        if os.name == "posix" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise TargetsError(where, f"others may read {path}", f"chmod 600 {path}")
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise TargetsError(where, f"{path} cannot be read ({error.__class__.__name__})", "see docs/hil.md for its form") from error
    programmer, pump, key = (content.get(name) for name in ("programmer", "pump", "key"))
    sound = (
        content.get("schema") == KEY_SCHEMA
        and isinstance(programmer, str)
        and isinstance(pump, str)
        and isinstance(key, str)
        and re.fullmatch(r"[0-9a-fA-F]{16}", programmer)
        and re.fullmatch(r"[!-~]{8}", pump)
        and re.fullmatch(r"[0-9a-fA-F]{64}", key)
    )
    if not sound:  # nothing of it is repeated: it may hold a key
        raise TargetsError(where, f"{path} holds no pairing", f'it has schema = "{KEY_SCHEMA}", programmer, pump and key; see docs/hil.md')
    return bytes.fromhex(str(programmer)), str(pump).encode("ascii"), bytes.fromhex(str(key))
