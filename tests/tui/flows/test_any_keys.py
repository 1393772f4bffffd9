"""Any keys at all: nothing goes to the pump but through the gate with everything given, no stop but by the stop's own key, and no crash."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from itbpump.pump import Pump
from itbpump.tui import app as program
from itbpump.tui.keys import table
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.review import ReviewPage
from itbpump.tui.screens.stop import StopPage
from itbpump.workflow.consent import carry_out, missing
from itbpump.workflow.table import task
from tests.tui.flows.driving import BOLUS, COMMANDS, PATIENT, STOPS, THERAPY, Desk, desk

pytestmark = [pytest.mark.sr("SR-09", "SR-33"), pytest.mark.slow]  # `make screen`, which CI runs as well

LEAVES = {"f10"}
BOUND = sorted({name for key in table() for name in key.keys.split(",")} - LEAVES)
PLAIN = [
    *"0123456789",
    *"abyn.",
    "enter",
    "enter",
    "tab",
    "shift+tab",
    "escape",
    "escape",
    "up",
    "down",
    "left",
    "right",
    "space",
    "backspace",
    "ctrl+p",
]
FORMS = {
    "bolus": BOLUS,
    "therapy": THERAPY,
    "alarm-test": {"tone": "critical"},
    "rebase": {},
    "refill": {"patient_id": "P-0042", "aspirated": "36", "filled": "38", "filled_with": "same", "same_concentration": "2000"},
    "restore": PATIENT,
}
STEPS = st.one_of(
    st.sampled_from(BOUND),
    st.sampled_from(PLAIN),
    st.sampled_from([f"form:{name}" for name in FORMS]),
    st.sampled_from(["review", "review", "give", "give", "half", "cut", "mend", "alarm"]),
)
PATHS = st.lists(STEPS, min_size=8, max_size=26)


class Watch:
    """Which commands went out, in the gate or not, and how often a key that delivers less was hit where it does."""

    def __init__(self) -> None:
        self.loose: list[str] = []
        self.through_gate: list[str] = []
        self.stops = 0
        self.less_keys = 0
        self._here = threading.local()

    @contextmanager
    def gate(self) -> Iterator[None]:
        self._here.inside = True
        try:
            yield
        finally:
            self._here.inside = False

    def went(self, name: str) -> None:
        if getattr(self._here, "inside", False):
            self.through_gate.append(name)
        elif name in STOPS:
            self.stops += 1
        else:
            self.loose.append(name)


@contextmanager
def watching() -> Iterator[Watch]:
    watch = Watch()
    with pytest.MonkeyPatch.context() as patch:
        for name in COMMANDS:
            patch.setattr(Pump, name, _spy(name, getattr(Pump, name), watch))

        def gate(pump: Pump, proposal: Any, consent: Any, policy: Any) -> object:
            with watch.gate():
                outcome = carry_out(pump, proposal, consent, policy)
            assert missing(proposal, consent, policy) == ()
            return outcome

        patch.setattr(program, "carry_out", gate)
        yield watch


def _spy(name: str, real: Any, watch: Watch) -> Any:
    def spy(self: Pump, *args: Any, **named: Any) -> Any:
        watch.went(name)
        return real(self, *args, **named)

    return spy


async def take(at: Desk, step: str, watch: Watch) -> None:
    kind, _, name = step.partition(":")
    page = at.page
    if kind == "form":
        if isinstance(page, FormPage | ReviewPage | StopPage | OutcomePage) or at.world.line.cut or at.app.reader is None:
            return
        at.app.begin_task(task(name))
        await at.calm()
        if isinstance(at.page, FormPage):
            for field, text in FORMS[name].items():
                if at.page.query(f"#field-{field}"):
                    await at.answer({field: text})
            await at.tick_all()
    elif kind == "review":
        await at.press("f5")
    elif kind in {"give", "half"}:
        if isinstance(page, ReviewPage) and not page.is_sending:
            await at.give(staff=kind == "give", typed=None if kind == "give" else "1")
    elif kind == "cut":
        at.world.cut()
    elif kind == "mend":
        at.world.mend()
    elif kind == "alarm":
        at.world.device.bench("stall", {"state": "on"})
    else:
        watch.less_keys += (isinstance(page, StopPage) and kind in {"f2", "f3", "f4"}) or (isinstance(page, OutcomePage) and kind == "f3")
        await at.press(kind)


async def walk(steps: list[str]) -> None:
    with watching() as watch:
        async with desk() as at:
            sendings = 0
            for step in steps:
                sendings += step == "f9" and isinstance(at.page, ReviewPage)
                await take(at, step, watch)
                assert watch.loose == [], (watch.loose, steps)
                assert watch.stops <= watch.less_keys, steps
                assert len(watch.through_gate) <= sendings, (watch.through_gate, steps)
            at.world.mend()
            await at.press("f8", "f8")  # whatever was done, the page that stops is one key away
            if at.app.reader is None:  # the session was ended, with a question answered by y
                assert not isinstance(at.page, StopPage)
                return
            assert isinstance(at.page, StopPage), (at.page, steps)
            before = watch.stops
            await at.press("f4")
            await at.until(lambda: watch.stops > before, "the stop")


@settings(max_examples=10, phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=list(HealthCheck))  # no shrinking
@given(PATHS)
def test_no_keys_send_anything_but_through_the_gate(steps: list[str]) -> None:
    asyncio.run(asyncio.wait_for(walk(steps), 60))


@pytest.mark.slow
@settings(max_examples=250, suppress_health_check=list(HealthCheck))
@given(st.lists(STEPS, min_size=10, max_size=60))
def test_no_keys_send_anything_but_through_the_gate_for_long(steps: list[str]) -> None:
    asyncio.run(asyncio.wait_for(walk(steps), 120))


def test_the_watch_sees_what_goes_past_the_gate() -> None:
    """The watch itself: an order beside the gate, one through it, and a stop."""

    async def past() -> Watch:
        with watching() as watch:
            async with desk() as at:
                await take(at, "form:bolus", watch)
                await take(at, "review", watch)
                await take(at, "give", watch)
                await take(at, "f9", watch)
                await at.until(lambda: watch.through_gate == ["bolus"], "the order through the gate")
                await at.asked(lambda pump: pump.set_clock(1_795_359_600))
                await at.press("f8")
                await take(at, "f4", watch)
                await at.until(lambda: watch.stops == 1, "the stop")
        return watch

    watch = asyncio.run(past())
    assert (watch.loose, watch.less_keys) == (["set_clock"], 1)
