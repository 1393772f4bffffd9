"""Simulated pumps in this process that run the example, at a time and an offset from UTC that no machine decides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itbpump.outcome import Outcome
from itbpump.pump import Pump, connect
from itbpump.transport.sim import SimTransport
from itbpump.workflow.consent import Consent, carry_out
from itbpump.workflow.facts import Policy
from itbpump.workflow.model import Proposal

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
AS_OF_S = 1_795_359_600
"""22 Nov 2026 15:00 UTC, the `as_of` of the example: the pump's day is then this computer's."""

Carry = Callable[[Pump, Proposal], Outcome]


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """A computer at UTC-05:00, with a state of its own and no clinic's library."""
    monkeypatch.setenv("TZ", "XYZ5")
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def opened(rx: str = "flex-weekday-weekend") -> Pump:
    """A pump that has just begun this example."""
    return connect(f"sim://P-40?rx={EXAMPLES / f'{rx}.toml'}&seed=1", host_clock=lambda: AS_OF_S)


def passed(pump: Pump, hours: int) -> None:
    """Let pump time pass; this computer's stands."""
    line = pump.session.transport
    assert isinstance(line, SimTransport)
    line.advance(hours * 3_600_000)


@pytest.fixture
def pump() -> Iterator[Pump]:
    with opened() as line:
        yield line


@pytest.fixture
def fresh() -> Iterator[Pump]:
    """One without a therapy."""
    with connect("sim://P-40?fill=38mL&seed=1", host_clock=lambda: AS_OF_S) as line:
        yield line


def consent_to(proposal: Proposal) -> Consent:
    """Everything that the review page of this proposal asks for."""
    findings = proposal.review.findings if proposal.review is not None else ()
    reasons = {item.rule: f"{item.needs or 'monitored'}: on the ward" for item in findings if item.severity}
    return Consent(typed=proposal.confirmation.answers[0], reasons=reasons, user="dr-1", second="rn-2")


@pytest.fixture
def carry() -> Carry:
    """Send a proposal through the gate, with all that it asks for."""
    return lambda pump, proposal: carry_out(pump, proposal, consent_to(proposal), Policy())
