"""Length, readability, politeness strategies and empathy cues of English text.

Proxies: they count forms, not sense. A text can be polite without any of these words and rude with all of them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from evaluation.scoring.measures.tone import tone

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")
# Longer texts are measured by their beginning, so that one response of a megabyte costs what a page costs.
LONGEST = 20_000


@dataclass(frozen=True)
class TextMeasures:
    """`reading_ease` from about 0 (hard) to 100 (easy), None without words; `politeness` counts the kinds of
    strategy present, of 8; `empathy` those of mechanism, of 3."""

    words: int
    reading_ease: float | None
    politeness: int
    empathy: int


def measure(text: str) -> TextMeasures:
    """Measure the first 20,000 characters of a text."""
    head = text[:LONGEST]
    words = _WORD.findall(head)
    politeness, empathy = tone(head)
    return TextMeasures(
        words=len(head.split()),
        reading_ease=_reading_ease(words, head),
        politeness=len(politeness),
        empathy=len(empathy),
    )


def _reading_ease(words: list[str], text: str) -> float | None:
    """Flesch reading ease: 206.835 − 1.015 words per sentence − 84.6 syllables per word.

    Source: Flesch (1948), A new readability yardstick, Journal of Applied Psychology 32. Syllables are counted by
    groups of vowels, which is right for about nine English words in ten.
    """
    if not words:
        return None
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    count = sum(map(syllables, words))
    return round(206.835 - 1.015 * len(words) / sentences - 84.6 * count / len(words), 2)


@lru_cache(maxsize=65_536)
def syllables(word: str) -> int:
    """Groups of vowels, without a silent final e; at least one."""
    lower = word.lower()
    groups = len(_VOWELS.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee", "ye")) and groups > 1
    return max(1, groups - silent)
