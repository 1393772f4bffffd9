"""From a sim:// address to an open line: a pump new or from its state file. The only endpoint module that knows SimulatedPump."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from firmware_sim.defects import UnknownFirmware, pump_type
from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.clock import Speed
from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.inprocess import InProcessLine
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.faults import FaultError, FaultPlan, load_plan
from firmware_sim.firmware.memory import MemoryFault
from firmware_sim.profiles import load_profile
from firmware_sim.state_file import StateFile, StateFileError

__all__ = ["entropy_for", "kind_of", "load_pump", "make_pump", "new_pump", "open_line"]


def make_pump(
    profile: str,
    *,
    seed: int = 0,
    fill_nL: int | None = None,
    concentration_ng_per_mL: int | None = None,
    path_volume_nL: int | None = None,
    entropy: Callable[[int], bytes] | None = None,
    kind: type[SimulatedPump] = SimulatedPump,
) -> SimulatedPump:
    """A fresh pump: filled (to its capacity, with 2000 mcg/mL, unless told), stopped, unconfigured. EndpointError for what cannot be.

    `entropy(n)` gives the pump's random bytes; by default they follow from the seed. kind: by `kind_of`; what firmware it runs.
    """
    try:
        figures = load_profile(profile)
        return kind(
            figures,
            seed=seed,
            fill_nL=figures.firmware.capacity_nL if fill_nL is None else fill_nL,
            concentration_ng_per_mL=2_000_000 if concentration_ng_per_mL is None else concentration_ng_per_mL,
            path_volume_nL=path_volume_nL,
            entropy=entropy,
        )
    except ValueError as error:  # ProfileError and PlantError are such
        raise EndpointError(f"a pump {profile!r} cannot be made ({error})", "check the profile's name and the fill") from error


def kind_of(firmware: str | None = None, minor: int | None = None) -> type[SimulatedPump]:
    """The pump that runs a firmware by its name, or the one of a minor version; see `firmware_sim.defects`. Raises EndpointError."""
    try:
        return pump_type(firmware, minor)
    except UnknownFirmware as error:
        raise EndpointError(str(error), "see `firmware_sim/defects/defects.toml` for what there is") from error


def entropy_for(url: SimUrl) -> Callable[[int], bytes] | None:
    """Random bytes for the fresh pump of an address: the system's for one that is to be kept, since what programmers know of a pump hangs
    on its memory's id, and two files must not hold the same; None (from the seed) for one that dies with the program."""
    return None if url.state is None else os.urandom


def new_pump(url: SimUrl) -> SimulatedPump:
    """The fresh pump of an address without a prescription. Raises EndpointError."""
    if url.rx is not None:
        raise EndpointError("a prescription cannot be read here", f"run `itbpump sim --rx {url.rx}` and open the port that it prints")
    kind = kind_of(url.firmware, url.minor)
    return make_pump(url.profile, seed=url.seed, fill_nL=url.fill_nL, entropy=entropy_for(url), kind=kind)


def load_pump(file: StateFile, entropy: Callable[[int], bytes] = os.urandom, kind: type[SimulatedPump] = SimulatedPump) -> SimulatedPump:
    """The pump of a state file, started with the firmware of `kind`. Raises StateFileError; the file is left as it is.

    Its random bytes never follow from the seed: with each start they would be the same again.
    """
    state = file.load()
    try:
        return kind.load(state, entropy)
    except (ValueError, KeyError, TypeError, MemoryFault) as error:  # its SHA-256 holds: written by another program, or by another version
        raise StateFileError(file.path, f"no pump can be started from it ({error!r})", "use the program that wrote it") from error


def open_line(
    url: SimUrl,
    *,
    default_speed: Speed,
    make: Callable[[SimUrl], Device] = new_pump,
    load: Callable[[StateFile], Device] | None = None,
) -> InProcessLine:
    """Open the line. `make` is called only where there is no state file yet, `load` (by default `load_pump`) where there is one. Raises
    EndpointError, StateFileError."""
    speed = url.speed if url.speed is not None else default_speed
    plan, kind = _plan(url), kind_of(url.firmware, url.minor)
    if url.state is None:
        return _line_to(make(url), plan, speed, None)
    file = StateFile(Path(url.state))
    try:
        if not file.exists():
            return _line_to(make(url), plan, speed, file)
        return _line_to(load_pump(file, kind=kind) if load is None else load(file), plan, speed, file)
    except BaseException:
        file.close()
        raise


def _plan(url: SimUrl) -> FaultPlan | None:
    try:
        return None if url.faults is None else load_plan(url.faults)
    except FaultError as error:
        raise EndpointError(f"{url.url!r}: {error}", "see docs/faults.md for plans and the catalogue") from error


def _line_to(device: Device, plan: FaultPlan | None, speed: Speed, file: StateFile | None) -> InProcessLine:
    if plan is None:
        return InProcessLine(device, speed=speed, file=file)
    if not isinstance(device, SimulatedPump):
        raise EndpointError("faults are planned for a device that has none", "leave `faults` out")
    try:
        device.plan_faults(plan)
    except FaultError as error:
        raise EndpointError(str(error), "plan times count from the pump's manufacture; see docs/faults.md") from error
    return InProcessLine(device, speed=speed, file=file, line=device.faults.line)
