"""Stopping, as every face does it: what it means, three ways to deliver less, and what the pump then says of itself.

A stop needs no review: it is warned of and confirmed by a key or a word of its own (SR-33), and nothing holds it back: neither a drug that
no library knows nor a reading that fails. Not here: the keys, the question, restarting (`restore`, `therapy`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from itbpump.drugs import library_names, load_library
from itbpump.errors import ItbPumpError
from itbpump.outcome import Applied, Interrupted, NotApplied, Outcome
from itbpump.pump import Pump
from itbpump.quantity import Flow
from itbpump.wire.messages import BolusState, Mode, RunState, Status
from itbpump.wording.status import given_text, state_text

__all__ = [
    "ANYTHING_SUDDEN",
    "ORDERS",
    "STAYS_STOPPED",
    "StopOrder",
    "StopResult",
    "end_bolus",
    "fall_to_minimum",
    "stop_therapy",
    "stop_warning",
    "stopped_words",
]

STAYS_STOPPED = "A stopped pump never starts by itself, and its own alarm for that comes only after 48 h."
ANYTHING_SUDDEN = "A sudden stop can kill by withdrawal: watch for it."
_READ_AGAIN = "read the pump again before you rely on it"


@dataclass(frozen=True, slots=True)
class StopResult:
    """What became of an order to deliver less. `title` names it; `words` tell what the pump said of itself afterwards, whole sentences.

    `status` is that reading; None where nothing was proven by the pump, or where it could not be read: then `unread` says why.
    `holds`: the pump was read, and it does what was ordered.
    """

    title: str
    outcome: Outcome
    words: tuple[str, ...]
    status: Status | None = None
    unread: ItbPumpError | None = None
    holds: bool = False


def stop_warning(drug: str) -> tuple[str, ...]:
    """What a stop means, by the library of the drug in the pump (`Status.drug`, empty where it tells none)."""
    if drug not in library_names():
        unknown = f"no library here tells what a sudden stop of {drug} does" if drug else "the pump does not tell which drug it holds"
        return (f"{unknown[0].upper()}{unknown[1:]}: watch for withdrawal.", STAYS_STOPPED)
    return (load_library(drug).texts.stop_confirmation.text, STAYS_STOPPED)


def stop_therapy(pump: Pump) -> StopResult:
    """Stop all delivery now, and read the pump again. Raises what `Pump.stop` raises, where nothing left for the pump."""
    return _ordered(pump, "Stop of all delivery", pump.stop, _stopped)


def end_bolus(pump: Pump) -> StopResult:
    """End a running bolus; the therapy goes on. Raises as `stop_therapy`."""
    return _ordered(pump, "End of the bolus", pump.stop_bolus, _bolus_ended)


def fall_to_minimum(pump: Pump) -> StopResult:
    """Fall to the pump's minimum rate now. Raises as `stop_therapy`."""
    return _ordered(pump, "Fall to the minimum rate", pump.minimum_rate, _at_minimum)


@dataclass(frozen=True, slots=True)
class StopOrder:
    """One way to deliver less: `id` for programs, `word` that is typed to send it where words are typed, `text` what it does."""

    id: str
    word: str
    text: str
    send: Callable[[Pump], StopResult]


ORDERS: tuple[StopOrder, ...] = (
    StopOrder("stop", "STOP", "stops all delivery now", stop_therapy),
    StopOrder("stop-bolus", "BOLUS", "ends only a running bolus; the therapy goes on", end_bolus),
    StopOrder("minimum-rate", "MINIMUM", "falls to the minimum rate, which keeps the pump moving and treats nobody", fall_to_minimum),
)


# ------------------------------------------------------------------------------------------------ sending, and reading back
def _ordered(
    pump: Pump, title: str, send: Callable[[], Outcome], told: Callable[[Pump, Status], tuple[bool, tuple[str, ...]]]
) -> StopResult:
    outcome = send()
    if not isinstance(outcome, Applied):
        return StopResult(title, outcome, _not_done(outcome))
    try:
        now = pump.status()
    except ItbPumpError as error:
        unread = f"The pump took the order, but could not be read again ({error}): {_READ_AGAIN}."
        return StopResult(title, outcome, (unread,), unread=error)
    except KeyboardInterrupt as error:  # whoever leaves now must still learn that the order was taken
        raise Interrupted(outcome.cmd_id, title, outcome) from error
    holds, words = told(pump, now)
    return StopResult(title, outcome, words, status=now, holds=holds)


def _not_done(outcome: Outcome) -> tuple[str, ...]:
    if isinstance(outcome, NotApplied) and outcome.nothing_changed:
        return ("Nothing changed in the pump: it goes on. Read it, and order it again if it still must be done.",)
    if isinstance(outcome, NotApplied):
        return (f"The pump may have changed: {_READ_AGAIN}.",)
    return (
        "It is not known whether the pump took the order. Order it again: a second stop does no harm.",
        "The pump can still be emptied through the reservoir port.",
    )


def stopped_words(now: Status) -> tuple[bool, str]:
    """Whether a pump that was told to stop delivers nothing, and the words for it."""
    state = now.run_state.name.lower()
    if now.flow_nL_per_day:
        return False, f"the pump confirmed the stop but says that it is {state} and delivers; read it again"
    return True, f"Stopped. The pump was read again: {state}, it delivers nothing."


def _stopped(_pump: Pump, now: Status) -> tuple[bool, tuple[str, ...]]:
    holds, words = stopped_words(now)
    return holds, (words, STAYS_STOPPED) if holds else (f"ATTENTION: {words}",)


def _bolus_ended(pump: Pump, now: Status) -> tuple[bool, tuple[str, ...]]:
    given = given_text(now, pump)
    if now.bolus_state is BolusState.RUNNING:
        return False, (f"ATTENTION: the pump confirmed the end of the bolus but says that one runs: {given}; stop the pump.",)
    return True, (f"The bolus is ended: {given}. The therapy is {state_text(now)}, {_flow(now)}.",)


def _at_minimum(_pump: Pump, now: Status) -> tuple[bool, tuple[str, ...]]:
    if now.run_state is RunState.STOPPED and not now.flow_nL_per_day:
        return True, ("The pump was read again: it is stopped and delivers nothing, which is less than its minimum rate.",)
    if now.mode is Mode.MINIMUM_RATE:
        words = f"The pump was read again: {now.run_state.name.lower()} at its minimum rate, {_flow(now)}: practically no therapy."
        return True, (words, "It goes back to a therapy only when one is programmed or restored; watch for withdrawal.")
    return False, (f"ATTENTION: the pump confirmed the minimum rate but says {state_text(now)}, {_flow(now)}; read it again, or stop it.",)


def _flow(now: Status) -> str:
    return f"{Flow(now.flow_nL_per_day)} now" if now.flow_nL_per_day else "nothing flows now"
