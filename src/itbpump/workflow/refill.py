"""A refill: what came out against what was expected, what was filled, and the pump told of both as one unit (domain 2.4).

The same drug keeps the therapy; another drug or concentration comes with a whole prescription and a decision on the bridge, in one commit
(design 4). The concentration is typed in any case: none is ever taken over (ISMP 1999). Not here: judging volumes (`safety.refill`), the
needle, what a mix of two drugs does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

from itbpump.drugs import DrugLibrary
from itbpump.errors import ConfigurationError, PrescriptionError
from itbpump.forecast import Forecast, ForecastError, day_text, forecast
from itbpump.outcome import Outcome
from itbpump.plan import Rinse, mixed_concentration
from itbpump.plan.figures import plan_figures
from itbpump.plan.mixing import MOST_RINSES, least_rinses
from itbpump.plan.steps import percent
from itbpump.pump import Pump
from itbpump.quantity import Concentration, MassRate, Volume
from itbpump.refill import Refill, RefillError
from itbpump.safety import review_refill
from itbpump.therapy import Prescription, prescription_from
from itbpump.wording.beside import heading_lines
from itbpump.wording.layout import rows
from itbpump.wording.pumpview import ERI_NOT_RAISED
from itbpump.wording.refilling import refill_lines
from itbpump.workflow.checklists import pocket_fill
from itbpump.workflow.confirming import amount_confirmation
from itbpump.workflow.facts import Facts
from itbpump.workflow.fields import Field, FieldError, Kind, Values, amount_field, choice_field, tick_field
from itbpump.workflow.libraries import library_for
from itbpump.workflow.model import Proposal
from itbpump.workflow.prescribing import prescription_of
from itbpump.workflow.refills import REFILL_KEY, past_refills, refill_record, trend_lines
from itbpump.workflow.therapy import present_view, propose_prescription, therapy_fields

__all__ = ["RefillTask"]

SAME, OTHER = "same", "other"
NO_RINSE, RINSE_DRUG, RINSE_SALINE = "none", "drug", "saline"
_FILL, _RINSE, _BRIDGE, _CHECKS = "Refill", "Rinse", "Bridge", "Checks"
LONGEST_TEXT: Final = 40


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is written down of a refill beside its volumes."""

    rinse: Rinse | None
    notes: Mapping[str, str]


class RefillTask:
    """Tells the pump of a refill."""

    id = "refill"
    title = "Refill"
    summary = "expected against aspirated, the same drug or another with its bridge"
    group = "Reservoir"

    def hindered(self, facts: Facts) -> str:
        if facts.present.configuration is None and not facts.present.has_lost_its_configuration:
            return "the pump has no therapy yet; its first filling is told with the first therapy"
        if facts.present.bolus_left_pulses:
            return "a bolus is running; wait for its end, or stop it"
        return ""

    def fields(self, facts: Facts, values: Values) -> tuple[Field, ...]:
        keeps = facts.present.configuration is not None
        other = values.get("filled_with", "" if keeps else OTHER) == OTHER
        return (
            *(_patient_field(facts) if not other else ()),
            *_volume_fields(),
            *(_what_fields() if keeps else ()),
            *(_rinse_fields(values) if keeps and other else ()),
            *(() if other else _same_fields()),
            *_lot_fields(),
            *(tick_field(point.id, point.text, point.told, group=_CHECKS) for point in pocket_fill()),
            *(therapy_fields(facts, values, with_volume=False) if other else ()),
            *(_bridge_fields(values) if keeps and other else ()),
        )

    def propose(self, facts: Facts, values: Values) -> Proposal:
        if self.hindered(facts):
            raise FieldError("", self.hindered(facts))
        fields = self.fields(facts, values)
        read = {field.id: field.read(values.get(field.id, field.initial)) for field in fields}
        plan = _plan(facts, read)
        kept = _Kept(_rinse(facts, read, values), {name: str(read[name]) for name in ("lot", "brand") if read.get(name)})
        if "same_concentration" in read:
            return _same(facts, plan, read["same_concentration"], kept, facts.patient_id or str(read["patient_id"]))
        return _other(facts, plan, _prescription(facts, plan, fields, values), kept)


# ------------------------------------------------------------------------------------------------ what is asked
def _patient_field(facts: Facts) -> tuple[Field, ...]:
    """Whose pump it is, where nobody knows: the report and the record are no one's otherwise (SR-20)."""
    if facts.patient_id:
        return ()
    why = "The clinic's opaque id of the patient. Never a name: it is kept and shown."
    return (Field("patient_id", "Patient id", Kind.ID, why, path="patient.id", group="Patient", example="P-0042"),)


