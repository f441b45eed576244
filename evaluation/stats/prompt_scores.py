"""What each prompt's ratings say: their distribution, and the prompts that moved most either way."""

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray
from evaluation.stats.effects import prompt_means
from evaluation.stats.primary import NO_PREFERENCE
from evaluation.stats.ratings import Ratings
from evaluation.stats.summaries import Bin, PromptScore, PromptsSummary

BINS = 10
MOVERS = 5
# Means of thirds carry rounding error.
_LEVEL = 1e-9


def prompts_summary(ratings: Ratings) -> PromptsSummary:
    """Mean win score of each prompt, prompts weighing equally.

    `risen` and `fallen` name the prompts furthest above and below ½, those with more ratings first among equals.
    They describe these ratings: the extremes of few ratings each are partly luck.
    """
    if not len(ratings):
        return PromptsSummary(0, 0, 0, (), (), ())
    means = prompt_means(ratings.win_score, ratings.prompt)
    numbers = np.bincount(ratings.prompt)
    shift = means - NO_PREFERENCE
    # 7 × 0.1 is not 0.7: the small step keeps a mean that lies on an edge in the bin above it.
    places = np.minimum(np.floor(means * BINS + _LEVEL).astype(np.int64), BINS - 1)
    histogram = np.bincount(places, minlength=BINS)
    return PromptsSummary(
        above=int((shift > _LEVEL).sum()),
        level=int((np.abs(shift) <= _LEVEL).sum()),
        below=int((shift < -_LEVEL).sum()),
        histogram=tuple(Bin(i / BINS, (i + 1) / BINS, int(n)) for i, n in enumerate(histogram)),
        risen=_movers(shift, means, numbers, 1),
        fallen=_movers(shift, means, numbers, -1),
    )


def _movers(shift: FloatArray, means: FloatArray, numbers: IntArray, sign: int) -> tuple[PromptScore, ...]:
    moved = np.flatnonzero(sign * shift > _LEVEL)
    order = moved[np.lexsort((moved, -numbers[moved], np.round(-sign * shift[moved], 9)))][:MOVERS]
    return tuple(PromptScore(int(code), float(means[code]), int(numbers[code])) for code in order)
