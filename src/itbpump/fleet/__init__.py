"""Dates of a whole fleet at once, to the day: the vectorised twin of `itbpump.forecast` (extra `fleet`: numpy).

`gather(facts, profile)` lays pumps out as arrays, `bounds(fleet, level)` gives the three days on which each is down to a volume, and
`refill_by` the earliest of all ends. Each day is exactly the day of the scalar forecast. Pure; integers only.
Not here, because they are few and the scalar has them: a bolus or a bridge that runs, a periodic therapy whose place is not known, steps
off the grid. `gather` hands those pumps back.
"""

from __future__ import annotations

from itbpump.fleet.gather import Gathered, gather
from itbpump.fleet.kernel import bounds, day_of, refill_by
from itbpump.fleet.model import NEVER, Fleet, FleetDays, FleetError

__all__ = ["NEVER", "Fleet", "FleetDays", "FleetError", "Gathered", "bounds", "day_of", "gather", "refill_by"]
