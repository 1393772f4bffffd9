"""From the command line to the screen: settings, host state, clock; then the app, or the dialogue in lines."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from itbpump.hoststate import HostState
from itbpump.pump import Pump, connect
from itbpump.wire.messages import Event
from itbpump.workflow.settings import Settings, load_settings

__all__ = ["run_screen"]


def run_screen(url: str, *, demo: bool, plain: bool, theme: str = "", keymap: Path | None = None) -> int:
    """Run a face until it ends; its exit code. Raises InputError for settings or a keymap that cannot be read."""
    settings = load_settings()
    if plain:
        from itbpump.tui.plain import run  # noqa: PLC0415 -- one face or the other

        return run(url or None, demo=demo, settings=settings)
    return _screen(url, settings, demo=demo, theme=theme, keymap=keymap)


def _screen(url: str, settings: Settings, *, demo: bool, theme: str, keymap: Path | None) -> int:
    from itbpump.tui import themes  # noqa: PLC0415 -- Textual is loaded for the screen alone
    from itbpump.tui.app import PumpApp, Services  # noqa: PLC0415 -- the same
    from itbpump.tui.demo import DemoPump  # noqa: PLC0415 -- the simulator is loaded for a demo alone
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
    )
    app = PumpApp(replace(services), url, DemoPump(now=datetime.now().astimezone()) if demo else None)
    for name in ("COLUMNS", "LINES"):  # a shell may export them; the window's true size counts, or doses are cut at its edge
        os.environ.pop(name, None)
    gc.collect()
    gc.freeze()  # what was loaded stays: a full collection over it would hold up the screen for a tenth of a second
    code = app.run()
    return 0 if code is None else code


def _open_line(url: str, on_event: Callable[[Event], None]) -> Callable[[], Pump]:
    return lambda: connect(url, on_event=on_event)


def _recent() -> list[tuple[str, str, str]]:
    state = HostState.open()
    try:
        return state.recent()
    finally:
        state.close()
