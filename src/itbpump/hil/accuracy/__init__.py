"""Accuracy of a flow and of boluses, by a method after IEC 60601-2-24: whole nL in, exact fractions out (`safety.md` 1.5).

    samples = Samples.from_pulses(((pulse.at_ms, pulse.volume_nL) for pulse in plant.pulses(begin, end)), begin, 30_000, 2_880)
    report = analyse(samples, flow_nL_per_day=100_000)

A standard's method is borrowed for a kind of pump that its scope excludes: nothing here says that a pump conforms to it.
"""

from itbpump.hil.accuracy.boluses import BolusStatistics, bolus_statistics
from itbpump.hil.accuracy.errors import AccuracyError
from itbpump.hil.accuracy.flow import (
    FlowReport,
    Share,
    TrumpetPoint,
    analyse,
    error_percent,
    mean_error_of_pulses,
    mean_error_over_cycles,
    mean_error_percent,
    share_within,
    startup_curve,
    trumpet,
)
from itbpump.hil.accuracy.method import FlowMethod, WindowSet, load_method
from itbpump.hil.accuracy.oracle import cycle_time_ms, pulsatile_trumpet, windows_needed
from itbpump.hil.accuracy.samples import Samples

__all__ = [
    "AccuracyError",
    "BolusStatistics",
    "FlowMethod",
    "FlowReport",
    "Samples",
    "Share",
    "TrumpetPoint",
    "WindowSet",
    "analyse",
    "bolus_statistics",
    "cycle_time_ms",
    "error_percent",
    "load_method",
    "mean_error_of_pulses",
    "mean_error_over_cycles",
    "mean_error_percent",
    "pulsatile_trumpet",
    "share_within",
    "startup_curve",
    "trumpet",
    "windows_needed",
]
