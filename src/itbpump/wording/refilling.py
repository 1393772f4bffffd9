"""A refill as rows: expected against aspirated with both tests, and the volume afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from itbpump.wording.layout import rows

if TYPE_CHECKING:
    from itbpump.refill import Discrepancy, Refill

__all__ = ["refill_lines", "signed"]


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
            ("difference", f"{signed(found.difference_nL)}: {found.meaning}"),
            ("test, clinic's 2 mL", f"{'FIRED' if found.above_clinic_limit else 'passed'}: the limit is {Volume(CLINIC_LIMIT_NL)}"),
            ("test, pump's accuracy", _accuracy_text(found)),
        ]
    return rows(
        [
            ("expected in the syringe", expected),
            ("aspirated", str(Volume(plan.aspirated_nL))),
            *tests,
            ("filled", str(Volume(plan.filled_nL))),
            ("in the reservoir then", f"{plan.volume_after} (with the residual)"),
        ],
        indent="  ",
    )


def _accuracy_text(found: Discrepancy) -> str:
    from itbpump.quantity import Volume

    if found.tolerance_nL is None:
        return "not checked: the log no longer shows the last fill"
    explained = Volume(found.tolerance_nL // 1_000 * 1_000)
    return f"{'FIRED' if found.outside_accuracy else 'passed'}: its accuracy and the reading of syringes explain up to {explained}"


def signed(nL: int) -> str:
    """A difference of volumes: `+0.3 mL`, `−28 mL`."""
    from itbpump.quantity import Volume

    return f"{'−' if nL < 0 else '+'}{Volume(abs(nL))}" if nL else str(Volume(0))
