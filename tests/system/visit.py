"""A clinic at a simulated pump in manual time: everything is reviewed beside what the pump says, then sent through `itbpump.pump.Pump`.

`Visit.program`, `refill`, `bolus` and `prime` commit whatever the review says, as a person who overrides does, and return the review; with
`only_ask=True` they only ask. Not modelled: the person, and the record of overrides.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from random import Random
from typing import Any

from firmware_sim.device import SimulatedPump
from itbpump.outcome import Applied, Outcome
from itbpump.pump import connect
from itbpump.quantity import Duration, Mass, Volume
from itbpump.refill import Refill
from itbpump.safety import Review, Severity, review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.transport.sim import SimTransport
from tests.unit.therapy.prescriptions import prescription

URL = "sim://P-40?fill=38mL&seed=1"
MONDAY = datetime(2026, 11, 23, 8, tzinfo=timezone(timedelta(hours=-5)))
HOUR_MS = 3_600_000
SPINAL, PAIN = {"diagnosis": "multiple-sclerosis"}, {"indication": "pain"}
SCREENED = {"dose": "100 mcg", "effect": "5h"}
STOPPED, LOWEST = {"mode": "stopped"}, {"mode": "minimum-rate"}


def applied(outcome: Outcome) -> None:
    assert isinstance(outcome, Applied), outcome
    assert outcome.proof is None or outcome.proof.holds, outcome.proof


def worst(judged: Review, rule: str) -> Severity | None:
    """The severest finding of a rule; None where it has none."""
    return max((finding.severity for finding in judged.findings if finding.rule == rule), default=None)


def message(judged: Review, rule: str) -> str:
    """The text of the one finding of a rule."""
    (told,) = [finding.message for finding in judged.findings if finding.rule == rule]
    return told


def in_the_way(judged: Review, beside: Iterable[str] = ()) -> list[str]:
    """Every finding that asks for more than reading, but those of the rules named."""
    return [
        f"{finding.severity.word} {finding.rule}: {finding.message}"
        for finding in judged.findings
        if finding.severity > Severity.INFO and finding.rule not in beside
    ]


class Visit:
    """A P-40 with 38 mL, its programmer, and a patient with spinal spasticity."""

    def __init__(self) -> None:
        transport = SimTransport.open(URL)
        device = transport.device
        assert isinstance(device, SimulatedPump)
        self.device = device
        self._begun_ms = device.uptime_ms
        self.pump = connect(URL, transport=transport, entropy=Random(1).randbytes, host_clock=lambda: self.now().timestamp())

    @classmethod
    def treated(cls, therapy: dict[str, Any], hours: float = 100, **tables: Any) -> Visit:
        """A patient who has had this therapy for so long."""
        visit = cls()
        applied(visit.pump.program(visit.rx(therapy, screening=SCREENED, **tables)))
        return visit.wait(hours)

    # -------------------------------------------------------------------------------------------- time and papers
    def now(self) -> datetime:
        return MONDAY + timedelta(milliseconds=self.device.uptime_ms - self._begun_ms)

    def wait(self, hours: float) -> Visit:
        self.device.advance(round(hours * HOUR_MS))
        return self

    def rx(self, therapy: dict[str, Any], patient: dict[str, Any] = SPINAL, **tables: Any) -> Prescription:
        """A prescription of this hour; `conc` is short for the label."""
        label = tables.pop("conc", None)
        drug = {**tables.pop("drug", {}), **({"concentration": label} if label else {})}
        return prescription(therapy, patient=patient, pump={"as_of": self.now()}, drug=drug, **tables)

    def in_reservoir(self, beside_nL: int = 0) -> Volume:
        """What can be drawn out by the pump's own count, and so much beside."""
        return Volume(self.pump.present().reservoir_nL - self.pump.profile.residual.nL + beside_nL)

    # ------------------------------------------------------------------------------------------------------ orders
    def ask(self, therapy: dict[str, Any], **tables: Any) -> Review:
        """Only the review of a new prescription."""
        return review(self.rx(therapy, **tables), self.pump.present(), profile=self.pump.profile)

    def program(self, therapy: dict[str, Any], **tables: Any) -> Review:
        rx, present = self.rx(therapy, **tables), self.pump.present()
        judged = review(rx, present, profile=self.pump.profile)
        applied(self.pump.program(rx, present))
        return judged

    def refill(
        self,
        therapy: dict[str, Any] | None = None,
        *,
        aspirated: Volume | None = None,
        filled: str = "36 mL",
        only_ask: bool = False,
        **tables: Any,
    ) -> Review:
        """A refill that keeps the therapy, or one with a prescription; what the pump expects is drawn out unless told otherwise."""
        present, profile = self.pump.present(), self.pump.profile
        drawn = self.in_reservoir() if aspirated is None else aspirated
        rx = None if therapy is None else self.rx(therapy, **tables)
        plan = Refill.plan(drawn, Volume.parse(filled), present, profile, self.pump.log())
        judged = review_refill(plan, present, profile) if rx is None else review(rx, present, profile=profile, refill=plan)
        if not only_ask:
            outcome, _ = self.pump.refill(drawn, Volume.parse(filled), rx, present)
            applied(outcome)
        return judged

    def bolus(self, dose: str, over: str = "10m", *, only_ask: bool = False) -> Review:
        present, amount, time = self.pump.present(), Mass.parse(dose), Duration.parse(over)
        judged = review_bolus(amount, time, present, self.pump.profile, indication="spinal", age_years=46)
        if not only_ask:
            applied(self.pump.bolus(amount, time, present))
        return judged

    def prime(self, rx: Prescription, over: str = "20m") -> Review:
        present = self.pump.present()
        judged = review_prime(rx, Duration.parse(over), present, self.pump.profile)
        applied(self.pump.prime(rx, Duration.parse(over), present))
        return judged

    def stop(self) -> Visit:
        applied(self.pump.stop())
        return self

    def lose_the_configuration(self) -> Visit:
        """Both copies of the pump's memory are damaged, then it starts anew."""
        for slot in ("journal_a", "journal_b"):
            self.device.memory.flip(slot, 100, 0)
        self.device.power_cut()
        self.device.power_on()
        return self

    def stalled_for(self, hours: float) -> Visit:
        self.device.plant.stalled = True
        self.wait(hours)
        self.device.plant.stalled = False
        return self


def daily(mcg: int) -> dict[str, Any]:
    """A continuous therapy of so many mcg per day."""
    return {"mode": "continuous", "dose": f"{mcg} mcg/day"}
