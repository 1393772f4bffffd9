"""What the pump must read back from a staged command, computed by the companion's own schedule, and the comparison by machine.

Pure. Rounding as itbp1.toml says at ReadBack. Not here: what to do about a difference (the transaction never commits then).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from itbpump.configuration import configuration_digest, mass_of_units, patient_allotment_units, schedule_for
from itbpump.wire.messages import BolusOrder, CommandKind, Configuration, ReadBack, encode_bolus_order

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile

__all__ = ["ReadBackFigures", "compare_bolus_read_back", "compare_read_back", "expected_read_back"]

WEEKDAY_FIELDS: Final = ("monday_ng", "tuesday_ng", "wednesday_ng", "thursday_ng", "friday_ng", "saturday_ng", "sunday_ng")


@dataclass(frozen=True, slots=True)
class ReadBackFigures:
    """The companion's own figures for what the pump computes from a staged configuration; ng."""

    concentration_ng_per_mL: int
    days_ng: tuple[int, ...]
    max_24h_ng: int


def expected_read_back(configuration: Configuration, profile: PumpProfile) -> ReadBackFigures:
    """Weekday masses rounded down, largest 24 h with all patient boluses rounded up (itbp1.toml, ReadBack)."""
    schedule, concentration = schedule_for(configuration, profile), configuration.concentration_ng_per_mL
    largest = schedule.max_window_units()[0] + patient_allotment_units(configuration, profile)
    return ReadBackFigures(
        concentration_ng_per_mL=concentration,
        days_ng=tuple(int(mass_of_units(schedule.day_units(day), concentration) // 1) for day in range(7)),
        max_24h_ng=-int(-mass_of_units(largest, concentration) // 1),
    )


def compare_read_back(configuration: Configuration, read_back: ReadBack, profile: PumpProfile) -> tuple[str, ...]:
    """What the pump understood otherwise than the companion, in words; empty when they agree. Nothing is committed unless it is empty."""
    expected = expected_read_back(configuration, profile)
    wanted: dict[str, object] = {
        "kind": CommandKind.CONFIGURE,
        "digest": configuration_digest(configuration),
        "concentration_ng_per_mL": expected.concentration_ng_per_mL,
        "max_24h_ng": expected.max_24h_ng,
        **dict(zip(WEEKDAY_FIELDS, expected.days_ng, strict=True)),
    }
    return _differences(read_back, wanted)


def compare_bolus_read_back(order: BolusOrder, read_back: ReadBack, concentration_ng_per_mL: int, profile: PumpProfile) -> tuple[str, ...]:
    """The same for a bolus: pulses, mass (rounded down) and duration."""
    pulses = order.to_counter - order.from_counter
    wanted: dict[str, object] = {
        "kind": CommandKind.BOLUS,
        "digest": hashlib.sha256(encode_bolus_order(order)).digest(),
        "concentration_ng_per_mL": concentration_ng_per_mL,
        "bolus_pulses": pulses,
        "bolus_ng": pulses * profile.pulse_volume.nL * concentration_ng_per_mL // 1_000_000,
        "bolus_duration_s": order.duration_s,
    }
    return _differences(read_back, wanted)


def _differences(read_back: ReadBack, wanted: dict[str, object]) -> tuple[str, ...]:
    found = ((name, getattr(read_back, name), value) for name, value in wanted.items())
    return tuple(f"{name}: the pump reads {_shown(got)}, sent was {_shown(value)}" for name, got, value in found if got != value)


def _shown(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)
