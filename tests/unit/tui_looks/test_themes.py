"""The three looks: contrast by WCAG, states apart for every kind of colour vision and in grey, a word and a sign beside each colour."""

from __future__ import annotations

import asyncio
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from textual.app import App, ComposeResult
from textual.color import Color
from textual.widgets import Button, Checkbox, DataTable, Footer, Input, Label, OptionList, RadioButton, Select, Static
from textual.widgets.option_list import Option

from itbpump.tui.themes import (
    DEFAULT,
    STATE_MARKS,
    STATES,
    Look,
    after,
    badge,
    contrast,
    looks,
    register,
    themed_css,
    usable_theme,
    variable_defaults,
)
from tests.unit.tui_looks.screen import faint, lines

DATA: dict[str, Any] = tomllib.loads(resources.files("itbpump.tui").joinpath("themes.toml").read_text("utf-8"))
PAIRS = [tuple(row["states"]) for row in DATA["differ"]]
NAMES = tuple(looks())

# How linear sRGB looks without one kind of cone. Machado, Oliveira, Fernandes, "A physiologically-based model for simulation of color
# vision deficiency" (IEEE TVCG 15, 2009), severity 1.
VISION = {
    "all cones": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "protanopia": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "deuteranopia": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "tritanopia": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}


def luminance(colour: str, vision: str = "all cones") -> float:
    """Written apart from the module's own, which it is compared with."""
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    seen = [min(1.0, max(0.0, sum(share * value for share, value in zip(row, linear, strict=True)))) for row in VISION[vision]]
    return sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), seen, strict=True))


