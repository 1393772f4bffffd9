"""The fields of a prescription, and the prescription made of what stands in them.

Each field names its place in a prescription file (`path`), so that what is wrong is shown where it was typed. What the pump runs and what
was programmed here before is offered; a concentration never is, nor a dose of another drug. Pure.
Not here: judging the prescription (`therapy`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from itbpump.drugs import DrugLibrary, library_names, load_library
from itbpump.errors import PrescriptionError
from itbpump.profiles import PumpProfile
from itbpump.quantity import Amount, Concentration, Length, Mass, MassRate, Volume, VolumePerLength
from itbpump.therapy import SCHEMA, Prescription, Problem, prescription_from, prescription_json
from itbpump.wire.messages import RunState
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field, choice_field
from itbpump.workflow.starting import NOTHING, Start
from itbpump.workflow.week import Week, WeekError

__all__ = [
    "Bounds",
    "catheter_fields",
    "drug_fields",
    "field_error",
    "low_alarm_offered",
    "mode_fields",
    "patient_bolus_fields",
    "patient_fields",
    "prescription_of",
    "pump_fields",
    "put_medication",
]

MODES = (
    ("continuous", "continuous: one rate all the time"),
    ("flex", "flex: steps of the day, patterns of weekdays"),
    ("periodic-bolus", "periodic bolus: a bolus at a fixed interval"),
    ("minimum-rate", "minimum rate: keeps the pump moving, practically no therapy"),
    ("stopped", "stopped: no delivery at all"),
)
_CATHETER = {"known": "path", "path_volume": "", "length_total": "", "length_removed": "", "volume_per_length": "", "tubing_volume": ""}
_SPLIT = re.compile(r"[;\n]+")
LOW_ALARM_STEP_NL = 100_000


@dataclass(frozen=True, slots=True)
class Bounds:
    """Amounts above which a drug library lets nobody go: told at the field, and a HARD finding of the review. None where not known."""

    day: MassRate | None = None
    bolus: Mass | None = None
    patient_bolus: Mass | None = None

    @classmethod
    def of(cls, library: DrugLibrary) -> Bounds:
        """By the widest limits, those of any indication: the strictest that hold are the review's."""
        highest = max(limits.hard_high.value for limits in library.daily_limits(None, None))
        return cls(highest, library.bolus_hard.value, library.patient_bolus_hard.value)


