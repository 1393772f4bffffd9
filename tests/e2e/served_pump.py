"""A simulated pump as a program: what process.py starts, kills and restarts.

It loads the pump of its state file, or makes a fresh one, draws its random bytes from the operating system, tells in one line of JSON
where it can be reached, and serves until its parent is gone. Of the companion it imports nothing: it starts fifty times in a run of tests.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path

from firmware_sim.endpoints import EndpointError, PtyLink, Ready, TcpLink, serve
from firmware_sim.endpoints.opening import load_pump, make_pump
from firmware_sim.state_file import StateFile, StateFileError

FILL_NL = 38_000_000


def _end_with_parent() -> None:
    """The parent holds the other end of our input; however it dies, the pump does not outlive it."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


def main() -> int:
    """Serve one pump. 0 when told to end, 1 when it cannot be served."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--state", type=Path)
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--seed", type=int, required=True)
    asked = parser.parse_args()
    try:
        file = StateFile(asked.state) if asked.state is not None else None
        if file is not None and file.exists():
            pump = load_pump(file, os.urandom)
        else:
            pump = make_pump("P-40", seed=asked.seed, fill_nL=FILL_NL, entropy=os.urandom)

        def announce(ready: Ready) -> None:
            sys.stdout.write(json.dumps({"link": ready.link, "bench": ready.bench, "serial": pump.serial}) + "\n")
            sys.stdout.flush()

        threading.Thread(target=_end_with_parent, daemon=True).start()
        serve(pump, TcpLink("127.0.0.1:0") if asked.tcp else PtyLink(), "127.0.0.1:0", "manual", file, announce)
    except (EndpointError, StateFileError) as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
