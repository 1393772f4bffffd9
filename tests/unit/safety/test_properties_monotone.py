"""A stricter library never gives a milder verdict, whatever figure is tightened and whatever is judged beside whatever (SR-04).

The directions are written here on purpose, apart from those of the clinic overlay. Not here: files (`tests/unit/drugs`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.configuration import PresentPump, wire_configuration
from itbpump.drugs import DrugLibrary, Figure, load_library
from itbpump.history import History
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, MassRate
from itbpump.safety import Review, Severity, review, review_bolus, review_prime, review_refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import RunState
from tests.unit.safety.test_properties import any_prescriptions, any_pumps, judged_or_refused, presents, refill_of, volumes
from tests.unit.safety.test_review import pump
from tests.unit.therapy.prescriptions import bolus, continuous, flex, periodic, prescription, rate

Tighten = Callable[[DrugLibrary, Fraction], DrugLibrary]
SHARES = st.integers(0, 20).map(lambda twentieths: Fraction(twentieths, 20))


def scaled(figure: Figure[Any], share: Fraction) -> Figure[Any]:
    """The figure times `share`, of whatever kind; its marks stay."""
    value = figure.value
    if isinstance(value, MassRate):
        return replace(figure, value=MassRate(Fraction(value.ng_per_day * share)))
    if isinstance(value, Mass):
        return replace(figure, value=Mass(Fraction(value.ng * share)))
    if isinstance(value, Duration):
        return replace(figure, value=Duration(int(value.ms * share) // 60_000 * 60_000))
    assert isinstance(value, int)
    return replace(figure, value=int(value * share))


def changed(library: DrugLibrary, values: Mapping[str, Any]) -> DrugLibrary:
    return replace(library, **values)


def lower(name: str, library: DrugLibrary, share: Fraction) -> DrugLibrary:
    figure = getattr(library, name)
    return library if figure is None else changed(library, {name: scaled(figure, share)})


def higher(name: str, library: DrugLibrary, share: Fraction) -> DrugLibrary:
    figure = getattr(library, name)
    return library if figure is None else changed(library, {name: scaled(figure, 1 + 3 * (1 - share))})


def lower_in(table: str, name: str, library: DrugLibrary, share: Fraction) -> DrugLibrary:
    """In every group of a table."""
    groups: Mapping[str, Any] = getattr(library, table)
    tighter = {key: replace(group, **{name: scaled(getattr(group, name), share)}) for key, group in groups.items()}
    return changed(library, {table: tighter})


def higher_in(table: str, name: str, library: DrugLibrary, share: Fraction) -> DrugLibrary:
    return lower_in(table, name, library, 1 + 3 * (1 - share))


def fewer_concentrations(library: DrugLibrary, share: Fraction) -> DrugLibrary:
    allowed = library.concentrations
    return replace(library, concentrations=replace(allowed, value=allowed.value[: max(1, int(len(allowed.value) * share))]))


def fewer_diagnoses(library: DrugLibrary, share: Fraction) -> DrugLibrary:
    kept = {name: known[: int(len(known) * share)] for name, known in library.diagnoses.items()}
    return replace(library, diagnoses=kept)


LOWER = (
    "decrease_soft_percent",
    "start_factor",
    "start_long_effect",
    "start_long_factor",
    "start_second_percent",
    "start_absolute_soft",
    "start_absolute_second",
    "restart_soft_after",
    "restart_second_after",
    "bolus_soft",
    "bolus_hard",
    "patient_bolus_hard",
    "bolus_repeats_soft",
    "stability_days",
    "rounding_soft_percent",
)
HIGHER = ("first_period", "bolus_apart", "second_below_years", "child_below_years", "child_daily_below_years")
IN_TABLES: dict[str, Tighten] = {
    "daily.soft_high": partial(lower_in, "daily", "soft_high"),
    "daily.hard_high": partial(lower_in, "daily", "hard_high"),
    "daily.soft_low": partial(higher_in, "daily", "soft_low"),
    "increase.soft_percent": partial(lower_in, "increase", "soft_percent"),
    "increase.second_percent": partial(lower_in, "increase", "second_percent"),
    "increase.hard_percent": partial(lower_in, "increase", "hard_percent"),
    "concentrations": fewer_concentrations,
    "diagnoses": fewer_diagnoses,
}
# Steps that plans take, and usual ranges that other figures are compared with: no limits of a review.
NO_LIMITS = frozenset(
    {
        "screening_only",
        "screening_doses",
        "screening_small",
        "titration",
        "maintenance",
        "side_effect_decrease",
        "taper",
        "brands",
        "tall_man",
    }
)
TIGHTENINGS: dict[str, Tighten] = {
    **{name: partial(lower, name) for name in LOWER},
    **{name: partial(higher, name) for name in HIGHER},
    **IN_TABLES,
}
several = st.dictionaries(st.sampled_from(sorted(TIGHTENINGS)), SHARES, min_size=1, max_size=6)


def tightened(library: DrugLibrary, changes: Mapping[str, Fraction]) -> DrugLibrary:
    for name, share in changes.items():
        library = TIGHTENINGS[name](library, share)
    return library


def library_of(name: str) -> DrugLibrary:
    return load_library(name if name in {"baclofen", "morphine"} else "baclofen")


# Slips are seen by comparing with usual ranges: where those are narrower, another rule speaks up.
COMPARING = frozenset({"field-swap", "ten-times", "hours-minutes"})


def worst_of(judged: Review) -> dict[str, Severity]:
    worst: dict[str, Severity] = {}
    for finding in judged.findings:
        worst[finding.rule] = max(finding.severity, worst.get(finding.rule, Severity.INFO))
    return worst


def never_milder(judge: Callable[[DrugLibrary], Review], library: DrugLibrary, changes: Mapping[str, Fraction]) -> None:
    """Neither the verdict nor any single rule."""
    plain = judged_or_refused(partial(judge, library))
    strict = judged_or_refused(partial(judge, tightened(library, changes)))
    assert (plain is None) == (strict is None)
    if plain is not None and strict is not None:
        assert strict.severity >= plain.severity, (plain.findings, strict.findings)
        now = worst_of(strict)
        milder = {rule for rule, worst in worst_of(plain).items() if now.get(rule, Severity.INFO) < worst}
        assert milder <= COMPARING, (milder, plain.findings, strict.findings)


# ------------------------------------------------------------------------------------------------ usual work, where limits decide
@st.composite
def usual_therapies(draw: st.DrawFn) -> dict[str, Any]:
    dose = draw(st.integers(100, 1_100))
    kind = draw(st.sampled_from(["continuous", "flex", "periodic"]))
    if kind == "continuous":
        therapy = continuous(f"{dose} mcg/day")
    elif kind == "flex":
        at_once = draw(st.integers(10, 60))
        therapy = flex(rate("00:00", f"{dose} mcg/day"), bolus("06:00", f"{at_once} mcg", "1h"), rate("20:00", f"{dose} mcg/day"))
    else:
        therapy = periodic(f"{draw(st.integers(10, 60))} mcg", "30m", draw(st.sampled_from(["6h", "12h", "24h"])), f"{dose} mcg/day")
    if draw(st.booleans()):
        therapy["patient_bolus"] = {"dose": f"{draw(st.integers(2, 50))} mcg", "over": "10m", "lockout": "6h", "max_per_day": 3}
    return therapy


@st.composite
def usual_pairs(draw: st.DrawFn) -> tuple[Prescription, PresentPump | Prescription | None]:
    """A prescription of one patient and pump beside the therapy before: of about the same dose, running, stopped, or not known."""
    tables: dict[str, Any] = {
        "patient": {
            "indication": draw(st.sampled_from(["spinal", "cerebral"])),
            "age_years": draw(st.sampled_from([3, 9, 15, 46, 46, None])),
        },
        "drug": {"concentration": f"{draw(st.sampled_from([500, 1000, 2000, 2000]))} mcg/mL"},
        "screening": draw(st.none() | st.sampled_from([{"dose": "50 mcg", "effect": "5h"}, {"dose": "100 mcg", "effect": "9h"}])),
    }
    rx, before = prescription(draw(usual_therapies()), **tables), prescription(draw(usual_therapies()), **tables)
    if draw(st.booleans()):
        return rx, draw(st.sampled_from([None, before]))
    hours = draw(st.integers(1, 60))
    state = draw(st.sampled_from([RunState.RUNNING, RunState.RUNNING, RunState.STOPPED]))
    present = pump(
        wire_configuration(before, load_profile("P-40")),
        run_state=state,
        host_now=rx.pump.as_of,
        reservoir_nL=rx.pump.reservoir_volume.nL,
        last_change_ms=(900 - hours) * 3_600_000,
        history=History(untreated_since_ms=None if state is RunState.RUNNING else (900 - hours) * 3_600_000),
        mass_24h_ng=draw(st.integers(0, 1_500_000)),
    )
    return rx, present


@pytest.mark.sr("SR-04")
@given(several, usual_pairs())
def test_a_review_of_usual_work(changes: dict[str, Fraction], pair: tuple[Prescription, PresentPump | Prescription | None]) -> None:
    rx, current = pair
    never_milder(lambda library: review(rx, current, library=library), load_library("baclofen"), changes)


@pytest.mark.sr("SR-04")
@given(several, any_prescriptions(), presents(), st.none() | volumes)
def test_a_review_of_anything(
    changes: dict[str, Fraction], rx: Prescription, current: PresentPump | Prescription | None, refill: Any
) -> None:
    never_milder(lambda library: review(rx, current, library=library, refill=refill), library_of(rx.drug.name), changes)


@pytest.mark.sr("SR-04")
@given(
    several,
    any_pumps,
    st.integers(1, 150_000),
    st.integers(1, 600),
    st.sampled_from([None, "spinal", "cerebral"]),
    st.none() | st.integers(0, 90),
)
def test_a_review_of_a_bolus(
    changes: dict[str, Fraction], present: PresentPump, ng: int, minutes: int, indication: Any, age: int | None
) -> None:
    who: Any = {"indication": indication, "age_years": age}
    never_milder(
        lambda library: review_bolus(Mass(ng), Duration.of_minutes(minutes), present, load_profile("P-40"), library=library, **who),
        load_library("baclofen"),
        changes,
    )


@pytest.mark.sr("SR-04")
@given(several, any_prescriptions(), any_pumps, st.integers(1, 600))
def test_a_review_of_a_prime(changes: dict[str, Fraction], rx: Prescription, present: PresentPump, minutes: int) -> None:
    over, profile = Duration.of_minutes(minutes), load_profile(rx.pump.profile)
    never_milder(lambda library: review_prime(rx, over, present, profile, library=library), library_of(rx.drug.name), changes)


@pytest.mark.sr("SR-04", "SR-38")
@given(several, any_pumps, volumes, volumes, st.none() | any_prescriptions())
def test_a_review_of_a_refill(
    changes: dict[str, Fraction], present: PresentPump, aspirated: Any, filled: Any, rx: Prescription | None
) -> None:
    def judge(library: DrugLibrary) -> Review:
        plan = refill_of(aspirated, filled, present, "P-40", 38_000_000)
        if rx is not None:
            return review(rx, present, library=library, refill=plan)
        return review_refill(plan, present, load_profile("P-40"), library=library)

    never_milder(judge, load_library("baclofen"), changes)


@pytest.mark.sr("SR-04")
def test_every_figure_of_the_library_is_tightened_or_named_as_no_limit() -> None:
    tables = {"daily", "increase", "concentrations", "diagnoses"}
    figures = {
        field.name for field in fields(DrugLibrary) if "Figure" in str(field.type) or field.name in tables | {"titration", "maintenance"}
    }
    assert figures - tables - set(LOWER) - set(HIGHER) - NO_LIMITS == set()


def test_each_tightening_alone_makes_a_library_that_differs() -> None:
    for drug in ("baclofen", "morphine"):
        library = load_library(drug)
        same = {name for name, tighten in TIGHTENINGS.items() if tighten(library, Fraction(0)) == library}
        assert same <= {name for name in LOWER if getattr(library, name) is None} | {"concentrations"}


@pytest.mark.sr("SR-04")
def test_a_tightened_figure_is_really_used() -> None:
    """So that the properties above cannot pass for want of effect."""
    rx, library = prescription(continuous("500 mcg/day")), load_library("baclofen")
    severities = [review(rx, library=tightened(library, {"daily.hard_high": Fraction(share, 20)})).severity for share in (20, 5, 4, 0)]
    assert severities == [Severity.INFO, Severity.INFO, Severity.HARD, Severity.HARD]
