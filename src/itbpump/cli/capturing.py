"""`itbpump capture`, `itbpump replay`, and the options before every command that record what it does on the line.

What a recording is and may hold: docs/capture.md. Not here: forwarding (`transport.tap`), files (`transport.capture`).
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from itbpump.cli.guard import USAGE, CommandError, Output
from itbpump.wording.layout import laid_out, wrapped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from itbpump.wire.capture import LoggedKeys, Seen, Watch
    from itbpump.wire.pcapng import Packet, Section

__all__ = ["capture", "record_asked", "replay"]

_UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000}
_ARROWS = {1: "<", 2: ">"}
_HANGING = 24


class _Notes(logging.Handler):
    """What a recorder has to say, on stderr."""

    def emit(self, record: logging.LogRecord) -> None:
        typer.echo(laid_out(record.getMessage()), err=True)


def record_asked(ctx: typer.Context, files: list[Path], keylog: Path | None) -> None:
    """Let whatever connects during this command be recorded; nothing is loaded when nobody asks. CommandError (2) for a bad name."""
    if not files and keylog is None and not os.environ.get("ITBPUMP_CAPTURE") and not os.environ.get("ITBPUMP_KEYLOG"):
        return
    from itbpump.transport.capture import ASKED, LOG, require_names

    try:
        require_names(files)
    except ValueError as error:
        typer.echo(laid_out(f"error: {error}"), err=True)
        raise typer.Exit(USAGE) from error
    notes, before, token = _Notes(), LOG.propagate, ASKED.set((tuple(files), keylog))
    LOG.addHandler(notes)
    LOG.propagate = False

    def forget() -> None:
        LOG.removeHandler(notes)
        LOG.propagate = before
        ASKED.reset(token)

    ctx.call_on_close(forget)


# ------------------------------------------------------------------------------------------------ capture
def capture(
    url: Annotated[str, typer.Argument(metavar="URL", help="The pump: /dev/ttyUSB0, COM3, socket://HOST:PORT.")],
    file: Annotated[Path, typer.Argument(metavar="FILE.pcapng", help="Where to; a new recording is added behind what it holds.")],
    link: Annotated[Path | None, typer.Option(metavar="PATH", help="Name for the programmer's serial device (a symbolic link).")] = None,
    for_: Annotated[str | None, typer.Option("--for", metavar="TIME", help="End by itself, such as 10s, 5m, 2h. Default: Ctrl-C.")] = None,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Also write FILE.jsonl: a line of JSON per frame.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Sit between any programmer and the pump at URL, hand bytes both ways, and record them until Ctrl-C (or a polite kill).

    The programmer opens the serial device that this prints instead of the pump's. What this computer itself does is recorded more
    simply: itbpump --capture FILE.pcapng status URL.
    """
    from firmware_sim.endpoints import PtyLink, ending_on_signals
    from itbpump.transport import open_transport
    from itbpump.transport.capture import Recorder, line_of
    from itbpump.transport.tap import forward

    out = Output(as_json)
    lasting_ms = _lasting_ms(for_)
    if file.suffix != ".pcapng":
        raise CommandError(f"{file}: a recording is named FILE.pcapng", USAGE)
    if url.startswith("sim://") and "speed=" not in url:
        raise CommandError(f"time stands still in {url} between the programmer's bytes; add &speed=real", USAGE)
    files = [file, file.with_suffix(".jsonl")] if jsonl else [file]
    far, near = open_transport(url), PtyLink(link)
    try:
        near.open()
        line, shift_us = line_of(url, far.now_ms() * 1_000, time.time())
        recorder = Recorder(line, files, None, _own_key)
        try:
            _announce(out, near.url, url, files)
            started, asked_to_end = time.monotonic(), Event()

            def over() -> bool:
                return asked_to_end.is_set() or lasting_ms < (time.monotonic() - started) * 1_000

            with ending_on_signals(asked_to_end.set):
                if near.channel is not None:
                    forward(near.channel, far, recorder, shift_us, over)
        finally:
            recorder.close()
    finally:
        near.close()
        far.close()
    out.note(f"{recorder.count:,} frames went by. Read them: itbpump replay {file}")


def _lasting_ms(text: str | None) -> float:
    if text is None:
        return float("inf")
    found = re.fullmatch(r"([1-9][0-9]{0,5})([smh])", text)
    if found is None:
        raise CommandError(f"--for: {text!r} is no time; write it like 10s, 5m or 2h", USAGE)
    return int(found[1]) * _UNITS_MS[found[2]]


