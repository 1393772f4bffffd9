"""What a pump gave since the visit before this one, from its own log and counters: in all, by the pattern, by boluses.

The visit before is the last fill in the log, else the last configuration committed. A fill is what every count starts from, and the pump
takes another drug or concentration only with a fill, so that one label holds for all that left the reservoir since. Amounts are what the
pump commanded and counted; what a standing motor kept back is told beside. What the log does not reach is None and said in `not_known`,
never guessed. Pure. Not modelled: what the path still held at the fill, pulses on an empty reservoir, the pump's true flow (its accuracy
bounds it).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from itbpump.history import STOPPED_A_THERAPY
from itbpump.profiles import PumpProfile
from itbpump.quantity import Concentration, Mass, Volume, mass_of_volume
from itbpump.wire.messages import AlarmNumber, BolusKind, CommandKind, LogEntry, LogKind, Status

__all__ = ["Delivered", "GivenBoluses", "delivered_since"]

PPM: Final = 1_000_000
UNRELIABLE_COUNT: Final = frozenset({2, 4, 6, 7})  # itbp1.toml, log_arguments.self_test_failed: clock, journal old, counters, cells


@dataclass(frozen=True, slots=True)
class GivenBoluses:
    """Boluses of one kind: how many were started, what was given of them, and the pulses of it that are in doubt. A running one counts as
    far as it has come."""

    count: int
    volume: Volume
    doubt_pulses: int
    mass: Mass | None = None


@dataclass(frozen=True, slots=True)
class Delivered:
    """What was given since `since`; `reference` is `fill`, `programming` or `none`.

    `filled` is all that was in the reservoir then. `total` is what the pump counted out of it, `pattern` the rest after all boluses (rates,
    pattern boluses, bridge); None where it is not known, `not_known` says why. The masses are by the label of the reservoir. `missed` is
    what a standing motor kept back of it. `granted` and `denied` count the patient's requests. `interruptions`: stops and safe states of a
    running therapy. `single`, `prime` and `patient` are None where the log shows no visit before.
    """

    reference: str
    since: datetime | None
    filled: Volume | None
    total: Volume | None
    pattern: Volume | None
    total_mass: Mass | None
    pattern_mass: Mass | None
    accuracy_ppm: int
    single: GivenBoluses | None
    prime: GivenBoluses | None
    patient: GivenBoluses | None
    granted: int | None
    denied: int | None
    interruptions: int | None
    missed: Volume
    doubt_pulses: int
    not_known: tuple[str, ...] = ()

    @property
    def true_bounds(self) -> tuple[Volume, Volume] | None:
        """Between which the true total lies by the pump's accuracy, to the nL on the safe side; None without a total."""
        if self.total is None:
            return None
        least = self.total.nL * (PPM - self.accuracy_ppm) // PPM
        most = -(-self.total.nL * (PPM + self.accuracy_ppm) // PPM)
        return Volume(least), Volume(most)


def delivered_since(log: Iterable[LogEntry], status: Status, profile: PumpProfile, now: datetime) -> Delivered:
    """From the whole log as read when the visit began (oldest first), the status read with it, and the host's time of that reading.

    Entries that are newer than the status are left out: the counters do not hold them yet. ValueError for a time without offset.
    """
    if now.utcoffset() is None:
        raise ValueError("the time of the reading needs an offset from UTC")
    entries = [entry for entry in log if entry.seq < status.log_next_seq]
    unread = not entries or entries[-1].seq + 1 < status.log_next_seq
    whole = _unbroken(entries)
    start = _reference(whole)
    if start is None or unread:
        return _nothing_known(profile, "the log was not read to its end" if unread else _why_no_reference(whole))
    reference = whole[start]
    after = whole[start + 1 :]
    filled = Volume(reference.a) if reference.kind is LogKind.REFILL else None
    given = {kind: _boluses(after, kind, status, profile) for kind in (BolusKind.SINGLE, BolusKind.PRIME, BolusKind.PATIENT)}
    total, doubts = _total(filled, status)
    pattern = None if total is None else total.nL - sum(boluses.volume.nL for boluses in given.values())
    if pattern is not None and pattern < 0:
        doubts.append("what the pattern gave: the boluses in the log are more than all that was counted")
        pattern = None
    label = Concentration(status.concentration_ng_per_mL) if filled is not None and status.drug else None
    return Delivered(
        reference="fill" if filled is not None else "programming",
        since=now - timedelta(milliseconds=status.uptime_ms - reference.uptime_ms),
        filled=filled,
        total=total,
        pattern=None if pattern is None else Volume(pattern),
        total_mass=_mass(total, label),
        pattern_mass=None if pattern is None else _mass(Volume(pattern), label),
        accuracy_ppm=profile.accuracy_ppm,
        single=_weighed(given[BolusKind.SINGLE], label),
        prime=given[BolusKind.PRIME],  # what a prime pushes is the path's content, not a dose
        patient=_weighed(given[BolusKind.PATIENT], label),
        granted=given[BolusKind.PATIENT].count,
        denied=sum(entry.kind is LogKind.BOLUS_DENIED for entry in after),
        interruptions=sum(_interrupts(entry) for entry in after),
        missed=Volume(sum(entry.b for entry in after if entry.kind is LogKind.STALL_RECOVERED)),
        doubt_pulses=sum(entry.b for entry in after if entry.kind is LogKind.BOOT),
        not_known=(*doubts, *_doubts(after, status, profile)),
    )


def _unbroken(entries: Sequence[LogEntry]) -> list[LogEntry]:
    """The entries after the last hole: a gap that the pump tells of, or a number that was not read."""
    first = 0
    for place, entry in enumerate(entries):
        if entry.kind is LogKind.GAP:
            first = place + 1
        elif place and entry.seq != entries[place - 1].seq + 1:
            first = place
    return list(entries[first:])


def _reference(entries: Sequence[LogEntry]) -> int | None:
    """Place of the last fill, else of the last configuration committed."""
    places = range(len(entries) - 1, -1, -1)
    for is_it in (_fills, _configures):
        for place in places:
            if is_it(entries[place]):
                return place
    return None


def _why_no_reference(entries: Sequence[LogEntry]) -> str:
    if entries and entries[0].seq == 0:
        return "the pump was neither filled nor programmed before"
    return "the pump's log no longer shows the visit before this one"


def _fills(entry: LogEntry) -> bool:
    return entry.kind is LogKind.REFILL


def _configures(entry: LogEntry) -> bool:
    return entry.kind is LogKind.COMMITTED and entry.b >> 32 == CommandKind.CONFIGURE


def _interrupts(entry: LogEntry) -> bool:
    return entry.kind is LogKind.SAFE_STATE or (entry.kind is LogKind.STOP and entry.b == STOPPED_A_THERAPY)


def _total(filled: Volume | None, status: Status) -> tuple[Volume | None, list[str]]:
    """What the pump counted out of its reservoir since the fill."""
    if filled is None:
        return None, ["the total: the log no longer shows the last fill, which the count starts from"]
    if not status.drug:
        return None, ["the total: the pump has lost its therapy, and with it its count"]
    if status.reservoir_nL > filled.nL:
        return None, ["the total: the pump counts more in the reservoir than was filled"]
    return Volume(filled.nL - status.reservoir_nL), []


def _boluses(entries: Sequence[LogEntry], kind: BolusKind, status: Status, profile: PumpProfile) -> GivenBoluses:
    ended = [entry for entry in entries if entry.kind is LogKind.BOLUS_END and entry.b >> 16 == kind]
    started = sum(entry.kind is LogKind.BOLUS_START and entry.b == kind for entry in entries)
    running = status.bolus_delivered if status.bolus_left_ms and status.bolus_kind is kind else 0
    pulses = sum(entry.a for entry in ended) + running
    return GivenBoluses(started, Volume(pulses * profile.pulse_volume.nL), sum(entry.b & 0xFF for entry in ended))


def _weighed(boluses: GivenBoluses, label: Concentration | None) -> GivenBoluses:
    return GivenBoluses(boluses.count, boluses.volume, boluses.doubt_pulses, _mass(boluses.volume, label))


def _mass(volume: Volume | None, label: Concentration | None) -> Mass | None:
    return None if volume is None or label is None else mass_of_volume(volume.nL, label)


def _doubts(entries: Sequence[LogEntry], status: Status, profile: PumpProfile) -> list[str]:
    """What keeps the count from being the truth, in words."""
    alarms = {alarm.alarm for alarm in status.alarms}
    raised = {entry.a for entry in entries if entry.kind is LogKind.ALARM_RAISED}
    found = []
    if AlarmNumber.MOTOR_STALL in alarms:
        found.append("what the motor has missed since it stands: the pump tells it when it turns again")
    if AlarmNumber.OVER_DELIVERY in alarms | raised:
        found.append("how much more was given than counted: the motor made more pulses than commanded")
    if any(entry.kind is LogKind.SELF_TEST_FAILED and entry.a in UNRELIABLE_COUNT for entry in entries):
        found.append("whether the count is right: a self-test found counters, clock or journal damaged")
    if status.drug and status.reservoir_nL <= profile.residual.nL:
        found.append("how much of it was given: by the count the reservoir has run dry")
    return found


def _nothing_known(profile: PumpProfile, why: str) -> Delivered:
    return Delivered(
        reference="none",
        since=None,
        filled=None,
        total=None,
        pattern=None,
        total_mass=None,
        pattern_mass=None,
        accuracy_ppm=profile.accuracy_ppm,
        single=None,
        prime=None,
        patient=None,
        granted=None,
        denied=None,
        interruptions=None,
        missed=Volume(0),
        doubt_pulses=0,
        not_known=(f"what was given: {why}",),
    )
