"""What flows is what was programmed: each pulse at its time, the volume, start-up and trumpet curves, share of 1-h windows.

Accuracy by a method after IEC 60601-2-24 (`itbpump.hil.accuracy`): a trumpet's abscissa is the length of the window, and it shows extremes
only. Equal pulses have an analytic trumpet; nominal pulses must meet it exactly, and what they truly gave within what the pump's kind may
scatter. No standard covers implanted pumps; nothing here is a statement of conformity.
"""

from __future__ import annotations

from fractions import Fraction

import pytest

from hil.limits import limit, pump_limit
from hil.programme import DAY_MS, dose_of, start
from itbpump.hil.accuracy import (
    Samples,
    TrumpetPoint,
    analyse,
    cycle_time_ms,
    load_method,
    mean_error_of_pulses,
    pulsatile_trumpet,
    share_within,
    startup_curve,
    trumpet,
)
from itbpump.hil.fixtures import Clock, Measure, Plant, PumpUnderTest

METHOD = load_method()
MIN_MS = 60_000
FLEX = """
mode = "flex"
[[therapy.pattern]]
days = ["mon", "tue", "wed", "thu", "fri"]
steps = [
  { at = "00:00", rate = "6 mcg/h" },
  { at = "06:00", dose = "40 mcg", over = "1h" },
  { at = "20:00", rate = "5 mcg/h" },
  { at = "23:30", dose = "12 mcg", over = "1h" },
]
[[therapy.pattern]]
days = ["sat", "sun"]
steps = [{ at = "00:00", rate = "9 mcg/h" }, { at = "12:17", rate = "8 mcg/h" }]
"""
PERIODIC = """
mode = "periodic-bolus"
dose = "40 mcg"
over = "37m"
every = "7h"
background = "192 mcg/day"
"""
THERAPIES = {
    "continuous": ("203 mcg/day", 3),
    "slow": ("192 mcg/day", 9),
    "fast": ("1937 mcg/day", 1),
    "flex": (FLEX, 9),
    "periodic": (PERIODIC, 4),
}


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-24")
@pytest.mark.parametrize("name", THERAPIES)
def test_every_pulse_falls_when_the_programme_asks(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, name: str) -> None:
    therapy, days = THERAPIES[name]
    before_nL = plant.delivered_nL()
    programme = start(pump, clock, therapy)
    clock.advance(days * DAY_MS)
    end_ms = clock.uptime_ms()
    pulses = plant.pulses(programme.began_ms, end_ms)
    half_nL = limit("delivery", "half_pulse_pulses") * programme.pulse_nL
    ahead_nL, behind_nL = programme.deviation_nL(pulses, end_ms)
    measure("most ahead of the programme", round(ahead_nL, 6), "nL", lo=0, hi=half_nL)
    measure("most behind the programme", round(behind_nL, 6), "nL", lo=0, hi=half_nL)
    due_nL = programme.volume_nL(end_ms)
    bear_nL = pump_limit(pump.info.profile, "accuracy_percent") / 100 * due_nL
    bear_nL += limit("delivery", "within_turn_pulses") * programme.pulse_nL
    given_nL = plant.delivered_nL() - before_nL
    measure("volume", given_nL, "nL", lo=round(due_nL - bear_nL, 3), hi=round(due_nL + bear_nL, 3))
    measure("pulses counted by the pump", pump.status().lifetime_pulses, "pulses", lo=len(pulses), hi=len(pulses))


