"""Why a pump is not programmed from here: it holds other constants, or it is another model than the prescription's."""

from __future__ import annotations

from itbpump.errors import ItbPumpError
from itbpump.wire.messages import Info

__all__ = ["ConstantsMismatch", "WrongPump"]


class ConstantsMismatch(ItbPumpError):
    """Companion and pump hold different constants for this model; nothing is programmed on such a pair."""

    def __init__(self, info: Info, differences: tuple[str, ...]) -> None:
        self.info, self.differences = info, differences
        super().__init__(
            f"pump {info.serial} ({info.profile}, firmware {info.firmware}) has other constants than this companion knows: "
            f"{'; '.join(differences)}; update the companion or the firmware: nothing is programmed on a mismatched pair"
        )


class WrongPump(ItbPumpError):
    """The prescription is for another model than the pump on the line."""

    def __init__(self, wanted: str, found: str) -> None:
        self.wanted, self.found = wanted, found
        super().__init__(f"the prescription is for profile {wanted}, the pump is a {found}; check that this is the right pump and patient")
