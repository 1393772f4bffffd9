"""Pairing: one key on both sides; a new key goes to the pump through its provisioning port, never over the patient's line.

Also the emergency key of the patient's card, for the session that a magnet allows. Not here: how keys are made and proved (`workflow`).
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import ClassVar

from textual import work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Label, Select

from itbpump.errors import ItbPumpError
from itbpump.tui.pages import page
from itbpump.tui.screens.page import Lines, Page, bindings
from itbpump.tui.snapshot import Snapshot
from itbpump.tui.told import told
from itbpump.wire.messages import Role
from itbpump.wording.layout import wrapped
from itbpump.workflow.pairing import Pairing, pair

__all__ = ["PairPage"]


class PairPage(Page[None]):
    """Asks for line, role, and port or key file."""

    page_name = "pair"
    BINDINGS: ClassVar[list[BindingType]] = [*bindings("page"), Binding("f5", "pair", "Pair", priority=True)]

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url
        self._is_pairing = False

    def body(self) -> ComposeResult:
        yield Lines("PAIR THIS COMPUTER WITH A PUMP", classes="title")
        yield Lines("\n".join(wrapped(page(self.page_name).text, self.width)))
        for name, label, value in (("url", "Line to the pump", self._url), ("bench", "Provisioning port", ""), ("key", "or key file", "")):
            with Horizontal(classes="entry"):
                yield Label(label, classes="label", markup=False)
                yield Input(value, id=name, compact=True)
        with Horizontal(classes="entry"):
            yield Label("Role", classes="label", markup=False)
            yield Select(
                [(role.name.lower(), role.name) for role in Role], value=Role.CLINICIAN.name, id="role", compact=True, allow_blank=False
            )
        yield Lines(id="said")

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Nothing of a pump is shown here, as none is open."""

    def action_pair(self) -> None:
        """Make the key, hand it over, prove it; once, as two pairings at a time would make two keys."""
        if not self._is_pairing:
            self._is_pairing = True
            self._pair()

    @work(group="pair")
    async def _pair(self) -> None:
        url, bench, key = (self.query_one(f"#{name}", Input).value.strip() for name in ("url", "bench", "key"))
        role, said = Role[str(self.query_one("#role", Select).value)], self.query_one("#said", Lines)
        said.tell(["pairing …"], "notice")
        asked = Pairing(url=url, role=role, bench=bench, key_file=Path(key) if key else None)
        try:
            lines = await asyncio.to_thread(pair, asked)
        except ItbPumpError as error:
            why = f"not paired: {error}; {error.action}" if error.action else f"not paired: {error}"
            said.tell(wrapped(told(why), self.width), "warning")
            return
        finally:
            self._is_pairing = False
        said.tell([part for line in lines for part in wrapped(told(line), self.width)], "ok")
