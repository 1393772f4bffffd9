"""Prescriptions for tests: a plain one to alter, and Hypothesis strategies that make any that can be written."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

from itbpump.quantity import number_text
from itbpump.therapy import Prescription, load_prescription
from itbpump.wire.errors import FieldRangeError
from itbpump.wire.messages import Configuration, encode_configuration

EXAMPLES = Path(__file__).resolve().parents[3] / "examples"
WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def fits_wire(configuration: Configuration) -> bool:
    """The wire can carry it; what it cannot, no pump holds."""
    try:
        return bool(encode_configuration(configuration))
    except FieldRangeError:
        return False


def example(name: str) -> Prescription:
    return load_prescription(EXAMPLES / f"{name}.toml")


def prescription(therapy: dict[str, Any] | None = None, **tables: dict[str, Any] | list[dict[str, Any]] | None) -> Prescription:
    """A running adult spinal therapy of 200 mcg/day on a P-40; keyword tables are laid over the defaults, None removes one."""
    data: dict[str, Any] = {
        "schema": "itbpump.prescription/1",
        "patient": {"id": "P-1", "indication": "spinal", "age_years": 46},
        "pump": {
            "profile": "P-40",
            "reservoir_volume": "38 mL",
            "as_of": datetime(2026, 11, 22, 10, tzinfo=timezone(timedelta(hours=-5))),
            "low_reservoir_alarm": "6.5 mL",
        },
        "drug": {"name": "baclofen", "concentration": "2000 mcg/mL"},
        "catheter": {"path_volume": "0.316 mL"},
        "therapy": therapy if therapy is not None else continuous("200 mcg/day"),
    }
    for name, table in tables.items():
        if table is None:
            data.pop(name, None)
        elif isinstance(table, list):
            data[name] = table
        else:
            data[name] = {key: value for key, value in {**data.get(name, {}), **table}.items() if value is not None}
    return Prescription.model_validate(data)


def continuous(dose: str, **more: Any) -> dict[str, Any]:
    return {"mode": "continuous", "dose": dose, **more}


def periodic(dose: str, over: str, every: str, background: str = "100 mcg/day") -> dict[str, Any]:
    return {"mode": "periodic-bolus", "dose": dose, "over": over, "every": every, "background": background}


def flex(*steps: dict[str, str], days: tuple[str, ...] = WEEK) -> dict[str, Any]:
    """Flex with these steps on `days` and 100 mcg/day on the others."""
    patterns: list[dict[str, Any]] = [{"days": list(days), "steps": list(steps)}]
    others = [day for day in WEEK if day not in days]
    if others:
        patterns.append({"days": others, "steps": [{"at": "00:00", "rate": "100 mcg/day"}]})
    return {"mode": "flex", "pattern": patterns}


def rate(at: str, amount: str) -> dict[str, str]:
    return {"at": at, "rate": amount}


def bolus(at: str, dose: str, over: str) -> dict[str, str]:
    return {"at": at, "dose": dose, "over": over}


# ------------------------------------------------------------------------------------------------ strategies
def _amounts(low: int, high: int, unit: str) -> st.SearchStrategy[str]:
    """Amounts in thousandths of a unit, as text."""
    return st.integers(low, high).map(lambda thousandths: f"{number_text(Fraction(thousandths, 1000))} {unit}")


doses = _amounts(0, 130_000, "mcg")
rates = st.one_of(_amounts(0, 3_000_000, "mcg/day"), _amounts(0, 130_000, "mcg/h"))


def _zone(minutes_east: int) -> timezone:
    return timezone(timedelta(minutes=minutes_east))


zones = st.integers(-14 * 60, 14 * 60).map(_zone)
instants = st.builds(datetime.fromtimestamp, st.integers(1_577_836_800, 3_700_000_000), zones)


def minutes(low: int, high: int) -> st.SearchStrategy[str]:
    return st.integers(low, high).map(lambda count: f"{count // 60}h{count % 60}m" if count >= 60 else f"{count}m")


@st.composite
def patterns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Days split into groups; boluses end before midnight, so that no two overlap."""
    group_of = draw(st.lists(st.integers(0, 2), min_size=7, max_size=7))
    found = []
    for group in sorted(set(group_of)):
        steps: list[dict[str, str]] = [rate("00:00", draw(rates))]
        starts = sorted(draw(st.sets(st.integers(1, 1439), max_size=6)))
        busy_until = 0
        for number, start in enumerate(starts):
            at = f"{start // 60:02d}:{start % 60:02d}"
            room = (starts[number + 1] if number + 1 < len(starts) else 1440) - start
            if start >= busy_until and draw(st.booleans()):
                length = draw(st.integers(1, max(1, min(room + 30, 1440 - start))))
                busy_until = start + length
                steps.append(bolus(at, draw(doses), f"{length}m"))
            else:
                steps.append(rate(at, draw(rates)))
        found.append({"days": [WEEK[day] for day in range(7) if group_of[day] == group], "steps": steps})
    return found


