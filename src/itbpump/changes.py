"""Configuration changes that need no prescription: a refill with the same drug, a re-based clock, the previous therapy again.

A bridge in force, running or waiting, is carried on with what is left of it, never begun again and never dropped. Pure; sending is
`itbpump.pump`.
"""

from __future__ import annotations

from msgspec.structs import replace

from itbpump.configuration import PresentPump, carried_bridge
from itbpump.errors import ConfigurationError
from itbpump.refill import Refill
from itbpump.wire.messages import Configuration

__all__ = ["rebased_configuration", "refilled_configuration", "restored_configuration"]


def _present_configuration(present: PresentPump) -> Configuration:
    if present.configuration is None:
        raise ConfigurationError("the pump has no configuration", "program it first")
    return present.configuration


def _carried(configuration: Configuration, present: PresentPump) -> Configuration:
    """The same without a refill and with only the rest of a bridge; a stopped pump stays stopped."""
    bridge = carried_bridge(present)
    return replace(
        configuration,
        reservoir_set=False,
        reservoir_volume_nL=0,
        start=False,
        bridge_flow_nL_per_day=bridge.flow_nL_per_day,
        bridge_pulses=bridge.pulses,
    )


def refilled_configuration(refill: Refill, present: PresentPump) -> Configuration:
    """The present configuration with a new reservoir volume. Raises ConfigurationError for a pump without one."""
    carried = _carried(_present_configuration(present), present)
    return replace(carried, reservoir_set=True, reservoir_volume_nL=refill.volume_after_nL)


def rebased_configuration(week_offset: int, present: PresentPump) -> Configuration:
    """The present configuration with another week offset (ms, 0 to 604,799,999). Raises ConfigurationError for a pump without one."""
    return replace(_carried(_present_configuration(present), present), week_offset_ms=week_offset)


def restored_configuration(previous: Configuration, present: PresentPump) -> Configuration:
    """An earlier configuration, to be started again, in the present week. Raises ConfigurationError where the reservoir now holds
    something else, or while a bridge is in force.
    """
    now = _present_configuration(present)
    if (previous.drug, previous.concentration_ng_per_mL) != (now.drug, now.concentration_ng_per_mL):
        raise ConfigurationError(
            "the earlier configuration is for another drug or concentration than the reservoir holds", "program by a prescription"
        )
    if present.bridging:
        raise ConfigurationError("a bridge is in force", "program by a prescription, which carries it on", "bridge-pending")
    bridge = carried_bridge(present)
    return replace(
        previous,
        reservoir_set=False,
        reservoir_volume_nL=0,
        start=True,
        week_offset_ms=now.week_offset_ms,
        bridge_flow_nL_per_day=bridge.flow_nL_per_day,
        bridge_pulses=bridge.pulses,
    )
