"""`itbpump log URL --decisions`: what was decided at this computer for a pump, and what each decision rested on (SR-03).

Not here: the pump's own log, what other computers decided.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from itbpump.wording.layout import screen_amount, wrapped

if TYPE_CHECKING:
    from itbpump.hoststate import Intent

__all__ = ["decision_lines", "decisions_json"]


def decisions_json(intents: Sequence[Intent]) -> list[dict[str, Any]]:
    """Each command with its outcome and the record of its decision, None where nothing was judged; the oldest first."""
    return [
        {
            "command": str(intent.cmd_id),
            "what": intent.what,
            "outcome": intent.state,
            "note": intent.note,
            "decision": json.loads(intent.basis) if intent.basis else None,
        }
        for intent in intents
    ]


def decision_lines(intents: Sequence[Intent]) -> list[str]:
    """For the screen, the newest first."""
    lines: list[str] = []
    for form in reversed(decisions_json(intents)):
        lines.append(f"{form['command']:>6}  {form['what']}: {form['outcome'].replace('_', ' ')}")
        decision = form["decision"]
        if decision is None:
            lines.append("        nothing was judged")
            continue
        library = decision["library"]
        who = ", ".join(f"{name} {decision[name]}" for name in ("user", "second", "patient") if decision.get(name))
        lines += wrapped(
            f"        review {decision['review'][:16]}, {decision['verdict']}; library {library['name']} {library['version']}, "
            f"{library['sha256'][:12]}{'; ' + who if who else ''}"
        )
        for item in decision["overrides"]:
            limit = f" against {screen_amount(item['limit'])}" if item["limit"] else ""
            lines += wrapped(
                f"        override {item['rule']}: {screen_amount(item['value'])}{limit}; {item['reason']}: {item['text']}{_covers(item)}"
            )
    return lines or ["nothing was decided here for this pump"]


def _covers(item: Mapping[str, str]) -> str:
    """That a reason was given once for several findings of its rule; records before that was kept do not tell."""
    count = item.get("covers", "1")
    return f" (given once for all {count} findings of {item['rule']})" if count != "1" else ""
