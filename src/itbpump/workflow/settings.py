"""A person's and a clinic's settings: `config.toml` in the platform's configuration folder, or the file that ITBPUMP_CONFIG names.

A flag counts before the environment, that before the file, that before the default. `second_person` is the exception: the strictest of all
that are given counts, so that neither a flag nor a variable can take away what the clinic wants. `settings_of` is pure; `load_settings`
reads file and environment. Not here: limits of dose (`drugs`), what a theme or a keymap may say (the screen that uses them).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from itbpump.errors import InputError

if TYPE_CHECKING:
    from itbpump.workflow.facts import Policy

__all__ = ["CONFIG", "KEYS", "Setting", "Settings", "SettingsError", "default_path", "load_settings", "parse_settings", "settings_of"]

CONFIG = "ITBPUMP_CONFIG"
"""Names another file than the default one."""
BY_RULE, ALWAYS = "by-rule", "always"
LONGEST = 200
"""Characters of a text; the contact stands in one line of the emergency card."""


class SettingsError(InputError):
    """A setting that cannot be used. `place` is the file (with `line`, from 1, and `key`), the variable or the flag."""

    def __init__(self, place: str, problem: str, action: str, *, line: int | None = None, key: str = "") -> None:
        self.place, self.problem, self.line, self.key = place, problem, line, key
        where = place if line is None else f"{place}, line {line}"
        super().__init__(f"{where}: {f'{key}: ' if key else ''}{problem}; {action}", action=action)


@dataclass(frozen=True, slots=True)
class Setting:
    """One key: `name` as `Settings` has it, `key` as the file has it, the variable of the environment. `answers`: none other is taken."""

    name: str
    key: str
    variable: str
    answers: tuple[str, ...] = ()
    is_path: bool = False
    is_staff_id: bool = False


KEYS = (
    Setting("theme", "tui.theme", "ITBPUMP_THEME"),
    Setting("keymap", "tui.keymap", "ITBPUMP_KEYMAP", is_path=True),
    Setting("second_person", "clinic.second_person", "ITBPUMP_SECOND_PERSON", answers=(BY_RULE, ALWAYS)),
    Setting("user", "clinic.user", "ITBPUMP_USER", is_staff_id=True),
    Setting("library", "clinic.library", "ITBPUMP_CLINIC_LIBRARY", is_path=True),
    Setting("contact", "clinic.contact", "ITBPUMP_CONTACT"),
)
_BY_KEY = {setting.key: setting for setting in KEYS}
_BY_NAME = {setting.name: setting for setting in KEYS}


@dataclass(frozen=True, slots=True)
class Settings:
    """What counts. An empty text and None mean: not set."""

    theme: str = ""
    keymap: Path | None = None
    second_person: str = BY_RULE
    user: str = ""
    library: Path | None = None
    contact: str = ""

    def policy(self) -> Policy:
        """What a clinic asks beyond the rules."""
        from itbpump.workflow.facts import Policy  # noqa: PLC0415 -- `doctor` and `config` read settings and need no policy

        return Policy(second_always=self.second_person == ALWAYS, user=self.user, clinic_library=self.library, contact=self.contact)


def parse_settings(text: str, place: str) -> dict[str, str]:
    """Value by name of a `config.toml`. Raises SettingsError naming place, line, key and the nearest key there is."""
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(place, f"no TOML: {error}", 'write lines such as user = "rn-7" under [clinic]') from error

    def line_at(*location: str) -> int | None:
        """Asked for an error alone."""
        from itbpump.therapy.lines import line_of, lines_of_keys  # noqa: PLC0415 -- its room loads pydantic, 60 ms at every start

        return line_of(lines_of_keys(text), location)

    found: dict[str, str] = {}
    for table, content in data.items():
        if not isinstance(content, dict):
            raise _unknown(place, str(table), line_at(table))
        for name, value in content.items():
            key = f"{table}.{name}"
            setting = _BY_KEY.get(key)
            if setting is None:
                raise _unknown(place, key, line_at(table, name))
            found[setting.name] = _checked(setting, value, place, partial(line_at, table, name), key)
        if not content and not any(key.startswith(f"{table}.") for key in _BY_KEY):
            raise _unknown(place, str(table), line_at(table))
    return found


def settings_of(
    flags: Mapping[str, str | None] = MappingProxyType({}),
    environment: Mapping[str, str] = MappingProxyType({}),
    file: Mapping[str, str] = MappingProxyType({}),
    *,
    beside: Path | None = None,
) -> Settings:
    """What counts of what was given. `flags` by name, None for one that was not given; `file` as `parse_settings` gives it.

    A path in the file stands beside it (`beside`), any other beside the present folder. Raises SettingsError; AssertionError for a flag
    that is no setting.
    """
    found: dict[str, str | Path] = {}
    for name, value in file.items():
        found[name] = (beside or Path()) / value if _BY_NAME[name].is_path else value
    for setting in KEYS:
        if environment.get(setting.variable, ""):
            _put(found, setting, environment[setting.variable], setting.variable)
    for name, text in flags.items():
        if name not in _BY_NAME:
            raise AssertionError(f"{name} is no setting")
        if text is not None:
            _put(found, _BY_NAME[name], text, f"--{name.replace('_', '-')}")
    return Settings(**found)  # type: ignore[arg-type]  # a path where `is_path` says so, else a text


def load_settings(
    flags: Mapping[str, str | None] = MappingProxyType({}), environment: Mapping[str, str] | None = None, path: Path | None = None
) -> Settings:
    """Read the file and the environment. `path`: the file, which must then be there; so must the one ITBPUMP_CONFIG names.

    Raises SettingsError.
    """
    given = os.environ if environment is None else environment
    named = path or (Path(given[CONFIG]) if given.get(CONFIG) else None)
    file = named or default_path()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        if named is not None:
            raise SettingsError(str(file), "there is no such file", f"name one that is there, or unset {CONFIG}") from error
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SettingsError(str(file), f"cannot be read ({reason})", "make it readable, as text in UTF-8") from error
    return settings_of(flags, given, parse_settings(text, str(file)), beside=file.parent)


def default_path() -> Path:
    """`config.toml` in the platform's configuration folder."""
    import platformdirs  # noqa: PLC0415  (25 ms, only when the default is asked for)

    return Path(platformdirs.user_config_dir("itbpump", appauthor=False)) / "config.toml"


