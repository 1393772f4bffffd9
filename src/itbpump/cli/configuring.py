"""`itbpump config`: what the settings are and where each comes from, whether a file is right, its form, and a first file to fill in.

The settings themselves are `workflow.settings`. Not here: the drug limits of a clinic (`drugs`), channels of alerts (`itbpump alerts`).
"""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import FAILED, CommandError, GuardedCommand, Output

if TYPE_CHECKING:
    from itbpump.workflow.settings import Setting

__all__ = ["app", "settings_schema", "template"]

app = typer.Typer(help="Show, check and begin the settings of this computer.", no_args_is_help=True, rich_markup_mode=None)
File = Annotated[
    Path | None, typer.Argument(metavar="[FILE]", help="Default: ITBPUMP_CONFIG, else config.toml in the configuration folder.")
]
AsJson = Annotated[bool, typer.Option("--json", help="JSON on stdout.")]


def show(*, as_json: AsJson = False) -> None:
    """Show every setting and where it comes from."""
    from itbpump.workflow.settings import KEYS, load_settings

    out = Output(as_json)
    file, given, is_there = _file(None), os.environ, False
    settings = load_settings()
    from_file: Mapping[str, str] = {}
    if file.exists():
        from_file, is_there = _parsed(file), True
    rows = []
    for setting in KEYS:
        value = getattr(settings, setting.name)
        rows.append({"key": setting.key, "value": str(value or ""), "from": _origin(setting, str(value or ""), from_file, given, file)})
    out.data({"file": str(file), "exists": is_there, "settings": rows})
    if not as_json:
        out.say(f"File: {file}{'' if is_there else ' (not there)'}", "")
        out.say(*(f"{row['key']:<22}{row['value'] or 'not set':<24}{row['from']}" for row in rows))


def _origin(setting: Setting, value: str, file: Mapping[str, str], given: Mapping[str, str], path: Path) -> str:
    """Where the value that counts was given. `second_person` is the strictest of all, so its place is the first one that says so."""
    variable = given.get(setting.variable, "")
    if variable and (not setting.answers or variable == value):
        return setting.variable
    if setting.name in file:
        return str(path)
    return setting.variable if variable else "default"


def validate(file: File = None, *, as_json: AsJson = False) -> None:
    """Check a settings file; names line and key of the first mistake."""
    from itbpump.workflow.settings import load_settings

    out = Output(as_json)
    path = _file(file)
    if not path.exists() and file is None and "ITBPUMP_CONFIG" not in os.environ:
        load_settings()
        out.data({"file": str(path), "exists": False, "valid": True})
        if not as_json:
            out.say(f"{path} is not there; the defaults count. Begin one: itbpump config init")
        return
    load_settings(path=path)
    out.data({"file": str(path), "exists": True, "valid": True})
    if not as_json:
        out.say(f"{path} can be used.")


def schema(*, as_json: AsJson = False) -> None:
    """Print the form of the settings file as JSON schema."""
    typer.echo(json.dumps(settings_schema(), indent=2, ensure_ascii=False))


def init(file: File = None, *, as_json: AsJson = False) -> None:
    """Write a settings file that sets nothing yet, with every key explained; never over another file."""
    out = Output(as_json)
    path = _file(file)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as stream:
            stream.write(template())
    except FileExistsError as error:
        raise CommandError(f"{path} is there already and stays as it is; edit it, or look at it: itbpump config show", FAILED) from error
    except OSError as error:
        raise CommandError(f"{path} cannot be written ({error.strerror or error}); name a file in a folder of yours", FAILED) from error
    out.data({"file": str(path), "written": True})
    if not as_json:
        out.say(f"Written: {path}. Nothing is set in it yet: take the # away where you set something, then: itbpump config validate")


for _function, _short in (
    (show, "Show settings and where they come from."),
    (validate, "Check a settings file."),
    (schema, "Print the form of the file."),
    (init, "Begin a settings file."),
):
    app.command(_function.__name__, cls=GuardedCommand, short_help=_short)(_function)


# ------------------------------------------------------------------------------------------------ the table of keys as texts
def template() -> str:
    """A `config.toml` that sets nothing: each key as a comment, with its words and an example."""
    return "\n".join(_template_lines()) + "\n"


def _template_lines() -> Iterator[str]:
    from itbpump.workflow.settings import KEYS

    yield "# Settings of itbpump. A flag counts before the environment, that before this file."
    table = ""
    for setting in KEYS:
        if setting.key.partition(".")[0] != table:
            table = setting.key.partition(".")[0]
            yield from ("", f"[{table}]")
        words = _words()[setting.name]
        answers = f" Answers: {', '.join(setting.answers)}." if setting.answers else ""
        yield f"# {words['words']}{answers} Variable: {setting.variable}."
        yield f"# {setting.key.partition('.')[2]} = {json.dumps(words['example'], ensure_ascii=False)}"


def settings_schema() -> dict[str, Any]:
    """JSON schema of `config.toml`."""
    from itbpump.cli.schema import DIALECT
    from itbpump.workflow.settings import KEYS, LONGEST

    tables: dict[str, dict[str, Any]] = {}
    for setting in KEYS:
        table, _, key = setting.key.partition(".")
        form: dict[str, Any] = {"type": "string", "minLength": 1, "maxLength": LONGEST, "description": _words()[setting.name]["words"]}
        if setting.answers:
            form["enum"] = list(setting.answers)
        tables.setdefault(table, {})[key] = form
    properties = {name: {"type": "object", "additionalProperties": False, "properties": keys} for name, keys in tables.items()}
    return {
        "$schema": DIALECT,
        "title": "config.toml of itbpump",
        "type": "object",
        "additionalProperties": False,
        "properties": properties,
    }


@cache
def _words() -> dict[str, dict[str, str]]:
    return tomllib.loads(files("itbpump.cli").joinpath("settings_words.toml").read_text("utf-8"))


def _file(file: Path | None) -> Path:
    from itbpump.workflow.settings import CONFIG, default_path

    named = os.environ.get(CONFIG)
    return file or (Path(named) if named else default_path())


def _parsed(path: Path) -> Mapping[str, str]:
    from itbpump.workflow.settings import parse_settings

    return parse_settings(path.read_text("utf-8"), str(path))