def ratio(one: str, other: str, vision: str = "all cones") -> float:
    high, low = sorted((luminance(one, vision), luminance(other, vision)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def faults(look: Look) -> Iterator[str]:
    """Everything in a theme's colours that breaks the rules of `themes.toml`."""
    yield from text_faults(look)
    yield from state_faults(look)


def text_faults(look: Look) -> Iterator[str]:
    for ink in DATA["text"]["inks"]:
        for ground in DATA["text"]["grounds"]:
            if ratio(getattr(look, ink), getattr(look, ground)) < max(DATA["text"]["least"], look.least_text):
                yield f"{ink} on {ground}"
    for name, colours in look.states.items():
        if ratio(*colours) < DATA["text"]["least"]:
            yield f"text of {name}"


def state_faults(look: Look) -> Iterator[str]:
    for one, other in PAIRS:
        for vision in VISION:
            if ratio(look.states[one].fill, look.states[other].fill, vision) < 3:
                yield f"{one} and {other}, {vision}"
    least = DATA["stands_out"]["least"]
    for name in DATA["stands_out"]["states"]:
        if ratio(look.states[name].fill, look.background) < least:
            yield f"{name} on the page"
    for name in DATA["stands_out"]["lines"]:
        for ground in DATA["text"]["grounds"]:
            if ratio(getattr(look, name), getattr(look, ground)) < least:
                yield f"{name} on {ground}"


def grey(colour: str) -> str:
    return Color.parse(colour).monochrome.hex6


def altered(look: Look, **colours: Any) -> Look:
    fields = {name: getattr(look, name) for name in Look.__dataclass_fields__}
    return Look(**{**fields, **colours})


# ------------------------------------------------------------------------------------------------ figures
@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [("#000000", "#FFFFFF", 21.0), ("#777777", "#FFFFFF", 4.48), ("#FF0000", "#FFFFFF", 4.0), ("#123456", "#123456", 1.0)],
)
def test_the_contrast_is_that_of_wcag(one: str, other: str, expected: float) -> None:
    assert contrast(one, other) == contrast(other, one) == pytest.approx(expected, abs=0.01) == pytest.approx(ratio(one, other), abs=0.01)


@pytest.mark.sr("SR-57")
@pytest.mark.parametrize("name", NAMES)
def test_every_text_can_be_read_and_states_that_must_differ_do(name: str) -> None:
    assert list(faults(looks()[name])) == []


@pytest.mark.parametrize("name", NAMES)
def test_a_bad_colour_is_found(name: str) -> None:
    look = looks()[name]
    ok, states = look.states["ok"], dict(look.states)
    assert "muted on panel" in list(faults(altered(look, muted=look.panel)))
    assert "border on surface" in list(faults(altered(look, border=look.surface)))
    twins = altered(look, states={**states, "critical": ok})
    assert {"ok and critical, all cones", "ok and critical, protanopia", "critical on the page"} <= set(faults(twins))
    dim = altered(look, states={**states, "stale": states["stale"]._replace(text=states["stale"].fill)})
    assert "text of stale" in list(faults(dim))


def test_a_textbook_red_and_green_would_fail() -> None:
    """Colours of Textual's own default theme, which differ by hue alone."""
    look = looks()["itb-dark"]
    textual = {"ok": "#4EBF71", "critical": "#B93C5B"}
    states = {name: colours._replace(fill=textual.get(name, colours.fill)) for name, colours in look.states.items()}
    assert "ok and critical, all cones" in list(faults(altered(look, states=states)))


@pytest.mark.parametrize("name", NAMES)
def test_the_pairs_differ_in_grey_too(name: str) -> None:
    """What NO_COLOR leaves of them."""
    states = looks()[name].states
    for one, other in PAIRS:
        assert ratio(grey(states[one].fill), grey(states[other].fill)) >= 3, (one, other)
    for state, colours in states.items():
        assert ratio(*map(grey, colours)) >= 4.5, state


# ------------------------------------------------------------------------------------------------ tables
def test_every_theme_has_every_state_and_every_pair_is_of_states() -> None:
    assert DEFAULT in looks()
    assert all(tuple(look.states) == STATES for look in looks().values())
    named = {state for pair in PAIRS for state in pair} | set(DATA["stands_out"]["states"])
    assert named <= set(STATES)
    assert len(set(PAIRS)) == len(PAIRS)


@pytest.mark.sr("SR-57")
def test_each_state_has_a_word_and_a_sign_of_its_own() -> None:
    words, signs = zip(*STATE_MARKS.values(), strict=True)
    assert len(set(words)) == len(set(signs)) == len(STATES)
    assert all(sign.isascii() and sign.isprintable() and 1 <= len(sign) <= 2 for sign in signs)
    assert [badge("critical"), badge("warning", "low reservoir")] == ["!! CRITICAL ALARM", "! low reservoir"]
    with pytest.raises(KeyError):
        badge("fine")


def test_a_key_goes_through_the_themes() -> None:
    seen = [DEFAULT]
    while len(seen) <= len(NAMES):
        seen.append(after(seen[-1]))
    assert set(seen) == set(NAMES)
    assert seen[-1] == DEFAULT
    assert after("nord") == NAMES[0]


def test_a_theme_that_cannot_be_read_is_refused_with_the_reason() -> None:
    assert [usable_theme(name, True) for name in NAMES] == [(name, "") for name in NAMES]
    for ansi in ("ansi-dark", "ansi-light"):
        assert usable_theme(ansi, True).name == DEFAULT
        assert "NO_COLOR" in usable_theme(ansi, True).reason
        assert usable_theme(ansi, False).name == ansi
    other = usable_theme("nord", True)
    assert (other.name, "contrast" in other.reason) == ("nord", True)
    unknown = usable_theme("itb-drak", False)
    assert unknown.name == DEFAULT
    assert "'itb-drak'" in unknown.reason


# ------------------------------------------------------------------------------------------------ as drawn
class Gallery(App[None]):
    """Textual's widgets and our states."""

    CSS = themed_css() + "#muted { color: $text-muted; } #line { border: solid $border-plain; } Screen { overflow-y: auto; }"

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return variable_defaults()

    def __init__(self, theme: str) -> None:
        super().__init__()
        register(self)
        self.theme = theme

    def compose(self) -> ComposeResult:
        for state in STATES:
            yield Label(badge(state), classes=state)
        yield Static("plain text 12 mcg")
        yield Static("muted text 12 mcg", id="muted")
        yield Static("in a box", id="line")
        yield Input(placeholder="a placeholder", compact=True)
        yield Input("200 mcg/day", compact=True)
        yield Checkbox("checked", value=True)
        yield RadioButton("a choice")
        yield Select([("first", 1), ("second", 2)], prompt="choose")
        yield OptionList("one", Option("two", disabled=True), "three")
        for variant in ("default", "primary", "success", "warning", "error"):
            yield Button(f"button {variant}", variant=variant)
        yield Button("disabled", disabled=True)
        yield DataTable(id="table")
        yield Footer()

    def on_mount(self) -> None:
        for severity in ("information", "warning", "error"):
            self.notify(f"a message of {severity}", severity=severity)
        table = self.query_one(DataTable)
        table.add_columns("at", "rate")
        table.add_rows([("00:00", "6 mcg per hour"), ("20:00", "5 mcg per hour")])


@pytest.mark.parametrize("name", NAMES)
def test_every_text_drawn_can_be_read_wherever_the_focus_is(name: str) -> None:
    async def walk() -> tuple[set[tuple[str, str, str]], str]:
        found: set[tuple[str, str, str]] = set()
        app = Gallery(name)
        async with app.run_test(size=(70, 70), notifications=True) as pilot:
            for _ in range(12):
                # Textual draws what is disabled with less, which WCAG leaves out.
                found |= {piece for piece in faint(app, 4.5) if "disabled" not in piece[0] and piece[0].strip() != "two"}
                await pilot.press("tab")
            return found, "\n".join(lines(app))

    found, text = asyncio.run(walk())
    assert all(mark.word in text for mark in STATE_MARKS.values())
    assert "button error" in text
    assert "a message of error" in text
    assert found == set()


def test_a_theme_of_textuals_own_has_the_states_as_well() -> None:
    async def draw() -> list[str]:
        app = Gallery("nord")
        async with app.run_test(size=(70, 70)):
            return [text for text, *_ in faint(app, 4.5) if any(mark.word in text for mark in STATE_MARKS.values())]

    assert asyncio.run(draw()) == []
