"""What `itbpump doctor` says to do fits what it found, in whatever state the registry and the keyring are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing
from pathlib import Path
from socket import create_server
from types import MappingProxyType

import pytest
from sqlalchemy import text

from itbpump.alerts import doctor
from itbpump.cli.doctoring import NOTE, OK, WRONG, Machine, Row, examined
from itbpump.registry.engine import address_of, make_engine, writing
from itbpump.registry.model import ContactRow
from itbpump.registry.store import Registry
from tests.unit.alert_channels.samples import NOW

MAKE = "itbpump registry init"
HIDDEN = "not-to-be-shown"


def made(path: Path, *, contact: bool = True) -> str:
    with Registry.create(path, at=NOW) as registry:
        if contact:
            registry.set_contact(ContactRow("nurse", 0, "email", "n@clinic.example", 8, False), at=NOW, by="N-17")
    return str(path)


def stamped(path: Path, version: str) -> str:
    address = made(path)
    engine = make_engine(address_of(address), 1.0)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :version"), {"version": version})
    engine.dispose()
    return address


def none(_path: Path, _stack: ExitStack) -> str | None:
    return None


def missing(path: Path, _stack: ExitStack) -> str:
    return str(path)


def foreign(path: Path, _stack: ExitStack) -> str:
    engine = make_engine(address_of(path), 1.0)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE of_another_program (id INTEGER)"))
    engine.dispose()
    return str(path)


def damaged(path: Path, _stack: ExitStack) -> str:
    path.write_bytes(b"this is no database, and long enough to be looked at" * 40)
    return str(path)


def unreachable(_path: Path, stack: ExitStack) -> str:
    """A port of this computer where nobody listens."""
    with closing(create_server(("127.0.0.1", 0))) as held:
        port = held.getsockname()[1]
    return f"postgresql+psycopg://nobody:{HIDDEN}@127.0.0.1:{port}/clinic"


def a_folder(path: Path, _stack: ExitStack) -> str:
    path.mkdir()
    return str(path)


# state: how it is made, the word, what must be among the words to do, what must not be
STATES: dict[str, tuple[Callable[[Path, ExitStack], str | None], str, str, str]] = {
    "none is named": (none, NOTE, MAKE, "migrate"),
    "the file is not there": (missing, WRONG, "check the path, or make one: itbpump registry init --registry", "migrate"),
    "older schema": (lambda path, _: stamped(path, "0003"), WRONG, "itbpump registry migrate", "registry init"),
    "newer schema": (lambda path, _: stamped(path, "0099"), WRONG, "update itbpump on this computer", "registry init"),
    "no registry in it": (foreign, WRONG, "check the address", "migrate"),
    "damaged": (damaged, WRONG, "restore the last good backup", "registry init"),
    "unreachable": (unreachable, WRONG, "check its address", "registry init"),
    "a folder": (a_folder, WRONG, "check the path", "registry init"),
    "another kind of address": (lambda _path, _: "mysql://host/clinic", WRONG, "write a path, sqlite:///PATH or postgresql", "migrate"),
    "no contact": (lambda path, _: made(path, contact=False), WRONG, "itbpump registry contacts add", "registry init"),
    "fine": (lambda path, _: made(path), OK, "", "itbpump"),
}


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as opened:
        yield opened


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The default registry is nobody's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("ITBPUMP_HOME", str(tmp_path / "home"))
    monkeypatch.delenv("ITBPUMP_REGISTRY", raising=False)


def found(check: str, environment: Mapping[str, str]) -> tuple[str, str, str]:
    """The word, what was found, what is said to do."""
    answers = MappingProxyType({name: (lambda machine, of=of: of(machine)) for name, of in doctor.ANSWERS.items()})
    machine = Machine((3, 12), lambda _: True, environment, 120, 40, True, "utf-8", (), NOW, None, answers)
    row: Row
    row, (word, told) = next(one for one in examined(machine) if one[0].id == check)
    return word, told, row.advice(word)


@pytest.mark.parametrize("check", ["registry", "heartbeat"])
@pytest.mark.parametrize("name", list(STATES))
def test_the_advice_fits_the_state_of_the_registry(check: str, name: str, tmp_path: Path, stack: ExitStack) -> None:
    make, word, says, never = STATES[name]
    address = make(tmp_path / "clinic.db", stack)
    state, told, advice = found(check, {} if address is None else {"ITBPUMP_REGISTRY": address})
    if check == "heartbeat" and name in ("fine", "no contact"):  # it can be looked at, and the check has never run
        word, says, never = WRONG, "itbpump alerts check --send", "registry init"
    assert state == word, told
    assert says in advice
    assert never not in advice
    assert HIDDEN not in told + advice
    assert not advice or advice not in told, "said once"
    assert bool(advice) == (word != OK)


def test_the_advice_fits_the_contacts_that_no_channel_reaches(tmp_path: Path) -> None:
    file = tmp_path / "channels.toml"
    environment = {"ITBPUMP_CHANNELS": str(file), "ITBPUMP_REGISTRY": made(tmp_path / "clinic.db")}
    form = '[{}]\nkind = "folder"\nfolder = "out"\nsender = "pumps@clinic.example"\n'
    (tmp_path / "out").mkdir()
    file.write_text(form.format("email"))
    assert found("channels", environment) == (OK, "email", "")
    file.write_text(form.format("drop"))
    word, told, advice = found("channels", environment)
    assert (word, told) == (WRONG, "drop; not set up, so never told: nurse (by email)")
    assert "itbpump registry contacts add" in advice
    assert found("channels", {"ITBPUMP_CHANNELS": str(file)}) == (OK, "drop", "")


def test_a_registry_that_another_program_writes_to_can_be_looked_at(tmp_path: Path) -> None:
    address = made(tmp_path / "clinic.db")
    engine = make_engine(address_of(address), 0.1)
    with writing(engine):  # a reader of this database does not wait for a writer
        assert found("registry", {"ITBPUMP_REGISTRY": address})[0] == OK
    engine.dispose()


@pytest.mark.parametrize(("word", "state", "says"), [("off", OK, ""), ("nonsense", WRONG, "write auto (")])
def test_the_advice_fits_the_setting_of_the_keyring(word: str, state: str, says: str) -> None:
    now, told, advice = found("keyring", {"ITBPUMP_KEYRING": word})
    assert (now, advice[: len(says)]) == (state, says)
    assert "unlock" not in told + advice
