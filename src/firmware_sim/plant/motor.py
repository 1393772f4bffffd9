"""True volume of motor pulses: W(n), the nL that n pulses move since manufacture, as an exact integer in closed form.

A pulse moves p × (1 + accuracy + drift + scatter). Accuracy is drawn once per pump and redrawn until it leaves room for the drift
inside the tolerance. Drift is piecewise linear over nominal volume, so its sum is a parabola between knots. Scatter repeats with
the rotor's turn and sums to zero over it. The encoder counts made pulses, unless a fault makes it count at another rate. What slip, wear
and back pressure take from a sound pulse is in `hydraulics`. Not modelled: temperature, partial pulses.
"""

from __future__ import annotations

from dataclasses import dataclass

from firmware_sim.plant.draws import Draws
from firmware_sim.plant.errors import PlantError
from firmware_sim.profiles import PlantProfile

PPM = 1_000_000


@dataclass(frozen=True, slots=True)
class Encoder:
    """What the counter on the rotor shows: `count` at `made` pulses, and from there `rate_ppm` in a million pulses (0 to 2,000,000)."""

    made: int = 0
    count: int = 0
    rate_ppm: int = PPM

    def at(self, made: int) -> int:
        """The count after so many pulses made; non-decreasing, as a counter is."""
        return self.count + (made - self.made) * self.rate_ppm // PPM

    def from_now(self, made: int, rate_ppm: int) -> Encoder:
        """The encoder that counts at another rate from `made` on. Raises PlantError for a rate that none can have."""
        if not 0 <= rate_ppm <= 2 * PPM:
            raise PlantError(f"an encoder that counts {rate_ppm} in a million pulses is impossible: 0 to {2 * PPM}")
        return Encoder(made, self.at(made), rate_ppm)


class Motor:
    """Counters and true volumes of one pump's motor. `stalled` is set from outside: commanded pulses then move nothing."""

    def __init__(self, profile: PlantProfile, seed: int) -> None:
        self.pulse_volume_nL = profile.pulse_volume_nL
        self.commanded = 0
        self.made = 0
        self.unasked = 0
        """Of those made, pulses that nobody commanded."""
        self.stalled = False
        self.encoder = Encoder()
        self.accuracy_ppm = _draw_accuracy(profile, seed)
        self._scatter_sums = _prefix_sums(_draw_scatter(profile, seed))
        self._turn = profile.pulses_per_turn
        self._knot_nL = profile.drift_knot_nL
        self._drift_step = profile.drift_step_ppm
        self._drift_bound = profile.drift_bound_ppm
        self._drift_draws = Draws(seed, "drift")
        self._knots = [0]  # drift in ppm at each knot; a new pump has none
        self._doubled_areas = [0]  # twice the integral of drift over nominal volume up to each knot, ppm·nL

    def command(self, pulses: int) -> None:
        """Carry out so many pulses."""
        if pulses < 0:
            raise PlantError(f"{pulses} pulses were commanded; a train cannot take pulses back")
        self.commanded += pulses
        if not self.stalled:
            self.made += pulses

    def turn(self) -> None:
        """One pulse that nobody commanded. A stalled rotor does not move."""
        if not self.stalled:
            self.made += 1
            self.unasked += 1

    def volume_nL(self, pulses: int) -> int:
        """W(n): true volume of the first n pulses made since manufacture, rounded down; non-decreasing; n ≥ 0."""
        nominal = pulses * self.pulse_volume_nL
        knot, beyond = divmod(nominal, self._knot_nL)
        self._reach(knot + 1)
        left, right = self._knots[knot], self._knots[knot + 1]
        # Twice the sum in nL·ppm, times the knot spacing, so that the parabola stays whole.
        doubled = 2 * nominal * (PPM + self.accuracy_ppm) + self._doubled_areas[knot] + 2 * left * beyond
        doubled += 2 * self.pulse_volume_nL * self._scatter_sums[pulses % self._turn]
        return (doubled * self._knot_nL + (right - left) * beyond * beyond) // (2 * PPM * self._knot_nL)

    def drift_ppm(self, pulses: int) -> int:
        """Drift in force after n pulses, rounded down."""
        knot, beyond = divmod(pulses * self.pulse_volume_nL, self._knot_nL)
        self._reach(knot + 1)
        left, right = self._knots[knot], self._knots[knot + 1]
        return left + (right - left) * beyond // self._knot_nL

    def _reach(self, knot: int) -> None:
        while len(self._knots) <= knot:
            last = self._knots[-1]
            drift = last + self._drift_draws.between(-self._drift_step, self._drift_step)
            while abs(drift) > self._drift_bound:  # redraw, so that the bound does not attract values
                drift = last + self._drift_draws.between(-self._drift_step, self._drift_step)
            self._doubled_areas.append(self._doubled_areas[-1] + (last + drift) * self._knot_nL)
            self._knots.append(drift)


def _draw_accuracy(profile: PlantProfile, seed: int) -> int:
    draws = Draws(seed, "accuracy")
    room = profile.accuracy_bound_ppm - profile.drift_bound_ppm
    accuracy = draws.normal(profile.accuracy_mean_ppm, profile.accuracy_sd_ppm)
    while abs(accuracy) > room:
        accuracy = draws.normal(profile.accuracy_mean_ppm, profile.accuracy_sd_ppm)
    return accuracy


def _draw_scatter(profile: PlantProfile, seed: int) -> list[int]:
    """One turn of scatter in ppm: values in opposite pairs, shuffled, so that the sum is exactly zero."""
    draws = Draws(seed, "scatter")
    turn = [0] * (profile.pulses_per_turn % 2)
    for _ in range(profile.pulses_per_turn // 2):
        value = draws.between(0, profile.scatter_bound_ppm)
        turn += [value, -value]
    for last in range(len(turn) - 1, 0, -1):
        other = draws.below(last + 1)
        turn[last], turn[other] = turn[other], turn[last]
    return turn


def _prefix_sums(values: list[int]) -> list[int]:
    sums = [0]
    for value in values[:-1]:
        sums.append(sums[-1] + value)
    return sums
