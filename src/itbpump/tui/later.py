"""What the first frame does not need, loaded on a thread of its own once that frame stands.

Whoever needs it sooner waits for it: two threads never load a module at once, as modules that need each other would then be seen half
made. Not here: which page needs what (each loads its own where it is used, and finds it loaded).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from importlib import import_module
from threading import Thread

__all__ = ["ROOMS", "Later"]

ROOMS = (
    "itbpump.tui.reader",
    "itbpump.tui.screens.pump",
    "itbpump.workflow.table",
    "itbpump.workflow.consent",
    "itbpump.workflow.visit",
    "itbpump.workflow.registering",
    "itbpump.tui.screens.opening",
    "itbpump.tui.screens.stop",
    "itbpump.tui.screens.pair",
)
"""Their imports are everything that a visit needs, in the order in which it comes to need them."""


class Later:
    """Loads `ROOMS` once. `loaded` is called on the loading thread when they stand."""

    def __init__(self, loaded: Callable[[], None]) -> None:
        self._loaded = loaded
        self._end: Future[None] | None = None

    def begin(self) -> None:
        """Load in the background; once, however often it is asked for."""
        if self._end is None:
            self._end = Future()
            Thread(target=self._load, args=(self._end,), name="later").start()

    def wait(self) -> None:
        """Until everything stands; loads it here where nothing has begun yet. Raises what loading has raised."""
        if self._end is None:
            self._end = Future()
            self._load(self._end)
        self._end.result()

    def _load(self, end: Future[None]) -> None:
        try:
            for room in ROOMS:
                import_module(room)
            self._loaded()
        except BaseException as error:  # noqa: BLE001 -- told to whoever waits
            end.set_exception(error)
        else:
            end.set_result(None)
