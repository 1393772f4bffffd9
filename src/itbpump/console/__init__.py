"""The program `itbpump`: the one place that knows more than one face. Everything else of a command is in its face.

`program` is the whole of it, as typer takes it. The clinician's screen opens without it where nothing unusual is asked for (`direct`):
typer and the other commands would make up a third of the time until its first frame.
"""

from __future__ import annotations

import os
import sys

from itbpump.console.direct import screen_asked

__all__ = ["run"]


def run() -> None:
    """Entry point of the script."""
    asked = screen_asked(sys.argv[1:], os.environ, sys.platform)
    failed: BaseException | None = None
    if asked is not None:
        from itbpump.tui.command import run_screen  # noqa: PLC0415 -- no other command pays for the screen

        try:
            code = run_screen(asked.url, demo=asked.demo, plain=False, theme=asked.theme, keymap=asked.keymap, registry=asked.registry)
        except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 -- raised again by the command below, whose guard tells it as ever
            failed = error
        else:
            sys.exit(code)
    from itbpump.console.program import start  # noqa: PLC0415 -- typer costs 0.1 s

    start(failed)
