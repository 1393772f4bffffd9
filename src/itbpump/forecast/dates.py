"""The dates of one pump: the sides of each date from tolerance and count, both computations compared, the caps, and the earliest of all.

Formulas (design 4 "Dates", domain 0.3 and 4), in nominal volume (pulses times their volume), exact:

* the count falls from `volume` to the alarm volume A after `volume − A`: the alarm, and the nominal date;
* `filled` was measured last, g = filled − volume flowed since by the count; a pump that gives 1+t of what it counts is down to A once
  (filled − A) / (1 + t) has been counted since the fill, hence (filled − A) / (1 + t) − g from now: earliest; with 1 − t: latest;
* the other ends, and the earliest of all, are computed a second time in counted days (`ends`);
* both sides are widened by a few pulses and by the run of the clock (`figures.toml`);
* what a pump's refills tell of its flow (`calibration`) may widen t on either side and never narrows it: the earliest date is never later
  than the profile's. A pump that has given 5 % less for years may give 14.5 % more from tomorrow (domain 1.2, over-infusion).

Not modelled: stalls, leaks, pocket fills, a fill that was not what was entered, what mixing does to the drug.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from itbpump.drugs import load_library
from itbpump.forecast.closed_form import ClosedForm
from itbpump.forecast.course import Side
from itbpump.forecast.ends import Known, require_same
from itbpump.forecast.facts import Facts, facts_of_change, facts_of_prescription, facts_of_pump
from itbpump.forecast.figures import load_figures
from itbpump.forecast.model import Bounds, Forecast, ForecastDisagreement, ForecastError, instant
from itbpump.forecast.stepper import Stepper
from itbpump.present import PresentPump
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import MS_PER_DAY, MS_PER_MINUTE, Volume, number_text

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.forecast.calibration import Calibration
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Configuration

__all__ = ["forecast"]

PPM = 1_000_000
AGREEMENT_MS = MS_PER_MINUTE


def forecast(
    what: Prescription | PresentPump,
    *,
    beside: PresentPump | None = None,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
    refill: Volume | None = None,
    filled: Volume | None = None,
    filled_on: date | None = None,
    implanted_on: date | None = None,
    eri_left_days: int | None = None,
    bolus_left_ms: int | None = None,
    wired: Configuration | None = None,
    calibration: Calibration | None = None,
) -> Forecast:
    """Alarm, low-reservoir, empty and refill-by dates from a prescription's `as_of`, or from the moment a pump was read.

    `beside`: the pump that a prescription is meant for; its volume, week, bolus and bridge then count. `profile`: of the pump; needed for
    a pump alone. `refill`: all that is in the reservoir after a refill now. `filled`, `filled_on`: volume and day of the last fill (see
    `last_fill`); without the volume, a pump's count is taken to have run from a full reservoir, a file's volume to be measured.
    `eri_left_days`: days to end of service once the replacement alarm is raised. `bolus_left_ms`: how long a running bolus still takes.
    `wired`: `wire_configuration(rx, profile)` where it was made before. `calibration`: what this pump's refills tell of its flow; makes
    earliest earlier or latest later, never the other way, and adds the likely dates to the assumptions.

    Raises ForecastError for what contradicts itself, ForecastDisagreement where the two computations differ by over a minute, ProfileError
    and LibraryError where there is nothing to judge by (SR-06), ConfigurationError for a pump that tells of a bridge it does not have.
    """
    profile = _profile_of(what, profile)
    if isinstance(what, PresentPump):
        if beside is not None:
            raise ForecastError("a pump is not forecast beside another", action="give a prescription beside a pump, or the pump alone")
        facts = facts_of_pump(what, profile, refill=refill, filled=filled, bolus_left_ms=bolus_left_ms)
    elif beside is not None:
        facts = facts_of_change(what, beside, profile, refill=refill, filled=filled, bolus_left_ms=bolus_left_ms, wired=wired)
    else:
        facts = facts_of_prescription(what, profile, refill=refill, filled=filled, wired=wired)
    library = library if library is not None else load_library(facts.course.configuration.drug)
    clock = _Clock(facts, profile, calibration)
    low, empty = clock.bounds("low reservoir", facts.low_nL), clock.bounds("empty", profile.residual.nL)
    filled_on = filled_on if filled_on is not None and refill is None else facts.filled_on
    implanted_on = implanted_on if implanted_on is not None else facts.implanted_on
    stable = _midnight(filled_on, library.stability_days.value, facts.as_of)
    battery = None if eri_left_days is None else instant(facts.as_of, eri_left_days * MS_PER_DAY)
    service = _service_end(facts, profile, implanted_on)
    refill_by, limited_by = _earliest(
        ("low-reservoir", low.earliest),
        ("empty", empty.earliest),
        ("drug-stability", stable),
        ("battery", battery),
        ("service-life", service),
    )
    require_same(
        Known(
            facts.as_of, filled_on, library.stability_days.value, eri_left_days, implanted_on, facts.uptime_ms, profile.service_life_days
        ),
        {"drug-stability": stable, "battery": battery, "service-life": service},
        {"low-reservoir": low.earliest, "empty": empty.earliest},
        refill_by,
        limited_by,
    )
    return Forecast(
        as_of=facts.as_of,
        alarm=low.nominal,
        low_reservoir=low,
        empty=empty,
        stable_until=stable,
        battery_until=battery,
        service_until=service,
        refill_by=refill_by,
        limited_by=limited_by,
        assumptions={
            **_assumptions(facts, profile),
            "filled_on": filled_on.isoformat() if filled_on is not None else None,
            "stability_days": str(library.stability_days.value),
            "implanted_on": implanted_on.isoformat() if implanted_on is not None else None,
            "calibration": None if calibration is None else {**calibration.json(), **clock.likely(calibration)},
        },
        not_checked=tuple(_not_checked(facts, stable=filled_on, service=service)),
    )


def _profile_of(what: Prescription | PresentPump, profile: PumpProfile | None) -> PumpProfile:
    if profile is not None:
        return profile
    if isinstance(what, PresentPump):
        raise ForecastError("a pump as read does not name its profile", action="pass profile=")
    return load_profile(what.pump.profile)


# ------------------------------------------------------------------------------------------------ low and empty
class _Clock:
    """Dates at which the reservoir of these facts is down to a volume; each computed twice (SR-37)."""

    def __init__(self, facts: Facts, profile: PumpProfile, calibration: Calibration | None) -> None:
        if facts.filled_nL < facts.volume_nL:
            raise ForecastError(
                f"{Volume(facts.volume_nL)} in the reservoir is more than the {Volume(facts.filled_nL)} of its last fill",
                action="measure what is in it, and tell the pump by a refill",
            )
        self._facts = facts
        self._residual_nL = profile.residual.nL
        more_ppm = less_ppm = profile.accuracy_ppm
        if calibration is not None:
            more_ppm, less_ppm = max(more_ppm, calibration.upper_ppm), max(less_ppm, -calibration.lower_ppm)
        self._more, self._less = 1 + Fraction(more_ppm, PPM), 1 - Fraction(less_ppm, PPM)
        self._closed_form = ClosedForm(facts.course)
        self._stepper = Stepper(facts.course)

    def bounds(self, what: str, to_nL: int) -> Bounds:
        """When the volume is down to `to_nL`; what is so already is so since `as_of`."""
        facts = self._facts
        slack_nL = load_figures().slack_pulses * facts.course.pulse_nL
        counted_nL = facts.filled_nL - facts.volume_nL
        measured_nL = facts.filled_nL - to_nL
        return Bounds(
            self._date(what, Side.EARLIEST, (measured_nL - slack_nL) / self._more - counted_nL - slack_nL),
            self._date(what, Side.NOMINAL, Fraction(facts.volume_nL - to_nL)),
            self._latest(what, measured_nL + slack_nL, counted_nL - slack_nL),
        )

    def _latest(self, what: str, measured_nL: int, counted_nL: int) -> datetime | None:
        """Never for a pump that may give nothing of what it counts, unless it is so already."""
        if self._less <= 0 < measured_nL:
            return None
        return self._date(what, Side.LATEST, measured_nL / max(self._less, Fraction(1, PPM)) - counted_nL)

    def likely(self, calibration: Calibration) -> dict[str, str | None]:
        """Low and empty if the pump goes on as its refills showed it, neither early nor late; computed twice like the others."""
        facts, ratio = self._facts, 1 + Fraction(calibration.flow_error_ppm, PPM)
        dates: dict[str, str | None] = {}
        for name, to_nL in (("low_reservoir_likely", facts.low_nL), ("empty_likely", self._residual_nL)):
            at = (
                None
                if ratio <= 0
                else self._date(name, Side.NOMINAL, (facts.filled_nL - to_nL) / ratio - (facts.filled_nL - facts.volume_nL))
            )
            dates[name] = None if at is None else at.isoformat(timespec="minutes")
        return dates

    def _date(self, what: str, side: Side, volume_nL: Fraction) -> datetime | None:
        closed, stepped = self._closed_form.time_of(side, volume_nL), self._stepper.time_of(side, volume_nL)
        if (closed is None) is not (stepped is None) or (
            closed is not None and stepped is not None and abs(closed - stepped) > AGREEMENT_MS
        ):
            raise ForecastDisagreement(f"{what}, {side.value}", closed, stepped)
        return instant(self._facts.as_of, _true_ms(side, closed))


def _true_ms(side: Side, uptime_ms: int | None) -> int | None:
    """A time of the pump's clock as true time: for the earliest it runs fast, for the latest slow."""
    if uptime_ms is None or side is Side.NOMINAL:
        return uptime_ms
    ppm = load_figures().clock_ppm
    return uptime_ms * PPM // (PPM + ppm) if side is Side.EARLIEST else -(-uptime_ms * PPM // (PPM - ppm))


