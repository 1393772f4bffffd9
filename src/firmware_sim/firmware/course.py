"""What the pump knows of itself when a request is judged, and the course of delivery in the 48 h from then on, as limits see it.

A plan is a row of stretches: a bolus first, then the bridge, then the therapy, each with the concentration that counts. Not modelled:
future patient boluses (each is judged when it is asked for), mixing in the path.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.firmware.cycle import UNITS_PER_NL, Cycle, compile_cycle
from firmware_sim.firmware.delivery import BolusSource, ConstantSource, CycleSource, Source
from firmware_sim.firmware.ledger import HORIZON_MS, Ledger, PatientRecord, Stretch
from firmware_sim.profiles import FirmwareProfile
from itbpump.wire.messages import Configuration

__all__ = ["PresentState", "future_plan", "keeps_bridge", "plan_after_commit", "present_concentration", "same_label"]


@dataclass(frozen=True, slots=True)
class PresentState:
    """What the pump knows about itself when a request is judged."""

    now_ms: int
    running: bool
    """Something flows between boluses: the therapy, or the minimum rate in its place."""
    active: Configuration | None
    """Configuration in force; None while unconfigured."""
    anchor_ms: int
    """Anchor of the active periodic therapy (`cycle.periodic_anchor_ms`)."""
    reservoir_nL: int
    """Dead-reckoned volume in the reservoir, the residual included."""
    ledger: Ledger
    patient: PatientRecord
    path_concentration_ng_per_mL: int = 0
    """Concentration the path held before the last change of label; 0 if there was none."""
    path_left_nL: int = 0
    """Volume still to be delivered until the path holds the active concentration; 0 when it does."""
    bridge_left_pulses: int = 0
    """Lifetime pulses until the bridge in force ends, also of one that a stop or the minimum rate keeps waiting; 0 without one."""
    minimum_rate: bool = False
    """What flows is the minimum rate in place of the therapy: bridge and patient boluses wait."""
    bolus: BolusSource | None = None
    """Single, priming or patient bolus that is running."""
    last_prime_ms: int | None = None
    """Start of the last prime."""


def future_plan(profile: FirmwareProfile, present: PresentState, bolus: BolusSource | None) -> list[Stretch]:
    """What the pump will deliver in the next 48 h as things stand: `bolus` first, then the bridge in force, then the therapy.

    Empty therapy when nothing flows. While the path holds another concentration the higher of the two counts, in a bridge the path's.
    """
    active = present.active
    if active is None:
        return []
    plan = _Plan(profile, active, present.now_ms, present.path_concentration_ng_per_mL, present.path_left_nL)
    if not present.running:
        return plan.lay(bolus, 0, ConstantSource(0))
    if present.minimum_rate:
        return plan.lay(bolus, 0, ConstantSource(profile.minimum_rate_nL_per_day))
    cycle = compile_cycle(active, profile.minimum_rate_nL_per_day, profile.pulse_volume_nL, present.anchor_ms)
    return plan.lay(bolus, present.bridge_left_pulses, CycleSource(cycle))


def plan_after_commit(cfg: Configuration, cycle: Cycle, profile: FirmwareProfile, present: PresentState) -> list[Stretch]:
    """The same if `cfg`, whose therapy is `cycle`, were committed and started now."""
    active = present.active
    path_concentration, path_left_nL = present.path_concentration_ng_per_mL, present.path_left_nL
    if active is not None and not same_label(active, cfg):
        # A second change before the first has come through: the higher of what the path may hold.
        path_concentration = present_concentration(active, present)
        path_left_nL = cfg.path_volume_nL
    plan = _Plan(profile, cfg, present.now_ms, path_concentration, path_left_nL)
    bridge_pulses = present.bridge_left_pulses if keeps_bridge(cfg, present) else cfg.bridge_pulses
    return plan.lay(present.bolus, bridge_pulses, CycleSource(cycle))


def same_label(one: Configuration, other: Configuration) -> bool:
    """Whether both name the same drug and concentration."""
    return (one.drug, one.concentration_ng_per_mL) == (other.drug, other.concentration_ng_per_mL)


def keeps_bridge(cfg: Configuration, present: PresentState) -> bool:
    """Whether a commit of `cfg` goes on with the bridge in force, which keeps the end it has: what fills the path has not changed."""
    return present.active is not None and present.bridge_left_pulses > 0 and same_label(present.active, cfg)


def present_concentration(active: Configuration, present: PresentState) -> int:
    """Highest concentration that may leave the catheter now, ng/mL."""
    return max(active.concentration_ng_per_mL, present.path_concentration_ng_per_mL if present.path_left_nL else 0)


class _Plan:
    """Lays stretches one after the other and keeps account of what the path still holds."""

    def __init__(
        self, profile: FirmwareProfile, configuration: Configuration, now_ms: int, path_concentration_ng_per_mL: int, path_left_nL: int
    ) -> None:
        self._pulse_units = profile.pulse_volume_nL * UNITS_PER_NL
        self._bridge_flow = configuration.bridge_flow_nL_per_day
        self._concentration = configuration.concentration_ng_per_mL
        self._path_concentration = path_concentration_ng_per_mL or self._concentration
        self._path_units = path_left_nL * UNITS_PER_NL
        self._at_ms = now_ms
        self._end_ms = now_ms + HORIZON_MS
        self._stretches: list[Stretch] = []

    def lay(self, bolus: BolusSource | None, bridge_pulses: int, therapy: Source) -> list[Stretch]:
        highest = max(self._concentration, self._path_concentration)
        bridge_units = bridge_pulses * self._pulse_units
        if bolus is not None:
            # Its pulses count towards the end of the bridge, which is a number of lifetime pulses.
            bridge_units -= bolus.volume_units(self._at_ms, max(self._at_ms, bolus.end_ms))
            self._add(bolus, bolus.end_ms, highest)
        if bridge_units > 0:
            bridge = ConstantSource(self._bridge_flow)
            end_ms = bridge.uptime_of_volume(self._at_ms, bridge_units)
            self._add(bridge, self._end_ms if end_ms is None else end_ms, self._path_concentration)
        self._add(therapy, self._end_ms, highest)
        return self._stretches

    def _add(self, source: Source, until_ms: int, path_concentration: int) -> None:
        """Add `source`, at `path_concentration` until the old contents of the path are out."""
        until_ms = min(until_ms, self._end_ms)
        if until_ms <= self._at_ms:
            return
        turn_ms = source.uptime_of_volume(self._at_ms, self._path_units)
        turn_ms = until_ms if turn_ms is None else min(turn_ms, until_ms)
        self._path_units = max(0, self._path_units - source.volume_units(self._at_ms, until_ms))
        for start_ms, end_ms, concentration in ((self._at_ms, turn_ms, path_concentration), (turn_ms, until_ms, self._concentration)):
            if end_ms > start_ms:
                self._stretches.append(Stretch(start_ms, end_ms, source, concentration))
        self._at_ms = until_ms
