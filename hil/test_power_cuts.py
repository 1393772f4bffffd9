"""The supply fails: before, in and after a commit, in a bolus, in a pulse. Either the old or the new, no pulse twice, nothing caught up.

Cuts inside a change are made at each of its memory writes in turn, torn and whole, until a change goes through uncut; so a pump with more
writes is cut more often, and none is left out.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hil.orders import Orders, applied
from itbpump.hil.fixtures import Clock, Measure, Plant, Power, PumpUnderTest
from itbpump.link.errors import NoReply, SessionLost
from itbpump.wire.messages import (
    AlarmNumber,
    BolusState,
    CommandKind,
    CommandResult,
    LogKind,
    Mode,
    Outcome,
    RunState,
    encode_configuration,
)

THERAPY, OTHER = "1440 mcg/day", "960 mcg/day"  # of 2000 mcg/mL: a pulse of 500 nL every 60 s, every 90 s
FLOWS = {THERAPY: 720_000, OTHER: 480_000}
MOST_WRITES = 64  # of one command; far above what a journal, a stamp, results and log entries take
TORN = (0, 1, 40, 65_536)  # before the write, its first byte, somewhere in it, all of it

at_bench = pytest.mark.needs("virtual-time", "fault-injection")


# ------------------------------------------------------------------------------------------------------ in a change
def _each_cut(plant: Plant, change: Callable[[], None], *, torn: int) -> int:
    """`change` again and again, the supply failing in its first memory write, its second, … until none is left; how many it had."""
    for write in range(1, MOST_WRITES):
        fired = len(plant.faults_fired())
        plant.fault("power.brown-out", write=write, torn=torn, off="2s")
        change()
        if len(plant.faults_fired()) == fired:
            return write - 1
    raise AssertionError(f"a change takes more than {MOST_WRITES} memory writes, or the supply fails in none of them")


def _judged(pump: PumpUnderTest, clock: Clock, kind: CommandKind, payload: bytes) -> tuple[CommandResult, bool]:
    """Stage and commit on a supply that may fail on the way: what the pump then says of the command, and whether the supply has failed."""
    orders = Orders(pump, patience_ms=500)
    cmd_id, cut = orders.next_id(), False
    try:
        orders.stage(kind, payload, cmd_id)
        orders.commit(cmd_id, payload)
    except (NoReply, SessionLost):
        cut = True
        clock.advance("5s")
        pump.drop_line()
    return orders.result_of(cmd_id), cut


@at_bench
@pytest.mark.sr("SR-42", "SR-47", "SR-59")
@pytest.mark.parametrize("torn", TORN)
def test_cut_in_a_change_of_therapy_leaves_the_old_or_the_new(
    torn: int, pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure
) -> None:
    """By each write of staging and commit; what the pump says of the command afterwards is what it does."""
    pump.program(pump.rx(THERAPY))
    flows = [FLOWS[OTHER], FLOWS[THERAPY]]
    taken: list[bool] = []

    def change() -> None:
        before = pump.status()
        wanted = Orders(pump).active(flow_nL_per_day=flows[0])
        result, cut = _judged(pump, clock, CommandKind.CONFIGURE, encode_configuration(wanted))
        after = pump.status()
        assert after.alarms == (), f"a cut after {len(taken)} writes: {[AlarmNumber(one.alarm).name for one in after.alarms]}"
        assert after.run_state is RunState.RUNNING
        assert result.outcome in {Outcome.APPLIED, Outcome.UNKNOWN_COMMAND}
        done = result.outcome is Outcome.APPLIED
        assert done or cut, "nothing has failed, and the command was not carried out"
        assert after.revision == before.revision + done
        assert after.flow_nL_per_day == (flows[0] if done else before.flow_nL_per_day)
        if done:
            flows.reverse()
        taken.append(done)

    measure("memory writes of a change", _each_cut(plant, change, torn=torn), "writes", lo=2)
    assert taken[-1], "the last change was not cut, so it must have gone through"
    assert False in taken, "no cut has left the old therapy: was there any before the commit?"


@at_bench
@pytest.mark.sr("SR-41", "SR-42", "SR-47", "SR-49")
@pytest.mark.parametrize("torn", TORN)
def test_cut_in_the_commit_of_a_bolus_gives_it_never_twice(torn: int, pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    pump.program(pump.rx(THERAPY))
    pulses = 20

    def change() -> None:
        before = pump.status()
        result, cut = _judged(pump, clock, CommandKind.BOLUS, Orders(pump).bolus_payload(pulses, 600))
        clock.advance("14m")  # within the session's own patience
        given = pump.status().bolus_counter - before.bolus_counter
        assert pump.status().alarms == ()
        if result.outcome is Outcome.UNKNOWN_COMMAND:
            assert cut, "nothing has failed, and the command was not carried out"
            assert given == 0, "the pump says that it never took the command, and gives"
            return
        result = Orders(pump).result_of(result.cmd_id)
        assert result.delivered_pulses == given <= pulses
        assert result.bolus_state is (BolusState.DONE if given == pulses else BolusState.INTERRUPTED)
        assert cut or given == pulses

    assert _each_cut(plant, change, torn=torn) >= 2


@at_bench
@pytest.mark.sr("SR-41", "SR-44", "SR-47")
def test_command_sent_again_after_a_cut_is_carried_out_once(pump: PumpUnderTest, clock: Clock, power: Power) -> None:
    """The reply is lost with the power; the same command under the same id is answered, never carried out again."""
    pump.program(pump.rx(THERAPY))
    orders = Orders(pump)
    payload = orders.bolus_payload(20, 600)
    cmd_id, _ = orders.stage(CommandKind.BOLUS, payload)
    assert applied(orders.commit(cmd_id, payload))
    clock.advance("20m")
    power.cycle()
    again = orders.result_of(cmd_id)
    assert (again.outcome, again.delivered_pulses) == (Outcome.APPLIED, 20)
    assert pump.reconnect().info.last_cmd_id == cmd_id
    assert applied(orders.commit(cmd_id, payload, base=1)), "a known command is answered by its result"
    clock.advance("20m")
    assert pump.status().bolus_counter == 20


# ------------------------------------------------------------------------------------------------------- in a bolus
@pytest.mark.sr("SR-49", "SR-50")
@pytest.mark.needs("virtual-time", "power-control", "plant-pulses")
@pytest.mark.parametrize("off", ["1s", "10m", "1d"])
def test_bolus_that_a_cut_interrupted_is_told_and_not_resumed(
    off: str, pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure
) -> None:
    pump.program(pump.rx(THERAPY))
    taken = pump.bolus("60 mcg", "1h")
    assert taken is not None
    clock.advance("30m")
    power.cut()
    cut_ms = clock.uptime_ms()
    clock.advance(off)
    power.on()
    on_ms, status = clock.uptime_ms(), pump.status()
    assert plant.pulses(cut_ms, on_ms) == [], "nothing flows without power"
    assert status.bolus_state is BolusState.INTERRUPTED
    measure("given of 60 pulses in half of the time", status.bolus_delivered, "pulses", lo=29, hi=31)
    assert status.bolus_counter == status.bolus_delivered
    clock.advance("2h")
    # 120 pulses of the therapy, and none of the bolus; nothing of the gap is caught up.
    measure("given in two hours afterwards", len(plant.pulses(on_ms, clock.uptime_ms())), "pulses", lo=119, hi=121)
    assert pump.status().bolus_counter == status.bolus_delivered
    result = Orders(pump).result_of(taken.cmd_id)
    assert (result.bolus_state, result.delivered_pulses) == (BolusState.INTERRUPTED, status.bolus_delivered)
    assert len([entry for entry in pump.log() if entry.kind is LogKind.BOLUS_START]) == 1


@pytest.mark.sr("SR-14", "SR-50")
@pytest.mark.needs("virtual-time", "power-control", "bench-hands")
def test_patient_bolus_is_not_resumed(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> None:
    button = (
        'mode = "continuous"\ndose = "200 mcg/day"\n[therapy.patient_bolus]\ndose = "20 mcg"\nover = "20m"\nlockout = "6h"\nmax_per_day = 3'
    )
    pump.program(pump.rx(button))
    assert plant.patient_request()
    clock.advance("10m")
    power.cycle()
    given = pump.status().bolus_counter
    assert 0 < given < 20
    clock.advance("1h")
    assert pump.status().bolus_counter == given


# ------------------------------------------------------------------------------------------------------- in a pulse
@at_bench
@pytest.mark.sr("SR-48")
@pytest.mark.needs("plant-pulses")
@pytest.mark.parametrize("phase", ["none", "intent", "moved", "done"])
def test_pulse_that_a_cut_met_is_counted_or_told_as_doubt(
    phase: str, pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure
) -> None:
    """Five cuts: what the pump counts differs from what the motor made by no more than it says it may."""
    pump.program(pump.rx(THERAPY))
    for _ in range(5):
        clock.advance("1h")
        plant.fault("power.mid-pulse-reset", phase=phase, off="1s")
        clock.advance("10s")
    status, made = pump.status(), int(plant.truth()["made_pulses"])
    measure(
        "doubt", status.doubt_pulses, "pulses", lo=5 if phase in {"intent", "moved"} else 0, hi=5 if phase in {"intent", "moved"} else 0
    )
    measure("counted less made", status.lifetime_pulses - made, "pulses", lo=0, hi=status.doubt_pulses)
    told = [entry.b for entry in pump.log() if entry.kind is LogKind.PULSE_DOUBT]
    assert told == (list(range(1, 6)) if phase in {"intent", "moved"} else [])
    assert status.resets == 5


@at_bench
@pytest.mark.sr("SR-48", "SR-49")
def test_bolus_cut_in_a_pulse_tells_its_doubt(pump: PumpUnderTest, clock: Clock, plant: Plant) -> None:
    pump.program(pump.rx(THERAPY))
    taken = pump.bolus("60 mcg", "1h")
    assert taken is not None
    clock.advance("30m")
    plant.fault("power.mid-pulse-reset", phase="intent", off="1s")
    clock.advance("10s")
    result = Orders(pump).result_of(taken.cmd_id)
    assert (result.bolus_state, result.doubt_pulses) == (BolusState.INTERRUPTED, 1)


# ----------------------------------------------------------------------------------------------------- what goes on
@pytest.mark.sr("SR-47", "SR-50", "SR-59")
@pytest.mark.needs("virtual-time", "power-control", "plant-pulses")
def test_therapy_goes_on_after_each_of_many_cuts(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power, measure: Measure) -> None:
    pump.program(pump.rx(THERAPY))
    digest, begun_ms = pump.status().digest, clock.uptime_ms()
    for _ in range(20):
        clock.advance("1h")
        power.cycle()
    status = pump.status()
    assert (status.run_state, status.digest, status.alarms) == (RunState.RUNNING, digest, ())
    assert status.resets == 20
    # 60 pulses an hour; each start forgets less than a minute of schedule, which is not caught up.
    measure("given in 20 h", len(plant.pulses(begun_ms, clock.uptime_ms())), "pulses", lo=1_180, hi=1_200)
    measure("counted less made", status.lifetime_pulses - int(plant.truth()["made_pulses"]), "pulses", lo=0, hi=status.doubt_pulses)
    assert not [entry for entry in pump.log() if entry.kind is LogKind.SELF_TEST_FAILED]


@pytest.mark.sr("SR-22", "SR-50")
@pytest.mark.needs("virtual-time", "power-control", "plant-pulses")
def test_stopped_pump_stays_stopped(pump: PumpUnderTest, clock: Clock, plant: Plant, power: Power) -> None:
    pump.program(pump.rx(THERAPY))
    pump.stop()
    power.cycle()
    from_ms = clock.uptime_ms()
    clock.advance("1d")
    assert pump.status().run_state is RunState.STOPPED
    assert plant.pulses(from_ms, clock.uptime_ms()) == []


@pytest.mark.sr("SR-12", "SR-50")
@pytest.mark.needs("virtual-time", "power-control")
def test_bridge_goes_on(pump: PumpUnderTest, clock: Clock, power: Power) -> None:
    """The weak drug fills the path when the strong one is filled in: its flow is kept until the path is through, reset or not."""
    pump.program(pump.rx("200 mcg/day", concentration="500 mcg/mL"))
    clock.advance("1d")
    orders = Orders(pump)
    strong = {"concentration_ng_per_mL": 2_000_000, "flow_nL_per_day": 100_000, "bridge_flow_nL_per_day": 400_000, "bridge_pulses": 600}
    refilled = {"reservoir_set": True, "reservoir_volume_nL": 30_000_000}
    assert applied(orders.configure(orders.active(**strong, **refilled)))
    clock.advance("6h")
    before = pump.status()
    assert before.bridging
    power.cycle()
    after = pump.status()
    assert (after.bridging, after.flow_nL_per_day) == (True, 400_000)
    assert before.bridge_left_pulses - 1 <= after.bridge_left_pulses <= before.bridge_left_pulses
    clock.advance("2d")
    done = pump.status()
    assert (done.bridging, done.flow_nL_per_day, done.mode) == (False, 100_000, Mode.CONTINUOUS)


@pytest.mark.sr("SR-61")
@pytest.mark.needs("virtual-time", "power-control")
def test_log_is_whole_after_cuts(pump: PumpUnderTest, clock: Clock, power: Power) -> None:
    pump.program(pump.rx(THERAPY))
    for _ in range(6):
        pump.bolus("20 mcg", "10m")
        clock.advance("5m")
        power.cycle()
        clock.advance("1h")
    log = pump.log()
    assert [entry.seq for entry in log] == list(range(len(log))), "entries are missing"
    assert not [entry for entry in log if entry.kind is LogKind.GAP]
    assert [entry.uptime_ms for entry in log] == sorted(entry.uptime_ms for entry in log)
    counts = {kind: sum(entry.kind is kind for entry in log) for kind in (LogKind.BOOT, LogKind.BOLUS_START, LogKind.BOLUS_END)}
    assert counts == {LogKind.BOOT: 7, LogKind.BOLUS_START: 6, LogKind.BOLUS_END: 6}
    assert pump.status().alarms == ()
