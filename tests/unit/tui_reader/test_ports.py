"""Serial ports for the first page: adapters first, in an order that stays, with words that can be shown."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st

from itbpump.tui.ports import FoundPort, found_ports, ordered


@dataclass(frozen=True)
class Info:
    device: str
    description: str | None = "n/a"
    manufacturer: str | None = None
    vid: int | None = None


LISTED = (
    Info("/dev/ttyS0", "ttyS0"),
    Info("/dev/ttyUSB10", "FT232R USB UART", "FTDI", 0x0403),
    Info("/dev/cu.Bluetooth-Incoming-Port"),
    Info("/dev/ttyUSB2", "USB Serial", None, 0x1A86),
    Info("/dev/ttyACM0", "Pump adapter", "Example Works", 0x2341),
    Info("/dev/cu.debug-console", None, None, 5),
)


def test_adapters_come_first_by_name_with_2_before_10_and_the_unlikely_last() -> None:
    assert [port.device for port in found_ports(lambda: LISTED)] == [
        "/dev/ttyACM0", "/dev/ttyUSB2", "/dev/ttyUSB10", "/dev/ttyS0", "/dev/cu.Bluetooth-Incoming-Port", "/dev/cu.debug-console",
    ]  # fmt: skip
    assert [port.likely for port in found_ports(lambda: LISTED)] == [True, True, True, False, False, False]


def test_a_port_says_what_it_is_and_who_made_it_where_that_adds_something() -> None:
    told = {port.device: port.description for port in ordered(LISTED)}
    assert told["/dev/ttyACM0"] == "Pump adapter, Example Works"
    assert told["/dev/ttyUSB2"] == "USB Serial"
    assert told["/dev/cu.Bluetooth-Incoming-Port"] == ""
    assert ordered([Info("COM3", "FTDI cable (COM3)", "FTDI", 1)]) == [FoundPort("COM3", "FTDI cable (COM3)", likely=True)]
    assert ordered([Info("COM4", "COM4")])[0].description == ""
    assert ordered([Info("COM5", "evil\x1b[2J\nname\t", None, 1)])[0].description == "evil [2J name"


@given(st.permutations(LISTED))
def test_the_order_does_not_hang_on_how_the_system_lists_them(listed: list[Info]) -> None:
    assert ordered([*listed, listed[0]]) == ordered(LISTED)


@given(st.lists(st.builds(Info, st.text(max_size=12), st.none() | st.text(), st.none() | st.text(), st.none() | st.integers(0, 65_535))))
def test_whatever_an_adapter_calls_itself_can_be_shown(listed: list[Info]) -> None:
    for port in ordered(listed):
        assert port.description.isprintable()
    assert {port.device for port in ordered(listed)} == {info.device for info in listed}


def test_this_computer_can_be_asked() -> None:
    assert all(isinstance(port, FoundPort) for port in found_ports())