def _volume_fields() -> tuple[Field, ...]:
    return (
        amount_field(
            "aspirated", "Drawn out", Volume,
            "All that came out of the reservoir through the needle, read on the syringe; 0 where nothing came. It is compared with what "
            "the pump expected.", group=_FILL,
        ),
        amount_field(
            "filled", "Filled in", Volume,
            "What went in through the needle. The residual that no needle reaches is added by itself.", group=_FILL, example="38",
        ),
    )  # fmt: skip


def _what_fields() -> tuple[Field, ...]:
    return (
        choice_field(
            "filled_with", "What was filled", ((SAME, "the same drug and concentration"), (OTHER, "another drug or concentration")),
            "Read the label of the vial. Another drug or concentration needs a whole new prescription and a decision on the bridge; a new "
            "label with an old flow cannot be sent.", group=_FILL,
        ),
    )  # fmt: skip


def _same_fields() -> tuple[Field, ...]:
    return (
        amount_field(
            "same_concentration", "Concentration filled", Concentration,
            "Read it from the vial and type it. It must be what the pump holds; it is never filled in for you, as ten times off is ten "
            "times the dose.", group=_FILL,
        ),
    )  # fmt: skip


def _lot_fields() -> tuple[Field, ...]:
    return (
        Field("lot", "Lot", Kind.TEXT, "Of the vial, for the record.", group=_FILL, required=False),
        Field("brand", "Product", Kind.TEXT, "Brand or compounder, for the record. Never a person's name.", group=_FILL, required=False),
    )


def _rinse_fields(values: Values) -> tuple[Field, ...]:
    choice = choice_field(
        "rinse", "Rinse",
        ((NO_RINSE, "not rinsed"), (RINSE_DRUG, "rinsed with the new drug"), (RINSE_SALINE, "rinsed with drug-free fluid")),
        "The residual that no needle reaches keeps the old concentration and mixes with the new. A rinse goes in and is drawn out again.",
        group=_RINSE,
    )  # fmt: skip
    if values.get("rinse", "") not in {RINSE_DRUG, RINSE_SALINE}:
        return (choice,)
    return (
        choice,
        amount_field(
            "rinse_volume", "Volume of a rinse", Volume, "In, and out again as far as a needle reaches.", group=_RINSE, example="5"
        ),
        Field("rinse_times", "Number of rinses", Kind.WHOLE, f"1 to {MOST_RINSES}.", group=_RINSE, dose=True),
    )


def _bridge_fields(values: Values) -> tuple[Field, ...]:
    choice = choice_field(
        "bridge", "Bridge",
        (("auto", "the old dose goes on until the old drug has left the path"), ("refused", "no bridge, with the reason")),
        "The path still holds the old concentration. Without a bridge the new flow pushes it out: too much or too little for days.",
        path="bridge.plan", group=_BRIDGE,
    )  # fmt: skip
    if values.get("bridge", "") != "refused":
        return (choice,)
    return (choice, Field("bridge_reason", "Why no bridge", Kind.TEXT, "Kept with the decision.", path="bridge.reason", group=_BRIDGE))


# ------------------------------------------------------------------------------------------------ what was answered
def _plan(facts: Facts, read: Mapping[str, object]) -> Refill:
    aspirated, filled = _volume(read, "aspirated"), _volume(read, "filled")
    if filled.nL == 0:
        raise FieldError("filled", "nothing was filled in", "write what went in")
    for name in ("lot", "brand"):
        text = str(read.get(name) or "")
        if len(text) > LONGEST_TEXT or not text.isprintable():
            raise FieldError(name, f"more than one plain line of {LONGEST_TEXT} signs", "write it shorter")
    try:
        return Refill.plan(aspirated, filled, facts.present, facts.profile, facts.log)
    except RefillError as error:
        raise FieldError("aspirated" if aspirated > facts.profile.capacity else "filled", str(error)) from error


def _volume(read: Mapping[str, object], name: str) -> Volume:
    found = read[name]
    if not isinstance(found, Volume):
        raise AssertionError(f"{name} is a volume")
    return found


