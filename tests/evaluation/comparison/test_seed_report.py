"""A single-prompt report with the figures of a hand-made one, from recorded responses; nothing here is generated.

The page, the API and the Markdown are made of the same document, so whatever one says the others say.
"""

import html
import json
import re

import pytest
from django.urls import reverse

from evaluation.comparison import document
from tests.evaluation.comparison.test_pair_imports import pair, store

pytestmark = pytest.mark.django_db
PROMPTS = 1
EXPECTED = {
    "decision": "Eligible",
    "reason": "Order not yet processed. Modification can be made immediately.",
    "customer_response": "I can help you with this request. Let me process this for you right away.",
    "next_action": "Proceed with resolution per policy",
    "escalation_required": False,
}
UNTUNED = EXPECTED | {
    "decision": "Available",
    "customer_response": "Hello! Thank you for reaching out. We can proceed with making the requested size change.",
    "next_action": "Modify the order to reflect the new size.",
}


@pytest.fixture
def compared():
    row = pair(
        prompt="Follow the policy and return only JSON.",
        input={"order_id": "A1", "issue_type": "order_modification", "customer_tier": "gold"},
        expected=EXPECTED,
        baseline=json.dumps(UNTUNED),
        candidate=json.dumps(EXPECTED),
        baseline_input_tokens=974,
        candidate_input_tokens=974,
    )
    return store(row)


def visible(page):
    """The text of a page as people read it, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_one_held_out_case_reads_alike_on_the_page_in_the_api_and_in_markdown(compared, client):
    client.force_login(compared.created_by)
    pair = compared.pairs.select_related("prompt").earliest("pk")
    found = client.get(f"/api/v1/comparisons/{compared.pk}/pairs/{pair.pk}/").json()
    markdown = client.get(reverse("evaluation:pair_file", args=[compared.pk, pair.pk, "md"])).content.decode()
    page = visible(client.get(reverse("evaluation:pair", args=[compared.pk, pair.pk])))

    prompt = found["prompt"]
    assert prompt["instruction"] in markdown and prompt["instruction"] in page
    for key in prompt["input_keys"]:
        assert f"`{key}`" in markdown and key in page
    assert squeezed(json.dumps(prompt["expected"], ensure_ascii=False)) in squeezed(markdown)
    assert squeezed(json.dumps(prompt["expected"], ensure_ascii=False)) in squeezed(page)
    for side in ("baseline", "candidate"):
        made = found[side]
        assert made["text"] and made["text"].strip() in markdown
        assert f"Tokens: {made['input_tokens']:,} input → {made['output_tokens']:,} output" in markdown
        assert f"{made['input_tokens']:,} → {made['output_tokens']:,}" in page
        for figure in ("latency_ms", "ms_per_token"):
            said = document.shown(made[figure], "ms")
            assert said in markdown and said in page, figure
        assert f"{made['match']['right']} of {made['match']['judged']}" in markdown
    free = [row["field"] for row in found["fields"] if row["comparison"] == "similar"]
    assert "customer_response" in free
    for row in found["fields"]:
        assert row["field"] in page
        words = markdown.count(f"**{row['field']}:** free text, likeness")
        assert words == sum(row[side]["status"] == "similar" for side in ("baseline", "candidate"))
    assert "Imported" in markdown and "production-ready" not in markdown


def test_the_overview_of_all_prompts_agrees_too(compared, client):
    client.force_login(compared.created_by)
    found = client.get(f"/api/v1/comparisons/{compared.pk}/figures/").json()
    files = reverse("evaluation:comparison_file", args=[compared.pk, "md"])
    markdown = client.get(files).content.decode()
    page = visible(client.get(reverse("evaluation:comparison", args=[compared.pk])))
    assert found["prompts"] == PROMPTS
    assert found["headline"] in markdown and found["headline"] in page
    shown = {figure["name"]: document.row(figure) for figure in found["metrics"]}
    assert {"score", "output_tokens", "latency_ms", "ms_per_token"} <= shown.keys()
    for row in shown.values():
        assert row["baseline"] in markdown and row["baseline"] in page
        assert row["difference"] in markdown
