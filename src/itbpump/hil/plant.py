"""The `plant` fixture: what is true, and the hands that change it: by the bench of a simulator, by an external balance on hardware.

A balance knows a volume and nothing else; what asks for more than the rig has ends with the capability to declare. Volumes count from when
the pump was made (simulator) or the balance was opened: use differences. Not modelled: what the simulator's plant excludes; evaporation and
drift of a balance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from itbpump.hil.clock import duration_ms
from itbpump.hil.errors import MissingCapability
from itbpump.hil.model import Capability

if TYPE_CHECKING:
    from itbpump.hil.balance import Balance
    from itbpump.hil.benches import Bench
    from itbpump.hil.station import Station

__all__ = ["Plant", "Pulse"]


class Pulse(NamedTuple):
    """One turn of the motor: pump uptime, its number since manufacture, what it really gave."""

    at_ms: int
    number: int
    volume_nL: int


class Plant:
    """What flows, and what a hand, a needle and a magnet do."""

    def __init__(self, station: Station, balance: Balance | None = None) -> None:
        self._station = station
        self._balance = balance

    # -------------------------------------------------------------------------------------------------------- truth
    def delivered_nL(self) -> int:
        """What has really left the pump."""
        if self._station.rig.bench is None and self._balance is not None:
            return self._balance.delivered_nL()
        return int(self.truth()["delivered_nL"])

    def reservoir_nL(self) -> int:
        """What is really in the reservoir."""
        return int(self.truth()["reservoir_nL"])

    def truth(self) -> dict[str, Any]:
        """All that the bench knows: volumes, pulses commanded and made, masses in path and CSF, accuracy and drift of this one pump."""
        # A balance is plant truth too, and knows a volume only: what else a bench knows is lacking there with the pulses.
        capability = Capability.PLANT_PULSES if self._station.rig.bench is None else Capability.PLANT_TRUTH
        return self._bench(capability, "tell the truth of reservoir and motor").call("truth")

    def pulses(self, from_ms: int, to_ms: int) -> list[Pulse]:
        """The motor's pulses in (from, to] of pump uptime."""
        found = self._bench(Capability.PLANT_PULSES, "tell single pulses").call("pulses", from_ms=from_ms, to_ms=to_ms)["pulses"]
        return [Pulse(one["at_ms"], one["number"], one["volume_nL"]) for one in found]

    # -------------------------------------------------------------------------------------------------------- hands
    def needle(self, fill: str | int = 0, aspirate: str | int | None = None, concentration_ng_per_mL: int | None = None) -> int:
        """A needle in the port: draws out `aspirate` (all of it if absent), fills in; the pump is not told. What was drawn out, nL."""
        given: dict[str, object] = {"fill_nL": fill}
        if aspirate is not None:
            given["aspirate_nL"] = aspirate
        if concentration_ng_per_mL is not None:
            given["concentration_ng_per_mL"] = concentration_ng_per_mL
        drawn = self._bench(Capability.BENCH_HANDS, "use a needle").call("refill", **given)["aspirated_nL"]
        self._station.note_bench(f"needle: {drawn} nL out, {fill} in")
        return int(drawn)

    def magnet(self, hold: str | int = "10s") -> None:
        """Hold the magnet over the pump."""
        ms = duration_ms(hold)
        self._bench(Capability.BENCH_HANDS, "hold a magnet").call("magnet", hold_ms=ms)
        self._station.note_bench(f"magnet for {ms} ms")

    def patient_request(self) -> bool:
        """The patient presses the button; whether a bolus starts."""
        accepted = bool(self._bench(Capability.BENCH_HANDS, "press the patient's button").call("patient-request")["accepted"])
        self._station.note_bench(f"patient's request: {'granted' if accepted else 'denied'}")
        return accepted

    def battery(self, permille: int | None = None) -> int:
        """Read the charge, or set it; 0 to 1000."""
        given: dict[str, object] = {} if permille is None else {"permille": permille}
        if given:
            self._station.note_bench(f"battery set to {permille} per mille")
        return int(self._bench(Capability.BENCH_HANDS, "set the battery").call("battery", **given)["battery_permille"])

    def fault(self, name: str, **arguments: object) -> None:
        """Let a fault of `docs/faults.md` happen now: `fault("mechanical.slip", percent=20, for_="3h")`. BenchRefused if it cannot."""
        text = ", ".join(f"{key.removesuffix('_')}={_argument(value)}" for key, value in arguments.items())
        self._bench(Capability.FAULT_INJECTION, "inject a fault").call("faults", inject=name, **({"with_": text} if text else {}))
        self._station.note_bench(f"fault {name}{f' ({text})' if text else ''}")

    def faults_fired(self) -> list[dict[str, Any]]:
        """The faults that have happened: fault, id, at_ms, on."""
        fired: list[dict[str, Any]] = self._bench(Capability.FAULT_INJECTION, "tell faults").call("faults")["fired"]
        return fired

    def _bench(self, capability: Capability, what: str) -> Bench:
        bench = self._station.rig.bench
        self._station.require(capability, what)
        if bench is None:
            raise MissingCapability(self._station.rig.name, capability, what)
        return bench


def _argument(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
