"""Apprise: a service on loopback gets a nudge, and nothing of patient, pump or dose."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import date
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from itbpump.alerts.channel import DeliveryState
from itbpump.alerts.channels.apprise_channel import AppriseChannel, nudge
from itbpump.alerts.model import AlertKind, Stage
from tests.unit.alert_channels.samples import alert, contact, notification

pytestmark = pytest.mark.filterwarnings("ignore:'imghdr' is deprecated:DeprecationWarning")  # of apprise's own imports


class Service(HTTPServer):
    """A service that keeps what it gets and answers with `status`."""

    status = 200

    def __init__(self) -> None:
        self.got: list[dict[str, Any]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Service

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.got.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def address(service: Service) -> str:
    return f"json://127.0.0.1:{service.server_port}/"


def test_a_service_gets_stage_kind_and_day_and_nothing_else(service: Service) -> None:
    told = notification(contact=contact(channel="apprise", address=address(service), shows_patient=True))
    assert AppriseChannel().send(told).state is DeliveryState.DELIVERED
    (got,) = service.got
    text = json.dumps(got)
    assert got["title"] == "itbpump: 1 alert, DUE SOON"
    assert got["message"].startswith("due soon: refill, 19 Aug 2026\n")
    for secret in ("P-0042", "P40-000123", "ab12", told.lines[1]):
        assert secret not in text


def test_a_service_that_refuses_or_is_not_there_is_tried_again(service: Service) -> None:
    service.status = 500
    told = notification(contact=contact(address=address(service)))
    sent = AppriseChannel().send(told)
    assert sent.state is DeliveryState.FAILED
    assert "127.0.0.1" not in sent.detail
    assert len(service.got) == 1
    assert AppriseChannel().already_sent(told.idempotency_key) is None


def test_an_address_apprise_does_not_know_is_refused_and_not_repeated() -> None:
    sent = AppriseChannel().send(notification(contact=contact(address="nonsense-with-secret")))
    assert sent.state is DeliveryState.REFUSED
    assert "secret" not in sent.detail


def test_the_nudge_names_the_worst_first_and_does_not_grow_without_end() -> None:
    alerts = tuple(alert(key=f"k{day}", due=date(2026, 8, day)) for day in range(10, 17))
    critical = alert(key="worst", stage=Stage.CRITICAL, kind=AlertKind.LEFT_STOPPED, due=None)
    title, text = nudge(notification(alerts=(*alerts, critical)))
    assert title == "itbpump: 8 alerts, CRITICAL"
    lines = text.splitlines()
    assert lines[0] == "critical: left stopped"
    assert lines[1] == "due soon: refill, 10 Aug 2026"
    assert lines[5] == "and 3 more"
    assert nudge(notification(idempotency_key="a"))[1] != nudge(notification(idempotency_key="b"))[1]
