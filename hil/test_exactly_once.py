"""Each command takes effect once or not at all, and what the programmer is told is the truth, whatever the line and the supply do.

By the companion's client over a line with faults of every kind, and by hand where an answer is thrown away, an id is used again, or a reset
comes between. What was given is counted by the plant where it is known. Not here: what a bolus weighs (delivery), torn writes (power cuts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from msgspec.structs import replace

from hil.commands import bolus_payload
from hil.programme import DAY_MS
from hil.speaking import Speaker, small_bolus, told
from itbpump.hil.fixtures import Clock, LinkFaults, Measure, Plant, Power, PumpUnderTest
from itbpump.link.errors import LinkError
from itbpump.outcome import Applied, NotApplied, Outcome, Unknown
from itbpump.pump import Pump
from itbpump.quantity import Duration, Mass
from itbpump.therapy import load_prescription
from itbpump.transport.base import TransportError
from itbpump.wire.line import Harm
from itbpump.wire.messages import (
    RESULTS_PER_PROGRAMMER,
    BolusState,
    CommandKind,
    Commit,
    ConfirmResult,
    Error,
    ErrorCode,
    MinimumRate,
    QueryCommand,
    Request,
    Result,
    RunState,
    SetClock,
    Status,
    StopBolus,
    StopTherapy,
)
from itbpump.wire.messages import Closed as ClosedReply
from itbpump.wire.messages import Outcome as WireOutcome

LOW, HIGH = "100 mcg/day", "150 mcg/day"
BOLUS = Mass.parse("20 mcg")
OVER = Duration.parse("5m")
LATER_WALL_S = 1_795_400_000

# Each kind of harm, often enough to meet a command at several of its steps; outages are short of what a session lives.
HARMS: dict[Harm, str] = {
    Harm.DROP: "drop=every4",
    Harm.DUPLICATE: "duplicate=every3",
    Harm.REORDER: "reorder=every4",
    Harm.DELAY: "delay=every4:900ms",
    Harm.TRUNCATE: "truncate=every4",
    Harm.FLIP: "flip=every4:3bits",
    Harm.BURST: "burst=every4:6bytes",
    Harm.STUCK_LOW: "stuck-low=every5:700ms",
    Harm.ECHO: "echo=every2",
    Harm.HALF_OPEN: "half-open=every5:1500ms",
    Harm.SILENCE: "silence=every5:1500ms",
    Harm.NOISE: "noise=every3:40bytes",
    Harm.WRONG_BAUD: "wrong-baud=every5:300ms",
    Harm.SPLIT: "split=every3:7bytes",
    Harm.DISCONNECT: "disconnect=every5",
    Harm.STALE: "stale=every3",
    Harm.REPLAY: "replay=every2",
    Harm.FLOOD: "flood=every5:3bytes",
}


@dataclass(frozen=True)
class Order:
    """A command, and whether a status shows its effect. `before` puts the pump where it makes sense."""

    send: Callable[[Pump, PumpUnderTest], Outcome]
    took: Callable[[Status, Status], bool]
    before: Callable[[PumpUnderTest], object] = lambda _pump: None


def _configure(session: Pump, pump: PumpUnderTest) -> Outcome:
    return session.program(load_prescription(pump.rx(HIGH)))


ORDERS: dict[str, Order] = {
    "configure": Order(_configure, lambda old, new: new.revision != old.revision),
    "bolus": Order(lambda session, _p: session.bolus(BOLUS, OVER), lambda old, new: new.bolus_counter != old.bolus_counter),
    "stop": Order(lambda session, _p: session.stop(), lambda _old, new: new.run_state is RunState.STOPPED),
    "minimum-rate": Order(lambda session, _p: session.minimum_rate(), lambda _old, new: new.run_state is RunState.SAFE),
    "stop-bolus": Order(
        lambda session, _p: session.stop_bolus(),
        lambda _old, new: new.bolus_state is BolusState.ABORTED,
        lambda pump: pump.bolus("40 mcg", "1h"),
    ),
}


def test_every_kind_of_harm_has_its_line() -> None:
    assert set(HARMS) == set(Harm)


def ordered(pump: PumpUnderTest, order: Order) -> Outcome | None:
    """What the programmer is told over the line as it is, in its second session; None when reading failed, and so nothing was sent."""
    try:
        pump.session().status()
        return order.send(pump.reconnect(), pump)
    except (LinkError, TransportError):
        return None


def settled(pump: PumpUnderTest, outcome: Outcome | None) -> Outcome | None:
    """The outcome, or what came of asking once the line is good again."""
    session = pump.reconnect()
    found = session.reconcile()
    if isinstance(outcome, Unknown):
        (answer,) = [answer for intent, answer in found if intent.cmd_id == outcome.cmd_id]
        return answer
    return found[0][1] if found else outcome


def measure_given(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure, begun_ms: int, ordered_pulses: int) -> None:
    """What the plant gave since `begun_ms`: the bolus, and what its therapy makes in that time.

    That is a pulse in a quarter of an hour, and next to none in virtual time; where pump time is scaled, waits on a dead line are hours.
    """
    ended_ms, flow_nL = clock.uptime_ms(), pump.status().flow_nL_per_day
    due = ordered_pulses + (ended_ms - begun_ms) * flow_nL // (DAY_MS * pump.info.pulse_volume_nL)
    # Less one where the bolus has taken the therapy's place for its 5 min; and one at each end of the time.
    lo = max(ordered_pulses, due - 1)
    measure("pulses by the plant", len(plant.pulses(begun_ms, ended_ms)), "pulses", lo=lo, hi=due + 2)


@pytest.mark.needs("link-faults")
@pytest.mark.sr("SR-41", "SR-42")
@pytest.mark.parametrize("harm", HARMS, ids=str)
@pytest.mark.parametrize("name", [name for name in ORDERS if name != "bolus"])
def test_command_over_a_bad_line_takes_effect_as_it_is_told(
    pump: PumpUnderTest, link_faults: LinkFaults, hil_seed: int, name: str, harm: Harm
) -> None:
    order = ORDERS[name]
    pump.program(pump.rx(LOW))
    order.before(pump)
    before = pump.status()
    with link_faults(f"{HARMS[harm]},seed={hil_seed % 10_000}") as line:
        first = ordered(pump, order)
    assert line.fired, "no fault happened: the test proves nothing"
    outcome, after = settled(pump, first), pump.status()
    took = order.took(before, after)
    assert isinstance(outcome, Applied) == took, f"told {outcome}, while the pump {'did' if took else 'did not do'} it"
    assert after.revision - before.revision <= 1
    assert pump.session().unsettled() == ()


@pytest.mark.needs("link-faults", "plant-pulses")
@pytest.mark.sr("SR-41", "SR-42")
@pytest.mark.parametrize("harm", HARMS, ids=str)
def test_bolus_over_a_bad_line_is_given_once_or_not_at_all(
    pump: PumpUnderTest, clock: Clock, plant: Plant, link_faults: LinkFaults, measure: Measure, hil_seed: int, harm: Harm
) -> None:
    pump.program(pump.rx(LOW))
    before, begun_ms = pump.status(), clock.uptime_ms()
    with link_faults(f"{HARMS[harm]},seed={hil_seed % 10_000}") as line:
        first = ordered(pump, ORDERS["bolus"])
    assert line.fired, "no fault happened: the test proves nothing"
    outcome = settled(pump, first)
    clock.advance("6m")
    ordered_pulses = outcome.bolus.requested if isinstance(outcome, Applied) else 0
    assert isinstance(outcome, (Applied, NotApplied)) or first is None
    assert pump.status().bolus_counter - before.bolus_counter == ordered_pulses
    measure_given(pump, clock, plant, measure, begun_ms, ordered_pulses)


@pytest.mark.needs("link-faults", "plant-pulses")
@pytest.mark.sr("SR-41", "SR-42")
@pytest.mark.parametrize("way", ["to-pump", "to-host"])
@pytest.mark.parametrize("frame", range(11, 15))
def test_bolus_whose_line_goes_dead_is_known_once_it_is_back(
    pump: PumpUnderTest, clock: Clock, plant: Plant, link_faults: LinkFaults, measure: Measure, way: str, frame: int
) -> None:
    """From that frame on nothing comes through: while it is staged, at the commit (frame 13 of this companion), or before the proof."""
    pump.program(pump.rx(LOW))
    before, begun_ms = pump.status(), clock.uptime_ms()
    with link_faults(f"{way}.half-open=#{frame}") as line:
        first = ordered(pump, ORDERS["bolus"])
    assert line.fired
    outcome = settled(pump, first)
    assert not isinstance(outcome, Unknown)
    clock.advance("6m")
    ordered_pulses = outcome.bolus.requested if isinstance(outcome, Applied) else 0
    assert pump.status().bolus_counter - before.bolus_counter == ordered_pulses
    measure_given(pump, clock, plant, measure, begun_ms, ordered_pulses)


# ------------------------------------------------------------------------------------------------ an answer that never came
def _bolus(speaker: Speaker, pulses: int = 20, seconds: int = 300) -> Commit:
    return speaker.stage(CommandKind.BOLUS, small_bolus(speaker, pulses, seconds))


LOST: dict[str, Callable[[Speaker], Request]] = {
    "bolus": _bolus,
    "stop": lambda speaker: StopTherapy(speaker.next_id()),
    "minimum-rate": lambda speaker: MinimumRate(speaker.next_id()),
    "clock": lambda speaker: SetClock(speaker.next_id(), LATER_WALL_S),
}


def started(pump: PumpUnderTest) -> Speaker:
    """A session by hand with a pump that runs a low therapy."""
    pump.program(pump.rx(LOW))
    return Speaker.to(pump).open()


@pytest.mark.sr("SR-41")
@pytest.mark.parametrize("name", LOST)
def test_a_command_whose_answer_was_lost_is_known_and_not_done_again(pump: PumpUnderTest, name: str) -> None:
    speaker = started(pump)
    command = LOST[name](speaker)
    done = speaker.applied(command)  # and the programmer never saw the answer: it comes back and asks
    after = speaker.status()
    again = Speaker.to(pump).open()
    assert again.cmd_id == done.result.cmd_id, "the pump tells the last id it has taken"
    assert again.ask(QueryCommand(done.result.cmd_id), Result).result.outcome is WireOutcome.APPLIED
    repeat = again.applied(command).result
    kept = ("cmd_id", "kind", "digest", "uptime_ms", "revision", "requested_pulses")
    assert [getattr(repeat, field) for field in kept] == [getattr(done.result, field) for field in kept]
    now = again.status()
    assert (now.revision, now.last_change_ms) == (after.revision, after.last_change_ms)


@pytest.mark.needs("plant-pulses")
@pytest.mark.sr("SR-41")
def test_a_bolus_committed_five_times_is_given_once(pump: PumpUnderTest, clock: Clock, plant: Plant, measure: Measure) -> None:
    speaker = started(pump)
    begun_ms, before = clock.uptime_ms(), speaker.status().bolus_counter
    commit = _bolus(speaker)
    for _ in range(3):
        speaker.applied(commit)
    speaker = Speaker.to(pump).open()
    speaker.applied(commit)
    clock.advance("6m")
    result = speaker.applied(commit).result
    assert (result.delivered_pulses, result.doubt_pulses, result.bolus_state) == (20, 0, BolusState.DONE)
    measure("bolus counter has moved by", speaker.status().bolus_counter - before, "pulses", lo=20, hi=20)
    measure("pulses by the plant", len(plant.pulses(begun_ms, clock.uptime_ms())), "pulses", lo=20, hi=22)


@pytest.mark.needs("power-control", "plant-pulses")
@pytest.mark.sr("SR-41", "SR-42")
def test_a_reset_forgets_no_result(pump: PumpUnderTest, power: Power, clock: Clock, plant: Plant, measure: Measure) -> None:
    """The supply goes with the answer; afterwards the same commit comes again."""
    speaker = started(pump)
    begun_ms = clock.uptime_ms()
    commit = _bolus(speaker)
    speaker.applied(commit)
    clock.advance("6m")
    power.cycle()
    again = Speaker.to(pump).open()
    assert again.cmd_id == commit.cmd_id, "the pump tells the last id it has taken"
    result = again.ask(QueryCommand(commit.cmd_id), Result).result
    assert (result.outcome, result.delivered_pulses) == (WireOutcome.APPLIED, 20)
    assert again.applied(commit).result.digest == commit.digest
    clock.advance("6m")
    measure("pulses by the plant", len(plant.pulses(begun_ms, clock.uptime_ms())), "pulses", lo=20, hi=23)


@pytest.mark.needs("power-control")
@pytest.mark.sr("SR-41", "SR-49")
def test_a_reset_before_the_commit_takes_the_staged_along_and_one_after_it_nothing(pump: PumpUnderTest, power: Power) -> None:
    speaker = started(pump)
    commit = _bolus(speaker)
    power.cycle()
    again = Speaker.to(pump).open()
    assert again.ask(commit, Error).code == ErrorCode.NOT_STAGED
    stop = StopTherapy(again.next_id())
    again.applied(stop)
    power.cycle()
    third = Speaker.to(pump).open()
    assert third.status().run_state is RunState.STOPPED
    before = third.status().log_next_seq
    third.applied(stop)
    assert third.status().log_next_seq == before, "a repeat leaves no trace"


# ------------------------------------------------------------------------------------------------ ids
@pytest.mark.sr("SR-44")
def test_an_id_that_was_used_for_something_else_is_a_conflict(pump: PumpUnderTest) -> None:
    speaker = started(pump)
    commit = _bolus(speaker, pulses=2)
    speaker.applied(commit)
    before = speaker.status()
    other = replace(commit, digest=bytes(32))
    assert conflict(speaker.ask_bytes_of(other))
    assert conflict(speaker.ask_bytes_of(StopTherapy(commit.cmd_id)))
    assert conflict(speaker.ask_bytes_of(MinimumRate(commit.cmd_id)))
    stop = SetClock(speaker.next_id(), LATER_WALL_S)
    speaker.applied(stop)
    assert conflict(speaker.ask_bytes_of(SetClock(stop.cmd_id, LATER_WALL_S + 1)))
    after = speaker.status()
    assert (after.run_state, after.revision, after.bolus_counter) == (before.run_state, before.revision, after.bolus_counter)


def conflict(reply: object) -> bool:
    assert isinstance(reply, Error), f"answered with {type(reply).__name__} instead of a conflict"
    return reply.code == ErrorCode.CONFLICT


@pytest.mark.sr("SR-44")
def test_an_id_below_the_last_that_is_not_known_is_too_old(pump: PumpUnderTest) -> None:
    speaker = started(pump)
    left_out = speaker.next_id()
    speaker.applied(SetClock(speaker.next_id(), LATER_WALL_S))
    before = speaker.status()
    assert speaker.ask(StopTherapy(left_out), Error).code == ErrorCode.TOO_OLD
    first = speaker.cmd_id
    for number in range(RESULTS_PER_PROGRAMMER + 1):  # pushes the first out of the ring
        speaker.applied(SetClock(speaker.next_id(), LATER_WALL_S + number))
        speaker.ask(ConfirmResult(speaker.cmd_id), ClosedReply)
    pushed_out = speaker.ask(SetClock(first, LATER_WALL_S), Error)
    assert pushed_out.code == ErrorCode.TOO_OLD, told(pushed_out)
    after = speaker.status()
    assert (after.run_state, after.revision) == (before.run_state, before.revision)


@pytest.mark.sr("SR-44")
def test_two_orders_from_one_counter_give_one_bolus(pump: PumpUnderTest, clock: Clock) -> None:
    """The second was reviewed against a counter that the first has moved, whatever its id says."""
    speaker = started(pump)
    counter = speaker.status().bolus_counter
    payload = bolus_payload(counter, seconds=60)
    speaker.applied(speaker.stage(CommandKind.BOLUS, payload))
    busy = speaker.refused(speaker.stage(CommandKind.BOLUS, payload), ErrorCode.BOLUS_BUSY)
    clock.advance("2m")
    moved = speaker.stage(CommandKind.BOLUS, payload)
    speaker.refused(moved, ErrorCode.COUNTER_MOVED)
    assert speaker.status().bolus_counter == counter + 4
    assert speaker.ask(QueryCommand(busy.result.cmd_id), Result).result.outcome is WireOutcome.REFUSED
    speaker.refused(moved, ErrorCode.COUNTER_MOVED)  # it stays refused, for good


@pytest.mark.sr("SR-49")
def test_a_bolus_that_is_stopped_tells_what_it_gave(pump: PumpUnderTest, clock: Clock, measure: Measure) -> None:
    speaker = started(pump)
    before = speaker.status().bolus_counter
    commit = _bolus(speaker, seconds=600)
    speaker.applied(commit)
    clock.advance("5m")
    speaker.applied(StopBolus(speaker.next_id()))
    result = speaker.applied(commit).result
    assert result.bolus_state is BolusState.ABORTED
    assert speaker.status().bolus_counter - before == result.delivered_pulses
    measure("given in half its time", result.delivered_pulses, "pulses", lo=10, hi=12)
    assert speaker.status().run_state is RunState.RUNNING
