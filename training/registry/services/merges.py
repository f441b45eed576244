"""Merge an adapter into a 16-bit copy of its base, as a separate job."""

from typing import Any

from django.db import IntegrityError, transaction

from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.actions import ModelAction
from training.models import MergeRun, ModelVersion


def launch(*, user: User, adapter: ModelVersion, idempotency_key: str | None = None) -> MergeRun:
    """Queue the merge of an adapter; the same key returns the same job.

    Raises DomainError: not_an_adapter, already_merged, merge_not_finished.
    """
    if adapter.kind != ModelVersion.Kind.ADAPTER or adapter.base is None:
        raise DomainError(
            "not_an_adapter", f"{adapter} is not an adapter. Only adapters can be merged.", status=400
        )
    earlier = jobs.launched_before(MergeRun, user=user, idempotency_key=idempotency_key, adapter=adapter)
    if earlier is not None:
        return earlier
    try:
        with transaction.atomic():
            # The row lock makes a second request wait and find the first one's job.
            _require_mergeable(ModelVersion.objects.select_for_update(of=("self",)).get(pk=adapter.pk))
            run = MergeRun.objects.create(
                kind=Job.Kind.MERGE, adapter=adapter, idempotency_key=idempotency_key or None, created_by=user
            )
            audit.record(actor=user, action="model.merge", target=adapter)
            jobs.announce(run)
            return run
    except IntegrityError:
        same = jobs.launched_before(MergeRun, user=user, idempotency_key=idempotency_key, adapter=adapter)
        if same is None:
            raise
        return same


def _require_mergeable(adapter: ModelVersion) -> None:
    if ModelAction.MERGE in adapter.actions:
        return
    if hasattr(adapter, "merged"):
        raise DomainError("already_merged", f"{adapter} has been merged. Use the merged model.")
    raise DomainError("merge_not_finished", f"{adapter} is being merged. Wait for that merge to end.")


def begin_attempt(claim: jobs.Claim) -> MergeRun:
    with transaction.atomic():
        jobs.check_current(claim)
        return MergeRun.objects.select_related("adapter__base", "created_by").get(pk=claim.job_id)


@transaction.atomic
def complete(
    claim: jobs.Claim, *, run: MergeRun, path: str, weights_hash: str, facts: dict[str, Any]
) -> ModelVersion:
    """Store the merged model; idempotent.

    `facts` has max_logit_difference and mean_logit_difference (absolute, unmerged against merged), greedy_agreement
    (share of greedy tokens that stay the same) and the number of tokens compared.
    """
    jobs.check_current(claim)
    MergeRun.objects.filter(pk=run.pk).update(facts=facts)
    merged, _ = ModelVersion.objects.get_or_create(
        source=run.adapter,
        defaults={
            "name": f"{run.adapter.name[:92]}-merged",
            "kind": ModelVersion.Kind.MERGED,
            "path": path,
            "weights_hash": weights_hash,
            "base": run.adapter.base,
            "details": facts,
            "licence": run.adapter.licence,
            "is_demo": run.adapter.is_demo,
            "created_by": run.created_by,
        },
    )
    return merged
