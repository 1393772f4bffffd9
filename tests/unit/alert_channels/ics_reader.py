"""A second reader of iCalendar files, written from RFC 5545 alone and strict: whatever it does not expect is an error.

Lines of at most 75 octets without the break, folded by CRLF and a blank, never within a sign; names and parameters; TEXT with the four
escapes; components that nest and close in order. Shares no code with the library `icalendar`, nor with what writes the file.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

LONGEST = 75
_LINE = re.compile(
    r'^(?P<name>[A-Za-z0-9-]+)(?P<params>(?:;[A-Za-z0-9-]+=(?:"[^"\x00-\x1f\x7f]*"|[^";:,\x00-\x1f\x7f]*))*):(?P<value>.*)$', re.DOTALL
)
_PARAM = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:,]*)')
_DURATION = re.compile(r"^([+-]?)P(?:(\d+)W|(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?)$")
ONCE = {
    "VCALENDAR": {"VERSION", "PRODID", "METHOD", "CALSCALE"},
    "VEVENT": {"UID", "DTSTAMP", "DTSTART", "DTEND", "SEQUENCE", "SUMMARY", "STATUS", "ORGANIZER", "LAST-MODIFIED"},
    "VTODO": {"UID", "DTSTAMP", "DUE", "SEQUENCE", "SUMMARY", "STATUS", "ORGANIZER", "LAST-MODIFIED"},
    "VALARM": {"ACTION", "TRIGGER", "DESCRIPTION"},
}


class IcsError(ValueError):
    """The text is no iCalendar file."""


@dataclass
class Part:
    """A component: its properties as (name, parameters, raw value), and the components in it."""

    name: str
    properties: list[tuple[str, dict[str, str], str]] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def raw(self, name: str) -> str:
        found = [value for key, _, value in self.properties if key == name]
        if len(found) != 1:
            raise IcsError(f"{self.name} has {len(found)} {name}")
        return found[0]

    def parameters(self, name: str) -> dict[str, str]:
        return next(parameters for key, parameters, _ in self.properties if key == name)

    def text(self, name: str) -> str:
        return unescaped(self.raw(name))

    def day(self, name: str) -> date:
        if self.parameters(name).get("VALUE") != "DATE":
            raise IcsError(f"{name} is no date")
        return datetime.strptime(self.raw(name), "%Y%m%d").replace(tzinfo=UTC).date()

    def moment(self, name: str) -> datetime:
        return datetime.strptime(self.raw(name), "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)

    def of(self, name: str) -> list[Part]:
        return [part for part in self.parts if part.name == name]


def read(data: bytes) -> Part:
    """The calendar. Raises IcsError."""
    root = Part("")
    stack = [root]
    for line in unfolded(data):
        found = _LINE.match(line)
        if found is None:
            raise IcsError(f"no content line: {line!r}")
        name, value = found["name"].upper(), found["value"]
        parameters = {key.upper(): text.strip('"') for key, text in _PARAM.findall(found["params"])}
        if name == "BEGIN":
            part = Part(value.upper())
            stack[-1].parts.append(part)
            stack.append(part)
        elif name == "END":
            part = stack.pop()
            if part.name != value.upper() or not stack:
                raise IcsError(f"{value} is closed out of order")
            for needed in ONCE.get(part.name, set()):
                part.raw(needed)
        else:
            stack[-1].properties.append((name, parameters, value))
    if len(stack) != 1 or len(root.parts) != 1 or root.properties or root.parts[0].name != "VCALENDAR":
        raise IcsError("not one whole calendar")
    return root.parts[0]


def unfolded(data: bytes) -> list[str]:
    """Content lines. Raises IcsError for a line that is too long, a lone CR or LF, a control, or octets that are no UTF-8 on their own."""
    if not data.endswith(b"\r\n"):
        raise IcsError("the last line does not end")
    found: list[str] = []
    for line in data[:-2].split(b"\r\n"):
        if len(line) > LONGEST:
            raise IcsError(f"a line of {len(line)} octets")
        try:
            text = line.decode("utf-8")  # each by itself: a fold never parts the octets of one sign
        except UnicodeDecodeError as error:
            raise IcsError("a fold within a sign") from error
        if re.search(r"[\x00-\x08\x0a-\x1f\x7f]", text):
            raise IcsError("a control sign")
        if text.startswith((" ", "\t")):
            if not found:
                raise IcsError("a fold before any line")
            found[-1] += text[1:]
        else:
            found.append(text)
    return found


def unescaped(value: str) -> str:
    """TEXT without its escapes. Raises IcsError for one that is not among the four, and for a bare comma or semicolon."""
    signs: list[str] = []
    at = 0
    while at < len(value):
        sign = value[at]
        if sign in ",;":
            raise IcsError(f"a bare {sign}")
        if sign == "\\":
            at += 1
            escaped = {"\\": "\\", ";": ";", ",": ",", "n": "\n", "N": "\n"}.get(value[at : at + 1])
            if escaped is None:
                raise IcsError("an unknown escape")
            sign = escaped
        signs.append(sign)
        at += 1
    return "".join(signs)


def duration(value: str) -> timedelta:
    """A DURATION. Raises IcsError."""
    found = _DURATION.match(value)
    if found is None or value.endswith(("P", "T")):
        raise IcsError(f"no duration: {value}")
    sign, *numbers = found.groups()
    weeks, days, hours, minutes, seconds = (int(number or 0) for number in numbers)
    length = timedelta(weeks=weeks, days=days, hours=hours, minutes=minutes, seconds=seconds)
    return -length if sign == "-" else length
