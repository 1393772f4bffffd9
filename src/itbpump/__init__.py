"""Companion for an intrathecal pump: reads and programs it over a serial line. A research tool, not a medical device."""
