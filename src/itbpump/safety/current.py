"""What is known of the present: the therapy in force, what it gave lately, what is still to come, since when nothing is given.

Pure: from a prescription file taken to be running, or from what was read from a pump. Not here: judgement (`rules_*`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import msgspec

from itbpump.configuration import THERAPEUTIC, PresentPump, configuration_digest, mass_of_units, week_offset_ms, wire_configuration
from itbpump.quantity import MS_PER_DAY, Concentration, Mass, Volume, mass_of_pulses
from itbpump.safety.across import NOTHING, Past, anywhere_in, begun, ended, given_at, ran_until, sum_of_last_24h, together
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import CommandKind, Configuration

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["Current", "is_relabelled"]

NO_DRUG: Final = Mass(0)


@dataclass(frozen=True, slots=True)
class Current:
    """The present: a therapy from a file, or what was read from the pump.

    `age_ms`: how long it has been running; `untreated_ms`: how long its patient has had nothing; None where not known. `past`: what it
    gave, boluses included that the log tells of (`boluses`); `unexplained`: what the pump's sum of the last 24 h has beside both;
    `left` is still to come of a bolus under way; `scheduled_24h`: what should have come in the last 24 h.
    """

    source: str
    configuration: Configuration | None
    view: TherapyView | None
    is_treating: bool
    age_ms: int | None
    untreated_ms: int | None
    past: Past
    bridging: bool
    left: Mass = NO_DRUG
    boluses: Mass = NO_DRUG
    unexplained: Mass = NO_DRUG
    scheduled_24h: Mass = NO_DRUG
    present: PresentPump | None = None
    rx: Prescription | None = None

    @property
    def given_by_hand(self) -> Mass:
        """What the last 24 h gave beside the schedule: boluses the log tells of, and what only the pump's sum tells."""
        return Mass(self.boluses.ng + self.unexplained.ng)

    @property
    def extra(self) -> Mass:
        """The same with what is still to come of a bolus."""
        return Mass(self.given_by_hand.ng + self.left.ng)

    @classmethod
    def from_prescription(cls, rx: Prescription, profile: PumpProfile, later: Prescription) -> Current:
        """A therapy taken to be running as written, until `later.pump.as_of`."""
        configuration = wire_configuration(rx, profile)
        since = rx.therapy.since
        age = int((later.pump.as_of - since).total_seconds() * 1000) if since is not None else None
        treating = configuration.mode in THERAPEUTIC
        view = view_configuration(configuration, profile)
        now_ms = week_offset_ms(rx.pump.as_of, later.pump.as_of, 0)
        past = _past(view, now_ms) if treating else NOTHING
        return cls("file", configuration, view, treating, age, None, past=past, bridging=False, rx=rx)

    @classmethod
    def from_pump(cls, present: PresentPump, profile: PumpProfile) -> Current:
        """What the pump runs, or ran until it was stopped."""
        configuration, since = present.configuration, present.history.untreated_since_ms
        idle = None if since is None else present.uptime_ms - since
        if configuration is None:
            past = sum_of_last_24h(present.mass_24h_ng)
            return cls("pump", None, None, False, None, idle, past=past, bridging=present.bridging, present=present)
        view, age = view_configuration(configuration, profile), _age_ms(present)
        held = present.path_concentration_ng_per_mL if present.path_left_pulses else 0
        highest, pulse = Concentration(max(view.concentration.ng_per_mL, held)), profile.pulse_volume.nL
        given = [
            (present.uptime_ms - ended, mass_of_pulses(pulses, view.concentration, pulse)) for ended, pulses in present.history.boluses
        ]
        given += [(0, mass_of_pulses(present.bolus_given_pulses, view.concentration, pulse))] if present.bolus_given_pulses else []
        scheduled, surely, past = NOTHING, 0, sum_of_last_24h(present.mass_24h_ng)
        boluses = unexplained = Mass(0)
        if present.is_treating or (idle is not None and configuration.mode in THERAPEUTIC):
            scheduled, surely = _scheduled(present, view, profile, age, 0 if present.is_treating else idle or 0)
            boluses = Mass(sum(mass.ng for _, mass in given)).rounded()
            unexplained = Mass(max(Fraction(0), present.mass_24h_ng - mass_of_units(surely, 1) - boluses.ng)).rounded()
            past = together(scheduled, given_at([(back, int(mass.ng)) for back, mass in given]))
        return cls(
            "pump",
            configuration,
            view,
            present.is_treating,
            age,
            idle,
            left=mass_of_pulses(present.bolus_left_pulses, highest, pulse).rounded(),
            boluses=boluses,
            unexplained=unexplained,
            scheduled_24h=Mass(mass_of_units(surely, 1)).rounded() if present.is_treating and age is not None else Mass(0),
            past=past,
            bridging=present.bridging,
            present=present,
        )

    def identity(self) -> dict[str, Any]:
        """What the judgement rested on, for the digest of a review."""
        present = self.present
        form: dict[str, Any] = {"source": self.source, "treating": self.is_treating, "therapy": self._therapy_identity()}
        if present is not None:
            form |= {
                "revision": present.revision,
                "reservoir": Volume(present.reservoir_nL).json() if present.configuration is not None else None,
                "run_state": present.run_state.name.lower(),
                "given_last_24h": Mass(present.mass_24h_ng).json(),
                "bridge_left_pulses": present.bridge_left_pulses,
                "path_left_pulses": present.path_left_pulses,
                "path_holds": Concentration(present.path_concentration_ng_per_mL).json(),
                "alarms": list(present.alarms),
            }
        return form

    def json(self) -> dict[str, Any]:
        """The same with the therapy in figures."""
        form = {**self.identity(), "therapy": self.view.json() if self.view is not None else None}
        if self.present is not None and self.configuration is not None:
            form["digest"] = configuration_digest(self.configuration).hex()
        return form

    def _therapy_identity(self) -> str | None:
        """Of what was compared with, as text; a file may hold what no pump could be sent, so it need not fit the wire."""
        if self.rx is not None:
            return self.rx.canonical_json
        return None if self.configuration is None else msgspec.json.encode(self.configuration, order="deterministic").decode("ascii")


