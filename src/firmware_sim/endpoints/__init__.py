"""Ways to reach a simulated pump: pty, TCP, in process; and the bench port. `serve` runs it as a process, `open_line` within one."""

from firmware_sim.endpoints.device import Device, EndpointError
from firmware_sim.endpoints.pty import PtyLink
from firmware_sim.endpoints.server import Ready, Server, ending_on_signals, serve
from firmware_sim.endpoints.tcp import TcpLink

__all__ = ["Device", "EndpointError", "PtyLink", "Ready", "Server", "TcpLink", "ending_on_signals", "serve"]
