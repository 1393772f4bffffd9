"""Chat and other services through Apprise (extra `notify`): a nudge to look at the worklist, without patient, pump or dose.

The companies behind such services are third parties. So the text is not the notification's own: it is made here of the stage, the kind and
the day alone, whatever the contact's settings say, with a reference by which the alert is found in the worklist. The contact's address is
an Apprise URL; it holds secrets and is never told. Apprise says only yes or no, waits 4 s for a connection and 4 s for an answer, and
cannot be asked whether a message has gone.
"""

from __future__ import annotations

import hashlib
from typing import Any

from itbpump.alerts.channel import Delivery, DeliveryState
from itbpump.alerts.channels.errors import ChannelSetupError
from itbpump.alerts.model import Notification

__all__ = ["AppriseChannel", "nudge"]

_LONGEST_LIST = 5


def nudge(notification: Notification) -> tuple[str, str]:
    """Title and text. Pure; holds nothing that tells a patient or a pump."""
    from itbpump.forecast import day_text  # noqa: PLC0415

    alerts = sorted(notification.alerts, key=lambda alert: (-alert.stage, alert.due is None, alert.due, alert.key))
    worst = alerts[0].stage.word.upper() if alerts else "NEWS"
    many = f"{len(alerts)} alerts" if len(alerts) != 1 else "1 alert"
    lines = [
        f"{alert.stage.word}: {alert.kind.value.replace('-', ' ')}{f', {day_text(alert.due)}' if alert.due is not None else ''}"
        for alert in alerts[:_LONGEST_LIST]
    ]
    if len(alerts) > _LONGEST_LIST:
        lines.append(f"and {len(alerts) - _LONGEST_LIST} more")
    reference = hashlib.sha256(notification.idempotency_key.encode()).hexdigest()[:8]
    return f"itbpump: {many}, {worst}", "\n".join([*lines, f"See the worklist: itbpump alerts list. Reference {reference}."])


class AppriseChannel:
    """Raises ChannelSetupError when made without the extra."""

    def __init__(self, name: str = "apprise") -> None:
        try:
            import apprise  # noqa: PLC0415  (126 ms, and only with the extra)
        except ImportError as error:
            action = "install the extra: pip install 'itbpump[notify]'"
            raise ChannelSetupError("channel apprise", "the library apprise is not installed", action) from error
        self._apprise: Any = apprise
        self._name = name

    @property
    def name(self) -> str:
        return self._name

    def send(self, notification: Notification) -> Delivery:
        """Send the nudge once."""
        asset = self._apprise.AppriseAsset(app_id="itbpump", app_desc="itbpump", app_url="", async_mode=False, secure_logging=True)
        service = self._apprise.Apprise(asset=asset)
        if not service.add(notification.contact.address):
            return Delivery(DeliveryState.REFUSED, detail="the address is no URL that Apprise knows")
        title, body = nudge(notification)
        if service.notify(title=title, body=body, body_format=self._apprise.NotifyFormat.TEXT):
            return Delivery(DeliveryState.DELIVERED)
        return Delivery(DeliveryState.FAILED, detail="the service did not take it, or cannot be reached; Apprise does not say which")

    def already_sent(self, idempotency_key: str) -> bool | None:
        """Nobody can be asked."""
        return None
