"""The proof itself on trial: its tables are those of the real run, it is repeatable, it sees every deliberate break.

The whole of it runs apart (`make prove`, `make swarm`); here are the single harms of a bolus, the breaks until they show, and the long
runs of two programmers in small.
"""

from __future__ import annotations

from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from firmware_sim.firmware.materialise import PulsePhase
from itbpump.wire.messages import Reply, Request
from tests.proof.clinic import DOSES, Clinic, swarm_run
from tests.proof.course import RULES
from tests.proof.explore import PRUNED, each_single, first_harms, second_harms
from tests.proof.mutants import MUTANTS, Mutant
from tests.proof.proving import Steps, expected_singles, points_of, steps_of
from tests.proof.scenario import SCENARIOS, staged_scene
from tests.proof.world import Point, on_memory_writes

pytestmark = pytest.mark.sr("SR-41")


class Recorder:
    """Meets every point and does nothing."""

    def __init__(self) -> None:
        self.met: list[Point] = []

    def choose(self, point: Point) -> str | None:
        self.met.append(point)
        return None


# ------------------------------------------------------------------------------------------------ the tables
def test_the_table_of_steps_has_a_row_for_each_command() -> None:
    assert all(isinstance(steps_of(name), Steps) for name in SCENARIOS)


@pytest.mark.parametrize("name", ["program", "stop"])
def test_a_command_consists_of_the_requests_of_the_table(name: str) -> None:
    scene, recorder = staged_scene(name), Recorder()
    asked: list[str] = []
    connection = scene.pump.session._connection
    send = connection.request

    def noted(message: Request, deadline_ms: int | None = None) -> Reply:
        asked.append(type(message).__name__)
        return send(message, deadline_ms)

    scene.world.chooser = recorder
    with patch.object(connection, "request", noted), on_memory_writes(scene.world.write_harm):
        scene.act(scene.pump, scene.present)
    assert tuple(asked) == steps_of(name).requests
    frames = sum(point.kind == "frame" for point in recorder.met)
    assert frames == sum(count for (kind, _, _), count in points_of(steps_of(name)).items() if kind == "frame")
    assert [(point.name, point.size) for point in recorder.met if point.kind == "write"] == list(steps_of(name).writes)


def test_how_many_single_harms_there_are_follows_from_the_table() -> None:
    steps = Steps(requests=("Stage",), events=1, writes=(("log", 2),), disk=1, pulses=1)
    frames, write, host, pulse = 3 * 7, 3 + 3, 3 + 2, 3  # a write of 2 bytes is torn after 0, 1, 2; for long after 0, 1, 2
    assert expected_singles(steps) == frames + write + host + pulse


def test_every_pruning_has_a_name_and_nothing_is_pruned_without_one() -> None:
    seen = set()
    for point in (
        Point("frame", "to-pump", 60),
        Point("write", "log", 45),
        Point("pulse", "bolus"),
        Point("host", "read"),
        Point("host", "then write"),
    ):
        kept, pruned = second_harms(point)
        assert len(kept) + sum(pruned.values()) == len(first_harms(point))
        seen |= set(pruned)
    assert seen == set(PRUNED) - {"coarsely"}  # whole commands


# ------------------------------------------------------------------------------------------------ the proof in small
@pytest.mark.sr("SR-42", "SR-43", "SR-47", "SR-48", "SR-49", "SR-50")
@pytest.mark.parametrize("name", ["bolus", "late"])
def test_single_harms_break_no_rule(name: str) -> None:
    words = set()
    for path, told in each_single(name):
        assert not told.broken, f"python -m tests.proof replay {name} '{path}'"
        words.add(told.word)
    assert words == ({"Applied", "NotApplied", "Unknown", "died"} if name == "bolus" else {"NotApplied", "Unknown", "died"})


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_deliberate_break_is_noticed(mutant: Mutant) -> None:
    with mutant.broken():
        broken = (rule for name in mutant.scenarios for _, told in each_single(name) for rule, _ in told.broken)
        assert next(broken, None) in RULES


def test_the_breaks_are_each_named_once() -> None:
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)
    assert all(mutant.scenarios and set(mutant.scenarios) <= set(SCENARIOS) for mutant in MUTANTS)


# ------------------------------------------------------------------------------------------------ the long run
def test_the_same_seed_gives_the_same_world_byte_for_byte() -> None:
    first, second, other = swarm_run(11, 40), swarm_run(11, 40), swarm_run(12, 40)
    assert first.world.trace == second.world.trace
    assert first.world.trace_digest() == second.world.trace_digest() != other.world.trace_digest()
    assert len(first.world.trace) > 100


@pytest.mark.parametrize("first", [1, 101])
def test_two_programmers_a_bad_line_and_failing_supplies(first: int) -> None:
    runs = [swarm_run(seed, 40) for seed in range(first, first + 15)]
    assert sum(run.counted["Applied"] for run in runs) > 20
    assert sum(run.open_commands for run in runs) > 0, "no run came to an unknown outcome"


class TwoProgrammers(RuleBasedStateMachine):
    """The clinic, its acts chosen by Hypothesis; harms on the line, in memory and in the programs come from a drawn seed."""

    @initialize(seed=st.integers(0, 2**32), frame=st.sampled_from([0, 40_000, 200_000]), write=st.sampled_from([0, 20_000, 100_000]))
    def open(self, seed: int, frame: int, write: int) -> None:
        self.clinic = Clinic(seed, frame_ppm=frame, write_ppm=write, host_ppm=10_000)
        self.hook = on_memory_writes(self.clinic.world.write_harm)
        self.hook.__enter__()

    @rule(who=st.integers(0, 1), dose=st.sampled_from(DOSES))
    def program(self, who: int, dose: str) -> None:
        self.clinic.program(who, dose)
        self.clinic.check()

    @rule(who=st.integers(0, 1), mcg=st.integers(1, 20))
    def bolus(self, who: int, mcg: int) -> None:
        self.clinic.bolus(who, mcg)
        self.clinic.check()

    @rule(who=st.integers(0, 1), act=st.sampled_from(["stop", "stop_bolus", "ask", "leave", "crash"]))
    def act(self, who: int, act: str) -> None:
        getattr(self.clinic, act)(who)
        self.clinic.check()

    @rule(ms=st.sampled_from([1, 500, 60_000, 1_200_000, 90_000_000]))
    def wait(self, ms: int) -> None:
        self.clinic.wait(ms)
        self.clinic.check()

    @rule(phase=st.sampled_from([phase.value for phase in PulsePhase]))
    def power_cut(self, phase: str) -> None:
        self.clinic.power_cut(phase)
        self.clinic.check()

    @rule()
    def plug_in(self) -> None:
        self.clinic.plug_in()

    def teardown(self) -> None:
        if hasattr(self, "clinic"):
            try:
                self.clinic.finish()
            finally:
                self.hook.__exit__(None, None, None)


TestTwoProgrammers = pytest.mark.sr("SR-41", "SR-42", "SR-44", "SR-45")(TwoProgrammers.TestCase)
TestTwoProgrammers.settings = settings(max_examples=25, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
