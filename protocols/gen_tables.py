"""Writes the state machines twice from one source: itbpump.link.tables for the code, Mermaid charts in SPEC.md for the reader."""

from __future__ import annotations

from protocols.gen_python import HEADER
from protocols.spec_model import MachineSpec, Spec, SpecError, quoted

CHARTS_BEGIN = "<!-- generated: charts -->"
CHARTS_END = "<!-- end -->"

_CLASSES = '''
from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Transition:
    """In state `source` the event `on` leads to `target`; `do` names the action."""

    source: str
    on: str
    target: str
    do: str


@dataclass(frozen=True, slots=True)
class Machine:
    """A table of transitions; a pair of state and event without a row is ignored and counted."""

    name: str
    initial: str
    transitions: tuple[Transition, ...]


'''


def tables(spec: Spec) -> str:
    """Text of src/itbpump/link/tables.py."""
    lines = ["MACHINES: Final[dict[str, Machine]] = {"]
    for machine in spec.machines:
        lines += [f"    {quoted(machine.name)}: Machine(", f"        {quoted(machine.name)},", f"        {quoted(machine.initial)},"]
        lines.append("        (")
        lines += [f"            Transition({', '.join(quoted(x) for x in (t.source, t.on, t.target, t.do))})," for t in machine.transitions]
        lines += ["        ),", "    ),"]
    return HEADER + '"""Transition tables of the link and of the therapy, as data."""\n' + _CLASSES + "\n".join([*lines, "}"]) + "\n"


def with_charts(text: str, spec: Spec) -> str:
    """SPEC.md with the part between the markers written anew. Raises SpecError when the markers are missing."""
    before, begin, rest = text.partition(CHARTS_BEGIN)
    _, end, after = rest.partition(CHARTS_END)
    if not begin or not end:
        raise SpecError(f"SPEC.md: the markers {CHARTS_BEGIN} and {CHARTS_END} are missing")
    return f"{before}{begin}\n{''.join(_chart(m) for m in spec.machines)}{end}{after}"


def _chart(machine: MachineSpec) -> str:
    """Heading, Mermaid chart and table of one machine."""
    lines = ["", f"### {machine.name}", "", machine.doc, "", "```mermaid", "stateDiagram-v2", f"    [*] --> {machine.initial}"]
    lines += [f"    {t.source} --> {t.target}: {t.on} / {t.do}" for t in machine.transitions]
    lines += ["```", "", "| state | event | next state | action | note |", "|---|---|---|---|---|"]
    lines += [f"| {t.source} | {t.on} | {t.target} | {t.do} | {t.doc} |" for t in machine.transitions]
    return "\n".join(lines) + "\n"
