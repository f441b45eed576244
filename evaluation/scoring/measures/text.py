"""Length, readability, politeness strategies and empathy cues of English text.

These are proxies: they count forms, not meaning. A text can be polite without any of these words and rude
with all of them.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from evaluation.scoring.measures.tone import tone

_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SENTENCE_END = re.compile(r"[.!?…]+(?=\s|$)")
_VOWELS = re.compile(r"[aeiouy]+")
# Only the beginning of a longer text is measured, so that a response of a megabyte costs no more than a page.
LONGEST = 20_000


@dataclass(frozen=True)
class TextMeasures:
    """Measures of one text.

    `reading_ease` runs from about 0 (hard) to 100 (easy); None without words. `politeness` counts the
    strategies present, out of 8; `empathy` counts the mechanisms present, out of 3.
    """

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

    Source: Flesch (1948), A new readability yardstick, Journal of Applied Psychology 32. Syllables are
    counted as groups of vowels, which is correct for about nine in ten English words.
    """
    if not words:
        return None
    sentences = max(1, len(_SENTENCE_END.findall(text)))
    count = sum(map(syllables, words))
    return round(206.835 - 1.015 * len(words) / sentences - 84.6 * count / len(words), 2)


@lru_cache(maxsize=65_536)
def syllables(word: str) -> int:
    """Number of vowel groups without a silent final e; at least 1."""
    lower = word.lower()
    groups = len(_VOWELS.findall(lower))
    silent = lower.endswith("e") and not lower.endswith(("le", "ee", "ye")) and groups > 1
    return max(1, groups - silent)
