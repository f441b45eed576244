"""Every page for managers that quotes a prompt shows a conversation in the same way, every text as text."""

import pytest
from django.urls import reverse

from evaluation.models import Pair, Prompt
from evaluation.report.services import reports
from evaluation.review.services import campaigns
from tests import factories
from training.intake.services import uploads

pytestmark = pytest.mark.django_db
SCRIPT = "<script>alert(1)</script>"


@pytest.fixture
def campaign():
    made = factories.campaign(factories.user(), pairs=4)
    factories.with_turns(made.comparison.prompt_set)
    for prompt in Prompt.objects.all():
        prompt.messages[3]["content"] += SCRIPT
        prompt.save()
    return made


def prompt_set(campaign):
    return reverse("evaluation:prompt_set", args=[campaign.comparison.prompt_set_id])


def pair(campaign):
    first = Pair.objects.filter(comparison=campaign.comparison).earliest("pk")
    return reverse("evaluation:pair", args=[campaign.comparison_id, first.pk])


def pair_file(campaign):
    first = Pair.objects.filter(comparison=campaign.comparison).earliest("pk")
    return reverse("evaluation:pair_file", args=[campaign.comparison_id, first.pk, "html"])


def preview(campaign):
    messages = factories.messages()
    messages[3]["content"] += SCRIPT
    file = factories.jsonl({"messages": messages, "tools": factories.TOOLS})
    owner = campaign.created_by
    upload = uploads.stage(user=owner, name="chats", file=file, source_name="chats.jsonl")
    return reverse("evaluation:prompt_file", args=[upload.pk])


@pytest.mark.parametrize("page", [prompt_set, pair, pair_file, preview])
def test_who_speaks_and_what_is_called_is_shown_with_earlier_turns_folded_apart(client, campaign, page):
    client.force_login(campaign.created_by)
    text = client.get(page(campaign)).content.decode()
    assert "3 earlier turns" in text
    for role in ("system", "user", "assistant", "tool"):
        assert f'data-role="{role}"' in text
    assert "<summary>Tool call <code>find_order</code></summary>" in text
    assert "{\n  &quot;number&quot;: 7\n}" in text
    between = text[text.index("How can I help?") : text.index("Where is order 0?")]
    assert between.count("</details>") == 1 and "<details" not in between
    assert SCRIPT not in text and "&lt;script&gt;alert(1)&lt;/script&gt;" in text


def test_the_report_quotes_the_turns_of_a_conversation(client, campaign):
    factories.rate(campaign, 3)
    campaigns.close(campaign=campaign, user=campaign.created_by, reason="enough")
    campaign.refresh_from_db()
    reports.take_look(campaign=campaign, user=campaign.created_by)
    client.force_login(campaign.created_by)
    text = client.get(reverse("evaluation:report", args=[campaign.pk])).content.decode()
    assert "3 earlier turns" in text and "Where is order" in text and SCRIPT not in text


def test_a_practice_pair_shows_its_conversation(client, campaign):
    prompt = {"messages": factories.messages(), "tools": factories.TOOLS}
    item = {"prompt": prompt, "left": "A", "right": "B", "expected": ["left"], "explanation": "Kind."}
    campaign.practice = [item]
    campaign.save()
    client.force_login(campaign.created_by)
    text = client.get(reverse("evaluation:practice", args=[campaign.pk])).content.decode()
    assert "3 earlier turns" in text and "Tools the assistant can call" in text
