"""A stream of the server neither blocks nor grows without bound, and says when its peer is gone."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from firmware_sim.endpoints.channel import HIGH_WATER, Channel

CAP = 100_000


@pytest.fixture
def pair() -> Iterator[tuple[Channel, socket.socket]]:
    ours, theirs = socket.socketpair()
    channel = Channel(ours.detach(), cap_bytes=CAP)
    theirs.settimeout(20)
    yield channel, theirs
    channel.close()
    theirs.close()


def test_bytes_pass_both_ways(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    assert channel.read() == b""
    peer.sendall(b"ask")
    assert channel.read() == b"ask"
    assert channel.send(b"answer")
    assert not channel.wants_write
    assert peer.recv(100) == b"answer"


def test_a_peer_that_does_not_listen_is_no_longer_heard_and_costs_bounded_memory(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    sent = 0
    while channel.dropped_bytes == 0:
        assert channel.send(bytes(10_000))
        sent += 10_000
    assert (channel.wants_write, channel.wants_read) == (True, False)
    received = 0
    while channel.wants_write:
        received += len(peer.recv(1_000_000))
        assert channel.flush()
    while received < sent - channel.dropped_bytes:
        received += len(peer.recv(1_000_000))
    assert received == sent - channel.dropped_bytes
    assert channel.wants_read


def test_reading_stops_above_the_mark_only(pair: tuple[Channel, socket.socket]) -> None:
    channel, _ = pair
    while not channel.wants_write:
        channel.send(bytes(1000))
    heard = [channel.wants_read]
    channel.send(bytes(HIGH_WATER + 1))
    heard.append(channel.wants_read)
    assert heard == [True, False]


def test_a_peer_that_has_gone_is_noticed(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    peer.close()
    assert channel.read() is None
    assert not channel.send(b"hello")


def test_closing_twice_is_harmless(pair: tuple[Channel, socket.socket]) -> None:
    channel, peer = pair
    channel.close()
    channel.close()
    assert peer.recv(1) == b""  # the peer sees the end, once
