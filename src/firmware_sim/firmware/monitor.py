"""The second look at the motor, apart from the main task: a count of its own, a watchdog, and the power to take the motor's drive away.

The monitor keeps its own account: pulses commanded by the trains it is handed, and what the encoder counts. Its surplus is what the rotor
made beyond that since it last fell behind, so that missed pulses hide no surplus and a burst that catches up is one (SR-29: above 2 pulses;
+20 % is seen within 15 commanded pulses, +5 % within 60, so that no rate needs a threshold of its own). The main task serves the watchdog
as long as it runs; a watchdog that is not served resets the pump (SR-60). Where the hardware can tell ahead what the encoder will show
(`Foresight`, a simulation), a rotor that leaves off following is met at that very ms; else at the end of a stretch.
Not modelled: the monitor's own failure; a window in which the watchdog may not be served.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, runtime_checkable

from firmware_sim.port import Hardware, PulseTrain

__all__ = ["Foresight", "Monitor", "Unresponsive", "Watchdog", "WatchdogReset"]


@runtime_checkable
class Foresight(Protocol):
    """What a simulated port can do beyond `port.Sensors`."""

    def encoder_pulses_ahead(self, train: PulseTrain, until_ms: int) -> int:
        """What the encoder will show at `until_ms` if `train` runs until then; changes nothing."""


class WatchdogReset(Exception):
    """The watchdog was not served and resets the pump at `at_ms`. Control flow of the simulation: the memory is as the reset finds it, and
    the pump must start anew with `boot(at_ms, watchdog=True)`."""

    def __init__(self, at_ms: int) -> None:
        self.at_ms = at_ms
        super().__init__(f"the main task did not serve the watchdog: reset at {at_ms} ms")


class Unresponsive(Exception):
    """Something was asked of a pump whose main task hangs; whoever carries requests must see `Firmware.hung` and let them fall."""


class Watchdog:
    """Resets the pump when it has not been served for `limit_ms`. A main task that runs serves it all the time."""

    def __init__(self, limit_ms: int) -> None:
        self._limit_ms = limit_ms
        self.served_ms: int | None = None
        """When it was served for the last time; None while the main task runs."""
        self._wakes_ms: int | None = None

    @property
    def hung(self) -> bool:
        """Whether the main task does not run."""
        return self.served_ms is not None

    def hang(self, at_ms: int, for_ms: int | None) -> None:
        """The main task stops at `at_ms`, for ever or for `for_ms`; a task that hangs already does not hang anew."""
        if self.served_ms is None:
            self.served_ms = at_ms
            self._wakes_ms = None if for_ms is None else at_ms + for_ms

    def wake(self) -> None:
        """The main task runs again."""
        self.served_ms = self._wakes_ms = None

    def end_ms(self) -> tuple[int, bool]:
        """When the main task's absence ends, and whether by a reset: the watchdog bites, unless the task wakes before."""
        if self.served_ms is None:
            raise ValueError("the main task runs: its absence has no end")
        bites_ms = self.served_ms + self._limit_ms
        if self._wakes_ms is not None and self._wakes_ms < bites_ms:
            return self._wakes_ms, False
        return bites_ms, True


class Monitor:
    """The monitor's account. `limit_pulses` is the surplus it bears. Times are uptime in ms."""

    def __init__(self, hardware: Hardware, limit_pulses: int) -> None:
        self._hardware = hardware
        self._ahead: Callable[[PulseTrain, int], int] | None = None
        if isinstance(hardware, Foresight):
            self._ahead = hardware.encoder_pulses_ahead
        self._limit = limit_pulses
        self._train: PulseTrain | None = None
        self._counted = 0
        self._encoder = 0
        self._lead = 0
        self._least_lead = 0

    # ------------------------------------------------------------------------------------------------ the account
    def start(self, surplus: int) -> None:
        """Begin at a start of the pump. `surplus`: pulses made too many that are known and not yet alarmed, 0 or more."""
        self._train = None
        self._encoder = self._hardware.encoder_pulses()
        self._lead, self._least_lead = surplus, 0

    def follow(self, train: PulseTrain, at_ms: int) -> None:
        """From `at_ms` on `train` is what is commanded; the account until then is closed first."""
        self.look(at_ms)
        self._train = train
        self._counted = train.count_at(at_ms)

    def look(self, at_ms: int) -> None:
        """Read the encoder at `at_ms`, the present."""
        encoder = self._hardware.encoder_pulses()
        counted = self._counted if self._train is None else self._train.count_at(at_ms)
        self._lead += encoder - self._encoder - (counted - self._counted)
        self._least_lead = min(self._least_lead, self._lead)
        self._encoder, self._counted = encoder, counted

    @property
    def surplus(self) -> int:
        """Pulses the rotor made beyond those commanded since it last fell behind."""
        return self._lead - self._least_lead

    @property
    def trips(self) -> bool:
        """Whether the motor's drive must be taken away."""
        return self.surplus > self._limit

    def forgive(self) -> None:
        """The surplus has been alarmed: count anew."""
        self._least_lead = self._lead

    # ------------------------------------------------------------------------------------------------ looking ahead
    def turn_ms(self, train: PulseTrain, now_ms: int, until_ms: int, *, stands: bool) -> int | None:
        """First ms in (now, until] at which the encoder does not go on as it does: following `train`, or standing still (`stands`).

        None if it does, as far as the end shows, or where the hardware cannot tell ahead.
        """
        if self._ahead is None or until_ms <= now_ms:
            return None
        ahead, shown, begun = self._ahead, self._hardware.encoder_pulses(), train.count_at(max(now_ms, train.start_ms))
        pulses = train.count_at(until_ms) - begun

        def differs(pulse: int) -> bool:
            """Whether it does once the pulse of this number from now has been commanded."""
            at_ms = train.time_of_pulse(begun + pulse)
            return at_ms is not None and ahead(train, at_ms) - shown != (0 if stands else train.count_at(at_ms) - begun)

        if not pulses or not differs(pulses):
            return None
        # The encoder moves with a pulse or not at all. Faults begin early in a stretch: double the span first, then halve it.
        first, last = 0, 1
        while not differs(last):
            first, last = last, min(2 * last, pulses)
        while last - first > 1:
            middle = (first + last) // 2
            first, last = (first, middle) if differs(middle) else (middle, last)
        return train.time_of_pulse(begun + last)
