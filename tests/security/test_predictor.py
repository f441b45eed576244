"""A classifier cannot tell the sides from anything but the texts.

It sees 2,000 pairs with the same text on both sides, and every other feature: order, ids, sizes, headers and timing.
Its area under the ROC curve must be that of chance, 0.5.
"""

import time
import uuid
from typing import Any

import numpy as np
import pytest
from django.test import Client
from scipy.optimize import minimize
from scipy.stats import norm

from evaluation.models import Assignment, Campaign, Response, Reviewer
from tests import factories

pytestmark = [pytest.mark.django_db, pytest.mark.slow]
PAIRS, REVIEWERS = 1000, 10
BINS = 6


def collected() -> tuple[np.ndarray, np.ndarray]:
    """Features and truth (1: the candidate was on the left) of 2,000 pairs as shown to ten reviewers."""
    campaign = factories.campaign(factories.user("manager"), pairs=PAIRS, overlap=2)
    Response.objects.update(text="The very same text on both sides.")
    rows: list[list[float]] = []
    tokens: list[str] = []
    for number in range(REVIEWERS):
        token = Reviewer.new_token()
        Reviewer.objects.filter(pk=factories.reviewer(campaign).pk).update(digest=Reviewer.digest_of(token))
        met = _review(campaign, {"Authorization": f"Reviewer {token}"}, 2 * PAIRS // REVIEWERS)
        rows += [[number, place, *features] for place, (features, _) in enumerate(met)]
        tokens += [token for _, token in met]
    left = dict(Assignment.objects.values_list("token", "candidate_left"))
    return np.array(rows, dtype=float), np.array([left[uuid.UUID(token)] for token in tokens], dtype=float)


def _review(campaign: Campaign, headers: dict[str, str], count: int) -> list[tuple[list[float], str]]:
    client = Client(headers=headers)
    values, met = factories.answers(campaign), []
    for _ in range(count):
        begun = time.perf_counter()
        answer = client.post(f"/api/v1/campaigns/{campaign.pk}/assignments/next")
        between = time.perf_counter()
        pair = answer.json()
        address = f"/api/v1/assignments/{pair['token']}/rating"
        stored = client.put(address, values, content_type="application/json")
        ended = time.perf_counter()
        bits = uuid.UUID(pair["token"]).int
        features = [
            len(answer.content),
            len(stored.content),
            len(repr(sorted(answer.headers.items()))),
            len(repr(sorted(stored.headers.items()))),
            between - begun,
            ended - between,
            (bits >> 96) / 2**32,
            (bits & 0xFFFFFFFF) / 2**32,
            _number(pair["prompt"]["input"]["question"]),
        ]
        met.append((features, pair["token"]))
    return met


def _number(question: str) -> float:
    return float("".join(filter(str.isdigit, question)))


def auc_interval(features: np.ndarray, truth: np.ndarray, level: float = 0.99999) -> tuple[float, float]:
    """AUC interval (Hanley and McNeil 1982) of a ridge logistic model on binned features, fitted on one half and
    evaluated on the other."""
    inputs = np.column_stack([_binned(column) for column in features.T])
    order = np.random.default_rng(5).permutation(len(truth))
    learn, judge = order[: len(order) // 2], order[len(order) // 2 :]
    weights = _fit(inputs[learn], truth[learn])
    scores, real = inputs[judge] @ weights, truth[judge]
    ones, zeros = scores[real == 1], scores[real == 0]
    above = (ones[:, None] > zeros).mean() + 0.5 * (ones[:, None] == zeros).mean()
    q1, q2 = above / (2 - above), 2 * above**2 / (1 + above)
    m, n = len(ones), len(zeros)
    variance = (above * (1 - above) + (m - 1) * (q1 - above**2) + (n - 1) * (q2 - above**2)) / (m * n)
    half = norm.ppf(0.5 + level / 2) * float(np.sqrt(variance))
    return above - half, above + half


def _binned(column: np.ndarray) -> np.ndarray:
    """Bin a column: one bin per value where there are few, quantiles where there are many."""
    values = np.unique(column)
    few = len(values) <= 2 * BINS
    edges = (values[1:] + values[:-1]) / 2 if few else np.quantile(column, np.linspace(0, 1, BINS + 1)[1:-1])
    return np.eye(len(edges) + 1)[np.searchsorted(edges, column, side="right")]


def _fit(inputs: np.ndarray, truth: np.ndarray) -> np.ndarray:
    def loss(weights: np.ndarray) -> tuple[float, np.ndarray]:
        margin = inputs @ weights
        chance = 1 / (1 + np.exp(-margin))
        value = np.logaddexp(0, margin).sum() - truth @ margin + 2 * weights @ weights
        return float(value), inputs.T @ (chance - truth) + 4 * weights

    return np.asarray(minimize(loss, np.zeros(inputs.shape[1]), jac=True, method="L-BFGS-B").x)


def test_no_feature_but_the_text_tells_the_sides():
    features, truth = collected()
    assert len(truth) == 2 * PAIRS and 0.4 < truth.mean() < 0.6
    low, high = auc_interval(features, truth)
    assert low < 0.5 < high
    leaking: Any = features.copy()
    leaking[:, 4] += np.where(
        np.random.default_rng(3).random(len(truth)) < 0.3, truth, 0
    )  # occasionally, one side is slower
    low, _ = auc_interval(leaking, truth)
    assert low > 0.5
