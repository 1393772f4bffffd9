"""Rules about the change of the dose: increase, first day, decrease, stop, a bolus that comes with the commit, the wrong patient or pump.

Where nothing is known of the present, the rules say what they could not check (design 4: never silence).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.configuration import bridge_wanted
from itbpump.forecast import day_text
from itbpump.quantity import MS_PER_HOUR
from itbpump.safety.context import Context, highest_across, keeps_period, percent_text
from itbpump.safety.current import is_other_drug, is_relabelled
from itbpump.safety.model import Hit, RuleSet, Severity
from itbpump.safety.rules_present import patient_hits
from itbpump.therapy_view import TherapyView, steepest_fall
from itbpump.wire.messages import RunState

__all__ = ["RULES", "increase_share"]

RULES: RuleSet[Context] = RuleSet()
HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


def increase_share(c: Context) -> Fraction | None:
    """Change of the highest total in any 24 h, new against old; None where there is nothing to compare with."""
    if c.current is None or c.current.view is None or not c.current.is_treating or is_other_drug(c.view, c.current):
        return None
    old = c.current.view.highest_24h_exact.ng_per_day
    return Fraction(c.view.highest_24h_exact.ng_per_day) / old - 1 if old else None


def _rise(c: Context) -> tuple[Fraction, str] | None:
    """How far the new therapy goes above what the patient is used to, and in words above what; None where nothing compares.

    A therapy that was changed within the last 24 h is none that anybody is used to: then it is what those 24 h really gave, so that steps
    of one day add up, and the undoing of one is no increase.
    """
    share, used_to = increase_share(c), c.current.used_to if c.current is not None else None
    if share is None:
        return None
    if share <= 0 or used_to is None or not used_to.ng_per_day:  # what goes on as it is, is no increase
        return share, "the highest 24 h rises by"
    beside = f"beside at most {used_to} that the last 24 h gave, the highest 24 h rises by"
    return Fraction(c.view.highest_24h_exact.ng_per_day) / used_to.ng_per_day - 1, beside


@RULES.rule("increase", "SR-08", worst=HARD)
def increase(c: Context) -> Iterator[Hit]:
    """An increase in one change, and within 24 h, stays within the steps of the indication; of children for any child."""
    if c.current is None:
        yield Hit(INFO, "not checked: change of the daily dose, as the present therapy is not known")
        return
    rise = _rise(c)
    if rise is None or rise[0] <= 0:
        return
    share, words = rise
    age, indication = c.rx.patient.age_years, c.rx.patient.indication
    is_child = age is not None and age < c.library.child_below_years.value
    groups = c.library.increase_limits(indication, age)
    text = f"{percent_text(share)} %"
    for severity, name in ((HARD, "hard_percent"), (SECOND, "second_percent"), (SOFT, "soft_percent")):
        limit = min((getattr(group, name) for group in groups), key=lambda figure: int(figure.value))
        if share > Fraction(limit.value, 100):
            message = f"{words} {text}, above {limit.value} % for {indication}{' and a child' if is_child else ''}"
            yield Hit(severity, message, text, f"{limit.value} %", limit.origin)
            return


@RULES.rule("first-period", "SR-08", worst=SECOND)
def first_period(c: Context) -> Iterator[Hit]:
    """No increase in the first 24 h of a therapy without a second person; the way back to the therapy before it is none."""
    rise = _rise(c)
    if c.current is None or rise is None or rise[0] <= 0:
        return
    limit, age = c.library.first_period, c.current.age_ms
    if age is None and c.current.present is not None:
        message = f"the therapy may have been changed in the last {limit.value}: the pump tells only of a later command"
        yield Hit(SECOND, message, "not known", limit.value.text(), limit.origin)
    elif age is None:
        yield Hit(INFO, "not checked: how long the present therapy has been running")
    elif age < limit.value.ms:
        hours = f"{age // MS_PER_HOUR} h"
        if _is_way_back(c):
            yield Hit(INFO, f"no more than the therapy that ran until {hours} ago", hours, limit.value.text(), limit.origin)
            return
        message = f"the present therapy has been running for less than {limit.value}; its effect is not yet to be seen"
        yield Hit(SECOND, message, hours, limit.value.text(), limit.origin)


def _is_way_back(c: Context) -> bool:
    """The therapy that the last day was mostly given by had no less."""
    current = c.current
    if current is None or current.used_to is None or current.before is None or current.before.drug != c.view.drug:
        return False
    if not current.scheduled_24h.ng:  # the one before may have run for minutes
        return False
    return c.view.highest_24h_exact <= current.before.highest_24h_exact


@RULES.rule("decrease", "SR-08", "SR-33", worst=SOFT, needs="acknowledged")
def decrease(c: Context) -> Iterator[Hit]:
    """A steep decrease asks for a withdrawal acknowledgement; it is never hard. What the patient may ask for replaces nothing: the schedule
    alone counts, its highest 24 h, its mean and its lowest day."""
    old = c.current.view if c.current is not None and increase_share(c) is not None else None
    if not c.is_therapy or old is None:
        return
    share, what = steepest_fall(old, c.view)
    limit = c.library.decrease_soft_percent
    if share > Fraction(limit.value, 100):
        text = percent_text(share)
        why = f"{c.library.texts.withdrawal.text}; consider a taper: itbpump plan taper"
        yield Hit(SOFT, f"{what} falls by {text} %, more than {limit.value} %; {why}", f"-{text} %", f"-{limit.value} %", limit.origin)


@RULES.rule("stop", "SR-33", worst=SOFT, needs="acknowledged")
def stop(c: Context) -> Iterator[Hit]:
    """A stop, or the minimum rate, asks for a withdrawal acknowledgement."""
    if not c.is_therapy:
        what = "delivery stops" if c.rx.therapy.mode == "stopped" else "the minimum rate is practically no dose"
        withdrawal = c.library.texts.withdrawal
        yield Hit(SOFT, f"{what}: {withdrawal.text}; say why, and who watches the patient", source=withdrawal.origin)


@RULES.rule("bolus-at-once", "SR-07", "SR-10", worst=SOFT)
def bolus_at_once(c: Context) -> Iterator[Hit]:
    """A periodic bolus starts with the commit, unless the pump has the same period already: then no bolus moves."""
    therapy, current = c.rx.therapy, c.current
    if therapy.mode != "periodic-bolus":
        return
    if current is None:
        yield Hit(INFO, "not checked: whether a bolus starts with the commit, as the present therapy is not known")
        return
    present = current.present
    waits = present is not None and (present.bridging or (c.is_refill and present.run_state is not RunState.RUNNING))
    if waits or (is_relabelled(c.view, current) and bridge_wanted(c.rx)):
        return
    if keeps_period(c):
        yield Hit(INFO, f"the period of {therapy.every} goes on as it is: this change moves no bolus, and one under way gives the new dose")
        return
    at_once = f"a bolus of {therapy.dose} over {therapy.over} starts with the commit"
    old = current.view
    given_lately = current.is_treating or (present is not None and present.mass_24h_ng > 0)
    if old is None or not given_lately or not _has_boluses(old):
        yield Hit(INFO, at_once)
        return
    last = f"at any time in the last {old.periodic.every}, even just before" if old.periodic is not None else "only just before"
    highest = max(highest_across(c)).rounded()
    message = f"{at_once}; the last one of the present therapy may have begun {last}; up to {highest} in 24 h across the change"
    yield Hit(SOFT, message, highest.text(), c.view.highest_24h_exact.rounded().text(), "the pump's period begins with the commit")


def _has_boluses(view: TherapyView) -> bool:
    return view.periodic is not None or any(step.dose is not None for day in view.days for step in day)


@RULES.rule("identity", "SR-20", worst=HARD)
def identity(c: Context) -> Iterator[Hit]:
    """Old and new are for the same patient and the same pump model."""
    present = c.current.present if c.current is not None else None
    if present is not None:
        yield from patient_hits(present, c.rx.patient.id, "the prescription")
    old = c.current.rx if c.current is not None else None
    if old is None:
        return
    if old.patient.id != c.rx.patient.id:
        message = f"the present therapy is patient {old.patient.id}'s, this one {c.rx.patient.id}'s"
        yield Hit(HARD, message, c.rx.patient.id, old.patient.id)
    if old.pump.profile != c.rx.pump.profile:
        message = f"the present pump is a {old.pump.profile}, this prescription is for a {c.rx.pump.profile}; review a new pump as a start"
        yield Hit(HARD, message, c.rx.pump.profile, old.pump.profile)
    if old.pump.as_of > c.rx.pump.as_of:
        message = f"the present therapy is of {day_text(old.pump.as_of)}, later than this prescription: are the two files swapped?"
        yield Hit(SOFT, message)
