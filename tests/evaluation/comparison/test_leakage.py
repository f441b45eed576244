"""Prompts that were trained on: found, refused, and with a reason used and shown."""

import json

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse
from django.utils import timezone

from evaluation.comparison.selectors import comparison_facts
from evaluation.comparison.services import comparisons, leakage, prompts
from evaluation.models import LeakageCheck, PromptSet
from ftplatform.errors import DomainError
from tests import factories
from training.config import DecodingConfig
from training.models import ModelVersion, TrainingRun

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
    assert [(each["field"], "r4" in each["message"]) for each in caught.value.problems] == [("q", True)]
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

    with pytest.raises(DomainError, match="1 prompt is in the training split of shoes v1:"):
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


def rows_of(numbers):
    return [question(QUESTION.format(number), f"q{number}") for number in numbers]


def test_trained_prompts_are_left_out_on_request(trained):
    dataset, _ = trained
    rows = [*rows_of((2, 3, 777)), question("Do you ship lamps?", "lamps")]
    with pytest.raises(DomainError) as caught:
        prompts.typed(user=factories.user(), name="typed", rows=rows, against=dataset)
    assert caught.value.extra == {"leaked": {"exact": 2, "near": 1, "prompts": 3}}
    made = prompts.typed(
        user=factories.user(), name="typed", rows=rows, against=dataset, leave_out_leaked=True
    )
    assert list(made.prompts.values_list("key", flat=True)) == ["lamps"]
    assert (made.size, made.source) == (1, "typed in, without 3 prompts in the training data of shoes v1")
    check = LeakageCheck.objects.get()
    assert (check.exact, check.near, check.reason) == (0, 0, "")


def test_nothing_is_left_out_of_clean_prompts_and_not_everything(trained):
    dataset, _ = trained
    owner = factories.user()
    rows = [question("Do you ship lamps?")]
    made = prompts.typed(user=owner, name="a", rows=rows, against=dataset, leave_out_leaked=True)
    assert (made.size, made.source) == (1, "typed in")
    with pytest.raises(DomainError) as caught:
        prompts.typed(user=owner, name="b", rows=rows_of((2, 3)), against=dataset, leave_out_leaked=True)
    assert caught.value.code == "empty_prompt_set"
    assert PromptSet.objects.count() == 1


def test_a_launch_leaves_trained_prompts_out_of_a_copy(trained):
    _, adapter = trained
    owner = factories.user("manager")
    rows = [*rows_of((2, 3)), question("Do you ship lamps?", "lamps") | {"tags": {"tier": "gold"}}]
    made = prompts.typed(user=owner, name="typed", rows=rows)

    def launch(key, prompt_set=made):
        return comparisons.launch(
            user=owner,
            name="x",
            prompt_set=prompt_set,
            candidates=[adapter],
            decoding=DecodingConfig(),
            idempotency_key=key,
            leave_out_leaked=True,
        )

    run = launch("a")
    copy = run.prompt_set
    assert copy != made and copy.name == "typed, without 2 trained prompts"
    assert (copy.size, copy.field_rules, made.prompts.count()) == (1, made.field_rules, 3)
    prompt = copy.prompts.get()
    assert (prompt.key, prompt.tags["tier"], prompt.prompt_set) == ("lamps", "gold", copy)
    assert launch("a") == run
    assert launch("b").prompt_set == copy == launch("c", copy).prompt_set
    assert PromptSet.objects.count() == 2
    with pytest.raises(DomainError) as caught:
        launch("d", prompts.typed(user=owner, name="all", rows=rows_of((2,))))
    assert caught.value.code == "empty_prompt_set"


