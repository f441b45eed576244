"""From an upload to a dataset: a small file within the request, a large one as a job of the workers."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.intake.checking import Tell, Wishes
from training.intake.column_mapping import ColumnMapping
from training.intake.services import uploads
from training.models import Dataset, DatasetImport, Upload


def start(*, user: User, upload: Upload, name: str, wishes: Wishes) -> Dataset | DatasetImport:
    """The dataset of an upload, or for a file above `UPLOAD_WAIT_BYTES` the job that makes it. Repeating the call
    returns the existing dataset or job.

    Raises DomainError as `uploads.make_dataset` does; for a job, only errors found without reading the rows.
    """
    wishes.require_valid()
    if upload.dataset is not None or upload.size_bytes <= settings.UPLOAD_WAIT_BYTES:
        return uploads.make_dataset(user=user, upload=upload, name=name, wishes=wishes)
    with transaction.atomic():
        # The row lock makes a second click wait and find the first one's job.
        held = Upload.objects.select_for_update().get(pk=upload.pk)
        earlier = held.imports.exclude(status__in=Job.TERMINAL).first()
        if earlier is not None:
            return earlier
        held.expires_at = timezone.now() + timedelta(hours=settings.UPLOAD_KEEP_HOURS)
        held.save(update_fields=["expires_at"])
        made = DatasetImport.objects.create(
            kind=Job.Kind.IMPORT,
            queue=queues.CPU,
            upload=held,
            wishes={"name": name, **asdict(wishes)},
            created_by=user,
        )
        audit.record(actor=user, action="dataset.import", target=made, name=name)
        jobs.announce(made)
    return made


def wishes_of(asked: DatasetImport) -> Wishes:
    stored = {key: value for key, value in asked.wishes.items() if key != "name"}
    mapping = stored.pop("mapping")
    return Wishes(mapping=ColumnMapping(**mapping) if mapping else None, **stored)


def run(claim: jobs.Claim, tell: Tell) -> Dataset:
    """Run the import and report progress; problems of invalid rows are stored with the job."""
    asked = DatasetImport.objects.select_related("upload__dataset", "created_by").get(pk=claim.job_id)
    try:
        return uploads.make_dataset(
            user=asked.created_by,
            upload=asked.upload,
            name=asked.wishes["name"],
            wishes=wishes_of(asked),
            tell=tell,
        )
    except DomainError as error:
        if error.code == "invalid_rows":
            _keep_problems(claim, error.problems)
        raise


@transaction.atomic
def _keep_problems(claim: jobs.Claim, problems: list[dict[str, Any]]) -> None:
    jobs.check_current(claim)
    DatasetImport.objects.filter(pk=claim.job_id).update(problems=problems)


def refusal(asked: DatasetImport) -> DomainError | None:
    """Why a job ended without a dataset, as the page or the API would report it at once; None if it did not."""
    if asked.status != Job.Status.FAILED:
        return None
    error = DomainError(asked.error_code, asked.error_message, status=422, problems=asked.problems)
    if asked.problems:
        error.extra = uploads.report_facts(asked.upload, listed=len(asked.problems))
    return error
