"""Plans over several visits as tasks: steps up or down to a daily dose, with dates, charts, and the first step ready to be programmed.

The arithmetic is `itbpump.plan`. A plan that begins later is shown and cannot be sent: nobody programs a step ahead of its time. Each
further step is planned again from what the pump then runs. Not here: the change of concentration, which is a refill (`refill`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Any

from itbpump.configuration import wire_configuration
from itbpump.drugs import DrugLibrary
from itbpump.errors import QuantityError
from itbpump.outcome import Outcome
from itbpump.plan import Plan, StepRefused, taper, titrate
from itbpump.plan.model import time_text
from itbpump.plan.views import plan_lines
from itbpump.pump import Pump
from itbpump.quantity import Duration, MassRate, Volume
from itbpump.therapy import Prescription
from itbpump.wire.messages import CommandKind, LogKind
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Confirmation, Proposal
from itbpump.workflow.stored import essence
from itbpump.workflow.therapy import propose_prescription

__all__ = ["PlanTask", "TaperTask", "TitrateTask", "running_prescription"]

_GROUP = "Plan"


class PlanTask(ABC):
    """What both directions share; `_plan` makes the plan."""

    id = ""
    title = ""
    summary = ""
    group = "Plans"
    goal_help = ""

    def hindered(self, facts: Facts) -> str:
        return _unlike(facts)

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        return (
            amount_field("goal", "Daily dose to reach", MassRate, self.goal_help, group=_GROUP, example="300"),
            *self._start_fields(facts),
            Field(
                "step", "Step", Kind.TEXT,
                "Change of a step, in percent of the dose before, within the library's range; empty for the least of it.",
                "%", group=_GROUP, required=False, example="10",
            ),
            Field(
                "every", "From step to step", Kind.DURATION, "Time between steps; empty for the shortest that is allowed.",
                group=_GROUP, required=False,
            ),
            Field(
                "begin_on", "First step on", Kind.DATE, "Day of the first step; empty for the earliest that is allowed.", group=_GROUP,
                required=False,
            ),
            Field(
                "accepted", "Accepted findings", Kind.TEXT,
                "Soft findings that stand against the steps, as RULE=REASON, several with ; between them. Each is asked for again when its "
                "step is programmed.", group=_GROUP, required=False,
            ),
        )  # fmt: skip

    def plan(self, facts: Facts, values: Values) -> Plan:
        """The plan from what the pump runs now. Raises FieldError, PlanError."""
        if self.hindered(facts):
            raise FieldError("", self.hindered(facts))
        read = {field.id: field.read(values.get(field.id, field.initial)) for field in self.fields(facts, values)}
        present = running_prescription(facts)
        library = library_for(present.drug.name, facts.policy.clinic_library)
        try:
            found = self._plan(present, read, library)
        except StepRefused as refused:
            soft = (
                f'; or write "{refused.finding.rule}=" and a reason into accepted findings'
                if refused.finding.severity.word == "soft"
                else ""
            )
            raise FieldError("", f"no plan: {str(refused).partition(', or let it stand with')[0]}{soft}") from refused
        idle = set(_accepted(read)) - {expected.finding.rule for entry in found.entries for expected in entry.expected}
        if idle:
            raise FieldError("accepted", f"nothing to accept for {', '.join(sorted(idle))} in this plan", "leave it out")
        return found

    def propose(self, facts: Facts, values: Values) -> Proposal:
        """The first step, with the whole plan above it."""
        from itbpump.plan.csf import simulate  # noqa: PLC0415  (loads the simulator, for the what-if of the CSF alone)

        found = self.plan(facts, values)
        first, count = found.entries[0], len(found.entries)
        steps = f"{count} step{'s' * (count != 1)}"
        title = f"{self.title} for patient {found.present.patient.id}: step 1 of {steps}, {first.daily_dose}"
        proposal = propose_prescription(facts, first.rx, self.id, title)
        lines = (*proposal.lines, "", *plan_lines(found, simulate(found)), "", f"Below: step 1 of {steps}, beside what the pump runs now.")
        if first.at <= facts.present.host_now:
            return replace(proposal, lines=lines)
        prompt = f"The first step is for {time_text(first.at)}: it cannot be sent before. Plan again then."
        return replace(proposal, lines=(*lines, prompt), confirmation=Confirmation(prompt, ()), send=_never)

    def _start_fields(self, facts: Facts) -> tuple[Field, ...]:
        return ()

    @abstractmethod
    def _plan(self, present: Prescription, read: Mapping[str, object], library: DrugLibrary) -> Plan:
        """The plan of this direction. Raises PlanError, FieldError."""


class TitrateTask(PlanTask):
    """Up to a daily dose."""

    id = "titrate"
    title = "Plan upwards"
    summary = "steps up to a daily dose, with dates"
    goal_help = "Mean daily dose to arrive at, low and slow. Each step is taken only if the patient is well with the one before."

    def _start_fields(self, facts: Facts) -> tuple[Field, ...]:
        if facts.present.is_treating:
            return ()
        why = "Dose to begin with from a pump that treats nobody; empty for that of the screening."
        return (amount_field("start", "Daily dose to start with", MassRate, why, group=_GROUP, required=False),)

    def _plan(self, present: Prescription, read: Mapping[str, object], library: DrugLibrary) -> Plan:
        return titrate(
            present,
            _rate(read["goal"]) or MassRate(0),
            step_percent=_percent(read),
            every=_duration(read["every"]),
            start=_rate(read.get("start")),
            at=_begin(present, read),
            reasons=_accepted(read),
            library=library,
        )


class TaperTask(PlanTask):
    """Down to a daily dose, or to nothing."""

    id = "taper"
    title = "Plan downwards"
    summary = "small steps down instead of an abrupt stop"
    goal_help = "Mean daily dose to end at; 0 for an end of the therapy. At any sign of withdrawal the dose before is given again."

    def hindered(self, facts: Facts) -> str:
        return super().hindered(facts) or ("" if facts.present.is_treating else "no therapy runs, so there is nothing to taper")

    def _plan(self, present: Prescription, read: Mapping[str, object], library: DrugLibrary) -> Plan:
        return taper(
            present,
            _rate(read["goal"]),
            step_percent=_percent(read),
            every=_duration(read["every"]),
            at=_begin(present, read),
            reasons=_accepted(read),
            library=library,
        )


# ------------------------------------------------------------------------------------------------ what the pump runs
def _unlike(facts: Facts) -> str:
    """Why no plan can be made from this pump, in words; empty where one can."""
    present, rx = facts.present, facts.rx
    if present.configuration is None:
        return "the pump has no therapy to plan from; program one first"
    if rx is None:
        return "the therapy was not programmed from this computer; open its prescription, or program it once from here"
    if rx.pump.profile != facts.info.profile or essence(wire_configuration(rx, facts.profile)) != essence(present.configuration):
        return "the pump does not run the prescription known here; program it, or open the one that runs"
    if rx.therapy.mode not in {"stopped", "minimum-rate"} and not present.is_treating:
        return "the therapy does not run; restore it, then plan from it"
    if present.bridging:
        return "a bridge is in force; plan once it has ended"
    return ""


def running_prescription(facts: Facts) -> Prescription:
    """The prescription known here as it runs now: today's reservoir, the day of the fill, since when it runs. ValueError without one."""
    rx, present = facts.rx, facts.present
    if rx is None:
        raise ValueError("no prescription of this pump is known here")
    now = present.host_now.replace(microsecond=0)
    pump = rx.pump.model_copy(update={"as_of": now, "reservoir_volume": Volume(present.reservoir_nL)})
    drug = rx.drug.model_copy(update={"filled_on": present.filled_on or rx.drug.filled_on})
    therapy = rx.therapy.model_copy(update={"since": _since(facts, now)})
    tables: dict[str, Any] = {name: getattr(rx, name) for name in ("patient", "catheter", "screening", "medication")}
    return Prescription.model_validate({"schema": rx.schema_, **tables, "pump": pump, "drug": drug, "therapy": therapy})


