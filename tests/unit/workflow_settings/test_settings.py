"""Settings: the table of keys, precedence, errors that name the place, and the policy made of them."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.workflow.settings import (
    CONFIG,
    KEYS,
    Setting,
    Settings,
    SettingsError,
    default_path,
    load_settings,
    parse_settings,
    settings_of,
)

GOOD = {"theme": "itb-dark", "keymap": "keys.toml", "second_person": "always", "user": "rn-7", "library": "drugs", "contact": "Ward 3, 555"}
OTHER = {"theme": "itb-light", "keymap": "k2", "second_person": "always", "user": "dr-1", "library": "lib", "contact": "Ward 4"}


def toml(**values: str) -> str:
    tables: dict[str, list[str]] = {}
    for setting in KEYS:
        if setting.name in values:
            table, _, key = setting.key.partition(".")
            tables.setdefault(table, []).append(f'{key} = "{values[setting.name]}"')
    return "\n".join(f"[{table}]\n" + "\n".join(lines) for table, lines in tables.items())


@pytest.mark.parametrize("setting", KEYS, ids=lambda setting: setting.name)
def test_each_key_is_read_from_each_place_in_the_order_flag_environment_file(setting: Setting) -> None:
    file = parse_settings(toml(**{setting.name: GOOD[setting.name]}), "config.toml")
    expected: object = Path(GOOD[setting.name]) if setting.is_path else GOOD[setting.name]
    assert getattr(settings_of(file=file), setting.name) == expected
    variable = {setting.variable: OTHER[setting.name]}
    other: object = Path(OTHER[setting.name]) if setting.is_path else OTHER[setting.name]
    assert getattr(settings_of(environment=variable, file=file), setting.name) == other
    assert getattr(settings_of({setting.name: GOOD[setting.name]}, variable, file), setting.name) == expected
    assert getattr(settings_of({setting.name: None}, variable, file), setting.name) == other


def test_the_table_and_the_settings_name_the_same_things_once() -> None:
    assert [setting.name for setting in KEYS] == [field.name for field in fields(Settings)]
    assert len({setting.key for setting in KEYS}) == len({setting.variable for setting in KEYS}) == len(KEYS)
    assert set(GOOD) == set(OTHER) == {setting.name for setting in KEYS}


def test_nothing_given_is_the_default() -> None:
    assert settings_of() == Settings()
    policy = Settings().policy()
    assert (policy.second_always, policy.user, policy.clinic_library) == (False, "", None)


@pytest.mark.sr("SR-03")
def test_the_policy_follows_and_nothing_takes_a_second_person_away() -> None:
    file = parse_settings(toml(**GOOD), "config.toml")
    policy = settings_of({"second_person": "by-rule"}, {"ITBPUMP_SECOND_PERSON": "by-rule"}, file, beside=Path("/etc/x")).policy()
    assert (policy.second_always, policy.user, policy.clinic_library) == (True, "rn-7", Path("/etc/x/drugs"))
    assert settings_of({"second_person": "by-rule"}, {"ITBPUMP_SECOND_PERSON": "always"}).policy().second_always
    assert settings_of({"second_person": "always"}, {"ITBPUMP_SECOND_PERSON": "by-rule"}).policy().second_always
    assert not settings_of({"second_person": "by-rule"}).policy().second_always


@pytest.mark.parametrize(
    ("text", "line", "key", "says"),
    [
        ('[clinic]\nuser = "rn-7"\nsecond_persn = "always"\n', 3, "clinic.second_persn", "did you mean clinic.second_person?"),
        ('[clinik]\nuser = "rn-7"\n', 2, "clinik.user", "did you mean clinic.user?"),
        ('\ntheme = "x"\n', 2, "theme", "tui.theme"),
        ("\n[zzz]\n", 2, "zzz", "keys are tui.theme"),
        ('[clinic]\n\nsecond_person = "alway"\n', 3, "clinic.second_person", "write 'always'"),
        ("[clinic]\nuser = 7\n", 2, "clinic.user", "write it in quotes"),
        ('[clinic]\nuser = "Jane Roe"\n', 2, "clinic.user", "never a name"),
        ('[clinic]\ncontact = """a\nb"""\n', 2, "clinic.contact", "in one line"),
        ("[clinic\n", None, "", "line 1"),
    ],
)
def test_an_error_names_file_line_key_and_what_to_write(text: str, line: int | None, key: str, says: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_settings(text, "here/config.toml")
    assert (caught.value.line, caught.value.key, caught.value.place) == (line, key, "here/config.toml")
    assert says in str(caught.value)
    assert str(caught.value).startswith("here/config.toml")
    assert caught.value.action


@pytest.mark.parametrize(
    ("flags", "environment", "place"), [({"user": "a b"}, {}, "--user"), ({}, {"ITBPUMP_USER": "a b"}, "ITBPUMP_USER")]
)
def test_an_error_names_the_flag_or_the_variable(flags: dict[str, str | None], environment: dict[str, str], place: str) -> None:
    with pytest.raises(SettingsError) as caught:
        settings_of(flags, environment)
    assert caught.value.place == place


def test_a_flag_that_is_no_setting_is_a_defect() -> None:
    with pytest.raises(AssertionError):
        settings_of({"colour": "red"})


def test_the_file_is_the_platforms_or_the_one_that_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    assert load_settings(environment={}) == Settings()
    own = default_path()
    own.parent.mkdir(parents=True)
    own.write_text(toml(user="rn-1", library="drugs"), "utf-8")
    assert load_settings(environment={}) == Settings(user="rn-1", library=own.parent / "drugs")
    other = tmp_path / "other.toml"
    other.write_text(toml(user="rn-2"), "utf-8")
    assert load_settings(environment={CONFIG: str(other)}).user == "rn-2"
    assert load_settings({"user": "rn-3"}, {CONFIG: str(other)}).user == "rn-3"


def test_a_named_file_that_is_not_there_or_unreadable_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load_settings(environment={CONFIG: str(tmp_path / "none.toml")})
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    for path in (tmp_path, tmp_path / "bytes.toml"):
        with pytest.raises(SettingsError, match="cannot be read"):
            load_settings(environment={}, path=path)


@given(st.text(max_size=200))
def test_any_text_is_settings_or_a_documented_error(text: str) -> None:
    with suppress(SettingsError):
        assert isinstance(settings_of(file=parse_settings(text, "config.toml")), Settings)
