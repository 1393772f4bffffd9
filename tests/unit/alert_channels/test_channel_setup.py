"""Which channels there are: a table of kinds, a file of a clinic, errors that name line and key; folder and message without a network."""

from __future__ import annotations

import builtins
import email
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itbpump.alerts.channel import Channel, DeliveryState
from itbpump.alerts.channels.errors import ChannelSetupError
from itbpump.alerts.channels.folder import FolderChannel
from itbpump.alerts.channels.message import WITHHELD, body_lines, message_of, without_patient
from itbpump.alerts.channels.setup import CHANNELS, Kind, default_path, kinds, load_channels, parse_channels
from itbpump.alerts.model import AlertKind
from tests.unit.alert_channels.samples import alert, contact, notification

SENDER = "pumps@clinic.example"
pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of apprise's own imports
EXAMPLES = {
    "text": '"word"',
    "port": "25",
    "seconds": "30",
    "path": '"here"',
}
VALUES = {"security": '"plain"', "host": '"127.0.0.1"', "sender": f'"{SENDER}"', "password_variable": '"PASSWORD"', "folder": '"out"'}


def table_of(kind: Kind, *, only_required: bool = False, without: str = "") -> str:
    """A table with every key of the kind; the password is named once."""
    keys = [key for key in kind.keys if key.name not in {without, "password_file", "ca_file"} and (key.required or not only_required)]
    lines = [f"{key.name} = {VALUES.get(key.name, EXAMPLES[key.type])}" for key in keys]
    return "\n".join([f"[{kind.name}]", f'kind = "{kind.name}"', *lines, ""])


def parse(text: str, **environment: str) -> dict[str, Channel]:
    return parse_channels(text, "channels.toml", environment, beside=Path("/etc/itbpump"))


# ------------------------------------------------------------------------------------------------ the table
@pytest.mark.parametrize("kind", kinds().values(), ids=lambda kind: kind.name)
def test_each_kind_is_made_from_its_keys_and_needs_those_it_says(kind: Kind) -> None:
    assert kind.words
    assert kind.source
    (made,) = parse(table_of(kind), PASSWORD="x").values()
    assert isinstance(made, Channel)
    assert made.name == kind.name
    assert kind.name in parse(table_of(kind, only_required=True))
    if not kind.can_tell:
        assert made.already_sent("key") is None
    for key in kind.keys:
        if key.required:
            with pytest.raises(ChannelSetupError, match=f"{key.name} is missing") as raised:
                parse(table_of(kind, only_required=True, without=key.name))
            assert raised.value.line == 1


@pytest.mark.parametrize(("kind", "key"), [(kind.name, key.name) for kind in kinds().values() for key in kind.keys])
def test_each_key_refuses_what_it_cannot_be_and_names_its_line(kind: str, key: str) -> None:
    text = "\n".join(line for line in table_of(kinds()[kind]).splitlines() if not line.startswith(f"{key} ="))
    with pytest.raises(ChannelSetupError) as raised:
        parse(f"{text}\n{key} = []\n", PASSWORD="x")
    assert raised.value.line == len(text.splitlines()) + 1
    assert raised.value.key == f"{kind}.{key}"
    assert raised.value.action


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("kind = 'email'", 1, "stands in no table"),
        ("[mail]\nhost = 'x'", 1, "the kind is missing"),
        ("[mail]\nkind = 'emial'", 2, "did you mean 'email'?"),
        ("[mail]\nkind = 'pigeon'", 2, "write 'email' or 'apprise' or 'folder'"),
        ("[f]\nkind = 'folder'\nfoldr = 'x'", 3, "did you mean folder?"),
        ("[f]\nkind = 'folder'\nfolder = 'x'\nsender = 'nobody'", 4, "none that mail can go to"),
        ("[a]\nkind = 'apprise'\nurl = 'x'", 3, "keys are kind"),
        ("[mail\n", None, "no TOML"),
    ],
)
def test_a_mistake_sets_up_nothing_and_says_where(text: str, line: int | None, says: str) -> None:
    with pytest.raises(ChannelSetupError) as raised:
        parse(text)
    assert says in str(raised.value)
    assert raised.value.line == line


MAIL = '[m]\nkind = "email"\nhost = "127.0.0.1"\nport = 25\nsecurity = "plain"\nsender = "a@b.example"\nuser = "u"\n'


def test_a_password_comes_from_a_variable_or_a_file_and_from_one_of_them(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("hush\n")
    assert parse(f'{MAIL}password_variable = "P"\n', P="hush")
    assert parse(f'{MAIL}password_file = "{file}"\n')
    for more, says in [
        ('password_variable = "P"\n', "P is not set"),
        (f'password_variable = "P"\npassword_file = "{file}"\n', "named twice"),
        ('password_file = "/nowhere/at/all"\n', "cannot be read"),
        ("", "user without a password"),
    ]:
        with pytest.raises(ChannelSetupError, match=says) as raised:
            parse(MAIL + more)
        assert "hush" not in str(raised.value)
    file.write_text("\n")
    with pytest.raises(ChannelSetupError, match="is empty"):
        parse(f'{MAIL}password_file = "{file}"\n')


def test_the_file_is_the_one_named_or_the_default_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert load_channels(environment={}) == {}
    with pytest.raises(ChannelSetupError, match="no such file"):
        load_channels(environment={CHANNELS: str(tmp_path / "none.toml")})
    default_path().parent.mkdir(parents=True, exist_ok=True)
    default_path().write_text('[out]\nkind = "folder"\nfolder = "outbox"\nsender = "a@b.example"\n')
    try:
        channel = load_channels(environment={})["out"]
        (default_path().parent / "outbox").mkdir()
        assert channel.send(notification()).is_delivered
        assert len(list((default_path().parent / "outbox").iterdir())) == 1
    finally:
        default_path().unlink()
    binary = tmp_path / "binary.toml"
    binary.write_bytes(b"\xff\xff")
    with pytest.raises(ChannelSetupError, match="cannot be read"):
        load_channels(binary)


def test_apprise_without_its_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name == "apprise":
            raise ImportError(name)
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ChannelSetupError, match=r"pip install 'itbpump\[notify\]'") as raised:
        parse('[chat]\nkind = "apprise"\n')
    assert raised.value.line == 1


