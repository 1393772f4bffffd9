"""Rules about beginning again: a start by the screening dose, a restart after an interruption, no dose made up, what a refill tells of the
dose that was really given.

A patient who has had nothing, or less than was programmed, has lost tolerance: the old dose is then an increase. Figures and sources are
the drug library's. Not here: overdoses of the past that only a level in the blood would tell.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.quantity import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Mass, MassRate, Volume, mass_of_volume
from itbpump.refill import READING_ERROR_NL
from itbpump.safety.context import Context, percent_text
from itbpump.safety.current import Current, is_other_drug
from itbpump.safety.expected import screening_limit, start_limit
from itbpump.safety.lately import has_ever_treated
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.safety.rules_change import increase_share

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary, Figure
    from itbpump.refill import Refill

__all__ = ["RULES", "discrepancy_hits", "missed_hits", "under_delivery_hits"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@RULES.rule("start", "SR-08", worst=SECOND)
def start(c: Context) -> Iterator[Hit]:
    """A start from a stopped, unconfigured or minimum-rate pump is carried by the screening dose, or by the drug's own start limit."""
    if not c.is_therapy or c.current is None or (c.current.is_treating and not is_other_drug(c.view, c.current)):
        return
    if _goes_on(c, c.current):
        return
    yield from _screening_hits(c)
    soft, second, total = c.library.start_absolute_soft, c.library.start_absolute_second, c.view.highest_24h_exact
    if soft is None or second is None or total <= soft.value:
        return
    severity, limit = (SECOND, second) if total > second.value else (SOFT, soft)
    message = f"a start at up to {total.rounded()} in 24 h is above {limit.value}"
    yield Hit(severity, message, total.rounded().text(), limit.value.text(), limit.origin)


def _goes_on(c: Context, current: Current) -> bool:
    """After an interruption too short to lose tolerance, no more than before is no start; `restart` tells how long it was."""
    idle, last = _untreated_ms(current), current.last
    if idle is None or idle >= c.library.restart_soft_after.value.ms or last is None or last.drug != c.view.drug:
        return False
    return c.view.highest_24h_exact <= last.highest_24h_exact


def _screening_hits(c: Context) -> Iterator[Hit]:
    share, screening, carried = c.library.start_second_percent, c.rx.screening, screening_limit(c)
    if share is None or carried is None:
        return
    limit, factor = carried
    total, second = c.view.highest_24h_exact, MassRate(Fraction(limit.ng_per_day * share.value, 100))
    if screening is None:
        yield Hit(INFO, "not checked: the start dose by the patient's own screening, as [screening] is missing")
        rule = f"{factor.value} times the largest screening dose of the label, and no screening is on record"
    else:
        rule = f"{'once' if factor.value == 1 else f'{factor.value} times'} the screening dose of {screening.dose}"
    if total > limit:
        above = f"a start at up to {total.rounded()} in 24 h is above {rule}: {limit}"
        severity = SECOND if total > second else SOFT
        message = f"{above}, and above {second}" if severity is SECOND else above
        yield Hit(severity, message, total.rounded().text(), limit.text(), factor.origin)


@RULES.rule("other-drug", "SR-39", "SR-08", "SR-33", worst=SECOND)
def other_drug(c: Context) -> Iterator[Hit]:
    """Another drug is a start of the one and an abrupt end of the other; their doses do not compare."""
    if c.is_therapy and c.current is not None and c.current.view is not None and is_other_drug(c.view, c.current):
        old = c.current.view
        what = f"{old.drug} at {old.mean_day} ends" if c.current.is_treating else f"the pump held {old.drug}"
        message = f"{what}, {c.view.drug} begins: a start of the one and an end of the other; mind what the end of {old.drug} does"
        yield Hit(SECOND, message, c.view.drug, old.drug, "label of both drugs: see their libraries")


