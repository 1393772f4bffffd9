"""One whole configuration in wire units, from which firmware and system tests make theirs by naming what differs."""

from __future__ import annotations

from msgspec.structs import replace

from itbpump.wire.messages import Configuration, Mode

__all__ = ["CONTINUOUS", "configuration_of"]

CONTINUOUS = Configuration(
    layout=1,
    drug="baclofen",
    concentration_ng_per_mL=2_000_000,
    reservoir_set=False,
    reservoir_volume_nL=0,
    path_volume_nL=316_000,
    low_alarm_nL=6_500_000,
    empty_alarm_nL=1_400_000,
    week_offset_ms=0,
    start=True,
    mode=Mode.CONTINUOUS,
    flow_nL_per_day=100_000,
    periodic_pulses=0,
    periodic_duration_min=0,
    periodic_every_min=0,
    patterns=(),
    bridge_flow_nL_per_day=0,
    bridge_pulses=0,
    patient_pulses=0,
    patient_duration_min=0,
    patient_lockout_min=0,
    patient_max_per_day=0,
)
"""0.1 mL/day of 2,000 mcg/mL, started in a P-40 whose reservoir is left as it is."""


def configuration_of(**changes: object) -> Configuration:
    """`CONTINUOUS`, changed as told. Unknown fields raise TypeError."""
    return replace(CONTINUOUS, **changes)
