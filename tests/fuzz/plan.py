"""Harness of fault plans: any text is a plan that can be carried out, or a FaultError that says where it is not.

An input is the file itself. Not here: what the faults do to a pump (tests of `firmware_sim.faults`).
"""

from __future__ import annotations

from typing import Final

from firmware_sim.faults.catalogue import catalogue
from firmware_sim.faults.errors import FaultError
from firmware_sim.faults.plan import COMMANDS, parse_plan
from tests.fuzz.harness import Harness, brief, mutate_lines

__all__ = ["PLAN", "seeds"]

_LOOKED_AHEAD = 8


def run_plan(data: bytes) -> None:
    """A plan, whose faults each fire on rising numbers, the same again; or the documented error."""
    try:
        plan = parse_plan(data.decode("utf-8", "replace"))
    except FaultError as error:
        brief(error, 4_000 + len(data))
        return
    for number, fault in enumerate(plan.faults):
        assert fault.row.id == fault.id
        at = -1
        for _ in range(_LOOKED_AHEAD):
            following = fault.when.next_after(at, f"{plan.seed}:{number}")
            if following is None:
                break
            assert following > at, "a fault that fires twice on one number"
            assert following == fault.when.next_after(following - 1, f"{plan.seed}:{number}"), (
                "a number that depends on what was asked before"
            )
            at = following
        assert len(str(fault)) < 400, "a fault described without bound"


_TIMES: Final = ('nth = "2d"', 'every = "1h30m"', 'window = ["1d", "2d"]', "rate_ppm = 1000")
_NUMBERS: Final = ("nth = 3", "every = 2", "window = [1, 9]", "rate_ppm = 1000")
_WHENS: Final = (
    *(f'when = {{ on = "time", {what} }}' for what in _TIMES),
    *(f'when = {{ on = "{on}", {what} }}' for on in ("pulse", "frame", "write") for what in _NUMBERS),
    *(f'when = {{ on = "command", nth = 1, command = "{command}" }}' for command in COMMANDS[:2]),
    *("when = {}", "when = 3"),
)
_WORDS: Final = (
    *('"2d"', '"0d"', '"1ms"', '"9999999d"', '"-1d"', '""', '"3 mL"', '"x"', '"both"', '"to-pump"', '["1d", "0d"]', "[]", "{}"),
    *("0", "1", "-1", "9600", "1000000", "9" * 30, "9" * 5000, "true", "1.5", "nan", "[" * 400, "{a=" * 300),
)
_KEYS: Final = (
    *('schema = "itbpump.faults/1"', "seed = 7", "[[fault]]", "[line]", "baud = 9600", "latency_ms = 5", "jitter_ms = 2"),
    *("buffer_bytes = 64", 'for = "3h"', "count = 2", "a" + ".a" * 300 + " = 1"),
)


def _lines() -> list[str]:
    rows = catalogue().rows
    return [
        *_KEYS,
        *_WHENS,
        *(f'id = "{row.id}"' for row in rows),
        *(f"{argument.name} = 1" for row in rows for argument in row.arguments),
    ]


def seeds() -> list[bytes]:
    """One plan for each row of the catalogue that can be planned, thinned to a dozen, and one with a paced line."""
    head = 'schema = "itbpump.faults/1"\nseed = 7\n'
    made = [head + "[line]\nbaud = 9600\nlatency_ms = 5\njitter_ms = 2\nbuffer_bytes = 64\n"]
    for number, row in enumerate(catalogue().rows):
        on = row.when[number % len(row.when)] if row.when else "time"
        fitting = [line for line in _WHENS if f'"{on}"' in line]
        when = fitting[number % len(fitting)]
        made.append(f'{head}[[fault]]\nid = "{row.id}"\n{when}\n')
    step = -(-len(made) // 12)
    return [text.encode() for text in made[::step]]


PLAN = Harness("plan", run_plan, mutate_lines(_lines(), _WORDS), max_bytes=8192, max_calls=50_000)
