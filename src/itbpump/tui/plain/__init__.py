"""`itbpump tui --plain`: the tasks of the screen as a dialogue, line by line, for screen readers, dumb terminals and pipes.

No boxes, no colour, no cursor movement; status words first, one question a line with its unit, numbered menus, ASCII, 80 columns. It holds
no logic of its own: what is asked comes from `workflow`, what is said from `wording`, and what is sent goes through `workflow.consent`.
"""

from __future__ import annotations

from itbpump.tui.plain.dialogue import Streams
from itbpump.tui.plain.entry import run

__all__ = ["Streams", "run"]
