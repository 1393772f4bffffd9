"""Each firmware of `defects.toml` really errs, and the sound one does not: one look for each row.

A look drives a fresh pump past the link and tells whether it errs. It is no part of the HIL suites, which have to find the same by
themselves (tests/system/test_hil_finds_defects.py).
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from firmware_sim.defects import SOUND, UnknownFirmware, defects, pump_type
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.faults import Fault, FaultPlan, On, When
from firmware_sim.firmware.materialise import PulsePhase
from itbpump.pump import connect
from itbpump.wire.messages import (
    AlarmNumber,
    BolusKind,
    CommandKind,
    Error,
    GetInfo,
    GetStatus,
    Info,
    LogKind,
    MinimumRate,
    Mode,
    Outcome,
    Pattern,
    Reply,
    Result,
    RunState,
    SetClock,
    SilenceAlarm,
    Staged,
    Step,
    StepKind,
    StopTherapy,
    encode_configuration,
)
from tests.system.rig import CONCENTRATION, DAY_MS, PULSE_NL, WHO, configuration
from tests.unit.hil.patients import CARD, WATCHER, WITH_PATIENT, Patient, Recorder, paired

Look = Callable[[Patient], bool]
MAY_2026 = 1_777_600_000
NG_PER_PULSE = PULSE_NL * CONCENTRATION // 1_000_000
KEPT = {"reservoir_set": False, "reservoir_volume_nL": 0, "start": False}
LOOKS: dict[str, Look] = {}


def errs(*names: str) -> Callable[[Look], Look]:
    def register(look: Look) -> Look:
        for name in names:
            LOOKS[name] = look
        return look

    return register


def applied(reply: Reply) -> bool:
    return isinstance(reply, Result) and reply.result.outcome is Outcome.APPLIED


# ------------------------------------------------------------------------------------------------------------- delivery
@errs("over-delivers", "under-delivers")
def gives_another_amount_than_it_counts(patient: Patient) -> bool:
    patient.treated().bolus(50, 600)
    patient.pump.advance(DAY_MS)
    told = patient.status()
    assert told.lifetime_pulses == pytest.approx(650, abs=5)
    assert not told.alarms
    return patient.given() != told.lifetime_pulses


@errs("stops-at-commit")
def stands_after_a_commit(patient: Patient) -> bool:
    patient.treated()
    assert applied(patient.take(configuration(flow_nL_per_day=200_000, **KEPT)))
    return patient.status().run_state is not RunState.RUNNING


@errs("bolus-counted-twice")
def counts_more_bolus_than_it_gave(patient: Patient) -> bool:
    patient.treated().bolus(50, 600)
    patient.advance(1)
    return patient.status().bolus_counter != 50


@errs("bolus-mass-forgotten")
def forgets_the_mass_of_a_bolus(patient: Patient) -> bool:
    patient.treated().bolus(50, 600)
    patient.advance(1)
    return patient.status().mass_24h_ng < 50 * PULSE_NL * 500_000 // 1_000_000


@errs("bridge-forgotten")
def forgets_a_bridge(patient: Patient) -> bool:
    patient.treated()
    bridge = {"bridge_flow_nL_per_day": 300_000, "bridge_pulses": 632}
    assert applied(patient.take(configuration(concentration_ng_per_mL=2_000_000, flow_nL_per_day=75_000, **bridge)))
    assert patient.status().bridging
    patient.reset()
    return not patient.status().bridging


# ------------------------------------------------------------------------------------------------------------ reservoir
@errs("bolus-not-deducted")
def leaves_the_bolus_in_the_count(patient: Patient) -> bool:
    patient.treated().bolus(200, 600)
    patient.advance(1)
    told = patient.status()
    return told.reservoir_nL != 38_000_000 - told.lifetime_pulses * PULSE_NL


@errs("never-refilled")
def keeps_the_old_volume(patient: Patient) -> bool:
    patient.treated()
    patient.advance(240)
    patient.configure(configuration(reservoir_volume_nL=37_000_000))
    return patient.status().reservoir_nL != 37_000_000


def alarm_at(patient: Patient, alarm: AlarmNumber, steps: int, step_h: float = 1.0) -> int | None:
    """The count when the alarm comes, nL; None if it does not."""
    for _ in range(steps):
        if alarm in patient.alarms():
            return patient.status().reservoir_nL
        patient.advance(step_h)
    return None


@errs("low-alarm-late", "low-alarm-early")
def alarms_at_another_volume(patient: Patient) -> bool:
    patient.treated(reservoir_volume_nL=12_000_000, flow_nL_per_day=2_000_000)
    told = alarm_at(patient, AlarmNumber.LOW_RESERVOIR, 24 * 5)
    return told is None or not 6_400_000 < told <= 6_500_000


def nearly_empty(patient: Patient) -> Patient:
    """1 mL above the empty alarm, and 2 mL a day."""
    patient.treated(flow_nL_per_day=2_000_000, low_alarm_nL=2_900_000, reservoir_volume_nL=3_000_000, empty_alarm_nL=1_500_000)
    return patient


@errs("empty-alarm-missing")
def tells_nobody_that_it_is_empty(patient: Patient) -> bool:
    return alarm_at(nearly_empty(patient), AlarmNumber.EMPTY_RESERVOIR, 48) is None


@errs("used-up-alarm-missing")
def pumps_on_with_nothing_left(patient: Patient) -> bool:
    return alarm_at(nearly_empty(patient), AlarmNumber.RESERVOIR_USED_UP, 96) is None


# --------------------------------------------------------------------------------------------------------------- alarms
def stalled(patient: Patient, hours: float) -> bool:
    """Whether nobody has been told after so long."""
    patient.treated().pump.plant.stalled = True
    patient.advance(hours)
    return AlarmNumber.MOTOR_STALL not in patient.alarms()


@errs("stall-alarm-late")
def tells_a_stall_late(patient: Patient) -> bool:
    late = stalled(patient, 1)
    patient.advance(7)
    assert AlarmNumber.MOTOR_STALL in patient.alarms()
    return late


@errs("stall-alarm-missing")
def never_tells_a_stall(patient: Patient) -> bool:
    return stalled(patient, 100)


@errs("monitor-off")
def lets_the_motor_turn(patient: Patient) -> bool:
    patient.treated()
    patient.pump.faults.inject("mechanical.extra-pulse", {"pulses": 20})
    patient.advance(1)
    return AlarmNumber.OVER_DELIVERY not in patient.alarms()


@errs("stopped-alarm-missing")
def stays_stopped_in_silence(patient: Patient) -> bool:
    patient.treated()
    patient.ask(StopTherapy(patient.next_id()))
    patient.advance(72)
    return AlarmNumber.STOPPED_LONG not in patient.alarms()


@errs("battery-alarm-missing")
def says_nothing_of_its_battery(patient: Patient) -> bool:
    patient.treated().pump.plant.set_battery(50)
    patient.advance(1)
    return AlarmNumber.REPLACEMENT not in patient.alarms()


@errs("silence-never-ends")
def keeps_silent(patient: Patient) -> bool:
    patient.treated().pump.plant.set_battery(50)
    patient.advance(1)
    assert applied(patient.ask(SilenceAlarm(patient.next_id(), AlarmNumber.REPLACEMENT)))
    patient.advance(0.2)
    return any(alarm.silenced_until_ms for alarm in patient.status().alarms)


@errs("safe-state-not-entered")
def goes_on_after_an_alarm(patient: Patient) -> bool:
    patient.treated()
    patient.pump.faults.inject("mechanical.extra-pulse", {"pulses": 20})
    patient.advance(1)
    assert AlarmNumber.OVER_DELIVERY in patient.alarms()
    return patient.status().run_state is RunState.RUNNING


# --------------------------------------------------------------------------------------------------------------- limits
@errs("clamps-silently")
def cuts_down_what_is_too_much(patient: Patient) -> bool:
    """Limits: 400 pulses of 500 mcg/mL in a bolus, 24 mL a day."""
    patient.treated()
    bolus = applied(patient.give(401, 3600))
    patient.advance(2)
    assert patient.status().bolus_delivered in (0, 400)
    flow = applied(patient.take(configuration(flow_nL_per_day=24_000_001, **KEPT)))
    # The mass of a day is a limit that is left, so such a flow is refused in the end, and not as the flow it was.
    return bolus and not flow


@errs("bolus-limit-missing")
def takes_any_bolus(patient: Patient) -> bool:
    return applied(patient.treated().give(401, 3600)) and patient.status().bolus_requested == 401


@errs("day-limit-missing")
def takes_any_day(patient: Patient) -> bool:
    return applied(patient.take(configuration(flow_nL_per_day=4_100_000)))


@errs("patient-limits-ignored")
def gives_whenever_asked(patient: Patient) -> bool:
    patient.treated(**WITH_PATIENT)
    assert patient.pump.patient_request()
    patient.advance(1)
    return patient.pump.patient_request()


@errs("lockout-by-wall-clock")
def gives_after_the_clock_was_set(patient: Patient) -> bool:
    patient.treated(**WITH_PATIENT)
    patient.ask(SetClock(patient.next_id(), MAY_2026))
    assert patient.pump.patient_request()
    patient.advance(1)
    assert not patient.pump.patient_request()
    patient.ask(SetClock(patient.next_id(), MAY_2026 + 7 * 3600))
    return patient.pump.patient_request()


@errs("lockout-forgotten")
def gives_after_a_reset(patient: Patient) -> bool:
    patient.treated(**WITH_PATIENT)
    assert patient.pump.patient_request()
    patient.advance(1)
    patient.reset()
    return patient.pump.patient_request()


@errs("prime-repeated")
def primes_again(patient: Patient) -> bool:
    patient.treated()
    assert applied(patient.give(100, 600, BolusKind.PRIME))
    patient.advance(1)
    return applied(patient.give(100, 600, BolusKind.PRIME))


@errs("lockout-opened-by-commit")
def gives_after_a_commit(patient: Patient) -> bool:
    patient.treated(**WITH_PATIENT)
    assert patient.pump.patient_request()
    patient.advance(1)
    patient.treated(**WITH_PATIENT, flow_nL_per_day=300_000)
    return patient.pump.patient_request()


@errs("patient-mass-forgotten")
def leaves_out_what_the_patient_took(patient: Patient) -> bool:
    patient.treated(**WITH_PATIENT)
    before = patient.status().mass_24h_ng
    assert patient.pump.patient_request()
    patient.advance(0.25)
    return patient.status().mass_24h_ng < before + patient.status().bolus_delivered * NG_PER_PULSE


@errs("day-mass-forgotten")
def forgets_the_day_in_a_reset(patient: Patient) -> bool:
    patient.treated()
    patient.advance(12)
    before = patient.status().mass_24h_ng
    patient.reset()
    return patient.status().mass_24h_ng < before


@errs("path-forgotten")
def judges_a_bolus_by_the_new_label_alone(patient: Patient) -> bool:
    """Of 2,000 mcg/mL in the path a bolus of 400 pulses is four times too much."""
    patient.treated(concentration_ng_per_mL=2_000_000, flow_nL_per_day=100_000)
    assert applied(patient.take(configuration(concentration_ng_per_mL=500_000, flow_nL_per_day=100_000)))
    return applied(patient.give(400, 3600))


@errs("emergencies-forgotten")
def forgets_an_emergency_in_a_reset(patient: Patient) -> bool:
    patient.treated()
    patient.pump.firmware.session_opened(CARD, patient.pump.uptime_ms)
    assert len(patient.pump.firmware.emergency_ages_ms(patient.pump.uptime_ms)) == 1
    patient.reset()
    return not patient.pump.firmware.emergency_ages_ms(patient.pump.uptime_ms)


@errs("prime-forgotten")
def primes_again_after_a_reset(patient: Patient) -> bool:
    patient.treated()
    assert applied(patient.give(100, 600, BolusKind.PRIME))
    patient.advance(1)
    patient.reset()
    return applied(patient.give(100, 600, BolusKind.PRIME))


@errs("weekend-exchanged")
def gives_another_day_its_dose(patient: Patient) -> bool:
    days = tuple(Pattern(1 << day, (Step(0, StepKind.RATE, 100_000 + 50_000 * day, 0),)) for day in range(7))
    patient.treated(mode=Mode.FLEX, flow_nL_per_day=0, patterns=days)
    given = []
    for _ in range(7):
        before = patient.status().lifetime_pulses
        patient.advance(24)
        given.append(patient.status().lifetime_pulses - before)
    turn = given.index(max(given))
    in_order = given[turn + 1 :] + given[: turn + 1]
    return in_order != sorted(in_order)


@errs("day-by-wall-clock")
def moves_its_day(patient: Patient) -> bool:
    day = (Step(0, StepKind.RATE, 100_000, 0), Step(720, StepKind.RATE, 300_000, 0))
    patient.treated(mode=Mode.FLEX, flow_nL_per_day=0, patterns=(Pattern(0b1111111, day),))
    patient.ask(SetClock(patient.next_id(), MAY_2026))
    patient.ask(SetClock(patient.next_id(), MAY_2026 + 3600))
    patient.advance(11.5)
    return patient.status().flow_nL_per_day != 100_000


# ------------------------------------------------------------------------------------------------------------- commands
@errs("results-forgotten")
def forgets_what_it_did(patient: Patient) -> bool:
    patient.treated()
    patient.reset()
    info = patient.ask(GetInfo())
    assert isinstance(info, Info)
    return info.last_cmd_id != 1


@errs("answered-by-id")
def answers_another_command(patient: Patient) -> bool:
    patient.treated()
    return applied(patient.commit(b"another payload under the same id"))


@errs("stale-base-accepted")
def commits_on_an_old_base(patient: Patient) -> bool:
    patient.treated()
    payload = encode_configuration(configuration(flow_nL_per_day=200_000, **KEPT))
    patient.stage(payload, CommandKind.CONFIGURE, base=0)
    return applied(patient.commit(payload, base=0))


@errs("staged-never-expires")
def keeps_what_was_staged(patient: Patient) -> bool:
    patient.treated()
    payload = patient.order(10, 600)
    assert isinstance(patient.stage(payload, CommandKind.BOLUS), Staged)
    patient.pump.link_tick(61_000)
    return not isinstance(patient.commit(payload), Error)


@errs("staged-outlives-session")
def hands_on_what_was_staged(patient: Patient) -> bool:
    patient.treated()
    payload = patient.order(10, 600)
    patient.stage(payload, CommandKind.BOLUS)
    patient.pump.firmware.session_closed(WHO.programmer_id, patient.pump.uptime_ms)
    return not isinstance(patient.commit(payload), Error)


@errs("any-role")
def takes_orders_of_an_observer(patient: Patient) -> bool:
    patient.treated()
    assert not isinstance(patient.pump.order(GetStatus(), WATCHER), Error)
    return applied(patient.pump.order(StopTherapy(1), WATCHER))


@errs("replay-tolerated")
def hears_the_same_record_twice(patient: Patient) -> bool:
    """Over a line of its own: the last record but one once more. A sound pump says nothing to it."""
    line = Recorder(InProcessLine(patient.pump))
    with connect("sim://P-40", transport=line, state=paired(patient)) as session:
        session.status()
        session.status()
        line.inner.write(line.written[-2])
        return line.inner.read(100) != b""


# ---------------------------------------------------------------------------------------------------------- transitions
@errs("minimum-rate-starts")
def starts_at_the_minimum_rate(patient: Patient) -> bool:
    patient.treated()
    patient.ask(StopTherapy(patient.next_id()))
    patient.ask(MinimumRate(patient.next_id()))
    return patient.status().flow_nL_per_day != 0


@errs("bolus-survives-stop")
def gives_after_a_stop(patient: Patient) -> bool:
    patient.treated().bolus(100, 3600)
    patient.advance(0.5)
    patient.ask(StopTherapy(patient.next_id()))
    stopped = patient.given()
    patient.advance(1)
    return patient.given() > stopped


# --------------------------------------------------------------------------------------------------------------- resets
@errs("bolus-resumed")
def goes_on_with_the_bolus(patient: Patient) -> bool:
    patient.treated().bolus(100, 3600)
    patient.advance(0.5)
    patient.reset()
    patient.advance(2)
    return patient.given() > 50 + 60


@errs("stays-stopped")
def stands_after_a_reset(patient: Patient) -> bool:
    patient.treated().reset()
    return patient.status().run_state is not RunState.RUNNING


@errs("starts-by-itself")
def runs_after_a_reset(patient: Patient) -> bool:
    patient.treated()
    patient.ask(StopTherapy(patient.next_id()))
    patient.reset()
    return patient.status().run_state is not RunState.STOPPED


@errs("doubt-not-told")
def is_sure_of_a_pulse_in_doubt(patient: Patient) -> bool:
    patient.treated()
    patient.advance(1)
    patient.reset(PulsePhase.INTENT)
    return patient.status().doubt_pulses == 0


@errs("journal-in-place")
def loses_the_therapy_in_a_cut(patient: Patient) -> bool:
    patient.treated()
    patient.pump.plan_faults(FaultPlan((Fault("power.brown-out", When(On.WRITE, nth=2), {"torn": 30}),)))
    with pytest.raises(Exception, match="the power went"):
        patient.take(configuration(flow_nL_per_day=200_000, **KEPT))
    patient.pump.power_on()
    return AlarmNumber.MEMORY_LOST in patient.alarms()


# ------------------------------------------------------------------------------------------------------------------ log
@errs("log-entries-lost")
def has_gaps_in_its_log(patient: Patient) -> bool:
    patient.treated()
    for _ in range(10):
        patient.ask(SetClock(patient.next_id(), MAY_2026))
    return bool(patient.log(LogKind.GAP))


@errs("log-chain-broken")
def does_not_tie_its_entries(patient: Patient) -> bool:
    patient.treated().reset()
    return AlarmNumber.MEMORY_REPAIRED in patient.alarms()


@errs("alarms-not-logged")
def says_nothing_in_its_log(patient: Patient) -> bool:
    patient.treated().pump.plant.set_battery(50)
    patient.advance(1)
    assert AlarmNumber.REPLACEMENT in patient.alarms()
    return not patient.log(LogKind.ALARM_RAISED)


# --------------------------------------------------------------------------------------------------------------- the table
def test_every_defect_is_looked_at() -> None:
    assert set(LOOKS) == set(defects())
    assert len(defects()) >= 25


@pytest.mark.parametrize("name", list(defects()))
def test_defect_errs_and_the_sound_firmware_does_not(name: str) -> None:
    look = LOOKS[name]
    assert look(Patient(name)), f"{name} does what it should"
    assert not look(Patient(SOUND)), "the look finds fault with a sound pump"


@pytest.mark.parametrize("row", defects().values(), ids=lambda row: row.id)
def test_each_row_has_a_part_of_its_own(row: object) -> None:
    assert [other.id for other in defects().values() if other.part is row.part] == [row.id]  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", list(defects()))
def test_defect_and_sound_pump_live_side_by_side(name: str) -> None:
    """Nothing of a defect is left in the modules of the sound firmware."""
    before = dict(vars(type(Patient().pump.firmware)))
    Patient(name).treated()
    sound = Patient().treated()
    assert dict(vars(type(sound.pump.firmware))) == before
    assert type(sound.pump).__mro__[0] is type(Patient().pump)
    assert not LOOKS[name](Patient())


def test_unknown_firmware_is_refused() -> None:
    with pytest.raises(UnknownFirmware, match="did you mean over-delivers"):
        pump_type("over-deliver")
    with pytest.raises(UnknownFirmware, match="give one of them"):
        pump_type("over-delivers", 1)
    with pytest.raises(UnknownFirmware, match="there are 0, 1, 2"):
        pump_type(minor=7)


def test_defect_survives_a_save() -> None:
    """A kept pump is started with the firmware that is named with it."""
    patient = Patient("low-alarm-late").treated()
    kept = patient.pump.save()
    assert type(pump_type("low-alarm-late").load(kept)) is pump_type("low-alarm-late")


def test_every_part_is_named_by_a_row() -> None:
    """A class that nothing makes use of would be a defect that no suite is asked to find."""
    from firmware_sim.defects import commands, dosing, motor, reservoir, starts

    made = {row.part for row in defects().values()}
    for module in (commands, dosing, motor, reservoir, starts):
        assert {getattr(module, name) for name in module.__all__} <= made, module.__name__
