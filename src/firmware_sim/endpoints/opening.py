"""From a sim:// address to an open line: a pump new or from its state file. The only endpoint module that knows SimulatedPump."""

from __future__ import annotations

from collections.abc import Callable

from firmware_sim.endpoints.clock import Speed
from firmware_sim.endpoints.device import Device
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.state_file import StateFile

__all__ = ["new_pump", "open_line", "stored_pump"]


def new_pump(url: SimUrl) -> Device:
    """A fresh pump: filled, stopped, unconfigured. Raises what SimulatedPump raises for an unknown profile or an impossible fill."""
    from firmware_sim.device import SimulatedPump  # noqa: PLC0415 -- the physics are loaded only when a pump is made

    if url.fill_nL is None:
        return SimulatedPump(url.profile, seed=url.seed)
    return SimulatedPump(url.profile, seed=url.seed, fill_nL=url.fill_nL)


def stored_pump(state: dict[str, object]) -> Device:
    """The pump of a state file."""
    from firmware_sim.device import SimulatedPump  # noqa: PLC0415 -- see new_pump

    return SimulatedPump.load(state)


def open_line(
    url: SimUrl,
    *,
    default_speed: Speed,
    make: Callable[[SimUrl], Device] = new_pump,
    restore: Callable[[dict[str, object]], Device] = stored_pump,
) -> InProcessLine:
    """Open the line. `make` is called only for a new pump. Raises EndpointError, StateFileError."""
    speed = url.speed if url.speed is not None else default_speed
    if url.state is None:
        return InProcessLine(make(url), speed=speed)
    file = StateFile(url.state)
    try:
        device = restore(file.load()) if file.exists() else make(url)
        return InProcessLine(device, speed=speed, file=file)
    except BaseException:
        file.close()
        raise
