"""One reading of a pump for the faces: its own words, what they mean, and what this computer knows of it besides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from itbpump.wording.days import WEEK_MS

if TYPE_CHECKING:
    from itbpump.hoststate import Intent
    from itbpump.pump import Pump
    from itbpump.therapy_view import TherapyView
    from itbpump.wire.messages import CommandResult, Info, LogEntry, Status

__all__ = ["ERI_NOT_RAISED", "PumpView", "dose_kinds", "read_view", "who"]

ERI_NOT_RAISED = 65_535  # itbp1.toml, Status.eri_left_days


@dataclass(frozen=True, slots=True)
class PumpView:
    """One reading of a pump. `therapy` is None while it has no configuration; `open` are commands whose outcome is not known here.

    `last_dose_change` is the newest entry of the recent log in which a command changed what is given, None where that log shows none.
    """

    url: str
    info: Info
    status: Status
    therapy: TherapyView | None
    others: tuple[CommandResult, ...]
    host_now: datetime
    simulated: bool
    changed_by: str
    open: tuple[Intent, ...]
    last_dose_change: LogEntry | None

    @property
    def clock(self) -> datetime | None:
        """The pump's label of the wall clock at the host's offset; None while it is not set."""
        return datetime.fromtimestamp(self.status.wall_s, UTC).astimezone(self.host_now.tzinfo) if self.status.wall_s else None

    @property
    def gap_s(self) -> int | None:
        """Pump's label less the host's time, whole seconds; None while the label is not set."""
        return self.status.wall_s - int(self.host_now.timestamp()) if self.status.wall_s else None

    @property
    def week_ms(self) -> int | None:
        """The pump's place in its week; None while it has no therapy."""
        return (self.status.uptime_ms + self.status.week_offset_ms) % WEEK_MS if self.therapy is not None else None

    @property
    def stalled(self) -> bool:
        """The pump has found its motor standing: what it commands and counts does not reach the patient."""
        from itbpump.wire.messages import AlarmNumber

        return any(alarm.alarm == AlarmNumber.MOTOR_STALL for alarm in self.status.alarms)

    def at(self, uptime_ms: int) -> datetime:
        """When the pump's clock showed `uptime_ms`, by the pump's own label, or by the host's time where that is not set."""
        return (self.clock or self.host_now) - timedelta(milliseconds=self.status.uptime_ms - uptime_ms)

    def ago(self, uptime_ms: int) -> str:
        """How long ago that was; the log may be some seconds newer than the status."""
        minutes = max(0, self.status.uptime_ms - uptime_ms) // 60_000
        days, rest = divmod(minutes, 1_440)
        hours, minutes = divmod(rest, 60)
        parts = [f"{count:,} {unit}" for count, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if count]
        return (" ".join(parts[:2]) or "less than a minute") + " ago by the pump's clock"


def read_view(pump: Pump, open_commands: Sequence[Intent] = ()) -> PumpView:
    """Read everything the screen shows. `open_commands`: those of which this computer does not know what became. Raises LinkError,
    TransportError."""
    from itbpump.therapy_view import view_configuration
    from itbpump.wire.messages import Role

    now = pump.status()
    observer_reads = pump.info.role is not Role.EMERGENCY  # the emergency role may read the status only
    configuration = pump.configuration() if now.revision and observer_reads else None
    hidden = observer_reads and now.last_change_kind not in dose_kinds() and now.revision > 0
    return PumpView(
        url=pump.session.transport.url,
        info=pump.info,
        status=now,
        therapy=view_configuration(configuration, pump.profile) if configuration is not None else None,
        others=pump.others_unconfirmed() if now.others_unconfirmed and observer_reads else (),
        host_now=pump.host_now(),
        simulated=pump.info.simulated,
        changed_by=who(now.last_change_by, pump),
        open=tuple(open_commands),
        last_dose_change=_last_dose_change(pump, now) if hidden else None,
    )


def dose_kinds() -> frozenset[int]:
    """Commands that change what is given."""
    from itbpump.wire.messages import CommandKind

    kinds = CommandKind
    return frozenset({kinds.CONFIGURE, kinds.BOLUS, kinds.STOP, kinds.STOP_BOLUS, kinds.MINIMUM_RATE})


def _last_dose_change(pump: Pump, now: Status) -> LogEntry | None:
    """By the newest entries of the log: the whole of it would take seconds on a serial line. Its time is by the present clock."""
    from itbpump.history import by_present_clock
    from itbpump.pump import RECENT_ENTRIES
    from itbpump.wire.messages import LogKind

    newest = None
    for entry in by_present_clock(pump.log(max(0, now.log_next_seq - RECENT_ENTRIES)), now.uptime_ms)[0]:
        if entry.kind is LogKind.COMMITTED and entry.b >> 32 in dose_kinds():
            newest = entry
    return newest


def who(programmer: bytes, pump: Pump) -> str:
    """A programmer's id in words."""
    if not any(programmer):
        return "nobody"
    return "this companion" if programmer == pump.session.link.programmer_id else f"programmer {programmer.hex()}"
