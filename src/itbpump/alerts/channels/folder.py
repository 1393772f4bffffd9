"""Each message as a file in a folder: for a clinic whose own mail system collects them there, and for looking at what would be sent.

A message is there whole or not at all, under a name made of its idempotency key; so this channel can tell what has gone. What becomes of
the file afterwards is the collector's; one that takes files away takes that memory with it, so it should move them to `taken` beside them.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from pathlib import Path

from itbpump.alerts.channel import Delivery, DeliveryState
from itbpump.alerts.channels.errors import AddressError, ChannelSetupError
from itbpump.alerts.channels.message import address_of, message_of
from itbpump.alerts.model import Notification

__all__ = ["FolderChannel"]

TAKEN = "taken"


class FolderChannel:
    """Writes `.eml` files. Raises ChannelSetupError for a sender that is no address; a folder that is missing fails at each sending."""

    def __init__(self, folder: Path, sender: str, name: str = "folder") -> None:
        try:
            address_of(sender)
        except AddressError as error:
            raise ChannelSetupError("folder", error.problem, "write one address such as pumps@clinic.example", key="sender") from error
        self._folder, self._sender, self._name = folder, sender, name

    @property
    def name(self) -> str:
        return self._name

    def send(self, notification: Notification) -> Delivery:
        """Write it, on the disk before this returns."""
        try:
            data = message_of(notification, self._sender).as_bytes()
        except AddressError as error:
            return Delivery(DeliveryState.REFUSED, detail=error.problem)
        path = self._path(notification.idempotency_key)
        try:
            self._write(path, data)
        except OSError as error:
            return Delivery(DeliveryState.FAILED, detail=f"the folder cannot be written ({error.strerror or type(error).__name__})")
        return Delivery(DeliveryState.DELIVERED, path.name)

    def already_sent(self, idempotency_key: str) -> bool | None:
        """Whether its file is there; None while the folder is not."""
        if not self._folder.is_dir():
            return None
        path = self._path(idempotency_key)
        return path.exists() or (self._folder / TAKEN / path.name).exists()

    def _path(self, idempotency_key: str) -> Path:
        return self._folder / f"{hashlib.sha256(idempotency_key.encode()).hexdigest()[:40]}.eml"

    def _write(self, path: Path, data: bytes) -> None:
        handle, name = tempfile.mkstemp(dir=self._folder, prefix=".", suffix=".part")
        temporary = Path(name)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
