"""A single-prompt report with the figures of a hand-made one, from recorded responses; nothing here is generated."""

import html
import json
import re

import pytest
from django.urls import reverse

from tests.evaluation.comparison.test_pair_imports import pair, store

pytestmark = pytest.mark.django_db
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


def test_one_held_out_case_has_the_figures_of_the_hand_made_report(compared, client):
    client.force_login(compared.created_by)
    pair = compared.pairs.earliest("pk")
    api = client.get(f"/api/v1/comparisons/{compared.pk}/pairs/{pair.pk}/").json()
    markdown = client.get(reverse("evaluation:pair_file", args=[compared.pk, pair.pk, "md"])).content.decode()
    rows = {
        row["title"]: [cell["text"] for cell in row["cells"]]
        for row in api["sections"][0]["tables"][0]["rows"]
    }
    assert rows["Input tokens"] == ["974", "974", "0.0\xa0%"]
    assert rows["Output tokens"] == ["186", "56", "−70\xa0%"]
    assert rows["Time per response"] == ["8.14 s", "4.36 s", "−47\xa0%"]
    assert rows["Time per output token"] == ["43.8 ms", "77.8 ms", "+78\xa0%"]
    words = {row["field"]: (row["baseline"]["word"], row["candidate"]["word"]) for row in api["fields_text"]}
    assert words["decision"] == ("differs", "matches")
    assert words["customer_response"][1] == "likeness 1.00"
    assert "Imported" in markdown and "production-ready" not in markdown


def test_the_overview_of_one_prompt_has_no_interval_to_show(compared, client):
    client.force_login(compared.created_by)
    api = client.get(f"/api/v1/comparisons/{compared.pk}/figures/").json()
    score = next(figure for figure in api["metrics"] if figure["name"] == "score")
    assert (score["text"]["interval"], score["text"]["p"], score["text"]["test"]) == (
        "–",
        "–",
        "no variation",
    )
    assert api["prompts"] == 1 and "on 1 prompt of" in api["lead"]
