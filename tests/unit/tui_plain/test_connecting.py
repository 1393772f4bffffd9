"""Choosing a line, pairing, the demonstration, the report, a terminal of its own."""

from __future__ import annotations

import io
import os
import re
import select
import subprocess
import sys
import time
from pathlib import Path

import pytest

from itbpump.pump import connect
from itbpump.tui.plain import Streams, run
from itbpump.tui.plain.entry import FINE, standard_streams
from tests.unit.tui_plain.rules import kept
from tests.unit.tui_plain.talk import Clinic, Pick, Step, Told, streams_of
from tests.unit.tui_plain.test_tasks import BOLUS

ROOT = Path(__file__).resolve().parents[3]


def program(*steps: Step, url: str | None = None, demo: bool = False) -> Told:
    """The program with its real connect, on a computer without serial ports."""
    out = io.StringIO()
    code = run(url, demo=demo, streams=streams_of(steps, out), connect=connect, monotonic=lambda: 0, ports=list)
    return Told(code, out.getvalue())


def test_without_an_address_the_person_chooses_a_line() -> None:
    clinic = Clinic()
    told = kept(clinic.talk(Pick("sim://P-40, pump P4000001"), ".", Pick("type an address"), "sim://P-40", ".", ".", url=None))
    assert "Used before:" in told.text
    assert told.text.count("CONNECTING.") == 2
    assert told.code == 0


def test_a_pump_that_does_not_know_this_computer_is_paired_and_opened(tmp_path: Path) -> None:
    url = f"sim://P-40?fill=38mL&seed=1&state={tmp_path / 'p'}"
    told = program(Pick("clinician"), "", "", Pick("Status of the pump"), ".", url=url)
    assert "NOT CONNECTED:" in told.text
    assert "Paired with pump P4000001 as clinician (proved by a session)." in told.said
    assert "State stopped (no therapy programmed)" in told.said or "unconfigured" in told.said
    assert told.code == FINE
    again = program(Pick("Status of the pump"), ".", url=url)
    assert "PAIRING" not in again.text
    assert again.code == FINE


def test_a_pairing_in_another_role_is_replaced_only_by_a_word(tmp_path: Path) -> None:
    url = f"sim://P-40?fill=38mL&seed=1&state={tmp_path / 'p'}"
    program(Pick("clinician"), "", "", ".", url=url)
    kept_old = program(Pick("pair this computer"), url, Pick("observer"), "", "", "no", ".")
    assert "as clinician" in kept_old.said
    assert "Paired with" not in kept_old.text
    replaced = program(Pick("pair this computer"), url, Pick("observer"), "", "", "REPLACE", ".")
    assert "as observer" in replaced.said


def test_a_pairing_that_cannot_be_is_said_and_asked_again(tmp_path: Path) -> None:
    bad = tmp_path / "key"
    bad.write_bytes(b"short")
    told = program(Pick("pair this computer"), "/dev/no-such-port", Pick("clinician"), "", str(bad), ".", ".")
    assert "NOT PAIRED:" in told.text
    assert told.code == FINE


def test_the_demonstration_has_a_pump_whose_time_and_trouble_one_can_change() -> None:
    demo = Pick("The simulated pump")
    told = kept(
        program(
            demo, Pick("slower"), demo, Pick("Let hours pass"), "24", demo, Pick("Let hours pass"), "no", Pick("Status of"), ".", demo=True
        )
    )
    assert "its time stands still" in told.said
    assert "NOT TAKEN: that is no such number of hours." in told.text
    assert "Last 24 to 25 h" in told.text
    assert "demo time" in told.said
    assert told.code == FINE


def test_the_cable_of_the_demonstration_can_be_pulled_and_put_back() -> None:
    demo = Pick("The simulated pump")
    told = kept(program(demo, Pick("Let something happen"), Pick("Choose another line"), Pick("Let something happen"), ".", demo=True))
    assert "TRAINING: the cable was pulled now" in told.said
    assert "LINE LOST" in told.text
    assert "TRAINING: the cable was put back now" in told.said
    assert told.text.count("CONNECTING.") == 2


