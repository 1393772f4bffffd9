"""The installed screen in a real terminal: tmux at 80×24 and 60×18, a simulated pump as a process of its own on a pty, keys one by one.

What is read is what tmux shows. The pump's time is moved by its bench, so that a bolus of ten minutes ends while the test looks on.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from itbpump.hoststate import HostState
from itbpump.outcome import Applied
from itbpump.workflow.facts import with_prescription
from tests.e2e.process import PATIENCE_S, START, PumpProcess, flex, join, pair

ROOT = Path(__file__).parents[2]
PATIENT = "P-0042"
LOOK_S = 0.05
pytestmark = [pytest.mark.e2e, pytest.mark.slow]


class Terminal:
    """One tmux session on a socket of its own; ended with everything in it."""

    def __init__(self, tmux: str, socket: Path, home: Path, size: tuple[int, int], command: list[str]) -> None:
        self._tmux = [tmux, "-S", str(socket), "-f", os.devnull]
        names = {"PYTHONPATH": str(ROOT / "src"), "ITBPUMP_HOME": str(home), "XDG_CONFIG_HOME": str(home), "TERM": "screen-256color"}
        words = ["env", "-u", "COLUMNS", "-u", "LINES", *(f"{name}={value}" for name, value in names.items()), *command]
        self.do("new-session", "-d", "-s", "t", "-x", str(size[0]), "-y", str(size[1]), shlex.join(words))

    def do(self, *arguments: str) -> str:
        """One command of tmux."""
        done = subprocess.run([*self._tmux, *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=True)
        return done.stdout

    def text(self) -> str:
        """What stands in the pane."""
        return self.do("capture-pane", "-p", "-t", "t")

    def until(self, words: str, true: Callable[[str], bool] | None = None) -> str:
        """Look until the words stand there; what stands there then."""
        end = time.monotonic() + PATIENCE_S
        text = ""
        while time.monotonic() < end:
            text = self.text()
            if words in " ".join(text.split()) and (true is None or true(text)):
                return text
            time.sleep(LOOK_S)
        raise AssertionError(f"never came: {words}\n{text}")

    def hit(self, *keys: str) -> None:
        """Named keys."""
        for key in keys:
            self.do("send-keys", "-t", "t", key)

    def type(self, words: str) -> None:
        """Letter by letter, each slower than a key that bounces."""
        for letter in words:
            self.do("send-keys", "-t", "t", "-l", letter)
            time.sleep(0.12)

    def resize(self, width: int, height: int) -> None:
        """As when a person pulls at the window."""
        self.do("resize-window", "-t", "t", "-x", str(width), "-y", str(height))

    def end(self) -> None:
        """With all that runs in it."""
        subprocess.run([*self._tmux, "kill-server"], capture_output=True, timeout=PATIENCE_S, check=False)


@pytest.fixture
def pump(tmp_path: Path) -> Iterator[PumpProcess]:
    """A pump that runs a week's therapy which was programmed from this computer, 30 h ago."""
    state = HostState.open(tmp_path / "state.db")
    with PumpProcess.start() as process:
        pair(process, state)
        with join(process.link, state) as line:
            assert isinstance(line.program(flex(), basis=with_prescription({"patient": PATIENT}, flex())), Applied)
        process.do("advance", for_=START)
        state.close()
        yield process


@pytest.fixture
def opened(pump: PumpProcess, tmp_path: Path, requires_program: Callable[[str], str]) -> Iterator[Callable[[tuple[int, int]], Terminal]]:
    """Opens the screen on that pump at a size."""
    tmux, terminals = requires_program("tmux"), list[Terminal]()

    def open_at(size: tuple[int, int]) -> Terminal:
        command = [sys.executable, "-m", "itbpump", "tui", pump.link]
        terminals.append(Terminal(tmux, tmp_path / "tmux", tmp_path, size, command))
        return terminals[-1]

    yield open_at
    for terminal in terminals:
        terminal.end()


@pytest.mark.parametrize("size", [(80, 24), (60, 18)], ids=["80x24", "60x18"])
@pytest.mark.sr("SR-09", "SR-20")
def test_a_bolus_typed_by_a_person_runs_to_its_end(
    opened: Callable[[tuple[int, int]], Terminal], pump: PumpProcess, size: tuple[int, int]
) -> None:
    terminal = opened(size)
    text = terminal.until("LINK live", lambda text: PATIENT in text)
    assert "P4000001" in text
    terminal.hit("F2")
    terminal.until("DOSE NOW")
    terminal.hit("Down", "Down", "Down")
    terminal.until("Single bolus: one dose now")
    terminal.hit("Enter")
    terminal.until("Single bolus", lambda text: "Over" in text)
    terminal.type("10")
    terminal.until("10 mcg")
    terminal.hit("Tab")
    terminal.type("10m")
    terminal.until("10 mcg", lambda text: "10m" in text)
    terminal.hit("F5")
    terminal.until("REVIEW: Bolus of 10 mcg over 10 min")
    terminal.hit("F9")
    terminal.until("the confirmation is not typed")
    terminal.hit("PageDown", "PageDown", "PageDown")
    terminal.until("type it here; then F9")
    terminal.type("10 mcg")
    terminal.hit("Enter", "PageDown", "PageDown")
    terminal.until("everything is given")
    assert "PROVED" not in terminal.text()
    terminal.hit("F9")
    terminal.until("PROVED", lambda text: "RUNNING: 0 mcg of 10 mcg" in text)
    pump.do("advance", for_="4m")
    terminal.until("RUNNING: 4 mcg of 10 mcg")
    pump.do("advance", for_="7m")
    terminal.until("is done: 10 mcg of 10 mcg (10 of 10 pulses)")
    terminal.hit("Escape", "Escape")
    terminal.until("State running flex")


@pytest.mark.sr("SR-33")
def test_two_keys_stop_the_pump_and_one_does_not(opened: Callable[[tuple[int, int]], Terminal], pump: PumpProcess) -> None:
    terminal = opened((80, 24))
    terminal.until("LINK live")
    terminal.hit("F8")
    terminal.until("STOP THE THERAPY", lambda text: "PUMP RUNNING" in text)
    terminal.hit("F8", "Enter")
    time.sleep(3 * LOOK_S)
    assert "PUMP RUNNING" in terminal.text()
    terminal.hit("F4")
    terminal.until("APPLIED as command 2")
    terminal.until("PUMP STOPPED")
    terminal.hit("Escape")
    terminal.until("State stopped", lambda text: "NOTHING" in text)
    before = pump.do("truth")["commanded_pulses"]
    pump.do("advance", for_="3h")
    assert pump.do("truth")["commanded_pulses"] == before


@pytest.mark.sr("SR-16")
def test_a_window_too_small_says_so_and_comes_back(opened: Callable[[tuple[int, int]], Terminal]) -> None:
    terminal = opened((80, 24))
    terminal.until("LINK live", lambda text: "mcg per day" in text)
    terminal.resize(59, 18)
    assert "mcg" not in terminal.until("Window too small")
    terminal.resize(60, 17)
    assert "mcg" not in terminal.until("Window too small")
    terminal.resize(60, 18)
    terminal.until("LINK live", lambda text: "mcg per day" in text)
    terminal.hit("F10")
