"""What the rubric editor says before a rubric is saved, and how reviewers read rubrics, new and old."""

import pytest
from django.urls import reverse

from evaluation.models import Campaign, RubricVersion
from evaluation.review.services import campaigns
from ftplatform.errors import DomainError
from tests import factories

pytestmark = pytest.mark.django_db

QUESTION = "\n\n## Rate\n\n{type: form}\n\n**Empathy**\n{type: scale, per: side, key: empathy}\n"
LESSONS = (
    "\n## Lessons\n\n{type: form, per: campaign}\n\n**What worked best?**\n{type: textarea, required: true}\n"
)
INSTRUCTIONS = """## How to rate

{type: instructions}

Read **both**:

1. the [policy](https://example.org/policy)
2. the answers

<!-- the tuned one is longer -->

```json
{"decision": "refund"}
```
"""


def preview(client, text):
    return client.post(reverse("evaluation:rubric_preview"), {"text": text}).content.decode()


@pytest.fixture
def manager(client):
    owner = factories.user("manager")
    client.force_login(owner)
    return owner


def test_the_editor_says_what_a_campaign_lacks_and_saves_all_the_same(client, manager):
    text = QUESTION.replace("per: side", "per: pair")
    body = preview(client, text)
    assert (
        "A campaign cannot use this rubric yet" in body
        and "{type: scale, min: 1, max: 10, per: side}" in body
    )
    assert "A campaign can use this rubric" in preview(client, QUESTION)
    client.post(reverse("evaluation:rubric_edit"), {"name": "Pairs", "text": text})
    assert RubricVersion.objects.get().rubric.name == "Pairs"
    with pytest.raises(DomainError) as caught:
        factories.campaign(manager, rubric_text=text)
    assert caught.value.code == "no_criteria"


def test_questions_for_the_campaign_are_listed_apart_and_not_asked(client, manager):
    body = preview(client, QUESTION + LESSONS)
    for_pair, for_campaign = body.split("Questions for the whole campaign")
    assert "Empathy" in for_pair and "What worked best?" not in for_pair
    assert "What worked best?" in for_campaign and "Once per campaign" in for_campaign
    assert "whole campaign" not in preview(client, QUESTION)
    made = factories.campaign(manager, rubric_text=QUESTION + LESSONS)
    assert [field["key"] for field in made.rubric["fields"]] == ["empathy"]
    assert "What worked best?" in made.rubric_text


def test_the_editor_shows_the_place_of_a_mistake(client, manager):
    text = QUESTION.replace("per: side", "per: reviewer")
    assert 'data-line="8" data-column="15"' in " ".join(preview(client, text).split())
    page = client.post(reverse("evaluation:rubric_edit"), {"name": "R", "text": text})
    assert page.status_code == 400
    body = page.content.decode()
    assert "Line 8, column 15" in body and "data-lines" in body and "js/editor" in body
    assert page.content.count(b"data-line=") == 1


def test_reviewers_read_markdown_without_comments(client, manager):
    made = factories.campaign(manager, rubric_text=INSTRUCTIONS + QUESTION)
    client.logout()
    page = client.get(reverse("evaluation:invite", args=[made.invites.get().code])).content.decode()
    section = pair_of(client, made)["rubric"]["sections"][0]
    for shown in (page, section["html"], preview_of(manager, client)):
        assert "<strong>both</strong>" in shown and "<li>the answers</li>" in shown
        assert 'href="https://example.org/policy" target="_blank" rel="noopener noreferrer"' in shown
        assert '<pre><code>{"decision": "refund"}' in shown.replace("&quot;", '"')
    assert "tuned one" not in page + str(section)


def preview_of(manager, client):
    client.force_login(manager)
    return preview(client, INSTRUCTIONS + QUESTION)


def pair_of(client, campaign):
    code = campaign.invites.get().code
    token = client.post(f"/api/v1/invites/{code}/accept").json()["reviewer_token"]
    return client.post(
        f"/api/v1/campaigns/{campaign.pk}/assignments/next", headers={"Authorization": f"Reviewer {token}"}
    ).json()


def test_rubrics_stored_before_are_shown_as_before(client, manager):
    """Their texts are plain, their fields have what was read then."""
    made = factories.campaign(manager, rubric_text=INSTRUCTIONS + QUESTION)
    text = "Read\n**both**.\n\n<!-- note -->\n\n- one"
    stored = made.rubric | {
        "instructions": text,
        "sections": [{"title": "How to rate", "kind": "instructions", "text": text}],
    }
    del stored["markdown"]
    stored["fields"][0]["label"] = "**Empathy**"
    Campaign.objects.filter(pk=made.pk).update(rubric=stored)
    made.refresh_from_db()
    assert made.form.fields[0].label == "**Empathy**"
    client.logout()
    page = client.get(reverse("evaluation:invite", args=[made.invites.get().code])).content.decode()
    for paragraph in ("<p>Read **both**.</p>", "<p>&lt;!-- note --&gt;</p>", "<p>- one</p>"):
        assert paragraph in page
    assert pair_of(client, made)["rubric"] == stored
    client.force_login(manager)
    assert client.get(reverse("evaluation:campaign", args=[made.pk])).status_code == 200


def test_a_draft_with_a_stored_rubric_still_opens(client, manager):
    draft = campaigns.create(
        user=manager,
        title="Draft",
        comparison=factories.comparison(manager, 2),
        rubric_text=QUESTION,
        overlap=1,
    )
    del draft.rubric["markdown"]
    draft.save(update_fields=["rubric"])
    assert client.get(reverse("evaluation:campaign", args=[draft.pk])).status_code == 200
    campaigns.open_campaign(campaign=draft, user=manager)
    assert "html" not in str(pair_of(client, draft)["rubric"]["sections"])
