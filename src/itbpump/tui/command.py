"""From the command line to the screen: settings, host state, clock; then the app, or the dialogue in lines."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from itbpump.workflow.settings import Settings, load_settings

if TYPE_CHECKING:
    from itbpump.pump import Pump
    from itbpump.tui.demo import DemoPump
    from itbpump.wire.messages import Event
    from itbpump.workflow.registering import Registering

__all__ = ["run_screen"]


def run_screen(url: str, *, demo: bool, plain: bool, theme: str = "", keymap: Path | None = None, registry: str | None = None) -> int:
    """Run a face until it ends; its exit code. Contacts go into `registry`, or where ITBPUMP_REGISTRY says, but none of a demo's.

    Raises InputError for settings or a keymap that cannot be read.
    """
    settings = load_settings()
    registering = partial(_registering, registry, settings, demo=demo)
    if plain:
        from itbpump.tui.plain import run  # noqa: PLC0415 -- one face or the other

        return run(url or None, demo=demo, settings=settings, registering=registering())
    return _screen(url, settings, registering, demo=demo, theme=theme, keymap=keymap)


def _registering(registry: str | None, settings: Settings, *, demo: bool) -> Registering:
    from itbpump.workflow.registering import Registering  # noqa: PLC0415 -- loaded when a pump is opened

    if demo:
        return Registering(None)
    return Registering.chosen(registry, user=settings.user, clinic_library=settings.library)


def _screen(url: str, settings: Settings, registering: Callable[[], Registering], *, demo: bool, theme: str, keymap: Path | None) -> int:
    gc.disable()  # nothing that is loaded is rubbish; looking it through again and again costs a tenth of the time to the first frame
    from itbpump.tui import themes  # noqa: PLC0415 -- Textual is loaded for the screen alone
    from itbpump.tui.app import PumpApp, Services  # noqa: PLC0415 -- the same
    from itbpump.tui.keys import load_keymap  # noqa: PLC0415 -- the same

    chosen, reason = themes.usable_theme(theme or settings.theme or themes.DEFAULT, no_color="NO_COLOR" in os.environ)
    if reason:
        print(reason, file=sys.stderr)  # noqa: T201 -- before the screen opens
    keys = keymap or settings.keymap
    services = Services(
        open_line=_open_line,
        monotonic_ms=lambda: time.monotonic_ns() // 1_000_000,
        recent=_recent,
        policy=settings.policy(),
        keymap=load_keymap(keys) if keys is not None else {},
        theme=chosen,
        loaded=_keep_loaded,
        registering=registering,
    )
    app = PumpApp(services, url, _demo_pump() if demo else None)
    for name in ("COLUMNS", "LINES"):  # a shell may export them; the window's true size counts, or doses are cut at its edge
        os.environ.pop(name, None)
    code = app.run()
    for text in app.unrecorded:
        print(text, file=sys.stderr)  # noqa: T201 -- the screen has closed
    return 0 if code is None else code


def _keep_loaded() -> None:
    """What was loaded stays: a full collection over it would hold up the screen for a tenth of a second."""
    gc.freeze()
    gc.enable()


def _demo_pump() -> DemoPump:
    from itbpump.tui.demo import DemoPump  # noqa: PLC0415 -- the simulator is loaded for a demo alone

    return DemoPump(now=datetime.now().astimezone())


def _open_line(url: str, on_event: Callable[[Event], None]) -> Callable[[], Pump]:
    from itbpump.pump import connect  # noqa: PLC0415 -- loaded when a pump is opened

    return lambda: connect(url, on_event=on_event)


def _recent() -> list[tuple[str, str, str]]:
    from itbpump.hoststate import HostState  # noqa: PLC0415 -- the dialogue opens its own

    state = HostState.open()
    try:
        return state.recent()
    finally:
        state.close()
