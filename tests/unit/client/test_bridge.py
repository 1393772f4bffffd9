"""A change of concentration on a simulated pump, judged by what truly leaves the catheter: whatever happens mid-bridge, the dose stays.

The path's mixing blurs the front between the two concentrations, so that the dose is measured over the first part of the path only.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from itbpump.configuration import PresentPump
from itbpump.errors import ConfigurationError
from itbpump.outcome import Applied, Outcome
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass, MassRate, Volume
from itbpump.safety import Review, Severity, review, review_bolus
from itbpump.therapy import Prescription
from itbpump.therapy_view import DeliveryView
from itbpump.wire.messages import CommandKind, LogKind, MinimumRate, RunState, Status
from tests.unit.client.lines import Line, host, joined
from tests.unit.therapy.prescriptions import continuous, periodic, prescription

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
PATH_PULSES = 632  # 0.316 mL of 500 nL
BOTH_WAYS = pytest.mark.parametrize(("old", "new"), [(2000, 500), (500, 2000)])
MEANT_NG_PER_DAY = 200_000


def rx(concentration: int, dose: str = "200 mcg/day", plan: str = "") -> Prescription:
    bridge = {"plan": plan, "reason": "catheter rinsed" if plan == "refused" else None} if plan else {}
    return prescription(continuous(dose), drug={"concentration": f"{concentration} mcg/mL"}, **({"bridge": bridge} if plan else {}))


def applied(outcome: Outcome) -> Applied:
    assert isinstance(outcome, Applied), outcome
    return outcome


def proved(outcome: Outcome) -> None:
    """It runs, as the pump itself says."""
    assert (proof := applied(outcome).proof) is not None
    assert proof.holds, proof.checks


def exchange(line: Line, concentration: int) -> Volume:
    """A needle empties the reservoir and fills 36 mL. What was drawn out."""
    done = line.device.bench("refill", {"fill_nL": 36_000_000, "concentration_ng_per_mL": concentration * 1_000})
    drawn = done["aspirated_nL"]
    assert isinstance(drawn, int)
    return Volume(drawn)


def treated(concentration: int) -> tuple[Line, Pump]:
    """A pump that has given 200 mcg/day for ten days: its path is full of this concentration."""
    line = Line()
    for _ in range(3):  # a needle leaves the residual of the former drug
        exchange(line, concentration)
    pump = joined(line, host(line))
    proved(pump.program(rx(concentration)))
    line.device.advance(10 * DAY_MS)
    return line, pump


def relabelled(old: int, new: int, plan: str = "auto") -> tuple[Line, Pump]:
    line, pump = treated(old)
    drawn = exchange(line, new)
    outcome, _ = pump.refill(drawn, Volume(36_000_000), rx(new, plan=plan))
    applied(outcome)
    return line, pump


def through(line: Line, pump: Pump, pulses: int) -> Status:
    """Let time pass until so many more pulses are out."""
    goal = pump.status().lifetime_pulses + pulses
    while (status := pump.status()).lifetime_pulses < goal:
        pulse_ms = 500 * DAY_MS // status.flow_nL_per_day
        line.device.advance(max(1, (goal - status.lifetime_pulses) * pulse_ms - pulse_ms // 2))
    return status


def true_dose(line: Line, hours: int) -> float:
    """What truly left the catheter in the coming hours, as ng/day of a pump without tolerance."""
    before = line.device.truth
    line.device.advance(hours * HOUR_MS)
    after = line.device.truth
    return (after.tip_mass_ng - before.tip_mass_ng) * 24 / hours / (1 + after.accuracy_ppm / 1_000_000)


# ------------------------------------------------------------------------------------------------ what may happen mid-bridge
def run_on(_pump: Pump) -> None:
    """Nothing halts it."""


def stop(pump: Pump) -> None:
    applied(pump.stop())


def safe_state(pump: Pump) -> None:
    applied(pump._commands.direct(CommandKind.MINIMUM_RATE, lambda cmd_id: MinimumRate(cmd_id=cmd_id), "minimum rate"))


def nothing(_pump: Pump, _line: Line, _concentration: int) -> None:
    """Only programmed again."""


def refill(pump: Pump, line: Line, concentration: int) -> None:
    applied(pump.refill(exchange(line, concentration), Volume(36_000_000))[0])


def refill_rx(pump: Pump, line: Line, concentration: int) -> None:
    applied(pump.refill(exchange(line, concentration), Volume(36_000_000), rx(concentration, plan="auto"))[0])


def stopped_rx(pump: Pump, _line: Line, concentration: int) -> None:
    label = {"concentration": f"{concentration} mcg/mL"}
    applied(pump.program(prescription({"mode": "stopped"}, drug=label)))


def rebase(pump: Pump, _line: Line, _concentration: int) -> None:
    applied(pump.rebase_clock(5 * HOUR_MS, pump.present()))


def restore(pump: Pump, _line: Line, _concentration: int) -> None:
    with pytest.raises(ConfigurationError):
        pump.restore(pump.present())


@pytest.mark.sr("SR-12")
@BOTH_WAYS
@pytest.mark.parametrize("halt", [run_on, stop, safe_state])
@pytest.mark.parametrize("change", [nothing, refill, refill_rx, stopped_rx, rebase, restore])
def test_the_dose_stays_whatever_happens_mid_bridge(
    old: int, new: int, halt: Callable[[Pump], None], change: Callable[[Pump, Line, int], None]
) -> None:
    line, pump = relabelled(old, new)
    end = pump.status().lifetime_pulses + pump.status().bridge_left_pulses
    through(line, pump, PATH_PULSES // 8)
    halt(pump)
    change(pump, line, new)
    proved(pump.program(rx(new)))
    status = pump.status()
    assert status.bridging
    assert status.lifetime_pulses + status.bridge_left_pulses == end
    assert status.flow_nL_per_day == MEANT_NG_PER_DAY * 1_000 // old
    assert true_dose(line, 3) == pytest.approx(MEANT_NG_PER_DAY, rel=0.05)
    after = through(line, pump, pump.status().bridge_left_pulses)
    ((at, _),) = [(entry.a, entry.b) for entry in pump.log() if entry.kind is LogKind.BRIDGE_END]
    assert at == end
    assert (after.bridging, after.flow_nL_per_day) == (False, MEANT_NG_PER_DAY * 1_000 // new)


@pytest.mark.sr("SR-12")
@BOTH_WAYS
def test_the_time_between_reading_and_commit_does_not_lengthen_the_bridge(old: int, new: int) -> None:
    line, pump = relabelled(old, new)
    end = pump.status().lifetime_pulses + pump.status().bridge_left_pulses
    present = pump.present()
    line.device.advance(2 * HOUR_MS)
    proved(pump.program(rx(new), present))
    status = pump.status()
    assert status.lifetime_pulses + status.bridge_left_pulses == end


@pytest.mark.sr("SR-12", "SR-39")
@BOTH_WAYS
@pytest.mark.parametrize("plan", ["auto", "refused"])
@pytest.mark.parametrize("halt", [run_on, stop, safe_state])
def test_no_second_change_before_the_path_is_clear(old: int, new: int, plan: str, halt: Callable[[Pump], None]) -> None:
    line, pump = relabelled(old, new, plan)
    through(line, pump, PATH_PULSES // 8)
    halt(pump)
    present, other = pump.present(), rx(1000, plan="auto")
    judged = review(other, present, profile=pump.profile, refill=Volume(37_400_000))
    assert judged.severity is Severity.HARD
    with pytest.raises(ConfigurationError, match=f"path still holds {old:,} mcg per mL") as caught:
        pump.refill(exchange(line, 1000), Volume(36_000_000), other, present)
    assert caught.value.rule == ("bridge-pending" if plan == "auto" else "path-pending")
    assert f"{PATH_PULSES - PATH_PULSES // 8} more pulses" in str(caught.value)


@pytest.mark.sr("SR-12")
@BOTH_WAYS
def test_a_second_change_is_bridged_once_the_path_is_clear(old: int, new: int) -> None:
    line, pump = relabelled(old, new)
    through(line, pump, PATH_PULSES)
    line.device.advance(20 * DAY_MS)
    applied(pump.refill(exchange(line, 1000), Volume(36_000_000), rx(1000, plan="auto"))[0])
    assert pump.status().flow_nL_per_day == MEANT_NG_PER_DAY * 1_000 // new
    # the front of the first change has long left, and the needle leaves the residual of the old drug in the reservoir
    assert true_dose(line, 3) == pytest.approx(MEANT_NG_PER_DAY, rel=0.15)


# ------------------------------------------------------------------------------------------------ boluses out of an old path
def judged_bolus(pump: Pump, present: PresentPump) -> Severity:
    return review_of_a_bolus(pump, present).severity


def review_of_a_bolus(pump: Pump, present: PresentPump) -> Review:
    return review_bolus(Mass.parse("20 mcg"), Duration.parse("10m"), present, pump.profile, indication="spinal", age_years=46)


@pytest.mark.sr("SR-12", "SR-02")
@pytest.mark.parametrize(("old", "new", "expected"), [(2000, 500, Severity.HARD), (500, 2000, Severity.SOFT)])
def test_a_bolus_out_of_an_old_path_is_judged_by_what_it_pushes_out(old: int, new: int, expected: Severity) -> None:
    line, pump = relabelled(old, new, "refused")
    through(line, pump, PATH_PULSES // 8)
    assert judged_bolus(pump, pump.present()) is expected
    through(line, pump, PATH_PULSES)
    rules = {finding.rule: finding.severity for finding in review_of_a_bolus(pump, pump.present()).findings}
    assert "path" not in rules
    # while four times the dose of the last hours is still told, and asked about
    assert rules.get("repeated-bolus") is (Severity.SOFT if old > new else None)


@pytest.mark.sr("SR-12")
@BOTH_WAYS
def test_no_bolus_while_a_bridge_is_left(old: int, new: int) -> None:
    line, pump = relabelled(old, new)
    through(line, pump, PATH_PULSES // 8)
    assert judged_bolus(pump, pump.present()) is Severity.HARD


# ------------------------------------------------------------------------------------------------ what the status says
@pytest.mark.sr("SR-12", "SR-23")
@BOTH_WAYS
def test_what_is_said_to_be_delivered_is_what_leaves_the_catheter(old: int, new: int) -> None:
    line, pump = relabelled(old, new)
    through(line, pump, PATH_PULSES // 8)
    view = DeliveryView.from_status(pump.status(), 500)
    assert str(view).startswith("200 mcg per day (")
    assert f"; bridge: the path still holds the old {old:,} mcg per mL, until 0.2765 mL more have passed" in str(view)
    assert true_dose(line, 3) == pytest.approx(float(view.dose.ng_per_day), rel=0.05)
    stop(pump)
    assert str(DeliveryView.from_status(pump.status(), 500)).startswith("NOTHING; a bridge waits for the next start: 0.2")


@pytest.mark.sr("SR-12", "SR-23")
@BOTH_WAYS
def test_a_path_without_a_bridge_is_shown_with_both_figures(old: int, new: int) -> None:
    line, pump = relabelled(old, new, "refused")
    through(line, pump, PATH_PULSES // 8)
    view = DeliveryView.from_status(pump.status(), 500)
    assert str(view).startswith(f"{200 * old // new} mcg per day (")
    assert f"the path still holds the old {old:,} mcg per mL, until 0.2765 mL more have passed, then 200 mcg per day" in str(view)
    assert true_dose(line, 3) == pytest.approx(float(view.dose.ng_per_day), rel=0.1)
    through(line, pump, PATH_PULSES)
    assert ";" not in str(DeliveryView.from_status(pump.status(), 500))


# ------------------------------------------------------------------------------------------------ a lost configuration
@pytest.mark.sr("SR-39")
def test_a_pump_that_lost_its_memory_is_measured_not_believed() -> None:
    line, pump = treated(500)
    for slot in ("journal_a", "journal_b"):
        line.device.memory.flip(slot, 100, 0)
    line.device.power_cut()
    line.device.power_on()
    present = pump.present()
    assert (present.run_state, present.configuration) == (RunState.SAFE, None)
    assert review(rx(500), present, profile=pump.profile).severity is Severity.HARD
    with pytest.raises(ConfigurationError, match="lost its configuration"):
        pump.program(rx(500), present)
    outcome, plan = pump.refill(exchange(line, 500), Volume(36_000_000), rx(500), present)
    applied(outcome)
    assert plan.expected_nL is None
    proved(pump.program(rx(500)))
    status = pump.status()
    assert (status.run_state, status.reservoir_nL) == (RunState.RUNNING, 37_400_000)
    assert status.reservoir_nL == line.device.truth.reservoir_nL


# ------------------------------------------------------------------------------------------------ a bolus with the commit
@pytest.mark.sr("SR-07", "SR-10")
@pytest.mark.parametrize(("dose", "every", "at_once"), [("31 mcg", "6h", False), ("30 mcg", "8h", True)])
def test_the_review_says_what_a_change_of_a_periodic_therapy_does_at_once(dose: str, every: str, at_once: bool) -> None:
    line = Line()
    pump = joined(line, host(line))
    label = {"concentration": "500 mcg/mL"}
    proved(pump.program(prescription(periodic("30 mcg", "1h", "6h", "48 mcg/day"), drug=label)))
    line.device.advance(25 * HOUR_MS)  # the fifth bolus has just ended
    present, changed = pump.present(), prescription(periodic(dose, "1h", every, "48 mcg/day"), drug=label)
    judged = review(changed, present, profile=pump.profile)
    (told,) = [finding for finding in judged.findings if finding.rule == "bolus-at-once"]
    assert (told.severity, "starts with the commit" in told.message) == ((Severity.SOFT, True) if at_once else (Severity.INFO, False))
    proved(pump.program(changed, present))
    before = pump.status().lifetime_pulses
    line.device.advance(HOUR_MS)
    assert pump.status().lifetime_pulses - before == (120 if at_once else 8)  # pulses of 0.25 mcg: a bolus, or the background
    if at_once:
        limit = MassRate.parse(told.value).ng_per_day
        for _ in range(23):
            line.device.advance(HOUR_MS)
            assert pump.status().mass_24h_ng <= limit + 500  # a pulse at each end
