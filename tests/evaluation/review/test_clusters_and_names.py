"""What a campaign's frozen plan says about its prompts and its models."""

import pytest

from evaluation.models import PromptTag
from evaluation.report.services import reports
from evaluation.review.services import campaigns
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db


def _tagged(comparison, tags):
    """Give the prompts the tag "topic" in turn."""
    for number, prompt in enumerate(comparison.prompt_set.prompts.order_by("pk")):
        topic = tags[number % len(tags)]
        prompt.tags = {"topic": topic}
        prompt.save(update_fields=["tags"])
        PromptTag.objects.create(prompt_set=comparison.prompt_set, prompt=prompt, name="topic", value=topic)


def test_a_campaign_clusters_its_prompts_by_a_tag_that_they_have():
    owner = factories.user()
    comparison = factories.comparison(owner, 12)
    _tagged(comparison, ["refund", "delivery", "login", "other"])
    with pytest.raises(DomainError) as refused:
        factories.campaign(owner, pairs=12, comparison=comparison, cluster="customer")
    assert refused.value.code == "unknown_tag"
    assert "topic" in refused.value.detail
    made = factories.campaign(owner, pairs=12, comparison=comparison, cluster="topic")
    assert made.plan["cluster"] == "topic"
    campaigns_plan = factories.campaign(owner, pairs=12, comparison=comparison).plan
    assert campaigns_plan["cluster"] == ""
    factories.rate(made, 6)
    campaigns.close(campaign=made, user=owner, reason="enough")
    result = reports.take_look(campaign=made, user=owner).result
    codes = {caution["code"] for caution in result["cautions"]}
    assert "few_clusters" in codes
    assert result["primary"]["n_prompts"] == 12
    assert result["primary"]["mixed_model"] is None
    assert "the same 'topic'" in result["methods"]


def test_the_report_calls_the_models_by_their_names():
    owner = factories.user()
    made = factories.rated_campaign()
    campaigns.close(campaign=made, user=owner, reason="enough")
    result = reports.take_look(campaign=made, user=owner).result
    assert made.candidate.name in result["sentence"]
    assert "tuned model" not in result["sentence"]
