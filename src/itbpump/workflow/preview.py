"""What a week that is still being edited would give, by the pump's own arithmetic; for charts beside an edit. Pure; nothing is judged."""

from __future__ import annotations

from itbpump.configuration import wire_configuration
from itbpump.quantity import Concentration
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import FieldError, Values
from itbpump.workflow.prescribing import tables_of_week
from itbpump.workflow.week import Week

__all__ = ["preview"]


def preview(facts: Facts, values: Values, week: Week) -> TherapyView:
    """The therapy of this week at the concentration typed in the form. Raises FieldError where that is missing, or the week is none."""
    text = values.get("concentration", "")
    try:
        concentration = Concentration.parse(text if " " in text else f"{text} mcg/mL")
    except ValueError as error:
        raise FieldError("concentration", "type the concentration in the form first, then the chart can be drawn") from error
    rx = tables_of_week(facts, concentration, week)
    return view_configuration(wire_configuration(rx, facts.profile), facts.profile)
