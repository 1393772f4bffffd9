"""A pump in the caller's process whose time is changed while it runs, and hands that reach it while another thread waits on the line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.endpoints.clock import MANUAL, REAL, Speed
from firmware_sim.endpoints.device import Device
from firmware_sim.endpoints.inprocess import InProcessLine, LineGoneError
from itbpump.transport.base import PortClosedError
from itbpump.transport.sim import SimTransport
from tests.contract.echo import EchoDevice

MS = 1_000_000


class Nanoseconds:
    def __init__(self) -> None:
        self.now = 5_000 * MS

    def __call__(self) -> int:
        return self.now


@given(st.lists(st.tuples(st.sampled_from([MANUAL, REAL, Speed(60), Speed(1, 2), Speed(3_600)]), st.integers(0, 10_000)), max_size=20))
def test_uptime_is_the_sum_of_what_each_speed_gave_and_the_link_is_never_scaled(stretches: list[tuple[Speed, int]]) -> None:
    """Each change may cost a part of a millisecond, never more, and gives none."""
    clock, device = Nanoseconds(), EchoDevice()
    line = InProcessLine(device, speed=REAL, monotonic_ns=clock)
    begun_ms = line.now_ms()
    wanted = Fraction(0)
    for speed, ms in stretches:
        line.change_speed(speed)
        assert line.speed == speed
        clock.now += ms * MS
        wanted += Fraction(ms * speed.numerator, speed.denominator)
    line.read(0)
    assert wanted - 1 - len(stretches) < device.uptime_ms <= wanted
    assert line.now_ms() - begun_ms == sum(ms for _, ms in stretches)


def test_a_line_in_manual_time_keeps_its_one_clock() -> None:
    line = InProcessLine(EchoDevice())
    assert line.manual
    with pytest.raises(ValueError, match="moved by hand"):
        line.change_speed(REAL)
    assert not InProcessLine(EchoDevice(), speed=REAL).manual


def test_a_waiting_read_follows_the_new_speed() -> None:
    """At a standstill the event would never come: only the change lets the read end."""
    device = EchoDevice(event_at_ms=3_600_000, event_says=b"alarm")
    line = InProcessLine(device, speed=REAL)
    line.change_speed(MANUAL)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(line.read(20_000)))
    reader.start()
    line.change_speed(Speed(1_000_000))
    reader.join(15)
    assert got == [b"alarm"]


def test_hands_reach_the_device_while_a_read_waits_and_what_it_says_is_heard() -> None:
    device = EchoDevice()
    line = InProcessLine(device, speed=REAL)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(line.read(20_000)))
    reader.start()

    def act(found: Device) -> str:
        assert found is device
        device.say(b"by hand")
        return "done"

    assert line.with_device(act) == "done"
    reader.join(15)
    assert got == [b"by hand"]


def test_what_hands_raise_is_theirs_and_the_line_goes_on() -> None:
    device = EchoDevice()
    line = InProcessLine(device, speed=REAL)

    def act(_device: Device) -> None:
        device.say(b"said before")
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        line.with_device(act)
    assert line.read(0) == b"said before"


def test_a_line_that_is_gone_takes_neither() -> None:
    line = InProcessLine(EchoDevice(), speed=REAL)
    line.close()
    with pytest.raises(LineGoneError):
        line.change_speed(MANUAL)
    with pytest.raises(LineGoneError):
        line.with_device(lambda device: device.uptime_ms)


# ------------------------------------------------------------------------------------------------ as a transport
@pytest.fixture
def transport() -> Iterator[SimTransport]:
    made = SimTransport.open("sim://P-40?fill=38mL&speed=real")
    yield made
    made.close()


def test_the_transport_tells_and_changes_its_speed(transport: SimTransport) -> None:
    assert (transport.manual, transport.speed) == (False, "real")
    transport.change_speed("3600")
    assert transport.speed == "3600"
    transport.change_speed("manual")
    assert (transport.manual, transport.speed) == (False, "manual"), "pump time stands; the link's goes on"
    with pytest.raises(ValueError, match="no speed"):
        transport.change_speed("fast")
    assert SimTransport.open("sim://P-40").manual


def test_the_transport_lends_its_pump_and_drops_old_bytes(transport: SimTransport) -> None:
    transport.with_device(lambda device: device.power_cut())
    assert not transport.device.powered
    transport.discard()
    assert transport.read(0) == b""
    transport.close()
    for call in (transport.discard, lambda: transport.change_speed("real"), lambda: transport.with_device(lambda device: device.serial)):
        with pytest.raises(PortClosedError):
            call()
