"""Types of the fixtures, for annotations in tests: `def test_x(pump: PumpUnderTest, clock: Clock) -> None`. The fixtures are `plugin`'s."""

from itbpump.hil.clock import Clock
from itbpump.hil.link_faults import FaultyLine, LinkFaults
from itbpump.hil.measure import Measure
from itbpump.hil.plant import Plant, Pulse
from itbpump.hil.power import Power, PowerDriver
from itbpump.hil.pump import PumpUnderTest

__all__ = ["Clock", "FaultyLine", "LinkFaults", "Measure", "Plant", "Power", "PowerDriver", "Pulse", "PumpUnderTest"]
