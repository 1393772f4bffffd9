"""The trainer's hands on the demonstration's pump: its time, and trouble to practise with."""

from __future__ import annotations

from collections.abc import Callable

from itbpump.errors import ItbPumpError
from itbpump.tui.demo import DemoPump
from itbpump.tui.plain.desk import refused_text
from itbpump.tui.plain.dialogue import Dialogue
from itbpump.tui.plain.menu import Item, choose, number

__all__ = ["demo_page"]

MS_PER_HOUR = 3_600_000
MOST_HOURS = 2_400
"""A hundred days: longer than from one refill to the next alarm of a busy pump."""
_FASTER, _SLOWER, _PASS, _TROUBLE = "faster", "slower", "pass", "trouble"


def demo_page(dialogue: Dialogue, demo: DemoPump, noted: Callable[[str], None] = lambda _text: None) -> None:
    """One thing done to the simulated pump; `noted` takes what the report of the visit must tell from what a pump did by itself. Raises
    Left, Back, Ended."""
    dialogue.say("", "DEMO.", demo.text)
    items = [
        Item(_FASTER, "Let its time run faster"),
        Item(_SLOWER, "Let its time run slower, or stand still"),
        Item(_PASS, "Let hours pass at once"),
        Item(_TROUBLE, "Let something happen to it"),
    ]
    chosen = choose(dialogue, "What shall happen?", items, edit=False)
    try:
        if chosen == _TROUBLE:
            made = demo.next_trouble()
            dialogue.say(f"{made}.")
            noted(made)
            return
        if chosen == _PASS:
            hours = number(dialogue.ask(f"How many hours, 1 to {MOST_HOURS:,}:", edit=False), MOST_HOURS)
            if hours is None:
                dialogue.say("NOT TAKEN: that is no such number of hours.")
                return
            demo.advance(hours * MS_PER_HOUR)
        else:
            demo.change_speed(1 if chosen == _FASTER else -1)
    except ItbPumpError as error:
        dialogue.say(f"NOT DONE: {refused_text(error)}")
    else:
        dialogue.say(f"DONE. {demo.text}.")