def low_alarm_offered(profile: PumpProfile) -> Volume:
    """The profile's default, or where a full pump could run dry before that sounds, the least volume that always sounds in time (domain
    0.3), up to the next 0.1 mL."""
    safe = Volume(-(-profile.safe_low_alarm.nL // LOW_ALARM_STEP_NL) * LOW_ALARM_STEP_NL)
    return max(profile.low_alarm_default, safe)


# ------------------------------------------------------------------------------------------------ what is asked
def patient_fields(facts: Facts, library: DrugLibrary) -> tuple[Field, ...]:
    """Who it is for: an opaque id, never a name; the limits hang on indication and age."""
    group, person = "Patient", facts.person
    patient = person.patient if person is not None else None
    return (
        Field(
            "patient_id", "Patient id", Kind.ID, "The clinic's opaque id of the patient. Never a name: it is kept and shown.",
            path="patient.id", group=group, initial=facts.patient_id, example="P-0042",
        ),
        choice_field(
            "indication", "Indication", tuple((name, name) for name in library.indications),
            "The origin of the spasticity. Limits of dose and of increase differ between them.",
            path="patient.indication", group=group, initial=patient.indication if patient is not None else "",
        ),
        Field(
            "age_years", "Age in years", Kind.WHOLE, "Limits for children hang on it; left empty, they are reported as not checked.",
            path="patient.age_years", group=group, required=False,
            initial="" if patient is None or patient.age_years is None else str(patient.age_years),
        ),
        Field(
            "medication", "Other drugs", Kind.TEXT,
            "Other drugs the patient takes, as NAME class, several with ; between them. Classes that interact: "
            f"{', '.join(library.interactions)}. Drugs that depress the nervous system add to the sedation.",
            group=group, required=False, example="diazepam cns-depressant",
            initial="; ".join(f"{drug.name} {drug.drug_class}" for drug in person.medication) if person is not None else "",
        ),
    )  # fmt: skip


def drug_fields(facts: Facts) -> tuple[Field, ...]:
    """What is in the reservoir. The concentration is typed each time (design 4, ISMP 1999: a default made a tenfold overdose)."""
    old = facts.present.configuration
    return (
        choice_field(
            "drug", "Drug", tuple((name, name) for name in library_names()), "The drug in the reservoir, as the label of the vial says.",
            path="drug.name", group="Drug", initial=old.drug if old is not None else facts.rx.drug.name if facts.rx is not None else "",
        ),
        amount_field(
            "concentration", "Concentration", Concentration,
            "Read it from the vial and type it; it is never filled in for you. Ten times off is ten times the dose.",
            path="drug.concentration", group="Drug",
        ),
    )  # fmt: skip


def pump_fields(facts: Facts, *, with_volume: bool) -> tuple[Field, ...]:
    """The reservoir: its content where the pump has none yet, and the volume at which the pump sounds."""
    old, profile = facts.present.configuration, facts.profile
    low = Volume(old.low_alarm_nL) if old is not None else low_alarm_offered(profile)
    if facts.rx is not None and facts.rx.pump.low_reservoir_alarm is not None and facts.rx.pump.profile == profile.name:
        low = facts.rx.pump.low_reservoir_alarm
    volume = amount_field(
        "reservoir_volume", "In the reservoir", Volume, "All that is in the reservoir now, the residual that no needle reaches included.",
        path="pump.reservoir_volume", group="Pump",
    )  # fmt: skip
    alarm = amount_field(
        "low_alarm", "Low-reservoir alarm at", Volume,
        "The volume at which the pump begins to sound. Too low a volume runs dry before it sounds, as a pump may give more than it counts.",
        path="pump.low_reservoir_alarm", group="Pump", initial=low.text().partition(" ")[0],
    )  # fmt: skip
    return (volume, alarm) if with_volume else (alarm,)


def catheter_fields(facts: Facts, values: Values, *, fresh: bool = False) -> tuple[Field, ...]:
    """The way to the patient: one volume, or lengths. `fresh`: after a revision nothing of the old one is offered."""
    known = dict(_CATHETER)
    old = facts.present.configuration
    if not fresh and facts.rx is not None:
        table = prescription_json(facts.rx)["catheter"]
        known |= {key: str(text).partition(" ")[0] for key, text in table.items()}
        known["known"] = "lengths" if "length_total" in table else "path"
    elif not fresh and old is not None:
        known["path_volume"] = Volume(old.path_volume_nL).text().partition(" ")[0]
    way = choice_field(
        "path_known", "Path known by", (("path", "its whole volume"), ("lengths", "lengths and bore")),
        "Pump tubing and catheter together. Lengths are surer: total as packed, less what was cut off at the implant.",
        group="Catheter", initial="" if fresh else known["known"],
    )  # fmt: skip
    chosen = values.get("path_known", way.initial)
    asked: tuple[tuple[str, str, type[Amount], str, str], ...] = ()
    if chosen == "lengths":
        asked = (
            ("length_total", "Length as packed", Length, "cm", "Of the catheter before anything was cut off."),
            ("length_removed", "Length cut off", Length, "cm", "All pieces removed at the implant; 0 where nothing was."),
            (
                "volume_per_length",
                "Volume per length",
                VolumePerLength,
                "mL/cm",
                "From the catheter's labelling: often 0.0022 mL per cm.",
            ),
            ("tubing_volume", "Pump tubing", Volume, "mL", "Inner tubing of the pump, from its labelling. A wrong figure was a recall."),
        )
    elif chosen == "path":
        asked = (("path_volume", "Path volume", Volume, "mL", "Pump tubing and catheter together."),)
    return (
        way,
        *(
            amount_field(name, label, kind, why, unit=unit, path=f"catheter.{name}", group="Catheter", initial=known[name])
            for name, label, kind, unit, why in asked
        ),
    )


def mode_fields(values: Values, start: Start = NOTHING, bounds: Bounds = Bounds()) -> tuple[Field, ...]:
    """The mode, and what belongs to it. `start`: what is offered; `bounds`: above what nobody is ever given it."""
    group = "Therapy"
    mode = choice_field(
        "mode", "Mode", MODES, "How the drug is given.", path="therapy.mode", group=group, initial=start.get("therapy.mode", "")
    )
    chosen = values.get("mode", mode.initial)
    if chosen == "continuous":
        return (mode, amount_field(
            "dose", "Dose of a day", MassRate, "All that is given in 24 h.", path="therapy.dose", group=group, example="200",
            initial=start.get("therapy.dose", ""), most=bounds.day, not_zero=True))  # fmt: skip
    if chosen == "flex":
        return (mode, Field(
            "week", "Week", Kind.WEEK,
            "Steps of each day. A rate holds until the next step; a dose with its time replaces the rate while it runs. The first step "
            "of a day is a rate at 00:00.",
            path="therapy.pattern", group=group, initial=start.get("therapy.pattern", ""), dose=True,
            example="daily: 00:00 8 mcg/h; 06:00 40 mcg over 1h"))  # fmt: skip
    if chosen == "periodic-bolus":
        return (
            mode,
            amount_field("each_dose", "Dose of each bolus", Mass, "Of one bolus, not of a day.", path="therapy.dose", group=group,
                         initial=start.get("therapy.periodic", ""), most=bounds.bolus, not_zero=True),
            Field("over", "Each takes", Kind.DURATION, "How long one bolus takes.", path="therapy.over", group=group, dose=True,
                  initial=start.get("therapy.over", "")),
            Field("every", "From start to start", Kind.DURATION,
                  "Hours as h, minutes as m: hours typed as minutes have killed two people.", path="therapy.every", group=group, dose=True,
                  initial=start.get("therapy.every", "")),
            amount_field("background", "Background rate", MassRate, "Given between the boluses; 0 for none.", unit="mcg/h",
                         path="therapy.background", group=group, initial=start.get("therapy.background", ""), most=bounds.day),
        )  # fmt: skip
    return (mode,)


def patient_bolus_fields(values: Values, start: Start = NOTHING, bounds: Bounds = Bounds()) -> tuple[Field, ...]:
    """What the patient may ask for. `start` and `bounds` as in `mode_fields`."""
    group, path = "Patient bolus", "therapy.patient_bolus"
    allowed = f"{path}.dose" in start
    choice = choice_field(
        "patient_bolus", "Patient bolus", (("none", "none"), ("allowed", "allowed")), "Whether the patient may ask for a bolus.",
        group=group, initial="allowed" if allowed else "none",
    )  # fmt: skip
    if values.get("patient_bolus", choice.initial) != "allowed":
        return (choice,)
    return (
        choice,
        amount_field("pb_dose", "Dose of each", Mass, "Of one patient bolus.", path=f"{path}.dose", group=group,
                     initial=start.get(f"{path}.dose", ""), most=bounds.patient_bolus, not_zero=True),
        Field("pb_over", "Each takes", Kind.DURATION, "How long one takes.", path=f"{path}.over", group=group, dose=True,
              initial=start.get(f"{path}.over", "")),
        Field("pb_lockout", "Lockout", Kind.DURATION, "From the start of one to the start of the next.", path=f"{path}.lockout",
              group=group, dose=True, initial=start.get(f"{path}.lockout", "")),
        Field("pb_max", "At most in 24 h", Kind.WHOLE, "1 to 24; the refill date assumes that all are used.",
              path=f"{path}.max_per_day", group=group, dose=True, initial=start.get(f"{path}.max_per_day", "")),
    )  # fmt: skip


# ------------------------------------------------------------------------------------------------ what was answered
def prescription_of(facts: Facts, fields: Iterable[Field], values: Values) -> Prescription:
    """The prescription of what stands in the fields. Raises FieldError naming the field where it stands."""
    fields = tuple(fields)
    tables = _known(facts)
    for field in fields:
        text = field.canonical(values.get(field.id, field.initial))
        if field.path and text:
            _put(tables, field.path, _value(field, text))
    put_medication(tables, fields, values)
    try:
        return prescription_from(tables)
    except PrescriptionError as error:
        raise field_error(error, fields) from error


def _known(facts: Facts) -> dict[str, Any]:
    """What is carried over from the prescription before, and what the pump itself tells."""
    before = prescription_json(facts.rx) if facts.rx is not None else {}
    tables: dict[str, Any] = {"schema": SCHEMA, "patient": dict(before.get("patient", {})), "catheter": {}, "therapy": {}}
    if "screening" in before and facts.present.run_state is RunState.UNCONFIGURED:
        tables["screening"] = before["screening"]
    now = facts.present.host_now.replace(microsecond=0)
    tables["pump"] = {"profile": facts.info.profile, "as_of": now, "reservoir_volume": Volume(facts.present.reservoir_nL)}
    if facts.rx is not None and facts.rx.pump.implanted_on is not None:
        tables["pump"]["implanted_on"] = facts.rx.pump.implanted_on
    filled_on = facts.present.filled_on
    tables["drug"] = {} if filled_on is None else {"filled_on": filled_on}
    return tables


def _value(field: Field, text: str) -> object:
    if field.kind is Kind.WHOLE:
        return int(text)
    if field.kind is Kind.WEEK:
        try:
            return Week.parse(text).tables()
        except WeekError as error:
            raise FieldError(field.id, str(error), error.action) from error
    return text


def _put(tables: dict[str, Any], path: str, value: object) -> None:
    *parents, key = path.split(".")
    for name in parents:
        tables = tables.setdefault(name, {})
    tables[key] = value


def put_medication(tables: dict[str, Any], fields: Sequence[Field], values: Values) -> None:
    """`diazepam cns-depressant; morphine opioid` as the prescription has it. Raises FieldError."""
    field = next((field for field in fields if field.id == "medication"), None)
    if field is None:
        return
    listed = [part.split() for part in _SPLIT.split(values.get(field.id, field.initial)) if part.strip()]
    for words in listed:
        if len(words) < 2:
            raise FieldError(field.id, f"{' '.join(words)!r} lacks its class", "write NAME class, such as diazepam cns-depressant")
    if listed:
        tables["medication"] = [{"name": " ".join(words[:-1]), "class": words[-1]} for words in listed]


def field_error(error: PrescriptionError, fields: Sequence[Field]) -> FieldError:
    """The first problem, at the field it belongs to; the longest path counts."""
    problem = next(problem for problem in error.problems if isinstance(problem, Problem))
    plain = re.sub(r"\[\d+\]", "", problem.key)
    fitting = [field for field in fields if field.path and (plain == field.path or plain.startswith(f"{field.path}."))]
    inside = [field for field in fields if field.path.startswith(f"{plain}.")] if plain else []
    chosen = max(fitting, key=lambda field: len(field.path)) if fitting else (inside[0] if inside else None)
    where = "" if chosen is not None or not problem.key else f"{problem.key}: "
    return FieldError(chosen.id if chosen is not None else "", f"{where}{problem.text}")


def tables_of_week(facts: Facts, concentration: Concentration, week: Week) -> Prescription:
    """A prescription of nothing but this week, to be drawn. Raises FieldError saying what the week lacks."""
    if not all(week.days):
        raise FieldError("week", "a day without steps", "begin it with a rate at 00:00")
    drug = library_names()[0]  # which one does not matter: what is drawn is flow and concentration
    tables: dict[str, Any] = {
        "schema": SCHEMA,
        "patient": {"id": "preview", "indication": load_library(drug).indications[0]},
        "pump": {"profile": facts.info.profile, "as_of": facts.present.host_now, "reservoir_volume": Volume(facts.present.reservoir_nL)},
        "drug": {"name": drug, "concentration": concentration},
        "catheter": {"path_volume": facts.profile.path_max},
        "therapy": {"mode": "flex", "pattern": week.tables()},
    }
    try:
        return prescription_from(tables)
    except PrescriptionError as error:
        problem = next(problem for problem in error.problems if isinstance(problem, Problem))
        raise FieldError("week", problem.text) from error
