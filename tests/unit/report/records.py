"""Session records of every kind: all fields drawn on their own, texts hostile, amounts as exact as a pump gives them."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from hypothesis import strategies as st

from itbpump.drugs import load_library
from itbpump.forecast import Bounds, Forecast
from itbpump.quantity import Concentration, Duration, Mass, MassRate, TimeOfDay, Volume
from itbpump.refill import Discrepancy, Refill
from itbpump.report import (
    Alarm,
    BolusPulses,
    Change,
    Delivered,
    GivenBoluses,
    Identity,
    Note,
    PumpState,
    SessionRecord,
    Settlement,
    Therapy,
    Told,
    Versions,
)
from itbpump.safety import Finding, Override, Severity
from itbpump.safety.model import Achievable, Row
from itbpump.therapy_view import StepView

ZONE = timezone(timedelta(hours=2))
LIBRARY = load_library("baclofen")
HEX = st.text("0123456789abcdef", min_size=64, max_size=64)
IDS = st.text("ABCXYZabcxyz0123456789-", min_size=1, max_size=24)
HOSTILE = st.one_of(
    st.sampled_from(
        ["<script>alert(1)</script>", '"><img src=x onerror=y>', "a & b < c", "one\ntwo\x1b[2J", "\u202emcg 5", "]]></p>", "x" * 200]
    ),
    st.text(max_size=40),
)
WORDS = st.text("abcdefghijklmnop ", min_size=1, max_size=40).map(str.strip).filter(bool)
volumes = st.integers(0, 40_000_000).map(Volume)
masses = st.integers(0, 5_000_000).map(Mass)
AMOUNTS = masses.map(str)
rates = st.integers(0, 2_000_000).map(MassRate)
times = st.datetimes(datetime(2026, 1, 1), datetime(2035, 12, 31)).map(lambda at: at.replace(tzinfo=ZONE, microsecond=0))  # noqa: DTZ001
at_times = st.integers(0, 1439).map(TimeOfDay)
steps = st.tuples(at_times, rates).map(lambda drawn: StepView(drawn[0], rate=drawn[1])) | st.tuples(
    at_times, masses, st.integers(1, 600).map(Duration.of_minutes)
).map(lambda drawn: StepView(drawn[0], dose=drawn[1], over=drawn[2]))
days = st.tuples(*[st.lists(steps, max_size=2).map(tuple)] * 7)
rows = st.lists(st.tuples(WORDS, WORDS), min_size=1, max_size=3).map(tuple)
alarms = st.builds(Alarm, id=WORDS, priority=st.sampled_from(["critical", "non-critical"]), text=WORDS, action=WORDS, since=WORDS)
therapies = st.builds(
    Therapy, mode=WORDS, mean_day=rates, lowest_day=rates, highest_day=rates, highest_24h=rates, rows=rows, days=days, patient_bolus=WORDS
)
states = st.builds(
    PumpState,
    at=times,
    run_state=st.sampled_from(["running", "stopped", "safe"]),
    mode=WORDS,
    revision=st.integers(0, 99_999),
    digest=HEX,
    drug=st.just("baclofen"),
    concentration=st.sampled_from([500_000, 2_000_000]).map(Concentration),
    therapy=st.none() | therapies,
    delivering=WORDS,
    dose_now=rates,
    reservoir=volumes,
    capacity=volumes,
    low_alarm=volumes,
    given_24h=masses,
    battery_permille=st.integers(0, 1000),
    alarms=st.lists(alarms, max_size=2).map(tuple),
    unknown=st.lists(WORDS, max_size=1).map(tuple),
    rows=rows,
    next_entry=st.integers(0, 99_999),
)
boluses = st.builds(GivenBoluses, count=st.integers(1, 400), volume=volumes, doubt_pulses=st.integers(0, 3), mass=masses)
delivered = st.builds(
    Delivered,
    reference=st.sampled_from(["fill", "programming"]),
    since=times,
    filled=volumes,
    total=st.none() | volumes,
    pattern=st.none() | volumes,
    total_mass=masses,
    pattern_mass=masses,
    accuracy_ppm=st.just(145_000),
    single=boluses,
    prime=boluses,
    patient=boluses,
    granted=st.integers(0, 9_999),
    denied=st.integers(0, 9_999),
    interruptions=st.integers(0, 99),
    missed=volumes,
    doubt_pulses=st.integers(0, 99),
    not_known=st.lists(WORDS, max_size=2).map(tuple),
)
pulses = st.integers(0, 9_999)
told = st.builds(
    Told,
    word=st.sampled_from(["applied", "not applied", "unknown"]),
    text=WORDS,
    agreed=st.none() | st.lists(WORDS, max_size=2).map(tuple),
    disagreed=st.none() | st.lists(WORDS, max_size=2).map(tuple),
    bolus=st.none() | st.builds(BolusPulses, pulses, pulses, st.integers(0, 2), WORDS, masses, masses),
    note=WORDS,
)
findings = st.builds(
    Finding,
    rule=st.sampled_from(["increase", "stability"]),
    sr=st.just(("SR-08",)),
    severity=st.sampled_from(list(Severity)),
    message=WORDS,
    value=masses.map(Mass.text),
    limit=masses.map(Mass.text),
    source=WORDS,
)
overrides = st.builds(
    Override,
    rule=st.sampled_from(["increase", "stability"]),
    value=masses.map(Mass.text),
    limit=masses.map(Mass.text),
    reason=st.just("other"),
    text=HOSTILE,
    user=HOSTILE,
    second=IDS,
)
nL = st.integers(0, 40_000_000)
refills = st.builds(
    Refill,
    expected_nL=nL,
    aspirated_nL=nL,
    filled_nL=nL,
    volume_after_nL=nL,
    discrepancy=st.builds(Discrepancy, difference_nL=st.integers(-40_000_000, 40_000_000), tolerance_nL=st.none() | nL),
    counted_nL=st.none() | nL,
)
changes = st.builds(
    Change,
    at=times,
    title=HOSTILE,
    cmd_id=st.integers(1, 2**63),
    told=told,
    user=HOSTILE,
    second=IDS,
    table=st.lists(st.builds(Row, WORDS, AMOUNTS, AMOUNTS, st.booleans()), max_size=3).map(tuple),
    achievable=st.lists(st.builds(Achievable, WORDS, masses.map(str), masses.map(str), st.sampled_from(["0", "-1.5"])), max_size=2).map(
        tuple
    ),
    findings=st.lists(findings, max_size=2).map(tuple),
    overrides=st.lists(overrides, max_size=1).map(tuple),
    verdict=st.sampled_from(["", "ok", "soft"]),
    review=HEX,
    library=st.just(LIBRARY.json()),
    refill=st.none() | refills,
    settled=st.none() | st.builds(Settlement, at=times, told=told, by=HOSTILE, reason=HOSTILE),
)
bounds = st.builds(Bounds, times, times, times)
forecasts = st.builds(
    Forecast,
    as_of=times,
    alarm=times,
    low_reservoir=bounds,
    empty=bounds,
    stable_until=times,
    battery_until=st.none() | times,
    service_until=times,
    refill_by=times,
    limited_by=st.sampled_from(["low-reservoir", "drug-stability"]),
    assumptions=st.just({}),
    not_checked=st.lists(WORDS, max_size=1).map(tuple),
)
records = st.builds(
    SessionRecord,
    identity=st.builds(Identity, HOSTILE, IDS, st.just("P-40"), st.just("1.0.0"), st.just("03ada3bc413f08f6"), st.booleans()),
    staff=st.lists(HOSTILE, max_size=2).map(tuple),
    opened_at=times,
    closed_at=times,
    start=states,
    end=st.none() | states,
    delivered=delivered,
    versions=st.builds(Versions, st.just("0.1.0"), st.just("1.2"), st.just("P-40"), HEX, st.just(LIBRARY.json()), st.just("") | HEX),
    changes=st.lists(changes, max_size=2).map(tuple),
    notes=st.lists(st.builds(Note, times, HOSTILE, st.booleans()), max_size=2).map(tuple),
    dates=st.none() | forecasts,
    end_note=WORDS,
    dates_note=WORDS,
    care=st.none() | st.just(LIBRARY.texts),
)
