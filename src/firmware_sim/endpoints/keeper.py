"""Keeps the state file ahead of the line: no byte leaves the pump before what it tells of is on disk.

Otherwise a crash after "committed" was sent would bring back a pump that never heard of it, and one after a status a pump that has given
fewer pulses than it told. While the line is silent the file follows pump time once a second of real time: what a killed simulator loses
nobody has been told.
Reads no clock: the link's time is an argument.
"""

from __future__ import annotations

from firmware_sim.endpoints.device import Device
from firmware_sim.state_file import StateFile

__all__ = ["SAVE_PERIOD_MS", "StateKeeper"]

# A save costs two flushes to disk (1 to 30 ms); once a second keeps a disk quiet and loses little.
SAVE_PERIOD_MS = 1000


class StateKeeper:
    """Saves one device to one file when it must. Without a file it does nothing."""

    def __init__(self, device: Device, file: StateFile | None) -> None:
        self._device = device
        self._file = file
        self._saved_version: int | None = None
        self._saved_uptime_ms: int | None = None
        self._saved_at_ms = 0

    def release(self, link_now_ms: int) -> bytes:
        """The device's bytes for the line; everything they may tell of is on disk when this returns. Raises StateFileError."""
        data = self._device.transmit()
        if data and self._file is not None and self._moved():
            self.save(link_now_ms)
        self.settle(link_now_ms)
        return data

    def settle(self, link_now_ms: int) -> None:
        """Save if a durable change has not been saved."""
        if self._file is not None and self._device.memory_version != self._saved_version:
            self.save(link_now_ms)

    def follow(self, link_now_ms: int) -> None:
        """Save if the pump has moved and the last save is a period ago."""
        if self._moved() and link_now_ms >= self._saved_at_ms + SAVE_PERIOD_MS:
            self.save(link_now_ms)

    def due_ms(self, *, time_moves: bool) -> int | None:
        """Link time at which to call `follow`; None if there will be nothing to save. `time_moves`: pump time goes on by itself."""
        if self._file is None or not (time_moves or self._moved()):
            return None
        return self._saved_at_ms + SAVE_PERIOD_MS

    def _moved(self) -> bool:
        return (self._device.memory_version, self._device.uptime_ms) != (self._saved_version, self._saved_uptime_ms)

    def save(self, link_now_ms: int) -> bool:
        """Save now; False if there is no file."""
        if self._file is None:
            return False
        state = self._device.save()  # may itself write to the pump's memory: the version is that of the state it gave
        version, uptime_ms = self._device.memory_version, self._device.uptime_ms
        self._file.save(state)
        self._saved_version, self._saved_uptime_ms, self._saved_at_ms = version, uptime_ms, link_now_ms
        return True
