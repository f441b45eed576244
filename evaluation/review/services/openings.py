"""From a draft to an open campaign: a small one while somebody waits, a large one as a job of the workers."""

from django.conf import settings
from django.db import transaction

from evaluation.models import Campaign, Invite, Opening
from evaluation.review.services import campaigns
from evaluation.review.services.lottery import pairs_of
from ftplatform import queues
from ftplatform.accounts import audit
from ftplatform.accounts.models import User
from ftplatform.jobs import services as jobs
from ftplatform.jobs.models import Job
from training.intake.checking import Tell


def start(*, campaign: Campaign, user: User) -> Invite | Opening:
    """Open it; from a comparison of more than `OPENING_WAIT_PAIRS` pairs, the job that opens it. Asked again, what was
    made or is being made. Raises DomainError as `campaigns.open_campaign`; for a job, the job ends so."""
    pairs = pairs_of(campaign.run, campaign.candidate).count()
    if campaign.status != Campaign.Status.DRAFT or pairs <= settings.OPENING_WAIT_PAIRS:
        return campaigns.open_campaign(campaign=campaign, user=user)
    with transaction.atomic():
        # The row lock makes a second click wait and find the job of the first.
        held = Campaign.objects.select_for_update().get(pk=campaign.pk)
        if held.status != Campaign.Status.DRAFT:
            return held.invites.earliest("id")
        if (earlier := held.opening_under_way) is not None:
            return earlier
        made = Opening.objects.create(kind=Job.Kind.OPENING, queue=queues.CPU, campaign=held, created_by=user)
        audit.record(actor=user, action="campaign.opening", target=held)
        jobs.announce(made)
    return made


def run(claim: jobs.Claim, tell: Tell) -> Campaign:
    """Do it, telling how far it is. What is told inside the last transaction is refused to an attempt that lost its
    job or was asked to stop, so that nothing opens which somebody has cancelled."""
    asked = Opening.objects.select_related("campaign", "created_by").get(pk=claim.job_id)
    campaigns.open_campaign(campaign=asked.campaign, user=asked.created_by, tell=tell)
    return asked.campaign


def cancel(*, campaign: Campaign, user: User) -> None:
    """Stop the job; the campaign stays the draft that it was. Without one, nothing happens."""
    job = campaign.opening_under_way
    if job is not None:
        jobs.cancel(job=job, user=user)
