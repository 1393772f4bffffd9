"""Rules about what was typed of path and reservoir: tubing, trimmed length, bore, a path or volume other than the pump's own.

A path that is wrong makes every prime and bridge wrong by the drug in the difference, which each message names. Not here: limits of path
and reservoir (`rules_pump`), bridges (`rules_change`).
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.profiles.slips import load_slips
from itbpump.quantity import MS_PER_DAY, Concentration, Length, Volume, VolumePerLength, mass_of_volume
from itbpump.safety.context import Context
from itbpump.safety.model import Hit, RuleSet, Severity

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile
    from itbpump.therapy import Prescription

__all__ = ["RULES", "tubing_hits"]

RULES: RuleSet[Context] = RuleSet()
SECOND, SOFT, INFO = Severity.SECOND, Severity.SOFT, Severity.INFO
TEN_CM = Length(10 * Length.UNITS["cm"])


def _drug_in(volume_nL: int, concentration: Concentration) -> str:
    """`118 mcg at 2,000 mcg per mL`."""
    return f"{mass_of_volume(volume_nL, concentration).rounded()} at {concentration}"


@RULES.rule("tubing", "SR-13", "SR-12", worst=SECOND)
def tubing(c: Context) -> Iterator[Hit]:
    """The tubing inside the pump is the pump's constant, not the patient's: 0.199 mL for 0.14 mL was a recall (domain 0.7)."""
    yield from tubing_hits(c.rx, c.profile)


def tubing_hits(rx: Prescription, profile: PumpProfile) -> Iterator[Hit]:
    """A typed tubing volume against the pump's, and the drug in the difference."""
    slips, typed, own = load_slips(), rx.catheter.tubing_volume, profile.tubing_volume
    if typed is None or abs(typed.nL - own.nL) <= slips.catheter_agreement.nL:
        return
    apart, is_more = Volume(abs(typed.nL - own.nL)), typed > own
    if rx.catheter.length_total is not None:
        where = f"{'too much' if is_more else 'too little'} in a prime of the path, and in a bridge"
    else:  # the path stands on its own, and a prime of the catheter alone takes the tubing off it
        where = f"{'too little' if is_more else 'too much'} in a prime of the catheter"
    message = (
        f"tubing_volume is {typed}, but the tubing of a {profile.name} holds {own}: {apart} or "
        f"{_drug_in(apart.nL, rx.drug.concentration)} {where}; check it"
    )
    yield Hit(SECOND, message, typed.text(), own.text(), profile.sources["tubing_volume"].source)


@RULES.rule("catheter-trim", "SR-13", "SR-12", worst=SECOND)
def catheter_trim(c: Context) -> Iterator[Hit]:
    """A catheter is cut to length at implant; one entered at full length, or with another bore, makes the path wrong."""
    catheter, slips = c.rx.catheter, load_slips()
    removed, bore = catheter.length_removed, catheter.volume_per_length
    if removed is None or bore is None:
        if not _has_same_path(c):
            yield Hit(INFO, f"not checked: the length cut off the catheter, as only path_volume {catheter.path} is given")
        return
    if removed.value == 0:
        each = _inside(TEN_CM, bore)
        message = (
            f"length_removed is 0 cm, but catheters are cut to length at implant: each 10 cm cut off makes the path {each} less, "
            f"{_drug_in(each.nL, c.rx.drug.concentration)} too much in a prime or bridge; check the implant record"
        )
        yield Hit(
            SOFT, message, removed.text(), "", "implanted = total - removed lengths; trimming is a classic error of entry (domain 2.2)"
        )
    usual, times = c.profile.catheter_volume_per_length, slips.catheter_bore_times
    if not usual.value <= bore.value * times <= usual.value * times * times:
        typed, read = _inside(_implanted(c), bore), _inside(_implanted(c), usual)
        message = (
            f"volume_per_length is {bore}, {usual} is usual: the implanted catheter would hold {typed} instead of {read}, "
            f"{_drug_in(abs(typed.nL - read.nL), c.rx.drug.concentration)} apart in a prime or bridge; check it, and its decimal point"
        )
        yield Hit(SECOND, message, bore.text(), usual.text(), c.profile.sources["catheter_volume_per_length"].source)


def _implanted(c: Context) -> Length:
    total, removed = c.rx.catheter.length_total, c.rx.catheter.length_removed
    if total is None or removed is None:
        raise AssertionError("lengths are given together or not at all")
    return Length(total.value - removed.value)


def _inside(length: Length, bore: VolumePerLength) -> Volume:
    """What a length of catheter holds, to the nearest nL."""
    return Volume(round(Fraction(length.value * bore.value, Length.UNITS["cm"])))


def _has_same_path(c: Context) -> bool:
    """The path of the therapy in force is the one prescribed."""
    old = c.current.view if c.current is not None else None
    return old is not None and abs(old.path.nL - c.rx.catheter.path.nL) <= load_slips().catheter_agreement.nL


@RULES.rule("path-changed", "SR-13", "SR-12", worst=SECOND)
def path_changed(c: Context) -> Iterator[Hit]:
    """A path other than the one in force: a revision of the catheter, or a slip now or then."""
    old = c.current.view if c.current is not None else None
    if old is None or _has_same_path(c):
        return
    new, margin = c.rx.catheter.path, c.profile.prime_margin
    apart = Volume(abs(new.nL - old.path.nL))
    severity = SECOND if apart > margin else SOFT
    message = (
        f"the path is {old.path} in the present therapy, {new} in this one: {apart} or {_drug_in(apart.nL, old.concentration)} "
        f"{'more' if new > old.path else 'less'} in a prime or bridge; was the catheter revised?"
    )
    source = c.profile.sources["prime_margin"].source if severity is SECOND else "trimming is a classic error of entry (domain 2.2)"
    yield Hit(severity, message, new.text(), old.path.text(), source)


@RULES.rule("volume-differs", "SR-34", "SR-38", worst=INFO)
def volume_differs(c: Context) -> Iterator[Hit]:
    """Without a refill the pump keeps its own count of the reservoir, whatever the prescription says; a difference is told."""
    present = c.current.present if c.current is not None else None
    if present is None or c.current is None or c.current.view is None or c.sets_volume:
        return
    slips, written, counted = load_slips(), c.rx.pump.reservoir_volume, Volume(present.reservoir_nL)
    tolerance = c.profile.capacity.nL * slips.reservoir_tolerance_percent // 100
    used = _used_since(c) if present.is_treating else Fraction(0)
    if written.nL - used - tolerance <= counted.nL <= written.nL + tolerance:
        return
    apart = Volume(abs(written.nL - counted.nL))
    message = (
        f"the prescription says {written} in the reservoir, the pump counts {counted}, {apart} apart; the pump's count stays, "
        "as only a refill sets it; check which one is right"
    )
    yield Hit(INFO, message, written.text(), counted.text(), slips.source("reservoir_tolerance_percent"))


def _used_since(c: Context) -> Fraction:
    """What the therapy in force gives from the time the prescription was written for until the pump was read, nL; nothing before it."""
    if c.current is None or c.current.present is None or c.current.view is None:
        return Fraction(0)
    elapsed = c.current.present.host_now - c.rx.pump.as_of
    elapsed_ms = elapsed.days * MS_PER_DAY + elapsed.seconds * 1_000
    return c.current.view.schedule.mean_flow * max(0, elapsed_ms) / MS_PER_DAY
