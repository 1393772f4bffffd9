"""Outcomes: a table of what was raised where, and that a cause says nothing of this machine."""

from __future__ import annotations

import pytest

from itbpump.hil.errors import (
    BenchRefused,
    HilTimeout,
    MeasurementError,
    MissingCapability,
    NotAsOrdered,
    OutsideLimits,
    PowerError,
    RigBroken,
    RigError,
)
from itbpump.hil.model import Capability, Limits, Measurement, Outcome
from itbpump.hil.outcomes import LONGEST_CAUSE, cause_text, outcome_of
from itbpump.link.errors import HandshakeFailed, LinkMisuse, NoReply, PumpRefused
from itbpump.transport.base import PortUnpluggedError
from itbpump.wire.messages import Error

OUTSIDE = OutsideLimits((Measurement("x", "1", "nL", Limits("2", None), within=False),))


def _failed_of_pytest() -> BaseException:
    with pytest.raises(pytest.fail.Exception) as caught:
        pytest.fail("no")
    return caught.value


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (AssertionError("x"), Outcome.FAIL),
        (OUTSIDE, Outcome.FAIL),
        (NotAsOrdered("the stop", None, "no"), Outcome.FAIL),
        (_failed_of_pytest(), Outcome.FAIL),
        (PumpRefused(Error(code=1, detail=0, cmd_id=0)), Outcome.FAIL),
        (HandshakeFailed("no"), Outcome.FAIL),
        (HilTimeout("the alarm", 1), Outcome.TIMEOUT),
        (NoReply("a status", 1, 1), Outcome.TIMEOUT),
        (RigError("a", "b", "c"), Outcome.ERROR),
        (BenchRefused("a", "b", "refused"), Outcome.ERROR),
        (PowerError("a", "b", "c"), Outcome.ERROR),
        (MissingCapability("a", Capability.VIRTUAL_TIME, "b"), Outcome.ERROR),
        (MeasurementError("a"), Outcome.ERROR),
        (PortUnpluggedError("a", "b", "c"), Outcome.ERROR),
        (LinkMisuse("a"), Outcome.ERROR),
        (TimeoutError("of somebody else"), Outcome.ERROR),
        (ZeroDivisionError(), Outcome.ERROR),
        (RigBroken("a", "b"), Outcome.ABORTED),
        (KeyboardInterrupt(), Outcome.ABORTED),
    ],
)
def test_what_a_test_raised_decides(error: BaseException, outcome: Outcome) -> None:
    assert outcome_of("call", error) is outcome
    around = Outcome.ABORTED if outcome is Outcome.ABORTED else Outcome.ERROR
    assert outcome_of("setup", error) is around
    assert outcome_of("teardown", error) is around


def test_cause_is_the_same_in_two_runs() -> None:
    first = AssertionError("<Pump object at 0x7f1234567890> of /srv/one/work/x.py\n  is   odd")
    second = AssertionError("<Pump object at 0x7f9999999999> of /srv/two/x.py\nis odd")
    told = cause_text(first, (("/srv/one/work", "."),))
    assert told == "AssertionError: <Pump object at 0x…> of ./x.py is odd"
    assert cause_text(second, (("/srv/two", "."),)) == told


def test_cause_names_measurements_of_a_test_that_failed_before() -> None:
    error = AssertionError("first")
    error.add_note(str(OUTSIDE))
    assert cause_text(error) == "AssertionError: first (1 outside the limits: x = 1 nL (limits: at least 2))"
    assert cause_text(OUTSIDE) == "1 outside the limits: x = 1 nL (limits: at least 2)"


def test_cause_has_an_end() -> None:
    assert len(cause_text(AssertionError("x" * 10_000))) == LONGEST_CAUSE
    assert cause_text(KeyError()) == "KeyError: without a word"
