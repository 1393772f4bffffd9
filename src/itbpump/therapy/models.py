"""What can be prescribed: the tables of a prescription file as frozen pydantic models, with the checks between their fields.

A value that loads is a therapy; whether it is a wise one is judged by `itbpump.safety`, and the pump judges again on its own.
Not modelled: the patient's record, appointments, oral drugs.
"""

from __future__ import annotations

from functools import cached_property
from typing import Annotated, ClassVar, Literal, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE, Duration, Volume, catheter_volume
from itbpump.therapy.fields import (
    AgeField,
    ConcentrationField,
    DateField,
    DurationField,
    InstantField,
    LengthField,
    MassField,
    MassRateField,
    OpaqueId,
    SlugField,
    TextField,
    TimeField,
    VolumeField,
    VolumePerLengthField,
)

__all__ = [
    "SCHEMA",
    "WEEKDAYS",
    "Bridge",
    "Catheter",
    "Continuous",
    "Drug",
    "Flex",
    "Medication",
    "MinimumRate",
    "Patient",
    "PatientBolus",
    "Pattern",
    "PeriodicBolus",
    "Prescription",
    "Prime",
    "Pump",
    "Screening",
    "Session",
    "Step",
    "Stopped",
    "Therapy",
    "Weekday",
]

SCHEMA = "itbpump.prescription/1"
Weekday: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MINUTES_PER_DAY = 1_440
PATH_AGREEMENT_nL = 1_000  # design 5: a path volume beside lengths agrees within 0.001 mL
MAX_PERIOD = Duration(7 * MS_PER_DAY)  # the longest interval the wire carries
MAX_BOLUS = Duration(MS_PER_DAY)


class _Table(BaseModel):
    """A table of the file: unknown keys are refused, values never change."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)


class Patient(_Table):
    """Who: an opaque id, never a name. Without `age_years` the limits of age are reported as not checked.

    `indication` is one the drug library has limits for (baclofen: spinal, cerebral), `diagnosis` the disease behind it, `conditions` what
    else asks for care; what the library does not know, the review names.
    """

    id: OpaqueId
    indication: SlugField
    age_years: AgeField | None = None
    diagnosis: SlugField | None = None
    conditions: Annotated[tuple[SlugField, ...], Field(max_length=16)] = ()


class Pump(_Table):
    """Which pump model, and what was in its reservoir at `as_of`; the pump's day is at the offset of `as_of`."""

    profile: Annotated[str, Field(pattern=r"^[A-Z]-[0-9]{1,3}$")]
    reservoir_volume: VolumeField
    as_of: InstantField
    low_reservoir_alarm: VolumeField | None = None
    implanted_on: DateField | None = None


