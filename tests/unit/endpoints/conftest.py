"""A served echo device for the tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Unpack

import pytest

from firmware_sim.endpoints import PtyLink, TcpLink
from tests.contract.echo import EchoDevice
from tests.contract.serving import Options, Running, Start


@pytest.fixture
def start() -> Iterator[Start]:
    running: list[Running] = []

    def begin(device: EchoDevice | None = None, link: PtyLink | TcpLink | None = None, **options: Unpack[Options]) -> Running:
        options = {"bench": "127.0.0.1:0", "speed": "manual", **options}
        running.append(Running(device or EchoDevice(), link or TcpLink("127.0.0.1:0"), **options))
        return running[-1].start()

    yield begin
    for one in running:
        one.end()
