"""What is left of a HIL run: `record.json` (equal for equal seeds), `timing.json` (what is not), `report.html` (one file, for people).

    folder/record.json   the run, sorted keys; no wall time, no path or name of the machine that ran it
    folder/timing.json   when it began and how long each test took
    folder/report.html   everything on one page that loads nothing and runs nothing

`read_record` loads a record again, `compare` holds two against each other. Not here: JUnit (pytest writes it), what an outcome is
(`outcomes`).
"""

from __future__ import annotations

from itbpump.hil.report.compare import Comparison, compare
from itbpump.hil.report.encoding import SCHEMA, record_bytes, timing_bytes
from itbpump.hil.report.reading import RecordError, read_record
from itbpump.hil.report.writing import write

__all__ = ["SCHEMA", "Comparison", "RecordError", "compare", "read_record", "record_bytes", "timing_bytes", "write"]
