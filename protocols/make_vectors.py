"""Writes the conformance vectors from itbp1.toml with the reference codec: the same bytes for the same file, always.

`python protocols/make_vectors.py` writes what differs; `--check` writes nothing and exits 1 when a vector file is not what it should be.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # run as a script, Python knows only this folder

from protocols import reference_codec as codec  # noqa: E402
from protocols.invalid_vectors import invalid  # noqa: E402
from protocols.spec_model import Field, Layout, Spec, load  # noqa: E402
from protocols.vector_keys import IV_D, IV_P, K_D2P, K_P2D, security  # noqa: E402

FOLDER = ROOT / "protocols" / "vectors"
# Mixed cases count through these, so that zero bytes, which the stuffing must hide, stand everywhere.
STEP = 37


def lowest(spec: Spec, f: Field) -> Any:
    """Smallest value of a field: no text, no elements."""
    if f.is_uint:
        return _number(f, f.low)
    if f.base == "bool":
        return False
    if f.base == "enum":
        return min(spec.enums[f.ref].members.items(), key=lambda row: row[1])[0]
    if f.base == "bytes":
        return "00" * f.bound
    if f.base in ("str", "blob"):
        return ""
    return [] if f.base == "list" else {g.name: lowest(spec, g) for g in spec.structs[f.ref].fields}


def highest(spec: Spec, f: Field) -> Any:
    """Largest value of a field: full text (two bytes a letter where they fit), every element."""
    if f.is_uint:
        return _number(f, f.high)
    if f.base == "bool":
        return True
    if f.base == "enum":
        return max(spec.enums[f.ref].members.items(), key=lambda row: row[1])[0]
    if f.base in ("bytes", "blob"):
        return "ff" * f.bound
    if f.base == "str":
        return "é" * (f.bound // 2) + "z" * (f.bound % 2)
    one = {g.name: highest(spec, g) for g in spec.structs[f.ref].fields}
    return [one] * f.bound if f.base == "list" else one


def mixed(spec: Spec, f: Field, seed: int) -> Any:
    """Some value in range, another for each seed."""
    if f.is_uint:
        return _number(f, f.low + (seed * 0x9E3779B97F4A7C15 >> 3) % (f.high - f.low + 1))
    if f.base == "bool":
        return seed % 2 == 0
    if f.base == "enum":
        names = list(spec.enums[f.ref].members)
        return names[seed % len(names)]
    if f.base in ("bytes", "blob"):
        return bytes((seed + i * STEP) % 256 if i % 3 else 0 for i in range(f.bound if f.base == "bytes" else 10)).hex()
    if f.base == "str":
        return "abc-123"[: f.bound]
    count = 2 if f.base == "list" else 1
    items = [{g.name: mixed(spec, g, seed + 7 * k + j) for j, g in enumerate(spec.structs[f.ref].fields)} for k in range(count)]
    return items if f.base == "list" else items[0]


def _number(f: Field, value: int) -> int | str:
    return str(value) if f.base == "u64" else value


def _cases(spec: Spec, layout: Layout) -> list[tuple[str, dict[str, Any]]]:
    if not layout.fields:
        return [("only", {})]
    return [
        ("lowest", {f.name: lowest(spec, f) for f in layout.fields}),
        ("highest", {f.name: highest(spec, f) for f in layout.fields}),
        ("mixed", {f.name: mixed(spec, f, STEP * i + layout.id + 1) for i, f in enumerate(layout.fields)}),
    ]


def valid(spec: Spec) -> list[dict[str, Any]]:
    """Each message and standalone structure with extremes, and the frame that carries it sealed."""
    rows: list[dict[str, Any]] = []
    counters = {"p2d": 0, "d2p": 0, "event": 0}
    for layout in [*spec.messages, *[s for s in spec.structs.values() if s.standalone]]:
        for case, fields in _cases(spec, layout):
            row: dict[str, Any] = {"message": layout.name, "kind": layout.kind or "standalone", "case": case, "fields": fields}
            if not layout.kind:
                rows.append({**row, "payload": codec.encode_fields(spec, layout, fields).hex()})
                continue
            re = {"lowest": 0, "highest": 0xFFFF_FFFF}.get(case, 0x0001_0200)
            if layout.kind == "reply":
                row["re"] = re
            payload = codec.encode_message(spec, layout, fields, re)
            stream = "event" if layout.kind == "event" else "p2d" if layout.kind == "request" else "d2p"
            key, iv = (K_P2D, IV_P) if stream == "p2d" else (K_D2P, IV_D)
            rtype = spec.record_types["event" if stream == "event" else "command"]
            body = codec.seal(key, iv, rtype, counters[stream], payload)
            rows.append({**row, "payload": payload.hex(), "counter": counters[stream], "frame": codec.frame(body).hex()})
            counters[stream] += 1
    return rows


def _text(rows: Any) -> str:
    """JSON, one vector a line, so that a change shows as the lines it touches."""
    if isinstance(rows, dict):
        return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"
    return "[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n"


def outputs(spec: Spec) -> dict[str, str]:
    """File name → content."""
    return {"valid.json": _text(valid(spec)), "invalid.json": _text(invalid(spec)), "security.json": _text(security())}


def main(arguments: list[str] | None = None) -> int:
    """0 fine, 1 a file differs under --check."""
    parser = argparse.ArgumentParser(description="Write the conformance vectors.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when a vector file differs")
    check = parser.parse_args(arguments).check
    stale = 0
    for name, text in outputs(load(ROOT / "protocols" / "itbp1.toml")).items():
        target = FOLDER / name
        if target.exists() and target.read_text(encoding="utf-8") == text:
            continue
        stale += 1
        if check:
            print(f"{target.relative_to(ROOT)} differs: run python protocols/make_vectors.py and commit what it writes", file=sys.stderr)
        else:
            FOLDER.mkdir(exist_ok=True)
            target.write_text(text, encoding="utf-8")
            print(f"wrote {target.relative_to(ROOT)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
