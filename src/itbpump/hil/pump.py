"""The `pump` fixture: the pump under test, by the companion's own client or by an adapter; orders in it must be taken.

`program`, `bolus` and `stop` fail the test unless the pump says and proves that it did as ordered; what came of an order in other cases is
had from `session()`, the client itself. One line, one user: a session that is open is ended before a raw line or another's session.
Not here: judging a prescription (`itbpump.safety`); hardware is sent what the test says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from itbpump.errors import ItbPumpError
from itbpump.hil.adapter import Adapter
from itbpump.hil.errors import NotAsOrdered
from itbpump.hil.prescribing import prescription_text
from itbpump.link.errors import LinkError
from itbpump.outcome import Applied, NotApplied, Outcome, Unknown
from itbpump.present import PresentPump
from itbpump.pump import Pump, connect
from itbpump.quantity import Duration, Mass, Volume
from itbpump.therapy import Prescription, load_prescription
from itbpump.transport.base import Transport, TransportError
from itbpump.wire.messages import Configuration, Info, LogEntry, Role, Status

if TYPE_CHECKING:
    from itbpump.hil.programmer import Programmer
    from itbpump.hil.station import Station

__all__ = ["PumpUnderTest", "Rx"]

Rx: TypeAlias = Prescription | Path | str


class PumpUnderTest:
    """One pump and one programmer. Tests get it as `pump`; `by(…)` gives the same pump to another programmer."""

    def __init__(self, station: Station, programmer: Callable[[], Programmer]) -> None:
        self._station = station
        self._programmer = programmer
        self._session: Pump | None = None
        self._raw: Transport | None = None

    # ---------------------------------------------------------------------------------------------------- the line
    @property
    def target(self) -> str:
        """Name of the rig."""
        return self._station.target.name

    @property
    def programmer(self) -> Programmer:
        """Who talks: `.state` (host state), `.role`, `.key`, `.entropy`."""
        return self._programmer()

    def session(self) -> Pump:
        """The client in session, opened when first asked for and kept. Raises as `itbpump.connect`; skips where an adapter speaks."""
        self._station.require_itbp1("a session of the companion")
        if self._session is None:
            self._station.become_user(self)
            programmer = self.programmer
            self._session = connect(
                self._station.rig.target.address,
                state=programmer.state,
                transport=self._station.open_line(programmer.key_of),
                on_event=self._station.heard,
                entropy=programmer.entropy,
                host_clock=self._station.host_clock,
            )
        return self._session

    def reconnect(self) -> Pump:
        """End the session and open another over the line opened anew."""
        self.hang_up()
        return self.session()

    def line(self) -> Transport:
        """The line itself, opened anew and without a session: for bytes that no client would send. It ends with the test or `session`."""
        self._station.require_itbp1("the bytes of itbp1")
        self.hang_up()
        self._station.become_user(self)
        self._raw = self._station.open_line(self.programmer.key_of)
        return self._raw

    def hang_up(self) -> None:
        """End the session, politely where the pump still answers, and give the line back."""
        session, self._session = self._session, None
        raw, self._raw = self._raw, None
        if session is not None:
            session.close()
        if raw is not None:
            raw.close()

    def drop_line(self) -> None:
        """Give the line back without a word, as a cable that is pulled: the pump's session stands."""
        session, self._session = self._session, None
        raw, self._raw = self._raw, None
        for transport in (session.session.transport if session is not None else None, raw):
            if transport is not None:
                transport.close()

    def by(self, name: str, role: Role = Role.CLINICIAN) -> PumpUnderTest:
        """The same pump for another programmer, paired by the bench under `name` when first asked for. Each use takes the line over."""
        return self._station.other(name, role)

    # ---------------------------------------------------------------------------------------------------- reading
    @property
    def info(self) -> Info:
        """Who the pump is."""
        adapter = self._station.adapter
        return self.session().info if adapter is None else adapter.info()

    def status(self) -> Status:
        """What the pump says of itself now."""
        adapter = self._station.adapter
        return self.session().status() if adapter is None else adapter.status()

    def configuration(self) -> Configuration | None:
        """The active configuration; None when there is none."""
        return self.session().configuration()

    def present(self) -> PresentPump:
        """What a new command starts from."""
        return self.session().present()

    def log(self) -> list[LogEntry]:
        """The pump's whole log, oldest first."""
        adapter = self._station.adapter
        return list(self.session().log() if adapter is None else adapter.log())

    # ---------------------------------------------------------------------------------------------------- orders
    def program(self, rx: Rx) -> Applied | None:
        """Have the pump take and run a prescription: a Prescription, the path of a file, or its text. Fails the test unless it does.

        None where an adapter speaks. Raises PrescriptionError, ConfigurationError.
        """
        prescription = rx if isinstance(rx, Prescription) else load_prescription(rx)
        self._station.note(f"program {prescription.therapy.mode}")
        return self._ordered(
            "the prescription", lambda session: session.program(prescription), lambda adapter: adapter.program(prescription)
        )

    def bolus(self, dose: str | Mass, over: str | Duration) -> Applied | None:
        """Start a single bolus, such as `bolus("25 mcg", "10m")`. Fails the test unless it starts."""
        mass = Mass.parse(dose) if isinstance(dose, str) else dose
        duration = Duration.parse(over) if isinstance(over, str) else over
        self._station.note(f"bolus {mass.text()} over {duration.minutes} min")
        return self._ordered(
            f"a bolus of {mass.text()}", lambda session: session.bolus(mass, duration), lambda adapter: adapter.bolus(mass, duration)
        )

    def stop_bolus(self) -> Applied:
        """End the bolus that runs; the therapy goes on. Fails the test unless the pump does. Skips where an adapter speaks."""
        self._station.note("stop the bolus")
        return _require_applied("the end of the bolus", self.session().stop_bolus())

    def refill(self, filled: str | Volume, aspirated: str | Volume, rx: Rx | None = None) -> Applied:
        """Tell the pump of a refill, as a clinic would; no needle is used (`plant.needle`). Fails the test unless the pump takes it.

        Skips where an adapter speaks. Raises RefillError, and as `program` where another drug or concentration comes with `rx`.
        """
        put_in = Volume.parse(filled) if isinstance(filled, str) else filled
        drawn = Volume.parse(aspirated) if isinstance(aspirated, str) else aspirated
        prescription = rx if rx is None or isinstance(rx, Prescription) else load_prescription(rx)
        self._station.note(f"refill: {drawn.text()} out, {put_in.text()} in")
        return _require_applied("the refill", self.session().refill(drawn, put_in, prescription)[0])

    def stop(self) -> Applied | None:
        """Stop all delivery. Fails the test unless it stops."""
        self._station.note("stop")
        return self._ordered("the stop", lambda session: session.stop(), lambda adapter: adapter.stop())

    def rx(
        self, therapy: str | Mapping[str, str] = "200 mcg/day", *, low_alarm: str = "", reservoir: str = "", concentration: str = ""
    ) -> str:
        """Text of a prescription for this pump as it is: `therapy` is a dose per day, or the text of a table [therapy].

        The reservoir is what is truly in it where that is known, else what the rig says. `reservoir`, `low_alarm` and `concentration` say
        something else.
        """
        return prescription_text(
            self.info.profile,
            therapy,
            reservoir=reservoir or self._station.believed_fill(self.info.capacity_nL).text(),
            low_alarm=low_alarm,
            concentration=concentration or self._station.target.concentration.text(),
        )

    def to(self, state: str) -> None:
        """Bring the pump into a state: "off", "idle" (stopped, no alarm), "infusing" or "alarm", from whichever it is in.

        A transition that fails breaks the rig: everything later ends with its cause, until a fresh pump is made.
        """
        self._station.strategy.to(state)

    def _ordered(self, what: str, by_session: Callable[[Pump], Outcome], by_adapter: Callable[[Adapter], None]) -> Applied | None:
        adapter = self._station.adapter
        if adapter is not None:
            by_adapter(adapter)
            return None
        return _require_applied(what, by_session(self.session()))

    # ------------------------------------------------------------------------------------------- for the end of a test
    def words_of_log(self) -> tuple[str, ...]:
        """The pump's log in words, oldest first. Raises as reading it does."""
        from itbpump.wording.log import uptime_text  # noqa: PLC0415 -- words only for a record that is kept
        from itbpump.wording.words import log_words  # noqa: PLC0415

        return tuple(f"{entry.seq} {uptime_text(entry.uptime_ms)} {log_words(entry)}" for entry in self.log())

    @property
    def may_answer(self) -> bool:
        """Its last session has not been lost: reading on costs no deadline."""
        return self._session is None or self._session.session.is_open

    def hang_up_whatever(self) -> str:
        """`hang_up` for the end of a test; what failed in it, or nothing."""
        try:
            self.hang_up()
        except (LinkError, TransportError) as error:
            return str(error)
        return ""


def _require_applied(what: str, outcome: Outcome) -> Applied:
    if not isinstance(outcome, Applied):
        raise NotAsOrdered(what, outcome, _why(outcome))
    if outcome.proof is not None and not outcome.proof.holds:
        raise NotAsOrdered(what, outcome, f"it says so, but reads back otherwise: {', '.join(map(_check_text, outcome.proof.failures))}")
    return outcome


def _why(outcome: NotApplied | Unknown) -> str:
    cause: ItbPumpError = outcome.reason if isinstance(outcome, NotApplied) else outcome.cause
    return f"{'it has no effect' if isinstance(outcome, NotApplied) else 'it is not known what became of it'} ({cause})"


def _check_text(check: tuple[str, object, object]) -> str:
    what, meant, found = check
    return what if len(str(meant)) > 80 else f"{what} {found} instead of {meant}"
