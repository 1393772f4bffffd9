"""Recording every contact with a pump in the clinic's registry: the option `--registry`, and what `pumps.opened` does around a session.

The pump is read once more when the command is done and the registry is written when the session is closed, so that neither a slow registry
nor none at all comes before a stop. Before a dose it is asked whose pump it is, once and for some seconds at most, and only where this
computer does not know. What goes wrong is told, and changes no exit code. Not here: what is recorded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from itbpump.cli.guard import HARD_LIMIT, NEEDS_OVERRIDE, USAGE, Cancelled, CommandError
from itbpump.errors import ItbPumpError
from itbpump.wording.layout import laid_out

if TYPE_CHECKING:
    from datetime import date

    from itbpump.drugs import DrugLibrary
    from itbpump.forecast import Forecast
    from itbpump.present import PresentPump
    from itbpump.pump import Pump
    from itbpump.registry.contact import Contact
    from itbpump.workflow.registering import Known, Registering

__all__ = ["dates_of", "recording", "registered"]

Url = Annotated[
    str | None,
    typer.Option("--registry", metavar="URL", help="Record in this registry. Default: what ITBPUMP_REGISTRY names; without it, in none."),
]
_UNTOUCHED: Final = (USAGE, NEEDS_OVERRIDE, HARD_LIMIT)
"""A command that ends so has sent nothing, and its line stands."""


@dataclass(frozen=True, slots=True)
class _Told:
    """What the command under way was told."""

    registry: str | None = None
    user: str = ""
    clinic_library: Path | None = None


_NOTHING: Final = _Told()
_TOLD: ContextVar[_Told] = ContextVar("itbpump.registry", default=_NOTHING)
_KNOWN: ContextVar[Known | None] = ContextVar("itbpump.registry.known", default=None)


def recording(command: Callable[..., None]) -> Callable[..., None]:
    """The command with an option `--registry` more; what it opens by `pumps.opened` is recorded there."""

    @wraps(command)
    def run(*, registry: str | None = None, **given: Any) -> None:
        told = _Told(registry, given.get("user") or given.get("by") or "", given.get("clinic_library"))
        token = _TOLD.set(told)
        try:
            command(**given)
        finally:
            _TOLD.reset(token)

    own = inspect.signature(command, eval_str=True)
    option = inspect.Parameter("registry", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=Url)
    run.__signature__ = own.replace(parameters=[*own.parameters.values(), option])  # type: ignore[attr-defined]  # what typer reads
    return run


def _registering() -> Registering:
    """As the command under way was told: registry, staff id, the clinic's library."""
    from itbpump.workflow.registering import Registering

    told = _TOLD.get()
    made = Registering.chosen(told.registry, user=told.user, clinic_library=told.clinic_library)
    if made.is_set and made.is_nobody:
        from itbpump.workflow.settings import load_settings

        try:
            return made.by_user(load_settings().user)
        except ItbPumpError as error:
            _note(f"who sits here is not known: {error}")
    return made


def _note(text: str) -> None:
    typer.echo(laid_out(f"ATTENTION: {text}"), err=True)


def dates_of(pump: Pump, present: PresentPump, library: DrugLibrary | None, *, implanted_on: date | None = None) -> Forecast:
    """The dates of a pump as it runs, with what the registry knows of it: what its refills taught of its flow, its day of implant.

    A registry that cannot be asked is told of, and the dates are given without it. Raises as `forecast`.
    """
    from itbpump.forecast import forecast_of_reading

    known = _KNOWN.get()
    learned = known.learned() if known is not None else None
    return forecast_of_reading(
        present,
        pump.status(),
        pump.log(),
        pump.profile,
        library,
        implanted_on=implanted_on if implanted_on is not None or learned is None else learned.implanted_on,
        calibration=learned.calibration if learned is not None else None,
    )


@contextmanager
def registered() -> Iterator[Callable[[Pump], AbstractContextManager[None]]]:
    """Gives what goes around a session; what was taken there is recorded at the end, when the session is closed."""
    from itbpump.workflow.registering import Known

    registering = _registering()
    taken: list[Contact] = []

    @contextmanager
    def session(pump: Pump) -> Iterator[None]:
        ask_pump = False
        known = Known(registering, pump.info.serial, _note)
        pump.patient_elsewhere = known.patient_id
        token = _KNOWN.set(known)
        try:
            yield
            ask_pump = True
        except CommandError as error:
            ask_pump = isinstance(error, Cancelled) or error.code in _UNTOUCHED
            raise
        finally:
            _KNOWN.reset(token)
            taken.extend(_taken(registering, pump, ask_pump=ask_pump))

    try:
        yield session
    finally:
        for contact in taken:
            for text in _delivered(registering, contact):
                _note(text)


def _taken(registering: Registering, pump: Pump, *, ask_pump: bool) -> list[Contact]:
    try:
        contact = registering.take(pump, ask_pump=ask_pump)
    except ItbPumpError as error:
        _note(f"this contact is not recorded in the registry: {error}")
        return []
    except KeyboardInterrupt:
        _note("left before the pump was read for the registry; the next contact is recorded with all that was decided here")
        return []
    return [] if contact is None else [contact]


def _delivered(registering: Registering, contact: Contact) -> tuple[str, ...]:
    """Whoever leaves while the registry is waited for leaves nothing behind."""
    try:
        return registering.deliver(contact)
    except KeyboardInterrupt:
        return registering.keep(contact)
