"""The first seed's report made by the machine: one held-out case, trained, answered and compared for real.

The page, the API and the Markdown are made of the same document, so whatever one says the others say.
"""

import html
import json
import re

import pytest
from django.urls import reverse

from evaluation.comparison import present
from evaluation.models import GenerationRun
from evaluation.services import generation, prompts
from ftplatform import queues
from tests import factories
from tests.worker.ml.conftest import BASE
from training.config import DecodingConfig
from training.services import datasets, models
from worker.tasks import run_next

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]
WHY = "Cases of one generator resemble each other."
PROMPTS = 3


@pytest.fixture
def compared(trained, cases):
    """A comparison of the toy base and an adapter of four steps, on rows that the adapter has not seen."""
    owner = factories.user()
    split = ["train"] * 32 + ["validation"] * (len(cases) - 32)
    rows = [case | {"split": own} for case, own in zip(cases, split, strict=True)]
    data = datasets.create(user=owner, name="cases", file=factories.jsonl(*rows), source_name="cases.jsonl")
    base = models.register_base(user=owner, name="tiny", path=str(BASE), is_demo=True)
    run = generation.launch(
        user=owner,
        name="single prompt",
        prompt_set=prompts.from_dataset(
            user=owner, name="held out", dataset=data, limit=PROMPTS, leakage_reason=WHY
        ),
        candidates=[factories.adapter(owner, base=base, path=str(trained[0]), is_demo=True)],
        decoding=DecodingConfig(max_new_tokens=160, batch_size=6, latency_prompts=1),
        leakage_reason=WHY,
    )
    run_next(queues.GPU)
    done = GenerationRun.objects.get(pk=run.pk)
    assert done.status == done.Status.SUCCEEDED, done.error_message
    return done


def visible(page):
    """The text of a page as people read it, with single spaces."""
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.content.decode())).split())


def squeezed(text):
    return re.sub(r"\s+", "", text)


def test_one_held_out_case_reads_alike_on_the_page_in_the_api_and_in_markdown(compared, client):
    client.force_login(compared.created_by)
    pair = compared.pairs.select_related("prompt").earliest("pk")
    found = client.get(f"/api/v1/generation-runs/{compared.pk}/pairs/{pair.pk}/").json()
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
            said = present.shown(made[figure], "ms")
            assert said in markdown and said in page, figure
        assert f"{made['match']['right']} of {made['match']['judged']}" in markdown
    free = [row["field"] for row in found["fields"] if row["comparison"] == "similar"]
    assert "customer_response" in free
    for row in found["fields"]:
        assert row["field"] in page
        words = markdown.count(f"**{row['field']}:** free text, likeness")
        assert words == sum(row[side]["status"] == "similar" for side in ("baseline", "candidate"))
    assert "Toy model" in markdown and "production-ready" not in markdown


def test_the_overview_of_all_prompts_agrees_too(compared, client):
    client.force_login(compared.created_by)
    found = client.get(f"/api/v1/generation-runs/{compared.pk}/comparison/").json()
    files = reverse("evaluation:comparison_file", args=[compared.pk, "md"])
    markdown = client.get(files).content.decode()
    page = visible(client.get(reverse("evaluation:generation_run", args=[compared.pk])))
    assert found["prompts"] == PROMPTS
    assert found["headline"] in markdown and found["headline"] in page
    shown = {figure["name"]: present.row(figure) for figure in found["metrics"]}
    assert {"score", "output_tokens", "latency_ms", "ms_per_token"} <= shown.keys()
    for row in shown.values():
        assert row["baseline"] in markdown and row["baseline"] in page
        assert row["difference"] in markdown