@pytest.mark.needs("plant-truth")
@pytest.mark.sr("SR-24")
def test_volume_of_two_hours(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """On any rig that knows what flows: a balance needs no more than this."""
    programme = start(pump, clock, "1900 mcg/day")
    clock.advance("10m")
    first_ms, before_nL, second_ms = clock.uptime_ms(), plant.delivered_nL(), clock.uptime_ms()
    clock.advance("2h")
    third_ms, after_nL, fourth_ms = clock.uptime_ms(), plant.delivered_nL(), clock.uptime_ms()
    share = pump_limit(pump.info.profile, "accuracy_percent") / 100
    # At either end a pulse may fall just inside or outside.
    edge_nL = (limit("delivery", "within_turn_pulses") + limit("delivery", "half_pulse_pulses")) * programme.pulse_nL
    least_nL = (programme.volume_nL(third_ms) - programme.volume_nL(second_ms)) * (1 - share) - edge_nL
    most_nL = (programme.volume_nL(fourth_ms) - programme.volume_nL(first_ms)) * (1 + share) + edge_nL
    measure("volume", after_nL - before_nL, "nL", lo=round(least_nL, 3), hi=round(most_nL, 3))


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-24", "SR-25")
def test_start_up(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    """The first 120 min from the commit: when the first pulse falls, and the flow, averaged over whole cycles."""
    programme = start(pump, clock, dose_of(pump, 400))
    flow = pump.status().flow_nL_per_day
    cycle_ms = cycle_time_ms(programme.pulse_nL, flow)
    clock.advance(METHOD.startup_span_ms)
    pulses = plant.pulses(programme.began_ms, programme.began_ms + METHOD.startup_span_ms)
    assert pulses, "nothing has flowed in the first two hours"
    first_ms = pulses[0].at_ms - programme.began_ms
    measure("first pulse after", first_ms, "ms", lo=1, hi=round(limit("delivery", "first_pulse_cycles") * cycle_ms) + 1)
    ahead_nL, behind_nL = programme.deviation_nL(pulses, programme.began_ms + METHOD.startup_span_ms)
    half_nL = limit("delivery", "half_pulse_pulses") * programme.pulse_nL
    measure("most ahead of the programme", round(ahead_nL, 6), "nL", lo=0, hi=half_nL)
    measure("most behind the programme", round(behind_nL, 6), "nL", lo=0, hi=half_nL)
    samples = _sampled([(pulse.at_ms, pulse.volume_nL) for pulse in pulses], programme.began_ms, METHOD.startup_span_ms)
    whole_ms = int(cycle_ms * 5)
    curve = startup_curve(samples, METHOD.startup_span_ms, average_ms=whole_ms)
    bear = _bear(pump.info.profile)
    measure.series(
        "start-up, flow averaged over 5 cycles",
        "min",
        "nL per day",
        [round(Fraction(at_ms, MIN_MS), 2) for at_ms, _ in curve],
        [round(value, 2) for _, value in curve],
        lo=[round(flow * (1 - bear), 2)] * len(curve),
        hi=[round(flow * (1 + bear), 2)] * len(curve),
    )
    plain = startup_curve(samples, METHOD.startup_span_ms)
    measure.series(
        "start-up", "min", "nL per day", [round(Fraction(at_ms, MIN_MS), 2) for at_ms, _ in plain], [round(value, 2) for _, value in plain]
    )


@pytest.mark.needs("virtual-time", "plant-pulses")
@pytest.mark.sr("SR-25")
@pytest.mark.parametrize("pulses_per_day", [100, 200, 400])
def test_trumpet(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, pulses_per_day: int) -> None:
    """After 24 h of stabilisation, a day of 30-s samples."""
    programme = start(pump, clock, dose_of(pump, pulses_per_day))
    flow = pump.status().flow_nL_per_day
    cycle_ms = cycle_time_ms(programme.pulse_nL, flow)
    clock.advance("2d")
    begin_ms = programme.began_ms + DAY_MS
    pulses = [(pulse.at_ms, pulse.volume_nL) for pulse in plant.pulses(begin_ms, begin_ms + DAY_MS)]
    nominal = _sampled([(at_ms, programme.pulse_nL) for at_ms, _ in pulses], begin_ms, DAY_MS)
    true = _sampled(pulses, begin_ms, DAY_MS)

    for name, windows in (("short", METHOD.short), ("long", METHOD.long)):
        due = [pulsatile_trumpet(window_ms, cycle_ms) for window_ms in windows.windows_ms]
        counted = trumpet(nominal.coarser(windows.step_ms), flow, windows.windows_ms)
        _both_edges(measure, f"{name} windows, nominal pulses", counted, due, Fraction(0))
        given = trumpet(true.coarser(windows.step_ms), flow, windows.windows_ms)
        _both_edges(measure, f"{name} windows, true volumes", given, due, _bear(pump.info.profile))

    report = analyse(true, flow, cycle_ms)
    accuracy = pump_limit(pump.info.profile, "accuracy_percent")
    whole_turns = mean_error_of_pulses(pulses, flow, int(pump_limit(pump.info.profile, "pulses_per_turn")))
    measure("mean error over whole turns", round(whole_turns, 6), "%", lo=-accuracy, hi=accuracy)
    measure("1-h windows within 15 % of the programme", round(report.share.percent, 4), "%")
    own = flow * (1 + whole_turns / 100)
    steady = share_within(true, own, METHOD.share_window_ms, METHOD.share_within_percent)
    least = limit("delivery", "share_of_hours_percent") if pulses_per_day >= 200 else 0
    measure("1-h windows within 15 % of the pump's own mean", round(steady.percent, 4), "%", lo=least)


def _sampled(pulses: list[tuple[int, int]], begin_ms: int, span_ms: int) -> Samples:
    return Samples.from_pulses(pulses, begin_ms, METHOD.short.step_ms, span_ms // METHOD.short.step_ms)


def _bear(profile: str) -> Fraction:
    """Share by which single windows of a sound pump may differ: its own accuracy, and the scatter of few pulses."""
    return (1 + pump_limit(profile, "accuracy_percent") / 100) * (1 + pump_limit(profile, "scatter_percent") / 100) - 1


def _both_edges(measure: Measure, name: str, found: tuple[TrumpetPoint, ...], due: list[tuple[Fraction, Fraction]], bear: Fraction) -> None:
    """Ep(max) and Ep(min) against the analytic ones, which a window's true volume may miss by a share `bear` of what it holds."""
    minutes = [Fraction(point.window_ms, MIN_MS) for point in found]
    for edge, values, at in (
        ("Ep(max)", [point.max_percent for point in found], 1),
        ("Ep(min)", [point.min_percent for point in found], 0),
    ):
        low = [round((100 + pair[at]) * (1 - bear) - 100, 4) for pair in due]
        high = [round((100 + pair[at]) * (1 + bear) - 100, 4) for pair in due]
        measure.series(f"{name}, {edge}", "min", "%", minutes, [round(value, 4) for value in values], lo=low, hi=high)