# ------------------------------------------------------------------------------------------------ the folder
@pytest.mark.sr("SR-40")
def test_a_folder_holds_each_message_once_and_can_tell(tmp_path: Path) -> None:
    channel = FolderChannel(tmp_path, SENDER)
    key = notification().idempotency_key
    assert channel.already_sent(key) is False
    first, again = channel.send(notification()), channel.send(notification())
    assert first == again
    assert first.is_delivered
    assert [path.name for path in tmp_path.iterdir()] == [first.reference]
    assert channel.already_sent(key) is True
    (tmp_path / "taken").mkdir()
    (tmp_path / first.reference).rename(tmp_path / "taken" / first.reference)
    assert channel.already_sent(key) is True
    assert channel.already_sent("another") is False


def test_a_folder_that_is_missing_fails_and_cannot_tell(tmp_path: Path) -> None:
    channel = FolderChannel(tmp_path / "none", SENDER)
    assert channel.send(notification()).state is DeliveryState.FAILED
    assert channel.already_sent("key") is None
    assert FolderChannel(tmp_path, SENDER).send(notification(contact=contact(address="x"))).state is DeliveryState.REFUSED


# ------------------------------------------------------------------------------------------------ the message
def parts(mail: EmailMessage) -> dict[str, str]:
    read = email.message_from_bytes(mail.as_bytes(), policy=default)
    return {part.get_content_type(): str(part.get_payload(decode=True)) for part in read.walk() if not part.is_multipart()}


def test_no_patient_and_no_pump_stands_in_what_a_contact_may_not_see() -> None:
    told = notification(subject="Patient P-0042: refill", lines=("Patient P-0042 is due.", "p-0042, P-00421, XP-0042"))
    plain = message_of(told, SENDER).as_string()
    assert "P-0042" not in plain.replace("P-00421", "").replace("XP-0042", "")
    assert plain.count(WITHHELD) >= 3
    assert "Low" not in parts(message_of(told, SENDER))["text/calendar"]
    assert "P40-000123" not in parts(message_of(told, SENDER))["text/calendar"].replace("refill/P40-000123/ab12/3", "")
    assert "Which pump it is and what to do: itbpump alerts list --details" in body_lines(notification())


def test_a_contact_that_may_see_the_patient_sees_the_id_once() -> None:
    allowed = contact(shows_patient=True)
    assert not any("Which pump" in line for line in body_lines(notification(contact=allowed)))
    assert "Patient P-0042" in message_of(notification(contact=allowed), SENDER).as_string()
    told = message_of(notification(contact=allowed, lines=("For P-0042.",)), SENDER)
    assert parts(told)["text/plain"].count("P-0042") == 1


def test_a_short_number_as_patient_id_never_takes_a_figure_away() -> None:
    told = notification(alerts=(alert(patient_id="12"),), lines=())
    assert without_patient("patient 12: 12 mL left, 12 mcg per day", told) == f"patient {WITHHELD}: 12 mL left, 12 mcg per day"


def test_a_message_without_a_refill_day_has_no_calendar() -> None:
    for other in (alert(due=None), alert(kind=AlertKind.LEFT_STOPPED)):
        assert set(parts(message_of(notification(alerts=(other,)), SENDER))) == {"text/plain", "text/html"}


def test_two_refills_in_one_message_are_two_entries() -> None:
    group = (alert(), alert(serial="P40-9", memory_id="cd", key="other"))
    calendar = parts(message_of(notification(alerts=group), SENDER))["application/ics"]
    assert calendar.count("BEGIN:VEVENT") == 2
    assert "0123456789abcdef@itbpump" not in calendar


@given(st.lists(st.text(max_size=300), max_size=5).map(tuple), st.text(max_size=300), st.text(min_size=1, max_size=80))
def test_any_text_makes_one_mail_with_the_headers_it_should_have(lines: tuple[str, ...], subject: str, key: str) -> None:
    told = notification(lines=lines, subject=subject, idempotency_key=key)
    data = message_of(told, SENDER).as_bytes()
    assert data == message_of(told, SENDER).as_bytes()
    read = email.message_from_bytes(data, policy=default)
    assert [str(read[name]) for name in ("From", "To", "Auto-Submitted")] == [SENDER, "refills@clinic.example", "auto-generated"]
    assert [len(read.get_all(name) or []) for name in ("From", "To", "Subject", "Message-ID", "Bcc", "Cc")] == [1, 1, 1, 1, 0, 0]
    assert read.get_content_type() == "multipart/mixed"
    assert max(map(len, data.split(b"\r\n"))) <= 998
    page = next(part for part in read.walk() if part.get_content_type() == "text/html").get_content()
    assert "<script" not in page
    assert page.count("<html") == 1
