"""Positions in a rubric's text, and the error that names one."""

import re

# Every break that an editor shows as a new line. A line separator (U+2028), as word processors paste it, is none.
_BREAK = re.compile(r"\r\n?")


class RubricError(ValueError):
    """The document cannot be parsed. `line` and `column` (both 1-based) give the position."""

    def __init__(self, message: str, line: int, column: int = 1) -> None:
        super().__init__(f"Line {line}, column {column}: {message}")
        self.message = message
        self.line = line
        self.column = column


def lines_of(text: str) -> list[str]:
    """The lines of a text as editors number them."""
    return _BREAK.sub("\n", text).split("\n")


def position(text: str, index: int) -> tuple[int, int]:
    """Line and column (both 1-based) of the character at `index`."""
    before = text[:index]
    return before.count("\n") + 1, index - (before.rfind("\n") + 1) + 1


def one_line(text: str) -> str:
    """The text without line breaks of any kind, and without spaces around it."""
    return " ".join(part for line in text.splitlines() if (part := line.strip()))
