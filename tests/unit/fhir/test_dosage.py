"""A week as dosages: adding the pieces up gives the dose of the schedule; nothing overlaps; a bolus takes the rate's place."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itbpump.configuration import wire_configuration
from itbpump.profiles import load_profile
from itbpump.quantity import Duration, Mass, MassRate, TimeOfDay
from itbpump.report import Therapy
from itbpump.report.fhir.check import check
from itbpump.report.fhir.dosage import DAY_MIN, WEEK_MIN, Piece, dosages, pieces
from itbpump.therapy import load_prescription
from itbpump.therapy_view import StepView, view_configuration
from tests.unit.fhir.bundles import made, of_type

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("*.toml"))


def minutes(found: tuple[Piece, ...]) -> list[StepView | None]:
    """Which step holds in each minute of the week. Fails where two do."""
    week: list[StepView | None] = [None] * WEEK_MIN
    for piece in found:
        for day in piece.weekdays:
            for minute in range(day * DAY_MIN + piece.start_min, day * DAY_MIN + piece.start_min + piece.length_min):
                assert week[minute % WEEK_MIN] is None
                week[minute % WEEK_MIN] = piece.step
    return week


def naive(days: list[list[StepView]]) -> list[StepView | None]:
    """The same by going through the week minute by minute, twice: the second time all that runs over from Sunday is known."""
    week: list[StepView | None] = [None] * WEEK_MIN
    rate: StepView | None = None
    bolus: StepView | None = None
    left = 0
    for minute in range(2 * WEEK_MIN):
        for step in days[minute // DAY_MIN % 7]:
            if step.at.minute == minute % DAY_MIN:
                if step.over is None:
                    rate = step
                else:
                    bolus, left = step, step.over.minutes
        week[minute % WEEK_MIN] = bolus if left else rate
        left = max(0, left - 1)
    return week


@st.composite
def weeks(draw: st.DrawFn) -> list[list[StepView]]:
    """Seven days with a rate at 00:00, more rates, and boluses that do not overlap; one may run past midnight."""
    rates = st.integers(0, 500_000).map(MassRate)
    days = []
    for _ in range(7):
        times = sorted(draw(st.sets(st.integers(1, 23), max_size=5)))
        steps = [StepView(TimeOfDay(0), rate=draw(rates))]
        for hour in times:
            if draw(st.booleans()):
                steps.append(StepView(TimeOfDay(hour * 60), rate=draw(rates)))
            else:
                over = Duration.of_minutes(draw(st.integers(1, 60)))
                steps.append(StepView(TimeOfDay(hour * 60), dose=Mass(draw(st.integers(1, 99_000))), over=over))
        days.append(steps)
    return days


@settings(max_examples=40, deadline=None)
@given(weeks())
def test_every_minute_has_the_step_that_holds(days: list[list[StepView]]) -> None:
    found, wanted = minutes(pieces(days)), naive(days)
    assert [_what(step) for step in found] == [_what(step) for step in wanted]


def _what(step: StepView | None) -> tuple[Any, ...]:
    assert step is not None
    return step.rate, step.dose, step.over


def test_a_bolus_past_midnight_cuts_the_next_day() -> None:
    rate = StepView(TimeOfDay(0), rate=MassRate(240_000))
    bolus = StepView(TimeOfDay(23 * 60 + 30), dose=Mass(10_000), over=Duration.of_minutes(60))
    found = pieces([[rate, bolus], *[[rate]] * 6])
    assert minutes(found)[DAY_MIN - 31 : DAY_MIN + 31 : 61] == [rate, rate]
    assert [(piece.weekdays, piece.start_min, piece.length_min) for piece in found] == [
        ((0,), 0, 23 * 60 + 30),
        ((0,), 23 * 60 + 30, 60),
        ((1,), 30, DAY_MIN - 30),
        ((2, 3, 4, 5, 6), 0, DAY_MIN),
    ]


def therapy_of(path: Path) -> Therapy:
    """An example as a report keeps it."""
    rx = load_prescription(path)
    profile = load_profile(rx.pump.profile)
    view = view_configuration(wire_configuration(rx, profile), profile)
    patient = str(view.patient) if view.patient is not None else ""
    return Therapy(
        view.mode_text,
        view.mean_day,
        view.lowest_day,
        view.highest_day,
        view.highest_24h_exact.rounded(),
        tuple(view.rows()),
        view.days,
        patient,
    )


def week_mcg(found: list[dict[str, Any]]) -> Decimal:
    """Adding up what is scheduled, as a reader of the bundle would."""
    total = Decimal(0)
    for item in found:
        for amount in item.get("doseAndRate", ()):
            repeat = item.get("timing", {}).get("repeat", {"duration": DAY_MIN, "dayOfWeek": range(7)})
            times = len(repeat["dayOfWeek"])
            if "doseQuantity" in amount:
                total += amount["doseQuantity"]["value"] * times
            else:
                total += Decimal(amount["rateRatio"]["numerator"]["value"]) * repeat["duration"] * times / DAY_MIN
    return total


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_pieces_add_up_to_the_week_of_the_schedule(path: Path) -> None:
    """To the ng that a mean is rounded by; what the pump makes of whole nL per day is in both."""
    therapy = therapy_of(path)
    found = dosages(therapy)
    assert abs(week_mcg(found) - Decimal(int(therapy.mean_day.ng_per_day)) * 7 / 1_000) <= Decimal("0.01")
    assert [item["sequence"] for item in found] == list(range(1, len(found) + 1))
    assert any(item.get("asNeeded") for item in found) == bool(therapy.patient_bolus)
    bundle = made()
    of_type(bundle, "MedicationRequest")[0]["dosageInstruction"] = found
    assert check(bundle) == ()


def test_the_examples_hold_every_mode() -> None:
    assert {therapy_of(path).mode for path in EXAMPLES} >= {"continuous", "flex", "periodic-bolus"}
