"""Exact amounts with their unit in the type; reading and printing them so that nobody misreads a dose.

Inside: volume nL, mass ng, concentration ng/mL, flow nL/day, mass rate ng/day, duration ms. Whole numbers, or a `Fraction` where a figure
is computed back (an achievable dose). No binary float anywhere: constructors refuse one.

Reading (SR-16): number `(0|[1-9][0-9]{0,6})(\\.[0-9]{0,5}[1-9])?`, then a unit. A malformed text is refused with a message that
teaches; nothing is guessed, rounded or clamped. Printing (SR-17, ISMP list of error-prone dose designations): leading zero, no trailing
zero, `mcg`, a space before the unit; screens have the thousands comma and `per`, files and JSON neither.

Not here: amounts in international units, temperatures, and any unit a pump file does not use.
"""

from itbpump.quantity.amounts import (
    Amount,
    Concentration,
    Exact,
    Flow,
    Length,
    Mass,
    MassRate,
    Volume,
    VolumePerLength,
    exact,
    number_text,
    parse_amount,
)
from itbpump.quantity.arithmetic import (
    catheter_volume,
    flow_nL_per_day,
    mass_of_pulses,
    mass_of_volume,
    pulses_for_mass,
    rate_of_flow,
    volume_for_mass,
)
from itbpump.quantity.times import MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, Duration, TimeOfDay

__all__ = [
    "MS_PER_DAY",
    "MS_PER_HOUR",
    "MS_PER_MINUTE",
    "Amount",
    "Concentration",
    "Duration",
    "Exact",
    "Flow",
    "Length",
    "Mass",
    "MassRate",
    "TimeOfDay",
    "Volume",
    "VolumePerLength",
    "catheter_volume",
    "exact",
    "flow_nL_per_day",
    "mass_of_pulses",
    "mass_of_volume",
    "number_text",
    "parse_amount",
    "pulses_for_mass",
    "rate_of_flow",
    "volume_for_mass",
]
