"""The trumpet by the letter of its definition: a sum over each window of each length. Slow on purpose; what the fast ways are held to."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from itbpump.hil.accuracy import TrumpetPoint

DAY_MS = 86_400_000


def naive_trumpet(volumes_nL: Sequence[int], step_ms: int, flow_nL_per_day: int, windows_ms: Sequence[int]) -> list[TrumpetPoint]:
    """For volumes given in one sample after another, nL. Deviations are summed as whole nL·ms per day, so that nothing is rounded."""
    deviations = [volume_nL * DAY_MS - flow_nL_per_day * step_ms for volume_nL in volumes_nL]
    points = []
    for window_ms in windows_ms:
        samples = window_ms // step_ms
        lowest: int | None = None
        highest: int | None = None
        windows = 0
        for begin in range(len(volumes_nL) - samples + 1):
            deviation = 0
            for place in range(begin, begin + samples):
                deviation += deviations[place]
            lowest = deviation if lowest is None or deviation < lowest else lowest
            highest = deviation if highest is None or deviation > highest else highest
            windows += 1
        assert lowest is not None
        assert highest is not None
        whole = flow_nL_per_day * window_ms
        points.append(TrumpetPoint(window_ms, windows, Fraction(100 * lowest, whole), Fraction(100 * highest, whole)))
    return points
