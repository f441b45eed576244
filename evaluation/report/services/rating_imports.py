"""Imports ratings that were made elsewhere as a closed campaign, labelled so wherever its results show."""

import json
import math
import tempfile
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from itertools import islice
from typing import IO, Any, BinaryIO

import numpy as np
from django.db import transaction
from django.utils import timezone

from evaluation.comparison.services import pair_imports
from evaluation.models import Assignment, Campaign, Comparison, Pair, Rating, Reviewer, ReviewItem
from evaluation.report import analyses
from evaluation.rubrics import Field, FormDefinition
from evaluation.stats import OUTCOMES, Plan
from evaluation.stats.arrays import BoolArray, FloatArray
from evaluation.stats.ratings_file import RatingsFile, Reading
from ftplatform import bulk_rows
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError

MAX_RATINGS = 1_000_000
NO_TEXT = "(no text was given)"
_MOST_ID = 200
_MOST_TAG = 60
# More parts than this are no slices that a person reads.
_MOST_PARTS = 50
_BATCH = 5_000


def create(
    *,
    user: User,
    title: str,
    source: BinaryIO,
    source_name: str,
    reading: Reading,
    margin: float = 0.05,
    skip_bad_rows: bool = False,
) -> Campaign:
    """Store the ratings of a file as the closed campaign `title` of `reading.candidate` against `reading.baseline`.

    An unknown system becomes an external one. Prompts and responses are stored if the file has columns `prompt`,
    `baseline` and `candidate`. Reviewers keep the file's ids. Raises DomainError as `analyses.read_file` and
    `pair_imports.create` do, and `names_required`, `invalid_title`, `invalid_plan`, `too_many_rows`, `id_too_long`;
    then nothing is stored.
    """
    title = title.strip()
    if not 0 < len(title) <= 100:
        raise DomainError("invalid_title", "A title has 1 to 100 characters.", status=400)
    if not (reading.baseline and reading.candidate):
        raise DomainError("names_required", "Name both systems: the baseline and the candidate.", status=400)
    found = analyses.read_file(source=source, reading=reading, skip_bad_rows=skip_bad_rows, with_texts=True)
    _check(found)
    campaign = _campaign(user, title, source_name, found, reading, margin)
    with tempfile.TemporaryFile() as pairs:
        _write_pairs(pairs, found)
        comparison = pair_imports.create(
            user=user,
            name=title,
            file=pairs,
            source_name=f"{source_name[:150]}, with its ratings.jsonl",
            baseline=reading.baseline,
            candidate=reading.candidate,
        )
    try:
        with transaction.atomic():
            if not campaign.has_texts:
                comparison.figures.all().delete()
            _store(campaign, comparison, found, user)
    except BaseException:
        pair_imports.remove(comparison)
        raise
    return campaign


def _check(found: RatingsFile) -> None:
    if len(found.ratings) > MAX_RATINGS:
        raise DomainError("too_many_rows", f"An import may have {MAX_RATINGS:,} ratings.", status=413)
    for name, labels in (("prompt_id", found.prompt_labels), ("reviewer_id", found.reviewer_labels)):
        longest = max(labels, key=len)
        if len(longest) > _MOST_ID:
            raise DomainError(
                "id_too_long",
                f"A {name} may have {_MOST_ID} characters; “{longest[:40]}…” has {len(longest):,}.",
                status=400,
            )


def _campaign(
    user: User, title: str, source_name: str, found: RatingsFile, reading: Reading, margin: float
) -> Campaign:
    """The campaign without its comparison, not yet saved."""
    ratings, now = found.ratings, timezone.now()
    try:
        plan = Plan(
            margin=margin,
            criteria=tuple(ratings.criteria),
            yes_no=tuple(ratings.yes_no),
            looks=(1.0,),
            candidate_name=reading.candidate,
            baseline_name=reading.baseline,
            cluster="cluster"
            if found.cluster is not None and len(found.cluster.labels) <= _MOST_PARTS
            else "",
            frozen=False,
        )
    except ValueError as error:
        raise DomainError("invalid_plan", f"The plan is not valid: {error}.", status=400) from error
    return Campaign(
        title=title,
        status=Campaign.Status.CLOSED,
        rubric_text=f"# Rated elsewhere\n\nThe ratings were imported from {source_name}.",
        rubric=_form(found, reading).to_json(),
        overlap=min(max(1, math.ceil(len(ratings) / ratings.n_prompts)), 100),
        pairs_planned=ratings.n_prompts,
        ask_tuned=False,
        plan=asdict(plan),
        plan_hash=plan.hash(),
        opened_at=now,
        closed_at=now,
        created_by=user,
        elsewhere={
            "file": source_name[:200],
            "ratings": len(ratings),
            "sides_known": found.sides_known,
            "texts": any(any(texts) for texts in found.texts or ()),
            "rows": analyses.rows_of(found, reading) | {"problems": []},
        },
    )


def _form(found: RatingsFile, reading: Reading) -> FormDefinition:
    low, high = math.floor(reading.score_range[0]), math.ceil(reading.score_range[1])
    scales = [
        Field(key=name, label=name, kind="scale", per="side", minimum=low, maximum=high)
        for name in found.ratings.criteria
    ]
    questions = [Field(key=name, label=name, kind="yes_no", per="side") for name in found.ratings.yes_no]
    return FormDefinition("Rated elsewhere", "", (), (*scales, *questions))


def _write_pairs(target: IO[bytes], found: RatingsFile) -> None:
    """The prompts with their responses as the pair import reads them. A text that the file lacks says so."""
    tags = _tags(found)
    for code, label in enumerate(found.prompt_labels):
        prompt, baseline, candidate = found.texts[code] if found.texts else ("", "", "")
        row = {
            "id": label,
            "prompt": prompt if prompt.strip() else f"{label} {NO_TEXT}",
            "baseline": baseline or NO_TEXT,
            "candidate": candidate or NO_TEXT,
            "tags": tags.get(code, {}),
        }
        target.write(json.dumps(row).encode() + b"\n")
    target.seek(0)


