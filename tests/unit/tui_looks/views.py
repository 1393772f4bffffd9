"""Therapies as a pump would have them, and a second way to know their rate: from the table of steps, without the schedule."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from itbpump.configuration import wire_configuration
from itbpump.profiles import load_profile
from itbpump.therapy import Prescription
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import Mode
from tests.unit.therapy.prescriptions import bolus, example, flex, periodic, prescription, prescriptions, rate

DAY = 1_440


def view(rx: Prescription, profile: str = "P-40") -> TherapyView:
    return view_configuration(wire_configuration(rx, load_profile(profile)), load_profile(profile))


def flex_view() -> TherapyView:
    return view(example("flex-weekday-weekend"))


def more_view() -> TherapyView:
    """Of Monday's steps in `flex_view` the bolus is larger and the night's rate a little higher."""
    return view(prescription(flex(rate("00:00", "6 mcg/h"), bolus("06:00", "50 mcg", "1h"), rate("20:00", "5.1 mcg/h"))))


def periodic_view() -> TherapyView:
    return view(prescription(periodic("25 mcg", "30m", "6h")))


def stopped_view() -> TherapyView:
    return view(prescription({"mode": "stopped"}))


views = st.builds(view, prescriptions(), st.sampled_from(["P-20", "P-40", "V-20", "V-40"]))


def rate_by_the_table(therapy: TherapyView, weekday: int, minute: int) -> Fraction:
    """ng per day at a minute of a weekday, from the steps a person sees; of a periodic therapy since the start of a bolus."""
    if therapy.mode is Mode.PERIODIC_BOLUS:
        assert therapy.periodic is not None
        assert therapy.periodic.every is not None
        assert therapy.background is not None
        within = minute % therapy.periodic.every.minutes < therapy.periodic.over.minutes
        rest = Fraction(therapy.background.ng_per_day)
        return Fraction(therapy.periodic.dose.ng) * DAY / therapy.periodic.over.minutes if within else rest
    found = Fraction(0)
    for step in therapy.days[weekday]:
        if step.rate is not None and step.at.minute <= minute:
            found = Fraction(step.rate.ng_per_day)
    for day, shift in ((weekday, 0), ((weekday - 1) % 7, DAY)):
        for step in therapy.days[day]:
            if step.dose is not None and step.over is not None and step.at.minute <= minute + shift < step.at.minute + step.over.minutes:
                found = Fraction(step.dose.ng) * DAY / step.over.minutes
    return found
