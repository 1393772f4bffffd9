"""The screen's three looks, from `themes.toml`: dark, light, high contrast; the colours of states, and the word and sign beside each.

A state's colours are the variables `$state-<name>` (fill) and `$state-<name>-text`; `themed_css` makes the classes `.<name>` of them.
Not modelled: what a terminal makes of the colours (a palette of 16, a profile of its own); hence the words and signs (SR-57).
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from textual.theme import BUILTIN_THEMES, Theme

if TYPE_CHECKING:
    from textual.app import App

__all__ = [
    "DEFAULT",
    "STATES",
    "STATE_MARKS",
    "Look",
    "Mark",
    "StateColours",
    "ThemeChoice",
    "after",
    "badge",
    "contrast",
    "looks",
    "register",
    "themed_css",
    "usable_theme",
    "variable_defaults",
]


class Mark(NamedTuple):
    """What stands beside a state's colour: a word, and a sign of plain ASCII."""

    word: str
    sign: str


class StateColours(NamedTuple):
    """Colours of a filled badge, as `#RRGGBB`."""

    fill: str
    text: str


class ThemeChoice(NamedTuple):
    """A theme that can be used, and what to tell whoever asked; `reason` is empty where nothing is to be told."""

    name: str
    reason: str


@dataclass(frozen=True, slots=True)
class Look:
    """One theme's colours, as `#RRGGBB`; `least_text` is the contrast its text on the page has at least."""

    name: str
    dark: bool
    background: str
    surface: str
    panel: str
    text: str
    muted: str
    border: str
    states: Mapping[str, StateColours]
    least_text: float = 4.5

    def theme(self) -> Theme:
        """As Textual takes it. Widgets of Textual's own get colours of the same proof: no shade is left to be mixed from another."""
        states = self.states
        return Theme(
            name=self.name,
            dark=self.dark,
            primary=states["focus"].fill,
            secondary=self.muted,
            accent=states["focus"].fill,
            warning=states["warning"].fill,
            error=states["critical"].fill,
            success=states["ok"].fill,
            foreground=self.text,
            background=self.background,
            surface=self.surface,
            panel=self.panel,
            variables=self.variables(),
        )

    def variables(self) -> dict[str, str]:
        """The states' colours, and those of Textual's variables that it would else mix, unproved."""
        focus, plain = self.states["focus"], self.text
        named = {f"state-{name}": colours.fill for name, colours in self.states.items()}
        named |= {f"state-{name}-text": colours.text for name, colours in self.states.items()}
        for name in ("text", "text-primary", "text-secondary", "text-accent", "text-warning", "text-error", "text-success"):
            named[name] = plain
        return named | {
            "foreground-muted": self.muted,
            "foreground-disabled": self.muted,
            "text-muted": self.muted,
            "text-disabled": self.muted,
            "border": focus.fill,
            "border-blurred": self.border,
            "border-plain": self.border,
            "surface-active": self.panel,
            "block-cursor-background": focus.fill,
            "block-cursor-foreground": focus.text,
            "block-cursor-blurred-background": self.panel,
            "block-cursor-blurred-foreground": plain,
            "block-hover-background": self.panel,
            "input-cursor-background": plain,
            "input-cursor-foreground": self.background,
            "input-selection-background": focus.fill,
            "input-selection-foreground": focus.text,
            "button-foreground": plain,
            "footer-background": self.panel,
            "footer-foreground": plain,
            "footer-key-foreground": plain,
            "footer-description-foreground": plain,
            "link-background-hover": focus.fill,
            "link-color-hover": focus.text,
            "scrollbar": self.border,
            "scrollbar-hover": self.border,
            "scrollbar-active": focus.fill,
            "scrollbar-background": self.surface,
            "screen-selection-background": focus.fill,
            "screen-selection-foreground": focus.text,
        }


@cache
def _data() -> dict[str, Any]:
    return tomllib.loads(resources.files("itbpump.tui").joinpath("themes.toml").read_text("utf-8"))


@cache
def looks() -> Mapping[str, Look]:
    """The three themes by name, in the order in which a key goes through them."""
    return MappingProxyType({name: _look(name, dict(row)) for name, row in _data()["theme"].items()})


def _look(name: str, row: dict[str, Any]) -> Look:
    states = {state: StateColours(**colours) for state, colours in row.pop("states").items()}
    return Look(name=name, states=MappingProxyType(states), **row)


DEFAULT: str = _data()["default"]
STATE_MARKS: Mapping[str, Mark] = MappingProxyType({name: Mark(**row) for name, row in _data()["marks"].items()})
STATES: tuple[str, ...] = tuple(STATE_MARKS)


def register(app: App[Any]) -> None:
    """Make the three themes known to a program."""
    for look in looks().values():
        app.register_theme(look.theme())


def after(name: str) -> str:
    """The theme that follows, for a key that goes through them; the first after any other."""
    names = list(looks())
    return names[(names.index(name) + 1) % len(names)] if name in names else names[0]


def variable_defaults() -> dict[str, str]:
    """For `App.get_theme_variable_defaults`: a theme that is none of ours has the states of our default one."""
    return {name: value for name, value in looks()[DEFAULT].variables().items() if name.startswith(("state-", "border-plain"))}


def themed_css() -> str:
    """For `App.CSS`: one class per state, `.critical` and so on, filled; and Textual's widgets that mix a colour of their own."""
    filled = [f".{name} {{ background: $state-{name}; color: $state-{name}-text; }}" for name in STATES]
    buttons = [
        f"Button.-{variant}, Button.-{variant}:hover, Button.-{variant}:focus "
        f"{{ background: $state-{state}; color: $state-{state}-text; background-tint: transparent 0%; text-style: bold; }}\n"
        f"Button.-{variant}:focus {{ text-style: bold reverse; }}"
        for variant, state in _BUTTONS.items()
    ]
    return "\n".join([*filled, *buttons, "SelectCurrent Static#label { color: $text-muted; }"]) + "\n"


_BUTTONS = {"primary": "focus", "success": "ok", "warning": "warning", "error": "critical"}
"""Kinds of Textual's buttons, and the states whose colours they have."""


def badge(state: str, text: str = "") -> str:
    """`!! CRITICAL ALARM` or `! low reservoir`: sign, then the text or the state's word. KeyError for no state."""
    mark = STATE_MARKS[state]
    return f"{mark.sign} {text or mark.word}"


def usable_theme(name: str, no_color: bool) -> ThemeChoice:
    """The theme asked for, or the default one with the reason why not.

    With NO_COLOR Textual turns colours into greys; its `ansi-*` themes have none to turn, and cursor, alarm and text fall together.
    """
    if name in looks():
        return ThemeChoice(name, "")
    if name not in BUILTIN_THEMES:
        return ThemeChoice(DEFAULT, f"there is no theme {name!r}; {DEFAULT} is used; ours are {', '.join(looks())}")
    if no_color and BUILTIN_THEMES[name].ansi:
        return ThemeChoice(DEFAULT, f"{name} cannot be read with NO_COLOR set; {DEFAULT} is used")
    return ThemeChoice(name, f"nobody has checked the contrast of {name}; ours are {', '.join(looks())}")


def contrast(one: str, other: str) -> float:
    """Contrast ratio of two colours `#RRGGBB`, 1 to 21. WCAG 2.2, "contrast ratio" and "relative luminance"."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[at : at + 2], 16) / 255) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4
