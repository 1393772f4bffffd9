"""What the trumpet of an ideal pulsatile pump must be: equal pulses, one every τ, whose mean flow is exactly what was set.

Phase covering (safety 1.5, checked by simulation): a window P holds ⌊P/τ⌋ or ⌈P/τ⌉ pulses, so Ep(max) = 100 (⌈P/τ⌉ τ/P − 1) and
Ep(min) = 100 (⌊P/τ⌋ τ/P − 1), as soon as the windows meet both. Windows begin every S, so that their phases are the multiples of
gcd(S, τ): `windows_needed` is how many of them meet each. Not modelled: pulses that differ, a flow that changes.
"""

from __future__ import annotations

from fractions import Fraction

from itbpump.hil.accuracy.errors import AccuracyError

__all__ = ["cycle_time_ms", "pulsatile_trumpet", "windows_needed"]

DAY_MS = 86_400_000


def cycle_time_ms(pulse_volume_nL: int, flow_nL_per_day: int) -> Fraction:
    """τ of a pump that gives one pulse after another, exact. Raises AccuracyError for no flow."""
    if flow_nL_per_day <= 0 or pulse_volume_nL <= 0:
        raise AccuracyError(f"{pulse_volume_nL} nL at {flow_nL_per_day} nL/day is no train of pulses", "give both above zero")
    return Fraction(pulse_volume_nL * DAY_MS, flow_nL_per_day)


def pulsatile_trumpet(window_ms: int, cycle_ms: int | Fraction) -> tuple[Fraction, Fraction]:
    """(Ep(min), Ep(max)) of a window, percent. Raises AccuracyError unless both times are above zero."""
    if window_ms <= 0 or cycle_ms <= 0:
        raise AccuracyError(f"a window of {window_ms} ms and a cycle of {cycle_ms} ms", "give times above zero")
    cycle = Fraction(cycle_ms)
    fewest, most = window_ms // cycle, -(-window_ms // cycle)
    return 100 * (fewest * cycle / window_ms - 1), 100 * (most * cycle / window_ms - 1)


def windows_needed(step_ms: int, cycle_ms: int | Fraction) -> int:
    """How many windows in succession meet every phase: τ / gcd(S, τ). Raises AccuracyError unless both are above zero."""
    if step_ms <= 0 or cycle_ms <= 0:
        raise AccuracyError(f"samples every {step_ms} ms and a cycle of {cycle_ms} ms", "give times above zero")
    return (Fraction(cycle_ms) / step_ms).numerator