@st.composite
def patient_boluses(draw: st.DrawFn) -> dict[str, Any]:
    over = draw(st.integers(1, 120))
    lockout = draw(st.integers(over, 2_880))
    return {"dose": draw(doses), "over": f"{over}m", "lockout": f"{lockout}m", "max_per_day": draw(st.integers(1, 24))}


@st.composite
def therapies(draw: st.DrawFn) -> dict[str, Any]:
    mode = draw(st.sampled_from(["continuous", "flex", "periodic-bolus", "minimum-rate", "stopped"]))
    therapy: dict[str, Any] = {"mode": mode}
    if mode == "continuous":
        therapy["dose"] = draw(rates)
    elif mode == "flex":
        therapy["pattern"] = draw(patterns())
    elif mode == "periodic-bolus":
        every = draw(st.integers(1, 10_080))
        over = draw(st.integers(1, min(every, 1_440)))
        therapy |= {"dose": draw(doses), "over": f"{over}m", "every": f"{every}m", "background": draw(rates)}
    if mode not in {"minimum-rate", "stopped"} and draw(st.booleans()):
        therapy["patient_bolus"] = draw(patient_boluses())
    if draw(st.booleans()):
        therapy["since"] = draw(instants)
    return therapy


@st.composite
def prescriptions(draw: st.DrawFn) -> Prescription:
    """Any prescription that can be written, wise or not."""
    optional: dict[str, Any] = {}
    if draw(st.booleans()):
        optional["screening"] = {"dose": draw(doses), "effect": draw(minutes(1, 900))}
    if draw(st.booleans()):
        optional["medication"] = [{"name": 'a "b" \\ c', "class": draw(st.sampled_from(["opioid", "alcohol", "antibiotic"]))}]
    if draw(st.booleans()):
        optional["bridge"] = draw(st.sampled_from([{"plan": "auto"}, {"plan": "refused", "reason": "no therapy before"}]))
    if draw(st.booleans()):
        optional["prime"] = {"scope": "path"}
    if draw(st.booleans()):
        optional["session"] = {"author": "a-1", "second": "b.2"}
    return prescription(
        draw(therapies()),
        patient={"age_years": draw(st.none() | st.integers(0, 120)), "indication": draw(st.sampled_from(["spinal", "cerebral"]))},
        pump={
            "profile": draw(st.sampled_from(["P-20", "P-40", "V-20", "V-40"])),
            "reservoir_volume": draw(_amounts(0, 60_000, "mL")),
            "low_reservoir_alarm": draw(st.none() | _amounts(0, 45_000, "mL")),
            "as_of": draw(instants),
        },
        drug={
            "concentration": draw(st.sampled_from(["50 mcg/mL", "500 mcg/mL", "1 mg/mL", "2000 mcg/mL", "3000 mcg/mL", "0.001 mcg/mL"])),
            "filled_on": draw(st.none() | st.dates(date(2020, 1, 1), date(2090, 1, 1))),
        },
        catheter={"path_volume": draw(_amounts(0, 900, "mL"))},
        **optional,
    )
