"""What is known of the present: the therapy in force, what it gave lately, what is still to come, since when nothing is given.

Pure: from a prescription file taken to be running, or from what was read from a pump. Not here: judgement (`rules_*`).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from itbpump.configuration import THERAPEUTIC, PresentPump, configuration_digest, mass_of_units, week_offset_ms, wire_configuration
from itbpump.quantity import MS_PER_DAY, Concentration, Mass, mass_of_pulses
from itbpump.safety.across import NOTHING, Past, anywhere_in, begun, ran_until, sum_of_last_24h
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import CommandKind, Configuration

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["Current", "is_relabelled"]


@dataclass(frozen=True, slots=True)
class Current:
    """The present: a therapy from a file, or what was read from the pump.

    `age_ms`: how long it has been running; `untreated_ms`: how long its patient has had nothing; None where not known. `left` is still to
    come of a bolus under way, `unexplained` what the last 24 h gave beside the schedule.
    """

    source: str
    configuration: Configuration | None
    view: TherapyView | None
    is_treating: bool
    age_ms: int | None
    untreated_ms: int | None
    left: Mass
    unexplained: Mass
    past: Past
    bridging: bool
    present: PresentPump | None
    rx: Prescription | None

    @property
    def scheduled_24h(self) -> Mass:
        """What the schedule in force should have given in the last 24 h; of a period only whole ones; none where its age is not known."""
        if self.view is None or not self.is_treating or self.age_ms is None:
            return Mass(0)
        return Mass(mass_of_units(_surely(self.view, self.past, min(MS_PER_DAY, self.age_ms)), 1)).rounded()

    @property
    def extra(self) -> Mass:
        """Boluses of the last 24 h and what is still to come of one, beside the schedule."""
        return Mass(self.left.ng + self.unexplained.ng)

    @classmethod
    def from_prescription(cls, rx: Prescription, profile: PumpProfile, later: Prescription) -> Current:
        """A therapy taken to be running as written, until `later.pump.as_of`."""
        configuration = wire_configuration(rx, profile)
        since = rx.therapy.since
        age = int((later.pump.as_of - since).total_seconds() * 1000) if since is not None else None
        treating = configuration.mode in THERAPEUTIC
        view = view_configuration(configuration, profile)
        now_ms = week_offset_ms(rx.pump.as_of, later.pump.as_of, 0)
        return cls(
            "file",
            configuration,
            view,
            treating,
            age,
            None,
            Mass(0),
            Mass(0),
            _past(view, now_ms) if treating else NOTHING,
            bridging=False,
            present=None,
            rx=rx,
        )

    @classmethod
    def from_pump(cls, present: PresentPump, profile: PumpProfile) -> Current:
        """What the pump runs, or ran until it was stopped."""
        configuration = present.configuration
        since = present.untreated_since_ms
        idle = None if since is None else present.uptime_ms - since
        if configuration is None:
            past = sum_of_last_24h(present.mass_24h_ng)
            return cls("pump", None, None, False, None, idle, Mass(0), Mass(0), past, present.bridging, present, None)
        view = view_configuration(configuration, profile)
        # Whatever the last change was, the therapy is at least as old as it.
        unchanged_ms = present.uptime_ms - present.last_change_ms
        age = unchanged_ms if present.last_change_kind is CommandKind.CONFIGURE or unchanged_ms >= MS_PER_DAY else None
        held = present.path_concentration_ng_per_mL if present.path_left_pulses else 0
        highest = Concentration(max(view.concentration.ng_per_mL, held))
        left = mass_of_pulses(present.bolus_left_pulses, highest, profile.pulse_volume.nL).rounded()
        now_ms = (present.uptime_ms + configuration.week_offset_ms) % WEEK_MS
        unexplained, past = Mass(0), sum_of_last_24h(present.mass_24h_ng)
        if present.is_treating or (idle is not None and configuration.mode in THERAPEUTIC):
            past = begun(_past(view, now_ms, 0 if present.is_treating else idle or 0), MS_PER_DAY if age is None else age)
            scheduled = mass_of_units(_surely(view, past, MS_PER_DAY if age is None else min(MS_PER_DAY, age)), 1)
            unexplained = Mass(max(Fraction(0), present.mass_24h_ng - scheduled)).rounded()
        return cls("pump", configuration, view, present.is_treating, age, idle, left, unexplained, past, present.bridging, present, None)

    def identity(self) -> dict[str, Any]:
        """What the judgement rested on, for the digest of a review."""
        configuration, present = self.configuration, self.present
        form: dict[str, Any] = {"source": self.source, "treating": self.is_treating}
        if self.rx is not None:  # a file may hold what no pump could be sent, so it has no digest of a configuration
            form["rx"] = self.rx.model_dump_json(by_alias=True, exclude_none=True)
        if present is not None:
            form |= {
                "digest": configuration_digest(configuration).hex() if configuration is not None else None,
                "revision": present.revision,
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
        form = {name: value for name, value in self.identity().items() if name != "rx"}
        return {**form, "therapy": self.view.json() if self.view is not None else None}


def _past(view: TherapyView, now_ms: int, idle_ms: int = 0) -> Past:
    """What the therapy gave until `idle_ms` ago; a periodic one began nobody knows when."""
    concentration = view.concentration.ng_per_mL
    if view.periodic is not None:
        return anywhere_in(view.schedule, concentration)
    return ran_until(view.schedule, now_ms, concentration, idle_ms)


def _surely(view: TherapyView, past: Past, span_ms: int) -> int:
    """The least that the therapy gave in the last `span_ms`, in the unit of `Phase.mass`: of a period only whole ones count."""
    most, schedule = past.mass(MS_PER_DAY), view.schedule
    if view.periodic is None:
        return most
    return min(most, span_ms // schedule.cycle_ms * schedule.cycle_units * view.concentration.ng_per_mL)


def is_relabelled(view: TherapyView, current: Current | None) -> bool:
    """The present therapy is known, and of another drug or concentration."""
    old = current.view if current is not None else None
    return old is not None and (old.drug, old.concentration) != (view.drug, view.concentration)
