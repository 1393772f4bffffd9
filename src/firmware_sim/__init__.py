"""The simulated pump: plant (what is true) and firmware (what the pump believes and decides).

It shares only the wire protocol and the link with the companion. Not a model of any vendor's pump, and not a medical device.
"""
