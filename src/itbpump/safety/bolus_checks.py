"""What holds for every bolus, in a therapy, by the patient or single: size and delivery. Shared by both reviews.

A dose is judged as prescribed and as the pump's whole pulses give it, whichever is larger.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

from itbpump.quantity import MS_PER_DAY, Duration, Flow, Mass
from itbpump.safety.model import Hit, Severity

if TYPE_CHECKING:
    from itbpump.drugs import DrugLibrary
    from itbpump.profiles import PumpProfile

__all__ = ["delivery_hits", "larger_text", "size_hits"]

HARD, SOFT = Severity.HARD, Severity.SOFT


def larger_text(prescribed: Mass, given: Mass) -> str:
    """The dose as a sentence names it; says so where the pump's pulses make it more."""
    return f"{prescribed}, given as {given}," if given > prescribed else str(prescribed)


def size_hits(library: DrugLibrary, where: str, prescribed: Mass, given: Mass) -> Iterator[Hit]:
    """Soft and hard limit of one bolus."""
    hard, soft, largest = library.bolus_hard, library.bolus_soft, max(prescribed, given)
    if largest <= soft.value:
        return
    shown, text = larger_text(prescribed, given), largest.rounded().text()
    if largest > hard.value:
        yield Hit(HARD, f"{where}: {shown} is above {hard.value}, which nobody can override", text, hard.value.text(), hard.origin)
    else:
        yield Hit(SOFT, f"{where}: {shown} at once is above {soft.value}", text, soft.value.text(), soft.origin)


def delivery_hits(profile: PumpProfile, where: str, prescribed: Mass, pulses: int, over: Duration) -> Iterator[Hit]:
    """Neither faster nor slower, neither shorter nor longer than the pump allows; at least one pulse."""
    if pulses == 0:
        message = f"{where}: {prescribed} is half a pulse of this pump or less; prescribe more, or a lower concentration"
        yield Hit(HARD, message, prescribed.text(), "1 pulse", profile.sources["pulse_volume"].source)
        return
    volume_a_day = pulses * profile.pulse_volume.nL * MS_PER_DAY
    if volume_a_day > profile.flow_max.nL_per_day * over.ms:
        shown, flow = _shown_flow(where, prescribed, over, volume_a_day)
        message = f"{shown}, above the pump's highest flow of {profile.flow_max}; give it over a longer time"
        yield Hit(HARD, message, flow, profile.flow_max.text(), profile.sources["flow_max"].source)
    if volume_a_day < profile.flow_min.nL_per_day * over.ms:
        shown, flow = _shown_flow(where, prescribed, over, volume_a_day)
        message = f"{shown}, below the pump's lowest flow of {profile.flow_min}; give it over a shorter time"
        yield Hit(HARD, message, flow, profile.flow_min.text(), profile.sources["flow_min"].source)
    shortest, longest = profile.bolus_min_duration, profile.bolus_max_duration
    if over < shortest:
        message = f"{where}: {over} is shorter than the pump's shortest bolus of {shortest}"
        yield Hit(HARD, message, over.text(), shortest.text(), profile.sources["bolus_min_duration"].source)
    if over > longest:
        message = f"{where}: {over} is longer than the pump's longest bolus of {longest}; use a rate"
        yield Hit(HARD, message, over.text(), longest.text(), profile.sources["bolus_max_duration"].source)


def _shown_flow(where: str, prescribed: Mass, over: Duration, volume_a_day: int) -> tuple[str, str]:
    """The bolus with the flow it would be, and that flow as text."""
    flow = Flow(Fraction(volume_a_day, over.ms)).rounded()
    return f"{where}: {prescribed} over {over} is {flow}", flow.text()
