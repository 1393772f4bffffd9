"""Chapters of the book of changes: another concentration and its bridge, what the path still holds, a lost memory, what a refill tells.

P-40 with a path of 0.316 mL, 632 pulses. 200 mcg/day are 0.1 mL/day at 2000 mcg/mL and 0.4 mL/day at 500.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace

from itbpump.configuration import wire_configuration
from itbpump.present import PresentPump
from itbpump.profiles import load_profile
from itbpump.quantity import Volume
from itbpump.refill import READING_ERROR_NL, Discrepancy, Refill
from itbpump.therapy import Prescription
from itbpump.wire.messages import Mode, RunState
from tests.golden.cases import fresh, pump
from tests.unit.safety.book_change_dose import LEAST, NOW, RUNNING, STOP
from tests.unit.safety.book_change_rows import Chapter, at, chapter, morphine, of_dose, row, stopped
from tests.unit.therapy.prescriptions import flex, prescription, rate

AUTO = {"plan": "auto"}
REFUSED = {"plan": "refused", "reason": "the path was rinsed"}
P40 = load_profile("P-40")
FULL: dict[str, Any] = {"refill": Volume(38_000_000)}
LOST: dict[str, Any] = {"configuration": None, "run_state": RunState.SAFE}


def bridging(flow_nL_per_day: int = 400_000, pulses: int = 300, **state: Any) -> PresentPump:
    """A pump of 200 mcg/day at 2000 mcg/mL, before whose therapy a bridge of 500 mcg/mL comes."""
    held = replace(wire_configuration(NOW, P40), bridge_flow_nL_per_day=flow_nL_per_day, bridge_pulses=632)
    path = {"bridge_left_pulses": pulses, "path_left_pulses": pulses, "path_concentration_ng_per_mL": 500_000}
    return pump(NOW, **{"configuration": held, **path, **state})


def unclear(rx: Prescription = NOW, **state: Any) -> PresentPump:
    """A pump whose path still holds 500 mcg/mL in 300 pulses, without a bridge."""
    return pump(rx, **{"path_left_pulses": 300, "path_concentration_ng_per_mL": 500_000, **state})


def to(concentration: str, dose: str = "200 mcg/day", bridge: dict[str, str] | None = None, **tables: Any) -> Prescription:
    return of_dose(dose, drug=at(concentration), bridge=bridge, **tables)


def valve(dose: str, concentration: str = "2000 mcg/mL", **tables: Any) -> Prescription:
    return of_dose(dose, drug=at(concentration), pump={"profile": "V-40"}, **tables)


SHORT = valve("0.002 mcg/day", catheter={"path_volume": "0.001 mL"})  # 1 nL a day, one pulse of a valve pump


def small_path(volume: str, dose: str = "200 mcg/day") -> Prescription:
    return of_dose(dose, catheter={"path_volume": volume})


BRIDGE = chapter(
    "bridge",
    row("nothing known of the present", NOW),
    row("nothing known of the present, with a bridge", to("2000 mcg/mL", bridge=AUTO)),
    row("a new pump", NOW, fresh(NOW)),
    row("a pump that lost its configuration", NOW, pump(NOW, **LOST)),
    row("the same concentration", NOW, RUNNING),
    row("the same concentration beside the file", NOW, NOW),
    # a change
    row("no bridge", to("500 mcg/mL"), RUNNING, **FULL),
    row("no bridge, beside the file", to("500 mcg/mL"), NOW),
    row("no bridge, 47.8 h", to("3000 mcg/mL", "300 mcg/day"), small_path("0.199 mL")),
    row("no bridge, 48 h", to("3000 mcg/mL", "300 mcg/day"), small_path("0.2 mL")),
    row("no bridge, 75.8 h", to("500 mcg/mL", "50 mcg/day"), RUNNING, **FULL),
    row("no bridge, 316 days", valve("0.5 mcg/day", "500 mcg/mL"), valve("200 mcg/day")),
    row("no bridge and a stop", prescription(STOP, drug=at("500 mcg/mL")), RUNNING, **FULL),
    row("no bridge, another drug", morphine("400 mcg/day"), RUNNING, **FULL),
    row("bridge refused", to("500 mcg/mL", bridge=REFUSED), RUNNING, **FULL),
    row("bridge refused with a stop", prescription(STOP, drug=at("500 mcg/mL"), bridge=REFUSED), RUNNING, **FULL),
    row("a bridge to a stop", prescription(STOP, drug=at("500 mcg/mL"), bridge=AUTO), RUNNING, **FULL),
    row("a bridge to the minimum rate", prescription(LEAST, drug=at("500 mcg/mL"), bridge=AUTO), RUNNING, **FULL),
    row("another change while a bridge is in force", to("1000 mcg/mL", bridge=AUTO), bridging(), **FULL),
    row("another change while a bridge waits", to("1000 mcg/mL", bridge=AUTO), bridging(run_state=RunState.STOPPED), **FULL),
    row("another change before the path is clear", to("1000 mcg/mL", bridge=AUTO), unclear(), **FULL),
    row("a bridge from 2000 to 500", to("500 mcg/mL", bridge=AUTO), RUNNING, **FULL),
    row("a bridge from 2000 to 500, beside the file", to("500 mcg/mL", bridge=AUTO), NOW),
    row("a bridge to less", to("500 mcg/mL", "150 mcg/day", AUTO), RUNNING, **FULL),
    row("a bridge from a stopped pump gives the new dose", to("500 mcg/mL", "150 mcg/day", AUTO), stopped(NOW, 5), **FULL),
    row("a bridge at the least flow", to("500 mcg/mL", "96 mcg/day", AUTO), of_dose("96 mcg/day")),
    row("a bridge just below the least flow", to("500 mcg/mL", "96 mcg/day", AUTO), of_dose("95.998 mcg/day")),
    row("a bridge at the highest flow", to("3000 mcg/mL", "200 mcg/day", AUTO), to("500 mcg/mL", "12000 mcg/day")),
    row("a bridge just above the highest flow", to("3000 mcg/mL", "200 mcg/day", AUTO), to("500 mcg/mL", "12000.001 mcg/day")),
    row("a bridge of no flow", valve("200 mcg/day", "500 mcg/mL", bridge=AUTO), valve("0 mcg/day")),
    row("a bridge of the least flow", valve("200 mcg/day", "500 mcg/mL", bridge=AUTO), SHORT),
    # the bridge in force
    row("a bridge and no configuration", NOW, bridging(configuration=None)),
    row("a bridge that its configuration does not have", NOW, bridging(0)),
    row("a bridge in force goes on", NOW, bridging()),
    row("a bridge in force and the minimum rate", prescription(LEAST), bridging()),
    row("a bridge in force and a stop", prescription(STOP), bridging()),
    row("a bridge in force as large as path and margin", NOW, bridging(pulses=682)),
    row("a bridge in force larger than path and margin", NOW, bridging(pulses=683)),
    row("a bridge in force 5 percent below the dose", NOW, bridging(380_000)),
    row("a bridge in force just further below the dose", NOW, bridging(379_999)),
    row("a bridge in force 5 percent above the dose", NOW, bridging(420_000)),
    row("a bridge in force just further above the dose", NOW, bridging(420_001)),
    row("a bridge in force and half the dose", of_dose("100 mcg/day"), bridging()),
    row("a bridge that waits in a stopped pump", NOW, bridging(run_state=RunState.STOPPED)),
    row("a bridge in force of another drug", NOW, bridging(path_concentration_ng_per_mL=2_000_000)),
)

PATH = chapter(
    "path",
    row("nothing known of the present", NOW),
    row("a file", NOW, NOW),
    row("a clear path", NOW, RUNNING),
    row("a bridge in force is told by its own rule", NOW, bridging()),
    row("an earlier label", NOW, unclear()),
    row("an earlier label and more by day", prescription(flex(rate("00:00", "6 mcg/h"), rate("12:00", "10 mcg/h"))), unclear()),
    row("the last pulse of an earlier label", NOW, unclear(path_left_pulses=1)),
    row("an earlier label of another drug", NOW, unclear(path_concentration_ng_per_mL=2_000_000)),
    row("an earlier label and a stop", prescription(STOP), unclear()),
    row("an earlier label and no flow", valve("0 mcg/day"), unclear(valve("200 mcg/day"))),
    row("an earlier label and another change", to("1000 mcg/mL", bridge=AUTO), unclear(), **FULL),
    row("an earlier label and another change, bridge refused", to("1000 mcg/mL", bridge=REFUSED), unclear(), **FULL),
    row("an earlier label and another change of a stopped pump", to("1000 mcg/mL", bridge=AUTO), unclear(
        run_state=RunState.STOPPED), **FULL),
    row("an earlier label and another change in a safe state", to("1000 mcg/mL", bridge=AUTO), unclear(
        run_state=RunState.SAFE, mode=Mode.MINIMUM_RATE), **FULL),
)  # fmt: skip

LOST_CONFIGURATION = chapter(
    "lost-configuration",
    row("nothing known of the present", NOW),
    row("a pump that knows its own", NOW, RUNNING),
    row("a new pump", NOW, fresh(NOW)),
    row("without a refill", NOW, pump(NOW, **LOST)),
    row("with a refill", NOW, pump(NOW, **LOST), **FULL),
    row("with a refill and a stop", prescription(STOP), pump(NOW, **LOST), **FULL),
)

LABEL = chapter(
    "label",
    row("nothing known of the present", to("500 mcg/mL", bridge=AUTO)),
    row("a file", to("500 mcg/mL", bridge=AUTO), NOW),
    row("a new pump", NOW, fresh(NOW)),
    row("the same", NOW, RUNNING),
    row("another concentration", to("500 mcg/mL", bridge=AUTO), RUNNING),
    row("another drug", morphine("400 mcg/day"), RUNNING),
    row("another concentration with its refill", to("500 mcg/mL", bridge=AUTO), RUNNING, **FULL),
)


# ------------------------------------------------------------------------------------------------ what a refill tells
def refill(
    more_nL: int | None, counted: str | None = "36 mL", *, expected: str = "1.4 mL", tolerance_nL: int | None = None
) -> dict[str, Any]:
    """A refill that found this much more than expected; `counted` was given since the last fill by the pump's own count."""
    awaited, given, filled = Volume.parse(expected).nL, None if counted is None else Volume.parse(counted).nL, 30_000_000
    if more_nL is None:
        return {"refill": Refill(None, awaited, filled, P40.residual.nL + filled, Discrepancy(None, None))}
    if given is not None and tolerance_nL is None:
        tolerance_nL = READING_ERROR_NL - (-given * P40.accuracy_ppm // 1_000_000)
    return {"refill": Refill(awaited, awaited + more_nL, filled, P40.residual.nL + filled, Discrepancy(more_nL, tolerance_nL), given)}


ONE_NL, TWO_ML, FIFTH = 1, 2_000_000, 7_700_000  # a fifth of 36 mL, and 0.5 mL that a misread syringe explains
DISCREPANCY = chapter(
    "refill-discrepancy",
    row("no refill", NOW, RUNNING),
    row("only the volume afterwards", NOW, RUNNING, **FULL),
    row("as expected", NOW, RUNNING, **refill(0)),
    row("the pump has lost its count", NOW, pump(NOW, **LOST), **refill(None)),
    row("2 mL more", NOW, RUNNING, **refill(TWO_ML)),
    row("just over 2 mL more", NOW, RUNNING, **refill(TWO_ML + ONE_NL)),
    row("2 mL less", NOW, RUNNING, **refill(-TWO_ML, expected="9 mL")),
    row("just over 2 mL less", NOW, RUNNING, **refill(-TWO_ML - ONE_NL, expected="9 mL")),
    row("within the accuracy of 6 mL given", NOW, RUNNING, **refill(1_370_000, "6 mL")),
    row("just outside the accuracy of 6 mL given", NOW, RUNNING, **refill(1_370_001, "6 mL")),
    row("just outside both", NOW, RUNNING, **refill(5_720_001)),
    row("outside both, less", NOW, RUNNING, **refill(-6_000_000, expected="9 mL")),
    row("2.5 mL more, nobody knows since when", NOW, RUNNING, **refill(2_500_000, None)),
    row("the least more of a pump without any tolerance", NOW, RUNNING, **refill(ONE_NL, "0 mL", tolerance_nL=0)),
)

UNDER_DELIVERY = chapter(
    "under-delivery",
    row("no refill", NOW, RUNNING),
    row("only the volume afterwards", NOW, RUNNING, **FULL),
    row("as expected", NOW, RUNNING, **refill(0)),
    row("the pump has lost its count", NOW, pump(NOW, **LOST), **refill(None)),
    row("a stop", prescription(STOP), RUNNING, **refill(17_600_000)),
    row("17.6 mL more of 36 mL", NOW, RUNNING, **refill(17_600_000)),
    row("17.6 mL more of 36 mL, nothing known of the present", NOW, **refill(17_600_000)),
    row("17.6 mL more of 36 mL, the pump has lost its configuration", NOW, pump(NOW, **LOST), **refill(17_600_000)),
    row("17.6 mL more of 36 mL, a new pump", NOW, fresh(NOW), **refill(17_600_000)),
    row("17.6 mL more of 36 mL, in a pump that was stopped", NOW, stopped(NOW, 5), **refill(17_600_000)),
    row("17.6 mL more of 36 mL, beside the file", NOW, NOW, **refill(17_600_000)),
    row("17.6 mL more of 36 mL, beside a file that is stopped", NOW, prescription(STOP), **refill(17_600_000)),
    row("a fifth of what was counted", NOW, RUNNING, **refill(FIFTH)),
    row("just above a fifth of what was counted", NOW, RUNNING, **refill(FIFTH + ONE_NL)),
    row("all that was counted, misread or not", NOW, RUNNING, **refill(36_500_000)),
    row("more left than was counted", NOW, RUNNING, **refill(36_500_001)),
    row("all but the least of what was counted", NOW, RUNNING, **refill(36_499_999)),
    row("less than expected", NOW, RUNNING, **refill(-6_000_000, expected="9 mL")),
    row("1 mL more, nobody knows since when", NOW, RUNNING, **refill(1_000_000, None)),
    row("3 mL more, nobody knows since when", NOW, RUNNING, **refill(3_000_000, None)),
    row("3 mL more than nothing, nobody knows since when", NOW, RUNNING, **refill(3_000_000, None, expected="0 mL")),
    row("3 mL less, nobody knows since when", NOW, RUNNING, **refill(-3_000_000, None, expected="9 mL")),
    row("3 mL more though nothing was given", NOW, RUNNING, **refill(3_000_000, "0 mL")),
    row("3 mL more though the least was given", NOW, RUNNING, **refill(3_000_000, "0.000001 mL")),
    row("the least more though nothing was given, without any tolerance", NOW, RUNNING, **refill(ONE_NL, "0 mL", tolerance_nL=0)),
    row("less than a misread syringe, without any tolerance", NOW, RUNNING, **refill(400_000, "1 mL", tolerance_nL=0)),
)

PATH_CHAPTERS: Chapter = {**BRIDGE, **PATH, **LOST_CONFIGURATION, **LABEL, **DISCREPANCY, **UNDER_DELIVERY}
