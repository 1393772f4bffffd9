"""What the patient was given last, and since when nothing: read from the present, the configuration before it, and the newest log entries.

A therapy ends by a stop, a safe state, a stall, or the commit of a mode that treats nobody. Pure. Not here: how much was given (`current`).
"""

from __future__ import annotations

from collections.abc import Iterator

from itbpump.present import THERAPEUTIC, PresentPump
from itbpump.wire.messages import Configuration, RunState

__all__ = ["has_ever_treated", "last_given", "untreated_since_ms"]


def last_given(present: PresentPump) -> Configuration | None:
    """The configuration that really treated last; None where neither pump nor log tells which, or none ever did."""
    if present.is_treating:
        return present.configuration
    found = next(_that_ran(present), None)
    return found[0] if found is not None else None


def has_ever_treated(present: PresentPump) -> bool:
    """False only for a pump of which it is certain that nothing ever left it but a prime or a bolus."""
    history = present.history
    pulses = present.lifetime_pulses - sum(count for _, count in (*history.boluses, *history.primes))
    return pulses > 0 or present.mass_24h_ng > 0


def untreated_since_ms(present: PresentPump) -> int | None:
    """Uptime at which the last therapy ended; None while one runs, and where it is not known."""
    if present.is_treating:
        return present.history.untreated_since_ms  # of a stall
    found = next(_that_ran(present), None)
    return found[1] if found is not None else None


def _that_ran(present: PresentPump) -> Iterator[tuple[Configuration, int | None]]:
    """Configurations that treated, the newest first, with the end of their delivery.

    In a pump that does not treat, what was committed after the last interruption never began.
    """
    commits, interrupted = present.history.commits, present.history.untreated_since_ms
    if present.run_state is RunState.RUNNING:
        interrupted = None  # a mode that treats nobody runs: its commit was the end
    replaced: int | None = None
    stored = (present.configuration, present.previous)
    for number, configuration in enumerate(stored, start=1):
        committed = commits[-number] if len(commits) >= number else None
        began = interrupted is None or committed is None or committed < interrupted
        if configuration is not None and configuration.mode in THERAPEUTIC and began:
            # The first end counts: a later stop ended what treated nobody.
            ends = [end for end in (*present.history.interruptions, interrupted, replaced) if end is not None]
            yield configuration, min((end for end in ends if committed is None or end >= committed), default=None)
        replaced = committed
