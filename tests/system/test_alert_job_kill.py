"""The alert job as a process, killed with SIGKILL at every step, over a real SMTP server: each alert arrives, no key twice."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.system.alert_mailbox import Mailbox, serving
from tests.unit.alerts.alert_rig import engine_at

ROOT = Path(__file__).resolve().parents[2]
STEPS = 2 + 3 + 3 * 3  # heartbeat, one batch, three mails: test_alert_job counts them
LIMIT_S = 60


def victim(folder: Path, port: int, hours: int, at: int) -> subprocess.CompletedProcess[str]:
    arguments = [str(folder / "registry.db"), str(folder / "box"), str(port), str(hours), str(at)]
    command = [sys.executable, "-m", "tests.system.alert_job_victim", *arguments]
    environment = {"PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "PATH": ""}
    return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False, cwd=ROOT, env=environment)


@pytest.mark.slow
@pytest.mark.sr("SR-40")
@pytest.mark.parametrize("at", range(STEPS))
def test_killed_and_started_again(tmp_path: Path, at: int) -> None:
    mailbox = Mailbox(tmp_path / "box")
    engine_at(tmp_path / "registry.db").dispose()
    with serving(mailbox) as port:
        killed = victim(tmp_path, port, 0, at)
        assert killed.returncode == -signal.SIGKILL, killed.stderr
        mended = victim(tmp_path, port, 1, -1)
        assert mended.returncode == 0, mended.stderr
    assert len(mailbox.subjects()) == 3
    assert all(count == 1 for count in Counter(mailbox.ids()).values())


@pytest.mark.slow
def test_there_is_no_step_beyond_these(tmp_path: Path) -> None:
    mailbox = Mailbox(tmp_path / "box")
    engine_at(tmp_path / "registry.db").dispose()
    with serving(mailbox) as port:
        assert victim(tmp_path, port, 0, -1).stdout.strip() == str(STEPS)
