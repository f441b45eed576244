"""JSON: one object on each line, or one list of objects."""

import codecs
import json
import re
from collections.abc import Callable, Iterator
from typing import IO

from django.conf import settings

from training.intake.readers import json_text
from training.intake.readers.clean import require_clean
from training.intake.readers.lines import (
    Cells,
    RawRow,
    ReadFacts,
    RowError,
    Source,
    bounded_lines,
    failing,
    is_text,
    part_read,
    require_short,
    too_large,
    too_long,
)

_MARK = b"\xef\xbb\xbf"
_PIECE = 2**16
_SPACE = re.compile(r"[ \t\r\n]*")


def read(file: IO[bytes], facts: ReadFacts) -> Source:
    return Source(None, _rows(file, facts), part_read(file), facts)


def _rows(file: IO[bytes], facts: ReadFacts) -> Iterator[RawRow]:
    for number, raw in bounded_lines(file):
        content = raw.removeprefix(_MARK) if number == 1 else raw
        if not content or content.isspace():
            facts.blank_lines += 1
            continue

        def parse(content: bytes = content) -> Cells:
            return _object(_text(content))

        yield number, parse


def _text(raw: bytes) -> str:
    require_short(raw)
    if raw.startswith(_MARK):
        raise RowError("The line begins with a byte order mark, as files put together do. Remove the mark.")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RowError(
            f"Byte {error.start + 1} of the row is not valid UTF-8; save the file as UTF-8."
        ) from None


def _object(text: str) -> Cells:
    row = json_text.parse(text)
    if not isinstance(row, dict):
        raise RowError("Each row must be one JSON object.")
    # Only an escape or a byte that is not UTF-8 makes a lone surrogate, and such a cell cannot be displayed.
    if ("\\u" in text or not is_text(text)) and not is_text(json.dumps(row, ensure_ascii=False)):
        require_clean(row)
    return row


# --- One list ---------------------------------------------------------------------------------------------

_NO_END = "The list has no end; the file was cut off."
_NO_COMMA = "Not JSON: a comma is missing after the row before. What follows was not read."
# Finds the end of a row, also of one that the strict decoder refuses for a reason other than its syntax.
_LENIENT = json.JSONDecoder(parse_int=str, parse_float=str)


def read_list(file: IO[bytes], facts: ReadFacts) -> Source:
    """The items of one JSON list, numbered from 1, without holding more than one of them."""
    return Source(None, _items(_Buffer(file)), part_read(file), facts)


def _items(buffer: "_Buffer") -> Iterator[RawRow]:
    number = 1
    if buffer.sign() != "[":
        yield number, failing("The file must be one JSON list.")
        return
    buffer.place += 1
    while (sign := buffer.sign()) != "]":
        end = buffer.end_of_item() if sign else None
        if end is None:
            yield number, failing(buffer.problem() if sign else _NO_END)
            return
        yield number, _item(buffer.text[buffer.place : end])
        number += 1
        buffer.place = end
        if (sign := buffer.sign()) == ",":
            buffer.place += 1
        elif sign != "]":
            yield number, failing(_NO_COMMA if sign else _NO_END)
            return
    buffer.place += 1
    if buffer.sign():
        yield number, failing("Something follows the end of the list. Put all rows into one list.")


def _item(text: str) -> Callable[[], Cells]:
    def parse() -> Cells:
        if len(text.encode(errors="surrogateescape")) > settings.UPLOAD_MAX_ROW_BYTES:
            raise too_long()
        return _object(text)

    return parse


class _Buffer:
    """The part of the text around the item that is read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")("surrogateescape")
        self._left = settings.UPLOAD_MAX_BYTES
        self.text = ""
        self.place = 0
        self._ended = False

    def sign(self) -> str:
        """The next character that is not white space, or "" at the end of the file."""
        while True:
            found = _SPACE.match(self.text, self.place)
            self.place = found.end() if found else self.place
            if self.place < len(self.text) or not self._more():
                return self.text[self.place : self.place + 1]

    def end_of_item(self) -> int | None:
        """Where the item at this place ends; None if it does not within the size of a row."""
        while True:
            try:
                end: int = _LENIENT.raw_decode(self.text, self.place)[1]
            except (json.JSONDecodeError, RecursionError):
                end = -1
            # A number may go on after the part that was read.
            if end >= 0 and (end < len(self.text) or self.text[end - 1] in '}]"' or not self._more()):
                return end
            if end < 0 and (len(self.text) - self.place > settings.UPLOAD_MAX_ROW_BYTES or not self._more()):
                return None

    def problem(self) -> str:
        """Why no item could be read at this place."""
        try:
            _LENIENT.raw_decode(self.text, self.place)
        except json.JSONDecodeError as error:
            said = f"Not JSON: {error.msg} at character {error.pos - self.place + 1} of the row."
        except RecursionError:
            said = json_text.TOO_DEEP
        else:
            said = str(too_long())
        if len(self.text) - self.place > settings.UPLOAD_MAX_ROW_BYTES and said.startswith("Not JSON"):
            said = f"{too_long()} Or it is not JSON."
        return f"{said} What follows was not read."

    def _more(self) -> bool:
        if self._ended:
            return False
        piece = self._file.read(_PIECE)
        self._left -= len(piece)
        if self._left < 0:
            raise too_large()
        self._ended = not piece
        self.text = self.text[self.place :] + self._decoder.decode(piece, final=self._ended)
        self.place = 0
        return True
