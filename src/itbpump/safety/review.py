"""The review: a prescription, or a single bolus, judged beside the present before anything is sent.

Pure and total: a finding for whatever can be judged, a documented error for whatever cannot. What is shown (table, figures) is made when
somebody looks. Not here: asking for overrides (`overrides.decide`), what the pump checks on its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import DrugLibrary, load_library
from itbpump.forecast import Forecast, ForecastError, forecast
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import Volume
from itbpump.refill import Refill
from itbpump.safety import rules_catheter, rules_change, rules_drug, rules_entry, rules_path, rules_present, rules_pump, rules_start
from itbpump.safety.context import Context
from itbpump.safety.course import course_after
from itbpump.safety.current import Current
from itbpump.safety.model import Finding, Rendering, Review, Rule, Severity, canonical_digest
from itbpump.safety.table import achievable_rows, change_percent, table_rows
from itbpump.therapy_view import count_in_words, view_configuration

if TYPE_CHECKING:
    from itbpump.therapy import Prescription
    from itbpump.wire.messages import Configuration

__all__ = ["all_rules", "review"]

RULE_SETS = (
    rules_present.RULES,
    rules_pump.RULES,
    rules_drug.RULES,
    rules_start.RULES,
    rules_change.RULES,
    rules_path.RULES,
    rules_catheter.RULES,
    rules_entry.RULES,
)


def all_rules() -> tuple[Rule[Context], ...]:
    """Every rule of a prescription's review, in order."""
    return tuple(rule for rules in RULE_SETS for rule in rules.rules.values())


def review(
    rx: Prescription,
    current: Prescription | PresentPump | None = None,
    *,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
    refill: Refill | Volume | None = None,
    now: datetime | None = None,
) -> Review:
    """Judge a prescription against pump, drug library and the present.

    `current`: the running therapy as a file, or the pump as just read; None makes every comparison `info` not checked. `refill`: the
    refill this prescription comes with, or only the volume in the reservoir after it. `profile` and `library` default to those the
    prescription names. `now`: the time of the decision, with its offset; that of the reading for a pump, the prescription's own date for
    a file.
    Raises ProfileError or LibraryError where there is no profile or library to judge by (SR-06).
    """
    profile = profile if profile is not None else load_profile(rx.pump.profile)
    library = library if library is not None else load_library(rx.drug.name)
    context = _context(rx, current, profile, library, refill, now)
    found = [finding for rules in RULE_SETS for finding in rules.findings(context)]
    findings = tuple(sorted(found, key=lambda finding: -finding.severity))
    present = context.current
    return Review(
        findings=findings,
        library=library.json(),
        digest=_digest(context, findings),
        rendering=Rendering(
            rows=lambda: table_rows(context),
            achievable=lambda: achievable_rows(context),
            current=lambda: present.json() if present is not None else None,
            proposed=lambda: _proposed(context),
            hold=lambda: _hold(context, findings),
        ),
        dates=context.forecast.json() if isinstance(context.forecast, Forecast) else None,
    )


def _context(
    rx: Prescription,
    current: Prescription | PresentPump | None,
    profile: PumpProfile,
    library: DrugLibrary,
    refill: Refill | Volume | None,
    now: datetime | None,
) -> Context:
    configuration = wire_configuration(rx, profile)
    view = view_configuration(configuration, profile)
    pump, present = None, None
    if isinstance(current, PresentPump):
        pump, present = current, Current.from_pump(current, profile)
    elif current is not None:
        present = Current.from_prescription(current, load_profile(current.pump.profile), rx)
    sets_volume = refill is not None or pump is None or pump.configuration is None
    volume = rx.pump.reservoir_volume if pump is None or pump.configuration is None else Volume(pump.reservoir_nL)
    if refill is not None:
        volume = refill if isinstance(refill, Volume) else refill.volume_after
    if now is None and pump is not None:
        now = pump.host_now
    return Context(
        rx=rx,
        profile=profile,
        library=library,
        configuration=configuration,
        view=view,
        current=present,
        volume=volume,
        sets_volume=sets_volume,
        is_refill=refill is not None,
        refill=refill if isinstance(refill, Refill) else None,
        now=now,
        course=course_after(rx, view, present, profile, now if now is not None else rx.pump.as_of),
        forecast=_forecast(rx, pump, profile, library, volume if refill is not None else None, configuration),
    )


def _forecast(
    rx: Prescription, pump: PresentPump | None, profile: PumpProfile, library: DrugLibrary, refill: Volume | None, wired: Configuration
) -> Forecast | ForecastError:
    """Dates of the proposal, or why there are none: a rule tells."""
    filled_nL, filled_on, bolus_left_ms = None, None, None
    if pump is not None:
        filled_nL, filled_on, bolus_left_ms = pump.history.filled_nL, pump.filled_on, pump.bolus_left_ms or None
    try:
        return forecast(
            rx,
            beside=pump,
            profile=profile,
            library=library,
            refill=refill,
            filled=Volume(filled_nL) if filled_nL is not None else None,
            filled_on=filled_on,
            bolus_left_ms=bolus_left_ms,
            wired=wired,
        )
    except ForecastError as error:
        return error


def _proposed(c: Context) -> dict[str, Any]:
    """Figures of the new therapy, for JSON."""
    alarm, worst = c.view.days_to(c.volume, c.view.low_alarm), c.view.days_to(c.volume, c.view.low_alarm, with_patient=True)
    times = sum(1 for _ in c.boluses())
    return {
        **c.view.json(),
        "change_percent": change_percent(c),
        "reservoir_volume": c.volume.json(),
        "bolus_steps": count_in_words(times),
        "days_to_low_alarm": None if alarm is None else str(alarm),
        "days_to_low_alarm_with_patient_boluses": None if worst is None else str(worst),
    }


def _digest(c: Context, findings: tuple[Finding, ...]) -> str:
    return canonical_digest(
        {
            "rx": c.rx.canonical_json,
            "pump": c.profile.constants_hash.hex(),
            "refill": c.volume.json() if c.is_refill else None,
            "aspirated": None if c.refill is None else Volume(c.refill.aspirated_nL).json(),
            "current": c.current.identity() if c.current is not None else None,
            "findings": [finding.json() for finding in findings],
            "library": c.library.json(),
        }
    )


def _hold(c: Context, findings: tuple[Finding, ...]) -> str:
    """Of what a person decided on, and no reading: of the findings, rule and severity of each that has to be accepted."""
    asked = sorted([finding.rule, finding.severity.word] for finding in findings if finding.severity is not Severity.INFO)
    return canonical_digest(
        {
            "rx": c.rx.canonical_json,
            "pump": c.profile.constants_hash.hex(),
            "refill": c.volume.json() if c.is_refill else None,
            "findings": asked,
            "library": c.library.json(),
        }
    )
