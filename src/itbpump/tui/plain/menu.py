"""Numbered menus: what can be chosen, what cannot be now and why, one number as the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from itbpump.tui.plain.dialogue import Dialogue

__all__ = ["Item", "choose", "number"]

T = TypeVar("T")


@dataclass(frozen=True)
class Item(Generic[T]):
    """A line of a menu. `hindered` says why it cannot be chosen now; `group` is a heading, said when it changes."""

    value: T
    label: str
    hindered: str = ""
    group: str = ""


def choose(dialogue: Dialogue, heading: str, items: Sequence[Item[T]], help: str = "", *, edit: bool = True, offer: str = "") -> T:
    """The value of the line that was chosen. `offer` ends the question. Raises Left, Back, Abandoned, Ended."""
    width = len(str(len(items)))
    dialogue.say(heading)
    group = ""
    for place, item in enumerate(items, 1):
        if item.group != group:
            group = item.group
            dialogue.say(f"{group}:")
        dialogue.say(f"  {place:>{width}}  {item.label}", *([f"  {'':>{width}}  not now: {item.hindered}"] if item.hindered else []))
    while True:
        answer = dialogue.ask(f"Number{offer}:", help, edit=edit)
        chosen = number(answer, len(items))
        if chosen is None:
            dialogue.say(f"NOT TAKEN: write a number from 1 to {len(items)}.")
        elif items[chosen - 1].hindered:
            dialogue.say(f"NOT NOW: {items[chosen - 1].hindered}")
        else:
            return items[chosen - 1].value


def number(text: str, most: int) -> int | None:
    """A number from 1 to `most`; None for anything else."""
    if text.isascii() and text.isdecimal() and len(text) <= 4 and 1 <= int(text) <= most:
        return int(text)
    return None
