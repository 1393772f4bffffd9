"""Old against new: the rows a clinician reads before anything is sent (SR-09), and what pulses make of each amount.

Both columns show what the pump gives (achievable). Days are grouped so that each row holds for all days it names, in both therapies.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from itbpump.forecast import Forecast
from itbpump.quantity import TimeOfDay, mass_of_pulses, rate_of_flow
from itbpump.safety.context import Context, percent_text
from itbpump.safety.model import Achievable, Row
from itbpump.safety.rules_change import increase_share
from itbpump.therapy_view import StepView, TherapyView, count_in_words, days_in_words

__all__ = ["achievable_rows", "change_percent", "table_rows"]


def change_percent(c: Context) -> str | None:
    """Change of the highest 24 h, such as `12.5`; None without anything to compare with."""
    share = increase_share(c)
    return None if share is None else percent_text(share)


def table_rows(c: Context) -> Iterator[Row]:
    """All rows: what holds for the whole therapy, then the steps of the day, then reservoir and change."""
    old = c.current.view if c.current is not None else None
    old_rows = dict(old.rows()) if old is not None else {}
    new_rows = dict(c.view.rows())
    for label in [*new_rows, *(label for label in old_rows if label not in new_rows)]:
        yield _row(label, old_rows.get(label, ""), new_rows.get(label, ""), known=old is not None)
    yield from _step_rows(old, c.view)
    yield _row("boluses in 24 h", _boluses(old) if old is not None else "", _boluses(c.view), known=old is not None)
    days = c.view.days_to(c.volume, c.view.low_alarm)
    yield Row("days to the low-reservoir alarm", "", "none" if days is None else f"{days:,}", changed=False)
    if isinstance(c.forecast, Forecast):
        for label, text in c.forecast.rows():
            yield Row(label, "", text, changed=False)
    share = change_percent(c)
    if share is not None:
        yield Row("change of the highest 24 h", "", f"{share} %", changed=share != "0")


def _row(label: str, old: str, new: str, *, known: bool) -> Row:
    return Row(label, old, new, changed=known and old != new)


def _boluses(view: TherapyView) -> str:
    """Boluses of the therapy in its fullest day, in words."""
    if view.periodic is not None and view.periodic.every is not None:
        return count_in_words(-(-86_400_000 // view.periodic.every.ms))
    most = max(sum(step.dose is not None for step in day) for day in view.days)
    return count_in_words(most) if most else "none"


def _step_rows(old: TherapyView | None, new: TherapyView) -> Iterator[Row]:
    groups: dict[tuple[tuple[StepView, ...], tuple[StepView, ...]], list[int]] = {}
    for day in range(7):
        groups.setdefault((old.days[day] if old is not None else (), new.days[day]), []).append(day)
    for (old_steps, new_steps), weekdays in groups.items():
        before = {step.at: str(step) for step in old_steps}
        after = {step.at: str(step) for step in new_steps}
        for at in sorted({*before, *after}, key=_minute):
            yield _row(f"{days_in_words(tuple(weekdays))} {at}", before.get(at, ""), after.get(at, ""), known=old is not None)


def _minute(at: TimeOfDay) -> int:
    return at.minute


def achievable_rows(c: Context) -> Iterator[Achievable]:
    """Each amount as prescribed and as given; the same amount at the same place once."""
    concentration, pulse = c.rx.drug.concentration, c.profile.pulse_volume.nL
    for rate in c.rates():
        given = rate_of_flow(rate.flow, concentration)
        shown = type(given)(given.ng_per_day, rate.prescribed.unit)
        yield _achieved(rate.where, str(rate.prescribed), str(shown), Fraction(rate.prescribed.ng_per_day), Fraction(given.ng_per_day))
    for bolus in c.all_boluses():
        mass = mass_of_pulses(bolus.pulses, concentration, pulse)
        yield _achieved(bolus.where, str(bolus.prescribed), str(mass), Fraction(bolus.prescribed.ng), Fraction(mass.ng))


def _achieved(where: str, prescribed: str, given: str, wanted: Fraction, got: Fraction) -> Achievable:
    difference = got / wanted - 1 if wanted else Fraction(0)
    return Achievable(where, prescribed, given, percent_text(difference))