def _tags(found: RatingsFile) -> dict[int, dict[str, str]]:
    """Slices and clusters of few parts as tags of the prompts, from the first rating of each."""
    groups = dict(found.ratings.slices)
    if found.cluster is not None:
        groups["cluster"] = found.cluster
    _, first = np.unique(found.ratings.prompt, return_index=True)
    tags: dict[int, dict[str, str]] = {}
    for name, group in groups.items():
        if len(group.labels) > _MOST_PARTS:
            continue
        for place in first:
            if group.code[place] >= 0:
                label = group.labels[group.code[place]][:_MOST_TAG]
                tags.setdefault(int(found.ratings.prompt[place]), {})[name[:_MOST_TAG]] = label
    return tags


def _store(campaign: Campaign, comparison: Comparison, found: RatingsFile, user: User) -> None:
    campaign.comparison, campaign.candidate = comparison, comparison.candidate
    campaign.save()
    items = _items(campaign, comparison, found)
    reviewers = _reviewers(campaign, found)
    now = timezone.now()
    leases = {"kind": "real", "status": Assignment.Status.RATED, "leased_at": now, "lease_expires_at": now}
    fixed = {"campaign_id": campaign.pk, "kind": "real", "comment": "", "hidden_ms": 0}
    fixed |= {"submitted_at": now, "revised_at": None}
    rows = _rating_rows(found)
    slots = np.zeros(len(items), dtype=np.int64)
    ratings, place = found.ratings, 0
    left = _shown_left(found)
    while batch := list(islice(rows, _BATCH)):
        shown = []
        for number in range(place, place + len(batch)):
            item = ratings.prompt[number]
            who = reviewers[ratings.reviewer[number]]
            shown.append((uuid.uuid4().hex, items[item], who, int(slots[item]), bool(left[number])))
            slots[item] += 1
        columns = ("token", "item_id", "reviewer_id", "slot", "candidate_left")
        made = bulk_rows.insert(Assignment, leases, columns, shown)
        columns = ("assignment_id", "preference", "scores", "answers", "active_ms")
        bulk_rows.insert(Rating, fixed, columns, [(pk, *row) for pk, row in zip(made, batch, strict=True)])
        place += len(batch)
    audit.record(actor=user, action="ratings.import", target=campaign, ratings=len(ratings))


def _items(campaign: Campaign, comparison: Comparison, found: RatingsFile) -> list[int]:
    """A campaign item for each prompt, by the prompt's code."""
    pairs = dict(Pair.objects.filter(comparison=comparison).values_list("prompt__key", "pk"))
    constants = {"campaign_id": campaign.pk, "kind": "real", "sides": "", "open_slots": 0, "content": None}
    rows = [(pairs[label], rank) for rank, label in enumerate(found.prompt_labels)]
    return bulk_rows.insert(ReviewItem, constants, ("pair_id", "rank"), rows)


def _reviewers(campaign: Campaign, found: RatingsFile) -> list[int]:
    """A reviewer for each id of the file, by its code. Nobody can sign in as one."""
    now = timezone.now()
    constants = {
        **{"campaign_id": campaign.pk, "invite_id": None, "user_id": None, "completion_code": ""},
        **{"joined_at": now, "status": Reviewer.Status.COMPLETED, "ended_at": now, "captured": {}},
        **{"practice": [], "pay": Reviewer.Pay.OPEN, "pay_note": "", "erased_at": None},
    }
    rows = [
        (code + 1, Reviewer.digest_of(Reviewer.new_token()), code in found.simulated_reviewers, label)
        for code, label in enumerate(found.reviewer_labels)
    ]
    return bulk_rows.insert(Reviewer, constants, ("number", "digest", "is_simulated", "external_id"), rows)


def _shown_left(found: RatingsFile) -> BoolArray:
    """Whether the candidate was on the left. If some sides are not known, all are stored as right and not shown."""
    left = found.ratings.candidate_left
    return left if found.sides_known else np.zeros_like(left)


def _rating_rows(found: RatingsFile) -> Iterator[tuple[str, dict[str, Any], dict[str, Any], int]]:
    """Preference, scores, answers and active time of each rating, by the side that its reviewer saw."""
    ratings, left = found.ratings, _shown_left(found)
    active = np.zeros(len(ratings)) if found.active_ms is None else np.nan_to_num(found.active_ms)
    for place, code in enumerate(ratings.outcome):
        outcome, on_left = OUTCOMES[code], bool(left[place])
        preference: str = outcome
        if outcome in ("win", "loss"):
            preference = "left" if (outcome == "win") == on_left else "right"
        scores = {name: _sides(pair, place, on_left) for name, pair in ratings.criteria.items()}
        answers = {name: _sides(pair, place, on_left) for name, pair in ratings.yes_no.items()}
        yield (
            preference,
            {name: given for name, given in scores.items() if given},
            {
                name: {side: value == 1 for side, value in given.items()}
                for name, given in answers.items()
                if given
            },
            int(active[place]),
        )


def _sides(pair: tuple[FloatArray, FloatArray], place: int, left: bool) -> dict[str, float]:
    """The (baseline, candidate) values of one rating by side, those that are given."""
    sides = ("right", "left") if left else ("left", "right")
    values = {side: float(one[place]) for side, one in zip(sides, pair, strict=True)}
    return {
        side: int(value) if value.is_integer() else value
        for side, value in values.items()
        if not math.isnan(value)
    }
