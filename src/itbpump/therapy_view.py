"""What a pump configuration means in doses: the inverse of `itbpump.configuration`, for screens, JSON and the old-against-new table.

All amounts are what the pump really gives (achievable), exact; only means are rounded, to the nearest nanogram or nanolitre.
Not here: single and patient boluses already given, dates, layout of a screen.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from itbpump.configuration import mass_of_units, patient_allotment_units, schedule_for
from itbpump.quantity import MS_PER_DAY, Concentration, Duration, Flow, Mass, MassRate, TimeOfDay, Volume, mass_of_pulses, rate_of_flow
from itbpump.schedule import UNITS_PER_NL, Schedule
from itbpump.wire.messages import Configuration, Mode, Pattern, Status, StepKind

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile

__all__ = [
    "DAY_NAMES",
    "BolusView",
    "DeliveryView",
    "StepView",
    "TherapyView",
    "count_in_words",
    "days_in_words",
    "steepest_fall",
    "view_configuration",
]

DAY_NAMES = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_ONES = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen", "fourteen",
    "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)  # fmt: skip
_TENS = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")


def count_in_words(count: int) -> str:
    """`twenty-four`; digits with a thousands comma from 100 on."""
    if count < 20:
        return _ONES[count]
    if count < 100:
        tens, ones = divmod(count, 10)
        return _TENS[tens] + (f"-{_ONES[ones]}" if ones else "")
    return f"{count:,}"


def days_in_words(weekdays: tuple[int, ...]) -> str:
    """`Mon to Fri`, `Sat, Sun`, `every day`."""
    if len(weekdays) == 7:
        return "every day"
    if len(weekdays) > 2 and weekdays[-1] - weekdays[0] == len(weekdays) - 1:
        return f"{DAY_NAMES[weekdays[0]]} to {DAY_NAMES[weekdays[-1]]}"
    return ", ".join(DAY_NAMES[day] for day in weekdays)


class StepView(NamedTuple):
    """A step of a day: a rate from then on, or a bolus."""

    at: TimeOfDay
    rate: MassRate | None = None
    dose: Mass | None = None
    over: Duration | None = None

    def __str__(self) -> str:
        return str(self.rate) if self.rate is not None else f"{self.dose} over {self.over}"

    def json(self) -> dict[str, object]:
        if self.rate is not None:
            return {"at": self.at.text(), "rate": self.rate.json()}
        if self.dose is None or self.over is None:
            raise AssertionError("a step is a rate or a bolus")
        return {"at": self.at.text(), "dose": self.dose.json(), "over": self.over.text()}


@dataclass(frozen=True, slots=True)
class BolusView:
    """A bolus that repeats: `every` from start to start (periodic), or a patient's with `lockout` and `max_per_day`."""

    dose: Mass
    over: Duration
    every: Duration | None = None
    lockout: Duration | None = None
    max_per_day: int | None = None

    def __str__(self) -> str:
        if self.every is not None:
            return f"{self.dose} over {self.over}, every {self.every}"
        count = count_in_words(self.max_per_day or 0)
        return f"{self.dose} over {self.over}, lockout {self.lockout}, at most {count} in 24 h"

    def json(self) -> dict[str, object]:
        extra: dict[str, object] = {"every": self.every.text()} if self.every is not None else {}
        if self.lockout is not None:
            extra |= {"lockout": self.lockout.text(), "max_per_day": self.max_per_day}
        return {"dose": self.dose.json(), "over": self.over.text(), **extra}


