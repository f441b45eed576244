"""The counted ratings as arrays, from the candidate's side."""

import hashlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from django.db.models import QuerySet

from evaluation.models import (
    Campaign,
    Pair,
    Prompt,
    Rating,
)
from evaluation.stats import OUTCOMES, Ratings
from evaluation.stats.arrays import FloatArray
from evaluation.stats.ratings import Slicing, slicing


class CountedRatings(NamedTuple):
    """Ratings as arrays of codes, with the names of the codes: the prompts' keys and the reviewers' pseudonyms."""

    ratings: Ratings
    prompts: list[str]
    reviewers: list[str]


def ratings_arrays(campaign: Campaign) -> CountedRatings:
    """All counted ratings of the campaign from the candidate's side, in the order of submission."""
    rows = list(
        counted_ratings(campaign).values_list(
            "assignment__item__pair__prompt_id",
            "assignment__reviewer_id",
            "assignment__candidate_left",
            "preference",
            "scores",
            "answers",
            "assignment__reviewer__is_simulated",
            "assignment__reviewer__number",
            "assignment__item__pair_id",
            "assignment__item__pair__prompt__tags",
            "assignment__reviewer__external_id",
        )
    )
    first = first_of_equal(campaign)
    sides = [("right", "left") if row[2] else ("left", "right") for row in rows]
    arrays = Ratings(
        prompt=np.array([first[row[0]][0] for row in rows], dtype=np.int64),
        reviewer=np.array([row[1] for row in rows], dtype=np.int64),
        outcome=np.array([OUTCOMES.index(outcome_of(row[3], row[2])) for row in rows], dtype=np.int64),
        candidate_left=np.array([row[2] for row in rows], dtype=bool),
        criteria={
            name: _both([row[4] for row in rows], name, sides) for name in side_fields(campaign, "scale")
        },
        yes_no={
            name: _both([row[5] for row in rows], name, sides) for name in side_fields(campaign, "yes_no")
        },
        slices=_slices([row[9] for row in rows]),
        lengths=_lengths(campaign, [row[8] for row in rows]) if campaign.has_texts else None,
        simulated=any(row[6] for row in rows),
        n_simulated=sum(row[6] for row in rows),
        from_zero=frozenset(_scales_from_zero(campaign)),
        sides_known=campaign.sides_known,
    )
    # A code is the index of its id among the sorted ids.
    prompts = [key for _, key in sorted({first[row[0]] for row in rows})]
    named = sorted({(row[1], row[7], row[10]) for row in rows})
    reviewers = [reviewer_label(campaign, number, name) for _, number, name in named]
    return CountedRatings(arrays, prompts, reviewers)


def reviewer_label(campaign: Campaign, number: int, external_id: str) -> str:
    """How results and exports name a reviewer: by a number, or for ratings made elsewhere by the file's id, until it is
    erased."""
    return external_id if campaign.elsewhere and external_id else f"r{number}"


def _both(
    given: list[dict[str, Any]], name: str, sides: list[tuple[str, str]]
) -> tuple[FloatArray, FloatArray]:
    """The (baseline, candidate) values of `name`, one entry per rating."""
    answers = [one.get(name) or {} for one in given]
    baseline, candidate = (
        np.array([_score(one, both[side]) for one, both in zip(answers, sides, strict=True)], dtype=float)
        for side in (0, 1)
    )
    return baseline, candidate


def _slices(tags: list[dict[str, str]]) -> dict[str, Slicing]:
    """The prompts' tags, one entry per rating."""
    names = sorted({name for one in tags for name in one})
    return {name: slicing([one.get(name) for one in tags]) for name in names}


def _lengths(campaign: Campaign, pairs: list[int]) -> tuple[FloatArray, FloatArray]:
    """Word counts of both responses of each rating's pair."""
    reviewed = Pair.objects.filter(pk__in=campaign.items.values("pair")).values_list(
        "pk", "baseline_response__text", "candidate_response__text"
    )
    words = {
        pk: (len(base.split()), len(tuned.split())) for pk, base, tuned in reviewed.iterator(chunk_size=2000)
    }
    lengths = np.array([words[pk] for pk in pairs], dtype=float).reshape(-1, 2)
    return lengths[:, 0], lengths[:, 1]


def _score(sides: dict[str, Any], side: str) -> float:
    value = sides.get(side)
    return float("nan") if value is None else float(value)


def outcome_of(preference: str, candidate_left: bool) -> Any:
    """The candidate's outcome (win, tie, both_bad or loss), derived from the sides that the reviewer saw."""
    if preference in ("tie", "both_bad"):
        return preference
    return "win" if (preference == "left") == candidate_left else "loss"


def first_of_equal(campaign: Campaign) -> dict[int, tuple[int, str]]:
    """For each prompt of the campaign's pairs, id and key of the first one with the same content.

    Rows with the same content are one prompt: their ratings are repeats, not independent evidence.
    """
    prompts = Prompt.objects.filter(pk__in=campaign.items.values("pair__prompt")).order_by("pk")
    first: dict[bytes, tuple[int, str]] = {}
    return {pk: first.setdefault(digest, (pk, key)) for pk, key, digest in with_digests(prompts)}


def with_digests(prompts: QuerySet[Prompt]) -> Iterator[tuple[int, str, bytes]]:
    """Id and key of each prompt, with a digest of its content."""
    columns = ("pk", "key", "instruction", "input", "messages", "tools")
    for pk, key, *content in prompts.values_list(*columns).iterator(2000):
        yield pk, key, hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()


def repeated_prompts(campaign: Campaign) -> dict[str, str]:
    """Key of each prompt that has the content of an earlier one, and that one's key."""
    keys = dict(campaign.items.exclude(pair=None).values_list("pair__prompt_id", "pair__prompt__key"))
    return {keys[pk]: key for pk, (_, key) in first_of_equal(campaign).items() if keys[pk] != key}


def _scales_from_zero(campaign: Campaign) -> list[str]:
    """Keys of the criteria whose scale starts at zero."""
    scales = set(side_fields(campaign, "scale"))
    return [f["key"] for f in campaign.rubric["fields"] if f["key"] in scales and f.get("minimum") == 0]


def side_fields(campaign: Campaign, kind: str) -> list[str]:
    """Keys of the rubric's per-side fields of this kind. Scales are the criteria."""
    return [f["key"] for f in campaign.rubric["fields"] if f["kind"] == kind and f["per"] == "side"]


def counted_ratings(campaign: Campaign) -> QuerySet[Rating]:
    """The ratings that reports and exports use, in the order of submission."""
    return Rating.objects.filter(campaign=campaign, kind="real").order_by("pk")
