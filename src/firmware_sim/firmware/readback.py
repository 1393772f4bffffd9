"""What the pump understood of staged data, in figures a programmer compares with its own before it commits.

The figures come from the same compiled cycle that will deliver, so that a mistake in it shows before a pulse is given; nothing is taken
over from the programmer. Masses are rounded down, the 24-h maximum up. Not included: bridge and what was given before (`limits`).
"""

from __future__ import annotations

from firmware_sim.firmware.cycle import compile_cycle
from firmware_sim.firmware.ledger import mass_ng, mass_ng_up
from firmware_sim.firmware.limits import NL_PER_ML, max_pattern_mass_units_24h
from firmware_sim.profiles import FirmwareProfile
from itbpump.wire.messages import BolusOrder, CommandKind, Configuration, ReadBack

__all__ = ["bolus_read_back", "configuration_read_back"]


def configuration_read_back(
    configuration: Configuration,
    profile: FirmwareProfile,
    anchor_ms: int,
    *,
    cmd_id: int,
    digest: bytes,
    base_revision: int,
    current_revision: int,
) -> ReadBack:
    """Read-back of a staged configuration that `limits.check_configuration` has passed; its bolus fields are 0.

    anchor_ms: as it would be after the commit (`cycle.periodic_anchor_ms`). digest: SHA-256 of the staged bytes, 32 bytes.
    A therapy that is not a weekly one gives each day its 24-h mean. Raises CycleError for a configuration without meaning.
    """
    cycle = compile_cycle(configuration, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, anchor_ms)
    concentration = configuration.concentration_ng_per_mL
    monday, tuesday, wednesday, thursday, friday, saturday, sunday = (mass_ng(units * concentration) for units in cycle.day_volume_units())
    return ReadBack(
        cmd_id=cmd_id,
        kind=CommandKind.CONFIGURE,
        digest=digest,
        base_revision=base_revision,
        current_revision=current_revision,
        concentration_ng_per_mL=concentration,
        monday_ng=monday,
        tuesday_ng=tuesday,
        wednesday_ng=wednesday,
        thursday_ng=thursday,
        friday_ng=friday,
        saturday_ng=saturday,
        sunday_ng=sunday,
        max_24h_ng=mass_ng_up(max_pattern_mass_units_24h(configuration, cycle, profile.pulse_volume_nL)),
        bolus_pulses=0,
        bolus_ng=0,
        bolus_duration_s=0,
    )


def bolus_read_back(
    order: BolusOrder,
    active: Configuration,
    profile: FirmwareProfile,
    *,
    cmd_id: int,
    digest: bytes,
    base_revision: int,
    current_revision: int,
) -> ReadBack:
    """Read-back of a staged bolus that `limits.check_bolus` has passed; its pattern fields are 0. Mass at the active concentration."""
    pulses = order.to_counter - order.from_counter
    if pulses <= 0:
        raise ValueError(f"a bolus from counter {order.from_counter} to {order.to_counter} has no pulses; stage a corrected order")
    return ReadBack(
        cmd_id=cmd_id,
        kind=CommandKind.BOLUS,
        digest=digest,
        base_revision=base_revision,
        current_revision=current_revision,
        concentration_ng_per_mL=active.concentration_ng_per_mL,
        monday_ng=0,
        tuesday_ng=0,
        wednesday_ng=0,
        thursday_ng=0,
        friday_ng=0,
        saturday_ng=0,
        sunday_ng=0,
        max_24h_ng=0,
        bolus_pulses=pulses,
        bolus_ng=pulses * profile.pulse_volume_nL * active.concentration_ng_per_mL // NL_PER_ML,
        bolus_duration_s=order.duration_s,
    )
