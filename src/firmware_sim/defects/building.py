"""Where a firmware with a defect differs from the sound one: subclasses that exchange one part and leave the rest as it is.

A defect overrides as little as the slip of a programmer would change. The sound firmware knows of none of it: what is exchanged is put in
from here, once the sound parts have been built. Not here: which defects there are (`defects.toml`), and how one is chosen (`choosing`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from firmware_sim.firmware.core import Firmware
from firmware_sim.firmware.draft import Draft
from firmware_sim.firmware.durable import Durable
from firmware_sim.firmware.journal import Journal
from firmware_sim.firmware.machine import Machine
from firmware_sim.firmware.memory import Memory
from firmware_sim.firmware.staging import Staging
from firmware_sim.firmware.stall import StallWatch
from firmware_sim.port import Hardware
from firmware_sim.profiles import FirmwareProfile

__all__ = ["DraftingMachine", "OtherFirmware", "StartingFirmware"]


class OtherFirmware(Firmware):
    """The sound firmware but for the parts named here."""

    machine_type: ClassVar[type[Machine]] = Machine
    staging_type: ClassVar[type[Staging]] = Staging

    def __init__(self, profile: FirmwareProfile, memory: Memory, hardware: Hardware, serial: str) -> None:
        super().__init__(self.constants(profile), memory, self.wired(hardware), serial)
        sound = self._machine
        self._machine = self.machine_type(sound.profile, memory, sound.hardware)
        self._watch = StallWatch(self._machine.monitor)
        self._staging = self.staging_type()

    def constants(self, profile: FirmwareProfile) -> FirmwareProfile:
        """The constants it was compiled with."""
        return profile

    def wired(self, hardware: Hardware) -> Hardware:
        """The port to motor and sensors as its driver uses it."""
        return hardware


class DraftingMachine(Machine):
    """A machine whose changes are prepared by `draft_type`."""

    draft_type: ClassVar[type[Draft]] = Draft

    def draft(self) -> Draft:
        """See Machine."""
        sound = super().draft()
        return self.draft_type(sound.profile, sound.state, sound.now_ms, sound.reservoir_nL)


class StartingFirmware(OtherFirmware, ABC):
    """A firmware that does something more, and wrong, at each start: `wrongly` changes the state that a sound start has come to."""

    def boot(self, uptime_ms: int, *, watchdog: bool = False, noise: bytes | None = None) -> None:
        """See Firmware."""
        before = Journal(self._machine.memory).load().state
        super().boot(uptime_ms, watchdog=watchdog, noise=noise)
        if before is not None:
            self._change(lambda machine, draft: self.wrongly(machine, draft, before))
            self._settle()

    @abstractmethod
    def wrongly(self, machine: Machine, draft: Draft, before: Durable) -> None:
        """What is wrong. `before` is the journal record that the start has found."""
