"""pyserial's way to a simulated pump: `import firmware_sim.urlhandlers`, then `serial.serial_for_url("sim://P-40?fill=38mL&seed=1")`."""

import serial

__all__: list[str] = []

if __name__ not in serial.protocol_handler_packages:
    serial.protocol_handler_packages.append(__name__)
