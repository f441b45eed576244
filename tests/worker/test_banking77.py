"""Real data through the whole path: BANKING77 uploaded, trained on with QLoRA, compared on its own test rows.

Run it alone with `pytest tests/worker/test_banking77.py -s`, which prints the figures.
"""

import pytest
from django.core.management import call_command
from django.urls import reverse

from evaluation.comparison.exports import comparison_json
from evaluation.comparison.selectors.comparison_document import comparison_document
from evaluation.comparison.services import comparisons
from evaluation.models import Comparison, PromptSet
from ftplatform import queues
from tests import factories
from training.config import DecodingConfig, TrainingConfig
from training.models import Dataset
from training.registry.services import models
from training.runs.services import runs
from worker.demo.stages import BASE_FOLDER
from worker.tasks import run_next

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

COLUMNS = [
    "--instruction",
    'Name the intent of the bank customer\'s query. Answer as JSON: {"intent": name}.',
    "--input",
    "query=text",
    "--output",
    "intent=category",
]
CONFIG = TrainingConfig(learning_rate=6e-3, batch_size=32, epochs=0.25, max_length=512)


SIDES = ("baseline", "candidate")
ANSWERS = ("match", "mismatch")


def test_banking77_from_upload_to_the_field_table(shared_data, client, capsys):
    folder = shared_data / "banking77"
    owner = factories.user()
    call_command("import_dataset", folder / "train.csv", "--name", "banking77", *COLUMNS, "--held-out", "2")
    call_command(
        "import_prompts", folder / "test.csv", "--name", "banking77 test", *COLUMNS, "--limit", "100"
    )
    data = Dataset.objects.get()
    assert data.rows == 10_003

    base = models.register_base(user=owner, name="tiny", path=str(BASE_FOLDER))
    run = runs.launch(user=owner, name="banking77", dataset=data, base_model=base, config=CONFIG)
    run_next(queues.GPU)
    run.refresh_from_db()
    assert run.status == run.Status.SUCCEEDED, run.error_message
    losses = list(run.metrics.filter(split="validation").values_list("loss", flat=True))
    assert losses[-1] < losses[0] / 2

    compared = comparisons.launch(
        user=owner,
        name="banking77",
        prompt_set=PromptSet.objects.get(),
        candidates=[run.adapter],
        decoding=DecodingConfig(max_new_tokens=32, batch_size=50, latency_prompts=4),
        leakage_reason="A published split, kept as it is.",
    )
    run_next(queues.GPU)
    compared = Comparison.objects.get(pk=compared.pk)
    assert compared.status == compared.Status.SUCCEEDED, compared.error_message

    document = comparison_document(compared)
    assert document is not None
    figures = comparison_json(document)
    intent = next(row for row in figures["fields"] if row["name"] == "intent")
    assert intent["n"] == 100
    # The toy base is far too small to learn 77 intents so soon; what it must learn is the form of an answer.
    answered = {side: sum(intent["counts"][side].get(status, 0) for status in ANSWERS) for side in SIDES}
    valid_json = next(metric for metric in figures["metrics"] if metric["name"] == "valid_json")
    assert valid_json["candidate"] >= 0.9
    assert answered["candidate"] >= answered["baseline"] + 70
    client.force_login(owner)
    page = client.get(reverse("evaluation:comparison", args=[compared.pk])).content.decode()
    assert "intent" in page and "100" in page
    forms = f"{answered['baseline']} → {answered['candidate']}"
    shares = f"{intent['baseline']:.1%} → {intent['candidate']:.1%}"
    with capsys.disabled():
        print(
            f"\nbanking77 on the toy model: {forms} of 100 test queries got an intent, {shares} the right one, ",
            end="",
        )
        print(f"validation loss {losses[0]:.2f} → {losses[-1]:.2f}")
