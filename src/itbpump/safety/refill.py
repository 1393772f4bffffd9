"""Review of a refill that keeps the therapy: what came out, what goes in, and what that tells of the dose that was really given.

A refill with a new prescription is judged by `review(rx, …, refill=…)`, which holds the same rules. Not here: trends over several refills.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from itbpump.drugs import DrugLibrary, load_library
from itbpump.quantity import Volume
from itbpump.safety.bolus import configured
from itbpump.safety.current import Current
from itbpump.safety.model import Hit, Rendering, Review, Row, RuleSet, Severity, canonical_digest
from itbpump.safety.rules_drug import stability_hits
from itbpump.safety.rules_present import alarm_hits, state_words
from itbpump.safety.rules_start import discrepancy_hits, under_delivery_hits
from itbpump.therapy_view import TherapyView

if TYPE_CHECKING:
    from itbpump.present import PresentPump
    from itbpump.profiles import PumpProfile
    from itbpump.refill import Refill

__all__ = ["RULES", "RefillContext", "review_refill"]

HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@dataclass(frozen=True, slots=True)
class RefillContext:
    """A refill, and the pump it is for."""

    refill: Refill
    view: TherapyView
    current: Current
    present: PresentPump
    profile: PumpProfile
    library: DrugLibrary
    now: datetime


RULES: RuleSet[RefillContext] = RuleSet()


@RULES.rule("alarms", "SR-55", worst=SOFT)
def alarms(c: RefillContext) -> Iterator[Hit]:
    """What the pump sounds now."""
    yield from alarm_hits(c.present.alarms)


@RULES.rule("refill-discrepancy", "SR-38", worst=SOFT)
def discrepancy(c: RefillContext) -> Iterator[Hit]:
    """A difference between expected and aspirated volume needs a recorded decision, whatever its sign."""
    yield from discrepancy_hits(c.refill)


@RULES.rule("under-delivery", "SR-38", "SR-30", worst=SECOND)
def under_delivery(c: RefillContext) -> Iterator[Hit]:
    """The patient got less than programmed: the therapy that goes on, or is started again, would be an increase."""
    if c.current.last is not None:
        yield from under_delivery_hits(c.refill, c.current, c.library)


@RULES.rule("reservoir", "SR-39", "SR-35", worst=HARD)
def reservoir(c: RefillContext) -> Iterator[Hit]:
    """More than the low-reservoir alarm is in it afterwards."""
    if c.refill.volume_after <= c.view.low_alarm:
        message = f"{c.refill.volume_after} is not above the low-reservoir alarm of {c.view.low_alarm}; fill more"
        yield Hit(HARD, message, c.refill.volume_after.text(), c.view.low_alarm.text(), "order of the pump's volumes")


@RULES.rule("alarm-volume", "SR-35", worst=INFO)
def alarm_volume(c: RefillContext) -> Iterator[Hit]:
    """The low alarm sounds before an in-tolerance pump is dry (domain 0.3)."""
    safe = c.profile.safe_low_alarm_at(min(c.refill.volume_after, c.profile.capacity))
    if c.view.low_alarm < safe:
        message = f"a low-reservoir alarm of {c.view.low_alarm} may sound after the pump is dry: that needs {safe}; program it"
        yield Hit(INFO, message, c.view.low_alarm.text(), safe.text(), "(V t + r) / (1 + t), domain 0.3")


@RULES.rule("not-running", "SR-33", worst=SOFT)
def not_running(c: RefillContext) -> Iterator[Hit]:
    """A refill starts nothing."""
    if not c.present.is_treating:
        yield Hit(
            SOFT, f"the pump is {state_words(c.present)} and gives no therapy; a refill starts nothing: itbpump restore or program does"
        )


@RULES.rule("stability", "SR-36", worst=INFO)
def stability(c: RefillContext) -> Iterator[Hit]:
    """The drug filled in today may go out of date before the alarm."""
    today = c.now.date()
    yield from stability_hits(c.library, today, today, c.view.days_to(c.refill.volume_after, c.view.low_alarm), is_told=True)


def review_refill(
    refill: Refill, present: PresentPump, profile: PumpProfile, *, library: DrugLibrary | None = None, now: datetime | None = None
) -> Review:
    """Judge a refill that keeps the therapy. `now` defaults to the host's time at the reading.

    Raises ConfigurationError for a pump without a configuration: its refill comes with a prescription.
    """
    configuration, current, view = configured(present, profile)
    library = library if library is not None else load_library(configuration.drug)
    context = RefillContext(refill, view, current, present, profile, library, now if now is not None else present.host_now)
    findings = RULES.findings(context)
    proposed = {
        "aspirated": Volume(refill.aspirated_nL).json(),
        "filled": Volume(refill.filled_nL).json(),
        "volume_after": refill.volume_after.json(),
    }
    content = {
        "refill": proposed,
        "current": current.identity(),
        "findings": [finding.json() for finding in findings],
        "library": library.json(),
    }
    return Review(
        findings=findings,
        library=library.json(),
        digest=canonical_digest(content),
        rendering=Rendering(lambda: _rows(context), lambda: (), current.json, lambda: proposed),
    )


def _rows(c: RefillContext) -> Iterator[Row]:
    yield Row("in the reservoir", str(Volume(c.present.reservoir_nL)), str(c.refill.volume_after), changed=True)
    yield Row("drug", f"{c.view.drug} {c.view.concentration}", f"{c.view.drug} {c.view.concentration}", changed=False)
    yield Row("mean day", str(c.view.mean_day), str(c.view.mean_day), changed=False)
    before, after = (c.view.days_to(volume, c.view.low_alarm) for volume in (Volume(c.present.reservoir_nL), c.refill.volume_after))
    old, new = ("none" if days is None else f"{days:,}" for days in (before, after))
    yield Row("days to the low-reservoir alarm", old, new, changed=old != new)