def _since(facts: Facts, now: datetime) -> datetime | None:
    """The latest time at which the therapy can have begun: by the recent log, else by the whole."""
    since_ms = facts.present.history.therapy_since_ms
    if since_ms is None:
        commits = [one for one in facts.log if one.kind is LogKind.COMMITTED and one.b >> 32 == CommandKind.CONFIGURE]
        since_ms = commits[-1].uptime_ms if commits else None
    return None if since_ms is None else now - timedelta(milliseconds=facts.present.uptime_ms - since_ms)


# ------------------------------------------------------------------------------------------------ what was answered
def _rate(value: object) -> MassRate | None:
    if value is not None and not isinstance(value, MassRate):
        raise AssertionError("a dose of a day is asked for")
    return value


def _duration(value: object) -> Duration | None:
    if value is not None and not isinstance(value, Duration):
        raise AssertionError("a time is asked for")
    return value


def _percent(read: Mapping[str, object]) -> Fraction | None:
    """`10`, `12.5 %`, by the grammar of amounts. Raises FieldError."""
    text = read["step"]
    if text is None:
        return None
    try:
        return Fraction(Volume.parse(f"{str(text).removesuffix('%').strip()} mL").value, Volume.UNITS["mL"])
    except QuantityError as error:
        raise FieldError("step", f"{text!r} is no percentage", "write 10, or 12.5") from error


def _begin(present: Prescription, read: Mapping[str, object]) -> datetime | None:
    """The day asked for at this time of the day. Raises FieldError for one that is over."""
    asked, now = read["begin_on"], present.pump.as_of
    if asked is None or asked == now.date():
        return None
    if not isinstance(asked, date):
        raise AssertionError("a day is asked for")
    if asked < now.date():
        raise FieldError("begin_on", f"{asked} is over", "write a day from today on")
    return now.replace(year=asked.year, month=asked.month, day=asked.day)


def _accepted(read: Mapping[str, object]) -> dict[str, str]:
    """`daily-total=agreed in the board; …`. Raises FieldError."""
    found: dict[str, str] = {}
    for part in filter(None, (piece.strip() for piece in str(read["accepted"] or "").split(";"))):
        rule, sign, reason = (piece.strip() for piece in part.partition("="))
        if not sign or not rule or not reason or rule in found:
            raise FieldError("accepted", f"{part!r} is no RULE=REASON, or stands twice", "write the rule, = and the reason")
        found[rule] = reason
    return found


def _never(_pump: Pump, _basis: Mapping[str, Any]) -> Outcome:
    """A step ahead of its time has no accepted answer, so that no consent is ever complete."""
    raise AssertionError("a step ahead of its time is never sent")