def test_a_copy_takes_a_free_name(trained):
    _, adapter = trained
    owner = factories.user("manager")
    made = prompts.typed(user=owner, name="typed", rows=[*rows_of((2,)), question("Lamps?", "lamps")])
    prompts.typed(user=owner, name="typed, without 1 trained prompts", rows=[question("Lamps?")])
    run = comparisons.launch(
        user=owner,
        name="x",
        prompt_set=made,
        candidates=[adapter],
        decoding=DecodingConfig(),
        leave_out_leaked=True,
    )
    assert run.prompt_set.name == "typed, without 1 trained prompts (2)"


def test_the_launch_page_offers_to_leave_prompts_out(trained, client):
    _, adapter = trained
    TrainingRun.objects.update(status="succeeded", finished_at=timezone.now())
    owner = factories.user("manager")
    client.force_login(owner)
    made = prompts.typed(user=owner, name="mixed", rows=[*rows_of((4,)), question("Lamps?", "lamps")])
    form = {"name": "x", "prompt_set": str(made.pk), "candidates": [str(adapter.pk)], "engine": "local"}
    form |= {name: value for name, value in DecodingConfig().model_dump().items() if value is not None}
    page = client.post(reverse("evaluation:comparison_new"), form | {"idempotency_key": "k"})
    assert page.status_code == 400
    assert page.context["error"].code == "leakage" and not page.context["form"].errors
    body = page.content.decode()
    assert 'name="leave_out_leaked" value="on" form="comparison"' in body and 'name="leakage_reason"' in body
    form |= {"idempotency_key": "k", "leave_out_leaked": "on"}
    assert client.post(reverse("evaluation:comparison_new"), form).status_code == 302
    assert PromptSet.objects.filter(name="mixed, without 1 trained prompts").exists()


def test_a_file_is_imported_without_trained_prompts(trained, client, tmp_path):
    dataset, _ = trained
    client.force_login(factories.user("manager"))
    lines = [*rows_of((3, 4)), question("Do you ship lamps?", "lamps")]
    content = "".join(json.dumps(row) + "\n" for row in lines)

    def post(**more):
        file = tmp_path / "p.jsonl"
        file.write_text(content)
        with file.open("rb") as opened:
            data = {"name": "set", "file": opened, "against": str(dataset.pk), **more}
            return client.post(reverse("evaluation:prompt_set_new") + "?from=file", data)

    page = post()
    assert page.status_code == 400
    body = " ".join(page.content.decode().split())
    assert "Leave these 2 prompts out" in body and "Choose the file again first." in body
    assert post(leave_out_leaked="on").status_code == 302
    assert PromptSet.objects.get().size == 1


def test_the_api_and_the_command_leave_prompts_out(trained, client, tmp_path):
    dataset, adapter = trained
    client.force_login(factories.user())

    def post(path, body):
        return client.post(f"/api/v1/{path}/", body, content_type="application/json")

    rows = [*rows_of((3, 4)), question("Do you ship lamps?", "lamps")]
    asked = {"name": "api", "prompts": rows, "against": str(dataset.pk)}
    refused = post("prompt-sets", asked)
    assert (refused.status_code, refused.json()["code"]) == (422, "leakage")
    assert refused.json()["leaked"] == {"exact": 2, "near": 0, "prompts": 2}
    made = post("prompt-sets", asked | {"leave_out_leaked": True})
    assert (made.status_code, made.json()["size"]) == (201, 1)
    assert made.json()["leakage"] == [{"dataset": str(dataset.pk), "exact": 0, "near": 0, "reason": ""}]

    whole = post("prompt-sets", {"name": "whole", "prompts": rows}).json()
    launch = {"name": "x", "prompt_set": whole["id"], "candidate": str(adapter.pk)}
    assert post("comparisons", launch).json()["code"] == "leakage"
    launched = post("comparisons", launch | {"leave_out_leaked": True})
    assert launched.status_code == 201
    assert PromptSet.objects.get(pk=launched.json()["prompt_set"]).size == 1

    file = tmp_path / "prompts.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    call_command("import_prompts", file, "--name", "cli", "--against", "shoes", "--leave-out-leaked")
    assert PromptSet.objects.get(name="cli").size == 1