class Drug(_Table):
    """What is in the reservoir. `filled_on` is the day of `as_of` if it is not given."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z-]{0,23}$")]
    concentration: ConcentrationField
    filled_on: DateField | None = None

    @model_validator(mode="after")
    def _carries_drug(self) -> Self:
        if self.concentration.ng_per_mL == 0:
            raise ValueError("a concentration of 0 carries no drug; write what is in the reservoir")
        return self


class Catheter(_Table):
    """The way from pump to patient: one path volume, or lengths and bore, or both if they agree."""

    path_volume: VolumeField | None = None
    length_total: LengthField | None = None
    length_removed: LengthField | None = None
    volume_per_length: VolumePerLengthField | None = None
    tubing_volume: VolumeField | None = None

    @model_validator(mode="after")
    def _is_one_path(self) -> Self:
        given = [value is not None for value in (self.length_total, self.length_removed, self.volume_per_length)]
        if any(given) and not (all(given) and self.tubing_volume is not None):
            raise ValueError("length_total, length_removed, volume_per_length and tubing_volume are given together or not at all")
        if self.path_volume is None and not any(given):
            raise ValueError("give path_volume, or length_total, length_removed, volume_per_length and tubing_volume")
        if self.path_volume is not None and self.tubing_volume is not None and self.tubing_volume > self.path_volume:
            raise ValueError(f"tubing_volume of {self.tubing_volume} is more than the whole path of {self.path_volume}")
        from_lengths = self._from_lengths()
        if from_lengths is not None and self.path_volume is not None and abs(from_lengths.nL - self.path_volume.nL) > PATH_AGREEMENT_nL:
            raise ValueError(f"path_volume is {self.path_volume}, but the lengths make {from_lengths}; correct the one that is wrong")
        return self

    def _from_lengths(self) -> Volume | None:
        if self.length_total is None or self.length_removed is None or self.volume_per_length is None or self.tubing_volume is None:
            return None
        return catheter_volume(self.length_total, self.length_removed, self.volume_per_length, self.tubing_volume)

    @property
    def path(self) -> Volume:
        """Pump tubing and catheter together; the measured one where both are given."""
        volume = self._from_lengths() or self.path_volume
        if volume is None:
            raise AssertionError("a catheter without a path does not pass its own check")
        return volume


class Screening(_Table):
    """The test dose that worked, and how long its effect lasted; the start rule rests on it."""

    dose: MassField
    effect: DurationField


class Medication(_Table):
    """Another drug the patient takes, with the class the drug library knows."""

    model_config: ClassVar[ConfigDict] = ConfigDict(frozen=True, extra="forbid", validate_by_name=True, validate_by_alias=True)
    name: TextField
    drug_class: Annotated[SlugField, Field(alias="class")]


class Bridge(_Table):
    """What happens at a change of concentration: `auto` keeps the old dose until the path is through, `refused` says why not."""

    plan: Literal["auto", "refused"]
    reason: TextField | None = None

    @model_validator(mode="after")
    def _refusal_has_reason(self) -> Self:
        if self.plan == "refused" and self.reason is None:
            raise ValueError("a refused bridge needs its reason")
        return self


class Prime(_Table):
    """What a priming bolus fills: the catheter alone, or the pump's tubing as well."""

    scope: Literal["catheter", "path"]


class Session(_Table):
    """Who wrote and who checked: opaque staff ids."""

    author: OpaqueId
    second: OpaqueId | None = None

    @model_validator(mode="after")
    def _are_two(self) -> Self:
        if self.second == self.author:
            raise ValueError("author and second are the same person; a second check is done by somebody else")
        return self


class PatientBolus(_Table):
    """What the patient may ask for: a dose, a lockout from start to start, and so many in any 24 h."""

    dose: MassField
    over: DurationField
    lockout: DurationField
    max_per_day: Annotated[int, Field(strict=True, ge=1, le=24)]

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _bolus_fits(self.over)
        if self.lockout > MAX_PERIOD:
            raise ValueError("a lockout of more than 7 days; leave the patient bolus out instead")
        if self.over > self.lockout:
            raise ValueError(f"the bolus takes {self.over}, longer than its lockout of {self.lockout}")
        return self


def _bolus_fits(over: Duration) -> None:
    if over > MAX_BOLUS:
        raise ValueError(f"a bolus over {over} is longer than a day; use a rate")


class Step(_Table):
    """A step of a day: `rate` holds until the next; `dose` with `over` is a bolus that replaces the flow under it."""

    at: TimeField
    rate: MassRateField | None = None
    dose: MassField | None = None
    over: DurationField | None = None

    @model_validator(mode="after")
    def _is_rate_or_bolus(self) -> Self:
        if self.rate is not None and (self.dose is not None or self.over is not None):
            raise ValueError("a step is a rate, or a dose with over; not both")
        if self.rate is None and (self.dose is None or self.over is None):
            raise ValueError("a step needs a rate, or a dose with over")
        if self.over is not None:
            _bolus_fits(self.over)
        return self


class Pattern(_Table):
    """The steps of some days of the week."""

    days: Annotated[tuple[Weekday, ...], Field(min_length=1, max_length=7)]
    steps: Annotated[tuple[Step, ...], Field(min_length=1, max_length=48)]

    @model_validator(mode="after")
    def _is_a_day(self) -> Self:
        first = self.steps[0]
        if first.rate is None or first.at.minute != 0:
            raise ValueError('the first step is a rate at "00:00"')
        for earlier, later in zip(self.steps, self.steps[1:], strict=False):
            if later.at == earlier.at:
                raise ValueError(f"two steps at {later.at}")
            if later.at < earlier.at:
                raise ValueError(f"the step at {later.at} stands after the one at {earlier.at}; write steps in order of time")
        return self


