"""Every attack on the pump, in the middle of its therapy: memory, pulses and session stay as if nobody had been there (SR-62)."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec.structs import replace as replace_struct

from itbpump.wire.messages import LogKind, StopTherapy
from tests.security.attacks import ATTACKS
from tests.security.scene import After, Attack, Scene, finished, prepared, story, twin

TABLE = tomllib.loads((Path(__file__).resolve().parents[2] / "docs" / "threats.toml").read_text("utf-8"))
ROWS = {row["id"]: row for row in TABLE["attack"] if row["against"] == "pump"}


def test_every_row_has_its_attack_and_every_attack_its_row() -> None:
    assert set(ROWS) == set(ATTACKS)


@pytest.mark.sr("SR-51", "SR-62")
@pytest.mark.parametrize("name", sorted(ATTACKS))
def test_an_attack_on_the_pump_leaves_no_trace_but_the_documented_one(name: str) -> None:
    """`logged` of the row says how many refusals the log may show; they are of paired programmers, and stand there ever more seldom."""
    after, untouched = story(ATTACKS[name]), twin()
    assert after.pulses == untouched.pulses
    assert replace(after.state, pending_log=()) == replace(untouched.state, pending_log=())
    refused = [entry for entry in after.log if entry[0] is LogKind.HANDSHAKE_FAILED]
    assert len(refused) == ROWS[name].get("logged", 0)
    assert [entry for entry in after.log if entry not in refused] == untouched.log
    assert replace_struct(after.status, log_next_seq=after.status.log_next_seq - len(refused)) == untouched.status
    differing = {region for region in after.regions if after.regions[region] != untouched.regions[region]}
    assert differing <= ({"log", "journal_a", "journal_b"} if refused else set()), "the journal holds its last log entries too"


@pytest.mark.sr("SR-62")
def test_the_story_is_one_that_an_attack_could_spoil() -> None:
    """The twin itself: a therapy, a bolus and a change took effect, and two such stories are the same to the byte."""
    first, again = twin(), story(lambda _scene: None)
    assert first == again
    assert first.status.revision == 2
    assert len(first.pulses) > 200


def clinicians_own(scene: Scene) -> None:
    """What an attacker with the clinician's session could do."""
    assert scene.staged is not None
    scene.applied(scene.ask(StopTherapy(cmd_id=scene.staged[0].cmd_id - 1 + 1_000)))


def test_the_comparison_sees_an_attack_that_works() -> None:
    after = story_without_commit(clinicians_own)
    assert after.pulses != twin().pulses
    assert after.state != twin().state


def story_without_commit(attack: Attack) -> After:
    """The pump after half a day, whatever became of the clinician's change."""
    scene = prepared()
    attack(scene)
    assert scene.staged is not None
    return finished(scene, commits=False)
