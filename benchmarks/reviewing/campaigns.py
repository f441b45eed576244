"""Create campaigns of any size in bulk."""

import uuid
from datetime import timedelta

from django.apps import apps
from django.db import connection
from django.utils import timezone

from benchmarks.reviewing.load import CANDIDATE
from evaluation import rubrics
from evaluation.models import (
    Assignment,
    Campaign,
    Comparison,
    ComparisonCandidate,
    Pair,
    Prompt,
    PromptSet,
    Rating,
    Response,
    Reviewer,
    ReviewItem,
)
from evaluation.review.services import campaigns
from ftplatform import bulk_rows
from ftplatform.accounts.models import User
from ftplatform.jobs.models import Job
from training.models import ModelVersion

WORDS = "We are sorry to hear that the parcel has not arrived. " * 12
BATCH = 2000


def owner() -> User:
    known = User.objects.filter(email="bench@example.org").first()
    return known or User.objects.create_user("bench@example.org", None, role="manager", name="Bench")


def run(user: User, pairs: int) -> Comparison:
    """A finished comparison of `pairs` pairs."""
    number = PromptSet.objects.count()
    base = ModelVersion.objects.create(
        created_by=user, name=f"base-{number}", kind="base", path="/nowhere", weights_hash="0" * 64
    )
    tuned = ModelVersion.objects.create(
        created_by=user,
        name=f"tuned-{number}",
        kind="adapter",
        path="/nowhere",
        weights_hash="1" * 64,
        base=base,
    )
    prompts = PromptSet.objects.create(name=f"prompts-{number}", size=pairs, created_by=user)
    comparison = Comparison.objects.create(
        kind=Job.Kind.GENERATION,
        status=Job.Status.SUCCEEDED,
        finished_at=timezone.now(),
        name=f"run-{number}",
        prompt_set=prompts,
        baseline=base,
        decoding={},
        created_by=user,
    )
    ComparisonCandidate.objects.create(comparison=comparison, model=tuned)
    add_pairs(comparison, 0, pairs)
    return comparison


def add_pairs(run: Comparison, start: int, count: int) -> list[Pair]:
    prompts = Prompt.objects.bulk_create(
        (
            Prompt(
                prompt_set=run.prompt_set,
                key=f"p{number}",
                instruction="Answer the customer as the policy says.",
                input={"order": number, "question": f"Where is my parcel {number}?"},
                expected=None,
            )
            for number in range(start, start + count)
        ),
        batch_size=BATCH,
    )
    sides = {
        beginning: Response.objects.bulk_create(
            (
                Response(
                    comparison=run,
                    prompt=prompt,
                    model=model,
                    text=f"{beginning} {WORDS}",
                    input_tokens=40,
                    output_tokens=120,
                    finish_reason="stop",
                )
                for prompt in prompts
            ),
            batch_size=BATCH,
        )
        for beginning, model in (("Base reply.", run.baseline), (CANDIDATE, run.candidate))
    }
    return Pair.objects.bulk_create(
        (
            Pair(
                comparison=run,
                prompt=prompt,
                candidate_model=run.candidate,
                baseline_response=baseline,
                candidate_response=candidate,
            )
            for prompt, baseline, candidate in zip(prompts, *sides.values(), strict=True)
        ),
        batch_size=BATCH,
    )


def opened(user: User, run: Comparison, *, pairs: int, overlap: int) -> Campaign:
    campaign = campaigns.create(
        user=user,
        title="Benchmark",
        comparison=run,
        rubric_text=rubrics.builtin("customer_support"),
        overlap=overlap,
        pairs=pairs,
    )
    campaigns.open_campaign(campaign=campaign, user=user)
    campaign.refresh_from_db()
    analyze()
    return campaign


def reviewers(campaign: Campaign, count: int) -> list[str]:
    """Create `count` reviewers at once; returns their tokens."""
    first = campaign.reviewers.count() + 1
    tokens = [Reviewer.new_token() for _ in range(count)]
    Reviewer.objects.bulk_create(
        (
            Reviewer(
                campaign=campaign,
                number=number,
                digest=Reviewer.digest_of(token),
                completion_code="BENCH",
                is_simulated=True,
            )
            for number, token in enumerate(tokens, first)
        ),
        batch_size=BATCH,
    )
    return tokens


def grow(campaign: Campaign, *, rated: int) -> None:
    """Add fully rated pairs until the campaign has `rated` ratings, spread over a thousand reviewers."""
    missing = rated - Rating.objects.filter(campaign=campaign).count()
    if missing <= 0:
        return
    if campaign.reviewers.count() < 1000:
        reviewers(campaign, 1000)
    crowd = list(campaign.reviewers.order_by("number").values_list("pk", flat=True)[:1000])
    overlap = campaign.overlap
    rank = campaign.items.count()
    for start in range(0, missing // overlap, BATCH):
        count = min(BATCH, missing // overlap - start)
        _add_rated(campaign, crowd, rank + start, count)
    analyze()


def _add_rated(campaign: Campaign, crowd: list[int], rank: int, count: int) -> None:
    """Insert rows instead of objects, because there are a million."""
    pairs = add_pairs(campaign.comparison, 10_000_000 + rank, count)
    overlap, sides, now = campaign.overlap, "LR" * (campaign.overlap // 2), timezone.now()
    keys = bulk_rows.insert(
        ReviewItem,
        {"campaign_id": campaign.pk, "kind": "real", "sides": sides, "open_slots": 0, "content": None},
        ("pair_id", "rank"),
        [(pair.pk, rank + number) for number, pair in enumerate(pairs)],
    )
    leases = bulk_rows.insert(
        Assignment,
        {
            "kind": "real",
            "status": "rated",
            "leased_at": now,
            "lease_expires_at": now + timedelta(minutes=30),
        },
        ("token", "item_id", "reviewer_id", "slot", "candidate_left"),
        [
            (
                uuid.uuid4().hex,
                item,
                crowd[((rank + number) * overlap + slot) % len(crowd)],
                slot,
                sides[slot] == "L",
            )
            for number, item in enumerate(keys)
            for slot in range(overlap)
        ],
    )
    alike = {"campaign_id": campaign.pk, "kind": "real", "preference": "left", "answers": {}, "comment": ""}
    alike |= {"scores": {"empathy": {"left": 7, "right": 5}}, "active_ms": 20_000, "hidden_ms": 0}
    alike |= {"submitted_at": now, "revised_at": None}
    bulk_rows.insert(Rating, alike, ("assignment_id",), [(lease,) for lease in leases])


def analyze() -> None:
    """Update the planner's statistics, as the database does within a minute of so many new rows. Empty tables are
    skipped: the planner would assume that they stay empty."""
    models = apps.get_app_config("evaluation").get_models()
    filled = [
        connection.ops.quote_name(model._meta.db_table) for model in models if model._default_manager.exists()
    ]
    with connection.cursor() as cursor:
        cursor.execute(
            f"VACUUM ANALYZE {', '.join(filled)}" if connection.vendor == "postgresql" else "ANALYZE"
        )