class _Mode(_Table):
    """`since` says from when a current therapy has been running."""

    since: InstantField | None = None


class Continuous(_Mode):
    """One rate all the time."""

    mode: Literal["continuous"]
    dose: MassRateField
    patient_bolus: PatientBolus | None = None


class Flex(_Mode):
    """Patterns of days; each weekday stands in exactly one."""

    mode: Literal["flex"]
    pattern: Annotated[tuple[Pattern, ...], Field(min_length=1, max_length=7)]
    patient_bolus: PatientBolus | None = None

    @model_validator(mode="after")
    def _covers_the_week(self) -> Self:
        named = [day for pattern in self.pattern for day in pattern.days]
        for day in WEEKDAYS:
            if named.count(day) != 1:
                where = "more than one pattern" if day in named else "no pattern"
                raise ValueError(f"{day} stands in {where}; each weekday stands in exactly one")
        self._no_overlap()
        return self

    def pattern_of(self, weekday: int) -> Pattern:
        """The pattern of a weekday; 0 is Monday."""
        return next(pattern for pattern in self.pattern if WEEKDAYS[weekday] in pattern.days)

    def _no_overlap(self) -> None:
        boluses = [
            (weekday * MINUTES_PER_DAY + step.at.minute, step.over.ms // MS_PER_MINUTE, f"{WEEKDAYS[weekday]} {step.at}")
            for weekday in range(7)
            for step in self.pattern_of(weekday).steps
            if step.over is not None
        ]
        week = 7 * MINUTES_PER_DAY
        for (start, length, name), (following, _, next_name) in zip(boluses, boluses[1:] + boluses[:1], strict=True):
            if len(boluses) > 1 and (following - start) % week < length:
                raise ValueError(f"the bolus of {name} is still running when the one of {next_name} starts")


class PeriodicBolus(_Mode):
    """A bolus at a fixed interval, from start to start, over a background rate; the first starts with the commit."""

    mode: Literal["periodic-bolus"]
    dose: MassField
    over: DurationField
    every: DurationField
    background: MassRateField
    patient_bolus: PatientBolus | None = None

    @model_validator(mode="after")
    def _fits(self) -> Self:
        _bolus_fits(self.over)
        if self.every > MAX_PERIOD:
            raise ValueError(f"every {self.every} is longer than 7 days")
        if self.over > self.every:
            raise ValueError(f"the bolus takes {self.over}, longer than its interval of {self.every}")
        return self


class MinimumRate(_Mode):
    """The lowest rate of the pump, which keeps it moving; practically no therapy."""

    mode: Literal["minimum-rate"]


class Stopped(_Mode):
    """No delivery at all."""

    mode: Literal["stopped"]


Therapy: TypeAlias = Annotated[Continuous | Flex | PeriodicBolus | MinimumRate | Stopped, Field(discriminator="mode")]


class Prescription(_Table):
    """A whole prescription file."""

    schema_: Annotated[Literal["itbpump.prescription/1"], Field(alias="schema")]
    patient: Patient
    pump: Pump
    drug: Drug
    catheter: Catheter
    screening: Screening | None = None
    medication: tuple[Medication, ...] = ()
    bridge: Bridge | None = None
    prime: Prime | None = None
    session: Session | None = None
    therapy: Therapy

    @model_validator(mode="after")
    def _prime_is_known(self) -> Self:
        if self.prime is not None and self.prime.scope == "catheter" and self.catheter.tubing_volume is None:
            raise ValueError("to prime the catheter alone, catheter.tubing_volume must be given")
        return self

    @cached_property
    def canonical_json(self) -> str:
        """All that is prescribed, as JSON text; equal for equal prescriptions. Digests are taken over it, often of the same one."""
        return self.model_dump_json(by_alias=True, exclude_none=True)

    @property
    def patient_bolus(self) -> PatientBolus | None:
        """What the patient may ask for; None in modes that have none."""
        return None if isinstance(self.therapy, (MinimumRate, Stopped)) else self.therapy.patient_bolus
