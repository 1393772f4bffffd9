"""The review: a prescription, or a single bolus, judged beside the present before anything is sent.

Pure and total: a finding for whatever can be judged, a documented error for whatever cannot. Not here: dates (`forecast` gives them as an
argument), asking for overrides (`overrides.decide`), what the pump checks on its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import DrugLibrary, load_library
from itbpump.profiles import PumpProfile, load_profile
from itbpump.quantity import Volume
from itbpump.safety import rules_change, rules_drug, rules_pump
from itbpump.safety.context import Context, Current
from itbpump.safety.model import Finding, Review, Rule, canonical_digest
from itbpump.safety.table import achievable_rows, change_percent, table_rows
from itbpump.therapy_view import count_in_words, view_configuration

if TYPE_CHECKING:
    from itbpump.therapy import Prescription

__all__ = ["all_rules", "review"]

RULE_SETS = (rules_pump.RULES, rules_drug.RULES, rules_change.RULES)


def all_rules() -> tuple[Rule[Context], ...]:
    """Every rule of a prescription's review, in order."""
    return tuple(rule for rules in RULE_SETS for rule in rules.rules.values())


def review(
    rx: Prescription,
    current: Prescription | PresentPump | None = None,
    *,
    profile: PumpProfile | None = None,
    library: DrugLibrary | None = None,
    refill: Volume | None = None,
    dates: Mapping[str, Any] | None = None,
) -> Review:
    """Judge a prescription against pump, drug library and the present.

    `current`: the running therapy as a file, or the pump as just read; None makes every comparison `info` not checked. `refill`: volume
    in the reservoir after a refill with this prescription. `profile` and `library` default to those the prescription names. `dates` are
    passed through.
    Raises ProfileError or LibraryError where there is no profile or library to judge by (SR-06).
    """
    profile = profile if profile is not None else load_profile(rx.pump.profile)
    library = library if library is not None else load_library(rx.drug.name)
    context = _context(rx, current, profile, library, refill)
    found = [finding for rules in RULE_SETS for finding in rules.findings(context)]
    findings = tuple(sorted(found, key=lambda finding: -finding.severity))
    current_json = context.current.json() if context.current is not None else None
    return Review(
        findings=findings,
        table=tuple(table_rows(context)),
        current=current_json,
        proposed=_proposed(context),
        achievable=tuple(achievable_rows(context)),
        library=library.json(),
        digest=_digest(rx, refill, current_json, findings, library),
        dates=dates,
    )


def _context(
    rx: Prescription, current: Prescription | PresentPump | None, profile: PumpProfile, library: DrugLibrary, refill: Volume | None
) -> Context:
    configuration = wire_configuration(rx, profile)
    if current is None:
        present: Current | None = None
    elif isinstance(current, PresentPump):
        present = Current.from_pump(current, profile)
    else:
        present = Current.from_prescription(current, load_profile(current.pump.profile), rx)
    sets_volume = refill is not None or present is None or present.present is None or present.configuration is None
    volume = refill if refill is not None else rx.pump.reservoir_volume
    if not sets_volume and present is not None and present.present is not None:
        volume = Volume(present.present.reservoir_nL)
    return Context(
        rx=rx,
        profile=profile,
        library=library,
        configuration=configuration,
        view=view_configuration(configuration, profile),
        current=present,
        volume=volume,
        sets_volume=sets_volume,
        is_refill=refill is not None,
    )


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


def _digest(
    rx: Prescription, refill: Volume | None, current: Mapping[str, Any] | None, findings: tuple[Finding, ...], library: DrugLibrary
) -> str:
    return canonical_digest(
        {
            "rx": rx.model_dump(mode="json", by_alias=True, exclude_none=True),
            "refill": refill.json() if refill is not None else None,
            "current": current,
            "findings": [finding.json() for finding in findings],
            "library": library.json(),
        }
    )
