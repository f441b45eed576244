"""Prompts that were trained on: found, refused, and with a reason used and shown."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from evaluation.comparison.selectors import comparison_facts
from evaluation.comparison.services import comparisons, leakage, prompts
from evaluation.models import LeakageCheck, PromptSet
from ftplatform.errors import DomainError
from tests import factories
from training.config import DecodingConfig
from training.models import ModelVersion

pytestmark = pytest.mark.django_db
QUESTION = (
    "May I return the blue shoes that I bought in your shop on the high street three weeks ago, number {}?"
)


@pytest.fixture(autouse=True)
def artefacts(settings, tmp_path):
    settings.ARTEFACT_DIR = tmp_path


@pytest.fixture
def trained():
    """A dataset of questions, and an adapter that was trained on it."""
    from training.intake.services import datasets

    owner = factories.user()
    rows = [
        factories.row(
            id=f"r{n}", input={"question": QUESTION.format(n)}, split="train" if n else "validation"
        )
        for n in range(10)
    ]
    made = datasets.create(user=owner, name="shoes", file=factories.jsonl(*rows), source_name="a.jsonl")
    run = factories.training_run(owner, dataset=made)
    return made, factories.adapter(owner, run=run)


def question(text, key="q"):
    return {"prompt": "Decide.", "id": key, "input": {"question": text}}


def test_exact_after_normalisation_and_nearly(trained):
    dataset, _ = trained
    rows = [
        {"id": "exact", "instruction": "decide. ", "input": {"question": QUESTION.format(3).upper()}},
        {"id": "near", "instruction": "Decide.", "input": {"question": QUESTION.format(999)}},
        {
            "id": "other",
            "instruction": "Decide.",
            "input": {"question": "What does delivery to Norway cost?"},
        },
    ]
    found = leakage.find(rows, dataset)
    assert (found.exact, found.near) == (1, 1)
    assert [each["key"] for each in found.examples] == ["exact", "near"]


def test_leaked_prompts_are_refused_without_a_reason_and_nothing_is_stored(trained):
    dataset, _ = trained
    with pytest.raises(DomainError) as caught:
        prompts.typed(
            user=factories.user(), name="typed", rows=[question(QUESTION.format(4))], against=dataset
        )
    assert caught.value.code == "leakage"
    assert "r4" in caught.value.problems[1]["message"]
    assert not PromptSet.objects.exists()


def test_clean_prompts_need_no_reason(trained):
    dataset, _ = trained
    prompts.typed(user=factories.user(), name="typed", rows=[question("Do you ship lamps?")], against=dataset)
    check = LeakageCheck.objects.get()
    assert (check.exact, check.near, check.reason) == (0, 0, "")


def test_a_launch_checks_what_the_candidate_was_trained_on(trained, client):
    _, adapter = trained
    owner = factories.user("manager")
    made = prompts.typed(user=owner, name="typed", rows=[question(QUESTION.format(4))])

    def launch(**options):
        return comparisons.launch(
            user=owner, name="x", prompt_set=made, candidates=[adapter], decoding=DecodingConfig(), **options
        )

    with pytest.raises(DomainError, match="1 prompts are rows"):
        launch()
    run = launch(leakage_reason="A published split.")
    assert comparison_facts.provenance(run, adapter).leakage[0].reason == "A published split."
    client.force_login(owner)
    page = client.get(reverse("evaluation:prompt_set", args=[made.pk])).content.decode()
    assert "A published split." in page
    launch()  # what was decided once need not be decided again
    assert ModelVersion.objects.filter(pk=adapter.pk).exists()


def test_the_real_split_of_banking77_leaks(shared_data, django_db_setup):
    """Seven test queries stand in the training file, as a count of the file itself shows."""
    import csv

    from training.intake.services import datasets

    folder = shared_data / "banking77"
    owner = factories.user()

    def rows(name):
        with (folder / name).open(newline="") as file:
            return [
                factories.row(
                    id=f"{name}-{n}", input={"query": line["text"]}, split="train" if n else "validation"
                )
                for n, line in enumerate(csv.DictReader(file))
            ]

    train, test = rows("train.csv"), rows("test.csv")
    made = datasets.create(user=owner, name="b", file=factories.jsonl(*train), source_name="a.jsonl")
    found = leakage.find(test, made)
    plain = {" ".join(row["input"]["query"].casefold().split()) for row in train[1:]}
    assert found.exact == sum(" ".join(row["input"]["query"].casefold().split()) in plain for row in test) > 0
    assert found.near > found.exact


def test_the_command_checks_against_a_dataset_and_tags_as_the_page_does(trained, tmp_path):
    file = tmp_path / "prompts.jsonl"
    rows = [question(QUESTION.format(3)) | {"expected": {"decision": "Yes"}}]
    rows[0]["input"]["tier"] = "gold"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))

    def import_prompts(*options):
        call_command("import_prompts", file, "--name", "set", "--tags", "tier", *options)

    with pytest.raises(CommandError, match="No dataset is called shirts"):
        import_prompts("--against", "shirts")
    for named in ("shoes", "shoes v1"):
        with pytest.raises(CommandError, match="train"):
            import_prompts("--against", named)
    assert not PromptSet.objects.exists()
    import_prompts("--against", "shoes v1", "--leakage-reason", "On purpose.")
    made = PromptSet.objects.get()
    assert made.prompts.get().tags["tier"] == "gold"
    assert LeakageCheck.objects.get(prompt_set=made).reason == "On purpose."
