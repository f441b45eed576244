"""Downloads, conversions and verifications of models: pages request them, workers run them."""

import re
from pathlib import Path

from django.conf import settings
from django.db import transaction

from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.errors import DomainError
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.models import ModelJob, ModelVersion
from training.registry.services import models

REFERENCE = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*@[0-9a-f]{40}")


def request_download(
    *, user: User, name: str, reference: str, licence: str = "", confirmed: bool
) -> ModelJob:
    """Queue the download of a hub model at a pinned commit; it is registered as `name` after its checks.

    Raises DomainError: downloads_off, not_confirmed, not_pinned, name_taken.
    """
    if not settings.HUB_DOWNLOADS:
        raise DomainError(
            "downloads_off",
            "Downloads are off on this server. An operator can allow them with HUB_DOWNLOADS=1.",
            status=403,
        )
    if not confirmed:
        raise DomainError("not_confirmed", "Confirm the download.", status=400)
    if not REFERENCE.fullmatch(reference):
        raise DomainError(
            "not_pinned",
            "Enter organisation/name@commit with all 40 digits of the commit. The files of a branch can change.",
            status=400,
        )
    if ModelVersion.objects.filter(name=name).exists():
        raise DomainError("name_taken", f"Another model is already called {name}. Choose a different name.")
    return _queue(user, ModelJob(kind=Job.Kind.DOWNLOAD, name=name, reference=reference, licence=licence))


def request_conversion(*, user: User, name: str, file: str, licence: str = "") -> ModelJob:
    """Queue the unpacking of a single GGUF file to 16-bit safetensors; the folder is then registered as `name`.

    Raises DomainError: relative_path, no_gguf, path_too_long, name_taken.
    """
    longest = ModelJob._meta.get_field("reference").max_length or 0
    if not Path(file).is_absolute():
        raise DomainError(
            "relative_path", "Enter the absolute path of the file, beginning with /.", status=400
        )
    if not is_gguf(file):
        raise DomainError("no_gguf", "Enter the path of a single file that ends with .gguf.", status=400)
    if len(file) > longest:
        raise DomainError(
            "path_too_long", f"The path has more than {longest} characters. Move the file.", status=400
        )
    if ModelVersion.objects.filter(name=name).exists():
        raise DomainError("name_taken", f"Another model is already called {name}. Choose a different name.")
    return _queue(user, ModelJob(kind=Job.Kind.CONVERSION, name=name, reference=file, licence=licence))


def is_gguf(path: str) -> bool:
    return path.lower().endswith(".gguf")


def request_verification(*, user: User, model: ModelVersion) -> ModelJob:
    """Queue a comparison of all of a model's files with their hashes, or return the one already queued or running."""
    if not model.path:
        raise DomainError("no_files", f"{model} has no files on this server to verify.", status=400)
    waiting = ModelJob.objects.filter(model=model, kind=Job.Kind.VERIFICATION).exclude(
        status__in=Job.TERMINAL
    )
    earlier = waiting.first()
    return earlier or _queue(user, ModelJob(kind=Job.Kind.VERIFICATION, name=model.name, model=model))


@transaction.atomic
def _queue(user: User, job: ModelJob) -> ModelJob:
    job.created_by, job.queue = user, queues.CPU
    job.save(force_insert=True)
    audit.record(actor=user, action=f"model.{job.kind}", target=job, name=job.name, reference=job.reference)
    jobs.announce(job)
    return job


def begin_attempt(claim: jobs.Claim) -> ModelJob:
    """The claimed job. Raises DomainError `downloads_off` if downloads were disabled after the request."""
    job = ModelJob.objects.select_related("model", "created_by").get(pk=claim.job_id)
    if job.kind == Job.Kind.DOWNLOAD and not settings.HUB_DOWNLOADS:
        raise DomainError("downloads_off", "Downloads were turned off before this one started.", status=403)
    return job


def complete_download(claim: jobs.Claim, *, job: ModelJob, path: str) -> ModelVersion:
    """Register the downloaded model; idempotent. Raises what `models.register_base` raises."""
    with transaction.atomic():
        jobs.check_current(claim)
    model = models.register_base(
        user=job.created_by, name=job.name, path=path, licence=job.licence, hub_reference=job.reference
    )
    ModelJob.objects.filter(pk=job.pk).update(model=model)
    return model


def complete_conversion(claim: jobs.Claim, *, job: ModelJob, path: str, precision: str) -> ModelVersion:
    """Register the unpacked model with the precision of its file; idempotent. Raises what `models.register_base`
    raises."""
    with transaction.atomic():
        jobs.check_current(claim)
    origin = {"precision": precision, "gguf": Path(job.reference).name}
    model = models.register_base(
        user=job.created_by, name=job.name, path=path, licence=job.licence, origin=origin
    )
    ModelJob.objects.filter(pk=job.pk).update(model=model)
    return model