# ------------------------------------------------------------------------------------------------ the other ends
def _midnight(day: date | None, days: int, as_of: datetime) -> datetime | None:
    """00:00 of the day so many days after another, at the offset of `as_of`."""
    return None if day is None else instant(datetime(day.year, day.month, day.day, tzinfo=as_of.tzinfo), days * MS_PER_DAY)


def _service_end(facts: Facts, profile: PumpProfile, implanted_on: date | None) -> datetime | None:
    """By the day of implant, and by the pump's own age: it shuts down by its uptime. The earlier of those known."""
    by_day = _midnight(implanted_on, profile.service_life_days, facts.as_of)
    age_ms = facts.uptime_ms
    by_age = None if age_ms is None else instant(facts.as_of, profile.service_life_days * MS_PER_DAY - age_ms)
    return min((end for end in (by_day, by_age) if end is not None), default=None)


def _earliest(*ends: tuple[str, datetime | None]) -> tuple[datetime | None, str]:
    """The earliest end, rounded down to its day, and its name; of equal ones the first."""
    known = [(end, name) for name, end in ends if end is not None]
    if not known:
        return None, "none"
    end, name = min(known, key=lambda item: item[0])
    return end - timedelta(hours=end.hour, minutes=end.minute, seconds=end.second, microseconds=end.microsecond), name