@RULES.rule("restart", "SR-33", "SR-08", worst=SECOND)
def restart(c: Context) -> Iterator[Hit]:
    """After an interruption the patient is no longer used to the old dose; how long it was decides. A dose to start with is one still."""
    current = c.current
    present = current.present if current is not None else None
    if not c.is_therapy or current is None or is_other_drug(c.view, current):
        return
    if current.is_treating and not (present is not None and present.stalled):
        yield from _recovered_hits(c, current)
        return
    if present is not None and not has_ever_treated(present):
        return
    idle, soft, second = _untreated_ms(current), c.library.restart_soft_after, c.library.restart_second_after
    start = start_limit(c) if c.rx.screening is not None or c.library.start_factor is None else None  # the patient's own
    stalled = present is not None and present.stalled
    what = f"{'the motor has not turned' if stalled else 'the pump has given no therapy'} {_how_long(current, idle)}"
    if start is not None and c.view.highest_24h_exact <= start:
        yield Hit(INFO, f"{what}; the dose is one to start with")
    elif idle is not None and idle < soft.value.ms:
        yield Hit(INFO, what)
    else:
        severity, limit = (SOFT, soft) if idle is not None and idle < second.value.ms else (SECOND, second)
        value = "not known" if idle is None else f"{idle // MS_PER_HOUR:,} h"
        yield Hit(severity, f"{what}; {BEGIN_LOW}", value, limit.value.text(), limit.origin)


def _recovered_hits(c: Context, current: Current) -> Iterator[Hit]:
    """Stalls that are over, and kept as much from the patient as an interruption would have."""
    present, flow = current.present, current.view.schedule.mean_flow if current.view is not None else 0
    if present is None or not flow:
        return
    missed_ms = int(present.history.missed_nL * MS_PER_DAY / flow)
    for severity, limit in ((SECOND, c.library.restart_second_after), (SOFT, c.library.restart_soft_after)):
        if missed_ms >= limit.value.ms:
            text = f"{missed_ms // MS_PER_HOUR:,} h"
            message = f"stalls of the last two days kept {text} of the therapy from the patient; {BEGIN_LOW}"
            yield Hit(severity, message, text, limit.value.text(), limit.origin)
            return


def _how_long(current: Current, idle_ms: int | None) -> str:
    if idle_ms is None:
        gave_nothing = current.present is not None and current.present.mass_24h_ng == 0
        return "for at least 24 h" if gave_nothing else "for a time that is not known"
    hours = idle_ms // MS_PER_HOUR
    if hours == 0:
        return f"for {idle_ms // MS_PER_MINUTE} min"
    return f"for {hours} h" if hours < 72 else f"for {hours // 24:,} days"


def _untreated_ms(current: Current) -> int | None:
    """How long nothing was given; of a file, since when it has been stopped. A file that is stopped from later on tells nothing."""
    idle = current.untreated_ms if current.source == "pump" else current.age_ms
    return idle if idle is not None and idle >= 0 else None


RECENT_STOP_MS = 2 * MS_PER_DAY
"""A stop shorter than that makes no start of what follows (the pump's own alarm for a stop: over 48 h, gillettechildrens.org). Not the
library's `restart`: a clinic that tightens that must not thereby turn a rise into a start."""


@RULES.rule("catch-up", "SR-08", worst=HARD)
def catch_up(c: Context) -> Iterator[Hit]:
    """A missed dose is not made up: after an interruption more than before needs a second person, and the limits of one change hold."""
    current = c.current
    if not c.is_therapy or current is None:
        return
    if current.is_treating:
        share = increase_share(c)
        if share is not None and share > 0:
            yield from missed_hits(current, f"the highest 24 h rises by {percent_text(share)} %", c.library)
        return
    last, total, idle = current.last, c.view.highest_24h_exact, _untreated_ms(current)
    if last is None or last.drug != c.view.drug or total <= last.highest_24h_exact or not last.highest_24h_exact.ng_per_day:
        return
    old = last.highest_24h_exact
    share = Fraction(total.ng_per_day) / old.ng_per_day - 1
    limit = min((group.hard_percent for group in c.library.increase_limits(c.rx.patient.indication, c.rx.patient.age_years)), key=_value)
    is_recent = idle is not None and idle < RECENT_STOP_MS
    before = f"{percent_text(share)} % more than the {old.rounded()} before the interruption"
    if is_recent and share * 100 > limit.value:
        message = f"{before}: a stop in between makes no start of it"
        yield Hit(HARD, message, total.rounded().text(), old.rounded().text(), limit.origin)
    else:
        message = f"{before}: a missed dose is never made up; begin with less"
        yield Hit(SECOND, message, total.rounded().text(), old.rounded().text(), NO_CATCH_UP)


def _value(figure: Figure[int]) -> int:
    return figure.value


NO_CATCH_UP = "domain 10: a missed dose is not doubled later"
BEGIN_LOW = "tolerance is lost: begin low, as a start, and watch breathing"


