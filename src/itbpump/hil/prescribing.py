"""Text of a prescription for a pump under test: enough for the therapy asked for, and nothing of a patient.

The reservoir and the concentration are the rig's; the screening dose is large enough that no start rule of a review would matter, should
a test review it. Not here: whether a clinic would prescribe it.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import resources
from string import Template

from itbpump.profiles import load_profile
from itbpump.quantity import Volume

__all__ = ["AS_OF", "HOST_EPOCH_S", "prescription_text"]

# The day on which simulated pumps under test begin, so that no test depends on the day it is run: a Sunday, 10:00 in the pump's zone.
AS_OF = "2026-11-22T10:00:00-05:00"
HOST_EPOCH_S = 1_795_359_600


def prescription_text(
    profile: str, therapy: str | Mapping[str, str], *, reservoir: str, low_alarm: str = "", concentration: str = "2000 mcg/mL"
) -> str:
    """The text. `therapy` is a dose per day of a continuous therapy ("200 mcg/day"), the text of a table [therapy], or its keys and texts.

    `low_alarm`: by default the profile's typical one of domain 0.3, or half of a reservoir that holds less. Raises ProfileError,
    QuantityError.
    """
    if isinstance(therapy, Mapping):
        table = "\n".join(f'{key} = "{value}"' for key, value in therapy.items())
    elif "=" in therapy:
        table = therapy.strip().removeprefix("[therapy]").strip()
    else:
        table = f'mode = "continuous"\ndose = "{therapy}"'
    alarm = low_alarm or _low_alarm(profile, Volume.parse(reservoir))
    template = Template(resources.files("itbpump.hil").joinpath("prescription.template").read_text("utf-8"))
    return template.substitute(profile=profile, reservoir=reservoir, as_of=AS_OF, alarm=alarm, concentration=concentration, table=table)


def _low_alarm(profile: str, reservoir: Volume) -> str:
    typical = load_profile(profile).low_alarm_default
    return (typical if reservoir > typical else Volume(reservoir.nL // 2)).text()
