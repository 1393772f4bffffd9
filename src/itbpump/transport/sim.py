"""A pump simulated in this process: `sim://P-40?fill=38mL&seed=1[&state=FILE][&speed=…][&rx=FILE][&firmware=ID|&minor=N]`.

Without `speed` time is manual: the link's clock and the pump's uptime move together, and only while `read` waits and in `advance`; nothing
ever sleeps, and the same seed gives the same bytes. With `speed=real` or a factor reads wait on the wall clock and uptime follows it.
The companion's only door to firmware_sim; `open_transport` loads this module when the first sim:// address is opened.
Not modelled: baud rate, losses.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from firmware_sim.device import SimulatedPump
from firmware_sim.endpoints.clock import MANUAL, Speed
from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.inprocess import InProcessLine, LineGoneError
from firmware_sim.endpoints.opening import entropy_for, kind_of, make_pump, new_pump, open_line
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.firmware.core import SessionInfo
from firmware_sim.state_file import StateFileError
from itbpump.configuration import week_offset_ms, wire_configuration
from itbpump.link.errors import describe_error
from itbpump.profiles import load_profile
from itbpump.therapy import load_prescription
from itbpump.transport.base import BadUrlError, PortClosedError, PortUnpluggedError, SimulatorError, require_wait
from itbpump.wire.messages import (
    FRAGMENT_BYTES,
    CommandKind,
    Commit,
    ConfirmResult,
    Error,
    Outcome,
    Reply,
    Result,
    Role,
    Stage,
    Staged,
    encode_configuration,
)

__all__ = ["SimTransport", "configured_pump"]

T = TypeVar("T")


class SimTransport:
    """A Transport to a pump in this process."""

    simulated = True

    def __init__(self, url: str, line: InProcessLine) -> None:
        self.url = url
        self._line = line
        self._closed = False

    @classmethod
    def open(cls, url: str) -> SimTransport:
        """Make the pump, or take it from its state file. Raises BadUrlError, SimulatorError; for `rx` also what configured_pump raises."""
        try:
            asked = SimUrl.parse(url)
        except EndpointError as error:
            raise BadUrlError(url, error.problem, error.action) from error
        try:
            return cls(url, open_line(asked, default_speed=MANUAL, make=_fresh_pump))
        except (EndpointError, StateFileError) as error:
            raise SimulatorError(url, error.problem, error.action) from error

    @property
    def device(self) -> Device:
        """The pump itself, for tests, bench commands and the truth; to be used between reads and writes."""
        return self._line.device

    def now_ms(self) -> int:
        """The link's clock: simulated in manual time, monotonic otherwise."""
        return self._line.now_ms()

    def advance(self, ms: int) -> None:
        """Let `ms` of pump time pass; in manual time the link's clock goes along. `device.advance` moves the pump alone."""
        with self._reporting():
            self._line.advance(ms)

    @property
    def manual(self) -> bool:
        """Time passes only in waits and by `advance`: a wait costs pump time and no time of the caller."""
        return self._line.manual

    @property
    def speed(self) -> str:
        """How fast pump time runs, as `speed=` takes it: `manual`, `real`, or a factor."""
        return str(self._line.speed)

    def change_speed(self, text: str) -> None:
        """Let pump time go on at another speed (`real`, a factor; `manual`: it stands); the link's time is never scaled.

        Raises ValueError for what is no speed, and on a line that was opened in manual time.
        """
        with self._reporting():
            self._line.change_speed(Speed.parse(text))

    def with_device(self, act: Callable[[Device], T]) -> T:
        """Let hands do something to the pump while another thread may wait on the line. Raises what `act` raises."""
        with self._reporting():
            return self._line.with_device(act)

    def discard(self) -> None:
        """Throw away the bytes that have come and were not read."""
        with self._reporting():
            self._line.discard()

    def read(self, max_wait_ms: int) -> bytes:
        """See Transport. In manual time the wait passes in the pump, at once for the caller."""
        require_wait(max_wait_ms)
        with self._reporting():
            return self._line.read(max_wait_ms)

    def write(self, data: bytes, deadline_ms: int | None = None) -> None:
        """See Transport. The pump takes bytes at once, so no deadline is ever missed."""
        with self._reporting():
            self._line.write(data)

    def unplug(self) -> None:
        """Pull the cable: reads and writes fail from now on, and the pump lives on until `close`."""
        self._line.unplug()

    def close(self) -> None:
        """See Transport. The pump's state is saved, if it has a file."""
        self._closed = True
        with self._reporting():
            self._line.close()

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """Failures of the line as the transport errors they are."""
        try:
            yield
        except LineGoneError as error:
            if self._closed:
                raise PortClosedError(self.url, "it has been closed", "open it again") from error
            raise PortUnpluggedError(self.url, str(error), "open it again; with state=FILE the pump is still there") from error
        except (EndpointError, StateFileError) as error:
            raise SimulatorError(self.url, error.problem, error.action) from error


