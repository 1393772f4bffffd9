"""Where a key stands in a TOML text: `tomllib` gives values without lines, and an error must name the line.

Reads a text that `tomllib` has already accepted, so it only follows structure. Not here: values, types, errors of syntax.
"""

from __future__ import annotations

import re
from typing import TypeAlias

__all__ = ["Location", "line_of", "lines_of_keys"]

Location: TypeAlias = tuple[str | int, ...]

_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""+|\'\'\'.*?\'\'\'+|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*|\n|\[\[|\]\]|[\[\]{}=,.]|[^\s\[\]{}=,."\'#]+',
    re.DOTALL,
)


def line_of(lines: dict[Location, int], location: Location) -> int | None:
    """Line of a key, or of the nearest table around it that stands in the text."""
    for length in range(len(location), 0, -1):
        if location[:length] in lines:
            return lines[location[:length]]
    return None


def lines_of_keys(text: str) -> dict[Location, int]:
    """Location of every key, table and array element → its line, from 1."""
    return _Scanner(text).scan()


class _Scanner:
    """One pass over the tokens; a value is walked only for the keys and elements inside it."""

    def __init__(self, text: str) -> None:
        self.tokens = [(match[0], text.count("\n", 0, match.start()) + 1) for match in _TOKEN.finditer(text) if match[0][0] != "#"]
        self.at = 0
        self.lines: dict[Location, int] = {}
        self.array_lengths: dict[Location, int] = {}

    def scan(self) -> dict[Location, int]:
        table: Location = ()
        while self.at < len(self.tokens):
            token, line = self.tokens[self.at]
            if token == "\n":
                self.at += 1
            elif token in {"[", "[["}:
                self.at += 1
                table = self._header(self._key(), is_array=token == "[[")
                self.lines.setdefault(table, line)
                self.at += 1
            else:
                self._pair(table)
        return self.lines

    def _header(self, key: Location, *, is_array: bool) -> Location:
        """Resolve a table name: names of arrays of tables stand for their last element."""
        location: Location = ()
        for number, name in enumerate(key):
            location = (*location, name)
            last = number == len(key) - 1
            if last and is_array:
                self.array_lengths[location] = self.array_lengths.get(location, 0) + 1
            if location in self.array_lengths:
                location = (*location, self.array_lengths[location] - 1)
        return location

    def _key(self) -> Location:
        """A bare, quoted or dotted key; stops at `=` or `]`."""
        names: list[str | int] = []
        while self.tokens[self.at][0] not in {"=", "]", "]]"}:
            token = self.tokens[self.at][0]
            if token != ".":
                names.append(token.strip("\"'"))
            self.at += 1
        return tuple(names)

    def _pair(self, table: Location) -> None:
        line = self.tokens[self.at][1]
        location = (*table, *self._key())
        self.lines[location] = line
        self.at += 1
        self._value(location)

    def _value(self, location: Location) -> None:
        token, _ = self.tokens[self.at]
        if token in {"[", "[["}:
            self._array(location)
        elif token == "{":
            self._inline_table(location)
        else:
            # a plain value: up to a comma, bracket or line end; a float or a date-time is several tokens
            while self.at < len(self.tokens) and self.tokens[self.at][0] not in {"\n", ",", "]", "]]", "}"}:
                self.at += 1

    def _array(self, location: Location) -> None:
        if self.tokens[self.at][0] == "[[":  # an array whose first element is an array, not a header
            self.tokens[self.at : self.at + 1] = [("[", self.tokens[self.at][1])] * 2
        self.at += 1
        element = 0
        while True:
            token, line = self.tokens[self.at]
            if token == "]]":
                self.tokens[self.at : self.at + 1] = [("]", line)] * 2
                token = "]"
            if token in {"\n", ","}:
                element += token == ","
                self.at += 1
            elif token == "]":
                self.at += 1
                return
            else:
                self.lines[(*location, element)] = line
                self._value((*location, element))

    def _inline_table(self, location: Location) -> None:
        self.at += 1
        while True:
            token, _ = self.tokens[self.at]
            if token in {"\n", ","}:
                self.at += 1
            elif token == "}":
                self.at += 1
                return
            else:
                self._pair(location)
