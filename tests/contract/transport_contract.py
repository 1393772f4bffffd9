"""What every Transport must do, as a class of tests. A test module derives from it and gives a `rig` fixture.

The other end of a rig echoes what it hears. After trio's `check_streams`: one suite, every stream passes it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from itbpump.transport import PortClosedError, PortUnpluggedError, Transport, TransportError

# Far above any scheduling delay; a hang is what it must tell from a wait.
PATIENCE_MS = 20_000


@dataclass
class Rig:
    """A transport to an echo, and how to take the echo away."""

    transport: Transport
    vanish: Callable[[], None]

    def read_exactly(self, count: int) -> bytes:
        """Fails the test if they do not come."""
        data = b""
        while len(data) < count:
            more = self.transport.read(PATIENCE_MS)
            assert more, f"only {len(data)} of {count} bytes came"
            data += more
        return data


class TransportContract:
    """Derive from it; provide a fixture `rig`."""

    @pytest.mark.parametrize("size", [0, 1, 64, 4096, 40_000])
    def test_bytes_arrive_complete_and_in_order(self, rig: Rig, size: int) -> None:
        sent = bytes(index * 31 % 251 for index in range(size))
        received = b""
        for start in range(0, size, 1024):  # as a half-duplex link does: no more under way than one frame
            rig.transport.write(sent[start : start + 1024])
            received += rig.read_exactly(len(sent[start : start + 1024]))
        assert received == sent

    def test_every_byte_value_passes(self, rig: Rig) -> None:
        every = bytes(range(256))
        rig.transport.write(every)
        assert rig.read_exactly(256) == every

    def test_an_empty_write_sends_nothing(self, rig: Rig) -> None:
        rig.transport.write(b"")
        assert rig.transport.read(30) == b""

    def test_silence_gives_an_empty_read_no_earlier_than_asked(self, rig: Rig) -> None:
        before_ms = rig.transport.now_ms()
        assert rig.transport.read(30) == b""
        assert 30 <= rig.transport.now_ms() - before_ms < PATIENCE_MS

    def test_a_read_without_wait_returns_at_once(self, rig: Rig) -> None:
        assert rig.transport.read(0) == b""

    def test_a_read_returns_when_bytes_come_not_when_its_wait_ends(self, rig: Rig) -> None:
        rig.transport.write(b"x")
        before_ms = rig.transport.now_ms()
        assert rig.transport.read(PATIENCE_MS) == b"x"
        assert rig.transport.now_ms() - before_ms < PATIENCE_MS

    def test_a_negative_wait_is_refused(self, rig: Rig) -> None:
        with pytest.raises(ValueError, match="0 or more"):
            rig.transport.read(-1)

    def test_the_clock_never_runs_backwards(self, rig: Rig) -> None:
        times_ms = []
        for _ in range(5):
            times_ms.append(rig.transport.now_ms())
            rig.transport.read(1)
        assert times_ms == sorted(times_ms)

    def test_use_after_close_raises(self, rig: Rig) -> None:
        rig.transport.close()
        with pytest.raises(PortClosedError) as caught:
            rig.transport.write(b"x")
        assert caught.value.url == rig.transport.url
        with pytest.raises(PortClosedError):
            rig.transport.read(0)

    def test_closing_twice_is_fine(self, rig: Rig) -> None:
        rig.transport.close()
        rig.transport.close()
        with pytest.raises(PortClosedError):
            rig.transport.read(0)

    def test_a_vanished_peer_is_reported_and_says_what_to_do(self, rig: Rig) -> None:
        rig.vanish()
        with pytest.raises(PortUnpluggedError) as caught:
            _read_until_error(rig.transport)
        assert caught.value.action
        assert rig.transport.url in str(caught.value)

    def test_writing_to_a_vanished_peer_is_reported(self, rig: Rig) -> None:
        rig.vanish()
        with pytest.raises(PortUnpluggedError):  # noqa: PT012 -- a network tells it only to the second write
            for _ in range(100):
                rig.transport.write(b"hello")
                rig.transport.read(10)

    def test_a_close_from_another_thread_ends_a_read(self, rig: Rig) -> None:
        errors: list[BaseException] = []
        started = threading.Event()

        def read_on() -> None:
            started.set()
            try:
                while True:
                    rig.transport.read(1000 * PATIENCE_MS)
            except TransportError as error:
                errors.append(error)

        threads = [threading.Thread(target=read_on, daemon=True), threading.Thread(target=rig.transport.close, daemon=True)]
        threads[0].start()
        assert started.wait(PATIENCE_MS / 1000)
        threads[1].start()
        for thread in threads:
            thread.join(PATIENCE_MS / 1000)
        assert not any(thread.is_alive() for thread in threads)
        assert [type(error) for error in errors] == [PortClosedError]


def _read_until_error(transport: Transport) -> None:
    """What was under way before the peer went may still come."""
    for _ in range(100):
        transport.read(200)