# ---------------------------------------------------------------------------------------------------- a pump that starts configured
_FACTORY = b"FACTORY\0"


def _fresh_pump(url: SimUrl) -> SimulatedPump:
    if url.rx is None:
        return new_pump(url)
    kind = kind_of(url.firmware, url.minor)
    return configured_pump(url.rx, profile=url.profile_named, seed=url.seed, fill_nL=url.fill_nL, entropy=entropy_for(url), kind=kind)


def configured_pump(
    rx: Path,
    *,
    profile: str | None = None,
    seed: int = 0,
    fill_nL: int | None = None,
    entropy: Callable[[int], bytes] | None = None,
    kind: type[SimulatedPump] = SimulatedPump,
) -> SimulatedPump:
    """A simulated pump that runs the prescription in the file `rx`, for `itbpump sim --rx` and `sim://P-40?rx=FILE`.

    Its uptime 0 is the prescription's `as_of`. The true reservoir holds the prescription's volume, or `fill_nL` if the two shall differ.
    `entropy(n)` gives the pump's random bytes; by default they follow from the seed. kind: what firmware it runs (`opening.kind_of`).
    A factory programmer of its own, with a key that nobody knows, gives the order: the pump's limits hold as for any other.
    Raises PrescriptionError, ProfileError, ConfigurationError; BadUrlError if `profile` is another one, SimulatorError if the pump refuses.
    """
    prescription = load_prescription(rx)
    wanted = prescription.pump
    if profile is not None and profile != wanted.profile:
        raise BadUrlError(str(rx), f"it is for a pump {wanted.profile}, not {profile}", "name that profile, or another prescription")
    configuration = wire_configuration(
        prescription,
        load_profile(wanted.profile),
        week_offset=week_offset_ms(wanted.as_of, wanted.as_of, 0),
        set_volume=wanted.reservoir_volume,
    )
    pump = make_pump(
        wanted.profile,
        seed=seed,
        fill_nL=configuration.reservoir_volume_nL if fill_nL is None else fill_nL,
        concentration_ng_per_mL=configuration.concentration_ng_per_mL,
        path_volume_nL=configuration.path_volume_nL,
        entropy=entropy,
        kind=kind,
    )
    pump.provision(_FACTORY, Role.CLINICIAN, pump.parts.entropy(32))
    _order(pump, rx, encode_configuration(configuration))
    return pump


def _order(pump: SimulatedPump, rx: Path, payload: bytes) -> None:
    """Stage, commit and confirm the pump's first command, as a programmer would."""
    session = SessionInfo(_FACTORY, Role.CLINICIAN)
    for offset in range(0, len(payload), FRAGMENT_BYTES):
        fragment = payload[offset : offset + FRAGMENT_BYTES]
        reply = pump.order(Stage(1, CommandKind.CONFIGURE, 0, len(payload), offset, fragment), session)
        if not isinstance(reply, Staged):
            raise _refused(rx, reply)
    reply = pump.order(Commit(1, hashlib.sha256(payload).digest(), 0), session)
    if not isinstance(reply, Result) or reply.result.outcome is not Outcome.APPLIED:
        raise _refused(rx, reply)
    pump.order(ConfirmResult(1), session)


def _refused(rx: Path, reply: Reply) -> SimulatorError:
    match reply:
        case Error(code=code, detail=detail):
            why = describe_error(code, detail)
        case Result(result=result):
            why = describe_error(result.error, result.error_detail)
        case _:
            why = f"the pump answers {type(reply).__name__}"
    return SimulatorError(str(rx), why, f"see what is wrong with it: itbpump review {rx}")
