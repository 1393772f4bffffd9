"""The link between programmer and pump, sans-IO: handshake, session, resends, transactions.

Both programs use these rooms, each in its role. Bytes and times go in, bytes and typed events come out; nothing here opens a port,
reads a clock or draws a random number by itself.
"""
