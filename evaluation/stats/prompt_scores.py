"""Win scores by prompt: their distribution, and the prompts with the strongest preference for each side."""

import numpy as np

from evaluation.stats.arrays import FloatArray, IntArray
from evaluation.stats.effects import prompt_means
from evaluation.stats.primary import NO_PREFERENCE
from evaluation.stats.ratings import Ratings
from evaluation.stats.summaries import Bin, PromptScore, PromptsSummary

BINS = 10
MOVERS = 5
# Tolerance for rounding errors in means of thirds.
_LEVEL = 1e-9


def prompts_summary(ratings: Ratings) -> PromptsSummary:
    """Mean win score of each prompt, prompts weighing equally.

    `risen` and `fallen` are the prompts furthest above and below ½; of equal prompts, those with more ratings
    come first. They describe these ratings only: extremes of few ratings each are partly chance.
    """
    if not len(ratings):
        return PromptsSummary(0, 0, 0, (), (), ())
    means = prompt_means(ratings.win_score, ratings.prompt)
    numbers = np.bincount(ratings.prompt)
    shift = means - NO_PREFERENCE
    # By rounding, a mean on a bin edge can fall just below it (7 × 0.1 is not 0.7). The tolerance keeps it in
    # the bin above.
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
