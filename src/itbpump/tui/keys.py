"""The keys of every page, from `keys.toml`, and a clinic's own keymap file. Not here: what the actions do (the pages)."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path

from textual.binding import Binding, BindingType

from itbpump.errors import InputError

__all__ = ["Key", "KeymapError", "bindings", "keys_of", "load_keymap", "must_differ", "table"]


class KeymapError(InputError):
    """A keymap file that cannot be used; the keys stay as they are."""


@dataclass(frozen=True, slots=True)
class Key:
    """One action of a page and the keys for it; `label` is what the footer shows, empty for keys that only the list names."""

    id: str
    keys: str
    scope: str
    action: str
    label: str
    text: str


@cache
def _data() -> dict[str, object]:
    return tomllib.loads(resources.files("itbpump.tui").joinpath("keys.toml").read_text("utf-8"))


@cache
def table() -> tuple[Key, ...]:
    """Every key."""
    rows = _data()["key"]
    if not isinstance(rows, list):
        raise AssertionError("keys.toml has no keys")
    return tuple(Key(**row) for row in rows)


@cache
def must_differ() -> tuple[str, ...]:
    """Ids whose keys are never the same, and never Enter."""
    ids = _data()["must_differ"]
    if not isinstance(ids, list):
        raise AssertionError("keys.toml does not say which keys must differ")
    return tuple(ids)


def keys_of(scopes: Iterable[str]) -> list[Key]:
    """The keys of a page: scope by scope as given, each in the order of the table."""
    return [key for scope in scopes for key in table() if key.scope == scope]


def bindings(*scopes: str) -> list[BindingType]:
    """Textual's bindings of a page; function keys work also where a field has the cursor."""
    return [
        Binding(key.keys, key.action, key.label or key.text, show=bool(key.label), id=key.id, priority=_is_function_key(key))
        for key in keys_of(scopes)
    ]


def _is_function_key(key: Key) -> bool:
    return all(name.startswith("f") and name[1:].isdecimal() for name in key.keys.split(","))


def load_keymap(path: Path) -> dict[str, str]:
    """Key by id, from a TOML file `stop = "f11"`. Raises KeymapError naming file and id."""
    try:
        given = tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise KeymapError(f"{path}: cannot be read as a keymap ({error})", action='write lines such as stop = "f11"') from error
    known = {key.id: key.keys for key in table()}
    for name, value in given.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"ids are {', '.join(known)}"
            raise KeymapError(f"{path}: {name!r} is no key's id", action=hint)
        if not isinstance(value, str) or not value.strip():
            raise KeymapError(f"{path}: {name} is not a key", action='write it as text, such as "f11"')
    _require_different(path, {**known, **given})
    return {str(name): str(value) for name, value in given.items()}


def _require_different(path: Path, keys: dict[str, str]) -> None:
    taken: dict[str, str] = {}
    everywhere = {key.id for key in table() if key.scope == "app"} - set(must_differ())
    for name in sorted(everywhere):  # these act before a page's own: one of them must never stand in the way of a stop
        taken |= {key.strip(): name for key in keys[name].split(",")}
    for name in must_differ():
        for key in (part.strip() for part in keys[name].split(",")):
            if key != key.lower():
                raise KeymapError(f"{path}: {name} is written {key!r}, which no terminal sends", action="write it in small letters")
            if key in {"enter", "space"} or len(key) == 1:
                raise KeymapError(f"{path}: {name} may not be {key!r}, which is hit without meaning to", action="use a function key")
            if key in taken:
                raise KeymapError(f"{path}: {name} and {taken[key]} are both {key!r}", action="give them different keys")
            taken[key] = name