@dataclass(frozen=True)
class TherapyView:
    """A configuration in doses."""

    configuration: Configuration
    profile: PumpProfile
    mode: Mode
    drug: str
    concentration: Concentration
    background: MassRate | None
    periodic: BolusView | None
    patient: BolusView | None
    bridge: tuple[Flow, Volume] | None
    path: Volume
    low_alarm: Volume
    empty_alarm: Volume
    schedule: Schedule
    allotment_units: int

    @cached_property
    def days(self) -> tuple[tuple[StepView, ...], ...]:
        """The steps of each weekday: one rate at 00:00 for a constant therapy, none for a periodic one. Made when asked for."""
        return _days(self.configuration, self.concentration, self.profile)

    def bolus_durations(self, weekday: int) -> dict[int, Duration]:
        """Minute of the day → how long the bolus step there takes; 0 is Monday."""
        return {
            step.start_min: Duration.of_minutes(step.duration_min)
            for pattern in self.configuration.patterns
            if pattern.days >> weekday & 1
            for step in pattern.steps
            if step.kind is StepKind.BOLUS
        }

    @property
    def mode_text(self) -> str:
        return self.mode.name.lower().replace("_", "-")

    @property
    def mean_day(self) -> MassRate:
        """Mean daily dose over the whole pattern, to the nearest ng."""
        return self._rate(self.schedule.mean_flow * MS_PER_DAY)

    @cached_property
    def day_doses(self) -> tuple[MassRate, ...]:
        """Dose of each weekday from Monday on, to the nearest ng."""
        return tuple(self._rate(self.schedule.day_units(day)) for day in range(7))

    @property
    def lowest_day(self) -> MassRate:
        return min(self.day_doses)

    @property
    def highest_day(self) -> MassRate:
        return max(self.day_doses)

    @property
    def highest_24h_exact(self) -> MassRate:
        """Largest dose in any 24 h, all patient boluses included; exact."""
        units = self.schedule.max_window_units()[0] + self.allotment_units
        return MassRate(mass_of_units(units, self.concentration.ng_per_mL))

    @property
    def highest_scheduled_24h(self) -> MassRate:
        """Largest dose in any 24 h without patient boluses; exact."""
        return MassRate(mass_of_units(self.schedule.max_window_units()[0], self.concentration.ng_per_mL))

    @property
    def mean_volume(self) -> Flow:
        """Mean daily volume, to the nearest nL."""
        return Flow(self.schedule.mean_flow).rounded()

    def days_to(self, volume: Volume, alarm: Volume, *, with_patient: bool = False) -> int | None:
        """Whole days until `volume` has fallen to `alarm`, at the mean flow; None without flow or above the alarm already."""
        flow = self.schedule.mean_flow + (Fraction(self.allotment_units, UNITS_PER_NL) if with_patient else 0)
        return None if flow == 0 or volume <= alarm else int((volume.nL - alarm.nL) / flow)

    def _rate(self, units: Fraction | int) -> MassRate:
        return MassRate(mass_of_units(units, self.concentration.ng_per_mL)).rounded()

    def rows(self) -> Iterator[tuple[str, str]]:
        """Label and text of everything but the steps, for a table."""
        yield "mode", self.mode_text.replace("-", " ")
        yield "drug", self.drug
        yield "concentration", str(self.concentration)
        yield "mean day", str(self.mean_day)
        yield "lowest day", str(self.lowest_day)
        yield "highest day", str(self.highest_day)
        yield "highest 24 h, with all patient boluses", str(self.highest_24h_exact.rounded())
        yield "mean volume", str(self.mean_volume)
        if self.periodic is not None:
            yield "periodic bolus", str(self.periodic)
            yield "background", str(self.background)
        yield "patient bolus", str(self.patient) if self.patient is not None else "none"
        yield "low-reservoir alarm", str(self.low_alarm)
        yield "path volume", str(self.path)

    def json(self) -> dict[str, object]:
        """For `status --json` and reviews; amounts as text with unit."""
        form: dict[str, object] = {
            "mode": self.mode_text,
            "drug": self.drug,
            "concentration": self.concentration.json(),
            "daily_dose": {"mean": self.mean_day.json(), "lowest_day": self.lowest_day.json(), "highest_day": self.highest_day.json()},
            "highest_24h": self.highest_24h_exact.rounded().json(),
            "daily_volume": self.mean_volume.json(),
            "low_reservoir_alarm": self.low_alarm.json(),
            "path_volume": self.path.json(),
        }
        if self.mode is Mode.FLEX:
            form["days"] = {name.lower(): [step.json() for step in steps] for name, steps in zip(DAY_NAMES, self.days, strict=True)}
        if self.periodic is not None and self.background is not None:
            form |= {"periodic_bolus": self.periodic.json(), "background": self.background.json()}
        if self.patient is not None:
            form["patient_bolus"] = self.patient.json()
        if self.bridge is not None:
            form["bridge"] = {"flow": self.bridge[0].json(), "volume": self.bridge[1].json()}
        return form


def steepest_fall(before: TherapyView, after: TherapyView) -> tuple[Fraction, str]:
    """The largest share by which the schedule falls, in its highest 24 h, its mean or its lowest day, and which; negative where all rise.

    What a patient may ask for replaces nothing that comes by itself, so it is not in it.
    """
    pairs = (
        ("the highest 24 h", before.highest_scheduled_24h, after.highest_scheduled_24h),
        ("the mean day", before.mean_day, after.mean_day),
        ("the lowest day", before.lowest_day, after.lowest_day),
    )
    falls = [(1 - Fraction(new.ng_per_day) / old.ng_per_day, what) for what, old, new in pairs if old.ng_per_day]
    return max(falls, key=lambda fall: fall[0], default=(Fraction(0), ""))


