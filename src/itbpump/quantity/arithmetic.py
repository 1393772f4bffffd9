"""Arithmetic between amounts (domain 2.2): dose, concentration, flow, pulses, path volume. Exact; each rounding says its direction."""

from __future__ import annotations

from fractions import Fraction

from itbpump.quantity.amounts import NL_PER_ML, Concentration, Exact, Flow, Length, Mass, MassRate, Volume, VolumePerLength


def flow_nL_per_day(rate: MassRate, concentration: Concentration) -> int:
    """Q = D / C, rounded DOWN to whole nL/day, as a pump takes it: never more than was prescribed."""
    return rate.ng_per_day * NL_PER_ML // concentration.ng_per_mL


def rate_of_flow(flow: Flow, concentration: Concentration) -> MassRate:
    """The dose rate a flow really gives; exact."""
    return MassRate(_quotient(flow.nL_per_day * concentration.ng_per_mL, NL_PER_ML))


def volume_for_mass(mass: Mass, concentration: Concentration) -> Fraction:
    """Volume that carries a dose, in nL; exact."""
    return Fraction(mass.ng * NL_PER_ML, concentration.ng_per_mL)


def pulses_for_mass(mass: Mass, concentration: Concentration, pulse_nL: int) -> int:
    """Pulses nearest to a dose, ties DOWN; 0 when it is half a pulse or less."""
    wanted, pulse = mass.ng.numerator * NL_PER_ML, concentration.ng_per_mL * pulse_nL * mass.ng.denominator
    return -((pulse - 2 * wanted) // (2 * pulse))


def catheter_volume(length: Length, removed: Length, per_length: VolumePerLength, tubing: Volume) -> Volume:
    """Path volume of domain 2.2: tubing + implanted length × volume per length; rounded UP to a whole nL, so that a bridge covers it.

    ValueError when more is removed than there is.
    """
    if removed > length:
        raise ValueError("more length is removed than the catheter has")
    inside = (Fraction(length.value) - removed.value) / Length.UNITS["cm"] * per_length.value
    return Volume(-(-(inside + tubing.value) // 1))


def mass_of_volume(volume_nL: Exact, concentration: Concentration) -> Mass:
    """Drug in a volume; exact."""
    return Mass(_quotient(volume_nL * concentration.ng_per_mL, NL_PER_ML))


def mass_of_pulses(pulses: int, concentration: Concentration, pulse_nL: int) -> Mass:
    """Drug in a number of nominal pulses; exact."""
    return mass_of_volume(pulses * pulse_nL, concentration)


def _quotient(dividend: Exact, divisor: int) -> Exact:
    """Exact quotient, without the detour over a `Fraction` where it is whole, as it nearly always is."""
    whole, rest = divmod(dividend, divisor)
    return Fraction(dividend, divisor) if rest else whole
