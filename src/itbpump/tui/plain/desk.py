"""What every page of the dialogue has at hand: the pump in session, what a clinic wants, what was read and ordered so far."""

from __future__ import annotations

from dataclasses import dataclass, field

from itbpump.errors import ItbPumpError
from itbpump.hoststate import Intent
from itbpump.outcome import Applied, NotApplied, Outcome
from itbpump.pump import Pump
from itbpump.quantity import Concentration
from itbpump.tui.plain.dialogue import Dialogue, said
from itbpump.wire.messages import LogEntry, Role
from itbpump.wording.layout import WIDTH
from itbpump.wording.outcomes import outcome_lines
from itbpump.wording.pumpview import PumpView, read_view
from itbpump.workflow.facts import Facts, Policy, gather
from itbpump.workflow.registering import Known, Registering
from itbpump.workflow.visit import VisitKeeper

__all__ = ["Desk", "refused_text"]


@dataclass
class Desk:
    """One visit at one pump. `failed`: an order did not end applied and proved; `log` is what was read of the pump's log."""

    dialogue: Dialogue
    pump: Pump
    policy: Policy
    failed: bool = False
    facts: Facts | None = None
    log: tuple[LogEntry, ...] = ()
    visit: VisitKeeper = field(default_factory=VisitKeeper)
    registering: Registering = field(default_factory=lambda: Registering(None))
    known: Known = field(init=False)

    def __post_init__(self) -> None:
        self.known = Known(self.registering, self.pump.info.serial, lambda text: self.dialogue.say(f"ATTENTION: {text}"))
        self.pump.patient_elsewhere = self.known.patient_id

    @property
    def url(self) -> str:
        """The pump's address."""
        return self.pump.session.transport.url

    @property
    def is_emergency(self) -> bool:
        """A session that may read the status, fall to the minimum rate, and stop."""
        return self.pump.info.role is Role.EMERGENCY

    # ------------------------------------------------------------------------------------------------ reading
    def read(self) -> Facts:
        """Read the pump; only newer log entries are fetched. Raises as `gather`."""
        view = self.view() if not self.visit.begun else None
        self.facts = gather(self.pump, policy=self.policy, log=self.log)
        self.log = self.facts.log
        if view is not None:
            self.visit.saw(view, self.pump.profile, self.log, self.facts.patient_id)
        return self.facts

    def view(self) -> PumpView:
        """The pump as it is now. Raises LinkError, TransportError."""
        return read_view(self.pump, self.open_intents())

    def open_intents(self) -> tuple[Intent, ...]:
        """Commands from this computer of which it does not know what became."""
        return self.pump.unsettled()

    # ------------------------------------------------------------------------------------------------ pages
    def page(self, title: str, patient_id: str = "") -> None:
        """The first lines of a page: what it is, and for whom (SR-20)."""
        self.dialogue.say("", title, self.identity(patient_id))

    def identity(self, patient_id: str = "") -> str:
        """Patient, pump, drug and concentration, as last read. `patient_id`: whom an order names, where one is made."""
        info = self.pump.info
        pump = f"pump {info.serial}, {info.profile}{', SIMULATED' if info.simulated else ''}"
        if self.facts is None:
            return f"Patient not known; {pump}; its drug is in the status."
        held = self.facts.present.configuration
        drug = f"{held.drug} {Concentration(held.concentration_ng_per_mL)}" if held is not None else "no drug programmed"
        return f"Patient {patient_id or self.facts.patient_id or 'not known'}; {pump}; {drug}."

    def tell(self, outcome: Outcome, *, proven: bool) -> Applied | None:
        """Say what became of a command; the applied outcome if it may be relied on. An unknown one has its own page (`outcomes`).

        `proven`: the command is one that is proved by reading the pump again.
        """
        if isinstance(outcome, (Applied, NotApplied)):
            self.dialogue.say(*(said(line) for line in outcome_lines(outcome, WIDTH, proven=proven)[0]))
        if isinstance(outcome, Applied) and (not proven or (outcome.proof is not None and outcome.proof.holds)):
            return outcome
        self.failed = True
        return None


def refused_text(error: ItbPumpError) -> str:
    """What is wrong and what to do, as a message says it."""
    text = str(error)
    return said(text if not error.action or error.action in text else f"{text}; {error.action}")
