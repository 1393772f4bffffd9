"""`itbpump refill`: what came out against what was expected, what goes in, and the pump told of both as one unit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import NEEDS_OVERRIDE, CommandError, Output
from itbpump.cli.outcomes import outcome_json, require_applied
from itbpump.cli.pumps import opened
from itbpump.cli.reviewing import Overrides, Second, User, Yes, confirm, pass_review, read_overrides, show_review

if TYPE_CHECKING:
    from itbpump.configuration import PresentPump
    from itbpump.pump import Pump
    from itbpump.refill import Discrepancy, Refill
    from itbpump.therapy import Prescription

__all__ = ["RULE", "refill", "refill_json", "refill_lines"]

RULE = "refill-discrepancy"


def refill(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump.")],
    aspirated: Annotated[str, typer.Option(help='What was drawn out, such as "2.1 mL".')],
    filled: Annotated[str, typer.Option(help='What was filled in, such as "38 mL".')],
    *,
    rx: Annotated[Path | None, typer.Option(metavar="RX", help="The new prescription; needed for another drug or concentration.")] = None,
    override: Overrides = None,
    user: User = "",
    second: Second = "",
    yes: Yes = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Tell the pump of a refill. Both discrepancy tests are made; one that fires needs a recorded reason. A stopped pump stays stopped."""
    from itbpump.quantity import Volume
    from itbpump.refill import Refill
    from itbpump.therapy import load_prescription

    out = Output(as_json)
    drawn, put_in = Volume.parse(aspirated), Volume.parse(filled)
    new = load_prescription(rx) if rx is not None else None
    with opened(url, dosing=True) as line:
        present = line.present()
        if present.has_lost_its_configuration and new is None:
            raise CommandError("the pump has lost its therapy; a refill must come with it: add --rx RX; nothing was sent")
        if present.configuration is None and new is None:
            raise CommandError("the pump has no therapy yet; a first filling is part of it: itbpump program RX --pump URL")
        plan = Refill.plan(drawn, put_in, present, line.profile, line.log())
        out.say(f"Refill of pump {line.info.serial}, {line.info.profile}", *refill_lines(plan))
        reasons = read_overrides(override)
        data: dict[str, Any] = {"refill": refill_json(plan)}
        _judge_discrepancy(plan, reasons, data)
        if new is not None:
            data |= _judge_prescription(out, new, plan, present, line, reasons=reasons, user=user, second=second)
        elif set(reasons) - {RULE}:
            raise CommandError(f"nothing to override for {', '.join(sorted(set(reasons) - {RULE}))} in this refill", 2)
        confirm(out, 'Type "yes" to tell the pump; anything else cancels:', ["yes"], yes=yes)
        outcome, _ = line.refill(drawn, put_in, new, present)
        require_applied(out, outcome, url, data)
        for text in _after(line):
            out.say(text)
        out.data({**data, **outcome_json(outcome)})


def refill_lines(plan: Refill) -> list[str]:
    """Expected against aspirated with both tests, and the volume afterwards."""
    from itbpump.quantity import Volume
    from itbpump.refill import CLINIC_LIMIT_NL

    found = plan.discrepancy
    if plan.expected_nL is None or found.difference_nL is None:
        expected, tests = f"not known ({found.meaning})", []
    else:
        expected = f"{Volume(plan.expected_nL)} (counted, without the residual that no needle reaches)"
        tests = [
            f"  difference:               {signed(found.difference_nL)}: {found.meaning}",
            f"  test, clinic's 2 mL:      {'FIRED' if found.above_clinic_limit else 'passed'}: the limit is {Volume(CLINIC_LIMIT_NL)}",
            f"  test, pump's accuracy:    {_accuracy_text(found)}",
        ]
    return [
        f"  expected in the syringe:  {expected}",
        f"  aspirated:                {Volume(plan.aspirated_nL)}",
        *tests,
        f"  filled:                   {Volume(plan.filled_nL)}",
        f"  in the reservoir then:    {plan.volume_after} (with the residual)",
    ]


