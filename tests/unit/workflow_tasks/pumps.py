"""Simulated pumps in every state a task may find, in process and in manual time, with what is known of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from firmware_sim.device import SimulatedPump
from itbpump.outcome import Applied, Outcome
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass, Volume
from itbpump.therapy import Prescription, load_prescription, prescription_from
from itbpump.transport.sim import SimTransport
from itbpump.workflow.facts import Facts, Policy, gather

EXAMPLES = Path(__file__).parents[3] / "examples"
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS


@dataclass
class Bed:
    """A pump, and the prescription it runs where that is known at this computer."""

    pump: Pump
    rx: Prescription | None = None

    @property
    def line(self) -> SimTransport:
        transport = self.pump.session.transport
        assert isinstance(transport, SimTransport)
        return transport

    @property
    def device(self) -> SimulatedPump:
        device = self.line.device
        assert isinstance(device, SimulatedPump)
        return device

    def facts(self, policy: Policy | None = None) -> Facts:
        return gather(self.pump, policy=policy, rx=self.rx)

    def advance(self, ms: int) -> None:
        self.device.advance(ms)

    def needle(self, fill: Volume, concentration: int) -> Volume:
        """Empty the reservoir and fill it. What was drawn out."""
        drawn = self.device.bench("refill", {"fill_nL": fill.nL, "concentration_ng_per_mL": concentration * 1_000})["aspirated_nL"]
        assert isinstance(drawn, int)
        return Volume(drawn)


def example(name: str) -> Prescription:
    return load_prescription(EXAMPLES / f"{name}.toml")


def applied(outcome: Outcome) -> Applied:
    assert isinstance(outcome, Applied), outcome
    return outcome


def running(name: str = "flex-weekday-weekend", days: int = 10) -> Bed:
    """A pump that has run an example for so many days."""
    bed = Bed(connect(f"sim://{example(name).pump.profile}?rx={EXAMPLES / name}.toml&seed=1"), example(name))
    bed.advance(days * DAY_MS)
    return bed


def fresh(profile: str = "P-40", fill: str = "38mL") -> Bed:
    return Bed(connect(f"sim://{profile}?fill={fill}&seed=1"))


def stopped() -> Bed:
    bed = running()
    applied(bed.pump.stop())
    return bed


def safe() -> Bed:
    """At the minimum rate by an order, as a safe state holds it."""
    bed = running()
    applied(bed.pump.minimum_rate())
    return bed


def lost() -> Bed:
    """A pump whose memory lost the configuration."""
    bed = running()
    for slot in ("journal_a", "journal_b"):
        bed.device.memory.flip(slot, 100, 0)
    bed.device.power_cut()
    bed.device.power_on()
    bed.pump.status()  # the session was lost with the power; a reading opens another
    return bed


def giving_a_bolus() -> Bed:
    bed = running()
    applied(bed.pump.bolus(Mass.parse("25 mcg"), Duration.parse("1h")))
    return bed


def bridging() -> Bed:
    """A concentration was changed an hour ago, and the path still holds the old one."""
    bed = running("continuous", days=20)
    new = example("concentration-change")
    drawn = bed.needle(Volume.parse("18 mL"), new.drug.concentration.ng_per_mL // 1_000)
    now = bed.pump.host_now()
    tables = {name: getattr(new, name) for name in ("patient", "drug", "catheter", "screening", "medication", "bridge", "therapy")}
    pump = new.pump.model_copy(update={"as_of": now})
    rx = prescription_from({"schema": new.schema_, **tables, "pump": pump})
    applied(bed.pump.refill(drawn, Volume.parse("18 mL"), rx)[0])
    bed.advance(HOUR_MS)
    bed.rx = rx
    return bed


def stalled() -> Bed:
    """The rotor has stood for an hour, and the pump says so."""
    bed = running()
    bed.device.bench("stall", {"state": "on"})
    bed.advance(5 * HOUR_MS)
    return bed


def unknown_patient() -> Bed:
    """A running pump that was never programmed from here."""
    bed = running("patient-bolus")
    bed.rx = None
    return bed


STATES: dict[str, Callable[[], Bed]] = {
    "fresh": fresh,
    "continuous": lambda: running("continuous"),
    "flex": running,
    "periodic": lambda: running("periodic-bolus"),
    "morphine": lambda: running("morphine"),
    "stopped": stopped,
    "stopped by prescription": lambda: running("stopped"),
    "minimum rate": safe,
    "lost configuration": lost,
    "bolus": giving_a_bolus,
    "bridging": bridging,
    "stalled": stalled,
    "unknown patient": unknown_patient,
}
