"""The real votes of MT-Bench, against the figures that come with the data."""

import json
from pathlib import Path

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from evaluation.stats import clustered, report
from evaluation.stats.arrays import dense_codes
from evaluation.stats.plan import Plan
from evaluation.stats.ratings import LOSS, TIE, WIN, Ratings
from evaluation.stats.reliability import rating_table
from evaluation.stats.weights import rating_weights
from tests.evaluation.stats.crossed import of_arrays, unchecked

analyse = unchecked(report.analyse)
clustered_mean = of_arrays(clustered.clustered_mean)

VOTES = Path(__file__).parents[4] / "shared/data/mtbench/human.jsonl"
pytestmark = pytest.mark.skipif(
    not VOTES.exists(), reason="the shared MT-Bench votes are not on this machine"
)


def claude_against_gpt4():
    rows = [json.loads(line) for line in VOTES.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if {row["model_a"], row["model_b"]} == {"claude-v1", "gpt-4"}]

    def outcome(row):
        if row["winner"] == "tie":
            return TIE
        return WIN if row[row["winner"]] == "gpt-4" else LOSS

    return Ratings(
        dense_codes(np.array([row["question_id"] for row in rows])),
        dense_codes(np.array([row["judge"] for row in rows])),
        np.array([outcome(row) for row in rows]),
        np.array([row["model_a"] == "gpt-4" for row in rows]),
    )


def test_claude_against_gpt4_has_the_published_errors():
    ratings = claude_against_gpt4()
    assert (len(ratings), ratings.n_prompts, ratings.n_reviewers) == (200, 59, 49)
    difference = 2 * ratings.win_score - 1
    naive = difference.std(ddof=1) / np.sqrt(200)
    assert naive == pytest.approx(0.059, abs=5e-4)

    def one_way(group):
        return clustered_mean(difference, group, group, weights=rating_weights(200), method="plain").se ** 2

    # A judge rated some questions in both turns; the published figure subtracts single votes, not such pairs.
    se = np.sqrt(one_way(ratings.prompt) + one_way(ratings.reviewer) - one_way(np.arange(200)))
    assert se == pytest.approx(0.081, abs=5e-4)
    assert 2 * stats.t.sf(difference.mean() / se, 48) == pytest.approx(0.026, abs=5e-4)
    counts = ratings.counts()
    binomial = stats.binomtest(counts["win"], counts["win"] + counts["loss"]).pvalue
    assert binomial == pytest.approx(0.0027, abs=5e-5)


def test_pairs_of_judge_and_question_are_subtracted_as_statsmodels_does():
    ratings = claude_against_gpt4()
    groups = np.column_stack([ratings.prompt, ratings.reviewer])
    fit = sm.OLS(ratings.win_score, np.ones(200)).fit(cov_type="cluster", cov_kwds={"groups": groups})
    found = clustered_mean(ratings.win_score, *groups.T, weights=rating_weights(200), method="plain")
    assert found.se == pytest.approx(fit.bse[0])
    assert 0.059 / 2 < found.se < 0.081 / 2


def test_the_report_is_less_sure_than_the_binomial():
    found = analyse(claude_against_gpt4(), Plan(candidate_name="GPT-4", baseline_name="Claude"))
    assert found.primary.p_value > 0.01
    assert found.primary.ci_high - found.primary.ci_low > 2 * 1.96 * 0.059 / 2
    assert found.agreement.n_prompts > 30


def _votes(path, turn):
    """Winner of each vote as 0 (the model first in the alphabet), 1 (tie) or 2, by question and pair of models."""
    units: dict[tuple[int, str, str], list[int]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        # The paper counts its experts and leaves its authors' votes out.
        if row["turn"] == turn and not row["judge"].startswith("author"):
            first, second = sorted((row["model_a"], row["model_b"]))
            winner = row.get(row["winner"])
            code = 1 if winner is None else 0 if winner == first else 2
            units.setdefault((row["question_id"], first, second), []).append(code)
    return units


def _agreement_of_people(units, ties):
    """Share of equal votes among all pairs of people, from the table that the reliability figures use."""
    votes = [(unit, vote) for unit, found in enumerate(units.values()) for vote in found if ties or vote != 1]
    table = rating_table(np.array([u for u, _ in votes]), np.array([v for _, v in votes], dtype=float))
    raters = table.counts.sum(1)
    pairs = float((raters * (raters - 1)).sum())
    return float((table.counts * (table.counts - 1)).sum()) / pairs, pairs / 2


def _agreement_with_gpt4(people, gpt4, ties):
    both = [(vote, gpt4[unit][0]) for unit, found in people.items() if unit in gpt4 for vote in found]
    kept = [(one, other) for one, other in both if ties or 1 not in (one, other)]
    return np.mean([one == other for one, other in kept]), len(kept)


@pytest.mark.parametrize(
    ("turn", "ties", "with_gpt4", "of_people"),
    [
        (1, True, (0.660, 1343), (0.630, 721)),
        (1, False, (0.846, 859), (0.810, 479)),
        (2, True, (0.657, 1325), (0.666, 707)),
        (2, False, (0.846, 864), (0.819, 474)),
    ],
)
def test_published_agreement(turn, ties, with_gpt4, of_people):
    """Table 5 of Zheng and others 2023, counts exact."""
    people, gpt4 = _votes(VOTES, turn), _votes(VOTES.with_name("gpt4_pair.jsonl"), turn)
    share, count = _agreement_of_people(people, ties)
    assert (share, count) == (pytest.approx(of_people[0], abs=5e-4), of_people[1])
    share, count = _agreement_with_gpt4(people, gpt4, ties)
    assert (share, count) == (pytest.approx(with_gpt4[0], abs=5e-4), with_gpt4[1])
