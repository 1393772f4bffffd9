"""One target made ready for tests: rig, programmer, and what the fixtures give. It lives as long as the run; the journal changes by test.

`begin` resets by the scope a test declares: `none` leaves all as it is, `session` ends sessions, `power` also takes the supply away and
gives it back, `new` makes a fresh pump (some milliseconds in this process). Where a rig cannot do `power` it does `session`. Not here:
which test runs when (`plugin`), what is kept of it (`recording`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from itbpump.hil.adapter import Adapter, load_adapter
from itbpump.hil.balance import balance_of
from itbpump.hil.benches import Bench
from itbpump.hil.clock import Clock
from itbpump.hil.errors import MissingCapability, RigError
from itbpump.hil.lines import Watched
from itbpump.hil.link_faults import FaultyLine, LinkFaults
from itbpump.hil.model import Capability
from itbpump.hil.plant import Plant
from itbpump.hil.power import BenchPower, Power, PowerDriver, driver_of
from itbpump.hil.prescribing import HOST_EPOCH_S
from itbpump.hil.programmer import Programmer, hardware_programmer, new_programmer
from itbpump.hil.pump import PumpUnderTest
from itbpump.hil.recording import Journal, KeyOf
from itbpump.hil.rig import Rig, open_rig
from itbpump.hil.strategy import Strategy
from itbpump.hoststate import HostStateError
from itbpump.link.errors import LinkError
from itbpump.quantity import Volume
from itbpump.transport.base import Transport, TransportError
from itbpump.wire.messages import Event, Role
from itbpump.wire.shown import plain

if TYPE_CHECKING:
    from itbpump.hil.targets import Target

__all__ = ["SCOPES", "Station"]

SCOPES = ("none", "session", "power", "new")


class _NoDriver:
    """Of a rig that cannot switch the supply."""

    def __init__(self, rig: str) -> None:
        self._rig = rig

    def cut(self) -> None:
        """Raises MissingCapability."""
        raise MissingCapability(self._rig, Capability.POWER_CONTROL, "switch the supply")

    on = cut


class Station:
    """See the module. `sleep` and `monotonic_s` are the wall's, for rigs in real time."""

    def __init__(
        self,
        target: Target,
        key_file: Path | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self.target = target
        self.rig: Rig = open_rig(target)
        self.journal = Journal()
        self.faults: FaultyLine | None = None
        self.firmware = ""
        self._key_file = key_file
        self._sleep = sleep
        self._adapter: Adapter | None = None
        self._programmers: dict[str, Programmer] = {}
        self._others: dict[str, PumpUnderTest] = {}
        self._user: PumpUnderTest | None = None
        self._lasting: FaultyLine | None = None
        self._settle_s = 0
        try:
            balance = balance_of(target.name, target.balance, sleep) if target.balance else None
            driver = self._power_driver()
        except BaseException:
            self.rig.close()
            raise
        self._balance = balance
        self.clock = Clock(self, sleep, monotonic_s)
        self.power = Power(driver, self._power_switched)
        self.plant = Plant(self, balance)
        self.link_faults = LinkFaults(self)
        self.strategy = Strategy(self)
        self.pump = PumpUnderTest(self, lambda: self.programmer("test"))

    def _power_driver(self) -> PowerDriver:
        if self.target.power:
            driver, self._settle_s = driver_of(self.target.name, self.target.power)
            return driver
        if self.rig.bench is None:
            return _NoDriver(self.target.name)
        return BenchPower(self._present_bench)

    def _present_bench(self) -> Bench:
        if self.rig.bench is None:
            raise RigError(self.target.name, "it has no bench any more", "see its first failure")
        return self.rig.bench

    # ------------------------------------------------------------------------------------------------------- tests
    def begin(self, journal: Journal, scope: str | None) -> None:
        """Reset by `scope`, one of SCOPES; None: `new` where pumps are made, else `power`. Raises RigBroken, RigError."""
        self.journal = journal
        self.faults = None
        self._lasting = FaultyLine(self.target.faults) if self.target.faults else None
        chosen = scope or ("new" if self.target.simulated else "power")
        if chosen == "new":
            self._make_new()
        else:
            self.strategy.require_whole()
            if chosen != "none":
                self.end_sessions()
            if chosen == "power" and self.rig.has(Capability.POWER_CONTROL):
                self.power.cycle()

    def _make_new(self) -> None:
        for pump in (self.pump, *self._others.values()):
            pump.drop_line()
        self._forget_programmers()
        self._others, self._user = {}, None
        self.rig.fresh()
        self.power.is_on = True
        self.strategy = Strategy(self)

    def finish(self) -> None:
        """At the end of a test: read the pump's log into the journal, and end what only this test had."""
        journal = self.journal
        if self.faults is not None:
            self.faults = None
            self.end_sessions()
        if not self.power_is_on():
            journal.note("rig", "the pump has no power: its log is not read")
            return
        self.journal = Journal()  # what reading takes is no part of the test
        try:
            journal.pump_log = self.pump.words_of_log()
            self.firmware = self.pump.info.firmware
        except (LinkError, TransportError, HostStateError) as error:
            self.pump.drop_line()
            journal.note("rig", f"the pump's log could not be read: {error}")
        finally:
            self.journal = journal

    def close(self) -> None:
        """Give everything back."""
        try:
            self.end_sessions()
        finally:
            self._forget_programmers()
            if self._adapter is not None:
                self._adapter.close()
            if self._balance is not None:
                self._balance.close()
            self.rig.close()

    # ------------------------------------------------------------------------------------------------ who may do what
    def require(self, capability: Capability, what: str) -> None:
        """Raises MissingCapability where the rig lacks it."""
        if not self.rig.has(capability):
            raise MissingCapability(self.rig.name, capability, what)

    @property
    def adapter(self) -> Adapter | None:
        """Who speaks to the pump in place of the companion; made when first asked for."""
        if self._adapter is None and self.target.adapter:
            self._adapter = load_adapter(self.target)
        return self._adapter

    def require_itbp1(self, what: str) -> None:
        """Skips the test where an adapter speaks."""
        if self.target.adapter:
            self.skip(f"rig {self.target.name} speaks through {self.target.adapter}: it lacks {what}")

    def skip(self, why: str) -> NoReturn:
        """Skip the test."""
        import pytest  # noqa: PLC0415 -- nobody but a test comes here

        pytest.skip(why)

    def programmer(self, name: str, role: Role = Role.CLINICIAN) -> Programmer:
        """By name; a new one is paired by the bench. On hardware there is only the first."""
        if name not in self._programmers:
            bench = self.rig.bench
            if bench is None and name != "test":
                raise MissingCapability(self.rig.name, Capability.BENCH_HANDS, f"pair another programmer, {name!r}")
            self._programmers[name] = (
                hardware_programmer(self._key_file)
                if bench is None
                else new_programmer(bench, self.rig.serial, name, str(self.journal.seed), role)
            )
        return self._programmers[name]

    def other(self, name: str, role: Role) -> PumpUnderTest:
        """See PumpUnderTest.by."""
        if name not in self._others:
            self._others[name] = PumpUnderTest(self, lambda: self.programmer(name, role))
        return self._others[name]

    def _forget_programmers(self) -> None:
        for programmer in self._programmers.values():
            programmer.close()
        self._programmers = {}

    # --------------------------------------------------------------------------------------------------------- the line
    def become_user(self, pump: PumpUnderTest) -> None:
        """The line has one user: whoever had it says good-bye."""
        if self._user is not None and self._user is not pump:
            self._user.hang_up()
        self._user = pump

    def open_line(self, key_of: KeyOf) -> Transport:
        """The line, through the faults in force, watched by the journal."""
        line = self.rig.open_line()
        for faults in (self._lasting, self.faults):
            if faults is not None:
                line = faults.around(line)
        return Watched(line, self._seen_by(key_of))

    def _seen_by(self, key_of: KeyOf) -> Callable[[bool, bytes, int], None]:
        """Into the journal of whichever test runs: a session may outlive the one that opened it."""
        journal = self.journal
        seen = journal.line(key_of)

        def tell(to_pump: bool, data: bytes, at_ms: int) -> None:
            nonlocal journal, seen
            if self.journal is not journal:
                journal = self.journal
                seen = journal.line(key_of)
            seen(to_pump, data, at_ms)

        return tell

    def end_sessions(self) -> None:
        """Whoever has the line gives it back; on a line that fails the good-bye is lost, and the pump ends the session by itself."""
        for pump in (self.pump, *self._others.values()):
            failed = pump.hang_up_whatever()
            if failed:
                self.journal.note("rig", f"a session could not be ended: {failed}")
        self._user = None

    # ------------------------------------------------------------------------------------------------------- facts, events
    def power_is_on(self) -> bool:
        """By the bench where there is one (a fault may have cut it), else as it was switched here."""
        bench = self.rig.bench
        return self.power.is_on if bench is None else bool(bench.call("time")["powered"])

    def _power_switched(self, on: bool) -> None:
        self.note_bench(f"power {'on' if on else 'cut'}")
        if self._adapter is not None and not on:
            self._adapter.lost_power()
        if on and self._settle_s:
            self._sleep(self._settle_s)

    def believed_fill(self, capacity_nL: int) -> Volume:
        """What to tell the pump of its reservoir: the truth where it is known, else as the rig says, else its capacity."""
        if self.rig.bench is not None:
            return Volume(int(self.rig.bench.call("truth")["reservoir_nL"]))
        return self.target.fill or Volume(capacity_nL)

    def host_clock(self) -> float:
        """Seconds since 1970: of a simulated pump the plant's time from a fixed day on, so that no test depends on the day it is run."""
        bench = self.rig.bench
        return time.time() if bench is None else HOST_EPOCH_S + int(bench.call("truth")["true_ms"]) / 1_000

    def heard(self, event: Event) -> None:
        """A hint that the pump sent by itself."""
        fields = ", ".join(f"{name}={plain(getattr(event, name))}" for name in event.__struct_fields__)
        self.note(f"hint {type(event).__name__}: {fields}", "pump")

    def note(self, text: str, by: str = "test") -> None:
        """An event of the test."""
        self.journal.note(by, text, self.rig.uptime_ms())

    def note_bench(self, text: str) -> None:
        """An event of the bench."""
        self.note(text, "bench")
