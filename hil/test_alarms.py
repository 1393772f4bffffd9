"""Every alarm of the protocol: raised when it should be, with its latency, and silent in the case beside it. One table, two tests.

A row says what brings the alarm about, when it is then due, how long it may take, and what the pump does afterwards; and a neighbour in
which it must not come. Figures are those of protocols/SPEC.md, section 10, and of the pump's profile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from hil.orders import Orders, applied
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.outcome import Applied
from itbpump.quantity import Volume
from itbpump.wire.messages import AlarmNumber, AlarmPriority, AlarmState, LogKind, Role, RunState, SilenceAlarm

pytestmark = pytest.mark.needs("virtual-time", "bench-hands", "fault-injection", "power-control")

# 0.96 mL of 2000 mcg/mL a day: a pulse of 500 nL every 45 s, so that nothing has to be waited for long.
FAST, FAST_NL = "1920 mcg/day", 960_000
PULSE_MS = 45_000
DAY_MS, HOUR_MS, MINUTE_MS = 86_400_000, 3_600_000, 60_000
LOW, HIGH = AlarmPriority.NON_CRITICAL, AlarmPriority.CRITICAL


@dataclass(frozen=True)
class Bench:
    """The pump and what can be done to it."""

    pump: PumpUnderTest
    clock: Clock
    plant: Plant
    power: Power

    def run(self, reservoir: str = "", low_alarm: str = "", dose: str = FAST) -> int:
        """Program and start; the uptime of the commit."""
        taken = self.pump.program(self.pump.rx(dose, reservoir=reservoir, low_alarm=low_alarm))
        return taken.result.uptime_ms if taken is not None else self.clock.uptime_ms()

    def now(self) -> int:
        return self.clock.uptime_ms()

    def alarm(self, alarm: AlarmNumber) -> AlarmState | None:
        return next((one for one in self.pump.status().alarms if one.alarm == alarm), None)

    def resets(self, count: int) -> None:
        for _ in range(count):
            self.plant.fault("power.watchdog-reset")

    def over_delivery(self, count: int) -> None:
        """The motor turns by itself, the pump stops, somebody starts it again: so many times."""
        for number in range(count):
            self.plant.fault("mechanical.extra-pulse", pulses=5)
            self.clock.advance("1m")
            if number < count - 1:
                self.run()


@pytest.fixture
def bench(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> Bench:
    return Bench(pump, clock, plant, power)


@dataclass(frozen=True)
class Case:
    """One alarm."""

    priority: AlarmPriority
    due: Callable[[Bench], int]
    """Brings it about; the uptime at which it is due."""
    early_ms: int
    late_ms: int
    """How long before and after that it may come."""
    gives: tuple[RunState, bool]
    """Run state, and whether drug flows, once it is up."""
    quiet: Callable[[Bench], None]
    """The case beside it: nothing of it may be seen at its end."""


# --------------------------------------------------------------------------------------------------------- reservoir
def _falls_to(reservoir: str, entered_nL: int, low_alarm: str, volume_nL: int) -> Callable[[Bench], int]:
    """Run from a reservoir that is said to hold so much; when the count comes down to `volume_nL`."""
    return lambda bench: bench.run(reservoir, low_alarm) + (entered_nL - volume_nL) * DAY_MS // FAST_NL


def _falls_nearly_to(reservoir: str, entered_nL: int, low_alarm: str, volume_nL: int) -> Callable[[Bench], None]:
    """The same, half an hour before."""

    def quiet(bench: Bench) -> None:
        due_ms = _falls_to(reservoir, entered_nL, low_alarm, volume_nL)(bench)
        bench.clock.advance(due_ms - 30 * MINUTE_MS - bench.now())

    return quiet


# ----------------------------------------------------------------------------------------------------------- battery
def _battery(permille: int) -> Callable[[Bench], int]:
    def due(bench: Bench) -> int:
        bench.run()
        bench.plant.battery(permille)
        return bench.now()

    return due


def _battery_for(permille: int, how_long: str) -> Callable[[Bench], None]:
    def quiet(bench: Bench) -> None:
        _battery(permille)(bench)
        bench.clock.advance(how_long)

    return quiet


def _end_of_service(bench: Bench) -> int:
    """90 days after the replacement indicator."""
    bench.run(dose="100 mcg/day")
    bench.plant.battery(55)
    bench.clock.advance("1m")
    indicator = bench.alarm(AlarmNumber.REPLACEMENT)
    assert indicator is not None, "a battery of 5.5 % raises the replacement indicator"
    return indicator.since_ms + 90 * DAY_MS


def _nearly_end_of_service(bench: Bench) -> None:
    bench.clock.advance(_end_of_service(bench) - HOUR_MS - bench.now())


def _reset_at(permille: int) -> Callable[[Bench], int]:
    def due(bench: Bench) -> int:
        _battery(permille)(bench)
        bench.power.cycle()
        return bench.now()

    return due


# ------------------------------------------------------------------------------------------------------------- rotor
def _faulty(name: str, after_ms: int = 0, **arguments: object) -> Callable[[Bench], int]:
    def due(bench: Bench) -> int:
        bench.run()
        bench.clock.advance("10m")
        bench.plant.fault(name, **arguments)
        return bench.now() + after_ms

    return due


def _harmless(name: str, how_long: str, **arguments: str | int) -> Callable[[Bench], None]:
    def quiet(bench: Bench) -> None:
        _faulty(name, 0, **arguments)(bench)
        bench.clock.advance(how_long)

    return quiet


def _again_and_again(count: int) -> Callable[[Bench], int]:
    def due(bench: Bench) -> int:
        bench.run()
        bench.over_delivery(count)
        return bench.now()

    return due


# ------------------------------------------------------------------------------------------------- stops and sessions
def _stopped(bench: Bench) -> int:
    bench.run()
    taken = bench.pump.stop()
    return (taken.result.uptime_ms if taken is not None else bench.now()) + 48 * HOUR_MS


def _nearly_stopped_long(bench: Bench) -> None:
    bench.clock.advance(_stopped(bench) - MINUTE_MS - bench.now())


def _emergency(bench: Bench) -> int:
    bench.run()
    bench.plant.magnet("10s")
    begun_ms = bench.now()
    bench.pump.by("card", Role.EMERGENCY).status()
    return begun_ms


def _second_clinician(bench: Bench) -> None:
    bench.run()
    bench.plant.magnet("10s")
    bench.pump.by("night shift").status()


# ------------------------------------------------------------------------------------------------------------ resets
def _resets(count: int) -> Callable[[Bench], int]:
    def due(bench: Bench) -> int:
        bench.run()
        bench.resets(count)
        return bench.now()

    return due


def _random(bench: Bench) -> int:
    bench.run()
    bench.plant.fault("software.random-source")
    bench.power.cycle()
    return bench.now()


def _plain_reset(bench: Bench) -> None:
    bench.run()
    bench.clock.advance("1h")
    bench.power.cycle()


def _after(due: Callable[[Bench], int]) -> Callable[[Bench], None]:
    def quiet(bench: Bench) -> None:
        due(bench)
        bench.clock.advance("1m")

    return quiet


GOES_ON, MINIMUM, STANDS = (RunState.RUNNING, True), (RunState.SAFE, True), (RunState.SAFE, False)
CASES: dict[AlarmNumber, Case] = {
    AlarmNumber.LOW_RESERVOIR: Case(
        LOW,
        _falls_to("7 mL", 7_000_000, "6.5 mL", 6_500_000),
        PULSE_MS,
        PULSE_MS,
        GOES_ON,
        _falls_nearly_to("7 mL", 7_000_000, "6.5 mL", 6_500_000),
    ),
    AlarmNumber.EMPTY_RESERVOIR: Case(
        HIGH,
        _falls_to("3 mL", 3_000_000, "2.5 mL", 1_400_000),
        PULSE_MS,
        PULSE_MS,
        GOES_ON,
        _falls_nearly_to("3 mL", 3_000_000, "2.5 mL", 1_400_000),
    ),
    AlarmNumber.RESERVOIR_USED_UP: Case(
        HIGH,
        _falls_to("3 mL", 3_000_000, "2.5 mL", 0),
        PULSE_MS,
        PULSE_MS,
        STANDS,
        _falls_nearly_to("3 mL", 3_000_000, "2.5 mL", 0),
    ),
    AlarmNumber.REPLACEMENT: Case(LOW, _battery(50), 0, MINUTE_MS, GOES_ON, _battery_for(100, "1d")),
    AlarmNumber.END_OF_SERVICE: Case(HIGH, _end_of_service, 0, MINUTE_MS, STANDS, _nearly_end_of_service),
    AlarmNumber.LOW_BATTERY_RESET: Case(HIGH, _reset_at(50), MINUTE_MS, MINUTE_MS, MINIMUM, _after(_reset_at(200))),
    AlarmNumber.MOTOR_STALL: Case(
        HIGH, _faulty("mechanical.stall", 20 * MINUTE_MS), 0, 2 * PULSE_MS, GOES_ON, _harmless("mechanical.stall", "1h", for_="15m")
    ),
    AlarmNumber.OVER_DELIVERY: Case(
        HIGH, _faulty("mechanical.extra-pulse", pulses=5), 0, MINUTE_MS, STANDS, _harmless("mechanical.extra-pulse", "1h", pulses=1)
    ),
    # Half of the pulses missed: a tenth of a day's 1,920 after 384 of them.
    AlarmNumber.UNDER_DELIVERY: Case(
        HIGH,
        _faulty("sensors.encoder-missed", 384 * PULSE_MS, percent=50),
        10 * PULSE_MS,
        10 * PULSE_MS,
        GOES_ON,
        _harmless("sensors.encoder-missed", "1d", percent=5),
    ),
    AlarmNumber.STOPPED_LONG: Case(HIGH, _stopped, 0, MINUTE_MS, (RunState.STOPPED, False), _nearly_stopped_long),
    AlarmNumber.MEMORY_REPAIRED: Case(LOW, _faulty("memory.flip", region="log", offset=10), MINUTE_MS, MINUTE_MS, GOES_ON, _plain_reset),
    AlarmNumber.MEMORY_LOST: Case(HIGH, _faulty("memory.both-slots"), MINUTE_MS, MINUTE_MS, MINIMUM, _plain_reset),
    AlarmNumber.RESET_LOOP: Case(HIGH, _resets(3), MINUTE_MS, MINUTE_MS, MINIMUM, _after(_resets(2))),
    AlarmNumber.RESTART_LOCKED: Case(HIGH, _again_and_again(3), MINUTE_MS, MINUTE_MS, STANDS, _after(_again_and_again(2))),
    AlarmNumber.EMERGENCY_SESSION: Case(HIGH, _emergency, 0, MINUTE_MS, GOES_ON, _second_clinician),
    AlarmNumber.RANDOM_SOURCE: Case(LOW, _random, MINUTE_MS, MINUTE_MS, GOES_ON, _plain_reset),
}


def test_table_has_every_alarm() -> None:
    assert set(CASES) == set(AlarmNumber)


# ------------------------------------------------------------------------------------------------------- raised, silent
def _comes(bench: Bench, alarm: AlarmNumber, due_ms: int, late_ms: int) -> AlarmState | None:
    """The alarm as it is up when it may be no later; None if it is not. Looked for at the end alone: the pump tells since when."""
    wait_ms = due_ms + late_ms + MINUTE_MS - bench.now()
    if wait_ms > 0:
        bench.clock.advance(wait_ms)
    return bench.alarm(alarm)


@pytest.mark.sr("SR-29", "SR-30", "SR-32", "SR-33", "SR-35", "SR-55", "SR-58", "SR-59", "SR-61")
@pytest.mark.parametrize("alarm", list(CASES), ids=lambda alarm: alarm.name.lower())
def test_alarm_is_raised_in_time(alarm: AlarmNumber, bench: Bench, measure: Measure) -> None:
    case = CASES[alarm]
    due_ms = case.due(bench)
    found = _comes(bench, alarm, due_ms, case.late_ms)
    assert found is not None, f"{alarm.name} has not come {case.late_ms} ms after it was due"
    measure("latency", found.since_ms - due_ms, "ms", lo=-case.early_ms, hi=case.late_ms)
    assert found.priority is case.priority
    status = bench.pump.status()
    assert (status.run_state, status.flow_nL_per_day > 0) == case.gives
    raised = [entry for entry in bench.pump.log() if entry.kind is LogKind.ALARM_RAISED and entry.a == alarm]
    assert [entry.uptime_ms for entry in raised][-1:] == [found.since_ms], "the log does not tell when it was raised"


@pytest.mark.sr("SR-32", "SR-55")
@pytest.mark.parametrize("alarm", list(CASES), ids=lambda alarm: alarm.name.lower())
def test_alarm_is_silent_in_the_case_beside_it(alarm: AlarmNumber, bench: Bench) -> None:
    CASES[alarm].quiet(bench)
    assert bench.alarm(alarm) is None
    assert not [entry for entry in bench.pump.log() if entry.kind is LogKind.ALARM_RAISED and entry.a == alarm]


@pytest.mark.sr("SR-32", "SR-55")
def test_month_of_therapy_is_silent(bench: Bench) -> None:
    bench.run(dose="200 mcg/day")
    bench.clock.advance("30d")
    status = bench.pump.status()
    assert (status.alarms, status.run_state) == ((), RunState.RUNNING)
    assert not [entry for entry in bench.pump.log() if entry.kind is LogKind.ALARM_RAISED]


# --------------------------------------------------------------------------------------------------- what flows afterwards
@pytest.mark.sr("SR-29", "SR-31", "SR-32")
@pytest.mark.parametrize(
    "alarm", [alarm for alarm, case in CASES.items() if case.gives[0] is RunState.SAFE], ids=lambda alarm: alarm.name.lower()
)
def test_safe_state_is_what_really_flows(alarm: AlarmNumber, bench: Bench, measure: Measure) -> None:
    case = CASES[alarm]
    _comes(bench, alarm, case.due(bench), case.late_ms)
    from_ms = bench.now()
    bench.clock.advance("1d")
    given_nL = len(bench.plant.pulses(from_ms, bench.now())) * bench.pump.info.pulse_volume_nL
    minimum_nL = bench.pump.info.minimum_rate_nL_per_day if case.gives[1] else 0
    # Half a pulse either way, and the residual of what flowed before.
    slack_nL = bench.pump.info.pulse_volume_nL if case.gives[1] else 0
    measure("given in a day of the safe state", given_nL, "nL", lo=minimum_nL - slack_nL, hi=minimum_nL + slack_nL)


@pytest.mark.sr("SR-30", "SR-49")
def test_stall_that_frees_itself_is_told_with_what_it_cost(bench: Bench, measure: Measure) -> None:
    bench.run()
    bench.clock.advance("10m")
    bench.plant.fault("mechanical.stall", for_="2h")
    bench.clock.advance("1h")
    assert bench.alarm(AlarmNumber.MOTOR_STALL) is not None
    bench.clock.advance("2h")
    assert bench.alarm(AlarmNumber.MOTOR_STALL) is None
    recovered = [entry for entry in bench.pump.log() if entry.kind is LogKind.STALL_RECOVERED]
    measure("pulses missed, by the pump", sum(entry.a for entry in recovered), "pulses", lo=159, hi=161)


# ------------------------------------------------------------------------------------------------------------ panel
@pytest.mark.sr("SR-55")
def test_critical_alarms_come_first_then_the_newest(bench: Bench) -> None:
    bench.run("7 mL", "6.5 mL")
    bench.clock.advance("13h")
    bench.plant.battery(50)
    bench.clock.advance("1m")
    bench.plant.fault("mechanical.extra-pulse", pulses=5)
    bench.clock.advance("1m")
    told = [alarm.alarm for alarm in bench.pump.status().alarms]
    assert told == [AlarmNumber.OVER_DELIVERY, AlarmNumber.REPLACEMENT, AlarmNumber.LOW_RESERVOIR]


@pytest.mark.sr("SR-35", "SR-47")
def test_alarm_outlives_a_reset(bench: Bench) -> None:
    bench.run("7 mL", "6.5 mL")
    bench.clock.advance("13h")
    before = bench.alarm(AlarmNumber.LOW_RESERVOIR)
    bench.power.cycle()
    after = bench.alarm(AlarmNumber.LOW_RESERVOIR)
    assert before is not None
    assert after == before


@pytest.mark.sr("SR-34", "SR-35")
def test_refill_ends_the_alarm_and_starts_the_count_anew(bench: Bench, measure: Measure) -> None:
    bench.run("7 mL", "6.5 mL")
    bench.clock.advance("13h")
    assert bench.alarm(AlarmNumber.LOW_RESERVOIR) is not None
    usable_nL = bench.pump.status().reservoir_nL - bench.pump.info.residual_nL
    outcome, refill = bench.pump.session().refill(Volume(usable_nL), Volume.parse("30 mL"))
    assert isinstance(outcome, Applied)
    assert bench.alarm(AlarmNumber.LOW_RESERVOIR) is None
    meant_nL = refill.volume_after.nL
    measure("counted after the refill", bench.pump.status().reservoir_nL, "nL", lo=meant_nL - 500, hi=meant_nL)
    bench.clock.advance("5d")
    assert bench.alarm(AlarmNumber.LOW_RESERVOIR) is None


def _silenced(bench: Bench) -> int:
    """A low battery that was silenced just now; the uptime."""
    _battery(50)(bench)
    bench.clock.advance("1m")
    assert applied(Orders(bench.pump).direct(lambda cmd_id: SilenceAlarm(cmd_id, AlarmNumber.REPLACEMENT)))
    return bench.now()


def _is_silent(bench: Bench) -> bool:
    found = bench.alarm(AlarmNumber.REPLACEMENT)
    assert found is not None, "a silenced alarm stays on the panel"
    return found.silenced_until_ms > bench.now()


@pytest.mark.sr("SR-56")
def test_silence_ends_by_itself_after_ten_minutes(bench: Bench, measure: Measure) -> None:
    begun_ms = _silenced(bench)
    found = bench.alarm(AlarmNumber.REPLACEMENT)
    assert found is not None
    measure("silence", found.silenced_until_ms - begun_ms, "ms", lo=9 * MINUTE_MS, hi=10 * MINUTE_MS)
    bench.clock.advance("9m")
    assert _is_silent(bench)
    bench.clock.advance("70s")
    assert not _is_silent(bench)


@pytest.mark.sr("SR-51", "SR-56")
def test_silence_ends_with_its_session(bench: Bench) -> None:
    _silenced(bench)
    bench.pump.reconnect()
    assert not _is_silent(bench)


@pytest.mark.sr("SR-56")
def test_silence_ends_with_a_reset(bench: Bench) -> None:
    _silenced(bench)
    bench.power.cycle()
    assert not _is_silent(bench)
