"""Review of a priming bolus: the volume of a new or empty path, from the prescription's catheter, checked against what the pump stores.

In a path that is already full a prime gives all that the path holds at once; that is what most of these rules are about. Not modelled:
mixing, by which drug arrives before the path is full and goes on arriving after (domain 0.8; the simulator shows it).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from itbpump.configuration import PresentPump, path_text, prime_volume
from itbpump.drugs import DrugLibrary, load_library
from itbpump.errors import ConfigurationError
from itbpump.profiles import PumpProfile
from itbpump.quantity import MS_PER_HOUR, Duration, Mass, Volume, mass_of_pulses, mass_of_volume
from itbpump.safety.bolus import GIVEN_LATELY, BolusContext, bolus_review, configured
from itbpump.safety.bolus import RULES as BOLUS_RULES
from itbpump.safety.model import Hit, Review, Row, RuleSet, Severity
from itbpump.safety.rules_catheter import tubing_hits
from itbpump.safety.rules_present import state_words
from itbpump.wire.messages import RunState

if TYPE_CHECKING:
    from itbpump.therapy import Prescription

__all__ = ["RULES", "PrimeContext", "review_prime"]

HARD, SECOND, SOFT, INFO = Severity.HARD, Severity.SECOND, Severity.SOFT, Severity.INFO


@dataclass(frozen=True, slots=True, kw_only=True)
class PrimeContext(BolusContext):
    """A prime, and the prescription whose catheter it fills."""

    rx: Prescription


RULES: RuleSet[BolusContext] = RuleSet()
RULES.include(BOLUS_RULES, "alarms", "identity", "bolus-delivery", "daily-total", "reservoir")


@RULES.rule("prime-volume", "SR-13", worst=HARD)
def volume(c: BolusContext) -> Iterator[Hit]:
    """The path that the pump stores and the one that is primed are one; never more than the path and its margin."""
    stored, margin = c.view.path, c.profile.prime_margin
    most = Volume(stored.nL + margin.nL)
    if c.volume > most:
        message = f"{c.name} of {c.volume} is more than the {stored} that the pump stores as its path, and {margin} beside it"
        yield Hit(HARD, message, c.volume.text(), most.text(), c.profile.sources["prime_margin"].source)
    own = _rx(c).catheter.path
    if own != stored:
        apart = Volume(abs(own.nL - stored.nL))
        drug = mass_of_volume(apart.nL, c.view.concentration).rounded()
        message = f"the prescription has a path of {own}, the pump stores {stored}: {apart} or {drug} apart; program the right one first"
        yield Hit(SECOND, message, own.text(), stored.text(), "SR-13: a prime derives from the stored volumes")


@RULES.rule("tubing", "SR-13", "SR-12", worst=SECOND)
def tubing(c: BolusContext) -> Iterator[Hit]:
    """The tubing inside the pump is the pump's constant."""
    yield from tubing_hits(_rx(c), c.profile)


@RULES.rule("prime-full-path", "SR-13", worst=SECOND)
def full_path(c: BolusContext) -> Iterator[Hit]:
    """Once the pump has pumped a path's volume the path is full, unless the catheter is new."""
    passed = Volume(c.present.lifetime_pulses * c.profile.pulse_volume.nL)
    if passed >= c.view.path:
        message = (
            f"the pump has pumped {passed} through its path of {c.view.path}: unless this catheter is new and empty, {c.name} gives "
            f"{c.given} at once"
        )
        yield Hit(SECOND, message, c.given.text(), "", c.library.texts.priming.origin)
    yield Hit(INFO, c.library.texts.priming.text, source=c.library.texts.priming.origin)


@RULES.rule("prime-repeat", "SR-13", worst=HARD)
def repeat(c: BolusContext) -> Iterator[Hit]:
    """One prime within its lockout."""
    limit, last = c.profile.prime_lockout, c.present.history.primed_ms
    ago = None if last is None else c.present.uptime_ms - last
    if ago is not None and ago < limit.ms:
        message = f"the pump was primed {ago // MS_PER_HOUR} h ago; a second prime would give all that the path now holds"
        yield Hit(HARD, message, f"{ago // MS_PER_HOUR} h", limit.text(), c.profile.sources["prime_lockout"].source)


