"""Visits to a simulated pump in process: a first therapy, weeks of life with boluses and denials, a refill with a new therapy."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from firmware_sim.device import SimulatedPump
from itbpump.drugs import load_library
from itbpump.outcome import Applied
from itbpump.present import PresentPump
from itbpump.pump import Pump
from itbpump.quantity import Concentration, Duration, Mass, Volume
from itbpump.refill import Refill
from itbpump.report import SessionRecord, Visit
from itbpump.safety import Decision, Review, Severity, basis_of, decide, review, review_bolus
from itbpump.therapy import Prescription, load_prescription
from itbpump.wording.beside import dates_of_pump
from itbpump.wording.pumpview import PumpView, read_view
from tests.unit.client.lines import Line, host, joined

EXAMPLES = Path(__file__).parents[3] / "examples"
DAY_MS = 86_400_000
ZONE = timezone(timedelta(hours=-5))
OPENED = datetime(2026, 11, 22, 10, 0, tzinfo=ZONE)
TEXT = (EXAMPLES / "patient-bolus.toml").read_text("utf-8")
RX = load_prescription(TEXT)
COMPANION = "0.1.0"


class Bench:
    """A simulated pump with a paired companion, at a host time that goes with the pump's."""

    def __init__(self) -> None:
        self.line = Line()
        self.state = host(self.line)
        self.pump: Pump = joined(self.line, self.state)

    @property
    def device(self) -> SimulatedPump:
        return self.line.device

    def now(self) -> datetime:
        """Host time of the pump's uptime, at a fixed offset whatever the machine's zone."""
        return OPENED + timedelta(milliseconds=self.pump.status().uptime_ms)

    def view(self) -> PumpView:
        return replace(read_view(self.pump), host_now=self.now())

    def present(self) -> PresentPump:
        return replace(self.pump.present(), host_now=self.now())

    def opened(self, patient_id: str = "P-0103") -> Visit:
        return Visit.opened(self.view(), self.pump.profile, list(self.pump.log()), patient_id=patient_id, staff=["nurse-7"])

    def program(self, rx: Prescription = RX) -> None:
        assert isinstance(self.pump.program(rx), Applied)

    def closed(self, visit: Visit) -> SessionRecord:
        library = load_library("baclofen")
        dates = dates_of_pump(self.pump, self.present(), library)
        return visit.closed(self.view(), self.now(), companion=COMPANION, library=library, dates=dates)


def accepted(found: Review) -> Decision:
    """Every finding that can be overridden is, by two people."""
    reasons = {f.rule: f"{f.needs or 'specialist'}: seen with the patient" for f in found.findings if f.severity is not Severity.INFO}
    decision = decide(found, reasons, "doctor-3", "nurse-7")
    assert decision.allowed, decision.missing
    return decision


@cache
def rich_record() -> SessionRecord:
    """A refill visit after weeks with patient boluses, denials and a single bolus; a new dose and a bolus are ordered in it."""
    bench = Bench()
    bench.program()
    bench.device.advance(20 * DAY_MS)
    for _ in range(3):
        bench.device.patient_request()
        bench.device.advance(DAY_MS // 8)
    assert isinstance(bench.pump.bolus(Mass.parse("10 mcg"), Duration.parse("10m")), Applied)
    bench.device.advance(40 * DAY_MS)
    visit = bench.opened()
    visit = _refilled(bench, visit)
    visit = _bolus(bench, visit)
    visit = visit.noted("Both tones were heard by the patient", bench.now())
    return bench.closed(visit)


def _refilled(bench: Bench, visit: Visit) -> Visit:
    rx = load_prescription(TEXT.replace('dose = "180 mcg/day"', 'dose = "200 mcg/day"'))
    present = bench.present()
    expected = present.reservoir_nL - bench.pump.profile.residual.nL
    aspirated, filled = Volume((expected - 2_600_000) // 100_000 * 100_000), Volume.parse("36 mL")
    refill = Refill.plan(aspirated, filled, present, bench.pump.profile, bench.pump.log())
    found = review(rx, present, profile=bench.pump.profile, refill=refill)
    decision = accepted(found)
    basis = basis_of(found, decision, "doctor-3", "nurse-7", rx.patient.id)
    outcome, _ = bench.pump.refill(aspirated, filled, rx, present, basis=basis)
    assert isinstance(outcome, Applied)
    return visit.changed(
        "Refill with a new dose",
        outcome,
        bench.now(),
        review=found,
        decision=decision,
        user="doctor-3",
        second="nurse-7",
        patient_id=rx.patient.id,
        refill=refill,
    )


def _bolus(bench: Bench, visit: Visit) -> Visit:
    dose, over = Mass.parse("25 mcg"), Duration.parse("10m")
    present = bench.present()
    found = review_bolus(dose, over, present, bench.pump.profile)
    decision = accepted(found)
    outcome = bench.pump.bolus(dose, over, present)
    assert isinstance(outcome, Applied)
    assert present.configuration is not None
    label = Concentration(present.configuration.concentration_ng_per_mL)
    visit = visit.changed(
        "Single bolus of 25 mcg", outcome, bench.now(), review=found, decision=decision, user="doctor-3", second="nurse-7", dose_by=label
    )
    bench.device.advance(DAY_MS // 48)
    return visit
