"""Conversations through the whole path on a real instruct model: uploaded, trained on, and answered as trained."""

import pytest

from evaluation.comparison.services import comparisons, prompts
from evaluation.models import Comparison
from ftplatform import queues
from ftplatform.errors import DomainError
from tests import factories
from training.config import DecodingConfig, TrainingConfig
from training.intake.services import datasets
from training.models import ModelVersion
from training.registry.services import models
from training.runs.services import runs
from worker.ml.data import Row, prompt_ids
from worker.ml.models import inspect_base, load_tokenizer
from worker.tasks import run_next

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

CONFIG = TrainingConfig(
    method="lora", targets="attention", lora_r=4, batch_size=8, epochs=1, max_length=512, sample_prompts=0
)
DECODING = DecodingConfig(max_new_tokens=8, batch_size=4, latency_prompts=1, quantisation="none")


def talk(number):
    return [
        {"role": "system", "content": "You are kind."},
        {"role": "user", "content": f"Order {number} is late."},
        {"role": "assistant", "content": "I am sorry. Shall I send it again?"},
        {"role": "user", "content": f"Yes, send order {number} again."},
    ]


def launch(name, prompt_set, candidate):
    return comparisons.launch(
        user=candidate.created_by,
        name=name,
        prompt_set=prompt_set,
        candidates=[candidate],
        decoding=DECODING,
    )


def worked(job):
    run_next(queues.GPU)
    job.refresh_from_db()
    return job


def test_a_model_is_asked_the_conversations_as_it_was_trained_on_them(smollm):
    owner = factories.user()
    rows = [{"messages": [*talk(n), {"role": "assistant", "content": "It is sent."}]} for n in range(24)]
    data = datasets.create(user=owner, name="chats", file=factories.jsonl(*rows), source_name="a.jsonl")
    base = models.register_base(user=owner, name="smollm", path=str(smollm))
    run = worked(runs.launch(user=owner, name="chats", dataset=data, base_model=base, config=CONFIG))
    assert run.status == run.Status.SUCCEEDED, run.error_message

    asked = prompts.from_dataset(user=owner, name="held out", dataset=data)
    compared = worked(launch("chats", asked, run.adapter))
    assert compared.status == compared.Status.SUCCEEDED, compared.error_message

    tokenizer = load_tokenizer(smollm, embedding_rows=inspect_base(smollm)["vocab"])
    pairs = list(compared.pairs.select_related("prompt", "baseline_response", "candidate_response"))
    assert len(pairs) == data.validation_rows > 0
    for pair in pairs:
        assert len(pair.prompt.messages) == 4
        expected = prompt_ids(tokenizer, Row("x", "", None, "", pair.prompt.messages).turns)
        for response in (pair.baseline_response, pair.candidate_response):
            assert response.input_tokens == len(expected) and response.output_tokens > 0

    with_tools = prompts.typed(
        user=owner,
        name="tools",
        rows=[
            {"id": "plain", "messages": talk(201)},
            {"id": "call", "messages": talk(202), "tools": factories.TOOLS},
        ],
    )
    with pytest.raises(DomainError, match="Prompt call uses tools") as caught:
        launch("tools", with_tools, run.adapter)
    assert caught.value.code == "tools_unsupported"
    # A base that was registered where the libraries are missing: the worker finds it out.
    del base.details["template"]
    base.save()
    failed = worked(launch("tools", with_tools, ModelVersion.objects.get(pk=run.adapter.pk)))
    assert (failed.status, failed.error_code) == (failed.Status.FAILED, "tools_unsupported")
    assert failed.error_message.startswith("Prompt call: ")
    assert not Comparison.objects.get(pk=failed.pk).responses.exists()
