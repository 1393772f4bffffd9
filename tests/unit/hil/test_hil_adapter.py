"""An adapter at work: a pump that speaks lines of text, under the same fixtures. It is the worked example of docs/hil.md."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pytest
from msgspec.structs import replace

from itbpump.hil.adapter import Adapter, alarm_of, info_of, load_adapter, status_of
from itbpump.hil.clock import Clock
from itbpump.hil.errors import NotAsOrdered, RigBroken, TargetsError
from itbpump.hil.model import Capability
from itbpump.hil.recording import Journal
from itbpump.hil.station import Station
from itbpump.hil.targets import Target
from itbpump.quantity import Duration, Mass
from itbpump.therapy import Continuous, Prescription
from itbpump.wire.messages import AlarmNumber, Info, LogEntry, LogKind, RunState, Status


class TextPump:
    """A made-up pump: one line in, one line out."""

    def __init__(self) -> None:
        self.flow, self.log, self.uptime = 0, list[str](), 1_000

    def say(self, line: str) -> str:
        word, _, argument = line.partition(" ")
        self.uptime += 10
        if word == "RATE" and int(argument) <= 2_000_000:
            self.flow = int(argument)
        elif word in ("RATE", "BOLUS") and not self.flow:
            return "NO"
        elif word == "HALT":
            self.flow = 0
        elif word == "STATE":
            return f"{self.uptime} {self.flow} 38000000"
        self.log.append(line)
        return "OK"


class TextAdapter(Adapter):
    """Speaks its language. A real one would open `target.address` here."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.line = TextPump()
        self.resets = 0

    def _order(self, what: str, line: str) -> None:
        answer = self.line.say(line)
        if answer != "OK":
            raise NotAsOrdered(what, answer, f"it answers {answer}")

    def info(self) -> Info:
        return info_of("P-40", serial="TEXT0001", firmware="text 1.0")

    def status(self) -> Status:
        uptime, flow, reservoir = map(int, self.line.say("STATE").split())
        return status_of(uptime_ms=uptime, running=flow > 0, flow_nL_per_day=flow, reservoir_nL=reservoir, resets=self.resets)

    def program(self, rx: Prescription) -> None:
        if not isinstance(rx.therapy, Continuous):
            raise NotAsOrdered("the prescription", rx, "it knows continuous therapies only")
        flow = rx.therapy.dose.ng_per_day * 1_000_000 // rx.drug.concentration.ng_per_mL
        self._order("the prescription", f"RATE {flow}")

    def bolus(self, dose: Mass, over: Duration) -> None:
        self._order(f"a bolus of {dose.text()}", f"BOLUS {dose.ng} {over.minutes}")

    def stop(self) -> None:
        self._order("the stop", "HALT")

    def log(self) -> Iterable[LogEntry]:
        return [LogEntry(seq=place, uptime_ms=0, wall_s=0, kind=LogKind.COMMITTED, a=1, b=0) for place, _ in enumerate(self.line.log)]

    def lost_power(self) -> None:
        self.resets += 1


TARGET = Target("text", "device", "/dev/none", frozenset({Capability.REAL_HARDWARE}), speed="real", adapter=f"{__name__}:TextAdapter")


@pytest.fixture
def station(monkeypatch: pytest.MonkeyPatch) -> Iterator[Station]:
    monkeypatch.setattr("itbpump.hil.station.load_adapter", TextAdapter)
    made = Station(TARGET)
    made.begin(Journal(), None)
    yield made
    made.close()


def test_pump_fixture_speaks_through_the_adapter(station: Station) -> None:
    pump = station.pump
    assert pump.info.serial == "TEXT0001"
    pump.program(pump.rx("200 mcg/day"))
    status = pump.status()
    assert (status.run_state, status.flow_nL_per_day) == (RunState.RUNNING, 100_000)
    pump.bolus("25 mcg", "10m")
    pump.stop()
    assert pump.status().run_state is RunState.STOPPED
    assert len(pump.log()) == 3
    assert station.clock.uptime_ms() > 1_000


def test_refusal_of_the_pump_fails_the_test(station: Station) -> None:
    with pytest.raises(NotAsOrdered, match="a bolus of 25 mcg: it answers NO"):
        station.pump.bolus("25 mcg", "10m")
    with pytest.raises(NotAsOrdered, match="continuous"):
        station.pump.program(station.pump.rx({"mode": "minimum-rate"}))


def test_states_that_need_no_itbp1_are_reached(station: Station) -> None:
    station.pump.to("infusing")
    station.pump.to("idle")
    assert station.strategy.state() == "idle"


class AlarmingAdapter(TextAdapter):
    """Its pump sounds when its reservoir falls below a volume that can be set to just under what it holds."""

    def __init__(self, target: Target) -> None:
        super().__init__(target)
        self.low_at_ms: int | None = None

    def status(self) -> Status:
        told = super().status()
        sounds = self.low_at_ms is not None and told.uptime_ms >= self.low_at_ms
        return replace(told, alarms=(alarm_of(AlarmNumber.LOW_RESERVOIR, since_ms=self.low_at_ms or 0),) if sounds else ())

    def raise_alarm(self, clock: Clock) -> None:
        self.low_at_ms = self.status().uptime_ms + 50
        clock.until(lambda: self.status().alarms, within="10s", step="10ms", what="the low reservoir")

    def end_alarm(self, clock: Clock) -> None:
        self.low_at_ms = None


def test_adapter_that_says_how_brings_its_pump_to_every_state_but_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("itbpump.hil.station.load_adapter", AlarmingAdapter)
    station = Station(TARGET)
    station.begin(Journal(), None)
    for one in ("idle", "infusing", "alarm"):
        for other in ("idle", "infusing", "alarm"):
            station.pump.to(one)
            station.pump.to(other)
            assert station.strategy.state() == other
    assert station.pump.status().alarms[0].alarm == AlarmNumber.LOW_RESERVOIR
    station.close()


def test_alarm_that_does_not_come_is_told_and_breaks_the_rig(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TextAdapter, "raise_alarm", lambda _self, _clock: None)
    monkeypatch.setattr("itbpump.hil.station.load_adapter", TextAdapter)
    station = Station(TARGET)
    station.begin(Journal(), None)
    with pytest.raises(NotAsOrdered, match="it is in 'infusing'"):
        station.pump.to("alarm")
    with pytest.raises(RigBroken):
        station.pump.to("idle")
    station.close()


def test_adapter_that_does_not_say_how_skips_the_test_with_what_to_write_and_breaks_nothing(station: Station) -> None:
    with pytest.raises(pytest.skip.Exception, match=r"TextAdapter does not say how to raise an alarm; give it a method raise_alarm\(self"):
        station.pump.to("alarm")
    station.pump.to("idle")
    assert station.strategy.state() == "idle"


@pytest.mark.parametrize("act", ["session", "line", "configuration"])
def test_what_only_itbp1_has_is_skipped_with_the_reason(station: Station, act: str) -> None:
    with pytest.raises(pytest.skip.Exception, match="TextAdapter: it lacks"):
        getattr(station.pump, act)()


def test_log_at_the_end_comes_from_the_adapter(station: Station) -> None:
    station.pump.program(station.pump.rx("200 mcg/day"))
    station.finish()
    assert len(station.journal.pump_log) == 1
    assert station.firmware == "text 1.0"


@pytest.mark.parametrize("name", ["no_such_module_of_anybody:X", "itbpump.hil.adapter:Absent", "itbpump.hil.model:Outcome"])
def test_adapter_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(TargetsError):
        load_adapter(Target("x", "device", "/dev/none", frozenset(), adapter=name))