def _own_key(pump_id: bytes) -> bytes | None:
    """The pairing key of this host for the pump on the line, so that JSONL can tell what its own programs say. Makes no host state."""
    from itbpump.hoststate import HostState, default_path

    if not default_path().exists():
        return None
    state = HostState.open()
    try:
        stored = state.pairing(pump_id)
    finally:
        state.close()
    return None if stored is None else stored.key


def _announce(out: Output, device: str, url: str, files: list[Path]) -> None:
    if out.as_json:
        typer.echo(json.dumps({"link": device, "url": url, "files": [str(path) for path in files]}))
    else:
        out.say(f"Tap on {url}", f"  programmer's line  {device}", *(f"  recording to       {path}" for path in files), "Ctrl-C ends it.")
    sys.stdout.flush()


# ------------------------------------------------------------------------------------------------ replay
def replay(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A recording (.pcapng).")],
    keylog: Annotated[
        Path | None, typer.Option(metavar="KEYS", help="Session keys, as `itbpump --keylog KEYS` writes them.", envvar="ITBPUMP_KEYLOG")
    ] = None,
    section: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the Nth recording in the file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON on stdout.")] = False,
) -> None:
    """Print a recording: each frame with its time, its way and, where a key is known, its message.

    Known are the keys of KEYS, those of pumps paired with this computer, and the demo key. Amounts are in the protocol's units. To run a
    session again, connect to replay:FILE instead of the pump.
    """
    from itbpump.wire.capture import parse_key_log
    from itbpump.wire.pcapng import decode

    out = Output(as_json)
    recording = decode(_content(file))
    logged = parse_key_log(_content(keylog).decode("utf-8", "replace")) if keylog is not None else ()
    if section is not None and section > len(recording.sections):
        raise CommandError(f"{file} holds {len(recording.sections)} recordings, no number {section}", USAGE)
    wanted = [entry for entry in enumerate(recording.sections, 1) if section in (None, entry[0])]
    out.data({"file": str(file), "torn_bytes": recording.torn_bytes, "recordings": [_section_json(*entry, logged) for entry in wanted]})
    if not as_json:
        for number, found in wanted:
            out.say(*_section_lines(number, found, logged))
    if recording.torn_bytes:
        out.note(f"The last {recording.torn_bytes:,} bytes are unfinished: the recorder was killed, or its disk was full.")


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", USAGE) from error


def _watch(section: Section, logged: tuple[LoggedKeys, ...]) -> Watch:
    from itbpump.transport.replay import pairing_of
    from itbpump.wire.capture import Watch

    pairing = pairing_of(section.packets)
    return Watch(lambda pump_id: pairing.key if pairing is not None and pairing.pump_id == pump_id else None, logged)


def _seen(section: Section, logged: tuple[LoggedKeys, ...]) -> Iterator[tuple[int, Packet, Seen | None]]:
    """Frame by frame; None for a packet that is no frame."""
    watch = _watch(section, logged)
    for number, packet in enumerate(section.packets, 1):
        for seen in watch.see(packet.way, packet.data) or (None,):
            yield number, packet, seen


def _section_json(number: int, section: Section, logged: tuple[LoggedKeys, ...]) -> dict[str, Any]:
    from itbpump.wire.shown import frame_json

    return {
        "number": number,
        "lines": [line._asdict() for line in section.lines],
        "frames": [frame_json(*entry) for entry in _seen(section, logged)],
    }


def _section_lines(number: int, section: Section, logged: tuple[LoggedKeys, ...]) -> Iterator[str]:
    from itbpump.wire.shown import frame_text

    lines, packets = section.lines, section.packets
    first_us = packets[0].time_us if packets else 0
    began = datetime.fromtimestamp(lines[0].wall_offset_s + first_us // 1_000_000, UTC) if lines else None
    yield f"Recording {number} of {lines[0].name if lines else 'no line'}"
    yield f"  {len(packets):,} frames" + (f" from {began:%d %b %Y %H:%M:%S} UTC on" if began is not None and packets else "")
    for place, packet, seen in _seen(section, logged):
        if seen is None and not packet.comment:
            continue
        text = frame_text(seen) if seen is not None else f"({packet.comment})"
        arrow = _ARROWS[packet.way] if seen is not None else " "
        yield from wrapped(f"{place:>5}  {_clock(packet.time_us - first_us)}  {arrow} {text}", hanging=_HANGING)


def _clock(us: int) -> str:
    """`0:00:12.345` since the first frame."""
    ms = max(us, 0) // 1_000
    return f"{ms // 3_600_000}:{ms // 60_000 % 60:02d}:{ms // 1_000 % 60:02d}.{ms % 1_000:03d}"