def _not_checked(facts: Facts, *, stable: date | None, service: datetime | None) -> list[str]:
    missing = []
    if stable is None:
        missing.append("drug stability: the day of the last fill is not known")
    if facts.uptime_ms is None:
        missing.append("battery: no pump was read")
    if service is None:
        missing.append("service life: the day of implant is not known")
    if facts.bridge_note:
        missing.append(f"bridge: {facts.bridge_note}")
    return missing


# ------------------------------------------------------------------------------------------------ what it rests on
def _assumptions(facts: Facts, profile: PumpProfile) -> dict[str, Any]:
    course, figures = facts.course, load_figures()
    return {
        "source": facts.source,
        "profile": profile.name,
        "delivering": course.drive.value,
        "reservoir_volume": Volume(facts.volume_nL).json(),
        "counted_from": Volume(facts.filled_nL).json(),
        "low_reservoir_alarm": Volume(facts.low_nL).json(),
        "empty": profile.residual.json(),
        "flow_tolerance_percent": number_text(Fraction(profile.accuracy_ppm, 10_000)),
        "clock_tolerance_ppm": str(figures.clock_ppm),
        "service_life_days": str(profile.service_life_days),
        "slack": Volume(figures.slack_pulses * course.pulse_nL).json(),
        "patient_boluses_per_day": Volume(course.patient_nL_per_day).json(),
        "prime": Volume(course.prime_nL).json(),
        "bolus_left": Volume(course.bolus_pulses * course.pulse_nL).json(),
        "bridge_left": Volume(course.bridge_pulses * course.pulse_nL).json(),
    }