def _accuracy_text(found: Discrepancy) -> str:
    from itbpump.quantity import Volume

    if found.tolerance_nL is None:
        return "not checked: the log no longer shows the last fill"
    explained = Volume(found.tolerance_nL // 1_000 * 1_000)
    return f"{'FIRED' if found.outside_accuracy else 'passed'}: the pump's accuracy explains up to {explained}"


def signed(nL: int) -> str:
    """A difference of volumes: `+0.3 mL`, `−28 mL`."""
    from itbpump.quantity import Volume

    return f"{'−' if nL < 0 else '+'}{Volume(abs(nL))}" if nL else str(Volume(0))


def refill_json(plan: Refill) -> dict[str, Any]:
    """The figures for programs; the difference carries a sign."""
    from itbpump.quantity import Volume

    found = plan.discrepancy
    difference = None if found.difference_nL is None else _signed_json(found.difference_nL)
    return {
        "expected": Volume(plan.expected_nL).json() if plan.expected_nL is not None else None,
        "aspirated": Volume(plan.aspirated_nL).json(),
        "filled": Volume(plan.filled_nL).json(),
        "volume_after": plan.volume_after.json(),
        "difference": difference,
        "above_clinic_limit": found.above_clinic_limit,
        "outside_accuracy": found.outside_accuracy,
        "tolerance": Volume(found.tolerance_nL).json() if found.tolerance_nL is not None else None,
        "meaning": found.meaning,
    }


def _signed_json(nL: int) -> dict[str, str]:
    from itbpump.quantity import Volume, number_text

    magnitude = Volume(abs(nL)).json()
    return {**magnitude, "value": number_text(0) if not nL else ("-" if nL < 0 else "") + magnitude["value"]}


def _judge_discrepancy(plan: Refill, reasons: dict[str, str], data: dict[str, Any]) -> None:
    """SR-38: a difference that fires a test needs a reason; one without a difference needs none. CommandError 3, 2."""
    difference = plan.discrepancy.difference_nL
    if difference is None or not plan.discrepancy.suspicious:
        if RULE in reasons:
            why = "both tests passed" if difference is not None else "no test could be made"
            raise CommandError(f"nothing to override for {RULE!r}: {why}", 2)
        return
    if not reasons.get(RULE):
        raise CommandError(
            f"{signed(difference)}: {plan.discrepancy.meaning}\n"
            f"measure again, look for the cause, then record the decision: --override {RULE}=REASON; nothing was sent",
            NEEDS_OVERRIDE,
            {**data, "outcome": "not sent"},
        )
    data["discrepancy_reason"] = reasons[RULE]


def _judge_prescription(
    out: Output, new: Prescription, plan: Refill, present: PresentPump, line: Pump, *, reasons: dict[str, str], user: str, second: str
) -> dict[str, Any]:
    """The review of the prescription that comes with the refill. Raises as `pass_review`, and WrongPump."""
    from itbpump.pump import WrongPump
    from itbpump.safety import review

    if new.pump.profile != line.info.profile:
        raise WrongPump(new.pump.profile, line.info.profile)
    found = review(new, present, profile=line.profile, refill=plan.volume_after)
    show_review(out, "\nPrescription after the refill", found)
    others = [f"{rule}={reason}" for rule, reason in reasons.items() if rule != RULE]
    decision = pass_review(found, others, user, second)
    return {"review": found.json(), "overrides": [item.json() for item in decision.overrides]}


def _after(line: Pump) -> list[str]:
    """What the pump says afterwards, and how long that lasts."""
    from itbpump.quantity import Volume
    from itbpump.therapy_view import view_configuration

    now, configuration = line.status(), line.configuration()
    if configuration is None:
        raise CommandError("the pump has no configuration after the refill; read it: itbpump status URL")
    view = view_configuration(configuration, line.profile)
    days = view.days_to(Volume(now.reservoir_nL), Volume(now.low_alarm_nL), with_patient=True)
    lasting = (
        "no flow, so no alarm by the count"
        if days is None
        else f"the low-reservoir alarm comes after {days:,} days by the count, every patient bolus included"
    )
    return [f"Reservoir {Volume(now.reservoir_nL)}, {now.run_state.name.lower()}; {lasting}."]