def test_the_report_of_the_visit_tells_what_was_done_and_is_saved(tmp_path: Path) -> None:
    report = Pick("Report of this visit")
    hear = (Pick("Hear the report"), Pick("Hear the card"), Pick("Save both"))
    told = Clinic().talk(*BOLUS, "25 mcg", "20", report, *hear, str(tmp_path), ".", ".")
    heard = told.text.partition("\nREPORT.")[2]
    assert "Bolus of 25 mcg over 10 min for patient P-0042" in " ".join(heard.split())
    assert "SAVED:" in told.text
    names = sorted(path.name for path in tmp_path.iterdir())
    assert any(name.endswith("report.html") for name in names)
    assert any(name.endswith("card.txt") for name in names)
    assert all(len(line) <= 80 for line in told.text.splitlines())
    missing = Clinic().talk(report, Pick("Save both"), str(tmp_path / "none"), ".", ".")
    assert "NOT SAVED:" in missing.text


def test_an_adapters_name_is_shown_beside_its_port() -> None:
    out = io.StringIO()
    streams = Streams(io.StringIO(""), out)
    run(None, streams=streams, connect=connect, monotonic=lambda: 0, recent=list, ports=lambda: [("/dev/ttyUSB0", "USB serial")])
    assert "  1  /dev/ttyUSB0, USB serial" in out.getvalue()


def test_standard_streams_do_not_stumble_over_signs_the_terminal_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, "ascii"))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"\xff\n"), "utf-8"))
    streams = standard_streams()
    streams.writer.write("é")
    streams.writer.flush()
    assert raw.getvalue() == b"?"
    assert streams.echo
    assert streams.reader.readline() == "\ufffd\n"


# ------------------------------------------------------------------------------------------------ processes
def _environment(tmp_path: Path) -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(tmp_path / "home"), "TERM": "dumb"}


@pytest.mark.e2e
def test_over_a_pipe_the_end_of_the_input_ends_it(tmp_path: Path) -> None:
    url = f"sim://P-40?rx={ROOT / 'examples' / 'flex-weekday-weekend.toml'}&seed=1"
    told = subprocess.run(
        [sys.executable, "-m", "itbpump.tui.plain", url],
        input=b"1\n",
        capture_output=True,
        env=_environment(tmp_path),
        timeout=30,
        check=False,
    )
    assert told.returncode == 0, told.stderr.decode()
    assert told.stderr == b""
    assert b"> 1\n" in told.stdout
    assert b"Reservoir       38 mL of 40 mL" in told.stdout


@pytest.mark.e2e
@pytest.mark.skipif(os.name != "posix", reason="ptys are a thing of POSIX")
def test_on_a_terminal_a_person_gives_a_bolus(tmp_path: Path) -> None:
    """Each line is typed when its question stands there; the terminal shows what is typed, and no escape code comes."""
    url = f"sim://P-40?rx={ROOT / 'examples' / 'flex-weekday-weekend.toml'}&seed=1"
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "itbpump.tui.plain", url], stdin=slave, stdout=slave, stderr=slave, env=_environment(tmp_path)
    )
    os.close(slave)
    try:
        heard = ""
        for question, answer in [
            ("Number:", "Dose now"), ("Number:", "Single bolus:"), ("Patient id", "P-0042"), ("Number", "spinal"), ("Age in years", "46"),
            ("Other drugs", "-"), ("Dose, mcg", "25"), ("Over", "10m"),
            ("Type 25 mcg", "25 mcg"), ("Enter, minutes", "."), ("Number:", "."),
        ]:  # fmt: skip
            part = _until(master, question)
            heard += part
            number = re.findall(rf"^ +(\d+)  {re.escape(answer)}", part, re.MULTILINE)
            os.write(master, f"{number[-1] if number else answer}\n".encode())
        heard += _until(master, "")
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert "and PROVED" in heard
    assert "NO LONGER WATCHED" in heard
    assert "\x1b" not in heard


def _until(master: int, question: str) -> str:
    """What the program writes until the question waits for its answer; all of it where the question is empty."""
    heard, end = b"", time.monotonic() + 30
    while time.monotonic() < end and select.select([master], [], [], end - time.monotonic())[0]:
        try:
            part = os.read(master, 65_536)
        except OSError:  # Linux says so when the other side is closed
            break
        heard += part
        if not part or (question and heard.endswith(b": ") and question.encode() in heard.rpartition(b"\n")[2]):
            break
    text = heard.decode("utf-8", "replace").replace("\r\n", "\n")
    assert not question or question in text, text[-2_000:]
    return text
