"""`python -m itbpump.tui.plain [URL]`: the dialogue by itself."""

from __future__ import annotations

import sys

from itbpump.errors import InputError
from itbpump.tui.plain.entry import run
from itbpump.workflow.settings import load_settings

if __name__ == "__main__":
    try:
        settings = load_settings()
    except InputError as error:
        sys.exit(f"error: {error}")
    sys.exit(run(sys.argv[1] if len(sys.argv) > 1 else None, settings=settings))
