"""Every number the protocol gives to an alarm has its row in the pump's table, once and in order."""

from firmware_sim.firmware.alarm_table import ALARMS
from itbpump.wire.messages import AlarmNumber


def test_the_pumps_table_has_a_row_for_each_number_of_the_protocol() -> None:
    assert [row.alarm for row in ALARMS] == list(AlarmNumber)
