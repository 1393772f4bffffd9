"""Which channels a clinic has: `channels.toml` in the configuration folder, or the file that ITBPUMP_CHANNELS names.

::

    [email]                      # the name that a contact's `channel` says
    kind = "email"
    host = "mail.clinic.example"
    port = 587
    security = "starttls"
    sender = "pumps@clinic.example"
    user = "pumps"
    password_variable = "PUMP_MAIL_PASSWORD"

Which keys there are is data (`kinds.toml`). A file with a mistake sets up nothing: half of the channels would be silence that nobody
notices. Not here: contacts (the registry).
"""

from __future__ import annotations

import difflib
import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from itbpump.alerts.channel import Channel
from itbpump.alerts.channels.errors import ChannelSetupError

__all__ = ["CHANNELS", "Key", "Kind", "default_path", "kinds", "load_channels", "parse_channels"]

CHANNELS = "ITBPUMP_CHANNELS"
_LONGEST_S = 300


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a kind of channel."""

    name: str
    type: str
    words: str
    required: bool = False
    answers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of `kinds.toml`."""

    name: str
    words: str
    can_tell: bool
    patient: bool
    source: str
    keys: tuple[Key, ...]


@cache
def kinds() -> dict[str, Kind]:
    """Every kind there is, by name."""
    data = tomllib.loads(files("itbpump.alerts.channels").joinpath("kinds.toml").read_text("utf-8"))
    return {
        name: Kind(
            name,
            row["words"],
            row["can_tell"],
            row["patient"],
            row["source"],
            tuple(Key(k["name"], k["type"], k["words"], k.get("required", False), tuple(k.get("answers", ()))) for k in row["keys"]),
        )
        for name, row in data.items()
    }


def default_path() -> Path:
    """`channels.toml` in the platform's configuration folder."""
    import platformdirs  # noqa: PLC0415  (25 ms)

    return Path(platformdirs.user_config_dir("itbpump", appauthor=False)) / "channels.toml"


def load_channels(path: Path | None = None, environment: Mapping[str, str] | None = None) -> dict[str, Channel]:
    """The channels by name; none where there is no file and none was named. Raises ChannelSetupError."""
    given = os.environ if environment is None else environment
    named = path or (Path(given[CHANNELS]) if given.get(CHANNELS) else None)
    file = named or default_path()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        if named is not None:
            raise ChannelSetupError(str(file), "there is no such file", f"name one that is there, or unset {CHANNELS}") from error
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ChannelSetupError(str(file), f"cannot be read ({reason})", "make it readable, as text in UTF-8") from error
    return parse_channels(text, str(file), given, beside=file.parent)


def parse_channels(text: str, place: str, environment: Mapping[str, str], *, beside: Path) -> dict[str, Channel]:
    """Channels of a text. A path in it stands beside the file. Raises ChannelSetupError naming place, line and key."""
    from itbpump.therapy.lines import line_of, lines_of_keys  # noqa: PLC0415

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ChannelSetupError(place, f"no TOML: {error}", 'write tables such as [email] with kind = "email"') from error
    lines = lines_of_keys(text)
    found: dict[str, Channel] = {}
    for name, table in data.items():

        def refuse(problem: str, action: str, key: str = "", at: str = name) -> ChannelSetupError:
            where = (at, key) if key else (at,)
            return ChannelSetupError(place, problem, action, line=line_of(lines, where), key=".".join(where))

        if not isinstance(table, dict):
            raise refuse("this stands in no table", "write a line such as [email] before it")
        found[name] = _Reader(table, refuse, environment, beside).channel(name)
    return found


class _Reader:
    """One table of the file."""

    def __init__(self, table: dict[str, Any], refuse: Any, environment: Mapping[str, str], beside: Path) -> None:
        self._table, self._refuse, self._environment, self._beside = table, refuse, environment, beside

    def channel(self, name: str) -> Channel:
        kind = self._kind()
        values = self._values(kind)
        try:
            return self._made(kind.name, name, values)
        except ChannelSetupError as error:
            raise self._refuse(error.problem, error.action, error.key) from error

    def _kind(self) -> Kind:
        wanted = self._table.get("kind")
        if not isinstance(wanted, str) or wanted not in kinds():
            near = difflib.get_close_matches(str(wanted), kinds(), n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"write {' or '.join(map(repr, kinds()))}"
            raise self._refuse(f"{wanted!r} is no kind of channel" if wanted is not None else "the kind is missing", hint, "kind")
        return kinds()[wanted]

    def _values(self, kind: Kind) -> dict[str, Any]:
        known = {key.name: key for key in kind.keys}
        for name in self._table:
            if name != "kind" and name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {near[0]}?" if near else f"keys are {', '.join(['kind', *known])}"
                raise self._refuse("there is no such key", hint, name)
        for key in kind.keys:
            if key.required and key.name not in self._table:
                raise self._refuse(f"{key.name} is missing", f"write {key.name}: {key.words}")
        return {name: self._value(known[name], value) for name, value in self._table.items() if name != "kind"}

    def _value(self, key: Key, value: object) -> Any:
        if key.type in {"port", "seconds"}:
            longest = 65_535 if key.type == "port" else _LONGEST_S
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= longest:
                raise self._refuse(f"this is no whole number from 1 to {longest}", key.words, key.name)
            return value
        if not isinstance(value, str) or not value.strip() or not value.isprintable():
            raise self._refuse("this is not one plain line of text", f"write it in quotes: {key.words}", key.name)
        if key.answers and value not in key.answers:
            raise self._refuse(f"{value!r} is none of the answers", f"write {' or '.join(map(repr, key.answers))}", key.name)
        return self._beside / value if key.type == "path" else value

    def _made(self, kind: str, name: str, values: dict[str, Any]) -> Channel:
        if kind == "apprise":
            from itbpump.alerts.channels.apprise_channel import AppriseChannel  # noqa: PLC0415

            return AppriseChannel(name)
        if kind == "folder":
            from itbpump.alerts.channels.folder import FolderChannel  # noqa: PLC0415

            return FolderChannel(values["folder"], values["sender"], name)
        from itbpump.alerts.channels.mail import EmailChannel, MailSettings, Security  # noqa: PLC0415

        password = self._password(values.pop("password_variable", None), values.pop("password_file", None))
        return EmailChannel(MailSettings(**{**values, "security": Security(values["security"])}, password=password), name)

    def _password(self, variable: str | None, file: Path | None) -> str:
        if variable is not None and file is not None:
            raise self._refuse("the password is named twice", "leave one of password_variable and password_file out", "password_file")
        if variable is not None:
            if not self._environment.get(variable):
                raise self._refuse(f"the variable {variable} is not set", "set it for the job that sends", "password_variable")
            return self._environment[variable]
        if file is None:
            return ""
        try:
            found = file.read_text("utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise self._refuse("the password's file cannot be read", "make it readable for the job that sends", "password_file") from error
        if not found:
            raise self._refuse("the password's file is empty", "write the password into it", "password_file")
        return found
