"""What is known of the present: the therapy in force, what it gave lately, what is still to come, since when nothing is given.

Pure: from a prescription file taken to be running, or from what was read from a pump. Not here: judgement (`rules_*`).

A pump keeps two configurations and one sum. Where three commits fall into a day (a day moved after a stop and a start is such a case), it
tells how much the therapy before them gave, not when. That much (`Current.untimed`) is taken to have come just before now, so that no 24 h
are told too low; 24 h told may then be too high, by no more than it (`tests/system/test_told_day.py`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import msgspec

from itbpump.configuration import THERAPEUTIC, PresentPump, configuration_digest, mass_of_units, week_offset_ms, wire_configuration
from itbpump.quantity import MS_PER_DAY, Concentration, Mass, MassRate, Volume, mass_of_pulses
from itbpump.safety.across import NOTHING, Past, anywhere_in, begun, ended, given_at, ran_until, sum_of_last_24h, together
from itbpump.safety.lately import last_given, untreated_since_ms
from itbpump.schedule import WEEK_MS
from itbpump.therapy_view import TherapyView, view_configuration
from itbpump.wire.messages import CommandKind, Configuration

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["Current", "boluses_of_a_day", "is_other_drug", "is_relabelled"]

NO_DRUG: Final = Mass(0)


@dataclass(frozen=True, slots=True)
class Current:
    """The present: a therapy from a file, or what was read from the pump.

    `age_ms`: how long it has been running; `untreated_ms`: how long its patient has had nothing; None where not known. `past`: what it
    gave, boluses included that the log tells of (`boluses`); `unexplained`: what the pump's sum of the last 24 h has beside both;
    `unlogged` is the same where the log does not show every bolus of the day, else nothing: then it was an earlier schedule's;
    `left` is still to come of a bolus under way; `primed`: what primes pushed into the path; `scheduled_24h`: what should have come in the
    last 24 h, where all of them are known. `last`: what treats, or treated last; None where that is not known. `before`: what treated
    before the therapy in force in the last 24 h; `used_to`: what those gave, where the therapy was changed in them.
    """

    source: str
    configuration: Configuration | None
    view: TherapyView | None
    last: TherapyView | None
    is_treating: bool
    age_ms: int | None
    untreated_ms: int | None
    past: Past
    bridging: bool
    left: Mass = NO_DRUG
    boluses: Mass = NO_DRUG
    unexplained: Mass = NO_DRUG
    unlogged: Mass = NO_DRUG
    primed: Mass = NO_DRUG
    scheduled_24h: Mass = NO_DRUG
    before: TherapyView | None = None
    used_to: MassRate | None = None
    present: PresentPump | None = None
    rx: Prescription | None = None

    @property
    def given_by_hand(self) -> Mass:
        """What the last 24 h gave beside the schedule: boluses the log tells of, and what only the pump's sum tells."""
        return Mass(self.boluses.ng + self.unlogged.ng)

    @property
    def untimed(self) -> Mass:
        """What a therapy gave in the last 24 h that the pump no longer knows, at a time it does not tell; any 24 h of a review may be too
        high by as much."""
        return Mass(self.unexplained.ng - self.unlogged.ng)

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
        view = view_configuration(configuration, profile)
        treating = configuration.mode in THERAPEUTIC and view.schedule.cycle_units > 0
        now_ms = week_offset_ms(rx.pump.as_of, later.pump.as_of, 0)
        past = _past(view, now_ms) if treating else NOTHING
        return cls("file", configuration, view, view if treating else None, treating, age, None, past=past, bridging=False, rx=rx)

    @classmethod
    def from_pump(cls, present: PresentPump, profile: PumpProfile) -> Current:
        """What the pump runs, or ran until it was stopped."""
        configuration, since, ran = present.configuration, untreated_since_ms(present), last_given(present)
        idle = None if since is None else present.uptime_ms - since
        if configuration is None:
            last = view_configuration(ran, profile) if ran is not None else None
            past = sum_of_last_24h(present.mass_24h_ng)
            return cls("pump", None, None, last, False, None, idle, past=past, bridging=present.bridging, present=present)
        view, age, pulse = view_configuration(configuration, profile), _age_ms(present), profile.pulse_volume.nL
        last = view if ran is configuration else view_configuration(ran, profile) if ran is not None else None
        held = present.path_concentration_ng_per_mL if present.path_left_pulses else 0
        left = mass_of_pulses(present.bolus_left_pulses, Concentration(max(view.concentration.ng_per_mL, held)), pulse).rounded()
        lately = _Lately(NOTHING, 0, 0) if last is None else _scheduled(present, last, profile, age, idle)
        given = list(boluses_of_a_day(present, view, pulse))
        boluses = Mass(sum(mass.ng for _, mass in given)).rounded()
        primed = Mass(sum(mass_of_pulses(pulses, view.concentration, pulse).ng for _, pulses in present.history.primes))
        beside = present.mass_24h_ng - mass_of_units(lately.surely, 1) - boluses.ng - primed.ng
        is_whole = lately.known_ms >= MS_PER_DAY and not present.history.interrupted
        by_sum = last is None or (idle is None and not present.is_treating) or _bridged_lately(present)
        unexplained = Mass(0) if by_sum else Mass(max(Fraction(0), beside)).rounded()
        gave = present.mass_24h_ng
        if is_whole and not by_sum and lately.before is not None and present.history.is_whole_day:
            # Everything is known: what the sum holds of the hour before the 24 must not make a rise smaller.
            gave = min(gave, int(mass_of_units(lately.past.mass(MS_PER_DAY), 1) + boluses.ng + primed.ng))
        ran_on = is_whole or _ran_on(present, view, profile, lately, beside)
        return cls(
            "pump",
            configuration,
            view,
            last,
            present.is_treating and view.schedule.cycle_units > 0,  # a valve pump may run a therapy of nothing
            age,
            idle,
            left=left,
            boluses=boluses,
            unexplained=unexplained,
            unlogged=Mass(0) if _is_earlier_schedule(present, lately) else unexplained,
            primed=primed.rounded(),
            scheduled_24h=Mass(mass_of_units(lately.surely, 1)).rounded() if present.is_treating and is_whole else Mass(0),
            before=lately.before,
            used_to=MassRate(gave) if ran_on and age is not None and age < MS_PER_DAY else None,
            past=sum_of_last_24h(present.mass_24h_ng) if by_sum else together(lately.past, given_at(_in_ng(given))),
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


@dataclass(frozen=True, slots=True)
class _Lately:
    """What the schedules gave in the last 24 h, the least of it in the unit of `Phase.mass`, how much of the 24 h they cover, and the
    therapy before the one in force."""

    past: Past
    surely: int
    known_ms: int
    before: TherapyView | None = None


def _scheduled(present: PresentPump, last: TherapyView, profile: PumpProfile, age_ms: int | None, idle_ms: int | None) -> _Lately:
    """The therapy that treats or treated last, and the one before it as far as the log shows that it ran."""
    idle = 0 if present.is_treating else idle_ms or 0
    span = min(MS_PER_DAY, age_ms or 0) if present.is_treating else MS_PER_DAY
    past = begun(_past(last, _week_ms(present, last.configuration), idle), span)
    surely, before, history = _surely(last, past, span - min(span, idle)), present.previous, present.history
    since, until = history.before_since_ms, history.before_until_ms
    if not present.is_treating or span == MS_PER_DAY or before is None or since is None or until is None:
        return _Lately(past, surely, span)
    covered = min(MS_PER_DAY, present.uptime_ms - since)
    if before.mode not in THERAPEUTIC:
        return _Lately(past, surely, covered)
    old, ended_ms = view_configuration(before, profile), present.uptime_ms - until
    older = begun(_past(old, _week_ms(present, before), ended_ms), covered)
    return _Lately(together(past, older), surely + _surely(old, older, covered - min(covered, ended_ms)), covered, old)


def _bridged_lately(present: PresentPump) -> bool:
    """A bridge gave part of the last 24 h: no schedule tells what, only the pump's own sum."""
    ended = present.history.bridge_ended_ms
    return present.bridging or (ended is not None and present.uptime_ms - ended < MS_PER_DAY)


def _is_earlier_schedule(present: PresentPump, lately: _Lately) -> bool:
    """The log shows every bolus of the day but not all that was programmed in it: what is beside both was an earlier schedule's. After
    another label it may be what the path held."""
    old, new = present.previous, present.configuration
    is_relabelled = old is not None and new is not None and old.concentration_ng_per_mL != new.concentration_ng_per_mL
    return present.history.is_whole_day and lately.known_ms < MS_PER_DAY and not is_relabelled


def _ran_on(present: PresentPump, view: TherapyView, profile: PumpProfile, lately: _Lately, beside_ng: Fraction) -> bool:
    """Several commits of one day hide what ran before them; that something did all the time is told by what it gave."""
    least = Fraction(profile.minimum_rate.whole_nL_per_day * view.concentration.ng_per_mL, 1_000_000)
    hidden_ms = MS_PER_DAY - lately.known_ms
    return present.is_treating and not present.history.interrupted and beside_ng * MS_PER_DAY >= least * hidden_ms


def boluses_of_a_day(present: PresentPump, view: TherapyView, pulse_nL: int) -> Iterator[tuple[int, Mass]]:
    """How long ago each bolus of the last 24 h ended, and its drug: of the label it was given under."""
    relabelled = present.history.before_until_ms
    before = present.previous.concentration_ng_per_mL if present.previous is not None else view.concentration.ng_per_mL
    for at, pulses in present.history.boluses:
        was_before = relabelled is not None and at < relabelled
        yield present.uptime_ms - at, mass_of_pulses(pulses, Concentration(before) if was_before else view.concentration, pulse_nL)
    if present.bolus_given_pulses:
        yield 0, mass_of_pulses(present.bolus_given_pulses, view.concentration, pulse_nL)


def _in_ng(boluses: Sequence[tuple[int, Mass]]) -> list[tuple[int, int]]:
    return [(back, -int(-mass.ng // 1)) for back, mass in boluses]


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


def is_other_drug(view: TherapyView, current: Current | None) -> bool:
    """The present therapy is known, and of another drug: its doses compare with nothing."""
    old = current.view if current is not None else None
    return old is not None and old.drug != view.drug


def is_relabelled(view: TherapyView, current: Current | None) -> bool:
    """The present therapy is known, and of another drug or concentration."""
    old = current.view if current is not None else None
    return old is not None and (old.drug, old.concentration) != (view.drug, view.concentration)