@RULES.rule("prime-label", "SR-39", "SR-20", worst=HARD)
def label(c: BolusContext) -> Iterator[Hit]:
    """The prescription and the pump are for one drug and one concentration."""
    drug = _rx(c).drug
    if (drug.name, drug.concentration) != (c.view.drug, c.view.concentration):
        message = f"the pump holds {c.view.drug} {c.view.concentration}, the prescription is for {drug.name} {drug.concentration}"
        yield Hit(HARD, message, f"{drug.name} {drug.concentration.text()}", f"{c.view.drug} {c.view.concentration.text()}")


@RULES.rule("prime-state", "SR-22", "SR-12", worst=HARD)
def state(c: BolusContext) -> Iterator[Hit]:
    """The pump runs or is stopped, its motor turns, no bolus and no bridge is under way, and the path holds no earlier label."""
    if c.present.run_state not in (RunState.RUNNING, RunState.STOPPED):
        yield Hit(HARD, f"the pump is {state_words(c.present)}; program a therapy first")
    if c.present.stalled:
        yield Hit(HARD, "the motor does not turn: the pump would count a prime that goes nowhere; find the cause first")
    if c.present.bolus_left_pulses:
        yield Hit(HARD, f"a bolus is under way: {c.current.left} still to come; wait for its end or stop it")
    if c.present.bridging or c.present.path_left_pulses:
        yield Hit(HARD, f"the path still holds {path_text(c.present)}: a prime would give that at once")


def _rx(c: BolusContext) -> Prescription:
    if not isinstance(c, PrimeContext):
        raise TypeError("the rules of a prime judge primes")
    return c.rx


def review_prime(
    rx: Prescription, over: Duration, present: PresentPump, profile: PumpProfile, *, library: DrugLibrary | None = None
) -> Review:
    """Judge a prime of the catheter or path of `rx` over `over`, by a pump that was just read.

    Raises ConfigurationError for a pump without a configuration, a prescription without [prime], a prime in no time.
    """
    configuration, current, view = configured(present, profile)
    wanted = prime_volume(rx)
    if over.ms == 0 or wanted.nL == 0:
        raise ConfigurationError("a prime of no volume, or in no time", "write a duration, and the catheter's volumes")
    library = library if library is not None else load_library(configuration.drug)
    pulses = wanted.nL // profile.pulse_volume.nL
    context = PrimeContext(
        dose=mass_of_volume(wanted.nL, view.concentration),
        over=over,
        pulses=pulses,
        configuration=configuration,
        view=view,
        current=current,
        present=present,
        profile=profile,
        library=library,
        indication=rx.patient.indication,
        age_years=rx.patient.age_years,
        patient_id=rx.patient.id,
        name="the prime",
        rx=rx,
    )
    return bolus_review(context, RULES.findings(context), lambda: _rows(context))


def _rows(c: PrimeContext) -> Iterator[Row]:
    given = mass_of_pulses(c.pulses, c.view.concentration, c.profile.pulse_volume.nL)
    fills = "the catheter alone" if c.rx.prime is not None and c.rx.prime.scope == "catheter" else "tubing and catheter"
    yield Row("prime", "none", f"{c.volume} over {c.over}, {fills}", changed=True)
    yield Row("drug in it", "", f"{given} at {c.view.concentration}", changed=False)
    yield Row("path the pump stores", str(c.view.path), str(c.rx.catheter.path), changed=c.view.path != c.rx.catheter.path)
    yield Row(GIVEN_LATELY, str(Mass(c.present.mass_24h_ng)), "", changed=False)
    yield Row("highest 24 h", str(c.view.highest_24h_exact.rounded()), str(c.highest_24h.rounded()), changed=True)