def _put(found: dict[str, str | Path], setting: Setting, text: str, place: str) -> None:
    value = _checked(setting, text, place, lambda: None, "")
    if setting.name == "second_person" and found.get(setting.name) == ALWAYS:
        return  # what the clinic wants is not taken away
    found[setting.name] = Path(value) if setting.is_path else value


def _checked(setting: Setting, value: object, place: str, line: Callable[[], int | None], key: str) -> str:
    def refuse(problem: str, action: str) -> SettingsError:
        return SettingsError(place, problem, action, line=line(), key=key)

    if not isinstance(value, str) or not value.strip():
        raise refuse("this is no text", 'write it in quotes, such as "rn-7", or leave it out')
    if not value.isprintable() or len(value) > LONGEST:
        raise refuse("this is not one plain line", f"write at most {LONGEST} signs in one line")
    if setting.answers and value not in setting.answers:
        near = difflib.get_close_matches(value, setting.answers, n=1, cutoff=0.0)
        raise refuse(f"{value!r} is none of the answers", f"write {near[0]!r}; the answers are {' and '.join(map(repr, setting.answers))}")
    if setting.is_staff_id:
        from itbpump.workflow.fields import Field, FieldError, Kind  # noqa: PLC0415 -- quantities, only where somebody is named

        try:
            Field("user", "Staff id", Kind.ID, "").read(value)
        except FieldError as error:
            raise refuse(error.problem, error.action) from error
    return value


def _unknown(place: str, key: str, line: int | None) -> SettingsError:
    near = difflib.get_close_matches(key, _BY_KEY, n=1)
    hint = f"did you mean {near[0]}?" if near else f"keys are {', '.join(_BY_KEY)}"
    return SettingsError(place, "there is no such setting", hint, line=line, key=key)
