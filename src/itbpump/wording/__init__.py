"""What is said to people, by whichever face: lines and rows for pumps, reviews, refills, logs, outcomes, from the objects themselves.

A screen of 80 columns is the common measure; faces that have more room take the rows. Nothing here decides, asks or sends. Modules load
what they speak of when they are called, so that a command line starts fast.
"""

from __future__ import annotations

__all__ = ["DISCLAIMER"]

DISCLAIMER = "not a medical device: a research and engineering tool"