def _rinse(facts: Facts, read: Mapping[str, object], values: Values) -> Rinse | None:
    """The rinse as it was made; the fluid is the concentration typed, or nothing."""
    if read.get("rinse") not in {RINSE_DRUG, RINSE_SALINE}:
        return None
    volume, times, new = _volume(read, "rinse_volume"), read["rinse_times"], read.get("concentration")
    if not isinstance(times, int) or not isinstance(new, Concentration):
        raise AssertionError("a rinse has a count, and comes with a new concentration")
    if volume.nL == 0 or volume > facts.profile.capacity:
        raise FieldError("rinse_volume", f"a rinse of {volume} is none", "write what went in and came out, or choose not rinsed")
    if not 1 <= times <= MOST_RINSES:
        raise FieldError("rinse_times", f"{times} rinses", f"write 1 to {MOST_RINSES}, or choose not rinsed")
    return Rinse(volume.nL, times, new.ng_per_mL if values.get("rinse") == RINSE_DRUG else 0)


def _prescription(facts: Facts, plan: Refill, fields: tuple[Field, ...], values: Values) -> Prescription:
    """What stands in the fields, about the reservoir as it is after the fill. Raises FieldError."""
    asked = prescription_of(facts, fields, values)
    old = facts.present.configuration
    if old is not None and (asked.drug.name, asked.drug.concentration.ng_per_mL) == (old.drug, old.concentration_ng_per_mL):
        held = f"{old.drug} {Concentration(old.concentration_ng_per_mL)}"
        raise FieldError("concentration", f"{held} is what the pump holds already", "choose the same drug; change the therapy afterwards")
    pump = asked.pump.model_copy(update={"reservoir_volume": plan.volume_after})
    drug = asked.drug.model_copy(update={"filled_on": facts.present.host_now.date()})
    tables = {name: getattr(asked, name) for name in ("patient", "catheter", "screening", "medication", "bridge", "therapy")}
    try:
        return prescription_from({"schema": asked.schema_, **tables, "pump": pump, "drug": drug})
    except PrescriptionError as error:
        raise FieldError("", str(error)) from error


# ------------------------------------------------------------------------------------------------ the same drug
def _same(facts: Facts, plan: Refill, typed: object, kept: _Kept, patient_id: str) -> Proposal:
    present, configuration = facts.present, facts.present.configuration
    if configuration is None or not isinstance(typed, Concentration):
        raise AssertionError("only a pump that knows its drug is refilled with the same")
    held = Concentration(configuration.concentration_ng_per_mL)
    if typed != held:
        problem = f"{typed} was typed, and the pump holds {configuration.drug} {held}"
        raise FieldError("same_concentration", problem, "read the vial again; if it is another one, choose another drug or concentration")
    library = library_for(configuration.drug, facts.policy.clinic_library)
    found = review_refill(plan, present, facts.profile, library=library)

    def send(pump: Pump, basis: Mapping[str, Any]) -> Outcome:
        return pump.refill(plan.aspirated, plan.filled, None, present, basis=basis)[0]

    return Proposal(
        task=RefillTask.id,
        title=f"Refill of {plan.filled} for patient {patient_id}; the therapy stays as it is",
        serial=facts.info.serial,
        revision=present.revision,
        patient_id=patient_id,
        review=found,
        confirmation=amount_confirmation(
            plan.filled, "what was filled in, to tell the pump", f"Pump {facts.info.serial}, patient {patient_id}."
        ),
        send=send,
        lines=(*heading_lines(facts.info, present), *_refill_lines(facts, plan), *_date_lines(facts, library, plan)),
        old=present_view(facts),
        new=present_view(facts),
        refill=plan,
        observe=_observe(facts),
        record={REFILL_KEY: refill_record(plan, present.host_now, kept.notes)},
    )


# ------------------------------------------------------------------------------------------------ another drug or concentration
def _other(facts: Facts, plan: Refill, rx: Prescription, kept: _Kept) -> Proposal:
    title = f"Refill with {rx.drug.name} {rx.drug.concentration} for patient {rx.patient.id}"
    proposal = propose_prescription(facts, rx, RefillTask.id, title, plan)
    library = library_for(rx.drug.name, facts.policy.clinic_library)
    mix = _mix_lines(facts, plan, rx, library, kept.rinse)
    notes = {**kept.notes, **({"rinse": _rinse_text(kept.rinse)} if kept.rinse is not None else {})}
    return replace(
        proposal,
        lines=(*proposal.lines, *_refill_lines(facts, plan), *mix, *_date_lines(facts, library, plan, rx)),
        observe=_observe(facts),
        record={REFILL_KEY: refill_record(plan, facts.present.host_now, notes)},
    )


