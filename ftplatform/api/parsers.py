"""Parsers for request bodies."""

import re
from typing import IO, Any

from rest_framework.exceptions import ParseError
from rest_framework.parsers import JSONParser

_NO_TEXT = re.compile("[\x00\ud800-\udfff]")


class TextJSONParser(JSONParser):
    """Reject NUL and lone surrogates in JSON text: no database and no response can hold them."""

    def parse(self, stream: IO[Any], media_type: str | None = None, parser_context: Any = None) -> Any:
        try:
            body = super().parse(stream, media_type, parser_context)
        except RecursionError:
            raise ParseError("The JSON is nested too deeply.") from None
        _require_text(body)
        return body


def _require_text(body: Any) -> None:
    waiting = [body]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            waiting += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            waiting += value
        elif isinstance(value, str) and _NO_TEXT.search(value):
            raise ParseError("A text in the JSON contains NUL or a lone surrogate; remove that character.")
