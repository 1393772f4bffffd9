"""Parts of a pump that a fault spoils for good: the table of constants, cells of the memory, the random source. Sound until then.

Not kept in a state file: a pump loaded from one has sound parts.
"""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.faults.constants import with_changed_constant
from firmware_sim.firmware.memory import Memory
from firmware_sim.profiles import FirmwareProfile

__all__ = ["Parts"]


class Parts:
    """`constants` is what the firmware reads at its next start; `entropy(n)` gives random bytes."""

    def __init__(self, constants: FirmwareProfile, entropy: Callable[[int], bytes]) -> None:
        self.constants = constants
        self._entropy = entropy
        self._worn: list[tuple[str, int, int]] = []

    def entropy(self, size: int) -> bytes:
        """Random bytes, as far as the source gives any."""
        return self._entropy(size)

    def stick_entropy(self, byte: int) -> None:
        """The random source gives nothing but this byte from now on."""
        self._entropy = lambda size: bytes([byte]) * size

    def change_constant(self, name: str, change: int) -> None:
        """From the next start on the constant is off by `change`, and the hash is the one that goes with it. Raises FaultError."""
        self.constants = with_changed_constant(self.constants, name, change)

    def wear_cell(self, memory: Memory, region: str, offset: int, value: int) -> None:
        """A byte of the memory holds this value from now on, through resets too."""
        self._worn.append((region, offset, value))
        memory.stick(region, offset, value)

    def fit(self, memory: Memory) -> Memory:
        """The same cells are worn in the memory of the next start."""
        for region, offset, value in self._worn:
            memory.stick(region, offset, value)
        return memory
