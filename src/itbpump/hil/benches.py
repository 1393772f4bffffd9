"""The bench of a simulated pump behind one protocol: its own table of commands, in this process or over its port.

`call(command, **arguments)` as `firmware_sim.bench` lists them; a trailing underscore of a name is dropped (`for_="77d"`). Not modelled:
`speed`, `save` and `quit` of a pump in this process, which has none of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from itbpump.hil.errors import BenchRefused, RigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from firmware_sim.bench import BenchError
    from itbpump.transport.sim import SimTransport

__all__ = ["Bench", "InProcessBench", "PortBench"]

T = TypeVar("T")
_NOT_HERE = ("speed", "save", "quit")


class Bench(Protocol):
    """What hands, needle, magnet, supply and time do to a simulated pump."""

    def call(self, command: str, **arguments: object) -> dict[str, Any]:
        """Carry out one command and give its result. Raises BenchRefused; RigError when the bench is not there any more."""

    def close(self) -> None:
        """Hang up. Harmless when repeated."""


class InProcessBench:
    """The bench of a pump in this process: the server's own handlers, carried out between two steps of the line."""

    def __init__(self, rig: str, transport: SimTransport) -> None:
        from firmware_sim.endpoints.clock import MANUAL, UptimeClock  # noqa: PLC0415 -- only those who simulate load the simulator
        from firmware_sim.endpoints.controls import Controls  # noqa: PLC0415
        from firmware_sim.endpoints.keeper import StateKeeper  # noqa: PLC0415

        self._rig = rig
        self._transport = transport
        device = transport.device
        clock = UptimeClock(MANUAL, 0, device.drift_ppm)
        self._controls = Controls(device, clock, StateKeeper(device, None), lambda: transport.now_ms() * 1_000_000, lambda: None)

    def call(self, command: str, **arguments: object) -> dict[str, Any]:
        """See Bench."""
        from firmware_sim.bench import COMMANDS, BenchCall, BenchError  # noqa: PLC0415
        from firmware_sim.endpoints.controls import Advance  # noqa: PLC0415

        row = COMMANDS.get(command)
        if row is None or command in _NOT_HERE:
            raise BenchRefused(self._rig, f"{command!r} is nothing that the bench of a pump in this process does", "bad-command")
        try:
            call = BenchCall(row, row.read({name.removesuffix("_"): value for name, value in arguments.items()}))
            outcome = self._transport.with_device(lambda _: self._controls.carry_out(call))
        except BenchError as error:
            raise _refused(self._rig, error) from error
        if isinstance(outcome, Advance):
            self._transport.advance(outcome.total_ms)  # here, not inside `with_device`: the link's clock goes along
            return outcome.answer(self._transport.device)
        return outcome

    def close(self) -> None:
        """See Bench; nothing to hang up."""


class PortBench:
    """A bench port over a socket."""

    def __init__(self, rig: str, url: str, *, answer_timeout_s: float = 120.0) -> None:
        from firmware_sim.bench_client import BenchClient  # noqa: PLC0415

        self._rig = rig
        self._client = self._reporting(lambda: BenchClient(url, answer_timeout_s=answer_timeout_s))

    def call(self, command: str, **arguments: object) -> dict[str, Any]:
        """See Bench."""
        return self._reporting(lambda: self._client.call(command, **arguments))

    def close(self) -> None:
        """See Bench."""
        self._client.close()

    def _reporting(self, act: Callable[[], T]) -> T:
        from firmware_sim.bench import BenchError  # noqa: PLC0415

        try:
            return act()
        except BenchError as error:
            raise _refused(self._rig, error) from error


def _refused(rig: str, error: BenchError) -> RigError:
    if error.kind == "connection":
        return RigError(rig, f"its bench is gone: {error}", "see whether the simulated pump still runs")
    return BenchRefused(rig, str(error), error.kind)
