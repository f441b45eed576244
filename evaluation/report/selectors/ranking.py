"""Ranking of more than two models, from all finished campaigns that share models."""

from typing import Any
from uuid import UUID

import numpy as np
from django.db.models import Count, Q

from evaluation.access import campaigns
from evaluation.models import Campaign, Rating
from evaluation.review.selectors import reviewers
from evaluation.review.selectors.counted_ratings import outcome_of
from evaluation.stats.davidson import Comparisons, Ranking, connected_groups, davidson, undefeated_groups
from evaluation.stats.rao_kupper import rao_kupper
from ftplatform.accounts.models import User
from training.models import ModelVersion

_SCORE = {"win": 1.0, "tie": 0.5, "both_bad": 0.5, "loss": 0.0}
SEED = 0


def ranking(*, user: User) -> dict[str, Any]:
    """Rank each group of models that campaigns connect, strongest first, and list the campaigns used.

    Only finished campaigns count, because a ranking must not reveal the state of an open review. Pilots never
    count.
    """
    ended = list(campaigns(user=user).filter(status__in=Campaign.OVER, is_pilot=False).order_by("title"))
    left_out = {reviewer for one in ended for reviewer in reviewers.excluded(one)}
    counted = Q(ratings__kind="real") & ~Q(ratings__assignment__reviewer__in=left_out)
    sources: list[dict[str, Any]] = [
        {
            "id": str(one.pk),
            "title": one.title,
            "baseline": one.comparison.baseline.name,
            "candidate": one.candidate.name,
            "ratings": one.counted,
            "simulated": one.simulated,
            "rated_elsewhere": bool(one.elsewhere),
        }
        for one in campaigns(user=user)
        .filter(pk__in=[one.pk for one in ended])
        .annotate(
            counted=Count("ratings", filter=counted),
            simulated=Count("ratings", filter=counted & Q(ratings__assignment__reviewer__is_simulated=True)),
        )
        .order_by("title")
        if one.counted
    ]
    data, models = _comparisons([UUID(source["id"]) for source in sources], left_out)
    groups = [_group(data, members, models) for members in connected_groups(data)]
    return {"groups": groups, "campaigns": sources, "simulated": any(one["simulated"] for one in sources)}


def _comparisons(ended: list[UUID], left_out: set[int]) -> tuple[Comparisons, list[ModelVersion]]:
    """Every counted rating as a comparison of candidate and baseline, and the models in the order of their indices.

    `left_out` are the reviewers whom the frozen rule of their campaign excludes, as in its report.

    A person who reviewed in several campaigns is one reviewer if the account is known.
    """
    rows = list(
        Rating.objects.filter(campaign__in=ended, kind="real")
        .exclude(assignment__reviewer__in=left_out)
        .values_list(
            "campaign__candidate_id",
            "campaign__comparison__baseline_id",
            "assignment__item__pair__prompt_id",
            "assignment__reviewer__user_id",
            "assignment__reviewer_id",
            "preference",
            "assignment__candidate_left",
        )
    )
    used = {row[0] for row in rows} | {row[1] for row in rows}
    models = list(ModelVersion.objects.filter(pk__in=used).order_by("name", "pk"))
    number = {model.pk: code for code, model in enumerate(models)}
    score = [_SCORE[outcome_of(row[5], row[6])] for row in rows]
    return Comparisons(
        models=len(models),
        first=np.array([number[row[0]] for row in rows], dtype=np.int64),
        second=np.array([number[row[1]] for row in rows], dtype=np.int64),
        score=np.array(score, dtype=np.float64),
        prompt=np.array([row[2] for row in rows], dtype=np.int64),
        reviewer=np.array([-row[4] if row[3] is None else row[3] for row in rows], dtype=np.int64),
    ), models


def _group(data: Comparisons, members: tuple[int, ...], models: list[ModelVersion]) -> dict[str, Any]:
    part = data.among(members)
    fit = davidson(part, seed=SEED)
    names = [models[member].name for member in members]
    return {
        "names": names,
        "n_ratings": len(part.first),
        "n_prompts": len(np.unique(part.prompt)),
        "n_reviewers": len(np.unique(part.reviewer)),
        "tie_parameter": fit.tie_parameter if fit else None,
        "same_order_by_rao_kupper": _same_order(part, fit),
        "undefeated": [] if fit else [[names[i] for i in group] for group in undefeated_groups(part)],
        "models": [] if fit is None else _rows(part, fit, [models[member] for member in members]),
    }


def _rows(part: Comparisons, fit: Ranking, models: list[ModelVersion]) -> list[dict[str, Any]]:
    wins, ties, losses = part.tallies()
    return [
        {
            "model": str(models[one.model].pk),
            "name": models[one.model].name,
            "is_demo": models[one.model].is_demo,
            "strength": one.log_strength,
            "ci_low": one.interval.low if one.interval else None,
            "ci_high": one.interval.high if one.interval else None,
            "best_rank": one.best_rank,
            "worst_rank": one.worst_rank,
            "wins": int(wins[one.model]),
            "ties": int(ties[one.model]),
            "losses": int(losses[one.model]),
        }
        for one in fit.strengths
    ]


def _same_order(part: Comparisons, fit: Ranking | None) -> bool | None:
    other = rao_kupper(part) if fit else None
    if fit is None or other is None:
        return None
    return [one.model for one in fit.strengths] == [int(i) for i in np.argsort(-other[0], kind="stable")]
