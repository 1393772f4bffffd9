"""Which line to open: pumps used before, serial ports found, a simulated pump, an address typed; pairing where a pump does not know us."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from itbpump.errors import ItbPumpError
from itbpump.link.errors import KeyMismatch, NotPaired
from itbpump.pump import Pump
from itbpump.tui.plain.desk import refused_text
from itbpump.tui.plain.dialogue import Back, Dialogue, Left
from itbpump.tui.plain.menu import Item, choose
from itbpump.wire.messages import Role
from itbpump.workflow.pairing import OtherRole, Pairing, pair

__all__ = ["SIMULATED", "Connect", "choose_url", "open_pump", "pair_page"]

T = TypeVar("T")
Connect = Callable[[str], Pump]
Recent = Callable[[], Sequence[tuple[str, str, str]]]
Ports = Callable[[], Sequence[tuple[str, str]]]
SIMULATED = "sim://P-40?fill=38mL&seed=1&speed=real"
_TYPED, _PAIR = "typed", "pair"
_ROLES = {
    Role.CLINICIAN: "clinician: reads and programs",
    Role.OBSERVER: "observer: reads only",
    Role.EMERGENCY: "emergency: status, minimum rate, stop; needs a magnet over the pump for 10 s",
}
_PAIRING = (
    "Pairing needs the pump in hand: its provisioning port, which takes a new key from this computer; or a file with its key.",
    "A pump simulated in a state file is paired by itself: leave both empty.",
)


def choose_url(dialogue: Dialogue, recent: Recent, ports: Ports) -> str:
    """The address that the person wants. Raises Left, Ended."""
    while True:
        dialogue.say("", "CONNECT to a pump.")
        items = [Item(url, f"{url}, pump {serial}, {profile}", group="Used before") for url, serial, profile in _told(dialogue, recent)]
        items += [Item(device, f"{device}, {text}", group="Serial ports") for device, text in _told(dialogue, ports)]
        items += [
            Item(SIMULATED, "a fresh simulated pump, P-40 with 38 mL, gone at the end", group="Others"),
            Item(_TYPED, "type an address", group="Others"),
            Item(_PAIR, "pair this computer with a pump", group="Others"),
        ]
        chosen = ""
        try:
            chosen = choose(dialogue, "Which line? A point ends the program.", items, edit=False)
            if chosen == _PAIR:
                pair_page(dialogue, "")
            elif chosen != _TYPED:
                return chosen
            elif typed := dialogue.ask("Address, such as /dev/ttyUSB0, COM3, socket://HOST:PORT:", edit=False):
                return typed
        except (Left, Back):
            if not chosen:
                raise Left from None


def _told(dialogue: Dialogue, look: Callable[[], Sequence[T]]) -> Sequence[T]:
    """What was found; what keeps it from being looked for is said, and holds nobody up."""
    try:
        return look()
    except ItbPumpError as error:
        dialogue.say(f"ATTENTION: {refused_text(error)}")
        return ()


def open_pump(dialogue: Dialogue, url: str, connect: Connect) -> Pump:
    """A session with the pump at `url`; a pump that does not know this computer can be paired first.

    Raises what `connect` raises, Left, Ended.
    """
    dialogue.say("", "CONNECTING.")
    try:
        return connect(url)
    except (NotPaired, KeyMismatch) as error:
        dialogue.say(f"NOT CONNECTED: {refused_text(error)}")
        try:
            pair_page(dialogue, url)
        except Back:
            raise Left from error
    return connect(url)


def pair_page(dialogue: Dialogue, url: str) -> None:
    """One key on both sides. Raises Left, Back, Ended."""
    dialogue.say("", "PAIRING.", *_PAIRING)
    url = url or dialogue.ask("Address of the line to the pump:", edit=False)
    while True:
        role = choose(dialogue, "What may this computer do?", [Item(role, text) for role, text in _ROLES.items()], edit=False)
        bench = dialogue.ask("Provisioning port, a path or HOST:PORT (Enter for none):", edit=False)
        key = "" if bench else dialogue.ask("Key file (Enter for none):", edit=False)
        asked = Pairing(url=url, role=role, bench=bench, key_file=Path(key).expanduser() if key else None)
        try:
            dialogue.say(*_paired(dialogue, asked))
        except ItbPumpError as error:
            dialogue.say(f"NOT PAIRED: {refused_text(error)}", "Try again, or leave with a point.")
        else:
            return


def _paired(dialogue: Dialogue, asked: Pairing) -> tuple[str, ...]:
    """Pair; a pairing in another role is replaced only by a word. Raises as `pair`, Left, Back, Ended."""
    try:
        return pair(asked)
    except OtherRole as error:
        dialogue.say(f"NOT PAIRED: {refused_text(error)}")
        if dialogue.ask("Type REPLACE to replace that pairing; anything else keeps it:", fresh=True, edit=False) != "REPLACE":
            raise Left from error
        return pair(replace(asked, replace=True))