def missed_hits(current: Current, what: str, library: DrugLibrary) -> Iterator[Hit]:
    """`what` would come after something was missed: a stall of the last two days, or less in the last 24 h than was programmed."""
    present, view = current.present, current.view
    if present is None or view is None:
        return
    if present.history.missed_nL:
        missed = mass_of_volume(present.history.missed_nL, view.concentration).rounded()
        message = f"{what}, while stalls of the last two days kept {missed} from the patient: a missed dose is never made up"
        yield Hit(SECOND, message, missed.text(), "", NO_CATCH_UP)
        return
    scheduled = current.scheduled_24h
    short = scheduled.ng - present.mass_24h_ng
    if scheduled.ng and Fraction(short * 100, 1) > library.rounding_soft_percent.value * scheduled.ng:
        given, programmed = Mass(present.mass_24h_ng).rounded(), scheduled.rounded()
        message = f"{what}, while the last 24 h gave at most {given} of {programmed} programmed: a missed dose is never made up"
        yield Hit(SECOND, message, given.text(), programmed.text(), NO_CATCH_UP)


# ------------------------------------------------------------------------------------------------ what a refill tells
@RULES.rule("refill-discrepancy", "SR-38", worst=SOFT)
def refill_discrepancy(c: Context) -> Iterator[Hit]:
    """A difference between expected and aspirated volume needs a recorded decision, whatever its sign."""
    if c.refill is not None:
        yield from discrepancy_hits(c.refill)


@RULES.rule("under-delivery", "SR-38", "SR-30", worst=SECOND)
def under_delivery(c: Context) -> Iterator[Hit]:
    """Much more in the reservoir than expected: the patient got less than programmed, so the programmed dose would be an increase."""
    if c.refill is not None and c.current is not None and c.current.last is not None:
        yield from under_delivery_hits(c.refill, c.current, c.library)


def discrepancy_hits(refill: Refill) -> Iterator[Hit]:
    """Both tests of domain 2.4; which of them fired, and what the sign points to."""
    found = refill.discrepancy
    if found.difference_nL is None:
        yield Hit(INFO, f"the aspirated volume was {found.meaning}")
        return
    if not found.suspicious:
        return
    difference = f"{'+' if found.difference_nL > 0 else '−'}{Volume(abs(found.difference_nL))}"
    fired = [
        name
        for name, hit in (
            ("the clinic's limit", found.above_clinic_limit),
            ("what pump and syringes are accurate to", found.outside_accuracy),
        )
        if hit
    ]
    message = f"{difference}, {found.meaning}; outside {' and '.join(fired)}: measure again, look for the cause, record the decision"
    yield Hit(SOFT, message, difference, refill.limit_text, "domain 2.4: ASRAFALL17 1139; Maino 2017")


def under_delivery_hits(refill: Refill, current: Current | None, library: DrugLibrary) -> Iterator[Hit]:
    """How much of the programmed dose really arrived, by what was left in the reservoir."""
    found = refill.discrepancy
    if not found.suspicious or found.difference_nL is None or found.difference_nL <= 0:
        return
    source = "Sgouros 2010, doi 10.1159/000315319: near-lethal overdose at the restart after 19 mL were left"
    left = Volume(refill.aspirated_nL)
    if refill.counted_nL is None or refill.counted_nL == 0:
        expected = Volume(refill.expected_nL or 0)
        message = f"{left} were left where {expected} were expected: the patient got less than programmed, nobody knows how much less"
        yield Hit(SECOND, f"{message}; tolerance is lost: begin low, as a start", left.text(), expected.text(), source)
        return
    surely_nL = found.difference_nL - READING_ERROR_NL  # what no misread syringe explains
    share = Fraction(min(refill.counted_nL, max(0, refill.counted_nL - surely_nL)), refill.counted_nL)
    limit = library.decrease_soft_percent
    if (1 - share) * 100 <= limit.value:
        return
    view = current.last if current is not None else None
    got = f"about {percent_text(share)} % of the programmed dose"
    if view is not None:
        got += f", {MassRate(share * view.mean_day.ng_per_day).rounded()} instead of {view.mean_day}"
    again = f"the programmed dose would be {percent_text(1 / share - 1)} % more" if share else "the programmed dose would be a start"
    message = f"{left} were left: the patient got {got}; {again}; tolerance is lost: find the cause, then begin low, as a start"
    yield Hit(SECOND, message, f"{percent_text(share)} %", f"{100 - limit.value} %", source)
