"""One run of the alert job in a process of its own, killed by SIGKILL at a step.

`python -m tests.system.alert_job_victim DB BOX PORT HOURS AT`

AT below 0: not killed. Prints how many steps it passed.
"""

from __future__ import annotations

import os
import signal
import sys
from datetime import timedelta
from pathlib import Path

from itbpump.alerts.job import Step, run
from itbpump.registry.engine import address_of, make_engine
from tests.system.alert_mailbox import AskingChannel, Mailbox, troubled_pumps
from tests.unit.alerts.alert_rig import DOCTOR, NOW, NURSE, Clinic


def main(database: str, box: str, port: str, hours: str, at: str) -> None:
    passed: list[Step] = []

    def probe(step: Step) -> None:
        passed.append(step)
        if len(passed) == int(at) + 1:
            os.kill(os.getpid(), signal.SIGKILL)

    clinic = Clinic(make_engine(address_of(Path(database)), 5.0), troubled_pumps(), (NURSE, DOCTOR))
    run(clinic, {"mail": AskingChannel(int(port), Mailbox(Path(box)))}, NOW + timedelta(hours=int(hours)), probe=probe)
    sys.stdout.write(f"{len(passed)}\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
