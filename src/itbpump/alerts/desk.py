"""What the commands do with a registry, without a command line: rows of the worklist, entries of the calendar, files, policy."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from itbpump.alerts.errors import AlertPolicyError
from itbpump.alerts.ical import Entry, entry_of, uid_of
from itbpump.alerts.model import AlertKind, Stage
from itbpump.alerts.state import AlertState
from itbpump.alerts.worklist import Heartbeat, Row

if TYPE_CHECKING:
    from itbpump.alerts.job import Source
    from itbpump.alerts.policy import Policy
    from itbpump.alerts.store import AlertStore, Listed

__all__ = ["POLICY", "calendar_entries", "heartbeat_of", "load_clinic_policy", "policy_path", "row_of", "worklist_rows", "write_text"]

POLICY = "ITBPUMP_ALERTS"
_EVER = timedelta(days=-36_500)
"""Asked with it, the store tells the last run however fresh it is, also one that a clock set back has put into the future."""


def worklist_rows(store: AlertStore, now: datetime, *, settled: bool = False) -> Iterator[Row]:
    """Every open alert, or with `settled` every alert there was."""
    return (row_of(listed, now) for listed in store.listed(settled=settled))


def row_of(listed: Listed, now: datetime) -> Row:
    """One row: what people said, and whether anybody was really told."""
    state, by, reason, until = _said(listed.state, now)
    if listed.delivered_at is not None:
        told = "delivered"
    elif listed.pending:
        told = "waiting to be sent"
    else:
        told = "NOT DELIVERED: refused by every way tried" if listed.refused else "not told yet"
    return Row(listed.state.alert, state, by, reason, until, told, listed.delivered_at)


def _said(state: AlertState, now: datetime) -> tuple[str, str, str, datetime | None]:
    said = state.acknowledged
    if state.settled:
        return "resolved", "", "", None
    if state.muted_by:
        return "muted", "", f"said by {state.muted_by}", None
    snoozed = state.snoozed
    if snoozed is not None and snoozed.until is not None and now < snoozed.until and not state.alert.is_critical:
        return "snoozed", snoozed.author, snoozed.reason, snoozed.until
    if said is not None and said.stage >= state.alert.stage:
        return "acknowledged", said.author, said.reason, None
    return "open", "", "", None


def heartbeat_of(store: AlertStore) -> Heartbeat:
    """When the job last came to its end."""
    from itbpump.alerts.store import OVERDUE_AFTER  # noqa: PLC0415  (SQLAlchemy costs 0.3 s)

    pulse = store.job_overdue(datetime.now().astimezone(), _EVER)
    return Heartbeat(None if pulse is None else pulse.last, OVERDUE_AFTER)


def calendar_entries(source: Source, store: AlertStore, policy: Policy, now: datetime, *, show_patient: bool = False) -> Iterator[Entry]:
    """The entry of every watched pump with a date, on the last open day before it. The sequence is at least that of the mails about it."""
    sequences = _sequences(store)
    for pump in source.watched(now):
        by = None if pump.dates is None else pump.dates.refill_by
        sequence = sequences.get(uid_of(pump.serial, pump.memory_id, pump.cycle), 0)
        day = None if by is None else policy.closed.open_on_or_before(by)
        entry = entry_of(pump, day=day, sequence=sequence, show_patient=show_patient)
        if entry is not None:
            yield entry


def _sequences(store: AlertStore) -> Mapping[str, int]:
    refills = (listed.state for listed in store.listed(least=Stage.SCHEDULED) if listed.state.alert.kind is AlertKind.REFILL)
    found: dict[str, int] = {}
    for state in refills:
        uid = uid_of(state.alert.serial, state.alert.memory_id, state.alert.cycle)
        found[uid] = max(found.get(uid, 0), state.generation)
    return found


# ------------------------------------------------------------------------------------------------ files
def policy_path() -> Path:
    """`alerts.toml` in the platform's configuration folder."""
    import platformdirs  # noqa: PLC0415  (25 ms)

    return Path(platformdirs.user_config_dir("itbpump", appauthor=False)) / "alerts.toml"


def load_clinic_policy(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Policy:
    """The clinic's leads, quiet hours and closed days: of `path`, else of the file ITBPUMP_ALERTS names, else of the default one.

    Without any file, the shipped ones. Raises AlertPolicyError.
    """
    from itbpump.alerts.policy import load_policy, policy_of  # noqa: PLC0415

    given = os.environ if environment is None else environment
    named = path or (Path(given[POLICY]) if given.get(POLICY) else None)
    file = named or policy_path()
    try:
        text = file.read_text("utf-8")
    except FileNotFoundError as error:
        if named is not None:
            raise AlertPolicyError(str(file), "(file)", "there is no such file", f"name one that is there, or unset {POLICY}") from error
        return load_policy()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise AlertPolicyError(str(file), "(file)", f"cannot be read ({reason})", "make it readable, as text in UTF-8") from error
    return policy_of(text, str(file))


def write_text(path: Path, text: str) -> None:
    """Over `path` at once: a reader sees the old text or the new one. Mode 0600 where it is new, as it may hold an id. Raises OSError."""
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(mode)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