def _mix_lines(facts: Facts, plan: Refill, rx: Prescription, library: DrugLibrary, rinse: Rinse | None) -> list[str]:
    """What the reservoir really holds after the fill, and what a day then gives."""
    old, residual = facts.present.configuration, facts.profile.residual.nL
    if old is None:
        return rows(
            [("residual", f"{facts.profile.residual} of what was in it before, which nobody knows, mixes with the fill")], indent="  "
        )
    held, new = old.concentration_ng_per_mL, rx.drug.concentration.ng_per_mL
    if old.drug != rx.drug.name:
        left = (
            f"{facts.profile.residual} of {old.drug} {Concentration(held)} stays and mixes with {rx.drug.name}; rinse until little is left"
        )
        return rows([("residual", left), *([("rinsed", _rinse_text(rinse))] if rinse is not None else [])], indent="  ")
    after = plan.volume_after_nL
    unrinsed, mix = (mixed_concentration(residual, held, after, new, one) for one in (None, rinse))
    pairs = [("mix, not rinsed", _mix_text(unrinsed, new))]
    if rinse is not None:
        pairs.append((f"mix, {_rinse_text(rinse)}", _mix_text(mix, new)))
    tolerance = Fraction(library.rounding_soft_percent.value, 100)
    if abs(mix / new - 1) > tolerance:
        advised = plan_figures().rinse.value
        times = least_rinses(residual, held, after, new, advised.nL, tolerance)
        how = (
            f"even many rinses of {advised} do not"
            if times is None
            else f"{times} rinse{'s' * (times != 1)} of {advised} of the new drug would"
        )
        pairs.append(("ATTENTION", f"the dose is off by {percent(mix / new - 1)}; {how} bring it within {percent(tolerance)}"))
    return rows(pairs, indent="  ")


def _mix_text(ng_per_mL: Fraction, label: int) -> str:
    """To a tenth of a mcg: figures to compare, not doses to type."""
    real = Concentration(round(ng_per_mL / 100) * 100)
    hundred = MassRate(round(100_000 * ng_per_mL / label / 100) * 100)
    return f"{real} in place of {Concentration(label)} ({percent(ng_per_mL / label - 1)}); of 100 mcg per day it gives {hundred}"


def _rinse_text(rinse: Rinse) -> str:
    fluid = f"{Concentration(rinse.fluid_ng_per_mL)}" if rinse.fluid_ng_per_mL else "drug-free fluid"
    return f"rinsed {'once' if rinse.times == 1 else f'{rinse.times} times'} with {Volume(rinse.volume_nL)} of {fluid}"


# ------------------------------------------------------------------------------------------------ lines
def _refill_lines(facts: Facts, plan: Refill) -> list[str]:
    return [*refill_lines(plan), *trend_lines(plan, past_refills(facts.decisions), facts.profile.accuracy_ppm)]


def _date_lines(facts: Facts, library: DrugLibrary, plan: Refill, rx: Prescription | None = None) -> list[str]:
    """The dates after the refill, as they will be once the pump is told."""
    try:
        found = _dates(facts, library, plan, rx)
    except (ForecastError, ConfigurationError) as error:  # what hinders the commit itself is a finding; that there is no date must be seen
        return rows([("dates after", f"ATTENTION: not known: {error}")], indent="  ")
    ends = [
        ("drug stable until", day_text(found.stable_until)),
        ("alarm, by the count", day_text(found.alarm)),
        ("refill by", found.refill_text),
    ]
    return rows(ends, indent="  ")


def _dates(facts: Facts, library: DrugLibrary, plan: Refill, rx: Prescription | None) -> Forecast:
    present, eri = facts.present, facts.status.eri_left_days
    return forecast(
        present if rx is None else rx,
        beside=None if rx is None or present.configuration is None else present,
        profile=facts.profile,
        library=library,
        refill=plan.volume_after,
        filled=plan.volume_after,
        filled_on=present.host_now.date(),
        implanted_on=facts.rx.pump.implanted_on if facts.rx is not None else None,
        eri_left_days=None if eri == ERI_NOT_RAISED else eri,
        bolus_left_ms=facts.status.bolus_left_ms,
    )


def _observe(facts: Facts) -> tuple[str, ...]:
    stays = () if facts.present.is_treating else ("A refill starts nothing: restore the therapy, or program one.",)
    return (*stays, *(point.help for point in pocket_fill() if point.id in {"no_swelling", "patient_watched"}))
