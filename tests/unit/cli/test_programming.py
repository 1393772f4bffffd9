"""`review`, `program`, `restore`: what is asked, what is sent, how it ends."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

SOFT = ('dose = "40 mcg", over', 'dose = "60 mcg", over')  # a bolus above the usual
SECOND = ("age_years = 46", "age_years = 3")
HARD = ('dose = "40 mcg", over', 'dose = "150 mcg", over')
OTHER_MODEL = ('profile = "P-40"', 'profile = "P-20"')
BAD_NUMBER = ('rate = "5 mcg/h"', 'rate = "5.0 mcg/h"')


def revision(cli: Any, url: str) -> int:
    return int(cli("status", url, "--json").data["therapy"]["revision"])


@pytest.mark.parametrize(
    ("changes", "code"),
    [((), 0), ((SOFT,), 3), ((SECOND,), 3), ((HARD,), 4), ((BAD_NUMBER,), 2)],
    ids=["fine", "soft", "second", "hard", "unreadable"],
)
def test_review_ends_with_its_verdict(cli: Any, variant: Callable[..., str], changes: tuple[tuple[str, str], ...], code: int) -> None:
    assert cli("review", variant(*changes)).code == code
    assert cli("review", variant(*changes), "--json").code == code


def test_review_beside_the_present_therapy(cli: Any, variant: Callable[..., str], flex: str, running: str) -> None:
    more = variant(('rate = "6 mcg/h" },\n  { at = "06:00"', 'rate = "6.5 mcg/h" },\n  { at = "06:00"'))
    by_file = cli("review", more, "--current", flex, "--json").data
    by_pump = cli("review", more, "--pump", running, "--json").data
    assert by_file["proposed"]["change_percent"] == by_pump["proposed"]["change_percent"] != "0"
    told = cli("review", more, "--pump", running)
    changed = [line for line in told.out.splitlines() if line.endswith("CHANGED")]
    assert any("Mon to Fri 00:00" in line and "6 mcg per hour" in line and "6.5 mcg per hour" in line for line in changed)


def test_review_takes_one_present(cli: Any, flex: str, url: str) -> None:
    assert cli("review", flex, "--current", flex, "--pump", url).code == 2


@pytest.mark.sr("SR-09", "SR-20")
def test_what_was_reviewed_is_sent_and_nothing_else(
    cli: Any, paired: str, flex: str, variant: Callable[..., str], advance: Callable[[str, int], None]
) -> None:
    """A review told at one place, later programmed at another: readings have moved on, and the same prescription goes through."""
    told = cli("review", flex, "--pump", paired)
    (digest,) = re.findall(r"--digest ([0-9a-f]{16})\b", told.said)
    assert cli("review", flex, "--pump", paired, "--json").data["hold"].startswith(digest)
    assert cli("program", variant(SOFT), "--pump", paired, "--yes", "--digest", digest).code == 1
    assert cli("program", flex, "--pump", paired, "--yes", "--digest", digest).code == 0
    advance(paired, 3 * 86_400_000)
    again = cli("review", flex, "--pump", paired, "--json").data
    advance(paired, 7 * 3_600_000)
    later = cli("review", flex, "--pump", paired, "--json").data
    assert (later["hold"], later["digest"] == again["digest"]) == (again["hold"], False)
    assert cli("program", flex, "--pump", paired, "--yes", "--digest", again["hold"]).code == 0


@pytest.mark.sr("SR-09", "SR-20")
def test_another_review_sends_nothing_and_says_what_may_be_another(cli: Any, running: str, flex: str, variant: Callable[..., str]) -> None:
    before, more = revision(cli, running), variant(('rate = "6 mcg/h" },\n  { at = "06:00"', 'rate = "6.5 mcg/h" },\n  { at = "06:00"'))
    alone = cli("review", more, "--json").data["hold"]  # beside the pump the rise in the first 24 h asks for a second person
    told = cli("program", more, "--pump", running, "--yes", "--digest", alone, "--json")
    assert (told.code, told.data["outcome"], revision(cli, running)) == (1, "not sent", before)
    assert "this is not what was reviewed" in told.err + told.out
    for unreadable in ("", "abc", alone[:15], "z" * 16, alone + "0"):
        assert cli("program", more, "--pump", running, "--yes", "--digest", unreadable).code == 2
    beside = cli("review", more, "--pump", running, "--json").data
    for digest in (beside["hold"], beside["hold"][:16].upper(), beside["digest"]):
        assert cli("program", more, "--pump", running, "--yes", "--digest", digest).code == 3, "held to, it still asks for a second person"


@pytest.mark.sr("SR-09")
@pytest.mark.parametrize("answer", ["165.429", "165.429 mcg/day", "165.429 mcg per day"])
def test_program_shows_asks_and_proves(cli: Any, paired: str, flex: str, answer: str) -> None:
    told = cli("program", flex, "--pump", paired, answers=f"{answer}\n")
    assert told.code == 0, told.err
    assert "mean day" in told.said
    assert "165.429 mcg per day" in told.said
    assert "agree with what was sent" in told.said
    status = cli("status", paired, "--json").data
    assert status["running"] is True
    assert status["therapy"]["mode"] == "flex"


@pytest.mark.sr("SR-09", "SR-11", "SR-23")
@pytest.mark.parametrize(("answer", "code"), [("165\n", 1), ("no\n", 1), ("\n", 1), ("yes\n", 1), ("165.429 mg/day\n", 1), ("", 2)])
def test_nothing_is_sent_without_the_right_answer(cli: Any, paired: str, flex: str, answer: str, code: int) -> None:
    told = cli("program", flex, "--pump", paired, answers=answer)
    assert told.code == code
    assert "nothing was sent" in told.said
    assert revision(cli, paired) == 0


@pytest.mark.sr("SR-03")
def test_overrides(cli: Any, paired: str, variant: Callable[..., str]) -> None:
    soft = variant(SOFT)
    told = cli("program", soft, "--pump", paired, "--yes", "--json")
    assert told.code == 3
    assert told.data["outcome"] == "not sent"
    (missing,) = told.data["missing"]
    rule = missing.partition(":")[0]
    assert cli("program", soft, "--pump", paired, "--yes", "--override", rule).code == 2
    assert cli("program", soft, "--pump", paired, "--yes", "--override", f"{rule}=").code == 2
    assert cli("program", soft, "--pump", paired, "--yes", "--override", "no-such-rule=tolerated: before").code == 2
    assert cli("program", soft, "--pump", paired, "--yes", *["--override", f"{rule}=tolerated: before"] * 2).code == 2
    assert revision(cli, paired) == 0
    told = cli("program", soft, "--pump", paired, "--yes", "--json", "--override", f"{rule}=tolerated: last year", "--user", "dr-1")
    assert told.code == 0, told.err
    assert told.data["overrides"][0]["text"] == "last year"


@pytest.mark.sr("SR-03")
def test_a_second_person(cli: Any, paired: str, variant: Callable[..., str]) -> None:
    second = variant(SECOND)
    missing = cli("program", second, "--pump", paired, "--yes", "--json").data["missing"]
    reasons = [f"--override={line.partition(':')[0]}=specialist: asked and told" for line in missing]
    assert cli("program", second, "--pump", paired, "--yes", *reasons, "--user", "dr-1").code == 3
    assert cli("program", second, "--pump", paired, "--yes", *reasons, "--user", "dr-1", "--second", "dr-1").code == 2
    assert cli("program", second, "--pump", paired, "--yes", *reasons, "--user", "dr-1", "--second", "rn-2").code == 0


@pytest.mark.sr("SR-02")
def test_a_hard_limit_cannot_be_overridden(cli: Any, paired: str, variant: Callable[..., str]) -> None:
    told = cli(
        "program",
        variant(HARD),
        "--pump",
        paired,
        "--yes",
        "--override",
        "bolus-size=specialist: asked and told",
        "--user",
        "dr-1",
        "--second",
        "rn-2",
    )
    assert told.code == 4
    assert revision(cli, paired) == 0


@pytest.mark.sr("SR-06", "SR-20")
def test_another_model_is_refused_before_anything_is_judged(cli: Any, paired: str, variant: Callable[..., str]) -> None:
    told = cli("program", variant(OTHER_MODEL, ('"38 mL"', '"18 mL"')), "--pump", paired, "--yes")
    assert told.code == 1
    assert "P-20" in told.said
    assert "P-40" in told.said
    assert "Findings" not in told.said


@pytest.mark.sr("SR-39")
def test_another_concentration_needs_a_refill(cli: Any, running: str, variant: Callable[..., str]) -> None:
    told = cli("program", variant(("2000 mcg/mL", "1000 mcg/mL")), "--pump", running, "--yes")
    assert told.code == 4
    assert "refill" in told.err + told.out


def test_json_is_all_of_stdout_and_prose_goes_to_stderr(cli: Any, paired: str, flex: str) -> None:
    told = cli("program", flex, "--pump", paired, "--json", answers="165.429\n")
    assert told.code == 0
    assert told.data["outcome"] == "applied"
    assert told.data["proof"]["holds"] is True
    assert told.data["review"]["proposed"]["daily_dose"]["mean"] == {"value": "165.429", "unit": "mcg/day"}
    assert "Verdict" in told.said
