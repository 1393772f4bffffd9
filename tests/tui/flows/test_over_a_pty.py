"""A whole visit over a serial device: a pump in a process of its own behind a pty, paired over its bench, worked by keys alone."""

from __future__ import annotations

from typing import Any

import pytest
from textual.widgets import Input, Select

from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.tui.screens.form import FormPage
from itbpump.tui.screens.outcome import OutcomePage
from itbpump.tui.screens.pump import PumpPage
from itbpump.wire.messages import BolusState, LogKind, Mode, RunState
from tests.e2e.process import FILL_NL, PumpProcess, join, pair
from tests.tui.flows.driving import PATIENT, Desk
from tests.tui.support import bench

pytestmark = [pytest.mark.e2e, pytest.mark.slow]  # `make screen`, which CI runs as well


async def keyed(at: Desk, values: dict[str, str]) -> None:
    """By keys alone: the cursor into the field, then what a person types; a choice by Enter and the arrow keys."""
    for name, text in values.items():
        await at.until(lambda name=name: bool(at.page.query(f"#field-{name}")), name)  # type: ignore[misc]
        for _ in range(80):
            focused = at.page.focused
            if focused is not None and focused.id == f"field-{name}":
                break
            await at.press("tab")
        else:
            raise AssertionError(f"no way by Tab to {name}")
        widget: Any = at.page.focused
        if isinstance(widget, Select):
            await at.press("enter", "home")
            for _ in range(12):
                overlay: Any = widget.query_one("SelectOverlay")
                option = widget._options[overlay.highlighted]
                if option[1] == text:
                    break
                await at.press("down")
            await at.press("enter")
            assert widget.value == text
        elif isinstance(widget, Input):
            await at.press("home", "ctrl+k")
            await at.type(text)
            assert widget.value == text


async def ordered(at: Desk, task: str, values: dict[str, str]) -> None:
    await at.open(task)
    await keyed(at, values)
    await at.tick_all()
    await at.review()
    await at.give()
    await at.send()
    assert isinstance(at.page, OutcomePage)
    assert "APPLIED" in at.text, at.text


async def week(at: Desk) -> None:
    """Monday to Friday with a morning bolus, the weekend without."""
    await at.press("f3")
    for step in ("00:00 6 mcg/h", "06:00 30 mcg over 1h"):
        await at.press("a")
        await at.type(step)
        await at.press("enter")
    await at.press("c", "w", "left", "v", "down", "d", "c", "left", "v", "f5")
    assert isinstance(at.page, FormPage)


@pytest.mark.slow
async def test_a_visit_over_a_serial_line() -> None:
    with PumpProcess.start() as process:
        state = HostState.in_memory()
        pair(process, state)

        def opened(_url: str) -> Pump:
            return join(process.link, state)

        def truth(name: str) -> object:
            return process.do("truth")[name]

        async with bench(process.link, opened=opened) as found:
            at = Desk(found, None)  # type: ignore[arg-type]  # the pump is not in this process
            # a first therapy, with patterns of weekdays
            await at.open("therapy")
            await keyed(
                at,
                {
                    **PATIENT,
                    "drug": "baclofen",
                    "concentration": "2000",
                    "reservoir_volume": "38",
                    "low_alarm": "6.5",
                    "path_known": "path",
                    "path_volume": "0.316",
                    "mode": "flex",
                },
            )
            await week(at)
            await at.review()
            await at.give()
            await at.send()
            assert "PROVED" in at.text, at.text
            held = await at.asked(lambda pump: pump.configuration())
            assert held is not None
            assert sorted(pattern.days for pattern in held.patterns) == [0b0011111, 0b1100000]
            process.do("advance", for_="10d")
            assert truth("commanded_pulses") == pytest.approx(10 * 144, rel=0.3)

            await ordered(at, "bolus", {"dose": "10", "over": "10m"})
            process.do("advance", for_="11m")
            await at.until(lambda: at.app.snapshot.view.status.bolus_state is BolusState.DONE, "the end of the bolus")
            assert "10 of 10 pulses" in at.text, at.text

            drawn = process.do("refill", fill_nL=FILL_NL, concentration_ng_per_mL=2_000_000)["aspirated_nL"]
            assert isinstance(drawn, int)
            aspirated = f"{drawn // 100_000 / 10:g}"
            await ordered(at, "refill", {"aspirated": aspirated, "filled": "38", "filled_with": "same", "same_concentration": "2000"})
            assert (await at.status()).reservoir_nL == FILL_NL + 1_400_000
            assert [entry.kind for entry in await at.asked(lambda pump: list(pump.log()))].count(LogKind.REFILL) >= 1

            await ordered(at, "alarm-test", {"tone": "critical"})
            await ordered(at, "rebase", {})
            await at.home()
            await at.press("f8", "f4")
            await at.until(lambda: "Stopped." in at.text, "the stop")
            before = truth("commanded_pulses")
            process.do("advance", for_="2h")
            assert truth("commanded_pulses") == before
            await ordered(at, "restore", {})
            assert (await at.status()).run_state is RunState.RUNNING

            drawn = process.do("refill", fill_nL=FILL_NL, concentration_ng_per_mL=1_000_000)["aspirated_nL"]
            assert isinstance(drawn, int)
            await ordered(
                at,
                "refill",
                {
                    "aspirated": f"{drawn // 100_000 / 10:g}", "filled": "38", "filled_with": "other", "rinse": "none",
                    "concentration": "1000", "mode": "continuous", "dose": "160", "bridge": "auto",
                },
            )  # fmt: skip
            now = await at.status()
            assert (now.mode, now.bridging, now.concentration_ng_per_mL) == (Mode.CONTINUOUS, True, 1_000_000)
            report = at.report()
            for title in (
                "Therapy for patient P-0042",
                "Bolus of 10 mcg",
                "Refill of 38 mL",
                "tone",
                "Move the pump's day",
                "Stop of all delivery",
                "Refill with baclofen 1,000",
            ):
                assert title in report, title
            await at.home()
            assert isinstance(at.page, PumpPage)


async def test_a_pump_is_paired_from_the_first_page_and_opened() -> None:
    """The first page, F4: the provisioning port is typed, the key proved by a session; then the line is opened by Enter."""
    with PumpProcess.start() as process:
        async with bench(process.link, opened=connect, start=False) as found:
            at = Desk(found, None)  # type: ignore[arg-type]
            assert "Not a medical device" in at.text
            await at.press("tab")
            await at.type(process.link)
            await at.press("f4")
            for name, text in (("url", process.link), ("bench", process.bench_url)):
                at.page.query_one(f"#{name}").value = text
            await at.calm()
            await at.press("f5", "f5")
            await at.until(lambda: "proved by a session" in at.text or "not paired" in at.text, "the pairing")
            assert f"Paired with pump {process.serial}" in at.text
            await at.press("escape", "enter")
            await at.until(
                lambda: isinstance(at.page, PumpPage) and at.app.snapshot is not None and at.app.snapshot.view is not None, "the pump"
            )
            assert process.serial in at.seen
