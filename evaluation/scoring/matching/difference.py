"""Mark the words that two texts do not share, in the same way in both."""

import re
from dataclasses import dataclass
from difflib import SequenceMatcher

_TOKEN = re.compile(r"\w+|\s+|[^\w\s]")
# For larger tables (cells of the comparison), a word counts as shared if it occurs anywhere in the other
# text.
_LARGEST = 1_500_000


@dataclass(frozen=True)
class Piece:
    """A stretch of text that the other text shares or lacks."""

    text: str
    differs: bool


def differences(left: str, right: str) -> tuple[list[Piece], list[Piece]]:
    """Both texts as pieces whose concatenation is the text.

    Neither text is the "old" one, so differences are marked in the same way in both.
    """
    first, second = _TOKEN.findall(left), _TOKEN.findall(right)
    shared = _shared(first, second)
    return _pieces(first, shared[0]), _pieces(second, shared[1])


def _shared(first: list[str], second: list[str]) -> tuple[list[bool], list[bool]]:
    if len(first) * len(second) > _LARGEST:
        known = set(first), set(second)
        return [token in known[1] for token in first], [token in known[0] for token in second]
    marks = [False] * len(first), [False] * len(second)
    for block in SequenceMatcher(None, first, second, autojunk=False).get_matching_blocks():
        for side, start in ((0, block.a), (1, block.b)):
            marks[side][start : start + block.size] = [True] * block.size
    return marks


def _pieces(tokens: list[str], same: list[bool]) -> list[Piece]:
    """Merge neighbouring tokens of one kind. A single space between two differing words counts as differing."""
    runs: list[tuple[list[str], bool]] = []
    for place, token in enumerate(tokens):
        between = 0 < place < len(tokens) - 1 and not same[place - 1] and not same[place + 1]
        differs = not same[place] or (token.isspace() and between)
        if not runs or runs[-1][1] != differs:
            runs.append(([], differs))
        runs[-1][0].append(token)
    return [Piece("".join(parts), differs) for parts, differs in runs]
