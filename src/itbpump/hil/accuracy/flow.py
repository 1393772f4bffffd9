"""Errors of a flow: mean, trumpet, share of windows, start-up; exact fractions of the sampled whole nL.

Definitions (safety 1.5, method after IEC 60601-2-24): flow of a sample Q_i = (V_i − V_{i−1}) / S; mean error A = 100 (Q − r) / r over the
period; Ep(max) of a window P = the greatest, over all windows of P / S samples in the period, of the mean of 100 (Q_i − r) / r in it,
which is 100 (V_{j+P/S} − V_j − r P) / (r P); Ep(min) the least. A trumpet's abscissa is the length of the window, and it shows extremes
only: the share of 1-h windows stands beside it. A period that is no whole number of pump cycles shows an error that is none
(doi 10.1515/bmt-2022-0040): `mean_error_over_cycles`. Not here: limits, and what a pump may be expected to do (`oracle`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from itbpump.hil.accuracy.errors import AccuracyError
from itbpump.hil.accuracy.method import FlowMethod, WindowSet, load_method
from itbpump.hil.accuracy.samples import Samples
from itbpump.hil.accuracy.windows import WindowVolumes, best_way

__all__ = [
    "FlowReport",
    "Share",
    "TrumpetPoint",
    "analyse",
    "error_percent",
    "mean_error_of_pulses",
    "mean_error_over_cycles",
    "mean_error_percent",
    "share_within",
    "startup_curve",
    "trumpet",
]

DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class TrumpetPoint:
    """One window length: how many windows there were, and the errors of the emptiest and the fullest, percent of what was set."""

    window_ms: int
    windows: int
    min_percent: Fraction
    max_percent: Fraction


@dataclass(frozen=True, slots=True)
class Share:
    """Windows of one length, one at every sample, and how many of them lie within the tolerance (inclusive)."""

    window_ms: int
    within_percent: int
    windows: int
    within: int

    @property
    def percent(self) -> Fraction:
        """Share of windows within, percent."""
        return Fraction(100 * self.within, self.windows)


@dataclass(frozen=True, slots=True)
class FlowReport:
    """Analysis of a settled flow. `short` and `long` are its trumpets; `mean_over_cycles_percent` is None without a cycle time."""

    flow_nL_per_day: int
    period_ms: int
    mean_error_percent: Fraction
    mean_over_cycles_percent: Fraction | None
    short: tuple[TrumpetPoint, ...]
    long: tuple[TrumpetPoint, ...]
    share: Share


def error_percent(volume_nL: int, time_ms: int, flow_nL_per_day: int | Fraction) -> Fraction:
    """By how much a volume differs from what a flow gives in a time, percent of the latter. Raises AccuracyError for no flow or no time."""
    if flow_nL_per_day <= 0 or time_ms <= 0:
        raise AccuracyError(
            f"{flow_nL_per_day} nL/day over {time_ms} ms gives nothing to compare with", "give a flow and a time above zero"
        )
    due = flow_nL_per_day.numerator * time_ms  # of whole numbers as far as possible: a fraction is brought to lowest terms only once
    return Fraction(100 * (volume_nL * DAY_MS * flow_nL_per_day.denominator - due), due)


def mean_error_percent(samples: Samples, flow_nL_per_day: int | Fraction) -> Fraction:
    """A: mean error over the whole period, percent."""
    return error_percent(samples.volume_nL, samples.period_ms, flow_nL_per_day)


def mean_error_over_cycles(samples: Samples, flow_nL_per_day: int | Fraction, cycle_ms: int | Fraction) -> Fraction:
    """A over the longest part, from the start, that is a whole number of cycles and of samples. AccuracyError where there is none."""
    cycle = Fraction(cycle_ms)
    if cycle <= 0:
        raise AccuracyError(f"a cycle of {cycle_ms} ms", "give a time above zero")
    both_ms = _common_ms(samples.step_ms, cycle)
    whole_ms = samples.period_ms // both_ms * both_ms
    if not whole_ms:
        raise AccuracyError(
            f"no sample within {samples.period_ms} ms ends a cycle of {cycle_ms} ms", "sample longer, or take the pulses themselves"
        )
    return mean_error_percent(samples.between(samples.start_ms, samples.start_ms + whole_ms), flow_nL_per_day)


def _common_ms(step_ms: int, cycle_ms: Fraction) -> int:
    """Least common multiple of a sample and a cycle: the smallest whole number of samples that is a whole number of cycles."""
    ratio = Fraction(step_ms) / cycle_ms
    return step_ms * ratio.denominator


def mean_error_of_pulses(pulses: Sequence[tuple[int, int]], flow_nL_per_day: int | Fraction, pulses_per_cycle: int = 1) -> Fraction:
    """A over the most whole cycles that pulses (time in ms, volume in nL) span: from the first pulse, which opens the first cycle.

    `pulses_per_cycle`: 1 for a steady train, the pulses of a turn where a rotor scatters. Raises AccuracyError for less than a cycle.
    """
    cycles = (len(pulses) - 1) // pulses_per_cycle if pulses_per_cycle > 0 else 0
    if cycles < 1:
        raise AccuracyError(f"{len(pulses)} pulses hold no cycle of {pulses_per_cycle}", "take more of them")
    last = cycles * pulses_per_cycle
    given_nL = sum(volume_nL for _, volume_nL in pulses[1 : last + 1])
    return error_percent(given_nL, pulses[last][0] - pulses[0][0], flow_nL_per_day)


def trumpet(
    samples: Samples, flow_nL_per_day: int | Fraction, windows_ms: Sequence[int], way: WindowVolumes | None = None
) -> tuple[TrumpetPoint, ...]:
    """Ep(min) and Ep(max) for each window, in the order given. Raises AccuracyError for a window that is no whole number of samples, or
    longer than the period."""
    points = []
    for window_ms in windows_ms:
        count, least_nL, most_nL = (way or best_way()).extremes(samples.cumulative_nL, _samples_of(samples, window_ms))
        errors = (error_percent(volume_nL, window_ms, flow_nL_per_day) for volume_nL in (least_nL, most_nL))
        points.append(TrumpetPoint(window_ms, count, *errors))
    return tuple(points)


def share_within(
    samples: Samples, flow_nL_per_day: int | Fraction, window_ms: int, within_percent: int, way: WindowVolumes | None = None
) -> Share:
    """How many windows, one at every sample, are within ± `within_percent` of what was set. Raises AccuracyError as `trumpet`."""
    count = _samples_of(samples, window_ms)
    if flow_nL_per_day <= 0 or not 0 <= within_percent <= 100:
        raise AccuracyError(f"{within_percent} % of {flow_nL_per_day} nL/day", "give 0 to 100 %, and a flow above zero")
    set_nL = Fraction(flow_nL_per_day) * window_ms / DAY_MS
    low = -(-set_nL * (100 - within_percent) // 100)
    high = set_nL * (100 + within_percent) // 100
    within = (way or best_way()).within(samples.cumulative_nL, count, int(low), int(high))
    return Share(window_ms, within_percent, len(samples.cumulative_nL) - count, within)


def startup_curve(samples: Samples, span_ms: int, average_ms: int | None = None) -> tuple[tuple[int, Fraction], ...]:
    """Flow against time since the start, (ms, nL per day), at each sample's end up to `span_ms`.

    Averaged over the `average_ms` before it: by default one sample; a whole cycle shows a pulsatile pump as it is meant. The curve begins
    when the first average is complete. Raises AccuracyError as `trumpet`, for both times.
    """
    average = samples.step_ms if average_ms is None else average_ms
    span, count = _samples_of(samples, span_ms), _samples_of(samples, average)
    given = samples.cumulative_nL
    return tuple(
        (place * samples.step_ms, Fraction((given[place] - given[place - count]) * DAY_MS, average)) for place in range(count, span + 1)
    )


def analyse(samples: Samples, flow_nL_per_day: int, cycle_ms: int | Fraction | None = None, method: FlowMethod | None = None) -> FlowReport:
    """Everything about a settled flow, from samples as fine as the short set's. AccuracyError where they do not fit, or are too short."""
    how = method or load_method()
    return FlowReport(
        flow_nL_per_day=flow_nL_per_day,
        period_ms=samples.period_ms,
        mean_error_percent=mean_error_percent(samples, flow_nL_per_day),
        mean_over_cycles_percent=None if cycle_ms is None else mean_error_over_cycles(samples, flow_nL_per_day, cycle_ms),
        short=_set(samples, flow_nL_per_day, how.short),
        long=_set(samples, flow_nL_per_day, how.long),
        share=share_within(samples, flow_nL_per_day, how.share_window_ms, how.share_within_percent),
    )


def _set(samples: Samples, flow_nL_per_day: int, windows: WindowSet) -> tuple[TrumpetPoint, ...]:
    return trumpet(samples.coarser(windows.step_ms), flow_nL_per_day, windows.windows_ms)


def _samples_of(samples: Samples, window_ms: int) -> int:
    count, rest = divmod(window_ms, samples.step_ms)
    if rest or not 1 <= count < len(samples.cumulative_nL):
        raise AccuracyError(
            f"a window of {window_ms} ms does not fit {samples.period_ms} ms of samples every {samples.step_ms} ms",
            "give a whole number of samples, and no more than there are",
        )
    return count
