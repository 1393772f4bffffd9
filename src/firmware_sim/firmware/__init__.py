"""What the pump believes and decides: therapy maths, memory, alarms, commands.

Pure code: no I/O, no clock, no randomness; uptime comes in as an argument. It knows the hardware only through
`firmware_sim.port` and never what is physically true (that is `firmware_sim.plant`). Delivery maths: `cycle`, `delivery`,
`ledger`, `limits`, `readback`.
"""