def _age_ms(present: PresentPump) -> int | None:
    """How long the therapy has run at least; None where neither log nor last change tells."""
    since = present.history.therapy_since_ms
    if since is not None:
        return present.uptime_ms - since
    # Whatever the last change was, the therapy is at least as old as it.
    unchanged_ms = present.uptime_ms - present.last_change_ms
    return unchanged_ms if present.last_change_kind is CommandKind.CONFIGURE or unchanged_ms >= MS_PER_DAY else None


def _scheduled(present: PresentPump, view: TherapyView, profile: PumpProfile, age_ms: int | None, idle_ms: int) -> tuple[Past, int]:
    """What the schedules gave in the last 24 h, the one in force and the one before; and the least of it, in the unit of `Phase.mass`."""
    span = 0 if age_ms is None else min(MS_PER_DAY, age_ms)
    past = begun(_past(view, _week_ms(present, present.configuration), idle_ms), span)
    surely, before = _surely(view, past, span), present.previous
    if idle_ms or span == MS_PER_DAY or before is None or before.mode not in THERAPEUTIC:
        return past, surely
    old = view_configuration(before, profile)
    older = _past(old, _week_ms(present, before), span)
    return together(past, older), surely + _surely(old, older, MS_PER_DAY - span)


def _week_ms(present: PresentPump, configuration: Configuration | None) -> int:
    return (present.uptime_ms + (configuration.week_offset_ms if configuration is not None else 0)) % WEEK_MS


def _past(view: TherapyView, now_ms: int, idle_ms: int = 0) -> Past:
    """What the therapy gave until `idle_ms` ago; a periodic one began nobody knows when."""
    concentration = view.concentration.ng_per_mL
    if view.periodic is not None:
        return ended(anywhere_in(view.schedule, concentration), idle_ms)
    return ran_until(view.schedule, now_ms, concentration, idle_ms)


def _surely(view: TherapyView, past: Past, span_ms: int) -> int:
    """The least that the therapy gave in `span_ms` of the last 24 h, in the unit of `Phase.mass`: of a period only whole ones count."""
    most, schedule = past.mass(MS_PER_DAY), view.schedule
    if view.periodic is None:
        return most
    return min(most, span_ms // schedule.cycle_ms * schedule.cycle_units * view.concentration.ng_per_mL)


def is_relabelled(view: TherapyView, current: Current | None) -> bool:
    """The present therapy is known, and of another drug or concentration."""
    old = current.view if current is not None else None
    return old is not None and (old.drug, old.concentration) != (view.drug, view.concentration)
