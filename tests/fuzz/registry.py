"""The harnesses by name, each loaded only when it is used: under the fuzzer what it imports is instrumented on the way in."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Final

from tests.fuzz.harness import Harness

__all__ = ["CORPUS", "HARNESSES", "INSTRUMENTED", "UNGUIDED", "corpus_of", "harness"]

HARNESSES: Final = {
    "frame": "wire:FRAME",
    "message": "wire:MESSAGE",
    "record": "record:RECORD",
    "session": "session:SESSION",
    "damage": "damage:DAMAGE",
    "prescription": "prescription:PRESCRIPTION",
    "state": "state:STATE",
    "capture": "capture:CAPTURE",
    "plan": "plan:PLAN",
}
"""Name → module of this folder and its harness."""
INSTRUMENTED: Final = {
    "frame": ["itbpump.wire"],
    "message": ["itbpump.wire"],
    "record": ["itbpump.wire", "itbpump.link"],
    "session": ["itbpump.link", "firmware_sim.firmware", "firmware_sim.device"],
    "damage": ["firmware_sim.firmware", "firmware_sim.device"],
    "prescription": ["itbpump", "tomllib"],
    "state": [
        "firmware_sim.state_file",
        "firmware_sim.device",
        "firmware_sim.plant.store",
        "firmware_sim.endpoints",
        "firmware_sim.firmware",
    ],
    "capture": ["itbpump.wire"],
    "plan": ["firmware_sim.faults", "firmware_sim.bench", "tomllib"],
}
"""Packages whose branches guide the fuzzer: those a harness is about. Instrumented code runs several times slower."""
UNGUIDED: Final = ["firmware_sim.firmware.log", "firmware_sim.firmware.memory", "firmware_sim.firmware.cells"]
"""Left out of them: passed thousands of times at each start of a pump, for a handful of branches."""
CORPUS = Path(__file__).parent / "corpus"


def harness(name: str) -> Harness:
    """The harness of this name. Raises KeyError for a name that is none."""
    module, _, attribute = HARNESSES[name].partition(":")
    found: Harness = getattr(import_module(f"tests.fuzz.{module}"), attribute)
    return found


def corpus_of(name: str) -> list[Path]:
    """Committed inputs of a harness, in order."""
    return sorted(path for path in (CORPUS / name).iterdir() if path.is_file())
