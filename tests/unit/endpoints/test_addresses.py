"""Addresses of listeners and of simulated pumps are read strictly."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from firmware_sim.endpoints import EndpointError
from firmware_sim.endpoints.clock import MANUAL, Speed
from firmware_sim.endpoints.simurl import SimUrl
from firmware_sim.endpoints.tcp import Address, TcpLink, parse_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:0", Address("127.0.0.1", 0)),
        ("localhost:65535", Address("localhost", 65535)),
        ("tcp://pump-1.lan:80", Address("pump-1.lan", 80)),
        ("socket://127.0.0.1:5", Address("127.0.0.1", 5)),
        ("[::1]:7", Address("::1", 7)),
        ("unix:/run/x.sock", Address(path=Path("/run/x.sock"))),
        ("/run/x.sock", Address(path=Path("/run/x.sock"))),
    ],
)
def test_addresses(text: str, address: Address) -> None:
    assert parse_address(text) == address
    assert parse_address(address.url("tcp")) == address


@pytest.mark.parametrize("text", ["", "localhost", "localhost:", ":80", "host:65536", "host:080", "unix:", "http://host:80", "::1:80"])
def test_what_is_no_address(text: str) -> None:
    with pytest.raises(EndpointError, match="no address"):
        parse_address(text)


def test_the_patients_link_is_no_path() -> None:
    with pytest.raises(EndpointError, match="needs HOST:PORT"):
        TcpLink("/run/pump.sock")


def test_a_simulated_pumps_address() -> None:
    assert SimUrl.parse("sim://") == SimUrl("sim://", "P-40")
    url = "sim://P-20?fill=38mL&seed=7&state=/tmp/p.state&speed=60&rx=rx.toml"
    assert SimUrl.parse(url) == SimUrl(url, "P-20", 38_000_000, 7, Path("/tmp/p.state"), Speed(60), Path("rx.toml"))
    assert SimUrl.parse("sim://P-40/?fill=2.1+mL&speed=manual").fill_nL == 2_100_000
    assert SimUrl.parse("sim://P-40?speed=manual").speed == MANUAL


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("sim:P-40", "no address"),
        ("sim://P-40/x", "no address"),
        ("sim://P-40?fill=38.0mL", "no volume"),
        ("sim://P-40?fill=38", "no volume"),
        ("sim://P-40?seed=-1", "no seed"),
        ("sim://P-40?seed=1&seed=2", "twice"),
        ("sim://P-40?seed=", "without a value"),
        ("sim://P-40?sede=1", "unknown parameter 'sede'"),
        ("sim://P-40?seed", "sim://P-40"),
        ("sim://P-40?speed=0", "no speed"),
        ("sim://[P-40", "sim://"),
    ],
)
def test_what_is_wrong_with_an_address_is_said(url: str, words: str) -> None:
    with pytest.raises(EndpointError, match=words.replace("?", r"\?")) as caught:
        SimUrl.parse(url)
    assert caught.value.action


def explained(read: Callable[[str], object], text: str) -> bool:
    """The text is read, or refused with what is wrong and what to do; any other error is let through."""
    try:
        return read(text) is not None
    except EndpointError as error:
        return bool(error.problem and error.action)


@given(st.text(max_size=40))
def test_any_text_is_an_address_or_an_endpoint_error(text: str) -> None:
    for read in (parse_address, SimUrl.parse):
        assert explained(read, text)
