"""What a pump's own refills tell of its flow: true volume over counted volume, learned from what was drawn out, shrunk to the profile.

One span is from a fill to the next refill. By the pump's count it gave c; what really left the reservoir is what was in it after the fill,
less the residual, less what was aspirated: d. Its flow error is x = d/c − 1, in millionths. Model, and conjugate normal estimate of the
pump's mean flow error m (derived: Bayes' rule for a normal mean with known variances; figures in `figures.toml`):

* what one span shows: x ~ N(m, w² + (s/c)²), s the reading error of the fill and of the aspirate together, w how a span strays;
* before any refill: m ~ N(0, (a/k)² − w²), a the profile's tolerance, taken as k standard deviations of what one span gives;
* after n refills: precision P = 1/prior variance + Σ 1/vᵢ, mean = Σ (xᵢ/vᵢ) / P, variance of the next span's error 1/P + w².

So without a refill the bound k standard deviations up is the profile's tolerance, and a short span, whose reading error is large beside
what flowed, moves the estimate little. All exact (Fraction); only the root is rounded, up.

Pure. Not modelled: a residual that differs from the profile's, a fill that was not what was entered or that went into the pocket (they look
like flow; the discrepancy of that one refill is `itbpump.refill`), errors that two spans share.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from math import isqrt
from typing import TYPE_CHECKING, Any

from itbpump.forecast.figures import load_figures
from itbpump.forecast.model import ForecastError
from itbpump.quantity import number_text

if TYPE_CHECKING:
    from itbpump.profiles import PumpProfile

__all__ = ["Calibration", "Drift", "RefillSpan", "calibrate"]

PPM = 1_000_000


class Drift(Enum):
    """Whether the newest refills differ from the older ones by more than chance. `UNKNOWN`: fewer than two refills to compare."""

    UNKNOWN = "unknown"
    NONE = "none"
    MORE = "gives more than before"
    LESS = "gives less than before"


@dataclass(frozen=True, slots=True)
class RefillSpan:
    """From one fill to the next refill, nL: all that was in the reservoir after the fill (with the residual), what the pump counted since,
    what was aspirated. ForecastError for a volume below 0 or an empty fill."""

    filled_nL: int
    counted_nL: int
    aspirated_nL: int

    def __post_init__(self) -> None:
        if self.filled_nL <= 0 or self.counted_nL < 0 or self.aspirated_nL < 0:
            raise ForecastError(
                f"a refill after a fill of {self.filled_nL} nL cannot have counted {self.counted_nL} and aspirated {self.aspirated_nL} nL",
                action="leave this refill out of the history, and correct its record",
            )


@dataclass(frozen=True, slots=True)
class Calibration:
    """The estimate. `flow_error_ppm`: how much more the pump gives than it counts (below 0: less), nearest; `spread_ppm`: one standard
    deviation of what the next span will show, rounded up. `lower_ppm`, `upper_ppm`: `bound_sd` of them down and up. `refills`: how many
    spans it rests on. `outside`: the estimate itself is beyond the profile's tolerance."""

    flow_error_ppm: int
    spread_ppm: int
    lower_ppm: int
    upper_ppm: int
    refills: int
    drift: Drift
    outside: bool

    @property
    def alerts(self) -> bool:
        """Somebody should look at this pump: its flow has changed, or is not what its profile says."""
        return self.outside or self.drift in (Drift.MORE, Drift.LESS)

    @property
    def text(self) -> str:
        """`flow 3.2 % above the count (spread 2.5 %, 4 refills)`."""
        if not self.refills:
            return "no refill to learn from"
        count = "1 refill" if self.refills == 1 else f"{self.refills} refills"
        side = "above" if self.flow_error_ppm >= 0 else "below"
        return f"flow {_percent(abs(self.flow_error_ppm))} % {side} the count (spread {_percent(self.spread_ppm)} %, {count})"

    def json(self) -> dict[str, Any]:
        """For `assumptions` of a forecast; percents as text."""
        return {
            "refills": str(self.refills),
            "flow_error_percent": ("-" if self.flow_error_ppm < 0 else "") + _percent(abs(self.flow_error_ppm)),
            "spread_percent": _percent(self.spread_ppm),
            "drift": self.drift.value,
            "outside_tolerance": self.outside,
        }


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one span shows: its flow error, ppm, and the variance of that, ppm²."""

    error: Fraction
    variance: Fraction


def calibrate(spans: Sequence[RefillSpan], profile: PumpProfile) -> Calibration:
    """Estimate of one pump from its refills, oldest first; the newest `window_refills` count. Raises ForecastError for a profile whose
    tolerance is no wider than what single refills stray."""
    figures = load_figures()
    wander = Fraction(figures.wander_ppm) ** 2
    prior = Fraction(profile.accuracy_ppm, figures.bound_sd) ** 2 - wander
    if prior <= 0:
        raise ForecastError(
            f"the profile {profile.name} claims {profile.accuracy_ppm} millionths, less than single refills stray",
            action="correct accuracy_ppm of the profile",
        )
    seen = [found for found in (_seen(span, profile.residual.nL, wander) for span in spans) if found is not None][-figures.window_refills :]
    precision = 1 / prior + sum((1 / one.variance for one in seen), Fraction(0))
    mean = sum((one.error / one.variance for one in seen), Fraction(0)) / precision
    spread = _root_up(1 / precision + wander)
    middle = round(mean)
    reach = figures.bound_sd * spread
    return Calibration(
        flow_error_ppm=middle,
        spread_ppm=spread,
        lower_ppm=middle - reach,
        upper_ppm=middle + reach,
        refills=len(seen),
        drift=_drift(seen),
        outside=abs(mean) > profile.accuracy_ppm,
    )


def _seen(span: RefillSpan, residual_nL: int, wander: Fraction) -> _Seen | None:
    """None for a span that tells nothing: nothing was counted; or the reservoir was found empty, so that only the least is known of what
    it gave, and that least is no more than was counted."""
    if span.counted_nL == 0:
        return None
    given_nL = span.filled_nL - residual_nL - span.aspirated_nL
    if span.aspirated_nL == 0 and given_nL <= span.counted_nL:
        return None
    reading = Fraction(load_figures().reading_sd_nL * PPM, span.counted_nL)
    return _Seen(Fraction((given_nL - span.counted_nL) * PPM, span.counted_nL), wander + reading**2)


def _drift(seen: Sequence[_Seen]) -> Drift:
    """The newest (two, or half of fewer than four) against those before: their weighted means differ by over `drift_sd` deviations."""
    figures = load_figures()
    recent = min(figures.recent_refills, len(seen) // 2)
    if recent == 0:
        return Drift.UNKNOWN
    (new, new_variance), (old, old_variance) = _mean(seen[-recent:]), _mean(seen[:-recent])
    if (new - old) ** 2 <= figures.drift_sd**2 * (new_variance + old_variance):
        return Drift.NONE
    return Drift.MORE if new > old else Drift.LESS


def _mean(seen: Sequence[_Seen]) -> tuple[Fraction, Fraction]:
    """Weighted by precision, and its variance."""
    weights = [1 / one.variance for one in seen]
    total = sum(weights, Fraction(0))
    return sum((one.error * weight for one, weight in zip(seen, weights, strict=True)), Fraction(0)) / total, 1 / total


def _root_up(value: Fraction) -> int:
    """Square root, rounded up to a whole number."""
    whole = -(-value.numerator // value.denominator)
    root = isqrt(whole)
    return root if root * root == whole else root + 1


def _percent(ppm: int) -> str:
    """To a tenth, for reading."""
    return number_text(Fraction(round(Fraction(ppm, 1_000)), 10))
