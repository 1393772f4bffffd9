"""The pump's alarm table and the protocol's numbers are written apart and must be the same."""

from firmware_sim.firmware.alarm_table import ALARMS, Alarm
from itbpump.wire.messages import AlarmNumber


def test_the_pumps_alarms_have_the_numbers_and_names_of_the_protocol() -> None:
    assert {alarm.name: alarm.value for alarm in Alarm} == {number.name: number.value for number in AlarmNumber}
    assert [row.alarm for row in ALARMS] == list(Alarm)
