"""The patient link as a serial device: a pseudo-terminal any serial program can open.

The simulator keeps the terminal's other side open itself, so a client may close and open again without the pump noticing, as with a real
cable; bytes sent while nobody has it open wait in the kernel, up to its buffer. Not modelled: baud rate, parity, modem lines.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from firmware_sim.endpoints.channel import Channel
from firmware_sim.endpoints.device import EndpointError

__all__ = ["PtyLink"]

# High-water mark and one full read: a peer that gets one byte for each it sends never loses any.
OUT_BYTES = 131_072


class PtyLink:
    """A pty, with an optional symbolic link to it at `link`. Raises EndpointError where there are no ptys or the name is taken."""

    def __init__(self, link: Path | str | None = None) -> None:
        self.symlink = Path(link).expanduser().absolute() if link is not None else None
        self.url = ""
        self.device_path = ""
        self._slave: int | None = None
        self._lock: int | None = None
        self.channel: Channel | None = None

    def open(self) -> None:
        """Make the terminal and its link."""
        try:
            import tty  # noqa: PLC0415 -- POSIX only; tcp works everywhere

            master, slave = os.openpty()
        except (ImportError, AttributeError) as error:
            raise EndpointError("this system has no pseudo-terminals", "use TCP: --tcp 127.0.0.1:0") from error
        except OSError as error:
            raise EndpointError(f"no pseudo-terminal is free ({error})", "close some terminals, or use --tcp 127.0.0.1:0") from error
        tty.setraw(slave)
        self._slave, self.channel = slave, Channel(master, cap_bytes=OUT_BYTES)
        self.device_path = os.ttyname(slave)
        self.url = str(self.symlink) if self.symlink is not None else self.device_path
        if self.symlink is not None:
            try:
                self._make_link(self.symlink)
            except BaseException:
                self.close()
                raise

    def _make_link(self, link: Path) -> None:
        """A link that leads nowhere, or whose simulator no longer holds the lock beside it, is what a killed one left.

        Where it leads is no proof: the number of a terminal is soon used again.
        """
        abandoned = self._take_lock(link)
        if link.is_symlink() and (abandoned or not link.exists() or str(link.readlink()) == self.device_path):
            link.unlink()
        try:
            link.symlink_to(self.device_path)
        except FileExistsError as error:
            raise EndpointError(f"{link} exists already", f"if no simulator uses it, remove it: rm {link}") from error
        except OSError as error:
            raise EndpointError(f"{link} cannot be made ({error.strerror})", "name a link in a folder you may write to") from error

    def _take_lock(self, link: Path) -> bool:
        """Hold the lock beside the link while this process lives, if nobody does. Whether a dead holder had left its file there."""
        import fcntl  # noqa: PLC0415 -- POSIX only, as the terminals are

        path = self._lock_path(link)
        left_over = path.exists()
        try:
            lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise EndpointError(f"{link} cannot be made ({error.strerror})", "name a link in a folder you may write to") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(lock)
            return False
        self._lock = lock
        return left_over

    @staticmethod
    def _lock_path(link: Path) -> Path:
        return link.with_name(f".{link.name}.lock")

    def close(self) -> None:
        """Remove the link if it is still ours, and hang up. Harmless when repeated."""
        if self.symlink is not None and self.device_path and self._points_here(self.symlink):
            self.symlink.unlink()
        if self._lock is not None and self.symlink is not None:
            self._lock_path(self.symlink).unlink(missing_ok=True)
            os.close(self._lock)
            self._lock = None
        if self.channel is not None:
            self.channel.close()
            self.channel = None
        if self._slave is not None:
            os.close(self._slave)
            self._slave = None

    def _points_here(self, link: Path) -> bool:
        try:
            return str(link.readlink()) == self.device_path
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINVAL):  # gone, or no longer a link
                return False
            raise
