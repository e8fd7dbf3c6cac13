"""JSON read value by value, so that a document larger than memory can be imported."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from typing import Any, NoReturn

from ..errors import UserError
from .source_file import SourceFile

_CHUNK = 4 << 20
"""Characters read at a time; an element larger than that is read with twice as many, and so on."""
_LONGEST_TOKEN = 16
"""Characters within which a value that only lacks its end is found wrong, strings apart."""
_NUMBER_TAIL = 3
"""Characters that must follow a value: of a number that is cut off before `.5` or `e+1` the rest reads as one."""
_BLANK = " \t\n\r\ufeff"


class JsonStream:
    """The values of a JSON file, one at a time; UserError naming the file where it is not JSON, or is cut off."""

    def __init__(self, file: SourceFile) -> None:
        self._file = file
        self._text = io.TextIOWrapper(file.open(), encoding="utf-8")
        self._buffer = ""
        self._place = 0
        self._before = 0
        self._ended = False
        self._decode = json.JSONDecoder().raw_decode

    def items(self) -> Iterator[Any]:
        """The elements of a document that is an array, or else the values of all documents, one at least."""
        if not self._peek():
            self._wrong("the file is empty")
        if self._peek() == "[":
            yield from self._elements()
            self._end()
        else:
            while self._peek():
                yield self._value()

    def members(self, name: str) -> Iterator[tuple[str, Any, bool]]:
        """Key, value and False of each member of a document that is an object.

        An array `name` comes element by element, each with True, and then as [] with False.
        """
        self._expect("{")
        while self._peek() != "}":
            key = self._value()
            self._expect(":")
            if key == name and self._peek() == "[":
                yield from ((name, element, True) for element in self._elements())
                yield key, [], False
            else:
                yield key, self._value(), False
            if self._peek() != "}":
                self._expect(",")
        self._expect("}")
        self._end()

    def _elements(self) -> Iterator[Any]:
        self._expect("[")
        while self._peek() != "]":
            yield self._value()
            if self._peek() != "]":
                self._expect(",")
                if self._peek() == "]":
                    self._wrong("a comma before the end")
        self._expect("]")

    def _value(self) -> Any:
        self._peek()
        grow = _CHUNK
        while True:
            try:
                value, end = self._decode(self._buffer, self._place)
                if end + _NUMBER_TAIL <= len(self._buffer) or not self._more(grow):
                    self._place = end
                    return value
            except RecursionError:
                self._wrong("nested too deeply")
            except json.JSONDecodeError as error:
                cut = error.pos >= len(self._buffer) - _LONGEST_TOKEN or error.msg.startswith("Unterminated string")
                if not cut or not self._more(grow):
                    self._wrong(error.msg, error.pos)
            except ValueError as error:
                self._wrong(str(error))
            grow *= 2

    def _peek(self) -> str:
        """The next character that is no blank; none at the end."""
        while True:
            while self._place < len(self._buffer):
                if self._buffer[self._place] not in _BLANK:
                    return self._buffer[self._place]
                self._place += 1
            if not self._more(_CHUNK):
                return ""

    def _expect(self, character: str) -> None:
        found = self._peek()
        if found != character:
            self._wrong(f"found {found!r}, must be {character!r}" if found else f"ends before {character!r}")
        self._place += 1

    def _end(self) -> None:
        if self._peek():
            self._wrong("more after the end of the document")
        self._text.close()

    def _more(self, n_characters: int) -> bool:
        if self._ended:
            return False
        try:
            new = self._text.read(n_characters)
        except UnicodeDecodeError as error:
            raise UserError(f"{self._file}: not JSON: not UTF-8 text: {error.reason}") from error
        if not new:
            self._ended = True
            return False
        self._before += self._place
        self._buffer = self._buffer[self._place :] + new
        self._place = 0
        return True

    def _wrong(self, reason: str, place: int | None = None) -> NoReturn:
        at = self._before + (self._place if place is None else place)
        raise UserError(f"{self._file}: not JSON (truncated?): character {at}: {reason}")
