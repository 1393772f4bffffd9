"""A station on a pump in this process: scopes of reset, broken and whole again, faults of the line, who has the line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from itbpump.hil import recording
from itbpump.hil.errors import BenchRefused, MeasurementError, MissingCapability, NotAsOrdered, RigBroken
from itbpump.hil.model import Capability
from itbpump.hil.recording import FRAMES_OF_PASSED, Journal
from itbpump.hil.station import Station
from itbpump.hil.targets import MEMORY, target_named
from itbpump.link.errors import PumpBusy
from itbpump.profiles import profile_names
from itbpump.transport.base import PortClosedError, PortUnpluggedError
from itbpump.wire.messages import AlarmNumber, RunState


@pytest.fixture
def station() -> Iterator[Station]:
    made = Station(MEMORY)
    made.begin(Journal(seed=5), "new")
    yield made
    made.close()


# --------------------------------------------------------------------------------------------------------------- resets
@pytest.mark.parametrize(("scope", "revision", "resets"), [("none", 1, 0), ("session", 1, 0), ("power", 1, 1), ("new", 0, 0), (None, 0, 0)])
def test_reset_goes_as_far_as_its_scope(station: Station, scope: str | None, revision: int, resets: int) -> None:
    station.pump.program(station.pump.rx())
    before = station.pump.session()
    station.begin(Journal(seed=6), scope)
    assert (station.pump.session() is before) is (scope == "none")
    status = station.pump.status()
    assert (status.revision, status.resets) == (revision, resets)


def test_equal_seeds_give_equal_bytes_and_others_other_ones() -> None:
    def frames(seed: int) -> list[str]:
        station = Station(MEMORY)
        try:
            journal = Journal(seed, read_frames=True)
            station.begin(journal, "new")
            station.pump.program(station.pump.rx())
            station.clock.advance("2h")
            station.finish()
            journal.settle()
            return [f"{frame.at_ms} {frame.to_pump} {frame.data_hex} {frame.what}" for frame in journal.frames]
        finally:
            station.close()

    assert frames(1) == frames(1)
    assert frames(1) != frames(2)
    assert any("GetStatus" in frame for frame in frames(1)), "frames are read"


def test_fresh_pump_forgets_programmers_and_power(station: Station) -> None:
    first = station.pump.programmer
    station.pump.to("off")
    station.begin(Journal(seed=6), "new")
    assert station.power.is_on
    assert station.pump.programmer is not first
    assert station.pump.status().run_state is RunState.UNCONFIGURED


# ------------------------------------------------------------------------------------------------------------- strategy
@pytest.mark.parametrize("profile", profile_names())
def test_every_state_is_reached_from_every_other_one(profile: str) -> None:
    station = Station(target_named(f"sim://{profile}?fill=18mL", {}, ""))
    try:
        station.begin(Journal(), "new")
        for one in ("idle", "infusing", "alarm", "off"):
            for other in ("idle", "infusing", "alarm", "off"):
                station.strategy.to(one)
                station.strategy.to(other)
                assert station.strategy.state() == other
    finally:
        station.close()


def test_broken_stays_broken_with_its_first_cause_until_the_pump_is_new(station: Station) -> None:
    station.pump.to("infusing")
    station.plant.fault("mechanical.stall")
    station.clock.until(lambda: station.pump.status().alarms, within="1d", step="10m")
    with pytest.raises(NotAsOrdered, match="it is in 'alarm'") as first:
        station.pump.to("infusing")
    for scope in ("none", "session", "power"):
        with pytest.raises(RigBroken) as later:
            station.begin(Journal(), scope)
        assert str(first.value) in later.value.first_cause
    with pytest.raises(RigBroken):
        station.pump.to("idle")
    station.begin(Journal(), "new")
    station.pump.to("infusing")


def test_alarm_of_the_strategy_is_a_low_reservoir(station: Station) -> None:
    station.pump.to("alarm")
    assert {alarm.alarm for alarm in station.pump.status().alarms} == {AlarmNumber.LOW_RESERVOIR}


def test_state_that_is_none_breaks_nothing(station: Station) -> None:
    with pytest.raises(MeasurementError, match="off, idle, infusing, alarm"):
        station.pump.to("infusign")
    station.pump.to("infusing")


# ------------------------------------------------------------------------------------------------------------- the line
def test_line_has_one_user(station: Station) -> None:
    session = station.pump.session()
    raw = station.pump.line()
    with pytest.raises(PortClosedError):
        session.session.transport.read(0)
    other = station.pump.by("other")
    assert other.status().revision == 0
    with pytest.raises(PortClosedError):
        raw.write(b"x")


def test_line_given_back_without_a_word_leaves_the_session_standing(station: Station) -> None:
    station.pump.status()
    station.pump.drop_line()
    with pytest.raises(PumpBusy):
        station.pump.by("other").status()


def test_faults_strike_inside_and_nowhere_else(station: Station) -> None:
    with station.link_faults("to-pump.drop=every3,seed=1") as line:
        for _ in range(9):
            station.pump.status()
    struck = len(line.fired)
    assert struck >= 3
    station.pump.status()
    assert len(line.fired) == struck
    assert any("drop struck frame" in event.text for event in station.journal.events)


def test_pulled_cable_is_put_back_by_opening_again(station: Station) -> None:
    with station.link_faults("to-pump.disconnect=#8") as line:
        with pytest.raises(PortUnpluggedError, match="pulled the cable"):
            station.clock.until(lambda: station.pump.status().revision, within="20m", step="1m")
        station.pump.drop_line()
        assert station.pump.status().revision == 0
    assert len(line.fired) == 1


def test_faults_in_faults_and_nonsense_are_refused(station: Station) -> None:
    with pytest.raises(MeasurementError, match="drpo"), station.link_faults("drpo=1%"):
        pytest.fail("never inside")
    with station.link_faults("drop=1%"), pytest.raises(MeasurementError, match="already"), station.link_faults("drop=1%"):
        pytest.fail("never inside")


def test_faults_of_the_address_are_there_in_every_test() -> None:
    station = Station(target_named("faulty:to-pump.duplicate=all;sim://P-40?fill=38mL", {}, ""))
    try:
        for seed in (1, 2):
            journal = Journal(seed)
            station.begin(journal, "new")
            station.pump.status()
            assert station._lasting is not None
            assert station._lasting.fired
    finally:
        station.close()


# ---------------------------------------------------------------------------------------------------------- bench, record
def test_bench_refuses_by_name_and_without_harm(station: Station) -> None:
    bench = station.rig.bench
    assert bench is not None
    for command, arguments in (("advnace", {}), ("advance", {}), ("advance", {"for_": "x"}), ("quit", {}), ("refill", {"fill_nL": "90mL"})):
        with pytest.raises(BenchRefused):
            bench.call(command, **arguments)
    assert station.pump.status().uptime_ms == 0


def test_what_a_rig_lacks_is_told_with_the_marker_to_write() -> None:
    station = Station(target_named("sim://P-40?fill=38mL&speed=1", {}, ""))
    try:
        with pytest.raises(MissingCapability, match=r'needs\("virtual-time"\)'):
            station.require(Capability.VIRTUAL_TIME, "let a week pass")
    finally:
        station.close()


def test_capability_that_is_not_declared_is_not_used() -> None:
    """A rig may declare less than its kind can do, and is held to it."""
    station = Station(replace(MEMORY, capabilities=frozenset({Capability.VIRTUAL_TIME})))
    try:
        station.begin(Journal(), "new")
        for act, lacking in (
            (lambda: station.plant.fault("mechanical.stall"), "fault-injection"),
            (lambda: station.plant.needle(fill="1 mL"), "bench-hands"),
            (lambda: station.plant.pulses(0, 1), "plant-pulses"),
            (lambda: station.pump.to("off"), "power-control"),
            (lambda: station.link_faults("drop=1%").__enter__(), "link-faults"),
        ):
            with pytest.raises(MissingCapability, match=lacking):
                act()
    finally:
        station.close()


def test_of_a_test_that_failed_every_frame_is_kept(station: Station) -> None:
    journal = station.journal
    for _ in range(FRAMES_OF_PASSED * 4):
        station.pump.status()
    journal.settle()
    assert len(journal.frames) > FRAMES_OF_PASSED * 8, "two frames each, and the handshake"
    assert not any("not kept" in event.text for event in journal.events)


def test_of_a_test_that_passed_the_last_frames_are_kept_and_read_and_the_others_counted(station: Station) -> None:
    station.begin(both := Journal(seed=7, read_frames=True), "new")
    for _ in range(FRAMES_OF_PASSED):
        station.pump.status()
    both.settle()
    station.begin(short := Journal(seed=7, read_frames=True), "new")
    for _ in range(FRAMES_OF_PASSED):
        station.pump.status()
    short.settle(passed=True)
    left_out = len(both.frames) - FRAMES_OF_PASSED
    assert short.frames == both.frames[left_out:], "read as if all were kept: the handshake before them is known"
    assert all("Status" in frame.what for frame in short.frames)
    assert short.events[-1].text == f"{left_out} frames before the last {FRAMES_OF_PASSED} were not kept: the test passed"


def test_of_a_test_without_end_the_first_and_the_last_frames_are_kept_and_the_others_counted(
    station: Station, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "FRAMES_KEPT", 50)
    station.begin(journal := Journal(seed=7), "new")
    for _ in range(100):  # two frames each
        station.pump.status()
    journal.settle()
    assert len(journal.frames) == 100
    told = journal.events[-1].text
    assert int(told.split()[0]) > 0
    assert "frames between the first 50 and the last 50 were not kept" in told


def test_log_is_read_at_the_end_and_leaves_no_frame_in_the_record(station: Station) -> None:
    journal = station.journal
    station.pump.program(station.pump.rx())
    journal_events = len(journal.events)
    station.finish()
    assert any("command 1 carried out: configure" in line for line in journal.pump_log)
    assert len(journal.events) == journal_events
    station.begin(Journal(), "new")
    station.pump.to("off")
    station.finish()
    assert station.journal.pump_log == ()
    assert "no power" in station.journal.events[-1].text