@dataclass(frozen=True, slots=True)
class DeliveryView:
    """What leaves the catheter now, by the pump's account: the flow, times what the path still holds.

    `held` is the highest concentration the path may hold, `label` what the reservoir holds; they differ until `path_left` has passed.
    `bridge_left` is what is left of a bridge, which flows now (`bridging`) or waits. Not modelled: mixing in the path.
    """

    flow: Flow
    label: Concentration
    held: Concentration
    path_left: Volume
    bridge_left: Volume
    bridging: bool

    @classmethod
    def from_status(cls, status: Status, pulse_volume_nL: int) -> DeliveryView:
        """From the pump's reply; a pump without a configuration has a label of no concentration."""
        return cls(
            flow=Flow(status.flow_nL_per_day),
            label=Concentration(status.concentration_ng_per_mL),
            held=Concentration(status.path_concentration_ng_per_mL),
            path_left=Volume(status.path_left_pulses * pulse_volume_nL),
            bridge_left=Volume(status.bridge_left_pulses * pulse_volume_nL),
            bridging=status.bridging,
        )

    @property
    def dose(self) -> MassRate:
        """What the patient gets now, to the nearest ng."""
        return rate_of_flow(self.flow, self.held if self.path_left.nL else self.label).rounded()

    @property
    def label_dose(self) -> MassRate:
        """What the same flow gives when the path is clear, to the nearest ng."""
        return rate_of_flow(self.flow, self.label).rounded()

    def __str__(self) -> str:
        if self.flow == Flow(0):
            return "NOTHING" + self._waiting()
        shown = f"{self.dose} ({self.flow})"
        held = "another drug" if self.held == self.label else f"the old {self.held}"
        if self.bridging:
            return f"{shown}; bridge: the path still holds {held}, until {self.bridge_left} more have passed"
        if self.path_left.nL:
            then = f"then {self.label_dose} at this flow"
            return f"{shown}; the path still holds {held}, until {self.path_left} more have passed, {then}{self._waiting()}"
        return f"{shown}{self._waiting()}"

    def _waiting(self) -> str:
        return f"; a bridge waits for the next start: {self.bridge_left} still to pass" if self.bridge_left.nL else ""

    def json(self) -> dict[str, object]:
        """For `status --json`: `dose` is what the patient gets now, `label_dose` what the flow gives from a clear path."""
        return {
            **self.flow.json(),
            "dose": self.dose.json(),
            "label_dose": self.label_dose.json(),
            "path": {"holds": self.held.json(), "until": self.path_left.json(), "is_clear": self.path_left.nL == 0},
            "bridge_left": self.bridge_left.json(),
        }


def view_configuration(configuration: Configuration, profile: PumpProfile) -> TherapyView:
    """The meaning of a configuration on this pump. ValueError for one that is no therapy.

    The bridge is shown as flow and whole volume: its dose hangs on what the path holds, which a configuration does not say.
    """
    concentration = Concentration(configuration.concentration_ng_per_mL)
    pulse = profile.pulse_volume.nL
    periodic = patient = background = bridge = None
    if configuration.mode is Mode.PERIODIC_BOLUS:
        dose = mass_of_pulses(configuration.periodic_pulses, concentration, pulse)
        over, every = configuration.periodic_duration_min, configuration.periodic_every_min
        periodic = BolusView(dose, Duration.of_minutes(over), every=Duration.of_minutes(every))
        background = rate_of_flow(Flow(configuration.flow_nL_per_day), concentration)
    if configuration.patient_max_per_day and configuration.patient_pulses:
        patient = BolusView(
            mass_of_pulses(configuration.patient_pulses, concentration, pulse),
            Duration.of_minutes(configuration.patient_duration_min),
            lockout=Duration.of_minutes(configuration.patient_lockout_min),
            max_per_day=configuration.patient_max_per_day,
        )
    if configuration.bridge_pulses:
        bridge = (Flow(configuration.bridge_flow_nL_per_day), Volume(configuration.bridge_pulses * pulse))
    return TherapyView(
        configuration=configuration,
        profile=profile,
        mode=configuration.mode,
        drug=configuration.drug,
        concentration=concentration,
        background=background,
        periodic=periodic,
        patient=patient,
        bridge=bridge,
        path=Volume(configuration.path_volume_nL),
        low_alarm=Volume(configuration.low_alarm_nL),
        empty_alarm=Volume(configuration.empty_alarm_nL),
        schedule=schedule_for(configuration, profile),
        allotment_units=patient_allotment_units(configuration, profile),
    )


def _days(configuration: Configuration, concentration: Concentration, profile: PumpProfile) -> tuple[tuple[StepView, ...], ...]:
    """The steps of each weekday."""
    if configuration.mode is Mode.PERIODIC_BOLUS:
        return ((),) * 7
    if configuration.mode is not Mode.FLEX:
        flow = {Mode.CONTINUOUS: configuration.flow_nL_per_day, Mode.MINIMUM_RATE: profile.minimum_rate.whole_nL_per_day}
        step = StepView(TimeOfDay(0), rate=rate_of_flow(Flow(flow.get(configuration.mode, 0)), concentration))
        return ((step,),) * 7
    pulse_nL = profile.pulse_volume.nL
    patterns = [(pattern.days, _pattern_steps(pattern, concentration, pulse_nL)) for pattern in configuration.patterns]
    by_day = {day: steps for weekdays, steps in patterns for day in range(7) if weekdays >> day & 1}
    return tuple(by_day[day] for day in range(7))  # all seven: a schedule has been made of them


def _pattern_steps(pattern: Pattern, concentration: Concentration, pulse_nL: int) -> tuple[StepView, ...]:
    return tuple(
        StepView(TimeOfDay(step.start_min), rate=MassRate(rate_of_flow(Flow(step.amount), concentration).ng_per_day, "mcg/h"))
        if step.kind is StepKind.RATE
        else StepView(
            TimeOfDay(step.start_min),
            dose=mass_of_pulses(step.amount, concentration, pulse_nL),
            over=Duration.of_minutes(step.duration_min),
        )
        for step in pattern.steps
    )
